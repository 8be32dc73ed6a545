"""The rest of the operations element by element: logarithms, rounding, trigonometry, remainders, bits, clamp, and
comparison within a tolerance. The first ones are in core/elementwise.py.
"""

from __future__ import annotations

import math
from typing import Any

from lucid.core.array import get_default_dtype, namespace
from lucid.core.elementwise import _where, abs, positive, sqrt
from lucid.core.node import Tensor, method
from lucid.core.op import op
from lucid.core.promotion import ndim_of, number, result_type

__all__ = [
    "allclose", "ceil", "clamp", "clip", "cos", "expm1", "floor", "isclose", "isfinite", "isinf", "isnan", "log1p",
    "log2", "log10", "reciprocal", "round", "rsqrt", "sin", "square", "tan", "trunc",
]  # fmt: skip


def library_function(name: str, doc: str, **of_op: Any) -> Any:
    """The operation that array libraries have as a function `name` of one number, also the method of that name; the
    other arguments are those of `op`."""

    def forward(xp, x):
        return getattr(xp, name)(x)

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = doc
    return method(name)(op(**of_op)(forward))


expm1 = library_function("expm1", "exp(x) - 1, exact near 0.", floats=True, x=lambda xp, g, x: g * xp.exp(x))
log1p = library_function("log1p", "log(1 + x), exact near 0.", floats=True, x=lambda xp, g, x: g / (1 + x))
log2 = library_function(
    "log2", "The logarithm to base 2, log(x) / log(2).", floats=True, x=lambda xp, g, x: g / (x * math.log(2))
)
log10 = library_function(
    "log10", "The logarithm to base 10, log(x) / log(10).", floats=True, x=lambda xp, g, x: g / (x * math.log(10))
)
sin = library_function("sin", "The sine of x, in radians.", floats=True, x=lambda xp, g, x: g * xp.cos(x))
cos = library_function("cos", "The cosine of x, in radians.", floats=True, x=lambda xp, g, x: -g * xp.sin(x))
tan = library_function(
    "tan", "The tangent of x, in radians: sin(x) / cos(x).", floats=True, x=lambda xp, g, out: g * (1 + out * out)
)
floor = library_function("floor", "x rounded down; the gradient is 0.", x=lambda xp, g: xp.zeros_like(g))
ceil = library_function("ceil", "x rounded up; the gradient is 0.", x=lambda xp, g: xp.zeros_like(g))
trunc = library_function("trunc", "x rounded towards 0; the gradient is 0.", x=lambda xp, g: xp.zeros_like(g))
isnan = library_function("isnan", "Whether each element is NaN.")
isinf = library_function("isinf", "Whether each element is infinite.")
isfinite = library_function("isfinite", "Whether each element is neither NaN nor infinite.")


@op(x=lambda xp, g: xp.zeros_like(g))
def rint(xp, x):
    """x rounded to the nearest integer, halves to the even one; the gradient is 0."""
    return xp.rint(x)


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


@method("__mod__", reflected="__rmod__")
@op(x=lambda xp, g: g, y=lambda xp, g, x, y: -g * xp.floor_divide(x, y))
def remainder(xp, x, y):
    """What is left of x after whole multiples of y; it has the sign of y, as in Python."""
    return xp.remainder(x, y)


@method("__floordiv__", reflected="__rfloordiv__")
@op(x=lambda xp, g: xp.zeros_like(g), y=lambda xp, g: xp.zeros_like(g))
def floor_divide(xp, x, y):
    """x / y rounded down. A staircase: its gradient is 0."""
    return xp.floor_divide(x, y)


@method("__and__", "__rand__")
@op()
def logical_and(xp, x, y):
    """x & y: of bools, whether both hold; of integers, bit by bit."""
    return x & y


@method("__or__", "__ror__")
@op()
def logical_or(xp, x, y):
    """x | y: of bools, whether one holds; of integers, bit by bit."""
    return x | y


@method("__xor__", "__rxor__")
@op()
def logical_xor(xp, x, y):
    """x ^ y: of bools, whether just one holds; of integers, bit by bit."""
    return x ^ y


@method("__invert__")
@op()
def invert(xp, x):
    """~x: of bools, not; of integers, bit by bit."""
    return ~x


@method()
@op(x=lambda xp, g, x: g * (2 * x))
def square(xp, x):
    """x * x."""
    return x * x


@method()
@op(floats=True, x=lambda xp, g, out: -g * out * out)
def reciprocal(xp, x):
    """1 / x."""
    return 1 / x


@op(x=lambda xp, g, x, min, max: xp.masked(g, _inside(x, min, max)))
def _clip(xp, x, *, min=None, max=None):
    """x held between the numbers `min` and `max`, either of which may be None; at a bound the gradient still passes."""
    x = x if min is None else xp.maximum(x, min)
    return x if max is None else xp.minimum(x, max)


def _inside(x, min, max):
    if min is None or max is None:
        return x >= min if max is None else x <= max
    return (x >= min) & (x <= max)


@method("clamp", "clip")
def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """x held between `min` and `max`, numbers or tensors, either of which may be None. The gradient passes at a
    bound. Raises ValueError if both bounds are None."""
    if min is None and max is None:
        raise ValueError("clamp: expected min or max (or both), got neither")
    ndim_of("clamp", x)
    min, max = number(min), number(max)
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        x = x if min is None else _where(x < min, min, x)
        return x if max is None else _where(x > max, max, x)
    if x.dtype.kind != "f" and (isinstance(min, float) or isinstance(max, float)):
        x = x.to(get_default_dtype())
    return _clip(x, min=min, max=max)


clip = clamp
