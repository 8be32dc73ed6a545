"""Checks of the order of events (forward, zero_grad, backward, step, again and again) and of the training mode."""

from __future__ import annotations

from lucid.nn.attention import MultiheadAttention
from lucid.nn.module import Module
from lucid.nn.norms import BatchNorm1d, BatchNorm2d
from lucid.nn.weightless import Dropout
from lucid.see.doctor.checks import Matches, event_check, run_check
from lucid.see.doctor.evidence import TrainingRun
from lucid.see.text import first_few

event_check(
    "zero-grad-forgotten", "error", "step() used gradients that still contain those of the step before: {}",
    fix="call optimizer.zero_grad() once per step, before backward()",
    about="backward() adds to .grad. Without zero_grad() each step uses the sum of all gradients so far, including "
    "those of weights from long ago.",
)  # fmt: skip
event_check(
    "step-without-backward", "error", "step() was called without new gradients: {}",
    fix="zero_grad(), forward, backward(), step(), in this order, and no zero_grad() between the last two",
    about="The order is zero_grad, forward, backward, step. A step that comes before backward uses no gradients, or "
    "those of the step before.",
)  # fmt: skip
event_check(
    "backward-twice", "error", "backward() ran {} on the same loss between two steps, and its gradients were added up",
    fix="call backward() once, on the sum of the losses, and leave out retain_graph=True",
    about="After two backward passes a loss counts twice; retain_graph=True, which allows it, hides the mistake.",
)  # fmt: skip
event_check(
    "graphs-kept-alive", "warning", "the graphs of {} earlier steps are still in memory",
    fix="total += loss.item(), or losses.append(loss.detach())",
    about="`total += loss` makes a number with the graph that computed it, and so every step of the epoch stays in "
    "memory; a list of losses does the same.",
)  # fmt: skip
event_check(
    "train-mode", "warning", "{} ran inside no_grad() in training mode, and its Dropout dropped units",
    fix="call model.eval() before validation, and model.train() after it",
    about="Validation in training mode drops units at random, and looks worse than the model is.",
)  # fmt: skip


@run_check("error", fix="call model.train() before training goes on; validation calls eval() first and train() after")
def eval_mode(run: TrainingRun) -> Matches:
    """In eval mode Dropout drops nothing and BatchNorm uses its running averages. After a validation that called eval()
    training goes on without either, until train() is called."""
    modes, reached = run.modes, {id(p) for p in run.reached.values()}
    asleep = {
        name: type(module).__name__
        for name, module in run.modules.values()
        if _has_modes(module) and not modes.get(id(module), module.training) and _is_trained(run, name, reached)
    }
    if asleep:
        types, are = ", ".join(sorted(set(asleep.values()))), "is" if len(asleep) == 1 else "are"
        yield run.root_call_line, f"module {first_few(list(asleep))} ({types}) {are} in eval mode during backward()"


def _has_modes(module: Module) -> bool:
    """Whether it does something else in training."""
    if isinstance(module, Dropout):
        return module.p > 0
    if isinstance(module, MultiheadAttention):
        return module.dropout > 0
    return isinstance(module, (BatchNorm1d, BatchNorm2d))


def has_dropout(module: Module) -> bool:
    """Whether there is an active Dropout anywhere in it."""
    return any(isinstance(inner, Dropout) and inner.p > 0 for inner in module.modules())


def _is_trained(run: TrainingRun, name: str, reached: set[int]) -> bool:
    """Whether the innermost module around it (or itself) that has parameters has some that are trained."""
    modules = dict(run.modules.values())
    while True:
        module = modules.get(name)
        if module is not None and (parameters := list(module.parameters())):
            return any(p.requires_grad and id(p) in reached for p in parameters)
        if "." not in name:
            return any(id(p) in reached for p in run.parameters.values())
        name = name.rpartition(".")[0]
