"""A course that checks itself. Commands, of which `status` is the one without a word:

  status        what is solved, and what comes next
  start [N]     put the file of exercise N into this folder, and show its text
  check [N]     say whether it is right, and if not, why
  hint [N]      a hint, and a second one when you ask again
  solution [N]  show a solution, and why it is one

Without N it is the exercise that you began last; `start` takes the first that is not solved.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from lucid.learn.checks import WrongAnswer, expect
from lucid.learn.course import LUCIDS_OWN, Exercise, course, judge, place_in_source

# "current" is the exercise begun last; "solved", exercise -> date; "hints", exercise -> how many were shown.
NEW = '{"course": "", "current": "", "solved": {}, "hints": {}}'


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked; 0 if all is well, 1 if an answer is wrong, 2 for what cannot be done."""
    commands, form = {f.__name__: f for f in (start, check, hint, solution)}, argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m lucid.learn", description=__doc__, formatter_class=form)
    parser.add_argument("command", nargs="?", default="status", choices=["status", *commands], metavar="command")
    parser.add_argument("number", nargs="?", metavar="N")
    parser.add_argument("--folder", type=Path, default=Path(), help="where your files are (this folder)")
    parser.add_argument("--course", type=Path, help="a folder of other exercises; progress.json remembers it")
    asked = parser.parse_args(arguments)
    try:
        progress = read(asked.folder / "progress.json")
        progress["course"] = str(asked.course.resolve()) if asked.course else progress["course"]
        exercises = course(Path(progress["course"] or LUCIDS_OWN))
        if asked.command in commands:
            which = chosen(exercises, progress, asked.number, asked.command)
            print(commands[asked.command](which, asked.folder / f"{which.folder.name}.py", progress))
            new = asked.folder / "progress.new"
            new.write_text(json.dumps(progress, indent=1) + "\n", "utf-8")
            new.replace(asked.folder / "progress.json")  # whole or not at all
        if asked.command in ("status", "check"):
            print(status(exercises, progress, asked.command == "status"))
    except (WrongAnswer, OSError, KeyboardInterrupt) as error:
        wrong = isinstance(error, WrongAnswer)
        print(f"{str(error) or 'interrupted; your files are as they were'}.", file=sys.stdout if wrong else sys.stderr)
        return 1 if wrong else 2
    return 0


def read(file: Path) -> dict[str, Any]:
    """A learner's progress; what cannot be read is kept under another name, and a new one begun."""
    given = file.read_text("utf-8", "replace") if file.exists() else NEW
    with suppress(ValueError, LookupError, TypeError):
        if [type(json.loads(given)[key]) for key in json.loads(NEW)] == [str, str, dict, dict]:
            return dict(json.loads(given))
    kept = file.replace(file.with_name("progress.damaged.json"))
    print(f"{file} could not be read. It is {kept.name} now, and a new one is begun; `check` your files again.")
    return dict(json.loads(NEW))


def chosen(exercises: list[Exercise], progress: dict[str, Any], number: str | None, command: str) -> Exercise:
    """The exercise that was asked for; without a number the one begun last, to `start` the first not solved."""
    if number is None:
        current = [x for x in exercises if x.folder.name == progress["current"] and command != "start"]
        return [*current, *(x for x in exercises if x.folder.name not in progress["solved"]), exercises[-1]][0]
    if not number.isdecimal() or not 0 < int(number) <= len(exercises):
        raise OSError(f"there is no exercise {number}; they are 1 to {len(exercises)}")
    return exercises[int(number) - 1]


def status(exercises: list[Exercise], progress: dict[str, Any], table: bool) -> str:
    """What to type next, and before it, if the `table` is wanted, all exercises by chapter, with x for solved."""
    solved, current, lines = progress["solved"], progress["current"], list[str]()
    for chapter, members in groupby(exercises if table else [], key=lambda x: x.chapter):
        marks = {x: "x" if x.folder.name in solved else ">" if x.folder.name == current else " " for x in members}
        lines += [chapter, *(f"  [{m}] {x.number:2}  {x.title:48} {x.minutes:>3} min" for x, m in marks.items())]
    left = [x for x in exercises if x.folder.name not in solved]
    command = "check" if current in [x.folder.name for x in left] else f"start  ({left[0].title})" if left else ""
    after = f"Next: python -m lucid.learn {command}" if left else "That was all of it."
    return "\n".join([*lines, f"{len(exercises) - len(left)} of {len(exercises)} solved. {after}"])


def start(which: Exercise, file: Path, progress: dict[str, Any]) -> str:
    """Put the file of an exercise beside the others, unless it is there, and show its text."""
    progress["current"] = which.folder.name
    text = f"{which.number}. {which.title} (some {which.minutes} minutes)\n\n{which.text}\n\n"
    if file.exists():
        return text + f"{file} is there already and stays as it is; to begin anew, move it away first."
    file.write_text((which.folder / "exercise.py").read_text("utf-8"), "utf-8")
    return text + f"The file to fill in is {file}. Then: python -m lucid.learn check (or hint, or solution)"


def check(which: Exercise, file: Path, progress: dict[str, Any]) -> str:
    """That an answer is right, and where lucid does the same; a WrongAnswer otherwise."""
    says, printed = judge(which, file)
    progress["current"] = which.folder.name
    print(f"Your file printed:\n{printed.rstrip()}\n\n" * bool(printed), end="")
    expect(not says, f"{file}: {says}")
    progress["solved"].setdefault(which.folder.name, str(date.today()))
    place = f"\nlucid does the same in {place_in_source(which.source)}." if which.source else ""
    return f"Exercise {which.number} is solved. `python -m lucid.learn solution` says why it is right.{place}"


def hint(which: Exercise, file: Path, progress: dict[str, Any]) -> str:
    """The first hint, or both when it was shown before."""
    progress["hints"][which.folder.name] = shown = min(progress["hints"].get(which.folder.name, 0) + 1, 2)
    return "\n\n".join(f"Hint {i + 1} of 2:\n\n{which.hints[i]}" for i in range(shown))


def solution(which: Exercise, file: Path, progress: dict[str, Any]) -> str:
    """A solution, which explains itself; the learner's own file is left alone."""
    return (which.folder / "solution.py").read_text("utf-8").rstrip()


if __name__ == "__main__":
    sys.exit(main())
