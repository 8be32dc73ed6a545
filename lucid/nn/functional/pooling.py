"""Pooling and resizing: images of more or fewer places.

Images are (N, C, height, width), signals (N, C, length). In pooling the batch may be left out.
"""

from __future__ import annotations

from typing import Any

from lucid.nn.functional import geometry
from lucid.nn.functional.checks import check_tensor
from lucid.nn.functional.geometry import hashable
from lucid.nn.functional.images import Ints, batched
from lucid.ops import pooling
from lucid.tensor import Tensor

MaybeInts = int | None | tuple[int | None, ...]


def max_pool1d(
    input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """`max_pool2d` with one dim less: (N, C, length) or (C, length)."""
    return _max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest element of every window: out[n, c, place] = max over k of input[n, c, place * stride + k * dilation -
    padding], in both dims. What lies outside of the image is never the largest.

    The gradient goes to the first of equal elements. A NaN in a window is its maximum.

    Args:
        input: (N, C, height, width), or (C, height, width).
        kernel_size: of the windows.
        stride: how far apart they are; by default they lie side by side.
        padding: how far they may begin before the image and end behind it, at most half of the kernel.
        dilation: how far apart the elements of a window are.
        ceil_mode: whether to add a window that sticks out where the last does not reach the end.
        return_indices: whether to return (values, indices), the latter int64 places counted row by row in each image.

    Raises:
        ValueError: if the shape does not fit, the kernel is larger than the padded image, `padding` than half of the
            kernel, or an option is out of range.

    >>> from lucid import tensor
    >>> max_pool2d(tensor([[[1.0, 2.0, 5.0, 3.0], [4.0, 0.0, 1.0, 5.0]]]), 2).tolist()
    [[[4.0, 5.0]]]
    """
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _max_pool(
    who: str, dims: int, input: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool,
    return_indices: bool,
) -> Any:  # fmt: skip
    check_tensor(who, "input", input)
    options = [hashable(option) for option in (kernel_size, stride, padding, dilation)]
    grid = geometry.of_pool(who, dims, input._array.shape, *options, bool(ceil_mode))
    if not return_indices:
        return batched(dims, input, lambda x: pooling.max_pool(x, grid=grid))
    x = input if input.ndim == dims + 2 else input.unsqueeze(0)
    out = pooling.max_pool(x, grid=grid)
    places = pooling.find_maxima(x, out, grid=grid)
    return (out, places) if x is input else (out.squeeze(0), places.squeeze(0))


def avg_pool1d(
    input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """`avg_pool2d` with one dim less: (N, C, length) or (C, length)."""
    return _avg_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of every window, with zeros around: out[n, c, place] = mean over k of input[n, c, place * stride + k -
    padding].

    Args:
        input, kernel_size, stride, padding, ceil_mode: as for `max_pool2d`.
        count_include_pad: whether the zeros of the padding count as elements of a window.
        divisor_override: what sums are divided by, whatever a window holds.

    Raises:
        ValueError: as `max_pool2d`, and if `divisor_override` is 0.
    """
    return _avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def _avg_pool(
    who: str, dims: int, input: Tensor, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor: int | None,
) -> Tensor:  # fmt: skip
    _check_float(who, input)
    options = [hashable(option) for option in (kernel_size, stride, padding)]
    mixes = geometry.of_avg_pool(
        who, dims, input._array.shape, *options, bool(ceil_mode), bool(count_include_pad), divisor
    )
    return batched(dims, input, lambda x: pooling.resample(x, mixes=mixes))


def adaptive_avg_pool1d(input: Tensor, output_size: MaybeInts) -> Tensor:
    """`adaptive_avg_pool2d` with one dim less: (N, C, length) or (C, length)."""
    return _adaptive("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: MaybeInts) -> Tensor:
    """The means of as many windows as make `output_size`, whatever the size of the image.

    Window i of a dim of n places begins at i * n / out, rounded down, and ends at (i + 1) * n / out, rounded up: out[i]
    = mean(input[floor(i * n / out) : ceil((i + 1) * n / out)]). None stands for the image's own size.

    Raises:
        ValueError: if the shape does not fit, or a size is negative.

    >>> from lucid import arange
    >>> adaptive_avg_pool2d(arange(6.0).reshape(1, 2, 3), (1, None)).tolist()
    [[[1.5, 2.5, 3.5]]]
    """
    return _adaptive("adaptive_avg_pool2d", 2, input, output_size)


def _adaptive(who: str, dims: int, input: Tensor, output_size: Any) -> Tensor:
    _check_float(who, input)
    mixes = geometry.of_adaptive(who, dims, input._array.shape, hashable(output_size))
    if all(mix is not None and mix.rows == 1 for mix in mixes):  # one window is all: 73 us for 284 on 64 x 16 x 8 x 8
        return input.mean(tuple(range(-dims, 0)), keepdim=True)
    return batched(dims, input, lambda x: pooling.resample(x, mixes=mixes))


def interpolate(
    input: Tensor, size: Ints | None = None, scale_factor: float | tuple[float, ...] | None = None,
    mode: str = "nearest", align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
) -> Tensor:  # fmt: skip
    """Images in another size, (N, C, *size): each new place takes its value from the old ones nearest to it.

    With s the old size over the new, new place i lies at i * s, of which "nearest" takes the whole part. The others mix
    the two places around u = (i + 0.5) * s - 0.5, but not below 0, as out[i] = (1 - t) * input[floor(u)] + t *
    input[floor(u) + 1] for t = u - floor(u), dim by dim; with `align_corners` u = i * (old - 1) / (new - 1).

    Args:
        input: (N, C, length) or (N, C, height, width); "nearest" takes any number of dims.
        size: the new one; or
        scale_factor: a number for all dims, or one for each, that the old size is multiplied by and rounded down.
        mode: "nearest" takes one old place; "linear" (of signals) and "bilinear" (of images) go in a straight line
            from one to the next.
        align_corners: for the latter, whether the outermost places are points that stay where they are; otherwise
            places are squares, and the outer edges of the outermost stay.
        recompute_scale_factor: whether places follow from the sizes, where `scale_factor` does not give a whole number
            of them, rather than from `scale_factor` itself.

    Raises:
        ValueError: for another mode, a shape or align_corners that does not go with it, and unless one of `size` and
            `scale_factor` is given.

    >>> from lucid import tensor
    >>> interpolate(tensor([[[0.0, 1.0]]]), size=3, mode="linear", align_corners=True).tolist()
    [[[0.0, 0.5, 1.0]]]
    """
    check_tensor("interpolate", "input", input)
    if mode != "nearest":
        _check_float("interpolate", input)
    options = hashable(size), hashable(scale_factor), mode, align_corners, recompute_scale_factor
    mixes = geometry.of_interpolate(input._array.shape, *options)
    return pooling.resample(input, mixes=mixes)


def _check_float(who: str, input: Tensor) -> None:
    check_tensor(who, "input", input)
    if not input.is_floating_point():
        raise TypeError(f"{who}: input must hold floats to be averaged, got {input.dtype}; convert it with .float()")
