"""Adam, and AdamW, which keeps weight decay out of Adam's moments."""

from __future__ import annotations

from math import sqrt
from typing import Any

from lucid.optim.optimizer import Optimizer
from lucid.optim.validation import FLAG, HALF_OPEN_UNIT, NON_NEGATIVE, Params


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, arXiv 1412.6980, Algorithm 1), with AMSGrad (Reddi et al. 2018, arXiv 1904.09237).

        g_t     = grad + lambda * theta_{t-1}                           (-grad where `maximize`)
        m_t     = beta1 * m_{t-1} + (1 - beta1) * g_t                   m_0 = 0
        v_t     = beta2 * v_{t-1} + (1 - beta2) * g_t^2                 v_0 = 0
        mhat_t  = m_t / (1 - beta1^t)
        vhat_t  = v_t / (1 - beta2^t)
        theta_t = theta_{t-1} - lr * mhat_t / (sqrt(vhat_t) + eps)

    m is the mean of the gradients and v that of their squares, the recent ones weighing most; the hats
    correct for both having begun at zero. An element whose gradients agree moves by about lr a step, however
    small they are; one whose gradients cancel hardly moves.

    As v forgets, a rare large gradient soon counts for nothing, and Adam may fail to converge. With `amsgrad`
    the largest v so far, `v_max`, stands in the place of v in the division. As in PyTorch it is the largest
    of the uncorrected ones; Reddi et al. correct nothing. All else, and errors, are as for Adamax,
    but for the state: `{"t": updates so far, "m": array, "v": array}`, `"v_max"` with amsgrad.

    Args:
        params, lr, betas, eps, weight_decay: as for Adamax, v in the place of u; lambda is weight_decay.
        amsgrad: divide by the largest v so far.
        maximize: go uphill.

    >>> import lucid
    >>> w = lucid.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = lucid.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9, 1.9], requires_grad=True)
    """

    slots = ("m", "v", "v_max")
    optional_slots = {"v_max": "amsgrad"}
    torch_slot_names = {"exp_avg": "m", "exp_avg_sq": "v", "max_exp_avg_sq": "v_max"}
    domains = dict.fromkeys(("lr", "eps", "weight_decay"), NON_NEGATIVE)
    domains |= {"beta1": HALF_OPEN_UNIT, "beta2": HALF_OPEN_UNIT, "amsgrad": FLAG, "maximize": FLAG}

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        numbers = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**numbers, "amsgrad": amsgrad, "maximize": maximize})

    @staticmethod
    def rule(xp, theta, g, m, v, v_max, step, eps, *, beta1, beta2, weight_decay, amsgrad, maximize):
        """Algorithm 1, in the quicker order that section 2 gives: `step` and `eps` hold both corrections."""
        if maximize:
            g = -g
        if weight_decay:
            g = g + weight_decay * theta
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * (g * g)
        if amsgrad:
            v_max = xp.maximum(v_max, v)
        return step * m / (xp.sqrt(v_max if amsgrad else v) + eps), m, v, v_max

    @staticmethod
    def step_scalars(options: dict[str, Any], t: int) -> tuple[float, ...]:
        """`step` and `eps`: the division of the docstring multiplied, above and below, by sqrt(1 - beta2^t)."""
        root = sqrt(1 - options["beta2"] ** t)
        return options["lr"] * root / (1 - options["beta1"] ** t), options["eps"] * root


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101, Algorithm 2).

        theta_t = (1 - lr * lambda) * theta_{t-1} - Adam's step for `grad` alone

    In Adam a decay inside the gradient is divided by sqrt(v), as the gradient is: what has large gradients
    hardly decays. Here all of theta shrinks at the same rate. As in PyTorch, that rate is lr * lambda; the
    paper's is its schedule multiplier times lambda, whatever lr is.

    Args:
        params, lr, betas, eps, amsgrad, maximize: as for Adam; so are attributes and errors.
        weight_decay: lambda: at each update theta loses lr * lambda of itself.

    >>> import lucid
    >>> w = lucid.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = lucid.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()  # each loses a twentieth, then 0.1
    >>> w
    tensor([0.85, 1.8 ], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    @staticmethod  # Adam's, with one number more
    def rule(  # type: ignore[override]
        xp, theta, g, m, v, v_max, step, eps, keep, *, beta1, beta2, weight_decay, amsgrad, maximize
    ):
        """Algorithm 2, lines 6 to 12, with the decay first; `keep` is 1 - lr * lambda."""
        adam = {"beta1": beta1, "beta2": beta2, "amsgrad": amsgrad, "maximize": maximize}
        results = Adam.rule(xp, theta, g, m, v, v_max, step, eps, weight_decay=0, **adam)
        return *results, keep * theta if weight_decay else theta  # not through g: m and v never see it

    @staticmethod
    def step_scalars(options: dict[str, Any], t: int) -> tuple[float, ...]:
        """Adam's, and the share of theta that the decay leaves."""
        return *Adam.step_scalars(options, t), 1 - options["lr"] * options["weight_decay"]
