"""A parameter that is a number never changes a dtype, in whatever form the number comes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.nn import functional as F

RNG = np.random.default_rng(0)
x = lucid.tensor(RNG.normal(size=(2, 3, 4)).astype("float32"))
image = lucid.tensor(RNG.uniform(0.1, 0.9, size=(2, 3, 4, 4)).astype("float32"))
logits, labels = x[:, :, 0], lucid.tensor([0, 2])
Call = Callable[[Any], lucid.Tensor]


def _of_running(momentum: Any) -> lucid.Tensor:
    mean, var = lucid.zeros(3), lucid.ones(3)
    F.batch_norm(x, mean, var, training=True, momentum=momentum)
    assert var.dtype == lucid.float32
    return mean


def _clipped(clip: Any) -> Call:
    def call(most: Any) -> lucid.Tensor:
        p = nn.Parameter(x)
        p.sum().backward()
        clip([p], most)
        assert p.grad is not None
        return p.grad

    return call


def _written(f: Callable[[lucid.Tensor, Any], Any]) -> Call:
    def call(n: Any) -> lucid.Tensor:
        f(y := x.clone(), n)
        return y

    return call


PARAMETERS: dict[str, tuple[Call, Any]] = {
    "clamp(min)": (lambda n: x.clamp(min=n), 0.5), "clamp(max)": (lambda n: x.clamp(max=n), 0.5),
    "clamp both": (lambda n: x.clamp(n, n), 0.5), "clamp_": (lambda n: x.clone().clamp_(n), 0.5),
    "clamp with an int": (lambda n: x.clamp(n, 1.5), 0), "**": (lambda n: x.abs() ** n, 2.5),
    "n ** x": (lambda n: n**x, 2.5), "*": (lambda n: x * n, 2.5), "n - x": (lambda n: n - x, 2.5),
    "/": (lambda n: x / n, 2), "%": (lambda n: x % n, 0.5), "//": (lambda n: x // n, 0.5),
    "maximum": (lambda n: lucid.maximum(x, n), 0.5), "where": (lambda n: lucid.where(x > 0, x, n), 0.5),
    "add_(alpha)": (lambda n: x.clone().add_(x, alpha=n), 2.5),
    "isclose": (lambda n: x.isclose(x + 1e-4, rtol=n), 1e-3), "var": (lambda n: x.var(correction=n), 1),
    "std": (lambda n: x.std(1, correction=n), 1.0), "norm": (lambda n: x.norm(n), 3.0),
    "norm inf": (lambda n: x.norm(n), np.inf), "leaky_relu": (lambda n: F.leaky_relu(x, n), 0.1),
    "elu": (lambda n: F.elu(x, n), 0.1), "hardtanh": (lambda n: F.hardtanh(x, -1, n), 0.5),
    "softplus": (lambda n: F.softplus(x, n, n), 2.0), "huber_loss": (lambda n: F.huber_loss(x, -x, delta=n), 0.5),
    "smooth_l1_loss": (lambda n: F.smooth_l1_loss(x, -x, beta=n), 0.5),
    "label_smoothing": (lambda n: F.cross_entropy(logits, labels, label_smoothing=n), 0.1),
    "label_smoothing, soft": (lambda n: F.cross_entropy(logits, logits.softmax(1), label_smoothing=n), 0.1),
    "CrossEntropyLoss": (lambda n: nn.CrossEntropyLoss(label_smoothing=n)(logits, labels), 0.1),
    "layer_norm": (lambda n: F.layer_norm(x, 4, eps=n), 1e-2), "rms_norm": (lambda n: F.rms_norm(x, 4, eps=n), 1e-2),
    "group_norm": (lambda n: F.group_norm(x, 3, eps=n), 1e-2), "momentum": (_of_running, 0.1),
    "batch_norm": (lambda n: F.batch_norm(x, None, None, training=True, eps=n), 1e-2),
    "batch_norm, running": (lambda n: F.batch_norm(x, lucid.zeros(3), lucid.ones(3), eps=n), 1e-2),
    "BatchNorm1d": (lambda n: nn.BatchNorm1d(3, eps=n, momentum=n)(x), 1e-2),
    "LayerNorm": (lambda n: nn.LayerNorm(4, eps=n)(x), 1e-2), "normalize": (lambda n: F.normalize(x, eps=n), 2.0),
    "normalize p": (lambda n: F.normalize(x, p=n), 3.0),
    "cosine_similarity": (lambda n: F.cosine_similarity(x, x * 2, eps=n), 2.0),
    "pairwise_distance": (lambda n: F.pairwise_distance(x, -x, eps=n), 0.5),
    "pairwise_distance p": (lambda n: F.pairwise_distance(x, -x, p=n), 3.0),
    "dropout": (lambda n: F.dropout(x, n), 0.5), "dropout2d": (lambda n: F.dropout2d(image, n), 0.5),
    "attention": (lambda n: F.scaled_dot_product_attention(x, x, x, scale=n), 0.5),
    "pad": (lambda n: F.pad(x, (1, 1), value=n), 0.5), "masked_fill": (lambda n: x.masked_fill(x > 0, n), 0.5),
    "scatter": (lambda n: logits.scatter(1, labels[:, None], n), 0.5), "fill_": (lambda n: x.clone().fill_(n), 0.5),
    "index_add": (lambda n: logits.index_add(0, labels * 0, logits, alpha=n), 0.5),
    "setitem": (_written(lambda y, n: y.__setitem__(0, n)), 0.5), "full_like": (lambda n: lucid.full_like(x, n), 0.5),
    "full": (lambda n: lucid.full((2,), n), 0.5), "arange": (lambda n: lucid.arange(0.0, 2.0, n), 0.5),
    "linspace": (lambda n: lucid.linspace(0.0, n, 3), 0.5),
    "uniform_": (lambda n: nn.init.uniform_(x.clone(), 0, n), 1),
    "interpolate": (lambda n: F.interpolate(image, scale_factor=n, mode="bilinear"), 1.5),
    "divisor_override": (lambda n: F.avg_pool2d(image, 2, divisor_override=n), 3),
    "clip_grad_norm_": (_clipped(nn.utils.clip_grad_norm_), 0.5),
    "clip_grad_value_": (_clipped(nn.utils.clip_grad_value_), 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_number_in_another_form_is_that_number_or_refused(name: str) -> None:
    f, n = PARAMETERS[name]
    lucid.manual_seed(0)
    expected = f(n)
    for form in (np.array(n), np.array(n)[()], np.float64(n), np.array(n, object)):
        lucid.manual_seed(0)
        try:
            out = f(form)
        except (TypeError, ValueError):
            assert np.asarray(form).dtype == object
            continue
        assert out.dtype == expected.dtype
        np.testing.assert_allclose(out.numpy(), expected.numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", PARAMETERS)
def test_what_is_no_number_is_refused_or_without_effect_on_the_dtype(name: str) -> None:
    f, n = PARAMETERS[name]
    wanted = f(n).dtype
    for form in ([n], (n,), [[n, n], [n, n]], complex(n, 1), np.complex128(1j), np.array(1j)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy's, that float(1j) is 0
                out = f(form)
        except (TypeError, ValueError):
            continue
        assert out.dtype == wanted, form


def test_the_bounds_of_clamp() -> None:
    for bound in ([0.5], (0.5,), "0", 1j, np.array(1j), np.array(None)):
        with pytest.raises(TypeError, match="clamp: expected a number for min and max, got"):
            x.clamp(min=bound)
    low = np.array([0.0, 0.25, 0.5, 0.75], "float32")
    assert x.clamp(low, 1).tolist() == np.clip(x.numpy(), low, 1).tolist()
    assert lucid.tensor([1, 5]).clamp(np.array(2)).dtype == lucid.int64
    assert lucid.tensor([1, 5]).clamp(np.float64(2)).dtype == lucid.float32


def test_numpys_bools_stay_bools() -> None:
    yes = lucid.tensor([True, False])
    assert (yes & np.True_).dtype == (yes | np.array(True)).dtype == lucid.bool_


@pytest.mark.parametrize("operand", [1j, np.complex64(1j), np.array(1j), np.array("a"), np.array(None, object)])
@pytest.mark.parametrize("f", [lambda x, n: x * n, lambda x, n: n + x, lambda x, n: x**n, lambda x, n: x > n,
                               lambda x, n: lucid.where(x > 0, n, x)])  # fmt: skip
def test_what_is_no_real_number_is_no_operand(f: Any, operand: Any) -> None:
    with pytest.raises(TypeError):
        f(x, operand)
