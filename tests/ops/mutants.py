"""Gradient formulas with one thing wrong in them: what the table must notice (test_mutants.py).

The formulas, and the helper functions that they call, are read from the source of every module that has operations. A
mutant is one of them with one expression changed. The forwards keep the helpers as they are: a slip that forward and
formula share would be another function, with the right gradient.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

TABLE = sys.modules["lucid.core.op"].OPS  # `lucid.op` itself is the decorator
OWN = {name: spec for name, spec in TABLE.items() if spec.forward.__module__.startswith("lucid.")}


@dataclass(frozen=True)
class Formula:
    """An expression in a decorator: the formula of an input, what is computed once, or the recipe of what is kept."""

    op: str
    kind: str  # "vjps", "shared" or "aux_outputs"
    name: str
    module: str
    tree: ast.expr

    def label(self) -> str:
        return f"{self.module.rpartition('.')[2]}.{self.op}.{self.name}"

    def ops(self) -> set[str]:
        return {self.op}

    def text(self) -> str:
        return ast.unparse(self.tree)

    def install(self, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the operation use `made` from now on."""
        spec = OWN[self.op]
        monkeypatch.setitem(getattr(spec, self.kind), self.name, made)
        monkeypatch.setattr(spec, "vjp", spec.vjp_with({**spec.shared, **spec.vjps}))


@dataclass(frozen=True)
class Helper:
    """A function that formulas call, and the formulas that do."""

    module: str
    name: str
    tree: ast.stmt
    users: tuple[Formula, ...]

    def label(self) -> str:
        return f"{self.module.rpartition('.')[2]}.{self.name}"

    def ops(self) -> set[str]:
        return {user.op for user in self.users}


# -- what there is ---------------------------------------------------------------------------------------------------


@cache
def source(module: str) -> ast.Module:
    return ast.parse(Path(sys.modules[module].__file__).read_text())


@cache
def formulas() -> tuple[Formula, ...]:
    """Every formula of every operation in lucid."""
    found = []
    for module in sorted({spec.forward.__module__ for spec in OWN.values()}):
        for function in source(module).body:
            name = getattr(function, "name", "").removeprefix("_")  # what `op` makes of `_gelu`
            makers = function.decorator_list if isinstance(function, ast.FunctionDef) else []
            if isinstance(function, ast.Assign):  # floor = library_function("floor", ...)
                name, makers = ast.unparse(function.targets[0]), [function.value]
            for made in makers:
                if isinstance(made, ast.Call) and ast.unparse(made.func) in ("op", "library_function"):
                    for keyword in made.keywords:
                        if keyword.arg in ("aux_outputs", "shared"):
                            parts = zip(keyword.value.keys, keyword.value.values, strict=True)
                            found += [Formula(name, keyword.arg, k.value, module, v) for k, v in parts]
                        elif keyword.arg in OWN[name].vjps:
                            found.append(Formula(name, "vjps", keyword.arg, module, keyword.value))
    return tuple(found)


@cache
def own_functions(module: str) -> dict[str, ast.stmt]:
    """The functions of a module that are not operations, by name."""
    found = {}
    for node in source(module).body:
        if isinstance(node, ast.FunctionDef) and not hasattr(vars(sys.modules[module])[node.name], "op"):
            found[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            found[node.targets[0].id] = node
    return found


def calls(module: str, tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The functions that a piece of code of `module` uses, as (module, name): its own, or another's with operations."""
    modules = {spec.forward.__module__ for spec in OWN.values()}
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}  # softplus's `threshold`, say
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in arguments:
            if node.id in own_functions(module):
                yield module, node.id
            value = vars(sys.modules[module]).get(node.id)
            there = getattr(value, "__module__", None)
            if there != module and there in modules and getattr(value, "__name__", "") in own_functions(there):
                yield there, value.__name__


@cache
def reached(module: str, tree: ast.AST) -> frozenset[tuple[str, str]]:
    """The same, with the functions that those use in turn."""
    found: set[tuple[str, str]] = set()
    frontier = list(calls(module, tree))
    while frontier:
        if (helper := frontier.pop()) not in found:
            found.add(helper)
            frontier += calls(helper[0], own_functions(helper[0])[helper[1]])
    return frozenset(found)


@cache
def helpers() -> tuple[Helper, ...]:
    """Every function that a formula uses."""
    users: dict[tuple[str, str], list[Formula]] = {}
    for formula in formulas():
        for helper in reached(formula.module, formula.tree):
            users.setdefault(helper, []).append(formula)
    return tuple(Helper(m, n, own_functions(m)[n], tuple(found)) for (m, n), found in sorted(users.items()))


# -- one thing wrong -------------------------------------------------------------------------------------------------

OPPOSITE: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
# xp.name(...): arguments to exchange
SWAPPED = {"matmul": (0, 1), "subtract": (0, 1), "divide": (0, 1), "where": (1, 2)}


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of one expression: its sign flipped, a factor dropped, operands exchanged, a constant
    changed, a condition turned into its opposite, one branch for both."""
    match node:
        case ast.BinOp(left, op, right):
            if type(op) in OPPOSITE:
                yield ast.BinOp(left, OPPOSITE[type(op)](), right)
            if isinstance(op, ast.Sub | ast.Div | ast.MatMult | ast.Pow):
                yield ast.BinOp(right, op, left)
            if isinstance(op, ast.Mult | ast.Div | ast.FloorDiv | ast.Mod | ast.Pow):
                yield left
            if isinstance(op, ast.Mult):
                yield right
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield operand
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Compare(left, [op], comparators):
            yield ast.Compare(left, [OPPOSITE[type(op)]()], comparators)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(OPPOSITE[type(op)](), values)
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.Call(ast.Attribute(ast.Name("xp"), name) as function, arguments, keywords) if name in SWAPPED:
            i, j = SWAPPED[name]
            if len(arguments) > j:
                exchanged = list(arguments)
                exchanged[i], exchanged[j] = arguments[j], arguments[i]
                yield ast.Call(function, exchanged, keywords)
        case ast.Call(ast.Attribute(xp, "maximum" | "minimum" as name), arguments, keywords):
            other = "minimum" if name == "maximum" else "maximum"
            yield ast.Call(ast.Attribute(xp, other, ast.Load()), arguments, keywords)


NO_PLACE = (ast.Raise, ast.Assert, ast.arguments, ast.expr_context, ast.unaryop, ast.boolop, ast.cmpop)


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Where the expressions of a piece of code stand: (parent, field, place in the list or None)."""
    for field, value in ast.iter_fields(tree):
        for i, part in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(part, ast.operator):
                if isinstance(tree, ast.AugAssign) and type(part) in OPPOSITE:
                    yield tree, field, i
            elif isinstance(part, ast.AST) and not isinstance(part, NO_PLACE):
                docstring = isinstance(tree, ast.Expr) and isinstance(part, ast.Constant)
                strict = isinstance(tree, ast.keyword) and tree.arg == "strict"  # zip's: an assertion
                if not docstring and not strict and field not in ("returns", "decorator_list"):
                    yield tree, field, i
                    yield from places(part)


@dataclass(frozen=True)
class Mutant:
    """A formula or helper with one thing wrong; `text` says which."""

    code: Formula | Helper
    text: str
    wrong: CodeType  # what to evaluate, or to execute, for it

    def key(self) -> str:
        return f"{self.code.label()}: {self.text}"

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the operations concerned use it."""
        if isinstance(self.code, Formula):
            self.code.install(eval(self.wrong, vars(sys.modules[self.code.module])), monkeypatch)
            return
        for user in self.code.users:
            scope = scope_with(user.module, self.code, self.wrong)
            user.install(eval(compile(ast.Expression(user.tree), user.label(), "eval"), scope), monkeypatch)


def scope_with(module: str, helper: Helper, wrong: CodeType) -> dict[str, Any]:
    """The globals of a module in which one helper, its own or another module's, is replaced for those who call it."""
    scope = dict(vars(sys.modules[module]))
    for name, value in list(scope.items()):
        there = getattr(value, "__module__", None)
        if there != module and (there, getattr(value, "__name__", "")) in concerned(helper):
            scope[name] = scope_with(there, helper, wrong)[value.__name__]
    for name, tree in own_functions(module).items():
        if (module, name) == (helper.module, helper.name):
            exec(wrong, scope)
        elif (module, name) in concerned(helper):
            exec(compile(ast.Module([tree], []), module, "exec"), scope)
    return scope


@cache
def concerned(helper: Helper) -> frozenset[tuple[str, str]]:
    """A helper, and the helpers that call it."""
    me = (helper.module, helper.name)
    return frozenset({me} | {(h.module, h.name) for h in helpers() if me in reached(h.module, h.tree)})


def as_it_is(code: Formula | Helper, text: str = "") -> Mutant:
    """A piece of code as its tree has it now."""
    whole = ast.Expression(code.tree) if isinstance(code, Formula) else ast.Module([code.tree], [])
    kind = "eval" if isinstance(code, Formula) else "exec"
    return Mutant(code, text, compile(ast.fix_missing_locations(whole), f"<mutant of {code.label()}>", kind))


def mutants(code: Formula | Helper) -> Iterator[Mutant]:
    """Everything that can be wrong with a piece of code, one thing at a time."""
    seen: dict[str, int] = {}
    for parent, field, i in places(code.tree):
        value = getattr(parent, field)
        part = value if i is None else value[i]
        others = [OPPOSITE[type(part)]()] if isinstance(part, ast.operator) else variants(part)
        for other in others:
            text = f"{said(part, parent)} -> {said(other, parent)}"
            seen[text] = seen.get(text, 0) + 1
            text += f" ({seen[text]})" if seen[text] > 1 else ""
            put(parent, field, i, other)
            try:
                yield as_it_is(code, text)
            finally:
                put(parent, field, i, part)


def said(part: ast.AST, parent: ast.AST) -> str:
    if isinstance(part, ast.operator):
        return ast.unparse(ast.AugAssign(parent.target, part, parent.value))
    if isinstance(part, ast.Constant):  # with what stands around it
        return f"{ast.unparse(part)} in {ast.unparse(parent)}" if isinstance(parent, ast.expr) else ast.unparse(part)
    return ast.unparse(part)


def put(parent: ast.AST, field: str, i: int | None, part: ast.AST) -> None:
    if i is None:
        setattr(parent, field, part)
    else:
        getattr(parent, field)[i] = part
