"""Exercise 6: find the wrong formula among five."""

import lucid


@lucid.op(x=lambda xp, g, out: g * (1 - xp.exp(-out)))
def my_softplus(xp, x):
    """log(1 + exp(x))."""
    return xp.log1p(xp.exp(x))


@lucid.op(x=lambda xp, g, x, out: g * -2 * x * out)
def my_gaussian(xp, x):
    """exp(-x * x)."""
    return xp.exp(-x * x)


@lucid.op(x=lambda xp, g, out: -g * out * out * out / 2)
def my_rsqrt(xp, x):
    """1 / sqrt(x), for x above 0."""
    return 1 / xp.sqrt(x)


@lucid.op(x=lambda xp, g, out: g * out * out)
def my_tanhshrink(xp, x):
    """x - tanh(x)."""
    return x - xp.tanh(x)


@lucid.op(x=lambda xp, g, x: g / xp.sqrt(1 + x * x))
def my_asinh(xp, x):
    """log(x + sqrt(1 + x * x))."""
    return xp.log(x + xp.sqrt(1 + x * x))


wrong = ...  # its name, a text such as "my_softplus"
right = ...  # a vjp that is right: lambda xp, g, ...: ...
