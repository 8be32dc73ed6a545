"""Chapter 3b. Functions of one number: exponentials, trigonometry, activations.

Where a function has no derivative the formula says what is used instead: 0 for abs, sign and relu at 0.
"""

import math

from lucid.op import op
from lucid.ops.special import BITS


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
