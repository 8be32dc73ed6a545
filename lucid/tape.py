"""Chapter 1b. Symbols: what stands for arrays and numbers when a function is run to see what it does.

A symbol computes nothing. `m = beta1 * m + (1 - beta1) * g`, run on symbols, leaves three notes on the *tape*: a
product, another, and their sum. Which operation takes which result is all that there is to know about an elementwise
function, and enough to print it in another language.

Numbers are symbols too. They keep the text of what is done to them, so `1 - beta1` is computed once a call, in double,
and not once for each element.

An optimizer's rule is run so (optim/tape.py), and on a GPU the forward and the formulas of an operation (kernels/).
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

BINARY = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
COMPARISONS = {"less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge"}
NAMED = ("abs", "sqrt", "sign", "exp", "log", "maximum", "minimum", "where")  # what a function may ask of xp


class Unsayable(Exception):
    """What cannot be said: the function asks for something that is no elementwise arithmetic."""


class Number:
    """A hyperparameter, or what comes of some, as Python text. `truth` is for `if`s; None where it may change."""

    def __init__(self, text: str, truth: bool | None = None) -> None:
        self.text, self.truth = text, truth

    def __bool__(self) -> bool:
        if self.truth is None:
            raise Unsayable(f"a decision that depends on {self.text}")
        return self.truth

    def __neg__(self) -> Number:
        return Number(f"(-{self.text})", self.truth)

    def __getattr__(self, name: str) -> Any:
        raise Unsayable(f"the {name} of a number")


class Value:
    """An array that the function will have in hand: an argument, or the result of a step."""

    def __init__(self, tape: list[Step], name: str = "") -> None:
        self.tape, self.name = tape, name

    def note(self, function: str, *operands: Any) -> Value:
        """The result of `function` on `operands`, as one more step."""
        if not all(isinstance(x, (Value, Number)) or type(x) in (int, float) and isfinite(x) for x in operands):
            raise Unsayable(f"{function} of {operands}")
        out = Value(self.tape)
        self.tape.append((function, operands, out))
        return out

    def __neg__(self) -> Value:
        return self.note("negative", self)

    def __bool__(self) -> bool:
        raise Unsayable("a decision that depends on an array")

    def __getattr__(self, name: str) -> Any:
        raise Unsayable(f"the {name} of an array")

    __eq__ = __ne__ = lambda self, other: bool(self)
    __hash__ = object.__hash__


def _comparison(function: str) -> Callable[[Any, Any], Any]:
    """Two arrays compared give 1 and 0 in the arrays' dtype, which is what `where` needs to know."""

    def apply(self: Any, other: Any) -> Any:
        array = self if isinstance(self, Value) else other
        if not isinstance(array, Value):
            raise Unsayable(f"a comparison of the number {self.text}")
        return array.note(function, self, other)

    return apply


def _operator(function: str, sign: str, swapped: bool) -> Callable[[Any, Any], Any]:
    def apply(self: Any, other: Any) -> Any:
        a, b = (other, self) if swapped else (self, other)
        if isinstance(self, Value) or isinstance(other, Value):
            return (self if isinstance(self, Value) else other).note(function, a, b)
        left, right = (x.text if isinstance(x, Number) else repr(x) for x in (a, b))
        return Number(f"({left} {sign} {right})")

    return apply


for _function, _sign in BINARY.items():
    _method = {"divide": "truediv", "multiply": "mul", "subtract": "sub", "power": "pow"}.get(_function, _function)
    for _kind in (Value, Number):
        setattr(_kind, f"__{_method}__", _operator(_function, _sign, swapped=False))
        setattr(_kind, f"__r{_method}__", _operator(_function, _sign, swapped=True))
for _function, _method in COMPARISONS.items():
    for _kind in (Value, Number):
        setattr(_kind, f"__{_method}__", _comparison(_function))


class Asked:
    """`xp` for a rule that is run on symbols."""

    def __getattr__(self, name: str) -> Callable[..., Value]:
        if name not in NAMED:
            raise Unsayable(f"xp.{name}")

        def function(*operands: Any) -> Value:
            arrays = [x for x in operands if isinstance(x, Value)]
            if not arrays:
                raise Unsayable(f"xp.{name} of numbers")
            return arrays[0].note(name, *operands)

        return function


Step = tuple[str, tuple[Any, ...], "Value"]


# -- what a step is in CUDA ------------------------------------------------------------------------------------------

OPTIONS = ("--fmad=false",)  # products and sums are rounded each, as on the CPU

SAID = {
    "add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "power": "pow({}, {})",
    "less": "{} < {}", "less_equal": "{} <= {}", "greater": "{} > {}", "greater_equal": "{} >= {}",
    "negative": "-{}", "abs": "fabs({})", "sqrt": "sqrt({})", "exp": "exp({})", "log": "log({})", "sign": "sign({})",
    "maximum": "maximum({}, {})", "minimum": "minimum({}, {})", "where": "{} != 0 ? {} : {}",
}  # fmt: skip
HELPERS = {
    # fmax and fmin give the other operand where one is NaN; these give NaN, as NumPy's do.
    "maximum": "__device__ inline scalar maximum(scalar a, scalar b) { return a >= b || a != a ? a : b; }",
    "minimum": "__device__ inline scalar minimum(scalar a, scalar b) { return a <= b || a != a ? a : b; }",
    "sign": "__device__ inline scalar sign(scalar a) { return a > 0 ? 1 : a < 0 ? -1 : a == 0 ? 0 : a; }",
}
