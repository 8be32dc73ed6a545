"""What every benchmark says beside its figures (when, on what machine, with which versions), and where to."""

import datetime
import platform
from pathlib import Path
from types import ModuleType

RESULTS = Path(__file__).with_name("results")


def processor() -> str:
    """The processor's own name for itself, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def surroundings(*packages: ModuleType) -> str:
    """One line: date, processor, system, Python, and the version of each package."""
    versions = [f"{package.__name__} {package.__version__}" for package in packages]
    where = [processor(), platform.system(), f"Python {platform.python_version()}"]
    return ", ".join([datetime.date.today().isoformat(), *where, *versions])


def table(head: list[str], rows: list[list[str]]) -> str:
    """A markdown table, its columns padded so that it can be read in a terminal too."""
    lines = [head, ["---"] * len(head), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def publish(name: str, text: str) -> None:
    """Print a report and keep it as results/NAME.md."""
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text + "\n", encoding="utf-8")
