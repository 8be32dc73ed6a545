"""The rest of the functions of one number: logarithms, rounding, and comparison within a tolerance."""

from __future__ import annotations

import math
from typing import Any

from lucid.core.array import namespace
from lucid.core.elementwise import _where, abs, isfinite, isnan, positive, reciprocal, sqrt
from lucid.core.node import Tensor, method
from lucid.core.op import op
from lucid.core.promotion import ndim_of, number, result_type

__all__ = [
    "allclose", "ceil", "expm1", "floor", "isclose", "log1p", "log2", "log10", "round", "rsqrt", "tan", "trunc",
]  # fmt: skip


@method()
@op(floats=True, x=lambda xp, g, x: g * xp.exp(x))
def expm1(xp, x):
    """exp(x) - 1, exact near 0."""
    return xp.expm1(x)


@method()
@op(floats=True, x=lambda xp, g, x: g / (1 + x))
def log1p(xp, x):
    """log(1 + x), exact near 0."""
    return xp.log1p(x)


@method()
@op(floats=True, x=lambda xp, g, x: g / (x * math.log(2)))
def log2(xp, x):
    """The logarithm to base 2, log(x) / log(2)."""
    return xp.log2(x)


@method()
@op(floats=True, x=lambda xp, g, x: g / (x * math.log(10)))
def log10(xp, x):
    """The logarithm to base 10, log(x) / log(10)."""
    return xp.log10(x)


@method()
@op(x=lambda xp, g: xp.zeros_like(g))
def floor(xp, x):
    """x rounded down; the gradient is 0."""
    return xp.floor(x)


@method()
@op(x=lambda xp, g: xp.zeros_like(g))
def ceil(xp, x):
    """x rounded up; the gradient is 0."""
    return xp.ceil(x)


@method()
@op(x=lambda xp, g: xp.zeros_like(g))
def trunc(xp, x):
    """x rounded towards 0; the gradient is 0."""
    return xp.trunc(x)


@op(x=lambda xp, g: xp.zeros_like(g))
def rint(xp, x):
    """x rounded to the nearest integer, halves to the even one; the gradient is 0."""
    return xp.rint(x)


@method()
@op(floats=True, x=lambda xp, g, out: g * (1 + out * out))
def tan(xp, x):
    """The tangent of x, in radians: sin(x) / cos(x)."""
    return xp.tan(x)


@method()
def round(x: Tensor, decimals: int = 0) -> Tensor:
    """x rounded to `decimals` places, halves to the even neighbour; the gradient is 0."""
    ndim_of("round", x)
    if x.dtype.kind != "f" and decimals >= 0:
        return positive(x)
    return rint(x * 10.0**decimals) / 10.0**decimals if decimals else rint(x)


@method()
def rsqrt(x: Tensor) -> Tensor:
    """1 / sqrt(x)."""
    return reciprocal(sqrt(x))


@method()
def isclose(x: Tensor, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether |x - other| <= atol + rtol * |other|, element by element."""
    ndim_of("isclose", x)
    if not isinstance(other, Tensor):
        other = x.to(result_type([x._array, number(other)])).new_tensor(other)
    at = _where(isfinite(other), other, 0)  # nothing is near an infinity: it is that or not
    with namespace(x._array).quiet():  # a difference may overflow
        close = (abs(x - at) <= atol + rtol * abs(at)) & (at == other) | (x == other)
    return close | (isnan(x) & isnan(other)) if equal_nan else close


@method()
def allclose(x: Tensor, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether `isclose` holds everywhere, as a Python bool."""
    return bool(isclose(x, other, rtol, atol, equal_nan).all())
