"""The table of checks: what each mistake is called, how bad it is, and the function that looks for it.

A check is a generator over a view (`view.py`) that yields what it found: `Found(what, fix, where)`. Its docstring says
what the mistake does to a training, for that is what one wants to know next. Those of a `Case` look at the graph of one
loss, those of a `Run` at all that happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from lucid.see.findings import Finding


class Found(NamedTuple):
    """What a check yields: what is wrong, the fix, and the line."""

    what: str
    fix: str
    where: str | None


@dataclass(frozen=True)
class Check:
    """One entry of the table."""

    name: str
    severity: str
    function: Callable[[Any], Iterator[Found]]

    def __call__(self, view: Any) -> Iterator[Finding]:
        """What it finds in a view."""
        for what, fix, where in self.function(view):
            yield Finding(self.name, self.severity, what, fix, where)

    @property
    def about(self) -> str:
        """What the mistake is and does: the docstring."""
        return " ".join((self.function.__doc__ or "").split())


OF_A_LOSS: dict[str, Check] = {}
OF_A_RUN: dict[str, Check] = {}


def of_a_loss(name: str, severity: str) -> Callable[[Any], Any]:
    """Enter a check of the graph of one loss, a function of a `Case`."""
    return _entry(OF_A_LOSS, name, severity)


def of_a_run(name: str, severity: str) -> Callable[[Any], Any]:
    """Enter a check of a whole run, a function of a `Run`."""
    return _entry(OF_A_RUN, name, severity)


def _entry(table: dict[str, Check], name: str, severity: str) -> Callable[[Any], Any]:
    def enter(function: Any) -> Any:
        table[name] = Check(name, severity, function)
        return function

    return enter
