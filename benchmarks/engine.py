"""What the engine must not do: recurse, take more than linear time, leave garbage, or make `import` slow.

python benchmarks/engine.py
"""

import gc
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy
import report

import lucid
import lucid.nn as nn
import lucid.optim as optim

IMPORT_RUNS, REPEATS = 25, 5


def chain(length: int) -> tuple[float, float, float]:
    """Microseconds an operation to record, walk back and drop a chain of that many additions."""
    x = lucid.ones(1, requires_grad=True)
    began = perf_counter()
    y = x
    for _ in range(length):
        y = y + 1.0
    recorded = perf_counter()
    y.backward(retain_graph=True)
    walked = perf_counter()
    del y
    dropped = perf_counter()
    assert x.grad.item() == 1
    moments = [began, recorded, walked, dropped]
    return tuple(1e6 * (end - start) / length for start, end in pairwise(moments))


def doublings(times: int) -> float:
    """Milliseconds to walk back through so many x = x + x: 2**times paths, but a node for each doubling."""
    x = lucid.ones(1, dtype=lucid.float64, requires_grad=True)
    y = x
    for _ in range(times):
        y = y + y
    began = perf_counter()
    y.backward()
    elapsed = perf_counter() - began
    assert x.grad.item() == 2.0**times
    return 1e3 * elapsed


def resident() -> int:
    """Bytes of memory that this process has now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(steps: int) -> tuple[float, int]:
    """With the collector off: megabytes that training grows by, and unreachable objects that it leaves."""
    lucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = optim.Adamax(model.parameters())
    loss_of = nn.CrossEntropyLoss()
    x, y = lucid.randn(128, 64), lucid.randint(0, 10, (128,))

    def train(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()

    train(100)  # state and the allocator's pools exist after this
    gc.collect()
    gc.disable()
    before = resident()
    train(steps)
    after = resident()
    gc.enable()
    return (after - before) / 2**20, gc.collect()


def import_time(modules: str) -> float:
    """Milliseconds to import these, in a new process."""
    program = f"from time import perf_counter as now; began = now(); import {modules}; print(now() - began)"
    return 1e3 * float(subprocess.check_output([sys.executable, "-c", program]))


def main() -> None:
    """Measure all; print and keep the table."""
    chain(1_000)
    chains = {
        length: [min(part) for part in zip(*(chain(length) for _ in range(REPEATS)), strict=True)]
        for length in (10_000, 100_000)
    }
    megabytes, garbage = growth(1_000)
    alone, both = [], []
    for _ in range(IMPORT_RUNS):  # in turn, so that a busy moment falls on both
        alone.append(import_time("numpy"))
        both.append(import_time("numpy, lucid, lucid.nn, lucid.optim"))

    rows = []
    for length, values in chains.items():
        for what, value in zip(("record", "backward", "drop"), values, strict=True):
            rows.append([f"chain of {length:,}: {what}", f"{value:.2f} µs an op", ""])
    growth_factor = chains[100_000][1] / chains[10_000][1]
    rows += [
        ["backward, an op of 100,000 against one of 10,000", f"{growth_factor:.2f}", "about 1: linear"],
        ["200 doublings x = x + x: backward", f"{doublings(200):.2f} ms", "not 2**200"],
        ["1,000 training steps, collector off: growth", f"{megabytes:.2f} MB", "less than 2 MB"],
        ["the same: unreachable objects left behind", f"{garbage}", "0"],
        ["import numpy", f"{median(alone):.1f} ms", ""],
        ["lucid, lucid.nn, lucid.optim on top", f"{median(both) - median(alone):.1f} ms", "at most 40 ms"],
    ]
    report.publish(
        "engine",
        f"# The engine's limits\n\n{report.surroundings(lucid, numpy)}; "
        f"recursion limit {sys.getrecursionlimit()}.\n\n{report.table(['what', 'measured', 'target'], rows)}\n\n"
        f"Chains: the best of {REPEATS}. Imports: medians of {IMPORT_RUNS} new processes each, in turn.",
    )


if __name__ == "__main__":
    main()
