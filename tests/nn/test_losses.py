"""Losses with weights, ignored labels and smoothing; the divergence; and sentences for what does not fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.core.backward import reachable
from lucid.nn import functional as F

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 3)) * 2
LABELS = np.array([2, -100, 0, 1, -100, 1])
DEEP, DEEP_LABELS = RNG.normal(size=(2, 3, 4, 2)), RNG.integers(0, 3, size=(2, 4, 2))
SOFT = np.abs(RNG.normal(size=(6, 3)))
WEIGHT = np.array([0.2, 1.5, 0.7])

CASES: list[tuple[np.ndarray, np.ndarray, dict[str, Any]]] = [
    (X, LABELS, {}),
    (X, LABELS, {"weight": WEIGHT}),
    (X, LABELS, {"label_smoothing": 0.1}),
    (X, LABELS, {"weight": WEIGHT, "label_smoothing": 0.4}),
    (X, LABELS.clip(0), {"ignore_index": 0}),
    (X, LABELS.clip(0), {"ignore_index": 1, "weight": WEIGHT, "label_smoothing": 1.0}),
    (X, np.where(LABELS < 0, 255, LABELS).astype(np.uint8), {"ignore_index": 255}),
    (X, np.where(LABELS < 0, -1, LABELS), {"ignore_index": -1, "weight": WEIGHT}),
    (DEEP, DEEP_LABELS, {"weight": WEIGHT, "ignore_index": 2, "label_smoothing": 0.1}),
    (X[0], LABELS[0], {"weight": WEIGHT, "label_smoothing": 0.2}),
    (X, SOFT, {"weight": WEIGHT, "label_smoothing": 0.3}),
    (X[0], SOFT[0], {"weight": WEIGHT}),
    (DEEP, np.abs(DEEP), {"weight": WEIGHT, "label_smoothing": 0.3}),
    (X, np.full(6, -100), {}),
    (X, np.full(6, -100), {"weight": WEIGHT, "label_smoothing": 0.1}),
    (X, LABELS.clip(0), {"weight": np.array([0.0, 1.0, 2.0])}),
    (np.zeros((0, 3)), np.zeros(0, "int64"), {"weight": WEIGHT}),
]
CASES.append((DEEP[0], np.array([[0, 3], [2, 1], [1, 1]]),
              {"weight": np.array([1.0, 2.0, 0.5, 1.5]), "label_smoothing": 0.1}))


def computed(m: Any, x: np.ndarray, target: np.ndarray, function: str, options: dict[str, Any]) -> tuple[Any, Any]:
    """The loss and the gradient of its sum, in m."""
    options = {name: m.tensor(value) if isinstance(value, np.ndarray) else value for name, value in options.items()}
    logits = m.tensor(x, requires_grad=True)
    given = m.tensor(target)
    given = given.long() if m is not lucid and not given.is_floating_point() else given
    loss = getattr(m.nn.functional, function)(logits, given, **options)
    (loss * m.tensor(np.cos(np.arange(loss.numel())).reshape(tuple(loss.shape)))).sum().backward()
    return loss.detach().numpy(), logits.grad.numpy()


@pytest.mark.parity
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_cross_entropy_as_pytorch(case: int, reduction: str) -> None:
    import torch

    x, target, options = CASES[case]
    for function in ("cross_entropy", "nll_loss"):
        options = {
            name: value for name, value in options.items() if function == "cross_entropy" or name != "label_smoothing"
        }
        if function == "nll_loss" and target.dtype.kind == "f":
            continue
        ours = computed(lucid, x, target, function, {**options, "reduction": reduction})
        theirs = computed(torch, x, target, function, {**options, "reduction": reduction})
        assert ours[0].shape == theirs[0].shape
        np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-9, atol=1e-12)


def test_cross_entropy_without_pytorch() -> None:
    x, t = lucid.tensor([[0.0, 0.0], [math.log(3), 0.0]], dtype="float64"), lucid.tensor([0, 0])
    a, b = math.log(2), math.log(4 / 3)
    assert F.cross_entropy(x, t, ignore_index=1).item() == pytest.approx((a + b) / 2)
    assert F.cross_entropy(x, lucid.tensor([-100, 0])).item() == pytest.approx(b)
    assert F.cross_entropy(x, lucid.tensor([1, 0]), lucid.tensor([3.0, 1.0])).item() == pytest.approx((a + 3 * b) / 4)
    assert F.cross_entropy(x, t, label_smoothing=0.5).item() == pytest.approx((a + (0.75 * b + 0.25 * math.log(4))) / 2)


def test_a_plain_cross_entropy_is_one_operation_and_stays_one_with_a_label_that_is_not_there() -> None:
    def operations(**options: Any) -> list[str]:
        loss = F.cross_entropy(lucid.tensor(X, requires_grad=True), lucid.tensor(LABELS.clip(0)), **options)
        return [node.op.name for node in reachable([loss._node]) if node.op is not None]

    assert operations() == operations(ignore_index=-1) == operations(ignore_index=3) == ["cross_entropy"]
    assert operations(ignore_index=2) == ["cross_entropy_ignore_index"]
    assert operations(label_smoothing=0.1)[-1] == "log_softmax"


def test_the_weights_dtype_is_not_the_losss() -> None:
    x = lucid.tensor(X).float()
    for options in ({}, {"label_smoothing": 0.1}):
        for target in (lucid.tensor(LABELS), lucid.tensor(SOFT).float()):
            assert F.cross_entropy(x, target, lucid.tensor(WEIGHT), **options).dtype == lucid.float32
    many = lucid.ones(70_000, 2).half()
    loss = F.nll_loss(-many, lucid.zeros(70_000).long())  # the sum is beyond half's 65,504
    assert loss.dtype == lucid.float16 and loss.item() == 1


def test_what_is_ignored_may_be_anything() -> None:
    x = lucid.tensor([[-math.inf, 0.0], [1.0, 2.0]], requires_grad=True)
    loss = F.nll_loss(x, lucid.tensor([-100, 1]))
    loss.backward()
    assert loss.item() == -2 and x.grad.tolist() == [[0, 0], [0, -1]]


@pytest.mark.parity
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("reduction", ["batchmean", "sum", "none"])
def test_kl_div_as_pytorch(reduction: str, log_target: bool) -> None:
    import torch

    x, target = np.log(SOFT), np.log(SOFT[::-1].copy()) if log_target else SOFT[::-1].copy()
    target[0, 0] = -np.inf if log_target else 0.0
    options = {"reduction": reduction, "log_target": log_target}
    if log_target:
        target[0, 0] = -30.0
    ours, theirs = computed(lucid, x, target, "kl_div", options), computed(torch, x, target, "kl_div", options)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)
    as_module = nn.KLDivLoss(**options)(lucid.tensor(x), lucid.tensor(target))
    np.testing.assert_array_equal(as_module.numpy(), ours[0])


def test_kl_div_means() -> None:
    x, t = lucid.tensor([[-1.0, -2.0], [-1.0, -1.0]]), lucid.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert F.kl_div(x, t, reduction="sum").item() == 3
    assert F.kl_div(x, t, reduction="batchmean").item() == 1.5 and F.kl_div(x, t).item() == 0.75
    same = lucid.tensor([[0.25, 0.75]])
    assert F.kl_div(same.log(), same, reduction="batchmean").item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parity
def test_the_losss_state_is_pytorchs_and_moves_with_it() -> None:
    import torch

    w = np.array([1.0, 2.0, 3.0], "float32")
    for name, options in {
        "CrossEntropyLoss": {"weight": w},
        "NLLLoss": {"weight": w},
        "BCELoss": {"weight": w},
        "BCEWithLogitsLoss": {"weight": w, "pos_weight": w},
        "MSELoss": {},
    }.items():
        ours = getattr(nn, name)(**{k: lucid.tensor(v) for k, v in options.items()})
        theirs = getattr(torch.nn, name)(**{k: torch.tensor(v) for k, v in options.items()})
        assert list(ours.state_dict()) == list(theirs.state_dict())
        assert list(getattr(nn, name)().state_dict()) == list(getattr(torch.nn, name)().state_dict()) == []
        assert all(buffer.dtype == lucid.float64 for buffer in ours.double().buffers())
        assert not list(ours.parameters())


inf = math.inf
ROWS = [[inf, 0, 0], [inf, 0, 0], [0, -inf, -inf]]  # logits of three classes
_bce = F.binary_cross_entropy_with_logits
# loss -> what it is of, what else it is given, the losses, and the slopes
LIMITS: dict[str, tuple[Any, list[Any], list[float], list[Any]]] = {
    "mse_loss": (lambda x, **o: F.mse_loss(x, lucid.zeros_like(x), **o), [-inf, inf, 1], [inf, inf, 1], [-inf, inf, 2]),
    "l1_loss": (lambda x, **o: F.l1_loss(x, lucid.zeros_like(x), **o), [-inf, inf, 1], [inf, inf, 1], [-1, 1, 1]),
    "huber_loss": (lambda x, **o: F.huber_loss(x, lucid.zeros_like(x), delta=2.0, **o),
                   [-inf, inf, 1], [inf, inf, 0.5], [-2, 2, 1]),
    "smooth_l1_loss": (lambda x, **o: F.smooth_l1_loss(x, lucid.zeros_like(x), beta=2.0, **o),
                       [-inf, inf, 1], [inf, inf, 0.25], [-1, 1, 0.5]),
    "binary_cross_entropy_with_logits": (
        lambda x, **o: _bce(x, lucid.tensor([0, 1, 1, 0, 0.5, 0]).to(x.dtype), **o),
        [-inf, inf, -inf, inf, inf, 0], [0, 0, inf, inf, inf, math.log(2)], [0, 0, -1, 1, 0.5, 0.5]),
    "binary_cross_entropy_with_logits with pos_weight": (
        lambda x, **o: _bce(x, lucid.tensor([0, 1, 1, 0, 0.5, 0]).to(x.dtype), pos_weight=lucid.full((6,), 2.0), **o),
        [-inf, inf, -inf, inf, inf, 0], [0, 0, inf, inf, inf, math.log(2)], [0, 0, -2, 1, 0.5, 0.5]),
    "kl_div of masked classes": (lambda x, **o: F.kl_div(x, lucid.tensor([0, 0.5, 0.5]).to(x.dtype), **o),
                                 [-inf, -1, -inf], [0, 0.5 - math.log(2) / 2, inf], [0, -0.5, -0.5]),
    "kl_div of masked log targets": (
        lambda x, **o: F.kl_div(x, lucid.tensor([-inf, -inf, -1]).to(x.dtype), log_target=True, **o),
        [-inf, -1, -2], [0, 0, math.exp(-1)], [0, 0, -math.exp(-1)]),
    "the log target of kl_div": (
        lambda x, **o: F.kl_div(lucid.tensor([-inf, -1, -2]).to(x.dtype), x, log_target=True, **o),
        [-inf, -inf, -1], [0, 0, math.exp(-1)], [0, 0, 2 * math.exp(-1)]),
    "cross_entropy": (lambda x, **o: F.cross_entropy(x, lucid.tensor([0, 1, 0]), **o),
                      ROWS, [0, inf, 0], [[0, 0, 0], [1, -1, 0], [0, 0, 0]]),
    "cross_entropy with weights": (
        lambda x, **o: F.cross_entropy(x, lucid.tensor([0, 1, 0]), lucid.tensor([1.0, 2.0, 3.0]), **o),
        ROWS, [0, inf, 0], [[0, 0, 0], [2, -2, 0], [0, 0, 0]]),
    "cross_entropy that ignores a row": (lambda x, **o: F.cross_entropy(x, lucid.tensor([0, -100, 0]), **o),
                                         ROWS, [0, 0, 0], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
    "cross_entropy of probabilities": (
        lambda x, **o: F.cross_entropy(x, lucid.tensor([[1, 0, 0], [0, 1, 0], [1, 0, 0.0]]).to(x.dtype), **o),
        ROWS, [0, inf, 0], [[0, 0, 0], [1, -1, 0], [0, 0, 0]]),
    "nll_loss": (lambda x, **o: F.nll_loss(x, lucid.tensor([0, 1, 0]), **o),
                 [[0, -inf, -inf], [-inf, -inf, 0], [-inf, 0, 0]], [0, inf, inf], [[-1, 0, 0], [0, -1, 0], [-1, 0, 0]]),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", LIMITS)
def test_losses_at_infinity_are_their_limits(name: str, dtype: str) -> None:
    f, given, losses, slopes = LIMITS[name]
    tolerance = {"rtol": 2e-3 if dtype == "float16" else 1e-6, "atol": 1e-3 if dtype == "float16" else 1e-7}
    for reduction in ("none", "sum"):
        x = lucid.tensor(given, dtype=dtype, requires_grad=True)
        out = f(x, reduction=reduction)  # warnings are errors here
        out.backward(lucid.ones_like(out))
        (recorded,) = lucid.autograd.grad(y := f(x, reduction=reduction), x, lucid.ones_like(y), create_graph=True)
        expected = losses if reduction == "none" else sum(losses)
        np.testing.assert_allclose(out.detach().numpy(), expected, **tolerance)
        np.testing.assert_allclose(x.grad.numpy(), slopes, **tolerance)
        np.testing.assert_allclose(recorded.detach().numpy(), slopes, **tolerance)


def test_beside_an_infinite_logit_the_others_slopes_are_what_they_are_alone() -> None:
    target = lucid.tensor([0.0, 0.0, 1.0], requires_grad=True)
    weight = lucid.tensor([2.0, 3.0, 2.0], requires_grad=True)
    for given in (target, weight):
        found = []
        for x in ([-inf, 1.5, -0.5], [1.5, -0.5]):
            n = len(x)
            out = _bce(lucid.tensor(x), target[3 - n :], pos_weight=weight[3 - n :], reduction="none")
            (slope,) = lucid.autograd.grad(out, given, lucid.ones(n))
            found.append(slope[1:].tolist())
        np.testing.assert_allclose(*found, rtol=1e-6)


def test_the_targets_slope_at_an_infinite_logit_without_weight_is_0() -> None:
    x, target = lucid.tensor([inf, -inf, 2.0]), lucid.tensor([1.0, 0.0, 1.0], requires_grad=True)
    for create_graph in (False, True):
        out = _bce(x, target, lucid.tensor([0.0, 0.0, 1.0]))
        (slope,) = lucid.autograd.grad(out, target, create_graph=create_graph)
        np.testing.assert_allclose(slope.detach().numpy(), [0, 0, -2 / 3], rtol=1e-6)
    _bce(lucid.tensor(1.0), number := lucid.tensor(0.5, requires_grad=True)).backward()
    assert number.grad.item() == -1


def test_pos_weight_does_not_overflow() -> None:
    x = lucid.tensor([-1e4, 1e4], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(
        x, lucid.tensor([1.0, 0.0]), reduction="none", pos_weight=lucid.tensor(2.0)
    )
    assert loss.tolist() == [2e4, 1e4]
    loss.sum().backward()
    assert x.grad.tolist() == [-2, 1]


T = lucid.tensor(LABELS.clip(0))
L = lucid.tensor(X).float()


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: F.cross_entropy(L, T, lucid.ones(4)), ValueError,
         "cross_entropy: weight must have shape (3,), one for each class, got shape (4,)"),
        (lambda: F.cross_entropy(L, L, lucid.ones(2)), ValueError, "cross_entropy: weight must have shape (3,)"),
        (lambda: F.nll_loss(L, T, lucid.ones(3, 1)), ValueError,
         "nll_loss: weight must have shape (3,), one for each class, got shape (3, 1)"),
        (lambda: F.cross_entropy(L, T, [1.0, 1.0, 1.0]), TypeError,
         "cross_entropy: expected a Tensor or None for 'weight', got list"),
        (lambda: F.cross_entropy(L, T, label_smoothing=1.5), ValueError,
         "cross_entropy: label_smoothing is a share and must be in [0, 1], got 1.5"),
        (lambda: F.cross_entropy(L, L, label_smoothing=-0.1), ValueError,
         "label_smoothing is a share and must be in [0, 1], got -0.1"),
        (lambda: F.cross_entropy(L, L, label_smoothing=math.nan), ValueError,
         "label_smoothing is a share and must be in [0, 1], got nan"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=2), ValueError,
         "CrossEntropyLoss: label_smoothing is a share and must be in [0, 1], got 2"),
        (lambda: F.cross_entropy(L, L, ignore_index=1), ValueError,
         "cross_entropy: ignore_index=1 is for labels, but target holds probabilities"),
        (lambda: F.cross_entropy(L, T - 1), IndexError, "cross_entropy: target holds -1, but there are 3 classes"),
        (lambda: F.cross_entropy(L, lucid.tensor([-100, 5, 0, 0, 0, 0])), IndexError,
         "cross_entropy: target holds 5, but there are 3 classes"),
        (lambda: F.nll_loss(L, lucid.tensor([3, 0, 0, 0, 0, 0]), ignore_index=0), IndexError,
         "nll_loss: target holds 3, but there are 3 classes"),
        (lambda: F.kl_div(L, L[:2]), ValueError, "kl_div: input has shape (6, 3) but target (2, 3)"),
        (lambda: F.kl_div(L, L, reduction="batch"), ValueError,
         "kl_div: reduction must be 'batchmean', 'mean', 'sum' or 'none', got 'batch'"),
        (lambda: nn.KLDivLoss(reduction="batch"), ValueError,
         "KLDivLoss: reduction must be 'batchmean', 'mean', 'sum' or 'none', got 'batch'"),
        (lambda: F.binary_cross_entropy(L.sigmoid(), L.sigmoid(), lucid.ones(6)), ValueError,
         "binary_cross_entropy: weight of shape (6,) does not broadcast to the input's shape (6, 3)"),
        (lambda: F.binary_cross_entropy_with_logits(L, L, pos_weight=lucid.ones(2, 6, 3)), ValueError,
         "pos_weight of shape (2, 6, 3) does not broadcast to the input's shape (6, 3)"),
        (lambda: F.binary_cross_entropy_with_logits(L, L, 2.0), TypeError,
         "expected a Tensor or None for 'weight', got float"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_sentence(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value)
