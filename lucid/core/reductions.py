"""Reductions: many numbers into one, along a dim, several, or all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lucid.core.array import as_dtype, float16, float32
from lucid.core.node import method
from lucid.core.op import op
from lucid.core.promotion import as_int

__all__ = ["mean", "sum"]

Dim = int | Sequence[int] | None


def axes(name: str, dim: Any, several: bool = True) -> Any:
    """A `dim` argument as NumPy wants it: None, an int or, where `several` may be given, a tuple.

    Raises:
        TypeError: for anything else.
    """
    if dim is None or type(dim) is int:
        return dim
    if several and isinstance(dim, (tuple, list)):
        return tuple([as_int(name, "dim", d) for d in dim]) or None  # as in PyTorch: no dims named are all of them
    return as_int(name, "dim", dim)


def reduction(operation: Any = None, *, several: bool = True, converts: bool = False) -> Any:
    """The public form of a reduction: `dim` and `keepdim` for the operation's `axis` and `keepdims`; also the method of
    that name. If it `converts`, x is first cast to a `dtype`, and so is the result."""
    if operation is None:
        return lambda operation: reduction(operation, several=several, converts=converts)
    name = operation.__name__

    def reduced(x, dim=None, keepdim=False, *, dtype=None):
        if dtype is not None:
            if not converts or (operation.op.floats and as_dtype(dtype).kind != "f"):
                raise TypeError(f"{name}: expected {'a float' if converts else 'no'} dtype, got {dtype!r}")
            x = x.to(float32 if as_dtype(dtype) == float16 else dtype)  # which may not hold what is added up
            return reduced(x, dim, keepdim).to(dtype)
        return operation(x, axis=None if dim is None else axes(name, dim, several), keepdims=keepdim)

    return method()(public_form(operation, reduced))


def public_form(operation: Any, function: Any) -> Any:
    """`function` under the name and docstring of an operation."""
    for attribute in ("__name__", "__qualname__", "__module__", "__doc__", "op"):
        setattr(function, attribute, getattr(operation, attribute))
    return function


def mean_weight(n):
    """1 / n, and NaN for n = 0: the weight of one element in a mean."""
    return 1 / n if n else math.nan


def widen_integers(x):
    """x with unsigned integers as int64, in which they add up; NumPy itself widens bools and the other integers."""
    return x.astype("int64") if x.dtype.kind == "u" else x


def keepdims_shape(x_shape, axis):
    """The shape of a reduced array with the reduced axes kept, as length 1."""
    if axis is None:
        return (1,) * len(x_shape)
    reduced = {a % len(x_shape) for a in ((axis,) if isinstance(axis, int) else axis)} if x_shape else ()
    return tuple(1 if i in reduced else n for i, n in enumerate(x_shape))


def count(x_shape, axis):
    """How many elements go into each result."""
    return math.prod(n for n, kept in zip(x_shape, keepdims_shape(x_shape, axis), strict=True) if kept == 1)


def expand_reduced(xp, g, x_shape, axis):
    """A reduced array with its axes put back, as length 1, so that it broadcasts against what was reduced."""
    return xp.reshape(g, shape=keepdims_shape(x_shape, axis))


@reduction(converts=True)
@op(x=lambda xp, g, x_shape, axis: xp.broadcast_to(expand_reduced(xp, g, x_shape, axis), shape=x_shape))
def sum(xp, x, *, axis=None, keepdims=False):
    """The sum over `dim` (an int, several, or None for all); bools and small integers add up as int64.

    >>> import lucid
    >>> lucid.tensor([[1., 2.], [3., 4.]]).sum(dim=0)
    tensor([4., 6.])
    """
    return xp.sum(widen_integers(x), axis=axis, keepdims=keepdims)


@reduction(converts=True)
@op(
    floats=True, in_single=True,
    x=lambda xp, g, x_shape, axis: xp.broadcast_to(
        expand_reduced(xp, g * mean_weight(count(x_shape, axis)), x_shape, axis), shape=x_shape
    ),
)
def mean(xp, x, *, axis=None, keepdims=False):
    """The mean over `dim`, sum(x) / n of n elements; of integers and bools too, as a float; NaN of nothing."""
    return xp.sum(x, axis=axis, keepdims=keepdims) / count(x.shape, axis)
