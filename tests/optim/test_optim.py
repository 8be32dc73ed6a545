"""What all optimizers share, shown on SGD and on rules of a test's own."""

from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.optim import SGD, Optimizer
from tests.optim.training import equal, give, model_and_data, parameter, train, weights

# -- SGD -----------------------------------------------------------------------------------------------------


def test_sgd_by_hand() -> None:
    """v_1 = 1, v_2 = 0.5 * 1 + 0.75 * 2 = 2: theta = 1 - 0.1 * 1 - 0.1 * 2."""
    p = parameter(1.0)
    optimizer = SGD([p], lr=0.1, momentum=0.5, dampening=0.25)
    for g, expected in ((1.0, 0.9), (2.0, 0.7)):
        give(p, g)
        optimizer.step()
        assert p.item() == pytest.approx(expected, rel=1e-15)
    assert optimizer.state[p]["v"] == 2.0


def test_sgd_has_pytorchs_defaults() -> None:
    assert SGD([parameter(1.0)]).defaults == {
        "lr": 1e-3,
        "momentum": 0,
        "dampening": 0,
        "weight_decay": 0,
        "nesterov": False,
        "maximize": False,
    }


@pytest.mark.parity
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"momentum": 0.9, "maximize": True, "weight_decay": 0.1},
    ],
)
def test_sgd_is_pytorchs(options: dict[str, Any]) -> None:
    import torch

    rng = np.random.default_rng(0)
    start = rng.standard_normal((4, 3))
    ours, theirs = nn.Parameter(start), torch.nn.Parameter(torch.tensor(start))
    optimizer, reference = SGD([ours], lr=1e-3, **options), torch.optim.SGD([theirs], lr=1e-3, **options)
    for t in range(1000):
        g = rng.standard_normal((4, 3)) * (rng.random((4, 3)) < 0.5) * (1 if t % 100 else 1e3)
        ours.grad, theirs.grad = lucid.Tensor(g), torch.tensor(g)
        optimizer.step()
        reference.step()
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-10)


def test_without_momentum_there_is_no_v_until_there_is() -> None:
    p = give(parameter(1.0), 1.0)
    optimizer = SGD([p], lr=0.25)
    optimizer.step()
    assert optimizer.state[p] == {"t": 1} and p.item() == 0.75
    optimizer.param_groups[0]["momentum"] = 0.5
    saved = optimizer.state_dict()
    optimizer.load_state_dict(saved)  # a slot that comes later may be missing
    for expected in (0.5, 0.125):
        optimizer.step()
        assert p.item() == expected
    optimizer.param_groups[0]["momentum"] = 0
    optimizer.step()
    assert p.item() == -0.125 and optimizer.state[p]["v"] == 1.5


BAD = [
    (
        {"nesterov": True},
        ValueError,
        r"^SGD: nesterov=True needs a momentum above 0 and dampening 0, got momentum 0",
    ),
    (
        {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
        ValueError,
        r"got momentum 0.9 and dampening 0.1; set",
    ),
    ({"momentum": -0.5}, ValueError, r"^SGD: momentum must be a finite number of 0 or more, got -0.5"),
    ({"dampening": float("nan")}, ValueError, r"dampening must be a finite number of 0 or more, got nan"),
    (
        {"weight_decay": float("inf")},
        ValueError,
        r"weight_decay must be a finite number of 0 or more, got inf",
    ),
    ({"lr": -1e-3}, ValueError, r"lr must be a finite number of 0 or more, got -0.001"),
    ({"nesterov": "yes"}, TypeError, r"nesterov must be True or False, got 'yes'; .* instead of a str"),
    ({"maximize": 1}, TypeError, r"maximize must be True or False, got 1; .* instead of a int"),
    (
        {"betas": (0.9, 0.99)},
        TypeError,
        r"^SGD: got the keyword 'betas', expected params, lr, momentum, dampening",
    ),
]


@pytest.mark.parametrize("options, error, text", BAD)
def test_sgd_refuses(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        SGD([parameter(1.0)], **options)


def test_numbers_that_no_longer_go_together_are_refused_before_anything_moves() -> None:
    p = give(parameter(1.0), 1.0)
    optimizer = SGD([p], momentum=0.9, nesterov=True)
    optimizer.param_groups[0]["momentum"] = 0
    with pytest.raises(ValueError, match=r"^SGD, group 0: nesterov=True needs a momentum above 0"):
        optimizer.step()
    assert p.item() == 1.0 and optimizer.state == {}


def test_sgd_learns() -> None:
    model, x, y = model_and_data()
    before = ((model(x) - y) ** 2).mean().item()
    train(model, SGD(model.parameters(), lr=0.1, momentum=0.9), x, y, 100)
    assert ((model(x) - y) ** 2).mean().item() < before / 4


def test_sgd_resumes_to_the_bit() -> None:
    model, x, y = model_and_data()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9, dampening=0.5)
    train(model, optimizer, x, y, 3)
    saved, held = optimizer.state_dict(), weights(model)
    train(model, optimizer, x, y, 3)
    expected = weights(model)
    for p, array in zip(model.parameters(), held, strict=True):
        p.data = lucid.Tensor(array)
    fresh = SGD(model.parameters())
    fresh.load_state_dict(saved)
    train(model, fresh, x, y, 3)
    assert equal(weights(model), expected)


# -- zero_grad -----------------------------------------------------------------------------------------------


def test_zero_grad_forgets() -> None:
    a, b = give(parameter(1.0), 1.0), parameter(1.0)
    optimizer = SGD([a, b])
    optimizer.zero_grad()
    assert a.grad is None and b.grad is None


def test_zero_grad_can_leave_zeros() -> None:
    a, b, c, d = give(parameter(1.0), 1.0), parameter(1.0), parameter(1.0, 1.0), parameter(2.0)
    c.grad = lucid.Tensor(np.broadcast_to(np.float64(3), (2,)))  # cannot be written to
    d.grad = lucid.ones(1, requires_grad=True, dtype=lucid.float64) * 2  # has a history
    history, kept = d.grad, a.grad
    SGD([a, b, c, d]).zero_grad(set_to_none=False)
    assert a.grad is kept and a.grad.item() == 0.0 and b.grad is None
    assert c.grad.numpy().tolist() == [0, 0]
    assert d.grad.item() == 0 and not d.grad.requires_grad and history.item() == 2


# -- rules of one's own --------------------------------------------------------------------------------------


class Signs(Optimizer):
    """An optimizer is its equation: this is all that a new one takes."""

    slots = ("s",)

    def __init__(self, params: Any, lr: float = 0.1, *, flip: bool = False) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": 0.0, "flip": flip})

    @staticmethod
    def rule(xp, theta, g, s, lr, *, flip):
        s = s + xp.sign(g)
        return -lr * s if flip else lr * s, s


def test_a_rule_of_ones_own() -> None:
    a, b = give(parameter(1.0, 2.0), 5.0, -3.0), give(parameter(1.0), 9.0)
    optimizer = Signs([{"params": [a]}, {"params": [b], "flip": True}], lr=0.5)
    optimizer.step()
    optimizer.step()
    assert a.detach().numpy().tolist() == [-0.5, 3.5] and b.item() == 2.5
    assert optimizer.state[a]["s"].tolist() == [2, -2]
    fresh = Signs([{"params": [a]}, {"params": [b]}])
    fresh.load_state_dict(optimizer.state_dict())
    assert fresh.state[a]["s"].tolist() == [2, -2] and fresh.param_groups[1]["flip"] is True
    with pytest.raises(ValueError, match="Signs: lr must be a finite number of 0 or more"):
        Signs([a], lr=-1)


def test_state_of_another_optimizer_is_refused() -> None:
    p = give(parameter(1.0), 1.0)
    other = Signs([p])
    other.step()
    adamax = optim.Adamax([p])
    with pytest.raises(
        ValueError, match=r"group 0: beta1 is missing(.|\n)*'m' is missing(.|\n)*'s' is unknown"
    ):
        adamax.load_state_dict(other.state_dict())


def test_an_optimizer_without_a_rule_says_so() -> None:
    with pytest.raises(
        NotImplementedError, match=r"a subclass of Optimizer with a rule; see lucid\.optim\.Adamax"
    ):
        Optimizer([give(parameter(1.0), 1.0)], {"lr": 0.1}).step()


# -- in PyTorch's way ----------------------------------------------------------------------------------------


class ByHand(Optimizer):
    """Adam with a step of its own, as tutorials write one."""

    def __init__(self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @lucid.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with lucid.enable_grad():
                loss = closure()
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    state["moments"] = [lucid.zeros_like(p), lucid.zeros_like(p)]
                state["step"] += 1
                m, v = state["moments"]
                m.mul_(beta1).add_((1 - beta1) * p.grad)
                v.mul_(beta2).add_((1 - beta2) * p.grad * p.grad)
                root = (1 - beta2 ** state["step"]) ** 0.5
                p.data.add_(-group["lr"] * root / (1 - beta1 ** state["step"]) * m / (v.sqrt() + group["eps"] * root))
        return loss


def test_a_step_of_ones_own_over_state_that_makes_empty_dicts(tmp_path: Any) -> None:
    (model, x, y), (twin, _, _) = model_and_data(), model_and_data()
    optimizer = ByHand(model.parameters(), lr=0.1)
    schedule, other = (optim.StepLR(o, 5, gamma=0.5) for o in (optimizer, optim.Adam(twin.parameters(), lr=0.1)))
    for _ in range(8):
        for m, s in ((model, schedule), (twin, other)):
            train(m, s.optimizer, x, y, 1)
            s.step()  # without a warning: a step of one's own need not leave state
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-5, atol=1e-6)
    lucid.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "run.npz")
    saved, resumed = lucid.load(tmp_path / "run.npz"), model_and_data()[0]
    resumed.load_state_dict(saved["model"])
    again = ByHand(resumed.parameters(), lr=3.0)
    again.load_state_dict(saved["optimizer"])
    for m, o in ((model, optimizer), (resumed, again)):
        train(m, o, x, y, 4)
    assert equal(weights(model), weights(resumed))
    assert [type(part) for part in again.state[next(resumed.parameters())]["moments"]] == [lucid.Tensor] * 2
    with pytest.raises(ValueError, match=r"^ByHand.load_state_dict: .* nothing was loaded:\n  state 9: no group has"):
        again.load_state_dict({**saved["optimizer"], "state": {9: {}}})


def test_state_of_an_optimizer_with_a_rule_is_not_made_by_looking() -> None:
    optimizer = SGD([p := parameter(1.0)], lr=0.1)
    with pytest.raises(KeyError):
        optimizer.state[p]
    assert not optimizer.state
