"""How is an optimizer's state saved, and which saved state belongs to which parameter?

A saved state numbers the parameters through all groups, as PyTorch's does. Where the optimizer was given names, they
are saved too, and state goes by name, even if the model lists its parameters in another order by now.

What PyTorch's optimizers save under other names, with a few switches that mean nothing here, is translated.
What does not fit is refused, all problems in one error, with a guess at which optimizer the state is of.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from functools import partial
from inspect import signature
from numbers import Integral
from typing import Any

from lucid.core.array import is_array, to_device, to_numpy
from lucid.core.node import Tensor
from lucid.optim.chunks import new_state
from lucid.optim.validation import split_pairs

Group = dict[str, Any]
Entry = dict[str, Any]
TORCH_ONLY = ("capturable", "differentiable", "foreach", "fused")  # switches between ways to compute the same


def state_dict(name: str, groups: Sequence[Group], state: Mapping[Any, Entry]) -> dict[str, Any]:
    """The `state_dict` of the optimizer called `name`."""
    params = [p for group in groups for p in group["params"]]
    index = {p: i for i, p in enumerate(params)}
    for i, group in enumerate(groups):
        names = group.get("param_names")
        if names is not None and len(names) != len(group["params"]):
            raise ValueError(
                f"{name}.state_dict: group {i} has {len(group['params'])} parameters and {len(names)} names, expected "
                "one each; whoever edits group['params'] must edit group['param_names'] as well, or delete it"
            )
    return {
        "state": {i: {k: plain(v) for k, v in state[p].items()} for p, i in index.items() if p in state},
        "param_groups": [
            {**{k: plain(v) for k, v in group.items() if k != "params"}, "params": [index[p] for p in group["params"]]}
            for group in groups
        ],
    }


def plain(value: Any) -> Any:
    """`value` without anything that is shared or needs a GPU: arrays as NumPy copies, NumPy scalars as Python's."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    value = value._array if isinstance(value, Tensor) else value
    if is_array(value):
        return to_numpy(value).copy()
    return value.item() if hasattr(value, "dtype") else deepcopy(value)


def load(optimizer: Any, saved: Mapping[str, Any], known: Sequence[Any]) -> None:
    """Give `optimizer` the groups and state in `saved`; see `Optimizer.load_state_dict`. `known` are the
    optimizers whose state it might be by mistake. `optimizer` may have its own `torch_difference`,
    `_with_own_names` and `_mismatches`; elsewhere those here do."""
    kind, own = type(optimizer), optimizer.param_groups
    context = f"{kind.__name__}.load_state_dict"
    try:
        state = {i: dict(entry) if isinstance(entry, Mapping) else entry for i, entry in saved["state"].items()}
        groups = [{k: scalar(deepcopy(v)) for k, v in group.items()} for group in saved["param_groups"]]
        indices = [list(group.pop("params")) for group in groups]
        names = [group.pop("param_names", None) for group in groups]
        names = [None if own is None else list(own) for own in names]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        got = list(saved) if isinstance(saved, Mapping) else f"a {type(saved).__name__}"
        expected = "what state_dict() returns, a dict of 'state' and 'param_groups'"
        raise TypeError(f"{context}: expected {expected}, got {got}") from error
    problems: list[str] = []
    params = match_parameters(context, indices, names, own, problems)
    differences = [""]
    for i, group in enumerate(groups):
        switches = [group.pop(key) for key in TORCH_ONLY if key in group]
        try:
            group = groups[i] = split_pairs(f"group {i}", group, optimizer.pairs)
            if switches:
                difference = getattr(optimizer, "torch_difference", partial(torch_difference, kind))
                differences.append(difference(group))
            optimizer._group_options(f"group {i}", group)
        except (TypeError, ValueError) as error:
            problems.append(str(error))
    own_step = isinstance(optimizer.state, defaultdict) and not hasattr(optimizer, "_mismatches")
    if hasattr(optimizer, "_with_own_names"):
        state = optimizer._with_own_names(state, params)
    elif not own_step:
        state = {i: with_own_names(entry, optimizer.torch_slot_names) for i, entry in state.items()}
    slots, needed = optimizer.slots, [x for x in optimizer.slots if x not in optimizer.optional_slots]
    mismatches_of = getattr(optimizer, "_mismatches", partial(mismatches, slots=slots, needed=needed))
    if own_step:  # its entries are what that likes
        mismatches_of = lambda at, p, entry: mismatches(at, p, isinstance(entry, Mapping) and {"t": 0}, (), ())
    problems += [p for i, entry in state.items() for p in mismatches_of(f"state {i!r}", params.get(i), entry)]
    likely = [] if own_step else guess_optimizer(saved, known)
    if likely and kind not in likely and (problems or kind in known):
        names_of_likely = " or ".join(sorted(other.__name__ for other in likely))
        problems.append(f"it looks like the state of {names_of_likely}; load it into one of these, or begin anew")
    if problems:
        raise ValueError(f"{context}: this state does not fit, nothing was loaded:\n  " + "\n  ".join(problems))

    def restored(p: Any, key: str, value: Any) -> Any:
        if own_step:
            if isinstance(value, list):
                return [restored(p, key, each) for each in value]
            return Tensor(to_device(value.copy(), p.device)) if is_array(value) else deepcopy(value)
        if key == "t":
            return int(value)
        return [new_state(p._array, v) for v in value] if isinstance(value, list) else new_state(p._array, value)

    restored_state = {params[i]: {k: restored(params[i], k, v) for k, v in entry.items()} for i, entry in state.items()}
    for group, new in zip(own, groups, strict=True):
        kept = {key: group[key] for key in ("params", "param_names") if key in group}
        group.clear()
        group.update({**kept, **new})
    optimizer.state.clear()
    optimizer.state.update(restored_state)
    if warning := max(differences):
        warnings.warn(f"{context}: {warning}", UserWarning, stacklevel=3)


def torch_difference(kind: type, group: Group) -> str:
    """What PyTorch's optimizer of this name does otherwise, or "", for a group of its state; keys that mean
    nothing here are removed from it. A ValueError if that is so much that the state must not be loaded."""
    names = {base.__name__ for base in kind.__mro__}
    if "Adam" in names:  # there, one with `decoupled_weight_decay` is AdamW
        decoupled = group.pop("decoupled_weight_decay", "AdamW" in names)
        if group.get("weight_decay") and decoupled != ("AdamW" in names):
            other = "AdamW" if decoupled else "Adam"
            raise ValueError(
                f"its weight decay is {'' if decoupled else 'not '}decoupled, which makes it the state of {other}; "
                f"load it into lucid.optim.{other}"
            )
    if "AdamaxW" in names and group.get("weight_decay"):
        raise ValueError("its weight decay is not decoupled, which makes it the state of Adamax; load it into that")
    if kind.__name__ == "Adamax" and group.pop("maximize", False):
        ways = "set its group['maximize'] to False and negate the loss, or load it into AdamaxW(..., weight_decay=0)"
        raise ValueError(f"it is of an Adamax with maximize=True, which goes uphill; {ways}")
    if "Adamax" not in names or not group.get("eps"):
        return ""
    return (
        "PyTorch's Adamax adds eps to |grad| inside the maximum, this one to u at the division, so training goes "
        f"on with steps that differ a little where gradients are not far above eps={group['eps']!r}; with eps=0 "
        "both are the same"
    )


def match_parameters(
    context: str, indices: Sequence[Sequence[Any]], names: Sequence[Any], own: Sequence[Group], problems: list[str]
) -> dict[Any, Any]:
    """Saved index -> parameter here: by name where there are names on both sides, else in order. A ValueError
    if there are not as many groups, or, where it goes in order, not as many parameters in each."""
    own_names = [group.get("param_names") for group in own]
    by_name = len(indices) == len(own) and None not in names and None not in own_names
    saved_sizes, own_sizes = list(map(len, indices)), [len(group["params"]) for group in own]
    if not by_name and saved_sizes != own_sizes:
        raise ValueError(
            f"{context}: expected groups of {own_sizes} parameters, as here, got {saved_sizes}; "
            "make the optimizer over the same parameters in the same groups first"
        )
    matched: dict[Any, Any] = {}
    for i, (group, group_indices, group_names) in enumerate(zip(own, indices, names, strict=True)):
        params = group["params"]
        if not by_name:
            matched.update(zip(group_indices, params, strict=True))
            continue
        named = dict(zip(group["param_names"], params, strict=False))
        missing, unexpected = [n for n in named if n not in group_names], [n for n in group_names if n not in named]
        if missing or unexpected or len(group_names) != len(group_indices) or len(named) != len(params):
            problems.append(
                f"group {i}: the names must be the same, missing {missing}, unexpected {unexpected}; make the "
                "optimizer over parameters of these names in the same groups, or, to go by their order, without names"
            )
        matched.update((j, named[n]) for j, n in zip(group_indices, group_names, strict=False) if n in named)
    if not problems and len(matched) != sum(own_sizes):
        problems.append("param_groups: two parameters have the same index")
    return matched


def with_own_names(entry: Any, torch_slot_names: Mapping[str, str | None]) -> Any:
    """The saved state of one parameter under the names that it has here."""
    if not isinstance(entry, Mapping):
        return entry
    own: Entry = {}
    for key, value in entry.items():
        name = torch_slot_names.get(key, "t" if key == "step" else key)
        if name is None or (key in torch_slot_names and value is None):  # computed from t, or not yet there
            continue
        own[key if name != key and name in entry else name] = scalar(value) if name == "t" else value
    if "t" not in own and torch_slot_names.keys() & entry.keys():  # PyTorch's SGD does not count, and need not:
        own["t"] = int(bool(own))  # all that matters is whether the first update is over
    if isinstance(own.get("t"), float) and own["t"].is_integer():
        own["t"] = int(own["t"])
    return own


def scalar(value: Any) -> Any:
    """`value` as a Python number, if it is one in a 0-d array."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def mismatches(context: str, p: Any, entry: Any, slots: Collection[str], needed: Collection[str]) -> list[str]:
    """What keeps `entry`, which may have arrays in `slots`, from being the state of the parameter `p`, in words."""
    if p is None or not isinstance(entry, Mapping):
        return [f"{context}: no group has a parameter of this index" if p is None else f"{context}: not a dict"]
    known = {"t", *slots}
    problems = [f"{name!r} is missing" for name in sorted({"t", *needed} - entry.keys())]
    problems += [f"{name!r} is unknown, expected {sorted(known)}" for name in entry if name not in known]
    t = entry.get("t", 0)
    if isinstance(t, bool) or not isinstance(t, Integral) or t < 0:
        problems.append(f"t is {t!r}, expected a count of updates")
    shapes = [(slot, getattr(entry.get(slot, p), "shape", None)) for slot in slots]
    expected = f"expected {tuple(p.shape)} as its parameter"
    problems += [f"{slot} has shape {shape}, {expected}" for slot, shape in shapes if shape != p.shape]
    return [f"{context}: {problem}" for problem in problems]


def guess_optimizer(saved: Mapping[str, Any], kinds: Sequence[Any]) -> list[Any]:
    """The optimizers among `kinds` whose state this looks like: those that find most of their hyperparameters in it."""
    entries = [entry for entry in saved["state"].values() if isinstance(entry, Mapping)]
    counts: dict[Any, int] = {}
    in_torch = any(key in group for key in TORCH_ONLY for group in saved["param_groups"])
    for kind in kinds:
        own, *groups = [
            {single for name in names for single in kind.pairs.get(name, (name,))}
            for names in (signature(kind.__init__).parameters.keys() - {"self", "params"}, *saved["param_groups"])
        ]
        own -= {"maximize"} if in_torch else set()  # all have it there, and here not Adamax
        slots = {"t", "step", *kind.slots, *kind.torch_slot_names}
        if all(own <= group for group in groups) and all(entry.keys() <= slots for entry in entries):
            counts[kind] = len(own)
    return [kind for kind, count in counts.items() if count == max(counts.values())]


def kinds(base: Any) -> list[Any]:
    """All optimizers that lucid has: the subclasses of `base`, and theirs."""
    found = [kind for kind in base.__subclasses__() if kind.__module__.startswith("lucid.")]
    return [*found, *(kind for parent in found for kind in kinds(parent))]
