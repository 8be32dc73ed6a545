"""A backward pass in slow motion: each node's formula, what it was given, what it sends on, what had gathered there.

    for step in lucid.see.steps(loss):
        print(step)

It is the walk of chapter 4 itself that is looked at, through the dict in which it keeps the gradients in flight; so the
order is backward()'s, and so are the results, to the last bit.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from lucid.autograd.provenance import HINT, Provenance, provenance
from lucid.core.array import namespace
from lucid.core.backward import initial_gradient, reachable, run_backward, unbroadcast
from lucid.core.node import Leaf, Node, Tensor
from lucid.see.formulas import filled, formulas, taken
from lucid.see.names import FEW, Names, brief, users_frame
from lucid.see.watching import watch


@dataclass(frozen=True)
class Sent:
    """What a node sent to one of its inputs.

    Attributes:
        input: the input's name in the operation.
        to: what the receiving node is called.
        formula: the formula's own text.
        filled: the same with numbers in it; "" where they are too many.
        gradient: what was sent, a Tensor.
        before: what had gathered there before, a Tensor or None.
        after: what has gathered there now.
        node: the receiving node.
    """

    input: str
    to: str
    formula: str
    filled: str
    gradient: Any
    before: Any
    after: Any
    node: Node = field(repr=False)


@dataclass(frozen=True)
class Step:
    """One node's turn in a backward pass. `print(step)` shows it as a table.

    Attributes:
        number: 1 for the first.
        op: the operation.
        name: what the node's tensor is called in the program; "" if it is not called anything.
        shape: of the operation's output, and of the gradient.
        gradient: the gradient of the output, complete: a Tensor; of a Function with several outputs one for each.
        sent: what goes to each input that needs a gradient.
        origin: the user's line and the module (`lucid.see.Origin`); None if that was not remembered.
        node: the node.
    """

    number: int
    op: str
    name: str
    shape: tuple[int, ...]
    gradient: Any
    sent: tuple[Sent, ...]
    provenance: Provenance | None
    node: Node = field(repr=False)

    def __str__(self) -> str:
        called = f"{self.op} -> {self.name}" if self.name else self.op
        where = f"   {self.origin.text or self.origin.file} (line {self.origin.line})" if self.origin else ""
        where += f"   in {self.origin.module}" if self.origin and self.origin.module else ""
        lines = [f"step {self.number}: {called}   g = {brief(self.gradient)}{where}"]
        return "\n".join([*lines, *_aligned([_row(sent) for sent in self.sent])])

    def _repr_html_(self) -> str:
        return _html([self], "")


def _row(sent: Sent) -> list[str]:
    said = f"{sent.formula} = {sent.filled}" if sent.filled and sent.filled != sent.formula else sent.formula
    gathered = "" if sent.before is None else f"{brief(sent.before)} + it = {brief(sent.after)}"
    return [f"  {sent.input}: {said}", f"= {brief(sent.gradient)}", f"to {sent.to}", gathered]


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [min(60, max(len(cell) for cell in column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


class Ledger(dict[Node, Any]):
    """The gradients in flight, for `graph.walk`, and what became of them. `done` has the steps that are complete.

    With `of` only the steps of those nodes are kept.
    """

    def __init__(self, names: Names, of: Container[Node] | None) -> None:
        self.names, self.of, self.count = names, of, 0
        self.done: list[Step] = []
        self.node: Node | None = None  # whose turn it is, what it was given and what it has sent
        self.given: Any = None
        self.sent: list[Sent] = []
        self.known: dict[str, Any] = {}
        self.parts: Iterator[Any] = iter(())

    def check(self, node: Node, g: Any, parts: Any) -> None:
        """Told by the walk: a node's formulas have run."""
        if watch.check is not None:  # detect_anomaly looks on as well
            watch.check(node, g, parts)
        self.close()
        if self.of is not None and node not in self.of:
            self.count += 1
            return
        self.count, self.node, self.given, self.sent = self.count + 1, node, _copy(g), []
        self.known = dict(zip(node.op.saved_names, node.saved or (), strict=False), g=g)  # what a formula's names stand for
        texts = formulas(node)
        each = zip(texts, node.inputs, parts, strict=False)
        self.parts = iter([(*text, part) for text, parent, part in each if part is not None and parent is not None])

    def __setitem__(self, node: Node, value: Any) -> None:
        before = self.get(node)
        super().__setitem__(node, value)
        if self.node is None:
            return  # a seed
        name, formula, part = next(self.parts)
        after = _copy(value)
        if before is None:
            part = after
        else:
            part = _copy(part if part.shape == node.shape else unbroadcast(namespace(part), part, node.shape))
        few = {name: brief(value) for name, value in self.known.items() if _is_few(value)}
        numbers = filled(taken(formula, self.known), few)
        self.sent.append(Sent(name, self.names.called(node), formula, numbers, part, _copy(before), after, node))

    def close(self) -> None:
        """The step under way is complete."""
        if (node := self.node) is not None:
            place = provenance(node, self.names.paths)
            name = self.names.of(node)
            self.done.append(Step(self.count, node.name(), name, node.shape, self.given, tuple(self.sent), place, node))
            self.node = None


def _copy(value: Any) -> Any:
    """A gradient as Tensors of their own: what is done to them does not reach the walk."""
    if value is None:
        return None
    if hasattr(value, "parts"):
        return tuple(_copy(value.parts.get(i)) for i in range(len(value.shape)))
    return Tensor(namespace(value).copy(value))


def _is_few(value: Any) -> bool:
    """Whether a value can be written in a few letters."""
    if isinstance(value, (int, float)):
        return True
    return hasattr(value, "dtype") and value.size <= FEW and value.ndim <= 1  # also a NumPy scalar, as 0-d sums are


class steps:
    """One backward pass from `loss`, step by step: iterate over it, print it, or let a notebook show it.

    The graph is left as it is, and so is every `grad`: a `loss.backward()` can follow. Hooks run, since what they
    return is part of the result. All steps are kept, with copies of their gradients: it is made for graphs that a
    person looks at.

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
    ...     print(step.op, step.sent[0].formula, step.sent[0].filled, step.sent[0].to)
    tanh g * (1 - out * out) 1 * (1 - 0.7616 * 0.7616) multiply
    multiply g * y 0.42 * 2 x
    """

    def __init__(
        self, loss: Tensor, gradient: Any = None, *, model: Any = None, names: Mapping[str, Any] | None = None
    ) -> None:
        self._names = Names(names, model, users_frame())
        self.gradients: dict[Tensor, Tensor] = {}
        self._steps = list(stepping(loss, gradient, self._names, self.gradients))

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, index: int) -> Step:
        return self._steps[index]

    def _rest(self) -> list[str]:
        leaves = [f"{self._names.called(t._node)}.grad = {brief(g)}" for t, g in self.gradients.items()]
        hint = [] if all(step.origin for step in self) else [f"({HINT} to see the line that made each node)"]
        return leaves + hint

    def __str__(self) -> str:
        return "\n".join([*map(str, self), *self._rest()])

    def _repr_html_(self) -> str:
        return _html(self._steps, "<br>".join(map(escape, self._rest())))


END: tuple[Any, Any] = (None, None)


def stepping(
    loss: Tensor,
    gradient: Any,
    names: Names,
    gradients: dict[Tensor, Tensor] | None = None,
    of: Container[Node] | None = None,
) -> Iterator[Step]:
    """The steps (or those `of` some nodes), as the walk takes them; `gradients` gets those of the leaves at the end."""
    if not isinstance(loss, Tensor):
        raise TypeError(f"lucid.see: expected a Tensor to start from, got {type(loss).__name__}")
    seed, ledger = initial_gradient(loss, gradient, False), Ledger(names, of)
    nodes = reachable([seed[0]])
    kept = [(node, node.retain_hooks) for node in nodes if node.retain_hooks]
    # Asked for every node, the walk stops at each; a bundle of gradients, of several outputs, cannot be handed out.
    leaves = {parent for node in (*nodes, seed[0]) for parent in (*node.inputs, node) if type(parent) is Leaf}
    wanted = {node for node in nodes if not getattr(node.op, "several", False)} | leaves
    xp = namespace(loss._array)
    walking: Any = run_backward([seed], xp, None, wanted, release=False, ledger=ledger)
    while True:
        for node, _ in kept:  # what retain_grad() asked for is backward()'s to write
            node.retain_hooks = None
        try:
            with xp.quiet():
                node, g = next(walking, END)
        finally:
            for keeper, functions in kept:
                keeper.retain_hooks = functions
        if node is None or type(node) is Leaf:
            ledger.close()
        yield from ledger.done
        ledger.done.clear()
        if node is None:
            return
        if type(node) is Leaf and gradients is not None and (leaf := node.tensor()) is not None:
            gradients[leaf] = Tensor(g).to(leaf.dtype)


def _html(steps: list[Step], below: str) -> str:
    """Steps as a table for a notebook."""
    head = ["step", "operation", "g", "input", "formula", "sends", "to", "gathered", "line"]
    rows = []
    for step in steps:
        called = f"{step.op} → {step.name}" if step.name else step.op
        place = step.origin
        line = f"{place.text} (line {place.line}{', ' + place.module if place.module else ''})" if place else ""
        for i, sent in enumerate(step.sent):
            first = [str(step.number), called, brief(step.gradient)] if i == 0 else ["", "", ""]
            said = sent.formula + (f" = {sent.filled}" if sent.filled else "")
            rest = [brief(sent.gradient), sent.to, brief(sent.after), line if i == 0 else ""]
            rows.append([*first, sent.input, said, *rest])
    cells = ["".join(f"<td style='text-align:left'>{escape(cell)}</td>" for cell in row) for row in rows]
    title = "".join(f"<th scope='col' style='text-align:left'>{name}</th>" for name in head)
    return f"<table><thead><tr>{title}</tr></thead><tbody><tr>{'</tr><tr>'.join(cells)}</tr></tbody></table>{below}"
