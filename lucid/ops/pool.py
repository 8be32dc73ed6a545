"""Pooling: each window of an image as one number, its largest or its mean.

Which element of a window is the largest depends on the numbers, so that has operations of its own. Means do not: they
multiply each dim by a fixed matrix (`images.resample`), and the means of means are those of the whole windows.
"""

from __future__ import annotations

import math
from typing import Any

from lucid.core.array import as_device, cpu, to_device
from lucid.core.node import Tensor
from lucid.core.op import op
from lucid.ops import images
from lucid.ops.images import Grid, Ints, MaybeInts, Shape, SparseMatrix, batch_first, batch_last, batched, cached
from lucid.ops.indexing import _getitem
from lucid.ops.special import BITS


@op(in_single=True, x=lambda xp, g, x, out, grid: xp.to_maxima(g, x, out, grid=grid))
def max_pool(xp, x, *, grid):
    """The largest element of every window, NaN if it has one: (n, channels, *size) gives (n, channels, *out). The
    gradient goes to the first of equals, and of NaNs."""
    image, taps = batch_last(xp, x), grid.taps  # (channels, *size, n)
    if grid.inside:
        best = image[taps[0][2]].copy()
        taps = taps[1:]
    else:
        lowest = -math.inf if x.dtype.kind == "f" else -(2 ** (8 * x.dtype.itemsize - 1)) if x.dtype.kind == "i" else 0
        best = xp.full((image.shape[0], *grid.out, image.shape[-1]), lowest, dtype=x.dtype)
    for _, windows, places in taps:
        view = best[windows]
        xp.maximum(view, image[places], out=view)
    return batch_first(best)


# Each y goes through its window, element by element, and stays at the first that does not fall short of the maximum. It
# is carried as the integer that its bits spell: that times 1 or 0 is it or nothing, even if it is infinite.
@op(y=lambda xp, g, x, top, grid: _read(xp, g, xp.find_maxima(x, top, grid=grid)))
def to_maxima(xp, y, x, top, *, grid):
    """y, (n, channels, *out), added where the maxima `top` of the windows of x are: (n, channels, *size)."""
    image, top, bits = batch_last(xp, x), _reached(xp, top), BITS[y.dtype.char]
    out, carried = xp.zeros(image.shape, dtype=y.dtype), batch_last(xp, y).view(bits)  # (channels, ..., n)

    def leave(places, values):
        if grid.disjoint:
            out.view(bits)[places] = values
        else:
            out[places] += values.view(y.dtype)

    if grid.inside:
        *others, (_, _, last) = grid.taps
        for _, _, places in others:
            passed = (image[places] < top).astype(bits)
            passed *= carried
            leave(places, carried - passed)
            carried = passed
        leave(last, carried)  # the last element takes what passed all others
    else:
        carried = carried.copy()
        for _, windows, places in grid.taps:
            passed = (image[places] < top[windows]).astype(bits)
            passed *= carried[windows]
            leave(places, carried[windows] - passed)
            carried[windows] = passed
    return batch_first(out)


@op()
def find_maxima(xp, x, top, *, grid):
    """Where the maxima `top` of the windows of x are, (n, channels, *out): places counted row by row in an image,
    int64."""
    image, top = batch_last(xp, x), _reached(xp, top)
    numbers = xp.arange(math.prod(grid.size)).reshape(*grid.size, 1)
    out, open = xp.zeros(top.shape, dtype="int64"), xp.ones(top.shape, dtype=bool)
    for _, windows, places in grid.taps:
        before = open[windows]
        after = before & (image[places] < top[windows])
        out[windows] += (before ^ after) * numbers[places[1:]]
        open[windows] = after
    return batch_first(out)


def _read(xp, x, places):
    """x, (n, channels, *size), at places in each image: the adjoint of to_maxima."""
    values, indices = (xp.reshape(a, shape=(*a.shape[:2], math.prod(a.shape[2:]))) for a in (x, places))
    return xp.reshape(xp.take_along(values, indices, axis=2), shape=places.shape)


def _reached(xp, top):
    """Maxima with the batch last, and infinity for NaN: nothing but a NaN (or infinity) does not fall short of that."""
    top = batch_last(xp, top)
    return xp.fmin(top, xp.full(top.shape[-1:], math.inf, dtype=top.dtype)) if top.dtype.kind == "f" else top


def max_pool1d(
    input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """`max_pool2d` with one dim less: (n, channels, length) or (channels, length)."""
    return _max_pool(1, input, return_indices, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest element of every window: out[n, c, place] = max over k of input[n, c, place * stride + k * dilation -
    padding], in both dims. What lies outside of the image is never the largest. The gradient goes to the first of equal
    elements. A NaN in a window is its maximum.

    Args:
        input: (n, channels, height, width), or (channels, height, width).
        kernel_size, stride: of the windows, which by default lie side by side; ints, or one for each dim.
        padding: likewise, how far they may begin before the image and end behind it, at most half of the kernel.
        dilation: likewise, how far apart the elements of a window are.
        ceil_mode: whether to add a window that sticks out where the last does not reach the end.
        return_indices: whether to return (values, indices), the latter int64 places counted row by row in each image.

    Raises ValueError if the shape does not fit, the kernel is larger than the padded image, `padding` than half of the
    kernel, or an option is out of range.

    >>> from lucid import tensor
    >>> max_pool2d(tensor([[[1.0, 2.0, 5.0, 3.0], [4.0, 0.0, 1.0, 5.0]]]), 2).tolist()
    [[[4.0, 5.0]]]
    """
    return _max_pool(2, input, return_indices, kernel_size, stride, padding, dilation, ceil_mode)


def _max_pool(dims: int, input: Tensor, return_indices: bool, *options: Any) -> Any:
    caller = f"max_pool{dims}d"
    grid = _pool_grid(caller, dims, input._array.shape, *options)
    out = batched(dims, input, lambda x: max_pool(x, grid=grid))
    if not return_indices:
        return out
    if input.ndim == dims + 2:
        return out, find_maxima(input, out, grid=grid)
    return out, find_maxima(input.unsqueeze(0), out.unsqueeze(0), grid=grid).squeeze(0)


@cached
def _pool_grid(
    caller: str, dims: int, shape: Shape, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Grid:
    """The grid of a pooling; without a stride, its windows lie side by side."""
    size, stride = images.image_size(caller, shape, dims), kernel_size if stride is None else stride
    grid = images.window_grid(caller, size, kernel_size, stride, padding, dilation, ceil_mode)
    if any(2 * p > (k - 1) * d + 1 for _, k, _, _, p, d in grid.dims):
        got = f"padding {grid.padding}, kernel_size {grid.kernel} and dilation {grid.dilation}"
        most = "at most half of the kernel, or windows would see nothing else"
        raise ValueError(f"{caller}: padding must be {most}; got {got}")
    return grid


def avg_pool1d(
    input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """`avg_pool2d` with one dim less: (n, channels, length) or (channels, length)."""
    return _average(1, "avg_pool1d", _windows, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of every window, with zeros around: out[n, c, place] = mean over k of input[n, c, place * stride + k -
    padding].

    Args and errors as `max_pool2d`. `count_include_pad` says whether the zeros of the padding count as elements of a
    window; `divisor_override`, not 0, is what sums are divided by, whatever a window holds."""
    options = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    return _average(2, "avg_pool2d", _windows, input, *options)


def adaptive_avg_pool1d(input: Tensor, output_size: MaybeInts) -> Tensor:
    """`adaptive_avg_pool2d` with one dim less: (n, channels, length) or (channels, length)."""
    return _average(1, "adaptive_avg_pool1d", _adaptive, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: MaybeInts) -> Tensor:
    """The means of as many windows as make `output_size`, whatever the size of the image.

    Window i of a dim of n places begins at i * n / out, rounded down, and ends at (i + 1) * n / out, rounded up:
    out[i] = mean(input[floor(i * n / out) : ceil((i + 1) * n / out)]). None stands for the image's own size. Raises
    ValueError if the shape does not fit, or a size is negative.

    >>> from lucid import arange
    >>> adaptive_avg_pool2d(arange(6.0).reshape(1, 2, 3), (1, None)).tolist()
    [[[1.5, 2.5, 3.5]]]
    """
    return _average(2, "adaptive_avg_pool2d", _adaptive, input, output_size)


def _average(dims: int, caller: str, matrices_of: Any, input: Tensor, *options: Any) -> Tensor:
    images.check_floats(caller, input)
    matrices = matrices_of(caller, dims, input._array.shape, *options)
    if matrices is None:  # one window is all: 73 us for 284 on 64 x 16 x 8 x 8
        return input.mean(tuple(range(-dims, 0)), keepdim=True)
    return batched(dims, input, lambda x: images.resample(x, matrices=matrices))


@cached
def _windows(
    caller: str, dims: int, shape: Shape, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor: int | None,
) -> tuple[SparseMatrix, ...]:  # fmt: skip
    """For each dim the matrix that averages windows along it."""
    grid = _pool_grid(caller, dims, shape, kernel_size, stride, padding, 1, ceil_mode)
    if divisor == 0:
        raise ValueError(f"{caller}: divisor_override must not be 0")
    matrices, total = [], divisor
    for n, k, out, s, p, _ in grid.dims:
        passes: list[list[Any]] = [[] for _ in range(k)]
        for o in range(out):
            first, end = o * s - p, min(o * s - p + k, n + p)
            inside = range(max(first, 0), min(end, n))
            count = total if total is not None else end - first if count_include_pad else len(inside)
            for place in inside:
                passes[place - first].append((o, place, 1 / count))
        matrices.append(SparseMatrix(out, n, passes))
        total = None if divisor is None else 1  # the divisor is one for all dims: the first sees to it
    return tuple(matrices)


@cached
def _adaptive(caller: str, dims: int, shape: Shape, output_size: Any) -> tuple[SparseMatrix | None, ...] | None:
    """For each dim the matrix that averages it to `output_size`, None where it stays; None if all become one number."""
    matrices: list[SparseMatrix | None] = []
    for n, spans in _adaptive_spans(caller, dims, shape, output_size):
        passes = [
            [(o, first + turn, 1 / (end - first)) for o, (first, end) in enumerate(spans) if first + turn < end]
            for turn in range(max((end - first for first, end in spans), default=0))
        ]
        matrices.append(None if n == len(spans) else SparseMatrix(len(spans), n, passes))
    return None if all(matrix and matrix.rows == 1 for matrix in matrices) else tuple(matrices)


def _adaptive_spans(caller: str, dims: int, shape: Shape, output_size: Any) -> list[tuple[int, list[tuple[int, int]]]]:
    """For each dim its length, and where each of the windows that make `output_size` begins and ends."""
    size = images.image_size(caller, shape, dims)
    sizes = output_size if isinstance(output_size, tuple) else (output_size,) * dims
    if len(sizes) != dims:
        raise ValueError(f"{caller}: output_size must be an int, or a tuple of {dims}, got {output_size!r}")
    sizes = tuple(n if o is None else o for n, o in zip(size, sizes, strict=True))
    sizes = images.ints(caller, "output_size", sizes, dims, 0)
    if 0 in size:
        raise ValueError(f"{caller}: input of size {size} has nothing to pool")
    return [
        (n, [(o * n // out, -(-(o + 1) * n // out)) for o in range(out)]) for n, out in zip(size, sizes, strict=True)
    ]


def adaptive_max_pool1d(input: Tensor, output_size: MaybeInts, return_indices: bool = False) -> Any:
    """`adaptive_max_pool2d` with one dim less: (n, channels, length) or (channels, length)."""
    return _adaptive_max("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: MaybeInts, return_indices: bool = False) -> Any:
    """The largest elements of as many windows as make `output_size`; windows and errors as `adaptive_avg_pool2d`.

    With `return_indices` also where they are, int64 places counted row by row in each image. The gradient goes to the
    first of equal elements.

    >>> from lucid import arange
    >>> adaptive_max_pool2d(arange(6.0).reshape(1, 2, 3), (1, 2)).tolist()
    [[[4.0, 5.0]]]
    """
    return _adaptive_max("adaptive_max_pool2d", 2, input, output_size, return_indices)


def _adaptive_max(caller: str, dims: int, input: Tensor, output_size: MaybeInts, return_indices: bool) -> Any:
    kernel, places = _adaptive_places(caller, dims, input.shape, output_size, str(input.device))
    if kernel is not None:
        return _max_pool(dims, input, return_indices, kernel, None, 0, 1, False)
    flat = input.reshape(*input.shape[:-dims], math.prod(input.shape[-dims:]))
    values, which = _getitem(flat, index=(Ellipsis, places)).max(-1)  # (..., *out, elements of a window)
    if not return_indices:
        return values
    every = Tensor(places).expand(*which.shape, places.shape[-1])
    return values, every.gather(-1, which.unsqueeze(-1)).squeeze(-1)


@cached
def _adaptive_places(caller: str, dims: int, shape: Shape, output_size: Any, device: str) -> tuple[Any, Any]:
    """The kernel, if the windows are of one size and lie side by side; else the places in the image of all elements of
    each, (*out, elements), where windows that are smaller than others have their last one several times."""
    spans = _adaptive_spans(caller, dims, shape, output_size)
    if all(along and n % len(along) == 0 for n, along in spans):
        return tuple(n // len(along) for n, along in spans), None
    places = cpu.arange(math.prod(shape[-dims:])).reshape(shape[-dims:])
    for axis, (_, along) in reversed([*enumerate(spans)]):
        first, end = cpu.asarray(along, dtype="int64").reshape(-1, 2, 1).swapaxes(0, 1)
        places = places.take(cpu.minimum(first + cpu.arange((end - first).max(initial=1)), end - 1), axis)
    places = places.swapaxes(1, dims)  # (*out, *elements)
    return None, to_device(places.reshape(*places.shape[:dims], math.prod(places.shape[dims:])), as_device(device))
