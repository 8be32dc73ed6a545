"""Checks of who knows the parameters: the model's walk, the optimizer, and the loss, each of which may miss some."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

from lucid.core.array import is_array, to_numpy
from lucid.core.node import Tensor
from lucid.nn.module import Module
from lucid.optim.lr_scheduler import LRScheduler
from lucid.optim.optimizer import Optimizer
from lucid.see.checks import Found, of_a_loss, of_a_run
from lucid.see.findings import some
from lucid.see.view import Case, Run

MANY = 10_000  # items of a list that are searched for hidden modules; a longer one holds numbers


@of_a_run("optimizer-of-another-model", "error")
def optimizer_of_another_model(run: Run) -> Iterator[Found]:
    """An optimizer moves the objects that it was given. Those of another model, or of a layer that has been replaced
    since, get no gradient: the loss stays where it is, and nobody says so."""
    mine = {id(p) for p in run.parameters.values()}
    for optimizer in run.optimizers:
        held = [p for group in optimizer.param_groups for p in group["params"]]
        strange = [p for p in held if id(p) not in mine and id(p) not in run.reached]
        if strange and run.losses:
            yield Found(
                f"{len(strange)} of the {len(held)} parameters that {type(optimizer).__name__} holds are neither part "
                "of the model nor of the loss",
                "make the optimizer after the model is complete, from model.parameters() of the model that is trained",
                run.noted.get("step-at"),
            )


@of_a_run("parameter-without-optimizer", "error")
def parameter_without_optimizer(run: Run) -> Iterator[Found]:
    """A parameter that no optimizer holds gets gradients and stays as it was drawn: a random layer in the middle."""
    held = run.held
    lost = [
        (name, p)
        for name, p in run.parameters.items()
        if p.requires_grad and id(p) in run.reached and id(p) not in held
    ]
    if lost and any(id(p) in held for p in run.reached.values()):
        yield Found(
            f"the loss depends on {some([name for name, _ in lost])}, which no optimizer holds",
            "give the optimizer all of model.parameters(), or add_param_group(...) what came later; what is to stay as "
            "it is, requires_grad_(False)",
            run.users.get(id(lost[0][1])),
        )


def _unreached(run: Run) -> Iterator[tuple[str, Tensor, str]]:
    """(name, parameter, why) of what no loss depends on though it should: "unused", "cut" or "unrecorded"."""
    held, reached = run.held, run.reached
    missed = [
        (name, p)
        for name, p in run.parameters.items()
        if p.requires_grad and id(p) not in reached and (not run.optimizers or id(p) in held)
    ]
    names = [name for name, p in run.parameters.items() if id(p) in reached or p.requires_grad]
    for name, p in missed:
        if run.watched:
            unrecorded, recorded = run.called[id(run.owner(p))]
            yield name, p, "cut" if recorded and run.cut else "unrecorded" if unrecorded and not recorded else "unused"
        else:  # nobody saw which modules ran; where all before some layer are missed, and none behind, it was cut there
            before = names[: len(missed)] == [each for each, _ in missed] and len(missed) < len(names)
            yield name, p, "cut" if before else "unused"


def _of(run: Run, why: str) -> list[tuple[str, Tensor]]:
    return [(name, p) for name, p, reason in _unreached(run) if reason == why] if run.losses else []


@of_a_run("parameter-not-in-loss", "warning")
def parameter_not_in_loss(run: Run) -> Iterator[Found]:
    """A parameter that the loss does not depend on gets no gradient: a layer that forward forgot to call."""
    if lost := _of(run, "unused"):
        yield Found(
            f"the optimizer holds {some([name for name, _ in lost])}, on which the loss does not depend",
            "use it in forward, on the way to the loss, or take it out of the model",
            run.noted.get("call-at"),
        )


@of_a_run("cut-graph", "error")
def cut_graph(run: Run) -> Iterator[Found]:
    """Behind .detach(), .data, .numpy() or .tolist() a tensor is mere data. What was computed before is out of reach:
    those layers stay as they were drawn."""
    if lost := _of(run, "cut"):
        where, name = run.cut or (_first_use(run), "")
        whose = f"the output of {name}" if name else "what they computed"
        yield Found(
            f"no gradient reaches {some([name for name, _ in lost])}: {whose} came without its history, as mere data",
            "leave out detach(), .data, .numpy() or lucid.tensor(...) on the way from these layers to the loss",
            where,
        )


def _first_use(run: Run) -> str | None:
    """The line that used the first of the parameters that were reached."""
    return next((run.users[id(p)] for p in run.parameters.values() if id(p) in run.reached), None)


@of_a_run("unrecorded-forward", "error")
def unrecorded_forward(run: Run) -> Iterator[Found]:
    """Inside no_grad nothing is recorded, and what was computed there is mere data for what comes after."""
    if lost := _of(run, "unrecorded"):
        call = run.noted.get("unrecorded")
        yield Found(
            f"no gradient reaches {some([name for name, _ in lost])}: they ran only inside no_grad(), which records "
            "nothing",
            "take the forward of training out of the no_grad block",
            None if call is None else run.where(call),
        )


@of_a_loss("equal-weights", "error")
def equal_weights(case: Case) -> Iterator[Found]:
    """Units that begin with equal weights, zeros or ones, get equal gradients, and stay equal for ever: a layer of a
    hundred is worth one."""
    for name, p, g, use in case.weights():
        rows = to_numpy(p._array).reshape(p.shape[0], -1)
        slopes = to_numpy(g).reshape(p.shape[0], -1)
        if len(rows) < 2 or rows.shape[1] < 1 or (rows != rows[:1]).any():
            continue
        size = float(abs(slopes).max()) if slopes.size else 0.0
        if float(abs(slopes - slopes[:1]).max()) <= 1e-5 * size:
            yield Found(
                f"all {len(rows)} rows of {name} are equal, and so are their gradients: these units will never differ",
                "let the weights begin at random, as nn's layers do by themselves, or nn.init.xavier_uniform_(weight)",
                case.run.where(use),
            )


# -- what the walk does not see ----------------------------------------------------------------------------------------


@of_a_run("hidden-module", "error")
def hidden_module(run: Run) -> Iterator[Found]:
    """A module is found by walking attributes, lists, tuples and dicts. One in a set, in another object or in a lambda
    is not: parameters() leaves it out, and so do state_dict, to and train."""
    for path, module in _hidden(run, Module):
        lost = [p for p in module.parameters() if id(p) in run.reached]
        if lost:
            yield Found(
                f"{path} holds a {type(module).__name__} where the walk does not look, and parameters() is "
                f"{len(lost)} parameter{'s' * (len(lost) != 1)} short",
                "keep it in an attribute of the module, or in a list, tuple or dict in one",
                run.users.get(id(lost[0])),
            )


@of_a_run("tensor-not-parameter", "error")
def tensor_not_parameter(run: Run) -> Iterator[Found]:
    """A plain tensor that requires a gradient gets one, but only a Parameter is part of parameters()."""
    held = run.held
    for path, t in _hidden(run, Tensor):
        if id(t) in run.reached and id(t) not in held:
            yield Found(
                f"{path} is a tensor of shape {t.shape} that requires a gradient, and no Parameter that parameters() "
                "would find",
                f"{path.rpartition('.')[2]} = nn.Parameter(...), in an attribute, list or dict of the module",
                run.users.get(id(t)),
            )


def _hidden(run: Run, kind: type) -> Iterator[tuple[str, Any]]:
    """(path, thing) of the modules, or the tensors that require a gradient, which the walk passes by."""
    known = {*run.modules, *(id(p) for p in run.parameters.values())}
    seen: set[int] = set()
    for name, module in list(run.modules.values()):
        for attribute, value in vars(module).items():
            if attribute != "_hooks":
                yield from _search(value, f"{name}.{attribute}", kind, known, seen, 5)


def _search(
    value: Any, path: str, kind: type, known: set[int], seen: set[int], depth: int
) -> Iterator[tuple[str, Any]]:
    if id(value) in known or id(value) in seen or depth == 0:
        return
    if isinstance(value, (Module, Tensor)):
        if isinstance(value, kind) and (isinstance(value, Module) or value.requires_grad and value.is_leaf):
            yield path, value
        return
    if isinstance(value, (str, bytes, int, float, complex, type, ModuleType, Optimizer, LRScheduler, type(None))):
        return
    seen.add(id(value))
    for step, part in _parts(value):
        yield from _search(part, path + step, kind, known, seen, depth - 1)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What a plain Python object holds, each with how one gets there."""
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", part) for key, part in value.items())
        yield from ((" (a key)", key) for key in value)
    elif isinstance(value, (list, tuple)):
        yield from ((f"[{i}]", part) for i, part in enumerate(value[:MANY]))
    elif isinstance(value, (set, frozenset)):
        yield from (("{...}", part) for part in value)
    elif isinstance(value, FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        yield from ((f" (its variable {name})", cell.cell_contents) for name, cell in cells if _filled(cell))
        yield from ((" (a default)", part) for part in value.__defaults__ or ())
        yield from ((f" (the default of {name})", part) for name, part in (value.__kwdefaults__ or {}).items())
    elif isinstance(value, MethodType):
        yield " (its self)", value.__self__
    elif not is_array(value):
        for name in ("func", "args", "keywords"):  # of a functools.partial
            if hasattr(value, name) and type(value).__name__ == "partial":
                yield f".{name}", getattr(value, name)
        if type(value).__module__ == "collections" and hasattr(value, "popleft"):
            yield from ((f"[{i}]", part) for i, part in enumerate(value))
        yield from ((f".{name}", part) for name, part in getattr(value, "__dict__", {}).items())


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a variable that was not assigned yet
        return False
