"""Reshaping: layers that change the shape of their input, or nothing at all."""

from __future__ import annotations

from typing import Any

from lucid.core.node import Tensor
from lucid.nn.module import Module

__all__ = ["Flatten", "Identity", "Unflatten"]


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
