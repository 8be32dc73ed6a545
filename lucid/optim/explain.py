"""Chapter 8, continued. A step as a lesson: what the equation makes of one parameter, number by number.

The rule that moves a parameter is pure, so it can be asked what it would do without doing it. `explain` gives it what
`step` would give it and keeps what it returns, beside what was there before, for the elements that move most.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from itertools import dropwhile, takewhile
from math import inf
from textwrap import dedent, indent, wrap
from typing import Any, NamedTuple

from lucid.backend import Array, cpu, float64, namespace, to_numpy
from lucid.optim.buckets import check_gradient_and_state, compute_dtype, new_state
from lucid.optim.lbfgs import LBFGS, dot, gradient, largest
from lucid.optim.optimizer import Optimizer
from lucid.optim.rule import evaluate_rule, step_scalar_names
from lucid.optim.validation import WHOLE, check_hyperparameter

SIDE_BY_SIDE = 5  # columns of numbers that fit a terminal


class Explanation(NamedTuple):
    """One step of one parameter, as `Optimizer.explain` gives it: printed as text, in a notebook shown as HTML."""

    title: str  # whose step this is, and of which parameter
    t: int  # which update of this parameter it is, counted from 1
    options: dict[str, Any]  # the hyperparameters of its group
    numbers: dict[str, Any]  # what the rule is given for this t, bias corrections for example
    about: str  # what these numbers are
    equation: str  # the rule, as it stands in the source; "" where there is no source to be found
    notes: list[str]  # what is to be known beside the numbers
    table: dict[str, list[Any]]  # for the elements that move most: index, theta, g, slots before and after, ...

    def __str__(self) -> str:
        lines = [self.title, *wrap(f"group: {listing(self.options)}", 100, subsequent_indent="    ")]
        if self.numbers:
            lines += wrap(f"now: {listing(self.numbers)}", 100, subsequent_indent="    ")
            lines += wrap(self.about, 96, initial_indent="    ", subsequent_indent="    ")
        if self.equation:
            lines += ["equation:", indent(self.equation, "    ")]
        for note in self.notes:
            lines += wrap(note, 100, subsequent_indent="    ")
        width = max(map(len, self.table), default=0)
        for start in range(0, len(self.table.get("index", ())), SIDE_BY_SIDE):
            columns = slice(start, start + SIDE_BY_SIDE)
            rows = {label: [shown(value) for value in values[columns]] for label, values in self.table.items()}
            cell = max(len(text) for row in rows.values() for text in row)
            lines += [""] * (start > 0)
            for label, row in rows.items():
                lines += ["  ".join([f"  {label:{width}}", *(f"{text:>{cell}}" for text in row)])]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """The same for a notebook, in the colours of the page, be it light or dark: tables do not always take them."""
        from html import escape

        def row(label: str, values: Sequence[Any]) -> str:
            cells = "".join(f"<td {NUMBER}>{escape(shown(value))}</td>" for value in values)
            return f"<tr><th {LABEL}>{escape(label)}</th>{cells}</tr>"

        texts = [f"group: {listing(self.options)}"]
        texts += [f"now: {listing(self.numbers)}. {self.about}"] if self.numbers else []
        return "\n".join([
            "<div>",
            f"<p><b>{escape(self.title)}</b></p>",
            *(f"<p>{escape(text)}</p>" for text in texts),
            *([f'<pre style="margin-left: 2em">{escape(self.equation)}</pre>'] if self.equation else []),
            *(f"<p>{escape(note)}</p>" for note in self.notes),
            *(['<table style="border-collapse: collapse; color: inherit; font: inherit">'] if self.table else []),
            *(row(label, values) for label, values in self.table.items()),
            *(["</table>"] if self.table else []),
            "</div>",
        ])  # fmt: skip


LINE = "border-bottom: 1px solid rgba(128, 128, 128, 0.4); padding: 0.2em 0.8em"
NUMBER = f'style="text-align: right; font-variant-numeric: tabular-nums; {LINE}"'
LABEL = f'scope="row" style="text-align: left; {LINE}"'


class Foreseen(NamedTuple):
    """What a step would make of a parameter: arrays of one dimension, and what is to be said of them."""

    t: int
    numbers: dict[str, Any]
    about: str
    equation: str
    notes: list[str]
    columns: dict[str, Array]  # what stands in the table between the gradient and the move
    theta: Array  # the new one, in the parameter's dtype


def explain(optimizer: Optimizer, parameter: Any, count: int) -> Explanation:
    """What `optimizer.step()` would do to `parameter`; `Optimizer.explain` says the rest."""
    name = type(optimizer).__name__
    count = int(check_hyperparameter(f"{name}.explain", "largest", count, WHOLE))
    i, j = place(optimizer, parameter)
    group = optimizer.param_groups[i]
    options = optimizer._group_options(f"{name}, group {i}", group).checked
    given = group.get("param_names")
    which = given[j] if given and j < len(given) else f"parameter {j} of group {i}"
    kind = f"shape {tuple(parameter.shape)}, {parameter.dtype}"
    t = optimizer.state.get(parameter, {}).get("t", 0)
    if parameter._grad is None:
        note = f"It has no gradient, so step() passes it over: it does not move, and its t stays {t}."
        return Explanation(f"{name}, no step of {which}: {kind}", t, options, {}, "", "", [note], {})

    with cpu.quiet():
        foreseen = (along_a_line if isinstance(optimizer, LBFGS) else by_rule)(optimizer, parameter, i, j)
        table, notes = tabled(parameter, foreseen, options.get("lr", 0.0), count)
    t, numbers, about, equation, more, *_ = foreseen
    title = f"{name}, step {t} of {which}: {kind}"
    return Explanation(title, t, options, numbers, about, equation, [*more, *notes], table)


def place(optimizer: Optimizer, parameter: Any) -> tuple[int, int]:
    """The group of the parameter, and where it stands there.

    Raises:
        ValueError: if it is in no group.
    """
    for i, group in enumerate(optimizer.param_groups):
        for j, p in enumerate(group["params"]):
            if p is parameter:
                return i, j
    name, found = type(optimizer).__name__, f"a {type(parameter).__name__}"
    if hasattr(parameter, "shape"):
        found += f" of shape {tuple(parameter.shape)}"
    raise ValueError(
        f"{name}.explain: expected one of the parameters of this optimizer, got {found} that is none; give the very "
        "object, such as model[0].weight, or optimizer.param_groups[0]['params'][0]"
    )


def by_rule(optimizer: Optimizer, p: Any, i: int, j: int) -> Foreseen:
    """What the rule returns for what the runner would give it: in float32 at least, whatever the parameter has."""
    name, entry = type(optimizer).__name__, optimizer.state.get(p, {})
    options, static, memory, initial = optimizer._group_options(f"{name}, group {i}", optimizer.param_groups[i])
    check_gradient_and_state(f"{name}, group {i}: parameter {j}", p, entry, memory)
    theta, g = p._array, p._grad._array
    wide, xp = compute_dtype(theta.dtype), namespace(theta)
    t = entry.get("t", 0) + 1
    numbers = optimizer.step_scalars(options, t)
    held = {slot: entry.get(slot, initial.get(slot, 0)) for slot in memory if slot is not None}
    before = [None if slot is None else new_state(theta, held[slot]).reshape(-1) for slot in memory]
    flat, slope = theta.astype(wide).reshape(-1), g.astype(wide).reshape(-1)
    new, after = evaluate_rule(optimizer.rule, xp, flat, slope, before, numbers, static)
    columns: dict[str, Array] = {}
    for slot, old, value in zip(memory, before, after, strict=True):
        if slot is not None:
            columns |= {slot: old, f"{slot} after": value}
    own = type(optimizer).step_scalars is not Optimizer.step_scalars
    about = " ".join((inspect.getdoc(optimizer.step_scalars) or "").split()) if own else ""
    called = dict(zip(step_scalar_names(optimizer.rule, len(optimizer.slots), len(numbers)), numbers, strict=True))
    return Foreseen(t, called, about, body(optimizer.rule), [], columns, new.astype(theta.dtype))


def along_a_line(optimizer: Any, p: Any, i: int, j: int) -> Foreseen:
    """The first iteration of LBFGS's next step, if its closure finds the gradients that there are now."""
    options = optimizer._group_options(f"{optimizer._name}, group 0", optimizer.param_groups[0]).checked
    params = [q for q in optimizer.param_groups[0]["params"] if q._grad is not None]
    for at, q in enumerate(optimizer.param_groups[0]["params"]):
        if q._grad is not None:
            context = f"{optimizer._name}, group 0: parameter {at}"
            check_gradient_and_state(context, q, optimizer.state.get(q, {}), ("g", "move"))
    g, at = gradient(params), next(at for at, q in enumerate(params) if q is p)
    k, g_before, move, pairs = optimizer._remembered(params)
    theta = p._array.astype(g[at].dtype).reshape(-1)
    notes = [
        f"One step makes up to {options['max_iter']:g} iterations, and this is the first of the next one, from the "
        "gradients that there are now: those of all parameters go into d."
    ]
    if largest(g) <= options["tolerance_grad"]:
        notes += [f"No gradient is above tolerance_grad={options['tolerance_grad']:g}, so it would stay where it is."]
        return Foreseen(k + 1, {}, "", formula(LBFGS), notes, {}, theta.astype(p.dtype))
    t, d = optimizer._heading(k + 1, g, g_before, move, pairs, options)
    slope = dot(g, d)
    new = theta + t * d[at].reshape(-1)
    if slope > -options["tolerance_change"]:
        notes += ["Along d it hardly goes downhill any more, so it would stay where it is."]
        new = theta
    elif options["line_search_fn"]:
        notes += ["The line search begins with this t; where it goes on to is for the closure to say."]
    numbers = {"t": t, "slope": slope, "pairs": len(pairs)}
    about = "How many times d it goes, what the loss loses along d at first, and how many s, y there are."
    return Foreseen(k + 1, numbers, about, formula(LBFGS), notes, {"d": d[at].reshape(-1)}, new.astype(p.dtype))


def tabled(p: Any, foreseen: Foreseen, lr: float, count: int) -> tuple[dict[str, list[Any]], list[str]]:
    """The table for those elements that move most, first the ones that are NaN by then; and notes on all of them."""
    theta, g = (to_numpy(array).reshape(-1) for array in (p._array, p._grad._array))
    new = to_numpy(foreseen.theta)
    moves = new.astype(float64) - theta.astype(float64)
    order = cpu.argsort(cpu.where(cpu.isnan(moves), -inf, -cpu.abs(moves)), kind="stable")[:count]
    notes = []
    if theta.dtype.itemsize < 4:
        notes += [f"State and arithmetic are float32; the new theta is rounded to {theta.dtype} when it is stored."]
    spoiled = g.size - int(cpu.sum(cpu.isfinite(g)))
    if spoiled:
        notes += [f"{spoiled} of {g.size} gradients are not finite: they spoil their own elements, and no others."]
    which = f"; the {len(order)} that move most:" if 0 < len(order) < g.size else ":" if g.size else "."
    notes += [f"{int(cpu.sum(moves != 0))} of {g.size} elements move{which}"]
    if not g.size:
        return {}, notes
    columns = {"theta": theta, "g": g, **foreseen.columns, "move": moves}
    table: dict[str, list[Any]] = {"index": [index(int(at), tuple(p.shape)) for at in order]}
    table |= {label: to_numpy(array)[order].tolist() for label, array in columns.items()}
    table["move / lr"] = [move / lr if lr else None for move in table["move"]]
    table["move / g"] = [move / slope if slope else None for move, slope in zip(table["move"], table["g"], strict=True)]
    table["theta after"] = new[order].tolist()
    return table, notes


# -- words -----------------------------------------------------------------------------------------------------------


def index(at: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Where the element stands that is number `at` in reading order.

    >>> index(5, (2, 3))
    (1, 2)
    """
    found: list[int] = []
    for length in reversed(shape):
        at, i = divmod(at, length)
        found.insert(0, i)
    return tuple(found)


def shown(value: Any) -> str:
    """A value as text: five digits of a number, and a dash where there is none."""
    return "-" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def listing(values: Mapping[str, Any]) -> str:
    """Names and values in a line."""
    return ", ".join(f"{k}={v:.6g}" if type(v) is float else f"{k}={v}" for k, v in values.items())


def body(rule: Any) -> str:
    """What a rule's source says below its docstring; "" for one whose source is not to be found."""
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


def formula(documented: Any) -> str:
    """The first lines of a docstring that are indented: the equation, where there is no rule."""
    lines = inspect.cleandoc(documented.__doc__).splitlines()
    return dedent("\n".join(takewhile(indented, dropwhile(lambda line: not indented(line), lines))))


def indented(line: str) -> bool:
    """Whether it is, as code in a docstring is."""
    return line.startswith("    ")
