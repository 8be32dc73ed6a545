"""Chapter 3k. Images: convolution, its two adjoints, and the windows that it looks through.

Arrays are (N, C, *size): N images of C channels, with one, two or more dims of size. A `Grid` says how windows lie over
them, and from there on all numbers of dims are one.

A convolution is linear in the image and in the weight. Weighed with any y of its output's shape it is one number,

    T(x, weight, y) = sum of x[n, c, place + k] * weight[o, c, k] * y[n, o, place],

whose three derivatives are the three operations below: with respect to y the convolution, `conv`; with respect to x the
transposed convolution, `conv_transpose`; with respect to the weight, `conv_weight`. So each has the other two for its
gradients, to every order. They come down to matrix products, with the windows of the image as columns.

Results lie in memory with the batch last, (C, *size, N), and are handed out with their dims in the usual order. What
one element of all windows sees is then a few long runs of memory: the 3 x 3 windows of 64 images, 8 x 4 x 4 in float32,
are copied in 10 us; that takes 134 with (C, N, *size) in memory and 29 with (N, *size, C).
"""

from functools import cached_property
from itertools import product
from math import prod

from lucid.op import op
from lucid.ops.reductions import half_in_single

Shape = tuple[int, ...]


class Grid:
    """How windows lie over an image. Element k of window w is at place w * stride + k * dilation - padding, dim by dim.

    Attributes:
        size: the image's.
        kernel: the windows'.
        out: how many windows there are along each dim.
        stride, padding, dilation: as above.
        room: the size of the image with the padding before it, and behind it with what the last window needs.
        middle: the index of the image in there.
        whole: whether every element of every window is in the image.
        apart: whether no two windows share a place.
    """

    def __init__(self, size: Shape, kernel: Shape, out: Shape, stride: Shape, padding: Shape, dilation: Shape) -> None:
        self.size, self.kernel, self.out = size, kernel, out
        self.stride, self.padding, self.dilation = stride, padding, dilation
        dims = zip(size, kernel, out, stride, padding, dilation, strict=True)
        self.room = tuple(max(n + p, (o - 1) * s + (k - 1) * d + 1) for n, k, o, s, p, d in dims)
        self.middle = (slice(None), *(slice(p, p + n) for n, p in zip(size, padding, strict=True)))
        self.whole = self.room == size
        self.apart = all(s > (k - 1) * d for k, s, d in zip(kernel, stride, dilation, strict=True))

    @cached_property
    def meetings(self):
        """(k, windows, places) for each element of a window: which windows have it in the image, and where there. To
        be used on (C, *kernel, ...), (C, *out, N) and (C, *size, N)."""
        dims = zip(self.size, self.kernel, self.out, self.stride, self.padding, self.dilation, strict=True)
        found = []
        for along in product(*[_along(*dim) for dim in dims]):
            k, windows, places = zip(*along, strict=True)
            found.append(tuple((slice(None), *index) for index in (k, windows, places)))
        return found

    @cached_property
    def mirrored(self):
        """The grid over the output that gathers, for each place of the image, all that was computed from it. There
        with a stride of 1 only, and None where it would begin inside the output."""
        padding = tuple((k - 1) * d - p for k, d, p in zip(self.kernel, self.dilation, self.padding, strict=True))
        if any(s != 1 for s in self.stride) or any(p < 0 for p in padding):
            return None
        return Grid(self.out, self.kernel, self.size, self.stride, padding, self.dilation)


def _along(n, kernel, out, stride, padding, dilation):
    """The meetings along one dim."""
    found = []
    for k in range(kernel):
        shift = k * dilation - padding
        first, end = max(0, -(shift // stride)), min(out, (n - 1 - shift) // stride + 1)
        if first < end:
            places = slice(first * stride + shift, (end - 1) * stride + shift + 1, stride)
            found.append((k, slice(first, end), places))
    return found


# -- memory ----------------------------------------------------------------------------------------------------------


def batch_last(xp, x):
    """x, (N, C, *size), as (C, *size, N), without gaps in memory."""
    return xp.ascontiguousarray(x.transpose((*range(1, x.ndim), 0)))


def batch_first(x):
    """The way back, without copying."""
    return x.transpose((x.ndim - 1, *range(x.ndim - 1)))


def _windows(xp, x, grid):
    """All windows of x, (N, C, *size), as a view of it, or of it with zeros around: (C, *kernel, *out, N)."""
    if grid.whole:
        room = batch_last(xp, x)
    else:
        room = xp.zeros((x.shape[1], *grid.room, x.shape[0]), dtype=x.dtype)
        room[grid.middle] = x.transpose((*range(1, x.ndim), 0))
    first, *along, last = room.strides
    within = [a * d for a, d in zip(along, grid.dilation, strict=True)]
    between = [a * s for a, s in zip(along, grid.stride, strict=True)]
    shape = (x.shape[1], *grid.kernel, *grid.out, x.shape[0])
    return xp.as_strided(room, shape, (first, *within, *between, last))


def _columns(xp, x, grid, groups):
    """The same as a matrix for each group of channels: (groups, C / groups * elements of a window, windows * N)."""
    rows = x.shape[1] // groups * prod(grid.kernel)
    return _windows(xp, x, grid).reshape(groups, rows, prod(grid.out) * x.shape[0])


def _overlaid(xp, columns, channels, grid):
    """The adjoint: an image, (C, *size, N), in which each place has the sum of the elements that windows have of it."""
    columns = columns.reshape(channels, *grid.kernel, *grid.out, columns.shape[-1] // prod(grid.out))
    image = xp.zeros((channels, *grid.size, columns.shape[-1]), dtype=columns.dtype)
    for k, windows, places in grid.meetings:
        image[places] += columns[k][windows]
    return image


def _rows(xp, x, groups):
    """x, (N, C, *size), as a matrix for each group of channels: (groups, C / groups, places * N)."""
    return batch_last(xp, x).reshape(groups, x.shape[1] // groups, prod(x.shape[2:]) * x.shape[0])


def _matrices(weight, groups):
    """A weight, (O, C / groups, *kernel), likewise: (groups, O / groups, C / groups * elements of a window)."""
    return weight.reshape(groups, weight.shape[0] // groups, prod(weight.shape[1:]))


# -- operations ------------------------------------------------------------------------------------------------------

# Half precision is widened not for its sums alone: NumPy multiplies matrices of it 70 times as slowly as of single.


@op(x=lambda xp, g, grid: xp.col2im(g, grid=grid))
def im2col(xp, x, *, grid):
    """All windows of x, (N, C, *size), one after the other: (N, C * elements of a window, windows)."""
    windows = _windows(xp, x, grid).copy()
    return batch_first(windows.reshape(x.shape[1] * prod(grid.kernel), prod(grid.out), x.shape[0]))


@op(columns=lambda xp, g, grid: xp.im2col(g, grid=grid))
@half_in_single
def col2im(xp, columns, *, grid):
    """The adjoint of im2col: (N, C * elements of a window, windows) put back and added up, (N, C, *size)."""
    n, rows, windows = columns.shape
    flat = batch_last(xp, columns).reshape(rows, windows * n)
    return batch_first(_overlaid(xp, flat, rows // prod(grid.kernel), grid))


@op(
    x=lambda xp, g, weight, grid, groups: xp.conv_transpose(g, weight, grid=grid, groups=groups),
    weight=lambda xp, g, x, grid, groups: xp.conv_weight(x, g, grid=grid, groups=groups),
    bias=lambda xp, g: _by_channel(xp, g),
)
@half_in_single
def conv(xp, x, weight, bias=None, *, grid, groups):
    """The windows of x, (N, C, *size), each times the weight, (O, C / groups, *kernel), plus bias: (N, O, *out). The
    channels of a group of outputs look at those of the same group of inputs."""
    found = xp.matmul(_matrices(weight, groups), _columns(xp, x, grid, groups))
    return _image(found, bias, weight.shape[0], grid.out, x.shape[0])


@op(
    y=lambda xp, g, weight, grid, groups: xp.conv(g, weight, grid=grid, groups=groups),
    weight=lambda xp, g, y, grid, groups: xp.conv_weight(g, y, grid=grid, groups=groups),
    bias=lambda xp, g: _by_channel(xp, g),
)
@half_in_single
def conv_transpose(xp, y, weight, bias=None, *, grid, groups):
    """The weight, (O, C / groups, *kernel), times each element of y, (N, O, *out), put down where that element's window
    lies and added up, plus bias: (N, C, *size)."""
    channels = weight.shape[1] * groups
    # Copying windows is cheaper than adding them up, unless there are many more of them. For 64 images, 8 x 8, a 3 x 3
    # kernel takes 0.25 of the other way's time from 8 channels to 64, 0.84 from 32 to 32, 1.19 from 64 to 32.
    if grid.mirrored is not None and weight.shape[0] <= channels:
        found = xp.matmul(_turned(weight, groups), _columns(xp, y, grid.mirrored, groups))
        return _image(found, bias, channels, grid.size, y.shape[0])
    columns = xp.matmul(_matrices(weight, groups).swapaxes(1, 2), _rows(xp, y, groups))
    columns = columns.reshape(channels * prod(grid.kernel), columns.shape[-1])
    return _image(_overlaid(xp, columns, channels, grid), bias, channels, grid.size, y.shape[0])


@op(
    x=lambda xp, g, y, grid, groups: xp.conv_transpose(y, g, grid=grid, groups=groups),
    y=lambda xp, g, x, grid, groups: xp.conv(x, g, grid=grid, groups=groups),
)
@half_in_single
def conv_weight(xp, x, y, *, grid, groups):
    """For each element of a weight the sum of the products of what it joins: x, (N, C, *size), and y, (N, O, *out),
    give (O, C / groups, *kernel)."""
    # This way round the product takes 39 us, the other way 44, for 8 and 16 channels of 64 images, 4 x 4, float32.
    found = xp.matmul(_columns(xp, x, grid, groups), _rows(xp, y, groups).swapaxes(1, 2))
    return found.swapaxes(1, 2).reshape(y.shape[1], x.shape[1] // groups, *grid.kernel)


def _by_channel(xp, g):
    return xp.sum(g, axis=(0, *range(2, len(g.shape))))


def _image(found, bias, channels, size, n):
    """The result of a product as an image, with its bias."""
    if bias is not None:
        found = found.reshape(channels, prod(size) * n)
        found += bias[:, None]
    return batch_first(found.reshape(channels, *size, n))


def _turned(weight, groups):
    """A weight seen from the output, each kernel back to front: (groups, C / groups, O / groups * elements)."""
    outputs, inputs, *kernel = weight.shape
    back = (slice(None),) * 3 + (slice(None, None, -1),) * len(kernel)
    turned = weight.reshape(groups, outputs // groups, inputs, *kernel)[back].swapaxes(1, 2)
    return turned.reshape(groups, inputs, outputs // groups * prod(kernel))
