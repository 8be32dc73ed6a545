"""The vjps as mathematics, one line for each: what a person would write on a blackboard.

`formulas.txt` has them as Python expressions, so that a test can evaluate them, and compare. Where the source of a vjp
reads as well it has no line there, and its source is what is shown.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from math import prod
from pathlib import Path
from typing import Any

from lucid.core.op import Op
from lucid.see.names import active_branch, formulas, with_numbers

POWERS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
LETTERS = {"weight": "W", "query": "Q", "key": "K", "pi": "π", "sigma": "σ", "alpha": "α", "beta": "β", "delta": "δ"}
EACH = re.compile(r"\beach\((\w+)\)")
SIGNS: list[tuple[str, Any]] = [
    (r"\b(xp|math)\.", ""), (r" \*\* (\d+)\b", lambda power: power[1].translate(POWERS)), (r" \*\* ", "^"),
    (" @ ", " "), (r"\.T\b", "ᵀ"), (r" \* ", " · "), (r"(?<!\de)-", "−"), ("<=", "≤"), (">=", "≥"), ("==", "="),
    ("!=", "≠"), (r"\bsqrt\((\w+)\)", r"√\1"), (r"\b[a-z]+\b", lambda word: LETTERS.get(word[0], word[0])),
]  # fmt: skip


@cache
def _table() -> dict[str, tuple[str, str]]:
    """Operation and input -> the expression, and what it names besides."""
    lines = (Path(__file__).parent / "formulas.txt").read_text("utf-8").splitlines()
    rows = (line.partition(": ") for line in lines if not line.startswith("#"))
    return {key: (formula, note) for key, _, text in rows for formula, _, note in [text.partition("  # ")]}


def expression(op: Op, name: str, source: str) -> tuple[str, str]:
    """The vjp of an input as an expression, and what that names besides; of an operation of a user's own its source."""
    return (source, "") if op.user_defined else _table().get(f"{op.name} {name}", (source, ""))


def typeset(formula: str) -> str:
    """An expression as mathematics, in plain text.

    >>> typeset("g * (1 - out**2)"), typeset("g.T @ weight"), typeset("each(g) / n")
    ('g · (1 − out²)', 'gᵀ W', 'g / n')
    """
    text = _even(formula)
    return formula if text is None else _signs(text)


@lru_cache(1 << 12)
def _signs(text: str) -> str:
    for pattern, sign in SIGNS:
        text = re.sub(pattern, sign, text)
    return text


@cache
def _even(formula: str) -> str | None:
    """An expression evenly spaced, without each(); None for what is none, of a Function's backward, say."""
    try:
        return ast.unparse(ast.parse(EACH.sub(r"\1", formula), mode="eval"))
    except SyntaxError:
        return None


def mathematics(node: Any, saved: Mapping[str, Any], few: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(formula, the same with numbers in it or "", what it names besides) for each input of a node, as mathematics."""
    lines = []
    for (name, source), parent in zip(formulas(node), node.inputs, strict=False):
        formula, note = source, ""
        if type(node.op) is Op:
            formula, note = expression(node.op, name.partition("[")[0], source)
            if saved.get("reduction", "mean") != "mean":
                formula = formula.removesuffix(" / n")
            if parent is not None and "labels" not in node.op.inputs:
                few = {"n": str(prod(parent.shape) // max(prod(node.shape), 1)), **few}
        formula = active_branch(formula, saved)
        lines.append((typeset(formula), _signs(with_numbers(_even(formula) or "", few)), note))
    return lines
