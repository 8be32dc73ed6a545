"""Chapter 3j. Normalisation: numbers brought to mean 0 and variance 1, then stretched and shifted as was learned.

What has been so brought is called `unit` below, and what it was multiplied by, 1 / sqrt(var + eps), a number for each
row or channel, `scale`. Where g is the gradient of the unit, that of the n numbers it was made of is

    scale * (g - mean(g) - unit * mean(g * unit)):

neither moving all n numbers nor stretching them changes the unit, so what g says of these two is taken out of it.
"""

import math
from typing import Any

from lucid.op import op
from lucid.ops.reductions import share_of

# -- along rows: the last dims, as many as `dims` ---------------------------------------------------------------------


def _rows(xp, x, dims):
    """x as a matrix, a row for each result of a mean."""
    cut = len(x.shape) - dims
    return xp.reshape(x, shape=(math.prod(x.shape[:cut]), math.prod(x.shape[cut:])))


def _centred(xp, x, dims):
    rows = _rows(xp, x, dims)
    return rows - _row_sum(xp, rows) * share_of(rows.shape[1])


def _row_sum(xp, rows, weight=None):
    """The sum of each row, its elements weighted."""
    if weight is None:
        return xp.sum(rows, axis=1, keepdims=True)
    return xp.matmul(rows, xp.reshape(weight, shape=(rows.shape[1], 1)))


def _row_scale(xp, rows, eps):
    return 1 / xp.sqrt(_row_sum(xp, rows * rows) * share_of(rows.shape[1]) + eps)


def _scaled(xp, rows, eps):
    return rows * _row_scale(xp, rows, eps)


def _stretched(xp, rows, weight):
    return rows if weight is None else rows * xp.reshape(weight, shape=(rows.shape[1],))


def _row_slope(xp, rows, along, unit, scale, weight, moved=0):
    """The gradient above, for g = rows * weight; `along` is rows * unit. The mean of g goes where `moved` says so."""
    share = share_of(unit.shape[1])
    return scale * (_stretched(xp, rows, weight) - unit * (share * _row_sum(xp, along, weight)) - share * moved)


def _learned(unit, weight, bias):
    """unit * weight + bias: the end of each forward."""
    out = unit * (1 if weight is None else weight)
    if bias is not None:
        out += bias
    return out


@op(
    floats=True,
    keeps={
        "scale": lambda xp, x, dims, eps: _row_scale(xp, _centred(xp, x, dims), eps),
        "unit": lambda xp, x, dims, eps: _scaled(xp, _centred(xp, x, dims), eps),
    },
    once={
        "rows": lambda xp, g, unit: xp.reshape(g, shape=unit.shape),
        "along": lambda xp, g, rows, unit: rows * unit,
    },
    x=lambda xp, g, x_shape, rows, along, unit, scale, weight: xp.reshape(
        _row_slope(xp, rows, along, unit, scale, weight, _row_sum(xp, rows, weight)), shape=x_shape
    ),
    weight=lambda xp, g, x_shape, along, dims: xp.reshape(xp.sum(along, axis=0), shape=x_shape[-dims:]),
    bias=lambda xp, g, x_shape, rows, dims: xp.reshape(xp.sum(rows, axis=0), shape=x_shape[-dims:]),
)
def layer_norm(xp, x, weight=None, bias=None, *, dims, eps):
    """(x - mean) / sqrt(var + eps) * weight + bias along the last dims (Ba et al. 2016, arXiv 1607.06450)."""
    unit = _centred(xp, x, dims)
    scale = _row_scale(xp, unit, eps)
    unit *= scale
    return _learned(unit.reshape(x.shape), weight, bias), scale, unit


@op(
    floats=True,
    keeps={
        "scale": lambda xp, x, dims, eps: _row_scale(xp, _rows(xp, x, dims), eps),
        "unit": lambda xp, x, dims, eps: _scaled(xp, _rows(xp, x, dims), eps),
    },
    once={
        "rows": lambda xp, g, unit: xp.reshape(g, shape=unit.shape),
        "along": lambda xp, g, rows, unit: rows * unit,
    },
    x=lambda xp, g, x_shape, rows, along, unit, scale, weight: xp.reshape(
        _row_slope(xp, rows, along, unit, scale, weight), shape=x_shape
    ),
    weight=lambda xp, g, x_shape, along, dims: xp.reshape(xp.sum(along, axis=0), shape=x_shape[-dims:]),
)
def rms_norm(xp, x, weight=None, *, dims, eps):
    """x / sqrt(mean(x * x) + eps) * weight along the last dims: no mean is taken out (arXiv 1910.07467)."""
    rows = _rows(xp, x, dims)
    scale = _row_scale(xp, rows, eps)
    unit = rows * scale
    return _learned(unit.reshape(x.shape), weight, None), scale, unit


# -- down channels: x is (n, channels), or (n, channels, rest) once the dims behind are made one -----------------------


def _channels(xp, x):
    return x if len(x.shape) == 2 else xp.reshape(x, shape=(*x.shape[:2], math.prod(x.shape[2:])))


def _channel_sum(xp, x):
    """The sum for each channel, in a shape that broadcasts against x: (channels,) or (channels, 1)."""
    return xp.sum(x if len(x.shape) == 2 else xp.sum(x, axis=2, keepdims=True), axis=0)


def _share(x):
    return share_of(x.shape[0] * math.prod(x.shape[2:]))


def moments(xp: Any, x: Any) -> tuple[Any, Any]:
    """The mean and the (biased) variance of each channel of x, in a shape that broadcasts against it."""
    x = _channels(xp, x)
    mean = _channel_sum(xp, x) * _share(x)
    away = x - mean
    return mean, _channel_sum(xp, away * away) * _share(x)


def _channel_scale(xp, x, eps):
    return 1 / xp.sqrt(moments(xp, x)[1] + eps)


@op(
    floats=True,
    keeps={
        "scale": lambda xp, x, eps: _channel_scale(xp, x, eps),
        "unit": lambda xp, x, eps: (_channels(xp, x) - moments(xp, x)[0]) * _channel_scale(xp, x, eps),
    },
    once={
        "each": lambda xp, g, unit: xp.reshape(g, shape=unit.shape),
        "total": lambda xp, g, each: _channel_sum(xp, each),
        "along": lambda xp, g, each, unit: _channel_sum(xp, each * unit),
    },
    x=lambda xp, g, x_shape, each, total, along, unit, scale, weight: xp.reshape(
        _factor(xp, scale, weight) * (each - unit * (_share(unit) * along) - _share(unit) * total), shape=x_shape
    ),
    weight=lambda xp, g, x_shape, along: xp.reshape(along, shape=x_shape[1:2]),
    bias=lambda xp, g, x_shape, total: xp.reshape(total, shape=x_shape[1:2]),
)
def batch_norm(xp, x, mean, var, weight=None, bias=None, *, eps):
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of a batch (Ioffe and Szegedy 2015).

    `mean` and `var` are the batch's own `moments`, which the caller has already; the formulas know them as such.
    """
    scale = 1 / xp.sqrt(var + eps)
    unit = _channels(xp, x) - mean
    unit *= scale
    weight, bias = (None if p is None else p.reshape(scale.shape) for p in (weight, bias))
    return _learned(unit, weight, bias).reshape(x.shape), scale, unit


def _factor(xp, scale, weight):
    return scale if weight is None else scale * xp.reshape(weight, shape=scale.shape)
