"""One optimizer step, number by number: what the equation makes of one parameter.

The rule that moves a parameter is pure, so it can be evaluated without moving anything. `explain` gives it what `step`
would give it, and shows what it returns beside what was there before, for the elements that move most.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from math import inf
from textwrap import dedent, indent, wrap
from typing import Any, NamedTuple

from lucid.core.array import cpu, float64, namespace, to_numpy
from lucid.optim.buckets import compute_dtype, new_state
from lucid.optim.rule import evaluate_rule, step_scalar_names
from lucid.optim.validation import WHOLE, check_gradient_and_state, check_hyperparameter

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

    def __str__(self) -> str:
        lines = [self.title, *wrap(f"group: {assignments(self.options)}", 100, subsequent_indent="    ")]
        if self.numbers:
            lines += wrap(f"now: {assignments(self.numbers)}", 100, subsequent_indent="    ")
            lines += wrap(self.about, 96, initial_indent="    ", subsequent_indent="    ")
        if self.equation:
            lines += ["equation:", indent(self.equation, "    ")]
        for note in self.notes:
            lines += wrap(note, 100, subsequent_indent="    ")
        width = max(map(len, self.table), default=0)
        for start in range(0, len(self.table.get("index", ())), SIDE_BY_SIDE):
            columns = slice(start, start + SIDE_BY_SIDE)
            rows = {label: [cell(value) for value in values[columns]] for label, values in self.table.items()}
            longest = max(len(text) for row in rows.values() for text in row)
            lines += [""] * (start > 0)
            for label, row in rows.items():
                lines += ["  ".join([f"  {label:{width}}", *(f"{text:>{longest}}" for text in row)])]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

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
            lines += [TABLE, *(row(label, values) for label, values in self.table.items()), "</table>"]
        return "\n".join([*lines, "</div>"])


TABLE = '<table style="border-collapse: collapse; color: inherit; font: inherit">'
LINE = "border-bottom: 1px solid rgba(128, 128, 128, 0.4); padding: 0.2em 0.8em"
NUMBER = f'style="text-align: right; font-variant-numeric: tabular-nums; {LINE}"'
LABEL = f'scope="row" style="text-align: left; {LINE}"'


def explain(
    optimizer: Any, parameter: Any, count: int, preview: Callable[[Any, int, int], Explanation] | None = None
) -> Explanation:
    """What `optimizer.step()` would do to `parameter`; `Optimizer.explain` says the rest.

    `preview` computes it for a parameter, the number of its group and its place there; by the rule, unless given. The
    table that it returns has whole arrays of one dimension: state, by its labels, and the new theta, "theta after".
    """
    name = type(optimizer).__name__
    count = int(check_hyperparameter(f"{name}.explain", "largest", count, WHOLE))
    i, j = position(optimizer, parameter)
    group = optimizer.param_groups[i]
    options = optimizer._group_options(f"{name}, group {i}", group).checked
    names = group.get("param_names")
    which = names[j] if names and j < len(names) else f"parameter {j} of group {i}"
    kind = f"shape {tuple(parameter.shape)}, {parameter.dtype}"
    t = optimizer.state.get(parameter, {}).get("t", 0)
    if parameter._grad is None:
        note = f"It has no gradient, so step() skips it: it does not move, and its t stays {t}."
        return Explanation(f"{name}, no step of {which}: {kind}", t, options, {}, "", "", [note], {})

    with cpu.quiet():
        whole = preview(parameter, i, j) if preview else preview_rule(optimizer, parameter, i, j)
        table, notes = table_of(parameter, whole.table, options.get("lr", 0.0), count)
    title = f"{name}, step {whole.t} of {which}: {kind}"
    return whole._replace(title=title, options=options, notes=[*whole.notes, *notes], table=table)


def position(optimizer: Any, parameter: Any) -> tuple[int, int]:
    """The number of the parameter's group, and its place there.

    Raises:
        ValueError: if it is in no group.
    """
    for i, group in enumerate(optimizer.param_groups):
        for j, p in enumerate(group["params"]):
            if p is parameter:
                return i, j
    shape = f" of shape {tuple(parameter.shape)}" if hasattr(parameter, "shape") else ""
    raise ValueError(
        f"{type(optimizer).__name__}.explain: expected one of the parameters of this optimizer, got a "
        f"{type(parameter).__name__}{shape} that is none; give the very object, such as model[0].weight, or "
        "optimizer.param_groups[0]['params'][0]"
    )


def preview_rule(optimizer: Any, p: Any, i: int, j: int) -> Explanation:
    """What the rule returns for the arguments of the next step: in float32 at least, whatever the parameter has."""
    name, entry = type(optimizer).__name__, optimizer.state.get(p, {})
    options, static, memory, initial = optimizer._group_options(f"{name}, group {i}", optimizer.param_groups[i])
    check_gradient_and_state(f"{name}, group {i}: parameter {j}", p, entry, memory)
    theta, g = p._array, p._grad._array
    wide, xp = compute_dtype(theta.dtype), namespace(theta)
    t = entry.get("t", 0) + 1
    numbers = optimizer.step_scalars(options, t)
    state = {slot: entry.get(slot, initial.get(slot, 0)) for slot in memory if slot is not None}
    before = [None if slot is None else new_state(theta, state[slot]).reshape(-1) for slot in memory]
    flat, slope = theta.astype(wide).reshape(-1), g.astype(wide).reshape(-1)
    new, after = evaluate_rule(optimizer.rule, xp, flat, slope, before, numbers, static)
    columns: dict[str, Any] = {}
    for slot, old, value in zip(memory, before, after, strict=True):
        if slot is not None:
            columns |= {slot: old, f"{slot} after": value}
    base = optimizer.step_scalars.__qualname__.startswith("Optimizer.")  # the learning rate alone
    about = "" if base else " ".join((inspect.getdoc(optimizer.step_scalars) or "").split())
    named = dict(zip(step_scalar_names(optimizer.rule, len(optimizer.slots), len(numbers)), numbers, strict=True))
    columns["theta after"] = new.astype(theta.dtype)
    return Explanation("", t, {}, named, about, rule_source(optimizer.rule), [], columns)


def table_of(p: Any, columns: dict[str, Any], lr: float, count: int) -> tuple[dict[str, list[Any]], list[str]]:
    """The table for those elements that move most, first those that become NaN; and notes on all of them."""
    theta, g = (to_numpy(array).reshape(-1) for array in (p._array, p._grad._array))
    new = to_numpy(columns.pop("theta after"))
    moves = new.astype(float64) - theta.astype(float64)
    order = cpu.argsort(cpu.where(cpu.isnan(moves), -inf, -cpu.abs(moves)), kind="stable")[:count]
    notes = []
    if theta.dtype.itemsize < 4:
        notes += [f"State and arithmetic are float32; the new theta is rounded to {theta.dtype} when it is stored."]
    infinite = g.size - int(cpu.sum(cpu.isfinite(g)))
    if infinite:
        notes += [f"{infinite} of {g.size} gradients are not finite: they spoil their own elements, and no others."]
    which = f"; the {len(order)} that move most:" if 0 < len(order) < g.size else ":" if g.size else "."
    notes += [f"{int(cpu.sum(moves != 0))} of {g.size} elements move{which}"]
    if not g.size:
        return {}, notes
    columns = {"theta": theta, "g": g, **columns, "move": moves}
    table: dict[str, list[Any]] = {"index": [unravel(int(k), tuple(p.shape)) for k in order]}
    table |= {label: to_numpy(array)[order].tolist() for label, array in columns.items()}
    table["move / lr"] = [move / lr if lr else None for move in table["move"]]
    table["move / g"] = [move / slope if slope else None for move, slope in zip(table["move"], table["g"], strict=True)]
    table["theta after"] = new[order].tolist()
    return table, notes


def unravel(k: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of the element with the number `k` in reading order.

    >>> unravel(5, (2, 3))
    (1, 2)
    """
    index: list[int] = []
    for length in reversed(shape):
        k, i = divmod(k, length)
        index.insert(0, i)
    return tuple(index)


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
    lines = iter(inspect.cleandoc(documented.__doc__).splitlines())
    first = next((line for line in lines if line.startswith("    ")), "")
    return dedent("\n".join([first, *takewhile(lambda line: line.startswith("    "), lines)]))
