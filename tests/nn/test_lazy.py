"""Lazy layers: what may come before the first call, what may not, and what the call makes of them."""

import copy
import pickle

import numpy as np
import pytest

import lucid
from lucid import nn, optim


def net():
    return nn.Sequential(
        nn.LazyConv2d(6, 5, padding=2), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10),
    )  # fmt: skip


def test_the_first_call_makes_the_usual_layers_and_the_parameters_stay_the_same_objects():
    model = net()
    before, seen = list(model.parameters()), []
    model[0].register_forward_hook(lambda module, args, out: seen.append(type(module)))
    model[4].weight.requires_grad_(False)
    out = model.double().eval()(lucid.randn(2, 3, 8, 8).double())
    assert out.shape == (2, 10) and out.dtype == lucid.float64
    assert [type(layer) for layer in model] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Flatten, nn.Linear]
    assert all(a is b for a, b in zip(before, model.parameters(), strict=True))
    assert {type(p) for p in before} == {nn.Parameter} and {p.dtype for p in before} == {lucid.float64}
    assert seen == [nn.Conv2d] and not model[1].training and not model[4].weight.requires_grad
    assert repr(model[0]) == "Conv2d(3, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))"
    assert model[1].num_features == 6 and model[4].in_features == 384
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    out.sum().backward()
    optimizer.step()
    assert model[4].weight.grad is None and model[0].weight.grad.shape == (6, 3, 5, 5)


def test_the_weights_are_those_that_the_usual_layer_draws():
    lucid.manual_seed(3)
    lazy = nn.LazyLinear(3)
    lazy(lucid.ones(2, 4))
    lucid.manual_seed(3)
    np.testing.assert_array_equal(lazy.weight.detach().numpy(), nn.Linear(4, 3).weight.detach().numpy())


def test_a_lazy_model_can_be_copied_and_pickled():
    model = net()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other(lucid.ones(2, 3, 4, 4)).shape == (2, 10)
    assert type(model[0]) is nn.LazyConv2d and repr(model[0].weight) == "UninitializedParameter()"


@pytest.mark.parametrize(
    "use, words",
    [
        (lambda m: optim.Adamax(m.parameters()), "group 0: parameter 0 is that of a lazy layer, .*; run the model"),
        (lambda m: optim.SGD([{"params": list(m.parameters())}], lr=0.1), "parameter 0 is that of a lazy layer"),
        (lambda m: sum(p.numel() for p in m.parameters()), "has no shape before the layer's first call; run the model"),
        (lambda m: m[0].weight.shape, "has no shape before"),
        (lambda m: nn.init.xavier_uniform_(m[0].weight), "has no shape before"),
        (lambda m: m.load_state_dict(net_after_a_call().state_dict()), "0.weight: the parameter of a lazy layer"),
        (lambda m: m(lucid.ones(3)), r"LazyConv2d: expected a first input of 3 or 4 dims, got shape \(3,\)"),
    ],
)
def test_what_needs_shapes_is_refused_before_the_first_call(use, words):
    model = net()
    with pytest.raises(ValueError, match=words):
        use(model)
    assert model(lucid.ones(2, 3, 4, 4)).shape == (2, 10)


def net_after_a_call():
    model = net()
    model(lucid.ones(2, 3, 4, 4))
    return model


def test_a_weight_that_was_tied_or_put_there_stays():
    first, second = nn.LazyLinear(3, bias=False), nn.LazyLinear(3, bias=False)
    second.weight = first.weight
    first(lucid.ones(2, 4)), second(lucid.ones(2, 4))
    assert second.weight is first.weight and first.weight.shape == (3, 4)
    third = nn.LazyLinear(1)
    third.weight = nn.Parameter([[1.0, 2.0]])
    third.bias = nn.Parameter([0.5])
    assert third(lucid.ones(1, 2)).tolist() == [[3.5]]
