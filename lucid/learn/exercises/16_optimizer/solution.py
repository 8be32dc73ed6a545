"""Exercise 16: a solution.

The sign throws the size of the gradient away, so every element moves by lr at each step, wherever a
gradient comes. (Adamax moves by at most that, and by less where the gradients disagree.) The mean
for the sign is quick, the one that is kept is slow.

When the class is used for the first time, lucid calls the rule with tracers in place of arrays, and
refuses one with arguments in another order or with another number of results, before anything
moves. `optimizer.explain(p)` shows a step of it, number by number.
"""

from lucid import optim


class Lion(optim.Optimizer):
    """update = lr * sign(beta1 * m + (1 - beta1) * g), m = beta2 * m + (1 - beta2) * g."""

    slots = ("m",)

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.99)):
        super().__init__(params, {"lr": lr, "betas": betas})

    @staticmethod
    def rule(xp, theta, g, m, lr, *, beta1, beta2):
        """The update, which is subtracted from theta, and the new m."""
        update = lr * xp.sign(beta1 * m + (1 - beta1) * g)
        return update, beta2 * m + (1 - beta2) * g
