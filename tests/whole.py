"""What `make test` leaves to `make check`: of facts of one kind it runs one, and `make whole` runs the others.

A kind is what a rule here says it is, never a list of names: the rows of one operation in one generic test, one example
from several seeds, one option of a rule. A test that is long by its nature is marked `whole` where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

import pytest

whole = pytest.mark.whole


def one_of_each(
    values: Iterable[Any], kind: Callable[[Any], Hashable], worth: Callable[[Any], Any] = lambda value: 0
) -> list[Any]:
    """The values as parameters, all marked `whole` but one of each kind: that of most worth, the first among equals."""
    values = list(values)
    best: dict[Hashable, int] = {}
    for i, value in enumerate(values):
        if kind(value) not in best or worth(value) > worth(values[best[kind(value)]]):
            best[kind(value)] = i
    chosen = set(best.values())
    parts = lambda value: value if isinstance(value, tuple) else (value,)
    return [pytest.param(*parts(value), marks=[] if i in chosen else [whole]) for i, value in enumerate(values)]


def first(values: Iterable[Any]) -> list[Any]:
    """The values as parameters, all marked `whole` but the first."""
    return one_of_each(values, kind=lambda _: None)
