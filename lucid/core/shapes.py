"""Shapes and indexing: the same numbers, arranged anew, joined, picked out and put back.

Each operation is the adjoint of another: what one spreads out the other gathers. Those marked `view` may return the
very memory they were given. Beside each operation stands its form under PyTorch's name, which checks its arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from lucid.core.array import cpu, int64, is_array, namespace, ndarray, to_device
from lucid.core.node import Tensor, method
from lucid.core.op import op
from lucid.core.promotion import ndim_of

__all__ = [
    "broadcast_to", "cat", "permute", "reshape", "squeeze", "swapaxes", "transpose", "unsqueeze",
]  # fmt: skip


def accepts_axis(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with NumPy's `axis` and `keepdims` accepted for `dim` and `keepdim`."""

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        if "axis" in options:
            options["dim"] = options.pop("axis")
        if "keepdims" in options:
            options["keepdim"] = options.pop("keepdims")
        return function(*args, **options)

    return call


def axis_of(name: str, dim: Any, ndim: int) -> int:
    """`dim` counted from the front, 0 to ndim - 1.

    Raises:
        TypeError: if it is not an int.
        IndexError: if there is no such dim.
    """
    if not isinstance(dim, int):
        raise TypeError(f"{name}: expected an int for dim, got {dim!r}")
    if not -ndim <= dim < ndim:
        extent = f"expected {-ndim} to {ndim - 1}" if ndim else "there are none"
        raise IndexError(f"{name}: dim {dim} is out of range for a {ndim}-D tensor; {extent}")
    return dim % ndim


def sizes(name: str, given: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape given as `2, 3` or as `(2, 3)`."""
    try:
        if len(given) == 1 and not hasattr(given[0], "__index__"):
            given = tuple(given[0])
        return tuple([n.__index__() for n in given])
    except (AttributeError, TypeError):
        raise TypeError(f"{name}: expected ints, or a tuple of ints, got {given!r}") from None


# -- arranged anew -----------------------------------------------------------------------------------------------------


@op(view=True, x=lambda xp, g, x_shape: xp.reshape(g, shape=x_shape))
def _reshape(xp, x, *, shape):
    """The elements of x, row by row, in another shape."""
    return x.reshape(shape)


@method()
def reshape(x: Tensor, *shape: Any) -> Tensor:
    """The elements of x, row by row, in another shape; one -1 stands for whatever is left. A view where possible.

    Raises:
        ValueError: if the number of elements does not fit.
    """
    return _reshape(x, shape=_complete("reshape", x, sizes("reshape", shape)))


def _complete(name: str, x: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with its -1 worked out."""
    ndim_of(name, x)
    known, size = math.prod(n for n in shape if n != -1), x._array.size
    if shape.count(-1) == 1 and known and size % known == 0:
        return tuple(size // known if n == -1 else n for n in shape)
    if shape.count(-1) > 1:
        raise ValueError(f"{name}: only one dim can be worked out, got -1 more than once in {shape}")
    if shape.count(-1) or known != size or any(n < 0 for n in shape):
        raise ValueError(f"{name}: {size} elements of shape {x.shape} do not fit into shape {shape}")
    return shape


@method()
@accepts_axis
def squeeze(x: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """x without its dims of length 1, or without those of `dim` that have length 1."""
    ndim = ndim_of("squeeze", x)
    dims = range(ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else [dim]
    dropped = {d for d in [axis_of("squeeze", d, ndim) for d in dims] if x.shape[d] == 1}
    return _reshape(x, shape=tuple(n for i, n in enumerate(x.shape) if i not in dropped))


@method()
def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """x with a new dim of length 1 at `dim`."""
    ndim = ndim_of("unsqueeze", x)
    if isinstance(dim, int) and not -ndim - 1 <= dim <= ndim:
        raise IndexError(f"unsqueeze: dim {dim} is no place in a {ndim}-D tensor; expected {-ndim - 1} to {ndim}")
    axis = axis_of("unsqueeze", dim, ndim + 1)
    return _reshape(x, shape=(*x.shape[:axis], 1, *x.shape[axis:]))


@op(view=True, x=lambda xp, g, a, b: xp.swapaxes(g, a=a, b=b))
def _swapaxes(xp, x, *, a, b):
    """x with axes a and b exchanged."""
    return x.swapaxes(a, b)


@method("transpose", "swapaxes")
def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """x with two dims exchanged: a view."""
    ndim = ndim_of("transpose", x)
    return _swapaxes(x, a=axis_of("transpose", dim0, ndim), b=axis_of("transpose", dim1, ndim))


swapaxes = transpose


@op(view=True, x=lambda xp, g, axes: xp.transpose(g, axes=_inverse(axes)))
def _transpose(xp, x, *, axes):  # NumPy's transpose takes an order of axes, PyTorch's two of them
    """x with its axes in the order `axes`."""
    return x.transpose(axes)


def _inverse(axes):
    return tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


@method()
def permute(x: Tensor, *dims: Any) -> Tensor:
    """x with its dims in the order given: a view.

    Raises:
        ValueError: if `dims` does not name each dim once.
    """
    ndim = ndim_of("permute", x)
    order = tuple([axis_of("permute", d, ndim) for d in sizes("permute", dims)])
    if sorted(order) != list(range(ndim)):
        raise ValueError(f"permute: expected each of the {ndim} dims once, got {dims}")
    return _transpose(x, axes=order)


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


# -- joined and cut ----------------------------------------------------------------------------------------------------


@op(arrays=lambda xp, g, arrays_shape, axis: _pieces(xp, g, arrays_shape, axis))
def _cat(xp, *arrays, axis=0):
    """The arrays joined along an axis that is there already."""
    return xp.concatenate(arrays, axis=axis)


def _pieces(xp, g, shapes, axis):
    start, pieces = 0, []
    for shape in shapes:
        pieces.append(xp.getitem(g, index=index_along(axis, len(shape), slice(start, start + shape[axis]))))
        start += shape[axis]
    return pieces


def index_along(axis, ndim, index):
    """The index that applies `index` to one axis and takes the others whole."""
    return (slice(None),) * (axis % ndim) + (index,)


@accepts_axis
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors joined along a dim they have; the others must agree."""
    return _cat(*_list_of_tensors("cat", tensors, dim), axis=dim)


def _list_of_tensors(name: str, tensors: Any, dim: Any) -> list[Any]:
    if not isinstance(dim, int):
        raise TypeError(
            f"{name}: expected an int for dim, got {type(dim).__name__}; pass the tensors as one list, {name}([x, y])"
        )
    if isinstance(tensors, Tensor) and not tensors.ndim or not hasattr(tensors, "__iter__"):
        raise TypeError(f"{name}: expected a sequence of tensors, got {type(tensors).__name__}")
    return list(tensors)


# -- x[...] ------------------------------------------------------------------------------------------------------------
# An index reaches the operations in one form, made by `normal_index`: a tuple of ints, slices, None, Ellipsis and
# arrays of the library at hand.


@op(view=True, x=lambda xp, g, x_shape, index: xp.scatter_add(g, shape=x_shape, index=index))
def _getitem(xp, x, *, index):
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


@op(x=lambda xp, g, x_shape, indices, axis: xp.scatter_add_along(g, indices, shape=x_shape, axis=axis))
def take_along(xp, x, indices, *, axis):
    """x at `indices` along one axis: out[i, j] = x[indices[i, j], j] for axis 0."""
    return x[grid_along(xp, indices, axis % x.ndim)]


@op(x=lambda xp, g, indices, axis: xp.take_along(g, indices, axis=axis))
def scatter_add_along(xp, x, indices, *, shape, axis):
    """Zeros of `shape` with x added at `indices` along one axis: the adjoint of take_along."""
    out = xp.zeros(shape, dtype=x.dtype)
    xp.add_at(out, grid_along(xp, indices, axis % len(shape)), x)
    return out


def grid_along(xp, indices, axis):
    """The index that means `indices` along one axis, and each element's own place along the others."""
    ndim, grid = indices.ndim, []
    for i, n in enumerate(indices.shape):
        grid.append(indices if i == axis else xp.arange(n).reshape((1,) * i + (n,) + (1,) * (ndim - i - 1)))
    return tuple(grid)


@method("__getitem__")
def getitem_of(x: Tensor, index: Any) -> Tensor:
    """x[index] for ints, slices, None, Ellipsis, int and bool tensors, arrays and lists, and mixtures, as in NumPy."""
    return _getitem(x, index=normal_index(x, index))


def normal_index(x: Tensor, index: Any) -> tuple[Any, ...]:
    """An index in the form that the operations take: a tuple without Tensors and lists.

    Raises:
        TypeError: for floats, strings and other things that do not index.
        IndexError: on a GPU, for an index that is out of bounds; NumPy finds these by itself.
    """
    parts = index if type(index) is tuple else (index,)
    if len(parts) == x.ndim and all(type(part) is int for part in parts):
        return (*parts, Ellipsis)  # one element: NumPy would give a number, with the Ellipsis it gives a view
    parts = tuple([part if type(part) in (int, slice) else _normal_part(part) for part in parts])
    if type(x._array) is not ndarray:
        namespace(x._array).check_index(x.shape, parts)
        parts = tuple([to_device(part, x.device) if is_array(part) else part for part in parts])
    return parts


def _normal_part(part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    if isinstance(part, Tensor):
        part = part._array
        if part.ndim == 0 and part.dtype.kind in "iu":
            return int(part)
    elif isinstance(part, bool) or not hasattr(part, "__index__") or is_array(part):
        held = [p._array for p in part if isinstance(p, Tensor)] if isinstance(part, list) else []
        xp = namespace(held[0]) if held else cpu
        try:
            empty = not hasattr(part, "dtype") and hasattr(part, "__len__") and len(part) == 0
            if not is_array(part):
                part = xp.asarray([getattr(p, "_array", p) for p in part] if isinstance(part, list) else part)
            part = part.astype(int64) if empty else part
        except (ValueError, TypeError):
            raise TypeError(f"getitem: {part!r} is not an index") from None
    else:
        return part.__index__()
    if part.dtype.kind not in "iub":
        raise TypeError(
            f"getitem: an index of {part.dtype} values; expected ints, slices, None, ... or int and bool tensors"
        )
    return part
