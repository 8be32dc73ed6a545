"""NumPy's functions on tensors: they compute on the array, and where that would cut off a gradient they say so."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn

X = np.array([[0.5, 2.0, 1.5], [3.0, 0.25, 1.0]])
CALLS: dict[str, Callable[[Any], Any]] = {
    "sum": np.sum, "mean": np.mean, "prod": np.prod, "max": np.max, "min": np.min, "std": np.std, "var": np.var,
    "sum, keepdims": lambda t: np.sum(t, axis=0, keepdims=True), "sin": np.sin, "sqrt": np.sqrt, "exp": np.exp,
    "maximum": lambda t: np.maximum(t, 1.0), "add.reduce": np.add.reduce,
    "clip": lambda t: np.clip(t, 0.0, 1.0), "where": lambda t: np.where(X > 1, t, 0.0),
    "concatenate": lambda t: np.concatenate([t, t]), "stack": lambda t: np.stack((X, t), axis=1),
    "einsum": lambda t: np.einsum("ij,kj->ik", t, t), "norm": np.linalg.norm, "svd": np.linalg.svd,
    "histogram": np.histogram, "cumsum": lambda t: np.cumsum(t, axis=1),
}  # fmt: skip
WITHOUT_GRADIENT: dict[str, Callable[[Any], Any]] = {
    "argmax": np.argmax, "argsort": lambda t: np.argsort(t, axis=1), "isfinite": np.isfinite, "sign": lambda t: t > 1,
    "any": np.any, "all": np.all, "shape": np.shape, "allclose": lambda t: np.allclose(t, X),
    "array_equal": lambda t: np.array_equal(t, X), "count_nonzero": np.count_nonzero, "zeros_like": np.zeros_like,
    "atleast_1d": np.atleast_1d, "ravel": np.ravel, "broadcast_arrays": lambda t: np.broadcast_arrays(t, X),
    "asarray": np.asarray, "repr": np.array2string, "copy": np.copy,
}  # fmt: skip


def with_history() -> lucid.Tensor:
    return lucid.tensor(X, requires_grad=True) * 1.0


@pytest.mark.parametrize("name", [*CALLS, *WITHOUT_GRADIENT])
def test_without_a_history_the_array_counts(name: str) -> None:
    call = (CALLS | WITHOUT_GRADIENT)[name]
    ours, numpys = call(lucid.tensor(X)), call(X)
    for a, b in zip(*[out if isinstance(out, tuple) else (out,) for out in (ours, numpys)], strict=True):
        np.testing.assert_array_equal(a, b)
        assert type(a) is type(b) or isinstance(a, lucid.Tensor)


@pytest.mark.parametrize("name", CALLS)
def test_a_gradient_is_not_cut_off_in_silence(name: str) -> None:
    own = name.partition(",")[0].partition(".")[0]
    instead = rf"t\.{own}\(\.\.\.\)" if hasattr(lucid.Tensor, own) else "it with lucid's functions"
    said = rf"^numpy\.{own}: this tensor t requires a gradient, which NumPy's functions cut off; write ({instead})"
    with pytest.raises(RuntimeError, match=said):
        CALLS[name](with_history())
    CALLS[name](with_history().detach())


@pytest.mark.parametrize("name", WITHOUT_GRADIENT)
def test_what_has_no_gradient_needs_no_detach(name: str) -> None:
    np.testing.assert_array_equal(WITHOUT_GRADIENT[name](with_history()), WITHOUT_GRADIENT[name](X))


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "**", "@", "//", "%", "==", "<", ">="])
@pytest.mark.parametrize("left", [X, np.float64(2.0), np.float32(2.0)], ids=["array", "float64", "float32"])
def test_operators_with_an_array_on_the_left_are_lucids(operator: str, left: Any) -> None:
    right = lucid.tensor(X.T.copy() if operator == "@" else X, requires_grad=True)
    if operator == "@" and not np.ndim(left):
        left = X[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = eval(f"left {operator} right")
        expected = eval(f"left {operator} right", {"left": left, "right": right.numpy()})
    assert isinstance(out, lucid.Tensor)
    assert out.requires_grad == (operator not in ("==", "<", ">="))
    np.testing.assert_allclose(out, expected)


def test_numpys_arithmetic_functions_are_the_operators() -> None:
    """NumPy cannot tell `array * tensor` from `np.multiply(array, tensor)`."""
    t = lucid.tensor(X, requires_grad=True)
    assert np.multiply(X, t).requires_grad and np.subtract(t, 1).requires_grad and np.equal(t, X).all()


def test_numbers_of_numpys_add_up_with_the_gradient_and_arrays_in_place_without() -> None:
    total: Any = np.float64(0)
    total += lucid.ones(2, requires_grad=True).sum()
    assert isinstance(total, lucid.Tensor) and total.requires_grad
    sums = np.zeros(2)
    sums += lucid.ones(2)
    assert sums.tolist() == [1.0, 1.0] and isinstance(sums, np.ndarray)
    with pytest.raises(RuntimeError, match=r"^numpy\.add: .* t\.detach"):
        sums += lucid.ones(2, requires_grad=True)


def test_a_tensor_is_no_place_to_write_to() -> None:
    with pytest.raises(TypeError, match=r"^numpy\.sin: out= is a Tensor; write t\.copy_\(\.\.\.\)$"):
        np.sin(X, out=lucid.zeros(2, 3))


@pytest.mark.parametrize("t", [lucid.tensor(X), lucid.tensor(X, requires_grad=True)], ids=["plain", "with history"])
def test_complex_numbers_are_refused_on_either_side(t: lucid.Tensor) -> None:
    for call in (lambda c: t * c, lambda c: c * t, lambda c: t**c, lambda c: np.multiply(t, c), lambda c: t / c):
        for number in (1j, np.complex128(1j), np.array([1j])):
            with pytest.raises(TypeError, match=r"complex|NotImplemented"):
                call(number)


def test_numpy_does_not_write_to_a_tensor_with_history() -> None:
    with pytest.raises(ValueError, match="read-only"):
        np.fill_diagonal(with_history(), 0.0)


# -- copy.copy, which matplotlib makes of what it draws ----------------------------------------------------------------


def test_a_copy_of_a_computed_tensor_keeps_its_history() -> None:
    x = lucid.tensor(X, requires_grad=True)
    y = x * 2
    z = copy.copy(y)
    z.sum().backward()
    np.testing.assert_array_equal(x.grad, np.full_like(X, 2.0))
    z.data[0, 0] = 9.0
    assert y[0, 0].item() == 1.0


def test_a_copy_of_a_parameter_is_one() -> None:
    parameter = nn.Parameter(lucid.ones(2))
    parameter.note = ["mine"]
    twin = copy.copy(parameter)
    assert type(twin) is nn.Parameter and twin.is_leaf and twin.requires_grad and twin.note is parameter.note
    twin.data[0] = 5.0
    assert parameter[0].item() == 1.0


@pytest.mark.parametrize("kind", ["plot", "scatter", "bar", "hist", "fill_between", "imshow", "step", "axhline"])
def test_matplotlib_draws_a_tensor_with_history(kind: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    axes, x = figure.subplots(), lucid.linspace(0, 1, 6)
    y = (x * 2).requires_grad_() ** 2
    if kind == "imshow":
        axes.imshow(y.reshape(2, 3))
    elif kind == "axhline":
        axes.axhline(y[2])
    elif kind == "hist":
        axes.hist(y)
    else:
        getattr(axes, kind)(x, y)
    figure.canvas.draw()
    if kind == "plot":
        np.testing.assert_allclose(axes.lines[0].get_ydata(), (2 * x.numpy()) ** 2)
