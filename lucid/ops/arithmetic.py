"""Chapter 3a. Arithmetic and comparison.

Nothing below undoes broadcasting: where `x` was stretched to meet `y`, the walk back sums its gradient to size.
"""

from lucid.op import op


@op(x=lambda xp, g: g, y=lambda xp, g: g)
def add(xp, x, y):
    """x + y, element by element."""
    return x + y


@op(x=lambda xp, g: g, y=lambda xp, g: -g)
def subtract(xp, x, y):
    """x - y, element by element."""
    return x - y


@op(x=lambda xp, g, y: g * y, y=lambda xp, g, x: g * x)
def multiply(xp, x, y):
    """x * y, element by element."""
    return x * y


@op(floats=True, x=lambda xp, g, y: g / y, y=lambda xp, g, y, out: -g * out / y)
def divide(xp, x, y):
    """x / y, element by element; two integer tensors divide to a float one."""
    return x / y


@op(x=lambda xp, g: -g)
def negative(xp, x):
    """-x."""
    return -x


@op(x=lambda xp, g: g)
def positive(xp, x):
    """A copy of `x`, row by row in memory, with the gradient passed on: `Tensor.clone`."""
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
    """x to the power of one number. Its formula can look at the number, and needs no logarithm."""
    return x**exponent


@op(x=lambda xp, g: g, y=lambda xp, g, x, y: -g * xp.floor_divide(x, y))
def remainder(xp, x, y):
    """What is left of x after whole multiples of y; it has the sign of y, as in Python."""
    return xp.remainder(x, y)


@op(x=lambda xp, g: xp.zeros_like(g), y=lambda xp, g: xp.zeros_like(g))
def floor_divide(xp, x, y):
    """x / y rounded down. A staircase: its gradient is 0."""
    return xp.floor_divide(x, y)


@op(
    x=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x < y, 0, g)),
    y=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x > y, 0, g)),
)
def maximum(xp, x, y):
    """The larger of x and y, NaN where either is; a tie shares the gradient evenly."""
    return xp.maximum(x, y)


@op(
    x=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x > y, 0, g)),
    y=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x < y, 0, g)),
)
def minimum(xp, x, y):
    """The smaller of x and y, NaN where either is; a tie shares the gradient evenly."""
    return xp.minimum(x, y)


@op(x=lambda xp, g, condition: xp.where(condition, g, 0), y=lambda xp, g, condition: xp.where(condition, 0, g))
def where(xp, condition, x, y):
    """x where `condition` holds, else y."""
    return xp.where(condition, x, y)


# -- comparisons: bool tensors, and no gradient ----------------------------------------------------------------------


@op()
def equal(xp, x, y):
    """Whether x == y, element by element."""
    return xp.equal(x, y)


@op()
def not_equal(xp, x, y):
    """Whether x != y, element by element."""
    return xp.not_equal(x, y)


@op()
def less(xp, x, y):
    """Whether x < y, element by element."""
    return xp.less(x, y)


@op()
def less_equal(xp, x, y):
    """Whether x <= y, element by element."""
    return xp.less_equal(x, y)


@op()
def greater(xp, x, y):
    """Whether x > y, element by element."""
    return xp.greater(x, y)


@op()
def greater_equal(xp, x, y):
    """Whether x >= y, element by element."""
    return xp.greater_equal(x, y)


@op()
def logical_and(xp, x, y):
    """x & y: of bools, whether both hold; of integers, bit by bit."""
    return x & y


@op()
def logical_or(xp, x, y):
    """x | y: of bools, whether one holds; of integers, bit by bit."""
    return x | y


@op()
def logical_xor(xp, x, y):
    """x ^ y: of bools, whether just one holds; of integers, bit by bit."""
    return x ^ y


@op()
def invert(xp, x):
    """~x: of bools, not; of integers, bit by bit."""
    return ~x


@op()
def isnan(xp, x):
    """Whether each element is NaN."""
    return xp.isnan(x)


@op()
def isinf(xp, x):
    """Whether each element is infinite."""
    return xp.isinf(x)


@op()
def isfinite(xp, x):
    """Whether each element is neither NaN nor infinite."""
    return xp.isfinite(x)


@op()
def zeros_like(xp, x):
    """Zeros of the shape and dtype of x."""
    return xp.zeros_like(x)


@op(x=lambda xp, g, x: xp.astype(g, dtype=x.dtype))
def astype(xp, x, *, dtype):
    """x in another dtype; the gradient comes back in x's own."""
    return x.astype(dtype)
