"""The array API standard on Tensors, each function beside NumPy's: what has the same name gives the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import lucid

array_api: Any = lucid.ones(1).__array_namespace__()

X = np.array([[0.5, -1.5, 2.25], [3.0, 0.75, -0.25]])
Y = np.array([[2.0, 0.5, -1.0], [1.5, -2.0, 4.0]])
UNIT = np.array([-0.5, 0.25, 0.75])
K = np.array([[3, 1, 2], [2, 7, 1]])
J = np.array([1, 2, 1])
B = np.array([[True, False, True], [False, False, True]])



def of(names: str, *inputs: Any) -> dict[str, Callable[[Any, Any], Any]]:
    """These functions of these arrays."""
    return {name: partial(_called, name, inputs) for name in names.split()}


def _called(name: str, inputs: tuple[Any, ...], xp: Any, a: Callable[[Any], Any]) -> Any:
    return getattr(xp, name)(*map(a, inputs))


# Name -> the call: xp is the namespace, and `a` makes an array of it.
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    **of("""abs ceil cos cosh exp expm1 floor isfinite isinf isnan negative positive reciprocal round sign signbit sin
            sinh square tan tanh trunc argmax argmin max min mean prod sum std var all any nonzero sort
            argsort matrix_transpose unstack flip empty_like zeros_like ones_like""", X),
    **of("""add copysign divide equal floor_divide greater greater_equal hypot less less_equal logaddexp maximum minimum
            multiply not_equal remainder subtract atan2 vecdot""", X, Y),
    **of("acos asin atanh", UNIT),
    **of("acosh asinh atan log log10 log1p log2 sqrt", abs(X) + 1),
    **of("bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift", K, J),
    **of("logical_and logical_or logical_xor", B, B[::-1].copy()),
    "arange": lambda xp, a: xp.arange(1, 7, 2),
    "asarray": lambda xp, a: xp.asarray(X),
    "astype": lambda xp, a: xp.astype(a(X), xp.int32),
    "bitwise_invert": lambda xp, a: xp.bitwise_invert(a(K)),
    "broadcast_arrays": lambda xp, a: xp.broadcast_arrays(a(K), a(J)),
    "broadcast_shapes": lambda xp, a: xp.broadcast_shapes((2, 1), (3,)),
    "broadcast_to": lambda xp, a: xp.broadcast_to(a(J), (2, 3)),
    "can_cast": lambda xp, a: xp.can_cast(xp.int32, xp.float64),
    "clip": lambda xp, a: xp.clip(a(X), -1.0, 1.0),
    "concat": lambda xp, a: (xp.concat([a(X), a(Y)], axis=1), xp.concat([a(X), a(J * 1.0)], axis=None)),
    "count_nonzero": lambda xp, a: (xp.count_nonzero(a(K)), xp.count_nonzero(a(K), axis=1, keepdims=True)),
    "cumulative_prod": lambda xp, a: xp.cumulative_prod(a(X), axis=1),
    "cumulative_sum": lambda xp, a: xp.cumulative_sum(a(X), axis=0),
    "diff": lambda xp, a: xp.diff(a(X), axis=1),
    "empty": lambda xp, a: xp.empty((2, 3)).shape,
    "expand_dims": lambda xp, a: xp.expand_dims(a(X), axis=1),
    "eye": lambda xp, a: (xp.eye(3, 4, k=1), xp.eye(2), xp.eye(2, 0)),
    "finfo": lambda xp, a: xp.finfo(xp.float32).eps,
    "from_dlpack": lambda xp, a: xp.from_dlpack(X),
    "full": lambda xp, a: xp.full((2, 3), 1.5),
    "full_like": lambda xp, a: xp.full_like(a(X), 1.5),
    "iinfo": lambda xp, a: xp.iinfo(xp.int16).max,
    "isdtype": lambda xp, a: (xp.isdtype(xp.int32, "integral"), xp.isdtype(xp.bool, ("bool", "numeric"))),
    "isin": lambda xp, a: (xp.isin(a(K), a(J)), xp.isin(a(K), a(J), invert=True)),
    "linspace": lambda xp, a: (xp.linspace(0, 1, 5), xp.linspace(0, 1, 5, endpoint=False)),
    "logical_not": lambda xp, a: xp.logical_not(a(B)),
    "matmul": lambda xp, a: xp.matmul(a(X), a(Y.T.copy())),
    "meshgrid": lambda xp, a: (xp.meshgrid(a(J), a(UNIT)), xp.meshgrid(a(J), a(UNIT), indexing="ij")),
    "moveaxis": lambda xp, a: xp.moveaxis(a(X), 0, 1),
    "ones": lambda xp, a: xp.ones((2, 3)),
    "permute_dims": lambda xp, a: xp.permute_dims(a(X), (1, 0)),
    "pow": lambda xp, a: xp.pow(a(abs(X)), a(Y)),
    "repeat": lambda xp, a: (xp.repeat(a(X), 2, axis=1), xp.repeat(a(X), 2)),
    "reshape": lambda xp, a: xp.reshape(a(X), (3, 2)),
    "result_type": lambda xp, a: xp.result_type(a(K), xp.int8) == xp.int64,
    "roll": lambda xp, a: (xp.roll(a(X), 1, axis=1), xp.roll(a(X), 1)),
    "searchsorted": lambda xp, a: xp.searchsorted(a(np.sort(UNIT)), a(X[0]), side="right"),
    "squeeze": lambda xp, a: xp.squeeze(a(X[:, None]), 1),
    "stack": lambda xp, a: xp.stack([a(X), a(Y)], axis=1),
    "take": lambda xp, a: xp.take(a(X), a(J), axis=1),
    "take_along_axis": lambda xp, a: xp.take_along_axis(a(X), a(np.argsort(X, axis=1)), axis=1),
    "tensordot": lambda xp, a: xp.tensordot(a(X), a(Y), axes=((1,), (1,))),
    "tile": lambda xp, a: xp.tile(a(X), (2, 1)),
    "tril": lambda xp, a: xp.tril(a(X), k=1),
    "triu": lambda xp, a: xp.triu(a(X), k=1),
    "unique_values": lambda xp, a: xp.sort(xp.unique_values(a(K))),  # in any order
    "where": lambda xp, a: xp.where(a(B), a(X), a(Y)),
    "zeros": lambda xp, a: xp.zeros((2, 3)),
}  # fmt: skip
CONSTANTS = "bool e float32 float64 inf int16 int32 int64 int8 linalg nan newaxis pi uint8"
AXES = "sum prod mean std var max min all any argmax argmin sort argsort flip"


def arrays(value: Any) -> list[Any]:
    """The arrays of a result, without its nesting."""
    return [each for part in value for each in arrays(part)] if isinstance(value, (list, tuple)) else [value]


@pytest.mark.parametrize("name", CALLS)
def test_a_function_gives_what_numpys_gives(name: str) -> None:
    ours, numpys = CALLS[name](array_api, lucid.tensor), CALLS[name](np, np.asarray)
    assert len(arrays(ours)) == len(arrays(numpys))
    for a, b in zip(arrays(ours), arrays(numpys), strict=True):
        if "empty" not in name:
            np.testing.assert_allclose(a, b, rtol=1e-6)
        assert np.shape(a) == np.shape(b)
        if isinstance(b, np.ndarray):
            assert isinstance(a, lucid.Tensor)


@pytest.mark.parametrize("name", AXES.split())
def test_along_an_axis(name: str) -> None:
    ours, numpys = (getattr(xp, name)(make(X), axis=1) for xp, make in ((array_api, lucid.tensor), (np, np.asarray)))
    np.testing.assert_allclose(ours, numpys)
    if name not in "sort argsort flip":
        assert getattr(array_api, name)(lucid.tensor(X), axis=1, keepdims=True).shape == (2, 1)


def test_a_tensor_has_the_namespace_and_gradients_pass() -> None:
    x = lucid.tensor(X, requires_grad=True)
    xp: Any = x.__array_namespace__(api_version="2024.12")
    assert xp is array_api
    xp.sum(xp.square(xp.permute_dims(x, (1, 0)))).backward()
    np.testing.assert_array_equal(x.grad, 2 * X)


@pytest.mark.libraries
def test_what_of_the_standard_is_there() -> None:
    """The standard's names are those of its strict implementation."""
    import array_api_compat
    import array_api_strict

    names = {n for n in array_api_strict.__all__ if not n.startswith("__") and "flags" not in n.lower()}
    there = {name for name in names if hasattr(array_api, name)}
    assert there == {*CALLS, *CONSTANTS.split()}
    assert names - there == set(
        "Device complex128 complex64 conj fft imag nextafter real uint16 uint32 uint64 unique_all unique_counts "
        "unique_inverse".split()
    )
    print(f"{len(there)} of the {len(names)} names of the array API are there")
    assert array_api_compat.array_namespace(lucid.ones(2), lucid.zeros(3)) is array_api
