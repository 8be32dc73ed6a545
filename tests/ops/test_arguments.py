"""What is taken for a dim, a size or a count, over all functions that have one. (That each takes NumPy's integers is
asked of every row of the table, in test_table.py.)"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.nn import functional as F
from tests.ops.test_table import surface

OF_DIM = {name: f for name, f in surface().items()
          if not name.startswith("Tensor.") and {"dim", "dims"} & set(inspect.signature(f).parameters)}  # fmt: skip


@pytest.mark.parametrize("name", OF_DIM)
def test_a_bool_is_no_dim(name: str) -> None:
    """Where each other argument is right; `var` and `std`, in which PyTorch takes it for `unbiased`, are below."""
    x = lucid.ones(2, 2)
    given = {"tensors": [x, x], "index": lucid.zeros(2, 2, dtype=lucid.int64), "source": x, "src": x, "shape": (2,)}
    for parameter in inspect.signature(OF_DIM[name]).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            with pytest.raises(TypeError, match="expected (an int|ints)"):
                OF_DIM[name](x, True)
            return
        if parameter.name in ("dim", "dims"):
            given[parameter.name] = True
        elif parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            given.setdefault(parameter.name, x if parameter.annotation in ("Tensor", parameter.empty) else 1)
    given = {key: value for key, value in given.items() if key in inspect.signature(OF_DIM[name]).parameters}
    if name.rpartition(".")[2] in ("var", "std", "var_mean", "std_mean"):
        OF_DIM[name](**given)
        return
    if name.rpartition(".")[2] in ("index_select", "index_add"):
        given["index"] = lucid.tensor([0, 1])
    given |= {"value": None} if name.endswith("scatter") else {}
    rolled = {"shifts": 1} if name.endswith("roll") else {}
    with pytest.raises(TypeError, match="expected (an int|ints|dims)"):
        OF_DIM[name](**given | rolled)


def test_var_of_a_bool_is_pytorchs_unbiased() -> None:
    x = lucid.tensor([[1.0, 2.0], [4.0, 8.0]])
    for name in ("var", "std"):
        f, expected = getattr(x, name), getattr(np, name)
        for unbiased in (True, False):
            assert f(unbiased).item() == pytest.approx(expected(x.numpy(), ddof=int(unbiased)))
            assert getattr(lucid, f"{name}_mean")(x, unbiased)[0] == f(unbiased)
            assert f(1, unbiased).tolist() == pytest.approx(expected(x.numpy(), axis=1, ddof=int(unbiased)).tolist())


@pytest.mark.parametrize("one", [np.int64(1), np.uint8(1), np.array(1), lucid.tensor(1)], ids=repr)
def test_one_of_any_kind_is_a_dim(one: Any) -> None:
    x = lucid.tensor([[1.0, 5.0], [7.0, 2.0]])
    assert x.sum(dim=one).tolist() == [6, 9]
    assert x.flatten(one).shape == x.reshape(one + 1, 2).shape == x.T.permute(one, 0).shape == (2, 2)
    if isinstance(one, np.generic):  # an array is another operand, as in PyTorch
        assert x.max(dim=one).indices.tolist() == [1, 0]
    else:
        assert x.max(one).tolist() == [[1, 5], [7, 2]]


X = lucid.ones(1, 1, 8, 8)
REMEMBERED: dict[str, Any] = {
    "max_pool2d": lambda n: F.max_pool2d(X, 2, n), "avg_pool2d": lambda n: F.avg_pool2d(X, n, 1),
    "conv2d": lambda n: F.conv2d(X, X, stride=n), "conv_transpose2d": lambda n: F.conv_transpose2d(X, X, dilation=n),
    "interpolate": lambda n: F.interpolate(X, size=n), "unfold": lambda n: F.unfold(X, n),
}  # fmt: skip


@pytest.mark.parametrize("name", REMEMBERED)
def test_what_equals_an_int_is_refused_also_after_the_int(name: str) -> None:
    f = REMEMBERED[name]
    for n in (1, (1, 1), [1, 1]):
        f(n)
    for odd in (1.0, True, (1, True), (1.0, 1), [True, 1]):
        with pytest.raises(TypeError, match="must be an int"):
            f(odd)


@pytest.mark.parametrize("name", ["tril", "triu"])
def test_a_number_of_a_diagonal(name: str) -> None:
    x = lucid.ones(3, 3)
    assert getattr(x, name)(np.uint8(1)).tolist() == getattr(x, name)(1).tolist()
    for odd in (1.5, True, np.float32(1)):
        with pytest.raises(TypeError, match=f"{name}: expected an int for diagonal"):
            getattr(x, name)(odd)


def test_a_number_of_rows_without_a_sign() -> None:
    for row in (1, -1, np.uint8(1), np.int8(-3)):
        layer = lucid.nn.Embedding(np.uint8(4), 3, padding_idx=row)
        assert layer.padding_idx == int(row) % 4 and layer.weight[int(row)].tolist() == [0, 0, 0]
