"""What docs/reading.md and README.md say of the source, counted and traced: the reading list, its lines, and the
functions that a backward pass and a step of Adamax run through.

    python -m reference.reading

writes the numbers into README.md and docs/reading.md, and brings the walks of docs/reading.md into the order in which
the functions ran. A function that had no line there gets one that says TODO; tests/project/test_reading.py refuses it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READING = ROOT / "docs" / "reading.md"
README = ROOT / "README.md"
ITEM = r"^\d+\. `([^`]+)`: (.*(?:\n {3,}\S.*)*)"  # a numbered line that begins with a name, and what it says


def section(text: str, title: str) -> str:
    """What stands under a heading of a page, up to the next one of any level."""
    (found,) = re.findall(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    return found


def reading_list(text: str | None = None) -> list[str]:
    """The files of the reading path, in order."""
    return [name for name, _ in re.findall(ITEM, section(text or READING.read_text(), "The list"), re.MULTILINE)]


# -- counted -----------------------------------------------------------------------------------------------------------


def lines(files: list[str]) -> int:
    """How many lines these files have, docstrings and blank lines included."""
    return sum(len((ROOT / file).read_text().splitlines()) for file in files)


def core() -> list[str]:
    """The files of core/, but for `__init__.py`, which has a docstring and no code."""
    return [file for file in package() if re.fullmatch(r"lucid/core/(?!__init__)\w+\.py", file)]


def package() -> list[str]:
    """All Python files of lucid."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "lucid").rglob("*.py"))


def claims() -> dict[str, str]:
    """The claims with numbers in README.md and docs/reading.md: a pattern that finds one -> how it must read."""
    paths = {"core": core(), "reading path": reading_list()}
    counted = {
        rf"[\d,]+ lines in \d+ files are the {name}": f"{lines(files):,} lines in {len(files)} files are the {name}"
        for name, files in paths.items()
    }
    return counted | {r"[\d,]+ lines of Python in all": f"{lines(package()):,} lines of Python in all"}


# -- traced ------------------------------------------------------------------------------------------------------------

# Run in an interpreter of its own, so that nothing is cached from what ran before.
PROGRAM = '''
import json, sys
import lucid
from lucid import nn, optim
from lucid.core.op import OPS

vjps = {f.__code__: spec.forward for spec in OPS.values() for f in {**spec.vjps, **spec.shared}.values()}

def name_of(code, module):
    if code in vjps:
        forward = vjps[code]
        return f"{forward.__module__}.{forward.__name__} vjp"
    return f"{module}.{code.co_qualname.partition('.<locals>')[0]}"

def functions(run):
    passed = {}
    def note(frame, event, argument):
        module, defines = frame.f_globals.get("__name__", ""), frame.f_code.co_name == "<module>"
        if event == "call" and module.partition(".")[0] == "lucid" and not defines:
            passed.setdefault(name_of(frame.f_code, module).removeprefix("lucid."))
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return list(passed)

walks = {}
x = lucid.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
w = lucid.tensor([0.1, 0.2, 0.3], requires_grad=True)
walks["A backward pass"] = functions(lambda: (x * w).tanh().sum().backward())

model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = optim.Adamax(model.parameters())
for title in ("The first step of Adamax", "Every later step of Adamax"):
    optimizer.zero_grad()
    model(lucid.ones(4, 2)).sum().backward()
    walks[title] = functions(optimizer.step)
print(json.dumps(walks))
'''


def traced() -> dict[str, list[str]]:
    """Title of a walk -> the functions of lucid that it runs through, each once, in the order of their first call.

    A function that was made inside another goes by the name of that one (what a decorator returns, a template's call, a
    comprehension); the vjps of an operation by the name of its forward and the word vjp.
    """
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(run.stdout)  # type: ignore[no-any-return]


def told(text: str, title: str) -> dict[str, str]:
    """The functions that a page has under this title, in order, each with what it says of them."""
    return dict(re.findall(ITEM, section(text, title), re.MULTILINE))


# -- both, written down ------------------------------------------------------------------------------------------------


def rewritten(text: str, walks: dict[str, list[str]]) -> str:
    """docs/reading.md with these walks, each function with what the page says of it: in this walk, in another one, or,
    where it has moved to another file by now, under its own name."""
    known = {title: told(text, title) for title in walks}
    anywhere = {name: says for own in reversed(known.values()) for name, says in own.items()}
    moved = {name.rpartition(".")[2]: says for name, says in anywhere.items()}
    for title, functions in walks.items():
        says = {**moved, **anywhere, **known[title]}
        lines = [says.get(name) or says.get(name.rpartition(".")[2], "TODO") for name in functions]
        items = [f"{i}. `{name}`: {line}\n" for i, (name, line) in enumerate(zip(functions, lines, strict=True), 1)]
        old = section(text, title)
        before, after = re.split(r"(?:^\d+\. `.*\n(?: {3,}\S.*\n)*)+", old, maxsplit=1, flags=re.MULTILINE)
        text = text.replace(old, "".join([before, *items, after]))
    return text


def main() -> None:
    """Bring README.md and docs/reading.md up to date."""
    READING.write_text(rewritten(READING.read_text(), traced()))
    for page in (README, READING):
        text = page.read_text()
        for pattern, sentence in claims().items():
            text = re.sub(pattern, sentence, text)
        page.write_text(text)


if __name__ == "__main__":
    main()
