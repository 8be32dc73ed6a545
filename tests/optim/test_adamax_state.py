"""Adamax over time: closures, its state, saving and loading, copies."""

import copy
import pickle

import numpy as np
import pytest

import lucid
from lucid.optim import Adamax
from tests.optim.training import equal, give, model_and_data, parameter, train, weights

# -- closures ------------------------------------------------------------------------------------------------


def test_a_closure_runs_once_with_gradients_enabled() -> None:
    p, calls = parameter(1.0), []
    optimizer = Adamax([p], lr=0.25, eps=0)

    def closure() -> lucid.Tensor:
        calls.append(lucid.is_grad_enabled())
        loss = (p * p).sum()
        loss.backward()
        return loss

    with lucid.no_grad():
        loss = optimizer.step(closure)
        assert not lucid.is_grad_enabled()
    assert calls == [True] and isinstance(loss, lucid.Tensor) and loss.item() == 1.0 and p.item() == 0.75
    assert optimizer.step() is None


def test_a_closure_that_raises_changes_nothing() -> None:
    p = give(parameter(1.0), 1.0)
    optimizer = Adamax([p])

    def closure() -> lucid.Tensor:
        raise ArithmeticError("no loss today")

    with pytest.raises(ArithmeticError, match="no loss today"):
        optimizer.step(closure)
    assert p.item() == 1.0 and optimizer.state == {}


# -- state ---------------------------------------------------------------------------------------------------


def test_state_is_made_by_the_first_update_and_not_by_looking() -> None:
    p = parameter(1.0)
    optimizer = Adamax([p])
    with pytest.raises(KeyError):
        optimizer.state[p]
    with pytest.warns(UserWarning, match="no parameter has a gradient"):
        optimizer.step()
    assert optimizer.state == {} and optimizer.state_dict()["state"] == {}
    give(p, 1.0)
    optimizer.step()
    assert list(optimizer.state) == [p] and list(optimizer.state[p]) == ["t", "m", "u"]


def test_state_dict_has_pytorchs_layout_and_is_a_plain_copy() -> None:
    a, b, c = give(parameter(1.0, 2.0), 1.0, 1.0), parameter(1.0), give(parameter(3.0), 1.0)
    optimizer = Adamax([{"params": [a, b], "lr": np.float32(0.5)}, {"params": [c]}])
    optimizer.step()
    saved = optimizer.state_dict()
    rest = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0}
    assert saved["param_groups"] == [
        {"lr": 0.5, **rest, "params": [0, 1]},
        {"lr": 0.002, **rest, "params": [2]},
    ]
    assert type(saved["param_groups"][0]["lr"]) is float
    assert {i: entry["t"] for i, entry in saved["state"].items()} == {0: 1, 2: 1}
    for i, p in ((0, a), (2, c)):
        for slot in "mu":
            assert type(saved["state"][i][slot]) is np.ndarray
            assert np.array_equal(saved["state"][i][slot], optimizer.state[p][slot])
            assert not np.shares_memory(saved["state"][i][slot], optimizer.state[p][slot])
    assert pickle.loads(pickle.dumps(saved))["param_groups"] == saved["param_groups"]
    saved["state"][0]["m"][:] = 7
    saved["param_groups"][0]["params"].append(9)
    assert optimizer.state[a]["m"][0] != 7 and len(optimizer.param_groups[0]["params"]) == 2


def test_resuming_on_a_fresh_optimizer_is_exact_to_the_bit() -> None:
    model, x, y = model_and_data()
    optimizer = Adamax(model.parameters(), lr=0.01, weight_decay=0.01)
    train(model, optimizer, x, y, 7)
    saved = pickle.loads(pickle.dumps((weights(model), optimizer.state_dict())))
    train(model, optimizer, x, y, 5)

    again, *_ = model_and_data(seed=1)
    for p, array in zip(again.parameters(), saved[0], strict=True):
        p.data = lucid.Tensor(array.copy())
    fresh = Adamax(again.parameters())
    fresh.load_state_dict(saved[1])
    saved[1]["state"][0]["m"][:] = 7  # copied in: this no longer matters
    train(again, fresh, x, y, 5)
    assert equal(weights(model), weights(again))
    assert fresh.param_groups[0]["lr"] == 0.01


def test_loading_keeps_the_dicts_and_lists_that_others_hold_on_to() -> None:
    p = give(parameter(1.0), 1.0)
    optimizer = Adamax([p], lr=0.5)
    group, params = optimizer.param_groups[0], optimizer.param_groups[0]["params"]
    saved = optimizer.state_dict()
    optimizer.step()
    group["lr"], group["initial_lr"] = 0.25, 1.0
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0] is group and group["params"] is params
    assert group["lr"] == 0.5 and "initial_lr" not in group and optimizer.state == {}


def test_loading_casts_to_the_dtype_that_the_state_has_here() -> None:
    wide, narrow = give(parameter(1.0, 2.0), 0.1, 0.2), give(parameter(1.0, 2.0, dtype="float32"), 0.1, 0.2)
    from_wide, into_narrow = Adamax([wide]), Adamax([narrow])
    from_wide.step()
    into_narrow.load_state_dict(from_wide.state_dict())
    assert into_narrow.state[narrow]["m"].dtype == np.float32
    np.testing.assert_allclose(into_narrow.state[narrow]["m"], from_wide.state[wide]["m"], rtol=1e-7)


@pytest.mark.parametrize(
    "way", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["deepcopy", "pickle"]
)
@pytest.mark.parametrize("steps", [0, 3])
def test_a_copied_pair_trains_exactly_like_the_first(way, steps: int) -> None:
    model, x, y = model_and_data()
    optimizer = Adamax(model.parameters(), lr=0.01)
    train(model, optimizer, x, y, steps)
    model2, optimizer2 = way((model, optimizer))
    held = weights(model2)
    assert all(p is q for p, q in zip(model2.parameters(), optimizer2.param_groups[0]["params"], strict=True))
    train(model, optimizer, x, y, 4)
    assert equal(weights(model2), held)  # nothing is shared
    train(model2, optimizer2, x, y, 4)
    assert equal(weights(model), weights(model2))


# -- refused -------------------------------------------------------------------------------------------------


def _saved() -> dict:
    ps = [give(parameter(1.0, 2.0), 1.0, 1.0), give(parameter(3.0), 1.0)]
    optimizer = Adamax(ps)
    optimizer.step()
    return optimizer.state_dict()


def _without(saved: dict, *path: object) -> dict:
    inner = saved
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return saved


def _with(saved: dict, value: object, *path: object) -> dict:
    inner = saved
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return saved


STATES = [
    (
        lambda s: None,
        TypeError,
        r"^Adamax.load_state_dict: expected what state_dict\(\) returns.* got a NoneType",
    ),
    (lambda s: {"weight": 1}, TypeError, r"expected what state_dict\(\) returns.* got \['weight'\]"),
    (lambda s: _without(s, "param_groups", 0, "params"), TypeError, r"expected what state_dict\(\) returns"),
    (
        lambda s: _with(s, s["param_groups"] * 2, "param_groups"),
        ValueError,
        r"groups of \[2\] parameters.* got \[2, 2\]",
    ),
    (
        lambda s: _with(s, [0], "param_groups", 0, "params"),
        ValueError,
        r"groups of \[2\] parameters, as here, got \[1\]",
    ),
    (
        lambda s: _with(s, [0, 0], "param_groups", 0, "params"),
        ValueError,
        r"two parameters have the same index",
    ),
    (lambda s: _with(s, -1.0, "param_groups", 0, "lr"), ValueError, r"group 0: lr must be .* got -1.0"),
    (lambda s: _without(s, "param_groups", 0, "eps"), ValueError, r"group 0: eps is missing"),
    (
        lambda s: _with(s, s["state"][0], "state", 5),
        ValueError,
        r"state 5: no group has a parameter of this index",
    ),
    (lambda s: _with(s, [1], "state", 0), ValueError, r"state 0: not a dict"),
    (lambda s: _without(s, "state", 0, "m"), ValueError, r"state 0: 'm' is missing"),
    (lambda s: _without(s, "state", 0, "t"), ValueError, r"state 0: 't' is missing"),
    (lambda s: _with(s, -1, "state", 0, "t"), ValueError, r"state 0: t is -1, expected a count of updates"),
    (lambda s: _with(s, 1.5, "state", 0, "t"), ValueError, r"state 0: t is 1.5"),
    (
        lambda s: _with(s, 1, "state", 0, "exp_avg"),
        ValueError,
        r"'exp_avg' is unknown, expected \['m', 't', 'u'\]",
    ),
    (
        lambda s: _with(s, np.ones(3), "state", 0, "u"),
        ValueError,
        r"state 0: u has shape \(3,\), expected \(2,\)",
    ),
    (
        lambda s: _with(s, np.ones(()), "state", 1, "m"),
        ValueError,
        r"state 1: m has shape \(\), expected \(1,\)",
    ),
    (lambda s: _with(s, 0.5, "state", 1, "m"), ValueError, r"state 1: m has shape None"),
]


@pytest.mark.parametrize("spoil, error, text", STATES)
def test_state_that_does_not_fit_changes_nothing(spoil, error: type[Exception], text: str) -> None:
    ps = [give(parameter(5.0, 6.0), 1.0, 1.0), give(parameter(7.0), 1.0)]
    optimizer = Adamax(ps, lr=0.5)
    optimizer.step()
    before, values, arrays = (
        optimizer.state_dict(),
        [p.numpy().copy() for p in ps],
        [optimizer.state[p]["m"] for p in ps],
    )
    with pytest.raises(error, match=text):
        optimizer.load_state_dict(spoil(_saved()))
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert all(
        np.array_equal(after["state"][i][k], before["state"][i][k]) for i in (0, 1) for k in ("t", "m", "u")
    )
    assert all(optimizer.state[p]["m"] is m for p, m in zip(ps, arrays, strict=True))
    assert equal([p.numpy() for p in ps], values)


def test_all_that_does_not_fit_is_named_at_once() -> None:
    saved = _with(_without(_saved(), "state", 0, "m"), -1, "param_groups", 0, "eps")
    with pytest.raises(ValueError, match="nothing was loaded") as refusal:
        Adamax([parameter(1.0, 2.0), parameter(3.0)]).load_state_dict(saved)
    assert "'m' is missing" in str(refusal.value) and "eps must be" in str(refusal.value)
