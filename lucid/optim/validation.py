"""What does an optimizer accept, and how does it refuse the rest?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter as Argument
from inspect import signature
from numbers import Real
from typing import Any, NamedTuple

from lucid.core.array import device_of
from lucid.core.node import Tensor
from lucid.core.tensor import Parameter


class Domain(NamedTuple):
    """What a hyperparameter may be: in words, as a test, and as the Python type that rules compute with."""

    text: str
    holds: Callable[[Any], bool]
    kind: type = float


NON_NEGATIVE = Domain("a finite number of 0 or more", lambda x: 0 <= x < math.inf)
HALF_OPEN_UNIT = Domain("a number in [0, 1)", lambda x: 0 <= x < 1)
UNIT_INTERVAL = Domain("a number in [0, 1]", lambda x: 0 <= x <= 1)
WHOLE = Domain("a whole number of 1 or more", lambda x: 1 <= x < math.inf and x == int(x))
FLAG = Domain("True or False", lambda x: True, bool)
BETAS = {"betas": ("beta1", "beta2")}  # what PyTorch gives as a pair, and the two names that it has here


def check_hyperparameter(context: str, name: str, value: Any, domain: Domain) -> Any:
    """`value` as a Python float or bool, found to lie in its domain.

    Raises:
        TypeError: for what is not a number (or, for a flag, not a bool).
        ValueError: for a number outside.
    """
    if isinstance(value, bool) is not (domain.kind is bool) or not isinstance(value, (float, Real)):
        raise TypeError(f"{refusal(context, name, value, domain)} instead of a {type(value).__name__}")
    try:
        number = domain.kind(value)
    except OverflowError:  # an int beyond every float
        number = math.inf
    if not domain.holds(number):  # which no NaN is
        raise ValueError(refusal(context, name, value, domain))
    return number


def refusal(context: str, name: str, value: Any, domain: Domain) -> str:
    """The sentence."""
    return f"{context}: {name} must be {domain.text}, got {value!r}; give it such a value"


def split_pairs(context: str, options: Mapping[str, Any], pairs: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """`options` with every pair, such as `betas=(b1, b2)`, written as two numbers in its place, `beta1` and `beta2`.

    Raises:
        TypeError: if what should be a pair is none.
        ValueError: if both spellings are there and disagree.
    """
    split: dict[str, Any] = {}
    for name, value in options.items():
        if name not in pairs:
            split.setdefault(name, value)
            continue
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            pair = ", ".join(pairs[name])
            raise TypeError(f"{context}: {name} must be a pair of numbers, got {value!r}; write {name}=({pair})")
        for single, number in zip(pairs[name], value, strict=True):
            if single in options and options[single] != number:
                raise ValueError(
                    f"{context}: {name} and {single} must agree, got {name}={value!r} and "
                    f"{single}={options[single]!r}; give one of the two spellings"
                )
            split[single] = number
    return split


def as_list(context: str, params: Any) -> list[Any]:
    """What `params` yields, in order.

    Raises:
        TypeError: for a single tensor or dict, a set, and what cannot be iterated over.
    """
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
    """The names and the parameters, of pairs such as `model.named_parameters()` gives; None for plain parameters.

    Raises:
        TypeError: where some are pairs and others not, and for pairs of something else.
    """
    if not any(isinstance(item, tuple) for item in params):
        return None, params
    for j, item in enumerate(params):
        if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)):
            found = f"a tuple of {len(item)}" if isinstance(item, tuple) else f"a {type(item).__name__}"
            raise TypeError(
                f"{context}: parameter {j} must be a pair of a name and a Parameter, as another one is, got {found}; "
                "write model.named_parameters() for all of them, or model.parameters()"
            )
    return [name for name, _ in params], [p for _, p in params]


def check_parameter(context: str, p: Any) -> None:
    """Refuse what cannot be trained.

    Raises:
        TypeError: for what is no tensor or not of a float dtype.
        ValueError: for a tensor that is neither a Parameter nor a leaf that requires a gradient.
    """
    expected = f"{context} must be a Parameter, or a leaf tensor that requires a gradient"
    if not isinstance(p, Tensor):
        raise TypeError(f"{expected}, got a {type(p).__name__}; wrap the numbers in lucid.nn.Parameter(...)")
    if p.dtype.kind != "f":
        raise TypeError(f"{expected}, of a float dtype, got {p.dtype}; convert it with .float() first")
    if not p.is_leaf:
        raise ValueError(f"{expected}, got the result of an operation; give what it was computed from, or detach it")
    if not isinstance(p, Parameter) and not p.requires_grad:
        raise ValueError(f"{expected}, got a tensor that does not; call requires_grad_() on it first")


def check_names(context: str, names: Sequence[list[str] | None]) -> None:
    """Refuse groups of which some have names for their parameters and others not, and a name that comes twice.

    Raises:
        TypeError, ValueError: for these two.
    """
    without = [i for i, each in enumerate(names) if each is None]
    if 0 < len(without) < len(names):
        raise TypeError(
            f"{context}: all groups must have names for their parameters or none, got none in group {without[0]}; "
            "write (name, parameter) pairs in all of them"
        )
    for name, count in Counter(name for each in names for name in each or ()).items():
        if count > 1:
            raise ValueError(f"{context}: a name must be of one parameter, got {name!r} {count} times; rename others")


def check_keywords(cls: type, given: Mapping[str, object]) -> None:
    """Refuse a keyword that the constructor does not know, in a sentence that lists those it does.

    Raises:
        TypeError: for such a keyword.
    """
    known = signature(cls.__init__).parameters  # type: ignore[misc]
    unknown = [keyword for keyword in given if keyword not in known]
    if unknown and not any(argument.kind is Argument.VAR_KEYWORD for argument in known.values()):
        expected = ", ".join(list(known)[1:])
        advice = "write lr" if unknown[0] == "learning_rate" and "lr" in known else "leave it out"
        raise TypeError(f"{cls.__name__}: got the keyword {unknown[0]!r}, expected {expected}; {advice}")


def check_gradient_and_state(context: str, p: Any, state: Mapping[str, Any], slots: Sequence[str | None]) -> None:
    """Refuse what would go wrong half-way through a step.

    Raises:
        TypeError: for a parameter that is no longer of a float dtype.
        ValueError: for a gradient or state that does not fit its parameter.
    """
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
