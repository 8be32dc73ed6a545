"""Exercise 1: a solution.

With y held still, x * y is a line through 0 of slope y. So the slope along x is y, and the slope
along y is x: a product exchanges its factors. That is all there is to it, and it is what stands in
lucid above the forward of `multiply`: `x=lambda xp, g, y: g * y, y=lambda xp, g, x: g * x`. The `g`
is what comes from further along, see exercise 2.

Where x is used on several paths, the slopes of the paths add up: y from x * y, and x + x from
x * x.
"""


def of_product(x, y):
    """The slopes of x * y along x and along y: two numbers."""
    return y, x


def of_two_paths(x, y):
    """The slopes of x * y + x * x along x and along y: two numbers."""
    return y + 2 * x, x
