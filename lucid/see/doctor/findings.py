"""What the doctor found: a name that stays the same, how bad it is, one sentence, the line at fault, and the fix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from lucid.see.text import element, plural

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
