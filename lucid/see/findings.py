"""What the doctor found: a name that stays the same, how bad it is, one sentence, the line at fault, and the fix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from typing import Any

GRAVITY = ("error", "warning")  # the training is wrong; it is probably not what was meant

STYLE = """<style>
.lucid-report {font: 14px/1.45 system-ui, sans-serif; max-width: 60em}
.lucid-report section {border-left: 4px solid #c9822b; padding: .2em 1em .3em; margin: .8em 0}
.lucid-report section.error {border-color: #c2452d}
.lucid-report code {font-size: 13px; overflow-wrap: anywhere}
.lucid-report p {margin: .3em 0}
</style>"""


@dataclass(frozen=True)
class Finding:
    """One mistake.

    Attributes:
        name: what the mistake is called, `softmax-twice`.
        severity: "error" where the training is wrong, "warning" where it is probably not what was meant.
        what: a sentence that says what is wrong, with its value.
        fix: what to do.
        where: the line at fault, `train.py:12, in step: loss = ...`; None where nobody noted it.
        times: in how many of the losses that were looked at it was met.
    """

    name: str
    severity: str
    what: str
    fix: str
    where: str | None = None
    times: int = 1

    def again(self) -> Finding:
        """The same, met once more."""
        return replace(self, times=self.times + 1)

    def __str__(self) -> str:
        where = f"\n  at {self.where}" if self.where else ""
        return f"{self.severity}: {self.name}\n  {self.what}{where}\n  fix: {self.fix}"

    def _repr_html_(self) -> str:
        where = f"<p>at <code>{escape(self.where)}</code></p>" if self.where else ""
        return (
            f'<section class="{escape(self.severity)}"><p><b>{escape(self.severity)}: {escape(self.name)}</b></p>'
            f"<p>{escape(self.what)}</p>{where}<p>fix: {escape(self.fix)}</p></section>"
        )


class Report:
    """The findings, errors first, in text (`print(report)`) and in HTML (in a notebook).

    Attributes:
        findings: a list of Findings; empty where all is well.
        names: their names.
        looked_at: what there was to look at, in words.
    """

    def __init__(self, findings: list[Finding], looked_at: str, how: str = "") -> None:
        self.findings = sorted(findings, key=lambda finding: GRAVITY.index(finding.severity))
        self.looked_at = looked_at
        lost = how and any(finding.where is None for finding in findings)
        self.hint = f"To hear the lines: {how}." if lost else ""

    @property
    def names(self) -> list[str]:
        """What was found, by name, each once."""
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
    def _head(self) -> str:
        n = len(self.findings)
        return f"{n or 'no'} finding{'s' * (n != 1)} in {self.looked_at}"

    def __str__(self) -> str:
        return "\n\n".join([self._head, *map(str, self.findings), *([self.hint] if self.hint else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        body = "".join(finding._repr_html_() for finding in self.findings)
        return f'{STYLE}<div class="lucid-report"><p>{escape(self._head)}</p>{body}{escape(self.hint)}</div>'


def rounded(value: Any) -> str:
    """A number in three digits."""
    return f"{float(value):.3g}"


def some(names: list[str], most: int = 4) -> str:
    """Names in a row, the first few of many."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
