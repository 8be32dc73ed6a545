"""The table of checks: the name of each mistake, its severity, its fix, and the function that looks for it.

A check is a function of the evidence: of a `LossGraph`, the graph of one loss, or of a `TrainingRun`, everything that
was observed. It yields the culprit (a node, or its line) and a message, once for each time it meets the mistake:

    @graph_check("error", fix="leave out the softmax before the loss")
    def softmax_twice(graph):
        '''What the mistake does to a training: the entry's `about`.'''
        for node in ...:
            yield node, f"{node.op.name} takes logits, but was given the output of a softmax"

The mistake has the name of the function, `softmax-twice`. A third value in a `yield` is a fix for this case alone.
Mistakes that show in the order of events are found by `watch` while the training runs; their entry is an `event_check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from lucid.see.doctor.findings import Finding

Matches = Iterable[tuple[Any, ...]]  # (culprit, message) or (culprit, message, fix)


@dataclass(frozen=True)
class Check:
    """One entry of the table; `about` says what the mistake is and what it does to a training."""

    name: str
    severity: str
    fix: str
    about: str
    find: Callable[[Any], Matches]

    def __call__(self, evidence: Any) -> Iterator[Finding]:
        """The findings in a LossGraph or a TrainingRun."""
        for culprit, message, *fix in self.find(evidence):
            line = culprit if isinstance(culprit, str) else evidence.line_of(culprit)
            yield Finding(self.name, self.severity, message, fix[0] if fix else self.fix, line)


GRAPH_CHECKS: dict[str, Check] = {}
RUN_CHECKS: dict[str, Check] = {}


def _check(table: dict[str, Check], severity: str, *, fix: str) -> Callable[[Any], Any]:
    def register(find: Any) -> Any:
        name = find.__name__.replace("_", "-")
        table[name] = Check(name, severity, fix, " ".join(find.__doc__.split()), find)
        return find

    return register


graph_check = partial(_check, GRAPH_CHECKS)
run_check = partial(_check, RUN_CHECKS)


def event_check(name: str, severity: str, message: str, *, fix: str, about: str) -> None:
    """Enter a mistake that `watch` notes in `run.events` as (line, detail); the detail is put into the message."""

    def find(run: Any) -> Matches:
        if name in run.events:
            line, detail = run.events[name]
            yield line, message.format(detail)

    RUN_CHECKS[name] = Check(name, severity, fix, about, find)
