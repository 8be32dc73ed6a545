"""Chapter 3f. Matrix products: 1-D, 2-D and batched operands in every pairing."""

import math

from lucid.op import op


@op(a=lambda xp, g, a_shape, b: _for_a(xp, g, a_shape, b), b=lambda xp, g, a, b_shape: _for_b(xp, g, a, b_shape))
def matmul(xp, a, b):
    """The matrix product a @ b: out[i, j] = sum over k of a[i, k] * b[k, j].

    A 1-D operand is a row on the left, a column on the right; leading axes broadcast.
    """
    return xp.matmul(a, b)


# For matrices the formulas are g b' and a' g. A 1-D operand gets the axis that matmul gave it for the while.


def _for_a(xp, g, a_shape, b):
    g, b = _with_axes(xp, g, len(a_shape), b)
    found = xp.matmul(g, xp.swapaxes(b, a=-1, b=-2))
    return found if len(a_shape) > 1 else xp.reshape(found, shape=(*found.shape[:-2], found.shape[-1]))


def _for_b(xp, g, a, b_shape):
    if len(a.shape) == 1:
        a = xp.reshape(a, shape=(1, a.shape[0]))
        g = xp.reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1])) if len(b_shape) > 1 else xp.reshape(g, shape=(1, 1))
    elif len(b_shape) == 1:
        g = xp.reshape(g, shape=(*g.shape, 1))
    if len(a.shape) > 2 and len(b_shape) <= 2:  # one product over all the batches, not one for each and then their sum
        rows = math.prod(a.shape[:-1])
        a, g = xp.reshape(a, shape=(rows, a.shape[-1])), xp.reshape(g, shape=(rows, g.shape[-1]))
    found = xp.matmul(xp.swapaxes(a, a=-1, b=-2), g)
    return found if len(b_shape) > 1 else xp.reshape(found, shape=b_shape)


def _with_axes(xp, g, a_ndim, b):
    """g as a matrix (or a batch of them) whatever 1-D operands made it, and b as one too."""
    if len(b.shape) == 1:
        b, g = xp.reshape(b, shape=(b.shape[0], 1)), xp.reshape(g, shape=(*g.shape, 1))
    return (g if a_ndim > 1 else xp.reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1]))), b
