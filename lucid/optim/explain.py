"""What does an optimizer step do to one parameter, number by number?

A rule is pure, so it can be evaluated without moving anything. `explain` gives it what `step` would give it,
and shows what it returns beside what was there before, for the elements that move most.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from itertools import takewhile
from math import inf, prod
from textwrap import dedent, indent, wrap
from typing import Any, NamedTuple

from lucid.core.array import cpu, float64, namespace, to_numpy
from lucid.optim.buckets import GroupOptions, compute_dtype
from lucid.optim.chunks import new_state
from lucid.optim.rule import evaluate_rule, step_scalar_names
from lucid.optim.validation import WHOLE, check_gradient_and_state

SIDE_BY_SIDE = 5  # columns of numbers that fit a terminal


class Explanation(NamedTuple):
    """One step of one parameter, as `Optimizer.explain` gives it: printed as text, in a notebook shown as HTML."""

    title: str  # whose step this is, and of which parameter
    t: int  # which update of this parameter it is, counted from 1
    options: dict[str, Any]  # the hyperparameters of its group
    numbers: dict[str, Any]  # what the rule is given for this t, bias corrections for example
    about: str  # what these numbers are
    equation: str  # the rule, as it stands in the source; "" if its source cannot be found
    notes: list[str]  # what the numbers do not show
    table: dict[str, list[Any]]  # for the elements that move most: index, theta, g, slots before and after, ...

    def __repr__(self) -> str:
        lines = [self.title, *wrap(f"group: {assignments(self.options)}", 100, subsequent_indent="    ")]
        if self.numbers:
            lines += wrap(f"now: {assignments(self.numbers)}", 100, subsequent_indent="    ")
            lines += wrap(self.about, 96, initial_indent="    ", subsequent_indent="    ")
        if self.equation:
            lines += ["equation:", indent(self.equation, "    ")]
        lines += [line for note in self.notes for line in wrap(note, 100, subsequent_indent="    ")]
        width = max(map(len, self.table), default=0)
        for start in range(0, len(self.table.get("index", ())), SIDE_BY_SIDE):
            columns = slice(start, start + SIDE_BY_SIDE)
            rows = {label: [cell(value) for value in values[columns]] for label, values in self.table.items()}
            longest = max(len(text) for row in rows.values() for text in row)
            lines += [""] * (start > 0)
            for label, row in rows.items():
                lines += ["  ".join([f"  {label:{width}}", *(f"{text:>{longest}}" for text in row)])]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The same for a notebook, in the colours of the page, light or dark: tables do not always take them."""
        from html import escape

        def row(label: str, values: Sequence[Any]) -> str:
            cells = "".join(f"<td {NUMBER}>{escape(cell(value))}</td>" for value in values)
            return f"<tr><th {LABEL}>{escape(label)}</th>{cells}</tr>"

        lines = ["<div>", f"<p><b>{escape(self.title)}</b></p>", f"<p>group: {escape(assignments(self.options))}</p>"]
        if self.numbers:
            lines += [f"<p>now: {escape(assignments(self.numbers))}. {escape(self.about)}</p>"]
        if self.equation:
            lines += [f'<pre style="margin-left: 2em">{escape(self.equation)}</pre>']
        lines += [f"<p>{escape(note)}</p>" for note in self.notes]
        if self.table:
            lines += ['<table style="border-collapse: collapse; color: inherit; font: inherit">']
            lines += [*(row(label, values) for label, values in self.table.items()), "</table>"]
        return "\n".join([*lines, "</div>"])


LINE = "border-bottom: 1px solid rgba(128, 128, 128, 0.4); padding: 0.2em 0.8em"
NUMBER = f'style="text-align: right; font-variant-numeric: tabular-nums; {LINE}"'
LABEL = f'scope="row" style="text-align: left; {LINE}"'


def explain(optimizer: Any, parameter: Any, count: int) -> Explanation:
    """What `step()` would do to `parameter`; see `Optimizer.explain`. A ValueError if it is in no group."""
    name = type(optimizer).__name__
    count = WHOLE(f"{name}.explain", "largest", count)
    groups = enumerate(optimizer.param_groups)
    position = next(((i, j) for i, g in groups for j, p in enumerate(g["params"]) if p is parameter), None)
    if position is None:
        shape = f" of shape {tuple(parameter.shape)}" if hasattr(parameter, "shape") else ""
        raise ValueError(
            f"{name}.explain: expected one of the parameters of this optimizer, got a {type(parameter).__name__}"
            f"{shape} that is none; give the very object, such as model[0].weight, or "
            "optimizer.param_groups[0]['params'][0]"
        )
    i, j = position
    context, group = f"{name}, group {i}", optimizer.param_groups[i]
    settings, names = optimizer._group_options(context, group), group.get("param_names")
    which = names[j] if names and j < len(names) else f"parameter {j} of group {i}"
    kind = f"shape {tuple(parameter.shape)}, {parameter.dtype}"
    t = optimizer.state.get(parameter, {}).get("t", 0)
    if parameter._grad is None:
        note = f"It has no gradient, so step() skips it: it does not move, and its t stays {t}."
        return Explanation(f"{name}, no step of {which}: {kind}", t, settings.checked, {}, "", "", [note], {})

    with cpu.quiet():
        if hasattr(optimizer, "_preview"):  # there is no rule
            preview, equation = optimizer._preview(parameter), equation_in(type(optimizer))
        else:
            preview = preview_rule(optimizer, parameter, f"{context}: parameter {j}", settings)
            equation = rule_source(optimizer.rule)
        t, numbers, about, notes, columns = preview
        table, more = table_of(parameter, columns, settings.checked.get("lr", 0.0), count)
    title = f"{name}, step {t} of {which}: {kind}"
    return Explanation(title, t, settings.checked, numbers, about, equation, [*notes, *more], table)


Preview = tuple[int, dict[str, Any], str, list[str], dict[str, Any]]  # t, numbers, about, notes, and flat arrays


def preview_rule(optimizer: Any, p: Any, context: str, settings: GroupOptions) -> Preview:
    """What the rule returns for the arguments of the next step: in float32 at least, whatever the parameter has.
    The last is state, by its labels, and the new theta, "theta after", whole and in one dimension."""
    theta, entry, slots = p._array, optimizer.state.get(p, {}), settings.slots
    check_gradient_and_state(context, p, entry, slots)
    t = entry.get("t", 0) + 1
    scalars = optimizer.step_scalars(settings.checked, t)
    state = {slot: entry.get(slot, settings.initial.get(slot, 0)) for slot in slots if slot is not None}
    before = [None if slot is None else new_state(theta, state[slot]) for slot in slots]
    wide, g = (array.astype(compute_dtype(theta.dtype)) for array in (theta, p._grad._array))
    new, after = evaluate_rule(optimizer.rule, namespace(theta), wide, g, before, scalars, settings.static)
    columns: dict[str, Any] = {}
    for slot, old, value in zip(slots, before, after, strict=True):
        if slot is not None and old is not None:
            columns |= {slot: old.reshape(-1), f"{slot} after": value.reshape(-1)}
    base = optimizer.step_scalars.__qualname__.startswith("Optimizer.")  # the learning rate alone
    about = "" if base else " ".join((inspect.getdoc(optimizer.step_scalars) or "").split())
    names = step_scalar_names(optimizer.rule, len(optimizer.slots), len(scalars))
    columns["theta after"] = new.reshape(-1).astype(theta.dtype)
    return t, dict(zip(names, scalars, strict=True)), about, [], columns


def table_of(p: Any, columns: dict[str, Any], lr: float, count: int) -> tuple[dict[str, list[Any]], list[str]]:
    """The table for those elements that move most, first those that become NaN; and notes on all of them."""
    theta, g = (to_numpy(array).reshape(-1) for array in (p._array, p._grad._array))
    new = to_numpy(columns.pop("theta after"))
    moves = new.astype(float64) - theta.astype(float64)
    order = cpu.argsort(cpu.where(cpu.isnan(moves), -inf, -cpu.abs(moves)), kind="stable")[:count]
    notes = []
    if theta.dtype.itemsize < 4:
        notes += [f"State and arithmetic are float32; the new theta is rounded to {theta.dtype} when it is stored."]
    if infinite := g.size - int(cpu.sum(cpu.isfinite(g))):
        notes += [f"{infinite} of {g.size} gradients are not finite: they spoil their own elements, and no others."]
    which = f"; the {len(order)} that move most:" if 0 < len(order) < g.size else ":" if g.size else "."
    notes += [f"{int(cpu.sum(moves != 0))} of {g.size} elements move{which}"]
    if not g.size:
        return {}, notes
    columns = {"theta": theta, "g": g, **columns, "move": moves}
    strides = [(prod(p.shape[i + 1 :]), length) for i, length in enumerate(p.shape)]
    table: dict[str, list[Any]] = {"index": [tuple(k // s % length for s, length in strides) for k in order.tolist()]}
    table |= {label: to_numpy(array)[order].tolist() for label, array in columns.items()}
    table["move / lr"] = [move / lr if lr else None for move in table["move"]]
    table["move / g"] = [move / slope if slope else None for move, slope in zip(table["move"], table["g"], strict=True)]
    table["theta after"] = new[order].tolist()
    return table, notes


def cell(value: Any) -> str:
    """A value as text: five digits of a number, and a dash for None."""
    return "-" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def assignments(values: Mapping[str, Any]) -> str:
    """Names and values in one line."""
    return ", ".join(f"{k}={v:.6g}" if type(v) is float else f"{k}={v}" for k, v in values.items())


def rule_source(rule: Any) -> str:
    """A rule's source below its docstring; "" if it cannot be found."""
    try:
        source = dedent(inspect.getsource(rule))
        (function,) = ast.parse(source).body
    except (OSError, TypeError, SyntaxError, ValueError):  # typed at a prompt, or no plain function
        return ""
    if not isinstance(function, ast.FunctionDef):
        return ""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = (first.end_lineno or 0) if documented else first.lineno - 1
    return dedent("\n".join(source.splitlines()[start:]))


def equation_in(documented: Any) -> str:
    """The first indented lines of a docstring: the equation, where there is no rule."""
    lines = iter((inspect.getdoc(documented) or "").splitlines())
    first = next((line for line in lines if line.startswith("    ")), "")
    return dedent("\n".join([first, *takewhile(lambda line: line.startswith("    "), lines)]))
