"""Other ways to call the functions of networks: inplace, size_average and reduce, a softmax without dim."""

import pickle
import warnings

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.nn import functional as F

INPLACE = {
    "relu": (), "relu6": (), "celu": (1.3,), "elu": (1.3,), "selu": (), "leaky_relu": (0.1,), "threshold": (0.1, 2.0),
    "hardtanh": (-0.5, 0.7), "hardsigmoid": (), "hardswish": (), "mish": (), "silu": (), "dropout": (0.5, True),
}  # fmt: skip


@pytest.mark.parametrize("name", INPLACE)
def test_inplace_writes_into_the_input_and_its_history(name):
    f, args, values = getattr(F, name), INPLACE[name], [-3.0, -0.4, 0.3, 4.0]
    lucid.manual_seed(0)
    leaf = lucid.tensor(values, requires_grad=True)
    out = f(leaf * 1, *args)
    out.sum().backward()
    for positional in (False, True):
        lucid.manual_seed(0)
        other = lucid.tensor(values, requires_grad=True)
        x = other * 1
        back = f(x, *args, True) if positional else f(x, *args, inplace=True)
        assert back is x and x.tolist() == out.tolist()
        x.sum().backward()
        assert other.grad.tolist() == leaf.grad.tolist()
    with pytest.raises(RuntimeError, match=f"^{name}: this tensor is a leaf that requires a gradient"):
        f(lucid.tensor(values, requires_grad=True), *args, inplace=True)
    assert pickle.loads(pickle.dumps(f)) is f


LEGACY = [({"size_average": True}, "mean"), ({"size_average": False}, "sum"), ({"reduce": False}, "none"),
          ({"reduce": True}, "mean"), ({"size_average": False, "reduce": False}, "none"),
          ({"reduction": "elementwise_mean"}, "mean")]  # fmt: skip


@pytest.mark.parametrize("given, meant", LEGACY, ids=str)
@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "BCEWithLogitsLoss", "KLDivLoss", "CrossEntropyLoss", "NLLLoss",
                                  "PoissonNLLLoss", "HingeEmbeddingLoss", "SmoothL1Loss", "BCELoss"])
def test_what_stood_for_reduction_before(name, given, meant):
    with pytest.warns(UserWarning, match=f"deprecated; write reduction='{meant}'") as seen:
        loss = getattr(nn, name)(**given)
    assert loss.reduction == meant and len(seen) == 1
    function = {"KLDivLoss": F.kl_div, "BCEWithLogitsLoss": F.binary_cross_entropy_with_logits, "NLLLoss": F.nll_loss,
                "CrossEntropyLoss": F.cross_entropy, "PoissonNLLLoss": F.poisson_nll_loss, "MSELoss": F.mse_loss,
                "HingeEmbeddingLoss": F.hinge_embedding_loss, "L1Loss": F.l1_loss, "SmoothL1Loss": F.smooth_l1_loss,
                "BCELoss": F.binary_cross_entropy}[name]  # fmt: skip
    x = lucid.tensor([[0.2, 0.7], [0.4, 0.1]])
    target = lucid.tensor([0, 1]) if name in ("CrossEntropyLoss", "NLLLoss") else x.flip(0)
    with pytest.warns(UserWarning, match="deprecated; write"):
        found = function(x, target, **given)
    np.testing.assert_array_equal(found.numpy(), function(x, target, reduction=meant).numpy())


@pytest.mark.parity
@pytest.mark.parametrize("given", [given for given, _ in LEGACY], ids=str)
def test_it_means_what_it_means_in_pytorch(given):
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert nn.MSELoss(**given).reduction == torch.nn.MSELoss(**given).reduction.removeprefix("elementwise_")


@pytest.mark.parametrize("shape, dim", [((3,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 2), 1)], ids=str)
def test_a_softmax_without_dim_warns_and_takes_pytorchs(shape, dim):
    x = lucid.randn(*shape)
    for name, layer in (("softmax", nn.Softmax), ("log_softmax", nn.LogSoftmax), ("softmin", nn.Softmin)):
        expected = getattr(F, name)(x, dim).numpy()
        for call in (getattr(F, name), layer()):
            with pytest.warns(UserWarning, match=f"{name}: an implicit dim is deprecated, and dim={dim} was taken"):
                np.testing.assert_array_equal(call(x).numpy(), expected)
    assert F.softmax(x.half(), 0, dtype=lucid.float64).dtype == lucid.float64


@pytest.mark.parity
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (2, 3, 4, 2)], ids=str)
def test_the_implicit_dim_is_pytorchs(shape):
    import torch

    x = np.random.default_rng(0).normal(size=shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = F.softmin(lucid.tensor(x)), torch.nn.functional.softmin(torch.tensor(x))
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)


def test_a_gumbel_softmax_draws_in_proportion_and_has_a_gradient():
    lucid.manual_seed(0)
    logits = lucid.tensor([[0.0, 1.0, 2.0]] * 4000, requires_grad=True)
    hard = F.gumbel_softmax(logits, tau=0.5, hard=True)
    assert set(np.unique(hard.detach().numpy().round(6))) == {0.0, 1.0}
    np.testing.assert_allclose(hard.mean(0).detach().numpy(), [0.09, 0.2447, 0.6652], atol=0.03)
    soft = F.gumbel_softmax(logits, dim=0)
    np.testing.assert_allclose(soft.sum(0).detach().numpy(), 1, rtol=1e-4)
    (hard * lucid.arange(3.0)).sum().backward()
    assert float(logits.grad.abs().sum()) > 0 and abs(float(logits.grad.sum())) < 1e-2


def test_a_hard_gumbel_softmax_has_the_gradient_of_the_soft_one():
    grads = []
    for hard in (False, True):
        lucid.manual_seed(1)
        x = lucid.tensor([[0.3, -1.0, 2.0], [0.0, 0.0, 1.0]], dtype="float64", requires_grad=True)
        (F.gumbel_softmax(x, 0.7, hard) * lucid.tensor([1.0, 2.0, 5.0]).double()).sum().backward()
        grads.append(x.grad.numpy())
    np.testing.assert_array_equal(*grads)
