"""Chapter 8, the door. What an optimizer accepts, and in which words it refuses the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, NamedTuple

from lucid.tensor import Parameter, Tensor


class Domain(NamedTuple):
    """What a hyperparameter may be: in words, as a test, and as the Python type that rules compute with."""

    text: str
    holds: Callable[[Any], bool]
    kind: type = float


NON_NEGATIVE = Domain("a finite number of 0 or more", lambda x: 0 <= x < math.inf)
FRACTION = Domain("a number in [0, 1)", lambda x: 0 <= x < 1)
FLAG = Domain("True or False", lambda x: True, bool)


def checked(where: str, name: str, value: Any, domain: Domain) -> Any:
    """`value` as a Python float or bool, found to lie in its domain.

    Raises:
        TypeError: for what is not a number (or, for a flag, not a bool).
        ValueError: for a number outside.
    """
    if isinstance(value, bool) is not (domain.kind is bool) or not isinstance(value, (float, Real)):
        raise TypeError(f"{refusal(where, name, value, domain)} instead of a {type(value).__name__}")
    try:
        number = domain.kind(value)
    except OverflowError:  # an int beyond every float
        number = math.inf
    if not domain.holds(number):  # which no NaN is
        raise ValueError(refusal(where, name, value, domain))
    return number


def refusal(where: str, name: str, value: Any, domain: Domain) -> str:
    """The sentence."""
    return f"{where}: {name} must be {domain.text}, got {value!r}; give it such a value"


def split_betas(where: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """`options` with `betas=(b1, b2)` written as `beta1` and `beta2`, in its place.

    Raises:
        TypeError: if `betas` is not a pair.
        ValueError: if both spellings are there and disagree.
    """
    if "betas" not in options:
        return dict(options)
    betas = options["betas"]
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise TypeError(f"{where}: betas must be a pair of numbers, got {betas!r}; write betas=(0.9, 0.999), say")
    split: dict[str, Any] = {}
    for name, value in options.items():
        split.update(zip(("beta1", "beta2"), betas, strict=True) if name == "betas" else ((name, value),))
    for name, beta in zip(("beta1", "beta2"), betas, strict=True):
        if name in options and options[name] != beta:
            raise ValueError(
                f"{where}: betas and {name} must agree, got betas={betas!r} and {name}={options[name]!r}; "
                "give one of the two spellings"
            )
    return split


def listed(where: str, params: Any) -> list[Any]:
    """What `params` yields, in order.

    Raises:
        TypeError: for a single tensor or dict, a set, and what cannot be iterated over.
    """
    expected = f"{where}: params must be an iterable of Parameters or of group dicts, got"
    if isinstance(params, Tensor):
        raise TypeError(f"{expected} one {type(params).__name__} of shape {tuple(params.shape)}; write [parameter]")
    if isinstance(params, Mapping):
        raise TypeError(f"{expected} a single dict; write [group]")
    if isinstance(params, (set, frozenset)):
        raise TypeError(f"{expected} a {type(params).__name__}, which has no order; give a list")
    if callable(params) or not isinstance(params, Iterable):  # a module, or its method
        raise TypeError(f"{expected} a {type(params).__name__}; write model.parameters(), with the parentheses")
    return list(params)


def check_parameter(where: str, p: Any) -> None:
    """Refuse what cannot be trained.

    Raises:
        TypeError: for what is no tensor or not of a float dtype.
        ValueError: for a tensor that is neither a Parameter nor a leaf that requires a gradient.
    """
    expected = f"{where} must be a Parameter, or a leaf tensor that requires a gradient"
    if not isinstance(p, Tensor):
        raise TypeError(f"{expected}, got a {type(p).__name__}; wrap the numbers in lucid.nn.Parameter(...)")
    if p.dtype.kind != "f":
        raise TypeError(f"{expected}, of a float dtype, got {p.dtype}; convert it with .float() first")
    if not p.is_leaf:
        raise ValueError(f"{expected}, got the result of an operation; give what it was computed from, or detach it")
    if not isinstance(p, Parameter) and not p.requires_grad:
        raise ValueError(f"{expected}, got a tensor that does not; call requires_grad_() on it first")
