"""What it costs to track where nodes come from: a training step of 2-16-16-1 with it and without, in turn.

    python benchmarks/inside.py

Lines alone are what anomaly mode keeps; lines and values what `lucid.see.track_provenance()` keeps by itself. Off, no
handler listens to the event of a new node, which is asserted: all that is paid is the comparison that finds none.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from statistics import median
from time import process_time

import numpy
import report

import lucid
import lucid.nn as nn
import lucid.optim as optim
from lucid.core.events import NODE

STEPS = 150  # in a slice, before the next has its turn


def toy() -> Callable[[], None]:
    """A training step of 2-16-16-1, batch 32, with Adamax."""
    lucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer, loss_of = optim.Adamax(model.parameters()), nn.MSELoss()
    x, y = lucid.randn(32, 2), lucid.randn(32, 1)

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()

    return step


def main() -> None:
    """Measure in turn, print and keep the table."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=80, help="slices of each kind")
    rounds, step = parser.parse_args().rounds, toy()
    kinds = {"off": (False, False), "lines": (True, False), "lines and values": (True, True)}
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(rounds + 1):
        for name, (mode, values) in kinds.items():
            with lucid.see.track_provenance(mode, values=values):
                assert bool(NODE) is (name != "off")
                began = process_time()
                for _ in range(STEPS):
                    step()
                if turn:  # the first round warms up
                    times[name].append((process_time() - began) / STEPS)
    rows = [
        [
            name,
            f"{1e6 * median(taken):,.0f}",
            f"{100 * (median(a / b for a, b in zip(taken, times['off'], strict=True)) - 1):+.1f} %",
        ]
        for name, taken in times.items()
    ]
    report.publish(
        "inside",
        f"# Tracking where nodes come from\n\n{report.surroundings(lucid, numpy)}; one thread.\n\n"
        f"{report.table(['tracked', 'step µs', 'more than off'], rows)}\n\n"
        f"2-16-16-1 tanh, batch 32, with Adamax. Medians of CPU time over {rounds} rounds taken in turn; the last "
        "column is the median within the rounds.\nIt is off unless `lucid.see.track_provenance()` switches it on.",
    )


if __name__ == "__main__":
    main()
