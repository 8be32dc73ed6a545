"""NAdam and RAdam: two thoughts on how Adam should begin."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import Any

from lucid.optim.optimizer import Optimizer
from lucid.optim.validation import FLAG, HALF_OPEN_UNIT, NON_NEGATIVE, Params

DOMAINS = dict.fromkeys(("lr", "eps", "weight_decay"), NON_NEGATIVE) | {"beta1": HALF_OPEN_UNIT}
DOMAINS |= {"beta2": HALF_OPEN_UNIT, "decoupled_weight_decay": FLAG, "maximize": FLAG}
MOMENTS_IN_TORCH = {"exp_avg": "m", "exp_avg_sq": "v"}


class NAdam(Optimizer):
    """NAdam: Adam with Nesterov's momentum (Dozat 2016, OpenReview OM0jvwB8jIp57ZJjtNEZ).

        g_t     = grad + lambda * theta_{t-1}                           (-grad where `maximize`)
        mu_t    = beta1 * (1 - 0.96^(t * psi) / 2)                      the momentum, which grows towards beta1
        m_t     = beta1 * m_{t-1} + (1 - beta1) * g_t                   m_0 = 0
        v_t     = beta2 * v_{t-1} + (1 - beta2) * g_t^2                 v_0 = 0
        mhat_t  = mu_{t+1} * m_t / (1 - mu_1 * ... * mu_{t+1}) + (1 - mu_t) * g_t / (1 - mu_1 * ... * mu_t)
        vhat_t  = v_t / (1 - beta2^t)
        theta_t = theta_{t-1} - lr * mhat_t / (sqrt(vhat_t) + eps)

    The step already uses the momentum that the next one will have: it looks one step ahead. As in PyTorch
    beta1, and not mu, decays m; the paper uses mu for both. The product of the mus is that of the present
    beta1 and psi, as beta^t is in all of Adam's corrections, so it follows from t; PyTorch keeps the product
    of those that there were. Its state: `{"t": updates so far, "m": array, "v": array}`; other attributes,
    and errors, as for Adamax.

    Args:
        params, lr, betas, eps, weight_decay: as for Adamax, v in the place of u; lambda is weight_decay.
        momentum_decay: psi, how fast the momentum grows.
        decoupled_weight_decay: let theta lose lr * lambda of itself instead, as AdamW does.
        maximize: go uphill.

    >>> import lucid
    >>> w = lucid.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = lucid.optim.NAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8944, 1.8944], requires_grad=True)
    """

    slots = ("m", "v")
    torch_slot_names = {**MOMENTS_IN_TORCH, "mu_product": None}
    domains = DOMAINS | {"momentum_decay": NON_NEGATIVE}

    def __init__(
        self, params: Params, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
        maximize: bool = False,
    ) -> None:  # fmt: skip
        numbers = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay}
        super().__init__(params, {**numbers, "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize})

    @staticmethod
    def rule(
        xp, theta, g, m, v, by_m, by_g, eps, keep, *, beta1, beta2, weight_decay, decoupled_weight_decay, maximize
    ):
        """`by_m`, `by_g` and `eps` hold the learning rate and all corrections, `keep` is 1 - lr * lambda."""
        if maximize:
            g = -g
        if weight_decay and not decoupled_weight_decay:
            g = g + weight_decay * theta
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * (g * g)
        decayed = keep * theta if weight_decay and decoupled_weight_decay else theta
        return (by_m * m + by_g * g) / (xp.sqrt(v) + eps), m, v, decayed

    @staticmethod
    def step_scalars(options: dict[str, Any], t: int) -> tuple[float, ...]:
        """The factors of m and of g, eps, and the share of theta that decoupled decay leaves. Above and below
        the division stands sqrt(1 - beta2^t) as a factor, as in Adam."""
        lr, root = options["lr"], sqrt(1 - options["beta2"] ** t)
        mus = options["beta1"], options["momentum_decay"]
        by_m = lr * mu(*mus, t + 1) / (1 - product_of_mus(*mus, t + 1))
        by_g = lr * (1 - mu(*mus, t)) / (1 - product_of_mus(*mus, t))
        return by_m * root, by_g * root, options["eps"] * root, 1 - lr * options["weight_decay"]


def mu(beta1: float, momentum_decay: float, t: int) -> float:
    """The momentum of the t-th update."""
    return beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))


def product_of_mus(beta1: float, momentum_decay: float, t: int) -> float:
    """mu_1 * ... * mu_t, or a number so small that it makes no difference to 1."""
    known = _products(beta1, momentum_decay)
    while len(known) <= t and known[-1] > 2.0**-60:
        known.append(known[-1] * mu(beta1, momentum_decay, len(known)))
    return known[min(t, len(known) - 1)]


@lru_cache(maxsize=32)
def _products(beta1: float, momentum_decay: float) -> list[float]:
    """The products known so far: with the defaults there are 57 before they vanish."""
    return [1.0]


class RAdam(Optimizer):
    """RAdam: Adam that waits with dividing until it knows by what (Liu et al. 2020, arXiv 1908.03265, Algorithm 2).

        g_t     = grad + lambda * theta_{t-1}                           (-grad where `maximize`)
        m_t     = beta1 * m_{t-1} + (1 - beta1) * g_t                   m_0 = 0
        v_t     = beta2 * v_{t-1} + (1 - beta2) * g_t^2                 v_0 = 0
        mhat_t  = m_t / (1 - beta1^t)
        rho_t   = rho - 2 * t * beta2^t / (1 - beta2^t)                 rho = 2 / (1 - beta2) - 1
        r_t     = sqrt((rho_t - 4) * (rho_t - 2) * rho / ((rho - 4) * (rho - 2) * rho_t))
        theta_t = theta_{t-1} - lr * mhat_t * r_t * sqrt(1 - beta2^t) / (sqrt(v_t) + eps)     where rho_t > 5
        theta_t = theta_{t-1} - lr * mhat_t                                                   elsewhere

    rho_t says how many squared gradients v is the mean of, in effect. While they are few, v is a poor guess,
    and Adam's first steps may go far astray; here they are plain momentum (the first five, with the default
    betas), then r lets the division in little by little: a warm-up that needs no schedule. As in PyTorch the
    bound is 5, which the authors' own code uses; the paper says 4.
    Its state: `{"t": updates so far, "m": array, "v": array}`; all else, and errors, as for Adamax.

    Args:
        params, lr, betas, eps, weight_decay: as for Adamax, v in the place of u; lambda is weight_decay.
        decoupled_weight_decay, maximize: as for NAdam.

    >>> import lucid
    >>> w = lucid.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = lucid.optim.RAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8, 1.6], requires_grad=True)
    """

    slots = ("m", "v")
    torch_slot_names = MOMENTS_IN_TORCH
    domains = DOMAINS

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, decoupled_weight_decay: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        numbers = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**numbers, "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize})

    @staticmethod
    def rule(
        xp, theta, g, m, v, step, keep, rectified,
        *, beta1, beta2, eps, weight_decay, decoupled_weight_decay, maximize
    ):  # fmt: skip
        """Algorithm 2; `step` is all that mhat is multiplied by, `keep` is 1 - lr * lambda."""
        if maximize:
            g = -g
        if weight_decay and not decoupled_weight_decay:
            g = g + weight_decay * theta
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * (g * g)
        decayed = keep * theta if weight_decay and decoupled_weight_decay else theta
        return step * m / (xp.sqrt(v) + eps) if rectified else step * m, m, v, decayed

    @staticmethod
    def step_scalars(options: dict[str, Any], t: int) -> tuple[float, ...]:
        """`step`, the share of theta that decoupled decay leaves, and whether v is to be trusted yet."""
        lr, beta2 = options["lr"], options["beta2"]
        step, forgotten = lr / (1 - options["beta1"] ** t), 1 - beta2**t
        rho = 2 / (1 - beta2) - 1
        rho_t = rho - 2 * t * beta2**t / forgotten
        rectified = rho_t > 5
        if rectified:
            r = sqrt((rho_t - 4) * (rho_t - 2) * rho / ((rho - 4) * (rho - 2) * rho_t))
            step *= r * sqrt(forgotten)
        return step, 1 - lr * options["weight_decay"], rectified
