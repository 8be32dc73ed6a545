"""Convolutions as layers. The formulas stand at `lucid.nn.functional`.

Names of parameters, their shapes and their first values are PyTorch's, so weights move between the two as they are.
"""

from __future__ import annotations

from typing import Any

from lucid.core.create import empty
from lucid.core.node import Tensor
from lucid.core.tensor import Parameter
from lucid.nn import functional as F
from lucid.nn import init
from lucid.nn.module import Module
from lucid.ops.checks import check_count
from lucid.ops.conv import check_padding
from lucid.ops.images import Ints, ints
from lucid.ops.pad import MODES


class Convolution(Module):
    """What convolutions have in common; `Conv1d` and the others say in how many `dims`, and by which `function`.
    Weights and bias start evenly spread over [-b, b] with b = 1 / sqrt(numbers that go into each output), as PyTorch's.
    A TypeError or ValueError if channels do not divide by `groups`, or an option is no int or out of range."""

    dims: int
    function: Any
    transposed = False  # if so, the weight is (in, out / groups, ...)
    padding: Any  # an int for each dim, "same" or "valid"

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1, padding: Ints | str = 0,
        dilation: Ints = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        caller, dims = type(self).__name__, self.dims
        self.in_channels = check_count(caller, "in_channels", in_channels)
        self.out_channels = check_count(caller, "out_channels", out_channels)
        self.groups = check_count(caller, "groups", groups)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if groups < 1 or channels % groups:
                raise ValueError(f"{caller}: {name}={channels} does not divide by groups={groups}")
        modes = ("zeros",) if self.transposed else ("zeros", *MODES)
        if padding_mode not in modes:
            raise ValueError(f"{caller}: padding_mode must be {' or '.join(map(repr, modes))}, got {padding_mode!r}")
        self.padding_mode = padding_mode
        self.kernel_size = ints(caller, "kernel_size", kernel_size, dims)
        self.stride = ints(caller, "stride", stride, dims)
        self.dilation = ints(caller, "dilation", dilation, dims)
        is_name = isinstance(padding, str) and not self.transposed
        self.padding = padding if is_name else ints(caller, "padding", padding, dims, 0)
        self.output_padding = (0,) * dims
        check_padding(caller, padding, self.stride)
        outer, inner = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(empty(outer, inner // groups, *self.kernel_size, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights and the bias anew."""
        init._weighted_sum_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """(n, in_channels, length) or (n, in_channels, height, width) -> the same with `out_channels` and a new size;
        n may be left out."""
        padding = self.padding
        if self.padding_mode != "zeros" and padding != "valid":
            same = [(k - 1) * d for k, d in zip(self.kernel_size, self.dilation, strict=True)]
            total = same if padding == "same" else [2 * n for n in padding]
            widths = [width for n in reversed(total) for width in (n // 2, n - n // 2)]
            input, padding = F.pad(input, widths, self.padding_mode), 0
        return self.function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        """The sizes, and the options that are not what they usually are."""
        zeros, ones = (0,) * self.dims, (1,) * self.dims
        usual = {"padding": zeros, "dilation": ones, "output_padding": zeros, "groups": 1, "bias": True,
                 "padding_mode": "zeros"}  # fmt: skip
        shown = {name: getattr(self, name) for name in usual} | {"bias": self.bias is not None}
        options = [f"{name}={shown[name]}" for name, value in usual.items() if shown[name] != value]
        sizes = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        return ", ".join([sizes, *options])


class TransposedConvolution(Convolution):
    """What `ConvTranspose1d` and `ConvTranspose2d` have in common."""

    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1, padding: Ints = 0,
        output_padding: Ints = 0, groups: int = 1, bias: bool = True, dilation: Ints = 1, padding_mode: str = "zeros",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        output_padding = ints(type(self).__name__, "output_padding", output_padding, self.dims, 0)
        options = dilation, groups, bias, padding_mode, device, dtype
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, *options)
        self.output_padding = output_padding

    def forward(self, input: Tensor) -> Tensor:
        """As `Convolution.forward`."""
        options = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        return self.function(input, self.weight, self.bias, *options)


class Conv1d(Convolution):
    """A learned `nn.functional.conv1d`: out[n, o, i] = bias[o] + sum over c, k of weight[o, c, k] * input[n, c, i + k].

    (n, in_channels, length) gives (n, out_channels, new length). Arguments and attributes are those of `Conv2d`, with
    one dim less: `weight` is (out_channels, in_channels / groups, kernel).

    >>> from lucid import nn, randn
    >>> nn.Conv1d(2, 3, kernel_size=3, padding=1)(randn(5, 2, 8)).shape
    (5, 3, 8)
    """

    dims, function = 1, staticmethod(F.conv1d)


class Conv2d(Convolution):
    """A learned `nn.functional.conv2d`: each output is a weighted sum of a window of the image, out[n, o, place] =
    bias[o] + sum over c, k of weight[o, c, k] * input[n, c, place * stride + k * dilation - padding].

    (n, in_channels, height, width) gives (n, out_channels, new height, new width); n may be left out.

    Args:
        in_channels, out_channels: channels of input and output.
        kernel_size: the size of the windows, an int for squares or (height, width).
        stride, padding, dilation, groups: see `nn.functional.conv2d`; `padding` may be "same" or "valid".
        bias: whether there is one.
        padding_mode: what surrounds the input: "zeros", or a mode of `nn.functional.pad`.
        device, dtype: of the parameters; float32 by default.

    Attributes:
        weight: Parameter (out_channels, in_channels / groups, kernel height, kernel width).
        bias: Parameter (out_channels,), or None.

    >>> from lucid import nn, randn
    >>> nn.Conv2d(3, 8, kernel_size=3, stride=2)(randn(5, 3, 9, 7)).shape
    (5, 8, 4, 3)
    """

    dims, function = 2, staticmethod(F.conv2d)


class ConvTranspose1d(TransposedConvolution):
    """A learned `nn.functional.conv_transpose1d`, (n, in_channels, length) -> (n, out_channels, new length); arguments
    and attributes as `ConvTranspose2d`, with one dim less."""

    dims, function = 1, staticmethod(F.conv_transpose1d)


class ConvTranspose2d(TransposedConvolution):
    """A learned `nn.functional.conv_transpose2d`: each input adds the weight, times itself, to a window of the output,
    out[n, o, place * stride + k * dilation - padding] += weight[c, o, k] * input[n, c, place], on top of bias[o].

    (n, in_channels, height, width) gives (n, out_channels, new height, new width); n may be left out. The new size is
    (size - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1. Arguments and errors as
    `Conv2d`, but that `padding` is made of ints, `output_padding` as in `nn.functional.conv_transpose2d`, and
    `padding_mode` "zeros".
    The weight is (in_channels, out_channels / groups, kernel height, kernel width).

    >>> from lucid import nn, randn
    >>> nn.ConvTranspose2d(8, 3, kernel_size=2, stride=2)(randn(5, 8, 4, 3)).shape
    (5, 3, 8, 6)
    """

    dims, function = 2, staticmethod(F.conv_transpose2d)
