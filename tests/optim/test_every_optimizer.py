"""What users rely on and what is refused, the same for every optimizer that there is: one table of checks."""

import copy
import inspect
import math
import pickle
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.optim import LBFGS, Optimizer
from lucid.optim.state_dict import kinds
from lucid.optim.validation import FLAG
from tests.optim.test_adamax_refused import PARAMS
from tests.optim.training import Naive, equal, give, model_and_data, parameter, weights
from tests.whole import one_of_each

ALL = {kind.__name__: kind for kind in kinds(Optimizer)}
every = pytest.mark.parametrize("kind", ALL.values(), ids=ALL)
RULES = [kind for kind in ALL.values() if kind is not LBFGS]
rules = pytest.mark.parametrize("kind", RULES, ids=[kind.__name__ for kind in RULES])
REMEMBERING: dict[str, dict[str, Any]] = {  # options with which all slots are in use
    "SGD": {"momentum": 0.5}, "Adam": {"amsgrad": True}, "AdamW": {"amsgrad": True},
    "RMSprop": {"centered": True, "momentum": 0.5},
}  # fmt: skip


def made(kind: type[Optimizer], params: Any, **options: Any) -> Any:
    return kind(params, **REMEMBERING.get(kind.__name__, {}) | options)


def move(optimizer: Optimizer) -> None:
    """One step with the gradients that there are."""
    optimizer.step(*[lambda: 1.0] if isinstance(optimizer, LBFGS) else [])


def train(model: nn.Module, optimizer: Optimizer, x: lucid.Tensor, y: lucid.Tensor, steps: int) -> None:
    def closure() -> lucid.Tensor:
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)


def test_all_of_them_are_here_and_public() -> None:
    named = "SGD Adam AdamW NAdam RAdam Adagrad Adadelta RMSprop Rprop ASGD Lion Adamax AdamaxW LBFGS"
    assert sorted(ALL) == sorted(named.split()) and all(getattr(optim, name) is kind for name, kind in ALL.items())


# -- parameters and steps ---------------------------------------------------------------------------------------------


@every
def test_params_may_be_a_generator_or_dicts_which_are_left_alone(kind: type[Optimizer]) -> None:
    a, b = parameter(1.0), parameter(2.0)
    assert kind(p for p in (a, b)).param_groups[0]["params"] == [a, b]
    given = {"params": (p for p in (a, b)), "lr": 0.5}
    kept = dict(given)
    optimizer = kind(iter([given]))
    assert given == kept and optimizer.param_groups[0]["params"] == [a, b] and optimizer.param_groups[0]["lr"] == 0.5
    assert set(optimizer.defaults) == set(optimizer.param_groups[0]) - {"params"} and not set(kind.pairs) & set(
        optimizer.defaults
    )


@every
def test_no_gradient_no_move_no_t_and_a_late_one_begins_for_itself(kind: type[Optimizer]) -> None:
    first, late = give(parameter(1.0, 2.0), 1.0, -1.0), parameter(1.0, 2.0)
    alone = give(parameter(1.0, 2.0), 0.5, 0.25)
    optimizer, reference = made(kind, [first, late]), made(kind, [alone])
    move(optimizer)
    move(optimizer)
    assert late.tolist() == [1.0, 2.0] and late not in optimizer.state and optimizer.state[first]["t"] == 2
    first.grad = None
    give(late, 0.5, 0.25)
    held = first.tolist()
    for _ in range(3):
        move(optimizer)
        move(reference)
    assert (
        first.tolist() == held
        and late.tolist() == alone.tolist()
        and optimizer.state[late]["t"] == reference.state[alone]["t"]
    )


@rules
def test_a_zero_gradient_is_not_none(kind: type[Optimizer]) -> None:
    p = give(parameter(1.0), 1.0)
    optimizer = made(kind, [p])
    move(optimizer)
    give(p, 0.0)
    move(optimizer)
    assert optimizer.state[p]["t"] == 2


@every
def test_a_step_leaves_gradients_and_parameters_where_they_are(kind: type[Optimizer]) -> None:
    ps = [give(parameter(1.0, 2.0, dtype=dtype), 0.5, -0.5) for dtype in ("float64", "float32")]
    arrays, grads = [p._array for p in ps], [p.grad for p in ps]
    optimizer = made(kind, ps)
    for _ in range(3):
        move(optimizer)
    for p, array, grad, dtype in zip(ps, arrays, grads, ("float64", "float32"), strict=True):
        assert p._array is array and p.grad is grad and grad.tolist() == [0.5, -0.5] and p.dtype == dtype == grad.dtype
        assert p.tolist() != [1.0, 2.0] and p.requires_grad and p.is_leaf


@every
def test_data_that_is_assigned_between_steps_is_respected(kind: type[Optimizer]) -> None:
    p, twin = (give(parameter(1.0, 2.0), 0.5, -0.5) for _ in range(2))
    optimizer, reference = made(kind, [p]), made(kind, [twin])
    move(optimizer)
    move(reference)
    before = p._array
    p.data = lucid.Tensor(np.array([5.0, 6.0]))
    with lucid.no_grad():
        twin.copy_(lucid.Tensor(np.array([5.0, 6.0])))
    held = before.copy()
    move(optimizer)
    move(reference)
    assert p.tolist() == twin.tolist() and np.array_equal(before, held)


OTHER: dict[str, Any] = {"alpha": 0.6, "rho": 0.75, "eta_minus": 0.25, "eta_plus": 1.5, "step_max": 0.002,
                         "step_min": 0.02, "t0": 1.0}
FOR_OTHERS = {"Rprop": "lr", "ASGD": "t0"}  # how steps begin, and what the mean is made of: theta does not show these


@pytest.mark.parametrize(
    "kind, name",
    [(kind, name) for kind in RULES for name in kind.domains
     if name not in {*kind.optional_slots.values(), "initial_accumulator_value"}]
)
def test_every_hyperparameter_is_read_at_each_step(kind: type[Optimizer], name: str) -> None:
    """In the middle it is given another value: what the naive evaluation makes of that, the optimizer must do."""
    options = {"lr": 0.01, "weight_decay": 0.1} if name == "decoupled_weight_decay" else {"lr": 0.01}
    p, untold = parameter(1.0, -2.0, 3.0), parameter(1.0, -2.0, 3.0)
    optimizer, reference = made(kind, [p], **options), made(kind, [untold], **options)
    naive, (group,) = Naive(optimizer), optimizer.param_groups
    for t in range(30):
        give(p, *np.random.default_rng(t).standard_normal(3))
        give(untold, *p.grad.tolist())
        if t == 15:
            group[name] = not group[name] if kind.domains[name] is FLAG else OTHER.get(name, 0.5)
        expected = naive.predict(optimizer.param_groups)[p]
        move(optimizer)
        move(reference)
        assert np.array_equal(p._array, expected)
    assert (p.tolist() != untold.tolist()) is (FOR_OTHERS.get(kind.__name__) != name)


@every
def test_without_any_gradient_it_warns_once(kind: type[Optimizer]) -> None:
    optimizer = kind([parameter(1.0)])
    with pytest.warns(
        UserWarning, match=rf"^{kind.__name__}.step: no parameter has a gradient, so nothing moved. Call loss.back"
    ):
        move(optimizer)
    move(optimizer)  # an error here, if it warned again
    assert optimizer.state == {}


@every
def test_a_closure_runs_with_gradients_and_is_what_step_returns(kind: type[Optimizer]) -> None:
    p, calls = parameter(1.0), []
    optimizer = kind([p])

    def closure() -> lucid.Tensor:
        optimizer.zero_grad()
        calls.append(lucid.is_grad_enabled())
        loss = (p * p).sum()
        loss.backward()
        return loss

    with lucid.no_grad():
        loss = optimizer.step(closure)
        assert not lucid.is_grad_enabled()
    assert (
        set(calls) == {True}
        and (len(calls) == 1 or kind is LBFGS)
        and isinstance(loss, lucid.Tensor)
        and loss.item() == 1.0
    )
    assert p.item() != 1.0


@every
def test_a_closure_that_raises_changes_nothing(kind: type[Optimizer]) -> None:
    p = give(parameter(1.0), 1.0)
    optimizer = kind([p])

    def closure() -> lucid.Tensor:
        raise ArithmeticError("no loss today")

    with pytest.raises(ArithmeticError, match="no loss today"):
        optimizer.step(closure)
    assert p.item() == 1.0 and optimizer.state == {}


# -- state ------------------------------------------------------------------------------------------------------------


def arrays_in(value: Any) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [array for part in parts for array in arrays_in(part)]


@every
def test_its_state_is_a_plain_copy_in_pytorchs_layout(kind: type[Optimizer]) -> None:
    a, b, c = give(parameter(1.0, 2.0), 1.0, 2.0), parameter(1.0), give(parameter(3.0), 1.0)
    optimizer = made(kind, [("a", a), ("b", b), ("c", c)])
    for _ in range(3):
        move(optimizer)
    saved = optimizer.state_dict()
    assert list(saved) == ["state", "param_groups"] and list(saved["state"]) == [0, 2]
    assert [group["params"] for group in saved["param_groups"]] == [[0, 1, 2]]
    assert list(saved["state"][0]) == list(optimizer.state[a]) and saved["state"][0]["t"] == optimizer.state[a]["t"]
    live = arrays_in(list(optimizer.state.values()))
    copies = arrays_in(saved)
    assert equal(copies, live) and not any(np.shares_memory(one, other) for one in copies for other in live)
    plain = (int, float, bool, str, list, type(None))
    assert all(type(value) in plain for group in saved["param_groups"] for value in group.values())
    again = pickle.loads(pickle.dumps(saved))
    assert again["param_groups"] == saved["param_groups"] and equal(arrays_in(again), copies)


@every
def test_what_is_loaded_is_copied_and_cast(kind: type[Optimizer]) -> None:
    wide, narrow = give(parameter(1.0, 2.0), 0.5, 0.25), give(parameter(1.0, 2.0, dtype="float32"), 0.5, 0.25)
    one, other = made(kind, [wide]), made(kind, [narrow])
    for _ in range(3):
        move(one)
    saved = one.state_dict()
    other.load_state_dict(saved)
    loaded = arrays_in(list(other.state.values()))
    assert loaded and all(array.dtype == np.float32 for array in loaded)
    assert not any(np.shares_memory(a, b) for a in loaded for b in arrays_in(saved))
    assert other.state[narrow]["t"] == one.state[wide]["t"]


@every
@pytest.mark.parametrize("way", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))],
                         ids=["deepcopy", "pickle"])
def test_a_copied_pair_trains_exactly_like_the_first(kind: type[Optimizer], way: Any) -> None:
    model, x, y = model_and_data()
    optimizer = made(kind, model.parameters(), lr=0.01)
    train(model, optimizer, x, y, 3)
    model2, optimizer2 = way((model, optimizer))
    held = weights(model2)
    train(model, optimizer, x, y, 3)
    assert equal(weights(model2), held)
    train(model2, optimizer2, x, y, 3)
    assert equal(weights(model), weights(model2)) and not equal(weights(model), held)


@every
def test_a_reordered_model_finds_its_state_by_name(kind: type[Optimizer], tmp_path: Any) -> None:
    model, x, y = model_and_data()
    optimizer = made(kind, model.named_parameters(), lr=0.01)
    train(model, optimizer, x, y, 4)
    lucid.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "run.npz")
    saved = lucid.load(tmp_path / "run.npz")
    again, *_ = model_and_data(seed=1)
    again.load_state_dict(saved["model"])
    fresh = kind(list(again.named_parameters())[::-1])
    fresh.load_state_dict(saved["optimizer"])
    assert fresh.param_groups[0]["lr"] == 0.01
    for p, q in zip(model.parameters(), again.parameters(), strict=True):
        assert optimizer.state[p].keys() == fresh.state[q].keys()
        assert (
            equal(arrays_in(optimizer.state[p]), arrays_in(fresh.state[q]))
            and optimizer.state[p]["t"] == fresh.state[q]["t"]
        )


SPOILED: dict[str, tuple[Any, str]] = {
    "nothing": (lambda s: None, r"expected what state_dict\(\) returns"),
    "no groups": (lambda s: s.pop("param_groups"), r"expected what state_dict\(\) returns"),
    "a group more": (lambda s: s["param_groups"].append({"params": [9]}),
                     r"expected groups of \[2\] parameters, as here, got \[2, 1\]"),
    "a parameter fewer": (lambda s: s["param_groups"][0]["params"].pop(),
                          r"expected groups of \[2\] parameters, as here, got \[1\]"),
    "an index twice": (lambda s: s["param_groups"][0].update(params=[0, 0]), "two parameters have the same index"),
    "an index too many": (lambda s: s["state"].update({5: s["state"][0]}),
                          "state 5: no group has a parameter of this index"),
    "a bad number": (lambda s: s["param_groups"][0].update(lr=math.nan),
                     "group 0: lr must be a finite number of 0 or more, got nan"),
    "a number missing": (lambda s: s["param_groups"][0].pop("lr"), "group 0: lr is missing"),
    "no t": (lambda s: s["state"][0].pop("t"), "state 0: 't' is missing"),
    "a bad t": (lambda s: s["state"][0].update(t=-1), "state 0: t is -1, expected a count of updates"),
    "something unknown": (lambda s: s["state"][0].update(odd=1), "state 0: 'odd' is unknown"),
    "another shape": (lambda s: s["state"][0].update({list(s["state"][0])[1]: np.ones(3)}),
                      r"state 0: \w+ has shapes? .*expected"),
    "no dict": (lambda s: s["state"].update({0: [1]}), "state 0: not a dict"),
}


@every
@pytest.mark.parametrize("what", SPOILED)
def test_state_that_does_not_fit_changes_nothing(kind: type[Optimizer], what: str) -> None:
    spoil, text = SPOILED[what]
    ps = [give(parameter(1.0, 2.0), 1.0, 2.0), give(parameter(3.0), 1.0)]
    optimizer = made(kind, ps, lr=0.25)
    for _ in range(2):
        move(optimizer)
    saved = optimizer.state_dict()
    spoil(saved)
    live, lr = arrays_in(list(optimizer.state.values())), optimizer.param_groups[0]["lr"]
    held, values = [array.copy() for array in live], [p.tolist() for p in ps]
    with pytest.raises((TypeError, ValueError), match=rf"^{kind.__name__}.load_state_dict: (.|\n)*{text}"):
        optimizer.load_state_dict(None if what == "nothing" else saved)
    now = arrays_in(list(optimizer.state.values()))
    assert all(a is b for a, b in zip(now, live, strict=True)) and equal(live, held)
    assert [p.tolist() for p in ps] == values and optimizer.param_groups[0]["lr"] == lr


# -- refused ----------------------------------------------------------------------------------------------------------

ONE_GROUP = [row for row in PARAMS if "betas" not in row[2]]


@every
@pytest.mark.parametrize("params, error, text", ONE_GROUP, ids=range(len(ONE_GROUP)))
def test_bad_params_are_refused(kind: type[Optimizer], params: Any, error: type[Exception], text: str) -> None:
    if kind is LBFGS and isinstance(params, list) and len(params) > 1 and isinstance(params[0], dict):
        error, text = ValueError, "^LBFGS: takes one group"
    if hasattr(params, "__next__"):
        params = iter(())
    with pytest.raises(error, match=text.replace("Adamax", kind.__name__)):
        kind(params)


BAD_VALUES = [math.nan, -1.0, math.inf, -math.inf, 10**400, "0.1", None, 1j, np.array([0.1])]
NUMBERS = [(kind, name) for kind in ALL.values() for name, domain in kind.domains.items() if domain is not FLAG]
FLAGS = [(kind, name) for kind in ALL.values() for name, domain in kind.domains.items() if domain is FLAG]
BAD = [(*row, x) for row in NUMBERS for x in (*BAD_VALUES, True)] + [(*row, x) for row in FLAGS
                                                                     for x in (1, 0.0, "yes", None)]


def test_every_hyperparameter_has_a_domain() -> None:
    without = {
        (name, key) for name, kind in ALL.items() for key in kind([parameter(1.0)]).defaults if key not in kind.domains
    }
    assert without == {("LBFGS", "line_search_fn")}  # which is checked by name


@pytest.mark.parametrize("kind, name, value", one_of_each(BAD, kind=lambda row: row[:2]),
                         ids=[f"{kind.__name__}-{name}-{str(value)[:6]}" for kind, name, value in BAD])
def test_bad_numbers_are_refused_in_the_constructor_in_groups_and_between_steps(
    kind: type[Optimizer], name: str, value: Any
) -> None:
    p, text = give(parameter(1.0), 1.0), f"{name} must be {'True or False' if kind.domains[name] is FLAG else ''}"
    if kind is LBFGS and name == "max_eval" and value is None:
        assert LBFGS([p], max_eval=None).defaults["max_eval"] == 25  # which means: by itself
    if name in inspect.signature(kind).parameters and (name, value) != ("max_eval", None):
        with pytest.raises((TypeError, ValueError), match=f"^{kind.__name__}: {text}"):
            kind([p], **{name: value})
    with pytest.raises((TypeError, ValueError), match=f"^{kind.__name__}, group 0: {text}"):
        kind([{"params": [p], name: value}])
    optimizer = kind([p])
    before = repr(optimizer)
    with pytest.raises(
        (TypeError, ValueError), match="takes one group" if kind is LBFGS else f"^{kind.__name__}, group 1: {text}"
    ):
        optimizer.add_param_group({"params": [parameter(1.0)], name: value})
    assert repr(optimizer) == before
    optimizer.param_groups[0][name] = value
    with pytest.raises((TypeError, ValueError), match=f"^{kind.__name__}, group 0: {text}") as refusal:
        move(optimizer)
    assert repr(value) in str(refusal.value) and str(refusal.value).partition("; ")[2].startswith(
        "give it such a value"
    )
    assert p.item() == 1.0 and optimizer.state == {}
    optimizer.param_groups[0][name] = optimizer.defaults[name]
    move(optimizer)
    assert optimizer.state[p]["t"] == 1


@every
def test_an_unknown_keyword_is_refused(kind: type[Optimizer]) -> None:
    known = ", ".join(inspect.signature(kind.__init__).parameters).removeprefix("self, ")
    with pytest.raises(TypeError, match=f"^{kind.__name__}: got the keyword 'rate', expected {known}; leave it out$"):
        kind([parameter(1.0)], rate=1)
    for near in ("maximise", "Maximize", "maximze", "maximum", "maximisation"):  # left out, they would go downhill
        advice = "did you mean 'maximize'" if "maximize" in known else "to go uphill negate the loss"
        with pytest.raises(TypeError, match=rf"^{kind.__name__}: got the keyword '{near}', .*; {advice}"):
            kind([parameter(1.0)], other=1, **{near: True})
    if "weight_decay" in known:
        with pytest.raises(TypeError, match="got the keyword 'weightdecay', .*; did you mean 'weight_decay'"):
            kind([parameter(1.0)], weightdecay=0.1)
    with pytest.raises(TypeError, match="; leave it out$"):
        kind([parameter(1.0)], minimize=True)
