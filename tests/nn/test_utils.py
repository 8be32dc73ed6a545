"""Clipping gradients, and all parameters as one vector."""

import copy
import math
import pickle

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)

RNG = np.random.default_rng(0)
GRADIENTS = [RNG.normal(size=(3, 4)), RNG.normal(size=()), RNG.normal(size=(5,)) * 3]


def parameters(dtype=lucid.float64):
    made = [nn.Parameter(lucid.zeros(*g.shape, dtype=dtype)) for g in GRADIENTS]
    for p, g in zip(made, GRADIENTS, strict=True):
        p.grad = lucid.tensor(g, dtype=dtype)
    return [*made, nn.Parameter([1.0])]  # the last has no gradient


@pytest.mark.parity
@pytest.mark.parametrize("p", [2.0, 1.0, 3, 0.5, math.inf])
@pytest.mark.parametrize("limit", [0.5, 1e6, 0.0])
def test_clip_grad_norm_as_pytorch(p, limit):
    import torch

    theirs = [torch.nn.Parameter(torch.tensor(q.tolist(), dtype=torch.float64)) for q in parameters()]
    for q, g in zip(theirs, GRADIENTS, strict=False):
        q.grad = torch.tensor(g)
    ours = parameters()
    expected = torch.nn.utils.clip_grad_norm_(theirs, limit, norm_type=p)
    total = clip_grad_norm_(iter(ours), limit, norm_type=p)
    assert total.shape == () and total.dtype == lucid.float64
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)
    for a, b in zip(ours, theirs, strict=True):
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None:
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-12)


def test_clip_grad_norm_scales_in_place_and_keeps_dtypes():
    ps = parameters(lucid.float32)
    gradients = [p.grad for p in ps[:3]]
    norm = math.sqrt(sum((g**2).sum() for g in GRADIENTS))
    assert clip_grad_norm_(ps, norm / 2).item() == pytest.approx(norm, rel=1e-6)
    assert all(p.grad is g and g.dtype == lucid.float32 for p, g in zip(ps, gradients, strict=False))
    assert get_total_norm(gradients).item() == pytest.approx(norm / 2, rel=1e-5)
    one = nn.Parameter([3.0])
    one.grad = lucid.tensor([6.0])
    assert clip_grad_norm_(one, 3.0).item() == 6 and one.grad.item() == pytest.approx(3)
    assert clip_grad_norm_([], 1.0).item() == 0 == clip_grad_norm_([nn.Parameter([1.0])], 1.0).item()


def test_half_precision_norms_do_not_overflow():
    p = nn.Parameter(lucid.zeros(4, dtype=lucid.float16))
    p.grad = lucid.full((4,), 300.0, dtype=lucid.float16)
    assert clip_grad_norm_(p, 60.0).item() == 600
    assert p.grad.dtype == lucid.float16 and p.grad.tolist() == [30.0] * 4


def test_a_norm_that_is_not_finite():
    p = nn.Parameter([1.0, 2.0])
    p.grad = lucid.tensor([1.0, math.nan])
    told = r"the total norm is nan: gradient 1 of 1, of shape \(2,\), has the norm nan; find what makes a gradient NaN"
    with pytest.raises(RuntimeError, match=told):
        clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad.tolist()[0] == 1  # nothing has changed
    assert math.isnan(clip_grad_norm_(p, 1.0).item())
    p.grad = lucid.tensor([1.0, math.inf])
    assert clip_grad_norm_(p, 1.0).item() == math.inf  # without a warning, too
    assert p.grad.tolist()[0] == 0 and math.isnan(p.grad.tolist()[1])
    assert get_total_norm(lucid.tensor([3e38, 3e38])).item() == math.inf
    with pytest.raises(RuntimeError, match="the total norm is inf: it is too large; find"):
        get_total_norm([lucid.tensor([3e38])] * 2, error_if_nonfinite=True)
    p.grad = lucid.tensor([1.0, math.inf])
    with pytest.raises(RuntimeError, match="the total norm is inf"):
        get_total_norm(p.grad, error_if_nonfinite=True)


def test_the_refusal_says_which_gradient_is_not_finite():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model(lucid.ones(1, 2)).sum().backward()
    model[1].weight.grad = lucid.full((2, 2), math.nan)
    with pytest.raises(RuntimeError, match=r"gradient 3 of 4, of shape \(2, 2\), has the norm nan"):
        clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)
    with pytest.raises(RuntimeError, match=r"gradient 1\.weight, of shape \(2, 2\), has the norm nan"):
        clip_grad_norm_(model.named_parameters(), 1.0, error_if_nonfinite=True)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("size", [1e-30, 1e-25, 1e20, 1e30])
def test_norms_neither_overflow_nor_vanish(size, p):
    count = 100
    parameters = [nn.Parameter(lucid.zeros(count // 2)) for _ in range(2)]
    for parameter in parameters:
        parameter.grad = lucid.full((count // 2,), size)
    norm = size * (1 if p == math.inf else count ** (1 / p))
    assert clip_grad_norm_(parameters, 1.0, p).item() == pytest.approx(norm, rel=1e-5)
    left = min(1.0, 1 / norm) * size
    assert parameters[0].grad.tolist() == pytest.approx([left] * (count // 2), rel=1e-5)


def test_clip_grad_value():
    ps = parameters()
    clip_grad_value_(ps, 0.25)
    for p, g in zip(ps, GRADIENTS, strict=False):
        assert np.array_equal(p.grad.numpy(), np.clip(g, -0.25, 0.25))


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
def test_clipping_a_gradient_that_a_graph_needs_is_noticed(clip):
    x = nn.Parameter([3.0])
    (x**3).sum().backward(create_graph=True)
    again = (x.grad**2).sum()
    with lucid.no_grad():
        clip(x, 1.0)
    with pytest.raises(RuntimeError, match="changed in place"):
        again.backward()


def test_one_vector_and_back():
    a, b = nn.Parameter([[1.0, 2.0], [3.0, 4.0]]), nn.Parameter(5.0)
    vector = parameters_to_vector([a, b])
    assert vector.tolist() == [1, 2, 3, 4, 5]
    (vector * lucid.arange(5)).sum().backward()
    assert a.grad.tolist() == [[0, 1], [2, 3]] and b.grad.item() == 4
    array = a.numpy().base
    vector_to_parameters(vector.detach() * 10, [a, b])
    assert a.tolist() == [[10, 20], [30, 40]] and b.item() == 50 and a.numpy().base is array
    whole = lucid.tensor([1.0, 2.0])
    first, second = nn.Parameter([0.0]), nn.Parameter([0.0])
    first.data, second.data = whole[:1], whole[1:]
    vector_to_parameters(whole.flip(0), [first, second])  # reads all before it writes
    assert whole.tolist() == [2, 1]


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda p: clip_grad_norm_(p, -1.0), "clip_grad_norm_: max_norm must be 0 or more, got -1.0"),
        (lambda p: clip_grad_norm_(p, math.nan), "clip_grad_norm_: max_norm must be 0 or more, got nan"),
        (
            lambda p: clip_grad_norm_(p, 1.0, norm_type=0),
            "norm_type must be above 0 (2.0 or float('inf'), say), got 0",
        ),
        (lambda p: clip_grad_value_(p, -2), "clip_grad_value_: clip_value must be 0 or more, got -2"),
        (
            lambda p: parameters_to_vector(iter(())),
            "parameters_to_vector: got no parameters; was a generator",
        ),
        (
            lambda p: vector_to_parameters(lucid.zeros(3), [p]),
            "have 2 elements, so vec must have shape (2,), got (3,)",
        ),
        (
            lambda p: vector_to_parameters(lucid.zeros(1, 2), [p]),
            "have 2 elements, so vec must have shape (2,), got (1, 2)",
        ),
    ],
)
def test_refusals(call, words):
    p = nn.Parameter([1.0, 2.0])
    p.grad = lucid.tensor([5.0, 6.0])
    with pytest.raises(ValueError) as raised:
        call(p)
    assert words in str(raised.value)
    assert p.tolist() == [1, 2] and p.grad.tolist() == [5, 6]


# -- sequences and weights -------------------------------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"padding_value": -1.5, "padding_side": "left"}])
def test_pad_sequence_as_pytorch(options):
    import torch

    arrays = [np.random.default_rng(0).normal(size=(n, 2, 3)) for n in (2, 4, 0)]
    ours, theirs = [lucid.tensor(a, requires_grad=True) for a in arrays], [torch.tensor(a) for a in arrays]
    out = nn.utils.rnn.pad_sequence(ours, **options)
    np.testing.assert_array_equal(out.detach().numpy(), torch.nn.utils.rnn.pad_sequence(theirs, **options).numpy())
    out.sum().backward()
    assert all((x.grad.numpy() == 1).all() for x in ours)


def test_pad_sequence():
    from lucid.nn.utils.rnn import pad_sequence

    assert pad_sequence([lucid.arange(3), lucid.arange(1)], padding_value=7).tolist() == [[0, 0], [1, 7], [2, 7]]
    assert pad_sequence((lucid.ones(2, dtype="float64") for _ in range(2)), True).dtype == lucid.float64
    for sequences in ([], [lucid.ones(2), lucid.ones(2, 1)], [lucid.ones(2, 3), lucid.ones(2, 4)], [lucid.tensor(1)]):
        with pytest.raises(ValueError, match=r"pad_sequence: expected sequences \(length, ...\) alike"):
            pad_sequence(sequences)
    with pytest.raises(ValueError, match="padding_side must be 'left' or 'right', got 'middle'"):
        pad_sequence([lucid.ones(2)], padding_side="middle")
    with pytest.raises(TypeError, match="pad_sequence: expected a Tensor, got list"):
        pad_sequence([[1, 2]])


LAYERS = {"Linear": (lambda nn: nn.Linear(3, 2), (4, 3)), "Conv1d": (lambda nn: nn.Conv1d(3, 2, 2), (4, 3, 5)),
          "ConvTranspose2d": (lambda nn: nn.ConvTranspose2d(3, 2, 2), (1, 3, 2, 2))}  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize("dim", [0, 1, -1, None])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
def test_weight_norm_as_pytorch(name, dim):
    import torch

    make, shape = LAYERS[name]
    if dim == -1:
        return  # PyTorch takes it for None
    theirs = torch.nn.utils.weight_norm(make(torch.nn).double(), dim=dim)
    ours = nn.utils.weight_norm(make(nn).double(), dim=dim)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [p.shape for p in ours.parameters()] == [tuple(p.shape) for p in theirs.parameters()]
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = np.random.default_rng(0).normal(size=shape)
    a, b = ours(lucid.tensor(x)), theirs(torch.tensor(x))
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)
    (a * a).sum().backward(), (b * b).sum().backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-10)


def test_a_normalised_weight_is_copied_pickled_and_made_a_parameter_again():
    layer = nn.utils.weight_norm(nn.Linear(3, 2))
    x = lucid.randn(4, 3)
    before = layer(x)
    before.sum().backward()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), copy.deepcopy(nn.Sequential(layer))):
        np.testing.assert_array_equal(other(x).detach().numpy(), before.detach().numpy())
        for p in other.parameters():
            p.data.mul_(0)
            p.data.add_(1.0)
        assert (other(x) != before).all()
    np.testing.assert_array_equal(layer(x).detach().numpy(), before.detach().numpy())
    assert nn.utils.remove_weight_norm(layer) is layer
    assert [name for name, _ in layer.named_parameters()] == ["bias", "weight"]
    np.testing.assert_allclose(layer(x).detach().numpy(), before.detach().numpy(), rtol=1e-6)
    with pytest.raises(ValueError, match="remove_weight_norm: 'weight' of Linear is not normalised"):
        nn.utils.remove_weight_norm(layer)
    nn.utils.weight_norm(layer)
    for name in ("weight", "nothing"):
        with pytest.raises(ValueError, match=f"weight_norm: Linear has no Parameter {name!r}, or it is normalised"):
            nn.utils.weight_norm(layer, name)
