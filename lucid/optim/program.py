"""Chapter 8, continued. How an equation becomes a program that works in place.

A rule is pure: `m = beta1 * m + (1 - beta1) * g` makes three new arrays, and the runner would copy the last into m's
place. Done by hand one would write into m at once. This chapter finds out where that is possible, once for each rule.

It goes through the rule's tape (tape.py) with an eye on which values are still needed: that says where each result can
be stored, over an operand that nobody will ask for again, else in scratch space. The outcome is the text of a Python
function, in which every step has an `out`; `print(program(...).source)` shows it. For Adamax:

    multiply(beta1, m, out=m)
    multiply(k1, g, out=s0)             k1 is 1 - beta1
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
from typing import Any

from lucid.optim.tape import Tape, pattern, tape_of
from lucid.tape import Unsayable, Value

LAST = re.compile(r"xp\.subtract\(theta, (s\d+), out=theta\)")

_known: dict[Any, Any] = {}


def program_of(
    rule: Callable[..., tuple[Any, ...]],
    memory: tuple[str | None, ...],
    numbers: Sequence[object],
    constants: dict[str, Any],
) -> Any:
    """`program`, remembered: one for each rule, set of slots, and pattern of what may decide: flags, and zeros."""
    key = pattern(rule, memory, numbers, constants)
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
    tape = tape_of(rule, memory, numbers, constants)
    if tape is None:
        return None
    try:
        lines, scratch = _placed(tape)
    except Unsayable:
        return None
    names, notes = ", ".join(f"s{i}" for i in range(scratch)), tape.notes()
    slots = [slot or f"none{i}" for i, slot in enumerate(memory)]
    head = ", ".join(["xp", "scratch", "theta", "g", *slots, *tape.scalars])

    def made(lines: list[str]) -> Any:
        source = "\n    ".join([
            f"def run({head}):{'  # ' + notes if notes else ''}",
            *([f"{names}, = scratch"] if scratch else []),
            *(lines or ["pass"]),
        ])  # fmt: skip
        run = tape.defined(source)
        run.source, run.scratch, run.change = source, scratch, None
        run.fixed, run.changing = tape.fixed, tape.changing
        return run

    run = made(lines)
    subtraction = LAST.fullmatch(lines[-1]) if lines else None
    if subtraction and not any("theta" in line for line in lines[:-1]):
        run.change = made([*lines[:-1], f"return {subtraction[1]}"])
    return run


def _placed(tape: Tape) -> tuple[list[str], int]:
    """The steps as lines of text, each with a place for its result, and how many scratch arrays that takes."""
    steps, wanted = tape.steps, tape.wanted
    last = {value: i for i, (_, operands, _) in enumerate(steps) for value in operands if isinstance(value, Value)}
    last |= dict.fromkeys(wanted.values(), len(steps))  # needed to the end
    home = {value: place for place, value in wanted.items()}
    where = {value: place for place, value in tape.given.items()}
    holds = {place: value for place, value in tape.given.items() if place != "g"}

    def free_at(place: str, i: int) -> bool:
        """Whether nobody will ask for what stands at `place` after step i."""
        return last.get(holds[place], -1) <= i

    lines: list[str] = []
    scratch = 0
    for i, (function, operands, out) in enumerate(steps):
        texts = [where[x] if isinstance(x, Value) else x for x in operands]
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
