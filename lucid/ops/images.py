"""Images: where windows lie over them, and how they get another size.

Images are (n, channels, *size) with any number of dims of size. A `Grid` says how windows lie over them; resizing
multiplies each dim by a fixed `SparseMatrix`. Convolution, pooling and padding build on both.

Results lie in memory with the batch last, (channels, *size, n), and are handed out with their dims in the usual order.
What one element of all windows sees is then a few long runs of memory: the 3 x 3 windows of 64 images, 8 x 4 x 4 in
float32, are copied in 10 us; that takes 134 with (channels, n, *size) in memory and 29 with (n, *size, channels).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache, partial
from itertools import pairwise, product
from math import prod
from typing import Any, TypeVar

from lucid.core.array import cpu, device_of, float32
from lucid.core.node import Tensor
from lucid.core.op import op
from lucid.core.promotion import as_int, ndim_of, number
from lucid.ops.checks import check_count

T = TypeVar("T")
Shape = tuple[int, ...]
Ints = int | tuple[int, ...]
MaybeInts = int | None | tuple[int | None, ...]


def cached(f: Callable[..., T]) -> Callable[..., T]:
    """f of shapes and options, with its last 1,024 answers kept. Lists count as tuples, 0-d arrays as numbers. What
    equals an int without being one, 1.0 or True, also inside a tuple, is for f to refuse."""
    known = lru_cache(maxsize=1024, typed=True)(lambda count, *key: f(*key[:count]))
    keys = {int, tuple, str, bool, float, type(None)}  # the types to pass on as they are, for speed
    plain = lambda a: tuple(a) if hasattr(a, "__iter__") else a

    def call(*args: Any) -> T:
        key = [a if type(a) in keys else plain(number(a)) for a in args]
        inside = [n for a in key if type(a) is tuple for n in a]  # typed=True does not look into tuples
        return known(len(args), *key, *inside)

    return call


def ints(caller: str, name: str, value: Any, dims: int, least: int = 1) -> Shape:
    """An option for each dim, given as one int for all or as `dims` of them, none below `least`."""
    try:
        several = value if isinstance(value, (tuple, list)) else (value,) * dims
        numbers = tuple([as_int(caller, name, n) for n in several])
    except TypeError:
        raise TypeError(f"{caller}: {name} must be an int, or a tuple of {dims}, got {value!r}") from None
    if len(numbers) != dims:
        raise ValueError(f"{caller}: {name} must be an int, or a tuple of {dims}, got {value!r}")
    if not all(least <= n < 2**63 for n in numbers):
        raise ValueError(f"{caller}: {name} must be {least} or more, and below 2**63, got {value!r}")
    return numbers


def image_size(caller: str, shape: Shape, dims: int) -> Shape:
    """The image's size in the shape of an input, which has channels, and perhaps a batch, in front of it."""
    if len(shape) not in (dims + 1, dims + 2):
        one = "channels, length" if dims == 1 else "channels, height, width"
        raise ValueError(f"{caller}: input must have the shape ({one}), or (batch, {one}), got {shape}")
    return shape[-dims:]


def batched(dims: int, input: Tensor, f: Callable[[Tensor], Tensor]) -> Tensor:
    """f of a batch of images; of one image, f of it as a batch of one."""
    return f(input) if input.ndim == dims + 2 else f(input.unsqueeze(0)).squeeze(0)


def check_floats(caller: str, input: Tensor) -> None:
    """Refuse what is not a Tensor of floats."""
    if not input.is_floating_point():
        raise TypeError(f"{caller}: input must hold floats to be averaged, got {input.dtype}; convert it with .float()")


class Grid:
    """How windows lie over an image. Element k of window w is at w * stride + k * dilation - padding, dim by dim.

    `size` and `kernel` are the sizes of the image and of a window, `out` says how many windows there are
    along each dim. `dims` has all six for each dim."""

    def __init__(self, size: Shape, kernel: Shape, out: Shape, stride: Shape, padding: Shape, dilation: Shape) -> None:
        self.size, self.kernel, self.out = size, kernel, out
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.dims = list(zip(size, kernel, out, stride, padding, dilation, strict=True))
        # The size of the image with the padding before it, and behind it with what the last window needs; its index.
        self.padded_size = tuple(max(n + p, (o - 1) * s + (k - 1) * d + 1) for n, k, o, s, p, d in self.dims)
        self.interior = (slice(None), *(slice(p, p + n) for n, _, _, _, p, _ in self.dims))
        self.inside = self.padded_size == size  # whether every element of every window is in the image
        self.disjoint = all(s > (k - 1) * d for _, k, _, s, _, d in self.dims)  # no two windows share a place

    @cached_property
    def taps(self):
        """(k, windows, places) for each element of a window: the windows that have it in the image, and where there.
        Indices of (channels, *kernel, ...), (channels, *out, n) and (channels, *size, n)."""
        along: list[list[tuple[int, slice, slice]]] = [[] for _ in self.dims]
        for taps, (n, kernel, out, stride, padding, dilation) in zip(along, self.dims, strict=True):
            for k in range(kernel):
                shift = k * dilation - padding
                first, end = max(0, -(shift // stride)), min(out, (n - 1 - shift) // stride + 1)
                if first < end:
                    places = slice(first * stride + shift, (end - 1) * stride + shift + 1, stride)
                    taps.append((k, slice(first, end), places))
        return [tuple((slice(None), *index) for index in zip(*tap, strict=True)) for tap in product(*along)]

    @cached_property
    def mirrored(self):
        """The grid over the output that gathers, for each place of the image, all that was computed from it. None with
        a stride other than 1, and where it would begin inside the output."""
        padding = tuple((k - 1) * d - p for _, k, _, _, p, d in self.dims)
        if any(s != 1 for s in self.stride) or any(p < 0 for p in padding):
            return None
        return Grid(self.out, self.kernel, self.size, self.stride, padding, self.dilation)


@cached
def window_grid(
    caller: str, size: Shape, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool = False
) -> Grid:
    """The grid of as many windows as fit; in `ceil_mode` the last may stick out, as long as it begins in the image or
    in the padding before it."""
    dims = len(size)
    kernel, stride = ints(caller, "kernel_size", kernel_size, dims), ints(caller, "stride", stride, dims)
    padding, dilation = ints(caller, "padding", padding, dims, 0), ints(caller, "dilation", dilation, dims)
    out, reach = [], tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    for n, s, p, span in zip(size, stride, padding, reach, strict=True):
        count = (n + 2 * p - span + (s - 1 if ceil_mode else 0)) // s + 1
        out.append(count - 1 if ceil_mode and (count - 1) * s >= n + p else count)
    if any(count < 1 for count in out):
        dilated = f", {reach} with dilation {dilation}," if reach != kernel else ""
        padded = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
        image = f"{size}, {padded} with padding {padding}" if padded != size else size
        text = f"the kernel of size {kernel}{dilated} does not fit into the input of size {image}"
        raise ValueError(f"{caller}: {text}; make it smaller, or padding larger")
    return Grid(size, kernel, tuple(out), stride, padding, dilation)


def batch_last(xp, x):
    """x, (n, channels, *size), as (channels, *size, n), without gaps in memory."""
    return xp.ascontiguousarray(x.transpose((*range(1, x.ndim), 0)))


def batch_first(x):
    """The reverse, without copying."""
    return x.transpose((x.ndim - 1, *range(x.ndim - 1)))


def window_view(xp, x, grid):
    """All windows of x as a view of it, or of it with zeros around."""
    if grid.inside:
        image = batch_last(xp, x)  # (channels, *size, n)
    else:
        image = xp.zeros((x.shape[1], *grid.padded_size, x.shape[0]), dtype=x.dtype)
        image[grid.interior] = x.transpose((*range(1, x.ndim), 0))
    first, *along, last = image.strides
    within = [step * d for step, d in zip(along, grid.dilation, strict=True)]
    between = [step * s for step, s in zip(along, grid.stride, strict=True)]
    shape = (x.shape[1], *grid.kernel, *grid.out, x.shape[0])
    return xp.as_strided(image, shape, (first, *within, *between, last))  # (channels, *kernel, *out, n)


def add_windows(xp, columns, channels, grid):
    """The adjoint: an image in which each place has the sum of the elements that windows have of it."""
    columns = columns.reshape(channels, *grid.kernel, *grid.out, columns.shape[-1] // prod(grid.out))
    image = xp.zeros((channels, *grid.size, columns.shape[-1]), dtype=columns.dtype)  # (channels, *size, n)
    for k, windows, places in grid.taps:
        image[places] += columns[k][windows]
    return image


@op(in_single=True, x=lambda xp, g, grid: xp.col2im(g, grid=grid))
def im2col(xp, x, *, grid):
    """All windows of x, (n, channels, *size), one after the other: (n, channels * elements of a window, windows)."""
    windows = window_view(xp, x, grid).copy()
    return batch_first(windows.reshape(x.shape[1] * prod(grid.kernel), prod(grid.out), x.shape[0]))


@op(in_single=True, columns=lambda xp, g, grid: xp.im2col(g, grid=grid))
def col2im(xp, columns, *, grid):
    """The adjoint of im2col: (n, channels * elements of a window, windows) added up to (n, channels, *size)."""
    n, rows, windows = columns.shape
    flat = batch_last(xp, columns).reshape(rows, windows * n)
    return batch_first(add_windows(xp, flat, rows // prod(grid.kernel), grid))


def unfold(input: Tensor, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1) -> Tensor:
    """All windows of images as columns.

    (n, channels, height, width) gives (n, channels * elements of a window, windows): out[n, (c, k), window] =
    input[n, c, window * stride + k * dilation - padding], and 0 outside of the image. A convolution is
    `weight.flatten(1) @ unfold(input, ...)`. The batch may be left out. Raises ValueError for another shape,
    a kernel larger than the padded image, or an option out of range."""
    grid = window_grid("unfold", image_size("unfold", input.shape, 2), kernel_size, stride, padding, dilation)
    return batched(2, input, lambda x: im2col(x, grid=grid))


def fold(
    input: Tensor, output_size: Ints, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1
) -> Tensor:
    """Columns put back into images of `output_size`, and added up where windows overlap: the adjoint of `unfold`,

        out[n, c, window * stride + k * dilation - padding] += input[n, (c, k), window]

    inside the image. (n, channels * elements of a window, windows) gives (n, channels, *output_size); the
    batch may be left out. Raises ValueError if the number of rows does not divide by the elements of a
    window, or that of columns is not the number of windows in an image of `output_size`."""
    size = ints("fold", "output_size", output_size, 2)
    grid = window_grid("fold", size, kernel_size, stride, padding, dilation)
    if input.ndim not in (2, 3):
        expected = "the shape (channels * elements of a window, windows), or that with a batch in front"
        raise ValueError(f"fold: input must have {expected}, got {input.shape}")
    (rows, columns), has = input.shape[-2:], f"fold: input of shape {input.shape} has"
    if rows % (elements := prod(grid.kernel)):
        window = f"a window of size {grid.kernel}"
        raise ValueError(f"{has} {rows} rows, which do not divide by the {elements} elements of {window}")
    if columns != prod(grid.out):
        raise ValueError(
            f"{has} {columns} columns, but in an image of size {size} there are {prod(grid.out)} windows, {grid.out}, "
            f"with kernel_size {grid.kernel}, stride {grid.stride}, padding {grid.padding} and dilation {grid.dilation}"
        )
    return batched(1, input, lambda x: col2im(x, grid=grid))


class SparseMatrix:
    """A matrix with few entries a row: of which of `columns` old places each of `rows` new ones is a weighted sum. Its
    entries come in passes, each with a row once at most: a pass is one addition of arrays. (Where a few places would
    take more than 64, one names rows again and again, and is added by `add_at`.) A pass is given as a list of
    (row, column, weight), or as three NumPy arrays, which take a tenth of the time and memory."""

    def __init__(self, rows: int, columns: int, passes: Sequence[Any]) -> None:
        self.rows, self.columns = rows, columns
        triples = [entries if type(entries) is tuple else tuple(zip(*entries, strict=True)) for entries in passes]
        self.passes = [tuple(map(cpu.asarray, triple)) for triple in triples if triple and len(triple[0])]
        self.steps: dict[Any, Any] = {}

    def steps_for(self, xp, x):
        """The passes as indices of rows and of columns, and an array of weights, or one for all, or None for 1; on the
        device of x, in its dtype, and kept for the next time; and whether rows are named again."""
        key = device_of(x), x.dtype
        if key not in self.steps:
            steps = self.steps[key] = []
            for rows, columns, weights in self.passes:
                one, first = (weights == weights[0]).all(), float(weights[0])
                weight = (None if first == 1 else first) if one else xp.asarray(weights, dtype=x.dtype)
                again = bool((rows[1:] == rows[:-1]).any())  # those are in order
                steps.append((_index(xp, rows), _index(xp, columns), weight, again))
        return self.steps[key]

    @cached_property
    def transposed(self):
        """The matrix with rows for columns; a pass that names a column a few times becomes several."""
        passes: list[Any] = []
        for rows, columns, weights in self.passes:
            order = columns.argsort(kind="stable")
            columns = columns[order]
            turns = cpu.arange(len(order)) - columns.searchsorted(columns)  # how often the column came before
            if turns.max() >= 64:
                passes.append((columns, rows[order], weights[order]))
                continue
            by_turn = turns.argsort(kind="stable")
            ends = turns[by_turn].searchsorted(cpu.arange(turns.max() + 2)).tolist()
            entries = columns[by_turn], rows[order][by_turn], weights[order][by_turn]
            passes += [tuple([array[a:b] for array in entries]) for a, b in pairwise(ends)]
        matrix = SparseMatrix(self.columns, self.rows, passes)
        matrix.__dict__["transposed"] = self
        return matrix


def _index(xp, places):
    """Places as a slice where they are evenly apart: that takes neither a copy nor an array on the GPU."""
    first, last = int(places[0]), int(places[-1])
    step = int(places[1]) - first if len(places) > 1 else 1
    even = step > 0 and (places[1:] - places[:-1] == step).all()
    return slice(first, last + 1, step) if even else xp.asarray(places)


@op(in_single=True, x=lambda xp, g, matrices: xp.resample(g, matrices=tuple([m and m.transposed for m in matrices])))
def resample(xp, x, *, matrices):
    """Each dim of size of x, (n, channels, *size), multiplied by a matrix, out[i] = sum of matrix[i, j] * x[j], or left
    for None. Its gradient is the product with the transposed one: an operation that is its own adjoint."""
    out = batch_last(xp, x)  # (channels, *size, n)
    for axis, matrix in enumerate(matrices, 1):
        if matrix is None:
            continue
        old, before, behind = out, (slice(None),) * axis, (1,) * (out.ndim - axis - 1)
        out = xp.zeros((*old.shape[:axis], matrix.rows, *old.shape[axis + 1 :]), dtype=x.dtype)
        for rows, columns, weight, again in matrix.steps_for(xp, x):
            term = old[(*before, columns)]
            if weight is not None:
                term = term * (weight if type(weight) is float else weight.reshape(-1, *behind))
            if again:
                xp.add_at(out, (*before, rows), term)
            else:
                out[(*before, rows)] += term
    return batch_first(out if any(matrices) else out.copy())


def interpolate(
    input: Tensor, size: Ints | None = None, scale_factor: float | tuple[float, ...] | None = None,
    mode: str = "nearest", align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
) -> Tensor:  # fmt: skip
    """Images in another size, (n, channels, *size): each new place takes its value from the old ones nearest to it.

    With s the old size over the new, new place i lies at i * s, of which "nearest" takes the whole part, and
    "nearest-exact" that of (i + 0.5) * s, its middle. The others mix the two places around u = (i + 0.5) * s - 0.5, but
    not below 0, as out[i] = (1 - t) * input[floor(u)] + t * input[floor(u) + 1] for t = u - floor(u), dim by dim; with
    `align_corners` u = i * (old - 1) / (new - 1).

    Args:
        input: (n, channels, length) for "linear", (n, channels, height, width) for "bilinear"; "nearest" takes any.
        size, scale_factor: the new size; or a number for all dims, or one for each, to multiply the old one by.
        align_corners: for the last two modes, whether the outermost places are points that stay where they are;
            otherwise places are squares, and the outer edges of the outermost stay.
        recompute_scale_factor: whether places follow from the sizes, which are rounded down, not from `scale_factor`.

    Raises ValueError for another mode, a shape or align_corners that does not go with it, and unless one of `size` and
    `scale_factor` is given.

    >>> from lucid import tensor
    >>> interpolate(tensor([[[0.0, 1.0]]]), size=3, mode="linear", align_corners=True).tolist()
    [[[0.0, 0.5, 1.0]]]
    """
    if mode not in NEAREST:
        check_floats("interpolate", input)
    options = size, scale_factor, mode, align_corners, recompute_scale_factor
    return resample(input, matrices=_interpolation(input._array.shape, *options))


LINEAR = {"linear": 1, "bilinear": 2}  # mode -> dims of size
NEAREST = {"nearest": 0.0, "nearest-exact": 0.5}  # mode -> what is added to the number of a place


@cached
def _interpolation(
    shape: Shape, size: Any, scale_factor: Any, mode: str, align_corners: bool | None, recompute: bool | None
) -> tuple[SparseMatrix, ...]:
    """For each dim of size the matrix that gives its new places."""
    caller, dims, old = "interpolate", len(shape) - 2, shape[2:]
    if mode not in NEAREST and mode not in LINEAR:
        raise ValueError(f"{caller}: mode must be 'nearest', 'nearest-exact', 'linear' or 'bilinear', got {mode!r}")
    if dims < 1 or mode in LINEAR and dims != LINEAR[mode]:
        expected = "at least 3 dims, (batch, channels, ...)" if mode in NEAREST else f"{LINEAR[mode] + 2} dims"
        raise ValueError(f"{caller}: mode {mode!r} needs an input of {expected}, got shape {shape}")
    if align_corners is not None and mode in NEAREST:
        expected = f"the modes 'linear' and 'bilinear', not with {mode!r}"
        raise ValueError(f"{caller}: align_corners={align_corners} goes with {expected}")
    if (size is None) == (scale_factor is None):
        raise ValueError(f"{caller}: expected size or scale_factor, and not both; got {size} and {scale_factor}")
    if 0 in old:
        raise ValueError(f"{caller}: input of size {old} has nothing to take values from")
    scales: tuple[float | None, ...] = (None,) * dims
    if size is not None:
        new = ints(caller, "size", size, dims)
    else:
        factors = scale_factor if isinstance(scale_factor, tuple) else (scale_factor,) * dims
        if len(factors) != dims or not all(isinstance(f, (int, float)) and f > 0 for f in factors):
            numbers = f"a positive number, or a tuple of {dims}"
            raise ValueError(f"{caller}: scale_factor must be {numbers}, got {scale_factor!r}")
        # 120 / 88 is rounded, and 88 times that ends just below 120: as much is added as the two roundings may take.
        new = tuple(int(n * float(f) * (1 + 2**-51)) for n, f in zip(old, factors, strict=True))
        new = ints(caller, "the new size", new, dims, 0)
        if 0 in new:
            raise ValueError(f"{caller}: scale_factor={scale_factor!r} leaves nothing of size {old}")
        scales = scales if recompute else factors
    if mode in NEAREST:
        matrix = partial(_nearest, offset=NEAREST[mode])
    else:
        matrix = partial(_linear, align_corners=bool(align_corners))
    return tuple([matrix(n, m, scale) for n, m, scale in zip(old, new, scales, strict=True)])


def _nearest(n: int, m: int, factor: float | None, offset: float) -> SparseMatrix:
    # The product is in float32, as PyTorch has it: rounding decides which of two places is taken.
    places = cpu.arange(m)
    taken = ((places + offset).astype(float32) * float32.type(1 / factor if factor else n / m)).astype(places.dtype)
    return SparseMatrix(m, n, [(places, cpu.minimum(taken, n - 1), cpu.ones(m))])


def _linear(n: int, m: int, factor: float | None, align_corners: bool) -> SparseMatrix:
    places = cpu.arange(m)
    if align_corners:
        u = places * (n - 1) / max(m - 1, 1)
    else:
        u = cpu.maximum(0.0, (places + 0.5) * (1 / factor if factor else n / m) - 0.5)
    low = cpu.minimum(u.astype(places.dtype), n - 1)
    t = cpu.where(low < n - 1, cpu.minimum(u - low, 1.0), 0.0)
    passes = [(w > 0, columns, w) for columns, w in ((low, 1 - t), (low + 1, t))]
    return SparseMatrix(m, n, [(places[some], columns[some], w[some]) for some, columns, w in passes])


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Images r = `upscale_factor` times as large, with the channels for pixels: (..., c * r * r, h, w) gives (..., c,
    h * r, w * r), out[..., c, y * r + i, x * r + j] = input[..., (c * r + i) * r + j, y, x]. Source: Shi et al. 2016,
    arXiv 1609.05158. Raises ValueError for fewer than 3 dims, or channels that r * r does not divide."""
    r = check_count("pixel_shuffle", "upscale_factor", upscale_factor, 1)
    if ndim_of("pixel_shuffle", input) < 3 or input.shape[-3] % (r * r):
        expected = f"expected (..., channels, height, width), with channels that {r} * {r} divides"
        raise ValueError(f"pixel_shuffle: {expected}, got shape {input.shape}")
    *batch, channels, height, width = input.shape
    x = input.reshape(prod(batch), channels // (r * r), r, r, height, width)
    return x.permute(0, 1, 4, 2, 5, 3).reshape(*batch, channels // (r * r), height * r, width * r)
