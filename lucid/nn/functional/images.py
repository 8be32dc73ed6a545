"""Convolutions, and windows taken out of images and put back.

Images are (N, C, height, width), a batch of N with C channels; signals (N, C, length). The batch may be left out.
A `stride`, `padding`, ... is one int for all dims or one for each.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from lucid.nn.functional import geometry
from lucid.nn.functional.checks import check_tensor
from lucid.nn.functional.geometry import hashable
from lucid.ops import images
from lucid.tensor import Tensor

Ints = int | tuple[int, ...]


def batched(dims: int, input: Tensor, f: Callable[[Tensor], Tensor]) -> Tensor:
    """f of a batch of images; of one image, f of it as a batch of one."""
    return f(input) if input.ndim == dims + 2 else f(input.unsqueeze(0)).squeeze(0)


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints | str = 0,
    dilation: Ints = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """out[n, o, i] = bias[o] + sum over c, k of weight[o, c, k] * input[n, c, i * stride + k * dilation - padding].

    Args, and what is raised, as for `conv2d`, with one dim less: input (N, C, length) or (C, length), weight
    (out_channels, C / groups, kernel).
    """
    return _conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints | str = 0,
    dilation: Ints = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Every window of the image times the weight: out[n, o, place] = bias[o] + sum over c, k of weight[o, c, k] *
    input[n, c, place * stride + k * dilation - padding], in both dims; zero is read outside of the image.

    As everywhere in deep learning, the kernel is not turned around first.

    Args:
        input: (N, C, height, width), or (C, height, width).
        weight: (out_channels, C / groups, kernel height, kernel width).
        bias: (out_channels,), or None.
        stride: how far apart the windows are.
        padding: how many zeros are thought around the image; "valid" for none, "same" for as many as keep its size.
        dilation: how far apart the elements of a window are.
        groups: into how many groups channels are divided; the outputs of a group see the inputs of the same group.

    Returns:
        (N, out_channels, *out), or without N; out is (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1.

    Raises:
        ValueError: if a shape does not fit, channels do not divide by `groups`, the kernel is larger than the padded
            image, or an option is out of range.
        TypeError: if an option is not an int, or an input not a Tensor.

    >>> from lucid import ones
    >>> conv2d(ones(1, 1, 3, 3), ones(1, 1, 2, 2)).tolist()
    [[[[4.0, 4.0], [4.0, 4.0]]]]
    """
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def _conv(
    who: str, dims: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any,
    groups: int,
) -> Tensor:  # fmt: skip
    shapes = _shapes(who, input, weight, bias)
    grid = geometry.of_conv(who, dims, *shapes, hashable(stride), hashable(padding), hashable(dilation), groups)
    return batched(dims, input, lambda x: images.conv(x, weight, bias, grid=grid, groups=groups))


def _shapes(who: str, input: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Any, Any, Any]:
    check_tensor(who, "input", input)
    check_tensor(who, "weight", weight)
    if bias is not None:
        check_tensor(who, "bias", bias)
    return input._array.shape, weight._array.shape, None if bias is None else bias._array.shape


def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints = 0,
    output_padding: Ints = 0, groups: int = 1, dilation: Ints = 1,
) -> Tensor:  # fmt: skip
    """`conv_transpose2d` with one dim less: input (N, C, length) or (C, length), weight (C, out_channels / groups,
    kernel)."""
    options = stride, padding, output_padding, groups, dilation
    return _conv_transpose("conv_transpose1d", 1, input, weight, bias, *options)


def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints = 0,
    output_padding: Ints = 0, groups: int = 1, dilation: Ints = 1,
) -> Tensor:  # fmt: skip
    """Each element of the input times the weight, put down where `conv2d` would have looked for it, and added up:

        out[n, o, place * stride + k * dilation - padding] += input[n, c, place] * weight[c, o, k]

    for all c, k and places, to begin with bias[o]. The gradient of `conv2d` with respect to its input, often used to
    make images larger.

    Args:
        input: (N, C, height, width), or (C, height, width).
        weight: (C, out_channels / groups, kernel height, kernel width).
        bias: (out_channels,), or None.
        stride: how far apart the weights are put down.
        padding: how much is cut off all around.
        output_padding: how much the output is longer at its end. With a stride, several sizes give one size under
            conv2d; this says which of them is meant.
        groups, dilation: as for `conv2d`.

    Returns:
        (N, out_channels, *out), or without N; out is
        (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1.

    Raises:
        ValueError: if a shape does not fit, channels do not divide by `groups`, nothing would be left, or an option is
            out of range; `output_padding` must be below stride or dilation.
        TypeError: if an option is not an int, or an input not a Tensor.

    >>> from lucid import ones
    >>> conv_transpose2d(ones(1, 1, 2, 1), ones(1, 1, 2, 1), stride=2).flatten().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    options = stride, padding, output_padding, groups, dilation
    return _conv_transpose("conv_transpose2d", 2, input, weight, bias, *options)


def _conv_transpose(
    who: str, dims: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any,
    output_padding: Any, groups: int, dilation: Any,
) -> Tensor:  # fmt: skip
    shapes = _shapes(who, input, weight, bias)
    options = [hashable(option) for option in (stride, padding, output_padding, groups, dilation)]
    grid = geometry.of_conv_transpose(who, dims, *shapes, *options)
    return batched(dims, input, lambda x: images.conv_transpose(x, weight, bias, grid=grid, groups=groups))


def unfold(input: Tensor, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1) -> Tensor:
    """All windows of images as columns: (N, C, height, width) gives (N, C * elements of a window, windows).

    out[n, (c, k), window] = input[n, c, window * stride + k * dilation - padding], and 0 outside of the image. A
    convolution is `weight.flatten(1) @ unfold(input, ...)`. The batch may be left out.

    Raises:
        ValueError: for another shape, a kernel larger than the padded image, or an option out of range.
    """
    check_tensor("unfold", "input", input)
    size = geometry.size_of("unfold", input.shape, 2)
    options = [hashable(option) for option in (kernel_size, dilation, padding, stride)]
    grid = geometry.of_unfold("unfold", size, *options)
    return batched(2, input, lambda x: images.im2col(x, grid=grid))


def fold(
    input: Tensor, output_size: Ints, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1
) -> Tensor:
    """Columns put back into images of `output_size`, and added up where windows overlap: the adjoint of `unfold`,

        out[n, c, window * stride + k * dilation - padding] += input[n, (c, k), window]

    for all k and windows, save what would stand outside of the image.

    (N, C * elements of a window, windows) gives (N, C, *output_size); the batch may be left out.

    Raises:
        ValueError: if the number of rows does not divide by the elements of a window, or that of columns is not the
            number of windows in an image of `output_size`.
    """
    check_tensor("fold", "input", input)
    size = geometry.each("fold", "output_size", output_size, 2, 1)
    options = [hashable(option) for option in (kernel_size, dilation, padding, stride)]
    grid = geometry.of_unfold("fold", size, *options)
    if input.ndim not in (2, 3):
        raise ValueError(
            "fold: input must have the shape (channels * elements of a window, windows), or that with a batch in "
            f"front, got {input.shape}"
        )
    rows, columns = input.shape[-2:]
    if rows % prod(grid.kernel):
        raise ValueError(
            f"fold: input of shape {input.shape} has {rows} rows, which do not divide by the {prod(grid.kernel)} "
            f"elements of a window of size {grid.kernel}"
        )
    if columns != prod(grid.out):
        raise ValueError(
            f"fold: input of shape {input.shape} has {columns} columns, but in an image of size {size} there are "
            f"{prod(grid.out)} windows, {grid.out}, with kernel_size {grid.kernel}, stride {grid.stride}, padding "
            f"{grid.padding} and dilation {grid.dilation}"
        )
    return batched(1, input, lambda x: images.col2im(x, grid=grid))
