"""Chapter 8, continued. How an equation becomes a program that works in place.

A rule is pure: `m = beta1 * m + (1 - beta1) * g` makes three new arrays, and the runner would copy the last into m's
place. Done by hand one would write into m at once. This chapter finds out where that is possible, once for each rule.

The rule is run on *symbols*, which compute nothing and note what was asked of them. What they noted is a list of steps,
each a NumPy function and its operands; going through it with an eye on which values are still needed says where each
result can be stored: over an operand that nobody will ask for again, else in scratch space. The outcome is the text of
a Python function, in which every step has an `out`; `print(program(...).source)` shows it. For Adamax:

    multiply(beta1, m, out=m)
    multiply(k0, g, out=s0)             k0 is 1 - beta1
    add(m, s0, out=m)
    multiply(beta2, u, out=u)
    abs(g, out=s0)
    maximum(u, s0, out=u)
    multiply(number0, m, out=s0)        the first of the numbers, `step`
    add(u, eps, out=s1)
    divide(s0, s1, out=s0)
    subtract(theta, s0, out=theta)

These are the operations of the rule in its order, so the results are the same to the bit. A rule that asks for
something symbols cannot say (an `if` that depends on an array, a sum of all elements) has no program, and is evaluated
as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

BINARY = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
COMPARISONS = {"less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge"}
LAST = re.compile(r"xp\.subtract\(theta, (s\d+), out=theta\)")
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

    def __init__(self, tape: list[tuple[str, tuple[Any, ...], Value]], name: str = "") -> None:
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


_known: dict[Any, Any] = {}


def program_of(
    rule: Callable[..., tuple[Any, ...]],
    memory: tuple[str | None, ...],
    numbers: Sequence[object],
    constants: dict[str, Any],
) -> Any:
    """`program`, remembered: one for each rule, set of slots, and pattern of what may decide: flags, and zeros."""
    flags = tuple(number if type(number) is bool else None for number in numbers)
    key = (rule, memory, flags, *[bool(value) for value in constants.values()])
    if key not in _known:
        _known[key] = program(rule, memory, numbers, constants)
    return _known[key]


def program(
    rule: Callable[..., tuple[Any, ...]],
    memory: Sequence[str | None],
    numbers: Sequence[object],
    constants: dict[str, Any],
) -> Callable[..., None] | None:
    """A function that does in place what `rule` says, or None where the rule cannot be put so.

    It takes `(xp, scratch, theta, g, *memory, *fixed, *changing)` and writes to theta and the memory; `scratch` is a
    sequence of `function.scratch` arrays of their shape and dtype. What it needs of the numbers and the constants is
    computed beforehand, in double: `function.fixed(**constants)` and, anew at each step,
    `function.changing(*numbers, **constants)`.

    It holds for all constants that are true where those given are, and false where those are; and for all numbers, save
    that one which is a bool decides as a constant does.

    Where theta is needed for nothing but the last step, a subtraction, `function.change` does all the others, without
    theta, and returns what is to be subtracted; elsewhere it is None.

    >>> def halve(xp, theta, g, lr, *, decay):
    ...     return (theta - lr * (g + decay * theta),)
    >>> print(program(halve, (), [0.1], {"decay": 0.5}).source)
    def run(xp, scratch, theta, g, decay, number0):
        s0, = scratch
        xp.multiply(decay, theta, out=s0)
        xp.add(g, s0, out=s0)
        xp.multiply(number0, s0, out=s0)
        xp.subtract(theta, s0, out=theta)
    """
    tape: list[tuple[str, tuple[Any, ...], Value]] = []
    places = {"theta": Value(tape, "theta"), **{slot: Value(tape, slot) for slot in memory if slot is not None}}
    g = Value(tape, "g")
    arguments = {f"number{i}": number for i, number in enumerate(numbers)}
    try:
        new = rule(
            Asked(),
            places["theta"],
            g,
            *(None if slot is None else places[slot] for slot in memory),
            *(number if type(number) is bool else Number(name) for name, number in arguments.items()),
            **{name: value if type(value) is bool else Number(name, bool(value)) for name, value in constants.items()},
        )
        final = zip(("theta", *memory), new, strict=True)  # place -> what must stand there in the end
        wanted = {place: value for place, value in final if place is not None}
        if not all(isinstance(value, Value) for value in wanted.values()):
            raise Unsayable("a result that is not an array")
        scalars: dict[str, str] = {}  # a number as Python text -> its name in the program
        lines, scratch = _placed(tape, {**places, "g": g}, wanted, scalars)
    except Unsayable:
        return None
    changing = [text for text in scalars if CHANGING.search(text)]
    fixed = [text for text in scalars if text not in changing]
    names = ", ".join(f"s{i}" for i in range(scratch))
    slots = [slot or f"none{i}" for i, slot in enumerate(memory)]
    head = ", ".join(["xp", "scratch", "theta", "g", *slots, *(scalars[text] for text in [*fixed, *changing])])
    notes = ", ".join(f"{name} = {text}" for text, name in scalars.items() if name != text)

    def defined(source: str) -> Any:
        scope: dict[str, Any] = {}
        exec(compile(source, f"<program of {getattr(rule, '__qualname__', rule)}>", "exec"), {}, scope)
        return scope["run"]

    def computed(texts: list[str], arguments: Sequence[str]) -> Any:
        """A function that gives the values of these texts, as a tuple."""
        head = ", ".join([*arguments, *(["*", *constants] if constants else [])])
        return defined(f"def run({head}):\n    return ({''.join(f'{text}, ' for text in texts)})")

    def made(lines: list[str]) -> Any:
        source = "\n    ".join([
            f"def run({head}):{'  # ' + notes if notes else ''}",
            *([f"{names}, = scratch"] if scratch else []),
            *(lines or ["pass"]),
        ])  # fmt: skip
        run = defined(source)
        run.source, run.scratch, run.change = source, scratch, None
        run.fixed, run.changing = computed(fixed, ()), computed(changing, tuple(arguments))
        return run

    run = made(lines)
    subtraction = LAST.fullmatch(lines[-1]) if lines else None
    if subtraction and not any("theta" in line for line in lines[:-1]):
        run.change = made([*lines[:-1], f"return {subtraction[1]}"])
    return run


def _placed(
    tape: list[tuple[str, tuple[Any, ...], Value]],
    given: dict[str, Value],
    wanted: dict[str, Value],
    scalars: dict[str, str],
) -> tuple[list[str], int]:
    """The steps as lines of text, each with a place for its result, and how many scratch arrays that takes.

    What is no array among the operands gets a name, in `scalars`.
    """
    last = {value: i for i, (_, operands, _) in enumerate(tape) for value in operands if isinstance(value, Value)}
    last |= dict.fromkeys(wanted.values(), len(tape))  # needed to the end
    home = {value: place for place, value in wanted.items()}
    where = {value: place for place, value in given.items()}
    holds = {place: value for place, value in given.items() if place != "g"}

    def free_at(place: str, i: int) -> bool:
        """Whether nobody will ask for what stands at `place` after step i."""
        return last.get(holds[place], -1) <= i

    def name_of(operand: Any) -> str:
        if isinstance(operand, Value):
            return where[operand]
        text = operand.text if isinstance(operand, Number) else repr(operand)
        return scalars.setdefault(text, text if text.isidentifier() else f"k{len(scalars)}")

    lines: list[str] = []
    scratch = 0
    for i, (function, operands, out) in enumerate(tape):
        texts = [name_of(x) for x in operands]
        # Best where the result belongs, then over an operand, then in any free scratch array; never over g.
        choices = [home.get(out, ""), *texts, *(f"s{k}" for k in range(scratch))]
        place = next((place for place in choices if place in holds and free_at(place, i)), None)
        if place is None:
            place, scratch = f"s{scratch}", scratch + 1
        where[out], holds[place] = place, out
        call = f"xp.{function}({', '.join(texts)}"
        lines.append(f"{place}[...] = {call})" if function == "where" else f"{call}, out={place})")  # where has no out
    late = {place: where[value] for place, value in wanted.items() if where[value] != place}  # still to be copied
    if late.keys() & set(late.values()):
        raise Unsayable("two results that stand in each other's place")
    return [*lines, *(f"{place}[...] = {source}" for place, source in late.items())], scratch
