"""Layers for images without weights: pooling, resizing, and windows as columns."""

from __future__ import annotations

from typing import Any

from lucid.nn import functional as F
from lucid.nn.functional import geometry
from lucid.nn.functional.images import Ints
from lucid.nn.functional.pooling import MaybeInts
from lucid.nn.module import Module
from lucid.tensor import Tensor


class MaxPool(Module):
    """What MaxPool1d and MaxPool2d have in common."""

    dims: int

    def __init__(
        self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode
        check(self, self.dims, kernel_size=1, stride=1, padding=0, dilation=1)

    def extra_repr(self) -> str:
        """The windows."""
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)


class MaxPool1d(MaxPool):
    """The largest element of every window: out[n, c, i] = max over k of input[n, c, i * stride + k].

    Arguments as for `nn.functional.max_pool2d`, with one dim.

    Raises:
        TypeError, ValueError: if an option is no int or out of range.
    """

    dims = 1

    def forward(self, input: Tensor) -> Any:
        """(n, channels, length) -> (n, channels, windows), or a pair with `return_indices`; n may be left out."""
        options = self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        return F.max_pool1d(input, self.kernel_size, *options)


class MaxPool2d(MaxPool):
    """The largest element of every window: out[n, c, place] = max over k of input[n, c, place * stride + k].

    Arguments as for `nn.functional.max_pool2d`. The gradient goes to the first of equal elements.

    Raises:
        TypeError, ValueError: if an option is no int or out of range.
    """

    dims = 2

    def forward(self, input: Tensor) -> Any:
        """(n, channels, height, width) -> (n, channels, *windows), a pair with `return_indices`; n may be left out."""
        options = self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        return F.max_pool2d(input, self.kernel_size, *options)


class AvgPool1d(Module):
    """The mean of every window: out[n, c, i] = mean over k of input[n, c, i * stride + k - padding].

    Arguments as for `nn.functional.avg_pool1d`.

    Raises:
        TypeError, ValueError: if an option is no int or out of range.
    """

    def __init__(
        self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        self.kernel_size = geometry.each("AvgPool1d", "kernel_size", kernel_size, 1, 1)
        self.stride = self.kernel_size if stride is None else geometry.each("AvgPool1d", "stride", stride, 1, 1)
        self.padding = geometry.each("AvgPool1d", "padding", padding, 1, 0)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels, length) -> (n, channels, windows); n may be left out."""
        options = self.stride, self.padding, self.ceil_mode, self.count_include_pad
        return F.avg_pool1d(input, self.kernel_size, *options)

    def extra_repr(self) -> str:
        """The windows."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of every window: out[n, c, place] = mean over k of input[n, c, place * stride + k - padding].

    Arguments as for `nn.functional.avg_pool2d`.

    Raises:
        TypeError, ValueError: if an option is no int or out of range.
    """

    def __init__(
        self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override
        check(self, 2, kernel_size=1, stride=1, padding=0)

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, channels, *windows); n may be left out."""
        options = self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override
        return F.avg_pool2d(input, self.kernel_size, *options)

    def extra_repr(self) -> str:
        """The windows."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool1d(Module):
    """The means of `output_size` windows, whatever the length n of the signal: out[i] = mean(input[floor(i * n / out) :
    ceil((i + 1) * n / out)]). See `nn.functional.adaptive_avg_pool2d`."""

    def __init__(self, output_size: MaybeInts) -> None:
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels, length) -> (n, channels, output_size); n may be left out."""
        return F.adaptive_avg_pool1d(input, self.output_size)

    def extra_repr(self) -> str:
        """The size."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool2d(Module):
    """The means of as many windows as make `output_size`, whatever the size of the image: an int for squares, or
    (height, width), where None stands for the image's own. In each dim of n places out[i] =
    mean(input[floor(i * n / out) : ceil((i + 1) * n / out)]); see `nn.functional.adaptive_avg_pool2d`."""

    def __init__(self, output_size: MaybeInts) -> None:
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, channels, *output_size); n may be left out."""
        return F.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        """The size."""
        return f"output_size={self.output_size}"


class Upsample(Module):
    """Images in another size, by `nn.functional.interpolate`, whose arguments these are."""

    def __init__(
        self, size: Ints | None = None, scale_factor: float | tuple[float, ...] | None = None, mode: str = "nearest",
        align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    ) -> None:  # fmt: skip
        if isinstance(scale_factor, (tuple, list)):
            scale_factor = tuple(map(float, scale_factor))
        self.size = size
        self.scale_factor = float(scale_factor) if isinstance(scale_factor, int) else scale_factor
        self.mode, self.align_corners = mode, align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels, *size) -> (n, channels, *new size)."""
        options = self.mode, self.align_corners, self.recompute_scale_factor
        return F.interpolate(input, self.size, self.scale_factor, *options)

    def extra_repr(self) -> str:
        """The size or the factor, and the mode."""
        name = "size" if self.scale_factor is None else "scale_factor"
        return f"{name}={getattr(self, name)}, mode={self.mode!r}"


class Unfold(Module):
    """All windows of images as columns, (n, channels * elements of a window, windows): `nn.functional.unfold`."""

    def __init__(self, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1) -> None:
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride
        check(self, 2, kernel_size=1, dilation=1, padding=0, stride=1)

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, channels * elements of a window, windows); n may be left out."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """The windows."""
        return ", ".join(f"{n}={getattr(self, n)}" for n in ("kernel_size", "dilation", "padding", "stride"))


class Fold(Module):
    """Columns put back into images of `output_size`, and added up where windows overlap: `nn.functional.fold`."""

    def __init__(
        self, output_size: Ints, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1
    ) -> None:
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride
        check(self, 2, output_size=1, kernel_size=1, dilation=1, padding=0, stride=1)

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels * elements of a window, windows) -> (n, channels, *output_size); n may be left out."""
        options = self.dilation, self.padding, self.stride
        return F.fold(input, self.output_size, self.kernel_size, *options)

    def extra_repr(self) -> str:
        """The size and the windows."""
        names = ("output_size", "kernel_size", "dilation", "padding", "stride")
        return ", ".join(f"{n}={getattr(self, n)}" for n in names)


def check(layer: Module, dims: int, **least: int) -> None:
    """Refuse options that are not ints, or tuples of `dims` of them, of at least so much."""
    for name, smallest in least.items():
        geometry.each(type(layer).__name__, name, getattr(layer, name), dims, smallest)
