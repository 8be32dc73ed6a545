"""How long is one training step on 1, 2 and 4 processes, beside PyTorch's DistributedDataParallel (gloo)?

    python benchmarks/distributed.py

needs mpi4py, mpich (`pip install mpi4py mpich`) and PyTorch. Each measurement is a program of its own, started by
mpiexec; the contenders take turns. A batch is shared by the processes: with more of them each has fewer samples.
"""

# isort: split
import json
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import report

# name -> widths of the network, samples of a batch, steps that are timed
CASES = {
    "64-128-64-10, batch 32": ((64, 128, 64, 10), 32, 600),
    "784-512-512-10, batch 256": ((784, 512, 512, 10), 256, 60),
    "784-1024-1024-10, batch 1024": ((784, 1024, 1024, 10), 1024, 12),
}
COUNTS, ROUNDS, REDUCED = (1, 2, 4), 3, 17_098


def linears(nn: Any, widths: tuple[int, ...]) -> Any:
    layers: list[Any] = []
    for i, o in pairwise(widths):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def measure(library: str, case: str) -> dict[str, float]:
    """Microseconds of a step on this rank, and those of them that the reduction takes, waiting included."""
    rank, size = int(os.environ.get("PMI_RANK", 0)), int(os.environ.get("PMI_SIZE", 1))
    widths, batch, steps = CASES[case]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, widths[0]), dtype=np.float32)[rank::size]
    y = rng.integers(0, widths[-1], batch)[rank::size]
    reducing = [0.0]
    if library == "torch":
        import torch as framework

        framework.set_num_threads(1)
        model = linears(framework.nn, widths)
        if size > 1:
            store = os.environ["LUCID_STORE"]
            framework.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
            model = framework.nn.parallel.DistributedDataParallel(model)
    else:
        import lucid as framework

        framework.distributed.init()
        framework.manual_seed(0)
        model = framework.distributed.DistributedDataParallel(linears(framework.nn, widths))
        if size > 1:
            reduce = type(model._reducer).reduce

            def timed(self: Any) -> None:
                began = perf_counter()
                reduce(self)
                reducing[0] += perf_counter() - began

            type(model._reducer).reduce = timed
    optimizer, loss_of = framework.optim.Adamax(model.parameters(), lr=1e-3), framework.nn.functional.cross_entropy
    xs, ys = framework.tensor(x), framework.tensor(y)

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model(xs), ys).backward()
        optimizer.step()

    for _ in range(5):
        step()
    times, shares, worked = [], [], []
    for _ in range(steps):
        reducing[0], working, began = 0.0, process_time(), perf_counter()
        step()
        times.append(perf_counter() - began)
        worked.append(process_time() - working)
        shares.append(reducing[0])
    if library == "torch" and size > 1:
        framework.distributed.destroy_process_group()
    found = {"step": times, "processor": worked, "reduction": shares}
    return {name: 1e6 * median(values) for name, values in found.items()} | {"quickest": 1e6 * min(times)}


def reduction() -> dict[str, float]:
    """Microseconds to agree on and add up an array on all ranks that have come to it."""
    from lucid import distributed
    from lucid.distributed.world import world

    distributed.init()
    array, times, here = np.zeros(REDUCED, np.float32), [], world("benchmark")
    for _ in range(2000):
        began = perf_counter()
        here.agree("benchmark")
        here.add_up("benchmark", array)
        times.append(perf_counter() - began)
    return {"step": 1e6 * median(times), "quickest": 1e6 * min(times)}


def started(count: int, *arguments: str) -> dict[str, float]:
    """What rank 0 of so many processes measures."""
    mpiexec = Path(sys.executable).with_name("mpiexec")
    program = [sys.executable, __file__, "--measure", *arguments]
    with tempfile.TemporaryDirectory() as folder:
        here = {**os.environ, "LUCID_STORE": f"{folder}/store"}
        ran = subprocess.run([mpiexec, "-n", str(count), *program], env=here, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(ran.stdout + ran.stderr)
    return json.loads(ran.stdout.strip().splitlines()[-1])


def main() -> None:
    """Take all measurements in turn, print and keep the tables."""
    if sys.argv[1:2] == ["--measure"]:
        found = reduction() if sys.argv[2] == "reduction" else measure(*sys.argv[2:])
        if not int(os.environ.get("PMI_RANK", 0)):
            print(json.dumps(found))
        return
    import mpi4py
    import torch

    import lucid

    rounds = 2 if "--quick" in sys.argv else ROUNDS
    plan = [(case, library, count) for case in CASES for library in ("lucid", "torch") for count in COUNTS]
    found: dict[Any, list[dict[str, float]]] = {each: [] for each in plan}
    alone: list[dict[str, float]] = []
    load = os.getloadavg()[0]
    for _ in range(rounds):
        for case, library, count in plan:
            found[case, library, count].append(started(count, library, case))
        alone.append(started(2, "reduction"))

    def time(case: str, library: str, count: int, what: str = "step") -> float:
        return median(each[what] for each in found[case, library, count]) / 1e3

    rows = []
    for case in CASES:
        for count in COUNTS:
            ours, theirs = time(case, "lucid", count), time(case, "torch", count)
            share = f"{time(case, 'lucid', count, 'reduction'):,.2f}" if count > 1 else ""
            pairs = zip(found[case, "lucid", 1], found[case, "lucid", count], strict=True)
            one, several = zip(*pairs, strict=True)
            faster = [
                median(a[of] / b[of] for a, b in zip(one, several, strict=True)) for of in ("quickest", "processor")
            ]
            cells = [f"{ours:,.2f}", share, *(f"{x:.2f}" for x in faster), f"{theirs:,.2f}", f"{theirs / ours:.2f}"]
            rows.append([case, str(count), *cells])
    head = ["network", "processes", "lucid ms", "reduction ms", "times one", "by work", "PyTorch ms", "PyTorch / lucid"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    took, best = median(each["step"] for each in alone), min(each["quickest"] for each in alone)
    text = f"""# One training step on several processes

{report.surroundings(lucid, np, torch, mpi4py)}; {cores} cores, one thread each process.
Other programs used the cores as well: the load was {load:.1f} before.

{report.table(head, rows)}

Medians over {rounds} rounds of the median step of a run. *Times one*: how many times as fast as one process, by the
quickest step of each run, in which other programs took least; *by work*: the same by the processor time of a step on
one rank, its waiting included: what there is to gain where each process has a core of its own. The batch is shared by
the processes. The reduction's time has what a rank waits for the others in it. PyTorch is DistributedDataParallel with
gloo.

Two ranks that have come to it agree on and add up {REDUCED:,} numbers of float32 in {took:.0f} µs (best {best:.0f})."""
    report.publish("distributed", text)


if __name__ == "__main__":
    main()
