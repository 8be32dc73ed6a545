"""Layers without weights: dropout, changes of shape, and the one that changes nothing."""

from __future__ import annotations

from typing import Any

from lucid.core.node import Tensor
from lucid.nn import functional as F
from lucid.nn.module import Module
from lucid.ops.checks import check_probability

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "Flatten", "Identity", "Unflatten"]


class Dropout(Module):
    """In training x * kept / (1 - p), where each `kept` is 0 with probability `p` and else 1; x itself otherwise.

    PyTorch's `inplace` is accepted and changes nothing.

    Raises:
        ValueError: if `p` is not in [0, 1].
    """

    _dropout = staticmethod(F.dropout)

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        check_probability(type(self).__name__, p)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return self._dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


class Dropout1d(Dropout):
    """Dropout of whole channels of (n, channels, length) or (channels, length)."""

    _dropout = staticmethod(F.dropout1d)


class Dropout2d(Dropout):
    """Dropout of whole channels of images, (n, channels, height, width)."""

    _dropout = staticmethod(F.dropout2d)


class Identity(Module):
    """Gives back what it is given; ignores the arguments it is made with, so it can replace any layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...), unchanged."""
        return input


class Flatten(Module):
    """Joins the dimensions from `start_dim` to `end_dim` into one; by default all but the first."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """(n, ...) -> (n, the product of the rest)."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The dimensions."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits dimension `dim` into several: the inverse of Flatten."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        """(..., product, ...) -> (..., *unflattened_size, ...)."""
        dim = range(input.ndim)[self.dim]
        return input.reshape(*input.shape[:dim], *self.unflattened_size, *input.shape[dim + 1 :])

    def extra_repr(self) -> str:
        """The dimension and its parts."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
