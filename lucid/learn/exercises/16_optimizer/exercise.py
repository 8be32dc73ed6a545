"""Exercise 16: an optimizer of your own."""

from lucid import optim


class Lion(optim.Optimizer):
    """update = lr * sign(beta1 * m + (1 - beta1) * g), m = beta2 * m + (1 - beta2) * g."""

    slots = ("m",)

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.99)):
        super().__init__(params, {"lr": lr, "betas": betas})

    @staticmethod
    def rule(xp, theta, g, m, lr, *, beta1, beta2):
        """The update, which is subtracted from theta, and the new m."""
        return theta - theta, m  # nothing moves yet
