"""LBFGS: PyTorch's steps, what a line search finds, its state, and what it refuses."""

import copy
import inspect
import itertools
import json
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.optim import LBFGS
from lucid.optim.lbfgs import Pair, dot, two_loop_recursion
from lucid.optim.line_search import C1, C2, Point, cubic, strong_wolfe
from tests.optim.training import equal, give, parameter

WOLFE = {"line_search_fn": "strong_wolfe"}


def valley(tensor: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """Rosenbrock's, in four dimensions; `tensor` turns arrays into what one computes with."""
    return [np.array([-1.2, 1.0, -0.5, 2.0])], lambda ps: (
        (1 - ps[0][:-1]) ** 2 + 100 * (ps[0][1:] - ps[0][:-1] ** 2) ** 2
    ).sum()


def line(tensor: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """Least squares, with a matrix and a vector."""
    rng = np.random.default_rng(0)
    a, b = tensor(rng.standard_normal((30, 6))), tensor(rng.standard_normal((30, 2)))
    return [rng.standard_normal((6, 2)), rng.standard_normal(2)], lambda ps: ((a @ ps[0] + ps[1] - b) ** 2).mean()


def network(tensor: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    rng = np.random.default_rng(0)
    a, b = tensor(rng.standard_normal((30, 6))), tensor(rng.standard_normal((30, 2)))
    start = [rng.standard_normal((6, 5)), rng.standard_normal(5), rng.standard_normal((5, 2))]
    return start, lambda ps: (((a @ ps[0] + ps[1]).tanh() @ ps[2] - b) ** 2).mean()


def closed(optimizer: Any, ps: list[Any], loss_of: Any, calls: list[float] | None = None) -> Callable[[], Any]:
    def closure() -> Any:
        optimizer.zero_grad()
        loss = loss_of(ps)
        loss.backward()
        if calls is not None:
            calls.append(loss.item())
        return loss

    return closure


def made(
    problem: Any, order: Callable[[list[Any]], list[Any]] = list, **options: Any
) -> tuple[list[nn.Parameter], LBFGS, Any]:
    start, loss_of = problem(lucid.Tensor)
    ps = [nn.Parameter(array) for array in start]
    named = [(f"p{i}", p) for i, p in enumerate(ps)]
    optimizer = LBFGS(order(named), **options)
    return ps, optimizer, closed(optimizer, ps, loss_of)


@pytest.fixture
def torch() -> Iterator[Any]:
    import torch

    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(torch.float32)


# Steps that are compared: on a network rounding grows by some ten times a step, so there are few.
CASES: list[tuple[Any, dict[str, Any], int]] = [
    (valley, {"lr": 0.1, "max_iter": 3, "history_size": 2}, 30),
    (valley, WOLFE, 6),
    (valley, {**WOLFE, "max_iter": 4, "history_size": 3}, 20),
    (valley, {**WOLFE, "max_iter": 1, "max_eval": 3}, 50),
    (valley, {**WOLFE, "max_iter": 50, "max_eval": 7}, 15),
    (valley, {**WOLFE, "tolerance_grad": 1e-2, "tolerance_change": 1e-4}, 10),
    (line, {}, 10),
    (line, {"max_iter": 1}, 30),
    (line, WOLFE, 10),
    (line, {**WOLFE, "lr": 0.01, "max_iter": 2}, 30),
    (line, {**WOLFE, "lr": 100.0}, 10),
    (network, {"lr": 0.1, "max_iter": 3, "history_size": 2}, 20),
    (network, {**WOLFE, "max_iter": 4, "history_size": 3}, 8),
    (network, {**WOLFE, "max_iter": 1, "max_eval": 3}, 20),
]
IDS = [f"{problem.__name__}-{options}" for problem, options, _ in CASES]


@pytest.mark.parity
@pytest.mark.parametrize("problem, options, steps", CASES, ids=IDS)
def test_it_takes_pytorchs_steps(torch: Any, problem: Any, options: dict[str, Any], steps: int) -> None:
    calls: tuple[list[float], list[float]] = ([], [])
    (start, f), (_, g) = problem(lucid.Tensor), problem(torch.tensor)
    ours, theirs = [nn.Parameter(s) for s in start], [torch.nn.Parameter(torch.tensor(s)) for s in start]
    optimizer, reference = LBFGS(ours, **options), torch.optim.LBFGS(theirs, **options)
    one, other = closed(optimizer, ours, f, calls[0]), closed(reference, theirs, g, calls[1])
    for _ in range(steps):
        assert optimizer.step(one).item() == pytest.approx(reference.step(other).item(), rel=1e-8, abs=1e-10)
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-9, atol=1e-9)
    assert len(calls[0]) == len(calls[1]) > 2
    np.testing.assert_allclose(calls[0], calls[1], rtol=1e-8, atol=1e-10)


@pytest.mark.parity
def test_its_arguments_and_defaults_are_pytorchs(torch: Any) -> None:
    ours, theirs = (inspect.signature(kind).parameters for kind in (LBFGS, torch.optim.LBFGS))
    assert [(a.name, a.default) for a in ours.values()] == [(a.name, a.default) for a in theirs.values()]
    assert LBFGS([parameter(1.0)]).defaults == torch.optim.LBFGS([torch.ones(1, requires_grad=True)]).defaults


@pytest.mark.parity
@pytest.mark.parametrize("options", [WOLFE, {"lr": 0.1, "history_size": 2}], ids=str)
def test_what_pytorch_began_goes_on_here(torch: Any, options: dict[str, Any]) -> None:
    start, g = network(torch.tensor)
    theirs = [torch.nn.Parameter(torch.tensor(s)) for s in start]
    reference = torch.optim.LBFGS(theirs, max_iter=3, **options)
    other = closed(reference, theirs, g)
    for _ in range(3):
        reference.step(other)
    saved = reference.state_dict()
    plain = lambda v: [plain(x) for x in v] if isinstance(v, list) else v.numpy() if hasattr(v, "numpy") else v
    saved["state"] = {i: {k: plain(v) for k, v in entry.items()} for i, entry in saved["state"].items()}
    ps, optimizer, closure = made(network)
    for p, q in zip(ps, theirs, strict=True):
        p.data = lucid.Tensor(q.detach().numpy().copy())
    optimizer.load_state_dict(saved)
    for _ in range(3):
        optimizer.step(closure)
        reference.step(other)
        for p, q in zip(ps, theirs, strict=True):
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-10, atol=1e-10)
    LBFGS([parameter(1.0)]).load_state_dict(torch.optim.LBFGS([torch.ones(1, requires_grad=True)]).state_dict())


# -- what it is made of ---------------------------------------------------------------------------------------


def test_the_two_loops_are_the_matrix_of_bfgs() -> None:
    """Against H itself: H' = (I - s y' / sy) H (I - y s' / sy) + s s' / sy (Nocedal and Wright, equation 6.17)."""
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(4):
        s, y = rng.standard_normal(5), rng.standard_normal(5)
        y *= np.sign(s @ y)
        pairs.append(Pair([s[:2], s[2:]], [y[:2], y[2:]], s @ y))
    last = pairs[-1]
    matrix = last.sy / dot(last.y, last.y) * np.eye(5)
    for pair in pairs:
        s, y = np.concatenate(pair.s), np.concatenate(pair.y)
        half = np.eye(5) - np.outer(s, y) / pair.sy
        matrix = half @ matrix @ half.T + np.outer(s, s) / pair.sy
    g = rng.standard_normal(5)
    np.testing.assert_allclose(np.concatenate(two_loop_recursion([g[:2], g[2:]], pairs)), -matrix @ g, rtol=1e-12)
    assert np.array_equal(two_loop_recursion([g], [])[0], -g)


SHAPES: list[Callable[[float], tuple[float, float]]] = [  # f and f', falling at 0
    lambda t: ((t - 3) ** 2, 2 * (t - 3)),
    lambda t: ((t - 300) ** 2, 2 * (t - 300)),
    lambda t: ((t - 1e-4) ** 2, 2 * (t - 1e-4)),
    lambda t: (-t / (t * t + 2), (t * t - 2) / (t * t + 2) ** 2),  # More and Thuente 1994, (5.1)
    lambda t: ((t + 0.004) ** 5 - 2 * (t + 0.004) ** 4, 5 * (t + 0.004) ** 4 - 8 * (t + 0.004) ** 3),  # (5.2)
    lambda t: (math.exp(t) - 50 * t, math.exp(t) - 50),
    lambda t: (math.cos(t) - 0.05 * t, -math.sin(t) - 0.05),
]


@pytest.mark.parametrize("shape", SHAPES, ids=range(len(SHAPES)))
@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 100.0])
def test_a_line_search_finds_a_point_that_meets_the_conditions(shape: Any, first: float) -> None:
    def at(t: float) -> Point:
        asked.append(t)
        return Point(t, shape(t)[0], None, shape(t)[1])

    asked: list[float] = []
    start = Point(0.0, shape(0.0)[0], None, shape(0.0)[1])
    point, count = strong_wolfe(at, start, first, 1.0, 1e-12, 40)
    assert count == len(asked) <= 41 and asked[0] == first and min(asked) > 0
    assert point.loss <= start.loss + C1 * point.t * start.slope and abs(point.slope) <= C2 * abs(start.slope)


@pytest.mark.parity
def test_it_looks_where_pytorch_looks(torch: Any) -> None:
    """On hilly lines, where every one of the decisions is taken now and then."""
    from torch.optim.lbfgs import _strong_wolfe

    rng = np.random.default_rng(0)
    for _ in range(400):
        size, wave, shift = (
            rng.random(4) * rng.choice([1e-3, 1e-2, 1.0]),
            rng.integers(1, 9, 4) * rng.choice([0.01, 1.0]),
            rng.random(4) * 7,
        )
        bend = rng.choice([1e-3, 1.0, 100.0])  # how soon it stops to fall, but for the hills

        def f(
            t: float, size: Any = size, wave: Any = wave, shift: Any = shift, bend: float = bend
        ) -> tuple[float, float]:
            down = 1 + float((size * wave * np.cos(shift)).sum())  # so that the slope at 0 is -1
            loss = float((size * np.sin(wave * t + shift)).sum()) - down * (1 - math.exp(-bend * t)) / bend
            return loss, float((size * wave * np.cos(wave * t + shift)).sum()) - down * math.exp(-bend * t)

        ours: list[float] = []
        theirs: list[float] = []

        def at(t: float, f: Any = f, asked: list[float] = ours) -> Point:
            asked.append(t)
            return Point(t, f(t)[0], None, f(t)[1])

        def evaluate(x: Any, t: float, d: Any, f: Any = f, asked: list[float] = theirs) -> tuple[float, Any]:
            asked.append(float(t))
            return f(float(t))[0], torch.tensor([f(float(t))[1]])

        first, limit = float(10 ** rng.uniform(-2, 2)), int(rng.integers(0, 12))
        start = Point(0.0, f(0.0)[0], None, f(0.0)[1])
        assert start.slope == pytest.approx(-1)
        point, count = strong_wolfe(at, start, first, 1.0, 1e-9, limit)
        loss, _, t, evaluations = _strong_wolfe(
            evaluate,
            None,
            first,
            torch.ones(1),
            start.loss,
            torch.tensor([start.slope]),
            torch.tensor(start.slope),
            max_ls=limit,
        )
        assert ours == pytest.approx(theirs, rel=1e-9) and count == evaluations == len(ours)
        assert point.t == pytest.approx(float(t), rel=1e-9) and point.loss == pytest.approx(loss, rel=1e-9)


def test_a_line_search_that_may_try_no_more_gives_the_best_it_has() -> None:
    def at(t: float) -> Point:
        return Point(t, (t - 3) ** 2, None, 2 * (t - 3))

    assert strong_wolfe(at, at(0.0), 100.0, 1.0, 1e-9, 0) == (at(0.0), 1)
    assert strong_wolfe(at, at(0.0), 4.0, 1.0, 1e-9, 0) == (at(4.0), 1)
    assert strong_wolfe(at, at(0.0), 100.0, 1.0, 1e9, 40) == (at(0.0), 1)  # the interval is too small to matter


def test_a_point_that_gains_too_little_is_still_the_best_until_there_is_a_better_one() -> None:
    losses = iter([1.0, -1e-9, 0.5])  # the second is below the start, but by less than its length asks for
    start = Point(0.0, 0.0, None, -1.0)
    point, count = strong_wolfe(lambda t: Point(t, next(losses), None, 1.0), start, 100.0, 1.0, 1e-9, 2)
    assert point.loss == -1e-9 and count == 3


def test_a_cubic_without_a_lowest_point_is_halved() -> None:
    assert cubic(Point(0.0, 0.0, None, -1.0), Point(1.0, -1.0, None, -1.0), 0.0, 1.0) == 0.5  # a straight line
    assert cubic(Point(1.0, 4.0, None, 4.0), Point(0.0, 1.0, None, -2.0), 0.0, 1.0) == cubic(
        Point(0.0, 1.0, None, -2.0), Point(1.0, 4.0, None, 4.0), 0.0, 1.0
    )


# -- state ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{**WOLFE, "max_iter": 3, "history_size": 4}, {"lr": 0.1, "max_iter": 1}], ids=str)
@pytest.mark.parametrize("order", [list, lambda ps: ps[::-1]], ids=["same order", "reversed"])
def test_it_resumes_to_the_bit_and_by_name(options: dict[str, Any], order: Any, tmp_path: Any) -> None:
    ps, optimizer, closure = made(network, **options)
    for _ in range(5):
        optimizer.step(closure)
    lucid.save({"ps": [p.detach().numpy() for p in ps], "optimizer": optimizer.state_dict()}, tmp_path / "run.npz")
    for _ in range(4):
        optimizer.step(closure)
    saved = lucid.load(tmp_path / "run.npz")
    again, fresh, closure = made(network, order)
    for p, array in zip(again, saved["ps"], strict=True):
        p.data = lucid.Tensor(array)
    fresh.load_state_dict(saved["optimizer"])
    for _ in range(4):
        fresh.step(closure)
    difference = max(abs(p.detach().numpy() - q.detach().numpy()).max() for p, q in zip(ps, again, strict=True))
    assert difference == 0 if order is list else difference < 1e-10  # sums in another order are rounded otherwise


@pytest.mark.parametrize("way", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))],
                         ids=["deepcopy", "pickle"])
def test_a_copied_pair_trains_exactly_like_the_first(way: Any) -> None:
    ps, optimizer, closure = made(line, **WOLFE, max_iter=2)
    optimizer.step(closure)
    twins, twin = way((ps, optimizer))
    optimizer.step(closure)
    twin.step(closed(twin, twins, line(lucid.Tensor)[1]))
    assert equal([p.detach().numpy() for p in ps], [p.detach().numpy() for p in twins])


def test_its_state_is_what_its_docstring_says() -> None:
    ps, optimizer, closure = made(network, max_iter=4, history_size=2, lr=0.1)
    assert optimizer.state == {}
    before = [p.detach().numpy().copy() for p in ps]
    optimizer.step(closure)
    for p in ps:
        entry = optimizer.state[p]
        assert list(entry) == ["t", "g", "move", "s", "y"] and entry["t"] == 4
        assert len(entry["s"]) == len(entry["y"]) == 2 and all(
            a.shape == p.shape for a in (entry["g"], entry["move"], *entry["s"], *entry["y"])
        )
    saved = optimizer.state_dict()
    assert saved["param_groups"][0] == {"lr": 0.1, "max_iter": 4, "max_eval": 5, "history_size": 2,
                                        "tolerance_grad": 1e-7, "tolerance_change": 1e-9, "line_search_fn": None,
                                        "param_names": ["p0", "p1", "p2"], "params": [0, 1, 2]}  # fmt: skip
    saved["state"][0]["s"][0][:] = 7
    assert not (optimizer.state[ps[0]]["s"][0] == 7).any()
    assert not equal([p.detach().numpy() for p in ps], before)


def test_other_parameters_with_gradients_are_a_new_beginning() -> None:
    """The curvature that was seen with a parameter says nothing of how the loss bends without it."""
    ps, optimizer, closure = made(network, max_iter=3, lr=0.1)
    optimizer.step(closure)
    ps[0].requires_grad = False
    held = ps[0].detach().numpy().copy()
    twins, fresh = copy.deepcopy((ps, LBFGS(ps, max_iter=3, lr=0.1)))
    optimizer.step(closure)
    fresh.step(closed(fresh, twins, network(lucid.Tensor)[1]))
    assert np.array_equal(ps[0].detach().numpy(), held)
    assert equal([p.detach().numpy() for p in twins], [p.detach().numpy() for p in ps])
    assert [optimizer.state.get(p, {}).get("t") for p in ps] == [None, 2, 2]
    ps[0].requires_grad = True
    optimizer.step(closure)
    assert [optimizer.state[p]["t"] for p in ps] == [2, 2, 2]  # it would be 4, and was before the break


def _spoiled(change: Callable[[dict[Any, Any]], object]) -> dict[str, Any]:
    _, optimizer, closure = made(line, max_iter=3)
    optimizer.step(closure)
    saved = optimizer.state_dict()
    change(saved["state"])
    return saved


BAD_STATES = [
    (lambda s: s[0].pop("g"), r"state 0: 'g' is missing"),
    (lambda s: s[1].update(d=1), r"state 1: 'd' is unknown, expected \['g', 'move', 't'\]"),
    (lambda s: s[0].update(s=[np.ones(3)]),
     r"state 0: s has shapes \[\(3,\)\], expected a list of \(6, 2\), as its parameter"),
    (lambda s: s[0].pop("y"), r"state 0: y has shapes \[None\], expected a list of \(6, 2\)"),
    (lambda s: s[1].update(t=-1), r"state 1: t is -1, expected a count of updates"),
    (lambda s: s.update({0: 3}), r"state 0: not a dict"),
    (lambda s: s.update({7: s[0]}), r"state 7: no group has a parameter of this index"),
]


@pytest.mark.parametrize("change, text", BAD_STATES, ids=range(len(BAD_STATES)))
def test_state_that_does_not_fit_changes_nothing(change: Any, text: str) -> None:
    _, optimizer, closure = made(line, max_iter=2)
    optimizer.step(closure)
    before = optimizer.state_dict()
    with pytest.raises(
        ValueError, match=rf"^LBFGS.load_state_dict: this state does not fit, nothing was loaded:(.|\n)*{text}"
    ):
        optimizer.load_state_dict(_spoiled(change))
    assert pickle.dumps(optimizer.state_dict()) == pickle.dumps(before)


# -- memory and dtypes ----------------------------------------------------------------------------------------


def test_all_kinds_of_parameters_and_gradients() -> None:
    """Half, single and double side by side, a number, nothing at all, a transposed and a read-only array."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.standard_normal((3, 4)).astype("float16"),
        rng.standard_normal(5).astype("float32"),
        np.array(2.0),
        np.zeros((0, 3)),
        rng.standard_normal((4, 2)).T,
        np.broadcast_to(np.float64(0.5), 3),
    ]
    ps = [nn.Parameter(np.zeros(a.shape, a.dtype)) for a in arrays]
    for p, a in zip(ps, arrays, strict=True):
        p.data = lucid.Tensor(a)
    optimizer = LBFGS(ps, max_iter=40, **WOLFE)
    goal = [lucid.Tensor(np.asarray(rng.standard_normal(a.shape), a.dtype)) for a in arrays]

    def loss_of(ps: list[Any]) -> Any:
        return sum(((p - g) ** 2).sum().double() for p, g in zip(ps, goal, strict=True))

    optimizer.step(closed(optimizer, ps, loss_of))
    for p, g, a in zip(ps, goal, arrays, strict=True):
        assert p.dtype == a.dtype and p.shape == a.shape
        np.testing.assert_allclose(p.detach().numpy(), g.numpy(), atol=2e-3 if a.dtype == "float16" else 1e-5)
        assert optimizer.state[p]["g"].dtype == np.promote_types(a.dtype, "float32")
    assert arrays[5][0] == 0.5


def test_state_follows_a_parameter_to_another_dtype() -> None:
    ps, optimizer, _ = made(line, max_iter=2, max_eval=9, lr=0.1)
    closure = closed(optimizer, ps, lambda ps: sum((p**2).sum() for p in ps))
    optimizer.step(closure)
    for p in ps:
        p.grad = None
        p.data = p.data.float()
    optimizer.step(closure)
    assert len(optimizer.state[ps[0]]["s"]) == 3 and all(
        p.dtype == np.float32 and a.dtype == np.float32
        for p in ps
        for a in (optimizer.state[p]["move"], *optimizer.state[p]["s"])
    )


def test_a_gradient_that_is_not_finite_shows() -> None:
    p = parameter(1.0, 2.0)
    optimizer = LBFGS([p])

    def closure() -> float:
        give(p, math.nan, 1.0)
        return 1.0

    optimizer.step(closure)
    assert np.isnan(p.detach().numpy()).any()


# A loss that is not finite everywhere, where to begin, and where it is lowest.
EDGES: dict[str, tuple[Any, float, float]] = {
    "a NaN below 0": (lambda x: x - x.log(), 3.0, 1.0),
    "a NaN on both sides": (lambda x: -(1 - x * x).sqrt() + x, 0.9, -math.sqrt(0.5)),
    "an infinite wall": (lambda x: x + lucid.where(x < 0.5, math.inf * (0.5 - x.detach()), 0.1 / x), 3.0, 0.5),
    "a well without floor": (lambda x: (x - 1).square() + lucid.where(x < 0, x.detach() * math.inf, x * 0), 3.0, 1.0),
    "an overflow": (lambda x: (x * 400).exp() - 400 * x, -1.0, 0.0),
    "a slope without end": (lambda x: (x * x * x).abs().sqrt() + 1 / x.sqrt(), 4.0, 9 ** (-0.25)),
    "a NaN in the slope alone": (lambda x: x.square() + ((x * 0).sqrt() if x.item() < 1 else 0.0), 3.0, 1.0),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
@pytest.mark.parametrize("lr", [1.0, 100.0])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", EDGES)
def test_a_trial_that_is_not_finite_is_too_far(name: str, dtype: str, lr: float) -> None:
    loss_of, start, lowest = EDGES[name]
    p = parameter(start, dtype=dtype)
    optimizer = LBFGS([p], lr=lr, **WOLFE)
    closure = closed(optimizer, [p], lambda ps: loss_of(ps[0]).sum())
    losses = [optimizer.step(closure).item() for _ in range(30)]
    assert losses == sorted(losses, reverse=True) and all(map(math.isfinite, losses))
    assert abs(p.item() - lowest) < 2e-3


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_where_every_trial_is_not_finite_it_stays() -> None:
    p = parameter(1.0)
    optimizer = LBFGS([p], **WOLFE)
    first = p.item()
    closure = closed(optimizer, [p], lambda ps: (ps[0] * (1.0 if ps[0].item() == first else math.nan)).sum())
    for _ in range(3):
        optimizer.step(closure)
    assert p.item() == first and all(np.isfinite(a).all() for a in optimizer.state[p]["s"])


# -- refused --------------------------------------------------------------------------------------------------


def test_it_needs_a_closure_that_returns_the_loss() -> None:
    p = give(parameter(1.0), 1.0)
    optimizer = LBFGS([p])
    with pytest.raises(
        TypeError, match=r"^LBFGS.step: needs a closure, as it evaluates the loss many times; write def closure\(\)"
    ):
        optimizer.step()
    for loss, found in ((None, "None"), (lucid.ones(2), r"a Tensor of shape \(2,\)"), ("1", "'1'")):
        with pytest.raises(
            TypeError,
            match=rf"^LBFGS.step: the closure must return the loss, one number, got {found}; end it with return loss",
        ):
            optimizer.step(lambda loss=loss: loss)
    assert p.item() == 1.0 and optimizer.state == {}


@pytest.mark.parametrize("options", [WOLFE, {}], ids=str)
def test_whatever_is_raised_half_way_changes_nothing(options: dict[str, Any]) -> None:
    """By the closure at any of its calls, or while the state is written, in the first step and in a later one."""
    for warm, where, error in itertools.product((0, 1), (1, 2, 4, 9, "clear", "update"), (KeyboardInterrupt, OSError)):
        ps, optimizer, closure = made(valley, **options)
        for _ in range(warm):
            optimizer.step(closure)
        plain = lambda optimizer=optimizer: json.dumps(optimizer.state_dict(), default=np.ndarray.tolist)
        before, state = [p.detach().numpy().copy() for p in ps], plain()
        calls: list[Any] = []

        class Fragile(dict[Any, Any]):
            def fail(self, name: str, *args: Any, error: Any = error, where: Any = where, calls: Any = calls) -> None:
                getattr(dict, name)(self, *args)
                calls.append(name)
                if where == name and calls.count(name) == 1:
                    raise error

            def clear(self) -> None:
                self.fail("clear")

            def update(self, other: Any) -> None:  # type: ignore[override]
                self.fail("update", other)

        def fragile(error: Any = error, where: Any = where, calls: Any = calls, closure: Any = closure) -> Any:
            calls.append(1)
            if calls.count(1) == where:
                raise error
            return closure()

        optimizer.state = Fragile(optimizer.state)
        with pytest.raises(error):
            optimizer.step(fragile)
        assert equal([p.detach().numpy() for p in ps], before) and plain() == state


def test_gradients_are_enabled_within_the_closure() -> None:
    _, optimizer, closure = made(line)
    seen = []
    with lucid.no_grad():
        optimizer.step(lambda: (seen.append(lucid.is_grad_enabled()), closure())[1])
        assert not lucid.is_grad_enabled()
    assert len(seen) > 3 and all(seen)


def test_without_gradients_it_warns_once() -> None:
    p = parameter(1.0)
    optimizer = LBFGS([p])
    with pytest.warns(
        UserWarning, match=r"^LBFGS.step: no parameter has a gradient, so nothing moved. Call loss.backward\(\)"
    ) as warned:
        assert optimizer.step(lambda: 3.0) == 3.0
    assert warned[0].filename == __file__
    optimizer.step(lambda: 3.0)


def test_one_group_only() -> None:
    a, b = parameter(1.0), parameter(2.0)
    with pytest.raises(
        ValueError, match=r"^LBFGS: takes one group, as it moves all parameters together, got 2; give all in one list"
    ):
        LBFGS([{"params": [a]}, {"params": [b]}])
    optimizer = LBFGS([{"params": [a], "lr": 0.5}])
    with pytest.raises(ValueError, match="^LBFGS: takes one group"):
        optimizer.add_param_group({"params": [b]})
    assert optimizer.param_groups[0]["lr"] == 0.5 and len(optimizer.param_groups) == 1


COUNT = "must be a whole number of 1 or more, got {}; give it such a value"
BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"lr": -1}, ValueError, "lr must be a finite number of 0 or more, got -1"),
    ({"max_iter": 0}, ValueError, "max_iter " + COUNT.format(0)),
    ({"max_iter": 2.5}, ValueError, "max_iter " + COUNT.format(2.5)),
    ({"max_iter": "many"}, TypeError, "max_iter must be a whole number .*, got 'many'; .* instead of a str"),
    ({"max_eval": 0}, ValueError, "max_eval " + COUNT.format(0)),
    ({"history_size": 0}, ValueError, "history_size " + COUNT.format(0)),
    ({"tolerance_grad": math.nan}, ValueError, "tolerance_grad must be a finite number of 0 or more, got nan"),
    ({"tolerance_change": -1e-9}, ValueError, "tolerance_change must be a finite number of 0 or more, got -1e-09"),
    ({"line_search_fn": "armijo"}, ValueError,
     "line_search_fn must be None or 'strong_wolfe', got 'armijo'; give it one of these"),
    ({"weight_decay": 0.1}, TypeError,
     "got the keyword 'weight_decay', expected params, lr, max_iter, max_eval, tolerance_grad"),
]  # fmt: skip


@pytest.mark.parametrize("options, error, text", BAD, ids=str)
def test_bad_numbers_are_refused(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^LBFGS: {text}"):
        LBFGS([parameter(1.0)], **options)


def test_a_gradient_that_does_not_fit_is_refused_before_anything_moves() -> None:
    ps, optimizer, closure = made(line)

    def other() -> Any:
        loss = closure()
        ps[1].data = lucid.ones(3)
        return loss

    before = ps[0].detach().numpy().copy()
    with pytest.raises(
        ValueError, match=r"^LBFGS, group 0: parameter 1 has shape \(3,\) on cpu, its gradient must match, got \(2,\)"
    ):
        optimizer.step(other)
    assert np.array_equal(ps[0].detach().numpy(), before)


def test_a_schedule_changes_its_rate() -> None:
    ps, optimizer, closure = made(line, lr=0.5, max_iter=1)
    scheduler = optim.ExponentialLR(optimizer, 0.5)
    optimizer.step(closure)
    scheduler.step()
    before = [p.detach().numpy().copy() for p in ps]
    optimizer.param_groups[0]["lr"] = 0.0
    optimizer.step(closure)
    assert equal([p.detach().numpy() for p in ps], before)
