"""ASGD: stochastic gradient descent that also gives the mean of where it has been."""

from __future__ import annotations

from typing import Any

from lucid.optim.optimizer import Optimizer
from lucid.optim.validation import FLAG, NON_NEGATIVE, Params


class ASGD(Optimizer):
    """Averaged SGD (Polyak and Juditsky 1992, SIAM J. Control and Optimization 30), with steps that shrink.

        g_t     = grad + lambda * theta_{t-1}                           (-grad where `maximize`)
        eta_t   = lr / (1 + lambd * lr * (t - 1))^alpha
        theta_t = (1 - lambd * eta_t) * theta_{t-1} - eta_t * g_t
        mean_t  = theta_t                                               up to t = t0 + 2
        mean_t  = mean_{t-1} + (theta_t - mean_{t-1}) / (t - 1 - t0)    after that

    Noisy gradients keep theta dancing around the minimum; the mean of its last steps is much nearer to it.
    The step sizes are those of Xu 2011 (arXiv 1107.2490). theta itself does not follow the mean: it is in
    `optimizer.state[p]["mean"]`, to be put into the parameters when training is over. With PyTorch's t0 of a
    million updates that is theta; give the update from which on theta only dances.

    As all hyperparameters here, lr counts at once. In PyTorch a new lr counts one update later.
    Its state: `{"t": updates so far, "mean": array}`; other attributes, and errors, as for Adamax.

    Args:
        params, weight_decay: as for Adamax, lambda being weight_decay.
        lr: the learning rate of the first update.
        lambd: how fast theta decays, and the step size with it.
        alpha: the power with which the step size falls.
        t0: the update after which the mean is begun.
        maximize: go uphill.

    >>> import lucid
    >>> w = lucid.tensor([1.0], requires_grad=True)
    >>> optimizer = lucid.optim.ASGD([w], lr=0.5, lambd=0, t0=0)
    >>> for gradient in (1.0, -1.0, 2.0, -2.0):
    ...     w.grad = lucid.tensor([gradient])
    ...     optimizer.step()
    >>> w.item(), optimizer.state[w]["mean"].item()
    (1.0, 0.6666666865348816)
    """

    slots = ("mean",)
    torch_slot_names = {"ax": "mean", "eta": None, "mu": None}
    domains = dict.fromkeys(("lr", "lambd", "alpha", "t0", "weight_decay"), NON_NEGATIVE) | {"maximize": FLAG}

    def __init__(
        self, params: Params, lr: float = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
        weight_decay: float = 0, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        numbers = {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay}
        super().__init__(params, {**numbers, "maximize": maximize})

    @staticmethod
    def rule(xp, theta, g, mean, eta, keep, mu, averaging, *, weight_decay, maximize):
        """SGD, and the mean of it; `keep` is 1 - lambd * eta, `mu` the weight of the new theta in the mean."""
        if maximize:
            g = -g
        if weight_decay:
            g = g + weight_decay * theta
        update, kept = eta * g, keep * theta
        new = kept - update
        return update, mean + mu * (new - mean) if averaging else new, kept

    @staticmethod
    def step_scalars(options: dict[str, Any], t: int) -> tuple[float, ...]:
        """eta, the share of theta that it leaves, mu, and whether there is a mean yet."""
        lr, lambd = options["lr"], options["lambd"]
        eta = lr / (1 + lambd * lr * (t - 1)) ** options["alpha"]
        mu = 1 / max(1.0, t - 1 - options["t0"])
        return eta, 1 - lambd * eta, mu, mu < 1
