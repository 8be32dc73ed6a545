"""What does an optimizer look like? Adamax: Adam with the infinity norm in place of the second moment."""

from __future__ import annotations

from typing import Any

from lucid.optim.optimizer import Optimizer
from lucid.optim.validation import HALF_OPEN_UNIT, NON_NEGATIVE, Params


class Adamax(Optimizer):
    """Adamax: Adam with the infinity norm in place of the second moment (Kingma and Ba 2015, arXiv 1412.6980).

    For a parameter theta with gradient `grad` at its t-th update, lambda being `weight_decay`:

        g_t     = grad + lambda * theta_{t-1}
        m_t     = beta1 * m_{t-1} + (1 - beta1) * g_t                   m_0 = 0
        u_t     = max(beta2 * u_{t-1}, |g_t|)                           u_0 = 0, element by element
        theta_t = theta_{t-1} - lr / (1 - beta1^t) * m_t / (u_t + eps)

    This is Algorithm 2 of the paper. m is the mean of the gradients, the recent ones weighing most, corrected
    for having begun at zero. u is how large they have been: a large one counts at once and is forgotten slowly.
    So the step is bounded: with the defaults no element moves by more than 1.0091 * lr at once. Where some
    gradients are outliers it ends at about half of Adam's loss, where they are sparse at the same, and with plain
    noise a little above (docs/optimizers.md, with a picture).

    The paper has no eps. Here it is added to u at the division, as in Keras and TensorFlow; PyTorch and optax put
    it inside the max, `max(beta2 * u, |g| + eps)`. With `eps=0` all are one rule, but an element that never had
    a gradient is then 0/0.

    Args:
        params: an iterable of Parameters, or of dicts `{"params": ..., "lr": ...}`, one for each group; what
            a group does not name it takes from the arguments below.
        lr: the learning rate.
        betas: how much of m, and of u, is kept from one step to the next: beta1 and beta2, both in [0, 1).
        eps: keeps the division finite where u is zero.
        weight_decay: lambda, L2 regularisation: so many times theta is added to the gradient.

    Attributes:
        param_groups, defaults: as `Optimizer` says, for `"lr"`, `"beta1"`, `"beta2"`, `"eps"` and `"weight_decay"`; all
            are read at each step, so `group["lr"] = ...` works at once.
        state: parameter -> `{"t": updates so far, "m": array, "u": array}`, from its first update on. For
            float16 parameters m, u and the arithmetic are float32.

    Raises:
        TypeError, ValueError: as `Optimizer` says; the betas must be below 1, all numbers finite and not negative.

    >>> import lucid
    >>> model = lucid.nn.Linear(3, 1)
    >>> loss = (model(lucid.ones(8, 3)) - 1).square().mean()

    >>> import lucid.optim as optim
    >>> optimizer = optim.Adamax(model.parameters(), lr=2e-3)
    >>> optimizer.zero_grad()
    >>> loss.backward()
    >>> optimizer.step()
    """

    slots = ("m", "u")
    torch_slot_names = {"exp_avg": "m", "exp_inf": "u"}
    domains = dict.fromkeys(("lr", "eps", "weight_decay"), NON_NEGATIVE)
    domains |= dict.fromkeys(("beta1", "beta2"), HALF_OPEN_UNIT)

    def __init__(
        self, params: Params, lr: float = 0.002, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-08,
        weight_decay: float = 0,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @staticmethod
    def rule(xp, theta, g, m, u, step, *, beta1, beta2, eps, weight_decay):
        """Algorithm 2 of the paper, but for `eps`; `step` is lr / (1 - beta1^t)."""
        if weight_decay:
            g = g + weight_decay * theta
        m = beta1 * m + (1 - beta1) * g
        u = xp.maximum(beta2 * u, xp.abs(g))  # the infinity norm of past gradients, decayed
        return step * m / (u + eps), m, u  # eps at the division, not inside the max as PyTorch has it

    @staticmethod
    def step_scalars(options: dict[str, Any], t: int) -> tuple[float, ...]:
        """`step`: the learning rate, corrected for m having begun at zero; u needs no correction."""
        return (options["lr"] / (1 - options["beta1"] ** t),)
