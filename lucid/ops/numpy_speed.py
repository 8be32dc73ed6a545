"""NumPy's functions where they are slow on the small arrays of toy models: replaced in its namespace by faster ones."""

from __future__ import annotations

from typing import Any

import numpy

from lucid.core.array import Array, DType, cpu, float16, float32, ndarray

# glibc gives the memory of large arrays back when they are freed, and the next are faulted in anew: 2 ms of the 7 of a
# transformer block's step. Once a block of almost 32 MB has come and gone it keeps as much for reuse (mallopt(3): the
# thresholds are dynamic); this one is never touched.
numpy.empty(2**25 - 2**16, numpy.uint8)

# ufunc.reduce is what numpy.sum and numpy.max end in: calling it directly is twice as fast on small arrays. Along a
# short last axis (the classes of a classifier) it pays some 35 ns a row whatever the row's length; a product with ones,
# and a maximum over the transposed copy, do not: on 128 x 10, 1.4 us for 4.4 and 3.2 us for 6.9. Down the rows of a
# matrix (the gradient of every bias) a product with ones is faster as well: 1.9 us for 4.8 on 128 x 128.
_SHORT, _MANY = 32, 32
_EXACT = 256  # up to that many terms the product's sums are as exact as NumPy's by pairs: 4 us for 19 on 512 x 64
_add: Any = numpy.add.reduce
_maximum: Any = numpy.maximum.reduce
_minimum: Any = numpy.minimum.reduce
_ones: dict[Any, Array] = {}


def _sum(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    if axis is not None and x.ndim > 1 and x.dtype.char in "fd":
        if axis == 0 and x.ndim == 2 and not keepdims:
            return numpy.dot(_ones_of(x.shape[0], x.dtype), x)
        if (axis == -1 or axis == x.ndim - 1) and x.shape[-1] <= _EXACT:
            total = numpy.dot(x, _ones_of(x.shape[-1], x.dtype))
            return total[..., None] if keepdims else total
    if x.dtype is float16:  # every sum of half precision passes here: in single, and rounded once
        return numpy.asarray(_add(x, axis, float32, None, keepdims)).astype(float16)
    return _add(x, axis, None, None, keepdims)


def _ones_of(n: int, dtype: DType) -> Array:
    ones = _ones.get((n, dtype))
    if ones is None:
        if len(_ones) > 256:
            _ones.clear()
        ones = _ones.setdefault((n, dtype), numpy.ones(n, dtype))
    return ones


def _max(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    if (axis == -1 or axis == x.ndim - 1) and x.ndim > 1 and 0 < (n := x.shape[-1]) <= _SHORT and x.size >= _MANY * n:
        top = _maximum(x.reshape(-1, n).T.copy(), 0).reshape(x.shape[:-1])
        return top[..., None] if keepdims else top
    return _maximum(x, axis, None, None, keepdims)


def _min(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    return _minimum(x, axis, None, None, keepdims)


def _one(x: Array) -> Array:
    """The number 1 in the shape and dtype of `x`, one element: the gradient that a backward pass starts with."""
    if x.ndim:
        return numpy.ones(x.shape, x.dtype)
    one = _ones.get(x.dtype)
    if one is None:
        one = _ones.setdefault(x.dtype, numpy.ones((), x.dtype))
        one.flags.writeable = False
    return one


def _broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """numpy.broadcast_to, nine times faster where `x` is one number (the gradient of every full sum)."""
    if x.size == 1 and type(x) is ndarray and x.ndim <= len(shape):
        view = ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
        view.flags.writeable = False
        return view
    return numpy.broadcast_to(x, shape)


def _diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """numpy.diagonal as a view that can be written to, if x can."""
    view = x.diagonal(offset, axis1, axis2)
    view.flags.writeable = x.flags.writeable
    return view


cpu.sum, cpu.max, cpu.min, cpu.one, cpu.broadcast_to, cpu.diagonal = _sum, _max, _min, _one, _broadcast_to, _diagonal
