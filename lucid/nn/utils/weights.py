"""Weights made of others at each call: weight normalisation."""

from __future__ import annotations

from typing import Any

from lucid.core.node import Tensor
from lucid.core.tensor import Parameter
from lucid.nn.module import Module


class WeightNorm:
    """The hook that makes the weight before each forward, and lets go of its history after it, so that the module can
    be copied and pickled at any other time."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, dim

    def size(self, v: Tensor) -> Tensor:
        """The norm of each slice of v along `dim`, in a shape that broadcasts against it; of all of v for None."""
        if self.dim is None or v.ndim == 1:
            return v.norm() if self.dim is None else v.abs()
        return v.norm(2, [i for i in range(v.ndim) if i != self.dim % v.ndim], keepdim=True)

    def __call__(self, module: Any, args: Any, *output: Any) -> None:
        """Before the forward make the weight, g * v / |v|; after it, with an `output`, detach it."""
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        setattr(module, self.name, getattr(module, self.name).detach() if output else v * (g / self.size(v)))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Replace the Parameter `name` of a module by two, its direction `name_v` and its length `name_g`, for each slice
    along `dim` or, with None, for all of it: weight = g * v / |v|. Returns the module, which may be copied and pickled.

    Source: Salimans and Kingma 2016, arXiv 1602.07868. A ValueError if there is no such Parameter.

    >>> from lucid import nn
    >>> [n for n, _ in nn.utils.weight_norm(nn.Linear(2, 3)).named_parameters()]
    ['bias', 'weight_g', 'weight_v']
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Parameter):
        raise ValueError(f"weight_norm: {type(module).__name__} has no Parameter {name!r}, or it is normalised already")
    hook = WeightNorm(name, dim)
    delattr(module, name)
    setattr(module, f"{name}_g", Parameter(hook.size(weight.detach())))
    setattr(module, f"{name}_v", Parameter(weight.detach()))
    setattr(module, name, weight.detach())
    module.register_forward_pre_hook(hook)
    module.register_forward_hook(hook)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Undo `weight_norm`: the weight is a Parameter again, of the value that it has. A ValueError if it is none."""
    registered = [] if module._hooks is None else [module._hooks.before, module._hooks.after]
    found = [(hooks, key, hook) for hooks in registered for key, (hook, _) in hooks.items()
             if isinstance(hook, WeightNorm) and hook.name == name]  # fmt: skip
    if not found:
        raise ValueError(f"remove_weight_norm: {name!r} of {type(module).__name__} is not normalised")
    found[0][2](module, ())
    value = getattr(module, name).detach()
    for hooks, key, _ in found:
        del hooks[key]
    for attribute in (name, f"{name}_g", f"{name}_v"):
        delattr(module, attribute)
    setattr(module, name, Parameter(value))
    return module
