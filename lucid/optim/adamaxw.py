"""AdamaxW, which keeps weight decay out of Adamax's moments."""

from __future__ import annotations

from typing import Any

from lucid.optim.adamax import Adamax
from lucid.optim.optimizer import Optimizer
from lucid.optim.validation import FLAG, Params


class AdamaxW(Adamax):
    """Adamax with decoupled weight decay, as AdamW has it: optax's `adamaxw`.

        theta_t = (1 - lr * lambda) * theta_{t-1} - Adamax's step for `grad` alone      (-grad where `maximize`)

    In Adamax a decay inside the gradient is divided by u, as the gradient is: what has large gradients hardly
    decays. Here all of theta shrinks at the same rate. eps stands at the division, as in Adamax.

    Args:
        params, lr, betas, eps: as for Adamax; so are attributes and errors.
        weight_decay: lambda: at each update theta loses lr * lambda of itself, uphill too.
        maximize: go uphill.
    """

    domains = {**Adamax.domains, "maximize": FLAG}

    def __init__(
        self, params: Params, lr: float = 0.002, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-08,
        weight_decay: float = 1e-4, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        numbers = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        Optimizer.__init__(self, params, {**numbers, "maximize": maximize})

    @staticmethod  # Adamax's, with one number more
    def rule(xp, theta, g, m, u, step, keep, *, beta1, beta2, eps, weight_decay, maximize):  # type: ignore[override]
        """Adamax's, with the decay first; `keep` is 1 - lr * lambda."""
        g = -g if maximize else g
        results = Adamax.rule(xp, theta, g, m, u, step, beta1=beta1, beta2=beta2, eps=eps, weight_decay=0)
        return *results, keep * theta if weight_decay else theta  # not through g: m and u never see it

    @staticmethod
    def step_scalars(options: dict[str, Any], t: int) -> tuple[float, ...]:
        """Adamax's, and the share of theta that the decay leaves."""
        return *Adamax.step_scalars(options, t), 1 - options["lr"] * options["weight_decay"]
