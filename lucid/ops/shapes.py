"""The rest of the operations on shapes: dims added, dropped and put in another order; tensors joined, cut, copied
side by side, turned round; diagonals and triangles. reshape, transpose and broadcast_to are in core/shapes.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import wraps
from itertools import accumulate, pairwise, zip_longest
from typing import Any

from lucid.core import shapes as core
from lucid.core.array import bool_, create_on, int64, namespace
from lucid.core.elementwise import positive
from lucid.core.node import Tensor, method
from lucid.core.op import op
from lucid.core.promotion import as_int, ndim_of, type_name
from lucid.core.reductions import sum
from lucid.core.shapes import _broadcast_to, _reshape, axis_of, reshape, sizes
from lucid.ops.checks import check_count
from lucid.ops.indexing import _getitem
from lucid.ops.refusals import naming

__all__ = [
    "cat", "chunk", "diag", "diagonal", "diff", "expand", "flatten", "flip", "hstack", "meshgrid", "movedim", "narrow",
    "permute", "repeat_interleave", "roll", "select", "split", "squeeze", "stack", "tensor_split", "tile", "trace",
    "tril", "tril_indices", "triu", "triu_indices", "unbind", "unflatten", "unsqueeze", "vstack",
]  # fmt: skip


def of_numbers_too(function: Any) -> Any:
    """The function of a tensor, which works along a dim, and of a 0-d one as of a row of one element."""

    @wraps(function)
    def call(x: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(x, Tensor) or x._array.ndim:
            return function(x, *args, **options)
        out = function(*[reshape(a, 1) if isinstance(a, Tensor) and not a.ndim else a for a in (x, *args)], **options)
        return reshape(out, ()) if isinstance(out, Tensor) else type(out)(*[reshape(t, ()) for t in out])

    return naming(call)


@method()
@of_numbers_too
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
    if not -ndim - 1 <= (dim := as_int("unsqueeze", "dim", dim)) <= ndim:
        raise IndexError(f"unsqueeze: dim {dim} is no place in a {ndim}-D tensor; expected {-ndim - 1} to {ndim}")
    axis = axis_of("unsqueeze", dim, ndim + 1)
    return _reshape(x, shape=(*x.shape[:axis], 1, *x.shape[axis:]))


@op(view=True, x=lambda xp, g, axes: xp.transpose(g, axes=_inverse(axes)))
def _transpose(xp, x, *, axes):  # NumPy's transpose takes an order of axes, PyTorch's two of them
    """x with its axes in the order `axes`."""
    return x.transpose(axes)


def _inverse(axes):
    return tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


@method()
def permute(x: Tensor, *order: Any, dims: Any = None) -> Tensor:
    """x with its dims in the order given: a view. Raises ValueError if `dims` does not name each dim once."""
    ndim, dims = ndim_of("permute", x), order if dims is None else (dims,)
    order = tuple([axis_of("permute", d, ndim) for d in sizes("permute", dims)])
    if sorted(order) != list(range(ndim)):
        raise ValueError(f"permute: expected each of the {ndim} dims once, got {dims}")
    return _transpose(x, axes=order)


@op(arrays=lambda xp, g, arrays_shape, axis: _pieces(xp, g, arrays_shape, axis))
def _cat(xp, *arrays, axis=0):
    """The arrays joined along an axis that is there already."""
    return xp.concatenate(arrays, axis=axis)


def _pieces(xp, g, shapes, axis):
    ends = pairwise(accumulate([shape[axis] for shape in shapes], initial=0))
    return [xp.getitem(g, index=index_along(axis, len(g.shape), slice(*pair))) for pair in ends]


def index_along(axis, ndim, index):
    """The index that applies `index` to one axis and takes the others whole."""
    return (slice(None),) * (axis % ndim) + (index,)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors joined along a dim they have; the others must agree."""
    arrays, axis = _list_of_tensors("cat", tensors, dim)
    return _cat(*arrays, axis=axis)


_cat_rule = lambda shapes: (
    "a 0-d tensor has no dim to be joined along; stack([x, y]) joins along a new one" if () in shapes
    else "expected the same number of dimensions, and the same lengths but along the dim that is joined"
)  # fmt: skip
_cat.op.shape_rule = _cat_rule  # type: ignore[attr-defined]


def _list_of_tensors(name: str, tensors: Any, dim: Any) -> tuple[list[Any], int]:
    """The tensors as a list, and `dim` as an int."""
    if type(tensors) is list and type(dim) is int:
        return tensors, dim
    hint = f"; pass the tensors as one list, {name}([x, y])"
    axis = as_int(name, "dim", dim, hint)
    if isinstance(tensors, (str, dict)) or not getattr(tensors, "ndim", 1) or not hasattr(tensors, "__iter__"):
        raise TypeError(f"{name}: expected a sequence of tensors, got {type_name(tensors)}{hint}")
    return list(tensors), axis


@method()
@of_numbers_too
def movedim(x: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """x with one dim, or several, moved to other places, the others in their order: a view. Raises ValueError for not
    as many places as dims, or one that is named twice."""
    ndim = ndim_of("movedim", x)
    pairs = [[d] if hasattr(d, "__index__") else list(d) for d in (source, destination)]
    sources, places = ([axis_of("movedim", d, ndim) for d in dims] for dims in pairs)
    if len(sources) != len(places) or len({*sources}) < len(sources) or len({*places}) < len(places):
        raise ValueError(f"movedim: expected as many places as dims, each once, got {source!r} and {destination!r}")
    order = [i for i in range(ndim) if i not in sources]
    for place, dim in sorted(zip(places, sources, strict=True)):
        order.insert(place, dim)
    return permute(x, order)


@method()
def repeat(x: Tensor, *counts: Any) -> Tensor:
    """x copied `counts[i]` times along dim i, with new dims in front if there are more counts than dims. Raises
    ValueError if there are fewer counts than dims, or one is negative."""
    times = sizes("repeat", counts)
    if len(times) < ndim_of("repeat", x) or any(n < 0 for n in times):
        raise ValueError(f"repeat: expected at least {x.ndim} counts of 0 or more for shape {x.shape}, got {times}")
    shape = (1,) * (len(times) - x.ndim) + tuple(x.shape)
    pairs = list(zip(times, shape, strict=True))
    apart = _reshape(x, shape=tuple(n for size in shape for n in (1, size)))
    full = _broadcast_to(apart, shape=tuple(n for pair in pairs for n in pair))
    out = _reshape(full, shape=tuple(a * b for a, b in pairs))
    return positive(out) if all(1 in pair for pair in pairs) else out  # where nothing was copied so far


@method()
def tile(x: Tensor, *counts: Any) -> Tensor:
    """`repeat` in which missing counts in front are 1."""
    times = sizes("tile", counts)
    return repeat(x, (1,) * (ndim_of("tile", x) - len(times)) + times)


@method()
def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """x cut along `dim` into at most `chunks` views of one size, save the last."""
    axis = axis_of("chunk", dim, ndim_of("chunk", x))
    if (chunks := as_int("chunk", "the number of chunks", chunks)) <= 0:
        raise ValueError(f"chunk: expected a positive number of chunks, got {chunks}")
    return split(x, max(1, -(-x.shape[axis] // chunks)), dim)


@op(x=lambda xp, g, axes: xp.flip(g, axes=axes))
def _flip(xp, x, *, axes):
    """A copy of x with the order of its elements reversed along `axes`."""
    backwards = {axis % x.ndim for axis in axes}
    return x[tuple(slice(None, None, -1) if axis in backwards else slice(None) for axis in range(x.ndim))].copy()


@method()
@of_numbers_too
def flip(x: Tensor, *axes: Any, dims: Any = None) -> Tensor:
    """x with the order of its elements reversed along `dims`, given as `flip(0, 1)`, `flip((0, 1))` or by name."""
    ndim, given = ndim_of("flip", x), sizes("flip", axes if dims is None else (dims,))
    return _flip(x, axes=tuple([axis_of("flip", d, ndim) for d in given]))


@op(x=lambda xp, g, shift, axis: xp.roll(g, shift=-shift, axis=axis))
def _roll(xp, x, *, shift, axis):
    """x shifted by `shift` places along `axis`; what falls off the end comes back at the start."""
    n = x.shape[axis]
    cut = n - shift % n if n else 0
    pieces = [x[index_along(axis, x.ndim, slice(cut, None))], x[index_along(axis, x.ndim, slice(0, cut))]]
    return xp.concatenate(pieces, axis=axis)


@method()
def roll(x: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """x shifted along `dims`; what falls off the end comes back at the start. Without `dims`, x is rolled
    flattened. Raises ValueError if there are not as many shifts as dims."""
    ndim, moves = ndim_of("roll", x), sizes("roll", (shifts,))
    if dims is None and len(moves) == 1:
        return _reshape(_roll(flatten(x), shift=moves[0], axis=0), shape=x.shape)
    along = sizes("roll", () if dims is None else (dims,))
    if len(moves) != len(along):
        raise ValueError(f"roll: expected as many shifts as dims, got {moves} and {along}")
    for shift, dim in zip(moves, along, strict=True):
        x = _roll(x, shift=shift, axis=axis_of("roll", dim, ndim))
    return x


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """For 1-D tensors of n, m, ... elements as many grids of shape (n, m, ...), each running through one of
    them. The i-th grid runs along dim i with indexing="ij"; with "xy" the first two dims are exchanged. A
    list does as well. Raises ValueError for tensors of more than one dim, or another indexing."""
    axes = list(tensors[0]) if len(tensors) == 1 and not isinstance(tensors[0], Tensor) else list(tensors)
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: expected indexing 'ij' or 'xy', got {indexing!r}")
    if not axes or any(ndim_of("meshgrid", x) > 1 for x in axes):
        raise ValueError(f"meshgrid: expected 1-D tensors, got shapes {[x.shape for x in axes]}")
    dims = [1, 0, *range(2, len(axes))] if indexing == "xy" and len(axes) > 1 else list(range(len(axes)))
    full = tuple(axes[dim]._array.size for dim in dims)  # exchanging two dims undoes itself
    lines = [reshape(x, [n if i == dim else 1 for i, n in enumerate(full)]) for x, dim in zip(axes, dims, strict=True)]
    return tuple(_broadcast_to(line, shape=full) for line in lines)


def joint_shape(name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that all of `shapes` broadcast to. Raises ValueError if there is none."""
    joint: list[int] = []
    for lengths in zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1):
        longer = {n for n in lengths if n != 1} or {1}
        if len(longer) > 1:
            raise ValueError(f"{name}: shapes {' and '.join(map(str, shapes))} do not broadcast together")
        joint.insert(0, longer.pop())
    return tuple(joint)


@method()
def view(x: Tensor, *shape: Any) -> Tensor:
    """`reshape` without ever copying: the result shares x's memory. PyTorch's view(dtype) is not supported. Raises
    ValueError if the elements do not fit, or are in memory in an order that the new shape cannot express."""
    out = _reshape(x, shape=core._complete("view", x, sizes("view", shape)))
    a, b = out._array, x._array
    if b.size and not (a is b or a.base is b or (a.base is not None and a.base is b.base)):
        raise ValueError(f"view: shape {x.shape} with this memory layout cannot be seen as {out.shape}; use reshape")
    return out


@method()
def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """x with the dims from `start_dim` to `end_dim` made one."""
    if not (ndim := ndim_of("flatten", x)):
        return reshape(x, 1)
    start, end = axis_of("flatten", start_dim, ndim), axis_of("flatten", end_dim, ndim)
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return _reshape(x, shape=(*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


@method()
def expand(x: Tensor, *shape: Any) -> Tensor:
    """`broadcast_to` in which -1 keeps a dim as it is."""
    wanted = sizes("expand", shape)
    lead = len(wanted) - ndim_of("expand", x)
    fits = all(n in (-1, m) or m == 1 for n, m in zip(wanted[max(lead, 0) :], x.shape, strict=False))
    if lead < 0 or not fits or any(n == -1 for n in wanted[:lead]):
        raise ValueError(f"expand: shape {x.shape} does not expand to {wanted}")
    return _broadcast_to(x, shape=tuple(x.shape[i - lead] if n == -1 else n for i, n in enumerate(wanted)))


@op(
    arrays=lambda xp, g, arrays_shape, axis: [
        xp.getitem(g, index=index_along(axis, len(g.shape), i)) for i in range(len(arrays_shape))
    ]
)
def _stack(xp, *arrays, axis=0):
    """The arrays, all of one shape, joined along a new axis."""
    new = axis % (arrays[0].ndim + 1)
    return xp.concatenate([a.reshape(a.shape[:new] + (1,) + a.shape[new:]) for a in arrays], axis=new)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors, all of one shape, joined along a new dim. Raises ValueError if the shapes differ."""
    tensors, dim = _list_of_tensors("stack", tensors, dim)
    ndim = ([ndim_of("stack", t) for t in tensors] or [0])[0] + 1
    if differing := [t.shape for t in tensors if t.shape != tensors[0].shape]:
        raise ValueError(f"stack: expected tensors of one shape, got {tensors[0].shape} and {differing[0]}")
    if not -ndim <= dim < ndim:
        raise IndexError(f"stack: dim {dim} is out of range; expected {-ndim} to {ndim - 1}")
    return _stack(*tensors, axis=dim)


@method()
def split(x: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """x cut along `dim` into views of a size (the last may be smaller), or of the sizes given. Raises ValueError if
    the size is not positive, or sizes do not add up."""
    axis = axis_of("split", dim, ndim_of("split", x))
    n, given = x.shape[axis], split_size_or_sections
    if hasattr(given, "__index__") and not getattr(given, "ndim", 0):
        if (size := as_int("split", "the size", given)) <= 0:
            raise ValueError(f"split: expected a positive size, got {size}")
        ends = [*range(size, n, size), n]
    else:
        given = sizes("split", (given,))
        ends = list(accumulate(given))
        if (ends or [0])[-1] != n or any(length < 0 for length in given):
            raise ValueError(f"split: sizes {given} do not add up to the {n} of dim {dim}")
    return tuple(_along(x, axis, slice(*ends)) for ends in pairwise([0, *ends]))


def _along(x: Tensor, axis: int, index: Any) -> Tensor:
    """x with an index for one axis: a view."""
    return _getitem(x, index=index_along(axis, x.ndim, index))


@method()
def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices of x along `dim`, which they no longer have: views."""
    axis = axis_of("unbind", dim, ndim_of("unbind", x))
    return tuple(_along(x, axis, i) for i in range(x.shape[axis]))


@method()
def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    """The `length` slices of x along `dim` from `start` on: a view. Raises IndexError if there are not so many."""
    axis = axis_of("narrow", dim, ndim_of("narrow", x))
    n, start, length = x.shape[axis], as_int("narrow", "start", start), as_int("narrow", "length", length)
    first = start + n if start < 0 else start
    if not 0 <= first <= first + length <= n:
        raise IndexError(f"narrow: {length} from {start} on is not within the {n} of dim {dim}")
    return _along(x, axis, slice(first, first + length))


@op(
    view=True, x=lambda xp, g, x_shape, offset, axis1, axis2:
    xp.put_diagonal(g, shape=x_shape, offset=offset, axis1=axis1, axis2=axis2),
)  # fmt: skip
def _diagonal(xp, x, *, offset=0, axis1=0, axis2=1):
    """The elements x[i, i + offset] of two axes, along a new last axis that stands for both."""
    return xp.diagonal(x, offset, axis1, axis2)


@op(x=lambda xp, g, offset, axis1, axis2: xp.diagonal(g, offset=offset, axis1=axis1, axis2=axis2))
def put_diagonal(xp, x, *, shape, offset=0, axis1=0, axis2=1):
    """Zeros of `shape` with x on a diagonal."""
    out = xp.zeros(shape, dtype=x.dtype)
    xp.diagonal(out, offset, axis1, axis2)[...] = x
    return out


@op(x=lambda xp, g, k: xp.tril(g, k=k))
def _tril(xp, x, *, k=0):
    """The matrices x with zeros above the k-th diagonal."""
    return xp.tril(x, k)


@op(x=lambda xp, g, k: xp.triu(g, k=k))
def _triu(xp, x, *, k=0):
    """The matrices x with zeros below the k-th diagonal."""
    return xp.triu(x, k)


@method()
def tril(x: Tensor, diagonal: int = 0) -> Tensor:
    """The matrices x with zeros above a diagonal: the main one for 0, those above it for 1, 2, ..., below for -1, ...

    >>> import lucid
    >>> lucid.ones(2, 3).tril(1)
    tensor([[1., 1., 0.],
            [1., 1., 1.]])
    """
    return _tril(_matrices("tril", x), k=as_int("tril", "diagonal", diagonal))


@method()
def triu(x: Tensor, diagonal: int = 0) -> Tensor:
    """The matrices x with zeros below a diagonal."""
    return _triu(_matrices("triu", x), k=as_int("triu", "diagonal", diagonal))


def _matrices(name: str, x: Tensor) -> Tensor:
    if ndim_of(name, x) < 2:
        raise ValueError(f"{name}: expected a matrix or a batch of them, (..., n, m), got shape {x.shape}")
    return x


@method()
def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two dims, as a last dim in their place: a view. A positive `offset` is a diagonal above.
    Raises ValueError if the dims are one and the same."""
    ndim = ndim_of("diagonal", x)
    first, second = axis_of("diagonal", dim1, ndim), axis_of("diagonal", dim2, ndim)
    if first == second:
        raise ValueError(f"diagonal: expected two different dims, got {dim1} and {dim2} of shape {x.shape}")
    return _diagonal(x, offset=offset, axis1=first, axis2=second)


@method()
def diag(x: Tensor, diagonal: int = 0) -> Tensor:
    """A 1-D tensor as the diagonal of a square matrix of zeros, or the diagonal of a matrix as a 1-D tensor. Raises
    ValueError for another number of dims."""
    if ndim_of("diag", x) == 1:
        n = x.shape[0] + abs(diagonal)
        return put_diagonal(x, shape=(n, n), offset=diagonal)
    if x.ndim != 2:
        raise ValueError(f"diag: expected 1 or 2 dims, got shape {x.shape}; diagonal() takes those of a batch")
    return _diagonal(x, offset=diagonal).clone()


@method()
def trace(x: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix. Raises ValueError if x is not 2-D."""
    if ndim_of("trace", x) != 2:
        batch = "x.diagonal(0, -2, -1).sum(-1) is that of a batch"
        raise ValueError(f"trace: expected a matrix, got shape {x.shape}; {batch}")
    return sum(_diagonal(x))


@method()
def select(x: Tensor, dim: int, index: int) -> Tensor:
    """The slice of x at `index` along `dim`, which it no longer has: a view. Raises IndexError if there is none."""
    axis = axis_of("select", dim, ndim_of("select", x))
    if not -x.shape[axis] <= (index := as_int("select", "index", index)) < x.shape[axis]:
        raise IndexError(f"select: index {index} is out of range for the {x.shape[axis]} of dim {dim}")
    return _along(x, axis, index)


@method()
def unflatten(x: Tensor, dim: int, sizes: Any) -> Tensor:
    """x with `dim` cut up into several dims, one of which may be -1: the reverse of `flatten`. Raises ValueError if the
    sizes do not fit."""
    axis = axis_of("unflatten", dim, ndim_of("unflatten", x))
    lengths, n = core.sizes("unflatten", (sizes,)), x.shape[axis]
    known = math.prod(m for m in lengths if m != -1)
    lengths = tuple([n // max(known, 1) if m == -1 else m for m in lengths])
    if not lengths or min(lengths) < 0 or math.prod(lengths) != n:
        raise ValueError(f"unflatten: the {n} of dim {dim} do not make sizes {sizes!r}")
    return _reshape(x, shape=(*x.shape[:axis], *lengths, *x.shape[axis + 1 :]))


@method()
def tensor_split(x: Tensor, indices_or_sections: int | Sequence[int] | Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of x cut along `dim` into so many, the first ones longer by 1 where it does not come out even, or before
    each of several indices. Raises ValueError for less than one."""
    axis = axis_of("tensor_split", dim, ndim_of("tensor_split", x))
    n, given = x.shape[axis], indices_or_sections
    cuts: Any = given.tolist() if isinstance(given, Tensor) else given
    if hasattr(cuts, "__index__"):
        if not 1 <= (cuts := as_int("tensor_split", "sections", cuts)) < 2**31:
            raise ValueError(f"tensor_split: expected 1 or more sections, below 2**31, got {cuts}")
        cuts = [k * (n // cuts) + min(k, n % cuts) for k in range(1, cuts)]
    return tuple(_along(x, axis, slice(*ends)) for ends in pairwise([0, *core.sizes("tensor_split", (cuts,)), None]))


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors joined along dim 1, or along dim 0 where they have one dim or none."""
    rows = [x if ndim_of("hstack", x) else x.reshape(1) for x in _list_of_tensors("hstack", tensors, 0)[0]]
    return cat(rows, int(bool(rows) and rows[0].ndim > 1))


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors joined along dim 0, those with one dim or none as rows."""
    rows = _list_of_tensors("vstack", tensors, 0)[0]
    return cat([x if ndim_of("vstack", x) > 1 else x.reshape(1, -1) for x in rows])


@method()
def diff(x: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    """The differences of neighbours along `dim`, out[i] = x[i + 1] - x[i], taken n times; of bools whether they differ.
    `prepend` and `append` are joined to x first. Raises ValueError for a negative n."""
    axis = axis_of("diff", dim, ndim_of("diff", x))
    parts = [t for t in (prepend, x, append) if t is not None]
    x = cat(parts, axis) if len(parts) > 1 else x
    for _ in range(min(check_count("diff", "n", n), x.shape[axis])):
        after, before = _along(x, axis, slice(1, None)), _along(x, axis, slice(0, -1))
        x = after ^ before if x.dtype.kind == "b" else after - before
    return x


@method()
def repeat_interleave(x: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: Any = None) -> Tensor:
    """x with each slice along `dim` (without one, each element of x flattened) `repeats` times in a row, an int or for
    each a number in a 1-D tensor; `repeat_interleave(repeats)` gives the indices alone. Raises ValueError for negative
    repeats, or another number of them.

    >>> import lucid
    >>> lucid.tensor([1, 2]).repeat_interleave(lucid.tensor([3, 1]))
    tensor([1, 1, 1, 2])
    """
    ndim, xp = ndim_of("repeat_interleave", x), namespace(x._array)
    x, repeats = (Tensor(xp.arange(x._array.size)), x) if repeats is None else (x, repeats)
    x, axis = (flatten(x), 0) if dim is None else (x, axis_of("repeat_interleave", dim, ndim))
    n = x.shape[axis]
    if not isinstance(repeats, Tensor):
        times = check_count("repeat_interleave", "repeats", repeats)
        return _along(x, axis, xp.arange(n * times) // max(times, 1))
    if repeats.dtype.kind not in "iu" or repeats.numel() not in (1, n) or bool((repeats < 0).any()):
        expected = f"expected repeats to be an int, or {n} integers of 0 or more in a 1-D tensor"
        raise ValueError(f"repeat_interleave: {expected}, got {repeats}")
    ends = expand(flatten(repeats), n).cumsum(0)._array
    total = output_size if output_size is not None else int(ends[-1]) if n else 0
    return _along(x, axis, xp.searchsorted(ends, xp.arange(total), side="right"))


def _indices(triangle: Any, doc: str) -> Any:
    name = f"{triangle.__name__}_indices"

    def indices(row: int, col: int, offset: int = 0, *, dtype: Any = int64, device: Any = None) -> Tensor:
        shape = check_count(name, "row", row), check_count(name, "col", col)
        mask = create_on(device, "ones", shape, dtype=bool_)
        found = namespace(mask).nonzero(triangle(Tensor(mask), as_int(name, "offset", offset))._array)
        return stack([Tensor(places) for places in found]).to(dtype)

    indices.__name__, indices.__qualname__, indices.__doc__ = name, name, doc
    return indices


_WHERE = "Where a matrix of `row` rows and `col` columns has its `{}`: the rows, and below these the columns, (2, k)."
tril_indices, triu_indices = _indices(tril, _WHERE.format("tril")), _indices(triu, _WHERE.format("triu"))
