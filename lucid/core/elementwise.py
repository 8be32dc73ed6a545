"""Operations element by element: arithmetic, comparison, exponentials, and the first activations.

Nothing here undoes broadcasting: where `x` was stretched to meet `y`, backward sums its gradient to size. Where a
function has no derivative the docstring says what is used instead.
"""

from __future__ import annotations

from typing import Any

from lucid.core.array import get_default_dtype, int64
from lucid.core.node import Tensor, method
from lucid.core.op import op
from lucid.core.promotion import ndim_of, number

__all__ = [
    "abs", "add", "div", "eq", "exp", "ge", "gt", "le", "log", "lt", "maximum", "minimum", "mul", "ne", "neg", "pow",
    "relu", "sigmoid", "sign", "sqrt", "sub", "tanh", "where",
]  # fmt: skip


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


# x ** 0 is 1 everywhere, at 0 too, so its gradient there is 0 and not 0 * 0**-1. Where both are 0 the base is replaced
# before the power is taken: masking the result instead would leave 0 * inf in the second derivative.
@op(
    x=lambda xp, g, x, y: g * y * xp.where((x == 0) & (y == 0), 1, x) ** (y - 1),
    y=lambda xp, g, x, y, out: g * out * xp.log(xp.where((x == 0) & (y >= 0), 1, x)),
)
def power(xp, x, y):
    """x to the power y, element by element."""
    return x**y


@op(x=lambda xp, g, x, exponent: g * (exponent * x ** (exponent - 1)) if exponent else xp.zeros_like(g))
def power_number(xp, x, *, exponent):
    """x to the power of one number. Its vjp can look at the number, and needs no logarithm."""
    return x**exponent


@method("__pow__", "pow", reflected="__rpow__")
def pow(x: Any, exponent: Any) -> Tensor:
    """x to the power `exponent`, a number or a tensor."""
    x, exponent = number(x), number(exponent)
    if isinstance(exponent, (int, float)) and isinstance(x, Tensor):
        if isinstance(exponent, int) and exponent < 0 and x.dtype.kind in "iu":
            raise ValueError(f"pow: integers to the negative power {exponent} are not integers; use x.float()")
        if isinstance(exponent, float) and x.dtype.kind != "f":
            x = x.to(get_default_dtype())
        x = x.to(int64) if x.dtype.kind == "b" else x
        return power_number(x, exponent=exponent)
    if isinstance(x, (int, float)) and exponent.dtype.kind == "f":
        x = exponent.new_tensor(x)  # the vjp takes its logarithm, in the exponent's dtype
    return power(x, exponent)


@method()
@op(
    x=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x < y, 0, g)),
    y=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x > y, 0, g)),
)
def maximum(xp, x, y):
    """The larger of x and y, NaN where either is; a tie shares the gradient evenly."""
    return xp.maximum(x, y)


@method()
@op(
    x=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x > y, 0, g)),
    y=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x < y, 0, g)),
)
def minimum(xp, x, y):
    """The smaller of x and y, NaN where either is; a tie shares the gradient evenly."""
    return xp.minimum(x, y)


@op(x=lambda xp, g, condition: xp.where(condition, g, 0), y=lambda xp, g, condition: xp.where(condition, 0, g))
def _where(xp, condition, x, y):
    """x where `condition` holds, else y."""
    return xp.where(condition, x, y)


def where(condition: Tensor, x: Any = None, y: Any = None) -> Any:
    """x where `condition` holds, else y; with `condition` alone, the indices where it holds, a tensor for each dim."""
    ndim_of("where", condition)
    if x is None and y is None:
        return condition.nonzero(as_tuple=True)
    if condition.dtype.kind != "b":
        raise TypeError(f"where: expected a bool condition, got {condition.dtype}; write where(t != 0, ...)")
    return _where(condition, x, y)


# -- comparisons: bool tensors, without a gradient ---------------------------------------------------------------------


@method("eq")
@op()
def equal(xp, x, y):
    """Whether x == y, element by element."""
    return xp.equal(x, y)


@method("ne")
@op()
def not_equal(xp, x, y):
    """Whether x != y, element by element."""
    return xp.not_equal(x, y)


@method("__lt__", "lt")
@op()
def less(xp, x, y):
    """Whether x < y, element by element."""
    return xp.less(x, y)


@method("__le__", "le")
@op()
def less_equal(xp, x, y):
    """Whether x <= y, element by element."""
    return xp.less_equal(x, y)


@method("__gt__", "gt")
@op()
def greater(xp, x, y):
    """Whether x > y, element by element."""
    return xp.greater(x, y)


@method("__ge__", "ge")
@op()
def greater_equal(xp, x, y):
    """Whether x >= y, element by element."""
    return xp.greater_equal(x, y)


eq, ne, lt, le, gt, ge = equal, not_equal, less, less_equal, greater, greater_equal


@method("__eq__")
def _is_equal(self: Tensor, other: Any) -> Any:
    return False if other is None else equal(self, other)


@method("__ne__")
def _is_not_equal(self: Tensor, other: Any) -> Any:
    return True if other is None else not_equal(self, other)


@op()
def zeros_like(xp, x):
    """Zeros of the shape and dtype of x."""
    return xp.zeros_like(x)


@op(x=lambda xp, g, x: xp.astype(g, dtype=x.dtype))
def astype(xp, x, *, dtype):
    """x in another dtype; the gradient comes back in x's own."""
    return x.astype(dtype)


# -- functions of one number -------------------------------------------------------------------------------------------


@method()
@op(floats=True, x=lambda xp, g, out: g * out)
def exp(xp, x):
    """e to the power x."""
    return xp.exp(x)


@method()
@op(floats=True, x=lambda xp, g, x: g / x)
def log(xp, x):
    """The natural logarithm, the y with exp(y) = x; -inf at 0, NaN below."""
    return xp.log(x)


@method()
@op(floats=True, x=lambda xp, g, out: g / (2 * out))
def sqrt(xp, x):
    """The square root, the y >= 0 with y * y = x, NaN below 0; its gradient at 0 is infinite."""
    return xp.sqrt(x)


@method("__abs__", "abs")
@op(x=lambda xp, g, x: g * xp.sign(x))
def abs(xp, x):
    """|x|; the gradient at 0 is 0."""
    return xp.abs(x)


@method()
@op(x=lambda xp, g: xp.zeros_like(g))
def sign(xp, x):
    """-1, 0 or 1; the gradient is 0."""
    return xp.sign(x)


@method()
@op(floats=True, x=lambda xp, g, out: g * (1 - out * out))
def tanh(xp, x):
    """The hyperbolic tangent, (exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    return xp.tanh(x)


@method()
@op(floats=True, x=lambda xp, g, out: g * (out * (1 - out)))
def sigmoid(xp, x):
    """1 / (1 + exp(-x)): small values keep their relative accuracy, unlike 0.5 * tanh(x / 2) + 0.5."""
    with xp.quiet():  # exp(-x) may overflow to inf, whose reciprocal is the right 0
        return 1 / (1 + xp.exp(-x))


INTEGERS = {"e": "i2", "f": "i4", "d": "i8"}  # as wide as the floats of this code


# As fast as x * mask and exact: of an infinite gradient nothing is left where the mask does not hold, not 0 * inf.
@op(x=lambda xp, g, mask: xp.masked(g, mask))
def masked(xp, x, mask):
    """x where the bools `mask` hold, else 0: the bits of x as an integer, times 1 or 0."""
    bits = INTEGERS[x.dtype.char]
    kept = mask.astype(bits)
    kept *= x.view(bits)
    return kept.view(x.dtype)


@method()
@op(x=lambda xp, g, out: xp.masked(g, out > 0))
def relu(xp, x):
    """max(x, 0); the gradient at 0 is 0."""
    # Against a row of zeros rather than the number 0: NumPy's loop for two arrays is the faster by far, 4 us for 12 on
    # 128 x 128.
    return xp.maximum(x, xp.zeros(x.shape[-1:], dtype=x.dtype))
