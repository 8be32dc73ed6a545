"""Reductions: many numbers into one, along a dim, several, or all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from lucid.core.node import method
from lucid.core.op import op
from lucid.core.promotion import number

__all__ = ["amax", "mean", "sum"]

Dim = int | Sequence[int] | None


def axes(name: str, dim: Any, several: bool = True) -> Any:
    """A `dim` argument as NumPy wants it: None, an int or, where `several` may be given, a tuple.

    Raises:
        TypeError: for anything else.
    """
    if dim is None or isinstance(dim, int):
        return dim
    if several and isinstance(dim, (tuple, list)) and all(isinstance(d, int) for d in dim):
        return tuple(dim) or None  # as in PyTorch: no dims named are all of them
    raise TypeError(f"{name}: expected an int{', several ints' * several} or None for dim, got {dim!r}")


def reduction(operation: Any = None, *, several: bool = True, converts: bool = False, correction: bool = False) -> Any:
    """The public form of a reduction: `dim` and `keepdim` (or `axis` and `keepdims`) for the operation's `axis` and
    `keepdims`; also the method of that name. If it `converts`, x is first cast to a `dtype`; `correction` is a variance's."""
    if operation is None:
        return lambda operation: reduction(operation, several=several, converts=converts, correction=correction)
    name = operation.__name__

    def spelled(more: dict[str, Any], dim: Any, keepdim: Any) -> tuple[Any, Any]:
        dim, keepdim = more.pop("axis", dim), more.pop("keepdims", keepdim)
        if more:
            raise TypeError(
                f"{name}: unexpected keyword {next(iter(more))!r}; expected dim and keepdim (or axis and keepdims)"
            )
        return dim, keepdim

    if correction:

        def reduced(x, dim=None, correction=1, keepdim=False, **more):  # type: ignore[no-untyped-def]
            if more:
                correction = int(bool(more.pop("unbiased"))) if "unbiased" in more else correction
                dim, keepdim = spelled(more, dim, keepdim)
            return operation(x, axis=axes(name, dim, several), correction=number(correction), keepdims=keepdim)
    else:

        def reduced(x, dim=None, keepdim=False, *, dtype=None, **more):  # type: ignore[no-untyped-def, misc]
            if more:
                dim, keepdim = spelled(more, dim, keepdim)
            if dim is not None:
                dim = axes(name, dim, several)
            if dtype is not None:
                x = x.to(dtype) if converts else spelled({"dtype": dtype}, dim, keepdim)
            return operation(x, axis=dim, keepdims=keepdim)

    for attribute in ("__name__", "__qualname__", "__module__", "__doc__", "op"):
        setattr(reduced, attribute, getattr(operation, attribute))
    return method()(reduced)


def accumulate_in_float32(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The forward, with half precision summed up in single: 65,504 is soon passed, and counts above it are infinite."""

    @wraps(forward)
    def widened(xp, x, *others, **options):  # type: ignore[no-untyped-def]
        if x.dtype.char != "e":
            return forward(xp, x, *others, **options)
        wide = [a.astype("float32") if a is not None and a.dtype.char == "e" else a for a in (x, *others)]
        out = forward(xp, *wide, **options)
        return xp.asarray(out).astype(x.dtype)

    return widened


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
    floats=True,
    x=lambda xp, g, x_shape, axis: xp.broadcast_to(
        expand_reduced(xp, g * mean_weight(count(x_shape, axis)), x_shape, axis), shape=x_shape
    ),
)
@accumulate_in_float32
def mean(xp, x, *, axis=None, keepdims=False):
    """The mean over `dim`, sum(x) / n of n elements; of integers and bools too, as a float; NaN of nothing."""
    return xp.sum(x, axis=axis, keepdims=keepdims) / count(x.shape, axis)


def _share_of_ties(xp, x, out, axis):
    ties = xp.astype(x == expand_reduced(xp, out, x.shape, axis), dtype=x.dtype)
    return ties / xp.sum(ties, axis=axis, keepdims=True)


@reduction
@op(x=lambda xp, g, x, out, axis: expand_reduced(xp, g, x.shape, axis) * _share_of_ties(xp, x, out, axis))
def amax(xp, x, *, axis=None, keepdims=False):
    """The largest element over `dim`, NaN if there is one; ties share the gradient evenly."""
    return xp.max(x, axis=axis, keepdims=keepdims)
