"""Chapter 5c. PyTorch's names for shapes, and x[...]. Each function is also the method of that name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from lucid import backend
from lucid.functions import numpy_style
from lucid.operands import ndim_of
from lucid.ops import arithmetic, indexing, shapes

if TYPE_CHECKING:
    from lucid.tensor import Tensor


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


def lengths(name: str, given: tuple[Any, ...]) -> tuple[int, ...]:
    """The same for a tensor that is to be made."""
    shape = sizes(name, given)
    if any(n < 0 for n in shape):
        raise ValueError(f"{name}: expected lengths of 0 or more, got {shape}")
    return shape


def joint_shape(name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that all of `shapes` broadcast to.

    Raises:
        ValueError: if there is none.
    """
    joint: list[int] = []
    for lengths in zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1):
        found = {n for n in lengths if n != 1} or {1}
        if len(found) > 1:
            raise ValueError(f"{name}: shapes {' and '.join(map(str, shapes))} do not broadcast together")
        joint.insert(0, found.pop())
    return tuple(joint)


def reshape(x: Tensor, *shape: Any) -> Tensor:
    """The elements of x, row by row, in another shape; one -1 stands for whatever is left. A view where possible.

    Raises:
        ValueError: if the number of elements does not fit.
    """
    return shapes.reshape(x, shape=_filled("reshape", x, sizes("reshape", shape)))


def _filled(name: str, x: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
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


def view(x: Tensor, *shape: Any) -> Tensor:
    """`reshape` without ever copying: the result shares x's memory. With a dtype, x's bytes read as that dtype is not
    supported.

    Raises:
        ValueError: if the elements do not fit, or lie in memory in an order that the new shape cannot express.
    """
    out = shapes.reshape(x, shape=_filled("view", x, sizes("view", shape)))
    if x._array.size and not _same_memory(out._array, x._array):
        raise ValueError(f"view: shape {x.shape} with this memory layout cannot be seen as {out.shape}; use reshape")
    return out


def _same_memory(a: Any, b: Any) -> bool:
    if a.base is b or a.base is not None and a.base is b.base:
        return True
    return a is b


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """x with the dims from `start_dim` to `end_dim` made one."""
    if not (ndim := ndim_of("flatten", x)):
        return reshape(x, 1)
    start, end = axis_of("flatten", start_dim, ndim), axis_of("flatten", end_dim, ndim)
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return shapes.reshape(x, shape=(*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


def squeeze(x: Tensor, dim: int | Sequence[int] | None = None, **numpy: Any) -> Tensor:
    """x without its dims of length 1, or without those of `dim` that have length 1."""
    if numpy:
        dim, _ = numpy_style("squeeze", numpy, dim)
    ndim = ndim_of("squeeze", x)
    named = range(ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else [dim]
    chosen = [axis_of("squeeze", d, ndim) for d in named]
    gone = {d for d in chosen if x.shape[d] == 1}
    return shapes.reshape(x, shape=tuple(n for i, n in enumerate(x.shape) if i not in gone))


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """x with a new dim of length 1 at `dim`."""
    ndim = ndim_of("unsqueeze", x)
    if isinstance(dim, int) and not -ndim - 1 <= dim <= ndim:
        raise IndexError(f"unsqueeze: dim {dim} is no place in a {ndim}-D tensor; expected {-ndim - 1} to {ndim}")
    where = axis_of("unsqueeze", dim, ndim + 1)
    return shapes.reshape(x, shape=(*x.shape[:where], 1, *x.shape[where:]))


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """x with two dims exchanged: a view."""
    ndim = ndim_of("transpose", x)
    return shapes.swapaxes(x, a=axis_of("transpose", dim0, ndim), b=axis_of("transpose", dim1, ndim))


def permute(x: Tensor, *dims: Any) -> Tensor:
    """x with its dims in the order given: a view.

    Raises:
        ValueError: if `dims` does not name each dim once.
    """
    ndim = ndim_of("permute", x)
    order = tuple([axis_of("permute", d, ndim) for d in sizes("permute", dims)])
    if sorted(order) != list(range(ndim)):
        raise ValueError(f"permute: expected each of the {ndim} dims once, got {dims}")
    return shapes.transpose(x, axes=order)


def movedim(x: Tensor, source: int, destination: int) -> Tensor:
    """x with one dim moved to another place, the others in their order: a view."""
    ndim = ndim_of("movedim", x)
    source, destination = axis_of("movedim", source, ndim), axis_of("movedim", destination, ndim)
    order = [i for i in range(ndim) if i != source]
    order.insert(destination, source)
    return shapes.transpose(x, axes=tuple(order))


def t(x: Tensor) -> Tensor:
    """The transpose of a matrix; a 1-D or 0-d tensor as it is.

    Raises:
        ValueError: for more than two dims.
    """
    if x.ndim > 2:
        raise ValueError(f"t: expected at most 2 dims, got shape {x.shape}; use transpose(dim0, dim1) or mT")
    return shapes.swapaxes(x, a=0, b=1) if x.ndim == 2 else x


def broadcast_to(x: Tensor, *shape: Any) -> Tensor:
    """x stretched to a shape, repeating it along dims of length 1 and new ones in front: a read-only view.

    Raises:
        ValueError: if it cannot be stretched so.
    """
    return shapes.broadcast_to(x, shape=sizes("broadcast_to", shape))


def expand(x: Tensor, *shape: Any) -> Tensor:
    """`broadcast_to` in which -1 keeps a dim as it is."""
    wanted = sizes("expand", shape)
    lead = len(wanted) - ndim_of("expand", x)
    fits = all(n in (-1, m) or m == 1 for n, m in zip(wanted[max(lead, 0) :], x.shape, strict=False))
    if lead < 0 or not fits or any(n == -1 for n in wanted[:lead]):
        raise ValueError(f"expand: shape {x.shape} does not expand to {wanted}")
    return shapes.broadcast_to(x, shape=tuple(x.shape[i - lead] if n == -1 else n for i, n in enumerate(wanted)))


def repeat(x: Tensor, *counts: Any) -> Tensor:
    """x copied `counts[i]` times along dim i, with new dims in front if there are more counts than dims.

    Raises:
        ValueError: if there are fewer counts than dims, or one is negative.
    """
    times = sizes("repeat", counts)
    if len(times) < x.ndim or any(n < 0 for n in times):
        raise ValueError(f"repeat: expected at least {x.ndim} counts of 0 or more for shape {x.shape}, got {times}")
    shape = (1,) * (len(times) - x.ndim) + tuple(x.shape)
    apart = shapes.reshape(x, shape=tuple(n for size in shape for n in (1, size)))
    full = shapes.broadcast_to(apart, shape=tuple(n for pair in zip(times, shape, strict=True) for n in pair))
    found = shapes.reshape(full, shape=tuple(a * b for a, b in zip(times, shape, strict=True)))
    if all(a == 1 or b == 1 for a, b in zip(times, shape, strict=True)):  # that was no copy so far
        found = arithmetic.positive(found)
    return found


def tile(x: Tensor, *counts: Any) -> Tensor:
    """`repeat` in which missing counts in front are 1."""
    times = sizes("tile", counts)
    return repeat(x, (1,) * (ndim_of("tile", x) - len(times)) + times)


def split(x: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """x cut along `dim` into views of a size (the last may be smaller), or of the sizes given.

    Raises:
        ValueError: if the size is not positive, or sizes do not add up.
    """
    axis = axis_of("split", dim, ndim_of("split", x))
    n, given = x.shape[axis], split_size_or_sections
    if isinstance(given, int):
        if given <= 0:
            raise ValueError(f"split: expected a positive size, got {given}")
        lengths = [min(given, n - start) for start in range(0, n, given)] or [0]
    else:
        lengths = list(given)
        if math.fsum(lengths) != n or any(length < 0 for length in lengths):
            raise ValueError(f"split: sizes {lengths} do not add up to the {n} of dim {dim}")
    found, start = [], 0
    for length in lengths:
        found.append(indexing.getitem(x, index=(slice(None),) * axis + (slice(start, start + length),)))
        start += length
    return tuple(found)


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """x cut along `dim` into at most `chunks` views of one size, save the last."""
    axis = axis_of("chunk", dim, ndim_of("chunk", x))
    if not isinstance(chunks, int):
        raise TypeError(f"chunk: expected an int for the number of chunks, got {chunks!r}")
    if chunks <= 0:
        raise ValueError(f"chunk: expected a positive number of chunks, got {chunks}")
    return split(x, max(1, -(-x.shape[axis] // chunks)), dim)


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices of x along `dim`, which they no longer have: views."""
    axis = axis_of("unbind", dim, ndim_of("unbind", x))
    return tuple(indexing.getitem(x, index=(slice(None),) * axis + (i,)) for i in range(x.shape[axis]))


def flip(x: Tensor, *dims: Any) -> Tensor:
    """x with the order of its elements reversed along `dims`."""
    ndim = ndim_of("flip", x)
    return shapes.flip(x, axes=tuple([axis_of("flip", d, ndim) for d in sizes("flip", dims)]))


def roll(x: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """x shifted along `dims`; what falls off the end comes back at the start. Without `dims`, x is rolled flattened.

    Raises:
        ValueError: if there are not as many shifts as dims.
    """
    ndim, moves = ndim_of("roll", x), sizes("roll", (shifts,))
    if dims is None and len(moves) == 1:
        return shapes.reshape(shapes.roll(flatten(x), shift=moves[0], axis=0), shape=x.shape)
    along = sizes("roll", () if dims is None else (dims,))
    if len(moves) != len(along):
        raise ValueError(f"roll: expected as many shifts as dims, got {moves} and {along}")
    for shift, dim in zip(moves, along, strict=True):
        x = shapes.roll(x, shift=shift, axis=axis_of("roll", dim, ndim))
    return x


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """For 1-D tensors of n, m, ... elements as many grids of shape (n, m, ...), each running through one of them.

    The i-th grid runs along dim i with indexing="ij"; with "xy" the first two dims are exchanged. A list does as well.

    Raises:
        ValueError: for tensors of more than one dim, or another indexing.
    """
    axes = list(tensors[0]) if len(tensors) == 1 and not hasattr(tensors[0], "_array") else list(tensors)
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: expected indexing 'ij' or 'xy', got {indexing!r}")
    if not axes or any(ndim_of("meshgrid", x) > 1 for x in axes):
        raise ValueError(f"meshgrid: expected 1-D tensors, got shapes {[x.shape for x in axes]}")
    places = [1, 0, *range(2, len(axes))] if indexing == "xy" and len(axes) > 1 else list(range(len(axes)))
    full = [0] * len(axes)
    for x, place in zip(axes, places, strict=True):
        full[place] = x._array.size
    lines = [
        reshape(x, [n if i == place else 1 for i, n in enumerate(full)]) for x, place in zip(axes, places, strict=True)
    ]
    return tuple(shapes.broadcast_to(line, shape=tuple(full)) for line in lines)


# -- x[...] ----------------------------------------------------------------------------------------------------------


def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index] for ints, slices, None, Ellipsis, int and bool tensors, arrays and lists, and mixtures, as in NumPy."""
    return indexing.getitem(x, index=normal(x, index))


def normal(x: Tensor, index: Any) -> tuple[Any, ...]:
    """An index in the form that the operations take: a tuple without Tensors and lists.

    Raises:
        TypeError: for floats, strings and other things that do not index.
    """
    parts = index if type(index) is tuple else (index,)
    if len(parts) == x.ndim and all(type(part) is int for part in parts):
        return (*parts, Ellipsis)  # one element: NumPy would give a number, with the Ellipsis it gives a view
    parts = tuple([part if type(part) in (int, slice) else _normal(x, part) for part in parts])
    if type(x._array) is not backend.ndarray:
        refuse_outside(x.shape, parts)
        parts = tuple([backend.to_device(part, x.device) if backend.is_array(part) else part for part in parts])
    return parts


def refuse_outside(shape: tuple[int, ...], parts: tuple[Any, ...]) -> None:
    """Refuse indices that are not there, as NumPy does by itself; a GPU would wrap them around without a word.

    Raises:
        IndexError: naming the index.
    """
    kinds = [part.dtype.kind if backend.is_array(part) else "" for part in parts]
    dims = [
        0 if p is None or p is Ellipsis else p.ndim if kind == "b" else 1 for p, kind in zip(parts, kinds, strict=True)
    ]
    dim = 0
    for part, kind, taken in zip(parts, kinds, dims, strict=True):
        if kind in ("i", "u"):
            where = f"is out of bounds for the {shape[dim]} of dim {dim} of shape {shape}"
            if backend.device_of(part) != "cpu":
                backend.within(part, -shape[dim], shape[dim], f"getitem: an index {where}")
            elif part.size and not -shape[dim] <= (odd := _farthest(part, shape[dim])) < shape[dim]:
                raise IndexError(f"getitem: index {odd} {where}")
        dim += len(shape) - sum(dims) if part is Ellipsis else taken


def _farthest(indices: Any, n: int) -> Any:
    """The index that is out of bounds for n elements, if there is one."""
    return low if (low := indices.min()) < -n else indices.max()


def _normal(x: Tensor, part: Any) -> Any:
    if part is None or part is Ellipsis or type(part) in (int, slice):
        return part
    if isinstance(part, slice):
        return part
    if hasattr(part, "_array"):
        part = part._array
        if part.ndim == 0 and part.dtype.kind in "iu":
            return int(part)
    elif isinstance(part, bool) or not hasattr(part, "__index__") or backend.is_array(part):
        held = [p._array for p in part if hasattr(p, "_array")] if isinstance(part, list) else []
        xp = backend.namespace(held[0]) if held else backend.cpu
        try:
            empty = not hasattr(part, "dtype") and hasattr(part, "__len__") and len(part) == 0
            if not backend.is_array(part):
                part = xp.asarray([getattr(p, "_array", p) for p in part] if isinstance(part, list) else part)
            part = part.astype(backend.int64) if empty else part
        except (ValueError, TypeError):
            raise TypeError(f"getitem: {part!r} is not an index") from None
    else:
        return part.__index__()
    if part.dtype.kind not in "iub":
        raise TypeError(
            f"getitem: an index of {part.dtype} values; expected ints, slices, None, ... or int and bool tensors"
        )
    return part
