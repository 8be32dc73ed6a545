"""Exercise 3: measure a slope."""


def slope(f, x, h=1e-5):
    """The slope of f at x, by two calls of f; off by an amount that shrinks like h * h."""
    return ...
