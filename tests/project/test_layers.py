"""Imports point one way: a module may import only from chapters before its own (docs/reading.md has the picture)."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import lucid

ROOT = Path(lucid.__file__).parent
LAYERS = [
    {"devices", "missing", "core"}, {"backend"}, {"cuda"}, {"op"}, {"ops"}, {"kernels"}, {"recording", "origins"}, {"graph"}, {"operands"}, {"functions"}, {"shaping"}, {"selecting", "contraction", "linalg", "padding"}, {"methods", "writing", "conversion"}, {"tensor"}, {"creation"},
    {"autograd"}, {"nn", "optim"}, {"utils", "checkpoint", "gpu"}, {"safetensors"}, {"see"},
]  # fmt: skip
SUBJECTS = {"activations", "attention", "checks", "conv", "einsum", "embedding", "images", "linalg", "losses", "norms", "pad", "pool"}  # files of ops/ that stand on the Tensor
LATER = {("sort_index.py", "lucid.ops.checks"), ("again.py", "lucid.ops.activations")}  # when called, and where there is a GPU
RANK = {name: i for i, layer in enumerate(LAYERS) for name in layer}
ARRAYS_ONLY_IN = {"backend"}  # the one module that may know numpy and cupy by name


def files() -> list[tuple[Path, str]]:
    found = [(path, part(path.relative_to(ROOT).with_suffix("").parts)) for path in ROOT.rglob("*.py")]
    return [(path, part) for path, part in found if part != "__init__"]  # the public surface imports everything


def part(names: Sequence[str]) -> str:
    """The layer of a module, by its names below lucid: the first, but for those files of ops/."""
    if names[0] == "ops" and names[-1] == "sort_index":  # methods of the Tensor
        return "sort_index"
    return "subjects" if names[0] == "ops" and names[-1] in SUBJECTS else names[0]


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported at run time, in functions too; not what stands under `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "a relative import"
            elif node.module in ("lucid", "lucid.ops"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""
        else:
            yield from imports(node)


def violations(path: Path, me: str) -> Iterator[str]:
    for target in imports(ast.parse(path.read_text())):
        top, _, rest = target.partition(".")
        there = part(rest.split("."))
        if top in ("numpy", "cupy", "cupyx") and me not in ARRAYS_ONLY_IN:
            yield f"{path.name} imports {target}: only backend/ may"
        elif target == "a relative import" or target == "lucid":
            yield f"{path.name}: {target}; name the module, as in `from lucid.graph import Node`"
        elif (path.name, target) in LATER:
            continue
        elif top == "lucid" and there != me and (there not in RANK or RANK[there] >= RANK[me]):
            yield f"{path.name} ({me}) imports {target}, which comes later"


def test_every_module_has_a_layer() -> None:
    assert {part for _, part in files()} == set(RANK)


@pytest.mark.parametrize("path, part", files(), ids=lambda value: value.name if isinstance(value, Path) else value)
def test_imports_point_to_earlier_chapters(path: Path, part: str) -> None:
    assert not list(violations(path, part))


@pytest.mark.parametrize(
    "part, line",
    [
        ("op", "from lucid.tensor import Tensor"),
        ("graph", "from lucid import tensor"),
        ("optim", "import lucid.nn.module"),
        ("nn", "def f():\n    from lucid.optim import SGD"),
        ("nn", "if True:\n    from lucid.optim import SGD"),
        ("tensor", "import numpy as np"),
        ("nn", "import cupy"),
        ("ops", "from .. import tensor"),
        ("optim", "import lucid"),
        ("autograd", "from lucid.nowhere import x"),
    ],
)
def test_a_planted_violation_is_caught(part: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text(line)
    assert list(violations(tmp_path / "planted.py", part))


def test_importing_lucid_loads_numpy_and_nothing_else_from_outside() -> None:
    program = """
import sys, numpy
before = set(sys.modules)
import lucid, lucid.nn, lucid.optim
new = {name.partition(".")[0] for name in set(sys.modules) - before}
new = {name for name in new if "cython" not in name}  # numpy.random's runtime
print(sorted(new - set(sys.stdlib_module_names) - {"lucid", "numpy"}))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert run.stdout.strip() == "[]"
