"""Normalisation: by layer, group, batch, root mean square or length.

Half precision is computed in single throughout, and rounded at the end: sums of squares soon pass 65,504.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from lucid.backend import cpu, float16, float32, namespace
from lucid.functions import norm, rsqrt
from lucid.nn.functional.checks import check_tensor
from lucid.ops import norms
from lucid.recording import no_grad
from lucid.shaping import axis_of, joint_shape
from lucid.tensor import Tensor


def layer_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over the last dims.

    Args:
        input: (..., *normalized_shape).
        normalized_shape: the lengths of the dims that mean and variance are taken over.
        weight: of shape normalized_shape, or None for ones.
        bias: of shape normalized_shape, or None for zeros.
        eps: what keeps the root away from 0.

    Source: Ba et al. 2016, arXiv 1607.06450.

    Raises:
        ValueError: if `normalized_shape` is not how the input's shape ends, or not the shape of weight and bias.

    >>> from lucid import tensor
    >>> layer_norm(tensor([[1.0, 3.0], [10.0, 30.0]]), 2)
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """
    shape = check_last_dims("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    return _in_single(norms.layer_norm, input, weight, bias, dims=len(shape), eps=float(eps))


def rms_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / sqrt(mean(x**2) + eps) * weight, with the mean over the last dims.

    `eps=None` is the gap between 1 and the next number of the dtype computed in, 1.2e-7 for float32 and half. The other
    arguments are those of `layer_norm`. Source: Zhang and Sennrich 2019, arXiv 1910.07467.

    Raises:
        ValueError: if `normalized_shape` is not how the input's shape ends, or not the shape of the weight.
    """
    dims = len(check_last_dims("rms_norm", input, normalized_shape, weight=weight))

    def normed(x: Tensor, weight: Tensor | None) -> Tensor:
        return norms.rms_norm(x, weight, dims=dims, eps=float(cpu.finfo(x.dtype).eps if eps is None else eps))

    return _in_single(normed, input, weight)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over each group of channels of a sample.

    Args:
        input: (n, channels, ...).
        num_groups: into how many groups of one size the channels are split; 1 makes it a layer norm.
        weight: (channels,), or None for ones.
        bias: (channels,), or None for zeros.
        eps: what keeps the root away from 0.

    Source: Wu and He 2018, arXiv 1803.08494.

    Raises:
        ValueError: if the input has no channels, the groups do not divide them, or weight or bias does not fit them.
    """
    _check_channels("group_norm", input, weight=weight, bias=bias)
    channels = input.shape[1]
    check_groups("group_norm", num_groups, channels)

    def grouped(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        size = math.prod(x.shape[1:]) // num_groups
        unit = norms.layer_norm(x.reshape(x.shape[0], num_groups, size), dims=1, eps=float(eps))
        return _of_channels(unit.reshape(x.shape), weight, bias)

    return _in_single(grouped, input, weight, bias)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel: of the batch in training, else as it ran.

    Args:
        input: (n, channels) or (n, channels, ...).
        running_mean: (channels,). In training it moves towards the batch's mean, in place, by the share `momentum`.
        running_var: (channels,), likewise, with n - 1 in the denominator; None keeps no statistics.
        weight: (channels,), or None for ones.
        bias: (channels,), or None for zeros.
        training: whether mean and variance are the batch's own; else they are running_mean and running_var.
        momentum: the weight of the newest batch.
        eps: what keeps the root away from 0.

    Source: Ioffe and Szegedy 2015, arXiv 1502.03167.

    Raises:
        ValueError: if the shapes do not fit, there is nothing to normalise by, or in training a channel has one value.
    """
    _check_channels("batch_norm", input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: with training=False it needs running_mean and running_var, got None")
        return _in_single(_as_it_ran, input, running_mean, running_var, weight, bias, eps=float(eps))
    count = input.numel() // max(input.shape[1], 1)
    if count == 1:
        raise ValueError(
            f"batch_norm: input of shape {input.shape} has one value for each channel, whose variance is 0; "
            "training needs more: a larger batch, or .eval() if this is not training"
        )

    def by_batch(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        mean, var = map(Tensor, norms.moments(namespace(x._array), x._array))
        if count:
            with no_grad():
                _move(running_mean, mean, momentum)
                _move(running_var, var * (count / (count - 1)), momentum)
        return norms.batch_norm(x, mean, var, weight, bias, eps=float(eps))

    return _in_single(by_batch, input, weight, bias)


def normalize(input: Tensor, p: float = 2.0, dim: int | Sequence[int] = 1, eps: float = 1e-12) -> Tensor:
    """x / max(|x|, eps), with |x| the p-norm over `dim`: vectors of length 1.

    >>> from lucid import tensor
    >>> normalize(tensor([[3.0, 4.0]]))
    tensor([[0.6, 0.8]])
    """
    check_tensor("normalize", "input", input)
    return _in_single(lambda x: x / norm(x, p, dim, keepdim=True).clamp(min=eps), input)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) * max(|x2|, eps)) along `dim`: the cosine of the angle between the two.

    The shapes broadcast; `dim` is one of the shape that they come to.

    >>> from lucid import tensor
    >>> cosine_similarity(tensor([[3.0, 0.0]]), tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    check_tensor("cosine_similarity", "x1", x1)
    check_tensor("cosine_similarity", "x2", x2)
    shape = joint_shape("cosine_similarity", x1.shape, x2.shape)
    axis = axis_of("cosine_similarity", dim, len(shape))
    x1, x2 = x1.expand(shape), x2.expand(shape)
    a, b = (_in_single(lambda x: x / norm(x, 2, axis, keepdim=True).clamp(min=eps), x) for x in (x1, x2))
    return _in_single(lambda x: x.sum(axis), a * b)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """|x1 - x2 + eps|, the p-norm over the last dim; eps keeps it away from 0, where it has no slope.

    >>> from lucid import tensor
    >>> pairwise_distance(tensor([[3.0, 0.0]]), tensor([[0.0, 4.0]]))
    tensor([5.])
    """
    return _in_single(lambda x: norm(x + eps, p, -1, keepdim), x1 - x2)


def _in_single(f: Callable[..., Tensor], input: Tensor, *others: Tensor | None, **options: float) -> Tensor:
    if input._array.dtype.char != "e":
        return f(input, *others, **options)
    return f(input.to(float32), *others, **options).to(float16)  # the others are promoted on the way


def _as_it_ran(
    x: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None, *, eps: float
) -> Tensor:
    scale = rsqrt(var.to(x.dtype) + eps)
    return _of_channels(x - _upright(mean, x), scale if weight is None else scale * weight, bias)


def _move(running: Tensor | None, newest: Tensor, momentum: float) -> None:
    """Let `running`, in place, take the share `momentum` of what is newest."""
    if running is not None:
        running.mul_(1 - momentum).add_(newest.reshape(-1).to(running.dtype) * momentum)


def _of_channels(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """x * weight + bias, channel by channel."""
    x = x if weight is None else x * _upright(weight, x)
    return x if bias is None else x + _upright(bias, x)


def _upright(vector: Tensor, x: Tensor) -> Tensor:
    """A number for each channel, (channels,), in a shape that broadcasts against x."""
    return vector if x.ndim == 2 else vector.reshape(-1, *(1,) * (x.ndim - 2))


# -- what is refused -------------------------------------------------------------------------------------------------


def check_last_dims(
    who: str, input: Tensor, normalized_shape: int | Sequence[int], **others: Tensor | None
) -> tuple[int, ...]:
    """`normalized_shape` as a tuple; refuses one that is not how the input's shape ends, or not that of the others."""
    check_tensor(who, "input", input)
    shape = as_shape(who, normalized_shape)
    if input.shape[-len(shape) :] != shape:
        raise ValueError(
            f"{who}: normalized_shape {shape} is not how the input's shape {input.shape} ends; "
            "give the lengths of the last dims, those to take the mean over"
        )
    for name, vector in others.items():
        if vector is not None and vector.shape != shape:
            raise ValueError(f"{who}: {name} has shape {vector.shape}, expected normalized_shape, {shape}")
    return shape


def as_shape(who: str, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """`normalized_shape` as a tuple of at least one int."""
    shape = tuple(normalized_shape) if isinstance(normalized_shape, Sequence) else (normalized_shape,)
    if not shape or not all(isinstance(n, int) and n > 0 for n in shape):
        raise ValueError(f"{who}: normalized_shape must be a positive int, or several, got {normalized_shape!r}")
    return shape


def check_groups(who: str, num_groups: int, channels: int) -> None:
    """Refuse groups that are not all of one size."""
    if not isinstance(num_groups, int) or num_groups < 1 or channels % num_groups:
        raise ValueError(f"{who}: num_groups must divide the {channels} channels, got {num_groups!r}")


def _check_channels(who: str, input: Tensor, **vectors: Tensor | None) -> None:
    check_tensor(who, "input", input)
    if input.ndim < 2:
        raise ValueError(f"{who}: input must be (n, channels, ...), got shape {input.shape}")
    for name, vector in vectors.items():
        if vector is not None and vector.shape != input.shape[1:2]:
            raise ValueError(
                f"{who}: {name} has shape {vector.shape}, expected ({input.shape[1]},), a number for each channel "
                f"of the input, whose shape is {input.shape}"
            )
