"""Chapter 8, continued. What a rule does, written down: it is run once on symbols, which note what they are asked for.

The symbols are those of lucid/tape.py. Both printers begin here: program.py makes a NumPy function of a tape that works
in place, kernel.py one kernel for a GPU.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lucid.tape import Asked, Number, Step, Unsayable, Value

CHANGING = re.compile(r"\bnumber\d+\b")


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
