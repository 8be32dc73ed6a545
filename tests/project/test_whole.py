"""What `make test` leaves out, the summary tells and `make check` runs."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import conftest
from tests.whole import first, one_of_each

ROOT = Path(__file__).parents[2]


class Item:
    """A test that has these markers."""

    def __init__(self, markers: str) -> None:
        self.markers = markers

    def get_closest_marker(self, name: str) -> bool:
        return name in self.markers.split()


def kept(params: list[Any]) -> list[Any]:
    return [param.values for param in params if not param.marks]


def test_one_of_each_kind_is_kept() -> None:
    words = ["ab", "a", "b", "abc", "bcd", "c"]
    assert kept(one_of_each(words, kind=lambda word: word[0])) == [("ab",), ("b",), ("c",)]
    assert kept(one_of_each(words, kind=lambda word: word[0], worth=len)) == [("abc",), ("bcd",), ("c",)]
    assert kept(one_of_each([("a", 1), ("a", 2)], kind=lambda row: row[0])) == [("a", 1)]
    assert kept(first(words)) == [("ab",)]
    params = one_of_each(words, kind=len)
    assert [param.values for param in params] == [(word,) for word in words]  # the others are there, and marked
    assert {mark.name for param in params for mark in param.marks} == {"whole"}


@pytest.mark.parametrize(
    "expression, keyword, args, left, told",
    [
        ("", "", ["tests"], ["plain", "parity"], {"whole": 2}),
        ("not parity", "", ["tests"], ["plain"], {"parity": 2, "whole": 1}),
        ("not (gpu or parity)", "", ["tests"], ["plain"], {"parity": 2, "whole": 1}),
        ("whole", "", ["tests"], ["plain", "whole", "parity", "whole parity"], {}),  # pytest itself looks at `-m`
        ("parity", "", ["tests"], ["plain", "whole", "parity", "whole parity"], {}),
        ("", "tanh", ["tests"], ["plain", "whole", "parity", "whole parity"], {}),
        ("", "", ["tests/test_a.py::test_b"], ["plain", "whole", "parity", "whole parity"], {}),
    ],
)
def test_what_is_left_out_is_told(
    expression: str,
    keyword: str,
    args: list[str],
    left: list[str],
    told: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conftest, "_left_out", {})
    monkeypatch.setattr(conftest, "NEEDS", {"parity": (lambda: True, "not run")})
    deselected: list[Any] = []
    config = SimpleNamespace(
        option=SimpleNamespace(markexpr=expression, keyword=keyword), args=args,
        hook=SimpleNamespace(pytest_deselected=lambda items: deselected.extend(items)),
    )  # fmt: skip
    items: Any = [Item(markers) for markers in ("plain", "whole", "parity", "whole parity")]
    conftest.pytest_collection_modifyitems(config, items)  # type: ignore[arg-type]
    assert [item.markers for item in items] == left and conftest._left_out == told
    assert len(deselected) == 4 - len(left) == sum(told.values())


def test_the_gate_runs_what_make_test_leaves_out() -> None:
    steps = re.findall(r"^step (\w+)", (ROOT / ".ci" / "run").read_text(), re.M)
    targets = re.findall(r"^(\w+):.*\n(?:\t.*\n)*?\t.*pytest.* -m (\w+)", (ROOT / "Makefile").read_text(), re.M)
    assert {"test", "types", "whole", "parity", "libraries", "notebooks", "browser", "distributed"} <= set(steps)
    assert (
        {marker for _, marker in targets}
        == {"whole", "parity", "types", "libraries", "browser", "notebooks", "nvrtc", "gpu", "mpi"}
        == {"whole", *conftest.NEEDS}
    )
