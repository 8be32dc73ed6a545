"""One door for all arrays: what is no array of numbers as lucid has them is converted, or refused in one sentence, in
whatever way it comes in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.utils.data import TensorDataset


def assigned(array: Any) -> lucid.Tensor:
    x = lucid.zeros(2, 2)
    x.data = array
    return x


def written(array: Any) -> lucid.Tensor:
    x = lucid.zeros(2, 2)
    x[...] = array
    return x


class OfAnotherLibrary:
    """What has `__dlpack__` and no more."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


SHARED: dict[str, Callable[[Any], lucid.Tensor]] = {
    "from_numpy": lucid.from_numpy, "from_dlpack": lucid.from_dlpack,
    "from_dlpack of another": lambda array: lucid.from_dlpack(OfAnotherLibrary(array)),
}  # fmt: skip
DOORS: dict[str, Callable[[Any], lucid.Tensor]] = SHARED | {
    "Tensor": lucid.Tensor, "tensor": lucid.tensor, "as_tensor": lucid.as_tensor, "Parameter": lucid.nn.Parameter,
    "TensorDataset": lambda array: TensorDataset(array).tensors[0], ".data": assigned, "x[...] =": written,
    "unary": lucid.neg, "unary of floats": lucid.exp, "an operand": lambda array: lucid.zeros(2, 2) + array,
    "the left operand": lambda array: array * lucid.ones(2, 2), "two": lambda array: lucid.add(array, array),
    "one of three": lambda array: lucid.nn.functional.linear(array, array, array[0]),
    "many": lambda array: lucid.cat([array, array]), "new_tensor": lucid.ones(1).new_tensor,
    "clamp": lambda array: lucid.ones(2, 2).clamp(lucid.tensor(-9.0), array),
}  # fmt: skip
DATA = np.array([[0.5, -1.0], [1.5, 2.0]])
REFUSED = {
    "complex": DATA.astype(complex), "objects": DATA.astype(object), "text": DATA.astype(str), "raw": DATA.astype("V8"),
    "structured": np.zeros((2, 2), [("a", "f4")]), "times": DATA.astype("datetime64[s]"),
    "long": DATA.astype("longdouble"), "spans": DATA.astype("timedelta64[s]"),
    "masked": np.ma.masked_array(DATA, DATA < 0),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_number_is_refused(door: str, kind: str) -> None:
    if (kind, door) in (("long", "x[...] ="), ("long", "new_tensor"), ("masked", "from_dlpack of another")):
        return  # the dtype wanted is a given; what is exported there has no mask any more
    with pytest.raises((TypeError, BufferError), match="(expected .*numbers|without a mask|not understood|DLPack)"):
        DOORS[door](REFUSED[kind])


class Own(np.ndarray):
    """A subclass whose `*` is another one, as numpy.matrix has it."""

    def __mul__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, lucid.Tensor) else "mine"


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("make", [np.asmatrix, lambda a: a.view(Own), lambda a: a.view(np.recarray), np.array],
                         ids=["matrix", "subclass", "recarray", "plain"])
def test_a_subclass_is_an_array_like_any(door: str, make: Any) -> None:
    expected = DOORS[door](DATA.astype("float32"))
    if door == "one of three" and make is np.asmatrix:
        return  # a row of a matrix is no vector
    with pytest.warns(PendingDeprecationWarning) if make is np.asmatrix else np.errstate():
        array = make(DATA.astype("float32"))
    found = DOORS[door](array)
    assert type(found._array) is np.ndarray
    np.testing.assert_array_equal(found.detach().numpy(), expected.detach().numpy())
    product = found.detach() * found.detach()
    np.testing.assert_array_equal(product.numpy(), found.detach().numpy() ** 2)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4", ">i8", ">f2"])
def test_foreign_bytes_are_turned_round_or_refused(door: str, dtype: str) -> None:
    foreign = DATA.astype(dtype)
    if door == "Parameter" and foreign.dtype.kind == "i":
        return
    if door in SHARED:
        with pytest.raises((TypeError, BufferError), match="(lucid.tensor|DLPack)"):
            DOORS[door](foreign)
        return
    found, expected = DOORS[door](foreign), DOORS[door](DATA.astype(dtype.replace(">", "<")))
    assert found.dtype == expected.dtype and found.dtype.isnative
    np.testing.assert_array_equal(found.detach().numpy(), expected.detach().numpy())
    if found.dtype.kind == "f":
        np.testing.assert_array_equal(found.detach().abs().sqrt().numpy(),
                                      expected.detach().abs().sqrt().numpy())


@pytest.mark.parametrize("door", [*SHARED, "Tensor", "as_tensor"])
@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_an_integer_dtype_that_lucid_has_not_is_refused(door: str, dtype: str) -> None:
    """In a shared memory it stays what it is, in an operation as well; a dtype asked for makes a copy."""
    with pytest.raises(TypeError, match=f"cannot make a tensor of {dtype}"):
        DOORS[door](DATA.astype("int64").astype(dtype))
    assert lucid.as_tensor(np.ones(2, dtype), dtype=lucid.int64).tolist() == [1, 1]


def test_memory_is_shared_where_it_can_be() -> None:
    array = np.zeros(3, "float32")
    for share in (lucid.from_numpy, lucid.as_tensor, lucid.Tensor, lambda a: lucid.from_numpy(a.view(Own))):
        share(array)[0] += 1
    assert array[0] == 4


def test_a_mask_in_a_list_is_refused_as_well() -> None:
    masked = np.ma.MaskedArray([1.0, 2.0], mask=[0, 1])
    for given in ([masked] * 2, [[masked], [masked]], (1.0, np.ma.masked), [lucid.ones(2), masked]):
        with pytest.raises(TypeError, match="without a mask"):
            lucid.tensor(given)
    assert lucid.tensor([np.ones(2).view(np.recarray), np.zeros(2)]).tolist() == [[1, 1], [0, 0]]
