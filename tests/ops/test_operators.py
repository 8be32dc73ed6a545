"""What operators and comparisons say to what is no number: NotImplemented, so that Python asks the other side."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import lucid

ARITHMETIC = {name: getattr(operator, name) for name in
              "add sub mul truediv floordiv mod pow matmul and_ or_ xor".split()}  # fmt: skip
COMPARISONS = {name: getattr(operator, name) for name in "lt le gt ge eq ne".split()}
x = lucid.tensor([1, 2])


class Other:
    """Answers every operator."""

    answer = lambda self, other: "mine"
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = __rmatmul__ = answer
    __rand__ = __ror__ = __rxor__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = answer  # type: ignore
    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("name", [*ARITHMETIC, *COMPARISONS])
def test_the_other_side_is_asked(name: str) -> None:
    assert (ARITHMETIC | COMPARISONS)[name](x, Other()) == "mine"


@pytest.mark.parametrize("foreign", ["a", None, {}, object()], ids=["text", "None", "dict", "object"])
@pytest.mark.parametrize("name", [*ARITHMETIC, "lt", "le", "gt", "ge"])
def test_where_nobody_answers_python_says_so(name: str, foreign: Any) -> None:
    with pytest.raises(TypeError, match="(unsupported operand type|not supported between|is an index)"):
        (ARITHMETIC | COMPARISONS)[name](x, foreign)


def test_a_tensor_equals_nothing_that_is_no_number() -> None:
    assert "a" in ["b", x, "a"] and x not in ["b", None]
    assert (x == "a") is False and (x != "a") is True and (x == None) is False  # noqa: E711
    assert (x == np.array([1, 3])).tolist() == [True, False]


def test_functions_refuse_what_operators_leave_to_others() -> None:
    for f in (lucid.add, lucid.sub, lucid.mul, lucid.div, lucid.matmul, lucid.pow, lucid.eq, lucid.lt):
        with pytest.raises(TypeError, match="expected a Tensor, a number or an array"):
            f(x, "a")
