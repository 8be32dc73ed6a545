"""SGD: downhill, with momentum."""

from __future__ import annotations

from typing import Any

from lucid.optim.optimizer import Optimizer
from lucid.optim.validation import FLAG, NON_NEGATIVE, Params


class SGD(Optimizer):
    """Stochastic gradient descent, with (Nesterov's) momentum as PyTorch writes it.

        g_t     = grad + lambda * theta_{t-1}                           (-grad where `maximize`)
        v_t     = momentum * v_{t-1} + (1 - dampening) * g_t            v_1 = g_1
        theta_t = theta_{t-1} - lr * v_t
        theta_t = theta_{t-1} - lr * (g_t + momentum * v_t)             where `nesterov`

    As in PyTorch, and unlike Sutskever et al. 2013 (Proceedings of ICML), the learning rate stands outside of
    v: a new one scales the whole next step.

    Args:
        params, lr, weight_decay: as for Adamax, lambda being weight_decay; so are attributes and errors.
        momentum: how much of v is kept from one step to the next; with 0 there is no v.
        dampening: how much less than the full gradient enters v, from the second update on.
        nesterov: look one step ahead along v; a ValueError without momentum or with dampening.
        maximize: go uphill.

    >>> import lucid
    >>> w = lucid.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = lucid.optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8, 1.6], requires_grad=True)
    """

    slots = ("v",)
    optional_slots = {"v": "momentum"}
    torch_slot_names = {"momentum_buffer": "v"}
    domains = dict.fromkeys(("lr", "momentum", "dampening", "weight_decay"), NON_NEGATIVE)
    domains |= dict.fromkeys(("nesterov", "maximize"), FLAG)

    def __init__(
        self, params: Params, lr: float = 1e-3, momentum: float = 0, dampening: float = 0,
        weight_decay: float = 0, nesterov: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        numbers = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, {**numbers, "nesterov": nesterov, "maximize": maximize})

    @staticmethod
    def rule(xp, theta, g, v, lr, fresh, *, momentum, weight_decay, nesterov, maximize):
        """Polyak's or Nesterov's momentum as PyTorch writes it; `fresh` is the share of g that enters v."""
        if maximize:
            g = -g
        if weight_decay:
            g = g + weight_decay * theta
        if not momentum:
            return lr * g, None
        v = momentum * v + fresh * g
        return lr * (g + momentum * v if nesterov else v), v

    @staticmethod
    def step_scalars(options: dict[str, Any], t: int) -> tuple[float, ...]:
        """The learning rate, and the share of a new gradient that enters v: all of the first one."""
        return options["lr"], 1.0 if t == 1 else 1 - options["dampening"]

    def check(self, context: str, options: dict[str, Any]) -> None:
        """Refuse `nesterov` where it has no meaning."""
        momentum, dampening = options["momentum"], options["dampening"]
        if options["nesterov"] and (not momentum or dampening):
            raise ValueError(
                f"{context}: nesterov=True needs a momentum above 0 and dampening 0, got momentum {momentum} and "
                f"dampening {dampening}; set momentum=0.9, say, or nesterov=False"
            )
