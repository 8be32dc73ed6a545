"""Schedules: their formulas, PyTorch's numbers, what they refuse, and going on where one stopped."""

import copy
import inspect
import itertools
import json
import math
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import optim
from lucid.optim import SGD, Adam, lr_scheduler
from lucid.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    NoamScheduler,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from tests.optim.training import equal, give, model_and_data, parameter, train, weights

BASES = (0.5, 0.02, 3.0)
pytestmark = pytest.mark.filterwarnings("ignore:.*before the first optimizer.step:UserWarning")  # what few tests need

# name, arguments, and the docstring's formula
ROWS: list[tuple[str, dict[str, Any], Callable[[int, float], float] | None]] = [
    ("StepLR", {"step_size": 7, "gamma": 0.95}, lambda t, base: base * 0.95 ** (t // 7)),
    ("StepLR", {"step_size": 30}, lambda t, base: base * 0.1 ** (t // 30)),
    ("StepLR", {"step_size": 1, "gamma": 0.0}, lambda t, base: 0.0 if t else base),
    ("MultiStepLR", {"milestones": [3, 100, 100, 40, 999]},
     lambda t, base: base * 0.1 ** sum(t >= m for m in (3, 100, 100, 40, 999))),
    ("MultiStepLR", {"milestones": [], "gamma": 0.5}, lambda t, base: base),
    ("ExponentialLR", {"gamma": 0.99}, lambda t, base: base * 0.99**t),
    ("ExponentialLR", {"gamma": 1.001}, lambda t, base: base * 1.001**t),
    ("LinearLR", {}, lambda t, base: base * (1 / 3 + 2 / 3 * min(t, 5) / 5)),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 300},
     lambda t, base: base * max(0, 1 - t / 300)),
    ("LinearLR", {"start_factor": 0.01, "end_factor": 0.5, "total_iters": 1},
     lambda t, base: base * (0.5 if t else 0.01)),
    ("CosineAnnealingLR", {"T_max": 1000}, lambda t, base: base * (1 + math.cos(math.pi * t / 1000)) / 2),
    ("CosineAnnealingLR", {"T_max": 13, "eta_min": 0.01},
     lambda t, base: 0.01 + (base - 0.01) * (1 + math.cos(math.pi * t / 13)) / 2),
    ("CosineAnnealingLR", {"T_max": 1}, lambda t, base: base * (1 - t % 2)),
    ("LambdaLR", {"lr_lambda": lambda t: 1 / (2 + t)}, lambda t, base: base / (2 + t)),
    ("MultiplicativeLR", {"lr_lambda": lambda t: 0.99 if t % 2 else 1.001},
     lambda t, base: base * 0.99 ** ((t + 1) // 2) * 1.001 ** (t // 2)),
    ("ConstantLR", {}, lambda t, base: base / 3 if t < 5 else base),
    ("ConstantLR", {"factor": 0.1, "total_iters": 200}, lambda t, base: base * 0.1 if t < 200 else base),
    ("MultiStepLR", {"milestones": [0, 3]}, lambda t, base: base * 0.1 ** (1 + (t >= 3))),
    ("ConstantLR", {"factor": 0.5, "total_iters": 0}, lambda t, base: base * 0.5),
    ("ConstantLR", {"factor": 0.0, "total_iters": 0}, lambda t, base: 0.0),
    ("PolynomialLR", {}, lambda t, base: base * max(0, 1 - t / 5)),
    ("PolynomialLR", {"total_iters": 1500, "power": 2.5}, lambda t, base: base * (1 - t / 1500) ** 2.5),
    ("PolynomialLR", {"total_iters": 300, "power": 0.5}, lambda t, base: base * max(0, 1 - t / 300) ** 0.5),
    ("PolynomialLR", {"total_iters": 3, "power": 0}, lambda t, base: base),
    ("CosineAnnealingWarmRestarts", {"T_0": 13, "eta_min": 0.01},
     lambda t, base: 0.01 + (base - 0.01) * (1 + math.cos(math.pi * (t % 13) / 13)) / 2),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2},
     lambda t, base: base * (1
                             + math.cos(math.pi * (t + 5 - 5 * (n := 2 ** int(math.log2(t / 5 + 1)))) / (5 * n))) / 2),
    ("CosineAnnealingWarmRestarts", {"T_0": 1}, lambda t, base: base),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 7},
     lambda t, base: 0.1 + 0.4 * (1 - abs((t % 14) / 7 - 1))),
    ("CyclicLR",
     {"base_lr": 0.1, "max_lr": [0.5, 0.1, 0.0], "step_size_up": 3, "step_size_down": 11, "mode": "triangular2"}, None),
    ("CyclicLR", {"base_lr": [0.1, 0.2, 0.3], "max_lr": 1.0, "step_size_up": 20, "mode": "exp_range", "gamma": 0.995},
     None),
    ("CyclicLR", {"base_lr": 0.0, "max_lr": 1.0, "step_size_up": 4, "scale_fn": lambda n: 1 / n},
     lambda t, base: (1 - abs((t % 8) / 4 - 1)) / (t // 8 + 1)),
    ("CyclicLR",
     {"base_lr": 0.0, "max_lr": 1.0, "step_size_up": 4, "scale_fn": lambda t: 0.99**t, "scale_mode": "iterations"},
     None),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 1002}, None),
    ("OneCycleLR",
     {"max_lr": [0.5, 0.1, 2.0], "epochs": 30, "steps_per_epoch": 50, "anneal_strategy": "linear", "div_factor": 10.0,
      "final_div_factor": 3.0}, None),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 1002, "three_phase": True, "pct_start": 0.4}, None),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 1002, "pct_start": 0.0, "anneal_strategy": "linear"},
     lambda t, base: 0.5 - (0.5 - 2e-6) * (t + 1) / 1002),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 1002, "pct_start": 1.0},
     lambda t, base: 0.02 + 0.48 * (1 - math.cos(math.pi * t / 1001)) / 2),
    ("NoamScheduler", {"model_size": 512, "warmup_steps": 400},
     lambda t, base: 512**-0.5 * min(max(t, 1) ** -0.5, max(t, 1) * 400**-1.5)),
    ("NoamScheduler", {"model_size": 64, "warmup_steps": 1, "factor": 2.0},
     lambda t, base: 2 * 64**-0.5 * max(t, 1) ** -0.5),
]  # fmt: skip
FUNCTIONS = ("LambdaLR", "MultiplicativeLR")
IDS = [name if name in FUNCTIONS else f"{name}{[v for v in a.values() if not callable(v)]}" for name, a, _ in ROWS]
formulas = pytest.mark.parametrize("name, arguments, formula", [row for row in ROWS if row[2]],
                                   ids=[i for i, row in zip(IDS, ROWS, strict=True) if row[2]])
rows = pytest.mark.parametrize("name, arguments, formula", ROWS, ids=IDS)
PYTORCHS = [name for name in dict.fromkeys(name for name, *_ in ROWS) if name != "NoamScheduler"]


def several(kind: Any = SGD) -> optim.Optimizer:
    """An optimizer with three groups."""
    return kind([{"params": [give(parameter(1.0), 1.0)], "lr": lr} for lr in BASES])


def theirs() -> Any:
    import torch

    def one() -> Any:
        p = torch.nn.Parameter(torch.ones(1))
        p.grad = torch.ones(1)
        return p

    return torch.optim.SGD([{"params": [one()], "lr": lr} for lr in BASES])


def rates(optimizer: Any) -> list[float]:
    return [group["lr"] for group in optimizer.param_groups]


# -- the formulas --------------------------------------------------------------------------------------------


@formulas
def test_the_formula_in_the_docstring(
    name: str, arguments: dict[str, Any], formula: Callable[[int, float], float]
) -> None:
    optimizer = several()
    scheduler = getattr(lr_scheduler, name)(optimizer, **arguments)
    for t in range(1001):
        assert scheduler.last_epoch == t and scheduler.get_last_lr() == rates(optimizer)
        np.testing.assert_allclose(rates(optimizer), [formula(t, base) for base in BASES], rtol=1e-9, atol=1e-12)
        assert all(type(lr) is float for lr in rates(optimizer))
        scheduler.step()


@pytest.mark.parity
@rows
def test_it_is_pytorchs(name: str, arguments: dict[str, Any], formula: Any) -> None:
    import torch

    optimizer, reference = several(), theirs()
    scheduler = getattr(optim, name)(optimizer, **arguments)
    if name == "NoamScheduler":  # which PyTorch has as what any function can be
        name, arguments = "LambdaLR", {"lr_lambda": [lambda t, base=base: formula(t, base) / base for base in BASES]}
    twin = getattr(torch.optim.lr_scheduler, name)(reference, **arguments)
    momenta: Callable[[Any], list[float]] = lambda optimizer: [group["momentum"] for group in optimizer.param_groups]
    for _ in range(1000):
        np.testing.assert_allclose(momenta(optimizer), momenta(reference), rtol=1e-12)
        np.testing.assert_allclose(scheduler.get_last_lr(), twin.get_last_lr(), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(rates(optimizer), rates(reference), rtol=1e-12, atol=1e-15)
        assert scheduler.last_epoch == twin.last_epoch
        reference.step()
        scheduler.step()
        twin.step()


@pytest.mark.parity
@pytest.mark.parametrize("name", [*PYTORCHS, "ReduceLROnPlateau", "SequentialLR", "ChainedScheduler"])
def test_its_arguments_and_defaults_are_pytorchs(name: str) -> None:
    import torch

    ours, reference = (inspect.signature(getattr(m, name)).parameters for m in (optim, torch.optim.lr_scheduler))
    assert list(ours) == [argument for argument in reference if argument != "last_epoch"]
    for argument in ours:
        assert reference[argument].default == ours[argument].default


@pytest.mark.parity
def test_two_schedules_multiply_and_an_lr_set_by_hand_is_gone_on_from_as_in_pytorch() -> None:
    import torch

    found = []
    for module, optimizer in ((lr_scheduler, several()), (torch.optim.lr_scheduler, theirs())):
        both = [
            module.LinearLR(optimizer, 0.1, total_iters=20),
            module.ExponentialLR(optimizer, 0.97),
            module.MultiStepLR(optimizer, [5, 30]),
        ]
        both += [module.ReduceLROnPlateau(optimizer, patience=2)]
        trace = []
        for t in range(50):
            optimizer.step()
            for scheduler in both[:3]:
                scheduler.step()
            both[3].step(1.0)
            if t == 10:
                optimizer.param_groups[0]["lr"] = 7.0
            trace.append(rates(optimizer))
        found.append(trace)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


# -- several at once ----------------------------------------------------------------------------------------

# A second schedule, and its factor at epoch t; two of them are 0 for a while.
SECONDS: dict[str, tuple[Callable[[Any], Any], Callable[[int], float]]] = {
    "Exponential": (lambda o: ExponentialLR(o, 0.9), lambda t: 0.9**t),
    "Constant": (lambda o: ConstantLR(o, 0.5, 3), lambda t: 0.5 if t < 3 else 1.0),
    "nothing at first": (lambda o: ConstantLR(o, 0.0, 3), lambda t: float(t >= 3)),
    "MultiStep": (lambda o: MultiStepLR(o, [0, 4]), lambda t: 0.1 if t < 4 else 0.01),
    "warm-up from 0": (lambda o: LambdaLR(o, lambda t: min(1.0, t / 6)), lambda t: min(1.0, t / 6)),
    "warm restarts": (lambda o: CosineAnnealingWarmRestarts(o, 5),
                      lambda t: (1 + math.cos(math.pi * (t % 5) / 5)) / 2),
}  # fmt: skip
PRODUCTS = [(name, arguments, formula) for name, arguments, formula in ROWS
            if formula and (name, "eta_min" in arguments) != ("CosineAnnealingLR", True)]  # that one is no factor
products = pytest.mark.parametrize("name, arguments, formula", PRODUCTS, ids=range(len(PRODUCTS)))


@products
def test_a_chain_multiplies_whatever_it_is_made_of_and_in_any_order(
    name: str, arguments: dict[str, Any], formula: Any
) -> None:
    for (make, factor), first in itertools.product(SECONDS.values(), (True, False)):
        optimizer = several()
        parts = [getattr(optim, name)(optimizer, **arguments)]
        parts.insert(not first, make(optimizer))
        chain = ChainedScheduler(parts)
        for t in range(16):
            expected = [formula(t, base) * factor(t) for base in BASES]
            np.testing.assert_allclose(rates(optimizer), expected, rtol=1e-9, atol=1e-12)
            chain.step()


def trace(*makers: Callable[[Any], Any], steps: int = 16) -> list[list[float]]:
    optimizer, found = several(), []
    both = [make(optimizer) for make in makers]
    for _ in range(steps):
        found.append(rates(optimizer))
        for scheduler in both:
            scheduler.step()
    return found


@pytest.mark.parametrize("name, arguments", [(name, arguments) for name, arguments, _ in ROWS], ids=range(len(ROWS)))
def test_two_schedules_stepped_side_by_side_give_the_same_in_any_order(name: str, arguments: dict[str, Any]) -> None:
    """With `eta_min` the wave is no factor; but it climbs out of a trough, in either order."""
    make: Callable[[Any], Any] = lambda optimizer: getattr(optim, name)(optimizer, **arguments)
    alone = trace(make)
    for other, factor in SECONDS.values():
        first, second = trace(other, make), trace(make, other)
        if (name, "eta_min" in arguments) != ("CosineAnnealingLR", True):
            np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-12)
            product = [np.multiply(factor(t), alone[t]) for t in range(16)]
            np.testing.assert_allclose(first, product, rtol=1e-9, atol=1e-12)


@pytest.mark.parity
def test_a_wave_above_eta_min_climbs_out_of_its_trough_beside_a_warm_up_as_in_pytorch() -> None:
    import torch

    for order in (1, -1):
        found = []
        for module, optimizer in ((lr_scheduler, several()), (torch.optim.lr_scheduler, theirs())):
            makers = [lambda m, o: m.LinearLR(o, 0.1, total_iters=4), lambda m, o: m.CosineAnnealingLR(o, 8, 0.1)]
            both = [make(module, optimizer) for make in makers[::order]]
            found.append([])
            for _ in range(20):
                optimizer.step()
                for scheduler in both:
                    scheduler.step()
                found[-1].append(rates(optimizer))
        np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


def test_what_begins_anew_is_not_multiplied_by_what_was_before() -> None:
    make: Callable[[Any], Any] = lambda optimizer: OneCycleLR(optimizer, 1.0, total_steps=14)
    begins = [1 / 25] * len(BASES)
    optimizer = several()
    for _ in range(2):  # the same line, run again
        make(optimizer)
        np.testing.assert_allclose(rates(optimizer), begins)
    optimizer = several()
    ConstantLR(optimizer, 0.5)
    for group in optimizer.param_groups:
        group["lr"] = 3.0
    assert make(optimizer).base_lrs == [3.0] * len(BASES)
    np.testing.assert_allclose(rates(optimizer), begins)
    optimizer = several()
    optimizer.step()
    ConstantLR(optimizer, 0.5, total_iters=9).step()
    make(optimizer)
    np.testing.assert_allclose(rates(optimizer), begins)


@products
@pytest.mark.parametrize("first", [True, False])
def test_a_plateau_lowers_what_another_schedule_gives(
    name: str, arguments: dict[str, Any], formula: Any, first: bool
) -> None:
    """Also where that is 0 when it does."""
    optimizer = several()
    other = getattr(optim, name)(optimizer, **arguments)
    plateau = ReduceLROnPlateau(optimizer, factor=0.5, patience=0, eps=0.0)
    for t in range(30):
        for scheduler in (plateau, other) if first else (other, plateau):
            scheduler.step(*[float(t % 5 > 2)] * (scheduler is plateau))
        lowered = 0.5 ** sum(s % 5 != 0 or s > 0 for s in range(t + 1))
        expected = [formula(t + 1, base) * lowered for base in BASES]
        np.testing.assert_allclose(rates(optimizer), expected, rtol=1e-9, atol=1e-12)


def test_a_plateau_lowers_a_rate_that_began_below_eps() -> None:
    optimizer = SGD([parameter(1.0)], lr=1e-9)
    plateau = ReduceLROnPlateau(optimizer, patience=0)
    plateau.step(1.0)
    plateau.step(1.0)
    assert rates(optimizer) == [pytest.approx(1e-10)]


def test_a_rate_of_zero_is_written_as_zero_and_leaves_nothing_behind() -> None:
    optimizer = SGD([parameter(1.0)], lr=0.5)
    chain = ChainedScheduler([LambdaLR(optimizer, lambda t: t / 2 if t < 3 else 0.0), ExponentialLR(optimizer, 0.5)])
    assert rates(optimizer) == [0.0] and optimizer.param_groups[0]["lr_without_zeros"] == [0.5, 1]
    saved = json.loads(json.dumps([chain.state_dict(), optimizer.state_dict()]))
    chain.step()
    assert rates(optimizer) == [0.125] and "lr_without_zeros" not in optimizer.param_groups[0]
    for at_once in (True, False):  # its own state has all that it needs
        fresh = SGD([parameter(1.0)], lr=9.0)
        again = ChainedScheduler([LambdaLR(fresh, lambda t: t / 2), ExponentialLR(fresh, 0.5)])
        again.load_state_dict(saved[0])
        if at_once:
            fresh.load_state_dict(saved[1])
        again.step()
        assert rates(fresh) == [0.125]
    chain.step()
    chain.step()
    optimizer.param_groups[0]["lr"] = 7.0  # by hand, where the function says 0
    chain.step()
    assert rates(optimizer) == [3.5]


def test_a_rate_set_by_hand_is_gone_on_from_by_every_schedule() -> None:
    for name, arguments, formula in PRODUCTS:
        optimizer = several()
        scheduler = getattr(optim, name)(optimizer, **arguments)
        scheduler.step()
        if 0.0 in rates(optimizer):  # three times which is no other rate
            continue
        optimizer.param_groups[0]["lr"] *= 3.0
        scheduler.step()
        expected = [formula(2, base) * by_hand for base, by_hand in zip(BASES, (3.0, 1.0, 1.0), strict=True)]
        np.testing.assert_allclose(rates(optimizer), expected, rtol=1e-9, atol=1e-12)


def test_who_steps_a_schedule_before_the_optimizer_is_warned_once() -> None:
    def make(optimizer: Any) -> list[Any]:
        return [ExponentialLR(optimizer, 0.5), ChainedScheduler([StepLR(optimizer, 1), StepLR(optimizer, 2)]),
                SequentialLR(optimizer, [StepLR(optimizer, 1), StepLR(optimizer, 2)], [1])]  # fmt: skip

    for i in range(3):
        chosen = make(several())[i]
        with pytest.warns(UserWarning, match=rf"^{type(chosen).__name__}: step\(\) before the first opt") as warned:
            chosen.step()
            chosen.step()
        assert len(warned) == 1 and warned[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = several()
        optimizer.step()
        resumed = several()
        resumed.load_state_dict(optimizer.state_dict())
        for scheduler in (*make(optimizer), *make(resumed)):
            scheduler.step()
        ReduceLROnPlateau(several()).step(1.0)  # a first loss may be older than all batches
        half_way = ExponentialLR(several(), 0.5)
        half_way.load_state_dict(ExponentialLR(several(), 0.5).state_dict() | {"last_epoch": 3})
        half_way.step()


def test_a_milestone_of_zero_lets_the_second_schedule_begin_at_once() -> None:
    optimizer = SGD([parameter(1.0)], lr=1.0)
    both = SequentialLR(optimizer, [ConstantLR(optimizer, 0.5), ExponentialLR(optimizer, 0.5)], [0])
    found = []
    for _ in range(3):
        found += rates(optimizer)
        both.step()
    assert found == [1.0, 0.5, 0.25]


def test_a_constant_of_zero_ends() -> None:  # where PyTorch divides by it
    optimizer = SGD([parameter(1.0)], lr=0.3)
    constant, found = ConstantLR(optimizer, 0.0, 2), []
    for _ in range(4):
        found += rates(optimizer)
        constant.step()
    assert found == [0.0, 0.0, 0.3, 0.3]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize("best", [-100.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 100.0, math.inf, -math.inf])
def test_better_is_better_by_a_share_of_the_size(mode: str, threshold_mode: str, best: float) -> None:
    for change in (-0.2, -0.05, 0.0, 0.05, 0.2):  # of the size of the best, or as it is; it takes 0.1
        by = change if threshold_mode == "abs" or math.isinf(best) else change * abs(best)
        optimizer = SGD([parameter(1.0)], lr=1.0)
        plateau = ReduceLROnPlateau(optimizer, mode, patience=0, threshold=0.1, threshold_mode=threshold_mode)
        plateau.step(best)
        plateau.num_bad_epochs = plateau.cooldown_counter = 0  # an infinite one is no progress
        optimizer.param_groups[0]["lr"] = 1.0
        plateau.step(best + by)
        limit = 0.1 if threshold_mode == "abs" else 0.1 * abs(best)
        better = math.isfinite(best) and (by < -limit if mode == "min" else by > limit)
        assert (rates(optimizer) == [1.0]) is better and (plateau.best == best + by) is (better or by == 0 or by != by
                                                                                        or math.isinf(best))


# -- schedules of schedules ----------------------------------------------------------------------------------

# what they are made of, given the module and the optimizer; the milestones
PARTS: list[tuple[Callable[[Any, Any], list[Any]], list[int] | None]] = [
    (lambda m, o: [m.LinearLR(o, 0.1, total_iters=20), m.CosineAnnealingLR(o, 300), m.ExponentialLR(o, 0.999)],
     [20, 700]),
    (lambda m, o: [m.ConstantLR(o, 0.1, total_iters=20), m.ExponentialLR(o, 0.99)], [20]),
    (lambda m, o: [m.LinearLR(o, 0.25, total_iters=9), m.LambdaLR(o, lambda t: 1 / (3 + t)), m.PolynomialLR(o, 50),
                   m.StepLR(o, 3, 0.9)], [5, 100, 120]),
    (lambda m, o: [m.LinearLR(o, 0.5, total_iters=4), m.CosineAnnealingWarmRestarts(o, 7, 2), m.MultiStepLR(o, [3, 5])],
     [1, 500]),
    (lambda m, o: [m.MultiplicativeLR(o, lambda t: 0.9), m.LinearLR(o, 0.1)], [10]),
    (lambda m, o: [m.ExponentialLR(o, 0.999)], []),
    (lambda m, o: [m.LinearLR(o, 0.1, total_iters=20), m.ExponentialLR(o, 0.99), m.MultiStepLR(o, [30, 90])], None),
    (lambda m, o: [m.ConstantLR(o, 0.1, 20), m.CosineAnnealingLR(o, 70, eta_min=1e-3)], None),
    (lambda m, o: [m.ExponentialLR(o, 0.999), m.SequentialLR(o, [m.StepLR(o, 5, 0.9), m.StepLR(o, 7, 0.9)], [50])],
     None),
    # PyTorch's own sequence loses an epoch within another, and its LambdaLR all that others do, so these are not
    # compared with it:
    (lambda m, o: [m.LambdaLR(o, lambda t: t / (1 + t)), m.ConstantLR(o, 0.5, 10), m.StepLR(o, 1, 0.9)], None),
    (lambda m, o: [m.StepLR(o, 1, 0.9), m.ConstantLR(o, 0.0, 19), m.OneCycleLR(o, 0.1, 200)], None),
    (lambda m, o: [m.SequentialLR(o, [m.ConstantLR(o, 0.5), m.ExponentialLR(o, 0.9)], [5]), m.LinearLR(o, 0.5)], [30]),
    (lambda m, o: [m.LinearLR(o, 0.5), m.ChainedScheduler([m.ConstantLR(o, 0.5), m.ExponentialLR(o, 0.9)])], [8]),
]  # fmt: skip


def composed(module: Any, optimizer: Any, parts: Callable[[Any, Any], list[Any]], milestones: list[int] | None) -> Any:
    made = parts(module, optimizer)
    return module.ChainedScheduler(made) if milestones is None else module.SequentialLR(optimizer, made, milestones)


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("parts, milestones", PARTS[:-4])
def test_schedules_of_schedules_are_pytorchs(parts: Any, milestones: list[int] | None) -> None:
    import torch

    optimizer, reference = several(), theirs()
    ours, twin = (
        composed(lr_scheduler, optimizer, parts, milestones),
        composed(torch.optim.lr_scheduler, reference, parts, milestones),
    )
    for t in range(1000):
        np.testing.assert_allclose(rates(optimizer), rates(reference), rtol=1e-11, atol=1e-15)
        assert ours.last_epoch == t
        reference.step()
        ours.step()
        twin.step()


@pytest.mark.parametrize("parts, milestones", PARTS)
@pytest.mark.parametrize("stop", [0, 3, 19, 20, 60])
def test_schedules_of_schedules_go_on_from_where_they_stopped(
    parts: Any, milestones: list[int] | None, stop: int
) -> None:
    def go(scheduler: Any) -> list[list[float]]:
        return [(scheduler.step(), scheduler.get_last_lr())[1] for _ in range(60)]

    scheduler = composed(lr_scheduler, several(), parts, milestones)
    for _ in range(stop):
        scheduler.step()
    saved = pickle.loads(pickle.dumps(scheduler.state_dict()))
    assert json.loads(json.dumps(saved)) == saved  # plain values all through
    fresh = composed(lr_scheduler, several(), parts, milestones)
    for _ in range(7):
        fresh.step()
    fresh.load_state_dict(saved)
    assert fresh.get_last_lr() == scheduler.get_last_lr() and go(scheduler) == go(fresh)


def test_a_sequence_begins_with_the_first_learning_rate_in_whatever_order_its_parts_were_made() -> None:
    optimizer = SGD([parameter(1.0)], lr=1.0)
    rise = LinearLR(optimizer, 0.1, total_iters=2)  # leaves 0.1
    fall = ExponentialLR(optimizer, 0.5)
    both = SequentialLR(optimizer, [fall, rise], [2])
    found = []
    for _ in range(6):
        found.append(round(both.get_last_lr()[0], 6))
        both.step()
    assert found == [1.0, 0.5, 0.1, 0.55, 1.0, 1.0] and both.base_lrs == [1.0]


def test_sequences_within_sequences() -> None:
    """Half the rate for 5 epochs, then a fall by 0.9; or a warm-up, then half the rate and a fall by 0.9 at once."""
    sequence = composed(lr_scheduler, inner := several(), *PARTS[-2])
    for t in range(40):
        expected = 0.5 if t < 5 else 0.9 ** (t - 5) if t < 30 else 0.5 + min(t - 30, 5) / 10
        np.testing.assert_allclose(rates(inner), [base * expected for base in BASES], rtol=1e-12)
        sequence.step()
    chain = composed(lr_scheduler, inner := several(), *PARTS[-1])
    for t in range(40):
        expected = 0.5 + min(t, 5) / 10 if t < 8 else (0.5 if t < 13 else 1) * 0.9 ** (t - 8)
        np.testing.assert_allclose(rates(inner), [base * expected for base in BASES], rtol=1e-12)
        chain.step()


def test_a_group_that_is_added_to_a_sequence_begins_the_next_part_with_its_own_rate() -> None:
    optimizer = SGD([parameter(1.0)], lr=1.0)
    both = SequentialLR(optimizer, [ConstantLR(optimizer, 0.5, 9), ExponentialLR(optimizer, 0.5)], [3])
    both.step()
    optimizer.add_param_group({"params": [parameter(2.0)], "lr": 8.0})
    for _ in range(2):
        both.step()
    assert rates(optimizer) == [1.0, 8.0]
    both.step()
    assert rates(optimizer) == [0.5, 4.0]


def test_what_one_of_a_chain_refuses_none_of_them_has_done() -> None:
    optimizer = SGD([parameter(1.0)], lr=1.0)
    inner = ChainedScheduler([ExponentialLR(optimizer, 0.5)])
    chain = ChainedScheduler([inner, LambdaLR(optimizer, lambda t: -1.0 if t == 2 else 1.0)])
    chain.step()
    before = chain.state_dict()
    with pytest.raises(ValueError, match=r"LambdaLR, group 0: lr_lambda\(2\) must be"):
        chain.step()
    assert chain.state_dict() == before


def two() -> list[Any]:
    optimizer = several()
    return [ExponentialLR(optimizer, 0.9), LinearLR(optimizer)]


BAD_PARTS: list[tuple[Callable[[list[Any]], Any], type[Exception], str]] = [
    (lambda s: SequentialLR(s[0].optimizer, s, []), ValueError,
     r"SequentialLR: milestones must be 1 epochs, one for each schedule but the first, .* got \[\]; say at"),
    (lambda s: SequentialLR(s[0].optimizer, s, [3, 4]), ValueError,
     r"SequentialLR: milestones must be 1 epochs, .* got \[3, 4\]"),
    (lambda s: SequentialLR(s[0].optimizer, [*s, s[0]], [4, 4]), ValueError,
     r"SequentialLR: milestones must be 2 epochs, .* each later than the one before, got \[4, 4\]"),
    (lambda s: SequentialLR(s[0].optimizer, s, [-1]), ValueError,
     r"SequentialLR: milestones\[0\] must be a whole number of 0 or more, got -1"),
    (lambda s: SequentialLR(s[0].optimizer, s, 4), TypeError, r"SequentialLR: milestones must be a list, got 4"),
    (lambda s: SequentialLR(s[0].optimizer, [], []), TypeError,
     r"SequentialLR: schedulers must be a list of one schedule or more, got \[\]"),
    (lambda s: SequentialLR(several(), s, [4]), ValueError,
     r"SequentialLR: schedulers\[0\] must be a schedule of the same optimizer, got one of another"),
    (lambda s: SequentialLR(s[0].optimizer, [s[0], ReduceLROnPlateau(s[0].optimizer)], [4]), TypeError,
     r"SequentialLR: schedulers\[1\] must be a schedule of the epoch alone, got a ReduceLROnPlateau; one that"),
    (lambda s: ChainedScheduler(s[0]), TypeError,
     r"ChainedScheduler: schedulers must be a list of one schedule or more, got <"),
    (lambda s: ChainedScheduler([]), TypeError,
     r"ChainedScheduler: schedulers must be a list of one schedule or more, got \[\]"),
    (lambda s: ChainedScheduler([s[0].optimizer]), TypeError,
     r"ChainedScheduler: schedulers\[0\] must be a schedule of the epoch alone, got a SGD"),
    (lambda s: ChainedScheduler(s, several()), ValueError,
     r"ChainedScheduler: schedulers\[0\] must be a schedule of the same optimizer"),
    (lambda s: ChainedScheduler([*s, ExponentialLR(several(), 0.9)]), ValueError,
     r"ChainedScheduler: schedulers\[2\] must be a schedule of the same"),
    (lambda s: ChainedScheduler(s).load_state_dict(ChainedScheduler(two()[:1]).state_dict()), ValueError,
     r"ChainedScheduler.load_state_dict: expected the states of 2 schedulers, got \[\{"),
    (lambda s: ChainedScheduler(s).load_state_dict(ChainedScheduler(two()[::-1]).state_dict()), ValueError,
     r"ChainedScheduler.load_state_dict, schedulers\[0\], a ExponentialLR: expected the keys .*'gamma'"),
    (lambda s: ChainedScheduler(s).load_state_dict(None), TypeError,
     r"ChainedScheduler.load_state_dict: expected a dict with the keys .*'schedulers'\], got None"),
]  # fmt: skip


@pytest.mark.parametrize("make, error, text", BAD_PARTS, ids=range(len(BAD_PARTS)))
def test_schedules_that_do_not_go_together(make: Any, error: type[Exception], text: str) -> None:
    schedules = two()
    with pytest.raises(error, match=f"^{text}"):
        make(schedules)
    assert [s.last_epoch for s in schedules] == [0, 0]


def test_a_state_with_one_bad_part_changes_nothing() -> None:
    schedules = two()
    chain = ChainedScheduler(schedules)
    chain.step()
    state = ChainedScheduler(two()).state_dict()
    state["schedulers"][1]["total_iters"] = -1
    before = chain.state_dict()
    with pytest.raises(
        ValueError, match=r"^ChainedScheduler.load_state_dict, schedulers\[1\], a LinearLR: total_iters must be"
    ):
        chain.load_state_dict(state)
    assert chain.state_dict() == before


# -- what only some have -------------------------------------------------------------------------------------


def test_one_cycle_ends_at_its_lowest_and_then_refuses() -> None:
    optimizer = several()
    scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=10, anneal_strategy="linear")
    for _ in range(10):
        scheduler.step()
    np.testing.assert_allclose(rates(optimizer), [4e-6] * 3, rtol=1e-12)  # as after the ninth
    with pytest.raises(
        ValueError, match="^OneCycleLR: got a step more than the 10 that there are; give more total_steps"
    ):
        scheduler.step()
    assert scheduler.last_epoch == 10


def test_the_shortest_cycles() -> None:
    for arguments in (
        {"total_steps": 1},
        {"total_steps": 2, "pct_start": 0.5},
        {"total_steps": 4, "pct_start": 0.5, "three_phase": True},
        {"total_steps": 3, "pct_start": 0.0, "three_phase": True},
    ):
        optimizer = several()
        scheduler = OneCycleLR(optimizer, max_lr=1.0, **arguments)
        for _ in range(arguments["total_steps"]):
            scheduler.step()
        np.testing.assert_allclose(rates(optimizer), [4e-6] * 3)


CYCLES = pytest.mark.parametrize("kind, arguments", [(CyclicLR, (0.1, 0.2, 4)), (OneCycleLR, (0.1, 12))])


@CYCLES
def test_the_momentum_falls_as_the_rate_rises(kind: Any, arguments: Any) -> None:
    """The highest of it stands beside the lowest of the other, in "momentum" or "beta1"."""
    for make, key in ((SGD, "momentum"), (optim.RMSprop, "momentum"), (optim.AdamW, "beta1"), (optim.Lion, "beta1")):
        optimizer = make([{"params": [parameter(1.0)]}, {"params": [parameter(1.0)]}], lr=1.0)
        scheduler = kind(optimizer, *arguments, base_momentum=[0.5, 0.25], max_momentum=0.75)
        pairs = []
        for _ in range(12):
            scheduler.step()
            first, second = optimizer.param_groups
            assert second[key] == pytest.approx(0.75 - 2 * (0.75 - first[key]))
            pairs.append((first["lr"], first[key]))
        assert min(m for _, m in pairs) == pytest.approx(0.5, abs=0.02) and max(m for _, m in pairs) == 0.75
        assert [m for _, m in sorted(pairs)] == sorted([m for _, m in pairs], reverse=True) or kind is OneCycleLR
        twin = make([{"params": [parameter(1.0)]}, {"params": [parameter(1.0)]}], lr=1.0)
        again = kind(twin, *arguments, base_momentum=[0.5, 0.25], max_momentum=0.75)
        again.load_state_dict(scheduler.state_dict())
        assert [group[key] for group in twin.param_groups] == [group[key] for group in optimizer.param_groups]


@CYCLES
def test_the_momentum_is_left_alone_where_that_is_asked(kind: Any, arguments: Any) -> None:
    optimizer = SGD([parameter(1.0)], lr=1.0, momentum=0.9)
    before = {k: v for k, v in optimizer.param_groups[0].items() if k != "lr"}
    kind(optimizer, *arguments, cycle_momentum=False).step()
    assert {k: v for k, v in optimizer.param_groups[0].items() if k != "lr"} == before
    other = optim.Adagrad([parameter(1.0)], lr=1.0)
    kind(other, *arguments, cycle_momentum=False).step()
    other.param_groups[0]["lr"] = 1.0
    needs = "cycle_momentum=True needs a momentum or betas, and group 0 of the optimizer has neither"
    with pytest.raises(ValueError, match=f"^{kind.__name__}: {needs}; give cycle_momentum=False"):
        kind(other, *arguments)
    assert other.param_groups[0]["lr"] == 1.0


class InPyTorchsWay(LRScheduler):
    """Closed: of the first learning rates and the epoch."""

    def __init__(self, optimizer: Any, power: float, last_epoch: int = -1, verbose: bool = False) -> None:
        self.power = power
        super().__init__(optimizer, last_epoch, verbose)

    def get_lr(self) -> list[float]:
        return [base * (1 - self.last_epoch / 8) ** self.power for base in self.base_lrs]


class Chainable(LRScheduler):
    def get_lr(self) -> list[float]:
        return [group["lr"] * (0.5 if self.last_epoch else 1.0) for group in self.optimizer.param_groups]


def test_a_schedule_in_pytorchs_way_defines_get_lr() -> None:
    optimizer = several()
    schedule = InPyTorchsWay(optimizer, 2.0)
    assert rates(optimizer) == [*BASES]
    schedule.step()
    schedule.step()
    assert schedule.last_epoch == 2 and rates(optimizer) == schedule.get_last_lr() == [b * 0.75**2 for b in BASES]
    twin = several()
    again = InPyTorchsWay(twin, 2.0)
    again.load_state_dict(schedule.state_dict())
    assert rates(twin) == rates(optimizer)
    Chainable(optimizer).step()
    assert rates(optimizer) == [b * 0.75**2 / 2 for b in BASES]
    one = SGD([parameter(1.0)], lr=1.0)
    both = SequentialLR(one, [Chainable(one), InPyTorchsWay(one, 1.0)], milestones=[2])
    seen = []
    for _ in range(4):
        seen += rates(one)
        both.step()
    assert seen == [1.0, 0.5, 1.0, 0.875]


@pytest.mark.parametrize("found, error, text", [
    ([0.5], ValueError, r"get_lr\(\) must give 3 learning rates, got 1"),
    ([0.5, -1.0, 0.5], ValueError, r"get_lr\(\)\[1\] must be a finite number of 0 or more, got -1.0"),
    (0.5, TypeError, r"get_lr\(\) must be a list, got 0.5"),
])  # fmt: skip
def test_a_get_lr_that_gives_nonsense_is_refused_and_nothing_changes(found: Any, error: Any, text: str) -> None:
    optimizer = several()
    schedule = type("Own", (LRScheduler,), {"get_lr": lambda self: found if self.last_epoch else [0.5] * 3})(optimizer)
    with pytest.raises(error, match=f"^Own: {text}"):
        schedule.step()
    assert schedule.last_epoch == 0 and rates(optimizer) == [0.5] * 3
    with pytest.raises(TypeError, match="^InPyTorchsWay: got last_epoch=3, which no schedule here takes; leave it out"):
        InPyTorchsWay(optimizer, 2.0, 3)


def test_a_list_of_functions_has_one_for_each_group() -> None:
    optimizer = several()
    scheduler = LambdaLR(optimizer, [lambda t: 1, lambda t: np.float32(t), lambda t: 0.5**t])
    assert rates(optimizer) == [0.5, 0.0, 3.0]
    scheduler.step()
    scheduler.step()
    assert rates(optimizer) == [0.5, 0.04, 0.75]


def test_milestones_may_be_a_range() -> None:
    optimizer = several()
    scheduler = MultiStepLR(optimizer, range(1, 4), gamma=0.5)
    for _ in range(5):
        scheduler.step()
    assert rates(optimizer) == [0.0625, 0.0025, 0.375] and scheduler.milestones == [1, 2, 3]


# -- ReduceLROnPlateau ---------------------------------------------------------------------------------------

PLATEAUS: list[dict[str, Any]] = [
    {"patience": 3},
    {"patience": 0, "factor": 0.9, "min_lr": [0.1, 0.0, 1.0]},
    {"mode": "max", "patience": 2, "cooldown": 5, "factor": 0.7},
    {"mode": "max", "threshold_mode": "abs", "threshold": 0.3, "patience": 4, "min_lr": 1e-3},
    {"threshold_mode": "abs", "threshold": 0.05, "patience": 1, "cooldown": 2, "eps": 1e-3, "factor": 0.5},
    {"factor": 0.0, "patience": 50},
]


@pytest.mark.parity
@pytest.mark.parametrize("arguments", PLATEAUS, ids=str)
def test_plateaus_are_pytorchs(arguments: dict[str, Any]) -> None:
    import torch

    optimizer, reference = several(), theirs()
    ours, twin = (
        ReduceLROnPlateau(optimizer, **arguments),
        torch.optim.lr_scheduler.ReduceLROnPlateau(reference, **arguments),
    )
    rng = np.random.default_rng(0)
    changes = 0
    for t in range(1000):
        metric = float(rng.standard_normal() + (1 if t % 2 else -1) * t / 500)
        metric = {100: math.nan, 200: math.inf, 300: -5.0}.get(t, metric)
        before = rates(optimizer)
        ours.step(metric)
        twin.step(metric)
        assert rates(optimizer) == rates(reference) == ours.get_last_lr() == twin.get_last_lr()
        assert (ours.best, ours.num_bad_epochs, ours.cooldown_counter,
                ours.last_epoch) == (twin.best, twin.num_bad_epochs, twin.cooldown_counter,
                                     twin.last_epoch)  # fmt: skip
        changes += before != rates(optimizer)
    assert changes


def test_a_plateau_by_hand() -> None:
    """The third bad epoch is one too many for a patience of 2; the epoch after it is for cooling down."""
    optimizer = SGD([parameter(1.0)], lr=1.0)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=2, cooldown=1, min_lr=0.3)
    found = []
    for loss in (2.0, 1.99999, 2.0, math.nan, 9.0, 9.0, 9.0, 9.0):
        scheduler.step(loss)
        found.append(rates(optimizer)[0])
    assert found == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.3] and scheduler.best == 2.0


@pytest.mark.parametrize(
    "mode, threshold_mode, threshold, better, not_better",
    [("min", "rel", 0.25, 2.9, 3.0), ("max", "rel", 0.25, 5.1, 5.0), ("min", "abs", 0.25, 3.7, 3.75),
     ("max", "abs", 0.25, 4.3, 4.25), ("min", "rel", 0, 3.9, 4.0)],
)  # fmt: skip
def test_what_counts_as_better_than_four(
    mode: str, threshold_mode: str, threshold: float, better: float, not_better: float
) -> None:
    for metric, best in ((better, better), (not_better, 4.0)):
        scheduler = ReduceLROnPlateau(several(), mode, threshold=threshold, threshold_mode=threshold_mode)
        scheduler.step(4.0)
        scheduler.step(metric)
        assert scheduler.best == best and scheduler.num_bad_epochs == (best == 4.0)


def test_metrics_may_be_a_tensor_or_a_numpy_number() -> None:
    optimizer = several()
    scheduler = ReduceLROnPlateau(optimizer)
    for metrics in (lucid.tensor(3.0, requires_grad=True), lucid.tensor([2.5]), np.float32(2), np.array([1.5]), 1):
        scheduler.step(metrics)
        assert scheduler.best == float(np.ravel(metrics.item() if hasattr(metrics, "item") else metrics)[0])
        assert type(scheduler.best) is float


@pytest.mark.parametrize(
    "metrics, found",
    [("0.5", "'0.5'"), (None, "None"), (1j, "1j"), ([0.5], r"\[0.5\]"), (lucid.ones(2), r"a Tensor of shape \(2,\)"),
     (np.ones((2, 1)), r"a Tensor of shape \(2, 1\)")],
    ids=str,
)  # fmt: skip
def test_metrics_that_are_not_one_number_are_refused(metrics: Any, found: str) -> None:
    scheduler = ReduceLROnPlateau(several())
    before = scheduler.state_dict()
    with pytest.raises(
        TypeError, match=rf"^ReduceLROnPlateau: metrics must be one number, .* got {found}; call step\(loss.item\(\)\)$"
    ):
        scheduler.step(metrics)
    assert scheduler.state_dict() == before


# -- what is refused -----------------------------------------------------------------------------------------

NOT_COUNT = "must be a whole number of {} or more, got {}; give it such a value"
BAD: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (StepLR, {"step_size": -3}, ValueError, "step_size " + NOT_COUNT.format(1, -3)),
    (StepLR, {"step_size": 0}, ValueError, "step_size " + NOT_COUNT.format(1, 0)),
    (StepLR, {"step_size": 2.5}, ValueError, "step_size " + NOT_COUNT.format(1, 2.5)),
    (StepLR, {"step_size": math.nan}, ValueError, "step_size " + NOT_COUNT.format(1, "nan")),
    (StepLR, {"step_size": math.inf}, ValueError, "step_size " + NOT_COUNT.format(1, "inf")),
    (StepLR, {"step_size": "3"}, TypeError,
     "step_size must be a whole number of 1 or more, got '3'; give it such a value instead of a str"),
    (StepLR, {"step_size": True}, TypeError, "step_size must be .*, got True; give it such a value instead of a bool"),
    (StepLR, {"step_size": 3, "gamma": -0.1}, ValueError, "gamma must be a finite number of 0 or more, got -0.1; give"),
    (MultiStepLR, {"milestones": 30}, TypeError, r"milestones must be a list, got 30; write milestones=\[...\]"),
    (MultiStepLR, {"milestones": "30"}, TypeError, r"milestones must be a list, got '30'; write milestones=\[...\]"),
    (MultiStepLR, {"milestones": [10, -1]}, ValueError, r"milestones\[1\] " + NOT_COUNT.format(0, -1)),
    (MultiStepLR, {"milestones": [10], "gamma": math.inf}, ValueError,
     "gamma must be a finite number of 0 or more, got inf"),
    (ExponentialLR, {"gamma": math.nan}, ValueError, "gamma must be a finite number of 0 or more, got nan"),
    (ExponentialLR, {"gamma": None}, TypeError,
     "gamma must be .* got None; give it such a value instead of a NoneType"),
    (LinearLR, {"start_factor": 0}, ValueError, r"start_factor must be a number in \(0, 1\], got 0; give"),
    (LinearLR, {"start_factor": 1.5}, ValueError, r"start_factor must be a number in \(0, 1\], got 1.5; give"),
    (LinearLR, {"end_factor": -0.5}, ValueError, r"end_factor must be a number in \[0, 1\], got -0.5; give"),
    (LinearLR, {"total_iters": 0}, ValueError, "total_iters " + NOT_COUNT.format(1, 0)),
    (CosineAnnealingLR, {"T_max": 0}, ValueError, "T_max " + NOT_COUNT.format(1, 0)),
    (CosineAnnealingLR, {"T_max": 9, "eta_min": -1}, ValueError,
     "eta_min must be a finite number of 0 or more, got -1; give"),
    (LambdaLR, {"lr_lambda": [abs]}, ValueError,
     "lr_lambda must be a list of 3, as many as the optimizer has groups, got a list of 1; make them as many"),
    (LambdaLR, {"lr_lambda": 0.95}, TypeError,
     r"lr_lambda must be a function of the epoch, got a float; write lambda epoch: 0.95\*\*epoch"),
    (LambdaLR, {"lr_lambda": [abs, abs, 1]}, TypeError,
     r"lr_lambda\[2\] must be a function of the epoch, got a int; write"),
    (MultiplicativeLR, {"lr_lambda": 0.95}, TypeError,
     r"lr_lambda must be a function of the epoch, got a float; write lambda"),
    (ConstantLR, {"factor": -0.1}, ValueError, r"factor must be a number in \[0, 1\], got -0.1; give"),
    (ConstantLR, {"total_iters": -2}, ValueError, "total_iters " + NOT_COUNT.format(0, -2)),
    (PolynomialLR, {"total_iters": 0}, ValueError, "total_iters " + NOT_COUNT.format(1, 0)),
    (PolynomialLR, {"power": -1}, ValueError, "power must be a finite number of 0 or more, got -1; give"),
    (CosineAnnealingWarmRestarts, {"T_0": 0}, ValueError, "T_0 " + NOT_COUNT.format(1, 0)),
    (CosineAnnealingWarmRestarts, {"T_0": 5, "T_mult": 1.5}, ValueError, "T_mult " + NOT_COUNT.format(1, 1.5)),
    (CyclicLR, {"base_lr": -0.1, "max_lr": 1.0}, ValueError,
     "base_lr must be a finite number of 0 or more, got -0.1; give"),
    (CyclicLR, {"base_lr": 0.1, "max_lr": [1.0]}, ValueError,
     "max_lr must be a list of 3, .* got a list of 1; make them as many"),
    (CyclicLR, {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 0}, ValueError,
     "step_size_up " + NOT_COUNT.format(1, 0)),
    (CyclicLR, {"base_lr": 0.1, "max_lr": 1.0, "mode": "square"}, ValueError,
     "mode must be 'triangular' or 'triangular2' or 'exp_range', got 'square'"),
    (CyclicLR, {"base_lr": 0.1, "max_lr": 1.0, "gamma": 1.5}, ValueError,
     r"gamma must be a number in \[0, 1\], got 1.5; give"),
    (CyclicLR, {"base_lr": 0.1, "max_lr": 1.0, "scale_fn": 3}, TypeError,
     "scale_fn must be a function of the epoch, got a int; write"),
    (CyclicLR, {"base_lr": 0.1, "max_lr": 1.0, "cycle_momentum": "no"}, TypeError,
     "cycle_momentum must be True or False, got 'no'; give"),
    (CyclicLR, {"base_lr": 0.1, "max_lr": 1.0, "base_momentum": 1.0}, ValueError,
     r"base_momentum must be a number in \[0, 1\), got 1.0; give"),
    (OneCycleLR, {"max_lr": 1.0}, ValueError,
     "expected total_steps, or epochs and steps_per_epoch, got total_steps=None, epochs=None and steps_per_epoch=None; "
     "give total_steps="),
    (OneCycleLR, {"max_lr": 1.0, "epochs": 3, "steps_per_epoch": 0}, ValueError,
     "steps_per_epoch " + NOT_COUNT.format(1, 0)),
    (OneCycleLR, {"max_lr": 1.0, "total_steps": 0}, ValueError, "total_steps " + NOT_COUNT.format(1, 0)),
    (OneCycleLR, {"max_lr": 1.0, "total_steps": 9, "pct_start": 1.5}, ValueError,
     r"pct_start must be a number in \[0, 1\], got 1.5; give"),
    (OneCycleLR, {"max_lr": 1.0, "total_steps": 9, "pct_start": 0.6, "three_phase": True}, ValueError,
     "pct_start must be at most 0.5 with three_phase=True, .* got 0.6; 0.3 is usual"),
    (OneCycleLR, {"max_lr": 1.0, "total_steps": 9, "div_factor": 0}, ValueError,
     "div_factor must be a finite number above 0, got 0; give"),
    (OneCycleLR, {"max_lr": 1.0, "total_steps": 9, "anneal_strategy": "exp"}, ValueError,
     "anneal_strategy must be 'cos' or 'linear', got 'exp'"),
    (NoamScheduler, {"model_size": 0, "warmup_steps": 10}, ValueError, "model_size " + NOT_COUNT.format(1, 0)),
    (NoamScheduler, {"model_size": 8, "warmup_steps": 0}, ValueError, "warmup_steps " + NOT_COUNT.format(1, 0)),
    (NoamScheduler, {"model_size": 8, "warmup_steps": 9, "factor": -1.0}, ValueError,
     "factor must be a finite number of 0 or more, got -1.0; give"),
    (StepLR, {"step_size": 3, "last_epoch": 4}, TypeError,
     "got the keyword 'last_epoch', which no schedule here takes; leave it out, and go on where one stopped with "
     "load_state_dict"),
    (StepLR, {"step_size": 3, "verbose": True}, TypeError,
     "got the keyword 'verbose', expected optimizer, step_size, gamma; leave it out"),
    (ReduceLROnPlateau, {"factor": 1.0}, ValueError, r"factor must be a number in \[0, 1\), got 1.0; give"),
    (ReduceLROnPlateau, {"factor": -0.1}, ValueError, r"factor must be a number in \[0, 1\), got -0.1; give"),
    (ReduceLROnPlateau, {"mode": "down"}, ValueError, "mode must be 'min' or 'max', got 'down'; give it one of these"),
    (ReduceLROnPlateau, {"mode": None}, TypeError, "mode must be 'min' or 'max', got None; give it one of these"),
    (ReduceLROnPlateau, {"threshold_mode": "relative"}, ValueError,
     "threshold_mode must be 'rel' or 'abs', got 'relative'; give"),
    (ReduceLROnPlateau, {"threshold": 1.0}, ValueError,
     "threshold must be below 1 for mode='min' and threshold_mode='rel', got 1.0; 1e-4 asks"),
    (ReduceLROnPlateau, {"threshold": -1.0}, ValueError,
     "threshold must be a finite number of 0 or more, got -1.0; give"),
    (ReduceLROnPlateau, {"patience": -1}, ValueError, "patience " + NOT_COUNT.format(0, -1)),
    (ReduceLROnPlateau, {"cooldown": 0.5}, ValueError, "cooldown " + NOT_COUNT.format(0, 0.5)),
    (ReduceLROnPlateau, {"min_lr": -1}, ValueError, "min_lr must be a finite number of 0 or more, got -1; give"),
    (ReduceLROnPlateau, {"min_lr": [0, 0]}, ValueError,
     "min_lr must be a list of 3, .* got a list of 2; make them as many, or give one for all"),
    (ReduceLROnPlateau, {"min_lr": [0, 0, "0"]}, TypeError,
     r"min_lr\[2\] must be a finite number of 0 or more, got '0'; give"),
    (ReduceLROnPlateau, {"eps": -1e-8}, ValueError, "eps must be a finite number of 0 or more, got -1e-08; give"),
]  # fmt: skip


@pytest.mark.parametrize("kind, arguments, error, text", BAD,
                         ids=[f"{k.__name__}{[*a.items()]}" if k not in (LambdaLR, MultiplicativeLR)
                              else f"{k.__name__}{i}" for i, (k, a, *_) in enumerate(BAD)])
def test_impossible_numbers(kind: Any, arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    optimizer = several()
    with pytest.raises(error, match=f"^{kind.__name__}: {text}"):
        kind(optimizer, **arguments)
    assert rates(optimizer) == [*BASES]


@pytest.mark.parametrize("thing, name", [([1, 2], "list"), (None, "NoneType"), (SGD, "type"), (0.1, "float")])
def test_what_is_no_optimizer(thing: Any, name: str) -> None:
    sentence = (
        rf"^ExponentialLR: optimizer must be a lucid.optim.Optimizer, got a {name}; make one first, .* and give that$"
    )
    with pytest.raises(TypeError, match=sentence):
        ExponentialLR(thing, 0.9)
    with pytest.raises(TypeError, match=f"^ReduceLROnPlateau: optimizer must be .* got a {name}; "):
        ReduceLROnPlateau(thing)


def test_an_optimizer_without_lr() -> None:
    class Fixed(optim.Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params, {"weight_decay": 0.0})

    with pytest.raises(
        ValueError, match=r"^StepLR: group 0 of the optimizer has no 'lr' to schedule; set group\['lr'\]$"
    ):
        StepLR(Fixed([parameter(1.0)]), 3)


@pytest.mark.parametrize("bad, error",
                         [(-0.5, ValueError), (math.nan, ValueError), (math.inf, ValueError), ("x", TypeError),
                          (None, TypeError)])
def test_a_function_that_gives_nonsense_is_refused_and_nothing_changes(bad: Any, error: type[Exception]) -> None:
    optimizer = SGD([{"params": [parameter(1.0)]}, {"params": [parameter(1.0)]}], lr=1.0)
    scheduler = LambdaLR(optimizer, [lambda t: 1 - t / 10, lambda t: 1 if t < 2 else bad])
    scheduler.step()
    before = scheduler.state_dict()
    with pytest.raises(
        error, match=rf"^LambdaLR, group 1: lr_lambda\(2\) must be a finite number of 0 or more, got {bad!r}; give"
    ):
        scheduler.step()
    assert scheduler.state_dict() == before and rates(optimizer) == [0.9, 1.0]


def test_a_rate_that_overflows_is_refused() -> None:
    optimizer = SGD([parameter(1.0)], lr=1e300)
    scheduler = ExponentialLR(optimizer, 1e10)
    with pytest.raises(
        ValueError, match="^ExponentialLR, epoch 1, group 0: lr must be a finite number of 0 or more, got inf"
    ):
        scheduler.step()
    assert rates(optimizer) == [1e300] and scheduler.last_epoch == 0


def test_an_lr_that_was_spoiled_by_hand_is_refused_and_a_plateau_forgets_the_step() -> None:
    optimizer = several()
    scheduler = ReduceLROnPlateau(optimizer, patience=0)
    scheduler.step(1.0)
    before = scheduler.state_dict()
    optimizer.param_groups[1]["lr"] = "fast"
    with pytest.raises(
        TypeError, match="^ReduceLROnPlateau, group 1: lr must be a finite number of 0 or more, got 'fast'"
    ):
        scheduler.step(2.0)
    optimizer.param_groups[1]["lr"] = BASES[1]
    assert scheduler.state_dict() == before


def test_a_cosine_from_below_its_lowest_point_stays_at_zero_or_above() -> None:
    optimizer = SGD([parameter(1.0)], lr=1.0)
    scheduler = CosineAnnealingLR(optimizer, T_max=4, eta_min=0.5)
    for _ in range(5):
        scheduler.step()
    optimizer.param_groups[0]["lr"] = 0.0
    scheduler.step()
    assert rates(optimizer) == [0.0]


def test_a_schedule_without_a_rate_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"a subclass of LRScheduler with a rate; see lucid\.optim\.StepLR"):
        LRScheduler(several()).step()


# -- the optimizer -------------------------------------------------------------------------------------------


def test_only_lr_is_written() -> None:
    optimizer = several(Adam)
    before = [dict(group) for group in optimizer.param_groups]
    scheduler = LinearLR(optimizer)
    scheduler.step()
    for group, old in zip(optimizer.param_groups, before, strict=True):
        assert group.keys() == old.keys() and group["lr"] != old["lr"]
        assert all(group[name] is old[name] for name in group if name != "lr")


def test_the_optimizer_moves_by_the_scheduled_rate() -> None:
    p = give(parameter(1.0), 1.0)
    optimizer = SGD([p], lr=0.5)
    scheduler = ExponentialLR(optimizer, 0.5)
    for expected in (0.5, 0.25, 0.125):
        optimizer.step()
        scheduler.step()
        assert p.item() == expected


def test_a_group_that_is_added_later_goes_on_from_its_own_rate() -> None:
    optimizer = SGD([parameter(1.0)], lr=1.0)
    exponential, by_function = ExponentialLR(optimizer, 0.5), ReduceLROnPlateau(optimizer, min_lr=[0.0])
    exponential.step()
    optimizer.add_param_group({"params": [parameter(2.0)], "lr": 8.0})
    exponential.step()
    assert rates(optimizer) == [0.25, 4.0] and exponential.base_lrs == [1.0, 8.0]
    with pytest.raises(
        ValueError, match="^ReduceLROnPlateau: min_lr must be a list of 2, .* got a list of 1; make them as many"
    ):
        by_function.step(1.0)
    assert by_function.last_epoch == 0 and by_function.best == math.inf


def test_all_are_in_both_places() -> None:
    for name in (*PYTORCHS, "NoamScheduler", "SequentialLR", "ChainedScheduler", "ReduceLROnPlateau", "LRScheduler"):
        assert getattr(optim, name) is getattr(optim.lr_scheduler, name)
        assert issubclass(getattr(optim, name), LRScheduler)


def test_a_copy_of_both_goes_on_alone() -> None:
    optimizer = several()
    scheduler = StepLR(optimizer, 1, 0.5)
    for twin in (copy.deepcopy(scheduler), pickle.loads(pickle.dumps(scheduler))):
        twin.step()
        assert twin.get_last_lr() == [0.25, 0.01, 1.5] and rates(optimizer) == [*BASES]


# -- state ---------------------------------------------------------------------------------------------------

KINDS: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [  # with the arguments of the run, and others
    (StepLR, {"step_size": 2, "gamma": 0.7}, {"step_size": 9}),
    (MultiStepLR, {"milestones": [2, 5, 6]}, {"milestones": [1], "gamma": 0.9}),
    (ExponentialLR, {"gamma": 0.9}, {"gamma": 0.1}),
    (LinearLR, {"total_iters": 7}, {"start_factor": 0.9}),
    (CosineAnnealingLR, {"T_max": 4, "eta_min": 1e-3}, {"T_max": 99}),
    (LambdaLR, {"lr_lambda": lambda t: 0.8**t}, {"lr_lambda": lambda t: 0.8**t}),
    (MultiplicativeLR, {"lr_lambda": lambda t: 0.8 if t % 2 else 1.1}, {"lr_lambda": lambda t: 0.8 if t % 2 else 1.1}),
    (ConstantLR, {"factor": 0.5, "total_iters": 8}, {"factor": 0.25}),
    (PolynomialLR, {"total_iters": 9, "power": 2}, {"total_iters": 3}),
    (CosineAnnealingWarmRestarts, {"T_0": 4, "T_mult": 2}, {"T_0": 99}),
    (CyclicLR, {"base_lr": 0.01, "max_lr": [0.1], "step_size_up": 3, "mode": "exp_range", "gamma": 0.9},
     {"base_lr": 0.5, "max_lr": 0.6}),
    (OneCycleLR, {"max_lr": 0.1, "total_steps": 20, "three_phase": True}, {"max_lr": 0.2, "total_steps": 3}),
    (NoamScheduler, {"model_size": 16, "warmup_steps": 9}, {"model_size": 4, "warmup_steps": 2}),
    (ReduceLROnPlateau, {"mode": "max", "patience": 1, "cooldown": 1, "factor": 0.8, "min_lr": [0.01]},
     {"factor": 0.9}),
]  # fmt: skip
CHANGING = (StepLR, MultiStepLR, ExponentialLR, LinearLR, CosineAnnealingLR, MultiplicativeLR, ConstantLR, PolynomialLR,
            ReduceLROnPlateau)
kinds = pytest.mark.parametrize("kind, arguments, others", KINDS, ids=[kind.__name__ for kind, *_ in KINDS])


@kinds
@pytest.mark.parametrize("order", ["schedule last", "optimizer last", "schedule made last"])
def test_it_resumes_to_the_bit(
    kind: Any, arguments: dict[str, Any], others: dict[str, Any], order: str, tmp_path: Any
) -> None:
    """Through lucid.save and load, whichever of the two is made and loaded first, and whatever they were made with."""

    def go(model: Any, optimizer: Any, scheduler: Any, x: Any, y: Any) -> None:
        for _ in range(6):
            train(model, optimizer, x, y, 2)
            scheduler.step(*[1.0] * (kind is ReduceLROnPlateau))
            trace.append(scheduler.get_last_lr())

    trace: list[list[float]] = []
    model, x, y = model_and_data()
    optimizer = Adam(model.parameters(), lr=0.05)
    scheduler = kind(optimizer, **arguments)
    go(model, optimizer, scheduler, x, y)
    if kind in CHANGING:
        optimizer.param_groups[0]["lr"] *= 0.9  # by hand, since the schedule's last step
    lucid.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": scheduler.state_dict()},
        tmp_path / "run.npz",
    )
    go(model, optimizer, scheduler, x, y)

    saved = lucid.load(tmp_path / "run.npz")
    again, *_ = model_and_data(seed=1)
    again.load_state_dict(saved["model"])
    fresh = Adam(again.parameters(), lr=1.0)
    if order == "schedule made last":
        fresh.load_state_dict(saved["optimizer"])
    resumed = kind(fresh, **others)
    loads = [(fresh, "optimizer"), (resumed, "schedule")]
    for each, key in loads[::-1] if order == "optimizer last" else loads[order == "schedule made last" :]:
        each.load_state_dict(saved[key])
    assert resumed.last_epoch == 6
    go(again, fresh, resumed, x, y)
    assert equal(weights(model), weights(again)) and trace[6:12] == trace[12:]
    assert len({lr for (lr,) in trace[6:12]}) > 1 or kind in (MultiStepLR, LinearLR, ConstantLR)
    assert optimizer.state_dict()["param_groups"] == fresh.state_dict()["param_groups"]


@kinds
def test_its_state_is_a_plain_copy(kind: Any, arguments: dict[str, Any], others: dict[str, Any]) -> None:
    scheduler = kind(SGD([parameter(1.0)], lr=np.float64(0.5)), **arguments)
    state = scheduler.state_dict()
    expected = {"last_epoch": 0, "base_lrs": [0.5], "lrs": scheduler.get_last_lr()}
    expected |= {name: getattr(scheduler, name) for name in kind.checks if name not in kind.functions}
    assert state == expected
    kept = copy.deepcopy(state)
    for value in state.values():
        assert type(value) in (int, float, str, list, bool)
        if isinstance(value, list):
            value.append(7)
    assert scheduler.state_dict() == kept


BAD_STATES: list[tuple[Any, type[Exception], str]] = [
    (lambda s: None, TypeError,
     r"expected a dict with the keys \['base_lrs', 'gamma', 'last_epoch', 'lrs', 'step_size'\], got None; give what "
     r"state_dict\(\) of a StepLR returned"),
    (lambda s: [1], TypeError, r"expected a dict with the keys .*, got \[1\]; give"),
    (lambda s: ExponentialLR(several(), 0.9).state_dict(), ValueError,
     r"expected the keys .*'step_size'\], got \['base_lrs', 'gamma', 'last_epoch', 'lrs'\]; give"),
    (lambda s: {**s, "T_max": 3}, ValueError, "expected the keys .*, got .*'T_max'"),
    (lambda s: {**s, "last_epoch": -1}, ValueError, "last_epoch " + NOT_COUNT.format(0, -1)),
    (lambda s: {**s, "step_size": 0}, ValueError, "step_size " + NOT_COUNT.format(1, 0)),
    (lambda s: {**s, "base_lrs": [1.0, math.nan, 1.0]}, ValueError,
     r"base_lrs\[1\] must be a finite number of 0 or more, got nan"),
    (lambda s: {**s, "lrs": 0.1}, TypeError, "lrs must be a list, got 0.1"),
    (lambda s: {**s, "lrs": [0.1]}, ValueError,
     "expected learning rates for 3 groups, as the optimizer has here, got 1; make the optimizer with the same groups "
     "first"),
    (lambda s: {**s, "base_lrs": [0.1] * 4}, ValueError, "expected learning rates for 3 groups"),
]  # fmt: skip


@pytest.mark.parametrize("spoil, error, text", BAD_STATES, ids=range(len(BAD_STATES)))
def test_a_state_that_does_not_fit_is_refused_and_nothing_is_loaded(
    spoil: Any, error: type[Exception], text: str
) -> None:
    optimizer = several()
    scheduler = StepLR(optimizer, 2)
    other = StepLR(several(), 5, 0.5)
    other.step()
    before = scheduler.state_dict()
    with pytest.raises(error, match=rf"^StepLR\.load_state_dict: {text}"):
        scheduler.load_state_dict(spoil(other.state_dict()))
    assert scheduler.state_dict() == before and rates(optimizer) == [*BASES]


def test_a_plateaus_state_for_fewer_groups_is_refused() -> None:
    small = ReduceLROnPlateau(SGD([parameter(1.0)]), min_lr=[0.1])
    with pytest.raises(
        ValueError, match=r"^ReduceLROnPlateau\.load_state_dict: min_lr must be a list of 3, .* got a list of 1"
    ):
        ReduceLROnPlateau(several()).load_state_dict(small.state_dict())


def test_a_plateau_reduces_a_rate_that_a_warm_up_keeps_below_eps() -> None:
    optimizer = SGD([parameter()], lr=1.0)
    warm_up = lr_scheduler.NoamScheduler(optimizer, 1, 1_000_000)
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.1)
    began = optimizer.param_groups[0]["lr"]
    assert 0 < began < 1e-8
    with pytest.warns(UserWarning, match="before the first optimizer.step"):
        for _ in range(4):
            warm_up.step()
            plateau.step(1.0)
    assert optimizer.param_groups[0]["lr"] < began
