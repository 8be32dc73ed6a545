"""Types of Tensor's methods, for type checkers and editors: lucid/core/node.pyi.

    python -m reference.stub

Methods are attached to Tensor by the files that define them, which a checker cannot see. The stub is node.py without
its function bodies, and with every method that `import lucid` attaches; tests/project/test_stub.py compares the two.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import lucid
from lucid.core import node

ROOT = Path(__file__).resolve().parents[1]
STUB = ROOT / "lucid" / "core" / "node.pyi"
HEAD = '''"""Written by `python -m reference.stub`: node.py without bodies, with the methods that other files attach."""
'''
KNOWN = {"Any", "Tensor", "Leaf", "Node", "Array", "Device", "DType", "Sequence", "Callable", "Iterator", "None"}
BUILTINS = {"int", "float", "bool", "str", "tuple", "list", "dict"}  # of which Tensor has methods, some of them


def annotation(text: object, missing: str) -> str:
    """An annotation as it can stand inside the class; a name that node.py does not know becomes Any."""
    if text is inspect.Parameter.empty:
        return missing
    names = set(re.findall(r"[A-Za-z_][\w.]*", str(text)))
    if names - KNOWN - BUILTINS:
        return "Any"
    return re.sub(r"\b(int|float|bool|str|tuple|list|dict)\b", r"builtins.\1", str(text))


def signature(function: object) -> str:
    """The arguments and the result of a method; those of an operation are Any and Tensor."""
    parameters, parts, keyword = list(inspect.signature(function).parameters.values()), ["self"], False  # type: ignore[arg-type]
    for p in parameters[1:]:
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        if p.kind is p.KEYWORD_ONLY and not keyword and not any("*" in part for part in parts):
            parts.append("*")
        keyword = keyword or p.kind is p.KEYWORD_ONLY
        default = "" if p.default is p.empty else " = ..."
        parts.append(f"{star}{p.name}: {annotation(p.annotation, 'Any')}{default}")
    result = annotation(inspect.signature(function).return_annotation, "Tensor")  # type: ignore[arg-type]
    return f"({', '.join(parts)}) -> {result}"


def attached() -> Iterator[str]:
    """The methods and properties of Tensor that node.py does not define."""
    own = {item.name for item in _class(ast.parse(inspect.getsource(node))).body if isinstance(item, ast.FunctionDef)}
    for name, value in vars(node.Tensor).items():
        if isinstance(value, property) and name not in own:
            getter = inspect.signature(value.fget).return_annotation  # type: ignore[arg-type]
            yield f"    @property\n    def {name}(self) -> {annotation(getter, 'Any')}: ..."
            if value.fset is not None:
                yield f"    @{name}.setter\n    def {name}(self, value: Any) -> None: ..."
        elif inspect.isfunction(value) and name not in own:
            text = signature(value)  # `==` of object gives a bool
            yield f"    def {name}{text.replace('-> Tensor', '-> Any') if name in ('__eq__', '__ne__') else text}: ..."


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


def written() -> str:
    """The whole stub."""
    assert lucid.Tensor is node.Tensor  # everything is attached
    tree = _Bare().visit(ast.parse(inspect.getsource(node)))
    tree.body = [item for item in tree.body[1:] if not isinstance(item, ast.Expr)]
    text = ast.unparse(ast.fix_missing_locations(tree))
    text = re.sub(r":\n +\.\.\.$", ": ...", text, flags=re.MULTILINE)
    head, tail = text.split("class Tensor:\n", 1)
    body = re.match(r"(?: .*\n|\n)*", tail).group()  # type: ignore[union-attr]
    own = re.sub(r"(?<=[:>\[ ])(int|float|bool|str|tuple|list|dict)\b", r"builtins.\1", body)
    methods = "\n".join(attached())
    imports = "import builtins\nfrom collections.abc import Iterator, Sequence\n"
    head = head.replace("import itertools\n", imports + "import itertools\n", 1)
    return f"{HEAD}{head}class Tensor:\n{own.rstrip()}\n{methods}\n\n{tail[len(body):]}\n"


if __name__ == "__main__":
    STUB.write_text(written())
    print(f"{STUB.relative_to(ROOT)}: {len(STUB.read_text().splitlines())} lines")
