"""A backward pass step by step: each node's vjp, the gradient it was given, what it sends to which input.

It observes the engine's own backward pass, vjp by vjp; so order and results are backward()'s, to the last bit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from lucid.autograd.function import OutputGradients
from lucid.autograd.provenance import HINT, Provenance, user_frame
from lucid.core import events
from lucid.core.array import namespace
from lucid.core.backward import initial_gradient, reachable, run_backward, unbroadcast
from lucid.core.node import Leaf, Node, Tensor
from lucid.see.formulas import mathematics
from lucid.see.names import Names, active_branch, formulas, saved_values, with_numbers
from lucid.see.text import Markup, Table, aligned, element, escape, is_short, value_text


@dataclass(frozen=True, repr=False)
class Contribution:
    """What a node sent to one of its inputs.

    Attributes:
        input: the input's name in the operation.
        to: the name of the receiving node.
        formula: the vjp as it stands in the source.
        filled: the same with numbers in it; "" where they are too many.
        math: the vjp as mathematics, `g · (1 − out²)`.
        numbers: the same with numbers in it, or "".
        note: what the mathematics names besides; "" where it is nothing.
        gradient: what was sent, a Tensor.
        before: the sum of what the receiver had been sent before, a Tensor or None.
        after: the sum with this contribution.
        node: the receiving node.
    """

    input: str
    to: str
    formula: str
    filled: str
    math: str
    numbers: str
    note: str
    gradient: Any
    before: Any
    after: Any
    node: Node = field(repr=False)

    @property
    def equation(self) -> str:
        """The mathematics, and with its numbers where there are few."""
        return f"{self.math} = {self.numbers}" if self.numbers not in ("", self.math) else self.math

    def __repr__(self) -> str:
        return f"{self.input}: {self.equation} = {value_text(self.gradient)} to {self.to}"


@dataclass(frozen=True, repr=False)
class Step:
    """One node's turn in a backward pass. `print(step)` shows it as a table.

    Attributes:
        number: 1 for the first.
        op: the operation.
        name: what the node's tensor is called in the program; "" if it has no name.
        shape: of the operation's output, and of the gradient.
        gradient: the complete gradient of the output: a Tensor; of a Function with several outputs one for each.
        contributions: what goes to each input that needs a gradient.
        provenance: the user's line and the module (`lucid.see.Provenance`); None if provenance was not recorded.
        node: the node.
    """

    number: int
    op: str
    name: str
    shape: tuple[int, ...]
    gradient: Any
    contributions: list[Contribution]
    provenance: Provenance | None
    node: Node = field(repr=False)

    def __str__(self) -> str:
        return self._text(None)

    __repr__ = __str__

    def _line(self, before: Step | None) -> str:
        """The code that ran the operation, unless the step before has shown it; and the module."""
        if (made_at := self.provenance) is None:
            return ""
        known, module = before.provenance if before else None, f"in {made_at.module}" * bool(made_at.module)
        if known is not None and known[:5] == made_at[:5]:
            return module
        return f"{made_at.expression or made_at.text or made_at.file} (line {made_at.line})   {module}".rstrip()

    def _text(self, before: Step | None) -> str:
        title, rows = f"{self.op} -> {self.name}" if self.name else self.op, []
        for sent in self.contributions:
            total = "" if sent.before is None else f"{value_text(sent.before)} + it = {value_text(sent.after)}"
            rows.append([f"  {sent.input}: {sent.equation}", f"= {value_text(sent.gradient)}", f"to {sent.to}", total])
        head = f"step {self.number}: {title}   g = {value_text(self.gradient)}   {self._line(before)}".rstrip()
        return "\n".join([head, *aligned(rows, left=4, widest=60)])

    def _repr_html_(self) -> str:
        return _html_table([self])


def _html_table(steps: list[Step]) -> str:
    """Steps as a table for a notebook."""
    head, rows = ["step", "operation", "g", "input", "formula", "sends", "to", "sum so far", "line"], []
    for before, step in zip([None, *steps], steps, strict=False):
        last = step._line(before)
        first = [str(step.number), f"{step.op} → {step.name}" if step.name else step.op, value_text(step.gradient)]
        for sent in step.contributions:
            sends, total = value_text(sent.gradient), value_text(sent.after)
            equation, source = element("summary", escape(sent.equation)), element("code", escape(sent.formula))
            formula = Markup(element("details", equation, source))
            rows.append([*first, sent.input, formula, sends, sent.to, total, last])
            first, last = ["", "", ""], ""  # once for all contributions of a step
    return Table(head, rows, left=len(head))._repr_html_()


def _copy(value: Any) -> Any:
    """A gradient as Tensors of their own, so that writing to them does not reach the backward pass."""
    if isinstance(value, OutputGradients):  # of a Function's several outputs
        return tuple(_copy(value.get(i)) for i in range(len(value.shape)))
    return None if value is None else Tensor(namespace(value).copy(value))


class steps(list[Step]):
    """One backward pass from `loss`, step by step: iterate over it, print it, or let a notebook show it.

    The graph is left as it is, and so is every `grad`: a `loss.backward()` can follow. Hooks run, since what they
    return is part of the result. All steps are kept, with copies of their gradients.

    Args:
        loss: where to start: a tensor that was computed from something that requires a gradient.
        gradient: the gradient to start with; 1 for a single number.
        model: a Module whose parameters are to be called by their paths.
        names: name -> Tensor or Module, for what goes by other names than in the function that calls this.

    Attributes:
        gradients: leaf -> its gradient, bit for bit what `backward()` adds to its `grad`.

    Raises:
        TypeError: if `loss` is not a Tensor.
        RuntimeError: as `backward()` does: without a graph, or on one that was released.

    >>> import lucid
    >>> x = lucid.tensor(0.5, requires_grad=True)
    >>> y = (x * 2).tanh()
    >>> for step in lucid.see.steps(y):
    ...     sent = step.contributions[0]
    ...     print(step.op, sent.math, sent.numbers, sent.to)
    tanh g · (1 − out²) 1 · (1 − 0.7616²) multiply
    multiply g · y 0.42 · 2 x
    """

    def __init__(
        self, loss: Tensor, gradient: Any = None, *, model: Any = None, names: Mapping[str, Any] | None = None
    ) -> None:
        self._names = Names(names, model, user_frame(sys._getframe()))
        self.gradients: dict[Tensor, Tensor] = {}
        super().__init__(iter_steps(loss, gradient, self._names, self.gradients))

    def _last_lines(self) -> list[str]:
        name_of = self._names.describe
        lines = [f"{name_of(t._node)}.grad = {value_text(g)}" for t, g in self.gradients.items()]
        return lines + [f"({HINT} to see the line that made each node)"] * any(not s.provenance for s in self)

    def __str__(self) -> str:
        steps = map(Step._text, self, [None, *self])
        return "\n".join([*steps, *self._last_lines()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _html_table(self) + "<br>".join(map(escape, self._last_lines()))


def iter_steps(
    loss: Tensor, gradient: Any, names: Names, gradients: dict[Tensor, Tensor], only: Container[Node] | None = None
) -> Iterator[Step]:
    """The steps, as the backward pass takes them; with `only`, those of these nodes. `gradients` gets the leaves'."""
    if not isinstance(loss, Tensor):
        raise TypeError(f"lucid.see: expected a Tensor to start from, got {type(loss).__name__}")
    initial, xp = initial_gradient(loss, gradient, False), namespace(loss._array)
    nodes = reachable([initial[0]])
    mine, turns, done = set(nodes), count(1), list[Step]()
    sums: dict[Node, Any] = {}  # the gradients in flight, added up as the engine does

    def observe(node: Node, vjp: Callable[..., Any]) -> Callable[..., Any]:
        def logged(xp: Any, g: Any, arrays: Any, inputs: Any) -> Any:
            parts, number, is_shown = vjp(xp, g, arrays, inputs), next(turns), only is None or node in only
            sums.pop(node, None)
            if is_shown:
                made_at, name, sent = names.provenance(node), names.name_of(node), list[Contribution]()
                done.append(Step(number, node.name(), name, node.shape, _copy(g), sent, made_at, node))
                saved = {**saved_values(node), "g": g}
                few = {name: value_text(value) for name, value in saved.items() if is_short(value)}
                math = mathematics(node, saved, few)
            for i, ((name, formula), source, part) in enumerate(zip(formulas(node), node.inputs, parts, strict=False)):
                if part is None or source is None:
                    continue
                part = part if part.shape == source.shape else unbroadcast(namespace(part), part, source.shape)
                before = sums.get(source)
                after = sums[source] = part if before is None else before + part
                if is_shown:
                    to, filled = names.describe(source), with_numbers(active_branch(formula, saved), few)
                    copies = _copy(part), _copy(before), _copy(after)
                    sent.append(Contribution(name, to, formula, filled, *math[i], *copies, source))
            return parts

        return logged if node in mine else vjp  # a node of another backward pass

    retained = [(node, node.retain_hooks) for node in nodes if node.retain_hooks]
    # With every node as a target the pass stops at each; several outputs' gradients in one cannot be a target.
    leaves = {parent for node in (*nodes, initial[0]) for parent in (*node.inputs, node) if type(parent) is Leaf}
    targets = {node for node in nodes if not getattr(node.op, "several", False)} | leaves
    try:
        for node, _ in retained:  # retain_grad()'s gradients are backward()'s to write
            node.retain_hooks = None
        with xp.quiet(), events.on("vjp", observe):
            for node, g in run_backward([initial], False, targets, free_saved=False):
                yield from done  # the pass stops where a node's turn begins: those before have sent everything
                done.clear()
                if type(node) is Leaf and (leaf := node.tensor()) is not None:
                    gradients[leaf] = Tensor(g).to(leaf.dtype)
        yield from done
    finally:
        for node, functions in retained:
            node.retain_hooks = functions
