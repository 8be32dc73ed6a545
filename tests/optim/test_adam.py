"""Adam and AdamW: the papers' lines in NumPy, PyTorch's numbers, and the state."""

import inspect
import itertools
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.core.array import cpu
from lucid.optim import Adam, AdamW
from lucid.optim.rule import evaluate_rule
from tests.optim.training import equal, give, model_and_data, parameter, run_in_place, train, weights

BOTH = pytest.mark.parametrize("kind", [Adam, AdamW])
OPTIONS: list[dict[str, Any]] = [
    {"weight_decay": decay, "amsgrad": amsgrad, "maximize": maximize}
    for decay, amsgrad, maximize in itertools.product([0, 0.1], [False, True], [False, True])
] + [{}, {"betas": (0.0, 0.5), "eps": 0.1}, {"betas": (0.8, 0.99), "weight_decay": 0.01}]


def gradients(shape: tuple[int, ...], steps: int) -> Any:
    """Sparse ones, with spikes, a row that is always zero, and steps without any."""
    rng = np.random.default_rng(0)
    for t in range(steps):
        g = rng.standard_normal(shape) * (rng.random(shape) < 0.5) * (1e3 if t % 100 == 50 else 1)
        g[0] = 0
        yield g * (t % 7 != 3)


def by_hand(
    kind: Any,
    theta: Any,
    grads: Any,
    lr=1e-3,
    betas=(0.9, 0.999),
    eps=1e-8,
    weight_decay=None,
    amsgrad=False,
    maximize=False,
) -> Any:
    """The lines of the docstrings, with the hats; Reddi's maximum is of the uncorrected v."""
    decay = (0.01 if kind is AdamW else 0) if weight_decay is None else weight_decay
    (beta1, beta2), m, v, v_max = betas, 0 * theta, 0 * theta, 0 * theta
    for t, grad in enumerate(grads, 1):
        g = -grad if maximize else grad
        if kind is Adam:
            g = g + decay * theta
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        v_max = np.maximum(v_max, v)
        m_hat = m / (1 - beta1**t)
        v_hat = (v_max if amsgrad else v) / (1 - beta2**t)
        shrunk = theta - lr * decay * theta if kind is AdamW else theta
        theta = shrunk - lr * m_hat / (np.sqrt(v_hat) + eps)
    return theta


@BOTH
def test_signature(kind: Any) -> None:
    arguments = inspect.signature(kind).parameters
    assert {name: argument.default for name, argument in arguments.items() if name != "params"} == {
        "lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01 if kind is AdamW else 0, "amsgrad": False,
        "maximize": False
    }  # fmt: skip
    assert arguments["amsgrad"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert arguments["maximize"].kind is inspect.Parameter.KEYWORD_ONLY
    assert kind([parameter(1.0)], 0.1, (0.5, 0.6), 0.2, 0.3, True).defaults == {
        "lr": 0.1, "beta1": 0.5, "beta2": 0.6, "eps": 0.2, "weight_decay": 0.3, "amsgrad": True, "maximize": False
    }  # fmt: skip


def test_numbers_worked_out_on_paper() -> None:
    """t = 1: m/(1 - beta1) = g, v/(1 - beta2) = g^2, so theta = 1 - 0.25 * 3 / (3 + 1). AdamW first halves theta."""
    p, q = give(parameter(1.0), 3.0), give(parameter(1.0), 3.0)
    adam, adamw = Adam([p], lr=0.25, eps=1), AdamW([q], lr=0.25, eps=1, weight_decay=2)
    adam.step()
    adamw.step()
    assert p.item() == pytest.approx(0.8125, rel=1e-14) and q.item() == pytest.approx(0.3125, rel=1e-14)
    assert (
        adam.state[p]["t"] == 1
        and adam.state[p]["m"] == pytest.approx(0.3)
        and adam.state[p]["v"] == pytest.approx(0.009)
    )
    assert list(adam.state[p]) == ["t", "m", "v"]


@BOTH
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_lines_of_the_paper(kind: Any, options: dict[str, Any]) -> None:
    start = np.random.default_rng(1).standard_normal((4, 3))
    p = nn.Parameter(start)
    optimizer = kind([p], **options)
    for g in gradients((4, 3), 1000):
        p.grad = lucid.Tensor(g)
        optimizer.step()
    np.testing.assert_allclose(
        p.detach().numpy(), by_hand(kind, start, gradients((4, 3), 1000), **options), rtol=0, atol=1e-10
    )


@pytest.mark.parity
@BOTH
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_is_pytorchs(kind: Any, options: dict[str, Any]) -> None:
    import torch

    start = np.random.default_rng(1).standard_normal((4, 3))
    ours, theirs = nn.Parameter(start), torch.nn.Parameter(torch.tensor(start))
    optimizer, reference = kind([ours], **options), getattr(torch.optim, kind.__name__)([theirs], **options)
    for g in gradients((4, 3), 1000):
        ours.grad, theirs.grad = lucid.Tensor(g), torch.tensor(g)
        optimizer.step()
        reference.step()
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=0, atol=1e-10)


@pytest.mark.parity
@BOTH
def test_its_defaults_are_pytorchs(kind: Any) -> None:
    import torch

    theirs = inspect.signature(getattr(torch.optim, kind.__name__)).parameters
    for name, argument in inspect.signature(kind).parameters.items():
        assert (theirs[name].default, theirs[name].kind) == (argument.default, argument.kind), name


@BOTH
@pytest.mark.parametrize("decay, amsgrad, maximize", list(itertools.product([0, 0.1], [False, True], [False, True])))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_rule_has_a_program_which_gives_the_same_bits(
    kind: Any, decay: float, amsgrad: bool, maximize: bool, dtype: str
) -> None:
    slots = ("m", "v", "v_max" if amsgrad else None)
    constants = {"beta1": 0.9, "beta2": 0.999, "weight_decay": decay, "amsgrad": amsgrad, "maximize": maximize}
    scalars = kind.step_scalars({"lr": 1e-3, "eps": 1e-8, **constants}, 3)
    rng = np.random.default_rng(0)
    theta, g, m, v, v_max = (rng.standard_normal(99).astype(dtype) for _ in range(5))
    g[:5] = [0.0, np.inf, -np.inf, np.nan, 1e30]
    memory = [m, np.abs(v), np.abs(v_max) if amsgrad else None]
    with np.errstate(all="ignore"):
        new, state = evaluate_rule(kind.rule, cpu, theta, g, memory, scalars, constants)
        compiled = run_in_place(kind.rule, slots, scalars, constants, theta, g, memory)
    assert compiled.workspace <= 3
    for found, value in zip([theta, *memory], [new, *state], strict=True):
        assert found is value is None or (found.dtype == value.dtype and found.tobytes() == value.tobytes())


def test_decay_in_the_gradient_is_divided_away_and_decoupled_decay_is_not() -> None:
    p, q = give(parameter(5.0), 0.0), give(parameter(5.0), 0.0)
    Adam([p], lr=0.01, weight_decay=0.1).step()
    AdamW([q], lr=0.01, weight_decay=0.1).step()
    assert p.item() == pytest.approx(5 - 0.01, rel=1e-7)  # like any gradient: by lr
    assert q.item() == pytest.approx(5 - 0.01 * 0.1 * 5, rel=1e-14)


def test_decoupled_decay_follows_the_learning_rate_of_its_step() -> None:
    p = give(parameter(8.0), 0.0)
    optimizer = AdamW([p], lr=0.5, weight_decay=1.0)
    for lr, expected in ((0.5, 4.0), (0.25, 3.0)):
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        assert p.item() == expected


def test_v_max_exists_where_amsgrad_is_and_never_falls() -> None:
    a, b = parameter(1.0), parameter(1.0)
    optimizer = Adam([{"params": [a]}, {"params": [b], "amsgrad": True}], betas=(0.9, 0.5))
    for g, largest in ((4.0, 8.0), (0.0, 8.0), (6.0, 20.0)):
        give(a, g)
        give(b, g)
        optimizer.step()
        assert optimizer.state[b]["v_max"] == largest
    assert "v_max" not in optimizer.state[a] and a.item() < b.item() < 1


def test_amsgrad_may_be_turned_on_and_off_and_its_state_may_come_later() -> None:
    p = give(parameter(1.0), 1.0)
    optimizer = Adam([p])
    optimizer.step()
    optimizer.param_groups[0]["amsgrad"] = True
    optimizer.load_state_dict(optimizer.state_dict())  # v_max is not there yet
    optimizer.step()
    kept = optimizer.state[p]["v_max"].copy()
    assert kept == optimizer.state[p]["v"]
    optimizer.param_groups[0]["amsgrad"] = False
    optimizer.step()
    assert optimizer.state[p]["v_max"] == kept < optimizer.state[p]["v"]


def test_half_precision_keeps_its_state_in_float32() -> None:
    p = give(parameter(1.0, 2.0, dtype="float16"), 1e-4, 1.0)
    optimizer = Adam([p], lr=0.125, eps=0)
    optimizer.step()
    assert p.dtype == np.float16 and optimizer.state[p]["v"].dtype == np.float32
    np.testing.assert_allclose(p.detach().numpy(), [0.875, 1.875], rtol=1e-3)  # in float16 v would be zero: 1e-8 / 1000


@BOTH
def test_it_learns(kind: Any) -> None:
    model, x, y = model_and_data()
    before = ((model(x) - y) ** 2).mean().item()
    train(model, kind(model.parameters(), lr=0.02), x, y, 100)
    assert ((model(x) - y) ** 2).mean().item() < before / 4


@BOTH
@pytest.mark.parametrize("amsgrad", [False, True])
def test_it_resumes_to_the_bit(kind: Any, amsgrad: bool, tmp_path: Any) -> None:
    model, x, y = model_and_data()
    optimizer = kind(model.parameters(), lr=0.02, weight_decay=0.05, amsgrad=amsgrad)
    train(model, optimizer, x, y, 5)
    lucid.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "run.npz")
    train(model, optimizer, x, y, 5)

    again, *_ = model_and_data(seed=1)
    fresh = kind(again.parameters())
    saved = lucid.load(tmp_path / "run.npz")
    again.load_state_dict(saved["model"])
    fresh.load_state_dict(saved["optimizer"])
    train(again, fresh, x, y, 5)
    assert equal(weights(model), weights(again)) and fresh.param_groups[0]["amsgrad"] is amsgrad


BAD = [
    ({"lr": -1e-3}, ValueError, "lr must be a finite number of 0 or more, got -0.001; give it such a value"),
    ({"eps": float("nan")}, ValueError, "eps must be a finite number of 0 or more, got nan"),
    ({"weight_decay": float("inf")}, ValueError, "weight_decay must be a finite number of 0 or more, got inf"),
    ({"betas": (1.0, 0.9)}, ValueError, r"beta1 must be a number in \[0, 1\), got 1.0"),
    ({"betas": (0.9, -0.1)}, ValueError, r"beta2 must be a number in \[0, 1\), got -0.1"),
    ({"betas": 0.9}, TypeError, "betas must be a pair of numbers, got 0.9; write betas="),
    ({"amsgrad": 1}, TypeError, "amsgrad must be True or False, got 1; .* instead of a int"),
    ({"maximize": "no"}, TypeError, "maximize must be True or False, got 'no'; .* instead of a str"),
    ({"fused": 1}, TypeError,
     "got the keyword 'fused', expected params, lr, betas, eps, weight_decay, amsgrad, maximize"),
]


@BOTH
@pytest.mark.parametrize("options, error, text", BAD, ids=str)
def test_it_refuses(kind: Any, options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^{kind.__name__}: {text}"):
        kind([parameter(1.0)], **options)


def test_state_of_adamax_is_refused() -> None:
    p = give(parameter(1.0), 1.0)
    adamax = optim.Adamax([p])
    adamax.step()
    with pytest.raises(ValueError, match=r"amsgrad is missing(.|\n)*'v' is missing(.|\n)*'u' is unknown"):
        Adam([p]).load_state_dict(adamax.state_dict())
