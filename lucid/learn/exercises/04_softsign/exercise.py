"""Exercise 4: write softsign's vjp."""

import lucid


@lucid.op(x=lambda xp, g, x: ...)
def my_softsign(xp, x):
    """x / (1 + |x|)."""
    return x / (1 + xp.abs(x))
