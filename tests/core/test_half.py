"""Half precision: what adds up is added up in single and rounded once, and no number is rounded before its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.nn import functional as F
from tests.ops.table import ROWS, Row
from tests.whole import one_of_each

RNG = np.random.default_rng(0)
N = 70_000  # beyond half's largest number, 65,504; as a running sum, half stops at 2,048
# Its weights are within 1e-9 of 1: the slope of the query is a difference of numbers that are equal even in single.
SATURATED = "attention_weights-8"
LIBRARY_HAS_NO_HALF = ("inv", "solve", "det", "slogdet", "cholesky", "eigh", "cofactor", "linalg_norm", "matrix_power",
                       "qr", "singular", "pinv", "lstsq", "norms_of_linalg")
LEFT_OUT = (*LIBRARY_HAS_NO_HALF, "astype", "setitem-4", "reflected-0", SATURATED)


def both(f: Callable[..., Any], *arrays: Any, seed: float = 1.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """The output of `f` and its gradients, each in half precision and in double, for inputs that half holds."""
    found = []
    for dtype in ("float16", "float64"):
        live = [a.dtype.kind == "f" for a in map(np.asarray, arrays)]
        ts = [lucid.tensor(np.asarray(a).astype("f2") if of else a) for a, of in zip(arrays, live, strict=True)]
        ts = [t.to(dtype).requires_grad_() if of else t for t, of in zip(ts, live, strict=True)]
        with np.errstate(all="ignore"):
            out = f(*ts)
            g = (np.cos(np.arange(out.numel())).reshape(out.shape) + 1.5) * seed if seed else np.ones(out.shape)
            if out.requires_grad:
                out.backward(lucid.tensor(g.astype("f2").astype(dtype)))
        assert out.dtype == dtype and all(t.grad is None or t.grad.dtype == dtype for t in ts)
        found.append([out.detach().numpy(), *(t.grad.numpy() for t in ts if t.grad is not None)])
    return list(zip(*found, strict=True))


def agree(pairs: list[tuple[np.ndarray, np.ndarray]], rel: float = 2.0**-9) -> None:
    """Each of the halves is the double, to a few roundings of the largest."""
    for half, double in pairs:
        with np.errstate(over="ignore"):
            wanted = double.astype("f2")
        finite = np.isfinite(wanted)
        np.testing.assert_array_equal(np.where(finite, 0, half), np.where(finite, 0, wanted))
        scale = np.abs(wanted[finite].astype("f8")).max(initial=2.0**-14)
        np.testing.assert_allclose(half[finite].astype("f8"), wanted[finite].astype("f8"), atol=rel * scale)


@pytest.mark.parametrize("row", one_of_each(
    [row for row in ROWS if not row.name.startswith(LEFT_OUT)],
    lambda row: row.name.rpartition("-")[0], lambda row: row.name), ids=lambda row: row.name)  # fmt: skip
def test_every_operation_is_as_exact_in_half_as_half_allows(row: Row) -> None:
    with np.errstate(all="ignore"):
        agree(both(lambda *ts: row.f(lucid, *ts), *row.arrays), 2.0**-6 if row.name == "einsum-22" else 2.0**-8)


# -- sums ------------------------------------------------------------------------------------------------------------

ones, noise = np.ones((6000, 4)), RNG.normal(size=(6000, 4)) + 1
zeros, labels = np.zeros((2, N)), np.array([3, N - 1])
many = np.zeros(6000, int)
SUMS: dict[str, tuple[Any, ...]] = {
    "sum down the rows": (lambda x: x.sum(0), ones),
    "sum of everything": (lambda x: x.sum(), ones),
    "sum along the rows": (lambda x: x.T.sum(1), ones),
    "sum of two dims": (lambda x: x.reshape(2, 3000, 4).sum((0, 1), keepdim=True), noise),
    "cumsum": (lambda x: x.cumsum(0), ones),
    "cumsum of a row": (lambda x: x.reshape(-1).cumsum(0), ones),
    "cumprod": (lambda x: x.cumprod(0), np.full((2000,), 1 + 2**-10)),
    "prod": (lambda x: x.prod(), np.array([300.0, 300.0, 2**-10, 0.5])),
    "mean": (lambda x: x.mean(0) * 1000, ones),
    "mean beyond the largest": (lambda x: x.mean(), np.ones(N)),
    "var": (lambda x: x.var(0), noise),
    "std": (lambda x: x.std(), noise),
    "norm": (lambda x: x.norm(), noise * 8),
    "norm 1": (lambda x: x.norm(1, dim=0), noise),
    "norm 3": (lambda x: x.norm(3), noise * 8),
    "max, all tied": (lambda x: x.max(), np.ones(N)),
    "amax, all tied": (lambda x: x.amax(0), ones),
    "min, all tied": (lambda x: x.min(), np.ones(N)),
    "amin, all tied": (lambda x: x.amin((0, 1)), ones),
    "softmax of many": (lambda x: x.softmax(1), zeros),
    "log_softmax of many": (lambda x: x.log_softmax(1), zeros),
    "logsumexp of many": (lambda x: x.logsumexp(1), zeros),
    "attention to many": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v), np.zeros((1, 2)),
                          np.zeros((N, 2)), np.ones((N, 1))),
    "unbroadcast a row": (lambda x, b: x + b, noise, np.ones(4)),
    "unbroadcast a column": (lambda x, b: x * b, ones.T, np.ones((4, 1))),
    "unbroadcast a number": (lambda x, b: x - b, ones, np.array(1.0)),
    "unbroadcast what was expanded": (lambda b: b.expand(6000, 4), np.ones((1, 4))),
    "unbroadcast in where": (lambda x, b: lucid.where(x > 100, x, b), ones, np.ones(4)),
    "take a row many times": (lambda x: x[many], ones[:2]),
    "embed a word many times": (lambda x: F.embedding(lucid.tensor(many), x), ones[:2]),
    "gather one many times": (lambda x: x.gather(0, lucid.tensor(many[:, None])), ones[:2, :1]),
    "index_select": (lambda x: x.index_select(0, lucid.tensor(many)), ones[:2]),
    "index_add": (lambda x: lucid.zeros(2, 4).to(x.dtype).index_add(0, lucid.tensor(many), x), ones),
    "scatter_add": (lambda x: x.new_zeros(2, 4).scatter_add(0, lucid.tensor(np.zeros((6000, 4), int)), x), ones),
    "repeat": (lambda x: x.repeat(6000, 1), ones[:1]),
    "windows that overlap": (lambda x: F.max_pool1d(x, 3000, 1, 1500), np.eye(1, 6001, 3000)[None]),
    "windows added up": (lambda x: F.fold(x, (1, 1023), (1, 512)), np.full((1, 512, 512), 0.1)),
    "means of windows": (lambda x: F.avg_pool1d(x, 3000, 1), np.ones((1, 1, 3002))),
    "convolution": (lambda x, w, b: F.conv1d(x, w, b), np.ones((3, 1, 3000)), np.ones((1, 1, 3)), np.ones(1)),
    "linear": (lambda x, w, b: F.linear(x, w, b), noise, np.ones((3, 4)), np.ones(3)),
    "matmul": (lambda x, w: x @ w, noise, np.ones((4, 3))),
    "einsum": (lambda x, y: lucid.einsum("ij,ij->", x, y), ones, ones),
    "tensordot": (lambda x, y: lucid.tensordot(x, y, 2), ones, ones),
    "mse_loss": (lambda x, y: F.mse_loss(x, y) / 1000, ones * 200, ones * -20),
    "l1_loss, sum": (lambda x, y: F.l1_loss(x, y, reduction="sum"), ones, ones * 2),
    "huber_loss": (lambda x, y: F.huber_loss(x, y, delta=1e5) / 100, ones * 200, ones * -20),
    "smooth_l1_loss": (lambda x, y: F.smooth_l1_loss(x, y), noise, ones * 2),
    "kl_div": (lambda x, y: F.kl_div(x, y, reduction="batchmean"), -10 * ones, ones * 4),
    "bce": (lambda x: F.binary_cross_entropy(x, x.detach()), np.full((N,), 0.5)),
    "bce with logits": (lambda x: F.binary_cross_entropy_with_logits(x, x * 0), np.zeros(N)),
    "cross_entropy of many classes": (lambda x: F.cross_entropy(x, lucid.tensor(labels)), zeros),
    "with one ignored": (lambda x: F.cross_entropy(x, lucid.tensor(labels), ignore_index=3), zeros),
    "with weights": (lambda x, w: F.cross_entropy(x, lucid.tensor(labels), w.detach()), zeros, np.ones(N)),
    "with smoothing": (lambda x: F.cross_entropy(x, lucid.tensor(labels), label_smoothing=0.1), zeros),
    "of many rows, smoothed": (lambda x: F.cross_entropy(x, lucid.zeros(N).long(), label_smoothing=0.5) * 100,
                               np.zeros((N, 2))),
    "with soft targets": (lambda x, p: F.cross_entropy(x, p.detach(), label_smoothing=0.1), zeros, zeros + 2**-17),
    "nll_loss": (lambda x: F.nll_loss(x, lucid.zeros(N).long()), -np.ones((N, 2))),
    "pairwise_distance": (lambda x, y: F.pairwise_distance(x, y), 200 * ones.T, -ones.T),
    "cosine_similarity": (lambda x, y: F.cosine_similarity(x, y), ones.T, ones.T),
}  # fmt: skip


@pytest.mark.parametrize("name", SUMS)
def test_sums_are_taken_in_single(name: str) -> None:
    f, *arrays = SUMS[name]
    agree(both(f, *arrays))


def test_a_sum_past_2048() -> None:
    assert lucid.ones(6000, 4, dtype="float16").sum(0).tolist() == [6000.0] * 4


LAYERS: dict[str, tuple[Any, Any]] = {
    "Linear": (lambda: nn.Linear(4, 3), (20_000, 4)),
    "Conv1d": (lambda: nn.Conv1d(2, 3, 3), (40, 2, 500)),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(2, 3, 3), (40, 2, 500)),
    "RNN": (lambda: nn.RNN(4, 3), (3, 6000, 4)),
    "LSTM": (lambda: nn.LSTM(4, 3), (3, 6000, 4)),
    "GRU": (lambda: nn.GRU(4, 3), (3, 6000, 4)),
    "MultiheadAttention": (lambda: nn.MultiheadAttention(4, 2, batch_first=True), (5000, 4, 4)),
    "LayerNorm": (lambda: nn.LayerNorm(4), (20_000, 4)),
    "RMSNorm": (lambda: nn.RMSNorm(4), (20_000, 4)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), (20_000, 4)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (20_000, 4)),
    "PReLU": (lambda: nn.PReLU(), (20_000, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_gradients_of_a_layer_over_many_rows(name: str) -> None:
    make, shape = LAYERS[name]
    x, found = (RNG.normal(size=shape) * 0.5 + 0.3).astype("f2"), []
    lucid.manual_seed(0)
    state = make().half().state_dict()
    for dtype in (lucid.float16, lucid.float64):
        model = make().to(dtype)
        model.load_state_dict(state)
        given = lucid.tensor(x).to(dtype)
        out = model(given, given, given) if name == "MultiheadAttention" else model(given)
        out = out[0] if isinstance(out, tuple) else out
        out.backward(lucid.tensor(np.cos(np.arange(out.numel())).reshape(out.shape) + 1.5, dtype="float16").to(dtype))
        found.append([p.grad.numpy() for p in model.parameters()])
    agree(list(zip(*found, strict=True)), 0.02)


# -- numbers that half cannot hold ------------------------------------------------------------------------------------

small, large = np.array([0.01, -0.02, 0.75]), np.array([-60_000.0, -40_000.0])
NUMBERS: dict[str, tuple[Callable[..., Any], np.ndarray, float]] = {
    "x * n": (lambda x, n: x * n, small, 1e5), "n * x": (lambda x, n: n * x, small, 1e5),
    "x * tenth": (lambda x, n: x * n, small, 0.1), "x * little": (lambda x, n: x * n, large, 3e-9),
    "x / n": (lambda x, n: x / n, large, 1e5), "x / little": (lambda x, n: x / n, small * 1e-3, 3e-9),
    "n / x": (lambda x, n: n / x, large, 1e9), "x + n": (lambda x, n: x + n, large, 1e5),
    "n - x": (lambda x, n: n - x, -large, 1e5), "x % n": (lambda x, n: x % n, large, 1e5),
    "n % x": (lambda x, n: n % x, -large, 100_001.0), "x // n": (lambda x, n: x // n, large, 1e5),
    "n ** x": (lambda x, n: n**x, small, 1e5), "n // x": (lambda x, n: n // x, -large, 1e6),
    "x ** n": (lambda x, n: x**n, np.array([-1.0, 1 - 2**-11, 1.0]), 3001),
    "mul_": (lambda x, n: x.clone().mul_(n), small, 1e5), "add alpha": (lambda x, n: x + x * n, small, 1e5),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["number", "scalar", "0-d array", "0-d tensor"])
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_not_rounded_to_half_first(name: str, kind: str) -> None:
    f, x, number = NUMBERS[name]
    n: dict[str, Any] = {
        "number": number, "scalar": np.float64(number), "0-d array": np.array(number),
        "0-d tensor": lucid.tensor(number, dtype="float64"),
    }  # fmt: skip
    agree(both(lambda x: f(x, n[kind]), x), 2.0**-8)


def test_a_large_integer_tensor_beside_half() -> None:
    out = lucid.tensor([0.01, 0.5], dtype="float16") * lucid.tensor([100_000, 3])
    assert out.dtype == lucid.float16 and out.tolist() == [1000.0, 1.5]


@pytest.mark.parametrize("number", [1e5, 1e-10, 0.1, 100_000, -1e-10, -1e5])
@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"])
def test_a_number_is_not_rounded_to_half_to_be_compared(name: str, number: float) -> None:
    x = lucid.tensor([np.inf, -np.inf, 0, 0.1, np.nan], dtype="float16")
    f = getattr(lucid, name)
    for n in (number, lucid.tensor(number, dtype="float64" if isinstance(number, float) else "int64")):
        assert f(x, n).dtype == lucid.bool_ and f(x, n).tolist() == f(x.double(), number).tolist()
        assert f(n, x).tolist() == f(number, x.double()).tolist()


def test_numbers_that_half_holds_are_as_they_were() -> None:
    """One multiplication is one node, and what else a loop does in place is still allowed."""
    x = lucid.tensor([1.0, 2.0], dtype="float16", requires_grad=True)
    assert (x * 0.5).grad_fn.name() == "multiply"
    y = x.clone()
    y *= 0.1
    y *= 0.1
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0.01, 0.01], rtol=1e-3)


def test_half_as_the_default_dtype() -> None:
    lucid.set_default_dtype("float16")
    try:
        x = lucid.arange(5)
        assert x.exp().dtype == x.float().half().exp().dtype == (x * 0.1).dtype == lucid.float16
        assert x.to(lucid.int8).sigmoid().dtype == lucid.where(x > 2, 0.1, 0.2).dtype == lucid.float16
        assert lucid.full((N,), 2, dtype="int64").mean().item() == 2
    finally:
        lucid.set_default_dtype("float32")


# -- exponentials on the way -------------------------------------------------------------------------------------------

WIDE = np.concatenate([np.linspace(-17, 12, 117), [-60, 60, -300, 300, 1e-3, -1e-3]])
ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "sigmoid": lambda x: x.sigmoid(), "silu": F.silu, "softplus": F.softplus, "logsigmoid": F.logsigmoid,
    "mish": F.mish, "tanh": lambda x: x.tanh(), "elu": F.elu, "selu": F.selu, "exp": lambda x: x.exp(),
    "tanhshrink": F.tanhshrink,
    "expm1": lambda x: x.expm1(), "erf": lambda x: x.erf(), "leaky_relu": lambda x: F.leaky_relu(x, 1e-6),
    "softplus beta": lambda x: F.softplus(x, 3.0), "softmax": lambda x: x.softmax(0), "relu": F.relu,
    "log_softmax": lambda x: x.log_softmax(0), "bce": lambda x: F.binary_cross_entropy_with_logits(
        x, x.detach() * 0 + 0.25, reduction="none"),
}  # fmt: skip


@pytest.mark.parametrize("seed", [0.01, 1, 1000])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_slopes_digit_by_digit(name: str, seed: float) -> None:
    """Each element, however small, to a rounding or two."""
    for half, double in both(ACTIVATIONS[name], WIDE, seed=seed):
        with np.errstate(over="ignore"):
            wanted = double.astype("f2")
        finite = np.isfinite(wanted)
        np.testing.assert_array_equal(np.where(finite, 0, half), np.where(finite, 0, wanted))
        gap = np.spacing(np.abs(wanted[finite])).astype("f8")
        lost = 5e-7 * seed if name in ("sigmoid", "tanh", "erf", "tanhshrink") else 0  # single's own, in 1 - out * out
        assert (np.abs(half[finite].astype("f8") - double[finite]) <= 2.1 * gap + lost).all()


def test_sigmoid_of_minus_12() -> None:
    x = lucid.tensor([-12.0], dtype="float16", requires_grad=True)
    y = x.sigmoid()
    y.backward(lucid.tensor([1.0], dtype="float16"))
    np.testing.assert_allclose([y.item(), x.grad.item()], 6.14e-6, rtol=0.01)


def test_rounding_to_places_does_not_pass_the_largest_number() -> None:
    assert lucid.tensor([1.5, 60000.0], dtype="float16").round(decimals=5).tolist() == [1.5, 60000.0]


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_that_meet_add_up_in_single(create_graph: bool) -> None:
    """In a leaf, in a tensor on the way, and where single uses half: as a running sum, half stops at 2,048."""
    leaf = lucid.ones(1, dtype=lucid.float16, requires_grad=True)
    middle = leaf * 1
    (at_leaf, at_middle) = lucid.autograd.grad(
        lucid.stack([leaf] * 3000).sum() + lucid.stack([middle * 1] * 3000).sum(), [leaf, middle],
        create_graph=create_graph,
    )  # fmt: skip
    assert at_leaf.tolist() == [6000] and at_middle.tolist() == [3000] and at_leaf.dtype == at_middle.dtype == "float16"
    total, middle = lucid.zeros(1), leaf * 1
    for _ in range(3000):
        total = total + (middle * 1).float()
    assert lucid.autograd.grad(total, leaf)[0].tolist() == [3000]
