"""The doctor: one look at a model, its loss and its optimizer for the mistakes that cost days.

    print(lucid.see.doctor(model, loss, optimizer))

The mistakes stand in `checks_loss`, `checks_parameters`, `checks_signal` and `checks_time`, each a function with a
name, and what they look at in `view`. What shows only over some steps, a forgotten zero_grad for one, `watch` sees.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

from lucid import backend
from lucid.graph import memory_of
from lucid.nn.module import Module
from lucid.op import Op, look_on
from lucid.optim.optimizer import Optimizer
from lucid.optim.rule import evaluate_rule
from lucid.origins import HOW, remember, whose_line
from lucid.recording import enable_grad, grad_mode
from lucid.see import checks_loss, checks_parameters, checks_signal, checks_time  # noqa: F401 (they fill the table)
from lucid.see.checks import OF_A_LOSS, OF_A_RUN
from lucid.see.checks_time import drops
from lucid.see.findings import Finding, Report
from lucid.see.following import follow_calls
from lucid.see.view import Call, Case, Run, listed, rms
from lucid.tensor import Tensor

MANY = 100_000  # calls of modules that are remembered between two walks back


def doctor(
    model: Module | list[Module],
    loss: Tensor | list[Tensor] | Callable[[], Any],
    optimizer: Optimizer | list[Optimizer] | None = None,
) -> Report:
    """What is wrong with a training step, by name, with the line at fault and the fix; nothing is changed.

    Call it before `loss.backward()`, whose walk lets go of what there is to look at. To hear lines, compute the loss
    inside `with lucid.see.remember():`, or give a function that computes it: `lambda: loss_of(model(x), y)`. That is
    run once, and the modules are looked at while it runs.

    Args:
        model: the model, or several that are trained together.
        loss: its loss, several, or a function that gives them. With reduction "none" its sum is looked at.
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
    models = listed("doctor", "model", Module, model)
    run = Run(models, listed("doctor", "optimizer", Optimizer, optimizer), watched=callable(loss))
    if not models:
        raise TypeError("doctor: expected a Module, got none; give the model, or a list of those trained together")
    given: Any = loss
    if callable(loss):
        with observed(run), enable_grad():
            given = loss()
    losses = listed("doctor", "loss", Tensor, list(given) if isinstance(given, tuple) else given)
    if not losses:
        raise TypeError("doctor: expected a loss, got none; give a Tensor, or a function that returns one")
    findings: list[Finding] = []
    gradients: dict[int, Any] = {}
    for each in losses:
        if each._node is None:
            run.noted["loss-without-graph"] = next((c for c in run.calls[::-1] if not c.recorded), False)
            continue
        case = Case(each, run)
        run.take(case)
        findings += [finding for check in OF_A_LOSS.values() for finding in check(case)]
        for leaf, g in case.gradients.items():
            if (t := leaf.tensor()) is not None:
                gradients[id(t)] = gradients[id(t)] + g if id(t) in gradients else g
    run.forget_calls()
    if run.optimizers:
        run.noted["rates"] = [rates(run)]
        run.noted["ratios"] = [_predicted(run, gradients)]
    return report(run, findings)


def report(run: Run, findings: list[Finding], among: str = "") -> Report:
    """The findings of all losses, and those about the run."""
    findings = findings + [finding for check in OF_A_RUN.values() for finding in check(run)]
    losses = f"{run.losses} loss{'es' * (run.losses != 1)}"
    looked_at = f"{among or losses}: {run.operations} operations, {len(run.parameters)} parameters"
    return Report(findings, looked_at, "" if run.watched else HOW)


def rates(run: Run) -> list[float]:
    """The learning rate of every group."""
    return [group.get("lr", 1.0) for each in run.optimizers for group in each.param_groups]


def is_weight(p: Tensor) -> bool:
    """Whether the size of a step is measured by this parameter: a matrix of some size."""
    return p.ndim >= 2 and p.numel() >= 16


def _predicted(run: Run, gradients: dict[int, Any]) -> dict[str, tuple[float, int]]:
    """Name -> (by how much of its size the next step would move the weight, how many steps there were before).

    By the optimizer's own rule, which is pure: nothing moves. There is none for an optimizer that is no rule.
    """
    found: dict[str, tuple[float, int]] = {}
    names = {id(p): name for name, p in run.parameters.items()}
    for optimizer in run.optimizers:
        if type(optimizer).rule is Optimizer.rule:
            continue
        for group, settings in zip(optimizer.param_groups, optimizer._read_groups(), strict=True):
            for p in group["params"]:
                if id(p) not in gradients or not is_weight(p) or not (size := rms(p._array)):
                    continue
                entry, theta, g = optimizer.state.get(p, {}), p._array, gradients[id(p)]
                t, xp = entry.get("t", 0), backend.namespace(theta)
                slots = [
                    None if s is None else entry.get(s, xp.full_like(theta, settings.initial.get(s, 0)))
                    for s in settings.slots
                ]
                with xp.quiet():
                    scalars = optimizer.step_scalars(settings.checked, t + 1)
                    moved, _ = evaluate_rule(optimizer.rule, xp, theta, g, slots, scalars, settings.static)
                found[names.get(id(p), "?")] = (rms(moved - theta) / size, t)
    return found


@contextmanager
def observed(run: Run) -> Iterator[None]:
    """While the block runs, nodes remember where they come from, and `run` every call of its modules."""
    with ExitStack() as stack:
        stack.enter_context(remember())
        roots = {id(model) for model in run.models}

        def after(module: Module, args: Any, output: Any) -> None:
            recorded = grad_mode.recording
            call = Call(module, recorded, output, whose_line(sys._getframe(1)))
            run.called[id(module)][recorded] += 1
            run.calls.append(call)
            run.used |= {id(memory_of(t._array)): None for t in call.outputs if t._node is not None}
            if len(run.calls) > MANY:
                del run.calls[: MANY // 2]
            if recorded:
                run.noted.setdefault("modes", {})[id(module)] = module.training
                if id(module) in roots and "call-at" not in run.noted:
                    run.noted["call-at"] = run.where(call)
            elif "unrecorded" not in run.noted:
                run.noted["unrecorded"] = Call(module, False, None, call.made)
            if not recorded and module.training and id(module) in roots and len(roots) == 1 and drops(module):
                run.noted.setdefault("train-mode", (type(module).__name__, run.where(call)))

        def using(op: Op, forward: Any) -> Any:
            def used(xp: Any, *inputs: Any, **options: Any) -> Any:
                for x in inputs:
                    if backend.is_array(x) and (key := id(memory_of(x))) in run.used and run.used[key] is None:
                        run.used[key] = SimpleNamespace(made=whose_line(sys._getframe(1)))
                return forward(xp, *inputs, **options)

            return used if op.formulas else forward  # argmax and its kin only look

        for _, module in run.modules.values():
            stack.callback(follow_calls(module, after))
        look_on(using)
        stack.callback(look_on, using, False)
        yield
