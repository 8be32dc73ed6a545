"""Chapter 5c. PyTorch's names for shapes and indices. Each function is also the method of that name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lucid import backend
from lucid.functions import numpy_style
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


def reshape(x: Tensor, *shape: Any) -> Tensor:
    """The elements of x, row by row, in another shape; one -1 stands for whatever is left. A view where possible.

    Raises:
        ValueError: if the number of elements does not fit.
    """
    return shapes.reshape(x, shape=_filled("reshape", x, sizes("reshape", shape)))


def _filled(name: str, x: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with its -1 worked out."""
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
    if not x.ndim:
        return reshape(x, 1)
    start, end = axis_of("flatten", start_dim, x.ndim), axis_of("flatten", end_dim, x.ndim)
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return shapes.reshape(x, shape=(*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


def squeeze(x: Tensor, dim: int | Sequence[int] | None = None, **numpy: Any) -> Tensor:
    """x without its dims of length 1, or without those of `dim` that have length 1."""
    if numpy:
        dim, _ = numpy_style("squeeze", numpy, dim)
    chosen = (
        range(x.ndim)
        if dim is None
        else [axis_of("squeeze", d, x.ndim) for d in ([dim] if isinstance(dim, int) else dim)]
    )
    gone = {d for d in chosen if x.shape[d] == 1}
    return shapes.reshape(x, shape=tuple(n for i, n in enumerate(x.shape) if i not in gone))


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """x with a new dim of length 1 at `dim`."""
    if isinstance(dim, int) and not -x.ndim - 1 <= dim <= x.ndim:
        raise IndexError(f"unsqueeze: dim {dim} is no place in a {x.ndim}-D tensor; expected {-x.ndim - 1} to {x.ndim}")
    where = axis_of("unsqueeze", dim, x.ndim + 1)
    return shapes.reshape(x, shape=(*x.shape[:where], 1, *x.shape[where:]))


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """x with two dims exchanged: a view."""
    return shapes.swapaxes(x, a=axis_of("transpose", dim0, x.ndim), b=axis_of("transpose", dim1, x.ndim))


def permute(x: Tensor, *dims: Any) -> Tensor:
    """x with its dims in the order given: a view.

    Raises:
        ValueError: if `dims` does not name each dim once.
    """
    order = tuple(axis_of("permute", d, x.ndim) for d in sizes("permute", dims))
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"permute: expected each of the {x.ndim} dims once, got {dims}")
    return shapes.transpose(x, axes=order)


def movedim(x: Tensor, source: int, destination: int) -> Tensor:
    """x with one dim moved to another place, the others in their order: a view."""
    source, destination = axis_of("movedim", source, x.ndim), axis_of("movedim", destination, x.ndim)
    order = [i for i in range(x.ndim) if i != source]
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
    lead = len(wanted) - x.ndim
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
    return shapes.reshape(full, shape=tuple(a * b for a, b in zip(times, shape, strict=True)))


def tile(x: Tensor, *counts: Any) -> Tensor:
    """`repeat` in which missing counts in front are 1."""
    times = sizes("tile", counts)
    return repeat(x, (1,) * (x.ndim - len(times)) + times)


def split(x: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """x cut along `dim` into views of a size (the last may be smaller), or of the sizes given.

    Raises:
        ValueError: if the size is not positive, or sizes do not add up.
    """
    axis = axis_of("split", dim, x.ndim)
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
    if chunks <= 0:
        raise ValueError(f"chunk: expected a positive number of chunks, got {chunks}")
    return split(x, max(1, -(-x.shape[axis_of("chunk", dim, x.ndim)] // chunks)), dim)


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices of x along `dim`, which they no longer have: views."""
    axis = axis_of("unbind", dim, x.ndim)
    return tuple(indexing.getitem(x, index=(slice(None),) * axis + (i,)) for i in range(x.shape[axis]))


def pad(x: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """x with `value` (0) around it; `pad` is (left, right) of the last dim, then of the one before, and so on.
    Negative numbers cut off.

    Raises:
        ValueError: for another mode, an odd number of widths, or more than there are dims.
    """
    if mode != "constant":
        raise ValueError(f"pad: expected mode 'constant', got {mode!r}")
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad: expected a (before, after) pair for each of at most {x.ndim} dims, got {tuple(pad)}")
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    widths = [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]
    if any(n < 0 for pair in widths for n in pair):
        cut = []
        for n, (before, after) in zip(x.shape, widths, strict=True):
            if n + before + after < 0:
                raise ValueError(f"pad: {tuple(pad)} cuts off more than shape {x.shape} has")
            cut.append(slice(max(0, -before), n - max(0, -after)))
        x = indexing.getitem(x, index=tuple(cut))
        widths = [(max(0, before), max(0, after)) for before, after in widths]
    return shapes.pad(x, widths=tuple(widths), value=0.0 if value is None else value)


def flip(x: Tensor, *dims: Any) -> Tensor:
    """x with the order of its elements reversed along `dims`."""
    return shapes.flip(x, axes=tuple(axis_of("flip", d, x.ndim) for d in sizes("flip", dims)))


def roll(x: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """x shifted along `dims`; what falls off the end comes back at the start. Without `dims`, x is rolled flattened.

    Raises:
        ValueError: if there are not as many shifts as dims.
    """
    if dims is None:
        if not isinstance(shifts, int):
            raise ValueError(f"roll: several shifts {tuple(shifts)} need as many dims")
        return shapes.reshape(shapes.roll(flatten(x), shift=shifts, axis=0), shape=x.shape)
    moves = [shifts] if isinstance(shifts, int) else list(shifts)
    along = [dims] if isinstance(dims, int) else list(dims)
    if len(moves) != len(along):
        raise ValueError(f"roll: expected as many shifts as dims, got {moves} and {along}")
    for shift, dim in zip(moves, along, strict=True):
        x = shapes.roll(x, shift=shift, axis=axis_of("roll", dim, x.ndim))
    return x


def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """out[i][j] = x[index[i][j]][j] for dim 0; `index` is int64 with x's number of dims."""
    axis = axis_of("gather", dim, x.ndim)
    if index.ndim != x.ndim or any(
        m > n for i, (m, n) in enumerate(zip(index.shape, x.shape, strict=True)) if i != axis
    ):
        raise ValueError(
            f"gather: index of shape {index.shape} does not fit a tensor of shape {x.shape} along dim {dim}"
        )
    within = indexing.getitem(
        x, index=tuple(slice(None) if i == axis else slice(0, n) for i, n in enumerate(index.shape))
    )
    _check_range("gather", index, x.shape[axis], dim)
    return indexing.take_along(within, index, axis=axis)


def index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of x along `dim` whose numbers stand in the 1-D int tensor `index`."""
    axis = axis_of("index_select", dim, x.ndim)
    _check_range("index_select", index, x.shape[axis], dim)
    return indexing.getitem(x, index=(slice(None),) * axis + (index._array,))


def masked_fill(x: Tensor, mask: Tensor, value: float) -> Tensor:
    """x with `value` wherever the bool tensor `mask` holds."""
    return arithmetic.where(mask, value, x)


def masked_select(x: Tensor, mask: Tensor) -> Tensor:
    """The elements of x where the bool tensor `mask` holds, in a row."""
    return getitem(x, mask)


def _check_range(name: str, index: Tensor, n: int, dim: int) -> None:
    values = backend.to_numpy(index._array)
    if values.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected an index of integers, got {values.dtype}")
    if values.size and (values.min() < 0 or values.max() >= n):
        raise IndexError(
            f"{name}: index {min(values.min(), 0) or values.max()} is out of range for the {n} of dim {dim}"
        )


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
    return tuple([part if type(part) in (int, slice) else _normal(x, part) for part in parts])


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
        xp = backend.namespace(x._array)
        try:
            empty = not hasattr(part, "dtype") and hasattr(part, "__len__") and len(part) == 0
            part = xp.asarray(
                [p._array if hasattr(p, "_array") else p for p in part] if isinstance(part, list) else part
            )
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
