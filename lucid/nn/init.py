"""Starting values for weights: each function fills a tensor in place and returns it.

The numbers come from lucid's one random generator (`lucid.manual_seed`), drawn on the host in float64 and then cast:
the same seed gives the same weights on every device. Nothing here is recorded for gradients.
"""

from __future__ import annotations

import math
from typing import Any

from lucid.core.array import cpu, device_of, to_device
from lucid.core.node import Tensor, bump_version
from lucid.ops.checks import as_float
from lucid.ops.random import generator

__all__ = [
    "calculate_gain", "constant_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "orthogonal_",
    "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip

GAINS = {
    **dict.fromkeys(("linear", "sigmoid", "conv1d", "conv2d", "conv3d"), 1.0),
    "tanh": 5 / 3,
    "relu": math.sqrt(2.0),
    "leaky_relu": None,  # depends on the slope
    "selu": 0.75,
}


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with the number `val`.

    >>> from lucid import nn
    >>> nn.init.constant_(nn.Parameter([1.0, 2.0]), 0.5).tolist()
    [0.5, 0.5]
    """
    return _fill(tensor, as_float("constant_", "val", val))


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity: ones on the diagonal, zeros beside it. A ValueError if it is not a matrix."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_: expected a tensor with two dimensions, got shape {tuple(tensor.shape)}")
    return _fill(tensor, cpu.eye(*tensor.shape))


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fill with numbers drawn evenly from [a, b); a ValueError if a > b. As all functions that draw, a TypeError if the
    tensor is not of a floating point dtype."""
    if not a <= b:
        raise ValueError(f"uniform_: expected a <= b, got a={a}, b={b}")
    return _fill(tensor, generator().uniform(a, b, _float_shape(tensor, "uniform_")))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill from the normal distribution of this mean and standard deviation; a ValueError if `std` is negative."""
    if not std >= 0:
        raise ValueError(f"normal_: std must be 0 or more, got {std}")
    return _fill(tensor, generator().normal(mean, std, _float_shape(tensor, "normal_")))


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """Fill with numbers from the normal distribution, given that they lie in [a, b].

    It takes the inverse of the distribution function at evenly drawn probabilities, so an element costs one draw,
    however narrow or far out the interval is. A ValueError if `std` is not positive, or a >= b."""
    from statistics import NormalDist  # slow to import, for those who do not need it

    if not std > 0:
        raise ValueError(f"trunc_normal_: std must be positive, got {std}")
    if not a < b:
        raise ValueError(f"trunc_normal_: expected a < b, got a={a}, b={b}")
    shape, normal = _float_shape(tensor, "trunc_normal_"), NormalDist()
    low, high = (a - mean) / std, (b - mean) / std
    mirrored = low + high > 0  # far below 0 the probabilities are tiny but exact; far above they are all 1
    low, high = (-high, -low) if mirrored else (low, high)
    drawn = generator().uniform(normal.cdf(low), normal.cdf(high), shape)
    drawn = cpu.maximum(drawn, 1e-300)  # below -37 standard deviations the probability is 0 in a double
    values = cpu.asarray([normal.inv_cdf(p) for p in drawn.reshape(-1).tolist()]).reshape(shape)
    values = cpu.minimum(cpu.maximum(values, low), high)
    return _fill(tensor, mean + std * (-values if mirrored else values))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill evenly from [-b, b] with b = gain * sqrt(6 / (fan_in + fan_out)).

    Keeps the variance of activations and gradients level through layers that are near linear, such as tanh around 0.
    Source: Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", (16).
    A ValueError if the tensor has fewer than two dimensions."""
    bound = gain * math.sqrt(6 / (sum(_fans(tensor, "xavier_uniform_").values()) or 1))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill from the normal distribution with std = gain * sqrt(2 / (fan_in + fan_out)).

    Source: Glorot and Bengio 2010, (12) with the mean of both fans. Errors as `xavier_uniform_`."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / (sum(_fans(tensor, "xavier_normal_").values()) or 1)))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill evenly from [-b, b] with b = gain * sqrt(3 / fan).

    Keeps the variance level through layers of rectifiers, for relu halves it and the gain of sqrt(2) restores it.
    Source: He et al. 2015, "Delving deep into rectifiers", arXiv 1502.01852, (10) and (14).

    Args:
        tensor: two dimensions, (out, in), or more, (out, in, kernel...).
        a: the slope on the negative side, for "leaky_relu" only.
        mode: "fan_in" keeps activations level, "fan_out" gradients.
        nonlinearity: a name known to `calculate_gain`.

    A ValueError if the tensor has fewer than two dimensions, or a name is unknown."""
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_uniform_")
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill from the normal distribution with std = gain / sqrt(fan); the rest is as in `kaiming_uniform_`."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_normal_"))


def _weighted_sum_(weight: Tensor, bias: Tensor | None) -> None:
    """Draw both evenly from [-b, b] with b = 1 / sqrt(numbers that go into each output): how Linear and convolutions
    start, as in PyTorch (where it is `kaiming_uniform_` with a = sqrt(5))."""
    kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(math.prod(weight.shape[1:]) or math.inf)
        uniform_(bias, -bound, bound)


def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill with `gain` times a random matrix whose rows (or columns, if those are fewer) are orthonormal.

    Dimensions after the first count as one. Such a layer preserves lengths, and with them gradients, at any depth.
    Source: Saxe et al. 2013, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    arXiv 1312.6120. A ValueError if the tensor has fewer than two dimensions."""
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: expected two dimensions or more, got shape {tuple(tensor.shape)}")
    shape = _float_shape(tensor, "orthogonal_")
    rows, columns = shape[0], math.prod(shape[1:])
    basis = generator().normal(size=(min(rows, columns), max(rows, columns)))
    for i, row in enumerate(basis):  # Gram-Schmidt
        for _ in range(2):  # the second pass takes away what rounding left of the first
            row -= (basis[:i] @ row) @ basis[:i]
        row /= math.sqrt(row @ row)
    return _fill(tensor, gain * (basis if rows <= columns else basis.T).reshape(shape))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much weights must grow to keep the variance level through this nonlinearity.

    1 for "linear", "sigmoid" and convolutions, 5/3 for "tanh", sqrt(2) for "relu", sqrt(2 / (1 + slope**2)) for
    "leaky_relu" (`param` is the slope, 0.01 if not given), 3/4 for "selu": PyTorch's table. A ValueError for others."""
    if nonlinearity not in GAINS:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}; expected one of {', '.join(GAINS)}")
    gain = GAINS[nonlinearity]
    return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2)) if gain is None else gain


def _fill(tensor: Tensor, values: Any) -> Tensor:
    """Write `values` (a number or a host array) into the tensor's own memory."""
    array = tensor._array
    if not isinstance(values, float):
        values = to_device(values.astype(array.dtype), device_of(array))
    array[...] = values
    bump_version(array)
    return tensor


def _float_shape(tensor: Tensor, function: str) -> tuple[int, ...]:
    """The shape of random numbers for a tensor; one of integers cannot hold them."""
    if tensor.dtype.kind != "f":
        raise TypeError(f"{function}: expected a floating point tensor, got {tensor.dtype}; convert it with .float()")
    return tuple(tensor.shape)


def _fans(tensor: Tensor, function: str) -> dict[str, int]:
    """How many numbers each output is made of, and how many outputs each input goes to."""
    if tensor.ndim < 2:
        raise ValueError(f"{function}: expected two dimensions or more, (out, in), got shape {tuple(tensor.shape)}")
    kernel = math.prod(tensor.shape[2:])
    return {"fan_in": tensor.shape[1] * kernel, "fan_out": tensor.shape[0] * kernel}


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str, function: str) -> float:
    fans = _fans(tensor, function)
    if mode not in fans:
        raise ValueError(f"{function}: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans[mode]) if fans[mode] else 0.0
