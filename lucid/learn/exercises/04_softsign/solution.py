"""Exercise 4: a solution.

Above 0 the slope of x / (1 + x) is ((1 + x) - x) / (1 + x)² = 1 / (1 + x)². Below, softsign is
x / (1 - x), and the slope 1 / (1 - x)²; with |x| both are one formula. The vjp is g times that: g
is the slope of the loss along the output, and the chain rule multiplies.

lucid divides twice in place of squaring, as (1 + |x|)² overflows where 1 + |x| does not.
"""

import lucid


@lucid.op(x=lambda xp, g, x: g / (1 + xp.abs(x)) / (1 + xp.abs(x)))
def my_softsign(xp, x):
    """x / (1 + |x|)."""
    return x / (1 + xp.abs(x))
