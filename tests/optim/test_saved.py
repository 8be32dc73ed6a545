"""State that survives: parameters found by name, and gradients that are not there. For runs that are killed see
test_stop_and_resume.py."""

import pickle
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.optim import SGD, Adam, Adamax
from tests.optim.training import equal, give, parameter

# -- names ----------------------------------------------------------------------------------------------------


def trained(order: Any = list, names: bool = True, steps: int = 5, **options: Any) -> tuple[nn.Module, Adamax]:
    """A little network and its optimizer, over named parameters in any order, after a few steps."""
    lucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    pairs = order(list(model.named_parameters()))
    optimizer = Adamax(pairs if names else [p for _, p in pairs], lr=0.05, **options)
    go(model, optimizer, steps)
    return model, optimizer


def go(model: nn.Module, optimizer: Any, steps: int) -> None:
    x = lucid.Tensor(np.random.default_rng(1).standard_normal((8, 3)).astype("float32"))
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        optimizer.step()


def arrays(model: nn.Module) -> list[np.ndarray]:
    return [p.detach().numpy().copy() for p in model.parameters()]


NAMES = ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_named_parameters_are_accepted_and_named_in_the_state() -> None:
    model, optimizer = trained()
    assert optimizer.param_groups[0]["params"] == list(model.parameters())
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == NAMES
    assert (
        repr(optimizer) == repr(trained(names=False)[1])
        and "param_names" not in trained(names=False)[1].state_dict()["param_groups"][0]
    )
    assert equal(arrays(model), arrays(trained(names=False)[0]))
    grouped = SGD(
        [
            {"params": list(model.named_parameters())[:2], "lr": 0.5},
            {"params": iter(list(model.named_parameters())[2:])},
        ]
    )
    assert [group["param_names"] for group in grouped.param_groups] == [NAMES[:2], NAMES[2:]]
    grouped.add_param_group({"params": [("more", parameter(1.0))]})
    assert grouped.state_dict()["param_groups"][2] == {**grouped.defaults, "param_names": ["more"], "params": [4]}


@pytest.mark.parity
def test_names_are_where_pytorch_has_them() -> None:
    import torch

    model = torch.nn.Linear(3, 2)
    theirs = torch.optim.SGD([{"params": list(model.named_parameters())}]).state_dict()["param_groups"][0]
    ours = SGD([{"params": list(nn.Linear(3, 2).named_parameters())}]).state_dict()["param_groups"][0]
    assert (
        (ours["param_names"], ours["params"])
        == (theirs["param_names"], theirs["params"])
        == (["weight", "bias"], [0, 1])
    )


@pytest.mark.parametrize("order", [list, lambda ps: ps[::-1], lambda ps: [ps[2], ps[0], ps[3], ps[1]]],
                         ids=["same", "reversed", "shuffled"])
def test_a_reordered_model_finds_its_state_by_name(order: Any, tmp_path: Any) -> None:
    model, optimizer = trained()
    lucid.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "run.npz")
    go(model, optimizer, 5)
    saved = lucid.load(tmp_path / "run.npz")
    other, fresh = trained(order, steps=1)
    other.load_state_dict(saved["model"])
    own_names = list(fresh.param_groups[0]["param_names"])
    fresh.load_state_dict(saved["optimizer"])
    go(other, fresh, 5)
    assert equal(arrays(model), arrays(other))
    assert (
        fresh.param_groups[0]["param_names"] == own_names == [name for name, _ in order([(name, 0) for name in NAMES])]
    )


def test_a_state_from_before_the_order_was_pytorchs_is_loaded_by_name() -> None:
    """Own parameters came after modules that were assigned earlier, and two of equal shape changed places."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.inner, self.scale = nn.PReLU(), nn.Parameter([1.0])

        def forward(self, x: lucid.Tensor) -> lucid.Tensor:
            return self.inner(x) * self.scale

    old_order = ["inner.weight", "scale"]
    lucid.manual_seed(0)
    x, models = lucid.randn(8), [Scaled() for _ in range(4)]
    assert [name for name, _ in models[0].named_parameters()] == old_order[::-1]

    def train_on(model: nn.Module, optimizer: Any) -> None:
        for _ in range(3):
            optimizer.zero_grad()
            (model(x) - 1).square().sum().backward()
            optimizer.step()

    by_name = lambda model: [(name, model.get_parameter(name)) for name in old_order]
    model, named, plain = models[0], optim.Adamax(by_name(models[0])), optim.Adamax([p for _, p in by_name(models[1])])
    train_on(model, named)
    train_on(models[1], plain)
    without_names = plain.state_dict()
    without_names["param_groups"][0]["param_names"] = old_order  # as docs/optimizers.md says
    for again, saved in zip(models[2:], (named.state_dict(), without_names), strict=True):
        again.load_state_dict(model.state_dict())
        fresh = optim.Adamax(again.named_parameters())
        fresh.load_state_dict(saved)
        for name, p in again.named_parameters():
            assert np.array_equal(fresh.state[p]["m"], named.state[model.get_parameter(name)]["m"])


@pytest.mark.parametrize("here, there", [(False, True), (True, False)])
def test_where_one_side_has_no_names_it_goes_by_order(here: bool, there: bool) -> None:
    model, optimizer = trained(names=there)
    saved, weights = optimizer.state_dict(), model.state_dict()
    go(model, optimizer, 5)
    other, fresh = trained(names=here, steps=1)
    other.load_state_dict(weights)
    fresh.load_state_dict(saved)
    go(other, fresh, 5)
    assert equal(arrays(model), arrays(other)) and ("param_names" in fresh.param_groups[0]) is here


def test_names_that_are_missing_or_unexpected_are_all_listed_and_nothing_is_loaded() -> None:
    _, optimizer = trained()
    saved = optimizer.state_dict()
    _, other = trained(lambda pairs: [(name.replace("0.", "first."), p) for name, p in pairs])
    before = pickle.dumps(other.state_dict())
    with pytest.raises(ValueError) as refusal:
        other.load_state_dict(saved)
    assert (
        "group 0: the names must be the same, missing ['first.weight', 'first.bias'], unexpected ['0.weight', "
        "'0.bias']; make"
        in str(refusal.value)
    )
    assert pickle.dumps(other.state_dict()) == before
    _, fewer = trained(lambda pairs: pairs[:3])
    with pytest.raises(
        ValueError, match=r"group 0: the names must be the same, missing \[\], unexpected \['2.bias'\]; make"
    ):
        fewer.load_state_dict(saved)


def test_hyperparameters_stay_with_their_group() -> None:
    a, b = parameter(1.0), parameter(2.0)
    saved = SGD([{"params": [("a", a)], "lr": 0.5}, {"params": [("b", b)]}]).state_dict()
    swapped = SGD([{"params": [("b", b)]}, {"params": [("a", a)]}])
    with pytest.raises(
        ValueError,
        match=r"group 0: the names must be the same, missing \['b'\], unexpected \['a'\](.|\n)*group 1: .* missing "
              r"\['a'\]",
    ):
        swapped.load_state_dict(saved)


def test_names_that_are_no_list_are_no_state() -> None:
    _, optimizer = trained()
    saved = optimizer.state_dict()
    saved["param_groups"][0]["param_names"] = 3
    with pytest.raises(TypeError, match=r"expected what state_dict\(\) returns"):
        optimizer.load_state_dict(saved)


def test_a_momentum_that_pytorch_had_not_begun_begins_here() -> None:
    """v_1 = g_1 in full; a v that is remembered goes on, with a dampened gradient."""
    p = give(parameter(1.0), 1.0)
    group = {
        "lr": 0.5,
        "momentum": 0.5,
        "dampening": 0.5,
        "weight_decay": 0,
        "nesterov": False,
        "maximize": False,
        "foreach": None,
        "params": [0],
    }
    for buffer, expected in ((None, 1.0), (np.array([4.0]), 2.5)):
        optimizer = SGD([p])
        optimizer.load_state_dict({"state": {0: {"momentum_buffer": buffer}}, "param_groups": [group]})
        optimizer.step()
        assert optimizer.state[p]["v"] == expected


BAD_NAMES: list[tuple[Any, type[Exception], str]] = [
    ([("a", parameter(1.0)), parameter(1.0)], TypeError,
     r"^Adamax, group 0: parameter 1 must be a pair of a name and a Parameter, as another one is, got a Parameter; "
     r"write model.named_parameters\(\)"),
    ([("a", parameter(1.0), 3)], TypeError, r"^Adamax, group 0: parameter 0 must be a pair .*, got a tuple of 3"),
    ([(parameter(1.0), "a")], TypeError, r"^Adamax, group 0: parameter 0 must be a pair .*, got a tuple of 2"),
    ([("a", np.ones(2))], TypeError, r"^Adamax, group 0: parameter 0 .* a ndarray; give model.parameters"),
    ([("a", parameter(1.0)), ("a", parameter(1.0))], ValueError,
     r"^Adamax: a name must be of one parameter, got 'a' 2 times; rename others"),
    ([{"params": [("a", parameter(1.0))]}, {"params": [("a", parameter(1.0))]}], ValueError,
     r"^Adamax: a name must be of one parameter, got 'a' 2 times"),
    ([{"params": [("a", parameter(1.0))]}, {"params": [parameter(1.0)]}], TypeError,
     r"^Adamax: all groups must have names for their parameters or none, got none in group 1; write"),
]  # fmt: skip


@pytest.mark.parametrize("params, error, text", BAD_NAMES, ids=range(len(BAD_NAMES)))
def test_bad_names_are_refused(params: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Adamax(params)


def test_a_list_that_was_edited_without_its_names_is_not_saved_wrongly() -> None:
    _, optimizer = trained()
    del optimizer.param_groups[0]["params"][0]
    with pytest.raises(
        ValueError, match=r"^Adamax.state_dict: group 0 has 3 parameters and 4 names, expected one each; whoever edits"
    ):
        optimizer.state_dict()
    del optimizer.param_groups[0]["param_names"]
    assert len(optimizer.state_dict()["state"]) == 3


# -- gradients that are not there -----------------------------------------------------------------------------


def test_a_step_without_any_gradient_warns_once_and_says_why_that_usually_is() -> None:
    model = nn.Linear(2, 1)
    optimizer = Adam(model.parameters())
    model(lucid.ones(1, 2)).sum().backward()
    optimizer.zero_grad()  # in the wrong place
    with pytest.warns(UserWarning) as warned:
        optimizer.step()
    (warning,) = warned
    text = str(warning.message)
    assert text.startswith(
        "Adam.step: no parameter has a gradient, so nothing moved. Call loss.backward() before step()"
    )
    assert "zero_grad()" in text and "another model" in text and "frozen" in text and warning.filename == __file__
    optimizer.step()  # an error here, if it warned again
    pickle.loads(pickle.dumps(optimizer)).step()


def test_one_gradient_is_enough_and_a_later_loss_of_all_is_told() -> None:
    a, b = give(parameter(1.0), 1.0), parameter(1.0)
    optimizer = SGD([a, b])
    optimizer.step()
    a.grad = None
    with pytest.warns(UserWarning, match="^SGD.step: no parameter has a gradient"):
        optimizer.step()


def test_a_closure_that_forgets_backward_is_told() -> None:
    p = parameter(1.0)
    with pytest.warns(UserWarning, match="no parameter has a gradient"):
        assert SGD([p]).step(lambda: 3.0) == 3.0


def test_groups_that_were_edited_by_hand_are_looked_at_anew() -> None:
    """What an optimizer keeps of its groups, so that adding many takes linear time, is never trusted to refuse."""
    a, b, c, d = (parameter(float(i)) for i in range(4))
    optimizer = Adamax([a, b])
    optimizer.add_param_group({"params": [c]})
    optimizer.param_groups[0]["params"].remove(a)
    optimizer.add_param_group({"params": [a, d]})  # it is gone from there
    for group, p in [(2, a), (0, b), (1, c), (2, d)]:
        with pytest.raises(ValueError, match=rf"^Adamax, group 3: parameter 0 is the same as .* \d of group {group}"):
            optimizer.add_param_group({"params": [p]})
    del optimizer.param_groups[1]
    optimizer.add_param_group({"params": [c]})
    with pytest.raises(ValueError, match="parameter 1 is the same as parameter 0 of group 3"):
        optimizer.add_param_group({"params": [e := parameter(5.0), e]})
    named = Adamax([("a", a)])
    named.add_param_group({"params": [("b", b)]})
    with pytest.raises(ValueError, match="a name must be of one parameter, got 'a' 2 times; rename others"):
        named.add_param_group({"params": [("a", c)]})
    named.param_groups[0]["param_names"][0] = "z"
    named.add_param_group({"params": [("a", c)]})
    assert [group["param_names"] for group in named.param_groups] == [["z"], ["b"], ["a"]]
