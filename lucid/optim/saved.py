"""Chapter 8, continued. What an optimizer knows, as plain values, and how it finds its way back.

Parameters have no names of their own, so a saved state numbers them through all groups, as PyTorch does. Where the
optimizer was given names (`model.named_parameters()`) they are saved with the numbers, and state goes to the parameter
of its name, even if the model lists its parameters in another order by now.

PyTorch's optimizers save the same things under other names and with a few switches that mean nothing here. Those are
translated, so that training begun there goes on here. What fits neither is refused, all of it at once, and with a guess
at whose state it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from inspect import signature
from numbers import Integral
from typing import TYPE_CHECKING, Any

from lucid.backend import is_array, to_numpy
from lucid.optim.buckets import new_state
from lucid.optim.validation import split_pairs
from lucid.tensor import Tensor

if TYPE_CHECKING:
    from lucid.optim.optimizer import Optimizer

Group = dict[str, Any]
Entry = dict[str, Any]
TORCH_ONLY = ("capturable", "differentiable", "foreach", "fused")  # switches between ways to compute the same


# -- out -------------------------------------------------------------------------------------------------------------


def written_down(name: str, groups: Sequence[Group], state: Mapping[Any, Entry]) -> dict[str, Any]:
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
    if isinstance(value, Tensor):
        value = value._array
    if is_array(value):
        return to_numpy(value).copy()
    return value.item() if hasattr(value, "dtype") else deepcopy(value)


# -- in --------------------------------------------------------------------------------------------------------------


def read(
    optimizer: Optimizer, state_dict: Mapping[str, Any], kinds: Sequence[type[Optimizer]]
) -> tuple[list[Group], dict[Any, Entry], str]:
    """What to put into the optimizer: its groups without their parameters, its state, and a warning or "".

    `kinds` are the optimizers whose state it might be by mistake.

    Raises:
        TypeError, ValueError: as `Optimizer.load_state_dict` says.
    """
    name = type(optimizer).__name__
    where, own = f"{name}.load_state_dict", optimizer.param_groups
    try:
        state = {i: dict(entry) if isinstance(entry, Mapping) else entry for i, entry in state_dict["state"].items()}
        groups = [{k: scalar(deepcopy(v)) for k, v in group.items()} for group in state_dict["param_groups"]]
        indices = [list(group.pop("params")) for group in groups]
        names = [None if each is None else list(each) for each in (group.pop("param_names", None) for group in groups)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = list(state_dict) if isinstance(state_dict, Mapping) else f"a {type(state_dict).__name__}"
        raise TypeError(
            f"{where}: expected what state_dict() returns, a dict of 'state' and 'param_groups', got {found}"
        ) from error
    problems: list[str] = []
    places = matched(where, indices, names, own, problems)

    differences: list[str] = []
    for i, group in enumerate(groups):
        from_torch = [group.pop(key) for key in TORCH_ONLY if key in group]
        try:
            groups[i] = split_pairs(f"group {i}", group, optimizer.pairs)
            if from_torch:
                differences.append(optimizer.torch_difference(groups[i]))
            optimizer._group_options(f"group {i}", groups[i])
        except (TypeError, ValueError) as error:
            problems.append(str(error))
    state = optimizer._translated(state, places)
    for index, entry in state.items():
        problems += optimizer._misfits(f"state {index!r}", places.get(index), entry)
    likely = resembling(state_dict, kinds)
    if likely and name not in likely and (problems or type(optimizer) in kinds):
        problems.append(f"it looks like the state of {' or '.join(likely)}; load it into one of these, or begin anew")
    if problems:
        raise ValueError(f"{where}: this state does not fit, nothing was loaded:\n  " + "\n  ".join(problems))
    restored = {places[i]: {k: _restored(places[i], k, v) for k, v in entry.items()} for i, entry in state.items()}
    return groups, restored, max(differences, default="")


def _restored(p: Any, key: str, value: Any) -> Any:
    if key == "t":
        return int(value)
    return [new_state(p._array, v) for v in value] if isinstance(value, list) else new_state(p._array, value)


def matched(
    where: str, indices: Sequence[Sequence[Any]], names: Sequence[Any], own: Sequence[Group], problems: list[str]
) -> dict[Any, Any]:
    """Saved index -> parameter here: by name where there are names on both sides, else in order.

    Raises:
        ValueError: if there are not as many groups, or, where it goes in order, not as many parameters in each.
    """
    own_names = [group.get("param_names") for group in own]
    by_name = len(indices) == len(own) and None not in names and None not in own_names
    there, here = [len(each) for each in indices], [len(group["params"]) for group in own]
    if not by_name and there != here:
        raise ValueError(
            f"{where}: expected groups of {here} parameters, as here, got {there}; "
            "make the optimizer over the same parameters in the same groups first"
        )
    places: dict[Any, Any] = {}
    for i, (group, saved, known) in enumerate(zip(own, indices, names, strict=True)):
        params = group["params"]
        if by_name:
            found = dict(zip(group["param_names"], params, strict=False))
            missing, unexpected = [n for n in found if n not in known], [n for n in known if n not in found]
            if missing or unexpected or len(known) != len(saved) or len(found) != len(params):
                problems.append(
                    f"group {i}: the names must be the same, missing {missing}, unexpected {unexpected}; make the "
                    "optimizer over parameters of the same names in the same groups, or, to go by their order, "
                    "without names"
                )
            places.update((index, found[n]) for index, n in zip(saved, known, strict=False) if n in found)
        else:
            places.update(zip(saved, params, strict=True))
    if not problems and len(places) != sum(here):
        problems.append("param_groups: two parameters have the same index")
    return places


def translated(entry: Any, torch_slot_names: Mapping[str, str | None]) -> Any:
    """The state of one parameter, under the names that it has here."""
    if not isinstance(entry, Mapping):
        return entry
    ours: Entry = {}
    for key, value in entry.items():
        name = torch_slot_names.get(key, "t" if key == "step" else key)
        if name is None or (key in torch_slot_names and value is None):  # computed from t, or not yet there
            continue
        ours[key if name != key and name in entry else name] = scalar(value) if name == "t" else value
    if "t" not in ours and torch_slot_names.keys() & entry.keys():  # PyTorch's SGD does not count, and need not:
        ours["t"] = int(bool(ours))  # all that matters is whether the first update is over
    if isinstance(ours.get("t"), float) and ours["t"].is_integer():
        ours["t"] = int(ours["t"])
    return ours


def scalar(value: Any) -> Any:
    """`value` as a Python number, if it is one in a 0-d array."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def misfits(where: str, p: Any, entry: Any, arrays: Collection[str], needed: Collection[str]) -> list[str]:
    """What keeps `entry` from being the state of the parameter `p`, in words: `arrays` are the slots it may have."""
    if p is None or not isinstance(entry, Mapping):
        return [f"{where}: no group has a parameter of this index" if p is None else f"{where}: not a dict"]
    known = {"t", *arrays}
    found = [f"{where}: {name!r} is missing" for name in sorted({"t", *needed} - entry.keys())]
    found += [f"{where}: {name!r} is unknown, expected {sorted(known)}" for name in entry if name not in known]
    t = entry.get("t", 0)
    if isinstance(t, bool) or not isinstance(t, Integral) or t < 0:
        found.append(f"{where}: t is {t!r}, expected a count of updates")
    for slot in arrays:
        shape = getattr(entry.get(slot, p), "shape", None)
        if shape != p.shape:
            found.append(f"{where}: {slot} has shape {shape}, expected {tuple(p.shape)} as its parameter")
    return found


def resembling(state_dict: Mapping[str, Any], kinds: Sequence[type[Optimizer]]) -> list[str]:
    """The names of those optimizers whose state this looks like."""
    found: dict[str, int] = {}
    entries = [entry for entry in state_dict["state"].values() if isinstance(entry, Mapping)]
    for kind in kinds:
        arguments = [kind.pairs.get(name, (name,)) for name in signature(kind.__init__).parameters]
        hyperparameters = {name for names in arguments for name in names} - {"self", "params"}
        saved = state_dict["param_groups"]
        groups = [{name for key in group for name in kind.pairs.get(key, (key,))} for group in saved]
        slots = {"t", "step", *kind.slots, *kind.torch_slot_names}
        if all(hyperparameters <= group for group in groups) and all(entry.keys() <= slots for entry in entries):
            found[kind.__name__] = len(hyperparameters)
    return sorted(name for name, count in found.items() if count == max(found.values()))
