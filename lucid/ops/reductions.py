"""Chapter 3e. Reductions: many numbers into one, along `axis` (an int, a tuple, or None for all of them)."""

import math
from functools import wraps

from lucid.op import op


def half_in_single(forward):
    """The forward, with half precision summed up in single: 65,504 is soon passed, and counts above it are infinite."""

    @wraps(forward)
    def widened(xp, x, *others, **options):
        if x.dtype.char != "e":
            return forward(xp, x, *others, **options)
        wide = [a.astype("float32") if a is not None and a.dtype.char == "e" else a for a in (x, *others)]
        out = forward(xp, *wide, **options)
        return xp.asarray(out).astype(x.dtype)

    return widened


def share_of(n):
    """1 / n, and NaN for n = 0: what an element of a mean is worth."""
    return 1 / n if n else math.nan


def countable(x):
    """x with small unsigned integers as int64, in which they add up; bools and the others NumPy widens itself."""
    return x.astype("int64") if x.dtype.kind == "u" else x


def restored(x_shape, axis):
    """The shape of a reduced array with the reduced axes kept, as length 1."""
    if axis is None:
        return (1,) * len(x_shape)
    gone = {a % len(x_shape) for a in ((axis,) if isinstance(axis, int) else axis)} if x_shape else ()
    return tuple(1 if i in gone else n for i, n in enumerate(x_shape))


def count(x_shape, axis):
    """How many elements go into each result."""
    return math.prod(n for n, kept in zip(x_shape, restored(x_shape, axis), strict=True) if kept == 1)


def back_up(xp, g, x_shape, axis):
    """A reduced array with its axes put back, so that it broadcasts against what was reduced."""
    return xp.reshape(g, shape=restored(x_shape, axis))


@op(x=lambda xp, g, x_shape, axis: xp.broadcast_to(back_up(xp, g, x_shape, axis), shape=x_shape))
def sum(xp, x, *, axis=None, keepdims=False):
    """The sum."""
    return xp.sum(countable(x), axis=axis, keepdims=keepdims)


@op(
    floats=True,
    x=lambda xp, g, x_shape, axis: xp.broadcast_to(
        back_up(xp, g * share_of(count(x_shape, axis)), x_shape, axis), shape=x_shape
    ),
)
@half_in_single
def mean(xp, x, *, axis=None, keepdims=False):
    """The mean, sum(x) / n of n elements; NaN of nothing."""
    return xp.sum(x, axis=axis, keepdims=keepdims) / count(x.shape, axis)


@op(x=lambda xp, g, x, axis: back_up(xp, g, x.shape, axis) * _others(xp, x, axis))
def prod(xp, x, *, axis=None, keepdims=False):
    """The product. Its gradient, for each element the product of the others, divides by nothing: it is right where
    elements are 0, to any order."""
    return countable(x).prod(axis=axis, keepdims=keepdims)


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
    ahead, behind = (_before(xp, xp.cumprod(each, axis=-1), -1, 1.0) for each in (rows, turned))
    rest = xp.reshape(ahead * xp.flip(behind, axes=(-1,)), shape=shape)
    return xp.transpose(rest, axes=tuple(sorted(range(ndim), key=lambda i: order[i])))


@op(x=lambda xp, g, x, out, axis: back_up(xp, g, x.shape, axis) * _share_of_ties(xp, x, out, axis))
def amax(xp, x, *, axis=None, keepdims=False):
    """The largest element, NaN if there is one; ties share the gradient evenly."""
    return xp.max(x, axis=axis, keepdims=keepdims)


@op(x=lambda xp, g, x, out, axis: back_up(xp, g, x.shape, axis) * _share_of_ties(xp, x, out, axis))
def amin(xp, x, *, axis=None, keepdims=False):
    """The smallest element, NaN if there is one; ties share the gradient evenly."""
    return xp.min(x, axis=axis, keepdims=keepdims)


def _share_of_ties(xp, x, out, axis):
    ties = xp.astype(x == back_up(xp, out, x.shape, axis), dtype=x.dtype)
    return ties / xp.sum(ties, axis=axis, keepdims=True)


@op()
def argmax(xp, x, *, axis=None, keepdims=False):
    """The index of the largest element, the first of several."""
    return x.argmax(axis=axis, keepdims=keepdims)


@op()
def argmin(xp, x, *, axis=None, keepdims=False):
    """The index of the smallest element, the first of several."""
    return x.argmin(axis=axis, keepdims=keepdims)


@op()
def any(xp, x, *, axis=None, keepdims=False):
    """Whether any element is not 0."""
    return x.any(axis=axis, keepdims=keepdims)


@op()
def all(xp, x, *, axis=None, keepdims=False):
    """Whether no element is 0."""
    return x.all(axis=axis, keepdims=keepdims)


@op(floats=True, x=lambda xp, g, x, axis, correction: _var_slope(xp, g, x, axis, correction))
@half_in_single
def var(xp, x, *, axis=None, correction=1, keepdims=False):
    """The mean squared distance from the mean, sum((x - mean(x)) ** 2) / (n - correction) of n elements."""
    return _squares(xp, x, axis, correction, keepdims)


def _centred(xp, x, axis):
    """x without its mean. The first element goes first: of constant data nothing is left then, not even rounding."""
    kept = restored(x.shape, axis)
    first = tuple(slice(0, 1) if k == 1 else slice(None) for k in kept)
    x = x - xp.getitem(x, index=(*first, Ellipsis))
    return x - xp.mean(x, axis=axis, keepdims=True)


def _squares(xp, x, axis, correction, keepdims):
    away = _centred(xp, x, axis)
    with xp.quiet():  # one element and correction=1: 0 / 0 is the answer
        return xp.sum(away * away, axis=axis, keepdims=keepdims) / max(count(x.shape, axis) - correction, 0)


def _var_slope(xp, g, x, axis, correction):
    n = max(count(x.shape, axis) - correction, 0)
    return _centred(xp, x, axis) * (back_up(xp, g, x.shape, axis) * (2 * share_of(n)))


# Constant data has no spread, and no direction in which it grows: the gradient there is 0, as in PyTorch, where the
# formula alone would say 0 / 0.
@op(floats=True, x=lambda xp, g, x, out, axis, correction: _var_slope(xp, _over(xp, g, 2 * out), x, axis, correction))
@half_in_single
def std(xp, x, *, axis=None, correction=1, keepdims=False):
    """The square root of the variance, sqrt(var(x))."""
    return xp.sqrt(_squares(xp, x, axis, correction, keepdims))


def _over(xp, g, out):
    """g / out, and 0 where out is 0: no division by 0 is ever made, so every further derivative is clean as well."""
    return xp.where(out == 0, 0, g / xp.where(out == 0, 1, out))


@op(
    floats=True,
    x=lambda xp, g, x, out, axis: back_up(xp, g, x.shape, axis) * _softmax_of(xp, x, back_up(xp, out, x.shape, axis)),
)
def logsumexp(xp, x, *, axis=None, keepdims=False):
    """log(sum(exp(x))), without overflow."""
    top = _finite(xp, xp.max(x, axis=axis, keepdims=True))
    total = xp.sum(xp.exp(x - top), axis=axis, keepdims=True)
    with xp.quiet():  # all -inf: log 0 is the answer
        out = xp.log(total) + top
    return out if keepdims else out.reshape(xp.sum(x, axis=axis).shape)


def _finite(xp, x):
    return xp.where(xp.isfinite(x), x, 0)


def _softmax_of(xp, x, out):
    return xp.exp(x - xp.where(out == -math.inf, 0, out))  # all -inf: no element has a share, and 0 it is


@op(
    floats=True,
    x=lambda xp, g, x, out, ord, axis: _norm_slope(
        xp, back_up(xp, g, x.shape, axis), x, back_up(xp, out, x.shape, axis), ord
    ),
)
@half_in_single
def norm(xp, x, *, ord=2.0, axis=None, keepdims=False):
    """(sum |x|**ord) ** (1 / ord); the number of nonzeros for ord = 0. The gradient at 0 is 0."""
    if ord == 2:
        return xp.sqrt(xp.sum(x * x, axis=axis, keepdims=keepdims))
    if ord == 0:
        return xp.sum((x != 0).astype(x.dtype), axis=axis, keepdims=keepdims)
    powers = xp.sum(xp.abs(x) ** ord, axis=axis, keepdims=keepdims)
    return powers if ord == 1 else powers ** (1 / ord)


def _norm_slope(xp, g, x, out, ord):
    if ord == 2:
        return x * _over(xp, g, out)
    if ord == 1:
        return g * xp.sign(x)
    if ord == 0:
        return xp.zeros_like(x)
    size = xp.abs(x)  # where it is 0, 1 stands in: sign(x) = 0 makes the product 0, and 0 ** (ord - 2) is never taken
    ratio = xp.where(size == 0, 1, size) / xp.where(out == 0, 1, out)
    return g * xp.sign(x) * ratio ** (ord - 1)


@op(x=lambda xp, g, axis: xp.flip(xp.cumsum(xp.flip(g, axes=(axis,)), axis=axis), axes=(axis,)))
def cumsum(xp, x, *, axis):
    """The running sum along an axis: out[i] = x[0] + ... + x[i]."""
    return countable(x).cumsum(axis=axis)


@op(x=lambda xp, g, x, out, axis: _before(xp, out, axis, 1.0) * _recurrence_back(xp, g, x, axis))
@half_in_single
def cumprod(xp, x, *, axis):
    """The running product along an axis: out[i] = x[0] * ... * x[i].

    Its gradient, the product of the elements before x[k] times the sum of g[i] x[k + 1] ... x[i] for all i from k on,
    divides by nothing: it is right where elements are 0, to any order.
    """
    return countable(x).cumprod(axis=axis)


@op(
    once={"d": lambda xp, g, x, axis: _recurrence_back(xp, g, x, axis)},
    a=lambda xp, g, d: d,
    x=lambda xp, g, d, out, axis: d * _before(xp, out, axis, 0.0),
)
@half_in_single
def recurrence(xp, a, x, *, axis):
    """A running sum along an axis that x makes fade or grow: out[i] = a[i] + x[i] * out[i - 1], and out[0] = a[0]."""
    out = a.copy()
    steps, factors = out.swapaxes(0, axis), x.swapaxes(0, axis)
    for i in range(1, len(steps)):
        steps[i] += factors[i] * steps[i - 1]
    return out


def _recurrence_back(xp, g, x, axis):
    """The same from the end: d[i] = g[i] + x[i + 1] * d[i + 1]."""
    turned = xp.roll(xp.flip(x, axes=(axis,)), shift=1, axis=axis)
    return xp.flip(xp.recurrence(xp.flip(g, axes=(axis,)), turned, axis=axis), axes=(axis,))


def _before(xp, x, axis, first):
    """x moved on by one place along an axis, with `first` coming in."""
    axis, n = axis % len(x.shape), x.shape[axis]
    longer = xp.pad(x, widths=tuple((int(i == axis), 0) for i in range(len(x.shape))), value=first)
    return xp.getitem(longer, index=(slice(None),) * axis + (slice(0, n),))


@op()
def sorted_indices(xp, x, *, axis, descending=False):
    """The indices that would sort x along an axis; equals keep their order, NaN counts as the largest."""
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    last = x.shape[axis] - 1
    return last - xp.flip(xp.argsort(xp.flip(x, axes=(axis,)), axis=axis, kind="stable"), axes=(axis,))
