"""What holds on every number of ranks: `mpiexec -n 2 python -m tests.distributed.suite` prints each case that held.

A model is trained twice from the same start: by every rank alone on whole batches, and by all ranks together on their
shares of them. The ranks must end with the same bits, and with what one process has, but for the order of sums.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import lucid
from lucid import distributed, nn, optim
from lucid.distributed import DistributedDataParallel, DistributedSampler, SyncBatchNorm
from lucid.distributed.parallel import CHECK_EVERY
from lucid.distributed.world import world
from lucid.nn import functional as F
from lucid.utils.data import DataLoader, TensorDataset

CASES: dict[str, Callable[[], None]] = {}
OPTIMIZERS = {
    "Adamax": lambda p: optim.Adamax(p, lr=0.05), "AdamW": lambda p: optim.AdamW(p, lr=0.05),
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
}  # fmt: skip
SIZES = (12, 12, 7, 12, 1, 5)  # of the batches: not all of them divide, and one has fewer samples than there are ranks


def case(*options: Any) -> Callable[[Any], Any]:
    def add(function: Any) -> Any:
        for option in options or [()]:
            given = option if isinstance(option, tuple) else (option,)
            CASES["-".join([function.__name__, *map(str, given)])] = partial(function, *given)
        return function

    return add


class Tied(nn.Module):
    """A weight that is used twice, one that is frozen, one that only odd steps use, and one that nobody uses."""

    def __init__(self) -> None:
        self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 3)
        self.second = nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.second.bias.requires_grad = False
        self.sometimes, self.never, self.step = nn.Linear(6, 3), nn.Linear(2, 2), 0

    def forward(self, x: Any) -> Any:
        self.step += 1
        h = self.second(self.first(x).tanh()).tanh()
        return self.last(h) + (self.sometimes(x) if self.step % 2 else 0)


class Words(nn.Module):
    def __init__(self) -> None:
        self.embedding, self.out = nn.Embedding(20, 5), nn.Linear(5, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.embedding(x).mean(1))


MODELS = {
    "MLP": lambda: nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)),
    "CNN": lambda: nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    ),
    "embedding": Words,
    "tied": Tied,
}


def inputs(model: str, n: int) -> tuple[lucid.Tensor, lucid.Tensor]:
    y = lucid.randint(0, 3, (n,))
    if model == "embedding":
        return lucid.randint(0, 20, (n, 4)), y
    return lucid.randn(n, *((1, 6, 6) if model == "CNN" else (6,)), dtype=lucid.float64), y


def share(x: lucid.Tensor) -> lucid.Tensor:
    return x[distributed.rank() :: distributed.world_size()]


def same_bits(module: nn.Module) -> None:
    states = distributed.all_gather(module.state_dict())
    for state in states:
        for name, value in state.items():
            assert value.tobytes() == states[0][name].tobytes(), f"{name} differs between ranks"


def close(module: nn.Module, alone: nn.Module, tolerance: float = 1e-12) -> None:
    for (name, p), q in zip(module.state_dict().items(), alone.state_dict().values(), strict=True):
        np.testing.assert_allclose(p, q, rtol=tolerance, atol=tolerance, err_msg=name)


def two(make: Callable[[], nn.Module], dtype: Any = lucid.float64, **options: Any) -> tuple[Any, Any, Any]:
    """A model, one with the same numbers, and the first one on all ranks."""
    models = []
    for _ in range(2):
        lucid.manual_seed(0)
        models.append(make().to(dtype))
    converted = SyncBatchNorm.convert_sync_batchnorm(models[0])
    return converted, models[1], DistributedDataParallel(converted, **options)


@case(*[(model, optimizer) for model in MODELS for optimizer in OPTIMIZERS])
def training(model: str, optimizer: str) -> None:
    module, alone, parallel = two(MODELS[model])
    ours, theirs = (OPTIMIZERS[optimizer](m.parameters()) for m in (module, alone))
    for step, size in enumerate(s for s in SIZES if model != "CNN" or s > 1):
        x, y = inputs(model, size)
        for each in (ours, theirs):
            each.zero_grad()
        loss = F.cross_entropy(parallel(share(x)), share(y))
        loss.backward()
        expected = F.cross_entropy(alone(x), y)
        expected.backward()
        weighted = distributed.all_reduce(
            loss.detach() * len(share(y)) if len(share(y)) else lucid.zeros((), dtype="float64")
        )
        np.testing.assert_allclose(weighted.item() / size, expected.item(), rtol=1e-12)
        for (name, p), q in zip(module.named_parameters(), alone.parameters(), strict=True):
            assert (p.grad is None) == (q.grad is None), (step, name)
        for each in (ours, theirs):
            each.step()
        same_bits(module)
        close(module, alone)


@case()
def single_precision() -> None:
    module, alone, parallel = two(MODELS["MLP"], lucid.float32)
    ours, theirs = (optim.Adamax(m.parameters(), lr=0.01) for m in (module, alone))
    for _ in range(20):
        x, y = inputs("MLP", 13)
        for each, model, a, b in ((ours, parallel, share(x), share(y)), (theirs, alone, x, y)):
            each.zero_grad()
            F.cross_entropy(model(a.float()), b).backward()
            each.step()
    same_bits(module)
    close(module, alone, 1e-5)


@case()
def accumulation_and_clipping() -> None:
    module, alone, parallel = two(MODELS["MLP"])
    ours, theirs = (optim.SGD(m.parameters(), lr=0.1) for m in (module, alone))
    for _ in range(3):
        parts = [inputs("MLP", 12) for _ in range(3)]
        for each in (ours, theirs):
            each.zero_grad()
        with parallel.no_sync():
            for x, y in parts[:-1]:
                (F.cross_entropy(parallel(share(x)), share(y)) / 3).backward()
        before = distributed.all_gather(module[0].weight.grad)
        assert distributed.world_size() == 1 or not (before[0] == before[1]).all(), "no_sync has reduced"
        (F.cross_entropy(parallel(share(parts[-1][0])), share(parts[-1][1])) / 3).backward()
        for x, y in parts:
            (F.cross_entropy(alone(x), y) / 3).backward()
        norms = [nn.utils.clip_grad_norm_(m.parameters(), 0.1).item() for m in (module, alone)]
        np.testing.assert_allclose(*norms, rtol=1e-12)
        for each in (ours, theirs):
            each.step()
        same_bits(module)
        close(module, alone)


@case()
def layers_that_are_frozen_later() -> None:
    """And thawed, and made another dtype: with the same model and optimizer."""
    module, alone, parallel = two(MODELS["MLP"])
    for first, dtype in ((True, lucid.float64), (False, lucid.float64), (True, lucid.float64), (True, lucid.float32)):
        x, y = inputs("MLP", 8)
        for model in (module, alone):
            model[0].requires_grad_(first).to(dtype)
            model[2].to(dtype)
            model.zero_grad()
        F.cross_entropy(parallel(share(x).to(dtype)), share(y)).backward()
        F.cross_entropy(alone(x.to(dtype)), y).backward()
        for p, q in zip(module.parameters(), alone.parameters(), strict=True):
            assert (p.grad is None) == (q.grad is None) and (p.grad is None or p.grad.dtype == dtype)
            tolerance = 1e-12 if dtype == lucid.float64 else 1e-5
            if q.grad is not None:
                np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=tolerance, atol=tolerance)


@case()
def a_rank_without_samples() -> None:
    """Whatever the mean of nothing makes of its gradients."""

    class Mean(nn.Module):
        def __init__(self) -> None:
            self.weight = nn.Parameter(lucid.ones(3))

        def forward(self, x: Any) -> Any:
            return self.weight * x.mean(0)

    module, size = Mean(), distributed.world_size()
    DistributedDataParallel(module)(lucid.ones(0 if distributed.rank() and size > 1 else 4, 3)).sum().backward()
    assert module.weight.grad.tolist() == [1, 1, 1]


@case()
def samples_in_another_dim() -> None:
    """Inputs (features, samples): rank r has r + 1 samples of value r, and a loss that is their mean."""
    rank, size = distributed.rank(), distributed.world_size()

    class Mean(nn.Module):
        def __init__(self) -> None:
            self.weight = nn.Parameter(lucid.ones(1))

        def forward(self, x: Any) -> Any:
            return self.weight * x.mean(1)

    module = Mean()
    DistributedDataParallel(module, dim=1)(lucid.full((1, rank + 1), float(rank))).sum().backward()
    expected = sum(r * (r + 1) for r in range(size)) / sum(r + 1 for r in range(size))
    np.testing.assert_allclose(module.weight.grad.numpy(), [expected], rtol=1e-6)


@case()
def a_sum_as_the_loss() -> None:
    module, alone, parallel = two(MODELS["MLP"], reduction="sum")
    x, y = inputs("MLP", 7)
    F.cross_entropy(parallel(share(x)), share(y), reduction="sum").backward()
    F.cross_entropy(alone(x), y, reduction="sum").backward()
    for p, q in zip(module.parameters(), alone.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-12, atol=1e-12)


@case()
def ranks_that_use_other_parameters() -> None:
    """What one rank has used is used; what none has keeps no gradient."""

    class Some(nn.Module):
        def __init__(self) -> None:
            self.each = [nn.Parameter(lucid.ones(2)) for _ in range(6)]

        def forward(self, x: Any) -> Any:
            return self.each[0] * x + self.each[distributed.rank() + 1] * x

    module = Some()
    DistributedDataParallel(module)(lucid.ones(1, 2)).sum().backward()
    size = distributed.world_size()
    expected = [1.0, *[1 / size] * size, *[None] * (5 - size)]
    for p, value in zip(module.each, expected, strict=True):
        assert (p.grad is None) if value is None else np.allclose(p.grad.numpy(), value)


@case()
def gradients_that_were_there_stay() -> None:
    """A second backward adds to what was reduced; one that is not through the model reduces nothing."""
    module, alone, parallel = two(MODELS["MLP"])
    for _ in range(2):
        x, y = inputs("MLP", 8)
        F.cross_entropy(parallel(share(x)), share(y)).backward()
        F.cross_entropy(alone(x), y).backward()
    (lucid.ones(3, requires_grad=True) * distributed.rank()).sum().backward()
    parallel(x)  # nobody differentiates it
    for p, q in zip(module.parameters(), alone.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-12, atol=1e-12)


@case()
def two_models_and_a_penalty() -> None:
    """A generator and a critic whose gradient is penalised: two reductions, each with its own model's backward."""
    module, alone, parallel = two(MODELS["MLP"])
    other, alone_too, parallel_too = two(lambda: nn.Linear(6, 6))
    x, _ = inputs("MLP", 8)
    losses = []
    for critic, generator, mine in ((parallel, parallel_too, share(x)), (alone, alone_too, x)):
        made = generator(mine).tanh()
        (slope,) = lucid.autograd.grad(critic(made).square().sum(), made, create_graph=True)
        losses.append((slope.square().sum(1) - 1).square().mean())
        losses[-1].backward()
    for p, q in zip(
        [*module.parameters(), *other.parameters()], [*alone.parameters(), *alone_too.parameters()], strict=True
    ):
        if q.grad is not None:
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-11, atol=1e-12)


@case()
def dropout_differs_and_all_else_does_not() -> None:
    lucid.manual_seed(3)
    drop = DistributedDataParallel(nn.Sequential(nn.Dropout(0.5)))
    masks = [drop(lucid.ones(64, requires_grad=True)) for _ in range(4)]
    gathered = distributed.all_gather(lucid.stack(masks))
    drawn = distributed.all_gather(lucid.rand(3))
    flat = [tuple(row.tolist()) for each in gathered for row in each]
    assert len(set(flat)) == len(flat), "two ranks, or two steps, drop the same"
    assert all((x == drawn[0]).all() for x in drawn), "the generators have come apart"
    state = lucid.get_rng_state()
    again = [drop(lucid.ones(64, requires_grad=True)).tolist() for _ in range(2) if not lucid.set_rng_state(state)]
    assert again[0] == again[1]


@case()
def generators_begin_as_one() -> None:
    """Without any seed, too: the first numbers after init() were the same on all ranks."""
    assert all(x == FIRST[0] for x in FIRST)


@case()
def buffers_are_averaged() -> None:
    module = nn.BatchNorm1d(3)
    parallel = DistributedDataParallel(module)
    x = lucid.randn(8, 3) + distributed.rank()
    parallel(x).sum().backward()
    same_bits(module)
    means = np.mean([m.numpy() for m in distributed.all_gather(x.mean(0))], axis=0)
    np.testing.assert_allclose(module.running_mean.numpy(), 0.1 * means, rtol=1e-5, atol=1e-7)


@case()
def models_that_begin_differently() -> None:
    if distributed.world_size() == 1:
        return
    lucid.manual_seed(distributed.rank())
    module = nn.Linear(3, 2)
    lucid.manual_seed(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        DistributedDataParallel(module)
    same_bits(module)
    told = [str(w.message) for w in caught]
    assert len(told) == (distributed.rank() == 0) and all(
        "weight (2 of 2) is not the same on rank" in t for t in told
    ), told
    if distributed.rank():
        module.bias.data.fill_(9)
    refuses(
        "bias .1 of 2. is not the same on ranks? 1.* as on rank 0", DistributedDataParallel, module, init_sync=False
    )
    mine = nn.Linear(3, 2 + (distributed.rank() == 1))
    refuses(
        r"rank 0 has weight: a Tensor of shape \(2, 3\), float32; rank 1 has weight: .*\(3, 3\)",
        DistributedDataParallel,
        mine,
    )
    mine = nn.Sequential(nn.Linear(1, 1), *[nn.Linear(1, 1)] * (distributed.rank() == 1))
    refuses(r"rank 0 has nothing more; rank 1 has 1.weight", DistributedDataParallel, mine)


def refuses(message: str, function: Any, *args: Any, **options: Any) -> None:
    try:
        function(*args, **options)
    except (ValueError, TypeError, RuntimeError) as error:
        assert re.search(message, str(error)), f"{error} does not match {message}"
    else:
        raise AssertionError(f"not refused: {message}")


@case()
def parameters_that_come_apart() -> None:
    if distributed.world_size() == 1:
        return
    module = nn.Linear(2, 1)
    parallel, optimizer = (
        DistributedDataParallel(module),
        optim.SGD(module.parameters(), lr=0.1 + 0.1 * distributed.rank()),
    )

    def steps() -> None:
        for _ in range(CHECK_EVERY):
            optimizer.zero_grad()
            parallel(lucid.ones(2, 2)).sum().backward()
            optimizer.step()

    refuses("after 100 steps weight .2 of 2. is not the same on ranks? 1.* as on rank 0", steps)


@case()
def collectives() -> None:
    rank, size = distributed.rank(), distributed.world_size()
    distributed.barrier()
    for dtype in ("float16", "float32", "float64", "int32", "int64", "uint8"):
        x = lucid.tensor([rank + 1, 2], dtype=dtype)
        assert distributed.all_reduce(x) is x and x.tolist() == [size * (size + 1) / 2, 2 * size], (dtype, x)
        x = lucid.tensor([[rank], [-0.0]], dtype=dtype)
        assert distributed.all_reduce(x, "max").tolist() == [[size - 1], [0]] and x.dtype == dtype
    assert distributed.all_reduce(lucid.tensor(float(rank)), "mean").item() == (size - 1) / 2
    assert np.isnan(distributed.all_reduce(lucid.tensor(float("nan") if rank == size - 1 else 1.0), "max").item())
    assert distributed.all_reduce(lucid.ones(2, 3).T * rank).tolist() == [[size * (size - 1) / 2] * 2] * 3
    many = lucid.randn(1000) * 10.0 ** lucid.randint(-6, 6, (1000,)) * (rank + 1.1)
    sums = distributed.all_gather(distributed.all_reduce(many))
    assert all((s == sums[0]).all() for s in sums), "a sum has other bits on other ranks"
    assert [x.shape for x in distributed.all_gather(lucid.zeros(rank, 2))] == [(r, 2) for r in range(size)]
    assert distributed.all_gather({"rank": rank}) == [{"rank": r} for r in range(size)]
    x = lucid.tensor([float(rank)] * 3)
    assert distributed.broadcast(x, src=size - 1) is x and x.tolist() == [size - 1.0] * 3
    assert distributed.broadcast({"epoch": 3} if rank == 0 else None) == {"epoch": 3}
    assert distributed.broadcast(rank, src=size - 1) == size - 1
    refuses(f"src must be a rank, 0 to {size - 1}, got {size}", distributed.broadcast, x, src=size)
    refuses(f"op must be one of sum, mean, max, got 'prod' on rank {rank}", distributed.all_reduce, x, "prod")
    refuses(
        f"no mean of int64 over ranks .rank {rank}.; convert it with .float",
        distributed.all_reduce,
        lucid.arange(3),
        "mean",
    )
    refuses(f"nothing in a tensor of shape .0,. to reduce, on rank {rank}", distributed.all_reduce, lucid.zeros(0))
    refuses(f"expected a Tensor on rank {rank}, got None", distributed.all_reduce, None)


@case()
def calls_that_differ_are_named() -> None:
    rank, size = distributed.rank(), distributed.world_size()
    if size == 1:
        return
    zeros = [r for r in range(size) if r != 1]
    those = f"ranks? {', '.join(map(str, zeros))}"
    x = lucid.zeros(3 if rank != 1 else 4)
    refuses(
        rf"rank {rank}: call \d+ .*{those}: all_reduce\(a Tensor of shape \(3,\).*rank 1: .*\(4,\)",
        distributed.all_reduce,
        x,
    )
    call = distributed.barrier if rank != 1 else lambda: distributed.all_gather(1)
    refuses(rf"rank {rank}: .*{those}: barrier; rank 1: all_gather", call)
    module = nn.Linear(2, 1)
    parallel = DistributedDataParallel(module)
    if rank == 1:
        module.bias.requires_grad = False
    refuses("of 2 parameters, 3 numbers.*of 1 parameters, 2 numbers", parallel(lucid.ones(1, 2)).sum().backward)


@case(*[(count, batch, drop) for count in (23, 24, 25, 2) for batch in (1, 4) for drop in (False, True)])
def samples(count: int, batch: int, drop: bool) -> None:
    """Ranks' batches together are those of one process: each epoch, wherever it is resumed."""
    size, data = distributed.world_size(), TensorDataset(lucid.arange(count))
    make = lambda: DataLoader(data, batch_size=batch, sampler=DistributedSampler(data, seed=5), drop_last=drop)
    loader = make()
    for epoch in range(2):
        mine = [x.tolist() for (x,) in loader]
        all_of = distributed.all_gather(mine)
        assert len(loader) == len(mine) and len({len(each) for each in all_of}) == 1
        order = lucid.data.samplers.permutation(count, 5, epoch)
        for k, together in enumerate(zip(*all_of, strict=True)):
            whole, found = order[k * batch * size :][: batch * size], sorted(x for each in together for x in each)
            assert all(together) and set(found) == set(whole) | (
                set(found) - set(whole) if len(whole) < size else set()
            )
            assert len(found) == max(len(whole), size if not drop else 0) and (not drop or len(whole) == batch * size)
        if not drop:
            assert {x for each in all_of for b in each for x in b} == set(range(count))
    again = make()
    again.load_state_dict({**make().state_dict(), "epoch": 1, "batch": 1 if len(mine) > 1 else 0})
    assert [x.tolist() for (x,) in again] == mine[1 if len(mine) > 1 else 0 :]


@case()
def a_run_that_goes_on() -> None:
    """Saved by rank 0 in the middle of an epoch, read by all: the same bits as the run that was not stopped."""
    path = Path(distributed.broadcast(tempfile.mkdtemp() if distributed.rank() == 0 else None)) / "run.npz"
    lucid.manual_seed(1)
    data = TensorDataset(lucid.randn(30, 6), lucid.randint(0, 3, (30,)))

    def run(start: Any, steps: int) -> tuple[Any, Any]:
        lucid.manual_seed(2)
        module = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.Linear(8, 3))
        parallel, optimizer = DistributedDataParallel(module), optim.Adamax(module.parameters())
        loader = DataLoader(data, batch_size=4, sampler=DistributedSampler(data))
        parts = {"model": module, "optimizer": optimizer, "data": loader}
        if start is not None:
            for name, part in parts.items():
                part.load_state_dict(start[name])
            lucid.set_rng_state(start["random"])
        while True:
            for x, y in loader:
                optimizer.zero_grad()
                F.cross_entropy(parallel(x), y).backward()
                optimizer.step()
                steps -= 1
                if not steps:
                    return module, {name: part.state_dict() for name, part in parts.items()} | {
                        "random": lucid.get_rng_state()
                    }

    through, _ = run(None, 9)
    _, state = run(None, 5)
    if distributed.rank() == 0:
        lucid.save(state, path)
    distributed.barrier()
    resumed, _ = run(lucid.load(path), 4)
    same_bits(resumed)
    for p, q in zip(through.parameters(), resumed.parameters(), strict=True):
        assert (p == q).all()


class Nccl:
    """What lucid calls of cupy.cuda.nccl, over the memory that the stand-in's addresses are of."""

    available, NCCL_FLOAT64, NCCL_SUM = True, 8, 0
    calls = 0

    def __init__(self, size: int = 0, unique: Any = None, rank: int = 0) -> None:
        self.right = (size, unique, rank) == (distributed.world_size(), (3, -1, 4), distributed.rank())

    NcclCommunicator = property(lambda self: Nccl)
    get_unique_id = staticmethod(lambda: (3, -1, 4))

    def allReduce(self, source: int, target: int, count: int, kind: int, how: int, stream: int) -> None:
        from mpi4py import MPI

        assert self.right and source == target and (kind, how) == (8, 0)
        Nccl.calls += 1
        memory = np.ctypeslib.as_array((ctypes.c_double * count).from_address(source))
        MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, memory)


@case("host", "nccl")
def two_devices(by: str) -> None:
    """On a stand-in for CuPy: each rank has a GPU (three ranks two), and trains as the CPU does alone."""
    from tests.gpu import stand_in

    here, size = world("test"), distributed.world_size()
    with stand_in.installed(gpus=max(2, size if by == "nccl" else 2)):
        import cupy

        if by == "nccl":
            cupy.cuda.nccl, cupy.cuda.get_current_stream = Nccl(), lambda: SimpleNamespace(ptr=0)
            cupy.cuda.runtime.deviceGetPCIBusId = lambda index: f"0000:0{index}:00.0"
        here.nccl, Nccl.calls = ..., 0
        device = f"cuda:{distributed.rank() % (size if by == 'nccl' else 2)}"
        module, alone, _ = two(MODELS["CNN"])
        parallel = DistributedDataParallel(module.to(device))
        ours, theirs = (optim.Adamax(m.parameters(), lr=0.05) for m in (module, alone))
        for _ in range(3):
            x, y = inputs("CNN", 7)
            for each in (ours, theirs):
                each.zero_grad()
            F.cross_entropy(parallel(share(x).to(device)), share(y).to(device)).backward()
            F.cross_entropy(alone(x), y).backward()
            for each in (ours, theirs):
                each.step()
        total = distributed.all_reduce(lucid.ones(3, dtype="float64", device=device), "mean")
        assert total.device == device and total.tolist() == [1] * 3
        same_bits(module)
        close(module, alone)
        assert size == 1 or (Nccl.calls > 0) == (by == "nccl")
    here.nccl = ...


@case()
def one_rank_that_evaluates() -> None:
    """Under no_grad, or on the module itself, nothing is reduced, so that one rank may evaluate alone."""
    parallel = DistributedDataParallel(nn.Linear(2, 1))
    if distributed.rank() == 0:
        with lucid.no_grad():
            parallel(lucid.ones(1, 2))
        parallel.module(lucid.ones(1, 2)).sum().backward()
    drawn = distributed.all_gather(lucid.rand(()).item())
    assert all(x == drawn[0] for x in drawn), "the generators have come apart"


if __name__ == "__main__":
    distributed.init(timeout=30)
    FIRST = distributed.all_gather(lucid.rand(2).tolist())
    chosen = [name for name in CASES if not sys.argv[1:] or any(part in name for part in sys.argv[1:])]
    for name in chosen:
        lucid.manual_seed(7)
        CASES[name]()
        distributed.barrier()
        if distributed.rank() == 0:
            print("held:", name, flush=True)
    if distributed.rank() == 0:
        print(f"{len(chosen)} cases held on {distributed.world_size()} ranks, process {os.getpid()}")
