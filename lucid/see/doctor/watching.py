"""The doctor over some steps of a training: for mistakes that show only in the order of events, or with time.

    with lucid.see.watch(model, optimizer) as watched:
        for x, y in batches:
            ...                         # the training loop, as it is
    print(watched)

Inside, each `loss.backward()` and each `optimizer.step()` is observed: the graph of a loss is examined before its
backward pass, gradients are compared with those of the step before, and weights with their values before the step.
"""

from __future__ import annotations

import gc
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from weakref import ref

from lucid.core.backward import reachable
from lucid.core.node import Node, Tensor
from lucid.nn.module import Module
from lucid.optim.optimizer import Optimizer
from lucid.see.doctor.diagnosis import examine, is_weight, learning_rates, observe, report
from lucid.see.doctor.evidence import (
    LossGraph,
    Models,
    Optimizers,
    TrainingRun,
    as_list,
    has_gradient,
    parameters_of,
    rms,
)
from lucid.see.doctor.findings import Finding, Report
from lucid.see.observers import on_backward, on_step
from lucid.see.text import Printable, first_few

RECENT = 5  # losses whose graphs a loop may well still hold in its variables


@dataclass
class GradientTracker:
    """What is known about the gradients of one optimizer's parameters since its last step."""

    optimizer: Optimizer
    used: dict[int, Tensor] = field(default_factory=dict)  # id -> gradient that the last step used, and what was added
    cleared: set[int] = field(default_factory=set)  # ids of the parameters whose gradient has been cleared since
    passes: int = 0  # how many backward passes ran since
    had_gradients: bool = False  # whether one of them gave any parameter a gradient
    before_step: dict[str, Any] = field(default_factory=dict)  # name -> copy of the weight before the running step

    def before_backward(self) -> None:
        """Note whose gradients were cleared: set to None, to zeros, or to something else."""
        for p in parameters_of(self.optimizer):
            old = self.used.get(id(p))
            if old is not None and (p._grad is not old or not has_gradient(p)):
                self.cleared.add(id(p))

    def after_backward(self) -> None:
        """A backward pass puts a new tensor in the place of the old one, which is still part of it if not cleared."""
        self.passes += 1
        for p in self.stale():
            if p._grad is not None:
                self.used[id(p)] = p._grad
        self.had_gradients = self.had_gradients or self.has_gradients()

    def has_gradients(self) -> bool:
        """Whether any of the parameters has a gradient that is not 0 throughout."""
        return any(map(has_gradient, parameters_of(self.optimizer)))

    def stale(self) -> list[Tensor]:
        """The parameters whose gradients the last step has used already."""
        return [p for p in parameters_of(self.optimizer) if id(p) in self.used and id(p) not in self.cleared]

    def after_step(self) -> None:
        """Begin anew after a step."""
        self.used = {id(p): p._grad for p in parameters_of(self.optimizer) if p._grad is not None}
        self.cleared, self.passes, self.had_gradients = set(), 0, False


class watch(Printable):
    """`with watch(model, optimizer) as watched:` observes some training steps; then `print(watched)`.

    Finds everything that `doctor` does, and what takes several steps to show: a forgotten zero_grad, a step before
    backward, two backward passes from one loss, graphs that are kept alive, units that are dead throughout, steps out
    of proportion, a schedule that has reached 0. The training runs the same way as without, at about two to four times
    the cost.

    Args:
        model: the model, or several that are trained together.
        optimizer: what moves the parameters; one, several, or none.
        first: how many losses are examined from the start on.
        every: of those after that, every how many-th is.

    Attributes:
        report: the findings so far. An error of the loop passes through, and the report says what led to it.

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

    def __init__(self, model: Models, optimizer: Optimizers = None, *, first: int = 10, every: int = 7) -> None:
        models = as_list("watch", "model", Module, model)
        self.run = TrainingRun(models, as_list("watch", "optimizer", Optimizer, optimizer), observed=True)
        self.first, self.every = first, max(1, every)
        self.findings: dict[tuple[str, str | None], Finding] = {}
        self.losses = self.steps = 0
        self._trackers = [GradientTracker(optimizer) for optimizer in self.run.optimizers]
        self._roots: list[Any] = []  # a weak reference to the last node of each loss
        self._roots_since_step: list[Any] = []  # those of the losses since the last step
        self._observers = ExitStack()

    def __enter__(self) -> watch:
        self._observers.enter_context(observe(self.run))
        self._observers.callback(on_backward(self._before_backward, self._after_backward))
        for tracker in self._trackers:
            before, after = partial(self._before_step, tracker), partial(self._after_step, tracker)
            self._observers.callback(on_step(tracker.optimizer, before, after))
        return self

    def __exit__(self, *error: object) -> None:
        self._observers.close()
        self._count_graphs()
        self.run.forget_calls()

    def _before_backward(self, loss: Tensor, frame: Any) -> None:
        if loss._node is None:
            self.run.add_loss_without_graph()
            return
        for tracker in self._trackers:
            tracker.before_backward()
        nodes = set(reachable([loss._node]))
        if any((root := each()) is not None and root in nodes for each in self._roots_since_step):
            leaves = [leaf.tensor() for node in nodes for leaf in node.inputs if hasattr(leaf, "tensor")]  # type: ignore[union-attr]
            if any(t is not None and has_gradient(t) for t in leaves):
                times = "twice" if len(self._roots_since_step) == 1 else "several times"
                self.run.events.setdefault("backward-twice", (self.run.line_at(frame), times))
        if self.losses < self.first or self.losses % self.every == 0:
            for finding in examine(LossGraph(loss, self.run)):
                known = self.findings.setdefault((finding.name, finding.line), replace(finding, times=0))
                self.findings[finding.name, finding.line] = replace(known, times=known.times + 1)
            self._count_graphs()
        self.losses += 1

    def _after_backward(self, loss: Tensor) -> None:
        for tracker in self._trackers:
            tracker.after_backward()
        self._roots.append(ref(loss._node))
        self._roots_since_step.append(self._roots[-1])
        self.run.forget_calls()

    def _count_graphs(self) -> None:
        """Note the graphs of earlier losses that are still there, and the line that holds them."""
        alive = [root for each in self._roots[:-RECENT] if (root := each()) is not None]
        if len(alive) > 2:
            known = self.run.events.get("graphs-kept-alive", (None,))[0]
            self.run.events["graphs-kept-alive"] = (_line_that_holds(alive[-1], self.run) or known, len(alive))

    def _before_step(self, tracker: GradientTracker, frame: Any, closure: Any) -> None:
        run, line, parameters = self.run, self.run.line_at(frame), list(parameters_of(tracker.optimizer))
        run.step_line = run.step_line or line
        run.rates.append(learning_rates(run))
        run.reached |= {id(p): p for p in parameters if p._grad is not None and id(p) not in run.reached}
        if closure is None:
            self._compare_gradients(tracker, line)
        self.steps += 1
        tracker.before_step = {}
        if self.steps <= self.first or self.steps % self.every == 0:
            measured = {id(p) for p in parameters if p._grad is not None and is_weight(p)}
            tracker.before_step = {name: p._array.copy() for name, p in run.parameters.items() if id(p) in measured}

    def _compare_gradients(self, tracker: GradientTracker, line: str | None) -> None:
        """Whether a step uses the gradients of the losses since the step before, and only those."""
        graded = [p for p in parameters_of(tracker.optimizer) if p._grad is not None]
        if not tracker.passes and all(p._grad is tracker.used.get(id(p)) for p in graded):
            why = "all are those of the step before" if tracker.stale() else "no parameter has any"
            self.run.events.setdefault("step-without-backward", (line, why))
        elif tracker.had_gradients and not tracker.has_gradients():
            why = "zero_grad() came between backward() and step()"
            self.run.events.setdefault("step-without-backward", (line, why))
        elif stale := [p for p in tracker.stale() if p._grad is not None]:
            names = self.run.parameter_names
            which = first_few([names.get(id(p), "a parameter") for p in stale])
            self.run.events.setdefault("zero-grad-forgotten", (line, which))

    def _after_step(self, tracker: GradientTracker, result: Any) -> None:
        parameters, ratios = self.run.parameters, {}
        for name, old in tracker.before_step.items():
            p = parameters[name]
            if (size := rms(old)) > 0:
                ratios[name] = (rms(p._array - old) / size, tracker.optimizer.state.get(p, {}).get("t", self.steps))
        self.run.step_ratios.append(ratios)
        tracker.after_step()
        self._roots_since_step = []

    @property
    def report(self) -> Report:
        """The findings; a warning about single losses counts where a third of those examined have it."""
        losses = self.run.losses
        lasting = [each for each in self.findings.values() if each.severity == "error" or 3 * each.times >= losses]
        return report(self.run, lasting, f"{losses} of {self.losses} losses and {self.steps} steps")

    def _printed(self) -> Report:
        return self.report


def _line_that_holds(root: Node, run: TrainingRun) -> str | None:
    """The line of an operation that has a node among its inputs, found by way of the garbage collector's references."""
    for parents in gc.get_referrers(root):
        for node in gc.get_referrers(parents) if isinstance(parents, tuple) else ():
            if type(node) is Node and node.inputs is parents:
                return run.line_of(node)
    return None
