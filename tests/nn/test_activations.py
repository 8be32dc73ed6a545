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


@pytest.mark.parametrize("form", ["none", "tanh"])
@pytest.mark.parametrize("dtype, relative", [("float32", 2e-5), ("float64", 1e-13)])
def test_gelu_far_below_0_keeps_the_digits_of_its_slope(dtype: str, relative: float, form: str) -> None:
    x = np.array([-1.0, -3.0, -5.5, -7.0, -8.5, -10.0][: 6 if form == "none" else 5]).astype(dtype)
    wide = x.astype("float64")
    if form == "none":
        cdf = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in wide])
        value, slope = wide * cdf, cdf + wide * np.exp(-0.5 * wide * wide) / math.sqrt(2 * math.pi)
    else:
        root = math.sqrt(2 / math.pi)
        gate = 1 / (1 + np.exp(-2 * root * (wide + 0.044715 * wide**3)))
        value, slope = wide * gate, gate + 2 * wide * gate * (1 - gate) * root * (1 + 3 * 0.044715 * wide**2)
    ours = lucid.tensor(x, requires_grad=True)
    out = F.gelu(ours, approximate=form)
    out.sum().backward()
    (recorded,) = lucid.autograd.grad(F.gelu(ours, approximate=form).sum(), ours, create_graph=True)
    np.testing.assert_allclose(out.detach().numpy(), value, rtol=relative)
    np.testing.assert_allclose(ours.grad.numpy(), slope, rtol=relative)
    np.testing.assert_allclose(recorded.detach().numpy(), slope, rtol=relative)


inf = math.inf
# activation -> its values at -inf and inf, and its slopes there
LIMITS: dict[str, tuple[Any, list[float], list[float]]] = {
    "ReLU": (F.relu, [0, inf], [0, 1]),
    "ReLU6": (F.relu6, [0, 6], [0, 0]),
    "LeakyReLU": (F.leaky_relu, [-inf, inf], [0.01, 1]),
    "LeakyReLU without a slope": (lambda x: F.leaky_relu(x, 0.0), [0, inf], [0, 1]),
    "PReLU": (lambda x: F.prelu(x, lucid.full((1,), 0.25, dtype=x.dtype)), [-inf, inf], [0.25, 1]),
    "ELU": (F.elu, [-1, inf], [0, 1]),
    "CELU": (lambda x: F.celu(x, 2.0), [-2, inf], [0, 1]),
    "SELU": (F.selu, [-1.7580993408473766, inf], [0, 1.0507009873554805]),
    "GELU": (F.gelu, [0, inf], [0, 1]),
    "GELU by tanh": (lambda x: F.gelu(x, approximate="tanh"), [0, inf], [0, 1]),
    "SiLU": (F.silu, [0, inf], [0, 1]),
    "Mish": (F.mish, [0, inf], [0, 1]),
    "Softplus": (F.softplus, [0, inf], [0, 1]),
    "Softsign": (F.softsign, [-1, 1], [0, 0]),
    "Tanhshrink": (F.tanhshrink, [-inf, inf], [1, 1]),
    "Hardshrink": (F.hardshrink, [-inf, inf], [1, 1]),
    "Softshrink": (F.softshrink, [-inf, inf], [1, 1]),
    "Threshold": (lambda x: F.threshold(x, 0.1, 2.0), [2, inf], [0, 1]),
    "Hardtanh": (F.hardtanh, [-1, 1], [0, 0]),
    "Hardsigmoid": (F.hardsigmoid, [0, 1], [0, 0]),
    "Hardswish": (F.hardswish, [0, inf], [0, 1]),
    "Sigmoid": (F.sigmoid, [0, 1], [0, 0]),
    "LogSigmoid": (F.logsigmoid, [-inf, 0], [1, 0]),
    "Tanh": (F.tanh, [-1, 1], [0, 0]),
    "GLU": (lambda x: F.glu(lucid.cat([lucid.ones_like(x), x]), 0), [0, 1], [0, 0]),
    "Softmax": (lambda x: F.softmax(lucid.stack([x, lucid.zeros_like(x)]), 0)[0], [0, 1], [0, 0]),
    "Softmin": (lambda x: F.softmin(lucid.stack([x, lucid.zeros_like(x)]), 0)[0], [1, 0], [0, 0]),
    "LogSoftmax": (lambda x: F.log_softmax(lucid.stack([x, lucid.zeros_like(x)]), 0)[0], [-inf, 0], [1, 0]),
    "the other one of a LogSoftmax":
        (lambda x: F.log_softmax(lucid.stack([x, lucid.zeros_like(x)]), 0)[1], [0, -inf], [0, -1]),
    "logsumexp": (lambda x: lucid.stack([x, lucid.zeros_like(x)]).logsumexp(0), [0, inf], [0, 1]),
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", LIMITS)
def test_activations_of_infinity_are_their_limits(name: str, dtype: str) -> None:
    f, values, slopes = LIMITS[name]
    x = lucid.tensor([-inf, inf], dtype=dtype, requires_grad=True)
    out = f(x)  # warnings are errors here
    out.sum().backward() if inf not in values or -inf not in values else out.backward(lucid.ones_like(out))
    np.testing.assert_allclose(out.detach().numpy(), values, rtol=1e-3 if dtype == "float16" else 1e-6)
    np.testing.assert_allclose(x.grad.numpy(), slopes, rtol=1e-3 if dtype == "float16" else 1e-6)
    y = f(x)
    (slope,) = lucid.autograd.grad(y, x, lucid.ones_like(y), create_graph=True)
    np.testing.assert_allclose(slope.detach().numpy(), slopes, rtol=1e-3 if dtype == "float16" else 1e-6)
    if slope.requires_grad:
        (curvature,) = lucid.autograd.grad(slope, x, lucid.ones_like(slope), allow_unused=True)
        assert curvature is None or np.all(curvature.numpy() == 0)


def test_no_activation_is_left_out() -> None:
    listed = {name for name, kind in vars(lucid.nn.activations).items()
              if isinstance(kind, type) and kind.__module__ == "lucid.nn.activations" and hasattr(nn, name)}
    others = {"Dropout", "Dropout1d", "Dropout2d", "Flatten", "Identity", "Unflatten"}
    assert listed - others <= LIMITS.keys(), listed - others - LIMITS.keys()


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
    none = F.prelu(x := lucid.tensor([-math.inf, -2.0, math.inf], requires_grad=True), lucid.zeros(1))
    none.sum().backward()
    assert none.tolist() == [0, 0, math.inf] and x.grad.tolist() == [0, 0, 1]
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
