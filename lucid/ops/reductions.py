"""The rest of the reductions, and what else works along a dim: any, all, min, max and where they are,
products, variances, norms, softmax, running sums. The first ones, sum and mean, are in core/reductions.py.
"""

from __future__ import annotations

import builtins
import math
from functools import wraps
from typing import Any

from lucid.core import reductions as core
from lucid.core.array import is_array, ndarray
from lucid.core.backward import gradients_of
from lucid.core.node import Tensor, method
from lucid.core.op import on_tensors, op
from lucid.core.promotion import as_int, as_number, ndim_of, number
from lucid.core.reductions import count, expand_reduced, reduction
from lucid.ops.checks import known_within
from lucid.ops.elementwise import abs, maximum, minimum
from lucid.ops.indexing import ValuesIndices, pick
from lucid.ops.refusals import naming

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logsumexp", "max", "min",
    "norm", "prod", "softmax", "std", "var",
]  # fmt: skip


def _extreme_vjp(xp, g, x, out, axis):
    ties = xp.astype((x == expand_reduced(xp, out, x.shape, axis)) | (x != x), dtype=x.dtype)  # NaN is the extreme
    return expand_reduced(xp, g, x.shape, axis) * (ties / xp.sum(ties, axis=axis, keepdims=True))


@reduction
@op(in_single=True, x=_extreme_vjp)
def amax(xp, x, *, axis=None, keepdims=False):
    """The largest element over `dim`, NaN if there is one; ties share the gradient evenly."""
    return xp.max(x, axis=axis, keepdims=keepdims)


@reduction(several=False)
@op()
def argmax(xp, x, *, axis=None, keepdims=False):
    """The int64 index of the largest element, the first of several; without `dim`, into the flattened tensor."""
    return x.argmax(axis=axis, keepdims=keepdims)


def _dim_by_name(function: Any) -> Any:
    """`max` or `min`, to which a keyword `dim` is no other operand, whatever it is given."""

    @wraps(function)
    def call(x, *args, **options):
        if options.get("dim") is not None:
            options["dim"] = as_int(function.__name__, "dim", options["dim"])
        return function(x, *args, **options)

    return method()(naming(call))


@_dim_by_name
def max(x: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest of all elements; with an int `dim`, (values, indices) along it; with a tensor, `maximum`.

    Along a `dim` the gradient goes to the element at the index alone; over all elements ties share it evenly.

    >>> import lucid
    >>> lucid.tensor([[1., 5.], [7., 2.]]).max(dim=1).indices
    tensor([1, 0])
    """
    return _extreme(maximum, amax, argmax, x, dim, keepdim)


def _extreme(of_two: Any, of_all: Any, index_of: Any, x: Tensor, dim: Any, keepdim: bool) -> Any:
    if dim is None:
        return of_all(x)
    if type(dim) is not int and (isinstance(dim, (Tensor, float)) or is_array(dim)):
        return of_two(x, dim)
    dim = as_int(index_of.__name__.removeprefix("arg"), "dim", dim, "; or a tensor to compare with")
    picked = pick(x, index_of(x, dim, True), dim)
    return picked if keepdim or not x.ndim else ValuesIndices(*[t.squeeze(dim) for t in picked])


@reduction(several=False)
@op()
def argmin(xp, x, *, axis=None, keepdims=False):
    """The int64 index of the smallest element, the first of several; without `dim`, into the flattened tensor."""
    return x.argmin(axis=axis, keepdims=keepdims)


@reduction
@op()
def any(xp, x, *, axis=None, keepdims=False):
    """Whether any element over `dim` is not 0."""
    return x.any(axis=axis, keepdims=keepdims)


@reduction
@op()
def all(xp, x, *, axis=None, keepdims=False):
    """Whether no element over `dim` is 0."""
    return x.all(axis=axis, keepdims=keepdims)


@reduction
@op(in_single=True, x=_extreme_vjp)
def amin(xp, x, *, axis=None, keepdims=False):
    """The smallest element over `dim`, NaN if there is one; ties share the gradient evenly."""
    return xp.min(x, axis=axis, keepdims=keepdims)


@_dim_by_name
def min(x: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest of all elements; with an int `dim`, (values, indices) along it; with a tensor, `minimum`."""
    return _extreme(minimum, amin, argmin, x, dim, keepdim)


@reduction(converts=True)
@op(in_single=True, x=lambda xp, g, x, axis: expand_reduced(xp, g, x.shape, axis) * _others(xp, x, axis))
def prod(xp, x, *, axis=None, keepdims=False):
    """The product over `dim`. Its gradient, for each element the product of the others, divides by nothing: it is
    right where elements are 0, to any order."""
    return core.widen_integers(x).prod(axis=axis, keepdims=keepdims)


def _others(xp, x, axis):
    """For each element the product of the others that are reduced with it."""
    ndim = len(x.shape)
    axes = ((axis,) if isinstance(axis, int) else axis) if axis is not None and ndim else range(ndim)
    axes = tuple(a % ndim for a in axes)
    order = tuple(i for i in range(ndim) if i not in axes) + axes  # the reduced axes last, then as one of length n
    moved = xp.transpose(x, axes=order)
    n, shape = count(x.shape, axes), moved.shape
    rows = xp.reshape(moved, shape=(*shape[: ndim - len(axes)], n))
    turned = xp.flip(rows, axes=(-1,))
    ahead, behind = (_shifted(xp, xp.cumprod(each, axis=-1), -1, 1.0) for each in (rows, turned))
    rest = xp.reshape(ahead * xp.flip(behind, axes=(-1,)), shape=shape)
    return xp.transpose(rest, axes=tuple(sorted(range(ndim), key=lambda i: order[i])))


def with_correction(operation: Any) -> Any:
    """The public form of a variance: `dim`, `correction` (or `unbiased`) and `keepdim`; see `reduction`."""

    def reduced(x, dim=None, correction=1, keepdim=False, *, unbiased=None):
        if isinstance(number(dim), bool):  # PyTorch's x.var(unbiased)
            dim, unbiased = None, number(dim)
        n = as_number(operation.__name__, "correction", correction if unbiased is None else int(bool(unbiased)))
        return operation(x, axis=core.axes(operation.__name__, dim), correction=n, keepdims=keepdim)

    return method()(naming(core.public_form(operation, reduced)))


@with_correction
@op(floats=True, in_single=True, x=lambda xp, g, x, axis, correction: _var_vjp(xp, g, x, axis, correction))
def var(xp, x, *, axis=None, correction=1, keepdims=False):
    """sum((x - mean(x)) ** 2) / (n - `correction`) over `dim`, the variance (1: the unbiased estimate; 0: plainly)."""
    return with_room(xp, lambda x: _squares(xp, x, axis, correction, keepdims), x, 1e30)


def with_room(xp, f, x, bound):
    """f(x), a root of squares or such. Unless that is known to be between 1 / `bound` and `bound`, where no square has
    left the range of single precision, it is computed in double; on a GPU always, so that nobody waits to know."""
    with xp.quiet():
        if type(getattr(x, "_array", x)) is ndarray and known_within(out := f(x), 1 / bound, bound):
            return out
        return xp.astype(f(xp.astype(x, dtype="float64")), dtype=x.dtype)


def _centred(xp, x, axis):
    """x without its mean. The first element goes first: of constant data nothing is left then, not even rounding."""
    kept = core.keepdims_shape(x.shape, axis)
    first = tuple(slice(0, 1) if k == 1 else slice(None) for k in kept)
    x = x - xp.getitem(x, index=(*first, Ellipsis))
    return x - xp.mean(x, axis=axis, keepdims=True)


def _degrees(x_shape, axis, correction):
    """The degrees of freedom: how many elements there are, less `correction`, but not below 0."""
    return builtins.max(count(x_shape, axis) - correction, 0)


def _squares(xp, x, axis, correction, keepdims):
    away, n = _centred(xp, x, axis), _degrees(x.shape, axis, correction)
    return xp.sum(away * away, axis=axis, keepdims=keepdims) / n  # 0 / 0 for one element and correction=1


def _var_vjp(xp, g, x, axis, correction):
    weight = 2 * core.mean_weight(_degrees(x.shape, axis, correction))
    return _centred(xp, x, axis) * (expand_reduced(xp, g, x.shape, axis) * weight)


# Constant data has no spread, and no direction in which it grows: the gradient there is 0, as in PyTorch, where the
# formula alone would say 0 / 0.
@with_correction
@op(floats=True, in_single=True, x=lambda xp, g, x, out, axis, correction: (
    _root_vjp(xp, g * core.mean_weight(_degrees(x.shape, axis, correction)), _centred(xp, x, axis), out, axis)
))  # fmt: skip
def std(xp, x, *, axis=None, correction=1, keepdims=False):
    """The standard deviation over `dim`, sqrt(var(x)); its gradient for constant data is 0."""
    return with_room(xp, lambda x: xp.sqrt(_squares(xp, x, axis, correction, keepdims)), x, 1e15)


def _root_vjp(xp, g, x, out, axis):
    """x / out * g: the gradient of out, the root of a sum of x * x. Where out is 0 it is 0, and nothing is divided by
    0, so further derivatives are clean as well; in the next one g / out has its limit, the slope of g along out."""
    limit = 0.0
    if xp is on_tensors and g._node is not None and not known_within(out, 0, math.inf):
        slopes = gradients_of([g], [xp.zeros_like(g) + 1], True, True, {out._node})
        limit = xp.where(g == 0, dict(slopes).get(out._node, 0.0), 0.0)
    g, size = xp.where(out == 0, limit, g), xp.where(out == 0, 1, out)
    return x / expand_reduced(xp, size, x.shape, axis) * expand_reduced(xp, g, x.shape, axis)


@op(floats=True, in_single=True, x=lambda xp, g, x, out, ord, axis: _norm_vjp(xp, g, x, out, ord, axis))
def _norm(xp, x, *, ord=2.0, axis=None, keepdims=False):
    """(sum |x|**ord) ** (1 / ord); the number of nonzeros for ord = 0. The gradient at 0 is 0."""
    if ord == 0:
        return xp.sum((x != 0).astype(x.dtype), axis=axis, keepdims=keepdims)

    def root(x):
        total = xp.sum(x * x if ord == 2 else xp.abs(x) ** ord, axis=axis, keepdims=keepdims)
        return xp.sqrt(total) if ord == 2 else total if ord == 1 else total ** (1 / ord)

    return with_room(xp, root, x, 10 ** builtins.min(30 / builtins.abs(ord), 300))


def _norm_vjp(xp, g, x, out, ord, axis):
    if ord == 2:
        return _root_vjp(xp, g, x, out, axis)
    g, out = expand_reduced(xp, g, x.shape, axis), expand_reduced(xp, out, x.shape, axis)
    if ord == 1:
        return g * xp.sign(x)
    if ord == 0:
        return xp.zeros_like(x)
    size = xp.abs(x)  # where it is 0, 1 stands in: sign(x) = 0 makes the product 0, and 0 ** (ord - 2) is never taken
    ratio = xp.where(size == 0, 1, size) / xp.where(out == 0, 1, out)
    return g * xp.sign(x) * ratio ** (ord - 1)


@method()
def norm(x: Tensor, p: Any = 2, dim: core.Dim = None, keepdim: bool = False) -> Tensor:
    """(sum |x|**p) ** (1 / p) over `dim`, for any number p; the largest or smallest magnitude for inf or -inf.
    Raises ValueError for a `p` that is not a number ("fro" is accepted for 2)."""
    p = 2 if isinstance(p, str) and p == "fro" else number(p)
    if not isinstance(p, (int, float)) or p != p:
        raise ValueError(f"norm: expected p to be a number, inf or -inf, got {p!r}")
    if p in (math.inf, -math.inf):
        return (amax if p > 0 else amin)(abs(x), core.axes("norm", dim), keepdim)
    return _norm(x, ord=float(p), axis=core.axes("norm", dim), keepdims=keepdim)


@reduction
@op(
    floats=True, in_single=True,
    x=lambda xp, g, x, out, axis: expand_reduced(xp, g, x.shape, axis) * _shares(xp, x, out, axis),
)  # fmt: skip
def logsumexp(xp, x, *, axis=None, keepdims=False):
    """log(sum(exp(x))) over `dim`, without overflow."""
    top = (xp.max if x.size else xp.sum)(x, axis=axis, keepdims=True)  # of nothing the sum is 0, and there is no max
    top = xp.where(top == -math.inf, 0, top)
    total = xp.sum(xp.exp(minus(xp, x, top)), axis=axis, keepdims=True)
    with xp.quiet():  # all -inf: log 0 is the answer
        out = xp.log(total) + top
    return out if keepdims else xp.sum(out, axis=axis)


def minus(xp, x, top):
    """x less its maximum: nothing above 0 for exp. Where that is infinite it is 0, and -inf for all else."""
    if known_within(top, -math.inf, math.inf):
        return x - top
    return xp.where(x == math.inf, 0, xp.where(x == math.inf, 0, x) - top)


def _shares(xp, x, out, axis):
    out = expand_reduced(xp, out, x.shape, axis)
    x = xp.where((x == math.inf) & (out == math.inf), 0, x - xp.where(out == -math.inf, 0, out))
    return xp.exp(x)  # all -inf: no element has a share, and 0 it is


def along_dim(of_a_number: Any = None, hint: str = "") -> Any:
    """A decorator: the public form of an operation along one dim that must be named, also the method of that name. A
    0-d tensor, which has no dim, is given to `of_a_number`; the `hint` ends the error where `dim` is no int."""

    def decorate(operation: Any) -> Any:
        name = operation.__name__

        def along(x: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
            if type(dim) is not int:
                dim = as_int(name, "dim", dim, hint)
            if dtype is not None:
                x = x.to(dtype)
            if of_a_number is not None and not ndim_of(name, x):
                return of_a_number(x)
            return operation(x, axis=dim)

        return method()(naming(core.public_form(operation, along)))

    return decorate


CLASSES = "; classes are usually the last one, dim=-1"


def softmax_vjp(xp, g, out, axis):
    """The gradient of a softmax's input."""
    return out * (g - xp.sum(g * out, axis=axis, keepdims=True))


@along_dim(hint=CLASSES)
@op(floats=True, in_single="cpu", x=softmax_vjp)
def softmax(xp, x, *, axis):
    """exp(x) / sum(exp(x)) along `dim`, without overflow."""
    if not x.size:
        return x.copy()
    e = xp.exp(minus(xp, x, xp.max(x, axis=axis, keepdims=True)))
    e /= xp.sum(e, axis=axis, keepdims=True)
    return e


@along_dim(hint=CLASSES)
@op(floats=True, in_single="cpu", x=lambda xp, g, out, axis: g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True))
def log_softmax(xp, x, *, axis):
    """log(softmax(x)) along `dim`, without overflow."""
    if not x.size:
        return x.copy()
    out = minus(xp, x, xp.max(x, axis=axis, keepdims=True))
    out -= xp.log(xp.sum(xp.exp(out), axis=axis, keepdims=True))
    return out


@along_dim(of_a_number=core.sum)
@op(in_single=True, x=lambda xp, g, axis: xp.flip(xp.cumsum(xp.flip(g, axes=(axis,)), axis=axis), axes=(axis,)))
def cumsum(xp, x, *, axis):
    """The running sum along `dim`: out[i] = x[0] + ... + x[i]."""
    return core.widen_integers(x).cumsum(axis=axis)


@along_dim(of_a_number=prod)
@op(in_single=True, x=lambda xp, g, x, out, axis: _shifted(xp, out, axis, 1.0) * _recurrence_vjp(xp, g, x, axis))
def cumprod(xp, x, *, axis):
    """The running product along `dim`: out[i] = x[0] * ... * x[i].

    Its gradient, the product of the elements before x[k] times the sum of g[i] x[k + 1] ... x[i] for all i
    from k on, divides by nothing: it is right where elements are 0, to any order."""
    return core.widen_integers(x).cumprod(axis=axis)


@op(
    shared={"d": lambda xp, g, x, axis: _recurrence_vjp(xp, g, x, axis)}, a=lambda xp, g, d: d,
    x=lambda xp, g, d, out, axis: d * _shifted(xp, out, axis, 0.0),
)  # fmt: skip
def recurrence(xp, a, x, *, axis):
    """A running sum along an axis that x makes fade or grow: out[i] = a[i] + x[i] * out[i - 1], and out[0] = a[0]."""
    out = a.copy()
    steps, factors = out.swapaxes(0, axis), x.swapaxes(0, axis)
    for i in range(1, len(steps)):
        steps[i] += factors[i] * steps[i - 1]
    return out


def _recurrence_vjp(xp, g, x, axis):
    """The same from the end: d[i] = g[i] + x[i + 1] * d[i + 1]."""
    turned = xp.roll(xp.flip(x, axes=(axis,)), shift=1, axis=axis)
    return xp.flip(xp.recurrence(xp.flip(g, axes=(axis,)), turned, axis=axis), axes=(axis,))


def _shifted(xp, x, axis, first):
    """x moved on by one place along an axis, with `first` coming in."""
    axis, n = axis % len(x.shape), x.shape[axis]
    longer = xp.pad(x, widths=tuple((int(i == axis), 0) for i in range(len(x.shape))), value=first)
    return xp.getitem(longer, index=(slice(None),) * axis + (slice(0, n),))
