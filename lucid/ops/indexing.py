"""Chapter 3g. Indexing: picking elements out, and its adjoint, adding gradients back where they came from.

An index reaches these operations in one form, made by `normal` below: a tuple of ints, slices, None, Ellipsis and
arrays of the library at hand.
"""

from lucid.op import op


@op(view=True, x=lambda xp, g, x_shape, index: xp.scatter_add(g, shape=x_shape, index=index))
def getitem(xp, x, *, index):
    """x[index]: a view for ints and slices, a copy as soon as arrays take part."""
    return x[index]


@op(x=lambda xp, g, index: xp.getitem(g, index=index))
def scatter_add(xp, x, *, shape, index):
    """Zeros of `shape` with x added at `index`; what is named twice is added twice."""
    out = xp.zeros(shape, dtype=x.dtype)
    if may_repeat(index):
        xp.add_at(out, index, x)
    else:
        out[index] = x
    return out


def may_repeat(index):
    """Whether an index can name an element twice: only arrays of integers can."""
    return any(getattr(part, "dtype", None) is not None and part.dtype.kind != "b" for part in index)


@op(
    x=lambda xp, g, value_shape, index: xp.setitem(g, xp.zeros_like(xp.getitem(g, index=index)), index=index),
    value=lambda xp, g, index: xp.getitem(g, index=index),
)
def setitem(xp, x, value, *, index):
    """A copy of x with `value` at `index`."""
    out = xp.copy(x)
    out[index] = value
    return out


@op(x=lambda xp, g, x_shape, indices, axis: xp.put_add(g, indices, shape=x_shape, axis=axis))
def take_along(xp, x, indices, *, axis):
    """x at `indices` along one axis: out[i, j] = x[indices[i, j], j] for axis 0."""
    return xp.take_along_axis(x, indices, axis)


@op(x=lambda xp, g, indices, axis: xp.take_along(g, indices, axis=axis))
def put_add(xp, x, indices, *, shape, axis):
    """Zeros of `shape` with x added at `indices` along one axis: the adjoint of take_along."""
    out = xp.zeros(shape, dtype=x.dtype)
    axis %= len(shape)
    grid = [xp.arange(n).reshape((1,) * i + (n,) + (1,) * (x.ndim - i - 1)) for i, n in enumerate(x.shape)]
    xp.add_at(out, tuple(indices if i == axis else where for i, where in enumerate(grid)), x)
    return out


@op()
def one_hot(xp, x, *, classes, dtype):
    """A row of `classes` zeros with a one at x, for each integer in x."""
    out = xp.zeros((x.size, classes), dtype=dtype)
    out[xp.arange(x.size), x.reshape(-1)] = 1
    return out.reshape((*x.shape, classes))
