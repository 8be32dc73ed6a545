"""What Adamax refuses, in which words, and that it is then as it was."""

import math

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.optim import Adamax
from tests.optim.training import give, parameter

BAD_NUMBERS = [
    *[("lr", x, ValueError) for x in (-0.1, math.nan, math.inf, -math.inf)],
    *[("eps", x, ValueError) for x in (-1e-8, math.nan, math.inf)],
    *[("weight_decay", x, ValueError) for x in (-1, math.nan, math.inf)],
    *[(beta, x, ValueError) for beta in ("beta1", "beta2") for x in (-0.1, 1.0, 1, 2.0, math.nan, math.inf)],
    ("lr", "0.1", TypeError),
    ("lr", None, TypeError),
    ("lr", True, TypeError),
    ("lr", np.array([0.1]), TypeError),
    ("lr", 10**400, ValueError),
    ("beta1", 0.9j, TypeError),
]


@pytest.mark.parametrize("name, value, error", BAD_NUMBERS)
def test_bad_numbers_are_refused_everywhere(name: str, value: object, error: type[Exception]) -> None:
    p, q = give(parameter(1.0), 1.0), give(parameter(1.0), 1.0)
    keyword = {name: value}
    if name in ("beta1", "beta2"):
        keyword = {"betas": (value, 0.5) if name == "beta1" else (0.5, value)}
    domain = r"a number in \[0, 1\)" if "beta" in name else "a finite number of 0 or more"
    with pytest.raises(error) as refusal:
        Adamax([p], **keyword)
    assert refusal.match(rf"^Adamax: {name} must be {domain}, got .*; give it such a value")
    assert repr(value) in str(refusal.value)
    for group in ({"params": [q], **keyword}, {"params": [q], name: value}):
        with pytest.raises(
            error, match=rf"^Adamax, group 1: {name} must be {domain}, got .*; give it such a value"
        ):
            Adamax([{"params": [p]}, group])
        optimizer = Adamax([p])
        with pytest.raises(error, match=f"^Adamax, group 1: {name} must be"):
            optimizer.add_param_group(group)
        assert len(optimizer.param_groups) == 1

    optimizer = Adamax([{"params": [p]}, {"params": [q]}])
    optimizer.param_groups[1][name] = value
    with pytest.raises(error, match=f"^Adamax, group 1: {name} must be"):
        optimizer.step()
    assert p.item() == q.item() == 1.0 and optimizer.state == {}  # group 0 neither
    optimizer.param_groups[1][name] = 0.5
    optimizer.step()
    assert p.item() != 1.0 and q.item() != 1.0


def test_a_bad_number_is_refused_before_the_closure_and_after_it() -> None:
    p, calls = give(parameter(1.0), 1.0), []
    optimizer = Adamax([p])

    def closure() -> lucid.Tensor:
        calls.append(1)
        optimizer.param_groups[0]["lr"] = -2.0
        return p.sum()

    optimizer.param_groups[0]["lr"] = -1.0
    with pytest.raises(ValueError, match=r"lr must be .*, got -1.0"):
        optimizer.step(closure)
    assert not calls
    optimizer.param_groups[0]["lr"] = 1.0
    with pytest.raises(ValueError, match=r"lr must be .*, got -2.0"):
        optimizer.step(closure)
    assert calls == [1] and p.item() == 1.0


def test_a_number_that_went_missing_is_asked_for() -> None:
    optimizer = Adamax([give(parameter(1.0), 1.0)])
    del optimizer.param_groups[0]["eps"]
    with pytest.raises(
        ValueError, match=r"^Adamax, group 0: eps is missing; set group\['eps'\], by default to 1e-08"
    ):
        optimizer.step()


def test_betas_set_in_a_group_between_steps_are_not_silently_ignored() -> None:
    """They are two keys: assigning the pair sets both, and what goes past that must not look as if it had worked."""
    p = give(parameter(1.0), 1.0)
    optimizer = Adamax([p])
    optimizer.step()
    before = p.item()
    group = optimizer.param_groups[0]
    group["betas"] = (0.25, 0.5)
    assert (group["beta1"], group["beta2"], group["betas"], "betas" in group) == (0.25, 0.5, (0.25, 0.5), False)
    group["betas"] = (0.9, 0.999)
    group.update(betas=(0.5, 0.999))
    with pytest.raises(
        ValueError, match=r"betas and beta1 must agree, got betas=\(0.5, 0.999\) and beta1=0.9"
    ):
        optimizer.step()
    assert p.item() == before


_p, _frozen = parameter(1.0), nn.Parameter(np.ones(1), requires_grad=False)
_computed = lucid.ones(2, requires_grad=True) * 2
PARAMS = [
    ([], ValueError, r"^Adamax: got no parameters, expected at least one"),
    (iter(()), ValueError, r"got no parameters.* was an iterator used up before\?"),
    ([{"params": []}], ValueError, r"got no parameters"),
    (
        _p,
        TypeError,
        r"^Adamax: params must be an iterable .* got one Parameter of shape \(1,\); write \[parameter\]",
    ),
    ({_p}, TypeError, r"got a set, which has no order; give a list"),
    ([{"params": frozenset([_p])}], TypeError, r"got a frozenset, which has no order"),
    ({"params": [_p]}, TypeError, r"got a single dict; write \[group\]"),
    (nn.Linear(1, 1), TypeError, r"got a Linear; write model.parameters\(\)"),
    (
        nn.Linear(1, 1).parameters,
        TypeError,
        r"got a method; write model.parameters\(\), with the parentheses",
    ),
    (None, TypeError, r"params must be an iterable of Parameters or of group dicts, got a NoneType"),
    ([np.ones(2)], TypeError, r"^Adamax, group 0: parameter 0 .* a ndarray; give model.parameters"),
    ([_p, "weight"], TypeError, r"parameter 1 must be a Parameter.* got a str"),
    ([nn.Parameter(np.arange(3), requires_grad=False)], TypeError, r"of a float dtype, got int64; convert"),
    (
        [lucid.ones(2)],
        ValueError,
        r"leaf tensor that requires a gradient, got a tensor that does not; call requires",
    ),
    ([_computed], ValueError, r"got the result of an operation; give what it was computed from"),
    (
        [_p, _frozen, _p],
        ValueError,
        r"group 0: parameter 2 is the same as parameter 0 of group 0; give .* once",
    ),
    (
        [{"params": [_p]}, {"params": [_frozen, _p]}],
        ValueError,
        r"group 1: parameter 1 is the same as parameter 0 of",
    ),
    ([{"lr": 0.1}], TypeError, r"expected a dict with 'params', got keys \['lr'\]"),
    (
        [{"params": [_p]}, _frozen],
        TypeError,
        r"group 1: expected a dict with 'params', got a Parameter; do not mix",
    ),
    ([{"params": [_p], "betas": (0.9,)}], TypeError, r"betas must be a pair of numbers, got \(0.9,\)"),
    ([{"params": [_p], "betas": (0.9, 0.99, 0.999)}], TypeError, r"betas must be a pair of numbers"),
    (
        [{"params": [_p], "betas": 0.9}],
        TypeError,
        r"group 0: betas must be a pair of numbers, got 0.9; write betas=",
    ),
    (
        [{"params": [_p], "betas": (0.5, 0.6), "beta2": 0.7}],
        ValueError,
        r"betas and beta2 must agree, got .*beta2=0.7",
    ),
]


@pytest.mark.parametrize("params, error, text", PARAMS)
def test_bad_params_are_refused(params: object, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Adamax(params)


def test_a_frozen_parameter_and_a_leaf_that_requires_a_gradient_are_fine() -> None:
    leaf = lucid.ones(2, requires_grad=True)
    assert Adamax([_p, _frozen, leaf]).param_groups[0]["params"] == [_p, _frozen, leaf]


@pytest.mark.parametrize(
    "group", [{"params": [_p]}, {"params": [_frozen, _frozen]}, {"params": []}, {"lr": 1.0}, [_frozen]]
)
def test_a_refused_group_leaves_the_optimizer_as_it_was(group) -> None:
    optimizer = Adamax([_p])
    before = repr(optimizer), optimizer.state_dict()
    with pytest.raises((TypeError, ValueError)):
        optimizer.add_param_group(group)
    assert (repr(optimizer), optimizer.state_dict()) == before


@pytest.mark.parametrize("keyword", ["rate", "amsgrad", "foreach"])
def test_an_unknown_keyword_is_refused(keyword: str) -> None:
    advice = "write lr" if keyword == "learning_rate" else "leave it out"
    text = rf"^Adamax: got the keyword '{keyword}', expected params, lr, betas, eps, weight_decay; {advice}$"
    with pytest.raises(TypeError, match=text):
        Adamax([_p], **{keyword: 1})
