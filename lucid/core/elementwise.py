"""Operations element by element: arithmetic and exponentials. More are in ops/elementwise.py.

Nothing here undoes broadcasting: where `x` was stretched to meet `y`, backward sums its gradient to size.
"""

from __future__ import annotations

from lucid.core.node import method
from lucid.core.op import op

__all__ = ["add", "div", "exp", "log", "mul", "neg", "sub", "tanh"]


@method("__add__", "__radd__", "add")
@op(x=lambda xp, g: g, y=lambda xp, g: g)
def add(xp, x, y):
    """x + y, element by element."""
    return x + y


@method("__sub__", "sub", reflected="__rsub__")
@op(x=lambda xp, g: g, y=lambda xp, g: -g)
def subtract(xp, x, y):
    """x - y, element by element."""
    return x - y


@method("__mul__", "__rmul__", "mul")
@op(x=lambda xp, g, y: g * y, y=lambda xp, g, x: g * x)
def multiply(xp, x, y):
    """x * y, element by element."""
    return x * y


@method("__truediv__", "div", reflected="__rtruediv__")
@op(floats=True, x=lambda xp, g, y: g / y, y=lambda xp, g, y, out: -g * out / y)
def divide(xp, x, y):
    """x / y, element by element; two integer tensors divide to a float one."""
    return x / y


@method("__neg__", "neg")
@op(x=lambda xp, g: -g)
def negative(xp, x):
    """-x."""
    return -x


sub, mul, div, neg = subtract, multiply, divide, negative  # PyTorch's names


@method("clone")
@op(x=lambda xp, g: g)
def positive(xp, x):
    """A copy of `x`, row by row in memory, with the gradient passed on."""
    return x.copy()


@op()
def zeros_like(xp, x):
    """Zeros of the shape and dtype of x."""
    return xp.zeros_like(x)


@op(x=lambda xp, g, x_dtype: xp.astype(g, dtype=x_dtype))
def astype(xp, x, *, dtype):
    """x in another dtype; the gradient comes back in x's own."""
    return x.astype(dtype)


@method()
@op(floats=True, in_single="cpu", x=lambda xp, g, out: g * out)
def exp(xp, x):
    """e to the power x."""
    return xp.exp(x)


@method()
@op(floats=True, x=lambda xp, g, x: g / x)
def log(xp, x):
    """The natural logarithm, the y with exp(y) = x; -inf at 0, NaN below."""
    return xp.log(x)


@method()
@op(floats=True, in_single="cpu", x=lambda xp, g, out: g * (1 - out * out))
def tanh(xp, x):
    """The hyperbolic tangent, (exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    return xp.tanh(x)
