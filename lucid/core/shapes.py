"""Shapes: the same numbers in another shape or order, or repeated. Joining, cutting and x[...] are in ops/.

Those marked `view` may return the very memory they were given. Beside each operation stands its form under
PyTorch's name, which checks its arguments.
"""

from __future__ import annotations

import math
from typing import Any

from lucid.core.node import Tensor, method
from lucid.core.op import op
from lucid.core.promotion import as_int, ndim_of

__all__ = ["broadcast_to", "reshape", "swapaxes", "transpose"]


def axis_of(name: str, dim: Any, ndim: int) -> int:
    """`dim` counted from the front, 0 to ndim - 1.

    Raises:
        TypeError: if it is not an int.
        IndexError: if there is no such dim.
    """
    dim = as_int(name, "dim", dim)
    if not -ndim <= dim < ndim:
        extent = f"expected {-ndim} to {ndim - 1}" if ndim else "there are none"
        raise IndexError(f"{name}: dim {dim} is out of range for a {ndim}-D tensor; {extent}")
    return dim % ndim


def sizes(name: str, given: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape given as `2, 3` or as `(2, 3)`."""
    try:
        if len(given) == 1 and not hasattr(given[0], "__index__"):
            given = tuple(given[0])
        return tuple([n if type(n) is int else as_int(name, "a length", n) for n in given])
    except TypeError:
        raise TypeError(f"{name}: expected ints, or a tuple of ints, got {given!r}") from None


@op(view=True, x=lambda xp, g, x_shape: xp.reshape(g, shape=x_shape))
def _reshape(xp, x, *, shape):
    """The elements of x, row by row, in another shape."""
    return x.reshape(shape)


@method()
def reshape(x: Tensor, *lengths: Any, shape: Any = None) -> Tensor:
    """The elements of x, row by row, in another shape; one -1 stands for whatever is left. A view where possible.

    Raises:
        ValueError: if the number of elements does not fit.
    """
    return _reshape(x, shape=_complete("reshape", x, sizes("reshape", lengths if shape is None else (shape,))))


def _complete(name: str, x: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with its -1 worked out."""
    ndim_of(name, x)
    known, size = math.prod([n for n in shape if n != -1]), (x._array if isinstance(x, Tensor) else x).size
    if shape.count(-1) == 1 and known and size % known == 0:
        return tuple(size // known if n == -1 else n for n in shape)
    if shape.count(-1) > 1:
        raise ValueError(f"{name}: only one dim can be worked out, got -1 more than once in {shape}")
    if shape.count(-1) or known != size or any(n < 0 for n in shape):
        raise ValueError(f"{name}: {size} elements of shape {x.shape} do not fit into shape {shape}")
    return shape


@op(view=True, x=lambda xp, g, a, b: xp.swapaxes(g, a=a, b=b))
def _swapaxes(xp, x, *, a, b):
    """x with axes a and b exchanged."""
    return x.swapaxes(a, b)


@method("transpose", "swapaxes")
def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """x with two dims exchanged: a view."""
    ndim = ndim_of("transpose", x)
    if not ndim:
        return reshape(transpose(reshape(x, 1), dim0, dim1), ())
    return _swapaxes(x, a=axis_of("transpose", dim0, ndim), b=axis_of("transpose", dim1, ndim))


swapaxes = transpose


@op(view=True, x=lambda xp, g: g)  # backward sums what was stretched
def _broadcast_to(xp, x, *, shape):
    """x stretched to `shape`: a read-only view that repeats it along axes of length 1 and along new ones in front."""
    return xp.broadcast_to(x, shape)


@method()
def broadcast_to(x: Tensor, *shape: Any) -> Tensor:
    """x stretched to a shape, repeating it along dims of length 1 and new ones in front: a read-only view.

    Raises:
        ValueError: if it cannot be stretched so.
    """
    return _broadcast_to(x, shape=sizes("broadcast_to", shape))
