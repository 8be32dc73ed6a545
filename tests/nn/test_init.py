"""Starting weights: the distributions that their papers ask for."""

import math

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.nn import init

WIDE, CONV = (300, 200), (64, 32, 3, 3)


def values(tensor):
    return tensor.detach().numpy()


@pytest.mark.parametrize(
    "fill, shape, low, high",
    [
        (lambda t: init.uniform_(t), WIDE, 0, 1),
        (lambda t: init.uniform_(t, -3, 5), WIDE, -3, 5),
        (lambda t: init.xavier_uniform_(t), WIDE, -math.sqrt(6 / 500), math.sqrt(6 / 500)),
        (lambda t: init.xavier_uniform_(t, gain=2), CONV, -2 * math.sqrt(6 / 864), 2 * math.sqrt(6 / 864)),
        (lambda t: init.kaiming_uniform_(t), WIDE, -math.sqrt(6 / 200), math.sqrt(6 / 200)),
        (lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)), WIDE, -1 / math.sqrt(200), 1 / math.sqrt(200)),
        (
            lambda t: init.kaiming_uniform_(t, mode="fan_out", nonlinearity="relu"),
            CONV,
            -math.sqrt(6 / 576),
            math.sqrt(6 / 576),
        ),
    ],
)
def test_uniform_ones(fill, shape, low, high):
    tensor = nn.Parameter(lucid.empty(*shape))
    assert fill(tensor) is tensor
    drawn = values(tensor)
    width = high - low
    assert drawn.min() >= np.float32(low) and drawn.max() <= np.float32(high)
    assert drawn.min() < low + 0.01 * width and drawn.max() > high - 0.01 * width
    assert drawn.mean() == pytest.approx((low + high) / 2, abs=0.01 * width)
    assert drawn.std() == pytest.approx(width / math.sqrt(12), rel=0.02)


@pytest.mark.parametrize(
    "fill, shape, mean, std",
    [
        (lambda t: init.normal_(t), WIDE, 0, 1),
        (lambda t: init.normal_(t, 3, 0.5), WIDE, 3, 0.5),
        (lambda t: init.xavier_normal_(t), WIDE, 0, math.sqrt(2 / 500)),
        (lambda t: init.kaiming_normal_(t), WIDE, 0, math.sqrt(2 / 200)),
        (
            lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="tanh"),
            CONV,
            0,
            5 / 3 / math.sqrt(576),
        ),
        (lambda t: init.trunc_normal_(t), WIDE, 0, 0.8796),  # of the standard normal within 2 of 0
        (lambda t: init.trunc_normal_(t, 1, 0.5, 0, 2), WIDE, 1, 0.4398),
        (
            lambda t: init.trunc_normal_(t, 0, 1, 1, 50),
            WIDE,
            1.52514,
            0.44615,
        ),  # phi(1) / (1 - Phi(1)) = 1.52514
    ],
)
def test_normal_ones(fill, shape, mean, std):
    tensor = nn.Parameter(lucid.empty(*shape))
    assert fill(tensor) is tensor
    drawn = values(tensor)
    assert drawn.mean() == pytest.approx(mean, abs=0.03 * std) and drawn.std() == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize(
    "bounds", [(0, 1, -2, 2), (0, 1, 8, 9), (0, 1, -60, -50), (5, 0.1, 0, 1), (0, 1, 0.5, 0.5001)]
)
def test_truncation_holds_wherever_the_interval_is(bounds):
    drawn = values(init.trunc_normal_(lucid.empty(1000, dtype=lucid.float64), *bounds))
    assert bounds[2] <= drawn.min() and drawn.max() <= bounds[3]
    if bounds == (0, 1, 8, 9):
        assert (
            drawn.mean() == pytest.approx(8.121, abs=0.02) and len(np.unique(drawn)) == 1000
        )  # phi(8) / Phi(-8)


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (10, 3, 2, 2)])
def test_orthogonal(shape):
    tensor = init.orthogonal_(lucid.empty(*shape, dtype=lucid.float64), gain=3.0)
    matrix = tensor.numpy().reshape(shape[0], -1)
    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(small @ small.T, 9 * np.eye(len(small)), atol=1e-13)
    assert not np.allclose(tensor.numpy(), init.orthogonal_(tensor.clone()).numpy())


def test_constants():
    assert init.zeros_(lucid.ones(2)).tolist() == [0, 0]
    assert init.ones_(lucid.zeros(2, dtype=lucid.int64)).tolist() == [1, 1]
    assert init.constant_(lucid.zeros(2), 0.5).tolist() == [0.5, 0.5]
    assert init.eye_(lucid.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_gains():
    assert (
        init.calculate_gain("linear") == init.calculate_gain("sigmoid") == init.calculate_gain("conv2d") == 1
    )
    assert init.calculate_gain("tanh") == 5 / 3 and init.calculate_gain("selu") == 0.75
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / 1.0001)
    assert init.calculate_gain("leaky_relu", 2) == math.sqrt(2 / 5)


@pytest.mark.parity
def test_gains_as_pytorch():
    import torch

    for name in ("linear", "conv1d", "sigmoid", "tanh", "relu", "selu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


def test_in_place_unrecorded_and_from_the_one_generator():
    p = nn.Parameter(lucid.empty(3, 3))
    array = p.numpy().base
    init.normal_(p)
    assert p.is_leaf and p.requires_grad and p.numpy().base is array
    lucid.manual_seed(5)
    a = init.kaiming_normal_(lucid.empty(3, 3)).tolist()
    lucid.manual_seed(5)
    assert init.kaiming_normal_(p).tolist() == a
    out = p * p
    init.zeros_(p)
    with pytest.raises(RuntimeError, match="changed in place"):
        out.sum().backward()


def test_a_view_is_filled_where_it_lies():
    whole = lucid.zeros(2, 3)
    init.ones_(whole[:, 1])
    assert whole.tolist() == [[0, 1, 0], [0, 1, 0]]
    init.eye_(whole.T)
    assert whole.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert init.xavier_uniform_(lucid.empty(0, 0)).shape == (0, 0)
    assert init.kaiming_uniform_(lucid.empty(3, 0)).shape == (3, 0)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: init.uniform_(lucid.empty(2), 1, 0), ValueError, "uniform_: expected a <= b, got a=1, b=0"),
        (lambda: init.normal_(lucid.empty(2), 0, -1), ValueError, "normal_: std must be 0 or more, got -1"),
        (
            lambda: init.normal_(lucid.empty(2), 0, float("nan")),
            ValueError,
            "normal_: std must be 0 or more, got nan",
        ),
        (
            lambda: init.trunc_normal_(lucid.empty(2), 0, 0),
            ValueError,
            "trunc_normal_: std must be positive, got 0",
        ),
        (
            lambda: init.trunc_normal_(lucid.empty(2), a=2, b=-2),
            ValueError,
            "trunc_normal_: expected a < b, got a=2, b=-2",
        ),
        (
            lambda: init.normal_(lucid.zeros(2, dtype=lucid.int64)),
            TypeError,
            "normal_: expected a floating point tensor, got int64",
        ),
        (
            lambda: init.uniform_(lucid.zeros(2, dtype=lucid.bool_)),
            TypeError,
            "uniform_: expected a floating point tensor, got bool",
        ),
        (
            lambda: init.eye_(lucid.empty(2)),
            ValueError,
            "eye_: expected a tensor with two dimensions, got shape (2,)",
        ),
        (
            lambda: init.orthogonal_(lucid.empty(2)),
            ValueError,
            "orthogonal_: expected two dimensions or more, got shape (2,)",
        ),
        (
            lambda: init.xavier_normal_(lucid.empty(2)),
            ValueError,
            "xavier_normal_: expected two dimensions or more, (out, in), got",
        ),
        (
            lambda: init.kaiming_uniform_(lucid.empty(2)),
            ValueError,
            "kaiming_uniform_: expected two dimensions or more, (out, in)",
        ),
        (
            lambda: init.kaiming_normal_(lucid.empty(2, 2), mode="in"),
            ValueError,
            "mode must be 'fan_in' or 'fan_out', got 'in'",
        ),
        (
            lambda: init.kaiming_normal_(lucid.empty(2, 2), nonlinearity="x"),
            ValueError,
            "unknown nonlinearity 'x'; expected one of",
        ),
    ],
)
def test_refusals(call, error, words):
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value)
