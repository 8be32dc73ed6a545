"""Chapter 4a, continued. Which operations have kernels of their own, and when these apply.

A form has the arguments of the forward or the formula that it stands for. It gives the same, or NotImplemented.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lucid.gpu import recurrent_kernels as recurrent
from lucid.gpu.fuse import Fused
from lucid.gpu.row_kernels import C, launch

MOST = 4096  # rows whose losses one warp adds up; CuPy's own sums are faster for more


def _dense(xp: Any, *arrays: Any) -> list[Any]:
    """The arrays without gaps."""
    return [x if x is None or x.flags.c_contiguous else xp.ascontiguousarray(x) for x in arrays]


def _floats(*arrays: Any) -> bool:
    """Whether all that are there have one dtype, of floats, and there is something in the first."""
    first = arrays[0]
    return bool(first.size and first.dtype.kind == "f" and all(x is None or x.dtype == first.dtype for x in arrays))


# -- softmax -----------------------------------------------------------------------------------------------------------


def _along(x: Any, axis: int) -> tuple[int, int, int]:
    """How many rows there are along an axis, how long they are, and how far apart their elements."""
    axis = axis % x.ndim
    inner = math.prod(x.shape[axis + 1 :])
    return x.size // x.shape[axis], x.shape[axis], inner


def _softmax(xp: Any, x: Any, *, axis: int) -> Any:
    return _weights(xp, x, axis, 1.0, -math.inf)


def _weights(xp: Any, x: Any, axis: int, factor: float, lowest: float) -> Any:
    if not _floats(x) or not -x.ndim <= axis < x.ndim:
        return NotImplemented
    (x,), out = _dense(xp, x), xp.empty(x.shape, dtype=x.dtype)
    rows, n, inner = _along(x, axis)
    launch(xp, "softmax", rows, (x, out, rows, n, inner, factor, lowest), x.dtype)
    return out


def _log_softmax(xp: Any, x: Any, *, axis: int) -> Any:
    if not _floats(x) or not -x.ndim <= axis < x.ndim:
        return NotImplemented
    (x,), out = _dense(xp, x), xp.empty(x.shape, dtype=x.dtype)
    rows, n, inner = _along(x, axis)
    launch(xp, "log_softmax", rows, (x, out, rows, n, inner), x.dtype)
    return out


def _slope_of(kernel: str) -> Callable[..., Any]:
    def slope(xp: Any, g: Any, out: Any, axis: int = -1) -> Any:
        if not _floats(g, out) or not g.ndim or g.shape != out.shape:
            return NotImplemented
        (g, out), found = _dense(xp, g, out), xp.empty(out.shape, dtype=out.dtype)
        rows, n, inner = _along(out, axis)
        launch(xp, kernel, rows, (g, out, found, rows, n, inner), out.dtype)
        return found

    return slope


def _attention_weights(xp: Any, query: Any, key: Any, mask: Any = None, *, scale: float) -> Any:
    if not _floats(query, key) or not key.size or query.dtype.char == "e":
        return NotImplemented
    scores = xp.matmul(query, xp.swapaxes(key, a=-1, b=-2))
    if mask is None:
        return _weights(xp, scores, -1, float(scale), -math.inf)
    scores *= scale
    scores += mask
    return _weights(xp, scores, -1, 1.0, float(xp.finfo(scores.dtype).min))


# -- cross-entropy -----------------------------------------------------------------------------------------------------


def _cross_entropy(xp: Any, x: Any, labels: Any, *, reduction: str) -> Any:
    found = _cross_entropy_ignore_index(xp, x, labels, ignore_index=-1, reduction=reduction)
    return found if found is NotImplemented else found[:2]


def _cross_entropy_ignore_index(xp: Any, x: Any, labels: Any, *, ignore_index: int, reduction: str) -> Any:
    if not _floats(x) or str(labels.dtype) not in C or len(labels) > MOST:
        return NotImplemented
    (rows, n), size = x.shape, x.itemsize
    kinds, step = (x.dtype, labels.dtype), labels.strides[0] // labels.itemsize
    wide = "float64" if size == 8 else "float32"
    losses, error = xp.empty(rows, dtype=wide), xp.empty(x.shape, dtype=x.dtype)
    spaced = (x.strides[0] // size, x.strides[1] // size)
    launch(xp, "cross_entropy", rows, (x, labels, error, losses, rows, n, *spaced, step, ignore_index), *kinds)
    if reduction == "none":
        return losses.astype(x.dtype, copy=False), error, xp.ones((), dtype=x.dtype)
    out, share = xp.empty((), dtype=x.dtype), xp.empty((), dtype=x.dtype)
    launch(xp, "reduced", 1, (losses, labels, out, share, rows, step, ignore_index, int(reduction == "mean")), *kinds)
    return out, error, share


# -- rows brought to mean 0 and variance 1 -----------------------------------------------------------------------------


def _row_norm(xp: Any, x: Any, weight: Any, bias: Any, dims: int, eps: float, centred: bool) -> Any:
    if not _floats(x, weight, bias):
        return NotImplemented
    x, weight, bias = _dense(xp, x, weight, bias)
    n = math.prod(x.shape[x.ndim - dims :])
    rows = x.size // n
    out, unit = xp.empty(x.shape, dtype=x.dtype), xp.empty((rows, n), dtype=x.dtype)
    scale = xp.empty((rows, 1), dtype=x.dtype)
    learned = (0 if weight is None else weight, 0 if bias is None else bias)
    launch(xp, "row_norm", rows, (x, *learned, out, scale, unit, rows, n, float(eps), int(centred)), x.dtype)
    return out, scale, unit


def _layer_norm(xp: Any, x: Any, weight: Any = None, bias: Any = None, *, dims: int, eps: float) -> Any:
    return _row_norm(xp, x, weight, bias, dims, eps, True)


def _rms_norm(xp: Any, x: Any, weight: Any = None, *, dims: int, eps: float) -> Any:
    return _row_norm(xp, x, weight, None, dims, eps, False)


def _row_norm_slope(centred: bool) -> Callable[..., Any]:
    def slope(xp: Any, g: Any, x_shape: Any, rows: Any, along: Any, unit: Any, scale: Any, weight: Any) -> Any:
        if not _floats(rows, unit, weight):
            return NotImplemented
        rows, weight = _dense(xp, rows, weight)
        found, (count, n) = xp.empty(x_shape, dtype=unit.dtype), unit.shape
        given = (rows, unit, scale, 0 if weight is None else weight, found, count, n, int(centred))
        launch(xp, "row_norm_slope", count, given, unit.dtype)
        return found

    return slope


# -- channels brought to mean 0 and variance 1 -------------------------------------------------------------------------


def _fused(xp: Any, name: str, function: Callable[..., Any]) -> Fused:
    """One kernel for what a form does in between."""
    return xp.kernels.get(name) or xp.kernels.setdefault(name, Fused(xp, name, "form", function))


def _batch_norm(xp: Any, x: Any, mean: Any, var: Any, weight: Any = None, bias: Any = None, *, eps: float) -> Any:
    if not _floats(x, mean, var, weight, bias):
        return NotImplemented
    channels = x if x.ndim == 2 else x.reshape(*x.shape[:2], -1)
    scale = _fused(xp, "channel_scale", lambda xp, var, eps: 1 / xp.sqrt(var + eps))(xp, var, eps)
    weight, bias = (None if p is None else p.reshape(scale.shape) for p in (weight, bias))
    out, unit = _fused(xp, "channel_norm", _normed)(xp, channels, mean, scale, weight, bias)
    return out.reshape(x.shape), scale, unit


def _normed(xp: Any, x: Any, mean: Any, scale: Any, weight: Any, bias: Any) -> Any:
    unit = (x - mean) * scale
    out = unit if weight is None else unit * weight
    return out if bias is None else out + bias, unit


def _batch_norm_slope(
    xp: Any, g: Any, x_shape: Any, each: Any, total: Any, along: Any, unit: Any, scale: Any, weight: Any
) -> Any:
    if not _floats(each, unit, scale, weight):
        return NotImplemented
    weight = None if weight is None else weight.reshape(scale.shape)
    slope = _fused(xp, "channel_slope", _channel_slope)
    return slope(xp, each, total, along, unit, scale, weight, scale.size / unit.size).reshape(x_shape)


def _channel_slope(xp: Any, each: Any, total: Any, along: Any, unit: Any, scale: Any, weight: Any, share: float) -> Any:
    factor = scale if weight is None else scale * weight
    return factor * (each - unit * (share * along) - share * total)


def _channel_sum(x: Any) -> Any:
    """In one launch, where NumPy is faster in two steps."""
    return NotImplemented if x.ndim == 2 else x.sum(axis=(0, 2)).reshape(-1, 1)


HANDWRITTEN: dict[tuple[str, str], Callable[..., Any]] = {
    ("softmax", "forward"): _softmax,
    ("softmax", "x"): _slope_of("softmax_slope"),
    ("log_softmax", "forward"): _log_softmax,
    ("log_softmax", "x"): _slope_of("log_softmax_slope"),
    ("attention_weights", "forward"): _attention_weights,
    ("attention_weights", "slope"): _slope_of("softmax_slope"),
    ("cross_entropy", "forward"): _cross_entropy,
    ("cross_entropy_ignore_index", "forward"): _cross_entropy_ignore_index,
    ("layer_norm", "forward"): _layer_norm,
    ("layer_norm", "x"): _row_norm_slope(True),
    ("rms_norm", "forward"): _rms_norm,
    ("rms_norm", "x"): _row_norm_slope(False),
    ("batch_norm", "forward"): _batch_norm,
    ("batch_norm", "total"): lambda xp, g, each: _channel_sum(each),
    ("batch_norm", "along"): lambda xp, g, each, unit: NotImplemented if each.ndim == 2 else _channel_sum(each * unit),
    ("batch_norm", "x"): _batch_norm_slope,
    ("lstm", "forward"): recurrent.lstm,
    ("lstm", "back"): recurrent.lstm_back,
    ("rnn", "d"): recurrent.rnn_back,
    ("gru", "back"): recurrent.gru_back,
}
