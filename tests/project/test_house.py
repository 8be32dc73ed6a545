"""The order of the house: folders import downwards, files of core/ in the order of docs/reading.md, and no circles.

Every import counts, whatever it looks like: at the top of a file, inside a function, under TYPE_CHECKING, by string.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the reading list is read by a script that is no part of the package

from reference.reading import READING, package, reading_list  # noqa: E402

# Lower floors first; what stands on one floor does not import its neighbours.
FLOORS = [
    *({"core"}, {"ops"}, {"autograd"}, {"nn", "optim", "distributions"}, {"gpu", "io", "data", "interop"}),
    *({"distributed"}, {"see", "learn", "datasets", "examples"}),
]
FLOOR = {folder: i for i, floor in enumerate(FLOORS) for folder in floor}
# Modules in lucid/ itself. `lucid` gathers the public names. ALIASES are what users import: thin, and imported by
# `lucid` alone. SUGGEST finds names that are not there, or words the error; it imports nothing before a user asks for
# one, all may import it, and tests/project/test_names.py follows each name of its table.
SUGGEST = {"lucid._suggest", "lucid.missing"}
ALIASES = {"lucid.cuda", "lucid.linalg", "lucid.optim.swa_utils", "lucid.utils", "lucid.utils.data"}
# Who may name an array library: NumPy's namespace, the one random generator, and NumPy's functions where they are slow.
OUTSIDERS = {
    "numpy": {"lucid.core.array", "lucid.ops.random", "lucid.ops.numpy_speed"},
    "cupy": {"lucid.gpu"},
    "cupyx": {"lucid.gpu"},
}
BY_STRING = {"import_module", "__import__", "resolve_name", "find_spec", "reload", "run_module"}


class Import(NamedTuple):
    """One import: the module, or the name in a module, how it is written, and the line."""

    name: str
    how: str
    line: int


@cache
def sources() -> dict[str, str]:
    """All of lucid: file -> text. What learners fill in, and how it is checked, is no part of it."""
    return {file: (ROOT / file).read_text() for file in package()}


def module_of(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(text: str) -> Iterator[Import]:
    """Every import of a file, of every kind."""
    yield from _imports(ast.parse(text), "at the top")


def _imports(tree: ast.AST, how: str) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        inner = how
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inner = "inside a function"
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            inner = "under TYPE_CHECKING"
        elif isinstance(node, ast.Import):
            yield from (Import(alias.name, how, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (Import(f"{module}.{alias.name}", how, node.lineno) for alias in node.names)
        elif (name := _named_by_string(node)) is not None:
            yield Import(name, "by string", node.lineno)
        yield from _imports(node, inner)


def _named_by_string(node: ast.AST) -> str | None:
    """The module that `import_module("x")`, `__import__("x")` or `sys.modules["x"]` names; "?" if it is no literal."""
    if isinstance(node, ast.Call):
        function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if function not in BY_STRING and owner != "sys.modules":
            return None
        value: ast.AST | None = node.args[0] if node.args else None
    elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "sys.modules":
        value = node.slice
    else:
        return None
    return value.value.replace(":", ".") if isinstance(value, ast.Constant) and isinstance(value.value, str) else "?"


def module_with(name: str, modules: set[str]) -> str:
    """The module of lucid that a name stands in: `lucid.core.node` for `lucid.core.node.Tensor`."""
    target = name
    while name.startswith("lucid.") and target not in modules and "." in target:
        target = target.rpartition(".")[0]
    return target


def violations(files: Mapping[str, str], order: list[str]) -> Iterator[str]:
    """What is wrong with the imports of `files`; `order` are the files of the reading path."""
    core = {module_of(file): i for i, file in enumerate(order) if file.startswith("lucid/core/")}
    modules = {module_of(file) for file in files}
    for me, text in zip(map(module_of, files), files.values(), strict=True):
        for name, how, line in imports(text):
            wrong = _wrong(me, module_with(name, modules), core, modules)
            if wrong:
                yield f"{me}, line {line}: imports {name} {how}: {wrong}"


def _wrong(me: str, target: str, core: Mapping[str, int], modules: set[str]) -> str:
    """What is wrong with one import; "" if nothing is."""
    top, _, rest = target.partition(".")
    folder, mine = rest.partition(".")[0], (me + ".").split(".")[1]
    if target.startswith("."):
        return "a relative import; name the module, as in `from lucid.core.node import Tensor`"
    if target == "?":
        return "" if me in SUGGEST else "which module, no test can tell; write its name there"
    if top in OUTSIDERS:
        return "" if {me, f"lucid.{mine}"} & OUTSIDERS[top] else f"only {', '.join(sorted(OUTSIDERS[top]))} may"
    if top != "lucid" or me == "lucid" or target in SUGGEST or me == target:
        return ""
    if target == "lucid" or target not in modules:
        return "no module of that name; name the one that defines it"
    if me in SUGGEST:
        return "this file imports nothing of lucid"
    if target in ALIASES:
        return "" if me in ALIASES else "an alias for users; name the module that defines it"
    if folder not in FLOOR:
        return "it is on no floor"
    if me in ALIASES:
        return "" if folder != "see" else "lucid.see is loaded when it is first used"
    if mine not in FLOOR:
        return f"{me} is on no floor"
    if folder == mine:
        later = mine == "core" and core.get(target, -1) > core.get(me, len(core))
        return "it comes later in the list of docs/reading.md" if later else ""
    return "" if FLOOR[folder] < FLOOR[mine] else f"{mine}/ may import only what is below it"


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of modules that can all be reached from each other (Tarjan 1972), those of more than one."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for target in sorted(graph.get(module, ())):
            if target not in index:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], index[target])
        if low[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in graph:
        if module not in index:
            visit(module)
    return found


def graph_of(files: Mapping[str, str]) -> dict[str, set[str]]:
    """module -> the modules of lucid that it imports, of every kind."""
    modules = {module_of(file) for file in files}
    found = {module_of(file): {module_with(i.name, modules) for i in imports(text)} for file, text in files.items()}
    return {me: (targets & modules) - {me} for me, targets in found.items()}


# -- what holds --------------------------------------------------------------------------------------------------------


def test_every_folder_is_on_a_floor() -> None:
    in_folders = {file.split("/")[1] for file in sources() if file.count("/") > 1}
    loose = {module_of(file) for file in sources() if file.count("/") == 1}
    assert in_folders - {"utils"} == set(FLOOR)
    assert loose <= {"lucid", *ALIASES, *SUGGEST}


@cache
def violations_of_lucid() -> list[str]:
    return list(violations(sources(), reading_list()))


@pytest.mark.parametrize("file", sources())
def test_imports_point_downwards(file: str) -> None:
    wrong = [text for text in violations_of_lucid() if text.startswith(f"{module_of(file)}, ")]
    assert not wrong, "\n".join(wrong)


def test_there_is_no_circle() -> None:
    assert not circles(graph_of(sources()))


def test_the_floors_are_those_of_the_page() -> None:
    """docs/reading.md shows the same order."""
    (line,) = re.findall(r"^core < ops .*$", READING.read_text(), re.MULTILINE)
    shown = [set(re.findall(r"\w+", floor)) for floor in line.split("<")]
    assert shown == FLOORS
    (sentence,) = re.findall(r"Only three files import NumPy\s*\(([^)]*)\)", READING.read_text())
    assert {module_of(file) for file in re.findall(r"`([^`]+)`", sentence)} == OUTSIDERS["numpy"]


def unlisted(file: str, text: str) -> set[str]:
    """What a file takes of a namespace that is no operation, in no list, and so perhaps not in a GPU's library."""
    import lucid.distributions  # all operations are there  # noqa: F401
    from lucid.core.array import Namespace, cpu

    known = {*vars(cpu), *dir(Namespace), "assert_in_range"}  # which is a GPU's own
    return set() if file.startswith("lucid/gpu/") else {*re.findall(r"\bxp\.([a-z]\w*)", text)} - known


def test_what_lucid_takes_of_a_namespace_is_listed() -> None:
    """Operations of others may use all of NumPy."""
    assert not {file: names for file, text in sources().items() if (names := unlisted(file, text))}
    assert unlisted("lucid/ops/new.py", "return xp.cbrt(x) + xp.exp(x)") == {"cbrt"}


def test_importing_lucid_loads_numpy_and_nothing_else_from_outside() -> None:
    program = """
import sys, numpy
before = set(sys.modules)
import lucid, lucid.nn, lucid.optim
new = {name.partition(".")[0] for name in set(sys.modules) - before}
new = {name for name in new if "cython" not in name}  # numpy.random's runtime
later = {f"lucid.{name}" for name in ("see", "datasets", "distributed", "distributions", "learn")} & set(sys.modules)
print(sorted(new - set(sys.stdlib_module_names) - {"lucid", "numpy"}), sorted(later))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[] []"


# -- and what would be noticed -----------------------------------------------------------------------------------------

PLANTED = [
    ("core/op.py", "from lucid.core.tensor import Parameter", "comes later in the list"),
    ("core/node.py", "def f():\n    from lucid.core.op import op", "inside a function: it comes later"),
    ("core/node.py", "if TYPE_CHECKING:\n    from lucid.core.op import Op", "under TYPE_CHECKING: it comes later"),
    ("core/node.py", 'import_module("lucid.core.op")', "by string: it comes later"),
    ("core/backward.py", "from lucid.ops import special", "core/ may import only what is below it"),
    ("core/array.py", "import lucid.gpu.namespace", "core/ may import only"),
    ("ops/conv.py", "from lucid.autograd.grad import grad", "ops/ may import only"),
    ("ops/conv.py", "class A:\n    def f(self):\n        import lucid.nn.module", "inside a function: ops/ may"),
    ("autograd/grad.py", "if typing.TYPE_CHECKING:\n    import lucid.nn.module", "under TYPE_CHECKING: autograd/"),
    ("nn/module.py", "from lucid.optim import SGD", "nn/ may import only"),
    ("nn/module.py", "if True:\n    from lucid.optim.sgd import SGD", "nn/ may import only"),
    ("optim/sgd.py", "import lucid.nn.module as module", "optim/ may import only"),
    ("optim/sgd.py", 'see = __import__("lucid.see")', "by string: optim/ may import only"),
    ("optim/sgd.py", 'importlib.import_module("lucid.see.page")', "by string: optim/ may import only"),
    ("optim/sgd.py", 'page = sys.modules["lucid.see.page"]', "by string: optim/ may import only"),
    ("optim/sgd.py", 'page = sys.modules.get("lucid.see.page")', "by string: optim/ may import only"),
    ("optim/sgd.py", 'page = pkgutil.resolve_name("lucid.see.page:page")', "by string: optim/ may import only"),
    ("optim/sgd.py", "importlib.import_module(name)", "no test can tell"),
    ("io/npz.py", "from lucid.data.loader import DataLoader", "io/ may import only"),
    ("gpu/namespace.py", "try:\n    import lucid.see\nexcept ImportError:\n    pass", "gpu/ may import only"),
    ("nn/module.py", "from lucid import cuda", "an alias for users"),
    ("cuda.py", "import lucid.see.page", "loaded when it is first used"),
    ("nn/module.py", "from lucid import Tensor", "name the one that defines it"),
    ("optim/sgd.py", "import lucid", "name the one that defines it"),
    ("autograd/grad.py", "from lucid.nowhere import x", "name the one that defines it"),
    ("ops/conv.py", "from .. import core", "a relative import"),
    ("nn/module.py", "from .layers import Linear", "a relative import"),
    ("core/tensor.py", "import numpy as np", "only lucid.core.array"),
    ("see/page.py", "def f():\n    from numpy.linalg import norm", "inside a function: only lucid.core.array"),
    ("nn/module.py", "import cupy", "only lucid.gpu may"),
    ("core/array.py", 'import_module("cupyx.scipy")', "by string: only lucid.gpu may"),
    ("attic.py", "from lucid.core.node import Tensor", "is on no floor"),
    ("ops/conv.py", "import lucid.attic.old", "on no floor"),
]


def planted(tmp_path: Path, **texts: str) -> dict[str, str]:
    """The files of lucid, all empty but for these: what is planted is all there is to find."""
    files = {**dict.fromkeys(sources(), ""), "lucid/attic/old.py": ""}
    for file, text in texts.items():
        (tmp_path / "planted.py").write_text(text)
        files[f"lucid/{file}"] = (tmp_path / "planted.py").read_text()
    return files


@pytest.mark.parametrize(("file", "text", "says"), PLANTED)
def test_a_planted_violation_is_caught(file: str, text: str, says: str, tmp_path: Path) -> None:
    (found,) = violations(planted(tmp_path, **{file: text}), reading_list())
    assert says in found and found.startswith(module_of(f"lucid/{file}"))


def test_what_is_allowed_is_not_caught(tmp_path: Path) -> None:
    allowed = {
        "core/op.py": "from lucid.core.node import Node, Tensor\nimport json",
        "core/array.py": "import numpy\nfrom numpy.exceptions import AxisError",
        "ops/conv.py": "from lucid.core import op\nfrom lucid.ops.pad import pad",
        "gpu/namespace.py": "def f():\n    import cupy\n    import cupyx.scipy.special",
        "see/page.py": "from lucid.optim.sgd import SGD\nimport lucid.nn.module",
        "__init__.py": "from lucid.core.node import Tensor\nfrom lucid import cuda\nimport lucid.see",
        "cuda.py": "from lucid.gpu.namespace import gpu",
    }
    assert not list(violations(planted(tmp_path, **allowed), reading_list()))


@pytest.mark.parametrize(
    "back",
    [
        "from lucid.see.page import page",
        "def f():\n    from lucid.see import page",
        "if TYPE_CHECKING:\n    import lucid.see.page",
        'import_module("lucid.see.page")',
        'sys.modules["lucid.see.page"]',
    ],
)
def test_a_planted_circle_is_found(back: str, tmp_path: Path) -> None:
    there = {"see/page.py": "from lucid.see.layout import x", "see/layout.py": "import lucid.see.drawing"}
    assert not circles(graph_of(planted(tmp_path, **there)))
    files = planted(tmp_path, **there, **{"see/drawing.py": back})
    assert circles(graph_of(files)) == [["lucid.see.drawing", "lucid.see.layout", "lucid.see.page"]]
