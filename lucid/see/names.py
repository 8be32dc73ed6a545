"""What stands in the source: the user's names of tensors, modules and nodes, and the text of gradient formulas.

A graph knows no names: `w` is a variable of the program. So what draws a graph names a tensor as the function
that called it does; parameters go by their paths. A formula is a function, and its text is looked up where it
was written: what is shown is what runs, for lucid's operations and for a user's alike.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from lucid.autograd.function import Function
from lucid.autograd.provenance import Provenance, provenance
from lucid.core.node import Leaf, Node, Tensor
from lucid.core.op import Op
from lucid.core.tensor import Parameter
from lucid.nn.module import Module
from lucid.see.text import shape_text

ASSIGNMENT = re.compile(r"(\w+)\s*=\s*(.+)")
LONGEST = 160  # letters of a formula with its numbers; beyond that the text without them says more


class Names:
    """The names of nodes and arrays: first `names` (name -> Tensor or Module), then the parameters of
    `model`, a Module, by their paths alone, then the variables of `frame`."""

    def __init__(self, names: Mapping[str, Any] | None, model: Any, frame: Any) -> None:
        self.nodes, self.arrays = {}, {}  # type: dict[Node, str], dict[int, str]
        self.tensors: dict[Node, Tensor] = {}
        self.taken = set[str]()
        self._provenances: dict[Node, Provenance | None] = {}
        self._module_paths: dict[int, dict[int, str]] = {}
        self._arrays_alive: list[Any] = []  # an array's id is its own as long as it lives
        for name, value in (names or {}).items():
            if not isinstance(name, str) or not isinstance(value, (Tensor, Module)):
                raise TypeError(f"names: expected a dict of names to Tensors and Modules, got {name!r}: {value!r}")
            self._add(name, value)
        if not isinstance(model, Module | None):
            raise TypeError(f"model: expected a lucid.nn.Module, got {type(model).__name__}")
        self._add("", model)
        if frame is not None:
            variables = {**frame.f_globals, **frame.f_locals}
            variables = {name: value for name, value in variables.items() if not name.startswith("_")}
            models = {id(v) for v in variables.values() if isinstance(v, Module) and list(v.parameters())}
            for name, value in variables.items():
                self._add("" if len(models) == 1 and isinstance(value, Module) else name, value)

    def _add(self, name: str, value: Any) -> None:
        if isinstance(value, Module):
            for path, tensor in (*value.named_parameters(), *value.named_buffers()):
                self._add(f"{name}.{path}" if name else path, tensor)
        elif isinstance(value, Tensor):
            self.arrays.setdefault(id(value._array), name)
            self._arrays_alive.append(value._array)
            if value._node is not None:
                self.nodes.setdefault(value._node, name)
                self.taken.add(name)
                self.tensors.setdefault(value._node, value)

    def provenance(self, node: Node) -> Provenance | None:
        """Where a node came from, looked up once."""
        if node not in self._provenances:
            self._provenances[node] = provenance(node, self._module_paths)
        return self._provenances[node]

    def name_of(self, node: Node) -> str:
        """The name of a node: its tensor's, or what the line that made it assigns its result to, if no node that was
        asked for before has that name; "" if it has none. Ask for the newest first: a variable is what it was last."""
        if node not in self.nodes:
            made_at = self.provenance(node)
            assigned = ASSIGNMENT.fullmatch(made_at.text) if made_at is not None else None
            known = assigned and made_at and assigned[2] == made_at.expression and assigned[1] not in self.taken
            self.nodes[node] = assigned[1] if assigned and known else ""
            self.taken.add(self.nodes[node])
        return self.nodes[node]

    def describe(self, node: Any) -> str:
        """The name of a node; of a nameless one its operation, or its kind and shape."""
        return self.name_of(node) or (node.name() if kind(node) == "op" else f"{kind(node)} {shape_text(node.shape)}")


def kind(node: Node) -> str:
    """Whether a node is a "parameter", another "leaf", or an "op"."""
    return "op" if type(node) is not Leaf else "parameter" if isinstance(node.tensor(), Parameter) else "leaf"


def formulas(node: Any) -> list[tuple[str, str]]:
    """(input, formula) for each differentiable input of a node's operation, in the order of its parents."""
    spec = node.op
    if type(spec) is Op:
        if spec.variadic:
            ((name, formula),) = spec.vjps.items()
            return [(f"{name}[{i}]", f"{source_text(formula)}[{i}]") for i in range(len(node.inputs))]
        return [(name, source_text(formula)) for name, formula in spec.vjps.items()]
    if backward := getattr(getattr(spec, "function", None), "backward", None):  # a Function
        names = list(inspect.signature(spec.function.forward).parameters)
        names = names[spec.function.setup_context is Function.setup_context :]  # without one, the first is ctx
        names += [f"argument {i}" for i in range(len(names), len(node.inputs))]
        return [(name, source_text(backward)) for name in names[: len(node.inputs)]]
    return [("input", f"g, as output {spec.index}")] if hasattr(spec, "index") else [("input", "g")] * len(node.inputs)


def saved_values(node: Any) -> dict[str, Any]:
    """What a node saved, by the names that its formulas have for it; "out" also where provenance kept it."""
    saved = dict(zip(node.op.saved_names, node.saved, strict=False)) if node.op is not None and node.saved else {}
    return saved | {"out": node.out} if hasattr(node, "out") else saved


@cache
def source_text(formula: Callable[..., Any]) -> str:
    """The expression that a function returns, as written, on one line; of any other function a call."""
    function = inspect.unwrap(formula)
    try:
        arguments = ", ".join(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a builtin function
        arguments = ""
    call = f"{getattr(function, '__qualname__', type(function).__name__)}({arguments})"
    code = getattr(function, "__code__", None)
    source = "".join(linecache.getlines(code.co_filename)) if code is not None else ""
    definitions = [node for node in _functions(source) if _compiles_to(node, code)]
    if len(definitions) != 1:
        return call
    body = definitions[0].body
    if isinstance(body, list):
        body = [line for line in body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))]
        if len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None:
            return call
        body = body[0].value
    return " ".join((ast.get_source_segment(source, body) or call).split()).replace("( ", "(").replace(" )", ")")


@cache
def _functions(source: str) -> list[Any]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a notebook's cell with magic in it
        return []
    return [node for node in ast.walk(tree) if isinstance(node, (ast.Lambda, ast.FunctionDef))]


def _compiles_to(node: Any, code: Any) -> bool:
    """Whether `code` was compiled from the function `node`: same arguments, and all its instructions stand inside."""
    arguments = tuple([arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)])
    same = arguments == code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if not same or (code.co_name == "<lambda>") is not isinstance(node, ast.Lambda):
        return False
    first, last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    positions = [(line, start) for line, _, start, end in code.co_positions() if end]  # the first instruction has none
    return bool(positions) and all(first <= position <= last for position in positions)


_parsed = cache(partial(ast.parse, mode="eval"))


def active_branch(formula: str, values: Mapping[str, Any]) -> str:
    """Of a formula `a if test else b` the branch that applies where the names have these values."""
    if " if " not in formula:
        return formula
    try:
        body = _parsed(formula).body
        while isinstance(body, ast.IfExp):
            test = compile(ast.Expression(body.test), "<formula>", "eval")
            body = body.body if eval(test, {"__builtins__": {}}, dict(values)) else body.orelse
        return ast.get_source_segment(formula, body) or formula
    except Exception:  # a test that needs more than its arguments: then show the whole formula
        return formula


def with_numbers(formula: str, values: Mapping[str, str]) -> str:
    """A formula with numbers in the place of names; "" where that would not help.

    >>> with_numbers("g * (1 - out * out)", {"g": "1", "out": "-0.5"})
    '1 * (1 - (-0.5) * (-0.5))'
    """
    names = _names_in(formula)
    if not names or not all(name in values for name, _, _ in names):
        return ""
    for name, start, end in names:
        number = f"({values[name]})" if values[name].startswith("-") else values[name]
        formula = formula[:start] + number + formula[end:]
    formula = formula.replace("xp.", "")
    return formula if len(formula) <= LONGEST else ""


@cache
def _names_in(formula: str) -> list[tuple[str, int, int]]:
    """(name, its first column, that after it) in a formula, the last first; none where numbers would not help."""
    try:
        tree = _parsed(formula)
    except SyntaxError:
        return []
    functions = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in functions and n.id != "xp"]
    owners = {id(n.value) for n in ast.walk(tree) if isinstance(n, (ast.Attribute, ast.Subscript))}
    if isinstance(tree.body, ast.Name) or any(id(n) in owners for n in names):  # 0.5.shape
        return []
    return sorted([(n.id, n.col_offset, n.end_col_offset or 0) for n in names], key=lambda name: -name[1])
