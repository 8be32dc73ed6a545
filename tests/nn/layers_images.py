"""Sample layers (see layers.py): (make, inputs, options) each."""

from __future__ import annotations

import math
from typing import Any

from tests.ops.samples import D, U


def layer(make: Any, *inputs: Any, **options: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    return make, inputs, options


def called(module: Any, nn: Any, *shape: int) -> Any:
    """A lazy layer after its first call, on zeros of this shape."""
    module(nn.Parameter(nn.Linear(1, 1).weight.detach().expand(1, math.prod(shape)).reshape(shape) * 0).detach())
    return module


LAYERS: dict[str, list[tuple[Any, tuple[Any, ...], dict[str, Any]]]] = {
    "Conv1d": [
        layer(lambda nn: nn.Conv1d(2, 3, 2), U(2, 2, 4)),
        layer(lambda nn: nn.Conv1d(2, 4, 3, stride=2, padding=2, dilation=2, groups=2, bias=False), U(2, 5)),
        layer(lambda nn: nn.Conv1d(1, 2, 4, padding="same", padding_mode="circular"), U(1, 1, 4)),
    ],
    "Conv2d": [
        layer(lambda nn: nn.Conv2d(2, 3, 2), U(2, 2, 3, 3)),
        layer(lambda nn: nn.Conv2d(2, 4, (2, 3), stride=(2, 1), padding=1, groups=2), U(1, 2, 3, 2)),
        layer(lambda nn: nn.Conv2d(1, 2, 3, padding="same", bias=False), U(1, 2, 3)),
        layer(lambda nn: nn.Conv2d(1, 1, 3, padding=(1, 2), padding_mode="reflect"), U(1, 1, 3, 3)),
        layer(lambda nn: nn.Conv2d(1, 1, 2, padding="valid", padding_mode="replicate"), U(1, 1, 3, 2)),
    ],
    "ConvTranspose1d": [layer(lambda nn: nn.ConvTranspose1d(2, 3, 3, stride=2, padding=1, output_padding=1),
                              U(1, 2, 3))],
    "ConvTranspose2d": [
        layer(lambda nn: nn.ConvTranspose2d(2, 3, 2, stride=2), U(1, 2, 2, 3)),
        layer(lambda nn: nn.ConvTranspose2d(2, 2, 3, 2, 1, 1, groups=2, bias=False, dilation=2), U(2, 2, 1)),
    ],
    "MaxPool1d": [layer(lambda nn: nn.MaxPool1d(2), D(2, 2, 5)), layer(lambda nn: nn.MaxPool1d(3, 1, 1), D(2, 4))],
    "MaxPool2d": [
        layer(lambda nn: nn.MaxPool2d(2), D(2, 2, 4, 4)),
        layer(lambda nn: nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), D(1, 4, 5)),
        layer(lambda nn: nn.MaxPool2d((1, 2), dilation=2, return_indices=True), D(1, 1, 2, 4),
              call=lambda layer, x: layer(x)[0]),
    ],
    "AvgPool1d": [layer(lambda nn: nn.AvgPool1d(2), U(2, 2, 5)),
                  layer(lambda nn: nn.AvgPool1d(3, 1, 1, True, False), U(2, 4))],
    "AvgPool2d": [
        layer(lambda nn: nn.AvgPool2d(2), U(2, 2, 4, 4)),
        layer(lambda nn: nn.AvgPool2d((3, 2), 1, 1, True, False, 5), U(1, 3, 4)),
    ],
    "AdaptiveAvgPool1d": [layer(lambda nn: nn.AdaptiveAvgPool1d(3), U(1, 2, 5))],
    "AdaptiveAvgPool2d": [layer(lambda nn: nn.AdaptiveAvgPool2d(1), U(1, 2, 2, 3)),
                          layer(lambda nn: nn.AdaptiveAvgPool2d((None, 2)), U(1, 2, 3))],
    "AdaptiveMaxPool1d": [layer(lambda nn: nn.AdaptiveMaxPool1d(3), D(1, 2, 5)),
                          layer(lambda nn: nn.AdaptiveMaxPool1d(2), D(2, 4))],
    "AdaptiveMaxPool2d": [layer(lambda nn: nn.AdaptiveMaxPool2d(1), D(1, 2, 2, 3)),
                          layer(lambda nn: nn.AdaptiveMaxPool2d((None, 2)), D(1, 2, 3)),
                          layer(lambda nn: nn.AdaptiveMaxPool2d((3, 2), return_indices=True), D(1, 5, 3),
                                call=lambda layer, x: layer(x)[0])],
    **{f"{name}Pad1d": [layer(lambda nn, name=name: getattr(nn, f"{name}Pad1d")(2), U(1, 2, 4)),
                        layer(lambda nn, name=name: getattr(nn, f"{name}Pad1d")((-1, 1)), U(2, 3))]
       for name in ("Zero", "Reflection", "Replication")},
    **{f"{name}Pad2d": [layer(lambda nn, name=name: getattr(nn, f"{name}Pad2d")(1), U(1, 2, 3, 2)),
                        layer(lambda nn, name=name: getattr(nn, f"{name}Pad2d")((1, 0, 2, 1)), U(1, 3, 3))]
       for name in ("Zero", "Reflection", "Replication")},
    "ConstantPad1d": [layer(lambda nn: nn.ConstantPad1d((2, 1), 3.5), U(1, 2, 3))],
    "ConstantPad2d": [layer(lambda nn: nn.ConstantPad2d(1, -2.0), U(2, 3))],
    "PixelShuffle": [layer(lambda nn: nn.PixelShuffle(2), U(1, 8, 2, 3)),
                     layer(lambda nn: nn.PixelShuffle(1), U(2, 2, 3))],
    "LazyConv1d": [layer(lambda nn: called(nn.LazyConv1d(3, 2), nn, 1, 2, 4), U(2, 2, 4))],
    "LazyConv2d": [layer(lambda nn: called(nn.LazyConv2d(3, 2, padding=1), nn, 2, 4, 4), U(1, 2, 3, 3))],
    "Upsample": [
        layer(lambda nn: nn.Upsample(scale_factor=2), U(1, 2, 2, 3)),
        layer(lambda nn: nn.Upsample((3, 4), mode="bilinear", align_corners=True), U(1, 1, 2, 3)),
        layer(lambda nn: nn.Upsample(scale_factor=(1.7,), mode="linear"), U(1, 2, 4)),
    ],
    "Unfold": [layer(lambda nn: nn.Unfold(2, padding=1), U(1, 2, 2, 3))],
    "Fold": [layer(lambda nn: nn.Fold((3, 4), (2, 3), stride=(1, 1)), U(1, 6, 4))],
}  # fmt: skip
