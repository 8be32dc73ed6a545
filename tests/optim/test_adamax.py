"""Adamax, line by line as its specification has it: the update, and what users rely on."""

import inspect
import math

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.optim import Adamax
from tests.optim.training import equal, give, model_and_data, parameter, train

# -- signature -----------------------------------------------------------------------------------------------


def test_signature() -> None:
    arguments = inspect.signature(Adamax).parameters
    defaults = {name: argument.default for name, argument in arguments.items() if name != "params"}
    assert list(arguments) == ["params", "lr", "betas", "eps", "weight_decay"]
    assert defaults == {"lr": 0.002, "betas": (0.9, 0.999), "eps": 1e-08, "weight_decay": 0}
    assert issubclass(Adamax, optim.Optimizer)


def test_all_five_by_position_and_by_keyword() -> None:
    p = parameter(1.0)
    by_position = Adamax([p], 0.1, (0.5, 0.6), 0.2, 0.3)
    by_keyword = Adamax(params=[p], weight_decay=0.3, eps=0.2, betas=(0.5, 0.6), lr=0.1)
    expected = {"lr": 0.1, "beta1": 0.5, "beta2": 0.6, "eps": 0.2, "weight_decay": 0.3}
    for optimizer in (by_position, by_keyword):
        assert optimizer.defaults == expected
        assert optimizer.param_groups == [{"params": [p], **expected}]


def test_the_docstring_has_the_example_as_the_specification_has_it() -> None:
    example = """
>>> import lucid.optim as optim
>>> optimizer = optim.Adamax(model.parameters(), lr=2e-3)
>>> optimizer.zero_grad()
>>> loss.backward()
>>> optimizer.step()"""
    assert example in inspect.cleandoc(Adamax.__doc__ or "")  # pytest --doctest-modules runs it


def test_repr() -> None:
    assert repr(Adamax([parameter(1.0)])) == (
        "Adamax (\nParameter Group 0\n    beta1: 0.9\n    beta2: 0.999\n    eps: 1e-08\n    lr: 0.002\n"
        "    weight_decay: 0\n)"
    )


# -- the update ----------------------------------------------------------------------------------------------


def by_hand(
    theta: float, gradients: list[float], lr: float, beta1: float, beta2: float, eps: float, decay: float
) -> float:
    """The specification's four lines, in plain Python."""
    m = u = 0.0
    for t, grad in enumerate(gradients, 1):
        g = grad + decay * theta
        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, abs(g))
        theta = theta - lr / (1 - beta1**t) * m / (u + eps)
    return theta


@pytest.mark.parametrize("decay", [0, 0.1])
@pytest.mark.parametrize("eps", [1e-8, 0.5])  # a large one, so that it shows where it stands
def test_the_four_lines(eps: float, decay: float) -> None:
    gradients = [[0.5, -2.0, 0.0], [0.1, 3.0, 0.0], [-0.2, 0.0, 1e-3], [0.0, 1e3, 0.0]]
    p = parameter(1.0, -2.0, 3.0)
    optimizer = Adamax([p], lr=0.1, betas=(0.8, 0.9), eps=eps, weight_decay=decay)
    for gradient in gradients:
        give(p, *gradient)
        optimizer.step()
    columns = zip([1.0, -2.0, 3.0], zip(*gradients, strict=True), strict=True)
    expected = [by_hand(theta, list(gs), 0.1, 0.8, 0.9, eps, decay) for theta, gs in columns]
    np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-14)


def test_numbers_worked_out_on_paper() -> None:
    """m = 0.1 * 4 = 0.4, u = 4, step = 0.01 / 0.1 = 0.1: theta = 1 - 0.1 * 0.4 / (4 + 4) = 0.995."""
    p = give(parameter(1.0), 4.0)
    optimizer = Adamax([p], lr=0.01, eps=4)
    optimizer.step()
    assert p.item() == pytest.approx(0.995, abs=1e-15)
    assert optimizer.state[p]["m"] == pytest.approx(0.4)
    assert optimizer.state[p]["u"] == 4.0  # an eps inside the max would have made it 8
    assert optimizer.state[p]["t"] == 1


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9, 0.999])
def test_only_m_is_corrected_so_the_first_step_has_length_lr(beta1: float) -> None:
    p = give(parameter(1.0, 1.0, 1.0), 1e-3, -7.0, 1e5)
    Adamax([p], lr=0.01, betas=(beta1, 0.9), eps=0).step()
    np.testing.assert_allclose(p.detach().numpy() - 1, [-0.01, 0.01, -0.01], rtol=1e-12)


def test_no_element_moves_by_more_than_the_claimed_bound() -> None:
    """The worst gradient shrinks as u does: then |m| / u tends to (1 - beta1) / (1 - beta1 / beta2)."""
    lr, p = 0.002, parameter(0.0, 0.0, 0.0)
    optimizer, rng, largest = Adamax([p], lr=lr), np.random.default_rng(0), 0.0
    for t in range(400):
        give(p, 0.999**t, rng.standard_normal(), rng.standard_cauchy())
        before = p.detach().numpy().copy()
        optimizer.step()
        largest = max(largest, abs(p.detach().numpy() - before).max() / lr)
    assert 1.009 < largest < 1.0091


def test_decay_is_added_to_the_gradient() -> None:
    """L2: a decay alone moves like a gradient, by lr; decoupled decay would move by lr * lambda * theta."""
    p = give(parameter(5.0), 0.0)
    Adamax([p], lr=0.01, weight_decay=1e-3).step()
    assert p.item() == pytest.approx(5 - 0.01, rel=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_with_eps_zero_it_is_pytorchs(decay: float) -> None:
    import torch

    rng = np.random.default_rng(1)
    start = rng.standard_normal((7, 5))
    ours, theirs = nn.Parameter(start), torch.nn.Parameter(torch.tensor(start))
    optimizer = Adamax([ours], eps=0, weight_decay=decay)
    reference = torch.optim.Adamax([theirs], eps=0, weight_decay=decay)
    for _ in range(1000):
        g = rng.standard_normal((7, 5)) * (1 + 1e3 * (rng.random((7, 5)) < 0.01))  # with spikes
        ours.grad, theirs.grad = lucid.Tensor(g), torch.tensor(g)
        optimizer.step()
        reference.step()
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=0, atol=1e-10)


@pytest.mark.parity
def test_with_an_eps_it_is_not_pytorchs() -> None:
    """PyTorch has max(beta2 * u, |g| + eps); at the first step the two are the same, later they are not."""
    import torch

    ours, theirs = parameter(0.0), torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer, reference = Adamax([ours], eps=0.1), torch.optim.Adamax([theirs], eps=0.1)
    gaps = []
    for g in (1.0, 0.5):
        ours.grad, theirs.grad = lucid.Tensor(np.array([g])), torch.tensor([g], dtype=torch.float64)
        optimizer.step()
        reference.step()
        gaps.append(abs(ours.item() - theirs.item()))
    assert gaps[0] < 1e-15 and gaps[1] > 1e-7


# -- what users rely on --------------------------------------------------------------------------------------


def test_params_may_be_a_generator_or_group_dicts_which_are_left_alone() -> None:
    a, b, c = parameter(1.0), parameter(2.0), parameter(3.0)
    assert Adamax(p for p in (a, b)).param_groups[0]["params"] == [a, b]
    given = [{"params": (p for p in (a, b)), "lr": 0.5, "name": "head"}, {"params": [c], "betas": (0.5, 0.6)}]
    before = [dict(group) for group in given]
    optimizer = Adamax(iter(given), weight_decay=0.1)
    assert given == before
    numbers = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.1}
    assert optimizer.param_groups == [
        {"params": [a, b], **numbers, "lr": 0.5, "name": "head"},
        {"params": [c], **numbers, "lr": 0.002, "beta1": 0.5, "beta2": 0.6},
    ]
    assert all("betas" not in group for group in optimizer.param_groups)


def test_groups_use_their_own_numbers() -> None:
    a, b = give(parameter(1.0), 1.0), give(parameter(1.0), 1.0)
    Adamax([{"params": [a], "lr": 0.5}, {"params": [b]}], lr=0.25, eps=0).step()
    assert (a.item(), b.item()) == (0.5, 0.75)


def test_both_spellings_of_the_betas_may_agree() -> None:
    group = {"params": [parameter(1.0)], "betas": (0.5, 0.6), "beta1": 0.5}
    assert Adamax([group]).param_groups[0]["beta2"] == 0.6


def test_no_gradient_no_move_no_decay_no_t() -> None:
    idle, moved = parameter(1.0), give(parameter(1.0), 1.0)
    optimizer = Adamax([idle, moved], weight_decay=0.5)
    optimizer.step()
    assert idle.item() == 1.0 and idle not in optimizer.state
    give(idle, 1.0)
    optimizer.step()
    idle.grad = None
    held = idle.item(), optimizer.state[idle]["t"], optimizer.state[idle]["m"].copy()
    optimizer.step()
    assert (idle.item(), optimizer.state[idle]["t"], optimizer.state[idle]["m"]) == held
    assert optimizer.state[moved]["t"] == 3


def test_a_zero_gradient_lets_the_momentum_run_on() -> None:
    p = give(parameter(1.0), 1.0)
    optimizer = Adamax([p])
    optimizer.step()
    before = p.item()
    give(p, 0.0)
    optimizer.step()
    assert p.item() < before and optimizer.state[p]["t"] == 2


def test_who_comes_late_has_its_own_t() -> None:
    first, frozen = give(parameter(1.0), 1.0), parameter(1.0)
    frozen.requires_grad = False
    optimizer = Adamax([frozen, first], lr=0.01, eps=0)  # the first parameter has no gradient
    for _ in range(5):
        optimizer.step()
    late = give(parameter(1.0), 1.0)
    optimizer.add_param_group({"params": [late]})
    frozen.requires_grad = True
    give(frozen, 1.0)
    optimizer.step()
    assert [optimizer.state[p]["t"] for p in (first, frozen, late)] == [6, 1, 1]
    assert late.item() == frozen.item() == pytest.approx(0.99, abs=1e-15)


def test_every_hyperparameter_is_read_at_each_step() -> None:
    numbers = {"lr": 0.05, "beta1": 0.5, "beta2": 0.6, "eps": 0.3, "weight_decay": 0.2}
    for name, value in numbers.items():
        changed, plain = give(parameter(1.0, 2.0), 3.0, 0.1), give(parameter(1.0, 2.0), 3.0, 0.1)
        optimizer, same = Adamax([changed]), Adamax([plain])
        for _ in range(2):
            optimizer.step()
            same.step()
        assert equal([changed.detach().numpy()], [plain.detach().numpy()])
        optimizer.param_groups[0][name] = value
        for p, each in ((changed, optimizer), (plain, same)):
            give(p, 0.1, 3.0)  # u shrinks in one element, and beta2 shows
            each.step()
        assert not equal([changed.detach().numpy()], [plain.detach().numpy()]), name


def test_data_is_looked_up_at_each_step() -> None:
    p = give(parameter(1.0, 2.0), 1.0, 1.0)
    optimizer = Adamax([p], lr=0.25, eps=0)
    optimizer.step()
    loaded = np.array([10.0, 20.0])
    p.data = lucid.Tensor(loaded.copy())
    optimizer.step()
    np.testing.assert_allclose(p.detach().numpy(), loaded - 0.25, rtol=1e-14)
    with lucid.no_grad():
        p.copy_(lucid.Tensor(loaded))  # in place, the same array
    optimizer.step()
    np.testing.assert_allclose(p.detach().numpy(), loaded - 0.25, rtol=1e-14)
    p.data = lucid.Tensor(loaded.astype("float32"))  # another dtype: the state follows
    optimizer.step()
    assert p.dtype == np.float32 and optimizer.state[p]["m"].dtype == np.float32
    np.testing.assert_allclose(p.detach().numpy(), loaded - 0.25, rtol=1e-6)


def test_step_leaves_gradients_and_parameters_where_they_are() -> None:
    model, x, y = model_and_data()
    optimizer = Adamax(model.parameters())
    train(model, optimizer, x, y, 1)
    before = [
        (p, p._array, p.grad, p.grad.numpy().copy(), p.dtype, p.shape, p.device) for p in model.parameters()
    ]
    optimizer.step()
    for p, (q, array, grad, values, dtype, shape, device) in zip(model.parameters(), before, strict=True):
        assert p is q and p._array is array and p.grad is grad
        assert np.array_equal(p.grad.numpy(), values)
        assert (p.dtype, p.shape, p.device) == (dtype, shape, device)
        assert not any(np.shares_memory(array, optimizer.state[p][slot]) for slot in "mu")


def test_float32_and_float64_side_by_side() -> None:
    ps = [give(parameter(1.0, 2.0, dtype=dtype), 0.1, 0.2) for dtype in ("float32", "float64", "float32")]
    optimizer = Adamax(ps, weight_decay=np.float64(0.1), lr=np.float64(0.1))  # NumPy's scalars would upcast
    for _ in range(3):
        optimizer.step()
    for p in ps:
        assert p.dtype == optimizer.state[p]["m"].dtype == optimizer.state[p]["u"].dtype == p.grad.dtype
    assert [str(p.dtype) for p in ps] == ["float32", "float64", "float32"]
    assert np.array_equal(ps[0].detach().numpy(), ps[2].detach().numpy())
    np.testing.assert_allclose(ps[0].detach().numpy(), ps[1].detach().numpy(), rtol=1e-6)


def test_half_precision_keeps_its_state_and_arithmetic_in_float32() -> None:
    """In float16 this m would be zero (0.1 * 1e-7 is below its smallest number), and so would the step."""
    small, single = parameter(0.0, dtype="float16"), parameter(0.0, dtype="float32")
    tiny = float(np.float16(1e-7))
    optimizer = Adamax([small, single], lr=0.5, eps=0)
    for _ in range(3):
        give(small, tiny)
        give(single, tiny)
        optimizer.step()
    assert small.dtype == np.float16 and small.grad.dtype == np.float16
    assert optimizer.state[small]["m"].dtype == optimizer.state[small]["u"].dtype == np.float32
    assert np.array_equal(optimizer.state[small]["m"], optimizer.state[single]["m"])
    assert small.item() == pytest.approx(-1.5, rel=1e-3)


def test_the_step_is_computed_in_double_on_the_host() -> None:
    """In float32 1 - 0.9999999**1 would be 1.2e-7 instead of 1e-7."""
    p = give(parameter(0.0, dtype="float32"), 1.0)
    Adamax([p], lr=1.0, betas=(0.9999999, 0.9), eps=0).step()
    assert p.item() == pytest.approx(-1.0, rel=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_bad_gradient_spoils_its_own_element_and_shows(bad: float) -> None:
    p, other = give(parameter(1.0, 1.0), bad, 1.0), give(parameter(1.0), 1.0)
    optimizer = Adamax([p, other], lr=0.25, eps=0)
    optimizer.step()  # warnings are errors here: there is none
    assert math.isnan(p.detach().numpy()[0])
    assert p.detach().numpy()[1] == other.item() == 0.75
    give(p, 1.0, 1.0)
    optimizer.step()
    assert math.isnan(p.detach().numpy()[0]) and p.detach().numpy()[1] == 0.5
