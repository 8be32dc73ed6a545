"""Adagrad and its heirs: a step divided by how large the gradients of each element have been.

Adagrad adds up all squared gradients and so slows down for good; Adadelta and RMSprop forget the old ones.
"""

from __future__ import annotations

from typing import Any

from lucid.optim.optimizer import Optimizer
from lucid.optim.validation import FLAG, NON_NEGATIVE, UNIT_INTERVAL, Params


class Adagrad(Optimizer):
    """Adagrad with diagonal matrices (Duchi et al. 2011, Journal of Machine Learning Research 12, Figure 1).

        g_t     = grad + lambda * theta_{t-1}                           (-grad where `maximize`)
        G_t     = G_{t-1} + g_t^2                                       G_0 = initial_accumulator_value
        theta_t = theta_{t-1} - lr / (1 + (t - 1) * lr_decay) * g_t / (sqrt(G_t) + eps)

    An element that rarely has a gradient moves far when it has one, which suits sparse features. As G only
    grows, every element slows down in time. eps is the paper's delta; `lr_decay` is PyTorch's.
    Its state: `{"t": updates so far, "G": array}`; other attributes, and errors, as for Adamax.

    Args:
        params, lr, eps, weight_decay: as for Adamax, G in the place of u; lambda is weight_decay.
        lr_decay: how much slower the steps get, on top of what G does.
        initial_accumulator_value: what G begins with.
        maximize: go uphill.

    >>> import lucid
    >>> w = lucid.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = lucid.optim.Adagrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9, 1.9], requires_grad=True)
    """

    slots = ("G",)
    initial_values = {"G": "initial_accumulator_value"}
    torch_slot_names = {"sum": "G"}
    domains = dict.fromkeys(("lr", "lr_decay", "weight_decay", "eps"), NON_NEGATIVE)
    domains |= {"initial_accumulator_value": NON_NEGATIVE, "maximize": FLAG}

    def __init__(
        self, params: Params, lr: float = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        numbers = {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay}
        numbers["initial_accumulator_value"] = initial_accumulator_value
        super().__init__(params, {**numbers, "maximize": maximize})

    @staticmethod
    def rule(xp, theta, g, G, rate, *, eps, weight_decay, maximize):
        """Figure 1 of the paper, for diagonal matrices; `rate` is lr / (1 + (t - 1) * lr_decay)."""
        if maximize:
            g = -g
        if weight_decay:
            g = g + weight_decay * theta
        G = G + g * g
        return rate * g / (xp.sqrt(G) + eps), G

    @staticmethod
    def step_scalars(options: dict[str, Any], t: int) -> tuple[float, ...]:
        """`rate`: the learning rate after t - 1 updates."""
        return (options["lr"] / (1 + (t - 1) * options["lr_decay"]),)


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012, arXiv 1212.5701, Algorithm 1).

        g_t     = grad + lambda * theta_{t-1}                           (-grad where `maximize`)
        v_t     = rho * v_{t-1} + (1 - rho) * g_t^2                     v_0 = 0
        d_t     = sqrt(w_{t-1} + eps) / sqrt(v_t + eps) * g_t
        w_t     = rho * w_{t-1} + (1 - rho) * d_t^2                     w_0 = 0
        theta_t = theta_{t-1} - lr * d_t

    The mean size of past gradients stands below and that of past steps above, so that a step has theta's unit
    and the paper needs no learning rate (lr = 1). As w begins at zero, the first steps are of the size of
    sqrt(eps). Its state: `{"t": updates so far, "v": array, "w": array}`; other attributes, and errors,
    as for Adamax.

    Args:
        params, lr, weight_decay: as for Adamax, lambda being weight_decay.
        rho: how much of v, and of w, is kept from one step to the next, in [0, 1].
        eps: added to both means before the roots; what the first steps are made of.
        maximize: go uphill.

    >>> import lucid
    >>> w = lucid.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = lucid.optim.Adadelta([w], eps=0.01)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.6877, 1.6848], requires_grad=True)
    """

    slots = ("v", "w")
    torch_slot_names = {"square_avg": "v", "acc_delta": "w"}
    domains = dict.fromkeys(("lr", "eps", "weight_decay"), NON_NEGATIVE) | {"rho": UNIT_INTERVAL, "maximize": FLAG}

    def __init__(
        self, params: Params, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
        *, maximize: bool = False,
    ) -> None:  # fmt: skip
        numbers = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**numbers, "maximize": maximize})

    @staticmethod
    def rule(xp, theta, g, v, w, lr, *, rho, eps, weight_decay, maximize):
        """Algorithm 1 of the paper, times `lr`."""
        if maximize:
            g = -g
        if weight_decay:
            g = g + weight_decay * theta
        v = rho * v + (1 - rho) * (g * g)
        d = xp.sqrt(w + eps) / xp.sqrt(v + eps) * g
        w = rho * w + (1 - rho) * (d * d)
        return lr * d, v, w


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012, Neural Networks for Machine Learning, lecture 6e), with momentum.

        g_t     = grad + lambda * theta_{t-1}                           (-grad where `maximize`)
        v_t     = alpha * v_{t-1} + (1 - alpha) * g_t^2                 v_0 = 0
        m_t     = alpha * m_{t-1} + (1 - alpha) * g_t                   m_0 = 0, where `centered`
        r_t     = sqrt(v_t), or sqrt(v_t - m_t^2) where `centered`
        b_t     = momentum * b_{t-1} + g_t / (r_t + eps)                b_0 = 0
        theta_t = theta_{t-1} - lr * b_t

    Each gradient is divided by the root of the mean of its squares. Centered, as in Graves 2013 (arXiv
    1308.0850, equations 38 to 41), it is the standard deviation: an element whose gradients are alike moves
    faster and faster. eps stands outside of the root, as in PyTorch; Graves has it inside. Under the root
    v - m^2 is held at 0 or above: for gradients that are all alike rounding takes it below, and PyTorch's
    parameters become NaN there. Its state: `{"t": updates so far, "v": array}`, centered also `"m"`, with
    momentum also `"b"`; other attributes, and errors, as for Adamax.

    Args:
        params, lr, eps, weight_decay: as for Adamax, r in the place of u; lambda is weight_decay.
        alpha: how much of v, and of m, is kept from one step to the next, in [0, 1].
        momentum: how much of b is kept from one step to the next; with 0 there is no b.
        centered: divide by the standard deviation.
        maximize: go uphill.

    >>> import lucid
    >>> w = lucid.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = lucid.optim.RMSprop([w], lr=0.1, alpha=0.75)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8, 1.8], requires_grad=True)
    """

    slots = ("v", "m", "b")
    optional_slots = {"m": "centered", "b": "momentum"}
    torch_slot_names = {"square_avg": "v", "grad_avg": "m", "momentum_buffer": "b"}
    domains = dict.fromkeys(("lr", "eps", "weight_decay", "momentum"), NON_NEGATIVE)
    domains |= {"alpha": UNIT_INTERVAL, "centered": FLAG, "maximize": FLAG}

    def __init__(
        self, params: Params, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0, momentum: float = 0, centered: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        numbers = {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**numbers, "centered": centered, "maximize": maximize})

    @staticmethod
    def rule(xp, theta, g, v, m, b, lr, *, alpha, eps, weight_decay, momentum, centered, maximize):
        """Lecture 6e; `centered` as Graves has it, and momentum as PyTorch writes it."""
        if maximize:
            g = -g
        if weight_decay:
            g = g + weight_decay * theta
        v = alpha * v + (1 - alpha) * (g * g)
        square = v
        if centered:
            m = alpha * m + (1 - alpha) * g
            square = xp.maximum(v - m * m, 0.0)  # the variance, which rounding may take below zero
        step = g / (xp.sqrt(square) + eps)
        if momentum:
            step = b = momentum * b + step
        return lr * step, v, m, b
