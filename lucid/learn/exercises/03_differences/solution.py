"""Exercise 3: a solution.

By Taylor, f(x + h) = f + h f1 + h² f2 / 2 + h³ f3 / 6 + ..., with f1, f2, f3 for the derivatives at
x. In f(x + h) - f(x - h) the even terms cancel: 2 h f1 remains, and an error of h³ f3 / 3. Divided
by 2 h that is f1, and an error of h² f3 / 6. The one-sided difference keeps the term h f2 / 2.

These are central differences, and gradcheck measures with them. With a smaller h the rounding of f,
which is divided by h, spoils what the formula gains: 1e-6 to 1e-5 is best for float64, and nothing
is good for float32.
"""


def slope(f, x, h=1e-5):
    """The slope of f at x, by two calls of f; off by an amount that shrinks like h * h."""
    return (f(x + h) - f(x - h)) / (2 * h)
