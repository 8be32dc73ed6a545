"""How long one optimizer.step() takes: lucid beside PyTorch's better variant, and beside NumPy by hand; and its memory.

    python benchmarks/optimizers.py

Gradients are given, so that a step is the optimizer alone. All contenders start from the same parameters and must first
take the same steps; then they race as in train_step.py. PyTorch has as many threads as there are cores.
"""

import race  # first: it limits the libraries to one thread, and main() lifts that again

# isort: split
import os
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import report
import torch
from race import BETA1, BETA2, EPS, LR, TORCH, Contenders

import lucid
import lucid.nn
import lucid.optim

FIRST_STEPS, PASSES = 10, 7  # PASSES: theta, g, m and u are read, and theta, m and u written
Arrays = list[np.ndarray]


@dataclass
class Case:
    """Parameters, and how many times faster than PyTorch's better variant Adamax is to be on them."""

    name: str
    shapes: list[tuple[int, ...]]
    target: float
    fewer: int = 1  # the rounds are divided by this

    def arrays(self, seed: int) -> Arrays:
        rng = np.random.default_rng(seed)
        return [rng.standard_normal(shape, dtype=np.float32) for shape in self.shapes]

    @property
    def size(self) -> int:
        return sum(int(np.prod(shape)) for shape in self.shapes)


def network(*sizes: int) -> list[tuple[int, ...]]:
    """The shapes of the weights and biases of a network of these widths."""
    return [shape for a, b in pairwise(sizes) for shape in ((b, a), (b,))]


CASES = [
    Case("2-16-16-1 network", network(2, 16, 16, 1), 8),
    Case("64-128-64-10 network", network(64, 128, 64, 10), 4),
    Case("200 of 32 x 32 and of 32", [(32, 32), (32,)] * 100, 6, fewer=2),
    Case("10 of 1000 x 1000", [(1000, 1000)] * 10, 1, fewer=4),
    Case("1 of 5000 x 5000", [(5000, 5000)], 1.6, fewer=4),
]
OTHERS: list[tuple[str, dict[str, Any]]] = [("Adam", {}), ("AdamW", {}), ("SGD", {"momentum": 0.9})]


def lucid_step(kind: str, options: dict[str, Any], case: Case) -> tuple[Callable[[], Any], Callable[[], Arrays]]:
    """The step, and the parameters as they are."""
    parameters = [lucid.nn.Parameter(array) for array in case.arrays(0)]
    for parameter, gradient in zip(parameters, case.arrays(1), strict=True):
        parameter.grad = lucid.from_numpy(gradient)
    optimizer = getattr(lucid.optim, kind)(parameters, lr=LR, **options)
    return optimizer.step, lambda: [parameter.detach().numpy() for parameter in parameters]


def torch_step(
    kind: str, options: dict[str, Any], case: Case, foreach: bool
) -> tuple[Callable[[], Any], Callable[[], Arrays]]:
    """The same for PyTorch, over lists of tensors or in a loop."""
    parameters = [torch.nn.Parameter(torch.from_numpy(array)) for array in case.arrays(0)]
    for parameter, gradient in zip(parameters, case.arrays(1), strict=True):
        parameter.grad = torch.from_numpy(gradient)
    optimizer = getattr(torch.optim, kind)(parameters, lr=LR, foreach=foreach, **options)
    return optimizer.step, lambda: [parameter.detach().numpy() for parameter in parameters]


def numpy_step(case: Case) -> tuple[Callable[[], Any], Callable[[], Arrays]]:
    """Adamax as a careful person writes it, parameter by parameter."""
    parameters, gradients = case.arrays(0), case.arrays(1)
    momenta, norms = ([np.zeros_like(theta) for theta in parameters] for _ in range(2))
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        rate = LR / (1 - BETA1**t)
        for theta, g, m, u in zip(parameters, gradients, momenta, norms, strict=True):
            m *= BETA1
            m += (1 - BETA1) * g
            u *= BETA2
            np.maximum(u, np.abs(g), out=u)
            theta -= rate * m / (u + EPS)

    return step, lambda: parameters


def contenders(kind: str, options: dict[str, Any], case: Case) -> Contenders:
    """Every contender's step, after some steps that must have led all to the same place."""
    made = {"lucid": lucid_step(kind, options, case)}
    made |= {name: torch_step(kind, options, case, foreach="foreach" in name) for name in TORCH}
    if kind == "Adamax":
        made["NumPy by hand"] = numpy_step(case)
    found = {}
    for name, (step, parameters) in made.items():
        for _ in range(FIRST_STEPS):
            step()
        found[name] = parameters()
    for name, arrays in found.items():
        for mine, other in zip(arrays, found["lucid"], strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6, err_msg=f"{kind}, {case.name}: {name}")
    return {name: step for name, (step, _) in made.items()}


def extra_memory(case: Case) -> float:
    """The most that a step of lucid's Adamax holds beyond what was there before it, in megabytes."""
    step, _ = lucid_step("Adamax", {}, case)
    tracemalloc.start()
    step()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - 2 * 4 * case.size) / 1e6  # m and u are the first step's to make


def copied() -> float:
    """Bytes a second, read and written, that NumPy copies of a large array."""
    source = np.ones(25_000_000, dtype=np.float32)
    target = np.empty_like(source)
    times = []
    for _ in range(12):
        began = perf_counter()
        np.copyto(target, source)
        times.append(perf_counter() - began)
    return 2 * source.nbytes / median(times)


def row(kind: str, options: dict[str, Any], case: Case, rounds: int) -> list[str]:
    """One race, as a line of the table."""
    times = race.race(contenders(kind, options, case), max(5, rounds // case.fewer))
    variant = race.faster(times, TORCH)
    hand = times.get("NumPy by hand")
    target = f" (at least {case.target})" if kind == "Adamax" else ""
    return [
        kind,
        case.name,
        f"{median(times['lucid']) * 1e6:,.0f}",
        f"{median(times[variant]) * 1e6:,.0f}",
        f"{median(hand) * 1e6:,.0f}" if hand else "",
        f"{race.ratio(times[variant], times['lucid']):.2f}{target}",
        f"{race.ratio(hand, times['lucid']):.2f}" if hand else "",
    ]


def main() -> None:
    """Race all cases; print and keep the tables."""
    rounds, cores = race.rounds(__doc__, 20), len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    os.environ["OMP_NUM_THREADS"] = str(cores)
    rows = [row("Adamax", {}, case, rounds) for case in CASES]
    rows += [row(kind, options, case, rounds) for kind, options in OTHERS for case in CASES]
    head = [
        "optimizer",
        "parameters",
        "lucid µs",
        "PyTorch µs",
        "by hand µs",
        "PyTorch / lucid (target)",
        "by hand / lucid",
    ]
    bandwidth = copied()
    largest = CASES[-1]
    step, _ = lucid_step("Adamax", {}, largest)
    step()
    times = []
    for _ in range(12):
        began = perf_counter()
        step()
        times.append(perf_counter() - began)
    share = PASSES * 4 * largest.size / median(times) / bandwidth
    memory = [[case.name, f"{4 * case.size / 1e6:,.1f}", f"{extra_memory(case):,.2f}"] for case in CASES]
    report.publish(
        "optimizers",
        f"# One optimizer.step()\n\n{report.surroundings(lucid, np, torch)}; PyTorch with {cores} threads.\n\n"
        f"{report.table(head, rows)}\n\n"
        f"Medians over {rounds} rounds taken in turn, fewer for the large ones; a ratio is the median of those within\n"
        "a round. PyTorch is eager, with the faster of its foreach and its for-loop variant; SGD has momentum 0.9.\n\n"
        f"On {largest.name} Adamax moves {PASSES} arrays a step through memory at {100 * share:.0f} percent of the\n"
        f"speed of a copy (target: at least 60), which is {bandwidth / 1e9:.1f} GB/s here.\n\n"
        f"## Memory\n\n{report.table(['parameters', 'their size in MB', 'extra MB during a step'], memory)}\n\n"
        "Beyond parameters, gradients, m and u; scratch space, which a step keeps for the next, is counted.",
    )


if __name__ == "__main__":
    main()
