"""Chapter 3h. Fused operations: several steps that a network always takes together, with one formula for the whole.

Each saves arrays and calls against the plain composition, and has that composition as its test's oracle.
"""

import math

from lucid.op import op
from lucid.ops.reductions import half_in_single


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


@op(
    floats=True,
    once={"slope": lambda xp, g, out: _softmax_slope(xp, g, out, -1)},
    query=lambda xp, g, slope, key, scale: xp.matmul(slope, key) * scale,
    key=lambda xp, g, slope, query, scale: xp.matmul(xp.swapaxes(slope, a=-1, b=-2), query) * scale,
    mask=lambda xp, g, slope: slope,
)
@half_in_single
def attention_weights(xp, query, key, mask=None, *, scale):
    """softmax(query @ key.T * scale + mask) along the keys; 0 throughout where the mask is -inf for every key.

    query is (..., queries, features), key (..., keys, features), the result (..., queries, keys); the mask broadcasts
    to that. How much each query attends to each key (Vaswani et al. 2017, arXiv 1706.03762, section 3.2.1).
    """
    scores = xp.matmul(query, xp.swapaxes(key, a=-1, b=-2))
    if not scores.size:
        return scores
    scores *= scale
    if mask is not None:
        scores += mask
    top = xp.max(scores, axis=-1, keepdims=True)
    if mask is None:
        scores -= top
    else:
        scores -= xp.maximum(top, xp.finfo(scores.dtype).min)  # of -inf throughout there stays -inf, and not NaN
    xp.exp(scores, out=scores)
    total = xp.sum(scores, axis=-1, keepdims=True)
    scores /= total if mask is None else total + (total == 0)
    return scores
