"""Convolution, and its two adjoints.

A convolution is linear in the image and in the weight. Weighted with any y of its output's shape it is one number,

    T(x, weight, y) = sum of x[n, c, place + k] * weight[o, c, k] * y[n, o, place],

whose three derivatives are the three operations below: with respect to y the convolution, `conv`; with respect to x the
transposed convolution, `conv_transpose`; with respect to the weight, `conv_weight`. So each has the other two for its
gradients, to every order. They come down to matrix products, with the windows of the image as columns.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from lucid.core.node import Tensor
from lucid.core.op import op
from lucid.ops import images
from lucid.ops.checks import check_count
from lucid.ops.images import Grid, Ints, Shape, add_windows, batch_first, batch_last, batched, cached, window_view

# Half precision is made single not for its sums alone: NumPy multiplies matrices of it 70 times as slowly as of single.


@op(
    in_single=True, x=lambda xp, g, weight, grid, groups: xp.conv_transpose(g, weight, grid=grid, groups=groups),
    weight=lambda xp, g, x, grid, groups: xp.conv_weight(x, g, grid=grid, groups=groups),
    bias=lambda xp, g: xp.sum(g, axis=(0, *range(2, len(g.shape)))),
)  # fmt: skip
def conv(xp, x, weight, bias=None, *, grid, groups):
    """The windows of x, (n, c, *size), each times the weight, (o, c / groups, *kernel), plus bias: (n, o, *out). The
    channels of a group of outputs look at those of the same group of inputs."""
    out = xp.matmul(_matrices(weight, groups), _columns(xp, x, grid, groups))  # (groups, o / groups, places * n)
    return _image(out, bias, weight.shape[0], grid.out, x.shape[0])


@op(
    in_single=True, y=lambda xp, g, weight, grid, groups: xp.conv(g, weight, grid=grid, groups=groups),
    weight=lambda xp, g, y, grid, groups: xp.conv_weight(g, y, grid=grid, groups=groups),
    bias=lambda xp, g: xp.sum(g, axis=(0, *range(2, len(g.shape)))),
)  # fmt: skip
def conv_transpose(xp, y, weight, bias=None, *, grid, groups):
    """The weight, (o, c / groups, *kernel), times each element of y, (n, o, *out), added where that element's window
    lies, plus bias: (n, c, *size)."""
    channels = weight.shape[1] * groups
    # Copying windows is cheaper than adding them up, unless there are many more of them. For 64 images, 8 x 8, a 3 x 3
    # kernel takes 0.25 of the other way's time from 8 channels to 64, 0.84 from 32 to 32, 1.19 from 64 to 32.
    if grid.mirrored is not None and weight.shape[0] <= channels:
        out = xp.matmul(_flipped(weight, groups), _columns(xp, y, grid.mirrored, groups))
        return _image(out, bias, channels, grid.size, y.shape[0])
    columns = xp.matmul(_matrices(weight, groups).swapaxes(1, 2), _rows(xp, y, groups))
    columns = columns.reshape(channels * prod(grid.kernel), columns.shape[-1])
    return _image(add_windows(xp, columns, channels, grid), bias, channels, grid.size, y.shape[0])


@op(
    in_single=True, x=lambda xp, g, y, grid, groups: xp.conv_transpose(y, g, grid=grid, groups=groups),
    y=lambda xp, g, x, grid, groups: xp.conv(x, g, grid=grid, groups=groups),
)  # fmt: skip
def conv_weight(xp, x, y, *, grid, groups):
    """For each element of a weight the sum of the products of what it joins: x, (n, c, *size), and y, (n, o, *out),
    give (o, c / groups, *kernel)."""
    # This way round the product takes 39 us, the other way 44, for 8 and 16 channels of 64 images, 4 x 4, float32.
    out = xp.matmul(_columns(xp, x, grid, groups), _rows(xp, y, groups).swapaxes(1, 2))
    return out.swapaxes(1, 2).reshape(y.shape[1], x.shape[1] // groups, *grid.kernel)


def _columns(xp, x, grid, groups):
    """The windows of x as columns of a matrix for each group of channels."""
    rows = x.shape[1] // groups * prod(grid.kernel)
    return window_view(xp, x, grid).reshape(groups, rows, prod(grid.out) * x.shape[0])  # (groups, rows, places * n)


def _rows(xp, x, groups):
    """x, (n, c, *size), as a matrix for each group of channels: (groups, c / groups, places * n)."""
    return batch_last(xp, x).reshape(groups, x.shape[1] // groups, prod(x.shape[2:]) * x.shape[0])


def _matrices(weight, groups):
    """A weight, (o, c / groups, *kernel), likewise: (groups, o / groups, c / groups * elements of a window)."""
    return weight.reshape(groups, weight.shape[0] // groups, prod(weight.shape[1:]))


def _flipped(weight, groups):
    """A weight seen from the output, each kernel back to front: (groups, c / groups, o / groups * elements)."""
    outputs, inputs, *kernel = weight.shape
    back = (slice(None),) * 3 + (slice(None, None, -1),) * len(kernel)
    flipped = weight.reshape(groups, outputs // groups, inputs, *kernel)[back].swapaxes(1, 2)
    return flipped.reshape(groups, inputs, outputs // groups * prod(kernel))


def _image(out, bias, channels, size, n):
    """The result of a product as an image, (n, channels, *size), with its bias."""
    if bias is not None:
        out = out.reshape(channels, prod(size) * n)
        out += bias[:, None]
    return batch_first(out.reshape(channels, *size, n))


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints | str = 0,
    dilation: Ints = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """out[n, o, i] = bias[o] + sum over c, k of weight[o, c, k] * input[n, c, i * stride + k * dilation - padding].

    `conv2d` with one dim less: input (n, channels, length) or (channels, length), weight (out_channels, channels /
    groups, kernel)."""
    return _convolve(conv, 1, input, weight, bias, groups, stride, padding, dilation)


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints | str = 0,
    dilation: Ints = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Every window of the image times the weight: out[n, o, place] = bias[o] + sum over c, k of weight[o, c, k] *
    input[n, c, place * stride + k * dilation - padding], in both dims; zero is read outside of the image.

    As everywhere in deep learning, the kernel is not flipped first: it is a cross-correlation. The result is
    (n, out_channels, *out), or without n; out is (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1.

    Args:
        input: (n, channels, height, width), or (channels, height, width).
        weight, bias: (out_channels, channels / groups, kernel height, kernel width); (out_channels,), or None.
        stride, dilation: how far apart the windows are, and the elements of each; an int, or one for each dim.
        padding: likewise, how many zeros surround the image; "valid" for none, "same" for as many as keep its size.
        groups: into how many groups channels are divided; the outputs of a group see the inputs of the same group.

    Raises ValueError if a shape does not fit, channels do not divide by `groups`, the kernel is larger than the padded
    image, or an option is out of range; TypeError if an option is not an int, or an input not a Tensor.

    >>> from lucid import ones
    >>> conv2d(ones(1, 1, 3, 3), ones(1, 1, 2, 2)).tolist()
    [[[[4.0, 4.0], [4.0, 4.0]]]]
    """
    return _convolve(conv, 2, input, weight, bias, groups, stride, padding, dilation)


def _convolve(
    operation: Callable[..., Tensor], dims: int, input: Tensor, weight: Tensor, bias: Tensor | None, groups: int,
    *options: Any,
) -> Tensor:  # fmt: skip
    caller, grid_of = ("conv", _conv_grid) if operation is conv else ("conv_transpose", _conv_transpose_grid)
    caller += f"{dims}d"
    shapes = input._array.shape, weight._array.shape, None if bias is None else bias._array.shape
    grid = grid_of(caller, dims, *shapes, groups, *options)
    return batched(dims, input, lambda x: operation(x, weight, bias, grid=grid, groups=groups))


@cached
def _conv_grid(
    caller: str, dims: int, shape: Shape, weight: Shape, bias: Shape | None, groups: int, stride: Any, padding: Any,
    dilation: Any,
) -> Grid:  # fmt: skip
    size, kernel = _check_shapes(caller, shape, weight, bias, dims, groups, transposed=False)
    stride, dilation = images.ints(caller, "stride", stride, dims), images.ints(caller, "dilation", dilation, dims)
    check_padding(caller, padding, stride)
    if padding == "same":  # with an even kernel, the odd zero goes behind
        before = tuple((k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True))
        return Grid(size, kernel, size, stride, before, dilation)
    return images.window_grid(caller, size, kernel, stride, 0 if padding == "valid" else padding, dilation)


def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints = 0,
    output_padding: Ints = 0, groups: int = 1, dilation: Ints = 1,
) -> Tensor:  # fmt: skip
    """`conv_transpose2d` with one dim less: input (n, channels, length) or (channels, length), weight (channels,
    out_channels / groups, kernel)."""
    return _convolve(conv_transpose, 1, input, weight, bias, groups, stride, padding, output_padding, dilation)


def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints = 0,
    output_padding: Ints = 0, groups: int = 1, dilation: Ints = 1,
) -> Tensor:  # fmt: skip
    """Each element of the input times the weight, added where `conv2d` would have looked for it:

        out[n, o, place * stride + k * dilation - padding] += input[n, c, place] * weight[c, o, k]

    for all c, k and places, on top of bias[o]. The gradient of `conv2d` with respect to its input, often used to make
    images larger. The result is (n, out_channels, *out), or without n; out is (size - 1) * stride - 2 * padding +
    dilation * (kernel - 1) + output_padding + 1.

    Args and errors as `conv2d`, and ValueError where nothing would be left. The weight is (channels, out_channels /
    groups, kernel height, kernel width); products are added `stride` apart, and `padding` is cut off all around. With a
    stride, several sizes give one size under conv2d: `output_padding`, below stride or dilation, says which is meant,
    by how much longer the output is at its end.

    >>> from lucid import ones
    >>> conv_transpose2d(ones(1, 1, 2, 1), ones(1, 1, 2, 1), stride=2).flatten().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    return _convolve(conv_transpose, 2, input, weight, bias, groups, stride, padding, output_padding, dilation)


@cached
def _conv_transpose_grid(
    caller: str, dims: int, shape: Shape, weight: Shape, bias: Shape | None, groups: int, stride: Any, padding: Any,
    output_padding: Any, dilation: Any,
) -> Grid:  # fmt: skip
    """The grid of the convolution whose adjoint this is: its `out` is the input, its `size` the output."""
    out, kernel = _check_shapes(caller, shape, weight, bias, dims, groups, transposed=True)
    stride, dilation = images.ints(caller, "stride", stride, dims), images.ints(caller, "dilation", dilation, dims)
    padding = images.ints(caller, "padding", padding, dims, 0)
    extra = images.ints(caller, "output_padding", output_padding, dims, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        given = f"{extra} with stride {stride} and dilation {dilation}"
        raise ValueError(f"{caller}: output_padding must be smaller than stride or dilation, got {given}")
    dims_of = zip(out, kernel, stride, padding, dilation, extra, strict=True)
    size = tuple((o - 1) * s - 2 * p + (k - 1) * d + e + 1 for o, k, s, p, d, e in dims_of)
    if any(n < 1 for n in size):
        need = f"it needs a larger kernel than {kernel}, or less padding than {padding}"
        raise ValueError(f"{caller}: input of size {out} would give an output of size {size}; {need}")
    return Grid(size, kernel, out, stride, padding, dilation)


def _check_shapes(
    caller: str, shape: Shape, weight: Shape, bias: Shape | None, dims: int, groups: int, transposed: bool
) -> tuple[Shape, Shape]:
    """The sizes of the image and of the kernel, once input, weight and bias fit together. A transposed convolution's
    weight is (in, out / groups, *kernel), another's (out, in / groups, *kernel)."""
    size = images.image_size(caller, shape, dims)
    check_count(caller, "groups", groups, 1)
    first, second = ("in_channels", "out_channels") if transposed else ("out_channels", "in_channels")
    if len(weight) != dims + 2:
        expected = f"({first}, {second} / groups, and {dims} of the kernel)"
        raise ValueError(f"{caller}: weight must have the shape {expected}, got {weight}")
    if weight[0] % groups:
        raise ValueError(f"{caller}: weight has {weight[0]} {first}, which do not divide by groups={groups}")
    inputs, outputs = (weight[0], weight[1] * groups) if transposed else (weight[1] * groups, weight[0])
    if shape[-dims - 1] != inputs:
        channels = f"{shape[-dims - 1]} channels, but weight of shape {weight} with groups={groups} takes {inputs}"
        raise ValueError(f"{caller}: input of shape {shape} has {channels}")
    if bias not in (None, (outputs,)):
        one_each = f"({outputs},), one number for each output channel"
        raise ValueError(f"{caller}: bias must have the shape {one_each}, got {bias}")
    return size, images.ints(caller, "the kernel's size", weight[2:], dims)


def check_padding(caller: str, padding: Any, stride: Shape) -> None:
    """Refuse a word for the padding that does not exist, or does not go with a stride."""
    if isinstance(padding, str) and padding not in ("same", "valid"):
        raise ValueError(f"{caller}: padding must be 'same', 'valid' or numbers, got {padding!r}")
    if padding == "same" and any(s != 1 for s in stride):
        raise ValueError(f"{caller}: padding='same' needs a stride of 1, got {stride}; give padding as numbers")
