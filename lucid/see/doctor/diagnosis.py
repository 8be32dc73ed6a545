"""One look at a model, its loss and its optimizer for the mistakes that cost days.

    print(lucid.see.doctor(model, loss, optimizer))

Mistakes that show only over some steps, such as a forgotten zero_grad, are found by `watch`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from lucid.autograd.grad_mode import enable_grad
from lucid.autograd.provenance import HINT, here, track_provenance
from lucid.core.array import is_array, namespace, storage_of
from lucid.core.node import Tensor, grad_mode
from lucid.core.op import Op
from lucid.nn.module import Module
from lucid.optim.optimizer import Optimizer
from lucid.optim.rule import evaluate_rule
from lucid.see.doctor import checks_loss, checks_parameters, checks_signal, checks_time  # noqa: F401 (they fill the table)
from lucid.see.doctor.checks import GRAPH_CHECKS, RUN_CHECKS
from lucid.see.doctor.checks_time import has_dropout
from lucid.see.doctor.evidence import LossGraph, Models, ModuleCall, Optimizers, TrainingRun, as_list, rms
from lucid.see.doctor.findings import Finding, Report
from lucid.see.observers import on_forward, on_module_call
from lucid.see.text import plural

MOST_CALLS = 100_000  # calls of modules that are kept between two backward passes


def doctor(model: Models, loss: Tensor | list[Tensor] | Callable[[], Any], optimizer: Optimizers = None) -> Report:
    """What is wrong with a training step, by name, with the line at fault and the fix; nothing is changed.

    Call it before `loss.backward()`, which releases what there is to examine. To see the lines, compute the loss inside
    `with lucid.see.track_provenance():`, or give a function that computes it: `lambda: loss_of(model(x), y)`. That is run once,
    and the modules are observed while it runs.

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
    losses = as_list("doctor", "loss", Tensor, list(losses) if isinstance(losses, tuple) else losses)
    if not losses:
        raise TypeError("doctor: expected a loss, got none; give a Tensor, or a function that returns one")
    findings: list[Finding] = []
    gradients: dict[int, Any] = {}
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


def examine(graph: LossGraph) -> list[Finding]:
    """The findings in the graph of one loss, which becomes part of its run."""
    graph.run.add_loss(graph)
    return [finding for check in GRAPH_CHECKS.values() for finding in check(graph)]


def report(run: TrainingRun, findings: list[Finding], losses: str) -> Report:
    """The findings in all losses, and those about the run."""
    findings = findings + [finding for check in RUN_CHECKS.values() for finding in check(run)]
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
    ratios: dict[str, tuple[float, int]] = {}
    names = run.parameter_names
    for optimizer in run.optimizers:
        if type(optimizer).rule is Optimizer.rule:
            continue
        for group, settings in zip(optimizer.param_groups, optimizer._read_groups(), strict=True):
            for p in group["params"]:
                if id(p) not in gradients or not is_weight(p) or not (size := rms(p._array)):
                    continue
                state, theta, g = optimizer.state.get(p, {}), p._array, gradients[id(p)]
                t, xp = state.get("t", 0), namespace(theta)
                slots = [
                    None if s is None else state.get(s, xp.full_like(theta, settings.initial.get(s, 0)))
                    for s in settings.slots
                ]
                with xp.quiet():
                    scalars = optimizer.step_scalars(settings.checked, t + 1)
                    moved, _ = evaluate_rule(optimizer.rule, xp, theta, g, slots, scalars, settings.static)
                ratios[names.get(id(p), "?")] = (rms(moved - theta) / size, t)
    return ratios


@contextmanager
def observe(run: TrainingRun) -> Iterator[None]:
    """While the block runs, nodes record their provenance, and `run` every call of its modules."""
    roots = {id(model) for model in run.models}

    def after_call(module: Module, args: Any, output: Any) -> None:
        recorded, is_root = grad_mode.recording, id(module) in roots
        outputs = [t for t in (output if isinstance(output, (tuple, list)) else [output]) if isinstance(t, Tensor)]
        call = ModuleCall(here(sys._getframe(1)), module, recorded, outputs)
        run.call_counts.setdefault(id(module), [0, 0])[recorded] += 1
        run.calls.append(call)
        run.first_uses |= {id(storage_of(t._array)): None for t in outputs if t._node is not None}
        if len(run.calls) > MOST_CALLS:
            del run.calls[: MOST_CALLS // 2]
        if recorded:
            run.modes[id(module)] = module.training
            if is_root and run.root_call_line is None:
                run.root_call_line = run.line_of(call)
            return
        run.unrecorded_line = run.unrecorded_line or run.line_of(call)
        if module.training and is_root and len(roots) == 1 and has_dropout(module):
            run.events.setdefault("train-mode", (run.line_of(call), type(module).__name__))

    def note_first_use(op: Op, out: Any, inputs: Any, options: Any, seconds: float) -> None:
        for x in inputs if op.vjps else ():  # argmax and other integer operations only read
            if is_array(x) and run.first_uses.get(key := id(storage_of(x)), key) is None:
                run.first_uses[key] = here(sys._getframe(1))

    with ExitStack() as stack:
        stack.enter_context(track_provenance())
        for _, module in run.modules.values():
            stack.callback(on_module_call(module, after_call))
        stack.callback(on_forward(note_first_use))
        yield
