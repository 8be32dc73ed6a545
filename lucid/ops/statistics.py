"""Statistics: medians and quantiles, running maxima, means beside their deviations, counts, and what is in a tensor and
where it belongs (unique, bincount, searchsorted). Most are made of other operations.
"""

from __future__ import annotations

import math
from typing import Any

from lucid.core.array import float16, float64, from_data, namespace
from lucid.core.elementwise import positive
from lucid.core.node import Tensor, method
from lucid.core.op import op
from lucid.core.promotion import ndim_of, number
from lucid.core.reductions import Dim, mean, sum
from lucid.core.shapes import axis_of, reshape
from lucid.ops import indexing
from lucid.ops.checks import check_count, check_integers
from lucid.ops.elementwise import _where, ceil, floor, isinf, isnan, ne, round
from lucid.ops.indexing import ValuesIndices, pick, take_along
from lucid.ops.reductions import _extreme_vjp, _shifted, along_dim, any, std, var
from lucid.ops.shapes import flatten, movedim, of_numbers_too
from lucid.ops.sort_index import _argsort, sort

__all__ = [
    "bincount", "count_nonzero", "cummax", "cummin", "equal", "logcumsumexp", "median", "nanmean", "quantile",
    "searchsorted", "std_mean", "unique", "var_mean",
]  # fmt: skip


@op(in_single=True, x=lambda xp, g, x, out: _extreme_vjp(xp, g, x, out, None))
def _median(xp, x):
    """The median of all elements, NaN if there is one or nothing at all; ties share the gradient evenly."""
    if not x.size:
        return xp.full((), math.nan, dtype=x.dtype if x.dtype.kind == "f" else "float32")
    order = xp.sort(x.reshape(-1))
    return xp.where(xp.isnan(order[-1]), order[-1], order[(x.size - 1) // 2])  # NaN is the largest


@method()
@of_numbers_too
def median(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median of all elements, of an even number the lower of the two in the middle; with a `dim`, (values, indices)
    along it. NaN where there is one. Along a `dim` the gradient goes to the element at the index alone; over all
    elements those that are equal to the median share it evenly. Raises IndexError for a `dim` without elements."""
    if dim is None:
        return _median(x)
    axis = axis_of("median", dim, ndim_of("median", x))
    if not (n := x.shape[axis]):
        raise IndexError(f"median: expected elements along dim {dim}, got shape {x.shape}")
    gaps = isnan(x).sum(axis, keepdim=True)
    place = _where(gaps > 0, n - gaps, (n - 1) // 2)  # NaN is the largest: the first one is behind all numbers
    picked = pick(x, take_along(_argsort(x, axis=axis), place, axis=axis), axis)
    return picked if keepdim else ValuesIndices(*[t.squeeze(axis) for t in picked])


@method()
def quantile(
    x: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """What the share `q`, in [0, 1], of the elements along `dim` is below: the sorted ones at the rank q * (n - 1), and
    between two ranks "linear", "lower", "higher", "midpoint" or "nearest". NaN where there is one. A 1-D tensor of
    several q gives a new first dim. Raises ValueError for q outside of [0, 1], no elements, or another interpolation.
    """
    axis = axis_of("quantile", 0 if dim is None else dim, max(ndim_of("quantile", x), 1))
    rows = flatten(x) if dim is None or not x.ndim else movedim(x, axis, -1)  # (..., n)
    n, q = rows.shape[-1], q if isinstance(q, Tensor) else Tensor(from_data(q, float64, x.device))
    odd = q.device == "cpu" and not bool(((q >= 0) & (q <= 1)).all())  # on a GPU that would be a wait
    if x.dtype.kind != "f" or interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        expected = "expected floats, and interpolation 'linear', 'lower', 'higher', 'midpoint' or 'nearest'"
        raise ValueError(f"quantile: {expected}, got {x.dtype} and {interpolation!r}")
    if q.ndim > 1 or not n or odd:
        expected = "expected elements, and q to be a number in [0, 1] or 1-D with such"
        raise ValueError(f"quantile: {expected}, got shape {x.shape} and {q.tolist()}")
    rank = reshape(q, -1) * (n - 1)
    rank = round(rank) if interpolation == "nearest" else rank
    spoiled, values = any(isnan(rows), -1, True), sort(rows, -1).values  # NaN is the largest
    low, high = (_where(spoiled, n - 1, f(rank.detach())).long() for f in (floor, ceil))  # (..., k)
    below, above = (take_along(values, place, axis=-1) for place in (low, high))
    part = {"lower": 0, "nearest": 0, "higher": 1, "midpoint": 0.5}.get(interpolation)
    part = (rank - floor(rank.detach())).to(x.dtype) if part is None else part
    with namespace(x._array).quiet():  # inf - inf
        whole = (low == high) | isinf(below) & (below == above)
        out = movedim(_where(whole, below, below + (above - below) * part), -1, 0)
    if keepdim:
        out = reshape(out, [len(out), *(1 if dim is None or i == axis else m for i, m in enumerate(x.shape))])
    return out if q.ndim else out[0]


@method()
def nanmean(x: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over `dim` of the elements that are not NaN; NaN of none."""
    x = x if dtype is None else x.to(dtype)
    with namespace(x._array).quiet():
        total = sum(_where(isnan(x), 0, x.float() if x.dtype == float16 else x), dim, keepdim)
        out = total / sum(~isnan(x), dim, keepdim)
    return out.half() if x.dtype == float16 else out


@method()
def count_nonzero(x: Tensor, dim: Dim = None) -> Tensor:
    """How many elements over `dim` are other than 0, as NaN is."""
    return sum(ne(x, 0), dim)


def _with_mean(spread: Any) -> Any:
    def both(x: Tensor, dim: Dim = None, correction: Any = 1, keepdim: bool = False, *, unbiased: Any = None) -> Any:
        over = None if isinstance(number(dim), bool) else dim  # x.std(False) is PyTorch's x.std(unbiased=False)
        return spread(x, dim, correction, keepdim, unbiased=unbiased), mean(x, over, keepdim)

    both.__name__ = both.__qualname__ = f"{spread.__name__}_mean"
    both.__doc__ = f"`{spread.__name__}` and `mean` over `dim`."
    return both


std_mean, var_mean = _with_mean(std), _with_mean(var)


@along_dim(of_a_number=positive)
@op(floats=True, in_single=True, x=lambda xp, g, x, out, axis: _logcumsumexp_vjp(xp, g, x, out, axis))
def logcumsumexp(xp, x, *, axis):
    """The running `logsumexp` along `dim`: out[i] = log(exp(x[0]) + ... + exp(x[i])), without overflow."""
    out = x.copy()
    steps = out.swapaxes(0, axis)
    for i in range(1, len(steps)):
        steps[i] = xp.logaddexp(steps[i - 1], steps[i])
    return out


def _logcumsumexp_vjp(xp, g, x, out, axis):
    """exp(x[k] - out[k]) times the sum of g[i] exp(out[k] - out[i]) for i from k on: a running sum from the end, which
    fades, as `out` never falls. Elements of -inf have no share, and take nothing on."""
    turned = xp.flip(out, axes=(axis,))
    fade = xp.exp(xp.where(turned == -math.inf, -math.inf, turned - _shifted(xp, turned, axis, math.inf)))
    total = xp.flip(xp.recurrence(xp.flip(g, axes=(axis,)), fade, axis=axis), axes=(axis,))
    return total * xp.exp(x - xp.where(out == -math.inf, 0, out))


@op()
def _running_place(xp, x, *, axis, largest):
    """The index of the largest (or smallest) element up to each place along an axis, the last of equals or of NaN."""
    out = xp.zeros(x.shape, dtype="int64")
    steps, places = x.swapaxes(0, axis), out.swapaxes(0, axis)
    best = steps[:1]
    for i in range(1, len(steps)):
        new = steps[i : i + 1]
        better = (new >= best if largest else new <= best) | xp.isnan(new)
        best, places[i] = xp.where(better, new, best), xp.where(better[0], i, places[i - 1])
    return out


def _running(name: str, what: str, largest: bool) -> Any:
    def running(x: Tensor, dim: int) -> ValuesIndices:
        axis = axis_of(name, dim, ndim_of(name, x))
        return pick(x, _running_place(x, axis=axis, largest=largest), axis)

    running.__name__ = running.__qualname__ = name
    running.__doc__ = f"The {what} element so far along `dim`, and its index, the last of equals; NaN once one was."
    return method()(of_numbers_too(running))


cummax, cummin = _running("cummax", "largest", True), _running("cummin", "smallest", False)


@method()
def equal(x: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape and the same elements; a NaN is not equal to itself."""
    return x.shape == other.shape and bool((x == other).all())


@method()
def unique(
    x: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements of x, each once, in ascending order (always); with a `dim`, the slices along it. If asked for, in a
    tuple with them: for each element its place among them, and how often each occurs. There is no gradient."""
    axis = axis_of("unique", dim, ndim) if (ndim := ndim_of("unique", x)) and dim is not None else None
    found = namespace(x._array).unique(x._array, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    inverse = found[1].reshape(x.shape if axis is None else x.shape[axis])
    asked = [found[0], *[inverse] * bool(return_inverse), *[found[2]] * bool(return_counts)]
    return tuple(map(Tensor, asked)) if len(asked) > 1 else Tensor(found[0])


@method()
def bincount(x: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often 0, 1, 2, ... occur in a 1-D tensor of integers, up to the largest of them and at least `minlength`; or
    the sums of the `weights` there. Raises ValueError for negative integers, another shape, or weights of another."""
    check_integers("bincount", "x", x)
    check_count("bincount", "minlength", minlength)
    given = x if weights is None else weights
    if x.ndim != 1 or given.shape != x.shape or x.numel() and x.min() < 0:
        expected = "expected x to be 1-D with integers of 0 or more, and weights of its shape"
        raise ValueError(f"bincount: {expected}, got shapes {x.shape} and {given.shape}")
    n = int(x.max()) + 1 if x.numel() else 0
    added = x.new_ones(x.shape).long() if weights is None else given if given.dtype.kind == "f" else given.double()
    return indexing.scatter_add(added, shape=(max(n, minlength),), index=(x._array,))


def searchsorted(
    sorted_sequence: Tensor, values: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where in a 1-D tensor in ascending order each of `values` would be inserted: before what equals it, or with
    `right` (or side="right") behind. Of more dims, the rows of the one are searched for those of the other. `sorter` is
    the `argsort` of a sequence that is not in order. Raises ValueError where the leading dims differ."""
    ordered, side = sorted_sequence, side or ("right" if right else "left")
    ndim, xp = ndim_of("searchsorted", ordered), namespace(ordered._array)
    if side not in ("left", "right") or right and side == "left":
        raise ValueError(f"searchsorted: expected side to be 'left' or 'right', as `right` has it, got {side!r}")
    if not isinstance(values, Tensor):
        values = Tensor(from_data(values, ordered.dtype if ordered.dtype.kind == "f" else None, ordered.device))
    if not ndim or ndim > 1 and ordered.shape[:-1] != values.shape[:-1]:
        expected = "expected a 1-D sequence, or values with its leading dims"
        raise ValueError(f"searchsorted: {expected}, got shapes {ordered.shape} and {values.shape}")
    ordered = ordered if sorter is None else take_along(ordered, sorter, axis=-1)
    count = math.prod(ordered.shape[:-1])
    found = xp.zeros((count, values.numel() // max(count, 1)), dtype="int32" if out_int32 else "int64")
    rows, wanted = ordered._array.reshape(count, ordered.shape[-1]), values._array.reshape(found.shape)
    for i in range(count):
        found[i] = xp.searchsorted(rows[i], wanted[i], side=side)
    return Tensor(found.reshape(values.shape))
