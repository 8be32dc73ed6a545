"""Layers for images without weights: pooling, padding, resizing, and windows as columns.

The formulas stand at `lucid.nn.functional`, and so do the arguments; the batch n may be left out.
"""

from __future__ import annotations

from typing import Any

from lucid.core.node import Tensor
from lucid.nn import functional as F
from lucid.nn.activations import FunctionModule
from lucid.ops.images import Ints, ints


class ImageFunction(FunctionModule):
    """A function of images as a layer; a TypeError or ValueError, when it is made, for an option that is no int or out
    of range."""

    dims = 2
    stride: Any

    def check(self) -> None:
        """Refuse options that are not ints, or tuples of `dims` of them, or too small."""
        if "stride" in self.options and self.stride is None:
            self.stride = self.kernel_size
        for name in ("output_size", "kernel_size", "stride", "padding", "dilation"):
            if name in self.options:
                ints(type(self).__name__, name, getattr(self, name), self.dims, 0 if name == "padding" else 1)


class MaxPool(ImageFunction, options=("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")):
    """What MaxPool1d and MaxPool2d have in common."""

    shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode
        self.check()


class MaxPool1d(MaxPool, function=F.max_pool1d):
    """The largest element of every window: out[n, c, i] = max over k of input[n, c, i * stride + k].

    (n, channels, length) gives (n, channels, windows). The rest is as in `MaxPool2d`."""

    dims = 1


class MaxPool2d(MaxPool, function=F.max_pool2d):
    """The largest element of every window: out[n, c, place] = max over k of input[n, c, place * stride + k].

    (n, channels, height, width) gives (n, channels, *windows), or a pair with `return_indices`. The gradient goes to
    the first of equal elements. Errors as `ImageFunction`."""


class AvgPool1d(ImageFunction, function=F.avg_pool1d, shown=("kernel_size", "stride", "padding")):
    """The mean of every window: out[n, c, i] = mean over k of input[n, c, i * stride + k - padding].

    (n, channels, length) gives (n, channels, windows). Errors as `ImageFunction`."""

    dims = 1

    def check(self) -> None:
        """Make tuples, which the repr shows."""
        super().check()
        for name in ("kernel_size", "stride", "padding"):
            setattr(self, name, ints("AvgPool1d", name, getattr(self, name), 1, 0))


class AvgPool2d(ImageFunction, function=F.avg_pool2d, shown=("kernel_size", "stride", "padding")):
    """The mean of every window: out[n, c, place] = mean over k of input[n, c, place * stride + k - padding].

    (n, channels, height, width) gives (n, channels, *windows). Errors as `ImageFunction`."""


class AdaptiveAvgPool1d(FunctionModule, function=F.adaptive_avg_pool1d):
    """The means of `output_size` windows, whatever the length n of the signal: out[i] = mean(input[floor(i * n / out) :
    ceil((i + 1) * n / out)]). (n, channels, length) gives (n, channels, output_size)."""


class AdaptiveAvgPool2d(FunctionModule, function=F.adaptive_avg_pool2d):
    """The means of as many windows as make `output_size`, whatever the size of the image: an int for squares, or
    (height, width), where None stands for the image's own. (n, channels, height, width) gives (n, channels,
    *output_size), and in each dim of n places out[i] = mean(input[floor(i * n / out) : ceil((i + 1) * n / out)])."""


class AdaptiveMaxPool1d(FunctionModule, function=F.adaptive_max_pool1d, shown=("output_size",)):
    """The largest elements of `output_size` windows, those of `AdaptiveAvgPool1d`; or with `return_indices` a pair."""


class AdaptiveMaxPool2d(FunctionModule, function=F.adaptive_max_pool2d, shown=("output_size",)):
    """The largest elements of the windows of `AdaptiveAvgPool2d`; or with `return_indices` a pair."""


class PixelShuffle(FunctionModule, function=F.pixel_shuffle):
    """Images r = `upscale_factor` times as large: (..., c * r * r, h, w) gives (..., c, h * r, w * r)."""


class Padding(FunctionModule):
    """What layers that pad have in common: a `padding`, one int for all sides, or (left, right, top, bottom). Errors as
    `nn.functional.pad`."""

    dims, mode, options = 1, "constant", ("padding",)
    value: float | None = None

    def __init__(self, padding: Ints) -> None:
        self.padding = ints(type(self).__name__, "padding", padding, 2 * self.dims, -(2**62))

    def forward(self, input: Tensor) -> Tensor:  # type: ignore[override]
        """(n, channels, *size) -> (n, channels, *larger size)."""
        return F.pad(input, self.padding, self.mode, self.value)


class ZeroPad1d(Padding):
    """A signal, (..., length), with zeros around it."""


class ZeroPad2d(Padding, dims=2):
    """An image, (..., height, width), with zeros around it."""


class ConstantPad1d(Padding, options=("padding", "value")):
    """A signal, (..., length), with `value` around it."""

    def __init__(self, padding: Ints, value: float) -> None:
        super().__init__(padding)
        self.value = value


class ConstantPad2d(ConstantPad1d, dims=2):
    """An image, (..., height, width), with `value` around it."""


class ReflectionPad1d(Padding, mode="reflect"):
    """A signal mirrored at its ends, which are not repeated."""


class ReflectionPad2d(ReflectionPad1d, dims=2):
    """Images mirrored at their edges, which are not repeated."""


class ReplicationPad1d(Padding, mode="replicate"):
    """A signal with its ends repeated."""


class ReplicationPad2d(ReplicationPad1d, dims=2):
    """Images with their edges repeated."""


class Upsample(FunctionModule, function=F.interpolate):
    """Images in another size, by `nn.functional.interpolate`, whose arguments these are: (n, channels, *size) gives
    (n, channels, *new size)."""

    scale_factor: Any

    def check(self) -> None:
        """Make floats of factors."""
        factor = self.scale_factor
        if factor is not None:
            self.scale_factor = tuple(map(float, factor)) if isinstance(factor, (tuple, list)) else float(factor)
        self.shown = ("size" if factor is None else "scale_factor", "mode")


class Unfold(ImageFunction, function=F.unfold):
    """All windows of images as columns, by `nn.functional.unfold`: (n, channels, height, width) gives (n, channels *
    elements of a window, windows)."""


class Fold(ImageFunction, function=F.fold):
    """Columns put back into images of `output_size`, and added up where windows overlap, by `nn.functional.fold`:
    (n, channels * elements of a window, windows) gives (n, channels, *output_size)."""
