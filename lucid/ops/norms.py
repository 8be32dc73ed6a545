"""Normalisation: numbers brought to mean 0 and variance 1, then scaled and shifted as was learned.

The normalised numbers are called `unit` below, and what they were multiplied by, 1 / sqrt(var + eps), a number for each
row or channel, `scale`. Where g is the gradient of the unit, that of the n numbers it was made of is

    scale * (g - mean(g) - unit * mean(g * unit)):

neither shifting all n numbers nor scaling them changes the unit, so what g says of these two is taken out of it.

Half precision is computed in single throughout, and rounded at the end: sums of squares soon pass 65,504.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from lucid.core.array import cpu, float16, float32, float64, get_default_dtype, namespace
from lucid.core.node import Tensor, recomputing
from lucid.core.op import op
from lucid.core.promotion import as_int
from lucid.core.reductions import mean_weight
from lucid.core.shapes import axis_of, sizes
from lucid.ops.checks import as_float, known_within
from lucid.ops.elementwise import rsqrt
from lucid.ops.reductions import norm, with_room
from lucid.ops.shapes import joint_shape


def _rows(xp, x, dims):
    """x as a matrix, a row for each result of a mean over the last dims, as many as `dims`."""
    cut = len(x.shape) - dims
    return xp.reshape(x, shape=(math.prod(x.shape[:cut]), math.prod(x.shape[cut:])))


def _centred(xp, x, dims):
    rows = _rows(xp, x, dims)
    return rows - _row_mean(xp, rows)


def _row_sum(xp, rows, weight=None):
    """The sum of each row, its elements weighted: (rows, 1)."""
    if weight is None:
        return xp.sum(rows, axis=1, keepdims=True)
    return xp.matmul(rows, xp.reshape(weight, shape=(rows.shape[1], 1)))


_row_mean = lambda xp, rows: _row_sum(xp, rows) * mean_weight(rows.shape[1])
_scale = lambda xp, x, mean, eps: with_room(xp, lambda x: 1 / xp.sqrt(mean(xp, x * x) + eps), x, 1e15)
_row_scale = lambda xp, rows, eps: _scale(xp, rows, _row_mean, eps)
_rows_of_g = lambda xp, g, unit: xp.reshape(g, shape=unit.shape)
_along_unit = lambda xp, g, rows, unit: rows * unit


def _row_slope(xp, rows, along, unit, scale, weight, moved=0):
    """The gradient above, for g = rows * weight; `along` is rows * unit, `moved` the sum of g where a mean was taken
    out."""
    share = mean_weight(unit.shape[1])
    g = rows if weight is None else rows * xp.reshape(weight, shape=(rows.shape[1],))
    return scale * (g - unit * (share * _row_sum(xp, along, weight)) - share * moved)


def _learned(unit, weight, bias):
    """unit * weight + bias: the end of each forward."""
    out = unit * (1 if weight is None else weight)
    if bias is not None:
        out += bias
    return out


@op(
    floats=True,
    aux_outputs={
        "scale": lambda xp, x, dims, eps: _row_scale(xp, _centred(xp, x, dims), eps),
        "unit": lambda xp, x, dims, scale: _centred(xp, x, dims) * scale,
    },
    shared={"rows": _rows_of_g, "along": _along_unit},
    x=lambda xp, g, x_shape, rows, along, unit, scale, weight: xp.reshape(
        _row_slope(xp, rows, along, unit, scale, weight, _row_sum(xp, rows, weight)), shape=x_shape
    ),
    weight=lambda xp, g, x_shape, along, dims: xp.reshape(xp.sum(along, axis=0), shape=x_shape[-dims:]),
    bias=lambda xp, g, x_shape, rows, dims: xp.reshape(xp.sum(rows, axis=0), shape=x_shape[-dims:]),
)
def _layer_norm(xp, x, weight=None, bias=None, *, dims, eps):
    """(x - mean) / sqrt(var + eps) * weight + bias along the last dims."""
    unit = _centred(xp, x, dims)  # (rows, numbers of a row)
    scale = _row_scale(xp, unit, eps)  # (rows, 1)
    unit *= scale
    return _learned(unit.reshape(x.shape), weight, bias), scale, unit


def layer_norm(
    input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """(x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over the last dims.

    The input is (..., *normalized_shape), weight and bias of shape normalized_shape, or None for ones and zeros; `eps`
    keeps the root away from 0. Source: Ba et al. 2016, arXiv 1607.06450. Raises ValueError if `normalized_shape` is not
    how the input's shape ends, or not the shape of weight and bias.

    >>> from lucid import tensor
    >>> layer_norm(tensor([[1.0, 3.0], [10.0, 30.0]]), 2)
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """
    dims = _check_last_dims("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    return _in_single(_layer_norm, input, weight, bias, dims=dims, eps=as_float("layer_norm", "eps", eps))


@op(
    floats=True,
    aux_outputs={
        "scale": lambda xp, x, dims, eps: _row_scale(xp, _rows(xp, x, dims), eps),
        "unit": lambda xp, x, dims, scale: _rows(xp, x, dims) * scale,
    },
    shared={"rows": _rows_of_g, "along": _along_unit},
    x=lambda xp, g, x_shape, rows, along, unit, scale, weight: xp.reshape(
        _row_slope(xp, rows, along, unit, scale, weight), shape=x_shape
    ),
    weight=lambda xp, g, x_shape, along, dims: xp.reshape(xp.sum(along, axis=0), shape=x_shape[-dims:]),
)
def _rms_norm(xp, x, weight=None, *, dims, eps):
    """x / sqrt(mean(x * x) + eps) * weight along the last dims: no mean is taken out."""
    rows = _rows(xp, x, dims)  # (rows, numbers of a row)
    scale = _row_scale(xp, rows, eps)  # (rows, 1)
    unit = rows * scale
    return _learned(unit.reshape(x.shape), weight, None), scale, unit


def rms_norm(
    input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / sqrt(mean(x**2) + eps) * weight, with the mean over the last dims.

    `eps=None` is the gap between 1 and the next number of the dtype computed in, 1.2e-7 for float32 and half. The
    other arguments are those of `layer_norm`. Source: Zhang and Sennrich 2019, arXiv 1910.07467. Raises ValueError
    if `normalized_shape` is not how the input's shape ends, or not the shape of the weight.
    """
    dims = _check_last_dims("rms_norm", input, normalized_shape, weight=weight)
    if eps is None:
        eps = cpu.finfo(input.dtype if input.dtype == float64 else float32).eps
    return _in_single(_rms_norm, input, weight, dims=dims, eps=as_float("rms_norm", "eps", eps))


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over each group of channels of a sample.

    The input is (n, channels, ...), weight and bias (channels,), or None for ones and zeros; `num_groups` of one size
    split the channels: 1 makes it a layer norm. Source: Wu and He 2018, arXiv 1803.08494. Raises ValueError if the
    input has no channels, the groups do not divide them, or weight or bias does not fit them.
    """
    _check_channels("group_norm", input, weight=weight, bias=bias)
    check_groups("group_norm", num_groups, input.shape[1])

    def grouped(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        size = math.prod(x.shape[1:]) // num_groups
        rows = x.reshape(x.shape[0], num_groups, size)
        unit = _layer_norm(rows, dims=1, eps=as_float("group_norm", "eps", eps))  # (n, groups, size)
        return _of_channels(unit.reshape(x.shape), weight, bias)

    return _in_single(grouped, input, weight, bias)


def _channels(xp, x):
    """x as (n, channels), or as (n, channels, rest) with the dims behind made one."""
    return x if len(x.shape) == 2 else xp.reshape(x, shape=(*x.shape[:2], math.prod(x.shape[2:])))


def _channel_sum(xp, x):
    """The sum for each channel, in a shape that broadcasts against x: (channels,) or (channels, 1)."""
    return xp.sum(x if len(x.shape) == 2 else xp.sum(x, axis=2, keepdims=True), axis=0)


_share = lambda x: mean_weight(x.shape[0] * math.prod(x.shape[2:]))  # 1 / the numbers of a channel
_channel_mean = lambda xp, x: _channel_sum(xp, x) * _share(x)
_channel_scale = lambda xp, away, eps: _scale(xp, away, _channel_mean, eps)
_channels_centred = lambda xp, x: (flat := _channels(xp, x)) - _channel_mean(xp, flat)


def moments(xp: Any, x: Any) -> tuple[Any, Any]:
    """The mean and the (biased) variance of each channel of x, in a shape that broadcasts against it."""
    x = _channels(xp, x)
    mean = _channel_mean(xp, x)
    away = x - mean
    away = away if xp is cpu else xp.astype(away, dtype="float64")  # see with_room
    with xp.quiet():
        return mean, _channel_mean(xp, away * away)


@op(
    floats=True,
    aux_outputs={
        "scale": lambda xp, x, eps: _channel_scale(xp, _channels_centred(xp, x), eps),
        "unit": lambda xp, x, scale: _channels_centred(xp, x) * scale,
    },
    shared={
        "each": lambda xp, g, unit: xp.reshape(g, shape=unit.shape),
        "total": lambda xp, g, each: _channel_sum(xp, each),
        "along": lambda xp, g, each, unit: _channel_sum(xp, each * unit),
    },
    x=lambda xp, g, x_shape, each, total, along, unit, scale, weight: xp.reshape(
        (scale if weight is None else scale * xp.reshape(weight, shape=scale.shape))
        * (each - unit * (_share(unit) * along) - _share(unit) * total),
        shape=x_shape,
    ),
    weight=lambda xp, g, x_shape, along: xp.reshape(along, shape=x_shape[1:2]),
    bias=lambda xp, g, x_shape, total: xp.reshape(total, shape=x_shape[1:2]),
)
def _batch_norm(xp, x, mean, var, weight=None, bias=None, *, eps):
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of a batch.

    `mean` and `var` are the batch's own `moments`, which the caller has already; the vjps know them as such.
    """
    with xp.quiet():
        scale = 1 / xp.sqrt(var + eps)  # (channels,) or (channels, 1)
    unit = _channels(xp, x) - mean  # (n, channels) or (n, channels, rest)
    if not known_within(scale, 1e-15, 1e15):
        scale = _channel_scale(xp, unit, eps)  # the variance itself is infinite, or vanished
    unit *= scale
    weight, bias = (None if p is None else p.reshape(scale.shape) for p in (weight, bias))
    return _learned(unit, weight, bias).reshape(x.shape), scale, unit


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel, with the batch's statistics in training, and else
    with running averages of them.

    Args:
        input, weight, bias, eps: as for `group_norm`.
        running_mean, running_var: (channels,), mean and var outside of training. In training they move towards the
            batch's, in place, by the share `momentum`; the variance with n - 1 in the denominator. None keeps none.

    Source: Ioffe and Szegedy 2015, arXiv 1502.03167. Raises ValueError if the shapes do not fit, there is nothing to
    normalise by, or in training a channel has one value.
    """
    _check_channels("batch_norm", input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: with training=False it needs running_mean and running_var, got None")

        def by_running(x: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
            scale = rsqrt(var.to(x.dtype) + as_float("batch_norm", "eps", eps))
            return _of_channels(x, scale if weight is None else scale * weight, bias, mean)

        return _in_single(by_running, input, running_mean, running_var, weight, bias)
    count = input.numel() // max(input.shape[1], 1)
    if count == 1:
        needs = "training needs more: a larger batch, or .eval() if this is not training"
        one = f"input of shape {input.shape} has one value for each channel, whose variance is 0"
        raise ValueError(f"batch_norm: {one}; {needs}")

    def by_batch(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        mean, var = map(Tensor, moments(namespace(x._array), x._array))  # (channels,) or (channels, 1)
        out = _batch_norm(x, mean, var, weight, bias, eps=as_float("batch_norm", "eps", eps))
        counts = count and not recomputing.get()  # an empty batch says nothing, and one that is seen again no more
        for running, newest in ((running_mean, mean), (running_var, var * (count / (count - 1)))) if counts else ():
            if running is not None:  # in place and not recorded
                running.detach().mul_(1 - momentum).add_(newest.reshape(-1).to(running.dtype) * momentum)
        return out

    return _in_single(by_batch, input, weight, bias)


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None, weight: Tensor | None = None,
    bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """(x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over each channel of each sample.

    Args are those of `batch_norm`, with `use_input_stats` for its `training`: the running averages, if there are any,
    move towards the means over the batch. Source: Ulyanov et al. 2016, arXiv 1607.08022. Raises ValueError as
    `batch_norm`, and for channels that have one value in each sample.
    """
    _check_channels(
        "instance_norm", input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    batch, channels, *size = input.shape
    if math.prod(size) == 1:
        one = f"input of shape {input.shape} has one value in each channel of a sample, whose variance is 0"
        raise ValueError(f"instance_norm: {one}; give a larger one")
    if running_mean is not None and running_var is not None and input.numel():
        x = input.detach().reshape(batch, channels, -1)
        for running, newest in ((running_mean, x.mean((0, 2))), (running_var, x.var(2).mean(0))):
            running.detach().mul_(1 - momentum).add_(newest.to(running.dtype) * momentum)
    return group_norm(input, channels, weight, bias, eps) if channels else input


def _of_channels(x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor | None = None) -> Tensor:
    """(x - mean) * weight + bias, channel by channel."""
    upright = lambda vector: vector if x.ndim == 2 else vector.reshape(-1, *(1,) * (x.ndim - 2))
    y = x if mean is None else x - upright(mean)
    y = y if weight is None else y * upright(weight)
    return y if bias is None else y + upright(bias)


def normalize(input: Tensor, p: float = 2.0, dim: int | Sequence[int] = 1, eps: float = 1e-12) -> Tensor:
    """x / max(|x|, eps), with |x| the p-norm over `dim`: vectors of length 1.

    >>> from lucid import tensor
    >>> normalize(tensor([[3.0, 4.0]]))
    tensor([[0.6, 0.8]])
    """
    return _in_single(lambda x: x / norm(x, p, dim, keepdim=True).clamp(min=as_float("normalize", "eps", eps)), input)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) * max(|x2|, eps)) along `dim`: the cosine of the angle between the two.

    The shapes broadcast; `dim` is one of the shape that they broadcast to.

    >>> from lucid import tensor
    >>> cosine_similarity(tensor([[3.0, 0.0]]), tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    shape = joint_shape("cosine_similarity", x1.shape, x2.shape)
    axis = axis_of("cosine_similarity", dim, len(shape))
    a, b = (normalize(x.expand(shape), 2, axis, eps) for x in (x1, x2))
    return _in_single(lambda x: x.sum(axis), a * b)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """|x1 - x2 + eps|, the p-norm over the last dim; eps keeps it away from 0, where it has no slope.

    >>> from lucid import tensor
    >>> pairwise_distance(tensor([[3.0, 0.0]]), tensor([[0.0, 4.0]]))
    tensor([5.])
    """
    return _in_single(lambda x: norm(x + as_float("pairwise_distance", "eps", eps), p, -1, keepdim), x1 - x2)


def _in_single(f: Callable[..., Tensor], input: Tensor, *others: Any, **options: float) -> Tensor:
    if input._array.dtype.kind != "f":
        input = input.to(get_default_dtype())
    if input._array.dtype.char != "e":
        return f(input, *others, **options)
    return f(input.to(float32), *others, **options).to(float16)  # the others are promoted on the way


@op(in_single="cpu", x=lambda xp, g, x, y: g * xp.where((x == 0) & ~xp.isfinite(y), 0, y), y=lambda xp, g, x: g * x)
def weighed(xp, x, y):
    """x * y, but 0 where x is 0 and y infinite or undefined: what has no weight may be anything."""
    with xp.quiet():
        out = x * y
    return out if known_within(out, -math.inf, math.inf) else xp.where((x == 0) & ~xp.isfinite(y), 0, out)


def _check_last_dims(caller: str, input: Tensor, normalized_shape: int | Sequence[int], **others: Tensor | None) -> int:
    """How many dims `normalized_shape` has, if the input's shape ends so and those of the others are that."""
    shape = as_shape(caller, normalized_shape)
    if input.shape[-len(shape) :] != shape:
        hint = "give the lengths of the last dims, those to take the mean over"
        raise ValueError(f"{caller}: normalized_shape {shape} is not how the input's shape {input.shape} ends; {hint}")
    for name, vector in others.items():
        if vector is not None and vector.shape != shape:
            raise ValueError(f"{caller}: {name} has shape {vector.shape}, expected normalized_shape, {shape}")
    return len(shape)


def as_shape(caller: str, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """`normalized_shape` as a tuple of at least one int."""
    shape = sizes(caller, (normalized_shape,))
    if not shape or min(shape) < 1:
        raise ValueError(f"{caller}: normalized_shape must be a positive int, or several, got {normalized_shape!r}")
    return shape


def check_groups(caller: str, num_groups: int, channels: int) -> None:
    """Refuse groups that are not all of one size."""
    if as_int(caller, "num_groups", num_groups) < 1 or channels % num_groups:
        raise ValueError(f"{caller}: num_groups must divide the {channels} channels, got {num_groups!r}")


def _check_channels(caller: str, input: Tensor, **vectors: Tensor | None) -> None:
    if input.ndim < 2:
        raise ValueError(f"{caller}: input must be (n, channels, ...), got shape {input.shape}")
    for name, vector in vectors.items():
        if vector is not None and vector.shape != input.shape[1:2]:
            expected = f"({input.shape[1]},), a number for each channel of the input, whose shape is {input.shape}"
            raise ValueError(f"{caller}: {name} has shape {vector.shape}, expected {expected}")
