"""The text of a gradient formula as it stands in the source, and with the numbers put in.

A formula is a function, and its code knows where in the file it was written. So the text is looked up there rather
than kept: what is shown is what runs, of lucid's own operations and of a user's alike.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from lucid.autograd.function import Function, SelectOutput
from lucid.core.op import Op

LONGEST = 160  # letters of a formula with its numbers; beyond that the text without them says more


def formulas(node: Any) -> list[tuple[str, str]]:
    """(input, formula) for each differentiable input of a node's operation, in the order of its parents."""
    spec = node.op
    if type(spec) is Op:
        if spec.variadic:
            ((name, formula),) = spec.vjps.items()
            return [(f"{name}[{i}]", f"{text(formula)}[{i}]") for i in range(len(node.inputs))]
        return [(name, text(formula)) for name, formula in spec.vjps.items()]
    if backward := getattr(getattr(spec, "function", None), "backward", None):  # a Function
        return [(_argument(spec, i), text(backward)) for i in range(len(node.inputs))]
    return [("input", f"g, as output {spec.index}" if isinstance(spec, SelectOutput) else "g")] * len(node.inputs)


def _argument(spec: Any, i: int) -> str:
    """The name of a Function's argument."""
    names = list(inspect.signature(spec.function.forward).parameters)
    names = names[spec.function.setup_context is Function.setup_context :]  # where there is none, the first is ctx
    return names[i] if i < len(names) else f"argument {i}"


@cache
def text(formula: Callable[..., Any]) -> str:
    """What a function returns, as it is written; of one that has no single expression, a call of it; on one line."""
    function = inspect.unwrap(formula)
    code = getattr(function, "__code__", None)
    call = f"{getattr(function, '__qualname__', type(function).__name__)}({', '.join(_names(function))})"
    if code is None:
        return call
    source = "".join(linecache.getlines(code.co_filename))
    found = [node for node in _functions(source) if _is(node, code)]
    if len(found) != 1:
        return call
    body = found[0].body
    if isinstance(body, list):
        body = [part for part in body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
        if len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None:
            return call
        body = body[0].value
    return " ".join((ast.get_source_segment(source, body) or call).split()).replace("( ", "(").replace(" )", ")")


def _names(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # one that is not Python's
        return []


@cache
def _functions(source: str) -> list[Any]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a notebook's cell with magic in it
        return []
    return [node for node in ast.walk(tree) if isinstance(node, (ast.Lambda, ast.FunctionDef))]


def _is(node: Any, code: Any) -> bool:
    """Whether `code` was made of the function `node`: its instructions all stand in there, and the arguments agree."""
    if (code.co_name == "<lambda>") is not isinstance(node, ast.Lambda) or not _same_arguments(node, code):
        return False
    first, last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    places = [(line, start) for line, _, start, end in code.co_positions() if end]  # the first instruction has none
    return bool(places) and all(first <= place <= last for place in places)


def _same_arguments(node: Any, code: Any) -> bool:
    names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return names == list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


@cache
def _parsed(formula: str) -> ast.Expression:
    return ast.parse(formula, mode="eval")


def taken(formula: str, known: Mapping[str, Any]) -> str:
    """Of a formula `a if test else b` the branch that is taken where names mean what `known` says."""
    try:
        body = _parsed(formula).body
        while isinstance(body, ast.IfExp):
            test = compile(ast.Expression(body.test), "<formula>", "eval")
            body = body.body if eval(test, {"__builtins__": {}}, dict(known)) else body.orelse
        return ast.get_source_segment(formula, body) or formula
    except Exception:  # a test that leans on more than its arguments: the whole formula is the answer then
        return formula


def filled(formula: str, values: Mapping[str, str]) -> str:
    """A formula with numbers in the places of names; "" where that would be no help.

    >>> filled("g * (1 - out * out)", {"g": "1", "out": "-0.5"})
    '1 * (1 - (-0.5) * (-0.5))'
    """
    try:
        tree = _parsed(formula)
    except SyntaxError:
        return ""
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called and n.id != "xp"]
    owners = {id(n.value) for n in ast.walk(tree) if isinstance(n, (ast.Attribute, ast.Subscript))}
    if isinstance(tree.body, ast.Name) or not names:
        return ""
    if any(n.id not in values or id(n) in owners for n in names):  # nobody is helped by 0.5.shape
        return ""
    result = formula
    for name in sorted(names, key=lambda name: name.col_offset, reverse=True):
        number = values[name.id]
        number = f"({number})" if number.startswith("-") else number
        result = result[: name.col_offset] + number + result[name.end_col_offset :]
    result = result.replace("xp.", "")
    return result if len(result) <= LONGEST else ""
