"""Variance, standard deviation, and norms."""

from __future__ import annotations

from typing import Any

from lucid.core.elementwise import abs
from lucid.core.node import Tensor, method
from lucid.core.op import op
from lucid.core.reductions import (
    Dim,
    accumulate_in_float32,
    amax,
    axes,
    count,
    expand_reduced,
    keepdims_shape,
    mean_weight,
    reduction,
)
from lucid.core.shapes import accepts_axis
from lucid.ops.softmax import amin

__all__ = ["norm", "std", "var"]


@reduction(correction=True)
@op(floats=True, x=lambda xp, g, x, axis, correction: _var_vjp(xp, g, x, axis, correction))
@accumulate_in_float32
def var(xp, x, *, axis=None, correction=1, keepdims=False):
    """sum((x - mean(x)) ** 2) / (n - `correction`) over `dim`, the variance (1: the unbiased estimate; 0: plainly)."""
    return _squares(xp, x, axis, correction, keepdims)


def _centred(xp, x, axis):
    """x without its mean. The first element goes first: of constant data nothing is left then, not even rounding."""
    kept = keepdims_shape(x.shape, axis)
    first = tuple(slice(0, 1) if k == 1 else slice(None) for k in kept)
    x = x - xp.getitem(x, index=(*first, Ellipsis))
    return x - xp.mean(x, axis=axis, keepdims=True)


def _squares(xp, x, axis, correction, keepdims):
    away = _centred(xp, x, axis)
    with xp.quiet():  # one element and correction=1: 0 / 0 is the answer
        return xp.sum(away * away, axis=axis, keepdims=keepdims) / max(count(x.shape, axis) - correction, 0)


def _var_vjp(xp, g, x, axis, correction):
    n = max(count(x.shape, axis) - correction, 0)
    return _centred(xp, x, axis) * (expand_reduced(xp, g, x.shape, axis) * (2 * mean_weight(n)))


# Constant data has no spread, and no direction in which it grows: the gradient there is 0, as in PyTorch, where the
# formula alone would say 0 / 0.
@reduction(correction=True)
@op(floats=True, x=lambda xp, g, x, out, axis, correction: _var_vjp(xp, _over(xp, g, 2 * out), x, axis, correction))
@accumulate_in_float32
def std(xp, x, *, axis=None, correction=1, keepdims=False):
    """The standard deviation over `dim`, sqrt(var(x)); its gradient for constant data is 0."""
    return xp.sqrt(_squares(xp, x, axis, correction, keepdims))


def _over(xp, g, out):
    """g / out, and 0 where out is 0: no division by 0 is ever made, so every further derivative is clean as well."""
    return xp.where(out == 0, 0, g / xp.where(out == 0, 1, out))


@op(
    floats=True,
    x=lambda xp, g, x, out, ord, axis: _norm_vjp(
        xp, expand_reduced(xp, g, x.shape, axis), x, expand_reduced(xp, out, x.shape, axis), ord
    ),
)
@accumulate_in_float32
def _norm(xp, x, *, ord=2.0, axis=None, keepdims=False):
    """(sum |x|**ord) ** (1 / ord); the number of nonzeros for ord = 0. The gradient at 0 is 0."""
    if ord == 2:
        return xp.sqrt(xp.sum(x * x, axis=axis, keepdims=keepdims))
    if ord == 0:
        return xp.sum((x != 0).astype(x.dtype), axis=axis, keepdims=keepdims)
    powers = xp.sum(xp.abs(x) ** ord, axis=axis, keepdims=keepdims)
    return powers if ord == 1 else powers ** (1 / ord)


def _norm_vjp(xp, g, x, out, ord):
    if ord == 2:
        return x * _over(xp, g, out)
    if ord == 1:
        return g * xp.sign(x)
    if ord == 0:
        return xp.zeros_like(x)
    size = xp.abs(x)  # where it is 0, 1 stands in: sign(x) = 0 makes the product 0, and 0 ** (ord - 2) is never taken
    ratio = xp.where(size == 0, 1, size) / xp.where(out == 0, 1, out)
    return g * xp.sign(x) * ratio ** (ord - 1)


@method()
@accepts_axis
def norm(x: Tensor, p: Any = 2, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """(sum |x|**p) ** (1 / p) over `dim`, for any number p; the largest or smallest magnitude for inf or -inf.

    Raises:
        ValueError: for a `p` that is not a number ("fro" is accepted for 2).
    """
    p = 2 if p == "fro" else p
    if not isinstance(p, (int, float)) or p != p:
        raise ValueError(f"norm: expected p to be a number, inf or -inf, got {p!r}")
    if p in (float("inf"), float("-inf")):
        return (amax if p > 0 else amin)(abs(x), axes("norm", dim), keepdim)
    return _norm(x, ord=float(p), axis=axes("norm", dim), keepdims=keepdim)
