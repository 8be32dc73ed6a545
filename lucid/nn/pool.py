"""Layers for images without weights: pooling, padding, resizing, and windows as columns.

The formulas stand at `lucid.nn.functional`, and so do the arguments; the batch n may be left out.
"""

from __future__ import annotations

from lucid.core.node import Tensor
from lucid.nn import functional as F
from lucid.nn.activations import FunctionModule, OfSignature
from lucid.ops.images import Ints, MaybeInts, ints


class ImageFunction(FunctionModule):
    """A function of images as a layer; a TypeError or ValueError, when it is made, for an option that is no int or out
    of range."""

    dims = 2

    def check(self, *names: str) -> None:
        """Refuse options that are not ints, or tuples of `dims` of them, or too small."""
        for name in names:
            ints(type(self).__name__, name, getattr(self, name), self.dims, 0 if name == "padding" else 1)


class MaxPool(ImageFunction, options=("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")):
    """What MaxPool1d and MaxPool2d have in common."""

    shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode
        self.check("kernel_size", "stride", "padding", "dilation")


class MaxPool1d(MaxPool, function=F.max_pool1d):
    """The largest element of every window: out[n, c, i] = max over k of input[n, c, i * stride + k].

    (n, channels, length) gives (n, channels, windows). The rest is as in `MaxPool2d`."""

    dims = 1


class MaxPool2d(MaxPool, function=F.max_pool2d):
    """The largest element of every window: out[n, c, place] = max over k of input[n, c, place * stride + k].

    (n, channels, height, width) gives (n, channels, *windows), or a pair with `return_indices`. The gradient goes to
    the first of equal elements. Errors as `ImageFunction`."""


class AvgPool(ImageFunction, options=("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")):
    """What AvgPool1d and AvgPool2d have in common."""

    shown = ("kernel_size", "stride", "padding")


class AvgPool1d(AvgPool, function=F.avg_pool1d):
    """The mean of every window: out[n, c, i] = mean over k of input[n, c, i * stride + k - padding].

    (n, channels, length) gives (n, channels, windows). Errors as `ImageFunction`."""

    def __init__(
        self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        self.kernel_size = ints("AvgPool1d", "kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else ints("AvgPool1d", "stride", stride, 1)
        self.padding = ints("AvgPool1d", "padding", padding, 1, 0)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad


class AvgPool2d(AvgPool, function=F.avg_pool2d, options=("divisor_override",)):
    """The mean of every window: out[n, c, place] = mean over k of input[n, c, place * stride + k - padding].

    (n, channels, height, width) gives (n, channels, *windows). Errors as `ImageFunction`."""

    def __init__(
        self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override
        self.check("kernel_size", "stride", "padding")


class AdaptiveAvgPool1d(ImageFunction, function=F.adaptive_avg_pool1d, options=("output_size",)):
    """The means of `output_size` windows, whatever the length n of the signal: out[i] = mean(input[floor(i * n / out) :
    ceil((i + 1) * n / out)]). (n, channels, length) gives (n, channels, output_size)."""

    def __init__(self, output_size: MaybeInts) -> None:
        self.output_size = output_size


class AdaptiveAvgPool2d(ImageFunction, function=F.adaptive_avg_pool2d, options=("output_size",)):
    """The means of as many windows as make `output_size`, whatever the size of the image: an int for squares, or
    (height, width), where None stands for the image's own. (n, channels, height, width) gives (n, channels,
    *output_size), and in each dim of n places out[i] = mean(input[floor(i * n / out) : ceil((i + 1) * n / out)])."""

    def __init__(self, output_size: MaybeInts) -> None:
        self.output_size = output_size


class AdaptiveMaxPool1d(OfSignature, function=F.adaptive_max_pool1d, shown=("output_size",)):
    """The largest elements of `output_size` windows, those of `AdaptiveAvgPool1d`; or with `return_indices` a pair."""


class AdaptiveMaxPool2d(OfSignature, function=F.adaptive_max_pool2d, shown=("output_size",)):
    """The largest elements of the windows of `AdaptiveAvgPool2d`; or with `return_indices` a pair."""


class PixelShuffle(OfSignature, function=F.pixel_shuffle):
    """Images r = `upscale_factor` times as large: (..., c * r * r, h, w) gives (..., c, h * r, w * r)."""


class Padding(OfSignature):
    """What layers that pad have in common: a `padding`, one int for all sides, or (left, right, top, bottom). Errors as
    `nn.functional.pad`."""

    dims: int
    mode: str = "constant"
    value: float | None = None
    options: tuple[str, ...] = ("padding",)

    def __init__(self, padding: Ints) -> None:
        self.padding = ints(type(self).__name__, "padding", padding, 2 * self.dims, -(2**62))

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels, *size) -> (n, channels, *larger size)."""
        return F.pad(input, self.padding, self.mode, self.value)


class ConstantPad1d(Padding, dims=1):
    """A signal, (..., length), with `value` around it."""

    options = ("padding", "value")

    def __init__(self, padding: Ints, value: float) -> None:
        super().__init__(padding)
        self.value = value


class ConstantPad2d(ConstantPad1d, dims=2):
    """An image, (..., height, width), with `value` around it."""


class ZeroPad1d(Padding, dims=1):
    """A signal, (..., length), with zeros around it."""


class ZeroPad2d(Padding, dims=2):
    """An image, (..., height, width), with zeros around it."""


class ReflectionPad1d(Padding, dims=1, mode="reflect"):
    """A signal mirrored at its ends, which are not repeated."""


class ReflectionPad2d(Padding, dims=2, mode="reflect"):
    """Images mirrored at their edges, which are not repeated."""


class ReplicationPad1d(Padding, dims=1, mode="replicate"):
    """A signal with its ends repeated."""


class ReplicationPad2d(Padding, dims=2, mode="replicate"):
    """Images with their edges repeated."""


class Upsample(ImageFunction, function=F.interpolate):
    """Images in another size, by `nn.functional.interpolate`, whose arguments these are: (n, channels, *size) gives
    (n, channels, *new size)."""

    options = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor")

    def __init__(
        self, size: Ints | None = None, scale_factor: float | tuple[float, ...] | None = None, mode: str = "nearest",
        align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    ) -> None:  # fmt: skip
        if isinstance(scale_factor, (tuple, list)):
            scale_factor = tuple(map(float, scale_factor))
        self.size, self.mode, self.align_corners = size, mode, align_corners
        self.scale_factor = float(scale_factor) if isinstance(scale_factor, int) else scale_factor
        self.recompute_scale_factor = recompute_scale_factor
        self.shown = ("size" if scale_factor is None else "scale_factor", "mode")


class Unfold(ImageFunction, function=F.unfold, options=("kernel_size", "dilation", "padding", "stride")):
    """All windows of images as columns, by `nn.functional.unfold`: (n, channels, height, width) gives (n, channels *
    elements of a window, windows)."""

    def __init__(self, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1) -> None:
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride
        self.check(*self.options)


class Fold(ImageFunction, function=F.fold, options=("output_size", "kernel_size", "dilation", "padding", "stride")):
    """Columns put back into images of `output_size`, and added up where windows overlap, by `nn.functional.fold`:
    (n, channels * elements of a window, windows) gives (n, channels, *output_size)."""

    def __init__(
        self, output_size: Ints, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1
    ) -> None:
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride
        self.check(*self.options)
