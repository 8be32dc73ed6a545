"""Programs as they are written for PyTorch (tests/programs/), run on lucid with nothing changed but the import lines,
and beside PyTorch: the losses are the same. And the differences that docs/porting.md lists, each shown."""

from __future__ import annotations

import importlib
import inspect
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lucid

ROOT = Path(__file__).parents[2]
PROGRAMS = {path.stem: path for path in sorted((ROOT / "tests" / "programs").glob("[a-z]*.py"))}

def ported(text: str) -> str:
    """A program for PyTorch with lucid's import lines."""
    text = re.sub(r"^import torch$", "import lucid as torch", text, flags=re.MULTILINE)
    return re.sub(r"^(import|from) torch\b(?= import|\.)", r"\1 lucid", text, flags=re.MULTILINE)


def losses(name: str, library: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What a program gives: losses, and other numbers that it learned. Random numbers and first weights are NumPy's."""
    module: Any = importlib.import_module(library)
    rng = np.random.default_rng(7)
    draw = lambda *size: module.tensor(rng.normal(size=size), dtype=module.float32)
    monkeypatch.setattr(module, "randn", draw)
    monkeypatch.setattr(module, "randn_like", lambda x: draw(*x.shape))

    def begin(model: Any) -> None:
        for key, parameter in model.named_parameters():
            if parameter.ndim > 1:
                scale = 1 / math.sqrt(math.prod(parameter.shape[1:]))
                parameter.data.copy_(module.tensor(rng.uniform(-scale, scale, size=parameter.shape)))
            else:
                parameter.data.copy_(module.full(parameter.shape, 0.0 if "bias" in key else 1.0))

    text = PROGRAMS[name].read_text()
    space: dict[str, Any] = {"__name__": name}
    exec(compile(ported(text) if library == "lucid" else text, str(PROGRAMS[name]), "exec"), space)
    with np.load(ROOT / "lucid" / "datasets" / "digits.npz") as file:
        images, labels = file["images"].astype(np.float32), file["labels"].astype(np.int64)
    known = {"digits": images, "labels": labels, "rng": rng, "begin": begin, "path": str(folder / "model.pt")}
    main: Callable[..., list[float]] = space["main"]
    return main(**{key: known[key] for key in inspect.signature(main).parameters})


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_with_nothing_changed_but_the_import(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = losses(name, "lucid", tmp_path, monkeypatch)
    assert len(found) > 3 and np.isfinite(found).all()


@pytest.mark.parity
@pytest.mark.parametrize("name", PROGRAMS)
def test_its_losses_are_pytorchs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = (losses(name, library, tmp_path, monkeypatch) for library in ("lucid", "torch"))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


# -- the table of differences ------------------------------------------------------------------------------------------


def refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except (TypeError, ValueError, RuntimeError, AttributeError):
        return True
    return False


def shared_state(m: Any) -> bool:
    layer = m.nn.Linear(1, 1)
    before = layer.state_dict()["weight"]
    layer.weight.data += 1
    return bool(np.asarray(before)[0, 0] == layer.weight.item())


def listed(m: Any) -> bool:
    class Net(m.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [m.nn.Linear(1, 1)]

    return len(list(Net().parameters())) == 2


def seeded(m: Any) -> float:
    m.manual_seed(0)
    return float(m.rand(1)[0])


def second_step(m: Any) -> float:
    """Where two steps of Adamax with eps = 1 have led, with the gradients 1 and 0."""
    w = m.nn.Parameter(m.zeros(1, dtype=m.float64))
    optimizer = m.optim.Adamax([w], lr=1.0, eps=1.0)
    for g in (1.0, 0.0):
        optimizer.zero_grad()
        (w * g).sum().backward()
        optimizer.step()
    return round(float(w.detach()[0]), 6)


M = 0.1 * 0.9 / (1 - 0.9**2)  # m of the second step, corrected
# The row -> what a library is asked, lucid's answer, and PyTorch's.
ROWS: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "A target of another shape is refused":
        (lambda m: refused(lambda: m.nn.functional.mse_loss(m.ones(3, 1), m.ones(3))), True, False),
    "Float64 data make the result float64":
        (lambda m: refused(lambda: m.nn.Linear(2, 1)(m.ones(1, 2, dtype=m.float64))), False, True),
    "`numpy()` works where a gradient is required, and is read-only":
        (lambda m: refused(lambda: m.ones(2, requires_grad=True).numpy()), False, True),
    "`state_dict()` is a copy, of NumPy arrays": (shared_state, False, True),
    "A file holds no code: `save` takes a `state_dict()`, not a module":
        (lambda m: refused(lambda: m.save(m.nn.Linear(1, 1), "module.pt")), True, False),
    "A device is a string, a dtype is NumPy's":
        (lambda m: (m.ones(1).device == "cpu", m.ones(1).dtype == np.float32), (True, True), (False, False)),
    "A shape is a tuple": (lambda m: hasattr(m.ones(2, 3).shape, "numel"), False, True),
    "Indices with a slice between them follow NumPy: `x[0, :, i]` is (i, :)":
        (lambda m: tuple(m.ones(2, 3, 4)[0, :, m.tensor([0, 2])].shape), (2, 3), (3, 2)),
    "A plain list of modules counts": (listed, True, False),
    "A tensor is an index of a list where it has no dims":
        (lambda m: refused(lambda: [1, 2][m.tensor([1])]), True, False),
    "The mean of integers is a float": (lambda m: refused(lambda: m.tensor([1, 2]).mean()), False, True),
    "The same seed gives other numbers": (lambda m: round(seeded(m), 4) == 0.4963, False, True),
    "Adamax divides by u + eps":
        (second_step, round(-1 / 2 - M / (0.999 + 1), 6), round(-1 / 2 - M / (0.999 * (1 + 1)), 6)),
}  # fmt: skip


def test_the_page_has_these_rows() -> None:
    page = (ROOT / "docs" / "porting.md").read_text()
    section = page.split("## What differs")[1].split("\n## ")[0]
    assert re.findall(r"^\| ([A-Z`].*?) \|", section, re.MULTILINE) == list(ROWS)
    listed = re.findall(r"^\| `(\w+)` \|", page.split("## What differs")[0], re.MULTILINE)
    assert sorted(listed) == sorted(PROGRAMS)


@pytest.mark.parametrize("row", ROWS)
def test_a_difference_is_as_the_page_says(row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ask, ours, _ = ROWS[row]
    assert ask(lucid) == ours


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("row", ROWS)
def test_and_pytorch_differs_there(row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    ask, ours, theirs = ROWS[row]
    assert ask(torch) == theirs != ours
