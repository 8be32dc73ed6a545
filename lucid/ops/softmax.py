"""Softmax and its relatives, and the rest of the reductions."""

from __future__ import annotations

import math
from functools import wraps
from typing import Any

from lucid.core.elementwise import minimum
from lucid.core.node import Tensor, method
from lucid.core.op import op
from lucid.core.reductions import _extreme, _share_of_ties, expand_reduced, reduction
from lucid.core.shapes import accepts_axis

__all__ = ["all", "amin", "any", "argmin", "log_softmax", "logsumexp", "min", "softmax"]


@reduction(several=False)
@op()
def argmin(xp, x, *, axis=None, keepdims=False):
    """The int64 index of the smallest element, the first of several; without `dim`, into the flattened tensor."""
    return x.argmin(axis=axis, keepdims=keepdims)


@reduction
@op()
def any(xp, x, *, axis=None, keepdims=False):
    """Whether any element over `dim` is not 0."""
    return x.any(axis=axis, keepdims=keepdims)


@reduction
@op()
def all(xp, x, *, axis=None, keepdims=False):
    """Whether no element over `dim` is 0."""
    return x.all(axis=axis, keepdims=keepdims)


@reduction
@op(
    floats=True,
    x=lambda xp, g, x, out, axis: (
        expand_reduced(xp, g, x.shape, axis) * _softmax_of(xp, x, expand_reduced(xp, out, x.shape, axis))
    ),
)
def logsumexp(xp, x, *, axis=None, keepdims=False):
    """log(sum(exp(x))) over `dim`, without overflow."""
    top = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0)
    total = xp.sum(xp.exp(x - top), axis=axis, keepdims=True)
    with xp.quiet():  # all -inf: log 0 is the answer
        out = xp.log(total) + top
    return out if keepdims else out.reshape(xp.sum(x, axis=axis).shape)


def _softmax_of(xp, x, out):
    return xp.exp(x - xp.where(out == -math.inf, 0, out))  # all -inf: no element has a share, and 0 it is


def along_dim(operation: Any) -> Any:
    """The public form of an operation along one dim that must be named, also the method of that name."""
    name = operation.__name__

    @method(name)
    @accepts_axis
    @wraps(operation)
    def along(x: Tensor, dim: int | None = None) -> Tensor:
        if not isinstance(dim, int):
            raise TypeError(f"{name}: expected an int for dim, got {dim!r}; classes are usually the last one, dim=-1")
        return operation(x, axis=dim)

    return along


def softmax_vjp(xp, g, out, axis):
    """The gradient of a softmax's input."""
    return out * (g - xp.sum(g * out, axis=axis, keepdims=True))


@along_dim
@op(floats=True, x=lambda xp, g, out, axis: softmax_vjp(xp, g, out, axis))
def softmax(xp, x, *, axis):
    """exp(x) / sum(exp(x)) along `dim`, without overflow."""
    if not x.size:
        return x.copy()
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    e /= xp.sum(e, axis=axis, keepdims=True)
    return e


@along_dim
@op(floats=True, x=lambda xp, g, out, axis: g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True))
def log_softmax(xp, x, *, axis):
    """log(softmax(x)) along `dim`, without overflow."""
    if not x.size:
        return x.copy()
    out = x - xp.max(x, axis=axis, keepdims=True)
    out -= xp.log(xp.sum(xp.exp(out), axis=axis, keepdims=True))
    return out


@reduction
@op(x=lambda xp, g, x, out, axis: expand_reduced(xp, g, x.shape, axis) * _share_of_ties(xp, x, out, axis))
def amin(xp, x, *, axis=None, keepdims=False):
    """The smallest element over `dim`, NaN if there is one; ties share the gradient evenly."""
    return xp.min(x, axis=axis, keepdims=keepdims)


@method()
@accepts_axis
def min(x: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest of all elements; with an int `dim`, (values, indices) along it; with a tensor, `minimum`."""
    return _extreme(minimum, amin, argmin, x, dim, keepdim)
