"""Activations: the functions between the layers."""

from __future__ import annotations

from lucid.functions import where
from lucid.nn.functional.checks import check_approximate
from lucid.operands import ndim_of
from lucid.ops import functions
from lucid.shaping import axis_of
from lucid.tensor import Tensor

# The fixed point that makes a deep network keep mean 0 and variance 1 (arXiv 1706.02515, equation 14).
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x * P(Z <= x), Z standard normal (arXiv 1606.08415); `approximate="tanh"` takes the paper's tanh form.

    Raises:
        ValueError: for another `approximate`.
    """
    check_approximate(approximate)
    return functions.gelu(input, approximate=approximate)


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where it is positive, negative_slope * x elsewhere (Maas et al. 2013)."""
    return functions.leaky_relu(input, negative_slope=float(negative_slope))


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """x where it is positive, alpha * (exp(x) - 1) elsewhere (arXiv 1511.07289)."""
    return functions.elu(input, alpha=float(alpha))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta, a smooth relu; x itself where beta * x exceeds `threshold`."""
    return functions.softplus(input, beta=float(beta), threshold=float(threshold))


def selu(input: Tensor) -> Tensor:
    """scale * elu(x, alpha), with the two numbers that keep mean 0 and variance 1 (arXiv 1706.02515)."""
    return functions.elu(input, alpha=SELU_ALPHA) * SELU_SCALE


def mish(input: Tensor) -> Tensor:
    """x * tanh(softplus(x)) (Misra 2019, arXiv 1908.08681)."""
    return input * functions.tanh(functions.softplus(input))


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """min(max(x, min_val), max_val); the slope at both is 0.

    Raises:
        ValueError: unless `min_val` is below `max_val`.
    """
    if not min_val < max_val:
        raise ValueError(f"hardtanh: min_val must be below max_val, got {min_val} and {max_val}")
    return functions.hardtanh(input, low=float(min_val), high=float(max_val))


def relu6(input: Tensor) -> Tensor:
    """min(max(x, 0), 6)."""
    return functions.hardtanh(input, low=0.0, high=6.0)


def hardsigmoid(input: Tensor) -> Tensor:
    """relu6(x + 3) / 6, a sigmoid of three straight lines."""
    ndim_of("hardsigmoid", input)
    return relu6(input + 3) / 6


def hardswish(input: Tensor) -> Tensor:
    """x * relu6(x + 3) / 6, a silu without exponentials (Howard et al. 2019, arXiv 1905.02244)."""
    return input * hardsigmoid(input)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (1 + functions.abs(input))


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - functions.tanh(input)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a * sigmoid(b) for the two halves, a and b, of `input` along `dim` (Dauphin et al. 2016, arXiv 1612.08083).

    Raises:
        IndexError: if there is no such dim.
        ValueError: if its length is odd.
    """
    axis = axis_of("glu", dim, ndim_of("glu", input))
    half, left = divmod(input.shape[axis], 2)
    if left:
        raise ValueError(f"glu: dim {dim} must have an even length, to be halved; got shape {input.shape}")
    value, gate = input.split([half, half], axis)
    return value * functions.sigmoid(gate)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where it is positive, weight * x elsewhere: a leaky_relu that learns its slope (arXiv 1502.01852).

    Args:
        input: (n, channels, ...), or any shape for a single weight.
        weight: (1,), or (channels,), a slope for each.

    Raises:
        ValueError: if there is neither one weight nor one for each channel.
    """
    channels = input.shape[1] if ndim_of("prelu", input) > 1 else 1
    if ndim_of("prelu", weight) > 1 or weight.numel() not in (1, channels):
        raise ValueError(
            f"prelu: expected weight of shape (1,), or ({channels},) for the channels of an input of shape "
            f"{input.shape}, got {weight.shape}"
        )
    slope = weight.reshape((-1,) + (1,) * (input.ndim - 2) if input.ndim else ())
    up = input > 0
    return where(up, input, slope * where(up, 0.0, input))
