"""Activations far out, channels dropped whole, and embeddings with a row for padding."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.nn import functional as F

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype, absolute, relative", [("float32", 2.5e-7, 5e-6), ("float64", 1e-15, 5e-14)])
def test_gelu_and_its_slope_are_exact(dtype: str, absolute: float, relative: float) -> None:
    x = np.linspace(-12, 12, 4001).astype(dtype)
    wide = x.astype("float64")
    cdf = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in wide])
    value, slope = wide * cdf, cdf + wide * np.exp(-0.5 * wide * wide) / math.sqrt(2 * math.pi)
    ours = lucid.tensor(x, requires_grad=True)
    out = F.gelu(ours)
    out.sum().backward()
    np.testing.assert_allclose(out.detach().numpy(), value, rtol=relative)  # to the last digits far below 0
    assert np.abs(ours.grad.numpy() - slope).max() < absolute


def test_gelu_takes_every_shape_and_half_precision() -> None:
    x = lucid.tensor(RNG.normal(size=(4, 6)), requires_grad=True)
    whole = F.gelu(x).detach().numpy()
    assert F.gelu(x[::2, 1::2]).tolist() == whole[::2, 1::2].tolist() and F.gelu(x.T).tolist() == whole.T.tolist()
    assert F.gelu(x[1, 2]).item() == whole[1, 2] and F.gelu(lucid.zeros(0, 3)).shape == (0, 3)
    for form in ("none", "tanh"):
        half = x.detach().half().requires_grad_()
        out = F.gelu(half, approximate=form)
        out.sum().backward()
        assert out.dtype == half.grad.dtype == lucid.float16
        np.testing.assert_allclose(out.detach().numpy(), whole, rtol=3e-3, atol=2e-3)
    assert F.gelu(lucid.tensor([1, 2])).dtype == lucid.float32


@pytest.mark.parametrize("f",
                         [F.selu, F.mish, F.hardtanh, F.relu6, F.hardsigmoid, F.hardswish, F.softsign, F.tanhshrink,
                          F.logsigmoid, F.gelu])
def test_nothing_overflows_and_nan_stays(f: Any) -> None:
    x = lucid.tensor([-1e30, -200.0, 0.0, 200.0, 1e30], requires_grad=True)
    out = f(x)  # warnings are errors here
    out.sum().backward()
    assert np.isfinite(out.detach().numpy()).all() and np.isfinite(x.grad.numpy()).all()
    assert math.isnan(f(lucid.tensor(math.nan)).item())


def test_a_slope_of_prelu_takes_no_part_where_the_input_is_infinite() -> None:
    w = lucid.tensor([0.25], requires_grad=True)
    out = F.prelu(lucid.tensor([math.inf, -2.0]), w)
    out.sum().backward()
    assert out.tolist() == [math.inf, -0.5] and w.grad.tolist() == [-2]
    assert nn.PReLU(3, 0.1).weight.tolist() == pytest.approx([0.1] * 3)
    assert F.prelu(lucid.tensor(-2.0), lucid.tensor(0.5)).item() == -1


def test_selu_keeps_mean_and_variance() -> None:
    lucid.manual_seed(0)
    out = F.selu(lucid.randn(100_000))
    assert out.mean().item() == pytest.approx(0, abs=0.02) and out.var().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "layer, shape, spread",
    [(nn.Dropout1d, (50, 40, 3), (-1,)), (nn.Dropout1d, (900, 3), (-1,)), (nn.Dropout2d, (50, 40, 2, 3), (-2, -1))]
)
def test_channels_are_dropped_whole(layer: Any, shape: tuple[int, ...], spread: tuple[int, ...]) -> None:
    x = lucid.ones(shape, requires_grad=True)
    drop = layer(0.25)
    out = drop(x)
    values = out.detach().numpy()
    assert (values.min(spread) == values.max(spread)).all()
    assert np.unique(values).tolist() == [0, np.float32(4 / 3)] and (values != 0).mean() == pytest.approx(
        0.75, abs=0.05
    )
    out.sum().backward()
    assert np.array_equal(x.grad.numpy(), values)
    assert drop.eval()(x) is x and layer(0.0)(x) is x and layer(1.0)(x).sum().item() == 0


def test_the_row_for_padding_starts_as_zeros_and_stays() -> None:
    for index in (1, -3):
        layer = nn.Embedding(4, 2, padding_idx=index)
        assert layer.padding_idx == 1 and layer.weight[1].tolist() == [0, 0] and (layer.weight[0] != 0).all()
        layer(lucid.tensor([[1, 0], [0, 1]])).sum().backward()
        assert layer.weight.grad.tolist() == [[2, 2], [0, 0], [0, 0], [0, 0]]
    layer.weight.data = lucid.ones(4, 2)  # its value is used as it is, whatever it is
    assert layer(lucid.tensor(1)).tolist() == [1, 1]
    assert repr(layer) == "Embedding(4, 2, padding_idx=1)" and repr(nn.Embedding(4, 2)) == "Embedding(4, 2)"


X = lucid.ones(4, 3)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: F.glu(X), ValueError, "glu: dim -1 must have an even length, to be halved; got shape (4, 3)"),
        (lambda: F.glu(X, 2), IndexError, "glu: dim 2 is out of range for a 2-D tensor"),
        (lambda: F.prelu(X, lucid.ones(4)), ValueError,
         "prelu: expected weight of shape (1,), or (3,) for the channels of an input of shape (4, 3), got (4,)"),
        (lambda: F.prelu(X, lucid.ones(3, 1)), ValueError, "got (3, 1)"),
        (lambda: F.hardtanh(X, 1.0, 1.0), ValueError, "hardtanh: min_val must be below max_val, got 1.0 and 1.0"),
        (lambda: F.dropout1d(lucid.ones(3)), ValueError,
         "dropout1d: expected (n, channels, length) or (channels, length), got shape (3,)"),
        (lambda: F.dropout2d(lucid.ones(2, 3, 4)), ValueError,
         "dropout2d: expected (n, channels, height, width), got shape (2, 3, 4); for one image write x.unsqueeze(0)"),
        (lambda: F.dropout1d(X, 2.0), ValueError, "dropout1d: p is a probability and must be in [0, 1], got 2.0"),
        (lambda: nn.Dropout2d(-1), ValueError, "Dropout2d: p is a probability and must be in [0, 1], got -1"),
        (lambda: nn.Embedding(4, 2, 4), IndexError,
         "Embedding: padding_idx 4 is not one of the 4 rows; expected -4 to 3"),
        (lambda: F.embedding(lucid.tensor([0]), X, -5), IndexError,
         "embedding: padding_idx -5 is not one of the 4 rows"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_sentence(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value)


def test_layers_have_the_arguments_of_their_functions_and_subclasses_their_own():
    class Weighed(nn.SmoothL1Loss):
        def __init__(self, factor):
            super().__init__(beta=2.0)
            self.factor = factor

        def forward(self, input, target):
            return self.factor * super().forward(input, target)

    assert Weighed(3.0)(lucid.ones(2), lucid.zeros(2)).item() == 0.75 and Weighed(3.0).beta == 2
    for kind, names in ((nn.LeakyReLU, ["negative_slope", "inplace"]), (nn.Dropout, ["p", "inplace"]),
                        (nn.BCELoss, ["weight", "reduction"]), (Weighed, ["factor"])):  # fmt: skip
        assert list(inspect.signature(kind).parameters) == names
    with pytest.raises(TypeError, match="LeakyReLU: .*'slope'; it takes .negative_slope: 'float' = 0.01"):
        nn.LeakyReLU(slope=1.0)
