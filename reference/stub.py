"""What type checkers and editors cannot see by themselves.

    python -m reference.stub

Methods are attached to Tensor by the files that define them; the stub of node.py is that file without its function
bodies, and with every method that `import lucid` attaches. The names of `lucid`, `lucid.nn` and `lucid.nn.functional`
are gathered from many files, wrapped, or looked up when they are first asked for; their stubs have each function with
what it takes and gives, each layer that is one function with its options, and say of all else where it is defined.
tests/project/test_stub.py compares the stubs with what there is.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from textwrap import indent
from types import ModuleType
from typing import Any

import lucid
from lucid import _suggest
from lucid.core import node
from lucid.core.array import DType

ROOT = Path(__file__).resolve().parents[1]
IMPORTS = """\
import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload
from numpy import ndarray
from lucid.ops.indexing import ValuesIndices
"""
KNOWN = {
    "Any", "Tensor", "Leaf", "Node", "Array", "Device", "DType", "Sequence", "Callable", "Iterator", "None",
    "ValuesIndices",
}  # fmt: skip
BUILTINS = {"int", "float", "bool", "str", "tuple", "list", "dict"}  # of which Tensor has methods, some of them

# What an annotation in the source cannot say: results that depend on the arguments, and NumPy's types.
ALONG = "dim: builtins.int, keepdim: builtins.bool = ...", "*, axis: builtins.int, keepdims: builtins.bool = ..."
EXTREME = [f"({along}) -> ValuesIndices" for along in ALONG] + ["(other: Tensor) -> Tensor", "() -> Tensor"]
OVERLOADS = {
    "max": EXTREME, "min": EXTREME, "median": [EXTREME[0], EXTREME[1], EXTREME[3]],
    "size": ["() -> builtins.tuple[builtins.int, ...]", "(dim: builtins.int) -> builtins.int"],
}  # fmt: skip
RESULTS = {
    "item": "builtins.int | Any", "grad": "Tensor | Any",  # whose use is refused neither as an int nor a float, ...
    "numpy": "ndarray[Any, Any]", "__array__": "ndarray[Any, Any]", "where": "Tensor",
    "__eq__": "Tensor:  # type: ignore[override]", "__ne__": "Tensor:  # type: ignore[override]",
    **dict.fromkeys(("max_pool1d", "max_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d"), "Tensor"),
}  # fmt: skip


def words(text: object) -> set[str]:
    """The names in an annotation."""
    return set() if text is inspect.Parameter.empty else set(re.findall(r"[A-Za-z_][\w.]*", str(text)))


def annotation(text: object, missing: str) -> str:
    """An annotation as it can stand in a stub; one with a name that is not known there becomes Any."""
    if text is inspect.Parameter.empty:
        return missing
    if words(text) - KNOWN - BUILTINS:
        return "Any"
    return re.sub(r"\b(int|float|bool|str|tuple|list|dict)\b", r"builtins.\1", str(text))


def signature(function: Any) -> tuple[str, str]:
    """The arguments and the result of a function, or of its signature; those of an operation are Any and Tensor."""
    of = function if isinstance(function, inspect.Signature) else inspect.signature(function)
    parts, keyword = [name for name in of.parameters if name == "self"], False
    for p in list(of.parameters.values())[len(parts) :]:
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        if p.kind is p.KEYWORD_ONLY and not keyword and not any("*" in part for part in parts):
            parts.append("*")
        keyword = keyword or p.kind is p.KEYWORD_ONLY
        default = "" if p.default is p.empty else " = ..."
        parts.append(f"{star}{p.name}: {annotation(p.annotation, 'Any')}{default}")
    numpys = {"dim": "axis", "dims": "axis", "keepdim": "keepdims"} if hasattr(function, "__wrapped__") else {}
    also = [f"{numpys[p.name]}: Any = ..." for p in of.parameters.values() if p.name in numpys]
    if also and not any("*" in part for part in parts):
        also.insert(0, "*")
    return f"({', '.join(parts + also)})", annotation(of.return_annotation, "Tensor")


def definition(name: str, function: Any, first: str) -> Iterator[str]:
    """The lines of a function whose first argument is `first`, where there are several forms."""
    for text in OVERLOADS.get(name, ()):
        yield f"@overload\ndef {name}({first}{', ' * (text[1] != ')')}{text[1:]}: ..."
    if name not in OVERLOADS:
        arguments, result = signature(function)
        if first != "self":  # a method under a function's name
            arguments = arguments.replace("(self", "(self: Tensor", 1)
        result, _, comment = RESULTS.get(name, result).partition(":")
        yield f"def {name}{arguments} -> {result}: ...{comment}"


def attached() -> Iterator[str]:
    """The methods and properties of Tensor that node.py does not define."""
    own = {item.name for item in _class(ast.parse(inspect.getsource(node))).body if isinstance(item, ast.FunctionDef)}
    for name, value in vars(node.Tensor).items():
        if isinstance(value, property) and name not in own:
            getter = inspect.signature(value.fget).return_annotation  # type: ignore[arg-type]
            yield f"    @property\n    def {name}(self) -> {RESULTS.get(name) or annotation(getter, 'Any')}: ..."
            if value.fset is not None:
                yield f"    @{name}.setter\n    def {name}(self, value: Any) -> None: ..."
        elif inspect.isfunction(value) and name not in own:
            first, *rest = inspect.signature(value).parameters.values()
            method = value if first.name == "self" else _with_self(value, first, rest)
            yield indent("\n".join(definition(name, method, "self")), "    ")


def _with_self(function: Any, first: inspect.Parameter, rest: list[inspect.Parameter]) -> Any:
    """A function on tensors as a method, whose first argument is called self."""
    method = partial(function)
    vars(method).update(vars(function))  # whether it is wrapped
    method.__signature__ = inspect.signature(function).replace(  # type: ignore[attr-defined]
        parameters=[first.replace(name="self", kind=first.POSITIONAL_ONLY), *rest]
    )
    return method


def _class(tree: ast.Module) -> ast.ClassDef:
    return next(item for item in tree.body if isinstance(item, ast.ClassDef) and item.name == "Tensor")


class _Bare(ast.NodeTransformer):
    """Functions without bodies, and nothing with a docstring."""

    def visit_FunctionDef(self, item: ast.FunctionDef) -> ast.FunctionDef:
        item.body = [ast.Expr(ast.Constant(...))]
        return item

    def visit_ClassDef(self, item: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(item)
        item.body = [part for part in item.body if not isinstance(part, ast.Expr)] or [ast.Expr(ast.Constant(...))]
        return item


def of_node() -> str:
    """The stub of node.py."""
    assert lucid.Tensor is node.Tensor  # everything is attached
    tree = _Bare().visit(ast.parse(inspect.getsource(node)))
    tree.body = [item for item in tree.body[1:] if not isinstance(item, ast.Expr)]
    text = ast.unparse(ast.fix_missing_locations(tree))
    text = re.sub(r":\n +\.\.\.$", ": ...", text, flags=re.MULTILINE)
    head, tail = text.split("class Tensor:\n", 1)
    body = re.match(r"(?: .*\n|\n)*", tail).group()  # type: ignore[union-attr]
    own = re.sub(r"(?<=[:>\[ ])(int|float|bool|str|tuple|list|dict)\b", r"builtins.\1", body)
    head = head.replace("import itertools\n", f"{IMPORTS}import itertools\n", 1)
    says = '"""Written by `python -m reference.stub`: node.py without bodies, with the methods of other files."""\n'
    return f"{says}{head}class Tensor:\n{own.rstrip()}\n" + "\n".join(attached()) + f"\n\n{tail[len(body) :]}\n"


def aliases(owner: str) -> list[str]:
    """The other names of what a module has, from the table of them."""
    return sorted(getattr(_suggest, "NAMES", {}).get(owner, {}))


def spelled(value: Any) -> bool:
    """Whether it is a class that stands in a file, and was not made in a loop."""
    if not inspect.isclass(value):
        return False
    source = sys.modules[value.__module__]
    return not source.__name__.startswith("lucid") or f"class {value.__name__}" in inspect.getsource(source)


def of_names(module: ModuleType) -> str:
    """The stub of a module that gathers names."""
    lines, written = ["from lucid.core.array import Device, DType", "from lucid.core.node import Tensor"], []
    for name in (*module.__all__, *aliases(module.__name__)):
        value = getattr(module, name)
        home, its = getattr(value, "__module__", None) or "", getattr(value, "__name__", "")
        if isinstance(value, ModuleType):  # one without a file is made when it is asked for, and no checker finds it
            home, _, its = value.__name__.rpartition(".") if getattr(value, "__file__", None) else ("", "", "")
        asked = {word for text in getattr(value, "__annotations__", {}).values() for word in words(text)}
        if inspect.isfunction(value) and not asked - KNOWN - BUILTINS:
            written += definition(name, value, "x: Any")
        elif isinstance(takes := getattr(value, "__signature__", None), inspect.Signature):  # a FunctionModule
            lines.append(f"from {home} import {its} as _{name}")
            arguments = signature(takes)[0].replace("(", "(self, ", 1).replace(", )", ")")
            written.append(f"class {name}(_{name}):\n    def __init__{arguments} -> None: ...")
        elif isinstance(value, ModuleType) and home or inspect.isroutine(value) or spelled(value):
            lines.append(f"from {home} import {its} as {name}")
        else:
            kind = "DType" if isinstance(value, DType) else type(value).__name__.removesuffix("Type")
            known = {"DType": kind, "None": kind, "float": "builtins.float"}
            written.append(f"{name}: {known.get(kind, 'Any')}")
    says = f'"""Written by `python -m reference.stub`: what is public in {module.__name__}."""\n'
    return f"{says}{IMPORTS}" + "\n".join([*sorted(lines), *written, f"__all__ = {list(module.__all__)!r}", ""])


STUBS = {
    "core/node.pyi": of_node,
    "__init__.pyi": lambda: of_names(lucid) + "__version__: builtins.str\n",
    "nn/__init__.pyi": lambda: of_names(lucid.nn),
    "nn/functional.pyi": lambda: of_names(lucid.nn.functional),
}

if __name__ == "__main__":
    for file, text in STUBS.items():
        (ROOT / "lucid" / file).write_text(text())
        print(f"lucid/{file}: {text().count(chr(10))} lines")
