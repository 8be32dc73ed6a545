"""What is a course, and how is an exercise checked?

A course is a folder with one for each exercise, `01_product` and so on. A learner's file runs in another interpreter,
where it may print, exit, loop for ever or crash. What stands in the way is an OSError with a sentence.
"""

from __future__ import annotations

import faulthandler
import os
import re
import subprocess
import sys
import traceback
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NamedTuple

from lucid.learn.checks import WrongAnswer
from lucid.ops.random import manual_seed

ROOT = Path(__file__).resolve().parents[2]  # the folder that lucid/ is in: installed, one where Python looks anyway
LUCIDS_OWN = Path(__file__).with_name("exercises")
FORM = r"# (.+)\n\nchapter: (.+)\nminutes: (\d+)\n(?:source: (\S+ \S+)\n)?\n(.*?)" + r"\n\n## Hint\n\n(.*?)" * 2 + r"\n"
CHILD = "import sys; sys.path[:0] = {sys.argv[1]} - {*sys.path}; from lucid.learn.course import run; run(*sys.argv[2:])"


class Exercise(NamedTuple):
    """One exercise: its place in the course, its folder, and what its text.md says."""

    number: int
    folder: Path
    title: str
    chapter: str
    minutes: str
    source: str | None  # where lucid does the same: a file, and a function or class in it
    text: str
    hints: tuple[str, ...]


def course(folder: Path = LUCIDS_OWN) -> list[Exercise]:
    """The exercises of a course, in order."""
    found: list[Exercise] = []
    for place in sorted(folder.glob("[0-9]*_*/")):
        parts = re.fullmatch(FORM, (place / "text.md").read_text("utf-8"), re.DOTALL)
        if parts is None:
            raise OSError(f"{place / 'text.md'} does not have the form of {LUCIDS_OWN / '01_product' / 'text.md'}")
        found.append(Exercise(len(found) + 1, place, *parts.groups()[:5], parts.groups()[5:]))  # type: ignore
    if not found:
        raise OSError(f"{folder} has no exercises, which are folders such as 01_name")
    return found


def place_in_source(source: str) -> str:
    """The file and the line where "lucid/optim/adamax.py rule", for example, is defined."""
    file, name = source.split()
    for i, line in enumerate((ROOT / file).read_text("utf-8").splitlines(), 1):
        if re.match(rf"\s*(def|class) {name}\b", line):
            return f"{ROOT / file}, line {i}"
    raise OSError(f"there is no {name} in {ROOT / file}")


def judge(exercise: Exercise, file: Path, seconds: float = 10) -> tuple[str, str]:
    """What an exercise's check says of a file, a sentence or "" where it is right, and what the file printed."""
    check, sums = exercise.folder / "check.py", exercise.folder.parent / "SHA256SUMS"
    line = f"{sha256(check.read_text('utf-8').encode()).hexdigest()}  {exercise.folder.name}/check.py"
    if sums.is_file() and line not in sums.read_text().splitlines():
        raise OSError(f"{check} is not the check that came with lucid; install it again. Your files are as they were")
    if not file.is_file():
        raise OSError(f"there is no {file}; `python -m lucid.learn start {exercise.number}` puts it there")
    if file.read_bytes() == (exercise.folder / "exercise.py").read_bytes():
        return "the file is as it came; fill in what is missing first", ""
    with TemporaryDirectory() as scratch:
        result, file = Path(scratch, "result"), file.resolve()
        command = [sys.executable, "-P", "-u", "-c", CHILD, ROOT, check, file, result, str(seconds)]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        child: Any = subprocess.Popen(command, errors="replace", **streams)  # type: ignore
        with child:
            printed = child.stdout.read(4000)
            while child.stdout.read(65536):  # nobody needs what is beyond, and it must not wait for a reader
                pass
        said = result.read_text("utf-8") if result.is_file() else ""
    if said.startswith("done"):
        return said[4:], printed
    if said:  # the stack when the time was up, the innermost call first
        at = re.search(rf'"{re.escape(str(file))}", (line \d+)', said)
        return f"it still ran after {seconds:g} seconds{f', at {at[1]},' if at else ''} and was stopped", printed
    return f"Python ended before the check did, with exit status {child.returncode}", printed


def run(check: str, file: str, result: str, seconds: str) -> None:
    """Write "done" and what the check says into the file `result`; when the time is up, where Python was instead."""
    sys.path.append(str(Path(file).parent))
    with open(result, "w", encoding="utf-8") as out:
        faulthandler.dump_traceback_later(float(seconds), exit=True, file=out)
        out.write("done" + judged(Path(check), Path(file)))
    os._exit(0)  # whatever threads there are


def judged(check: Path, file: Path) -> str:
    """What a check says of a file: a sentence, or "" where all is right."""
    manual_seed(0)
    try:
        modules = {file: ModuleType("exercise"), check: ModuleType("check")}
        for path, module in modules.items():  # not as programs: no __name__ is "__main__"
            exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
        modules[check].check(modules[file])
    except WrongAnswer as wrong:
        return str(wrong)
    except BaseException as error:  # SystemExit too
        if isinstance(error, SyntaxError) and error.filename == str(file):
            return f"Python cannot read line {error.lineno}: {error.msg}"
        last = {x.filename: x for x in traceback.extract_tb(error.__traceback__)}
        x = last.get(str(file)) or last.get(str(check))
        where = f"line {x.lineno}{' of its check' * (x.filename == str(check))}, `{x.line}`," if x else "reading it"
        if isinstance(error, SystemExit):
            return f"{where} ends the program, and the check with it; take that out"
        return f"{where} raises {type(error).__name__}: {error}".removesuffix(": ")
    return ""
