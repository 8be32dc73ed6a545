"""What is taken for a dim, a size or a count, over all functions that have one. (That each takes NumPy's integers is
asked of every row of the table, in test_table.py.)"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.nn import functional as F
from lucid.ops import refusals
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


@pytest.mark.parametrize("name", ["max", "min"])
def test_a_keyword_dim_is_no_operand(name: str) -> None:
    x = lucid.tensor([[1.0, 5.0], [7.0, 2.0]])
    for one in (1, np.uint8(1), np.array(1), lucid.tensor(1)):
        for found in (getattr(x, name)(dim=one), getattr(lucid, name)(x, dim=one), getattr(x, name)(axis=one)):
            assert found.indices.tolist() == getattr(x, name)(1).indices.tolist()
    for odd in (1.0, True, np.array(1.0), lucid.tensor(1.0), x, x.numpy()):
        with pytest.raises(TypeError, match=f"{name}: expected an int for dim"):
            getattr(x, name)(dim=odd)
    assert getattr(x, name)(dim=None) == getattr(x, name)() and getattr(x, name)(x).tolist() == x.tolist()


def test_numpys_bool_is_unbiased_too() -> None:
    x = lucid.tensor([[1.0, 2.0], [4.0, 8.0]])
    for unbiased in (True, False):
        assert x.var(np.bool_(unbiased)) == x.var(unbiased) and x.std(np.bool_(unbiased)) == x.std(unbiased)
        assert lucid.var_mean(x, np.bool_(unbiased))[0] == x.var(unbiased)


Y, MASK = lucid.tensor([[1.0, -2.0, 3.0], [0.0, 5.0, -1.0]]), lucid.tensor([True, False, True])
OF_NUMBER: dict[str, Any] = {
    "normalize": lambda n: F.normalize(Y, eps=n), "cosine_similarity": lambda n: F.cosine_similarity(Y, Y, eps=n),
    "pairwise_distance": lambda n: F.pairwise_distance(Y, Y, eps=n), "layer_norm": lambda n: F.layer_norm(Y, 3, eps=n),
    "rms_norm": lambda n: F.rms_norm(Y, 3, eps=n), "group_norm": lambda n: F.group_norm(Y, 1, eps=n),
    "batch_norm": lambda n: F.batch_norm(Y, None, None, training=True, eps=n),
    "batch_norm, later": lambda n: F.batch_norm(Y, Y[0] * 0, Y[0] * 0 + 1, eps=n),
    "instance_norm": lambda n: F.instance_norm(Y.unsqueeze(0), eps=n),
    "poisson_nll_loss": lambda n: F.poisson_nll_loss(Y.abs() + 1, Y, False, eps=n),
    "gaussian_nll_loss": lambda n: F.gaussian_nll_loss(Y, Y, 1.0, eps=n), "leaky_relu": lambda n: F.leaky_relu(Y, n),
    "elu": lambda n: F.elu(Y, n),
    "celu": lambda n: F.celu(Y, n), "hardtanh": lambda n: F.hardtanh(Y, n, 2), "softplus": lambda n: F.softplus(Y, n),
    "threshold": lambda n: F.threshold(Y, 0.5, n), "masked_fill": lambda n: Y.masked_fill(MASK, n),
    "scaled_dot_product_attention": lambda n: F.scaled_dot_product_attention(Y, Y, Y, scale=n),
    "full": lambda n: lucid.full((2,), n), "full_like": lambda n: lucid.full_like(Y, n),
    "pad": lambda n: F.pad(Y, (1, 1), value=n), "add": lambda n: Y.add(Y, alpha=n), "sub": lambda n: Y.sub(Y, alpha=n),
    "addcmul": lambda n: Y.addcmul(Y, Y, value=n), "constant_": lambda n: lucid.nn.init.constant_(Y.clone(), n),
    "pinv": lambda n: lucid.linalg.pinv(Y, rtol=n),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_NUMBER)
def test_a_number_is_a_number_and_nothing_else(name: str) -> None:
    f = OF_NUMBER[name]
    expected = f(0.5)
    for n in (np.float64(0.5), np.array(0.5), lucid.tensor(0.5, dtype="float64")):
        assert f(n).dtype == lucid.float32 and f(n).tolist() == expected.tolist()
    for odd in (np.array([0.5]), "0.5", 0.5 + 1j, [0.5]):
        with pytest.raises(TypeError, match=r"^\w+: .*(number|int, str|tensor of shape|scalar)"):
            f(odd)


def test_places_are_an_int() -> None:
    assert Y.round(decimals=np.int8(1)).tolist() == Y.tolist()
    for odd in (0.5, True, np.array([1])):
        with pytest.raises(TypeError, match="round: expected an int for decimals"):
            Y.round(decimals=odd)


def test_isclose_names_what_it_cannot_compare() -> None:
    for odd in (np.ones((2, 3), "c8"), np.ma.MaskedArray(np.ones((2, 3)), mask=True)):
        with pytest.raises(TypeError, match=r"isclose: (expected an array without a mask|cannot make .* complex64)"):
            Y.isclose(odd)


@pytest.mark.parametrize("f, words", [
    (lucid.sum, {"dim": 0, "keepdim": True}), (lucid.max, {"dim": 0, "keepdim": True}), (lucid.flip, {"dims": (0,)}),
    (lucid.std, {"dim": 0}), (lucid.cumsum, {"dim": 0}), (lucid.nn.functional.softmax, {"dim": 0}),
    (lucid.Tensor.median, {"dim": 0}), (lucid.squeeze, {"dim": 0}),
])  # fmt: skip
def test_numpys_words_are_read_before_the_call(f: Any, words: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """`axis` and `keepdims`: not by a call that fails, which takes 40 us."""
    x, numpys = lucid.randn(1, 3), {"dim": "axis", "dims": "axis", "keepdim": "keepdims"}
    expected = f(x, **words)
    monkeypatch.setattr(refusals, "after", lambda error, *_: error)
    assert str(f(x, **{numpys[key]: value for key, value in words.items()})) == str(expected)
