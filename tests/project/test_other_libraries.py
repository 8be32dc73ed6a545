"""The programs of docs/other-libraries.md run as they stand there."""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lucid

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "other-libraries.md").read_text()
SECTIONS = dict(section.split("\n", 1) for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:])
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
PROGRAMS = {title: code for title, section in SECTIONS.items() for code in CODE.findall(section)}
MARKS = {"NumPy": [], "matplotlib": [], "PyTorch": [pytest.mark.parity]}  # for the others `libraries`


def run(title: str) -> dict[str, Any]:
    """The names of a program that has run, as a module that pickle finds."""
    sys.modules["program"] = module = ModuleType("program")
    exec(compile(PROGRAMS[title], f"{title}, docs/other-libraries.md", "exec"), vars(module))
    return vars(module)


@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=MARKS.get(title, [pytest.mark.libraries])) for title in PROGRAMS]
)
def test_a_program_of_the_page_runs(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(title)


def test_every_section_has_its_program() -> None:
    assert list(SECTIONS) == [*PROGRAMS, "ONNX: no"]


@pytest.mark.libraries
def test_the_estimator_passes_scikit_learns_checks() -> None:
    from sklearn.datasets import load_iris
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils.estimator_checks import check_estimator

    estimator = run("scikit-learn")["NetworkClassifier"]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of the checks are about warnings
        checks = check_estimator(estimator, on_fail=None, on_skip=None)
    assert len(checks) > 40
    assert not [f"{check['check_name']}: {check['exception']}" for check in checks if check["status"] == "failed"]
    skipped = {check["check_name"] for check in checks if check["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}, skipped
    assert cross_val_score(make_pipeline(StandardScaler(), estimator), *load_iris(return_X_y=True), cv=3).mean() > 0.9


@pytest.mark.libraries
def test_what_the_writer_writes_is_read_back(tmp_path: Path) -> None:
    from tensorboardX.proto.event_pb2 import Event

    from lucid.interop.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", lucid.tensor(0.25, requires_grad=True) * 2, 3)
        writer.add_histogram("h", lucid.tensor([1.0, 2.0, 4.0]), 3)
        writer.add_images("i", lucid.rand(2, 3, 8, 8), 3)
        writer.add_scalars("both", {"a": lucid.tensor(1.0), "b": 2.0}, 3)
    (file,) = [path for path in tmp_path.iterdir() if path.is_file()]
    data, found = file.read_bytes(), {}
    while data:
        length = int.from_bytes(data[:8], "little")
        event = Event.FromString(data[12 : 12 + length])
        found |= {value.tag: value for value in event.summary.value}
        data = data[16 + length :]
    assert found["loss"].simple_value == 0.5 and found["h"].histo.sum == 7.0 and found["i"].image.height == 8
