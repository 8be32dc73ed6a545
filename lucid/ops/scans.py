"""Products and running sums and products along a dim, with gradients that divide by nothing."""

from __future__ import annotations

from typing import Any

from lucid.core.elementwise import positive
from lucid.core.node import Tensor, method
from lucid.core.op import op
from lucid.core.promotion import ndim_of
from lucid.core.reductions import accumulate_in_float32, count, expand_reduced, reduction, widen_integers
from lucid.core.shapes import accepts_axis

__all__ = ["cumprod", "cumsum", "prod"]


@reduction(converts=True)
@op(x=lambda xp, g, x, axis: expand_reduced(xp, g, x.shape, axis) * _others(xp, x, axis))
def prod(xp, x, *, axis=None, keepdims=False):
    """The product over `dim`. Its gradient, for each element the product of the others, divides by nothing: it is right where
    elements are 0, to any order."""
    return widen_integers(x).prod(axis=axis, keepdims=keepdims)


def _others(xp, x, axis):
    """For each element the product of the others that are reduced with it."""
    ndim = len(x.shape)
    axes = ((axis,) if isinstance(axis, int) else axis) if axis is not None and ndim else range(ndim)
    axes = tuple(a % ndim for a in axes)
    order = tuple(i for i in range(ndim) if i not in axes) + axes  # the reduced axes last, then as one of length n
    moved = xp.transpose(x, axes=order)
    n, shape = count(x.shape, axes), moved.shape
    rows = xp.reshape(moved, shape=(*shape[: ndim - len(axes)], n))
    turned = xp.flip(rows, axes=(-1,))
    ahead, behind = (_shifted(xp, xp.cumprod(each, axis=-1), -1, 1.0) for each in (rows, turned))
    rest = xp.reshape(ahead * xp.flip(behind, axes=(-1,)), shape=shape)
    return xp.transpose(rest, axes=tuple(sorted(range(ndim), key=lambda i: order[i])))


@op(x=lambda xp, g, axis: xp.flip(xp.cumsum(xp.flip(g, axes=(axis,)), axis=axis), axes=(axis,)))
def _cumsum(xp, x, *, axis):
    """The running sum along an axis: out[i] = x[0] + ... + x[i]."""
    return widen_integers(x).cumsum(axis=axis)


@op(x=lambda xp, g, x, out, axis: _shifted(xp, out, axis, 1.0) * _recurrence_vjp(xp, g, x, axis))
@accumulate_in_float32
def _cumprod(xp, x, *, axis):
    """The running product along an axis: out[i] = x[0] * ... * x[i].

    Its gradient, the product of the elements before x[k] times the sum of g[i] x[k + 1] ... x[i] for all i from k on,
    divides by nothing: it is right where elements are 0, to any order.
    """
    return widen_integers(x).cumprod(axis=axis)


@op(
    shared={"d": lambda xp, g, x, axis: _recurrence_vjp(xp, g, x, axis)},
    a=lambda xp, g, d: d,
    x=lambda xp, g, d, out, axis: d * _shifted(xp, out, axis, 0.0),
)
@accumulate_in_float32
def recurrence(xp, a, x, *, axis):
    """A running sum along an axis that x makes fade or grow: out[i] = a[i] + x[i] * out[i - 1], and out[0] = a[0]."""
    out = a.copy()
    steps, factors = out.swapaxes(0, axis), x.swapaxes(0, axis)
    for i in range(1, len(steps)):
        steps[i] += factors[i] * steps[i - 1]
    return out


def _recurrence_vjp(xp, g, x, axis):
    """The same from the end: d[i] = g[i] + x[i + 1] * d[i + 1]."""
    turned = xp.roll(xp.flip(x, axes=(axis,)), shift=1, axis=axis)
    return xp.flip(xp.recurrence(xp.flip(g, axes=(axis,)), turned, axis=axis), axes=(axis,))


def _shifted(xp, x, axis, first):
    """x moved on by one place along an axis, with `first` coming in."""
    axis, n = axis % len(x.shape), x.shape[axis]
    longer = xp.pad(x, widths=tuple((int(i == axis), 0) for i in range(len(x.shape))), value=first)
    return xp.getitem(longer, index=(slice(None),) * axis + (slice(0, n),))


def _running(name: str, operation: Any, x: Tensor, dim: int | None) -> Tensor:
    if not isinstance(dim, int):
        raise TypeError(f"{name}: expected an int for dim, got {dim!r}")
    return operation(x, axis=dim) if ndim_of(name, x) else positive(x)


@method()
@accepts_axis
def cumsum(x: Tensor, dim: int | None = None) -> Tensor:
    """The running sum along `dim`: out[i] = x[0] + ... + x[i]."""
    return _running("cumsum", _cumsum, x, dim)


@method()
@accepts_axis
def cumprod(x: Tensor, dim: int | None = None) -> Tensor:
    """The running product along `dim`; its gradient is right where elements are 0."""
    return _running("cumprod", _cumprod, x, dim)
