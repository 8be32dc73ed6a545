"""Chapter 3b. Functions of one number: exponentials, trigonometry, activations.

Where a function has no derivative the formula says what is used instead: 0 for abs, sign and relu at 0.
"""

import math

from lucid.op import op
from lucid.ops.special import BITS, normal_tail, with_sign

ROOT_HALF, ROOT_2_OVER_PI = math.sqrt(0.5), math.sqrt(2 / math.pi)


@op(floats=True, x=lambda xp, g, out: g * out)
def exp(xp, x):
    """e to the power x."""
    return xp.exp(x)


@op(floats=True, x=lambda xp, g, x: g * xp.exp(x))
def expm1(xp, x):
    """exp(x) - 1, exact near 0."""
    return xp.expm1(x)


@op(floats=True, x=lambda xp, g, x: g / x)
def log(xp, x):
    """The natural logarithm, the y with exp(y) = x; -inf at 0, NaN below."""
    return xp.log(x)


@op(floats=True, x=lambda xp, g, x: g / (1 + x))
def log1p(xp, x):
    """log(1 + x), exact near 0."""
    return xp.log1p(x)


@op(floats=True, x=lambda xp, g, x: g / (x * math.log(2)))
def log2(xp, x):
    """The logarithm to base 2, log(x) / log(2)."""
    return xp.log2(x)


@op(floats=True, x=lambda xp, g, x: g / (x * math.log(10)))
def log10(xp, x):
    """The logarithm to base 10, log(x) / log(10)."""
    return xp.log10(x)


@op(floats=True, x=lambda xp, g, out: g / (2 * out))
def sqrt(xp, x):
    """The square root, the y >= 0 with y * y = x, NaN below 0; its gradient at 0 is infinite."""
    return xp.sqrt(x)


@op(x=lambda xp, g, x: g * (2 * x))
def square(xp, x):
    """x * x."""
    return x * x


@op(floats=True, x=lambda xp, g, out: -g * out * out)
def reciprocal(xp, x):
    """1 / x."""
    return 1 / x


@op(x=lambda xp, g, x: g * xp.sign(x))
def abs(xp, x):
    """|x|; the gradient at 0 is 0."""
    return xp.abs(x)


@op(x=lambda xp, g: xp.zeros_like(g))
def sign(xp, x):
    """-1, 0 or 1; the gradient is 0."""
    return xp.sign(x)


@op(x=lambda xp, g: xp.zeros_like(g))
def floor(xp, x):
    """x rounded down; the gradient is 0."""
    return xp.floor(x)


@op(x=lambda xp, g: xp.zeros_like(g))
def ceil(xp, x):
    """x rounded up; the gradient is 0."""
    return xp.ceil(x)


@op(x=lambda xp, g: xp.zeros_like(g))
def trunc(xp, x):
    """x rounded towards 0; the gradient is 0."""
    return xp.trunc(x)


@op(x=lambda xp, g: xp.zeros_like(g))
def rint(xp, x):
    """x rounded to the nearest integer, halves to the even one; the gradient is 0."""
    return xp.rint(x)


@op(floats=True, x=lambda xp, g, x: g * xp.cos(x))
def sin(xp, x):
    """The sine of x, in radians."""
    return xp.sin(x)


@op(floats=True, x=lambda xp, g, x: -g * xp.sin(x))
def cos(xp, x):
    """The cosine of x, in radians."""
    return xp.cos(x)


@op(floats=True, x=lambda xp, g, out: g * (1 + out * out))
def tan(xp, x):
    """The tangent of x, in radians: sin(x) / cos(x)."""
    return xp.tan(x)


@op(floats=True, x=lambda xp, g, out: g * (1 - out * out))
def tanh(xp, x):
    """The hyperbolic tangent, (exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    return xp.tanh(x)


@op(floats=True, x=lambda xp, g, out: g * (out * (1 - out)))
def sigmoid(xp, x):
    """1 / (1 + exp(-x)): small values keep their relative accuracy, unlike 0.5 * tanh(x / 2) + 0.5."""
    with xp.quiet():  # exp(-x) may overflow to inf, whose reciprocal is the right 0
        return 1 / (1 + xp.exp(-x))


@op(x=lambda xp, g, x, min, max: xp.masked(g, _inside(x, min, max)))
def clip(xp, x, *, min=None, max=None):
    """x held between the numbers `min` and `max`, either of which may be None; at a bound the gradient still passes."""
    x = x if min is None else xp.maximum(x, min)
    return x if max is None else xp.minimum(x, max)


def _inside(x, min, max):
    if min is None or max is None:
        return x >= min if max is None else x <= max
    return (x >= min) & (x <= max)


# -- activations -----------------------------------------------------------------------------------------------------


# As fast as x * mask and exact: of an infinite gradient nothing is left where the mask does not hold, not 0 * inf.
@op(x=lambda xp, g, mask: xp.masked(g, mask))
def masked(xp, x, mask):
    """x where the bools `mask` hold, else 0: the bits of x as an integer, times 1 or 0."""
    bits = BITS[x.dtype.char]
    kept = mask.astype(bits)
    kept *= x.view(bits)
    return kept.view(x.dtype)


@op(x=lambda xp, g, out: xp.masked(g, out > 0))
def relu(xp, x):
    """max(x, 0); the gradient at 0 is 0."""
    # Against a row of zeros rather than the number 0: NumPy's loop for two arrays is the faster by far, 4 us for 12 on
    # 128 x 128.
    return xp.maximum(x, xp.zeros(x.shape[-1:], dtype=x.dtype))


@op(floats=True, x=lambda xp, g, x, negative_slope: xp.where(x > 0, g, g * negative_slope))
def leaky_relu(xp, x, *, negative_slope=0.01):
    """x where it is positive, else negative_slope * x (Maas et al. 2013)."""
    return xp.where(x > 0, x, x * negative_slope)


@op(floats=True, x=lambda xp, g, x, alpha: xp.where(x > 0, g, g * (alpha * xp.exp(xp.minimum(x, 0)))))
def elu(xp, x, *, alpha=1.0):
    """x where it is positive, else alpha * (exp(x) - 1) (Clevert et al. 2015, arXiv 1511.07289)."""
    return xp.where(x > 0, x, alpha * xp.expm1(xp.minimum(x, 0)))


@op(floats=True, x=lambda xp, g, x, low, high: xp.masked(g, (x > low) & (x < high)))
def hardtanh(xp, x, *, low=-1.0, high=1.0):
    """x held between `low` and `high`; unlike clip's, the gradient at a bound is 0."""
    return x.clip(low, high)


@op(floats=True, x=lambda xp, g, x: g * xp.sigmoid(-x))
def logsigmoid(xp, x):
    """log(sigmoid(x)), which never overflows, nor rounds to log 0."""
    return xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.abs(x)))


@op(floats=True, x=lambda xp, g, x: _times_one_plus(xp, g, xp.sigmoid(x), x))
def silu(xp, x):
    """x * sigmoid(x), also called swish (Elfwing et al. 2017, arXiv 1702.03118)."""
    return x * xp.sigmoid(x)


def _times_one_plus(xp, g, s, x):
    return g * (s * (1 + x * (1 - s)))


@op(floats=True, x=lambda xp, g, x, beta, threshold: xp.where(x * beta > threshold, g, g * xp.sigmoid(x * beta)))
def softplus(xp, x, *, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * x)) / beta, a smooth relu; x itself where beta * x is above `threshold`, as in PyTorch."""
    z = x * beta
    smooth = (xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))) / beta
    return xp.where(z > threshold, x, smooth)


@op(
    floats=True,
    keeps={
        "slope": lambda xp, x, approximate: (
            _gated_slope(xp, x, _gate(xp, x)) if approximate == "tanh" else _gelu_slope(xp, x)
        )
    },
    x=lambda xp, g, slope: g * slope,
)
def gelu(xp, x, *, approximate="none"):
    """x * P(Z <= x) for a standard normal Z (Hendrycks and Gimpel 2016, arXiv 1606.08415).

    `approximate="none"` takes the exact probability, 0.5 * (1 + erf(x / sqrt(2))); `"tanh"` the paper's approximation
    0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))).
    """
    wide = x.astype("float32") if x.dtype.char == "e" else x
    if approximate == "tanh":
        near = wide.clip(-40, 40)  # further out nothing changes, but x * x overflows
        gate = _gate(xp, near)
        out, slope = wide * gate, _gated_slope(xp, near, gate)
    else:
        out, slope = _gelu_by_tail(xp, wide)
    return (out, slope) if wide is x else (out.astype(x.dtype), slope.astype(x.dtype))


def _gelu_slope(xp, x):
    return 0.5 * (1 + xp.erf(x * ROOT_HALF)) + x * xp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _gelu_by_tail(xp, x):
    """gelu and its slope by the tail behind |x|, in two thirds of the time that they take with erf; and gelu keeps its
    digits far below 0, where 1 + erf has none left."""
    flat = x.reshape(x.shape or 1)
    size = xp.abs(flat.clip(-40, 40))  # as good as infinity, but 40 * 0 is 0
    tail, density = normal_tail(xp, size)
    density *= size
    density -= tail  # the slope below 0, negated; above 0 it is 1 less that
    density += 0.5
    slope = with_sign(density, flat)
    slope += 0.5
    tail *= size
    out = flat.clip(0, math.inf)
    out -= tail
    return out.reshape(x.shape), slope.reshape(x.shape)


def _gate(xp, x):
    return 0.5 * (1 + xp.tanh(ROOT_2_OVER_PI * (x + 0.044715 * x * x * x)))


def _gated_slope(xp, x, gate):  # gate' = 2 gate (1 - gate) u' for gate = (1 + tanh u) / 2
    return gate * (1 + 2 * x * (1 - gate) * (ROOT_2_OVER_PI * (1 + 3 * 0.044715 * x * x)))
