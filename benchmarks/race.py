"""A race between programs that compute the same: they take turns, so that what else the machine does falls on all.

Import it before NumPy and PyTorch: it limits them to one thread each, which they read when they load.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import gc
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch

LR, BETA1, BETA2, EPS = 2e-3, 0.9, 0.999, 1e-8  # of everybody's Adamax
BATCHES, AGREEING_STEPS = 16, 10
SLICE = 0.015  # seconds that a contender runs before the next has its turn
TORCH = ("PyTorch, loop", "PyTorch, foreach")  # its two Adamax variants; the faster one counts

Step = Callable[[], Any]  # runs one step, gives its loss
Contenders = dict[str, Step]


def rounds(description: str | None, default: int = 80) -> int:
    """How many rounds the command line asks for; and PyTorch is told to use one thread."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=default, help="rounds a case; the medians are over these")
    torch.set_num_threads(1)
    return int(parser.parse_args().rounds)


def check_agreement(name: str, contenders: Contenders, against: str) -> None:
    """A race counts only if all run the same course: the losses of the first steps must agree."""
    losses = {
        contender: np.array([step().item() for _ in range(AGREEING_STEPS)]) for contender, step in contenders.items()
    }
    for contender, values in losses.items():
        np.testing.assert_allclose(values, losses[against], rtol=2e-4, err_msg=f"{name}: {contender} against {against}")


def race(contenders: Contenders, rounds: int) -> dict[str, list[float]]:
    """Seconds a step, for each contender in each round."""
    counts = {}
    for name, step in contenders.items():
        step()
        began = perf_counter()
        for _ in range(5):
            step()
        counts[name] = max(1, round(SLICE / ((perf_counter() - began) / 5)))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for turn in range(rounds):
        first = turn % len(order)  # nobody always follows the same one
        for name in order[first:] + order[:first]:
            step, count = contenders[name], counts[name]
            gc.collect()  # nobody pays for another's garbage
            began = perf_counter()
            for _ in range(count):
                step()
            times[name].append((perf_counter() - began) / count)
    return times


def faster(times: dict[str, list[float]], names: tuple[str, ...]) -> str:
    """Which of these contenders took less time."""
    return min(names, key=lambda name: median(times[name]))


def ratio(above: list[float], below: list[float]) -> float:
    """The median of the ratios, each taken within one round."""
    return median(a / b for a, b in zip(above, below, strict=True))
