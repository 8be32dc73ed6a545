"""Chapter 3d. Shapes: the same numbers, arranged anew.

Each operation is the adjoint of another: what one spreads out the other gathers. Those marked `view` may hand out the
very memory they were given.
"""

from lucid import backend
from lucid.op import op


@op(view=True, x=lambda xp, g, x_shape: xp.reshape(g, shape=x_shape))
def reshape(xp, x, *, shape):
    """The elements of x, row by row, in another shape."""
    return x.reshape(shape)


@op(view=True, x=lambda xp, g, a, b: xp.swapaxes(g, a=a, b=b))
def swapaxes(xp, x, *, a, b):
    """x with axes a and b exchanged."""
    return x.swapaxes(a, b)


@op(view=True, x=lambda xp, g, axes: xp.transpose(g, axes=_inverse(axes)))
def transpose(xp, x, *, axes):
    """x with its axes in the order `axes`."""
    return x.transpose(axes)


def _inverse(axes):
    return tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


@op(view=True, x=lambda xp, g: g)  # the walk sums what was stretched
def broadcast_to(xp, x, *, shape):
    """x stretched to `shape`: a read-only view that repeats it along axes of length 1 and along new ones in front."""
    return xp.broadcast_to(x, shape)


@op(arrays=lambda xp, g, arrays_shape, axis: _pieces(xp, g, arrays_shape, axis))
def cat(xp, *arrays, axis=0):
    """The arrays joined along an axis that is there already."""
    return xp.concatenate(arrays, axis=axis)


def _pieces(xp, g, shapes, axis):
    start, found = 0, []
    for shape in shapes:
        found.append(xp.getitem(g, index=_along(axis, len(shape), slice(start, start + shape[axis]))))
        start += shape[axis]
    return found


def _along(axis, ndim, index):
    """The index that applies `index` to one axis and takes the others whole."""
    return (slice(None),) * (axis % ndim) + (index,)


@op(arrays=lambda xp, g, arrays_shape, axis: _layers(xp, g, len(arrays_shape), axis))
def stack(xp, *arrays, axis=0):
    """The arrays, all of one shape, joined along a new axis."""
    where = axis % (arrays[0].ndim + 1)
    return xp.concatenate([a.reshape(a.shape[:where] + (1,) + a.shape[where:]) for a in arrays], axis=where)


def _layers(xp, g, count, axis):
    return [xp.getitem(g, index=_along(axis, len(g.shape), i)) for i in range(count)]


@op(
    view=True,
    x=lambda xp, g, x_shape, offset, axis1, axis2: xp.put_diagonal(
        g, shape=x_shape, offset=offset, axis1=axis1, axis2=axis2
    ),
)
def diagonal(xp, x, *, offset=0, axis1=0, axis2=1):
    """The elements x[i, i + offset] of two axes, along a new last axis that stands for both."""
    return xp.diagonal(x, offset, axis1, axis2)


@op(x=lambda xp, g, offset, axis1, axis2: xp.diagonal(g, offset=offset, axis1=axis1, axis2=axis2))
def put_diagonal(xp, x, *, shape, offset=0, axis1=0, axis2=1):
    """Zeros of `shape` with x on a diagonal."""
    out = xp.zeros(shape, dtype=x.dtype)
    xp.diagonal(out, offset, axis1, axis2)[...] = x
    return out


@op(x=lambda xp, g, k: xp.tril(g, k=k))
def tril(xp, x, *, k=0):
    """The matrices x with zeros above the k-th diagonal."""
    return xp.tril(x, k)


@op(x=lambda xp, g, k: xp.triu(g, k=k))
def triu(xp, x, *, k=0):
    """The matrices x with zeros below the k-th diagonal."""
    return xp.triu(x, k)


@op(x=lambda xp, g, x_shape, widths: xp.getitem(g, index=_middle(x_shape, widths)))
def pad(xp, x, *, widths, value=0.0):
    """x with `widths[axis] = (before, after)` elements of `value` around it."""
    shape = tuple(before + n + after for n, (before, after) in zip(x.shape, widths, strict=True))
    out = xp.full(shape, value, dtype=x.dtype)
    out[_middle(x.shape, widths)] = x
    return out


def _middle(shape, widths):
    return tuple(slice(before, before + n) for n, (before, _) in zip(shape, widths, strict=True))


@op(x=lambda xp, g, axes: xp.flip(g, axes=axes))
def flip(xp, x, *, axes):
    """A copy of x with the order of its elements reversed along `axes`."""
    backwards = {axis % x.ndim for axis in axes}
    return x[tuple(slice(None, None, -1) if axis in backwards else slice(None) for axis in range(x.ndim))].copy()


@op(x=lambda xp, g, shift, axis: xp.roll(g, shift=-shift, axis=axis))
def roll(xp, x, *, shift, axis):
    """x shifted by `shift` places along `axis`; what falls off the end comes back at the start."""
    n = x.shape[axis]
    cut = n - shift % n if n else 0
    pieces = [x[_along(axis, x.ndim, slice(cut, None))], x[_along(axis, x.ndim, slice(0, cut))]]
    return xp.concatenate(pieces, axis=axis)


@op(x=lambda xp, g, device, source: xp.transfer(g, device=source, source=device))
def transfer(xp, x, *, device, source):
    """x copied from the device `source` to `device`; the gradient travels the other way."""
    return backend.to_device(x, device)
