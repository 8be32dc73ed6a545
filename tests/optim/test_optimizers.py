"""One table for all optimizers that are rules: PyTorch's numbers, programs, state, half precision, what is refused."""

import copy
import inspect
import itertools
import math
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.core.array import cpu
from lucid.optim.nadam import product_of_mus
from lucid.optim.rule import evaluate_rule
from tests.optim.training import equal, give, model_and_data, parameter, run_in_place, train, weights

DECAYS, UP = [{}, {"weight_decay": 0.1}], [{}, {"maximize": True}]


def every(*choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All combinations, as one dict each."""
    return [{k: v for part in parts for k, v in part.items()} for parts in itertools.product(*choices)]


DECOUPLED = [{}, {"weight_decay": 0.1, "decoupled_weight_decay": True}]
BOTH = [{}, {"weight_decay": 0.1, "maximize": True}]
TABLE: dict[str, list[dict[str, Any]]] = {
    "SGD": [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
            {"momentum": 0.8, "dampening": 0.3}],
    "Adam": every(BOTH, [{}, {"amsgrad": True}]),
    "AdamW": every(BOTH, [{}, {"amsgrad": True}]),
    "Adamax": [{**options, "eps": 0.0} for options in DECAYS],
    "AdamaxW": [{}, *every([{"weight_decay": 0.0}, {"weight_decay": 0.1}], UP), {"betas": (0.5, 0.0), "eps": 0.1}],
    "NAdam": [*BOTH, *every(DECOUPLED[1:], UP), {"momentum_decay": 0.5, "betas": (0.99, 0.9)},
              {"betas": (0.0, 0.5), "eps": 0.1}],
    "RAdam": [*BOTH, *every(DECOUPLED[1:], UP), {"betas": (0.8, 0.9)}, {"betas": (0.5, 0.0), "eps": 0.1}],
    "Adagrad": [*every(DECAYS, UP), {"lr_decay": 0.01, "initial_accumulator_value": 0.3}, {"eps": 0.1}],
    "Adadelta": [*every(DECAYS, UP), {"rho": 0.5, "eps": 1e-3}, {"lr": 0.1, "rho": 1.0}],
    "RMSprop": every(BOTH, [{}, {"momentum": 0.9}], [{}, {"centered": True}]),
    "Rprop": [*UP, {"etas": (0.3, 2.0), "step_sizes": (1e-3, 0.1)}, {"lr": 100.0}],
    "ASGD": [*every(DECAYS, UP), {"t0": 100.0}, {"t0": 0.0, "lambd": 0.1, "alpha": 0.5}],
    "Lion": [{}, {"weight_decay": 0.1}, {"betas": (0.5, 0.0)}],
}  # fmt: skip
ROWS = [pytest.param(name, options, id=f"{name}-{options}") for name, rows in TABLE.items() for options in rows]
rows = pytest.mark.parametrize("name, options", ROWS)
kinds = pytest.mark.parametrize("name", TABLE)
IN_TORCH = [row for row in ROWS if row.values[0] not in ("Lion", "AdamaxW")]
GIVEN = {"Adagrad": {"lr": 0.1}, "ASGD": {"lr": 0.05}, "Adadelta": {"lr": 1.0}, "Lion": {"lr": 0.01}}


def gradients(steps: int, start: int = 0, shape: tuple[int, ...] = (4, 3)) -> Iterator[np.ndarray]:
    """Sparse ones, with spikes, steps without any, and a row that is zero; but the first has no zero at all."""
    for t in range(start, start + steps):
        rng = np.random.default_rng(t)
        g = rng.standard_normal(shape) * (rng.random(shape) < 0.5) * (1e3 if t % 100 == 50 else 1)
        g[0] = 0
        yield g * (t % 7 != 3) if t else rng.standard_normal(shape)  # Adamax without eps would divide 0 by 0


@pytest.fixture
def torch() -> Iterator[Any]:
    """PyTorch with numbers in float64: NAdam's and ASGD's own are kept in its default dtype."""
    import torch

    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(torch.float32)


def move(optimizer: Any, p: Any, grads: Iterator[np.ndarray], tensor: Any) -> None:
    for g in grads:
        p.grad = tensor(g)
        optimizer.step()


# -- PyTorch's ------------------------------------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("name, options", IN_TORCH)
def test_it_takes_pytorchs_steps(torch: Any, name: str, options: dict[str, Any]) -> None:
    start = np.random.default_rng(1).standard_normal((4, 3))
    ours, theirs = nn.Parameter(start), torch.nn.Parameter(torch.tensor(start))
    optimizer, reference = getattr(optim, name)([ours], **options), getattr(torch.optim, name)([theirs], **options)
    for t, g in enumerate(gradients(1000)):
        ours.grad, theirs.grad = lucid.Tensor(g), torch.tensor(g)
        optimizer.step()
        reference.step()
        if t % 50 > 1:
            continue
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-10)
    for key, slot in optimizer.torch_slot_names.items():  # what is remembered, too
        if slot in optimizer.state[ours]:
            np.testing.assert_allclose(
                optimizer.state[ours][slot], reference.state[theirs][key], rtol=1e-10, atol=1e-10
            )
    assert np.isfinite(ours.detach().numpy()).all() and not np.allclose(ours.detach().numpy()[1:], start[1:], atol=1e-3)


@pytest.mark.parity
@pytest.mark.parametrize("name", [name for name in TABLE if name not in ("Lion", "AdamaxW")])
def test_its_arguments_and_defaults_are_pytorchs(torch: Any, name: str) -> None:
    ours, theirs = (inspect.signature(getattr(module, name)).parameters for module in (optim, torch.optim))
    absent = {"foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay"} - ours.keys()
    absent |= {"maximize"} if name == "Adamax" else set()  # its signature is given by the spec
    assert list(ours) == [argument for argument in theirs if argument not in absent]
    for argument, one in ours.items():
        assert argument == "params" or one.default == theirs[argument].default


@pytest.mark.parity
@pytest.mark.parametrize("name, options", IN_TORCH)
def test_training_that_pytorch_began_goes_on_here(torch: Any, name: str, options: dict[str, Any]) -> None:
    start = [np.random.default_rng(i).standard_normal((4, 3)) for i in range(2)]
    theirs = [torch.nn.Parameter(torch.tensor(s)) for s in start]
    reference = getattr(torch.optim, name)(
        [{"params": [p], "lr": 0.01 * (i + 1)} for i, p in enumerate(theirs)], **options
    )
    for g in gradients(60):
        for p in theirs:
            p.grad = torch.tensor(g)
        reference.step()
    held = [p.detach().numpy().copy() for p in theirs]
    saved = reference.state_dict()
    saved["state"] = {
        i: {k: v.numpy().copy() if hasattr(v, "numpy") else v for k, v in entry.items()}
        for i, entry in saved["state"].items()
    }

    ours = [nn.Parameter(array) for array in held]
    optimizer = getattr(optim, name)([{"params": [p]} for p in ours])
    optimizer.load_state_dict(saved)
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.02]
    for g in gradients(60, 60):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad, other.grad = lucid.Tensor(g), torch.tensor(g)
        optimizer.step()
        reference.step()
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=1e-10, atol=1e-10)
    keys = lambda optimizer: optimizer.state_dict()["param_groups"][0].keys()
    assert keys(optimizer) == keys(getattr(optim, name)([parameter(1.0)]))


@pytest.mark.parity
def test_adamax_from_pytorch_says_where_eps_stands(torch: Any) -> None:
    theirs = torch.nn.Parameter(torch.ones(2))
    reference = torch.optim.Adamax([theirs])
    move(reference, theirs, gradients(1, shape=(2,)), torch.tensor)
    saved = reference.state_dict()
    p = parameter(1.0, 1.0)
    with pytest.warns(
        UserWarning,
        match=r"^Adamax.load_state_dict: PyTorch's Adamax adds eps to \|grad\| inside .* eps=1e-08; with eps=0 both",
    ):
        optim.Adamax([p]).load_state_dict(saved)


@pytest.mark.parity
def test_an_adamax_that_goes_uphill_stays_with_pytorch(torch: Any) -> None:
    saved = torch.optim.Adamax([torch.nn.Parameter(torch.ones(2))], maximize=True).state_dict()
    sentence = (
        r"it is of an Adamax with maximize=True, which goes uphill; set its group\['maximize'\] to False and negate "
        r"the loss, or load it into AdamaxW\(..., weight_decay=0\)"
    )
    with pytest.raises(ValueError, match=sentence):
        optim.Adamax([parameter(1.0, 1.0)]).load_state_dict(saved)


@pytest.mark.parity
@pytest.mark.parametrize("way", ["AdamaxW", "the loss negated"])
def test_an_adamax_that_went_uphill_goes_on_both_ways(torch: Any, way: str) -> None:
    theirs, p = torch.nn.Parameter(torch.ones(4, 3)), parameter(*np.ones(12))
    reference = torch.optim.Adamax([theirs], lr=0.01, eps=0.0, maximize=True)
    move(reference, theirs, gradients(9), torch.tensor)
    p = nn.Parameter(theirs.detach().numpy().copy())
    saved = reference.state_dict()
    saved["state"] = {i: {k: v.numpy().copy() for k, v in entry.items()} for i, entry in saved["state"].items()}
    optimizer = optim.AdamaxW([p], weight_decay=0)
    if way != "AdamaxW":
        optimizer, saved["param_groups"][0]["maximize"] = optim.Adamax([p]), False
    optimizer.load_state_dict(saved)
    move(optimizer, p, ((g if way == "AdamaxW" else -g) for g in gradients(50, 9)), lucid.tensor)
    move(reference, theirs, gradients(50, 9), torch.tensor)
    np.testing.assert_allclose(p.detach().numpy(), theirs.detach().numpy(), rtol=1e-10)


@pytest.mark.parity
def test_a_decay_inside_the_gradient_is_not_adamaxws(torch: Any) -> None:
    saved = torch.optim.Adamax([torch.nn.Parameter(torch.ones(2))], weight_decay=0.1).state_dict()
    with pytest.raises(ValueError, match="its weight decay is not decoupled, which makes it the state of Adamax; load"):
        optim.AdamaxW([parameter(1.0, 1.0)]).load_state_dict(saved)


@pytest.mark.parametrize("kind", [optim.Adamax, optim.Lion, optim.LBFGS])
def test_who_wants_to_go_uphill_is_never_told_to_leave_it_out(kind: Any) -> None:
    ways = r"to go uphill negate the loss, \(-loss\).backward\(\)"
    ways += r", or use AdamaxW\(..., weight_decay=0, maximize=True\)$" if kind is optim.Adamax else "$"
    with pytest.raises(TypeError, match=rf"^{kind.__name__}: got the keyword 'maximize', expected .*; {ways}"):
        kind([parameter(1.0)], maximize=True)
    with pytest.raises(TypeError, match=f"got the keyword 'maximize', .*; {ways}"):
        kind([parameter(1.0)], foreach=True, maximize=True)
    with pytest.raises(TypeError, match=rf"^{kind.__name__}, group 0: got maximize=True, which .* not have; {ways}"):
        kind([{"params": [parameter(1.0)], "maximize": True}])


def adamaxw_by_hand(
    theta: Any, grads: Any, lr: float = 2e-3, betas: Any = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 1e-4,
    maximize: bool = False,
) -> Any:  # fmt: skip
    """optax's chain: scale_by_adamax, add_decayed_weights, scale_by_learning_rate; but for where eps stands."""
    m = u = np.zeros_like(theta)
    for t, g in enumerate(grads, 1):
        g = -g if maximize else g
        m = betas[0] * m + (1 - betas[0]) * g
        u = np.maximum(betas[1] * u, np.abs(g))
        theta = theta - lr * (m / (1 - betas[0] ** t) / (u + eps) + weight_decay * theta)
    return theta


@pytest.mark.parametrize("options", TABLE["AdamaxW"], ids=str)
def test_adamaxw_takes_optaxs_steps(options: dict[str, Any]) -> None:
    start = np.random.default_rng(1).standard_normal((4, 3))
    p = nn.Parameter(start)
    move(optim.AdamaxW([p], **options), p, gradients(300), lucid.tensor)
    np.testing.assert_allclose(p.detach().numpy(), adamaxw_by_hand(start, gradients(300), **options), rtol=1e-11)


def test_adamaxw_without_decay_is_adamax_to_the_bit() -> None:
    p, q = (nn.Parameter(np.random.default_rng(1).standard_normal((4, 3))) for _ in range(2))
    move(optim.AdamaxW([p], weight_decay=0), p, gradients(50), lucid.tensor)
    move(optim.Adamax([q]), q, gradients(50), lucid.tensor)
    assert equal([p.detach().numpy()], [q.detach().numpy()])


@pytest.mark.parity
@pytest.mark.parametrize("mine, theirs, options", [("Adam", "AdamW", {}), ("AdamW", "Adam", {"weight_decay": 0.1})])
def test_decoupled_decay_is_not_taken_for_the_other(
    torch: Any, mine: str, theirs: str, options: dict[str, Any]
) -> None:
    saved = getattr(torch.optim, theirs)([torch.nn.Parameter(torch.ones(2))], **options).state_dict()
    with pytest.raises(ValueError, match=rf"which makes it the state of {theirs}; load it into lucid.optim.{theirs}"):
        getattr(optim, mine)([parameter(1.0, 1.0)]).load_state_dict(saved)
    getattr(optim, theirs)([parameter(1.0, 1.0)]).load_state_dict(saved)


def lion_by_hand(theta: Any, grads: Any, lr: float = 1e-4, betas: Any = (0.9, 0.99), weight_decay: float = 0) -> Any:
    """Algorithm 2 of arXiv 2302.06675, line by line."""
    m = np.zeros_like(theta)
    for g in grads:
        c = betas[0] * m + (1 - betas[0]) * g
        theta = theta - lr * (np.sign(c) + weight_decay * theta)
        m = betas[1] * m + (1 - betas[1]) * g
    return theta


@pytest.mark.parametrize("options", TABLE["Lion"], ids=str)
def test_lion_takes_the_papers_steps(options: dict[str, Any]) -> None:
    start = np.random.default_rng(1).standard_normal((4, 3))
    p = nn.Parameter(start)
    move(optim.Lion([p], **options), p, gradients(1000), lucid.Tensor)
    np.testing.assert_allclose(p.detach().numpy(), lion_by_hand(start, gradients(1000), **options), rtol=0, atol=1e-10)
    assert optim.Lion([p]).defaults == {"lr": 1e-4, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0}


# -- rules and programs ---------------------------------------------------------------------------------------


@rows
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_rule_has_a_program_which_gives_the_same_bits(name: str, options: dict[str, Any], dtype: str) -> None:
    optimizer = getattr(optim, name)([parameter(1.0)], **options)
    (settings,) = optimizer._read_groups()
    for t in (1, 7, 300):
        scalars = optimizer.step_scalars(settings.checked, t)
        rng = np.random.default_rng(0)
        theta, g = (rng.standard_normal(99).astype(dtype) for _ in range(2))
        g[:5] = [0.0, np.inf, -np.inf, np.nan, 1e30]
        memory = [None if slot is None else np.abs(rng.standard_normal(99)).astype(dtype) for slot in settings.slots]
        with np.errstate(all="ignore"):
            new, state = evaluate_rule(optimizer.rule, cpu, theta, g, memory, scalars, settings.static)
            compiled = run_in_place(optimizer.rule, settings.slots, scalars, settings.static, theta, g, memory)
        assert compiled.workspace <= 4
        for found, value in zip([theta, *memory], [new, *state], strict=True):
            if found is not None:
                assert found.dtype == value.dtype and found.tobytes() == value.tobytes()


@kinds
@pytest.mark.parametrize("spoiled", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_spoils_its_own_element_alone(name: str, spoiled: float) -> None:
    found = []
    for first in (1.0, spoiled):
        p = parameter(1.0, 2.0, 3.0)
        optimizer = getattr(optim, name)([p])
        for g in ((0.5, 0.5, 0.5), (first, -1.0, 1.0), (1.0, 1.0, 1.0)):
            give(p, *g)
            optimizer.step()
        found.append(p.detach().numpy().copy())
    assert np.array_equal(found[0][1:], found[1][1:]) and np.isfinite(found[0]).all()
    signs_survive = name in ("Rprop", "Lion") and math.isinf(spoiled)  # an infinite gradient has a sign like any other
    assert signs_survive or not np.isfinite(found[1][0]) or name in ("Adagrad", "Adadelta") and math.isinf(spoiled)


def test_centered_rmsprop_survives_gradients_that_are_all_alike() -> None:
    """v - m * m is then nothing but rounding, and below zero at times."""
    p = give(parameter(1.0, dtype="float32"), 0.1)
    optimizer = optim.RMSprop([p], centered=True, lr=1e-12)
    below = 0
    for _ in range(3000):
        optimizer.step()
        v, m = optimizer.state[p]["v"], optimizer.state[p]["m"]
        below += bool(v < m * m)
    assert below and np.isfinite(p.item())


def test_radam_divides_from_the_sixth_update_on() -> None:
    options = {"lr": 0.1, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0}
    assert [optim.RAdam.step_scalars(options, t)[2] for t in range(1, 8)] == [False] * 5 + [True] * 2


def test_the_product_of_nadams_momenta_depends_on_nothing_but_its_arguments() -> None:
    def product(beta1: float, psi: float, t: int) -> float:
        return math.prod(beta1 * (1 - 0.5 * 0.96 ** (i * psi)) for i in range(1, t + 1))

    for beta1, psi in ((0.9, 4e-3), (0.9, 0.5), (0.0, 1.0), (0.99, 30.0)):
        for t in (300, 5, 0, 40, 41):
            assert 1 - product_of_mus(beta1, psi, t) == 1 - product(beta1, psi, t)
    assert len(optim.nadam._products(0.9, 4e-3)) < 70


def test_rprops_steps_begin_at_lr_and_adagrads_sum_where_it_is_told_to() -> None:
    small, big = parameter(1.0, 2.0), nn.Parameter(np.ones((100, 100)))
    for optimizer, slot in (
        (optim.Rprop([small, big], lr=0.25), "delta"),
        (optim.Adagrad([small, big], initial_accumulator_value=0.25), "G"),
    ):
        for p in (small, big):
            p.grad = lucid.zeros(*p.shape, dtype=lucid.float64)
        optimizer.step()
        for p in (small, big):
            assert (optimizer.state[p][slot] == 0.25).all()


def test_rprops_pairs_are_two_keys_each_and_agree_with_one_another() -> None:
    p = parameter(1.0)
    optimizer = optim.Rprop([{"params": [p], "etas": (0.25, 1.5)}])
    group = optimizer.param_groups[0]
    assert (group["eta_minus"], group["eta_plus"], group["step_min"], group["step_max"]) == (0.25, 1.5, 1e-6, 50)
    assert "etas" not in group and "betas" not in group
    group.update(step_sizes=(1.0, 2.0))  # past what assignment does
    with pytest.raises(
        ValueError,
        match=r"^Rprop, group 0: step_sizes and step_min must agree, got step_sizes=\(1.0, 2.0\) and step_min=1e-06",
    ):
        give(p, 1.0)
        optimizer.step()


@kinds
def test_a_group_answers_to_its_pairs_and_splits_one_that_is_set(name: str) -> None:
    optimizer = getattr(optim, name)([give(parameter(1.0), 1.0)])
    group = optimizer.param_groups[0]
    keys = list(group)
    for pair, singles in optimizer.pairs.items():
        if singles[0] not in group:
            with pytest.raises(KeyError, match=singles[0]):
                group[pair]
            continue
        assert group[pair] == tuple(group[single] for single in singles)
        low = [0.5 if pair != "etas" else x for x in group[pair]]
        group[pair] = low
        assert [group[single] for single in singles] == low and list(group) == keys
        for copied in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
            assert copied.param_groups[0][pair] == tuple(low)
            copied.param_groups[0][pair] = (0.25, 1.25)
            assert copied.param_groups[0][singles[0]] == 0.25 and group[singles[0]] == low[0]
    with pytest.raises(KeyError, match="'pairs'"):
        group["pairs"]
    optimizer.step()
    assert list(optimizer.state_dict()["param_groups"][0]) == [*(key for key in keys if key != "params"), "params"]


def test_a_group_may_be_one_tensor() -> None:
    a, b = (give(parameter(1.0, 2.0), 1.0, 1.0) for _ in range(2))
    optimizer = optim.SGD([{"params": a}, {"params": b, "lr": 0.5}], lr=0.25)
    optimizer.add_param_group({"params": (c := give(parameter(1.0), 1.0))})
    assert [group["params"] for group in optimizer.param_groups] == [[a], [b], [c]]
    optimizer.step()
    assert (a.tolist(), b.tolist(), c.tolist()) == ([0.75, 1.75], [0.5, 1.5], [0.75])


@kinds
def test_options_of_pytorchs_that_change_nothing_are_accepted(name: str) -> None:
    kind, p = getattr(optim, name), parameter(1.0)
    neutral = {"foreach": None, "fused": True, "capturable": False, "differentiable": False, "maximize": False}
    assert kind([p], **neutral).defaults == kind([p]).defaults
    for wrong in ({"differentiable": True}, {"foreach": 1}, {"capturable": "no"}):
        with pytest.raises(TypeError, match=f"^{name}: got the keyword '{next(iter(wrong))}', .*; leave it out$"):
            kind([p], **wrong)


def test_a_pair_that_is_changed_in_place_is_noticed() -> None:
    optimizer = optim.NAdam([give(parameter(1.0), 1.0)])
    pair = [0.9, 0.999]
    optimizer.param_groups[0].update(betas=pair)  # past what assignment does; the same as the two keys say: harmless
    optimizer.step()
    pair[0] = 0.5
    with pytest.raises(ValueError, match=r"betas and beta1 must agree, got betas=\[0.5, 0.999\] and beta1=0.9"):
        optimizer.step()


# -- state ----------------------------------------------------------------------------------------------------


@rows
def test_it_resumes_to_the_bit(name: str, options: dict[str, Any], tmp_path: Any) -> None:
    model, x, y = model_and_data()
    optimizer = getattr(optim, name)(model.parameters(), **GIVEN.get(name, {}) | options)
    train(model, optimizer, x, y, 8)
    lucid.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "run.npz")
    train(model, optimizer, x, y, 8)

    again, *_ = model_and_data(seed=1)
    fresh = getattr(optim, name)(again.parameters())
    saved = lucid.load(tmp_path / "run.npz")
    again.load_state_dict(saved["model"])
    fresh.load_state_dict(saved["optimizer"])
    train(again, fresh, x, y, 8)
    assert equal(weights(model), weights(again)) and repr(optimizer) == repr(fresh)
    mine, other = optimizer.state_dict(), fresh.state_dict()
    assert mine["param_groups"] == other["param_groups"] and mine["state"].keys() == other["state"].keys()
    for i, entry in mine["state"].items():
        assert entry.keys() == other["state"][i].keys() and all(
            np.array_equal(v, other["state"][i][k]) for k, v in entry.items()
        )


@kinds
def test_its_state_is_what_its_docstring_says(name: str) -> None:
    p = give(parameter(1.0, 2.0), 1.0, 1.0)
    optimizer = getattr(optim, name)([p], **{"momentum": 0.9} if name == "SGD" else {})
    assert optimizer.state == {}
    optimizer.step()
    kept = [slot for slot in optimizer.slots if slot not in optimizer.optional_slots or name == "SGD"]
    assert list(optimizer.state[p]) == ["t", *kept] and optimizer.state[p]["t"] == 1
    documented = getattr(optim, name).__doc__.partition("state: ")[2].partition("Raises")[0]
    assert all(f'"{slot}"' in documented for slot in optimizer.slots) or name in ("SGD", "AdamW", "AdamaxW")


@kinds
def test_half_precision_keeps_its_state_and_arithmetic_in_float32(name: str) -> None:
    start, grads = np.array([1.0, -2.0, 0.5]), [np.array([1e-4, 2.0, -3e-3]), np.array([2e-4, -1.0, 1e-3])]
    found = {}
    for dtype in ("float16", "float32"):
        p = nn.Parameter(start.astype(dtype))
        optimizer = getattr(optim, name)([p], lr=0.125)
        for g in grads:
            p.grad = lucid.Tensor(g.astype("float16").astype(dtype))
            optimizer.step()
        assert p.dtype == dtype
        slots = [optimizer.state[p][slot] for slot in optimizer.slots if slot in optimizer.state[p]]
        assert all(array.dtype == np.float32 for array in slots)
        found[dtype] = p.detach().numpy()
    np.testing.assert_allclose(found["float16"], found["float32"], rtol=4e-3)


@kinds
def test_it_learns(name: str) -> None:
    rates = {"RAdam": 0.1, "Adadelta": 10.0, "Rprop": 0.01, "Lion": 0.005, "Adagrad": 0.3, "ASGD": 0.2, "SGD": 0.2}
    model, x, y = model_and_data()
    before = ((model(x) - y) ** 2).mean().item()
    train(model, getattr(optim, name)(model.parameters(), lr=rates.get(name, 0.02)), x, y, 150)
    assert ((model(x) - y) ** 2).mean().item() < before / 3


@kinds
def test_a_parameter_without_a_gradient_is_passed_over_and_a_new_lr_counts_at_once(name: str) -> None:
    a, b = give(parameter(1.0), 1.0), parameter(1.0)
    optimizer = getattr(optim, name)([a, b], lr=0.5)
    optimizer.step()
    assert b.item() == 1.0 and b not in optimizer.state
    optimizer.param_groups[0]["lr"] = 0.0
    before = a.item()
    optimizer.step()
    assert name == "Rprop" or a.item() == before


# -- refused --------------------------------------------------------------------------------------------------

POSITIVE = "must be a finite number of 0 or more"
BAD: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    *[(name, {"lr": value}, ValueError, f"lr {POSITIVE}, got {value}") for name in TABLE
      for value in (-1.0, math.nan, math.inf)],
    *[(name, {"lr": "fast"}, TypeError, f"lr {POSITIVE}, got 'fast'; .* instead of a str") for name in TABLE],
    *[(name, {"weight_decay": -0.1}, ValueError, f"weight_decay {POSITIVE}, got -0.1") for name in TABLE
      if name != "Rprop"],
    ("Adam", {"learning_rate": 1}, TypeError, "got the keyword 'learning_rate', expected params, lr, .*; write lr$"),
    *[(name, {"betas": (0.9, 1.0)}, ValueError, r"beta2 must be a number in \[0, 1\), got 1.0")
      for name in ("NAdam", "RAdam", "Lion")],
    *[(name, {"betas": 0.9}, TypeError, r"betas must be a pair of numbers, got 0.9; write betas=\(beta1, beta2\)")
      for name in ("NAdam", "RAdam", "Lion")],
    *[(name, {"decoupled_weight_decay": 1}, TypeError, "decoupled_weight_decay must be True or False, got 1")
      for name in ("NAdam", "RAdam")],
    *[(name, {"eps": -1e-8}, ValueError, f"eps {POSITIVE}, got -1e-08")
      for name in ("NAdam", "RAdam", "Adagrad", "Adadelta", "RMSprop")],
    *[(name, {"maximize": "yes"}, TypeError, "maximize must be True or False, got 'yes'")
      for name in ("NAdam", "RAdam", "Adagrad", "Adadelta", "RMSprop", "Rprop", "ASGD")],
    ("NAdam", {"momentum_decay": math.nan}, ValueError, f"momentum_decay {POSITIVE}, got nan"),
    ("Adagrad", {"lr_decay": -0.1}, ValueError, f"lr_decay {POSITIVE}, got -0.1"),
    ("Adagrad", {"initial_accumulator_value": -1}, ValueError, f"initial_accumulator_value {POSITIVE}, got -1"),
    ("Adadelta", {"rho": 1.5}, ValueError, r"rho must be a number in \[0, 1\], got 1.5"),
    ("RMSprop", {"alpha": -0.1}, ValueError, r"alpha must be a number in \[0, 1\], got -0.1"),
    ("RMSprop", {"momentum": math.inf}, ValueError, f"momentum {POSITIVE}, got inf"),
    ("RMSprop", {"centered": 1}, TypeError, "centered must be True or False, got 1"),
    ("Rprop", {"etas": (1.5, 2.0)}, ValueError, r"eta_minus must be a number in \(0, 1\), got 1.5"),
    ("Rprop", {"etas": (0.5, 1.0)}, ValueError, "eta_plus must be a finite number above 1, got 1.0"),
    ("Rprop", {"etas": 0.5}, TypeError, r"etas must be a pair of numbers, got 0.5; write etas=\(eta_minus, eta_plus\)"),
    ("Rprop", {"step_sizes": (2.0, 1.0)}, ValueError,
     "step_min must be at most step_max, got step_min=2.0 and step_max=1.0; write step_sizes="),
    ("Rprop", {"step_sizes": (-1.0, 1.0)}, ValueError, f"step_min {POSITIVE}, got -1.0"),
    ("Rprop", {"weight_decay": 0.1}, TypeError,
     "got the keyword 'weight_decay', expected params, lr, etas, step_sizes, maximize; leave it out"),
    ("ASGD", {"lambd": -1e-4}, ValueError, f"lambd {POSITIVE}, got -0.0001"),
    ("ASGD", {"alpha": math.nan}, ValueError, f"alpha {POSITIVE}, got nan"),
    ("ASGD", {"t0": -1}, ValueError, f"t0 {POSITIVE}, got -1"),
]  # fmt: skip


@pytest.mark.parametrize("name, options, error, text", BAD, ids=[f"{name}-{options}" for name, options, *_ in BAD])
def test_bad_numbers_are_refused(name: str, options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^{name}: {text}"):
        getattr(optim, name)([parameter(1.0)], **options)
    (key,) = options
    if key in inspect.signature(getattr(optim, name)).parameters:
        optimizer = getattr(optim, name)([parameter(1.0)])
        with pytest.raises(error, match=f"^{name}, group 1: {text}"):
            optimizer.add_param_group({"params": [parameter(1.0)], **options})
        assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("mine", TABLE)
@pytest.mark.parametrize("other", [*TABLE, "LBFGS"])
def test_state_of_another_optimizer_is_refused_by_name(mine: str, other: str) -> None:
    p = give(parameter(1.0), 1.0)
    one = getattr(optim, other)([p], **{"momentum": 0.9} if other == "SGD" else {})
    one.step(*[lambda: 1.0] if other == "LBFGS" else [])
    saved, optimizer = one.state_dict(), getattr(optim, mine)([p], lr=0.25)
    if {mine, other} in ({"Adam"}, {"AdamW"}, {"Adam", "AdamW"}) or mine == other:
        optimizer.load_state_dict(saved)  # the same state
        return
    named = {"Adam": "Adam or AdamW", "AdamW": "Adam or AdamW"}.get(other, other)
    with pytest.raises(
        ValueError,
        match=rf"^{mine}.load_state_dict: this state does not fit, nothing was loaded:(.|\n)*it looks like the state "
              rf"of {named}; load it into one",
    ):
        optimizer.load_state_dict(saved)
    assert optimizer.state == {} and optimizer.param_groups[0]["lr"] == 0.25
