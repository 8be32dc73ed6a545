"""Selecting and sorting beyond the table's rows: ties, views, memory, and the sentence for each wrong use."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.gpu.namespace import CupyNamespace


def test_sorting_agrees_with_numpy_on_many_ties() -> None:
    rng = np.random.default_rng(0)
    for dtype in ("int64", "float32", "float16", "uint8", "bool"):
        x = rng.integers(0, 3, (5, 40)).astype(dtype)
        t = lucid.tensor(x)
        for dim in (0, 1):
            up, down = t.sort(dim), t.sort(dim, descending=True)
            np.testing.assert_array_equal(up.indices.numpy(), np.argsort(x, dim, kind="stable"))
            backwards = x.astype("float64") * -1
            np.testing.assert_array_equal(down.indices.numpy(), np.argsort(backwards, dim, kind="stable"))
            np.testing.assert_array_equal(up.values.numpy(), np.sort(x, dim))
            best = t.topk(2, dim)
            np.testing.assert_array_equal(best.indices.numpy(), down.indices.narrow(dim, 0, 2).numpy())
            assert up.values.dtype == best.values.dtype == t.dtype and up.indices.dtype == lucid.int64


def test_the_best_of_many_do_not_hold_on_to_the_rest() -> None:
    values, indices = lucid.randn(1000).topk(3)
    assert values.numpy().base is None and indices.numpy().base is None


def test_axis_is_accepted_for_dim() -> None:
    x = lucid.tensor([[3.0, 1.0], [2.0, 4.0]])
    assert x.sort(axis=0).indices.tolist() == x.argsort(axis=0).tolist() == [[1, 0], [0, 1]]
    assert x.cumprod(axis=1).tolist() == [[3, 3], [2, 8]]
    with pytest.raises(TypeError, match=r"sort\(\) got an unexpected keyword argument 'along'"):
        x.sort(along=0)


def test_what_is_a_view_and_what_is_not() -> None:
    x = lucid.zeros(3, 3)
    x.diagonal().fill_(1)
    x.narrow(0, 0, 1).add_(2)
    assert x.tolist() == [[3, 2, 2], [0, 1, 0], [0, 0, 1]]
    lucid.diag(x).zero_()
    x.tril().zero_()
    assert x.sum().item() == 9
    y, z = lucid.meshgrid(lucid.ones(2), lucid.zeros(3))
    assert y.shape == z.shape == (2, 3) and lucid.meshgrid([lucid.ones(2)])[0].tolist() == [1, 1]


def test_scatter_makes_one_hot_rows() -> None:
    labels = lucid.tensor([2, 0, 1])
    assert lucid.zeros(3, 3).scatter_(1, labels.unsqueeze(1), 1).tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert lucid.zeros(3).scatter_add_(0, lucid.tensor([1, 1]), lucid.ones(2)).tolist() == [0, 2, 0]


def test_half_precision_running_products_are_taken_in_single() -> None:
    x = lucid.full((2000,), 1 + 2**-10, dtype="float16")
    out = x.cumprod(0)
    assert out[-1].item() == pytest.approx((1 + 2**-10) ** 2000, rel=1e-3) and out.dtype == lucid.float16


def test_an_index_from_a_gpu_is_checked_before_it_wraps_around() -> None:
    """What CuPy would not notice: here on NumPy's arrays."""
    i, mask = np.array([0, 2]), np.array([[True, False], [False, True]])
    namespace = SimpleNamespace(array=())  # of a GPU; the indices are all on the host
    for shape, parts in (
        ((3, 4), (i, slice(None))),
        ((3, 4), (None, i)),
        ((2, 2, 3), (mask, i)),
        ((5, 3), (Ellipsis, -i - 1)),
        ((3,), (np.array([], "int64"),)),
        ((4, 3), (1, i, None)),
    ):
        CupyNamespace.check_index(namespace, shape, parts)
    for shape, parts, message in (
        ((2, 4), (i, slice(None)), r"getitem: index 2 is out of bounds for the 2 of dim 0 of shape \(2, 4\)"),
        ((4, 2), (slice(None), i), "getitem: index 2 is out of bounds for the 2 of dim 1"),
        ((4, 2), (Ellipsis, -i - 1), "getitem: index -3 is out of bounds for the 2 of dim 1"),
        ((2, 2, 2), (mask, i), "getitem: index 2 is out of bounds for the 2 of dim 2"),
        ((4, 5, 2), (None, 0, Ellipsis, i), "getitem: index 2 is out of bounds for the 2 of dim 2"),
    ):
        with pytest.raises(IndexError, match=message):
            CupyNamespace.check_index(namespace, shape, parts)


i3, x23, x3 = lucid.tensor([0, 1, 2]), lucid.ones(2, 3), lucid.ones(3)
REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "tril of a vector": (lambda: x3.tril(), ValueError,
                         "tril: expected a matrix or a batch of them, (..., n, m), got shape (3,)"),
    "triu of a number": (lambda: lucid.triu(3), TypeError, "triu: expected a Tensor, got int"),
    "diag": (lambda: lucid.diag(lucid.ones(1, 1, 1)), ValueError,
             "diag: expected 1 or 2 dims, got shape (1, 1, 1); diagonal() takes those of a batch"),
    "diagonal": (lambda: x23.diagonal(0, 1, -1), ValueError,
                 "diagonal: expected two different dims, got 1 and -1 of shape (2, 3)"),
    "trace": (lambda: x3.trace(), ValueError, "trace: expected a matrix, got shape (3,)"),
    "narrow": (lambda: x3.narrow(0, 2, 2), IndexError, "narrow: 2 from 2 on is not within the 3 of dim 0"),
    "negative length": (lambda: x3.narrow(0, 2, -1), IndexError, "narrow: -1 from 2 on is not within the 3 of dim 0"),
    "gather shape": (lambda: x23.gather(0, i3), ValueError,
                     "gather: index of shape (3,) does not fit a tensor of shape (2, 3) along dim 0"),
    "gather with a list": (lambda: x3.gather(0, [0]), TypeError, "gather: expected a Tensor, got list"),
    "gather behind the end": (lambda: x3.gather(0, lucid.tensor([3])), IndexError,
                              "gather: index 3 is out of range for the 3 of dim 0"),
    "gather from the end": (lambda: x3.gather(0, lucid.tensor([-1])), IndexError,
                            "gather: index -1 is out of range for the 3 of dim 0"),
    "index_select of rows of rows": (lambda: x3.index_select(0, lucid.tensor([[0]])), ValueError,
                                     "index_select: expected a 1-D index, got shape (1, 1)"),
    "take_along_dim shape": (lambda: x23.take_along_dim(i3, 1), ValueError,
                             "take_along_dim: expected indices with 2 dims, as x has, got shape (3,)"),
    "take_along_dim broadcast": (lambda: x23.take_along_dim(lucid.zeros(3, 1, dtype="int64"), 1), ValueError,
                                 "take_along_dim: shapes (2, 1) and (3, 1) do not broadcast together"),
    "take_along_dim range": (lambda: x23.take_along_dim(lucid.tensor([[7]]), 1), IndexError,
                             "take_along_dim: index 7 is out of range for the 3 of dim 1"),
    "scatter_add shape": (lambda: x23.scatter_add(1, i3, x3), ValueError,
                          "scatter_add: an index of shape (3,) and src of shape (3,) do not fit a tensor of shape (2, "
                          "3) along dim 1"),
    "scatter_add src": (lambda: x3.scatter_add(0, i3, lucid.ones(2)), ValueError,
                        "scatter_add: an index of shape (3,) and src of shape (2,) do not fit"),
    "scatter_add range": (lambda: x3.scatter_add(0, i3 + 1, x3), IndexError,
                          "scatter_add: index 3 is out of range for the 3 of dim 0"),
    "scatter_add dtype": (lambda: x3.scatter_add(0, i3, x3.double()), TypeError,
                          "scatter_add: src is float64 and the tensor float32; expected one dtype, use "
                          "src.to(x.dtype)"),
    "scatter_add of floats": (lambda: x3.scatter_add(0, x3, x3), TypeError,
                              "scatter_add: expected an index of integers, got float32"),
    "scatter of nothing": (lambda: x3.scatter(0, i3), ValueError,
                           "scatter: expected src, a tensor or a number, got neither src nor value"),
    "scatter range": (lambda: x3.scatter(0, -i3, 1.0), IndexError,
                      "scatter: index -2 is out of range for the 3 of dim 0"),
    "scatter with a list": (lambda: x3.scatter(0, [0], 1.0), TypeError,
                            "scatter: expected a Tensor for 'index', got list"),
    "index_add shape": (lambda: x3.index_add(0, i3, lucid.ones(2)), ValueError,
                        "index_add: expected a 1-D index and a source of shape (3,), got (3,) and (2,)"),
    "index_add range": (lambda: x3.index_add(0, lucid.tensor([5]), lucid.ones(1)), IndexError,
                        "index_add: index 5 is out of range for the 3 of dim 0"),
    "sort dim": (lambda: x3.sort(1), IndexError, "sort: dim 1 is out of range for a 1-D tensor; expected -1 to 0"),
    "topk": (lambda: x3.topk(4), ValueError, "topk: expected k to be an int from 0 to 3, the length of dim -1, got 4"),
    "topk of a half": (lambda: x3.topk(0.5), TypeError, "topk: expected an int for k, got 0.5"),
    "cumprod": (lambda: x3.cumprod(), TypeError, "cumprod: expected an int for dim, got None"),
    "cumprod dim": (lambda: x3.cumprod(2), IndexError, "cumprod: dim 2 is out of range for shape (3,)"),
    "meshgrid": (lambda: lucid.meshgrid(x23), ValueError, "meshgrid: expected 1-D tensors, got shapes [(2, 3)]"),
    "meshgrid of nothing": (lambda: lucid.meshgrid(), ValueError, "meshgrid: expected 1-D tensors, got shapes []"),
    "meshgrid indexing": (lambda: lucid.meshgrid(x3, indexing="yx"), ValueError,
                          "meshgrid: expected indexing 'ij' or 'xy', got 'yx'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_use_gets_a_sentence(name: str) -> None:
    use, error, message = REFUSED[name]
    with pytest.raises(error, match="^" + re.escape(message)) as caught:
        use()
    assert type(caught.value) is error


def test_devices_are_strings_with_parts() -> None:
    cpu, gpu = lucid.device("cpu"), lucid.device("cuda", 1)
    assert (cpu, cpu.type, cpu.index) == ("cpu", "cpu", None) and (gpu, gpu.type, gpu.index) == ("cuda:1", "cuda", 1)
    assert (
        lucid.device("gpu") == lucid.device("cuda") == lucid.device("cuda:0") == "cuda:0" and lucid.device(gpu) == gpu
    )
    x = lucid.zeros(2, device=cpu)
    assert x.device == cpu and x.device.type == "cpu" and isinstance(x.device, lucid.device) and x.to(cpu) is x
    assert {cpu: 1}["cpu"] == 1 and repr(x.device) == "'cpu'"
    for name in ("tpu", "cuda:x", "cuda:-1", "cpu:0", ""):
        with pytest.raises(ValueError, match=f"unknown device '{name}'; expected 'cpu', 'cuda' or 'cuda:N'"):
            lucid.device(name)
