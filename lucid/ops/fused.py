"""Chapter 3h. Fused operations: several steps that a network always takes together, with one formula for the whole.

Each saves arrays and calls against the plain composition, and has that composition as its test's oracle.
"""

import math

from lucid.op import op


@op(
    x=lambda xp, g, weight: xp.matmul(g, weight) if g.ndim == 2 else _by_rows(xp, g, weight),
    weight=lambda xp, g, x: xp.matmul(_rows(xp, g).T, _rows(xp, x)),
    bias=lambda xp, g: xp.sum(_rows(xp, g), axis=0),
)
def linear(xp, x, weight, bias=None):
    """x @ weight.T + bias: x is (..., in), weight (out, in), bias (out,) or None, the result (..., out)."""
    out = xp.matmul(x, weight.T) if x.ndim == 2 else _by_rows(xp, x, weight.T)
    if bias is not None:
        out += bias
    return out


def _by_rows(xp, x, weight):
    """x @ weight as one product; NumPy makes one for each matrix in x, at twice the time where they are small."""
    return xp.reshape(xp.matmul(_rows(xp, x), weight), shape=(*x.shape[:-1], weight.shape[1]))


def _rows(xp, x):
    """x as a matrix, its leading axes made one."""
    return x if x.ndim == 2 else xp.reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))


def _softmax_slope(xp, g, out, axis):
    return out * (g - xp.sum(g * out, axis=axis, keepdims=True))


@op(floats=True, x=lambda xp, g, out, axis: _softmax_slope(xp, g, out, axis))
def softmax(xp, x, *, axis):
    """exp(x) / sum(exp(x)) along an axis, without overflow."""
    if not x.size:
        return x.copy()
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    e /= xp.sum(e, axis=axis, keepdims=True)
    return e


@op(floats=True, x=lambda xp, g, out, axis: g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True))
def log_softmax(xp, x, *, axis):
    """log(softmax(x)) along an axis, without overflow."""
    if not x.size:
        return x.copy()
    out = x - xp.max(x, axis=axis, keepdims=True)
    out -= xp.log(xp.sum(xp.exp(out), axis=axis, keepdims=True))
    return out
