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


# A write to a view is a write to what it shows. `through` says what the view is made by, as (operation, options) pairs
# from the tensor that has the memory on: y[1][2:] = v is setitem(y, v, index=2:, through=[getitem 1]).
@op(
    x=lambda xp, g, index, through: xp.setitem(
        g, xp.zeros_like(xp.getitem(_seen(xp, g, through), index=index)), index=index, through=through
    ),
    value=lambda xp, g, index, through: xp.getitem(_seen(xp, g, through), index=index),
)
def setitem(xp, x, value, *, index, through=()):
    """A copy of x with `value` at `index` of what the views `through` show of it."""
    return _written(xp, x, value, index, through)


def _written(xp, x, value, index, through):
    if not through:
        out = xp.copy(x)
        out[index] = value
        return out
    (name, options), *rest = through
    view = getattr(xp, name)
    changed = _written(xp, view(x, **options), value, index, rest)
    if name == "reshape":  # of the copy it may be another copy, but it can be undone
        return changed.reshape(x.shape)
    out = xp.copy(x)
    view(out, **options)[...] = changed
    return out


def _seen(xp, x, through):
    """What a chain of views shows of x."""
    for name, options in through:
        x = getattr(xp, name)(x, **options)
    return x


@op(x=lambda xp, g, x_shape, indices, axis: xp.scatter_add_along(g, indices, shape=x_shape, axis=axis))
def take_along(xp, x, indices, *, axis):
    """x at `indices` along one axis: out[i, j] = x[indices[i, j], j] for axis 0."""
    return x[along(xp, indices, axis % x.ndim)]


@op(x=lambda xp, g, indices, axis: xp.take_along(g, indices, axis=axis))
def scatter_add_along(xp, x, indices, *, shape, axis):
    """Zeros of `shape` with x added at `indices` along one axis: the adjoint of take_along."""
    out = xp.zeros(shape, dtype=x.dtype)
    xp.add_at(out, along(xp, indices, axis % len(shape)), x)
    return out


def along(xp, indices, axis):
    """The index that means `indices` along one axis, and each element's own place along the others."""
    ndim, grid = indices.ndim, []
    for i, n in enumerate(indices.shape):
        grid.append(indices if i == axis else xp.arange(n).reshape((1,) * i + (n,) + (1,) * (ndim - i - 1)))
    return tuple(grid)
