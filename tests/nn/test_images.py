"""Convolution, pooling, resizing: what no row of the tables says."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.core.array import cpu as xp
from lucid.nn import functional as F
from lucid.ops.images import Grid

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def the_same_numbers_for_each_test() -> None:
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state
    lucid.manual_seed(0)


def randn(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


# -- the operations hang together ------------------------------------------------------------------------------------

GRIDS = [
    Grid((4, 5), (2, 3), (3, 3), (1, 1), (0, 0), (1, 1)),
    Grid((4, 5), (3, 2), (2, 2), (2, 3), (1, 0), (1, 2)),
    Grid((4, 3), (3, 3), (4, 3), (1, 1), (1, 1), (1, 1)),
    Grid((4, 3), (2, 2), (4, 3), (1, 1), (0, 1), (1, 1)),  # the last window begins in the image and ends beyond
    Grid((3, 4), (2, 1), (4, 4), (1, 1), (1, 0), (1, 1)),
    Grid((6,), (3,), (2,), (3,), (0,), (1,)),
    Grid((3, 2), (1, 2), (5, 3), (1, 1), (1, 1), (1, 1)),  # some windows see nothing of the image
    Grid((2, 3, 4), (2, 2, 2), (1, 2, 3), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
]


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: str(grid.size))
@pytest.mark.parametrize("groups", [1, 2])
def test_the_three_convolutions_are_derivatives_of_one_number(grid: Grid, groups: int) -> None:
    x, y, weight = randn(2, 4, *grid.size), randn(2, 6, *grid.out), randn(6, 4 // groups, *grid.kernel)
    one = (xp.conv(x, weight, grid=grid, groups=groups) * y).sum()
    assert one == pytest.approx((xp.conv_transpose(y, weight, grid=grid, groups=groups) * x).sum())
    assert one == pytest.approx((xp.conv_weight(x, y, grid=grid, groups=groups) * weight).sum())


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: str(grid.size))
def test_convolution_is_the_weight_times_the_windows(grid: Grid) -> None:
    x, weight, bias = randn(2, 3, *grid.size), randn(4, 3, *grid.kernel), randn(4)
    windows = xp.im2col(x, grid=grid)
    expected = (weight.reshape(4, -1) @ windows + bias[:, None]).reshape(2, 4, *grid.out)
    lone = xp.conv(x, weight, grid=grid, groups=1)
    np.testing.assert_allclose(lone + bias.reshape(-1, *[1] * len(grid.size)), expected, rtol=1e-12, atol=1e-12)
    columns = weight.reshape(4, -1).T @ expected.reshape(2, 4, -1)
    found = xp.conv_transpose(expected, weight, grid=grid, groups=1)
    np.testing.assert_allclose(found, xp.col2im(columns, grid=grid), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels, outputs, groups", [(4, 4, 1), (4, 2, 2), (1, 3, 1)])
def test_a_transposed_convolution_is_the_same_either_way(channels: int, outputs: int, groups: int) -> None:
    """With a stride of 1 it may be a convolution with the kernel turned round: the plain way adds up columns."""
    for grid in GRIDS:
        y, weight = randn(2, outputs, *grid.out), randn(outputs, channels // groups, *grid.kernel)
        found = xp.conv_transpose(y, weight, grid=grid, groups=groups)  # 3 outputs of 1 channel: the plain way as well
        plain = Grid(grid.size, grid.kernel, grid.out, grid.stride, grid.padding, grid.dilation)
        plain.__dict__["mirrored"] = None
        np.testing.assert_allclose(
            found, xp.conv_transpose(y, weight, grid=plain, groups=groups), rtol=1e-12, atol=1e-12
        )
    assert [grid.mirrored is None for grid in GRIDS] == [False, True, False, False, False, True, True, False]


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: str(grid.size))
def test_windows_and_their_sums_are_adjoint(grid: Grid) -> None:
    x = randn(2, 3, *grid.size)
    columns = randn(*xp.im2col(x, grid=grid).shape)
    assert (xp.im2col(x, grid=grid) * columns).sum() == pytest.approx((xp.col2im(columns, grid=grid) * x).sum())


def test_results_lie_with_the_batch_last() -> None:
    """So the next layer need not copy: what the speed of a small network hangs on."""
    x = lucid.randn(8, 2, 6, 6)
    for out in (
        nn.Conv2d(2, 3, 3)(x),
        F.max_pool2d(x, 2),
        F.avg_pool2d(x, 2),
        F.conv_transpose2d(x, lucid.randn(2, 3, 2, 2)),
    ):
        assert out._array.strides[0] == out._array.itemsize
        assert F.relu(out)._array.strides == out._array.strides


@pytest.mark.parametrize("n", [1, 3])
def test_no_result_shows_its_inputs_memory(n: int) -> None:
    """Some of these change nothing, and could."""
    x = F.relu(nn.Conv2d(2, 2, 1)(lucid.randn(n, 2, 4, 4)))  # with the batch last, as the operations like it
    for out in (
        F.unfold(x, 1),
        F.unfold(x, 4),
        F.fold(x.flatten(2), 4, 1),
        F.max_pool2d(x, 1),
        F.avg_pool2d(x, 1),
        F.adaptive_avg_pool2d(x, 4),
        F.interpolate(x, 4),
        F.pad(x, (0, 0, 0, 0), "reflect"),
        F.conv2d(x, lucid.eye(2).reshape(2, 2, 1, 1)),
    ):
        assert not np.shares_memory(out.detach().numpy(), x.detach().numpy())


def test_half_precision_is_summed_up_in_single() -> None:
    x, weight = lucid.full((1, 3000, 2, 2), 30.0, dtype="float16"), lucid.ones(1, 3000, 1, 1, dtype="float16")
    weight[0, ::2] = -1.0
    weight[0, 0] = 1.0  # 30 * 60 is left, of sums that pass through 45,000 twice in half precision
    assert F.conv2d(x, weight).tolist() == [[[[60.0, 60.0], [60.0, 60.0]]]]
    ones = lucid.ones(1, 1, 64, 64, dtype="float16")
    assert F.avg_pool2d(ones, 64, divisor_override=1).item() == 4096.0
    thousandth = F.avg_pool2d(ones * 0.001, 64)
    assert thousandth.item() == pytest.approx(0.001, rel=1e-3) and thousandth.dtype == lucid.float16
    x, weight, bias = [lucid.ones(*shape, dtype="float16") for shape in ((1, 2049, 1, 1), (1, 2049, 1, 1), (1,))]
    assert F.conv2d(x, weight, bias).item() == 2050.0  # 2049 is 2048 in half precision
    assert F.conv_transpose2d(x, weight.reshape(2049, 1, 1, 1), bias).item() == 2050.0
    threes, weight = lucid.full((1, 1, 32, 32), 3.0, dtype="float16"), lucid.ones(1, 1, 32, 32, dtype="float16")
    assert F.conv_transpose2d(threes, weight, stride=(1, 1))[0, 0, 31, 31].item() == 3072.0
    assert F.fold(lucid.full((1, 1024, 1024), 3.0, dtype="float16"), 63, 32)[0, 0, 31, 31].item() == 3072.0


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 4, 5)])
def test_one_window_over_all_is_a_mean(shape: tuple[int, ...]) -> None:
    x = lucid.tensor(randn(*shape), requires_grad=True)
    found, windows = F.adaptive_avg_pool2d(x, 1), F.avg_pool2d(x, (4, 5))
    assert found.shape == windows.shape and lucid.allclose(found, windows)
    np.testing.assert_allclose(
        slope(lambda x: F.adaptive_avg_pool2d(x, (1, 1)), x.detach()),
        slope(lambda x: F.avg_pool2d(x, (4, 5)), x.detach()),
    )


# -- the largest of a window -----------------------------------------------------------------------------------------


def slope(f: Any, values: Any) -> list[Any]:
    x = lucid.tensor(values, dtype="float64", requires_grad=True)
    f(x).sum().backward()
    return x.grad.tolist()


def test_ties_give_all_to_the_first() -> None:
    assert slope(lambda x: F.max_pool1d(x, 3), [[2, 2, 1, 0, 0, 0]]) == [[1, 0, 0, 1, 0, 0]]
    assert slope(lambda x: F.max_pool2d(x, 2, stride=1), [[[1, 1, 0], [1, 1, 1]]]) == [[[1, 1, 0], [0, 0, 0]]]
    assert slope(lambda x: F.max_pool2d(x, (1, 2)), [[[0.0, -0.0], [-0.0, 0.0]]]) == [[[1, 0], [1, 0]]]


def test_a_nan_is_the_largest_and_has_the_gradient() -> None:
    nan, inf = math.nan, math.inf
    x = [[nan, 1.0, 2.0, nan, 3.0, inf, nan, nan, -inf, -inf]]
    out, places = F.max_pool1d(lucid.tensor(x), 2, return_indices=True)
    np.testing.assert_array_equal(out.numpy(), [[nan, nan, inf, nan, -inf]])
    assert places.tolist() == [[0, 3, 5, 6, 8]]
    assert slope(lambda x: F.max_pool1d(x, 2), x) == [[1, 0, 0, 1, 0, 1, 1, 0, 1, 0]]
    assert slope(lambda x: F.max_pool1d(x, 3, stride=1, padding=1), [[-inf, -inf]]) == [[2, 0]]  # never to the padding


def test_an_infinite_gradient_goes_to_one_element_alone() -> None:
    for options in ({}, {"stride": 1}, {"padding": 1}):
        x = lucid.tensor([[3.0, 1.0, 2.0, 5.0]], requires_grad=True)
        out = F.max_pool1d(x, 2, **options)
        out.backward(lucid.full(out.shape, math.inf))
        assert set(x.grad.tolist()[0]) == {0.0, math.inf}


def test_indices_find_the_values() -> None:
    x = lucid.tensor(RNG.permutation(2 * 3 * 5 * 6).reshape(2, 3, 5, 6).astype("float32"))
    for batch in (x, x[0]):
        out, places = F.max_pool2d(batch, 3, stride=2, padding=1, ceil_mode=True, return_indices=True)
        assert places.dtype == lucid.int64 and not places.requires_grad
        assert batch.flatten(-2).gather(-1, places.flatten(-2)).tolist() == out.flatten(-2).tolist()


# -- what is refused -------------------------------------------------------------------------------------------------

image, signal = lucid.ones(1, 2, 5, 4), lucid.ones(1, 2, 5)
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: F.conv2d(lucid.ones(5, 4), lucid.ones(1, 2, 2, 2)), ValueError,
     "conv2d: input must have the shape (channels, height, width), or (batch, channels, height, width), got (5, 4)"),
    (lambda: F.conv1d(image, lucid.ones(1, 2, 2)), ValueError,
     "conv1d: input must have the shape (channels, length), or (batch, channels, length), got (1, 2, 5, 4)"),
    (lambda: F.conv2d(image, lucid.ones(1, 2, 2)), ValueError,
     "conv2d: weight must have the shape (out_channels, in_channels / groups, and 2 of the kernel), got (1, 2, 2)"),
    (lambda: F.conv2d(image, lucid.ones(1, 3, 2, 2)), ValueError,
     "conv2d: input of shape (1, 2, 5, 4) has 2 channels, but weight of shape (1, 3, 2, 2) with groups=1 takes 3"),
    (lambda: F.conv2d(image, lucid.ones(3, 1, 2, 2), groups=2), ValueError,
     "conv2d: weight has 3 out_channels, which do not divide by groups=2"),
    (lambda: F.conv2d(image, lucid.ones(3, 1, 2, 2), groups=0), ValueError,
     "conv2d: groups must be 1 or more, got 0"),
    (lambda: F.conv2d(image, lucid.ones(3, 2, 2, 2), lucid.ones(2)), ValueError,
     "conv2d: bias must have the shape (3,), one number for each output channel, got (2,)"),
    (lambda: F.conv2d(image, lucid.ones(1, 2, 6, 2)), ValueError,
     "conv2d: the kernel of size (6, 2) does not fit into the input of size (5, 4); make it smaller, or padding "
     "larger"),
    (lambda: F.conv2d(image, lucid.ones(1, 2, 3, 2), padding=1, dilation=4), ValueError,
     "conv2d: the kernel of size (3, 2), (9, 5) with dilation (4, 4), does not fit into the input of size (5, 4), (7, "
     "6) with padding (1, 1);"),
    (lambda: F.conv2d(lucid.ones(1, 2, 0, 4), lucid.ones(1, 2, 2, 2)), ValueError,
     "does not fit into the input of size (0, 4)"),
    (lambda: F.conv2d(image, lucid.ones(1, 2, 0, 2)), ValueError,
     "conv2d: the kernel's size must be 1 or more, and below 2**63, got (0, 2)"),
    (lambda: F.conv2d(image, lucid.ones(1, 2, 2, 2), stride=0), ValueError,
     "conv2d: stride must be 1 or more, and below 2**63, got 0"),
    (lambda: F.conv2d(image, lucid.ones(1, 2, 2, 2), stride=(1, 2, 3)), ValueError,
     "conv2d: stride must be an int, or a tuple of 2, got (1, 2, 3)"),
    (lambda: F.conv2d(image, lucid.ones(1, 2, 2, 2), stride=1.5), TypeError,
     "conv2d: stride must be an int, or a tuple of 2, got 1.5"),
    (lambda: F.conv2d(image, lucid.ones(1, 2, 2, 2), dilation=(1, 0)), ValueError,
     "conv2d: dilation must be 1 or more, and below 2**63, got (1, 0)"),
    (lambda: F.conv2d(image, lucid.ones(1, 2, 2, 2), padding=-1), ValueError,
     "conv2d: padding must be 0 or more, and below 2**63, got -1"),
    (lambda: F.conv2d(image, lucid.ones(1, 2, 2, 2), padding="full"), ValueError,
     "conv2d: padding must be 'same', 'valid' or numbers, got 'full'"),
    (lambda: F.conv2d(image, lucid.ones(1, 2, 2, 2), padding="same", stride=2), ValueError,
     "conv2d: padding='same' needs a stride of 1, got (2, 2)"),
    (lambda: F.conv_transpose2d(image, lucid.ones(3, 1, 2, 2)), ValueError,
     "conv_transpose2d: input of shape (1, 2, 5, 4) has 2 channels, but weight of shape (3, 1, 2, 2) with groups=1 "
     "takes 3"),
    (lambda: F.conv_transpose2d(image, lucid.ones(2, 1, 2, 2), groups=3), ValueError,
     "conv_transpose2d: weight has 2 in_channels, which do not divide by groups=3"),
    (lambda: F.conv_transpose2d(image, lucid.ones(2, 1, 2, 2), output_padding=1), ValueError,
     "conv_transpose2d: output_padding must be smaller than stride or dilation, got (1, 1) with stride (1, 1) and "
     "dilation (1, 1)"),
    (lambda: F.conv_transpose2d(image, lucid.ones(2, 1, 1, 1), padding=2), ValueError,
     "conv_transpose2d: input of size (5, 4) would give an output of size (1, 0); it needs a larger kernel than (1, "
     "1), or less padding than (2, 2)"),
    (lambda: F.conv_transpose2d(image, lucid.ones(2, 1, 2)), ValueError,
     "conv_transpose2d: weight must have the shape (in_channels, out_channels / groups, and 2 of the kernel), got (2, "
     "1, 2)"),
    (lambda: F.max_pool2d(lucid.ones(3, 3), 2), ValueError,
     "max_pool2d: input must have the shape (channels, height, width)"),
    (lambda: F.max_pool2d(image, 6), ValueError,
     "max_pool2d: the kernel of size (6, 6) does not fit into the input of size (5, 4)"),
    (lambda: F.max_pool2d(image, 3, padding=2), ValueError,
     "max_pool2d: padding must be at most half of the kernel, or windows would see nothing else; got padding (2, 2), "
     "kernel_size (3, 3) and dilation (1, 1)"),
    (lambda: F.max_pool1d(signal, 2, stride=0), ValueError,
     "max_pool1d: stride must be 1 or more, and below 2**63, got 0"),
    (lambda: F.max_pool2d(image, 0), ValueError, "max_pool2d: kernel_size must be 1 or more, and below 2**63, got 0"),
    (lambda: F.avg_pool2d(image, 2, padding=2), ValueError, "avg_pool2d: padding must be at most half of the kernel"),
    (lambda: F.avg_pool2d(image, 2, divisor_override=0), ValueError, "avg_pool2d: divisor_override must not be 0"),
    (lambda: F.avg_pool1d(image, 2), ValueError, "avg_pool1d: input must have the shape (channels, length)"),
    (lambda: F.avg_pool2d(image.long(), 2), TypeError,
     "avg_pool2d: input must hold floats to be averaged, got int64; convert it with .float()"),
    (lambda: F.adaptive_avg_pool1d(signal.long(), 2), TypeError, "adaptive_avg_pool1d: input must hold floats"),
    (lambda: F.interpolate(signal.long(), 2, mode="linear"), TypeError, "interpolate: input must hold floats"),
    (lambda: F.adaptive_avg_pool2d(image, (1, 2, 3)), ValueError,
     "adaptive_avg_pool2d: output_size must be an int, or a tuple of 2, got (1, 2, 3)"),
    (lambda: F.adaptive_avg_pool2d(image, -1), ValueError,
     "adaptive_avg_pool2d: output_size must be 0 or more, and below 2**63, got (-1, -1)"),
    (lambda: F.adaptive_avg_pool1d(lucid.ones(1, 2, 0), 1), ValueError,
     "adaptive_avg_pool1d: input of size (0,) has nothing to pool"),
    (lambda: F.interpolate(image), ValueError,
     "interpolate: expected size or scale_factor, and not both; got None and None"),
    (lambda: F.interpolate(image, 2, 2), ValueError,
     "interpolate: expected size or scale_factor, and not both; got 2 and 2"),
    (lambda: F.interpolate(image, 2, mode="bicubic"), ValueError,
     "interpolate: mode must be 'nearest', 'nearest-exact', 'linear' or 'bilinear', got 'bicubic'"),
    (lambda: F.interpolate(image, 2, mode="linear"), ValueError,
     "interpolate: mode 'linear' needs an input of 3 dims, got shape (1, 2, 5, 4)"),
    (lambda: F.interpolate(lucid.ones(2, 3), 2), ValueError,
     "interpolate: mode 'nearest' needs an input of at least 3 dims, (batch, channels, ...), got shape (2, 3)"),
    (lambda: F.interpolate(image, 2, align_corners=False), ValueError,
     "interpolate: align_corners=False goes with the modes 'linear' and 'bilinear', not with 'nearest'"),
    (lambda: F.interpolate(image, 0), ValueError, "interpolate: size must be 1 or more, and below 2**63, got 0"),
    (lambda: F.interpolate(image, scale_factor=-1), ValueError,
     "interpolate: scale_factor must be a positive number, or a tuple of 2, got -1"),
    (lambda: F.interpolate(image, scale_factor=0.1), ValueError,
     "interpolate: scale_factor=0.1 leaves nothing of size (5, 4)"),
    (lambda: F.interpolate(lucid.ones(1, 2, 0), 2), ValueError,
     "interpolate: input of size (0,) has nothing to take values from"),
    (lambda: F.unfold(signal[0, 0], 2), ValueError, "unfold: input must have the shape (channels, height, width)"),
    (lambda: F.unfold(image, 6), ValueError, "unfold: the kernel of size (6, 6) does not fit"),
    (lambda: F.fold(lucid.ones(1, 7, 4), 3, 2), ValueError,
     "fold: input of shape (1, 7, 4) has 7 rows, which do not divide by the 4 elements of a window of size (2, 2)"),
    (lambda: F.fold(lucid.ones(1, 8, 5), 3, 2), ValueError,
     "fold: input of shape (1, 8, 5) has 5 columns, but in an image of size (3, 3) there are 4 windows, (2, 2), with "
     "kernel_size (2, 2), stride (1, 1), padding (0, 0) and dilation (1, 1)"),
    (lambda: F.fold(lucid.ones(4), 3, 2), ValueError,
     "fold: input must have the shape (channels * elements of a window, windows), or that with a batch in front, got "
     "(4,)"),
    (lambda: F.pad(image, (1, 1), mode="wrap"), ValueError,
     "pad: expected mode 'constant', 'reflect', 'replicate', 'circular', value with the first alone; got 'wrap' and "
     "value=None"),
    (lambda: F.pad(image, (1, 1), mode="reflect", value=1.0), ValueError, "got 'reflect' and value=1.0"),
    (lambda: F.pad(image, (1, 1), mode="reflect"), ValueError,
     "pad: mode 'reflect' expects a (before, after) pair for each dim behind (n, channels) or (channels), got (1, 1) "
     "for shape (1, 2, 5, 4)"),
    (lambda: F.pad(signal, (5, 0), mode="reflect"), ValueError,
     "pad: (5, 0) does not fit shape (1, 2, 5) with mode 'reflect': 5 places give 4"),
    (lambda: F.pad(signal, (0, 6), mode="circular"), ValueError, "with mode 'circular': 5 places give 5"),
    (lambda: F.pad(signal, (-1, 1), mode="circular"), ValueError,
     "pad: mode 'circular' takes no negative numbers, got (-1, 1)"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "Conv2d: in_channels=3 does not divide by groups=2"),
    (lambda: nn.Conv1d(4, 3, 3, groups=2), ValueError, "Conv1d: out_channels=3 does not divide by groups=2"),
    (lambda: nn.Conv2d(4, 4, 3, groups=0), ValueError, "Conv2d: in_channels=4 does not divide by groups=0"),
    (lambda: nn.Conv2d(4.0, 4, 3), TypeError, "Conv2d: expected an int for in_channels, got 4.0"),
    (lambda: nn.Conv2d(4, 4, 0), ValueError, "Conv2d: kernel_size must be 1 or more, and below 2**63, got 0"),
    (lambda: nn.Conv2d(4, 4, 3, padding="some"), ValueError,
     "Conv2d: padding must be 'same', 'valid' or numbers, got 'some'"),
    (lambda: nn.Conv2d(4, 4, 3, padding="same", stride=2), ValueError,
     "Conv2d: padding='same' needs a stride of 1, got (2, 2)"),
    (lambda: nn.Conv2d(4, 4, 3, padding_mode="zero"), ValueError,
     "Conv2d: padding_mode must be 'zeros' or 'reflect' or 'replicate' or 'circular', got 'zero'"),
    (lambda: nn.ConvTranspose2d(4, 4, 3, padding_mode="reflect"), ValueError,
     "ConvTranspose2d: padding_mode must be 'zeros', got 'reflect'"),
    (lambda: nn.ConvTranspose2d(4, 4, 3, padding="same"), TypeError,
     "ConvTranspose2d: padding must be an int, or a tuple of 2, got 'same'"),
    (lambda: nn.MaxPool2d(2, padding=-1), ValueError, "MaxPool2d: padding must be 0 or more, and below 2**63, got -1"),
    (lambda: nn.AvgPool1d(2, stride=0), ValueError, "AvgPool1d: stride must be 1 or more, and below 2**63, got 0"),
    (lambda: nn.AvgPool2d((1, 2, 3)), ValueError,
     "AvgPool2d: kernel_size must be an int, or a tuple of 2, got (1, 2, 3)"),
    (lambda: nn.Unfold(2, stride="1"), TypeError, "Unfold: stride must be an int, or a tuple of 2, got '1'"),
    (lambda: nn.Fold(0, 2), ValueError, "Fold: output_size must be 1 or more, and below 2**63, got 0"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, message", REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_cannot_be_is_refused_with_a_sentence(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_options_may_be_lists() -> None:
    a = F.conv2d(image, lucid.ones(1, 2, 2, 2), stride=[2, 1], padding=[1, 0], dilation=np.array([1, 2]))
    assert (
        a.tolist() == F.conv2d(image, lucid.ones(1, 2, 2, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)).tolist()
    )
    assert F.max_pool2d(image, [2, 2]).shape == F.interpolate(image, [2, 2]).shape == (1, 2, 2, 2)


# -- layers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [
    lambda: nn.Conv2d(4, 6, (3, 5), groups=2), lambda: nn.Conv1d(3, 5, 2),
    lambda: nn.ConvTranspose2d(6, 4, 3, groups=2), lambda: nn.ConvTranspose1d(2, 3, 4),
])  # fmt: skip
def test_parameters_start_evenly_spread_over_one_through_the_root_of_what_goes_in(make: Any) -> None:
    lucid.manual_seed(0)
    layers = [make() for _ in range(30)]
    bound = 1 / math.sqrt(math.prod(layers[0].weight.shape[1:]))
    for name in ("weight", "bias"):
        values = np.concatenate([getattr(layer, name).detach().numpy().reshape(-1) for layer in layers])
        assert bound * 0.9 < abs(values).max() <= bound and abs(values.mean()) < bound / 5


LAYERS = [
    lambda nn: nn.Conv2d(3, 4, 3), lambda nn: nn.Conv2d(4, 4, (3, 5), 2, 1, 2, 2, False, "reflect"),
    lambda nn: nn.Conv2d(3, 4, 3, padding="same"), lambda nn: nn.Conv1d(2, 3, 4, bias=False),
    lambda nn: nn.ConvTranspose2d(3, 6, 3, 2, 1, 1, 3, False, 2),
    lambda nn: nn.ConvTranspose1d(2, 3, 4, output_padding=1, stride=2), lambda nn: nn.MaxPool2d(2),
    lambda nn: nn.MaxPool1d(2, 1),
    lambda nn: nn.MaxPool2d((2, 1), ceil_mode=True, return_indices=True), lambda nn: nn.AvgPool2d(2),
    lambda nn: nn.AvgPool1d(2, 1, 1, True), lambda nn: nn.AvgPool2d((2, 3), 1, 1, True, False, 3),
    lambda nn: nn.AdaptiveAvgPool2d((None, 2)), lambda nn: nn.AdaptiveAvgPool1d(2),
    lambda nn: nn.Upsample(scale_factor=2), lambda nn: nn.Upsample((3, 4), mode="bilinear", align_corners=True),
    lambda nn: nn.Upsample(scale_factor=(2, 1.5)), lambda nn: nn.Unfold(2), lambda nn: nn.Fold((3, 4), 2),
]  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize("make", LAYERS)
def test_layers_print_as_pytorchs(make: Any) -> None:
    import torch

    assert repr(make(nn)) == repr(make(torch.nn))


# -- beside PyTorch --------------------------------------------------------------------------------------------------

KERNELS, STRIDES, PADDINGS, DILATIONS = [(1, 1), (2, 3), (3, 2)], [1, (2, 3)], [0, 1, (2, 0)], [1, (1, 2)]
SHAPES = [(2, 4, 6, 5), (4, 3, 4)]
CALLS: dict[str, list[tuple[list[tuple[int, ...]], dict[str, Any]]]] = {
    "conv2d": [([shape, (6, 4 // g, *k), (6,)], {"stride": s, "padding": p, "dilation": d, "groups": g})
               for shape, k, s, p, d, g in itertools.product(SHAPES, KERNELS, STRIDES, PADDINGS, DILATIONS, (1, 2))],
    "conv_transpose2d": [([shape, (4, 3, *k), (3 * g,)],
                          {"stride": s, "padding": p, "dilation": d, "groups": g, "output_padding": o})
                         for shape, k, s, p, d, g, o in itertools.product(SHAPES, KERNELS, STRIDES, PADDINGS, DILATIONS,
                                                                          (1, 2), (0, (0, 1)))],
    "max_pool2d": [([shape],
                    {"kernel_size": k, "stride": s, "padding": p, "dilation": d, "ceil_mode": c,
                     "return_indices": True})
                   for shape, k, s, p, d, c in itertools.product(SHAPES, [1, 2, (2, 3), (3, 1)], [None, 1, (3, 2)],
                                                                 [0, 1, (1, 0)], [1, 2], [False, True])],
    "avg_pool2d": [([shape],
                    {"kernel_size": k, "stride": s, "padding": p, "ceil_mode": c, "count_include_pad": i,
                     "divisor_override": v})
                   for shape, k, s, p, c, i, v in itertools.product(SHAPES, [1, 2, (2, 3)], [None, 1, (3, 2)],
                                                                    [0, 1, (1, 0)], [False, True], [False, True],
                                                                    [None, -3])],
    "interpolate": [([SHAPES[0]], {**size, **mode}) for size, mode in itertools.product(
        [{"size": 1}, {"size": (9, 3)}, {"scale_factor": 2}, {"scale_factor": 1.3}, {"scale_factor": (0.4, 2.7)},
         {"scale_factor": 1.3, "recompute_scale_factor": True}],
        [{}, {"mode": "bilinear"}, {"mode": "bilinear", "align_corners": True}])],
    "pad": [([shape], {"pad": p, "mode": mode}) for shape, mode, p in itertools.product(
        SHAPES, ("reflect", "replicate", "circular"),
        [(1, 2, 0, 3), (2, 0, 1, 1), (4, 1, 3, 0), (0, 0, 0, 0), (5, 6, 6, 6)])]
    + [([(2, 4)], {"pad": (-1, 3), "mode": mode}) for mode in ("reflect", "replicate")],
}  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize("name", CALLS)
def test_everything_that_pytorch_takes_gives_what_pytorch_gives(name: str) -> None:
    """Values, gradients and indices, and an error where and only where PyTorch has one."""
    import torch

    done = 0
    for shapes, options in CALLS[name]:
        arrays = [np.round(randn(*shape), 1) for shape in shapes]  # with ties
        ours = [lucid.tensor(a, requires_grad=True) for a in arrays]
        theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
        try:
            expected = getattr(torch.nn.functional, name)(*theirs, **options)
        except RuntimeError:
            with pytest.raises(ValueError, match=f"{name}: "):
                getattr(F, name)(*ours, **options)
            continue
        out = getattr(F, name)(*ours, **options)
        if name == "max_pool2d":
            np.testing.assert_array_equal(out[1].numpy(), expected[1].numpy(), err_msg=str(options))
            out, expected = out[0], expected[0]
        assert out.shape == tuple(expected.shape), options
        np.testing.assert_allclose(
            out.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12, err_msg=str(options)
        )
        g = randn(*out.shape)
        out.backward(lucid.tensor(g))
        expected.backward(torch.tensor(g))
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-10, atol=1e-12, err_msg=str(options))
        done += 1
    assert done > len(CALLS[name]) / 2


@pytest.mark.parity
def test_resizing_takes_the_places_and_weights_of_the_formulas_to_the_bit() -> None:
    """Place by place, as the docstring says; and the gradient, but for the order in which it is summed."""
    rng = np.random.default_rng(0)
    for n, m in itertools.product((1, 2, 3, 7, 10, 31), (1, 2, 3, 5, 10, 20, 31, 64)):
        x = rng.normal(size=n)
        for mode, corners in (("nearest", None), ("linear", False), ("linear", True)):
            entries = []
            for i in range(m):
                if mode == "nearest":
                    entries.append([(min(int(np.float32(i) * np.float32(n / m)), n - 1), 1.0)])
                    continue
                u = (i * (n - 1) / (m - 1) if m > 1 else 0.0) if corners else max(0.0, (i + 0.5) * (n / m) - 0.5)
                low = min(int(u), n - 1)
                t = min(u - low, 1.0) if low < n - 1 else 0.0
                entries.append([(low, 1 - t)] * (t < 1) + [(low + 1, t)] * (t > 0))
            g, expected_g = rng.normal(size=m), np.zeros(n)
            for i, pairs in enumerate(entries):
                for at, weight in pairs:
                    expected_g[at] += weight * g[i]
            tensor = lucid.tensor(x.reshape(1, 1, n), requires_grad=True)
            out = F.interpolate(tensor, m, mode=mode, align_corners=corners)
            expected = [sum(weight * x[at] for at, weight in pairs) for pairs in entries]
            assert out.tolist()[0][0] == expected
            out.backward(lucid.tensor(g.reshape(1, 1, m)))
            assert np.allclose(tensor.grad.numpy()[0, 0], expected_g, rtol=1e-13, atol=1e-14)


@pytest.mark.parity
def test_the_nearest_place_is_pytorchs() -> None:
    """It computes places in float32 and rounds down, so that some lie one beside where whole numbers would put them."""
    import torch

    for n, m in itertools.product(range(1, 40), range(1, 60)):
        places = np.arange(n, dtype="float32").reshape(1, 1, n)
        expected = torch.nn.functional.interpolate(torch.tensor(places), size=m)
        assert F.interpolate(lucid.tensor(places), size=m).tolist() == expected.tolist(), (n, m)


@pytest.mark.parity
def test_a_convolutional_network_learns_as_it_does_in_pytorch() -> None:
    import torch

    def network(nn: Any) -> Any:
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(6, 3),
        )

    torch.manual_seed(0)
    x, labels = randn(10, 1, 8, 8), RNG.integers(0, 3, 10)
    theirs = network(torch.nn).double()
    ours = network(nn).double()
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    losses: list[list[float]] = []
    for m, model, adamax, entropy in (
        (lucid, ours, lucid.optim.Adamax, F.cross_entropy),
        (torch, theirs, torch.optim.Adamax, torch.nn.functional.cross_entropy),
    ):
        optimizer = adamax(model.parameters(), lr=0.01)
        losses.append([])
        for _ in range(20):
            optimizer.zero_grad()
            loss = entropy(model(m.tensor(x)), m.tensor(labels))
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-7)
    assert losses[0][-1] < losses[0][0] - 0.1


@pytest.mark.parametrize("wanted", [7, 120])
def test_a_size_as_a_quotient_is_met_exactly(wanted: int) -> None:
    """n * (wanted / n) may end just below the size that is meant; factors that mean a smaller one still give that."""
    for n in range(1, 300):
        assert F.interpolate(lucid.zeros(1, 1, n), scale_factor=wanted / n).shape[2] == wanted
    assert F.interpolate(lucid.zeros(1, 1, 10), scale_factor=1.2999999).shape[2] == 12
