"""state_dict and load_state_dict: nothing is lost, nothing is half done."""

import numpy as np
import pytest

import lucid
from lucid import nn


def net():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1, dtype=lucid.float64))
    model.register_buffer("count", lucid.tensor(3))
    model.register_buffer("scratch", lucid.ones(2), persistent=False)
    return model


def test_a_state_is_names_and_arrays_of_its_own():
    model = net()
    state = model.state_dict()
    assert {name: (type(a), a.dtype.name, a.shape) for name, a in state.items()} == {
        "0.weight": (np.ndarray, "float32", (3, 2)),
        "0.bias": (np.ndarray, "float32", (3,)),
        "2.weight": (np.ndarray, "float64", (1, 3)),
        "2.bias": (np.ndarray, "float64", (1,)),
        "count": (np.ndarray, "int64", ()),
    }
    with lucid.no_grad():
        model[0].weight.fill_(9.0)
    assert 9.0 not in state["0.weight"]  # training on does not reach what was put aside
    state["0.bias"][:] = 9.0
    assert 9.0 not in model[0].bias.tolist()
    assert next(iter(model.state_dict(prefix="net."))) == "net.count"


@pytest.mark.parametrize(
    "wrap", [lambda a: a, lucid.tensor, lambda a: a.copy(order="F"), lambda a: a.tolist()]
)
def test_a_state_goes_back_in_place(wrap):
    model, other = net(), net()
    parameters = list(other.parameters())
    arrays = [id(p.numpy().base) for p in parameters]
    result = other.load_state_dict({name: wrap(a) for name, a in model.state_dict().items()})
    assert result == ([], []) and result.missing_keys == []
    assert [id(p) for p in other.parameters()] == [id(p) for p in parameters]
    assert [id(p.numpy().base) for p in parameters] == arrays  # the same memory, for those who hold it
    for name, array in model.state_dict().items():
        assert np.array_equal(other.state_dict()[name], array)
        assert other.state_dict()[name].dtype == array.dtype


def test_values_are_cast_to_the_dtype_here():
    layer = nn.Linear(1, 1)
    layer.load_state_dict({"weight": np.array([[0.1]]), "bias": np.array([True])})
    assert (
        layer.weight.dtype == lucid.float32
        and layer.weight.item() == np.float32(0.1)
        and layer.bias.item() == 1
    )


def test_loading_swaps_even_what_shares_memory():
    layer = nn.ParameterList([nn.Parameter([1.0]), nn.Parameter([2.0])])
    layer.load_state_dict({"0": layer[1].detach().numpy(), "1": layer[0].detach().numpy()})
    assert [p.item() for p in layer] == [2, 1]


def test_a_graph_that_needs_the_old_values_is_refused():
    layer = nn.Linear(1, 1)
    out = layer(lucid.ones(1, 1, requires_grad=True))
    layer.load_state_dict(nn.Linear(1, 1).state_dict())
    with pytest.raises(RuntimeError, match="changed in place"):
        out.backward()


def test_everything_wrong_is_listed_and_nothing_changed():
    model = net()
    before = model.state_dict()
    state = {
        **{name: array + 1 for name, array in before.items()},
        "0.weight": np.zeros((2, 3)),
        "2.weight": ["text"],
        "count": np.array(1.5),
        "extra": np.zeros(1),
    }
    del state["2.bias"]
    with pytest.raises(ValueError) as raised:
        model.load_state_dict(state)
    assert str(raised.value).splitlines() == [
        "load_state_dict: the state does not fit this Sequential, and nothing was changed:",
        "  missing: 2.bias",
        "  unexpected: extra",
        "  count: the state has dtype float64, the module int64",
        "  0.weight: the state has shape (2, 3), the module (3, 2)",
        "  2.weight: expected an array of numbers, got list of dtype <U4",
        "  (strict=False passes over missing and unexpected entries)",
    ]
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())


def test_not_strict_returns_what_it_passed_over():
    model = net()
    state = {"0.bias": np.full(3, 7.0), "extra": 1, 5: 2}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert missing == ["count", "0.weight", "2.weight", "2.bias"] and unexpected == ["extra", 5]
    assert model[0].bias.tolist() == [7.0] * 3
    with pytest.raises(ValueError, match=r"0.bias: the state has shape \(2,\), the module \(3,\)"):
        model.load_state_dict({"0.bias": np.zeros(2)}, strict=False)


def test_only_a_mapping_is_a_state():
    with pytest.raises(
        TypeError, match=r"expected a dict of names and arrays, got str; from a file: .*lucid\.load"
    ):
        net().load_state_dict("model.npz")


def test_tied_weights_come_under_each_name():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    state = model.state_dict()
    assert list(state) == ["0.weight", "1.weight"]
    model.load_state_dict(state)
    assert model[1].weight is model[0].weight


def test_one_name_of_a_tied_weight_is_enough_and_two_must_agree():
    def tied():
        model = nn.Module()
        model.a, model.b, model.c = nn.Linear(2, 2), nn.Linear(2, 2), [nn.BatchNorm1d(2), nn.BatchNorm1d(2)]
        model.b.weight = model.a.weight
        model.c[1] = model.c[0]
        return model

    state = tied().state_dict()
    names = [{"a.weight", "b.weight"}, *({f"c.0.{name}", f"c.1.{name}"} for name in nn.BatchNorm1d(2).state_dict())]
    for pair in names:
        for left in pair:
            model = tied()
            some = {name: array + 1 for name, array in state.items() if name not in pair - {left}}
            assert model.load_state_dict(some) == ([], [])
            assert all(np.array_equal(array, state[name] + 1) for name, array in model.state_dict().items())
        model, neither = tied(), {name: array for name, array in state.items() if name not in pair}
        before = model.state_dict()
        assert set(model.load_state_dict(neither, strict=False).missing_keys) == pair
        model.load_state_dict(before)
        first, second = sorted(pair)
        with pytest.raises(ValueError, match=rf"changed:\n  {second}: other values than {first}, which is the same"):
            model.load_state_dict({**state, second: state[second] + 1}, strict=False)
        assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())
    spoiled = {**state, "a.weight": np.full((2, 2), np.nan), "b.weight": np.full((2, 2), np.nan, "float64")}
    tied().load_state_dict(spoiled)  # the same


def test_two_parameters_of_one_name_are_not_lost():
    model = nn.Module()
    model.x = {"a.b": nn.Parameter([1.0]), "a": {"b": nn.Parameter([2.0])}}
    with pytest.raises(ValueError, match=r"Module has two parameters or buffers of the name 'x.a.b'; rename"):
        model.state_dict()


@pytest.mark.parity
def test_pytorch_weights_load_as_they_are():
    import torch

    theirs = torch.nn.Sequential(torch.nn.Embedding(5, 4), torch.nn.Flatten(), torch.nn.Linear(12, 8), torch.nn.Tanh(),
                                 torch.nn.Linear(8, 3)).double()  # fmt: skip
    ours = nn.Sequential(
        nn.Embedding(5, 4), nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 3)
    ).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    x, labels = np.array([[0, 3, 1], [4, 4, 2]]), np.array([2, 0])

    loss = nn.CrossEntropyLoss()(ours(lucid.tensor(x)), lucid.tensor(labels))
    loss.backward()
    expected = torch.nn.CrossEntropyLoss()(theirs(torch.tensor(x)), torch.tensor(labels))
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    for (name, p), (their_name, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == their_name
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-10, atol=1e-12, err_msg=name)
    # and the other way, also where torch wants every name of a tied weight
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    with pytest.raises(ValueError, match=r"2.weight: .*requires grad"):
        ours.load_state_dict(dict(theirs.named_parameters()))
    ours.load_state_dict({k: v.detach() for k, v in theirs.named_parameters()})
