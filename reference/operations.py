"""The page of the operations: each as it stands in the source, its forward below its vjps."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from lucid.core.op import OPS, Op
from lucid.see.formulas import expression, typeset
from lucid.see.names import source_text
from reference.pages import introduced, markdown, namespaces, operation, title_of

# What a definition names besides: the engine, and what makes a public form of an operation.
ENGINE = {f"lucid.core.{name}" for name in ("array", "events", "node", "promotion", "op")}
MATHEMATICS = (
    "Below, the gradient of each input is given as mathematics: g is the gradient of out, the result; · multiplies "
    "elements, and matrices stand side by side; a comparison is 1 where it holds and 0 elsewhere; n is how many "
    "elements a mean is over, and 1 for a sum. A test evaluates these lines (`tests/see/test_formulas.py`). "
    "The source is a click away."
)
PUBLIC_FORMS = {"reduction", "accepts_axis"}


def page() -> str:
    """The whole of lucid's table of derivatives, file by file, after the file that says how to read it."""
    files: dict[str, list[Op]] = {}
    for spec in OPS.values():
        if not spec.user_defined:
            files.setdefault(spec.forward.__module__, []).append(spec)
    text = introduced("lucid.core.op", "Operations", 1) + [MATHEMATICS]
    for module, specs in files.items():
        text += introduced(module, title_of(module), 2)
        text += [part for spec in specs for part in shown(spec)]
        helpers = dict.fromkeys(helper for spec in specs for helper in helpers_of(spec.forward))
        text += ["### Functions that these use", *map(source, helpers)] if helpers else []
    return "\n\n".join(text)


def shown(spec: Op) -> Iterator[str]:
    """One operation: its equation, its gradients as mathematics, behind a click its text, and where it is public."""
    yield f"### `{spec.name}` {{#op-{spec.name}}}"
    yield markdown(inspect.getdoc(spec.forward) or "")
    lines = {name: expression(spec, name, source_text(vjp)) for name, vjp in spec.vjps.items()}
    if lines:
        rows = [f"| {name} | {typeset(formula)} | {note} |" for name, (formula, note) in lines.items()]
        yield "\n".join(["| gradient of | is | where |" if any(note for _, note in lines.values()) else
                         "| gradient of | is | |", "| --- | --- | --- |", *rows])  # fmt: skip
    yield '<details markdown="1"><summary>source</summary>'
    yield source(spec.forward)
    yield "</details>"
    public = [f"{space}.{name}" for space, names in namespaces().items() for name in names]
    if found := [path for path in public if operation(*path.rsplit(".", 1)) is spec]:
        yield "Public as " + ", ".join(f"[`{path}`][]" for path in found) + "."


def source(function: Any) -> str:
    """A function's text as a block of code, with the comment above it and without its docstring, which stands above."""
    function = inspect.unwrap(function)  # without what a decorator made of it
    text = text_of(function)
    (definition,) = ast.parse(text).body
    lines = text.splitlines()
    if isinstance(definition, ast.FunctionDef) and ast.get_docstring(definition):
        del lines[definition.body[0].lineno - 1 : definition.body[0].end_lineno]
    comments = inspect.getcomments(function) or "" if isinstance(definition, ast.FunctionDef) else ""
    return "\n".join(["```python", *comments.splitlines(), *lines, "```"])


def text_of(function: Any) -> str:
    """A function's own text, or the assignment that makes it: `floor = library_function("floor", ...)`."""
    text = inspect.getsource(function)
    if not text.startswith(" "):
        return text
    module = inspect.getsource(sys.modules[function.__module__])
    assignments = [node for node in ast.parse(module).body if isinstance(node, ast.Assign)]
    (made,) = [node for node in assignments if ast.unparse(node.targets[0]) == function.__name__]
    return ast.get_source_segment(module, made) or ""


def helpers_of(function: Any) -> list[FunctionType]:
    """The plain functions that an operation's forward and vjps call, and those that these call."""
    found = [inspect.unwrap(function)]
    for caller in found:  # which grows as it is read
        for node in ast.walk(ast.parse(text_of(caller))):
            used = caller.__globals__.get(node.id) if isinstance(node, ast.Name) else None
            plain = isinstance(used, FunctionType) and not hasattr(used, "op") and used not in found
            shown = plain and used.__module__.startswith("lucid.") and used.__module__ not in ENGINE
            found += [used] if shown and used.__name__ not in PUBLIC_FORMS else []
    return found[1:]
