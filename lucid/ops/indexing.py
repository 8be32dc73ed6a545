"""x[...], and elements picked and added along one dim: what indexing, `gather`, `max` and `sort` are made of.

An index reaches the operations in one form, made by `normal_index`: a tuple of ints, slices, None, Ellipsis and
arrays of the library at hand. To pick elements, and to add them to zeros at the same index, are adjoints.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lucid.core.array import cpu, int64, is_array, namespace, ndarray, to_device
from lucid.core.elementwise import positive
from lucid.core.node import Tensor, method
from lucid.core.op import op


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


@method("__getitem__")
def getitem_of(x: Tensor, index: Any) -> Tensor:
    """x[index] for ints, slices, None, Ellipsis, int and bool tensors, arrays and lists, and mixtures, as in NumPy."""
    return _getitem(x, index=normal_index(x, index))


def normal_index(x: Tensor, index: Any) -> tuple[Any, ...]:
    """An index in the form that the operations take: a tuple without Tensors and lists.

    Raises TypeError for floats, strings and other things that do not index; on a GPU IndexError for an index
    that is out of bounds, which NumPy finds by itself."""
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
        expected = "expected ints, slices, None, ... or int and bool tensors"
        raise TypeError(f"getitem: an index of {part.dtype} values; {expected}")
    return part


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


class ValuesIndices(NamedTuple):
    """What `max(dim=...)`, `min(dim=...)`, `sort` and `topk` return."""

    values: Tensor
    indices: Tensor


def pick(x: Tensor, indices: Tensor, dim: int) -> ValuesIndices:
    """The elements of x at `indices` along `dim`, and these; a 0-d tensor has one element to give."""
    return ValuesIndices(take_along(x, indices, axis=dim) if x.ndim else positive(x), indices)
