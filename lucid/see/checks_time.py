"""Checks of what happens in which order: forward, zero_grad, backward, step, again and again; and in which mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lucid.nn.attention import MultiheadAttention
from lucid.nn.module import Module
from lucid.nn.norms import BatchNorm1d, BatchNorm2d
from lucid.nn.weightless import Dropout
from lucid.see.checks import Found, of_a_run
from lucid.see.findings import some
from lucid.see.view import Run


def _told(run: Run, name: str, what: str, fix: str) -> Iterator[Found]:
    """What `watch` noted under the name of a check: whom it concerns, and the line."""
    if name in run.noted:
        who, where = run.noted[name]
        yield Found(what.format(who), fix, where)


@of_a_run("zero-grad-forgotten", "error")
def zero_grad_forgotten(run: Run) -> Iterator[Found]:
    """backward() adds to what stands in .grad. Without zero_grad() each step goes by the sum of all gradients so far,
    those at weights long left behind included."""
    return _told(
        run,
        "zero-grad-forgotten",
        "step() used gradients that still contain those of the step before: {}",
        "optimizer.zero_grad() once a step, before backward()",
    )


@of_a_run("step-without-backward", "error")
def step_without_backward(run: Run) -> Iterator[Found]:
    """The order is zero_grad, forward, backward, step. A step that comes before backward goes by no gradients, or by
    those of the step before."""
    return _told(
        run,
        "step-without-backward",
        "step() was called without new gradients: {}",
        "zero_grad(), forward, backward(), step(), in this order, and no zero_grad() between the last two",
    )


@of_a_run("backward-twice", "error")
def backward_twice(run: Run) -> Iterator[Found]:
    """Walked back twice, a loss counts twice; retain_graph=True, which makes that possible, hides the mistake."""
    return _told(
        run,
        "backward-twice",
        "the same loss was walked back {} between two steps, and its gradients were added up",
        "call backward() once, on the sum of the losses, and leave out retain_graph=True",
    )


@of_a_run("graphs-kept-alive", "warning")
def graphs_kept_alive(run: Run) -> Iterator[Found]:
    """`total += loss` makes a number that remembers how it was computed, and so every step of the epoch stays in
    memory; a list of losses does the same."""
    return _told(
        run,
        "graphs-kept-alive",
        "the graphs of {} earlier steps are still in memory",
        "total += loss.item(), or losses.append(loss.detach())",
    )


@of_a_run("eval-mode", "error")
def eval_mode(run: Run) -> Iterator[Found]:
    """In eval mode Dropout drops nothing and BatchNorm goes by running averages. After a validation that called eval()
    training goes on without either, until somebody calls train()."""
    parameters = {id(p) for p in run.reached.values()}
    asleep = [
        (name, module)
        for name, module in run.modules.values()
        if _has_modes(module) and not _mode(run, module) and _trained(run, name, parameters)
    ]
    if asleep:
        kinds = sorted({type(module).__name__ for _, module in asleep})
        yield Found(
            f"module {some([name for name, _ in asleep])} ({', '.join(kinds)}) "
            f"{'is' if len(asleep) == 1 else 'are'} in eval mode while the loss is walked back",
            "call model.train() before training goes on; validation calls eval() first and train() after",
            run.noted.get("call-at"),
        )


@of_a_run("train-mode", "warning")
def train_mode(run: Run) -> Iterator[Found]:
    """Validation in training mode drops units at random, and is worse than the model is."""
    return _told(
        run,
        "train-mode",
        "{} ran inside no_grad() in training mode, and its Dropout dropped",
        "call model.eval() before validation, and model.train() after it",
    )


def _has_modes(module: Module) -> bool:
    """Whether it does something else in training."""
    if isinstance(module, Dropout):
        return module.p > 0
    if isinstance(module, MultiheadAttention):
        return module.dropout > 0
    return isinstance(module, (BatchNorm1d, BatchNorm2d))


def drops(module: Module) -> bool:
    """Whether there is a Dropout, which is on, anywhere in it."""
    return any(isinstance(each, Dropout) and each.p > 0 for each in module.modules())


def _mode(run: Run, module: Module) -> Any:
    """Whether it was in training mode when it last ran with a history, or is now."""
    return run.noted.get("modes", {}).get(id(module), module.training)


def _trained(run: Run, name: str, reached: set[int]) -> bool:
    """Whether the nearest of the modules around it (or itself) that has parameters has some that are trained."""
    modules = dict(run.modules.values())
    while True:
        module = modules.get(name)
        if module is not None and (found := list(module.parameters())):
            return any(p.requires_grad and id(p) in reached for p in found)
        if "." not in name:
            return any(id(p) in reached for p in run.parameters.values())
        name = name.rpartition(".")[0]
