"""Checks of what schedules are given: a check takes (where, name, value) and returns the value, converted, or raises.

`where` and `name` begin its error. What a number may be, a Domain, is said as for optimizers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import inf, isnan
from typing import Any

from lucid.optim.validation import FLAG, HALF_OPEN_UNIT, NON_NEGATIVE, Domain, check_hyperparameter
from lucid.optim.validation import UNIT_INTERVAL as FROM_0_TO_1

Check = Callable[[str, str, Any], Any]


def number(domain: Domain) -> Check:
    """A check for a number in `domain`."""
    return partial(check_hyperparameter, domain=domain)


def integer(least: int) -> Check:
    """A check for a whole number of at least `least`."""
    domain = Domain(f"a whole number of {least} or more", lambda x: least <= x < inf and x == int(x))
    return lambda where, name, value: int(check_hyperparameter(where, name, value, domain))


def one_of(*words: str) -> Check:
    """A check for one of these words."""

    def check(where: str, name: str, value: Any) -> str:
        if isinstance(value, str) and value in words:
            return value
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{where}: {name} must be {' or '.join(map(repr, words))}, got {value!r}; give it one of these")

    return check


def function(where: str, name: str, value: Any) -> Any:
    """A check for something that can be called."""
    if not callable(value):
        raise TypeError(
            f"{where}: {name} must be a function of the epoch, got a {type(value).__name__}; "
            "write lambda epoch: 0.95**epoch, say"
        )
    return value


def list_of(check: Check) -> Check:
    """A check for a sequence whose items pass `check`; it returns a list."""

    def check_items(where: str, name: str, value: Any) -> list[Any]:
        if not is_sequence(value):
            raise TypeError(f"{where}: {name} must be a list, got {value!r}; write {name}=[...]")
        return [check(where, f"{name}[{i}]", item) for i, item in enumerate(value)]

    return check_items


def per_group(check: Check) -> Check:
    """A check for a value that all groups have, or for a list with one for each group (see LRScheduler.per_group)."""
    return lambda where, name, value: (list_of(check) if is_sequence(value) else check)(where, name, value)


def is_sequence(value: Any) -> bool:
    """Whether `value` is a sequence, and no text."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


COUNT, COUNT_FROM_0, RATE, FACTOR = integer(1), integer(0), number(NON_NEGATIVE), number(HALF_OPEN_UNIT)
UNIT_INTERVAL, SWITCH = number(FROM_0_TO_1), number(FLAG)
ABOVE_0 = number(Domain("a finite number above 0", lambda x: 0 < x < inf))
ABOVE_0_TO_1 = number(Domain("a number in (0, 1]", lambda x: 0 < x <= 1))
SCORE = number(Domain("a number", lambda x: not isnan(x)))  # infinite before the first one
