"""CONTRIBUTING.md, "Add an operation in ten minutes", is done to the letter, in a copy of the project."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from tests.whole import whole

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = shutil.ignore_patterns(".*", "__pycache__", "out", "site", "images", "results", "build", "*.egg-info")


def blocks(kind: str) -> list[str]:
    """The blocks of code in the numbered steps, in their order."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    text = text[text.index("To bring it into lucid") : text.index("## Add an optimizer")]
    return [dedent(block) for block in re.findall(rf"^ +```{kind}\n(.*?)^ +```", text, re.MULTILINE | re.DOTALL)]


def insert(file: Path, after: str, text: str) -> None:
    before, found, rest = file.read_text().partition(after)
    assert found, f"{file}: {after!r}"
    file.write_text(before + found + text + rest)


@whole
def test_an_operation_is_added_in_the_steps_that_are_given(tmp_path: Path) -> None:
    copy = tmp_path / "lucid"
    shutil.copytree(ROOT, copy, ignore=WITHOUT)
    operation, rows, refused = blocks("python")
    (commands,) = blocks("sh")

    def run() -> tuple[int, str]:
        output = ""
        for command in commands.splitlines():
            words = [sys.executable, *shlex.split(command)[1:]]
            found = subprocess.run(
                words, cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True, text=True
            )
            output += found.stdout + found.stderr
        return found.returncode, output

    elementwise = copy / "lucid/ops/elementwise.py"
    elementwise.write_text(elementwise.read_text() + "\n\n" + operation)
    insert(elementwise, "__all__ = [\n", '    "logaddexp2",\n')
    code, output = run()  # without rows
    assert code and "no row in tests/ops/table.py runs ['logaddexp2']" in output, output
    assert "no error rows for ['Tensor.logaddexp2']" in output, output
    insert(copy / "tests/ops/table.py", "TABLE: dict[str, list[Row]] = {\n", rows)
    insert(copy / "tests/project/errors.py", "ERRORS: dict[str, list[Error]] = {\n", refused)
    code, output = run()
    assert not code and "passed" in output, output
