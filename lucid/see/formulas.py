"""The text of a gradient formula as it stands in the source, and with the numbers put in.

A formula is a function, and its code knows where in which file it was written. So its text is looked up there: what is
shown is what runs, for lucid's own operations and for a user's alike.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from lucid.autograd.function import Function
from lucid.core.op import Op

LONGEST = 160  # letters of a formula with its numbers; beyond that the text without them says more


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
        return [(name, source_text(backward)) for name, _ in zip(names, node.inputs, strict=False)]
    return [("input", f"g, as output {spec.index}")] if hasattr(spec, "index") else [("input", "g")] * len(node.inputs)


def saved_values(node: Any) -> dict[str, Any]:
    """What a node saved, by the names that its formulas have for it; "out" also where provenance kept it."""
    saved = dict(zip(node.op.saved_names, node.saved, strict=False)) if node.op is not None and node.saved else {}
    return saved | {"out": node.out} if hasattr(node, "out") else saved


@cache
def source_text(formula: Callable[..., Any]) -> str:
    """The expression that a function returns, as written, on one line; of any other function a call."""
    function = inspect.unwrap(formula)
    code = getattr(function, "__code__", None)
    try:
        arguments = ", ".join(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a builtin function
        arguments = ""
    call = f"{getattr(function, '__qualname__', type(function).__name__)}({arguments})"
    if code is None:
        return call
    source = "".join(linecache.getlines(code.co_filename))
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
    arguments = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    if arguments != list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]):
        return False
    if (code.co_name == "<lambda>") is not isinstance(node, ast.Lambda):
        return False
    first, last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    positions = [(line, start) for line, _, start, end in code.co_positions() if end]  # the first instruction has none
    return bool(positions) and all(first <= position <= last for position in positions)


@cache
def _parsed(formula: str) -> ast.Expression:
    return ast.parse(formula, mode="eval")


def active_branch(formula: str, values: Mapping[str, Any]) -> str:
    """Of a formula `a if test else b` the branch that applies where the names have these values."""
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
    try:
        tree = _parsed(formula)
    except SyntaxError:
        return ""
    functions = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in functions and n.id != "xp"]
    owners = {id(n.value) for n in ast.walk(tree) if isinstance(n, (ast.Attribute, ast.Subscript))}
    if isinstance(tree.body, ast.Name) or not names:
        return ""
    if any(n.id not in values or id(n) in owners for n in names):  # 0.5.shape would not help
        return ""
    result = formula
    for name in sorted(names, key=lambda name: name.col_offset, reverse=True):
        number = values[name.id]
        number = f"({number})" if number.startswith("-") else number
        result = result[: name.col_offset] + number + result[name.end_col_offset :]
    result = result.replace("xp.", "")
    return result if len(result) <= LONGEST else ""
