"""Checks of the parameters: the model, the optimizer and the loss may each miss some."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from types import FunctionType, MethodType, ModuleType
from typing import Any

from lucid.core.array import is_array, to_numpy
from lucid.core.node import Tensor
from lucid.nn.module import Module, own_entries
from lucid.optim.lr_scheduler import LRScheduler
from lucid.optim.optimizer import Optimizer
from lucid.see.doctor.checks import Matches, graph_check, run_check
from lucid.see.doctor.checks_loss import NO_GRAD_FIX
from lucid.see.doctor.evidence import LossGraph, TrainingRun, parameters_of
from lucid.see.text import first_few, plural

MOST_ITEMS = 10_000  # of a list that are searched for hidden modules; a longer one holds numbers


@run_check("error", fix="make the optimizer after the model is complete, from model.parameters() of the trained model")
def optimizer_of_another_model(run: TrainingRun) -> Matches:
    """An optimizer updates the parameters that it was given. Those of another model, or of a layer that has been
    replaced since, get no gradient: the loss stays where it is, and no error says so."""
    mine = {id(p) for p in run.parameters.values()}
    for optimizer in run.optimizers if run.losses else ():
        held = list(parameters_of(optimizer))
        strange = [p for p in held if id(p) not in mine and id(p) not in run.reached]
        if strange:
            some = f"{len(strange)} of the {len(held)} parameters that {type(optimizer).__name__} holds"
            yield run.step_line, f"{some} are neither part of the model nor of the loss"


@run_check(
    "error",
    fix="give the optimizer all of model.parameters(), later ones with add_param_group(...); freeze with "
    "requires_grad_(False) what is to stay as it is",
)
def parameter_without_optimizer(run: TrainingRun) -> Matches:
    """A parameter that no optimizer holds gets gradients and keeps its initial value: a random layer in the middle."""
    held, reached = run.optimized, run.reached
    orphans = reached.keys() - held.keys()
    lost = [(name, p) for name, p in run.parameters.items() if p.requires_grad and id(p) in orphans]
    if lost and reached.keys() & held.keys():
        names = first_few([name for name, _ in lost])
        yield run.used_at.get(id(lost[0][1])), f"the loss depends on {names}, which no optimizer holds"


def _unreached(run: TrainingRun, cause: str) -> str:
    """The parameters that no loss depends on though it should, as text: for "unused", "detached" or "unrecorded"."""
    held, reached = run.optimized, run.reached
    missed = [
        (name, p)
        for name, p in run.parameters.items()
        if run.losses and p.requires_grad and id(p) not in reached and (not run.optimizers or id(p) in held)
    ]
    names = [name for name, p in run.parameters.items() if id(p) in reached or p.requires_grad]
    # Without observing which modules ran: where all parameters before some layer are missed, it was detached there.
    all_before = names[: len(missed)] == [name for name, _ in missed] and len(missed) < len(names)

    def cause_of(p: Tensor) -> str:
        if not run.observed:
            return "detached" if all_before else "unused"
        owners = [key for key, (_, module) in run.modules.items() if any(t is p for _, t, _ in own_entries(module))]
        unrecorded, recorded = run.call_counts.get(owners[-1] if owners else 0, (0, 0))
        if recorded and run.detached:
            return "detached"
        return "unrecorded" if unrecorded and not recorded else "unused"

    return first_few([name for name, p in missed if cause_of(p) == cause])


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


@graph_check("error", fix="initialise weights at random, as nn's layers do, or with nn.init.xavier_uniform_(weight)")
def equal_weights(graph: LossGraph) -> Matches:
    """Units that begin with equal weights, zeros or ones, get equal gradients, and stay equal for ever: a layer of a
    hundred is worth one."""
    for name, p, g, user in graph.weights():
        rows = to_numpy(p._array).reshape(p.shape[0], -1)
        gradients = to_numpy(g).reshape(p.shape[0], -1)
        if len(rows) < 2 or rows.shape[1] < 1 or (rows != rows[:1]).any():
            continue
        largest = float(abs(gradients).max()) if gradients.size else 0.0
        if float(abs(gradients - gradients[:1]).max()) <= 1e-5 * largest:
            equal = f"all {len(rows)} rows of {name} are equal, and so are their gradients"
            yield user, f"{equal}: these units will never differ"


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
        return
    if isinstance(value, (str, bytes, int, float, complex, type, ModuleType, Optimizer, LRScheduler, type(None))):
        return
    seen.add(id(value))
    for suffix, inner in _contents(value):
        yield from _search(inner, path + suffix, seen, depth - 1)


def _contents(value: Any) -> Iterator[tuple[str, Any]]:
    """What a plain Python object holds, each with how the path to it goes on."""
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", inner) for key, inner in value.items())
        yield from ((" (a key)", key) for key in value)
    elif isinstance(value, (list, tuple, deque)):
        yield from ((f"[{i}]", inner) for i, inner in enumerate(islice(value, MOST_ITEMS)))
    elif isinstance(value, (set, frozenset)):
        yield from (("{...}", inner) for inner in value)
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
