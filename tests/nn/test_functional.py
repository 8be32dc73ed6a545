"""lucid.nn.functional and the layers made of it: PyTorch's values and gradients, and sentences for bad input."""

import numpy as np
import pytest

import lucid
import lucid.nn.functional as F
from lucid import nn

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(4, 3)) * 2, RNG.normal(size=(4, 3))
P, T = RNG.uniform(0.02, 0.98, size=(4, 3)), RNG.uniform(size=(4, 3))
P[0, 0], P[0, 1], T[0, 0], T[0, 1] = 0.0, 1.0, 1.0, 1.0
LABELS = np.array([2, 0, 1, 1])
ONES = np.ones((4, 3))
SOFT = P / P.sum(1, keepdims=True)
DEEP, DEEP_LABELS = RNG.normal(size=(2, 3, 4, 5)), RNG.integers(0, 3, size=(2, 4, 5))

REDUCED = [
    ("mse_loss", "MSELoss", (X, Y), {}),
    ("l1_loss", "L1Loss", (X, Y), {}),
    ("huber_loss", "HuberLoss", (X, Y), {}),
    ("huber_loss", "HuberLoss", (X, Y), {"delta": 0.3}),
    ("smooth_l1_loss", "SmoothL1Loss", (X, Y), {}),
    ("smooth_l1_loss", "SmoothL1Loss", (X, Y), {"beta": 0.3}),
    ("smooth_l1_loss", "SmoothL1Loss", (X, Y), {"beta": 0.0}),
    ("binary_cross_entropy", "BCELoss", (P, T), {}),
    ("binary_cross_entropy_with_logits", "BCEWithLogitsLoss", (X * 30, T), {}),
    ("cross_entropy", "CrossEntropyLoss", (X, LABELS), {}),
    ("cross_entropy", "CrossEntropyLoss", (X * 300, LABELS.astype(np.uint8)), {}),
    ("cross_entropy", "CrossEntropyLoss", (X[0], LABELS[0]), {}),
    ("cross_entropy", "CrossEntropyLoss", (DEEP, DEEP_LABELS), {}),
    ("cross_entropy", "CrossEntropyLoss", (X, SOFT), {}),
    ("cross_entropy", "CrossEntropyLoss", (X[0], SOFT[0]), {}),
    ("cross_entropy", "CrossEntropyLoss", (DEEP, DEEP**2), {}),
    ("nll_loss", "NLLLoss", (X, LABELS), {}),
    ("nll_loss", "NLLLoss", (X[0], LABELS[0]), {}),
    ("nll_loss", "NLLLoss", (DEEP, DEEP_LABELS), {}),
]


@pytest.mark.parity
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name, module, arrays, options", REDUCED)
def test_losses_as_pytorch(name, module, arrays, options, reduction):
    import torch

    x, target = arrays
    ours = lucid.tensor(x, requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    goal = torch.tensor(target)
    goal = goal if goal.is_floating_point() else goal.long()
    expected = getattr(torch.nn.functional, name)(theirs, goal, reduction=reduction, **options)
    loss = getattr(F, name)(ours, lucid.tensor(target), reduction=reduction, **options)
    assert loss.dtype == lucid.float64 and loss.shape == tuple(expected.shape)
    np.testing.assert_allclose(loss.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    weights = RNG.normal(size=loss.shape)
    loss.backward(lucid.tensor(weights))
    expected.backward(torch.tensor(weights))
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-8, atol=1e-12)
    as_module = getattr(nn, module)(reduction=reduction, **options)
    assert as_module(ours, lucid.tensor(target)).tolist() == loss.tolist()


ACTIVATIONS = [
    ("relu", "ReLU", {}),
    ("sigmoid", "Sigmoid", {}),
    ("tanh", "Tanh", {}),
    ("silu", "SiLU", {}),
    ("gelu", "GELU", {}),
    ("gelu", "GELU", {"approximate": "tanh"}),
    ("leaky_relu", "LeakyReLU", {"negative_slope": 0.2}),
    ("elu", "ELU", {"alpha": 1.7}),
    ("softplus", "Softplus", {"beta": 2.0, "threshold": 3.0}),
    ("softmax", "Softmax", {"dim": 0}),
    ("softmax", "Softmax", {"dim": -1}),
    ("log_softmax", "LogSoftmax", {"dim": 1}),
]


@pytest.mark.parity
@pytest.mark.parametrize("name, module, options", ACTIVATIONS)
def test_activations_as_pytorch(name, module, options):
    import torch

    ours, theirs = lucid.tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    out, expected = getattr(nn, module)(**options)(ours), getattr(torch.nn, module)(**options)(theirs)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    (out * lucid.tensor(Y)).sum().backward()
    (expected * torch.tensor(Y)).sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-10, atol=1e-13)
    assert getattr(F, name)(ours, **options).tolist() == out.tolist()


@pytest.mark.parity
def test_one_hot_and_embedding_as_pytorch():
    import torch

    labels, table = np.array([[0, 2], [1, 2]]), RNG.normal(size=(3, 4))
    for classes in (-1, 5):
        ours = F.one_hot(lucid.tensor(labels), classes)
        theirs = torch.nn.functional.one_hot(torch.tensor(labels), classes)
        assert ours.tolist() == theirs.tolist() and ours.dtype == lucid.int64
    ours, theirs = lucid.tensor(table, requires_grad=True), torch.tensor(table, requires_grad=True)
    weights = RNG.normal(size=(2, 2, 4))
    out = F.embedding(lucid.tensor(labels), ours)
    (out * lucid.tensor(weights)).sum().backward()
    (torch.nn.functional.embedding(torch.tensor(labels), theirs) * torch.tensor(weights)).sum().backward()
    assert out.tolist() == table[labels].tolist()
    np.testing.assert_allclose(
        ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-12
    )  # row 2 was used twice: both add


def test_losses_without_pytorch():
    x = lucid.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    loss = F.cross_entropy(x, lucid.tensor([0]))
    assert loss.item() == pytest.approx(2.4076, abs=1e-4)
    loss.backward()
    assert x.grad.tolist()[0] == pytest.approx([-0.90997, 0.24473, 0.66524], abs=1e-4)
    assert F.mse_loss(x, x + 2).item() == 4 and F.l1_loss(x, x + 2, reduction="sum").item() == 6
    assert nn.HuberLoss(delta=1.0)(x, x + 2).item() == 1.5


def test_losses_of_nothing():
    none = lucid.zeros(0, 3)
    assert F.cross_entropy(none, lucid.zeros(0, dtype=lucid.int64), reduction="sum").item() == 0
    assert F.mse_loss(none, none, reduction="none").shape == (0, 3)


def test_dropout_drops_in_training_alone():
    x = lucid.ones(200, 200, requires_grad=True)
    layer = nn.Dropout(0.25)
    out = layer(x)
    kept = out.detach().numpy() != 0
    assert out.dtype == lucid.float32 and np.unique(out.detach().numpy()).tolist() == [0, np.float32(4 / 3)]
    assert kept.mean() == pytest.approx(0.75, abs=0.01) and out.mean().item() == pytest.approx(1, abs=0.02)
    out.sum().backward()
    assert np.array_equal(x.grad.numpy(), out.detach().numpy())  # the same mask on the way back
    assert not np.array_equal(layer(x).detach().numpy(), out.detach().numpy())
    lucid.manual_seed(0)
    again = F.dropout(x, 0.25)
    assert np.array_equal(again.detach().numpy(), out.detach().numpy())
    assert layer.eval()(x) is x and F.dropout(x, 0.0) is x
    assert F.dropout(x, 1.0).sum().item() == 0
    assert F.dropout(x.double(), 0.5).dtype == lucid.float64
    assert F.dropout(lucid.ones(4).long(), 0.5).dtype == lucid.float32


def test_layers_keep_their_shapes_and_dtypes():
    x = lucid.randn(2, 3, 4)
    assert nn.Linear(4, 5)(x).shape == (2, 3, 5) and nn.Linear(4, 5)(x[0, 0]).shape == (5,)
    assert nn.Linear(4, 5, bias=False).bias is None
    assert nn.Linear(4, 5, dtype=lucid.float64).weight.dtype == lucid.float64
    assert nn.Linear(0, 2)(lucid.zeros(3, 0)).shape == (3, 2)
    assert nn.Flatten()(x).shape == (2, 12) and nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(-1, (2, 2))(x).shape == (2, 3, 2, 2) and nn.Unflatten(0, (2, 1))(x).shape == (
        2,
        1,
        3,
        4,
    )
    assert nn.Embedding(7, 5)(lucid.tensor([[0, 6]])).shape == (1, 2, 5)
    assert nn.Identity(3, any=4)(x) is x


def test_inplace_is_accepted_and_leaves_the_input_alone():
    x = lucid.tensor([-1.0, 1.0])
    for layer in (
        nn.ReLU(inplace=True),
        nn.SiLU(True),
        nn.LeakyReLU(0.1, True),
        nn.ELU(inplace=True),
        nn.Dropout(0.9, True),
    ):
        layer(x)
        assert x.tolist() == [-1, 1]


def test_linear_starts_as_pytorchs_does():
    layer = nn.Linear(400, 300)
    bound = 1 / 20
    for p in (layer.weight, layer.bias):
        values = p.detach().numpy()
        assert np.abs(values).max() <= bound and values.std() == pytest.approx(bound / 3**0.5, rel=0.1)
    lucid.manual_seed(3)
    a = nn.Linear(3, 2)
    lucid.manual_seed(3)
    assert nn.Linear(3, 2).weight.tolist() == a.weight.tolist()


@pytest.mark.parity
@pytest.mark.parametrize("norm_type", [2.0, 1.0])
def test_a_looked_up_row_is_held_to_max_norm_as_in_pytorch(norm_type):
    import torch

    table = np.random.default_rng(0).normal(size=(5, 3)) * 2
    ids = np.array([[1, 1], [3, 4]])
    ours, theirs = nn.Embedding(5, 3, None, 1.5, norm_type), torch.nn.Embedding(5, 3, None, 1.5, norm_type)
    ours.double().load_state_dict({"weight": table})
    theirs.double().load_state_dict({"weight": torch.tensor(table)})
    a, b = ours(lucid.tensor(ids)), theirs(torch.tensor(ids))
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.weight.detach().numpy(), theirs.weight.detach().numpy(), rtol=1e-12)
    np.testing.assert_array_equal(ours.weight.detach().numpy()[[0, 2]], table[[0, 2]])  # which were not looked up
    a.square().sum().backward(), b.square().sum().backward()
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy(), rtol=1e-12)


def test_an_embedding_from_a_table():
    table = lucid.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    layer = nn.Embedding.from_pretrained(table, padding_idx=-1)
    assert layer.num_embeddings == 3 and layer.embedding_dim == 2 and layer.padding_idx == 2
    assert not layer.weight.requires_grad and layer(lucid.tensor([1])).tolist() == [[3.0, 4.0]]
    assert repr(layer) == "Embedding(3, 2, padding_idx=2)" and layer(lucid.tensor(2)).tolist() == [5.0, 6.0]
    table[1] = 0.0  # one memory
    assert layer.weight[1].tolist() == [0.0, 0.0]
    learning = nn.Embedding.from_pretrained(table.double(), freeze=False, max_norm=1.0)
    assert learning.weight.requires_grad and learning.weight.dtype == lucid.float64 and learning.max_norm == 1.0

    class Named(nn.Embedding):
        pass

    assert type(Named.from_pretrained(table)) is Named


def test_neutral_values_of_options_that_are_not_there():
    nn.LSTM(2, 3, proj_size=0).flatten_parameters()
    nn.MultiheadAttention(4, 2, 0.0, True, False, False, batch_first=True)
    nn.Embedding(3, 2, None, None, 2.0, False, False)
    nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2), 1, None, False, False)
    nn.utils.clip_grad_norm_(nn.Linear(2, 2).parameters(), 1.0, foreach=True)
    for make, name in ((lambda: nn.GRU(2, 3, proj_size=1), "proj_size"),
                       (lambda: nn.Embedding(3, 2, sparse=True), "sparse"),
                       (lambda: nn.MultiheadAttention(4, 2, add_bias_kv=True), "add_bias_kv"),
                       (lambda: nn.MultiheadAttention(4, 2, add_zero_attn=True), "add_zero_attn")):  # fmt: skip
        with pytest.raises(ValueError, match=f": {name} is an option of PyTorch's that lucid does not have; leave"):
            make()
