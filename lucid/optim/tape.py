"""Chapter 8, continued. What a rule does, written down: it is run once on symbols, which note what they are asked for.

A symbol stands for an array and computes nothing. `m = beta1 * m + (1 - beta1) * g`, run on symbols, leaves three notes
on the *tape*: a product, another, and their sum. Which operation takes which result is all that there is to know about
an elementwise rule, and both printers begin here: program.py makes a NumPy function of a tape that works in place,
kernel.py one kernel for a GPU.

Numbers are symbols too. They keep the text of what is done to them, so `1 - beta1` is computed once a step, in double,
and not once for each element.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

BINARY = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
COMPARISONS = {"less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge"}
CHANGING = re.compile(r"\bnumber\d+\b")
NAMED = ("abs", "sqrt", "sign", "exp", "log", "maximum", "minimum", "where")  # what a rule may ask of xp


class Unsayable(Exception):
    """The rule asks for something that has no place in a program."""


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
    """An array that the rule will have in hand: an argument, or the result of a step."""

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


Step = tuple[str, tuple[Any, ...], Value]


class Tape:
    """A rule as a list of steps.

    Attributes:
        steps: `(function, operands, result)` each: the function by NumPy's name, its operands Values or the names of
            numbers, and the Value that comes of it.
        given: what the rule starts from, Values by name: theta, g and the slots.
        wanted: what theta and the slots are to become.
        scalars: the numbers it computes with, name -> Python text; first those that are fixed as long as the constants
            are, then those that change at each step.
        fixed: a function that gives the former, as a tuple: `fixed(**constants)`.
        changing: a function that gives the latter: `changing(*numbers, **constants)`.

    It holds for all constants that are true where those given are, and false where those are; and for all numbers, save
    that one which is a bool decides as a constant does.
    """

    def __init__(
        self,
        rule: Callable[..., tuple[Any, ...]],
        memory: Sequence[str | None],
        numbers: Sequence[object],
        constants: dict[str, Any],
    ) -> None:
        self.steps: list[Step] = []
        self.given = {name: Value(self.steps, name) for name in ("theta", "g", *memory) if name is not None}
        arguments = {f"number{i}": number for i, number in enumerate(numbers)}
        new = rule(
            Asked(),
            self.given["theta"],
            self.given["g"],
            *(None if slot is None else self.given[slot] for slot in memory),
            *(number if type(number) is bool else Number(name) for name, number in arguments.items()),
            **{name: value if type(value) is bool else Number(name, bool(value)) for name, value in constants.items()},
        )
        final = zip(("theta", *memory), new, strict=True)
        self.wanted = {name: value for name, value in final if name is not None}
        if not all(isinstance(value, Value) for value in self.wanted.values()):
            raise Unsayable("a result that is not an array")
        names: dict[str, str] = {}  # by text

        def named(operand: Any) -> Any:
            if isinstance(operand, Value):
                return operand
            text = operand.text if isinstance(operand, Number) else repr(operand)
            return names.setdefault(text, text if text.isidentifier() else f"k{len(names)}")

        self.steps = [(function, tuple(map(named, operands)), out) for function, operands, out in self.steps]
        changing = [text for text in names if CHANGING.search(text)]
        fixed = [text for text in names if text not in changing]
        self.scalars = {names[text]: text for text in [*fixed, *changing]}
        self.title = getattr(rule, "__qualname__", str(rule))
        self.fixed = self._computing(fixed, (), constants)
        self.changing = self._computing(changing, arguments, constants)

    def _computing(self, texts: list[str], arguments: Iterable[str], constants: Iterable[str]) -> Any:
        """A function that gives the values of these texts, as a tuple."""
        head = ", ".join([*arguments, *(["*", *constants] if constants else [])])
        return self.defined(f"def run({head}):\n    return ({''.join(f'{text}, ' for text in texts)})")

    def defined(self, source: str) -> Any:
        """The function `run` of this Python text."""
        scope: dict[str, Any] = {}
        exec(compile(source, f"<program of {self.title}>", "exec"), {}, scope)
        return scope["run"]

    def notes(self) -> str:
        """What the numbers are whose names do not tell, as in `k0 = (1 - beta1)`."""
        return ", ".join(f"{name} = {text}" for name, text in self.scalars.items() if name != text)


def tape_of(
    rule: Callable[..., tuple[Any, ...]],
    memory: Sequence[str | None],
    numbers: Sequence[object],
    constants: dict[str, Any],
) -> Tape | None:
    """The rule's tape; None where it asks for something that symbols cannot say."""
    try:
        return Tape(rule, memory, numbers, constants)
    except Unsayable:
        return None


def pattern(
    rule: Callable[..., tuple[Any, ...]],
    memory: tuple[str | None, ...],
    numbers: Sequence[object],
    constants: dict[str, Any],
) -> tuple[Any, ...]:
    """What decides which tape it is: the rule, its slots, and flags and zeros among the numbers."""
    flags = tuple(number if type(number) is bool else None for number in numbers)
    return (rule, memory, flags, *[bool(value) for value in constants.values()])
