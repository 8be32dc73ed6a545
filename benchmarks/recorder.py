"""What looking on costs: a step of examples/04_digits.py alone, under the Recorder, watch, anomaly mode, profile.

    python benchmarks/recorder.py

Recorder is meant to be left on: 5 percent at most. The others are for looking for a mistake. All take turns, `TURN`
steps each, in CPU time; a ratio is taken within a round, and the median over the rounds is reported. "after" is a step
once all of them have been switched on and off again: what they leave behind.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import gc
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from statistics import median
from time import process_time

import numpy as np
import report

import lucid
import lucid.nn as nn
import lucid.optim as optim

BATCH, TURN = 32, 200  # a turn has two of the steps that the Recorder looks at
Contender = Callable[[], float]


# One model for all: where in memory its arrays lie makes as much difference as what is measured.
lucid.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
loss_of, optimizer = nn.CrossEntropyLoss(), optim.Adamax(model.parameters(), lr=1e-2)
x, y = lucid.rand(BATCH, 64), lucid.randint(0, 10, (BATCH,))


def contender(looking: Callable[[], AbstractContextManager]) -> Contender:
    """What runs one turn, and gives its CPU seconds."""

    def turn() -> float:
        with looking():
            gc.collect()  # nobody pays for another's garbage
            began = process_time()
            for _ in range(TURN):
                loss = loss_of(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            return process_time() - began

    return turn


def main() -> None:
    """Race all; print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="the medians are over these")
    rounds = parser.parse_args().rounds
    see = lucid.see
    contenders = {
        "alone": contender(lambda: nullcontext()),
        "Recorder": contender(lambda: see.Recorder(model, optimizer)),
        "Recorder(state=True)": contender(lambda: see.Recorder(model, optimizer, state=True)),
        "watch": contender(lambda: see.watch(model, optimizer)),
        "detect_anomaly": contender(lambda: lucid.autograd.detect_anomaly()),
        "profile": contender(lambda: see.profile()),
        "after": contender(lambda: nullcontext()),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):  # the first is for warming up
        order, first = list(contenders), turn % len(contenders)  # nobody always follows the same one
        for name in order[first:] + order[:first]:
            times[name].append(contenders[name]())
    rows = [
        [name, f"{median(taken[1:]) / TURN * 1e6:,.0f}", f"{_ratio(taken[1:], times['alone'][1:]):.3f}"]
        for name, taken in times.items()
    ]
    report.publish(
        "recorder",
        f"# What looking on costs\n\n{report.surroundings(lucid, np)}; one thread, CPU time.\n\n"
        f"{report.table(['a step of the digits, batch 32', 'µs', 'by a step alone'], rows)}\n\n"
        f"Medians over {rounds} rounds taken in turn; a ratio is the median of those within a round.\n"
        "Recorder is to stay below 1.05.",
    )


def _ratio(above: list[float], below: list[float]) -> float:
    return median(a / b for a, b in zip(above, below, strict=True))


if __name__ == "__main__":
    main()
