"""Elements picked by their position or their rank, and put back: gather and its relatives, masks, sorting. Each
function has PyTorch's name, and most are also the method of that name."""

from __future__ import annotations

from typing import Any

from lucid.core.array import namespace
from lucid.core.node import Tensor, method
from lucid.core.op import op
from lucid.core.promotion import as_int, as_number, ndim_of, number, type_name
from lucid.core.shapes import _broadcast_to, axis_of, reshape
from lucid.ops import indexing
from lucid.ops.checks import check_within
from lucid.ops.elementwise import _where
from lucid.ops.indexing import ValuesIndices, _getitem, normal_index, pick, take_along
from lucid.ops.inplace import setitem
from lucid.ops.shapes import _along, joint_shape, narrow, of_numbers_too, stack

__all__ = [
    "argsort", "argwhere", "gather", "index_add", "index_fill", "index_put", "index_select", "masked_fill",
    "masked_scatter", "masked_select", "nonzero", "scatter", "scatter_add", "sort", "take_along_dim", "topk",
]  # fmt: skip


@method()
@of_numbers_too
def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """out[i][j] = x[index[i][j]][j] for dim 0; `index` holds integers, and has x's number of dims. Raises
    IndexError for an index that is not there, and ValueError if `index` has other dims than x, or is longer along
    one that is not `dim`."""
    axis = axis_of("gather", dim, ndim_of("gather", x))
    fits = ndim_of("gather", index) == x.ndim
    if not fits or any(m > n for i, (m, n) in enumerate(zip(index.shape, x.shape, strict=True)) if i != axis):
        mismatch = f"index of shape {index.shape} does not fit a tensor of shape {x.shape}"
        raise ValueError(f"gather: {mismatch} along dim {dim}")
    _check_index("gather", index, x.shape[axis], dim)
    return take_along(x, index, axis=axis)


@method()
@of_numbers_too
def index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of x along `dim` that the 1-D int tensor `index` names. Errors are those of `gather`."""
    axis = axis_of("index_select", dim, ndim_of("index_select", x))
    if ndim_of("index_select", index) > 1:
        raise ValueError(f"index_select: expected a 1-D index, got shape {index.shape}; x[:, index] takes any")
    _check_index("index_select", index, x.shape[axis], dim)
    return _along(x, axis, index._array.reshape(-1))


@method()
def take_along_dim(x: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` in which x and `indices` broadcast along the other dims; without `dim`, from x flattened. It
    takes what `argsort` and `argmax(keepdim=True)` give: x.take_along_dim(x.argsort(1), 1) is x sorted."""
    if dim is None:
        x, indices, dim = reshape(x, -1), reshape(indices, -1), 0
    axis = axis_of("take_along_dim", dim, ndim_of("take_along_dim", x))
    if ndim_of("take_along_dim", indices) != x.ndim:
        raise ValueError(f"take_along_dim: expected indices with {x.ndim} dims, as x has, got shape {indices.shape}")
    _check_index("take_along_dim", indices, x.shape[axis], dim)
    others = [shape[:axis] + (1,) + shape[axis + 1 :] for shape in (x.shape, indices.shape)]
    joint = joint_shape("take_along_dim", *others)
    x, indices = (_broadcast_to(t, shape=joint[:axis] + (t.shape[axis],) + joint[axis + 1 :]) for t in (x, indices))
    return take_along(x, indices, axis=axis)


@method()
@of_numbers_too
def scatter(x: Tensor, dim: int, index: Tensor, src: Any = None, *, value: float | None = None) -> Tensor:
    """x with the elements of `src`, a tensor or a number, at `index` along `dim`, the reverse of `gather`:
    out[index[i][j]][j] = src[i][j] for dim 0. Of several at one place the last one stays, and has the gradient.
    Raises what `gather` does, and ValueError if `index` is longer than `src` along a dim."""
    src = number(value if src is None else src)
    if src is None:
        raise ValueError("scatter: expected src, a tensor or a number, got neither src nor value")
    if not isinstance(src, Tensor):
        src = _broadcast_to(x.new_tensor(src), shape=index.shape)
    axis, src = _axis_and_source("scatter", x, dim, index, src)
    return setitem(x, src, index=indexing.grid_along(namespace(x._array), index._array, axis))


@method()
@of_numbers_too
def scatter_add(x: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """x with the elements of `src` added at `index` along `dim`: out[index[i][j]][j] += src[i][j] for dim 0. What
    is named twice is added twice. Errors are those of `scatter`.

    >>> import lucid
    >>> lucid.zeros(3).scatter_add(0, lucid.tensor([0, 2, 0]), lucid.tensor([1., 2., 4.]))
    tensor([5., 0., 2.])
    """
    axis, src = _axis_and_source("scatter_add", x, dim, index, src)
    return x + indexing.scatter_add_along(src, index, shape=x.shape, axis=axis)


def _axis_and_source(name: str, x: Tensor, dim: int, index: Tensor, src: Tensor) -> tuple[int, Tensor]:
    """`dim` counted from the front, and the part of `src` that `index` covers, all checked."""
    axis = axis_of(name, dim, ndim_of(name, x))
    fits = ndim_of(name, index) == x.ndim == ndim_of(name, src)
    lengths = enumerate(zip(index.shape, x.shape, src.shape, strict=fits))
    if not fits or not all(n <= s and (n <= m or i == axis) for i, (n, m, s) in lengths):
        raise ValueError(
            f"{name}: an index of shape {index.shape} and src of shape {src.shape} do not fit a tensor of shape "
            f"{x.shape} along dim {dim}; expected as many dims, and an index no longer than src, nor (but along {dim}) "
            f"than the tensor"
        )
    if src.dtype != x.dtype:
        raise TypeError(f"{name}: src is {src.dtype} and the tensor {x.dtype}; expected one dtype, use src.to(x.dtype)")
    _check_index(name, index, x.shape[axis], dim)
    if src.shape != index.shape:
        src = _getitem(src, index=tuple(slice(0, n) for n in index.shape))
    return axis, src


@method()
@of_numbers_too
def index_add(x: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """x with `alpha` times the slices of `source` along `dim` added to those that the 1-D `index` names.
    `source` has the shape of x, with a slice for each index along `dim`. Errors are those of `gather`."""
    axis = axis_of("index_add", dim, ndim_of("index_add", x))
    several = ndim_of("index_add", index) > 1
    expected = x.shape[:axis] + (index.numel(),) + x.shape[axis + 1 :]
    if several or source.shape != expected:
        got = f"got {index.shape} and {source.shape}"
        raise ValueError(f"index_add: expected a 1-D index and a source of shape {expected}, {got}")
    _check_index("index_add", index, x.shape[axis], dim)
    positions = (slice(None),) * axis + (index._array.reshape(-1),)
    return x + indexing.scatter_add(source if alpha == 1 else source * alpha, shape=x.shape, index=positions)


@method()
@of_numbers_too
def index_fill(x: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """x with `value`, a number, in the slices along `dim` that the 1-D `index` names. Errors are those of `gather`."""
    axis = axis_of("index_fill", dim, ndim_of("index_fill", x))
    if ndim_of("index_fill", index) > 1:
        raise ValueError(f"index_fill: expected a 1-D index, got shape {index.shape}")
    _check_index("index_fill", index, x.shape[axis], dim)
    value, row = value if isinstance(value, Tensor) else as_number("index_fill", "value", value), reshape(index, -1)
    hits = indexing.scatter_add(row.new_ones(row.shape).long(), shape=(x.shape[axis],), index=(row._array,))
    return _where(reshape(hits != 0, (-1, *(1,) * (x.ndim - axis - 1))), value, x)


@method()
def index_put(x: Tensor, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """x with `values` at x[indices], `indices` being a tuple of tensors; or with `accumulate` with these added there,
    as often as a place is named."""
    if not isinstance(indices, (tuple, list)):
        raise TypeError(f"index_put: expected indices to be a tuple of tensors, got {type_name(indices)}")
    index = normal_index(x, tuple(indices))
    values = values if isinstance(values, Tensor) else x.new_tensor(values)
    if not accumulate:
        return setitem(x, values, index=index)
    there = _getitem(x.detach(), index=index).shape
    return x + indexing.scatter_add(_broadcast_to(values, shape=there), shape=x.shape, index=index)


@method()
def masked_scatter(x: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """x with the elements of `source`, in their order, where the bool `mask` holds; x and the mask broadcast. Raises
    ValueError if `source` has too few, and what `masked_fill` does."""
    mask = _bool_mask("masked_scatter", x, mask)
    shape = joint_shape("masked_scatter", x.shape, mask.shape)
    x, mask = _broadcast_to(x, shape=shape), _broadcast_to(mask, shape=shape)
    needed = int(mask.sum())
    if (has := ndim_of("masked_scatter", source) and source.numel()) < needed:
        raise ValueError(f"masked_scatter: the mask holds {needed} times, but source has {has} elements")
    return setitem(x, _along(reshape(source, -1), 0, slice(0, needed)), index=(mask._array,))


@method("nonzero", "argwhere")
def nonzero(x: Tensor, as_tuple: Any = False) -> Any:
    """Where the elements are not 0: one row of indices for each, or with `as_tuple` one tensor for each dim."""
    array = x._array if ndim_of("nonzero", x) or not as_tuple else x._array.reshape(1)
    if not array.ndim:
        return x.new_zeros(int(bool(x)), 0).long()
    indices = tuple(Tensor(found) for found in namespace(array).nonzero(array))
    return indices if as_tuple else stack(indices, dim=1)


argwhere = nonzero


@method()
def masked_fill(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    """x with `value` wherever the bool tensor `mask` holds; the two broadcast. Raises TypeError for a mask that is
    not made of bools, and ValueError if the shapes do not broadcast."""
    value = value if isinstance(value, Tensor) else as_number("masked_fill", "value", value)
    return _where(_bool_mask("masked_fill", x, mask), value, x)


@method()
def masked_select(x: Tensor, mask: Tensor) -> Tensor:
    """The elements of x where the bool `mask` holds, in a row. Broadcasts and raises as `masked_fill`."""
    if _bool_mask("masked_select", x, mask).shape != x.shape:
        shape = joint_shape("masked_select", x.shape, mask.shape)
        x, mask = _broadcast_to(x, shape=shape), _broadcast_to(mask, shape=shape)
    return indexing.getitem_of(x, mask)


def _bool_mask(name: str, x: Tensor, mask: Tensor) -> Tensor:
    """The mask, if it is one."""
    if mask.dtype.kind != "b":
        raise TypeError(f"{name}: expected a bool mask, got {mask.dtype}; write t != 0")
    return mask


def _check_index(name: str, index: Tensor, n: int, dim: int) -> None:
    """Refuse what is not made of integers, and integers that are not within the n of a dim."""
    if index.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected an index of integers, got {index.dtype}")
    text = f"out of range for the {n} of dim {dim}"
    check_within(index._array, n, f"{name}: index {{}} is {text}", f"{name}: an index is {text}")


@op()
def _argsort(xp, x, *, axis, descending=False):
    """The indices that would sort x along an axis; equals keep their order, NaN counts as the largest."""
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    last = x.shape[axis] - 1
    return last - xp.flip(xp.argsort(xp.flip(x, axes=(axis,)), axis=axis, kind="stable"), axes=(axis,))


@method()
def argsort(x: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The int64 indices that sort x along `dim`; equals keep their order, always, and NaN is the largest."""
    return _order("argsort", x, dim, descending)


def _order(name: str, x: Tensor, dim: int, descending: bool) -> Tensor:
    if not (ndim := ndim_of(name, x)):
        return reshape(_order(name, reshape(x, 1), dim, descending), ())
    return _argsort(x, axis=axis_of(name, dim, ndim), descending=descending)


@method()
def sort(x: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> ValuesIndices:
    """x sorted along `dim`, and the index in x of each value. Equals keep their order, with `stable` and without; NaN
    is the largest. The gradient of each value goes to the element it was.

    >>> import lucid
    >>> lucid.tensor([3., 1., 2.]).sort(descending=True).values
    tensor([3., 2., 1.])
    """
    return pick(x, _order("sort", x, dim, descending), dim)


@method()
def topk(x: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
    """The k largest (or smallest) elements along `dim`, best first, and their indices; of equals the first.
    `sorted=False` makes no difference here. Raises ValueError if there are not k."""
    ndim = ndim_of("topk", x)
    n = x.shape[axis_of("topk", dim, ndim)] if ndim else 1
    if not 0 <= (k := as_int("topk", "k", k)) <= n:
        raise ValueError(f"topk: expected k to be an int from 0 to {n}, the length of dim {dim}, got {k}")
    indices = _order("topk", x, dim, largest)
    return pick(x, narrow(indices, dim, 0, k).clone() if ndim else indices, dim)
