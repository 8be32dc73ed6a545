"""Activations: the nonlinear functions between the layers. relu, tanh and sigmoid are among the elementwise functions.

At a kink, leaky_relu, elu, selu and prelu take the slope from below; hardtanh's is 0 at both bounds.
"""

from __future__ import annotations

import math

from lucid.core.array import cpu, float32
from lucid.core.elementwise import tanh
from lucid.core.node import Tensor
from lucid.core.op import op
from lucid.core.promotion import ndim_of
from lucid.core.shapes import axis_of
from lucid.ops.checks import as_float
from lucid.ops.create import from_host
from lucid.ops.elementwise import abs, clamp, expm1, sigmoid, sign, where
from lucid.ops.embedding import one_hot
from lucid.ops.norms import _in_single, weighed
from lucid.ops.random import generator
from lucid.ops.reductions import softmax
from lucid.ops.special import BITS, normal_tail, with_sign

FAR = 1000  # there exponentials are 0 or infinite in every dtype: x stops here where a product would be 0 * inf
ROOT_HALF, ROOT_2_OVER_PI = math.sqrt(0.5), math.sqrt(2 / math.pi)
# The fixed point that makes a deep network keep mean 0 and variance 1 (arXiv 1706.02515, equation 14).
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@op(floats=True, in_single="cpu", x=lambda xp, g, x, negative_slope: xp.where(x > 0, g, g * negative_slope))
def _leaky_relu(xp, x, *, negative_slope=0.01):
    return xp.where(x > 0, x, x * negative_slope) if negative_slope else xp.maximum(x, 0)


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where it is positive, negative_slope * x elsewhere (Maas et al. 2013)."""
    return _leaky_relu(input, negative_slope=as_float("leaky_relu", "negative_slope", negative_slope))


@op(
    floats=True, in_single="cpu",
    x=lambda xp, g, x, alpha: xp.where(x > 0, g, g * (alpha * xp.exp(xp.minimum(x, 0)))),
)  # fmt: skip
def _elu(xp, x, *, alpha=1.0):
    return xp.where(x > 0, x, alpha * xp.expm1(xp.minimum(x, 0)))


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """x where it is positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2015, arXiv 1511.07289)."""
    return _elu(input, alpha=as_float("elu", "alpha", alpha))


def selu(input: Tensor) -> Tensor:
    """scale * elu(x, alpha), with the two numbers that keep mean 0 and variance 1 (arXiv 1706.02515)."""
    return _elu(input, alpha=SELU_ALPHA) * SELU_SCALE


@op(floats=True, x=lambda xp, g, x, low, high: xp.masked(g, ~((x <= low) | (x >= high))))
def _hardtanh(xp, x, *, low=-1.0, high=1.0):
    return x.clip(low, high)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """min(max(x, min_val), max_val); unlike clamp's, the gradient at both bounds is 0. Raises ValueError unless
    `min_val` is below `max_val`."""
    low, high = as_float("hardtanh", "min_val", min_val), as_float("hardtanh", "max_val", max_val)
    if not low < high:
        raise ValueError(f"hardtanh: min_val must be below max_val, got {min_val} and {max_val}")
    return _hardtanh(input, low=low, high=high)


def relu6(input: Tensor) -> Tensor:
    """min(max(x, 0), 6)."""
    return _hardtanh(input, low=0.0, high=6.0)


def hardsigmoid(input: Tensor) -> Tensor:
    """relu6(x + 3) / 6, a sigmoid of three straight lines."""
    return relu6(input + 3) / 6


@op(
    floats=True, in_single="cpu",
    x=lambda xp, g, x: g * ((x + 3).clip(0, 6) / 6 + xp.masked(x / 6, ~((x <= -3) | (x >= 3)))),
)  # fmt: skip
def hardswish(xp, x):
    """x * relu6(x + 3) / 6, a silu without exponentials (Howard et al. 2019, arXiv 1905.02244)."""
    return xp.maximum(x, -FAR) * ((x + 3).clip(0, 6) / 6)


@op(floats=True, in_single="cpu", x=lambda xp, g, x: g * xp.sigmoid(-x))
def logsigmoid(xp, x):
    """log(sigmoid(x)), which never overflows, nor rounds to log 0."""
    return xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.abs(x)))


@op(floats=True, in_single="cpu", x=lambda xp, g, x: g * ((s := xp.sigmoid(x)) * (1 + x.clip(-FAR, FAR) * (1 - s))))
def silu(xp, x):
    """x * sigmoid(x), also called swish (Elfwing et al. 2017, arXiv 1702.03118)."""
    return xp.maximum(x, -FAR) * xp.sigmoid(x)


@op(
    floats=True, in_single="cpu",
    x=lambda xp, g, x, beta, threshold: xp.where(x * beta > threshold, g, g * xp.sigmoid(x * beta)),
)  # fmt: skip
def _softplus(xp, x, *, beta=1.0, threshold=20.0):
    z = x * beta
    return xp.where(z > threshold, x, (xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))) / beta)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta, a smooth relu; x itself where beta * x exceeds `threshold`."""
    beta, threshold = as_float("softplus", "beta", beta), as_float("softplus", "threshold", threshold)
    return _softplus(input, beta=beta, threshold=threshold)


@op(
    floats=True, in_single="cpu", aux_outputs={"gate": lambda xp, x: xp.tanh(xp.softplus(x))},
    x=lambda xp, g, x, gate: g * (gate + x.clip(-FAR, FAR) * ((1 - gate * gate) * xp.sigmoid(x))),
)  # fmt: skip
def mish(xp, x):
    """x * tanh(softplus(x)) (Misra 2019, arXiv 1908.08681)."""
    gate = xp.tanh(xp.softplus(x))
    return x.clip(-FAR, math.inf) * gate, gate


@op(
    floats=True, in_single="cpu",
    aux_outputs={
        "slope": lambda xp, x, approximate: (
            _tanh_gelu_slope(xp, near := x.clip(-40, 40), _tanh_gate(xp, near))  # type: ignore[has-type]
            if approximate == "tanh" else xp.gelu_slope(x)
        )
    },
    x=lambda xp, g, slope: g * slope,
)  # fmt: skip
def _gelu(xp, x, *, approximate="none"):
    if approximate == "tanh":
        near = x.clip(-40, 40)  # farther out nothing changes, but x * x overflows
        gate = _tanh_gate(xp, near)
        return x.clip(-FAR, math.inf) * gate, _tanh_gelu_slope(xp, near, gate)
    return _gelu_by_tail(xp, x)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x * P(Z <= x) for a standard normal Z (Hendrycks and Gimpel 2016, arXiv 1606.08415).

    `approximate="none"` takes the exact probability, 0.5 * (1 + erf(x / sqrt(2))); `"tanh"` the paper's
    approximation 0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))). Raises ValueError for another. """
    check_approximate(approximate)
    return _gelu(input, approximate=approximate)


@op(
    in_single="cpu",
    x=lambda xp, g, x: g * ((2 - (square := x.clip(-40, 40) ** 2)) * xp.exp(-0.5 * square) / math.sqrt(2 * math.pi)),
)  # fmt: skip
def gelu_slope(xp, x):
    """The derivative of gelu, P(Z <= x) + x times the density at x; create_graph differentiates this."""
    return _gelu_by_tail(xp, x)[1]


# For the tanh form gate = (1 + tanh u) / 2, which is sigmoid(2 u), and so gate' = 2 gate (1 - gate) u'. 1 + tanh u has
# no digits left far below 0.
_tanh_gate = lambda xp, x: xp.sigmoid(2 * ROOT_2_OVER_PI * (x + 0.044715 * x * x * x))
_tanh_gelu_slope = lambda xp, x, gate: gate * (1 + 2 * x * (1 - gate) * (ROOT_2_OVER_PI * (1 + 3 * 0.044715 * x * x)))


def check_approximate(approximate: str) -> None:
    """Refuse a form that gelu does not have."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")


def _gelu_by_tail(xp, x):
    """gelu and its slope from the normal distribution's tail beyond |x|, in two thirds of the time that erf takes; and
    gelu keeps its digits far below 0, where 1 + erf has none left."""
    flat = x.reshape(x.shape or 1)
    size = xp.abs(flat.clip(-40, 40))  # as good as infinity, but 40 * 0 is 0
    tail, density = normal_tail(xp, size)
    density *= size
    density -= tail  # the slope below 0, negated; above 0 it is 1 more than that
    slope = with_sign(density, flat)
    slope += flat.view(BITS[flat.dtype.char]) >= 0  # not below 0, where nothing may be rounded away; -0.0 is below
    tail *= size
    out = flat.clip(0, math.inf)
    out -= tail
    return out.reshape(x.shape), slope.reshape(x.shape)


@op(floats=True, in_single="cpu", x=lambda xp, g, x: g / (size := 1 + xp.abs(x)) / size)
def softsign(xp, x):
    """x / (1 + |x|)."""
    near = x.clip(-1e30, 1e30)
    return near / (1 + xp.abs(near))


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return _in_single(lambda x: x - tanh(x), input)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a * sigmoid(b) for the two halves, a and b, of `input` along `dim` (Dauphin et al. 2016, arXiv 1612.08083).
    Raises IndexError if there is no such dim, and ValueError if its length is odd."""
    axis = axis_of("glu", dim, ndim_of("glu", input))
    half, remainder = divmod(input.shape[axis], 2)
    if remainder:
        raise ValueError(f"glu: dim {dim} must have an even length, to be halved; got shape {input.shape}")
    value, gate = input.split([half, half], axis)
    return value * sigmoid(gate)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where it is positive, weight * x elsewhere: a leaky_relu that learns its slope (arXiv 1502.01852).

    `input` is (n, channels, ...), or of any shape for a single weight; `weight` (1,), or (channels,), a slope
    for each. Raises ValueError if there is neither one weight nor one for each channel. """
    channels = input.shape[1] if ndim_of("prelu", input) > 1 else 1
    if ndim_of("prelu", weight) > 1 or weight.numel() not in (1, channels):
        of = f"(1,), or ({channels},) for the channels of an input of shape {input.shape}"
        raise ValueError(f"prelu: expected weight of shape {of}, got {weight.shape}")
    slope = weight.reshape((-1,) + (1,) * (input.ndim - 2) if input.ndim else ())
    positive = input > 0
    return where(positive, input, weighed(slope, where(positive, 0.0, input)))


def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """x where it is positive, alpha * (exp(x / alpha) - 1) elsewhere: an elu whose slope at 0 is 1 for every alpha
    (Barron 2017, arXiv 1704.07483). Raises ValueError if `alpha` is 0."""
    if not alpha:
        raise ValueError("celu: alpha must not be 0; relu is the limit for an alpha near 0")
    alpha = as_float("celu", "alpha", alpha)
    return where(input <= 0, expm1(clamp(input, max=0) / alpha) * alpha, input)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, 0 elsewhere."""
    return where(abs(input) <= lambd, 0.0, input)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x - lambd above lambd, x + lambd below -lambd, 0 between. Raises ValueError if `lambd` is negative."""
    if not lambd >= 0:
        raise ValueError(f"softshrink: lambd must be 0 or more, got {lambd}")
    return where(abs(input) <= lambd, 0.0, input - sign(input) * float(lambd))


def threshold(input: Tensor, threshold: float, value: float) -> Tensor:
    """x where it is above `threshold`, `value` elsewhere."""
    return where(input <= threshold, as_float("threshold", "value", value), input)


def softmin(input: Tensor, dim: int | None = None) -> Tensor:
    """softmax(-x) along `dim`: the smallest gets most."""
    return softmax(-input, dim)


def gumbel_softmax(logits: Tensor, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """softmax((logits + noise) / tau) along `dim`, with noise of the Gumbel distribution: a draw among the classes that
    has a gradient, the nearer to one class the smaller the temperature `tau`.

    If it is `hard`, the result is one-hot, and its gradient that of the soft one. `eps` is not used. Sources: Jang et
    al. 2016, arXiv 1611.01144; Maddison et al. 2016, arXiv 1611.00712. Raises ValueError if `tau` is not positive, and
    IndexError if there is no such dim."""
    axis = axis_of("gumbel_softmax", dim, ndim_of("gumbel_softmax", logits))
    if not tau > 0:
        raise ValueError(f"gumbel_softmax: tau must be positive, got {tau}")
    noise = -cpu.log(generator().standard_exponential(logits.shape))
    dtype = logits.dtype if logits.is_floating_point() else float32
    soft = softmax((logits + from_host(noise, dtype, logits.device, False)) / float(tau), axis)
    if not hard:
        return soft
    chosen = one_hot(soft.detach().argmax(axis), soft.shape[axis]).movedim(-1, axis)
    return chosen.to(soft.dtype) - soft.detach() + soft
