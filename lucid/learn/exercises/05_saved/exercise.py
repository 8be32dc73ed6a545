"""Exercise 5: what a vjp names is saved."""

import lucid


# This vjp is right, but it names x. Write one that names `out`, and nothing else.
@lucid.op(x=lambda xp, g, x: g * xp.exp(-x) / (1 + xp.exp(-x)) ** 2)
def my_sigmoid(xp, x):
    """1 / (1 + exp(-x))."""
    return 1 / (1 + xp.exp(-x))
