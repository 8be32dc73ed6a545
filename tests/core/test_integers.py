"""Integers and bools: what sums is int64, what multiplies or picks keeps its dtype, what has fractions is float32."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.nn import functional as F
from tests.ops.table import ROWS, Row
from tests.whole import one_of_each

KINDS = ["bool", "uint8", "int8", "int16", "int32", "int64"]
A, B = np.array([[1, 0, 3], [4, 5, 100]]), np.array([[2, 7, 1], [3, 3, 100]])
Pair = Callable[[Any, Any], Any]
every_kind = pytest.mark.parametrize("kind", KINDS)


def made(array: np.ndarray, kind: str) -> lucid.Tensor:
    return lucid.tensor(array % 2 if kind == "bool" else array, dtype=kind)


# -- the rule, for every reduction and product -------------------------------------------------------------------------

SUMS: dict[str, Pair] = {  # int64
    "sum": lambda x, y: x.sum(), "sum dim": lambda x, y: x.sum(1), "sum dims": lambda x, y: x.sum((0, 1), keepdim=True),
    "sum 0-d": lambda x, y: x[1, 2].sum(), "prod": lambda x, y: x[:, :2].prod(), "prod dim": lambda x, y: x.prod(1),
    "prod 0-d": lambda x, y: x[1, 2].prod(), "cumsum": lambda x, y: x.cumsum(1), "cumprod": lambda x, y: x.cumprod(0),
    "cumsum 0-d": lambda x, y: x[1, 2].cumsum(0), "cumprod 0-d": lambda x, y: x[1, 2].cumprod(0),
    "trace": lambda x, y: lucid.trace(x[:, :2]), "einsum of one": lambda x, y: lucid.einsum("ij->j", x),
    "argmax": lambda x, y: x.argmax(1), "argmin": lambda x, y: x.argmin(), "argsort": lambda x, y: x.argsort(1),
    "max's indices": lambda x, y: x.max(1).indices, "topk's indices": lambda x, y: x.topk(2).indices,
    "max_pool's indices": lambda x, y: F.max_pool1d(x[None], 2, 1, return_indices=True)[1],
}  # fmt: skip
KEPT: dict[str, Pair] = {  # the tensors' own dtype
    "amax": lambda x, y: x.amax(1), "amin": lambda x, y: x.amin(), "max": lambda x, y: x.max(),
    "max's values": lambda x, y: x.max(0).values, "min's values": lambda x, y: x.min(0).values,
    "sort": lambda x, y: x.sort(1).values, "max_pool": lambda x, y: F.max_pool1d(x[None], 2, 1),
    "max_pool, padded": lambda x, y: F.max_pool2d(x[None], 2, 1, 1), "@": lambda x, y: x @ y.T,
    "@ vector": lambda x, y: x @ y[0], "dot": lambda x, y: x[1].dot(y[1]), "outer": lambda x, y: x[0].outer(y[0]),
    "mm": lambda x, y: x.mm(y.T), "bmm": lambda x, y: x[None].bmm(y.T[None]), "linear": lambda x, y: F.linear(x, y),
    "linear with bias": lambda x, y: F.linear(x, y, y[:, 0]), "matrix_power": lambda x, y:
        lucid.linalg.matrix_power(x[:, :2], 2), "*": lambda x, y: x * y, "maximum": lambda x, y: lucid.maximum(x, y),
    "index_add": lambda x, y: x.index_add(0, lucid.tensor([0, 0]), y),
    "scatter_add": lambda x, y: x.scatter_add(0, lucid.tensor([[1, 0, 0]]), y),
    **{f"tensordot {n}": lambda x, y, n=n: lucid.tensordot(x, y if n == 2 else y.T, n) for n in (0, 1, 2)},
    "tensordot of a dim of 1": lambda x, y: lucid.tensordot(x[:, :1], y[0], 1),
    **{f"einsum {e}": lambda x, y, e=e: lucid.einsum(e, x, y) for e in (
        "ij,kj->ik", "ij,ij->", "ij,ij->i", "ij,ij->ij", "ij,kj->k", "ij,kl->", "ij,kl->ik", "ij,kl->jl", "ij,ik->i")},
}  # fmt: skip
EXACT = {  # by NumPy in int64; what the dtype cannot hold of it wraps
    "sum": lambda x, y: x.sum(), "sum dim": lambda x, y: x.sum(1), "prod dim": lambda x, y: x.prod(1),
    "cumsum": lambda x, y: x.cumsum(1), "cumprod": lambda x, y: x.cumprod(0), "cumsum 0-d": lambda x, y: x[1, 2],
    "amax": lambda x, y: x.max(1), "@": lambda x, y: x @ y.T, "dot": lambda x, y: x[1] @ y[1],
    "tensordot 1": lambda x, y: x @ y.T, "tensordot 2": lambda x, y: (x * y).sum(),
    "tensordot of a dim of 1": lambda x, y: x[:, 0] * y[0].sum(), "linear": lambda x, y: x @ y.T,
    **{f"einsum {e}": lambda x, y, e=e: np.einsum(e, x, y) for e in (
        "ij,kj->ik", "ij,ij->", "ij,ij->i", "ij,kj->k", "ij,kl->", "ij,kl->ik", "ij,kl->jl")},
}  # fmt: skip
FLOATS: dict[str, Pair] = {
    "mean": lambda x, y: x.mean(), "var": lambda x, y: x.var(), "std": lambda x, y: x.std(1),
    "norm": lambda x, y: x.norm(), "norm 1": lambda x, y: x.norm(1), "logsumexp": lambda x, y: x.logsumexp(1),
    "softmax": lambda x, y: x.softmax(1), "log_softmax": lambda x, y: x.log_softmax(1), "/": lambda x, y: x / (y + 1),
    "layer_norm": lambda x, y: F.layer_norm(x, 3), "rms_norm": lambda x, y: F.rms_norm(x, 3),
    "group_norm": lambda x, y: F.group_norm(x, 3), "normalize": lambda x, y: F.normalize(x),
    "batch_norm": lambda x, y: F.batch_norm(x, lucid.zeros(3), lucid.ones(3), training=True),
    "batch_norm, running": lambda x, y: F.batch_norm(x, lucid.zeros(3), lucid.full((3,), 0.5)),
    "cosine_similarity": lambda x, y: F.cosine_similarity(x, y), "mse_loss": lambda x, y: F.mse_loss(x, y),
}  # fmt: skip
BOOLS = {"any": lambda x, y: x.any(1), "all": lambda x, y: x.all(), "==": lambda x, y: x == y, "<": lambda x, y: x < y}


@every_kind
@pytest.mark.parametrize("name", [*SUMS, *KEPT, *FLOATS, *BOOLS])
def test_one_rule_for_the_dtype(name: str, kind: str) -> None:
    table, wanted = next((t, w) for t, w in ((SUMS, "int64"), (KEPT, kind), (FLOATS, "float32"), (BOOLS, "bool"))
                         if name in t)  # fmt: skip
    x, y = made(A, kind), made(B, kind)
    out = table[name](x, y)
    assert out.dtype == wanted
    if table is FLOATS:
        np.testing.assert_allclose(out.numpy(), table[name](x.float(), y.float()).numpy(), rtol=1e-6)
    if name in EXACT:
        exact = EXACT[name](*(t.numpy().astype("int64") for t in (x, y)))
        np.testing.assert_array_equal(out.numpy(), exact.astype(wanted))


@pytest.mark.parametrize("row", one_of_each(ROWS, lambda row: row.name.rpartition("-")[0], lambda row: row.name),
                         ids=lambda row: row.name)  # fmt: skip
def test_no_operation_makes_a_dtype_of_its_own(row: Row) -> None:
    """NumPy would make float16 of int8, float64 of int32, and int8 of bool // bool."""
    if row.name.startswith(("astype", "setitem-4")):  # which name a dtype themselves
        return
    for kind in KINDS:
        ts = [lucid.tensor((abs(a) * 3 + 1).astype(kind) if a.dtype.kind == "f" else a) for a in row.arrays]
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                out = row.f(lucid, *ts)
        except (TypeError, ValueError, ZeroDivisionError):  # what is not for integers says so
            continue
        dtypes = {str(t.dtype) for t in ts}
        assert str(out.dtype) in {"float32", "int64", "bool", kind, *dtypes}, (kind, out.dtype)


# -- where a dtype is asked for ----------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("asked", [*KINDS, "float16", "float32", "float64"])
@pytest.mark.parametrize("dim", [None, 0, (0, 1)])
@pytest.mark.parametrize("name", ["sum", "prod"])
def test_the_dtype_that_is_asked_for(name: str, dim: Any, asked: str, kind: str) -> None:
    x = made(A[:, ::2], kind)
    out = getattr(x, name)(dim, dtype=asked)
    assert out.dtype == asked
    cast = x.numpy().astype("int64" if np.dtype(asked).kind != "b" else "bool")
    np.testing.assert_array_equal(out.numpy(), getattr(np, name)(cast, dim).astype(asked))


def test_floats_into_integers_and_half() -> None:
    x = lucid.tensor([1.9, 2.9, 254.0])
    assert x.sum(dtype=lucid.int32).tolist() == 257 and x.sum(dtype=lucid.uint8).tolist() == 1
    assert lucid.tensor([70_000.0, -69_990.0]).sum(dtype=lucid.float16).item() == 10
    y = lucid.tensor([1.0, 2.0], requires_grad=True)
    total = y.sum(dtype=lucid.float64)
    total.backward()
    assert total.dtype == lucid.float64 and y.grad.dtype == lucid.float32


@every_kind
def test_a_mean_has_fractions(kind: str) -> None:
    for x in (lucid.ones(2), lucid.tensor([1, 2])):
        with pytest.raises(TypeError, match="mean: expected a float dtype, got"):
            x.mean(dtype=kind)
    assert lucid.tensor([1, 2]).mean(dtype=lucid.float64).item() == 1.5


# -- bools -------------------------------------------------------------------------------------------------------------


def test_arithmetic_of_bools_is_int64_where_it_has_more_than_two_results() -> None:
    yes = lucid.tensor([True, True])
    for out in (yes.square(), yes**2, yes**yes, yes // yes, yes + yes + 0):
        assert out.dtype == lucid.int64 and out.tolist() == [1, 1]
    assert (yes % yes).dtype == lucid.int64 and (yes % yes).tolist() == [0, 0]


# -- division by 0 -----------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("name, f", [("floor_divide", lambda x, y: x // y), ("remainder", lambda x, y: x % y)])
def test_integers_are_not_divided_by_0(name: str, f: Pair, kind: str) -> None:
    x, y = made(A, kind), made(A, kind)  # 0 is among them
    for call in (lambda: f(x, y), lambda: f(x, 0), lambda: f(1, y), lambda: f(x, np.int64(0)), lambda: f(x[0, 0], y)):
        with pytest.raises(ZeroDivisionError, match=f"^{name}: integers cannot be divided by 0; divide floats"):
            call()
    with np.errstate(all="ignore"):
        assert f(x.float(), 0).isfinite().any().item() is False
        assert f(x, 0.0).dtype == lucid.float32
    ones = made(A * 0 + 1, kind)
    assert f(x, ones).tolist() == f(x.numpy().astype(int), 1).tolist()
    assert f(lucid.zeros(0, dtype=kind), lucid.zeros(0, dtype=kind)).shape == (0,)


# -- max pooling -------------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("kernel, stride, padding", [(2, 1, 0), (2, 2, 1), (3, 1, 1)])
def test_max_pooling_says_where_the_largest_integer_was(kernel: int, stride: int, padding: int, kind: str) -> None:
    array = np.random.default_rng(0).integers(0 if kind in ("bool", "uint8") else -100, 100, (2, 3, 5, 6))
    x = made(array, kind)
    out, places = F.max_pool2d(x, kernel, stride, padding, return_indices=True)
    floats, expected = F.max_pool2d(x.float(), kernel, stride, padding, return_indices=True)
    assert out.dtype == kind and out.float().tolist() == floats.tolist()
    assert places.dtype == lucid.int64 and places.tolist() == expected.tolist()
