"""What one kernel does on a GPU in place of many, beside the NumPy text of the same: values, NaN and infinities,
shapes.

On the stand-in, whose kernels the system's C++ compiler makes, and on CuPy where a GPU answers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import ops
from lucid.core import elementwise
from lucid.core.op import OPS
from lucid.gpu import row_kernels as rows
from lucid.gpu.cuda_expressions import CUDA_EXPRESSIONS
from lucid.gpu.fuse import Fused
from lucid.gpu.namespace import gpu as gpu_of_lucid
from lucid.ops import activations, losses
from tests.gpu.gpus import gpu as gpu
from tests.gpu.gpus import there
from tests.gpu.stand_in.arrays import counted
from tests.gpu.test_kernels import compiler, hostile
from tests.nn.test_activations import LIMITS as ACTIVATION_LIMITS
from tests.nn.test_losses import LIMITS as LOSS_LIMITS
from tests.whole import whole

pytestmark = whole  # kernels to be compiled

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "clip": [{"min": -1, "max": 2.5}, {"min": 0}, {"max": math.inf}],
    "power_number": [{"exponent": 3}, {"exponent": -0.5}],
    "gelu": [{}, {"approximate": "tanh"}],
    "softplus": [{}, {"beta": 2, "threshold": 1.0}],
    "leaky_relu": [{}, {"negative_slope": 0}],
    "polygamma": [{"n": 0}, {"n": 1}],
    **{name: [{"reduction": each} for each in ("mean", "sum")] for name in ("mse", "l1", "huber", "bce")},
    "bce_with_logits": [{"reduction": each} for each in ("mean", "sum")],
}
# A forward or formula of several launches is one kernel where it has a trace, and one that symbols can no longer follow
# would be as right as before and as slow as before. These have none: sums at the end, tables and loops, Python's rest.
UNTRACED = {
    *(f"{name} forward" for name in ("bce", "bce_with_logits", "huber", "l1", "mse")), "bce_with_logits target",
    *(f"{name} forward" for name in ("erfinv", "lgamma", "polygamma", "floor_divide", "remainder")),
    "lgamma x", "polygamma x", "remainder y",
}  # fmt: skip


def elementwise_operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation on one or two arrays of floats that has formulas, and options to call it with."""
    modules = {module.__name__ for module in (activations, elementwise, losses, ops.elementwise, ops.special)}
    for name, spec in OPS.items():
        asked = spec.vjps and "labels" not in spec.inputs and name not in ("masked", "where", "astype")
        if asked and spec.forward.__module__ in modules:
            for options in OPTIONS.get(name, [{}]):
                yield name, options


def run(
    name: str, options: dict[str, Any], arrays: list[np.ndarray], slope: np.ndarray, device: str
) -> list[np.ndarray]:
    """The output and the gradients."""
    tensors = [lucid.tensor(x, device=device, requires_grad=True) for x in arrays]
    out = OPS[name].call(*tensors, **options)
    out.backward(lucid.tensor(slope if out.ndim else slope.reshape(-1)[0], device=device))
    return [x.cpu().numpy() for x in (out.detach(), *(t.grad for t in tensors))]


def parts() -> set[str]:
    """What has become a kernel so far."""
    chosen = {id(found): found for found in gpu_of_lucid().kernels.values() if isinstance(found, Fused)}.values()
    return {" ".join(each.name.rsplit("_", 1)) for each in chosen if any(each.launchers.values())}


def run_all() -> None:
    for name, options in elementwise_operations():
        arrays = [np.ones((2, 3), "float32")] * len(OPS[name].inputs)
        run(name, options, arrays, np.ones((2, 3), "float32"), "cuda")


@compiler
def test_what_takes_several_launches_is_one_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    with there("stand-in"):
        run_all()
        fused = parts()
    launches: dict[str, int] = {}

    def as_it_stands(self: Fused, xp: Any, *args: Any, **options: Any) -> Any:
        with counted() as found:
            out = self.function(xp, *args, **options)
        part = " ".join(self.name.rsplit("_", 1))
        launches[part] = max(launches.get(part, 0), found["launches"])
        return out

    monkeypatch.setattr(Fused, "__call__", as_it_stands)
    with there("stand-in"):
        run_all()
    several = {part for part, count in launches.items() if count > 1}
    assert several >= UNTRACED
    assert fused - {"hardtanh forward"} == several - UNTRACED  # NumPy's clip is one launch, of two functions


@pytest.mark.parametrize("limits", [ACTIVATION_LIMITS, LOSS_LIMITS], ids=["activations", "losses"])
def test_values_and_slopes_at_infinity(limits: dict[str, tuple[Any, ...]], gpu: str) -> None:
    for f, *given, values, slopes in limits.values():
        x = lucid.tensor(*(given or [[-math.inf, math.inf]]), requires_grad=True)
        out = f(x, reduction="none") if given else f(x)
        out.backward(lucid.ones_like(out))
        np.testing.assert_allclose(out.detach().cpu().numpy(), values, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(x.grad.cpu().numpy(), slopes, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options", list(elementwise_operations()), ids=str)
def test_values_with_hostile_numbers(name: str, options: dict[str, Any], dtype: str, gpu: str) -> None:
    rng = np.random.default_rng(1)
    arrays = [hostile(rng, 2000, dtype, subnormal=False) for _ in OPS[name].inputs]
    slope = rng.standard_normal(2000).astype(dtype)
    if "reduction" in options:  # one infinite loss would be all that is left of the sum
        arrays = [rng.random(2000).astype(dtype) for _ in arrays]
    with np.errstate(all="ignore"):
        expected = run(name, options, arrays, slope, "cpu")
    for a, b in zip(run(name, options, arrays, slope, "cuda"), expected, strict=True):
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(a, b, rtol=64 * eps, atol=(64 if name == "gelu" else 8) * eps)  # x**3 * (1 + tanh)
        assert a.dtype == b.dtype == dtype


def test_planted_faults_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    with there("stand-in"):
        monkeypatch.setitem(CUDA_EXPRESSIONS, "subtract", "{1} - {0}")
        with pytest.raises(AssertionError, match="Not equal"):
            test_values_with_hostile_numbers("logsigmoid", {}, "float32", "stand-in")
    with there("stand-in"):
        monkeypatch.delitem(CUDA_EXPRESSIONS, "log1p")
        run("logsigmoid", {}, [np.ones(3, "float32")], np.ones(3, "float32"), "cuda")
        assert parts() == {"logsigmoid x"}


@pytest.mark.parametrize(
    "name, right, wrong",
    [("softmax", "sum = total(sum);", "sum = top;"), ("softmax_vjp", " - sum)", ")"),
     ("softmax", "row % inner;", "0;")],
)
def test_planted_faults_in_rows_are_caught(name: str, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert right in rows.TEXTS[name]
    monkeypatch.setitem(rows.TEXTS, name, rows.TEXTS[name].replace(right, wrong))
    with there("stand-in"), pytest.raises(AssertionError, match="Not equal"):
        test_rows_with_hostile_numbers("softmax", {"axis": 0}, "float32", 10, "stand-in")


def launches(f: Any) -> int:
    """How many kernels a second run of it takes."""
    f()
    with counted() as found:
        f()
    return found["launches"]


@compiler
def test_it_is_one_launch() -> None:
    with there("stand-in"):
        x = lucid.randn(3, 4)
        assert launches(lambda: lucid.sigmoid(x)) == 1
        assert launches(lambda: lucid.nn.functional.gelu(x)) == 1
        assert launches(lambda: x.softmax(1)) == 1
        assert launches(lambda: lucid.nn.functional.layer_norm(x, (4,))) == 1
        assert launches(lambda: lucid.sigmoid(lucid.Tensor(x._array[:, ::2]))) == 1  # with gaps


@pytest.mark.parametrize("shapes", [((), ()), ((0, 3), (3,)), ((2, 1, 3), (4, 1)), ((3,), ())], ids=str)
def test_shapes(shapes: tuple[tuple[int, ...], ...], gpu: str) -> None:
    rng = np.random.default_rng(2)
    arrays = [rng.random(shape) + 0.5 for shape in shapes]
    slope = rng.random(np.broadcast_shapes(*shapes))
    for name in ("power", "divide", "maximum"):
        expected = run(name, {}, arrays, slope, "cpu")
        for a, b in zip(run(name, {}, arrays, slope, "cuda"), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)
            assert a.shape == b.shape


def test_what_decides_is_decided_anew(gpu: str) -> None:
    """A kernel is made for an exponent that is not 0, a batch of 4, one dtype; the next call brings another."""
    for exponent in (2, 0, 3.0, -1):
        x = lucid.tensor([1.0, 2.0], requires_grad=True)
        OPS["power_number"].call(x, exponent=exponent).sum().backward()
        assert x.grad.tolist() == pytest.approx([exponent, exponent * 2.0 ** (exponent - 1)])
    for n, dtype in ((4, "float32"), (2, "float32"), (4, "float64"), (2, "float32")):
        x = lucid.tensor(np.ones(n, dtype), requires_grad=True)
        lucid.nn.functional.mse_loss(x, lucid.zeros(n, dtype=dtype)).backward()
        assert x.grad.tolist() == [2 / n] * n and x.grad.dtype == dtype


def test_integers_and_mixed_dtypes_go_as_they_stand(gpu: str) -> None:
    x = lucid.tensor([-3, 2])
    assert lucid.relu(x).tolist() == [0, 2] and lucid.relu(x).dtype == lucid.int64
    wide = lucid.tensor([1.5], dtype=lucid.float64, requires_grad=True)
    (lucid.tensor([2.0]) ** wide).sum().backward()
    assert wide.grad.dtype == lucid.float64 and wide.grad.item() == pytest.approx(2**1.5 * math.log(2))


def test_half_precision_is_rounded_once(gpu: str) -> None:
    x = np.linspace(-6, 6, 101).astype("float16")
    for name, options in (
        ("silu", {}),
        ("gelu", {}),
        ("softplus", {}),
        ("softmax", {"axis": 0}),
        ("log_softmax", {"axis": 0}),
    ):
        found = run(name, options, [x], np.ones(101, "float16"), "cuda")
        exact = run(name, options, [x.astype("float64")], np.ones(101), "cpu")
        assert found[0].dtype == found[1].dtype == "float16"
        np.testing.assert_allclose(found[0].astype("float64"), exact[0], rtol=2**-11 * 1.01, atol=2**-25)


ROWS = [
    ("softmax", {"axis": -1}), ("softmax", {"axis": 0}), ("log_softmax", {"axis": 1}), ("log_softmax", {"axis": 0}),
]  # fmt: skip


@pytest.mark.parametrize("n", [1, 10, 33, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options", ROWS, ids=str)
def test_rows_with_hostile_numbers(name: str, options: dict[str, Any], dtype: str, n: int, gpu: str) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((9, n)).astype(dtype) * 5
    x[1], x[2, 0], x[3, -1], x[4, n // 2] = -np.inf, np.inf, np.nan, -np.inf
    slope = rng.standard_normal((9, n)).astype(dtype)
    with np.errstate(all="ignore"):
        expected = run(name, options, [x], slope, "cpu")
    eps = np.finfo(dtype).eps
    for a, b in zip(run(name, options, [x], slope, "cuda"), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=64 * eps, atol=64 * eps)


@pytest.mark.parametrize("n", [1, 10, 33, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_norms_of_rows(name: str, learned: bool, dtype: str, n: int, gpu: str) -> None:
    rng = np.random.default_rng(4)
    x, slope = ((rng.standard_normal((7, n)) * 3 + 1).astype(dtype) for _ in range(2))
    more = [rng.standard_normal(n).astype(dtype) for _ in range(learned * (2 if name == "layer_norm" else 1))]
    expected = run(name, {"dims": 1, "eps": 1e-5}, [x, *more], slope, "cpu")
    eps = np.finfo(dtype).eps
    for a, b in zip(run(name, {"dims": 1, "eps": 1e-5}, [x, *more], slope, "cuda"), expected, strict=True):
        # Of a row of one number nothing is left: its slope is what rounding leaves, times 1 / sqrt(eps).
        np.testing.assert_allclose(a, b, rtol=200 * eps, atol=200 * eps * (1 if n > 1 else 1e-5**-0.5))


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5, 2)])
@pytest.mark.parametrize("kind", ["batch_norm", "rnn", "lstm", "gru"])
def test_single_precision_of_what_has_forms(kind: str, shape: tuple[int, ...], gpu: str) -> None:
    """The table is in double precision; here it is float32, which the tests of models do not look at so closely."""
    found = []
    for device in ("cuda", "cpu"):
        lucid.set_default_device(device)
        lucid.manual_seed(6)
        if kind == "batch_norm":
            model = lucid.nn.BatchNorm1d(3) if len(shape) == 2 else lucid.nn.BatchNorm2d(3)
            x, out_of = lucid.randn(*shape, requires_grad=True), model
        else:
            model = {"rnn": lucid.nn.RNN, "lstm": lucid.nn.LSTM, "gru": lucid.nn.GRU}[kind](3, 70, bias=len(shape) == 2)
            x, out_of = lucid.randn(5, 2, 3, requires_grad=True), lambda x, model=model: model(x)[0]
        out = out_of(x)
        (out * lucid.randn(*out.shape)).sum().backward()
        found.append([t.detach().cpu().numpy() for t in (out, x.grad, *(p.grad for p in model.parameters()))])
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype == "float32"
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype, labels", [("float32", "int64"), ("float64", "int32"), ("float32", "uint8")])
def test_cross_entropy(reduction: str, dtype: str, labels: str, gpu: str) -> None:
    rng = np.random.default_rng(5)
    x, y = (rng.standard_normal((50, 12)) * 10).astype(dtype), rng.integers(0, 12, 50).astype(labels)
    found = []
    for device in ("cuda", "cpu"):
        logits = lucid.tensor(x.T.copy(), device=device, requires_grad=True)  # read with its rows and columns swapped
        every = lucid.nn.functional.cross_entropy(
            logits.T, lucid.tensor(y, device=device), reduction=reduction, ignore_index=3
        )
        every.backward(lucid.ones_like(every))
        found.append((every.detach().cpu().numpy(), logits.grad.cpu().numpy()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=64 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).eps)


def test_cross_entropy_of_many_rows_and_of_none(gpu: str) -> None:
    cross_entropy = lucid.nn.functional.cross_entropy
    labels = lucid.zeros(5000, dtype=lucid.int64)
    assert cross_entropy(lucid.zeros(5000, 2), labels).item() == pytest.approx(math.log(2))
    ignored = cross_entropy(lucid.zeros(3, 2), lucid.full((3,), -100, dtype=lucid.int64))
    assert math.isnan(ignored.item())
    assert cross_entropy(lucid.zeros(0, 2), labels[:0], reduction="sum").item() == 0
