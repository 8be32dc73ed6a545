"""Distributions: formulas beside PyTorch's, draws beside the formulas, and sentences for what cannot be."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import distributions as D
from lucid.autograd import gradcheck, gradgradcheck

INF = math.inf
LOGITS = [[0.3, -1.0, 2.0], [0.0, 0.5, -0.5]]
PROBS = [[0.2, 0.3, 0.5], [3.0, 1.0, 0.0]]

# name -> the class, its parameters, values to weigh, and the same class's other parameters to diverge from
CASES: dict[str, tuple[str, dict[str, Any], Any, dict[str, Any]]] = {
    "normal": ("Normal", {"loc": [0.5, -1.0], "scale": [1.5, 0.3]}, [[0.1, -1.2], [3.0, 0.0]],
               {"loc": [0.0, 1.0], "scale": [2.0, 2.0]}),
    "normal of numbers": ("Normal", {"loc": [0.5, -1.0], "scale": 2}, [[0.1, -1.2]], {"loc": 0.0, "scale": [[1.0]]}),
    "uniform": ("Uniform", {"low": [0.0, -1.0], "high": [1.0, 3.0]}, [[0.0, -1.0], [0.7, 2.5]],
                {"low": [-0.5, 0.0], "high": [2.0, 3.0]}),
    "exponential": ("Exponential", {"rate": [0.5, 2.0]}, [[0.0, 1.5]], {"rate": [1.0, 2.0]}),
    "bernoulli": ("Bernoulli", {"probs": [0.2, 0.9]}, [[0.0, 1.0], [1.0, 0.0]], {"probs": [0.5, 0.3]}),
    "bernoulli of logits": ("Bernoulli", {"logits": [-3.0, 0.5]}, [[0.0, 1.0], [1.0, 0.0]], {"logits": [0.1, 0.2]}),
    "bernoulli at the ends": ("Bernoulli", {"probs": [0.0, 1.0, 0.0]}, [[0.0, 1.0, 1.0]], {"probs": [0.0, 0.0, 0.5]}),
    "categorical": ("Categorical", {"probs": PROBS}, [[0, 1], [2, 0]], {"probs": [[0.1, 0.1, 0.8], [0.5, 0.5, 0.0]]}),
    "categorical of logits": ("Categorical", {"logits": LOGITS}, [[0, 1], [2, 2]], {"logits": LOGITS[::-1]}),
    "multinomial": ("Multinomial", {"total_count": 4, "probs": PROBS}, [[1, 1, 2], [3, 1, 0]], {}),
    "multinomial of logits": ("Multinomial", {"total_count": 3, "logits": LOGITS}, [[[1, 1, 1], [3, 0, 0]]], {}),
}  # fmt: skip
both = pytest.mark.parametrize("name", CASES)


def made(m: Any, name: str, other: bool = False, grad: bool = False) -> tuple[Any, list[Any]]:
    """The distribution of a case in m, and those of its parameters that are tensors."""
    kind, options, _, others = CASES[name]
    given = {k: m.tensor(v, dtype=m.float64, requires_grad=grad) if isinstance(v, list) else v
             for k, v in (others if other else options).items()}  # fmt: skip
    module = D if m is lucid else m.distributions
    return getattr(module, kind)(**given), [p for p in given.values() if hasattr(p, "grad")]


def equal(a: Any, b: Any, **options: Any) -> None:
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-12, **options)


@pytest.mark.parity
@both
def test_log_prob_and_its_gradients_are_pytorchs(name: str) -> None:
    import torch

    found = []
    for m in (lucid, torch):
        d, parameters = made(m, name, grad=True)
        value = m.tensor(CASES[name][2], dtype=m.float64, requires_grad=True)
        if CASES[name][0] in ("Bernoulli", "Categorical", "Multinomial"):
            value = value.detach()
        out = d.log_prob(value)
        out[..., :2].sum().backward()
        slopes = [p.grad for p in parameters] + ([value.grad] if value.requires_grad and name != "uniform" else [])
        found.append((out, *slopes))
    for a, b in zip(*found, strict=True):
        equal(a, b, err_msg=name)


@pytest.mark.parity
@both
def test_moments_and_shapes_are_pytorchs(name: str) -> None:
    import torch

    ours, theirs = made(lucid, name)[0], made(torch, name)[0]
    assert tuple(theirs.batch_shape) == ours.batch_shape and tuple(theirs.event_shape) == ours.event_shape
    assert ours.has_rsample == theirs.has_rsample
    for attribute in ("mean", "variance", "stddev", "mode", "probs", "logits"):
        if hasattr(type(ours), attribute) and not (attribute == "mode" and name.startswith(("uniform", "multi"))):
            equal(getattr(ours, attribute), getattr(theirs, attribute), err_msg=attribute)
    if hasattr(ours, "entropy"):
        equal(ours.entropy(), theirs.entropy())
    for shape in ((), (2,), (3, 1)):
        assert ours.sample(shape).shape == tuple(theirs.sample(shape).shape)
        assert str(ours.sample(shape).dtype) == str(theirs.sample(shape).dtype).removeprefix("torch.")


@pytest.mark.parity
@pytest.mark.parametrize("name", [name for name in CASES if CASES[name][3]])
def test_divergences_and_their_gradients_are_pytorchs(name: str) -> None:
    import torch

    found = []
    for m, kl in ((lucid, D.kl_divergence), (torch, torch.distributions.kl_divergence)):
        (p, first), (q, second) = made(m, name, grad=True), made(m, name, other=True, grad=True)
        out = kl(p, q)
        if "ends" not in name and name != "categorical":
            out.sum().backward()
        found.append((out, *(x.grad for x in [*first, *second] if x.grad is not None)))
    for a, b in zip(*found, strict=True):
        equal(a, b)


@pytest.mark.parity
def test_independent_is_pytorchs() -> None:
    import torch

    found = []
    for m, d in ((lucid, D), (torch, torch.distributions)):
        loc, scale = m.zeros(4, 3, 2, dtype=m.float64), m.full((4, 3, 2), 2.0, dtype=m.float64)
        p, q = (d.Independent(d.Normal(x, scale), 2) for x in (loc, loc + 1))
        assert tuple(p.batch_shape) == (4,) and tuple(p.event_shape) == (3, 2) and p.has_rsample
        assert tuple(p.rsample((5,)).shape) == (5, 4, 3, 2)
        kl = D.kl_divergence if m is lucid else torch.distributions.kl_divergence
        found.append([p.log_prob(loc + 0.5), p.entropy(), p.mean, p.variance, p.stddev, p.mode, kl(p, q)])
    for a, b in zip(*found, strict=True):
        equal(a, b)


@both
def test_draws_have_the_moments_of_the_formulas(name: str) -> None:
    lucid.manual_seed(0)
    d, _ = made(lucid, name)
    drawn = d.sample((20_000,)).double().numpy()
    if name.startswith("categorical"):
        shares = np.stack([(drawn == i).mean(0) for i in range(3)], -1)
        np.testing.assert_allclose(shares, d.probs.numpy(), atol=0.02)
        return
    np.testing.assert_allclose(drawn.mean(0), d.mean.numpy(), atol=0.06)
    np.testing.assert_allclose(drawn.var(0), d.variance.numpy(), rtol=0.1, atol=0.02)
    if name.startswith("multinomial"):
        assert (drawn.sum(-1) == d.total_count).all()


@pytest.mark.parametrize("name", ["normal", "uniform", "exponential"])
def test_a_gradient_goes_through_rsample_and_through_log_prob_twice(name: str) -> None:
    kind, options, values, _ = CASES[name]
    parameters = [lucid.tensor(v, dtype="float64", requires_grad=True) for v in options.values()]
    value = lucid.tensor(values, dtype="float64") + 0.01

    def drawn(*given: Any) -> Any:
        lucid.manual_seed(7)
        return getattr(D, kind)(*given).rsample((3,))

    def weighed(*given: Any) -> Any:
        return getattr(D, kind)(*given).log_prob(value)

    assert gradcheck(drawn, parameters) and gradcheck(weighed, parameters) and gradgradcheck(weighed, parameters)
    assert not getattr(D, kind)(*parameters).sample().requires_grad


def test_a_policy_gradient_and_a_variational_step() -> None:
    lucid.manual_seed(0)
    logits = lucid.zeros(3, requires_grad=True)
    for _ in range(60):
        policy = D.Categorical(logits=logits)
        action = policy.sample((16,))
        loss = -(policy.log_prob(action) * (action == 2).float()).mean() - 0.01 * policy.entropy()
        logits.grad = None
        loss.backward()
        with lucid.no_grad():
            logits -= logits.grad
    assert D.Categorical(logits=logits).probs[2].item() > 0.9
    loc, log_scale = (lucid.tensor([1.0], requires_grad=True) for _ in range(2))
    for _ in range(200):
        q = D.Normal(loc, log_scale.exp())
        loc.grad = log_scale.grad = None
        (D.kl_divergence(q, D.Normal(0.0, 1.0)) + 0 * q.rsample()).sum().backward()
        with lucid.no_grad():
            loc -= 0.1 * loc.grad
            log_scale -= 0.1 * log_scale.grad
    assert abs(loc.item()) < 0.01 and abs(log_scale.item()) < 0.01


def test_dtypes_defaults_and_what_a_distribution_says_of_itself() -> None:
    assert D.Normal(0, 1).sample().dtype == lucid.float32 and D.Normal(0, 1).batch_shape == ()
    half = D.Normal(lucid.zeros(2).half(), 1.0)
    assert half.rsample().dtype == half.log_prob(lucid.zeros(2).half()).dtype == lucid.float16
    assert D.Categorical(lucid.ones(3)).sample().dtype == lucid.int64
    assert D.Bernoulli(0.3).sample((2,)).dtype == lucid.float32
    assert repr(D.Normal(0.0, lucid.ones(3))) == "Normal(loc: (3,), scale: (3,))"
    assert repr(D.Independent(D.Exponential(2.0), 0)) == "Independent(Exponential(rate: 2.0), 0)"
    assert D.Categorical(lucid.ones(2, 3)).sample((0,)).shape == (0, 2)
    for twin in (copy.deepcopy(D.Normal(0.0, 1.0)), pickle.loads(pickle.dumps(D.Normal(0.0, 1.0)))):
        assert twin.log_prob(lucid.tensor(0.0)).item() == pytest.approx(-0.9189, abs=1e-4)


def test_the_same_seed_draws_the_same() -> None:
    for name in CASES:
        d, drawn = made(lucid, name)[0], []
        for _ in range(2):
            lucid.manual_seed(5)
            drawn.append(d.sample((4,)).numpy())
        np.testing.assert_array_equal(*drawn)


x2, x3 = lucid.ones(2), lucid.ones(3)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: D.Normal(0.0, -1.0), ValueError, "Normal: scale must be above 0, got "),
        (lambda: D.Normal(math.nan, 1.0), ValueError, "Normal: loc must be a number, not NaN, got tensor(nan)"),
        (lambda: D.Normal(x2, x3), ValueError, "Normal: shapes (2,) and (3,) do not broadcast together"),
        (lambda: D.Normal(0.0), TypeError, "Normal: expected loc and scale, got 1 values and []"),
        (lambda: D.Normal(0.0, 1.0, 2.0, 3.0), TypeError, "Normal: expected loc and scale, got 4 values"),
        (lambda: D.Normal(0.0, sigma=1.0), TypeError, "Normal: expected loc and scale, got 1 values and ['sigma']"),
        (lambda: D.Uniform(1.0, 1.0), ValueError, "Uniform: high - low must be above 0, got"),
        (lambda: D.Uniform(0.0, 1.0).log_prob(lucid.tensor(1.5)), ValueError, "and 1 for high, must be from 0 to 1"),
        (lambda: D.Exponential(0.0), ValueError, "Exponential: rate must be above 0, got"),
        (lambda: D.Exponential(1.0).log_prob(-x2), ValueError, "Exponential: value must be 0 or more, got"),
        (lambda: D.Bernoulli(1.5), ValueError, "Bernoulli: probs must be from 0 to 1, got"),
        (lambda: D.Bernoulli(), ValueError, "Bernoulli: expected probs or logits, and not both"),
        (lambda: D.Bernoulli(0.5, 0.0), ValueError, "Bernoulli: expected probs or logits, and not both"),
        (lambda: D.Bernoulli(0.5).log_prob(lucid.tensor(0.5)), ValueError, "Bernoulli: value must be 0 or 1, got"),
        (lambda: D.Bernoulli(0.5).rsample(), NotImplementedError, "Bernoulli: no gradient goes through a draw; use"),
        (lambda: D.Categorical(-x3), ValueError, "Categorical: probs must be 0 or more, got"),
        (lambda: D.Categorical(0.5), ValueError, "Categorical: probs must be a Tensor (..., categories), got 0.5"),
        (lambda: D.Categorical(x3).log_prob(lucid.tensor(3)), IndexError, "3"),
        (lambda: D.Categorical(x3).log_prob(lucid.tensor(-1)), ValueError, "Categorical: value must be 0 or more"),
        (lambda: D.Multinomial(-1, x3), ValueError, "Multinomial: total_count must be 0 or more, got -1"),
        (lambda: D.Multinomial(2, x3).log_prob(x3), ValueError, "total_count=2, less the sum of value, must be 0, got"),
        (lambda: D.Independent(D.Normal(x2, x2), 2), ValueError, "reinterpreted_batch_ndims must be at most 1"),
        (lambda: D.kl_divergence(D.Normal(0, 1), D.Exponential(1)), NotImplementedError, "for Normal and Exponential"),
        (lambda: D.Normal(0.0, 1.0).sample("a"), TypeError, "sample: expected ints, or a tuple of ints, got"),
        (lambda: D.Cauchy, AttributeError, "lucid.distributions has no 'Cauchy'"),
    ],
)
def test_what_cannot_be_gets_a_sentence(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value)


def test_nothing_is_looked_at_without_validation() -> None:
    with np.errstate(invalid="ignore"):
        assert math.isnan(D.Normal(0.0, -1.0, validate_args=False).log_prob(lucid.tensor(0.0)).item())
    assert D.Uniform(0.0, 1.0, validate_args=False).log_prob(lucid.tensor([2.0, 0.5])).tolist() == [-INF, 0.0]
    assert D.Multinomial(3, x3, validate_args=False).log_prob(lucid.tensor([1.0, 0.0, 0.0])).ndim == 0
