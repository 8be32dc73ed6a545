"""Rprop and Lion: steps that go by the sign of a gradient, whatever its size."""

from __future__ import annotations

from math import inf
from typing import Any

from lucid.optim.optimizer import Optimizer
from lucid.optim.validation import FLAG, HALF_OPEN_UNIT, NON_NEGATIVE, Domain, Params


class Rprop(Optimizer):
    """Resilient propagation (Riedmiller and Braun 1993, ICNN), in the form that is called iRprop-.

    For a parameter theta with gradient `grad` at its t-th update, element by element:

        g_t     = grad                                                  (-grad where `maximize`)
        delta_t = eta_plus * delta_{t-1}         where g_t has the sign of g_{t-1}              delta_0 = lr
        delta_t = eta_minus * delta_{t-1}        where it has the other sign; then g_t is set to 0
        delta_t = delta_{t-1}                    where one of them is 0
        delta_t = delta_t, held between step_min and step_max
        theta_t = theta_{t-1} - sign(g_t) * delta_t

    Every element has a step size of its own, which grows while its gradients agree and shrinks when one
    turns. That needs gradients without noise: of all the data, not of a batch. As in PyTorch an element whose
    gradient has turned stands still once, and does not go back as in the paper: Igel and Huesken 2003
    (Neurocomputing 50) name this iRprop- and find it better. `lr` is where the step sizes begin; a schedule,
    or whoever changes it later, has no effect on a parameter that has been moved. Groups have eta_minus,
    eta_plus, step_min and step_max; the state: `{"t": updates so far, "before": g_{t-1}, "delta": array}`.
    All else, and errors, as for Adamax.

    Args:
        params: as for Adamax.
        lr: the step size of the first update.
        etas: eta_minus in (0, 1) and eta_plus above 1, the factors of a step size.
        step_sizes: step_min and step_max; a ValueError if step_min is above.
        maximize: go uphill.

    >>> import lucid
    >>> w = lucid.tensor([1.0, -20.0], requires_grad=True)
    >>> optimizer = lucid.optim.Rprop([w], lr=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> w
    tensor([ -0.1, -18.9], requires_grad=True)
    """

    slots = ("before", "delta")
    initial_values = {"delta": "lr"}
    torch_slot_names = {"prev": "before", "step_size": "delta"}
    pairs = {"etas": ("eta_minus", "eta_plus"), "step_sizes": ("step_min", "step_max")}
    domains = dict.fromkeys(("lr", "step_min", "step_max"), NON_NEGATIVE) | {
        "eta_minus": Domain("a number in (0, 1)", lambda x: 0 < x < 1),
        "eta_plus": Domain("a finite number above 1", lambda x: 1 < x < inf), "maximize": FLAG,
    }  # fmt: skip

    def __init__(
        self, params: Params, lr: float = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize})

    @staticmethod
    def rule(xp, theta, g, before, delta, *, eta_minus, eta_plus, step_min, step_max, maximize):
        """The rule of the docstring: `before` is the gradient of the update before, or 0 where it had turned."""
        if maximize:
            g = -g
        agree = g * before
        delta = xp.where(agree > 0, eta_plus * delta, delta)
        delta = xp.where(agree < 0, eta_minus * delta, delta)
        delta = xp.minimum(xp.maximum(delta, step_min), step_max)
        g = xp.where(agree < 0, 0.0, g)
        return xp.sign(g) * delta, g, delta

    @staticmethod
    def step_scalars(options: dict[str, Any], t: int) -> tuple[float, ...]:
        """None: the step sizes are state."""
        return ()

    def check(self, context: str, options: dict[str, Any]) -> None:
        """Refuse bounds that leave no room."""
        if options["step_min"] > options["step_max"]:
            raise ValueError(
                f"{context}: step_min must be at most step_max, got step_min={options['step_min']} and "
                f"step_max={options['step_max']}; write step_sizes=(smallest, largest)"
            )


class Lion(Optimizer):
    """Lion, which was found by a program search (Chen et al. 2023, arXiv 2302.06675, Algorithm 2).

        c_t     = beta1 * m_{t-1} + (1 - beta1) * g_t
        theta_t = theta_{t-1} - lr * (sign(c_t) + lambda * theta_{t-1})
        m_t     = beta2 * m_{t-1} + (1 - beta2) * g_t                   m_0 = 0

    Every element with a gradient moves by lr at each step, so lr is to be smaller than for Adam, by three to
    ten times, and lambda larger by as much (section 5 of the paper). It remembers one array and not two: its
    state: `{"t": updates so far, "m": array}`. Other attributes, and errors, as for Adamax.

    Args:
        params: as for Adamax.
        lr: the learning rate: how far every element moves.
        betas: the share of m in the direction of a step, and how much of m is kept; both in [0, 1).
        weight_decay: lambda, decoupled: at each update theta loses lr * lambda of itself.

    >>> import lucid
    >>> w = lucid.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = lucid.optim.Lion([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9, 1.9], requires_grad=True)
    """

    slots = ("m",)
    domains = dict.fromkeys(("lr", "weight_decay"), NON_NEGATIVE) | dict.fromkeys(("beta1", "beta2"), HALF_OPEN_UNIT)

    def __init__(
        self, params: Params, lr: float = 1e-4, betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @staticmethod
    def rule(xp, theta, g, m, lr, *, beta1, beta2, weight_decay):
        """Algorithm 2 of the paper."""
        direction = xp.sign(beta1 * m + (1 - beta1) * g)
        if weight_decay:
            direction = direction + weight_decay * theta
        return lr * direction, beta2 * m + (1 - beta2) * g
