"""What do optimizers and schedules accept, and how do they refuse the rest?

A check takes (context, name, value) and returns the value, converted, or raises; the first two begin its
error. A Domain is a check of one number; others are made of checks.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter as Argument
from inspect import signature
from math import inf, isnan
from numbers import Real
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from lucid.core.array import device_of
from lucid.core.node import Tensor
from lucid.core.tensor import Parameter
from lucid.ops.checks import without_neutral
from lucid.ops.create import UninitializedParameter


class Domain:
    """What a number may be: in words, as a test, and as the Python type that it is computed with."""

    def __init__(self, text: str, holds: Callable[[float], bool], kind: type = float) -> None:
        self.text, self.holds, self.kind = text, holds, kind

    def __call__(self, context: str, name: str, value: Any) -> Any:
        """`value` as a Python float, int or bool; a TypeError for another type, a ValueError outside."""
        is_flag = self.kind is bool
        wrong_type = isinstance(value, bool) is not is_flag or not isinstance(value, (float, Real))
        try:
            number = inf if wrong_type else float(value)
        except OverflowError:  # an int beyond every float
            number = inf
        if wrong_type or not self.holds(number):  # which no NaN is
            end = f" instead of a {type(value).__name__}" if wrong_type else ""
            text = f"{context}: {name} must be {self.text}, got {value!r}; give it such a value{end}"
            raise (TypeError if wrong_type else ValueError)(text)
        return self.kind(number)


Check = Callable[[str, str, Any], Any]
KNOWN: WeakKeyDictionary[Any, tuple[int, dict[Any, Any]]] = WeakKeyDictionary()  # an optimizer's groups, `positions`
NON_NEGATIVE = Domain("a finite number of 0 or more", lambda x: 0 <= x < inf)
POSITIVE = Domain("a finite number above 0", lambda x: 0 < x < inf)
HALF_OPEN_UNIT = Domain("a number in [0, 1)", lambda x: 0 <= x < 1)
UNIT_INTERVAL = Domain("a number in [0, 1]", lambda x: 0 <= x <= 1)
ABOVE_0_TO_1 = Domain("a number in (0, 1]", lambda x: 0 < x <= 1)
NOT_NAN = Domain("a number", lambda x: not isnan(x))
WHOLE = Domain("a whole number of 1 or more", lambda x: 1 <= x < inf and x == int(x), int)
WHOLE_FROM_0 = Domain("a whole number of 0 or more", lambda x: 0 <= x < inf and x == int(x), int)
FLAG = Domain("True or False", lambda x: True, bool)
# What an optimizer is made over: parameters, groups of them, or a module's `named_parameters()`.
Params = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
BETAS: Mapping[str, tuple[str, ...]] = {"betas": ("beta1", "beta2")}  # PyTorch's pair, and the names it has here


def one_of(*words: str) -> Check:
    """A check for one of these words."""

    def check(context: str, name: str, value: Any) -> str:
        if isinstance(value, str) and value in words:
            return value
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{context}: {name} must be {' or '.join(map(repr, words))}, got {value!r}; give it one of these")

    return check


def function(context: str, name: str, value: Any) -> Any:
    """A check for something that can be called."""
    if not callable(value):
        of, say = ("no arguments", "") if name == "closure" else ("the epoch", "; write lambda epoch: 0.95**epoch, say")
        raise TypeError(f"{context}: {name} must be a function of {of}, got a {type(value).__name__}{say}")
    return value


def list_of(check: Check) -> Check:
    """A check for a sequence whose items pass `check`; it returns a list."""

    def check_items(context: str, name: str, value: Any) -> list[Any]:
        if not is_sequence(value):
            raise TypeError(f"{context}: {name} must be a list, got {value!r}; write {name}=[...]")
        return [check(context, f"{name}[{i}]", item) for i, item in enumerate(value)]

    return check_items


def is_sequence(value: Any) -> bool:
    """Whether `value` is a sequence, and no text."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


class Group(dict[str, Any]):
    """A dict that also answers to a pair, `group["betas"]`, and splits one that is set: keys are the numbers alone."""

    pairs: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def __missing__(self, name: str) -> tuple[Any, ...]:
        if name in self.pairs:
            return tuple([self[single] for single in self.pairs[name]])
        raise KeyError(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.update(split_pairs("group", {name: value}, self.pairs))


def split_pairs(context: str, options: Mapping[str, Any], pairs: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """`options` with every pair, such as `betas=(b1, b2)`, written as numbers in its place, `beta1` and `beta2`."""
    split: dict[str, Any] = {}
    for name, value in options.items():
        if name not in pairs:
            split.setdefault(name, value)
            continue
        if not isinstance(value, (tuple, list)) or len(value) != len(pairs[name]):
            singles = pairs[name]
            kind = "a pair of numbers" if len(singles) == 2 else f"{len(singles)} numbers"
            raise TypeError(f"{context}: {name} must be {kind}, got {value!r}; write {name}=({', '.join(singles)})")
        for single, number in zip(pairs[name], value, strict=True):
            if single in options and options[single] != number:
                raise ValueError(
                    f"{context}: {name} and {single} must agree, got {name}={value!r} and "
                    f"{single}={options[single]!r}; give one of the two spellings"
                )
            split[single] = number
    return split


def as_list(context: str, params: Any) -> list[Any]:
    """What `params` yields, in order; a TypeError for a single tensor or dict, a set, and what is no iterable."""
    expected = f"{context}: params must be an iterable of Parameters or of group dicts, got"
    if isinstance(params, Tensor):
        raise TypeError(f"{expected} one {type(params).__name__} of shape {tuple(params.shape)}; write [parameter]")
    if isinstance(params, Mapping):
        raise TypeError(f"{expected} a single dict; write [group]")
    if isinstance(params, (set, frozenset)):
        raise TypeError(f"{expected} a {type(params).__name__}, which has no order; give a list")
    if callable(params) or not isinstance(params, Iterable):  # a module, or its method
        raise TypeError(f"{expected} a {type(params).__name__}; write model.parameters(), with the parentheses")
    return list(params)


def split_names(context: str, params: list[Any]) -> tuple[list[str] | None, list[Any]]:
    """The names and the parameters, of pairs such as `model.named_parameters()` gives; None for plain parameters."""
    if not any(isinstance(item, tuple) for item in params):
        return None, params
    for j, item in enumerate(params):
        if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)):
            got = f"a tuple of {len(item)}" if isinstance(item, tuple) else f"a {type(item).__name__}"
            raise TypeError(
                f"{context}: parameter {j} must be a pair of a name and a Parameter, as another one is, got {got}; "
                "write model.named_parameters() for all of them, or model.parameters()"
            )
    return [name for name, _ in params], [p for _, p in params]


def check_parameter(context: str, p: Any) -> None:
    """Refuse what cannot be trained."""
    expected = f"{context} must be a Parameter, or a leaf tensor that requires a gradient"
    if not isinstance(p, Tensor):
        advice = "give model.parameters(), or wrap numbers in lucid.nn.Parameter(...)"
        raise TypeError(f"{expected}, got a {type(p).__name__}; {advice}")
    if p.dtype.kind != "f":
        raise TypeError(f"{expected}, of a float dtype, got {p.dtype}; convert it with .float() first")
    if isinstance(p, UninitializedParameter):
        first = "run the model once, model(one_batch), and then make the optimizer"
        raise ValueError(f"{context} is that of a lazy layer, and has no shape before the layer's first call; {first}")
    if not p.is_leaf:
        raise ValueError(f"{expected}, got the result of an operation; give what it was computed from, or detach it")
    if not isinstance(p, Parameter) and not p.requires_grad:
        raise ValueError(f"{expected}, got a tensor that does not; call requires_grad_() on it first")


def check_keywords(cls: type, given: Mapping[str, object]) -> None:
    """Refuse a keyword that the constructor does not know, in a sentence that lists those it does."""
    known = signature(cls.__init__).parameters  # type: ignore[misc]
    unknown = [keyword for keyword in without_neutral(given, known) if keyword not in known]
    if not unknown or any(argument.kind is Argument.VAR_KEYWORD for argument in known.values()):
        return
    from difflib import get_close_matches  # takes a while to import

    like: Callable[[str, list[str]], list[str]] = lambda word, names: get_close_matches(word.lower(), names, 1, 0.8)
    uphills = [word for word in unknown if word.lower().startswith("maxim") or like(word, ["maximize"])]
    word, names = (uphills or unknown)[0], list(known)[1:]
    meant = [name for name in names if name == "maximize"] if uphills else like(word, names)
    advice = "write lr" if word == "learning_rate" and "lr" in known else "leave it out"
    advice = f"did you mean {meant[0]!r}?" if meant else uphill(cls) if uphills else advice
    raise TypeError(f"{cls.__name__}: got the keyword {word!r}, expected {', '.join(names)}; {advice}")


def uphill(cls: type) -> str:
    """What to do instead of giving `maximize` to an optimizer that has none: never to leave it out."""
    subclasses: list[Any] = cls.__subclasses__()
    kinds = [kind.__name__ for kind in subclasses if "maximize" in signature(kind.__init__).parameters]
    ways = [f", or use {kind}(..., weight_decay=0, maximize=True)" for kind in kinds[:1]]
    return "".join(["to go uphill negate the loss, (-loss).backward()", *ways])


def params_to_move(
    name: str, groups: Sequence[Sequence[Any]], options: Sequence[Any], state: Mapping[Any, Any]
) -> dict[Any, int]:
    """The parameters that have a gradient, each with the number of its group, if a step can move all of them."""
    moving: dict[Any, int] = {}
    for i, params in enumerate(groups):
        for j, p in enumerate(params):
            if p._grad is not None:
                context = f"{name}, group {i}: parameter {j}"
                if p in moving:
                    raise ValueError(f"{context} must be listed once, got it twice; take it out of one list")
                check_gradient_and_state(context, p, state.get(p, {}), options[i].slots)
                moving[p] = i
    return moving


def check_gradient_and_state(context: str, p: Any, state: Mapping[Any, Any], slots: Sequence[str | None]) -> None:
    """Refuse what would go wrong half-way through a step: with a TypeError a parameter that is no longer of a
    float dtype, with a ValueError a gradient or state that does not fit its parameter."""
    theta, g = p._array, p._grad._array
    if theta.dtype.kind != "f":
        raise TypeError(f"{context} must be of a float dtype, got {theta.dtype} by now; assign float data to it")
    if g.shape != theta.shape or device_of(g) != device_of(theta):
        raise ValueError(
            f"{context} has shape {theta.shape} on {device_of(theta)}, its gradient must match, got {g.shape} on "
            f"{device_of(g)}; call zero_grad() and backward() after giving a parameter other data"
        )
    for slot in slots:
        if slot in state and state[slot].shape != theta.shape:
            raise ValueError(
                f"{context} has shape {theta.shape}, its state {slot!r} must match, got {state[slot].shape}, from "
                "before it was given other data; del optimizer.state[parameter] lets it start anew"
            )


def check_static_names(name: str, static_names: Sequence[str], defaults: Mapping[str, Any]) -> None:
    """Refuse a rule that takes hyperparameters which the optimizer does not have."""
    if unknown := [static for static in static_names if static not in defaults]:
        raise TypeError(
            f"{name}.rule: takes {unknown[0]!r} behind the *, expected hyperparameters, {list(defaults)}; put what "
            "changes at each step before the *, into step_scalars"
        )


def check_groups(optimizer: Any, groups: Sequence[Any]) -> list[Group]:
    """New groups for an optimizer, as `param_groups` has them; errors as `Optimizer` says."""
    name, present = optimizer._name, optimizer.param_groups
    count, position = KNOWN.get(optimizer, (0, {}))  # so that adding many groups one by one takes linear time
    position = position if count == len(present) else positions(present)
    new: dict[Any, tuple[int, int]] = {}
    added: list[Group] = []
    for i, group in enumerate(groups, len(present)):
        context = f"{name}, group {i}"
        if not isinstance(group, Mapping) or "params" not in group:
            got = f"keys {list(group)}" if isinstance(group, Mapping) else f"a {type(group).__name__}"
            raise TypeError(f"{context}: expected a dict with 'params', got {got}; do not mix dicts and Parameters")
        params = [group["params"]] if isinstance(group["params"], Tensor) else as_list(context, group["params"])
        names, params = split_names(context, params)
        for j, p in enumerate(params):
            check_parameter(f"{context}: parameter {j}", p)
            position = positions(present) if p in position else position  # a group may have been edited since
            if at := new.get(p) or position.get(p):
                before = f"parameter {at[1]} of group {at[0]}"
                raise ValueError(f"{context}: parameter {j} is the same as {before}; give each parameter once")
            new[p] = i, j
        own = {k: v for k, v in group.items() if k not in ("params", "param_names")}
        if own.get("maximize") and "maximize" not in optimizer.defaults:
            raise TypeError(f"{context}: got maximize=True, which {name} does not have; {uphill(type(optimizer))}")
        options = {**optimizer.defaults, **split_pairs(context, own, optimizer.pairs)}
        optimizer._group_options(context, options)
        added.append(Group({"params": params, **({} if names is None else {"param_names": names}), **options}))
        if optimizer.pairs:
            added[-1].pairs = optimizer.pairs
    if not any(group["params"] for group in added):
        raise ValueError(f"{name}: got no parameters, expected at least one; was an iterator used up before?")
    named = ["param_names" in group for group in (*present[:1], *added)]
    if len(set(named)) == 2:
        k = named.index(False)
        raise TypeError(
            f"{name}: all groups must have names for their parameters or none, got none in group "
            f"{k and k + len(present[1:])}; write (name, parameter) pairs in all of them"
        )
    names = [own_name for group in added for own_name in group.get("param_names", ())]
    if len({*names}) < len(names) or not position.keys().isdisjoint(names):
        counts = Counter(own_name for group in (*present, *added) for own_name in group.get("param_names", ()))
        if twice := [f"got {own_name!r} {count} times" for own_name, count in counts.items() if count > 1]:
            raise ValueError(f"{name}: a name must be of one parameter, {twice[0]}; rename others")
    position.update({**new, **dict.fromkeys(names, (0, 0))})
    KNOWN[optimizer] = len(present) + len(added), position
    return added


def positions(groups: Sequence[Any]) -> dict[Any, tuple[int, int]]:
    """Each parameter with its group and its place there; and the names that there are."""
    places = {p: (i, j) for i, group in enumerate(groups) for j, p in enumerate(group["params"])}
    return {**places, **dict.fromkeys((name for group in groups for name in group.get("param_names", ())), (0, 0))}


def warn_of_no_gradient(optimizer: Any) -> None:
    """Warn, once, whoever called `step` although no parameter has a gradient."""
    if not optimizer._warned:
        optimizer._warned = True
        warnings.warn(
            f"{optimizer._name}.step: no parameter has a gradient, so nothing moved. Call loss.backward() "
            "before step(), and zero_grad() before backward() or after step(), not between them; if you do, "
            "the parameters given to this optimizer are not those that the loss was computed from (of another "
            "model, or replaced since), or all are frozen", UserWarning, stacklevel=3,
        )  # fmt: skip


def decay_groups(model: Any) -> list[dict[str, Any]]:
    """The parameters of a model in two groups, with their names, for an optimizer: in the second, whose `weight_decay`
    is 0, those that have fewer than two dims, are called `bias`, or belong to a module of a class called ...Norm....

    >>> from lucid import nn, optim
    >>> optimizer = optim.AdamW(optim.decay_groups(nn.Linear(2, 3)), weight_decay=0.1)
    >>> [(group["param_names"], group["weight_decay"]) for group in optimizer.param_groups]
    [(['weight'], 0.1), (['bias'], 0.0)]
    """
    exempt = set()
    for module in model.modules():
        norm = any("Norm" in kind.__name__ for kind in type(module).__mro__)
        named = module.named_parameters(recurse=False)
        exempt |= {id(p) for name, p in named if norm or p.ndim < 2 or name.rpartition(".")[2] == "bias"}
    groups: list[dict[str, Any]] = [{"params": []}, {"params": [], "weight_decay": 0.0}]
    for name, p in model.named_parameters():
        groups[id(p) in exempt]["params"].append((name, p))
    return groups
