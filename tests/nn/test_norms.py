"""Normalisation: what is kept of batches, what half precision survives, and sentences for what does not fit."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.autograd import grad
from lucid.nn import functional as F
from tests.gpu.gpus import there
from tests.whole import whole

RNG = np.random.default_rng(0)


def plain(x: Any, dims: Any, weight: Any, bias: Any, eps: float, centred: bool = True) -> Any:
    """The definition, in small steps: what the fused operations must come to."""
    away = x - x.mean(dims, keepdim=True) if centred else x
    return away / ((away * away).mean(dims, keepdim=True) + eps).sqrt() * weight + bias


def leaves(*shapes: tuple[int, ...]) -> list[lucid.Tensor]:
    return [lucid.tensor(RNG.normal(size=shape), requires_grad=True) for shape in shapes]


@pytest.mark.parametrize(
    "fused, steps, shape, own",
    [
        (lambda x, w, b: F.layer_norm(x, (3, 4), w, b, 0.3), lambda x, w, b: plain(x, (1, 2), w, b, 0.3), (5, 3, 4),
         (3, 4)),
        (lambda x, w, b: F.rms_norm(x, (4,), w, 0.3) + b, lambda x, w, b: plain(x, -1, w, b, 0.3, centred=False),
         (5, 4), (4,)),
        (lambda x, w, b: F.batch_norm(x, None, None, w, b, True, eps=0.3), lambda x, w, b: plain(x, 0, w, b, 0.3),
         (5, 3), (3,)),
        (lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
         lambda x, w, b: plain(x.movedim(1, -1), (0, 1), w, b, 1e-5).movedim(-1, 1), (5, 3, 4), (3,)),
        (lambda x, w, b: F.group_norm(x.movedim(-1, 1), 1, w, b),
         lambda x, w, b: plain(x, (1, 2), w, b, 1e-5).movedim(-1, 1), (5, 4, 3), (3,)),
    ],
    ids=["layer", "rms", "batch", "batch of signals", "group"],
)  # fmt: skip
def test_a_fused_norm_is_what_its_steps_come_to(fused: Any, steps: Any, shape: Any, own: Any) -> None:
    x, w, b = leaves(shape, own, own)
    found = []
    for f in (fused, steps):
        out = f(x, w, b)
        weights = lucid.tensor(np.cos(np.arange(out.numel())).reshape(out.shape))
        firsts = grad((out * weights).sum(), [x, w, b], create_graph=True)
        seconds = grad(sum((g * g).sum() for g in firsts), [x, w, b], materialize_grads=True)
        found.append([t.detach().numpy() for t in (out, *firsts, *seconds)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parity
@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5)])
def test_running_statistics_follow_pytorchs_batch_by_batch(momentum: float | None, shape: tuple[int, ...]) -> None:
    import torch

    ours, theirs = nn.BatchNorm1d(3, momentum=momentum).double(), torch.nn.BatchNorm1d(3, momentum=momentum).double()
    for step in range(4):
        x = RNG.normal(size=shape) * 3 + step
        training = step != 2  # evaluation takes the statistics and leaves them alone
        ours.train(training)
        theirs.train(training)
        a, b = ours(lucid.tensor(x)), theirs(torch.tensor(x))
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-12)
        for name, value in theirs.state_dict().items():
            np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=1e-12)
    assert ours.num_batches_tracked.item() == 3 and ours.num_batches_tracked.dtype == lucid.int64


def test_statistics_are_no_part_of_the_graph_and_can_be_forgotten() -> None:
    layer = nn.BatchNorm2d(2)
    x = lucid.randn(3, 2, 4, 4, requires_grad=True)
    out = layer(x)
    assert not layer.running_mean.requires_grad and layer.running_mean.grad_fn is None
    layer(x)  # the statistics move on before the first result is walked back from
    out.sum().backward()
    assert x.grad is not None and layer.running_mean.abs().sum().item() > 0
    layer.reset_parameters()
    assert (
        layer.running_mean.tolist() == [0, 0]
        and layer.running_var.tolist() == [1, 1]
        and layer.num_batches_tracked.item() == 0
    )
    assert sorted(layer.state_dict()) == ["bias", "num_batches_tracked", "running_mean", "running_var", "weight"]


def test_an_empty_batch_teaches_nothing() -> None:
    layer = nn.BatchNorm1d(3)
    out = layer(lucid.zeros(0, 3))
    assert out.shape == (0, 3) and layer.running_mean.tolist() == [0, 0, 0] and layer.running_var.tolist() == [1, 1, 1]
    out.sum().backward()
    assert layer.weight.grad.tolist() == layer.bias.grad.tolist() == [0, 0, 0]


def test_without_statistics_evaluation_takes_the_batchs_own() -> None:
    layer = nn.BatchNorm1d(2, track_running_stats=False).eval()
    assert layer.running_mean is None and list(layer.state_dict()) == ["weight", "bias"]
    np.testing.assert_allclose(
        layer(lucid.tensor([[0.0, 5.0], [2.0, 7.0]])).detach().numpy(), [[-1, -1], [1, 1]], rtol=1e-4
    )


NORMS = {
    "layer_norm": lambda x, w: F.layer_norm(x, (64,), w, w),
    "rms_norm": lambda x, w: F.rms_norm(x, (64,), w),
    "group_norm": lambda x, w: F.group_norm(x, 4, w, w),
    "batch_norm": lambda x, w: F.batch_norm(x, None, None, w, w, training=True),
    "running": lambda x, w: F.batch_norm(x, w.detach() * 64, w.detach() * 64, w, w),
}


@pytest.mark.parametrize("name", NORMS)
def test_half_precision_is_computed_in_single(name: str) -> None:
    x = lucid.tensor(RNG.normal(size=(32, 64)) * 200 + 300).half()  # sums of squares are beyond half's 65,504
    w = lucid.tensor(RNG.uniform(0.5, 1.5, size=64)).half()
    single = [t.float().requires_grad_() for t in (x, w)]
    half = [t.clone().requires_grad_() for t in (x, w)]
    expected, found = NORMS[name](*single), NORMS[name](*half)
    assert found.dtype == lucid.float16
    np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=2e-3, atol=2e-3)
    (expected * expected).mean().backward()
    (found.float() * found.float()).mean().backward()
    for a, b in zip(half, single, strict=True):
        assert a.grad.dtype == lucid.float16
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=2e-2, atol=5e-2)


@pytest.mark.parity
@pytest.mark.parametrize("name", NORMS)
def test_single_precision_keeps_what_pytorch_keeps_far_from_0(name: str) -> None:
    import torch

    x, w = RNG.normal(size=(32, 64)) + 3000, RNG.uniform(0.5, 1.5, size=64)
    exact = NORMS[name](lucid.tensor(x), lucid.tensor(w)).numpy()
    ours = NORMS[name](lucid.tensor(x).float(), lucid.tensor(w).float()).numpy()
    functional = torch.nn.functional
    theirs = {
        "layer_norm": lambda x, w: functional.layer_norm(x, (64,), w, w),
        "rms_norm": lambda x, w: functional.rms_norm(x, (64,), w),
        "group_norm": lambda x, w: functional.group_norm(x, 4, w, w),
        "batch_norm": lambda x, w: functional.batch_norm(x, None, None, w, w, True),
        "running": lambda x, w: functional.batch_norm(x, w * 64, w * 64, w, w),
    }[name](torch.tensor(x).float(), torch.tensor(w).float()).numpy()  # fmt: skip
    assert np.abs(ours - exact).max() < 2 * np.abs(theirs - exact).max() + 1e-6


SMALL, OTHER, SCALE = RNG.normal(size=(6, 8)), RNG.normal(size=(6, 8)), RNG.normal(size=8)
# what holds sums of squares -> as a function of (6, 8)
SQUARES: dict[str, Any] = {
    "norm": lambda x: x.norm(),
    "norm of rows": lambda x: x.norm(dim=1),
    "norm with p = 1.5": lambda x: x.norm(1.5, dim=0),
    "norm with p = 3": lambda x: x.norm(3),
    "norm with p = -2": lambda x: x.norm(-2, dim=1),
    "linalg.norm": lambda x: lucid.linalg.norm(x),
    "std": lambda x: x.std(),
    "std of columns": lambda x: x.std(0, correction=0),
    "normalize": lambda x: F.normalize(x, eps=1e-38),
    "normalize with p = 3": lambda x: F.normalize(x, p=3.0, eps=1e-38),
    "cosine_similarity": lambda x: F.cosine_similarity(x, lucid.tensor(OTHER, dtype=x.dtype), eps=1e-38),
    "pairwise_distance": lambda x: F.pairwise_distance(x, lucid.zeros_like(x), eps=0.0),
    **{f"{name} with eps = {eps}": lambda x, f=f, eps=eps: f(x, eps)
       for eps in (1e-5, 0.0)
       for name, f in {
           "layer_norm": lambda x, eps: F.layer_norm(x, 8, lucid.tensor(SCALE, dtype=x.dtype), eps=eps),
           "rms_norm": lambda x, eps: F.rms_norm(x, 8, lucid.tensor(SCALE, dtype=x.dtype), eps=eps),
           "group_norm": lambda x, eps: F.group_norm(x.reshape(3, 4, 4), 2, eps=eps),
           "batch_norm": lambda x, eps: F.batch_norm(x, None, None, training=True, eps=eps),
           "batch_norm of images": lambda x, eps: F.batch_norm(x.reshape(3, 4, 4), None, None, training=True, eps=eps),
       }.items()},
}  # fmt: skip


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=whole)])
@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e-10, 1.0, 1e10, 1e20, 1e30])
@pytest.mark.parametrize("name", SQUARES)
def test_squares_neither_overflow_nor_vanish(name: str, size: float, device: str) -> None:
    with there("stand-in") if device == "cuda" else contextlib.nullcontext():
        found = []
        for dtype in ("float32", "float64"):
            x = lucid.tensor(SMALL * size, dtype="float32").to(dtype).requires_grad_()
            out = SQUARES[name](x)  # warnings are errors here
            weights = lucid.tensor(np.cos(np.arange(out.numel())).reshape(out.shape), dtype=dtype)
            out.backward(weights)
            (recorded,) = lucid.autograd.grad(SQUARES[name](x), x, weights, create_graph=True)
            found.append([t.detach().cpu().numpy().astype("float64") for t in (out, x.grad * size, recorded * size)])
        for single, double in zip(*found, strict=True):
            np.testing.assert_allclose(single, double, rtol=2e-5, atol=2e-5 * (np.abs(double).max() or 1))


def test_a_variance_is_finite_where_the_sum_it_is_made_of_is_not() -> None:
    x = lucid.tensor([1.7e19, -1.7e19] * 50, requires_grad=True)
    out = x.var(correction=0)
    out.backward()
    assert out.item() == pytest.approx(1.7e19**2) and x.grad[0].item() == pytest.approx(3.4e17)


@pytest.mark.parity
def test_the_eps_of_rms_norm_is_that_of_the_dtype_computed_in() -> None:
    import torch

    for dtype in ("float16", "float32", "float64"):
        x = np.array([[1e-4, -1e-4]]).astype(dtype)
        expected = torch.nn.functional.rms_norm(torch.tensor(x), (2,))
        np.testing.assert_allclose(F.rms_norm(lucid.tensor(x), (2,)).numpy(), expected.numpy(), rtol=2e-3)


@pytest.mark.parity
@pytest.mark.parametrize("name, options",
                         [("layer_norm", {"normalized_shape": (4,)}), ("group_norm", {"num_groups": 2})])
def test_a_bias_alone(name: str, options: dict[str, Any]) -> None:
    x, b = leaves((3, 4), (4,))
    out = getattr(F, name)(x, bias=b, **options)
    with_ones = getattr(F, name)(x, weight=lucid.ones(4).double(), bias=b, **options)
    np.testing.assert_allclose(out.detach().numpy(), with_ones.detach().numpy(), rtol=1e-14)
    out.sum().backward()
    assert b.grad.tolist() == [3, 3, 3, 3]


X = lucid.ones(4, 6)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: F.layer_norm(X, 4), ValueError,
         "layer_norm: normalized_shape (4,) is not how the input's shape (4, 6) ends"),
        (lambda: F.layer_norm(X, (2, 4, 6)), ValueError,
         "normalized_shape (2, 4, 6) is not how the input's shape (4, 6) ends"),
        (lambda: F.layer_norm(X, ()), ValueError,
         "layer_norm: normalized_shape must be a positive int, or several, got ()"),
        (lambda: F.layer_norm(X, 6, lucid.ones(4)), ValueError,
         "layer_norm: weight has shape (4,), expected normalized_shape, (6,)"),
        (lambda: F.layer_norm(X, 6, None, lucid.ones(1, 6)), ValueError, "layer_norm: bias has shape (1, 6), expected"),
        (lambda: F.layer_norm([1.0], 1), TypeError, "layer_norm: expected a Tensor for 'input', got list"),
        (lambda: F.rms_norm(X, (6,), lucid.ones(5)), ValueError, "rms_norm: weight has shape (5,)"),
        (lambda: F.rms_norm(X, 5), ValueError, "rms_norm: normalized_shape (5,) is not how"),
        (lambda: F.group_norm(X, 4), ValueError, "group_norm: num_groups must divide the 6 channels, got 4"),
        (lambda: F.group_norm(X, 0), ValueError, "group_norm: num_groups must divide the 6 channels, got 0"),
        (lambda: F.group_norm(X, 2, lucid.ones(3)), ValueError,
         "group_norm: weight has shape (3,), expected (6,), a number for each channel"),
        (lambda: F.group_norm(lucid.ones(3), 1), ValueError,
         "group_norm: input must be (n, channels, ...), got shape (3,)"),
        (lambda: F.batch_norm(X, None, None), ValueError,
         "batch_norm: with training=False it needs running_mean and running_var, got None"),
        (lambda: F.batch_norm(X, lucid.ones(4), lucid.ones(6)), ValueError,
         "batch_norm: running_mean has shape (4,), expected (6,)"),
        (lambda: F.batch_norm(X[:1], None, None, training=True), ValueError,
         "batch_norm: input of shape (1, 6) has one value for each channel, whose variance is 0"),
        (lambda: nn.BatchNorm1d(6)(X[:1]), ValueError, "has one value for each channel"),
        (lambda: nn.BatchNorm1d(4)(X), ValueError, "BatchNorm1d: expected (n, 4) or (n, 4, length), got shape (4, 6)"),
        (lambda: nn.BatchNorm1d(6)(lucid.ones(2, 6, 2, 2)), ValueError,
         "BatchNorm1d: expected (n, 6) or (n, 6, length), got shape (2, 6, 2, 2)"),
        (lambda: nn.BatchNorm2d(6)(X), ValueError, "BatchNorm2d: expected (n, 6, height, width), got shape (4, 6)"),
        (lambda: nn.GroupNorm(4, 6), ValueError, "GroupNorm: num_groups must divide the 6 channels, got 4"),
        (lambda: nn.GroupNorm(2, 4)(X), ValueError, "GroupNorm: expected (n, 4, ...), got shape (4, 6)"),
        (lambda: nn.LayerNorm((3, 0)), ValueError,
         "LayerNorm: normalized_shape must be a positive int, or several, got (3, 0)"),
        (lambda: nn.RMSNorm(2.5), TypeError, "RMSNorm: expected ints, or a tuple of ints, got (2.5,)"),
        (lambda: F.cosine_similarity(X, X, dim=2), IndexError,
         "cosine_similarity: dim 2 is out of range for a 2-D tensor"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_sentence(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value)


def test_layers_say_what_they_are() -> None:
    assert repr(nn.LayerNorm((2, 3))) == "LayerNorm((2, 3), eps=1e-05, elementwise_affine=True)"
    assert repr(nn.BatchNorm1d(3)) == "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"
    assert repr(nn.GroupNorm(2, 4)) == "GroupNorm(2, 4, eps=1e-05, affine=True)"
    assert repr(nn.RMSNorm(3)) == "RMSNorm((3,), eps=None, elementwise_affine=True)"
    for layer in (nn.LayerNorm(3), nn.RMSNorm(3), nn.GroupNorm(1, 3), nn.BatchNorm2d(3)):
        layer.weight.data = lucid.zeros(3)
        layer.reset_parameters()
        assert layer.weight.tolist() == [1, 1, 1]


# -- what does not count --------------------------------------------------------------------------------------


def statistics(norm):
    return [np.array(norm.running_mean.tolist()), np.array(norm.running_var.tolist()), norm.num_batches_tracked.item()]


def unmoved(norm, before):
    return all(np.array_equal(a, b) for a, b in zip(statistics(norm), before, strict=True))


NOT_COUNTED = {  # a batch that is refused or empty, of three channels
    "one value": lambda norm: norm(lucid.ones(1, 3)),
    "empty": lambda norm: norm(lucid.ones(0, 3)),
    "empty and long": lambda norm: norm(lucid.ones(0, 3, 9)),
    "no length": lambda norm: norm(lucid.ones(4, 3, 0)),
    "other channels": lambda norm: norm(lucid.ones(4, 2)),
    "too few dims": lambda norm: norm(lucid.ones(3)),
    "a bad eps": lambda norm: (setattr(norm, "eps", "small"), norm(lucid.ones(4, 3))),
    "a bad weight": lambda norm: (setattr(norm, "weight", nn.Parameter(lucid.ones(2))), norm(lucid.ones(4, 3))),
    "no tensor": lambda norm: norm([[1.0, 2.0, 3.0]]),
}


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("what", NOT_COUNTED)
def test_a_batch_that_is_refused_or_empty_does_not_count(what, momentum):
    norm = nn.BatchNorm1d(3, momentum=momentum)
    norm(lucid.randn(5, 3))
    before = statistics(norm)
    try:
        NOT_COUNTED[what](norm)
    except (AttributeError, TypeError, ValueError):
        assert "empty" not in what and what != "no length"
    assert unmoved(norm, before)


def test_the_mean_of_all_batches_is_that_of_those_that_count():
    norm, batches = nn.BatchNorm1d(3, momentum=None), [lucid.randn(n, 3) for n in (4, 6, 3)]
    for batch in batches:
        norm(batch)
        norm(lucid.ones(0, 3))
        with pytest.raises(ValueError, match="one value for each channel"):
            norm(lucid.ones(1, 3))
    mean = np.mean([batch.mean(0).tolist() for batch in batches], axis=0)
    np.testing.assert_allclose(norm.running_mean.tolist(), mean, rtol=1e-5)
    assert norm.num_batches_tracked.item() == 3


@pytest.mark.parametrize("momentum", [0.1, None])
def test_recomputation_moves_statistics_once(momentum):
    """In nested checkpoints, in a second order and through `functional.batch_norm` too."""
    from lucid.autograd import checkpoint

    norms = [nn.BatchNorm1d(3, momentum=momentum) for _ in range(3)]
    plain = [nn.BatchNorm1d(3, momentum=momentum) for _ in range(3)]
    mean, var = lucid.zeros(3), lucid.ones(3)
    x = lucid.randn(7, 3, requires_grad=True)

    def inner(y):
        y = F.batch_norm(y, mean, var, training=True, momentum=0.5)
        return norms[1](y).tanh()

    out = norms[2](checkpoint(lambda y: checkpoint(inner, norms[0](y)), x))
    (g,) = lucid.autograd.grad(out.pow(3).sum(), [x], create_graph=True)
    g.square().sum().backward()
    once = F.batch_norm(plain[0](x), a := lucid.zeros(3), b := lucid.ones(3), training=True, momentum=0.5)
    plain[2](plain[1](once).tanh())
    for norm, other in zip(norms, plain, strict=True):
        assert unmoved(norm, statistics(other)) and norm.num_batches_tracked.item() == 1
    assert mean.tolist() == a.tolist() and var.tolist() == b.tolist()
    norms[0](x)  # and go on moving afterwards
    assert norms[0].num_batches_tracked.item() == 2


def test_after_an_error_in_a_recomputation_statistics_move_again():
    from lucid.autograd import checkpoint

    norm, fails = nn.BatchNorm1d(3), []

    def function(x):
        if fails:
            raise RuntimeError("the second run")
        return norm(x)

    loss = checkpoint(function, lucid.randn(4, 3, requires_grad=True)).sum()
    fails.append(1)
    with pytest.raises(RuntimeError, match="the second run"):
        loss.backward()
    norm(lucid.randn(4, 3))
    assert norm.num_batches_tracked.item() == 2


def tracking_later(nn, x):
    """Switched off, and on again, between batches: the statistics and outputs of a layer of either framework."""
    norm, found = nn.BatchNorm1d(3), []
    for track, training in [(True, True), (False, True), (False, False), (True, False), (True, True), (False, True)]:
        norm.track_running_stats = track
        found += [norm.train(training)(x).tolist(), norm.running_mean.tolist(), norm.num_batches_tracked.item()]
    return found


def test_track_running_stats_can_be_set_later():
    x = lucid.randn(5, 3)
    found = tracking_later(nn, x)
    counts, means = found[2::3], found[1::3]
    assert counts == [1, 1, 1, 1, 2, 2] and means[0] == means[1] == means[2] == means[3] != means[4] == means[5]
    assert found[9] == found[6] != found[3]  # evaluation takes what averages there are


@pytest.mark.parity
def test_track_running_stats_set_later_is_pytorchs():
    import torch

    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    found, expected = tracking_later(nn, lucid.tensor(x)), tracking_later(torch.nn, torch.tensor(x))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
