"""The course: solutions are right, checks say what is wrong, and whatever a file does, a sentence comes of it."""

import json
import os
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

import lucid
from lucid.learn import WrongAnswer, expect, same, slopes
from lucid.learn.__main__ import main
from lucid.learn.course import Exercise, course, judge, place_in_source
from tests.learn.wrong import WRONG
from tests.whole import whole

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "course.md").read_text()
COURSE = course()
each_exercise = pytest.mark.parametrize("exercise", COURSE, ids=lambda exercise: exercise.folder.name)


def judged(pairs: list[tuple[Exercise, Path]]) -> list[str]:
    """What the checks say of these files, all in one other interpreter: it takes a second for all of the course."""
    program = """
import json, sys
from pathlib import Path
from lucid.learn.course import judged
print(json.dumps([judged(Path(check), Path(file)) for check, file in json.loads(sys.argv[1])]))
"""
    paths = json.dumps([(str(exercise.folder / "check.py"), str(file)) for exercise, file in pairs])
    run = subprocess.run([sys.executable, "-c", program, paths], capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(run.stdout.splitlines()[-1])


# -- the exercises -----------------------------------------------------------------------------------------------------


def test_every_solution_is_right_and_every_hole_is_not() -> None:
    said = judged([(each, each.folder / f"{name}.py") for name in ("solution", "exercise") for each in COURSE])
    assert said[:20] == [""] * 20
    assert all(said[20:]) and sum("still the hole" in says for says in said[20:]) >= 8


def test_there_are_eight_chapters_in_order() -> None:
    chapters = [chapter for chapter, _ in groupby(COURSE, key=lambda exercise: exercise.chapter)]
    assert [chapter[:3] for chapter in chapters] == [f"{i}. " for i in range(1, 9)]
    assert [exercise.folder.name[:2] for exercise in COURSE] == [f"{i:02}" for i in range(1, 21)]


@whole
@each_exercise
def test_three_typical_wrong_answers_and_what_is_said_of_them(exercise: Exercise, tmp_path: Path) -> None:
    solution, pairs = (exercise.folder / "solution.py").read_text(), []
    for number, (answer, _) in enumerate(WRONG[exercise.folder.name]):
        text = solution.replace(*answer) if len(answer) == 2 else answer[0]
        assert text != solution
        pairs.append((exercise, tmp_path / f"{number}.py"))
        pairs[-1][1].write_text(text)
    assert len(pairs) == 3
    for (_, says), said in zip(WRONG[exercise.folder.name], judged(pairs), strict=True):
        assert re.search(says, said), said


@each_exercise
def test_an_exercise_is_whole(exercise: Exercise) -> None:
    """Its solution and its hole begin alike, it compiles, the hints differ, and lucid does it where the text says."""
    heads = [(exercise.folder / name).read_text().split("\n")[0] for name in ("exercise.py", "solution.py")]
    assert all(head.startswith(f'"""Exercise {exercise.number}: ') for head in heads)
    compile((exercise.folder / "exercise.py").read_text(), "exercise.py", "exec")
    assert len(set(exercise.hints)) == 2 and all(len(hint) > 30 for hint in exercise.hints)
    assert exercise.source and exercise.source.split()[0] in place_in_source(exercise.source)


def test_a_place_that_is_not_in_the_source_is_seen() -> None:
    with pytest.raises(OSError, match="there is no nowhere in .*op.py"):
        place_in_source("lucid/core/op.py nowhere")


def test_the_page_has_the_exercises_that_there_are() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (\d+) \| `(.+)`, `(.+)` \|$", PAGE, re.MULTILINE)
    assert rows == [(str(x.number), x.title, x.minutes, *x.source.split()) for x in COURSE]
    minutes = sum(int(x.minutes) for x in COURSE)
    assert f"{minutes // 60} hours and {minutes % 60} minutes in all" in PAGE
    chapters = re.findall(r"^\| \d \| (.+?) \|", PAGE.partition("## For teachers")[2], re.MULTILINE)
    assert chapters == list(dict.fromkeys(x.chapter[3:] for x in COURSE))


# -- a learner's way ---------------------------------------------------------------------------------------------------


def asked(capsys, folder: Path, *words: str) -> tuple[int, str]:
    """What a command gives and prints."""
    code, printed = main(["--folder", str(folder), *words]), capsys.readouterr()
    return code, printed.out + printed.err


def test_the_first_steps_of_a_learner(capsys, tmp_path: Path) -> None:
    assert "0 of 20 solved. Next: python -m lucid.learn start" in asked(capsys, tmp_path)[1]
    assert list(tmp_path.iterdir()) == []  # looking changes nothing
    code, said = asked(capsys, tmp_path, "start")
    file = tmp_path / "01_product.py"
    assert code == 0 and "1. The gradient of x * y by hand" in said and f"The file to fill in is {file}" in said
    assert asked(capsys, tmp_path, "check") == (1, f"{file}: the file is as it came; fill in what is missing first.\n")
    wrong = file.read_text().replace("..., ...", "x, y", 1)
    file.write_text(wrong)
    assert asked(capsys, tmp_path, "check")[0] == 1
    said = asked(capsys, tmp_path, "start", "1")[1]
    assert "is there already and stays as it is" in said and file.read_text() == wrong
    assert "Hint 2" not in asked(capsys, tmp_path, "hint")[1] and "Hint 2 of 2" in asked(capsys, tmp_path, "hint")[1]
    said = asked(capsys, tmp_path, "solution")[1]
    assert "a product exchanges its factors" in said and file.read_text() == wrong
    file.write_text(said + "print('x' * 9000)\n")
    code, said = asked(capsys, tmp_path, "check")
    assert code == 0 and "Exercise 1 is solved." in said and "lucid/core/elementwise.py, line" in said
    assert "Your file printed:\nxxx" in said and said.count("x") < 4100
    assert "1 of 20 solved. Next: python -m lucid.learn start  (One neuron, backwards)" in said
    assert "[x]  1" in asked(capsys, tmp_path, "status")[1]
    assert list(json.loads((tmp_path / "progress.json").read_text())["solved"]) == ["01_product"]
    assert "2. One neuron" in asked(capsys, tmp_path, "start")[1]


def test_it_runs_from_a_folder_of_its_own(tmp_path: Path) -> None:
    """As typed, where files have the names of modules that Python needs."""
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "json.py").write_text("raise SystemExit('this is no json')")
    command = [sys.executable, "-m", "lucid.learn", "--folder", "exercises"]
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    for words, says in [(["start", "3"], "3. Measure a slope"), (["--help"], "status  ")]:
        run = subprocess.run([*command, *words], capture_output=True, text=True, cwd=tmp_path, env=here)
        assert says in run.stdout and not run.stderr
    (tmp_path / "exercises" / "03_differences.py").write_text((COURSE[2].folder / "solution.py").read_text())
    assert judge(COURSE[2], tmp_path / "exercises" / "03_differences.py") == ("", "")


def test_all_solved(capsys, tmp_path: Path) -> None:
    solved = {x.folder.name: "2026-01-01" for x in COURSE}
    progress = {"course": "", "current": "", "solved": solved, "hints": {}}
    (tmp_path / "progress.json").write_text(json.dumps(progress))
    assert "20 of 20 solved. That was all of it." in asked(capsys, tmp_path)[1]


# -- bad input ---------------------------------------------------------------------------------------------------------

FILES = {  # what is in the file -> what is said of it
    "does not parse": (b"def slope(f, x:\n    return 1\n", r"Python cannot read line 1: '\(' was never closed"),
    "no UTF-8": (b"name = 'caf\xe9'\n", r"Python cannot read line 1: .*utf-8"),
    "has no text in it": (b"x = 1\x00\n", "null bytes"),
    "exits": (b"import sys\n\nsys.exit(0)\n", r"line 3, `sys.exit\(0\)`, ends the program, and the check with it"),
    "asks": (b"name = input()\n", r"line 1, `name = input\(\)`, raises EOFError"),
    "raises": (b"def slope(f, x):\n    return f(x) / 0\n", r"line 2, `return f\(x\) / 0`, raises ZeroDivisionError"),
    "was renamed": (b"def steep(f, x): 0\n", r"line \d+ of its check, `.*`, raises AttributeError: .*'slope'"),
    "takes other arguments": (b"def slope(f):\n    return 0.0\n", r"raises TypeError: slope\(\) takes 1 positional"),
    "returns nothing": (b"def slope(f, x):\n    f(x)\n", r"slope\(exp, 1\) gives None: is a `return` missing\?"),
    "gives an array": (b"import numpy\nslope = lambda f, x: numpy.ones(2)\n", "expected a number, got a NumPy array"),
    "gives a text": (b"def slope(f, x):\n    return 'steep'\n", "expected a number, got 'steep'"),
    "is a hole": (b"def slope(f, x):\n    return ...\n", "is still the hole: write your answer"),
}


def test_files_that_are_no_answers(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.py" for number in range(len(FILES))]
    for file, (content, _) in zip(files, FILES.values(), strict=True):
        file.write_bytes(content)
    said = dict(zip(FILES, judged([(COURSE[2], file) for file in files]), strict=True))
    assert not {what: sentence for what, sentence in said.items() if not re.search(FILES[what][1], sentence)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import time\nprint('round', flush=True)\nwhile True:\n    time.sleep(0.1)\n",
         r"it still ran after 1 seconds, at line 4, and was stopped"),
        ("import os\nos._exit(3)\n", "Python ended before the check did, with exit status 3"),
    ],
)  # fmt: skip
def test_a_file_that_never_ends_or_ends_python(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "03_differences.py"
    file.write_text(text)
    said, printed = judge(COURSE[2], file, seconds=1)
    assert re.search(says, said) and printed in ("", "round\n")


def test_a_missing_file_and_an_edited_check(capsys, tmp_path: Path) -> None:
    code, said = asked(capsys, tmp_path, "check", "3")
    assert code == 2 and "03_differences.py; `python -m lucid.learn start 3` puts it there." in said
    exercise = tmp_path / "course" / "03_differences"
    exercise.mkdir(parents=True)
    for file in COURSE[2].folder.iterdir():
        if file.is_file():
            (exercise / file.name).write_text(file.read_text())
    (exercise.parent / "SHA256SUMS").write_text((COURSE[2].folder.parent / "SHA256SUMS").read_text())
    copied = course(exercise.parent)[0]
    assert judge(copied, exercise / "solution.py") == ("", "")
    (exercise / "check.py").write_text("def check(learner):\n    pass\n")
    with pytest.raises(OSError, match=r"check.py is not the check that came with lucid; install it again"):
        judge(copied, exercise / "solution.py")


def test_progress_that_cannot_be_read_is_kept(capsys, tmp_path: Path) -> None:
    for damaged in ("{", "[]", '{"solved": 3}', "\x00"):
        (tmp_path / "progress.json").write_text(damaged)
        code, said = asked(capsys, tmp_path, "start", "2")
        assert code == 0 and "could not be read. It is progress.damaged.json now" in said
        assert (tmp_path / "progress.damaged.json").read_text() == damaged
        assert json.loads((tmp_path / "progress.json").read_text())["current"] == "02_chain"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["start", "21"], "there is no exercise 21; they are 1 to 20."),
        (["check", "one"], "there is no exercise one; they are 1 to 20."),
        (["--course", "nowhere"], "nowhere has no exercises, which are folders such as 01_name."),
        (["--folder", "nowhere", "start"], "No such file or directory: 'nowhere/01_product.py'."),
    ],
)
def test_commands_that_cannot_be_done(words: list[str], says: str, capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = asked(capsys, tmp_path, *words)
    assert code == 2 and says in said and said.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_ctrl_c_loses_nothing(capsys, tmp_path: Path, monkeypatch) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    asked(capsys, tmp_path, "start")
    before = (tmp_path / "progress.json").read_text()
    monkeypatch.setattr("lucid.learn.__main__.judge", interrupted)
    assert asked(capsys, tmp_path, "check") == (2, "interrupted; your files are as they were.\n")
    assert (tmp_path / "progress.json").read_text() == before


# -- the three functions of a check, and a course of one's own ---------------------------------------------------------

x = lucid.tensor([1.0, 2.0])
SAID = [
    (lambda: expect(False, "no"), "no"),
    (lambda: same("f", np.ones(2, "float32"), x), "f: expected a Tensor, got a NumPy array"),
    (lambda: same("f", x, np.ones(2)), "f: expected a NumPy array, got a Tensor"),
    (lambda: same("f", lucid.ones(2, 1), x), "f: expected shape (2,), got shape (2, 1)"),
    (lambda: same("f", lucid.ones(2), x), "f, element [1]: expected 2, got 1"),
    (lambda: same("f", lucid.tensor([1.0, float("nan")]), x), "f, element [1]: expected 2, got nan"),
    (lambda: same("f", [1.0], 1.0), "f: expected a number, got [1.0]"),
    (lambda: same("f", (1.0, 2.0), [1.0, 2.0]), "f: expected a list of 2, got (1.0, 2.0)"),
    (lambda: same("f", (1.0, ...), (1.0, 2.0)), "f[1] is still the hole: write your answer where the three dots stand"),
    (lambda: same("f", "b", "a"), "f: expected 'a', got 'b'"),
    (lambda: same("f", 2.1, 2, atol=0.01), "f: expected 2, got 2.1"),
    (lambda: slopes("f", lambda x: np.ones(2), x), "f: expected a Tensor, got a NumPy array"),
    (lambda: slopes("f", lambda x: x.detach() * 2, x),
     "f: the result has no gradient, as no operations computed it from its inputs"),
    (lambda: slopes("f", lambda x: x * x.detach(), x),
     "f: the slope of output 0, element 0, along input 0, element 0, is 1 by backward and 2 by central differences"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "says"), SAID, ids=range(len(SAID)))
def test_what_a_check_says(call, says: str) -> None:
    with pytest.raises(WrongAnswer) as wrong:
        call()
    assert str(wrong.value) == says


def test_what_is_the_same() -> None:
    same("f", lucid.tensor(x.numpy()), x)
    same("f", np.float64(2), 2.0)
    same("f", np.array(2.0), 2)
    same("f", [1.0, float("inf"), float("nan")], [1, float("inf"), float("nan")])
    same("f", lucid.zeros(0), lucid.zeros(0))
    same("f", None, None)


def test_the_course_on_the_page_is_one(capsys, tmp_path: Path) -> None:
    """The exercise of docs/course.md, file by file, and the sentence that the page says it gives."""
    files = dict(re.findall(r"^`(our_course/[\w/]+\.\w+)`\n\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    assert len(files) == 4
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    said = asked(capsys, tmp_path, "--course", str(tmp_path / "our_course"), "start")[1]
    assert "1. The slope of a cube" in said and "Write an operation that computes x * x * x" in said
    answer = tmp_path / "01_cube.py"
    answer.write_text(files["our_course/01_cube/solution.py"].replace("g * 3 *", "g *"))
    assert asked(capsys, tmp_path, "check")[1].replace(str(answer), answer.name) in PAGE
    answer.write_text(files["our_course/01_cube/solution.py"])
    assert "1 of 1 solved. That was all of it." in asked(capsys, tmp_path, "check")[1]
    (tmp_path / "our_course/01_cube/text.md").write_text("# The slope of a cube\n")
    code, said = asked(capsys, tmp_path, "status")
    assert code == 2 and re.search(r"text.md does not have the form of .*01_product/text.md\.", said)


def test_what_the_page_quotes_is_said(tmp_path: Path) -> None:
    answer = tmp_path / "04_softsign.py"
    answer.write_text((COURSE[3].folder / "solution.py").read_text().replace(*WRONG["04_softsign"][0][0]))
    assert f"04_softsign.py: {judged([(COURSE[3], answer)])[0]}." in PAGE
