"""Rows of the table (see table.py): convolutions, pooling, resizing."""

from __future__ import annotations

from typing import Any

from tests.ops.samples import D, Row, U, fixed, row


def F(m: Any) -> Any:
    return m.nn.functional


TIES = fixed([[[[1, 1, 0, 2, 2], [0, 1, 2, 2, 0], [3, 3, 3, 1, 1]]]])

TABLE: dict[str, list[Row]] = {
    "conv": [
        row(lambda m, x, w, b: F(m).conv2d(x, w, b), U(2, 2, 3, 4), U(3, 2, 2, 3), U(3)),
        row(lambda m, x, w: F(m).conv2d(x, w), U(2, 3, 4), U(3, 2, 2, 2)),
        row(lambda m, x, w, b: F(m).conv2d(x, w, b, padding=1), U(1, 2, 3, 3), U(2, 2, 3, 3), U(2)),
        row(lambda m, x, w, b: F(m).conv2d(x, w, b, stride=2, padding=1), U(1, 2, 4, 5), U(2, 2, 3, 2), U(2)),
        row(lambda m, x, w: F(m).conv2d(x, w, stride=(2, 1), padding=(2, 0), dilation=(1, 2)), U(1, 2, 3, 4),
            U(1, 2, 3, 2)),
        row(lambda m, x, w, b: F(m).conv2d(x, w, b, groups=2), U(2, 4, 3, 2), U(4, 2, 2, 2), U(4)),
        row(lambda m, x, w: F(m).conv2d(x, w, padding=1, groups=3), U(1, 3, 2, 3), U(6, 1, 2, 2)),
        row(lambda m, x, w: F(m).conv2d(x, w, stride=3), U(1, 1, 6, 5), U(2, 1, 2, 2)),
        row(lambda m, x, w, b: F(m).conv2d(x, w, b), U(2, 3, 2, 2), U(2, 3, 1, 1), U(2)),
        row(lambda m, x, w, b: F(m).conv2d(x, w, b), U(0, 2, 3, 4), U(3, 2, 2, 3), U(3)),
        row(lambda m, x, w, b: F(m).conv2d(x, w, b, padding="same"), U(1, 1, 3, 4), U(2, 1, 3, 3), U(2)),
        row(lambda m, x, w, b: F(m).conv2d(x, w, b, padding="valid"), U(1, 1, 3, 4), U(2, 1, 3, 3), U(2)),
        row(lambda m, x, w, b: F(m).conv1d(x, w, b), U(2, 2, 5), U(3, 2, 2), U(3)),
        row(lambda m, x, w: F(m).conv1d(x, w, stride=2, padding=2, dilation=2, groups=2), U(2, 5), U(4, 1, 3)),
        row(lambda m, x, w, b: F(m).conv1d(x, w, b, padding="same", dilation=3), U(1, 2, 4), U(1, 2, 3), U(1)),
        row(lambda m, x, w: F(m).conv2d(x, w), U(1, 1, 2, 2), U(2, 1, 2, 2)),
    ],
    "conv_transpose": [
        row(lambda m, x, w, b: F(m).conv_transpose2d(x, w, b), U(2, 2, 2, 3), U(2, 3, 2, 2), U(3)),
        row(lambda m, x, w, b: F(m).conv_transpose2d(x, w, b, stride=2), U(1, 2, 2, 3), U(2, 2, 2, 2), U(2)),
        row(lambda m, x, w: F(m).conv_transpose2d(x, w, stride=(2, 3), padding=(1, 0), output_padding=(1, 2)),
            U(2, 2, 2), U(2, 1, 3, 2)),
        row(lambda m, x, w, b: F(m).conv_transpose2d(x, w, b, padding=1, dilation=2, output_padding=1), U(1, 2, 2, 3),
            U(2, 2, 2, 2), U(2)),
        row(lambda m, x, w, b: F(m).conv_transpose2d(x, w, b, stride=2, groups=2), U(2, 2, 2, 1), U(2, 2, 2, 3), U(4)),
        row(lambda m, x, w: F(m).conv_transpose2d(x, w, padding=1, groups=2), U(1, 4, 2, 3), U(4, 1, 3, 3)),
        row(lambda m, x, w: F(m).conv_transpose2d(x, w, padding=1), U(1, 1, 4, 3), U(1, 2, 1, 2)),
        row(lambda m, x, w: F(m).conv_transpose2d(x, w), U(1, 5, 2, 2), U(5, 1, 2, 2)),
        row(lambda m, x, w, b: F(m).conv_transpose2d(x, w, b), U(0, 2, 2, 3), U(2, 3, 2, 2), U(3)),
        row(lambda m, x, w, b: F(m).conv_transpose1d(x, w, b, stride=2, padding=1), U(2, 2, 3), U(2, 2, 3), U(2)),
    ],
    "im2col": [
        row(lambda m, x: F(m).unfold(x, 2), U(2, 2, 3, 4)),
        row(lambda m, x: F(m).unfold(x, (2, 3), dilation=(1, 2), padding=(1, 2), stride=(2, 1)), U(2, 3, 4)),
        row(lambda m, x: F(m).unfold(x, 1), U(1, 2, 2, 2)),
        row(lambda m, x: F(m).unfold(x, 2), U(0, 2, 3, 4)),
    ],
    "col2im": [
        row(lambda m, x: F(m).fold(x, (3, 4), 2), U(2, 8, 6)),
        row(lambda m, x: F(m).fold(x, (4, 3), (2, 3), dilation=(2, 1), padding=(1, 0), stride=(1, 2)), U(6, 4)),
        row(lambda m, x: F(m).fold(x, 4, 2, stride=2), U(1, 4, 4)),
        row(lambda m, x: F(m).fold(x, (3, 4), 2), U(0, 8, 6)),
    ],
    "max_pool": [
        row(lambda m, x: F(m).max_pool2d(x, 2), D(2, 2, 4, 4)),
        row(lambda m, x: F(m).max_pool2d(x, (2, 3), stride=1), D(1, 2, 3, 4)),
        row(lambda m, x: F(m).max_pool2d(x, 3, stride=2, padding=1), D(1, 2, 5, 4)),
        row(lambda m, x: F(m).max_pool2d(x, (3, 2), stride=(1, 2), padding=(1, 0), dilation=(1, 2)), D(2, 3, 5)),
        row(lambda m, x: F(m).max_pool2d(x, 2, ceil_mode=True), D(1, 1, 5, 3)),
        row(lambda m, x: F(m).max_pool2d(x, 2, stride=3), D(1, 1, 5, 6)),
        row(lambda m, x: F(m).max_pool2d(x, 1), D(1, 1, 2, 2)),
        row(lambda m, x: F(m).max_pool2d(x, 2), D(0, 2, 4, 4)),
        row(lambda m, x: F(m).max_pool1d(x, 2), D(2, 2, 5)),
        row(lambda m, x: F(m).max_pool1d(x, 3, stride=2, padding=1, ceil_mode=True), D(2, 6)),
        row(lambda m, x: F(m).max_pool2d(x, 2, return_indices=True)[0], D(2, 4, 4)),
    ],
    "adaptive_max_pool": [
        row(lambda m, x: F(m).adaptive_max_pool2d(x, (2, 3)), D(2, 2, 4, 5)),
        row(lambda m, x: F(m).adaptive_max_pool2d(x, 1), D(2, 3, 2)),
        row(lambda m, x: F(m).adaptive_max_pool2d(x, (None, 4)), D(1, 1, 2, 3)),
        row(lambda m, x: F(m).adaptive_max_pool2d(x, (3, 2), True)[0], D(1, 2, 4, 4)),
        row(lambda m, x: F(m).adaptive_max_pool2d(x, 2), D(0, 2, 3, 3)),
        row(lambda m, x: F(m).adaptive_max_pool1d(x, 3), D(2, 2, 7)),
    ],
    "pixel_shuffle": [
        row(lambda m, x: F(m).pixel_shuffle(x, 2), U(2, 8, 2, 3)),
        row(lambda m, x: F(m).pixel_shuffle(x, 3), U(9, 1, 2)),
    ],
    "resample": [
        row(lambda m, x: F(m).avg_pool2d(x, 2), U(2, 2, 4, 4)),
        row(lambda m, x: F(m).avg_pool2d(x, (2, 3), stride=1), U(1, 2, 3, 4)),
        row(lambda m, x: F(m).avg_pool2d(x, 3, stride=2, padding=1), U(1, 2, 5, 4)),
        row(lambda m, x: F(m).avg_pool2d(x, (3, 2), stride=(1, 2), padding=(1, 0), count_include_pad=False),
            U(2, 3, 5)),
        row(lambda m, x: F(m).avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
            U(1, 1, 4, 6)),
        row(lambda m, x: F(m).avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True), U(1, 1, 4, 6)),
        row(lambda m, x: F(m).avg_pool2d(x, 2, divisor_override=3), U(1, 1, 3, 5)),
        row(lambda m, x: F(m).avg_pool2d(x, 2, stride=3), U(0, 2, 4, 5)),
        row(lambda m, x: F(m).avg_pool1d(x, 2), U(2, 2, 5)),
        row(lambda m, x: F(m).avg_pool1d(x, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), U(2, 6)),
        row(lambda m, x: F(m).adaptive_avg_pool2d(x, (2, 3)), U(2, 2, 4, 5)),
        row(lambda m, x: F(m).adaptive_avg_pool2d(x, 1), U(2, 3, 2)),
        row(lambda m, x: F(m).adaptive_avg_pool2d(x, 2), U(2, 3, 4)),
        row(lambda m, x: F(m).adaptive_avg_pool2d(x, (None, 4)), U(1, 1, 2, 3)),
        row(lambda m, x: F(m).adaptive_avg_pool2d(x, (3, None)), U(1, 1, 3, 2)),
        row(lambda m, x: F(m).adaptive_avg_pool1d(x, 3), U(2, 2, 7)),
        row(lambda m, x: F(m).interpolate(x, scale_factor=2), U(2, 1, 2, 3)),
        row(lambda m, x: F(m).interpolate(x, size=(5, 2)), U(1, 2, 3, 4)),
        row(lambda m, x: F(m).interpolate(x, size=7), U(1, 2, 3)),
        row(lambda m, x: F(m).interpolate(x, scale_factor=2, mode="bilinear"), U(2, 1, 2, 3)),
        row(lambda m, x: F(m).interpolate(x, size=(3, 5), mode="bilinear", align_corners=False), U(1, 2, 4, 2)),
        row(lambda m, x: F(m).interpolate(x, size=(3, 1), mode="bilinear", align_corners=True), U(1, 2, 2, 3)),
        row(lambda m, x: F(m).interpolate(x, scale_factor=1.7, mode="linear"), U(1, 2, 4)),
        row(lambda m, x: F(m).interpolate(x, scale_factor=1.7, mode="linear", recompute_scale_factor=True), U(1, 2, 4)),
        row(lambda m, x: F(m).interpolate(x, size=9, mode="linear", align_corners=True), U(0, 2, 4)),
        row(lambda m, x: F(m).pad(x, (2, 1), mode="reflect"), U(2, 1, 4)),
        row(lambda m, x: F(m).pad(x, (1, 0, 2, 1), mode="reflect"), U(1, 3, 2)),
        row(lambda m, x: F(m).pad(x, (1, 3, 2, 0), mode="replicate"), U(1, 2, 3, 2)),
        row(lambda m, x: F(m).pad(x, (1, 2, 3, 0), mode="circular"), U(1, 1, 3, 2)),
        row(lambda m, x: F(m).pad(x, (-1, 2), mode="replicate"), U(2, 3)),
    ],
}  # fmt: skip

PLAIN: dict[str, list[Row]] = {
    "find_maxima": [
        row(lambda m, x: F(m).max_pool2d(x, 2, return_indices=True)[1], TIES),
        row(lambda m, x: F(m).max_pool2d(x, (2, 3), stride=1, padding=1, return_indices=True)[1], TIES),
        row(lambda m, x: F(m).max_pool2d(x, 2, ceil_mode=True, return_indices=True)[1], TIES),
        row(lambda m, x: F(m).max_pool2d(x[0], 2, stride=1, dilation=2, return_indices=True)[1], TIES),
        row(lambda m, x: F(m).max_pool1d(x[0], 3, return_indices=True)[1], TIES),
    ],
    "adaptive_max_indices": [
        row(lambda m, x: F(m).adaptive_max_pool2d(x, (2, 3), True)[1], TIES),
        row(lambda m, x: F(m).adaptive_max_pool2d(x[0], (3, 5), True)[1], TIES),
        row(lambda m, x: F(m).adaptive_max_pool2d(x, 1, True)[1], TIES),
        row(lambda m, x: F(m).adaptive_max_pool1d(x[0], 4, return_indices=True)[1], TIES),
    ],
    "resample": [
        row(lambda m, x: F(m).interpolate(x, size=(3, 2)), fixed([[[[5, 6], [9, 3]]]], "uint8")),
        row(lambda m, x: F(m).pad(x, (1, 1), mode="circular"), fixed([[[5, 6], [9, 3]]], "int64")),
    ],
    "max_pool_of_integers": [
        row(lambda m, x: F(m).max_pool2d(x, 2, padding=1), fixed([[[-5, -6], [-9, -3]]], "int64")),
        row(lambda m, x: F(m).max_pool2d(x, 2, padding=1), fixed([[[0, 6], [9, 3]]], "uint8")),
    ],
}  # fmt: skip
