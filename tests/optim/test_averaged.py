"""Averaged weights: AveragedModel, update_bn and SWALR beside PyTorch's and their formulas; and what does not decay."""

import copy
import math
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.optim.swa_utils import SWALR, AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn, update_bn
from tests.optim.training import parameter


def small() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def wander(models: list[Any], tensors: list[Any], seed: int) -> np.ndarray:
    """Move all weights of models of both kinds alike, and let BatchNorm see a batch, which is returned."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((8, 3)).astype("float32")
    for model, tensor in zip(models, tensors, strict=True):
        model(tensor(x))
    for parameters in zip(*(m.parameters() for m in models), strict=True):
        step = rng.standard_normal(tuple(parameters[0].shape)).astype("float32")
        for p, tensor in zip(parameters, tensors, strict=True):
            p.data.add_(tensor(step))
    return x


@pytest.mark.parity
@pytest.mark.parametrize("way", ["mean", "ema", "own", "buffers"])
def test_the_average_is_pytorchs(way: str) -> None:
    import torch

    reference: Any = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    ours = small()
    ours.load_state_dict({k: v.numpy() for k, v in reference.state_dict().items()})
    theirs = torch.optim.swa_utils
    options: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "mean": ({}, {}), "buffers": ({"use_buffers": True}, {"use_buffers": True}),
        "ema": ({"multi_avg_fn": get_ema_multi_avg_fn(0.9)}, {"multi_avg_fn": theirs.get_ema_multi_avg_fn(0.9)}),
        "own": (dict.fromkeys(["avg_fn"], lambda a, p, n: (a * n + 3 * p) / (n + 3)),) * 2,
    }  # fmt: skip
    a, b = AveragedModel(ours, **options[way][0]), theirs.AveragedModel(reference, **options[way][1])
    batches = []
    for seed in range(5):
        batches.append(wander([ours, reference], [lucid.tensor, torch.tensor], seed))
        a.update_parameters(ours)
        b.update_parameters(reference)
    for _ in range(2):
        found, expected = a.state_dict(), b.state_dict()
        assert list(found) == list(expected)
        for name, value in expected.items():
            if way != "buffers" or not name.endswith("tracked"):  # integers are the model's here
                np.testing.assert_allclose(found[name], value.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
        update_bn([(lucid.tensor(x), 0) for x in batches], a)
        theirs.update_bn([[torch.tensor(x), 0] for x in batches], b)


def test_the_mean_of_three_models_which_stay_as_they_are() -> None:
    model = nn.Linear(1, 1, bias=False)
    average = AveragedModel(model)
    for value in (1.0, 2.0, 6.0):
        model.weight.data.fill_(value)
        average.update_parameters(model)
    assert average.module.weight.item() == 3.0 and model.weight.item() == 6.0 and average.n_averaged.item() == 3
    assert average(lucid.ones(1, 1)).item() == 3.0 and [n for n, _ in average.named_parameters()] == ["module.weight"]
    other = AveragedModel(nn.Linear(1, 1, bias=False), avg_fn=get_ema_avg_fn(0.75))
    other.load_state_dict(average.state_dict())
    other.update_parameters(model)  # it goes on where the other one is
    assert other.module.weight.item() == 0.75 * 3 + 0.25 * 6 and copy.deepcopy(other).n_averaged.item() == 4


def test_update_bn_gives_the_statistics_of_all_batches_and_leaves_the_rest_as_it_was() -> None:
    model, data = small(), np.random.default_rng(0).standard_normal((4, 8, 3)).astype("float32")
    model[2].eval()
    before = {k: v for k, v in model.state_dict().items() if "running" not in k and "tracked" not in k}
    update_bn([lucid.tensor(x) for x in data], model)
    with lucid.no_grad():
        seen = [model[0](lucid.tensor(x)).numpy() for x in data]
    mean = np.mean([x.mean(0) for x in seen], 0)
    np.testing.assert_allclose(model[1].running_mean.numpy(), mean, rtol=1e-5, atol=1e-6)
    assert all(np.array_equal(model.state_dict()[k], v) for k, v in before.items())
    assert (model[1].momentum, model[1].training, model[2].training) == (0.1, True, False)
    with pytest.raises(ZeroDivisionError):
        update_bn((lucid.tensor(x[: 1 // 0]) for x in data), model)
    assert (model[1].momentum, model[2].training) == (0.1, False)


@pytest.mark.parametrize("call, error, text", [
    (lambda: AveragedModel(3), TypeError, "AveragedModel: expected a Module, got int"),
    (lambda: AveragedModel(small()).update_parameters(nn.Linear(3, 4)), ValueError,
     "AveragedModel.update_parameters: expected a model with the parameters of the one copied"),
    (lambda: get_ema_avg_fn(1.5), ValueError, r"get_ema_avg_fn: decay must be in \[0, 1\], got 1.5"),
    (lambda: get_ema_multi_avg_fn(-1.0), ValueError, "get_ema_multi_avg_fn: .*decay must be in"),
    (lambda: SWALR(optim.SGD([parameter(1.0)], lr=1.0), -1.0), ValueError, "SWALR: swa_lr must be a finite number"),
    (lambda: SWALR(optim.SGD([parameter(1.0)], lr=1.0), 1.0, anneal_strategy="exp"), ValueError,
     "SWALR: anneal_strategy must be 'cos' or 'linear', got 'exp'"),
], ids=range(6))  # fmt: skip
def test_misuse(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^{text}"):
        call()


ANNEALS = [(strategy, epochs) for strategy in ("cos", "linear") for epochs in (1, 5)]


@pytest.mark.parametrize("strategy, epochs", ANNEALS)
def test_swalr_goes_from_what_it_finds_to_its_own_rate(strategy: str, epochs: int) -> None:
    optimizer = optim.SGD([{"params": parameter(1.0)}, {"params": parameter(1.0), "lr": 0.125}], lr=1.0)
    first, schedule = optim.StepLR(optimizer, 1, gamma=0.5), SWALR(optimizer, 0.25, epochs, strategy)
    optimizer.step = lambda: None  # type: ignore[method-assign]
    with pytest.warns(UserWarning, match="before the first optimizer.step"):
        first.step()
    for epoch in range(1, 8):
        schedule.step()
        t = min(1.0, epoch / epochs)
        share = (1 - math.cos(math.pi * t)) / 2 if strategy == "cos" else t
        expected = [share * 0.25 + (1 - share) * lr for lr in (0.5, 0.0625)]
        np.testing.assert_allclose(schedule.get_last_lr(), expected, rtol=1e-12)


@pytest.mark.parity
@pytest.mark.parametrize("strategy, epochs", ANNEALS)
@pytest.mark.filterwarnings("ignore:.*optimizer.step:UserWarning")
def test_swalr_is_pytorchs(strategy: str, epochs: int) -> None:
    import torch

    rates: list[list[float]] = []
    for optimizer, schedules, swa in (
        (optim.SGD([parameter(1.0)], lr=1.0), optim.lr_scheduler, optim.swa_utils),
        (torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0), torch.optim.lr_scheduler, torch.optim.swa_utils),
    ):
        cosine, own = schedules.CosineAnnealingLR(optimizer, 8), swa.SWALR(optimizer, 0.05, epochs, strategy)
        rates.append([])
        for epoch in range(16):
            rates[-1].append(optimizer.param_groups[0]["lr"])
            (cosine if epoch < 5 else own).step()
    np.testing.assert_allclose(*rates, rtol=1e-12)


@pytest.mark.parity
@pytest.mark.parametrize("strategy, epochs", ANNEALS)
@pytest.mark.filterwarnings("ignore:.*optimizer.step:UserWarning", "ignore:.*epoch parameter:UserWarning")
def test_swalr_in_a_sequence_goes_on_from_the_rate_that_it_finds(strategy: str, epochs: int) -> None:
    import torch

    rates: list[list[float]] = []
    for optimizer, schedules, swa in (
        (optim.SGD([parameter(1.0)], lr=1.0), optim.lr_scheduler, optim.swa_utils),
        (torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0), torch.optim.lr_scheduler, torch.optim.swa_utils),
    ):
        parts = schedules.CosineAnnealingLR(optimizer, 8), swa.SWALR(optimizer, 0.05, epochs, strategy)
        both = schedules.SequentialLR(optimizer, list(parts), milestones=[3])
        rates.append([])
        for _ in range(12):
            both.step()
            rates[-1].append(optimizer.param_groups[0]["lr"])
    np.testing.assert_allclose(*rates, rtol=1e-12)


def test_biases_and_norms_are_exempt_from_decay() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            self.embedding, self.norm = nn.Embedding(4, 3), nn.LayerNorm((2, 3))
            self.heads = [nn.Linear(3, 2), nn.Linear(3, 2, bias=False)]
            self.bias = nn.Parameter(lucid.ones(2, 2))
            self.tied = self.heads[1].weight

    model = Model()
    groups = optim.decay_groups(model)
    names = [[name for name, _ in group["params"]] for group in groups]
    assert sorted(names[0]) == ["embedding.weight", "heads.0.weight", "tied"]
    assert sorted(names[1]) == ["bias", "heads.0.bias", "norm.bias", "norm.weight"]
    optimizer = optim.AdamW(groups, lr=1.0, weight_decay=0.5)
    for p in model.parameters():
        p.grad = lucid.zeros_like(p)
    before = model.state_dict()
    optimizer.step()
    for name, value in model.state_dict().items():
        decayed = any(p is dict(model.named_parameters(remove_duplicate=False))[name] for _, p in groups[0]["params"])
        assert np.array_equal(value, before[name] * 0.5 if decayed else before[name])
