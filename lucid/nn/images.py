"""Layers for images: convolutions. Those without weights are in `pooling`.

Names of parameters, their shapes and their first values are PyTorch's, so weights move between the two as they are.
"""

from __future__ import annotations

import math
from typing import Any

from lucid.creation import empty
from lucid.nn import functional as F
from lucid.nn import init
from lucid.nn.functional import geometry
from lucid.nn.functional.images import Ints
from lucid.nn.layers import count
from lucid.nn.module import Module
from lucid.padding import AROUND
from lucid.tensor import Parameter, Tensor


class Convolution(Module):
    """What convolutions have in common; `Conv1d` and the others say in how many dims, and which way round.

    Weights and bias start evenly spread over [-b, b] with b = 1 / sqrt(numbers that go into each output), as in
    PyTorch (`init.kaiming_uniform_` with a = sqrt(5) comes to that).

    Raises:
        TypeError, ValueError: if channels do not divide by `groups`, or an option is no int or out of range.
    """

    dims: int
    turned: bool = False  # whether the weight is (in, out / groups, ...)
    padding: Any  # an int for each dim, "same" or "valid"

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints, padding: Ints | str,
        output_padding: Ints, dilation: Ints, groups: int, bias: bool, padding_mode: str, device: Any, dtype: Any,
    ) -> None:  # fmt: skip
        who, dims = type(self).__name__, self.dims
        self.in_channels = count(who, "in_channels", in_channels)
        self.out_channels = count(who, "out_channels", out_channels)
        self.groups = count(who, "groups", groups)
        for name in ("in_channels", "out_channels"):
            if groups < 1 or getattr(self, name) % groups:
                raise ValueError(f"{who}: {name}={getattr(self, name)} does not divide by groups={groups}")
        modes = ("zeros",) if self.turned else ("zeros", *AROUND)
        if padding_mode not in modes:
            raise ValueError(f"{who}: padding_mode must be {' or '.join(map(repr, modes))}, got {padding_mode!r}")
        self.padding_mode = padding_mode
        self.kernel_size = geometry.each(who, "kernel_size", kernel_size, dims, 1)
        self.stride = geometry.each(who, "stride", stride, dims, 1)
        self.dilation = geometry.each(who, "dilation", dilation, dims, 1)
        named = isinstance(padding, str) and not self.turned
        self.padding = padding if named else geometry.each(who, "padding", padding, dims, 0)
        self.output_padding = geometry.each(who, "output_padding", output_padding, dims, 0)
        geometry.check_padding(who, padding, self.stride)
        outer, inner = (in_channels, out_channels) if self.turned else (out_channels, in_channels)
        shape = (outer, inner // groups, *self.kernel_size)
        self.weight = Parameter(empty(*shape, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights and the bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
            init.uniform_(self.bias, -bound, bound)

    def padded(self, input: Tensor) -> tuple[Tensor, Ints | str]:
        """The input, and the zeros that are to be thought around it: none, where `padding_mode` put something there."""
        if self.padding_mode == "zeros" or self.padding == "valid":
            return input, self.padding
        if self.padding == "same":
            total = [(k - 1) * d for k, d in zip(self.kernel_size, self.dilation, strict=True)]
            around = [(n // 2, n - n // 2) for n in total]
        else:
            around = [(n, n) for n in self.padding]
        return F.pad(input, [n for pair in around[::-1] for n in pair], self.padding_mode), 0

    def extra_repr(self) -> str:
        """The sizes, and the options that are not what they usually are."""
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        usual = {"padding": 0, "dilation": 1, "output_padding": 0}
        for name, value in usual.items():
            if getattr(self, name) != (value,) * self.dims:
                parts.append(f"{name}={getattr(self, name)}")
        parts += [f"groups={self.groups}"] if self.groups != 1 else []
        parts += ["bias=False"] if self.bias is None else []
        parts += [f"padding_mode={self.padding_mode}"] if self.padding_mode != "zeros" else []
        return ", ".join(parts)


class Conv1d(Convolution):
    """A learned `nn.functional.conv1d`: out[n, o, i] = bias[o] + sum over c, k of weight[o, c, k] * input[n, c, i + k].

    Args:
        in_channels, out_channels: channels of input and output.
        kernel_size: how many elements of the signal each output sees.
        stride, padding, dilation, groups: see `nn.functional.conv2d`; `padding` may be "same" or "valid".
        bias: whether there is one.
        padding_mode: what stands around the input: "zeros", or a mode of `nn.functional.pad`.
        device, dtype: of the parameters; float32 by default.

    Attributes:
        weight: Parameter (out_channels, in_channels / groups, kernel).
        bias: Parameter (out_channels,), or None.

    >>> from lucid import nn, randn
    >>> nn.Conv1d(2, 3, kernel_size=3, padding=1)(randn(5, 2, 8)).shape
    (5, 3, 8)
    """

    dims = 1

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1, padding: Ints | str = 0,
        dilation: Ints = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        options = groups, bias, padding_mode, device, dtype
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, 0, dilation, *options)

    def forward(self, input: Tensor) -> Tensor:
        """(n, in_channels, length) -> (n, out_channels, new length); n may be left out."""
        input, padding = self.padded(input)
        return F.conv1d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(Convolution):
    """A learned `nn.functional.conv2d`: each output is a weighted sum of a window of the image, out[n, o, place] =
    bias[o] + sum over c, k of weight[o, c, k] * input[n, c, place * stride + k * dilation - padding].

    Args:
        in_channels, out_channels: channels of input and output.
        kernel_size: the size of the windows, an int for squares or (height, width).
        stride, padding, dilation, groups: see `nn.functional.conv2d`; `padding` may be "same" or "valid".
        bias: whether there is one.
        padding_mode: what stands around the input: "zeros", or a mode of `nn.functional.pad`.
        device, dtype: of the parameters; float32 by default.

    Attributes:
        weight: Parameter (out_channels, in_channels / groups, kernel height, kernel width).
        bias: Parameter (out_channels,), or None.

    >>> from lucid import nn, randn
    >>> nn.Conv2d(3, 8, kernel_size=3, stride=2)(randn(5, 3, 9, 7)).shape
    (5, 8, 4, 3)
    """

    dims = 2

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1, padding: Ints | str = 0,
        dilation: Ints = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        options = groups, bias, padding_mode, device, dtype
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, 0, dilation, *options)

    def forward(self, input: Tensor) -> Tensor:
        """(n, in_channels, height, width) -> (n, out_channels, new height, new width); n may be left out."""
        input, padding = self.padded(input)
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class ConvTranspose1d(Convolution):
    """A learned `nn.functional.conv_transpose1d`; arguments and attributes as `ConvTranspose2d`, with one dim less."""

    dims, turned = 1, True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1, padding: Ints = 0,
        output_padding: Ints = 0, groups: int = 1, bias: bool = True, dilation: Ints = 1, padding_mode: str = "zeros",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        options = output_padding, dilation, groups, bias, padding_mode, device, dtype
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, *options)

    def forward(self, input: Tensor) -> Tensor:
        """(n, in_channels, length) -> (n, out_channels, new length); n may be left out."""
        options = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        return F.conv_transpose1d(input, self.weight, self.bias, *options)


class ConvTranspose2d(Convolution):
    """A learned `nn.functional.conv_transpose2d`: each input puts the weight down, times itself, and these add up,
    out[n, o, place * stride + k * dilation - padding] += weight[c, o, k] * input[n, c, place], on top of bias[o].

    The new size is (size - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1.

    Args:
        in_channels, out_channels: channels of input and output.
        kernel_size: the size of what is put down, an int for squares or (height, width).
        stride, padding, output_padding, groups, dilation: see `nn.functional.conv_transpose2d`.
        bias: whether there is one.
        padding_mode: "zeros".
        device, dtype: of the parameters; float32 by default.

    Attributes:
        weight: Parameter (in_channels, out_channels / groups, kernel height, kernel width).
        bias: Parameter (out_channels,), or None.

    >>> from lucid import nn, randn
    >>> nn.ConvTranspose2d(8, 3, kernel_size=2, stride=2)(randn(5, 8, 4, 3)).shape
    (5, 3, 8, 6)
    """

    dims, turned = 2, True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1, padding: Ints = 0,
        output_padding: Ints = 0, groups: int = 1, bias: bool = True, dilation: Ints = 1, padding_mode: str = "zeros",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        options = output_padding, dilation, groups, bias, padding_mode, device, dtype
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, *options)

    def forward(self, input: Tensor) -> Tensor:
        """(n, in_channels, height, width) -> (n, out_channels, new height, new width); n may be left out."""
        options = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        return F.conv_transpose2d(input, self.weight, self.bias, *options)
