"""The table of checks (of each mistake the name, severity and fix, and the function that looks for it), and findings.

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
from html import escape
from pathlib import Path
from typing import Any

from lucid.see.text import element, plural

Matches = Iterable[tuple[Any, ...]]  # (culprit, message) or (culprit, message, fix)
SEVERITIES = ("error", "warning")  # the training is wrong; it is probably not what was meant


@dataclass(frozen=True)
class Finding:
    """One mistake.

    Attributes:
        name: what the mistake is called, `softmax-twice`.
        severity: "error" where the training is wrong, "warning" where it is probably not what was meant.
        message: a sentence that says what is wrong, with its value.
        fix: what to do.
        line: the line at fault, `train.py:12, in step: loss = ...`; None where it was not recorded.
        times: in how many of the examined losses it was found.
    """

    name: str
    severity: str
    message: str
    fix: str
    line: str | None = None
    times: int = 1

    def __str__(self) -> str:
        at = f"\n  at {self.line}" if self.line else ""
        return f"{self.severity}: {self.name}\n  {self.message}{at}\n  fix: {self.fix}"

    def _repr_html_(self) -> str:
        title, line = element("b", escape(f"{self.severity}: {self.name}")), element("code", escape(self.line or ""))
        parts = [title, escape(self.message), *(["at " + line] if self.line else []), escape(f"fix: {self.fix}")]
        return element("section", *(element("p", part) for part in parts), class_=self.severity)


class Report:
    """The findings, errors first, as text (`print(report)`) and as HTML (in a notebook).

    Attributes:
        findings: a list of Findings; empty where all is well.
        names: their names.
        examined: what was examined, in words.
    """

    def __init__(self, findings: list[Finding], examined: str, how_to_get_lines: str = "") -> None:
        self.findings = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
        self.examined = examined
        missing = how_to_get_lines and any(finding.line is None for finding in findings)
        self.hint = f"To see the lines, {how_to_get_lines}." if missing else ""

    @property
    def names(self) -> list[str]:
        """The names of the findings, each once."""
        return list(dict.fromkeys(finding.name for finding in self.findings))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, name: str) -> Finding:
        """The first finding of that name; a KeyError if there is none."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(f"no finding {name!r}; there are: {', '.join(self.names) or 'none'}")

    @property
    def _title(self) -> str:
        return f"{plural(len(self), 'finding') if self.findings else 'no findings'} in {self.examined}"

    def __str__(self) -> str:
        return "\n\n".join([self._title, *map(str, self.findings), *([self.hint] if self.hint else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        style = element("style", "\n", (Path(__file__).parent / "report.css").read_text("utf-8"))
        parts = [element("p", escape(self._title)), *(finding._repr_html_() for finding in self.findings)]
        return style + element("div", *parts, escape(self.hint), class_="lucid-report")


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
