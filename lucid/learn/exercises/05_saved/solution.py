"""Exercise 5: a solution.

With s for the output, exp(-x) = (1 - s) / s, and so the slope exp(-x) * s * s is s * (1 - s).

It is the same with tanh (1 - out * out) and with exp (out itself): functions that solve a
differential equation have slopes in terms of themselves. lucid's operations name `out` where they
can, and `lucid.sigmoid.op.saved_names` shows what any operation saves.
"""

import lucid


@lucid.op(x=lambda xp, g, out: g * out * (1 - out))
def my_sigmoid(xp, x):
    """1 / (1 + exp(-x))."""
    return 1 / (1 + xp.exp(-x))
