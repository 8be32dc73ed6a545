"""Exercise 7: a solution.

Repeating and summing belong together: if a forward hands one number to n places, backward adds up
what comes back from the n places. (They are each other's *adjoints*; exercise 8 has another such
pair.)

lucid sums both kinds of axes in one call, and reshapes; see also that it refuses a shape that could
not have been broadcast: an error in a vjp would otherwise be summed away unseen.
"""


def unbroadcast(g, shape):
    """The NumPy array g, summed down to a shape that broadcasts to its own."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] > 1)
    return g.sum(axis=stretched, keepdims=True)
