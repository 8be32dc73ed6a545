"""docs/reading.md is held to its word: the list has the files that there are, numbers are counted, walks are run.

`python -m reference.reading` brings numbers and walks up to date.
"""

import re
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # what is counted and traced is written down by a script that is no part of the package

from reference import reading  # noqa: E402

PAGE, README = reading.READING.read_text(), reading.README.read_text()
PAGES = [reading.README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
WALKS = ["A backward pass", "The first step of Adamax", "Every later step of Adamax"]
traced = cache(reading.traced)


# -- the list, and its length ------------------------------------------------------------------------------------------


def test_the_list_has_every_file_of_core_and_no_file_that_is_not_there() -> None:
    path = reading.reading_list()
    assert len(path) == len(set(path)) and all((ROOT / file).exists() for file in path)
    inside = [file for file in path if file.startswith("lucid/core/")]
    assert sorted(inside) == reading.core() and path[: len(inside)] == inside


def test_every_item_of_the_list_says_what_the_file_is_about() -> None:
    assert all(len(says) > 10 for says in reading.told(PAGE, "The list").values())


def test_the_reading_path_has_at_most_3700_lines() -> None:
    counted = {file: reading.lines([file]) for file in reading.reading_list()}
    print(*(f"{n:6} {file}" for file, n in counted.items()), f"{sum(counted.values()):6} in all", sep="\n")
    assert sum(counted.values()) <= 3_700


# What came after the house was built says here what it may add to it.
LINES = {
    "the house": 22_000,
    "right at the edges: half precision, infinities, doors, interrupts, AdamaxW": 785,
    "what people type: the rest of the elementary functions, statistics, factors of matrices": 890,
    "other libraries: NumPy's functions, einops, the array API; what type checkers are told": 290,
    "several processes that train one model: data parallelism over MPI": 640,
    "lazy layers, the layers and losses that programs use, distributions": 1_180,
    "other names of PyTorch's, methods in place, fills, out=, tensors by their type": 420,
    "loaders that fetch ahead, generators, rules and steps of one's own, averaged weights": 470,
    "vjps as mathematics, a page that fits its window, twelve mistakes more for the doctor": 390,
    "a course that checks itself (its exercises are counted apart)": 330,
    "a sentence for each mistake of the first week": 20,
    "data sets that come with lucid": 130,
    "the examples, listed and run from a wheel": 60,
}


def test_lucid_has_no_more_lines_than_it_may() -> None:
    counted = reading.lines(reading.package())
    print(f"lucid/**/*.py: {counted} lines")
    assert counted <= sum(LINES.values())


def test_the_exercises_of_the_course_are_short() -> None:
    """They are texts for learners, and no part of the framework."""
    counted = reading.lines(reading.exercises())
    print(f"lucid/learn/exercises/**/*.py: {counted} lines")
    assert len(reading.exercises()) == 20 * 3 and counted <= 1_500


@pytest.mark.parametrize("page", [reading.README, reading.READING], ids=lambda page: page.name)
def test_the_numbers_are_those_that_are_counted(page: Path) -> None:
    text = re.sub(r"\s+", " ", page.read_text())
    for pattern, says in reading.claims().items():
        assert re.findall(pattern, text) == [says], "python -m reference.reading brings them up to date"


# -- the walks ---------------------------------------------------------------------------------------------------------


def differences(text: str, title: str, run: list[str]) -> list[str]:
    """What a page says of a walk that is not so: the functions must be those that ran, each once, in their order.

    There are no exceptions: every function of lucid's that the program runs through has its line.
    """
    told = list(reading.told(text, title))
    lost = [f"{name} is run through, and has no line" for name in run if name not in told]
    wrong = [f"{name} has a line, and is not run through" for name in told if name not in run]
    return lost + wrong or [f"the order is {run}" for _ in range(told != run)]


@pytest.mark.parametrize("title", WALKS)
def test_the_walk_names_the_functions_that_run(title: str) -> None:
    assert not differences(PAGE, title, traced()[title]), "python -m reference.reading has the order"
    assert all(len(says) > 8 and "TODO" not in says for says in reading.told(PAGE, title).values())


@pytest.mark.parametrize("title", WALKS)
def test_every_walk_is_shown(title: str) -> None:
    assert title in traced() and len(reading.told(PAGE, title)) > 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.replace("`core.elementwise.tanh`", "`core.elementwise.tan`"), "elementwise.tanh is run through"),
        (lambda t: t.replace("`core.elementwise.tanh`", "`core.elementwise.tan`"), "elementwise.tan has a line"),
        (lambda t: re.sub(r"\d+\. `core.backward.unbroadcast`.*\n", "", t), "core.backward.unbroadcast is run through"),
        (lambda t: re.sub(r"(\d+\. `core.op._binary`.*\n(?: .*\n)*)(\d+\. .*\n)", r"\2\1", t), "the order is"),
    ],
)
def test_a_walk_that_names_other_functions_is_noticed(change, says: str) -> None:
    title = "A backward pass"
    run, planted = list(reading.told(PAGE, title)), change(PAGE)
    assert planted != PAGE and not differences(PAGE, title, run)
    assert any(says in difference for difference in differences(planted, title, run))


def test_a_changed_program_is_noticed() -> None:
    """Where a function no longer runs, its line is wrong."""
    title = "A backward pass"
    run = [name for name in reading.told(PAGE, title) if name != "core.backward._copy"]
    assert differences(PAGE, title, run) == ["core.backward._copy has a line, and is not run through"]


# -- the glossary, and files that pages name ---------------------------------------------------------------------------

GLOSSARY = re.findall(r"^\* \*\*([^*]+)\*\*(.*) \((`lucid/.*`)\)$", reading.section(PAGE, "Glossary"), re.MULTILINE)


def test_the_glossary_has_every_line_in_its_form() -> None:
    assert len(GLOSSARY) == len(re.findall(r"^\* ", reading.section(PAGE, "Glossary"), re.MULTILINE)) >= 25
    terms = [term.lower() for term, _, _ in GLOSSARY]
    assert terms == sorted(terms)


@pytest.mark.parametrize(("term", "files"), [(term, files) for term, _, files in GLOSSARY])
def test_a_term_of_the_glossary_is_used_in_the_file_that_it_names(term: str, files: str) -> None:
    for file in re.findall(r"`([^`]+)`", files):
        words = re.sub(r"\s+", " ", file.replace("_", " ") + (ROOT / file).read_text().lower())
        assert term.lower() in words, f"{file} does not say {term!r}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    named = re.findall(r"`((?:lucid|tests|docs|benchmarks|examples|reference)/[\w./-]*)`", page.read_text())
    assert not [name for name in named if not (ROOT / name).exists()]
