"""Checks of a training: order of events, modes, labels, step sizes, and parameters that somebody misses."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from statistics import median
from types import FunctionType, MethodType, ModuleType
from typing import Any

from lucid.core.array import is_array
from lucid.core.node import Tensor
from lucid.nn.attention import MultiheadAttention
from lucid.nn.module import Module, own_entries
from lucid.nn.norms import BatchNorm1d, BatchNorm2d
from lucid.nn.weightless import Dropout
from lucid.optim.lr_scheduler import LRScheduler
from lucid.optim.optimizer import Optimizer
from lucid.see.doctor.checks import Matches, event_check, run_check
from lucid.see.doctor.evidence import TrainingRun, parameters_of
from lucid.see.text import digits, first_few, plural

MOST_ITEMS = 10_000  # of a list that are searched for hidden modules; a longer one holds numbers
NO_GRAD_FIX = "move the forward of training out of the no_grad block"
LARGE_STEP = 0.5  # relative to a weight's own size; Adamax at lr=1e-2 begins with a fifth
LARGEST_STEP = 2.0  # for a single one; where weights begin at 0, a first step of Adamax is as large as they are then
SMALL_STEP = 1e-6


@run_check("warning", fix="subtract 1 from the labels, and give the last layer one output less")
def labels_off_by_one(run: TrainingRun) -> Matches:
    """Classes are numbered from 0. With labels from 1 to n the network needs an output more than there are classes, the
    first of which is never right."""
    for classes, counts in run.label_counts.items():
        total = sum(counts.values())
        if classes > 2 and total >= 8 * classes and not counts[0] and all(counts[c] for c in range(1, classes)):
            seen = f"of {classes} classes each but 0 is among the {total} labels seen"
            message = f"{seen}: they run from 1 to {classes - 1}, but classes are numbered from 0"
            yield run.label_lines.get(classes), message


@run_check("error", fix="compute it from the model's output by tensor operations alone, outside of no_grad()")
def loss_without_graph(run: TrainingRun) -> Matches:
    """From a loss without a graph nothing can be learned; its backward() raises."""
    if not run.loss_without_graph:
        return
    if call := run.unrecorded_before_loss:
        name = run.module_name(call.module)
        message = f"the loss has no graph: {name} ran inside no_grad() (or inference_mode), which records nothing"
        yield call, message, NO_GRAD_FIX
    else:
        cuts = "or cut off by detach(), .data, .item() or .numpy(), or computed under no_grad()"
        yield None, f"the loss has no graph: it was computed from nothing that requires a gradient, {cuts}"


@run_check("error", fix="make the optimizer after the model is complete, from model.parameters() of the trained model")
def optimizer_of_another_model(run: TrainingRun) -> Matches:
    """An optimizer updates the parameters that it was given. Those of another model, or of a layer that has been
    replaced since, get no gradient: the loss stays where it is, and no error says so."""
    known = {*run.parameter_names, *run.reached}
    for optimizer in run.optimizers if run.losses else ():
        held = list(parameters_of(optimizer))
        if strange := [p for p in held if id(p) not in known]:
            some = f"{len(strange)} of the {len(held)} parameters that {type(optimizer).__name__} holds"
            yield run.step_line, f"{some} are neither part of the model nor of the loss"


@run_check(
    "error",
    fix="give the optimizer all of model.parameters(), later ones with add_param_group(...); freeze with "
    "requires_grad_(False) what is to stay as it is",
)
def parameter_without_optimizer(run: TrainingRun) -> Matches:
    """A parameter that no optimizer holds gets gradients and keeps its initial value: a random layer in the middle."""
    held, reached = run.optimized.keys(), run.reached.keys()
    lost = {name: p for name, p in run.parameters.items() if p.requires_grad and id(p) in reached - held}
    if lost and reached & held:
        line = run.used_at.get(id(next(iter(lost.values()))))
        yield line, f"the loss depends on {first_few(list(lost))}, which no optimizer holds"


def _unreached(run: TrainingRun, cause: str) -> str:
    """The parameters that no loss depends on though it should, as text: for "unused", "detached" or "unrecorded"."""
    held, reached = run.optimized if run.optimizers else run.parameter_names, run.reached
    trained = {name: p for name, p in run.parameters.items() if id(p) in reached or p.requires_grad}
    missed = [name for name, p in trained.items() if run.losses and id(p) not in reached and id(p) in held]
    # Without observing which modules ran: where all parameters before some layer are missed, it was detached there.
    all_before = list(trained)[: len(missed)] == missed and len(missed) < len(trained)

    def cause_of(p: Tensor) -> str:
        if not run.observed:
            return "detached" if all_before else "unused"
        owners = [key for key, (_, module) in run.modules.items() if any(t is p for _, t, _ in own_entries(module))]
        unrecorded, recorded = run.call_counts.get(owners[-1] if owners else 0, (0, 0))
        if recorded and run.detached:
            return "detached"
        return "unrecorded" if unrecorded and not recorded else "unused"

    return first_few([name for name in missed if cause_of(trained[name]) == cause])


@run_check("warning", fix="use it in forward, on the way to the loss, or take it out of the model")
def parameter_not_in_loss(run: TrainingRun) -> Matches:
    """A parameter that the loss does not depend on gets no gradient: a layer that forward forgot to call."""
    if names := _unreached(run, "unused"):
        yield run.root_call_line, f"the optimizer holds {names}, on which the loss does not depend"


@run_check("error", fix="leave out detach(), .data, .numpy() or lucid.tensor(...) between these layers and the loss")
def cut_graph(run: TrainingRun) -> Matches:
    """After .detach(), .data, .numpy() or .tolist() a tensor is plain data, without a graph. No gradient gets to what
    was computed before: those layers keep their initial values."""
    if names := _unreached(run, "detached"):
        first_use = (run.used_at[id(p)] for p in run.parameters.values() if id(p) in run.reached)
        line, module = run.detached or (next(first_use, None), "")
        output = f"the output of {module}" if module else "their output"
        yield line, f"no gradient reaches {names}: {output} was used without its graph, as plain data"


@run_check("error", fix=NO_GRAD_FIX)
def unrecorded_forward(run: TrainingRun) -> Matches:
    """Inside no_grad nothing is recorded, and what was computed there is plain data for what comes after."""
    if names := _unreached(run, "unrecorded"):
        yield run.unrecorded_line, f"no gradient reaches {names}: they ran only inside no_grad(), unrecorded"


@run_check("error", fix="keep it in an attribute of the module, or in a list, tuple or dict in one")
def hidden_module(run: TrainingRun) -> Matches:
    """Modules are found in attributes, lists, tuples and dicts. One in a set, in another object or in a lambda is not:
    parameters() leaves it out, and so do state_dict, to and train."""
    for path, module in _hidden(run):
        lost = [p for p in module.parameters() if id(p) in run.reached] if isinstance(module, Module) else []
        if lost:
            hidden = f"{path} holds a {type(module).__name__} where modules are not searched for"
            message = f"{hidden}: parameters() misses its {plural(len(lost), 'parameter')}"
            yield run.used_at.get(id(lost[0])), message


@run_check("error", fix="make it an nn.Parameter(...), in an attribute, list or dict of the module")
def tensor_not_parameter(run: TrainingRun) -> Matches:
    """A plain tensor that requires a gradient gets one, but only a Parameter is part of parameters()."""
    held = run.optimized
    for path, t in _hidden(run):
        if isinstance(t, Tensor) and id(t) in run.reached and id(t) not in held:
            tensor = f"{path} is a tensor of shape {t.shape} that requires a gradient, but no Parameter"
            yield run.used_at.get(id(t)), f"{tensor}: parameters() does not return it"


def _hidden(run: TrainingRun) -> Iterator[tuple[str, Any]]:
    """(path, object) of the modules, and the leaves that require a gradient, that a walk of the model misses."""
    seen = {*run.modules, *run.parameter_names}
    for name, module in list(run.modules.values()):
        for attribute, value in vars(module).items():
            if attribute != "_hooks":
                yield from _search(value, f"{name}.{attribute}", seen)


def _search(value: Any, path: str, seen: set[int], depth: int = 5) -> Iterator[tuple[str, Any]]:
    if id(value) in seen or depth == 0:
        return
    if isinstance(value, (Module, Tensor)):
        if isinstance(value, Module) or value.requires_grad and value.is_leaf:
            yield path, value
    elif not isinstance(value, (str, bytes, int, float, complex, type, ModuleType, Optimizer, LRScheduler, type(None))):
        seen.add(id(value))
        for suffix, inner in _contents(value):
            yield from _search(inner, path + suffix, seen, depth - 1)


def _contents(value: Any) -> Iterator[tuple[str, Any]]:
    """What a plain Python object holds, each with how the path to it goes on."""
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", inner) for key, inner in value.items())
        yield from ((" (a key)", key) for key in value)
    elif isinstance(value, (list, tuple, deque, set, frozenset)):
        form = "{{...}}" if isinstance(value, (set, frozenset)) else "[{}]"
        yield from ((form.format(i), inner) for i, inner in enumerate(islice(value, MOST_ITEMS)))
    elif isinstance(value, FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            with suppress(ValueError):  # a variable that was not assigned yet
                yield f" (its variable {name})", cell.cell_contents
        yield from ((" (a default)", inner) for inner in value.__defaults__ or ())
        yield from ((f" (the default of {name})", inner) for name, inner in (value.__kwdefaults__ or {}).items())
    elif isinstance(value, MethodType):
        yield " (its self)", value.__self__
    elif not is_array(value):
        for name in ("func", "args", "keywords") if isinstance(value, partial) else ():
            yield f".{name}", getattr(value, name)
        yield from ((f".{name}", inner) for name, inner in getattr(value, "__dict__", {}).items())


def _rates(run: TrainingRun) -> str:
    rates = sorted({rate for group in run.rates[-1:] for rate in group})
    return first_few([digits(rate, 3) for rate in rates]) or "?"


@run_check("warning", fix="a learning rate that is ten or a hundred times smaller")
def learning_rate_too_large(run: TrainingRun) -> Matches:
    """A step should change a weight by about a thousandth of its size. One of its own size leaves nothing of what was
    learned before."""
    typical = [median(size for size, _ in ratios.values()) for ratios in run.step_ratios if ratios]
    if typical and (median(typical) > LARGE_STEP or max(typical) > LARGEST_STEP):
        step = f"a step moves the weights by up to {digits(max(typical), 3)} of their own size (root mean squares)"
        yield run.step_line, f"{step}, at lr={_rates(run)}; about 0.001 is usual"


@run_check("warning", fix="a learning rate that is a hundred or a thousand times larger")
def learning_rate_too_small(run: TrainingRun) -> Matches:
    """A step of a millionth of a weight's size is lost in rounding, and a thousand of them change nothing."""
    early = [ratios for ratios in run.step_ratios if ratios and max(t for _, t in ratios.values()) <= 10]
    largest = max((size for ratios in early for size, _ in ratios.values()), default=0.0)
    if 0 < largest < SMALL_STEP:
        step = f"a step moves no weight by more than {digits(largest, 3)} of its size (root mean squares)"
        yield run.step_line, f"{step}, at lr={_rates(run)}; about 0.001 is usual"


@run_check(
    "warning",
    fix="give the optimizer an lr; or let the schedule last as long as the training, with one step() an epoch if it "
    "counts epochs",
)
def learning_rate_zero(run: TrainingRun) -> Matches:
    """At a learning rate of 0 nothing moves. A schedule stays at 0 when it has ended there."""
    if run.rates and not any(map(any, run.rates[-2:])):
        groups = len(run.rates[-1])
        yield run.step_line, "the learning rate is 0" + f" in all {groups} groups" * (groups > 1)


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
    modules = [m for m in run.modules.values() if not run.modes.get(id(m[1]), m[1].training) and _has_modes(m[1])]
    asleep = {name: type(module).__name__ for name, module in modules if _is_trained(run, name)}
    if asleep:
        types, are = ", ".join(sorted(set(asleep.values()))), "is" if len(asleep) == 1 else "are"
        yield run.root_call_line, f"module {first_few(list(asleep))} ({types}) {are} in eval mode during backward()"


def _has_modes(module: Module) -> bool:
    """Whether it does something else in training."""
    if isinstance(module, Dropout | MultiheadAttention):
        return (module.p if isinstance(module, Dropout) else module.dropout) > 0
    return isinstance(module, BatchNorm1d | BatchNorm2d)


def has_dropout(module: Module) -> bool:
    """Whether there is an active Dropout anywhere in it."""
    return any(isinstance(inner, Dropout) and inner.p > 0 for inner in module.modules())


def _is_trained(run: TrainingRun, name: str) -> bool:
    """Whether the innermost module around it (or itself) that has parameters has some that are trained."""
    modules = dict(run.modules.values())
    while name:
        if name in modules and (parameters := list(modules[name].parameters())):
            return any(p.requires_grad and id(p) in run.reached for p in parameters)
        name = name.rpartition(".")[0]
    return any(id(p) in run.reached for p in run.parameters.values())
