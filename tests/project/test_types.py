"""What a user's type checker says of programs that use lucid: nothing, of those that are right."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import user_program

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "project" / "user_program.py"
# As a user has them, who sees no errors of a library's own. In 04_digits matplotlib's `subfigures` says that it gives
# one where it gives two.
SETTINGS = """
[mypy]
python_version = 3.11
mypy_path = {ROOT}
{strict}
[mypy-lucid.*]
ignore_errors = true
[mypy-matplotlib.*,tqdm.*]
ignore_missing_imports = true
[mypy-04_digits]
disable_error_code = misc
"""
WRONG = """
import lucid
import lucid.nn as nn
lucid.zeroes(2)
lucid.zeros(2).sum().itme()
nn.functional.rellu(lucid.zeros(2))
text: str = nn.Linear(2, 3)(lucid.zeros(2))
nn.Linear(2, 3)("x")
lucid.optim.Adamax(3)
nn.GELU(aproximate="tanh")
"""


def errors(command: list[str], folder: Path) -> list[str]:
    """The lines of errors that a checker prints."""
    run = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, cwd=folder)
    assert re.search(r"^Success|^Found|^\d+ errors?, ", run.stdout, re.MULTILINE), run.stdout + run.stderr
    return [line for line in run.stdout.splitlines() if re.search(r": error|- error", line)]


def mypy(*files: Path, folder: Path, strict: bool) -> list[str]:
    """What mypy finds. The first run takes some ten seconds, most of them for lucid itself."""
    config = folder / "mypy.ini"
    config.write_text(SETTINGS.format(ROOT=ROOT, strict="strict = true" if strict else ""))
    cache = str(ROOT / ".mypy_cache" / "user")
    options = ["--config-file", str(config), "--cache-dir", cache, "--scripts-are-modules"]
    return errors(["mypy", *options, *map(str, files)], folder)


def pyright(*files: Path, folder: Path) -> list[str]:
    """What pyright finds, in some three seconds."""
    for file in files:
        (folder / file.name).write_text(file.read_text())
    settings = {"include": [file.name for file in files], "extraPaths": [str(ROOT)], "typeCheckingMode": "standard"}
    settings["reportPossiblyUnboundVariable"] = False  # what a loop leaves behind is the program's matter
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    return errors(["pyright", "--pythonpath", sys.executable, "-p", str(folder)], folder)


def readme(folder: Path) -> Path:
    """README's program."""
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    file = folder / "readme.py"
    file.write_text(program)
    return file


def test_the_program_runs() -> None:
    found = user_program.main()
    assert found["last"] < found["first"] / 2 and found["others"] == found["others"]
    assert len(PROGRAM.read_text().splitlines()) > 150


@pytest.mark.types
def test_programs_pass_mypy_in_strict_mode(tmp_path: Path) -> None:
    assert not mypy(PROGRAM, readme(tmp_path), folder=tmp_path, strict=True)


@pytest.mark.types
def test_the_examples_pass_mypy(tmp_path: Path) -> None:
    assert not mypy(*sorted((ROOT / "examples").glob("*.py")), folder=tmp_path, strict=False)


@pytest.mark.types
def test_programs_pass_pyright(tmp_path: Path) -> None:
    assert not pyright(PROGRAM, readme(tmp_path), folder=tmp_path)


@pytest.mark.types
def test_mistakes_are_seen(tmp_path: Path) -> None:
    """A line each, but for the first three."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    expected = set(range(4, 11))
    for found in (mypy(wrong, folder=tmp_path, strict=True), pyright(wrong, folder=tmp_path)):
        assert {int(re.search(r"wrong\.py:(\d+)", line)[1]) for line in found} == expected, found  # type: ignore[index]
