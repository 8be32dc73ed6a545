"""The error function, its complement and inverse, the tail of the normal distribution, and the gamma function's
logarithm with its derivatives, which NumPy lacks: computed here from scratch. All but `erf` are computed in float64.
"""

from __future__ import annotations

import math
from functools import cache

from lucid.core.array import cpu
from lucid.core.node import Tensor, method
from lucid.core.op import op

__all__ = ["digamma", "erf", "erfc", "erfinv", "lgamma"]

# erf(x) = x P(x*x) below 1, and 1 - exp(-x*x) Q(z) up to 6, where it is 1 to the last bit; z maps [1, 6] to [-1, 1]. P
# and Q are Chebyshev interpolants computed from 40-digit values (no function of another library is copied). Measured
# against math.erf: at most 2 units in the last place in float64 and 3 in float32.
_COEFFICIENTS = {  # bytes of a float: P, Q
    8: (
        (1.1283791670955126, -0.3761263890318375, 0.11283791670954882, -0.026866170645077334, 0.005223977624823223,
         -0.0008548326981129666, 0.00012055331122299266, -1.4925595519506043e-05, 1.6461004480962034e-06,
         -1.6350354461959655e-07, 1.4660051998394848e-08, -1.1373902296430911e-09, 5.958930743134941e-11),
        (0.20798329133342885, -0.15436117429436919, 0.04969844540339414, -0.012713147695692147, 0.0024793146970862002,
         -0.00033160296057680485, 1.9563583198099526e-05, 2.4255574732470057e-06, -5.54127310709044e-07,
         -4.526702996597009e-09, 1.1339337061280557e-08, -2.638133067637362e-10, -2.5700504246482923e-10,
         6.046858018203033e-12, 6.044068318449643e-12),
    ),
    4: (
        (1.12837917, -0.376126269, 0.112835975, -0.0268543288, 0.00518931194, -0.000801885499, 7.88249711e-05),
        (0.207983291, -0.154361174, 0.0496984444, -0.0127131501, 0.00247932308, -0.000331594445, 1.95399701e-05,
         2.41449256e-06, -5.26804738e-07),
    ),
}  # fmt: skip


@method()
@op(floats=True, in_single="cpu", x=lambda xp, g, x: g * (xp.exp(-x * x) * (2 / math.sqrt(math.pi))))
def erf(xp, x):
    """The error function: 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x."""
    near, far = _COEFFICIENTS[x.dtype.itemsize]
    size = xp.minimum(xp.abs(x), 6)
    square = size * size
    z = ((size - 3) / (size + 3) + 1 / 12) * 2.4
    magnitude = xp.where(size < 1, size * _horner(near, square), 1 - xp.exp(-square) * _horner(far, z))
    return with_sign(magnitude, x)


BITS = {"e": "i2", "f": "i4", "d": "i8"}  # the integers as wide as a float


def with_sign(size, x):
    """`size` times the sign of x: for positive numbers copysign, for which NumPy takes three times as long."""
    bits = BITS[x.dtype.char]
    return (size.view(bits) ^ (x.view(bits) & (-1 << 8 * x.dtype.itemsize - 1))).view(x.dtype)


def _horner(coefficients, x):
    value = x * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        value += c
        value *= x
    value += coefficients[0]
    return value


# P(Z > x) = exp(-x*x/2) N(x) / D(x) for x from 0 on. All coefficients are positive: nothing cancels. In float64 the
# quotient interpolates 80-digit values, to 4e-16 of each; in float32 it was fitted to be within 4e-8, and within 1e-6
# of the value itself, which is as much as exp can do there.
_TAIL = {  # bytes of a float: N, D
    8: (
        (176697.25885687853, 268749.8090089707, 202549.7353462721, 96967.09275851167, 32152.476919226385,
         7621.729707725534, 1290.6545151833795, 150.937526752457, 11.130387930086078, 0.3989422803977229),
        (353394.51771375706, 819467.6475741228, 882242.7959125073, 582117.6106534069, 261418.75663952253,
         83773.69184799574, 19481.187752354672, 3263.0908373488464, 379.34427241879257, 27.89974509135467, 1.0),
    ),
    4: (
        (12.7752443, 8.99642918, 2.90477254, 0.398869167),
        (25.5504906, 38.3790666, 23.6577717, 7.27428067, 1.0),
    ),
}  # fmt: skip


def normal_tail(xp, size):
    """P(Z > size) for a standard normal Z and 0 <= size <= 40, and the density at size: they share an exponential."""
    density = size * size
    density *= -0.5
    density = xp.exp(density)
    if getattr(xp.erf, "is_forward", False):
        above, below = _TAIL[size.dtype.itemsize]
        tail = _horner(above, size)
        tail /= _horner(below, size)
        tail *= density
    else:  # a library with an error function of its own has it as one kernel
        tail = 0.5 - 0.5 * xp.erf(size * math.sqrt(0.5))
    density *= 1 / math.sqrt(2 * math.pi)
    return tail, density


@method()
@op(floats=True, in_single="cpu", x=lambda xp, g, x: -g * (xp.exp(-x * x) * (2 / math.sqrt(math.pi))))
def erfc(xp, x):
    """1 - erf(x), with all its digits however small: 2e-45 at 10."""
    wide = x.astype("float64", copy=False)
    size = xp.minimum(xp.abs(wide), 28)  # beyond it is 0
    high = size.astype("float32").astype("float64")  # has an exact square: rounded, that would cost digits of exp
    above, below = _TAIL[8]
    z = size * math.sqrt(2)
    tail = xp.exp(-high * high) * xp.exp((high - size) * (high + size)) * (2 * _horner(above, z) / _horner(below, z))
    return xp.where(wide < 0.5, 1 - xp.erf(wide), tail).astype(x.dtype, copy=False)


@method()
@op(floats=True, in_single="cpu", x=lambda xp, g, out: g * (xp.exp(out * out) * (math.sqrt(math.pi) / 2)))
def erfinv(xp, x):
    """The y with erf(y) = x; infinite at -1 and 1, NaN outside of them.

    Winitzki (2008, "A handy approximation for the error function and its inverse"), good to 0.4 %, and three steps
    of Halley's method from there, each of which triples the digits."""
    wide = x.astype("float64", copy=False)
    size = xp.abs(wide)
    with xp.quiet():
        a, log = 0.147, xp.log((1 - size) * (1 + size))
        half = 2 / (math.pi * a) + log / 2
        root = xp.sqrt(half * half - log / a)
        y = xp.sqrt(xp.where(half > 0, (-log / a) / (root + half), root - half))
        y = xp.where(size < 1e-4, size * (math.sqrt(math.pi) / 2), y)  # where the logarithm has no digits
        for _ in range(3):
            excess = xp.where(size < 0.5, xp.erf(y) - size, (1 - size) - xp.erfc(y))
            newton = excess * xp.exp(y * y) * (math.sqrt(math.pi) / 2)
            y = y - newton / (1 + y * newton)
    return xp.copysign(xp.where(size == 1, math.inf, y), wide).astype(x.dtype, copy=False)


# B(2k) for k from 1 on, the numbers of Bernoulli. The asymptotic series of lgamma and of its derivatives, Abramowitz
# and Stegun 6.1.40, 6.3.18 and 6.4.11, are of one form: their terms are B(2k) (2k + n - 1)! / (2k)! / y ** (2k + n),
# with n = -1 for lgamma, 0 for digamma. From y = 8 on, or 10 + n, ten of them leave nothing in double precision.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)


def _series(y, n):
    terms = [b * math.factorial(2 * k + n - 1) / math.factorial(2 * k) for k, b in enumerate(_BERNOULLI, 1)]
    return _horner((0.0, *terms), 1 / (y * y)) / y**n


@cache
def _lgamma_at_2():
    """The coefficients of lgamma(2 + t) in t: 1 minus Euler's constant, and the derivatives at 2 divided by k!."""
    two = cpu.asarray(2.0)
    rest = [float(_polygamma_above_0(cpu, two, k - 1)) / math.factorial(k) for k in range(2, 28)]
    return (0.0, 0.42278433509846714, *rest)


@method()
@op(floats=True, x=lambda xp, g, x: g * xp.polygamma(x, n=0))
def lgamma(xp, x):
    """log |gamma(x)|, where gamma(n) = (n - 1)! for integers; infinite at 0, -1, -2, ...

    From 8.5 on by Stirling's series, below that from lgamma(2 + t) for |t| <= 0.5, by gamma(x + 1) = x gamma(x);
    left of 0 by gamma(x) gamma(-x) = -pi / (x sin(pi x))."""
    wide = x.astype("float64", copy=False)
    size = xp.abs(wide)
    with xp.quiet():
        whole = xp.minimum(xp.rint(size), 9)  # size = whole + t
        factor = xp.where(whole < 1, size * (size + 1), xp.where(whole < 2, size, 1))
        for k in range(1, 7):
            factor = xp.where(whole >= k + 2, factor / (size - k), factor)
        near = _horner(_lgamma_at_2(), xp.where(whole < 9, size - whole, 0)) - xp.log(factor)
        far = (size - 0.5) * (xp.log(size) - 1) + (0.5 * math.log(2 * math.pi) - 0.5) + _series(size, -1)
        out = xp.where(whole < 9, near, far)
        sine = xp.abs(xp.sin(math.pi * (size - xp.rint(size))))
        out = xp.where(wide < 0, math.log(math.pi) - xp.log(size * sine) - out, out)
        out = xp.where(xp.isinf(wide), math.inf, out)
    return out.astype(x.dtype, copy=False)


def _polygamma_above_0(xp, x, n):
    """By the series of x + 10 + n, and psi(x) = psi(x + 1) - 1 / x with its derivatives."""
    y, up = x + (10 + n), 1.0 if n % 2 else -1.0
    head = xp.log(y) if n == 0 else math.factorial(n - 1) / y**n * up
    out = head + up * math.factorial(n) / 2 / (y * y**n) + up * _series(y, n)
    for k in reversed(range(10 + n)):
        out = out + up * math.factorial(n) / (x + k if k else x) ** (n + 1)  # -0 + 0 would lose its sign
    return out


@op(floats=True, x=lambda xp, g, x, n: g * xp.polygamma(x, n=n + 1))
def _polygamma(xp, x, *, n):
    """The n-th derivative of digamma; left of 0 from psi(1 - x) - psi(x) = pi / tan(pi x), differentiated n times."""
    wide = x.astype("float64", copy=False)
    with xp.quiet():
        out = _polygamma_above_0(xp, xp.where(wide < 0, 1 - wide, wide), n)
        part = wide - xp.rint(wide)
        cotangent = 1 / xp.tan(math.pi * xp.where(part == 0, math.nan, part))
        # The derivative of a polynomial in the cotangent c is another: -pi (1 + c * c) times that of the polynomial.
        coefficients = [0.0, math.pi]
        for _ in range(n):
            slope = [-math.pi * k * c for k, c in enumerate(coefficients)][1:]
            coefficients = [a + b for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
        mirrored = out * (-1) ** n - _horner(coefficients, cotangent)
        out = xp.where(wide < 0, mirrored, out)
    return out.astype(x.dtype, copy=False)


@method()
def digamma(x: Tensor) -> Tensor:
    """The derivative of `lgamma`; infinite at 0, NaN at -1, -2, ..."""
    return _polygamma(x, n=0)
