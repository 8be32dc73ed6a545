"""The doctor at work: `doctor` examines one loss, and `watch` some steps of a training.

`watch` observes each `loss.backward()` and `optimizer.step()`: the graph of a loss is examined before the backward
pass, gradients are compared with those of the step before, and weights with their values before the step.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import ref

from lucid.autograd.grad_mode import enable_grad
from lucid.autograd.provenance import HINT, here, track_provenance
from lucid.core import events
from lucid.core.array import is_array, namespace, storage_of
from lucid.core.backward import reachable
from lucid.core.node import Leaf, Node, Tensor, grad_mode
from lucid.core.op import Op
from lucid.nn.module import Module
from lucid.optim.optimizer import Optimizer
from lucid.optim.rule import evaluate_rule
from lucid.see.doctor.checks import GRAPH_CHECKS, RUN_CHECKS, Finding, Report, has_dropout
from lucid.see.doctor.evidence import LossGraph, ModuleCall, TrainingRun, parameters_of, rms
from lucid.see.profiler import on_forward
from lucid.see.text import Printable, first_few, plural

Models = Module | list[Module]
Optimizers = Optimizer | list[Optimizer] | None
RECENT = 5  # losses whose graphs a loop may well still hold in its variables
MOST_CALLS = 100_000  # calls of modules that are kept between two backward passes


def doctor(model: Models, loss: Tensor | list[Tensor] | Callable[[], Any], optimizer: Optimizers = None) -> Report:
    """What is wrong with a training step, by name, with the line at fault and the fix; nothing is changed.

    Call it before `loss.backward()`, which releases what there is to examine. To see the lines, compute the loss inside
    `with lucid.see.track_provenance():`, or give a function that computes it: `lambda: loss_of(model(x), y)`. That is
    run once, and the modules are observed while it runs.

    Args:
        model: the model, or several that are trained together.
        loss: its loss, several, or a function that returns them. With reduction "none" its sum is examined.
        optimizer: what is to move the parameters; one, several, or none.

    Returns:
        A report, to be printed or shown in a notebook. It is a list of Findings: `report.names`, `len(report)`.

    Raises:
        TypeError: if one of the three is something else.

    >>> import lucid
    >>> from lucid import nn, optim
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=1))
    >>> x, y = lucid.randn(32, 4), lucid.randint(0, 3, (32,))
    >>> report = doctor(model, lambda: nn.functional.cross_entropy(model(x), y), optim.Adamax(model.parameters()))
    >>> report.names
    ['softmax-twice']
    """
    models = as_list("doctor", "model", Module, model)
    run = TrainingRun(models, as_list("doctor", "optimizer", Optimizer, optimizer), observed=callable(loss))
    if not models:
        raise TypeError("doctor: expected a Module, got none; give the model, or a list of those trained together")
    losses: Any = loss
    if callable(loss):
        with observe(run), enable_grad():
            losses = loss()
    if not (losses := as_list("doctor", "loss", Tensor, losses)):
        raise TypeError("doctor: expected a loss, got none; give a Tensor, or a function that returns one")
    findings, gradients = [], {}  # type: list[Finding], dict[int, Any]
    for tensor in losses:
        if tensor._node is None:
            run.add_loss_without_graph()
            continue
        graph = LossGraph(tensor, run)
        findings += examine(graph)
        for leaf, g in graph.gradients.items():
            if (t := leaf.tensor()) is not None:
                gradients[id(t)] = gradients[id(t)] + g if id(t) in gradients else g
    run.forget_calls()
    if run.optimizers:
        run.rates = [learning_rates(run)]
        run.step_ratios = [predicted_step_ratios(run, gradients)]
    return report(run, findings, plural(run.losses, "loss", "es"))


def as_list(caller: str, what: str, kind: type, value: Any) -> list[Any]:
    """One thing of a kind, or several, as a list."""
    several = [] if value is None else [value] if isinstance(value, kind) else value
    if not isinstance(several, (list, tuple)) or not all(isinstance(each, kind) for each in several):
        expected = f"expected {what} to be a {kind.__name__} or a list of them"
        raise TypeError(f"{caller}: {expected}, got a {type(value).__name__}")
    return list(several)


def examine(graph: LossGraph) -> list[Finding]:
    """The findings in the graph of one loss, which becomes part of its run."""
    graph.run.add_loss(graph)
    return [finding for check in GRAPH_CHECKS.values() for finding in check(graph)]


def report(run: TrainingRun, findings: list[Finding], losses: str) -> Report:
    """The findings in all losses, and those about the run."""
    of_run = [finding for check in RUN_CHECKS.values() for finding in check(run)]
    if {"exploding", "loss-not-finite"} & {finding.name for finding in findings}:  # too large a step comes before both
        causes = [finding for finding in of_run if finding.name == "learning-rate-too-large"]
        of_run = [finding for finding in of_run if finding not in causes]
        findings = [*(replace(cause, severity="error") for cause in causes), *findings]
    findings = findings + of_run
    examined = f"{losses}: {run.operations} operations, {len(run.parameters)} parameters"
    return Report(findings, examined, "" if run.observed else HINT)


def learning_rates(run: TrainingRun) -> list[float]:
    """The learning rate of every group."""
    return [group.get("lr", 1.0) for optimizer in run.optimizers for group in optimizer.param_groups]


def is_weight(p: Tensor) -> bool:
    """Whether the size of a step is measured by this parameter: a matrix of some size."""
    return p.ndim >= 2 and p.numel() >= 16


def predicted_step_ratios(run: TrainingRun, gradients: dict[int, Any]) -> dict[str, tuple[float, int]]:
    """Name -> (the size of the next step relative to the weight's, how many steps there were before).

    Computed by the optimizer's own rule, which is pure: nothing moves. An optimizer without a rule has none.
    """
    ratios, names = {}, run.parameter_names  # type: dict[str, tuple[float, int]], dict[int, str]
    for optimizer in run.optimizers:
        if type(optimizer).rule is Optimizer.rule:
            continue
        for group, settings in zip(optimizer.param_groups, optimizer._read_groups(), strict=True):
            for p in group["params"]:
                if id(p) not in gradients or not is_weight(p) or not (size := rms(p._array)):
                    continue
                state, theta, xp = optimizer.state.get(p, {}), p._array, namespace(p._array)
                initial = {s: xp.full_like(theta, settings.initial.get(s, 0)) for s in settings.slots if s is not None}
                slots = [None if s is None else state.get(s, initial[s]) for s in settings.slots]
                with xp.quiet():
                    scalars = optimizer.step_scalars(settings.checked, (t := state.get("t", 0)) + 1)
                    arrays = theta, gradients[id(p)], slots
                    moved, _ = evaluate_rule(optimizer.rule, xp, *arrays, scalars, settings.static)
                ratios[names.get(id(p), "?")] = (rms(moved - theta) / size, t)
    return ratios


@contextmanager
def observe(run: TrainingRun) -> Iterator[None]:
    """While the block runs, nodes record their provenance, and `run` every call of its modules."""
    roots = {id(model) for model in run.models}

    def before_call(module: Module, args: Any) -> Callable[[Any], None] | None:
        return partial(after_call, module, here(sys._getframe(1))) if id(module) in run.modules else None

    def after_call(module: Module, line: Any, output: Any) -> None:
        recorded, is_root = grad_mode.get()[0], id(module) in roots
        outputs = [t for t in (output if isinstance(output, (tuple, list)) else [output]) if isinstance(t, Tensor)]
        run.calls.append(call := ModuleCall(line, module, recorded, outputs))
        run.call_counts.setdefault(id(module), [0, 0])[recorded] += 1
        run.first_uses |= {id(storage_of(t._array)): None for t in outputs if t._node is not None}
        if len(run.calls) > MOST_CALLS:
            del run.calls[: MOST_CALLS // 2]
        if recorded:
            run.modes[id(module)] = module.training
            run.root_call_line = run.root_call_line or (run.line_of(call) if is_root else None)
            return
        run.unrecorded_line = run.unrecorded_line or run.line_of(call)
        if module.training and is_root and len(roots) == 1 and has_dropout(module):
            run.events.setdefault("train-mode", (run.line_of(call), type(module).__name__))

    def note_first_use(op: Op, out: Any, inputs: Any, *costs: Any) -> None:
        for x in inputs if op.vjps else ():  # argmax and other integer operations only read
            if is_array(x) and run.first_uses.get(key := id(storage_of(x)), key) is None:
                run.first_uses[key] = here(sys._getframe(1))

    with track_provenance(), events.on("module", before_call), on_forward(note_first_use):
        yield


def has_gradient(p: Tensor) -> bool:
    """Whether its gradient is there and not 0 throughout."""
    return p._grad is not None and bool((p._grad._array != 0).any())


class GradientTracker:
    """What is known about the gradients of one optimizer's parameters since its last step."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.used: dict[int, Tensor] = {}  # id -> gradient that the last step used, what was added included
        self.passes = 0  # how many backward passes ran since
        self.had_gradients = False  # whether one of them gave any parameter a gradient
        self.size = 0.0  # of all gradients after the last backward pass

    def before_backward(self) -> None:
        """Forget the gradients that were cleared: set to None, to zeros, or to something else."""
        self.used = {id(p): g for p in self.stale() if (g := self.used[id(p)]) is p._grad and has_gradient(p)}

    def after_backward(self) -> None:
        """A backward pass puts a new tensor in the place of the old one, which is still part of it if not cleared."""
        self.passes += 1
        self.used = {id(p): g for p in self.stale() if (g := p._grad) is not None}
        self.had_gradients = self.had_gradients or any(map(has_gradient, parameters_of(self.optimizer)))
        self.size = self.total_size()

    def total_size(self) -> float:
        """The norm of all gradients."""
        gradients = [p._grad._array for p in parameters_of(self.optimizer) if p._grad is not None]
        return sum(rms(g) ** 2 * g.size for g in gradients) ** 0.5

    def stale(self) -> list[Tensor]:
        """The parameters whose gradients the last step has used already."""
        return [p for p in parameters_of(self.optimizer) if id(p) in self.used and p._grad is not None]

    def mistake(self, names: dict[int, str]) -> tuple[str, str] | None:
        """Where a step uses other gradients than those of the losses since the step before: (event, detail)."""
        graded = [p for p in parameters_of(self.optimizer) if p._grad is not None]
        if not self.passes and all(p._grad is self.used.get(id(p)) for p in graded):
            why = "all are those of the step before" if self.used else "no parameter has any"
            return "step-without-backward", why
        if self.had_gradients and not any(map(has_gradient, graded)):
            return "step-without-backward", "zero_grad() came between backward() and step()"
        stale = [names.get(id(p), "a parameter") for p in self.stale()]
        return ("zero-grad-forgotten", first_few(stale)) if stale else None

    def after_step(self) -> None:
        """Begin anew after a step."""
        self.used = {id(p): g for p in parameters_of(self.optimizer) if (g := p._grad) is not None}
        self.passes, self.had_gradients = 0, False


class watch(Printable):
    """`with watch(model, optimizer) as watched:` observes some training steps; then `print(watched)`.

    Finds everything that `doctor` does, and what takes several steps to show: a forgotten zero_grad, a step before
    backward, two backward passes from one loss, graphs that are kept alive, units that are dead throughout, steps out
    of proportion, a schedule that has reached 0. The training runs the same way as without, at about two to four times
    the cost.

    Args:
        model, optimizer: as `doctor` takes them; more optimizers may follow, `watch(model, a, b)`.
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

    def __init__(
        self, model: Models, optimizer: Optimizers = None, *more: Optimizer, first: int = 10, every: int = 7
    ) -> None:
        models = as_list("watch", "model", Module, model)
        optimizers = [each for given in (optimizer, more) for each in as_list("watch", "optimizer", Optimizer, given)]
        self.run = TrainingRun(models, optimizers, observed=True)
        self.first, self.every = first, max(1, every)
        self.findings: dict[tuple[str, str | None], Finding] = {}
        self.losses = self.steps = 0
        self._trackers = {id(optimizer): GradientTracker(optimizer) for optimizer in self.run.optimizers}
        self._roots: list[Any] = []  # a weak reference to the last node of each loss
        self._roots_since_step: list[Any] = []  # those of the losses since the last step
        self._observers = ExitStack()

    def __enter__(self) -> watch:
        self._observers.enter_context(observe(self.run))
        self._observers.enter_context(events.on("backward", self._before_backward))
        self._observers.enter_context(events.on("step", self._before_step))
        return self

    def __exit__(self, *error: object) -> None:
        self._observers.close()
        self._count_graphs()
        self.run.forget_calls()

    def _before_backward(self, tensors: Any) -> Callable[[], None] | None:
        run, root = self.run, tensors[0]._node
        if root is None:
            run.add_loss_without_graph()
            return None
        for tracker in self._trackers.values():
            tracker.before_backward()
        nodes = set(reachable([root]))
        if any(earlier() in nodes for earlier in self._roots_since_step):
            leaves = [leaf.tensor() for node in nodes for leaf in node.inputs if isinstance(leaf, Leaf)]
            if any(t is not None and has_gradient(t) for t in leaves):
                times = "twice" if len(self._roots_since_step) == 1 else "several times"
                run.events.setdefault("backward-twice", (run.line_of(here()), times))
        if self.losses < self.first or self.losses % self.every == 0:
            for finding in examine(LossGraph(tensors[0], run)):
                known = self.findings.setdefault((finding.name, finding.line), replace(finding, times=0))
                self.findings[finding.name, finding.line] = replace(known, times=known.times + 1)
            self._count_graphs()
        self.losses += 1
        return partial(self._after_backward, root)

    def _after_backward(self, root: Node) -> None:
        for tracker in self._trackers.values():
            tracker.after_backward()
        self._roots.append(ref(root))
        self._roots_since_step.append(self._roots[-1])
        self.run.forget_calls()

    def _count_graphs(self) -> None:
        """Note the graphs of earlier losses that are still there, and the line that holds them."""
        alive = [root for each in self._roots[:-RECENT] if (root := each()) is not None]
        if len(alive) > 2:
            known = self.run.events.get("graphs-kept-alive", (None,))[0]
            # operations that have the latest root among their inputs, by way of the garbage collector's references
            tuples = (inputs for inputs in gc.get_referrers(alive[-1]) if isinstance(inputs, tuple))
            nodes = ((node, inputs) for inputs in tuples for node in gc.get_referrers(inputs) if type(node) is Node)
            user = next((node for node, inputs in nodes if node.inputs is inputs), None)
            self.run.events["graphs-kept-alive"] = (self.run.line_of(user) or known, len(alive))

    def _before_step(self, optimizer: Optimizer, closure: Any) -> Callable[[Any], None] | None:
        if (tracker := self._trackers.get(id(optimizer))) is None:
            return None
        run, line = self.run, self.run.line_of(here())
        graded = {id(p): p for p in parameters_of(optimizer) if p._grad is not None}
        run.step_line = run.step_line or line
        run.rates.append(learning_rates(run))
        run.reached = {**graded, **run.reached}
        if closure is None and (mistake := tracker.mistake(run.parameter_names)) is not None:
            run.events.setdefault(mistake[0], (line, mistake[1]))
        if closure is None and tracker.size > 0:
            run.clipped.append(tracker.total_size() / tracker.size)
        self.steps += 1
        pairs = run.parameters.items() if self.steps <= self.first or self.steps % self.every == 0 else ()
        before = {name: p._array.copy() for name, p in pairs if id(p) in graded and is_weight(p)}
        return partial(self._after_step, tracker, before)

    def _after_step(self, tracker: GradientTracker, before: dict[str, Any], result: Any) -> None:
        parameters, ratios = self.run.parameters, {}
        for name, old in before.items():
            if (size := rms(old)) > 0:
                t = tracker.optimizer.state.get(p := parameters[name], {}).get("t", self.steps)
                ratios[name] = rms(p._array - old) / size, t
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
