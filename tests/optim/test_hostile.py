"""A hostile schedule: every shortcut of the runner beside the naive evaluation of the same rule, to the bit."""

import copy

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.optim import Optimizer, buckets, chunks
from tests.optim.training import Naive
from tests.whole import first, whole


def gradient(rng: np.random.Generator, p: nn.Parameter) -> lucid.Tensor:
    """One of many kinds of gradient, not all of them contiguous, writeable or kind."""
    g = np.asarray(rng.standard_normal(p.shape), p.dtype)
    match rng.integers(7):
        case 0:
            g = np.broadcast_to(p.dtype.type(0.5), p.shape)  # read-only, all strides zero
        case 1:
            g = np.array(g, order="F")
        case 2:
            g = np.repeat(g[..., None], 2, -1)[..., 0]  # strided
        case 3:
            g = np.zeros_like(g)
        case 4:
            g = np.where(
                rng.random(p.shape) < 0.1, g * p.dtype.type(1000), p.dtype.type(0)
            )  # sparse and spiking
    if g.flags.writeable and rng.random() < 0.2:
        g.flags.writeable = False
    return lucid.Tensor(g)


def hostile(rng: np.random.Generator, p: nn.Parameter, optimizer: Optimizer, naive: Naive) -> None:
    """Something that a user might do to a parameter, or to its state, between two steps."""
    entry = optimizer.state.get(p)
    match rng.integers(9):
        case 0:
            p.data = lucid.Tensor(np.asarray(rng.standard_normal(p.shape), p.dtype))
        case 1:
            p.data = lucid.Tensor(np.broadcast_to(p.dtype.type(0.25), p.shape))  # must not be written to
        case 2:
            p.data = lucid.Tensor(np.array(rng.standard_normal(p.shape), p.dtype, order="F"))
        case 3 if p._array.flags.writeable:
            p._array[...] *= p.dtype.type(0.5)
        case 4 if p.dtype != np.float16:  # to another dtype, with all that it has
            p.data = lucid.Tensor(p._array.astype("float32" if p.dtype == np.float64 else "float64"))
            if p in naive.state:
                wide = {slot: naive.state[p][slot].astype(p.dtype) for slot in naive.slots}
                naive.state[p].update(wide)
        case 5 if entry:
            del optimizer.state[p], naive.state[p]
        case 6 if entry:
            optimizer.state[p] = {k: copy.copy(v) for k, v in entry.items()}
        case 7 if entry:
            for slot in naive.slots:
                entry[slot] = entry[slot].copy() * 2
                naive.state[p][slot] = naive.state[p][slot] * 2
        case 8 if entry:
            entry["t"] = naive.state[p]["t"] = int(rng.integers(1, 4))


CASES = [
    ("Adamax", {"weight_decay": 0.01}),
    ("AdamaxW", {"weight_decay": 0.01, "maximize": True}),
    ("SGD", {"momentum": 0.9, "dampening": 0.1}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {"amsgrad": True, "maximize": True}),
    ("NAdam", {"decoupled_weight_decay": True}),
    ("RAdam", {"betas": (0.8, 0.9)}),  # v is divided by from the sixth update on
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adadelta", {}),
    ("RMSprop", {"momentum": 0.9, "centered": True}),
    ("Rprop", {"step_sizes": (1e-3, 0.1)}),
    ("ASGD", {"t0": 5}),
    ("Lion", {}),
]


@pytest.mark.parametrize("seed", first(range(6)))
@pytest.mark.parametrize("chunk, small", [(65_536, 8_192), (40, 16), (7, 0), (60, 60)])
@pytest.mark.parametrize("name, options", [CASES[0]], ids=["Adamax"])
def test_a_hostile_schedule(name, options, chunk: int, small: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    go(name, options, chunk, small, seed, monkeypatch)


@whole
@pytest.mark.parametrize("chunk, small", [(65_536, 8_192), (40, 16), (7, 0), (60, 60)])
@pytest.mark.parametrize("name, options", CASES[1:], ids=[name for name, _ in CASES[1:]])
def test_a_hostile_schedule_for_every_rule(
    name, options, chunk: int, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(2):
        go(name, options, chunk, small, seed, monkeypatch)


@pytest.mark.parametrize("name, options", first(CASES), ids=[name for name, _ in CASES])
def test_a_hostile_schedule_with_several_threads(name, options, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pieces there are, and whoever moves them."""
    shared: list[int] = []
    monkeypatch.setattr(chunks, "PARALLEL", 2)
    monkeypatch.setattr(chunks, "worker_count", lambda: 3)
    run_parallel = chunks.run_parallel

    def record(tasks: list, counted: object) -> None:
        shared.append(len(tasks))
        run_parallel(tasks, counted)

    monkeypatch.setattr(chunks, "run_parallel", record)
    go(name, options, 7, 0, 0, monkeypatch)
    assert len(shared) > 30 and sum(shared) > 300


def go(name: str, options: dict, chunk: int, small: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", chunk)
    monkeypatch.setattr(buckets.PackedBucket, "capacity", chunk)
    monkeypatch.setattr(chunks, "SMALL", small)
    rng = np.random.default_rng(seed)
    shapes = [(), (0, 3), (5,), (3, 4), (2, 3, 5), (7, 11), (1, 1), (33,), (2, 40), (3,)]
    dtypes = ["float32"] * 5 + ["float64"] * 2 + ["float16"] + ["float32"] * 2
    ps = [nn.Parameter(rng.standard_normal(s).astype(d)) for s, d in zip(shapes, dtypes, strict=True)]
    groups = [{"params": ps[:5]}, {"params": ps[5:-1], "lr": 0.05, "weight_decay": 0.0}]
    optimizer = getattr(optim, name)(groups, lr=0.01, **options)
    naive = Naive(optimizer)
    frozen: set[nn.Parameter] = set()
    for t in range(40):
        if t == 20:
            optimizer.add_param_group({"params": ps[-1:], "lr": 0.02})
        if rng.random() < 0.3:
            group = optimizer.param_groups[rng.integers(len(optimizer.param_groups))]
            group["lr"], group["weight_decay"] = float(rng.random()), float(rng.random() < 0.5) / 100
        if rng.random() < 0.1:
            optimizer.load_state_dict(optimizer.state_dict())
        for group in optimizer.param_groups:
            for p in group["params"]:
                if rng.random() < 0.1:
                    frozen ^= {p}
                    p.requires_grad = p not in frozen
                if rng.random() < 0.1:
                    p.grad = None  # another dtype would not fit it
                    hostile(rng, p, optimizer, naive)
                p.grad = None if p in frozen or rng.random() < 0.1 else gradient(rng, p)
        arrays = {p: (p._array, p._array.flags.writeable, p._array.copy()) for p in ps}
        gradients = {p: (p.grad, p.grad._array.copy()) for p in ps if p.grad is not None}
        expected = naive.predict(optimizer.param_groups)
        optimizer.step()

        assert optimizer.state.keys() == naive.state.keys()
        for p, theta in expected.items():
            assert np.array_equal(p._array, theta) and p.dtype == theta.dtype and p.shape == theta.shape
            array, was_writeable, values = arrays[p]
            assert (p._array is array) == (was_writeable or p.grad is None)
            assert was_writeable or np.array_equal(array, values)
        for p, (grad, values) in gradients.items():
            assert p.grad is grad and np.array_equal(grad._array, values)
        for p, entry in naive.state.items():
            assert optimizer.state[p].keys() == entry.keys() and optimizer.state[p]["t"] == entry["t"]
            for slot in naive.slots:
                array = optimizer.state[p][slot]
                assert (
                    array.dtype == entry[slot].dtype or p.grad is None
                )  # else it follows with the next update
                assert np.array_equal(array.astype(entry[slot].dtype), entry[slot]), slot
