"""Exercise 7: undo broadcasting."""


def unbroadcast(g, shape):
    """The NumPy array g, summed down to a shape that broadcasts to its own."""
    return ...
