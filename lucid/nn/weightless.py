"""Layers without weights: functions as modules, dropout, changes of shape, and the one that changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lucid.core.node import Tensor
from lucid.nn import functional as F
from lucid.nn.module import Module
from lucid.ops.checks import check_probability
from lucid.ops.shapes import flatten


class FunctionModule(Module):
    """A function of one tensor as a module; a subclass names it, and as `options` the attributes that it takes."""

    function: Callable[..., Any]
    options: tuple[str, ...] = ()
    shown: tuple[str, ...] | None = None  # in the repr, where that is not all options

    def __init_subclass__(cls, function: Callable[..., Any] | None = None, options: tuple[str, ...] = ()) -> None:
        super().__init_subclass__()
        cls.options += options
        if function is not None:
            cls.function = staticmethod(function)

    def forward(self, input: Tensor) -> Any:
        """(...) -> (...), where the class says nothing else."""
        if not self.options:
            return self.function(input)
        return self.function(input, **{name: getattr(self, name) for name in self.options})

    def extra_repr(self) -> str:
        """The options."""
        shown = self.options if self.shown is None else self.shown
        return ", ".join([f"{name}={getattr(self, name)!r}" for name in shown])


class Dropout(FunctionModule, function=F.dropout, options=("p",)):
    """In training x * kept / (1 - p), where each `kept` is 0 with probability `p` and else 1; x itself otherwise. A
    ValueError if `p` is not in [0, 1]. PyTorch's `inplace` is accepted and changes nothing."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        check_probability(type(self).__name__, p)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return self.function(input, self.p, self.training)


class Dropout1d(Dropout, function=F.dropout1d):
    """Dropout of whole channels of (n, channels, length) or (channels, length)."""


class Dropout2d(Dropout, function=F.dropout2d):
    """Dropout of whole channels of images, (n, channels, height, width)."""


class Identity(Module):
    """Gives back what it is given; ignores the arguments it is made with, so it can replace any layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...), unchanged."""
        return input


class Flatten(FunctionModule, function=flatten, options=("start_dim", "end_dim")):
    """Joins the dimensions from `start_dim` to `end_dim` into one: by default (n, ...) -> (n, product of the rest)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim


class Unflatten(FunctionModule, options=("dim", "unflattened_size")):
    """Splits dimension `dim` into several: the inverse of Flatten."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        """(..., product, ...) -> (..., *unflattened_size, ...)."""
        dim = range(input.ndim)[self.dim]
        return input.reshape(*input.shape[:dim], *self.unflattened_size, *input.shape[dim + 1 :])
