"""The doctor over some steps: what shows only in the order of things, or with time.

    with lucid.see.watch(model, optimizer) as watched:
        for x, y in batches:
            ...                         # the training loop, as it is
    print(watched)

Inside, `Tensor.backward` and the optimizers' `step` are followed: the graph of a loss is looked through before it is
walked back, the gradients are compared with those of the step before, and the weights with where they were.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from weakref import ref

from lucid.autograd.provenance import here
from lucid.core.backward import reachable
from lucid.core.node import Node, Tensor
from lucid.nn.module import Module
from lucid.optim.optimizer import Optimizer
from lucid.see.checks import OF_A_LOSS
from lucid.see.diagnosis import is_weight, observed, rates, report
from lucid.see.findings import Finding, Report, some
from lucid.see.following import follow_steps, follow_walks
from lucid.see.view import Case, Run, listed, rms

RECENT = 5  # losses whose graphs a loop may well still hold in its variables


class Book:
    """What is known about the gradients of one optimizer's parameters since its last step.

    Attributes:
        used: id of a parameter -> the gradient that the last step went by, with what was added to it since.
        cleared: ids of the parameters whose gradient has been forgotten since.
        walks: how many losses were walked back since.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.used: dict[int, Tensor] = {}
        self.cleared: set[int] = set()
        self.walks = 0
        self.given = False  # whether a walk has given any of them a gradient since

    def parameters(self) -> Iterator[Tensor]:
        """All that it holds."""
        return (p for group in self.optimizer.param_groups for p in group["params"])

    def before_walk(self) -> None:
        """Note whose gradients were forgotten: set to None, to zeros, or to something else."""
        for p in self.parameters():
            old = self.used.get(id(p))
            if old is not None and (p._grad is not old or not bool((old._array != 0).any())):
                self.cleared.add(id(p))

    def after_walk(self) -> None:
        """A walk puts a new tensor in the place of the old one; what was not forgotten is still part of it."""
        self.walks += 1
        for p in self.parameters():
            if id(p) in self.used and id(p) not in self.cleared and p._grad is not None:
                self.used[id(p)] = p._grad
        self.given = self.given or self.has_any()

    def has_any(self) -> bool:
        """Whether any of them has a gradient that is not 0 throughout."""
        return any(p._grad is not None and bool((p._grad._array != 0).any()) for p in self.parameters())

    def stale(self) -> list[Tensor]:
        """The parameters whose gradients the last step went by already."""
        return [p for p in self.parameters() if id(p) in self.used and id(p) not in self.cleared]

    def begin(self) -> None:
        """A step was made."""
        self.used = {id(p): p._grad for p in self.parameters() if p._grad is not None}
        self.cleared, self.walks, self.given = set(), 0, False


class watch:
    """`with watch(model, optimizer) as watched:` looks on at some training steps; then `print(watched)`.

    Finds all that `doctor` does, and what takes several steps to show: a forgotten zero_grad, a step before backward, a
    loss walked back twice, graphs that are kept alive, units that are dead throughout, steps out of proportion, a
    schedule that has reached 0. The training goes the same way as without, at about two to four times the cost.

    Args:
        model: the model, or several that are trained together.
        optimizer: what moves the parameters; one, several, or none.
        first: how many losses are looked through from the start on.
        every: of those after that, every how many-th is.

    Attributes:
        report: the findings so far. An error of the loop passes through, and the report tells what led to it.

    Raises:
        TypeError: if model or optimizer are something else.

    >>> import lucid
    >>> from lucid import nn, optim
    >>> model = nn.Linear(4, 1)
    >>> optimizer = optim.Adamax(model.parameters())
    >>> with watch(model, optimizer) as watched:
    ...     for _ in range(3):
    ...         (model(lucid.randn(8, 4)) ** 2).mean().backward()
    ...         optimizer.step()
    >>> watched.report.names
    ['zero-grad-forgotten']
    """

    def __init__(
        self,
        model: Module | list[Module],
        optimizer: Optimizer | list[Optimizer] | None = None,
        *,
        first: int = 10,
        every: int = 7,
    ) -> None:
        models = listed("watch", "model", Module, model)
        self.run = Run(models, listed("watch", "optimizer", Optimizer, optimizer), watched=True)
        self.first, self.every = first, max(1, every)
        self.books = [Book(optimizer) for optimizer in self.run.optimizers]
        self.findings: dict[tuple[str, str | None], Finding] = {}
        self.walks = self.steps = 0
        self.roots: list[Any] = []  # a weak reference to the last node of each loss
        self.since_step: list[Any] = []  # those of the losses that were walked back since the last step
        self._open: ExitStack | None = None

    def __enter__(self) -> watch:
        self._open = ExitStack()
        self._open.enter_context(observed(self.run))
        self._open.callback(follow_walks(self._before_walk, self._after_walk))
        for book in self.books:
            self._follow(book)
        return self

    def __exit__(self, *error: object) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None
        self._count_graphs()
        self.run.forget_calls()

    def _follow(self, book: Book) -> None:
        """Let the optimizer's step tell us of it."""
        weights: dict[str, Any] = {}

        def before(frame: Any, closure: Any) -> None:
            self._before_step(book, self._line(frame), closure is not None)
            weights.update(self._weights(book))

        def after(result: Any) -> None:
            self._after_step(book, weights)
            weights.clear()

        if self._open is not None:
            self._open.callback(follow_steps(book.optimizer, before, after))

    def _line(self, frame: Any) -> str | None:
        """The user's line that called."""
        return self.run.where(SimpleNamespace(made=here(frame)))

    # -- losses ------------------------------------------------------------------------------------------------------

    def _before_walk(self, loss: Tensor, frame: Any) -> None:
        if loss._node is None:
            self.run.noted["loss-without-graph"] = next((c for c in self.run.calls[::-1] if not c.recorded), False)
            return
        for book in self.books:
            book.before_walk()
        behind = set(reachable([loss._node]))
        if any((root := each()) is not None and root in behind for each in self.since_step):
            leaves = [leaf.tensor() for node in behind for leaf in node.inputs if hasattr(leaf, "tensor")]  # type: ignore[union-attr]
            if any(t is not None and t._grad is not None and bool((t._grad._array != 0).any()) for t in leaves):
                times = "twice" if len(self.since_step) == 1 else "several times"
                self.run.noted.setdefault("backward-twice", (times, self._line(frame)))
        if self.walks < self.first or self.walks % self.every == 0:
            self._look_at(loss)
            self._count_graphs()
        self.walks += 1

    def _look_at(self, loss: Tensor) -> None:
        case = Case(loss, self.run)
        self.run.take(case)
        for check in OF_A_LOSS.values():
            for finding in check(case):
                key = (finding.name, finding.where)
                self.findings[key] = self.findings[key].again() if key in self.findings else finding

    def _after_walk(self, loss: Tensor) -> None:
        for book in self.books:
            book.after_walk()
        self.roots.append(ref(loss._node))
        self.since_step.append(ref(loss._node))
        self.run.forget_calls()

    def _count_graphs(self) -> None:
        """Note the graphs of earlier losses that are still there, and who holds them."""
        alive = [root for each in self.roots[:-RECENT] if (root := each()) is not None]
        if len(alive) > 2:
            where = _holder(alive, self.run)
            known = self.run.noted.get("graphs-kept-alive", ("", None))[1]
            self.run.noted["graphs-kept-alive"] = (len(alive), where or known)

    # -- steps -------------------------------------------------------------------------------------------------------

    def _before_step(self, book: Book, where: str | None, closure: bool) -> None:
        noted, names = self.run.noted, {id(p): name for name, p in self.run.parameters.items()}
        noted.setdefault("step-at", where)
        noted.setdefault("rates", []).append(rates(self.run))
        for p in book.parameters():
            if p._grad is not None:
                self.run.reached.setdefault(id(p), p)
        if closure:
            return
        fresh = [p for p in book.parameters() if p._grad is not None and p._grad is not book.used.get(id(p))]
        if not book.walks and not fresh:
            why = "all are those of the step before" if book.used and book.stale() else "no parameter has any"
            noted.setdefault("step-without-backward", (why, where))
        elif book.given and not book.has_any():
            noted.setdefault("step-without-backward", ("zero_grad() came between backward() and step()", where))
        elif stale := [p for p in book.stale() if p._grad is not None]:
            who = some([names.get(id(p), "a parameter") for p in stale])
            noted.setdefault("zero-grad-forgotten", (who, where))

    def _weights(self, book: Book) -> dict[str, Any]:
        """Copies of the weights, where this step is to be measured."""
        self.steps += 1
        if self.steps > self.first and self.steps % self.every:
            return {}
        names = {id(p): name for name, p in self.run.parameters.items()}
        held = {id(p) for p in book.parameters() if p._grad is not None and is_weight(p)}
        return {names[each]: self.run.parameters[names[each]]._array.copy() for each in held if each in names}

    def _after_step(self, book: Book, before: dict[str, Any]) -> None:
        parameters, ratios = self.run.parameters, {}
        for name, old in before.items():
            p = parameters[name]
            if (size := rms(old)) > 0:
                ratios[name] = (rms(p._array - old) / size, book.optimizer.state.get(p, {}).get("t", self.steps))
        self.run.noted.setdefault("ratios", []).append(ratios)
        book.begin()
        self.since_step = []

    # -- the result --------------------------------------------------------------------------------------------------

    @property
    def report(self) -> Report:
        """The findings; a warning about single losses counts where a third of those looked at have it."""
        lasting = [
            finding
            for finding in self.findings.values()
            if finding.severity == "error" or 3 * finding.times >= self.run.losses
        ]
        among = f"{self.run.losses} of {self.walks} losses and {self.steps} steps"
        return report(self.run, lasting, among)

    def __str__(self) -> str:
        return str(self.report)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


def _holder(nodes: list[Node], run: Run) -> str | None:
    """The line of an operation that has one of the nodes among its inputs; the collector knows who refers to whom."""
    for inputs in gc.get_referrers(nodes[-1]):
        if isinstance(inputs, tuple):
            for node in gc.get_referrers(inputs):
                if type(node) is Node and node.inputs is inputs:
                    return run.where(node)
    return None
