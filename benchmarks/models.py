"""How long one training step of a small model takes: lucid beside PyTorch eager, and where lucid's time goes.

    python benchmarks/models.py

The models are a network of convolutions, an LSTM and a block of a transformer, each written once for both
libraries. They race as in train_step.py. Then lucid's step runs with a clock around the forward and the way
back of every operation.
"""

import race  # first: it limits the libraries to one thread

# isort: split
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from statistics import median
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np
import report
import torch
from race import BATCHES, BETA1, BETA2, EPS, LR, TORCH, Contenders, Step

import lucid
import lucid.nn
import lucid.optim
from lucid.core import events

PROFILED_STEPS, QUICKEST, SHOWN = 200, 50, 6  # steps, how many of them count, operations in the table

Arrays = dict[str, np.ndarray]
Batches = list[tuple[np.ndarray, np.ndarray]]


@dataclass
class Case:
    """A model, the same for `lucid.nn` and `torch.nn`, and the shapes of its batches."""

    name: str
    build: Callable[[Any], Any]
    inputs: tuple[int, ...]
    targets: tuple[int, ...] | None  # None for one of 10 classes each
    target: float = 1

    def batches(self, rng: np.random.Generator) -> Batches:
        inputs = rng.standard_normal((BATCHES, *self.inputs), dtype=np.float32)
        if self.targets is None:
            return list(zip(inputs, rng.integers(0, 10, (BATCHES, self.inputs[0])), strict=True))
        return list(zip(inputs, rng.standard_normal((BATCHES, *self.targets), dtype=np.float32), strict=True))


def cnn(nn: Any) -> Any:
    """Two convolutions, each with a relu and a pool behind it, and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


def lstm(nn: Any) -> Any:
    """An LSTM whose last output a linear layer reads."""

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(32, 64), nn.Linear(64, 1)

        def forward(self, x: Any) -> Any:
            output, _ = self.lstm(x)
            return self.head(output[-1])

    return Reader()


def transformer(nn: Any) -> Any:
    """Attention with 4 heads and two linear layers, each after a layer norm and beside a shortcut."""
    options = {"dim_feedforward": 256, "dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
    return nn.TransformerEncoderLayer(64, 4, **options)


CASES = [
    Case("CNN, 8 and 16 channels, 64 images of 8 x 8, cross-entropy", cnn, (64, 1, 8, 8), None),
    Case("LSTM, 32 inputs, 64 units, 32 steps, batch 32, MSE", lstm, (32, 32, 32), (32, 1)),
    Case("transformer block, width 64, 4 heads, 16 x 32, MSE", transformer, (16, 32, 64), (16, 32, 64)),
]


def step_of(
    library: ModuleType, case: Case, batches: Batches, weights: Arrays, device: str = "cpu", **options: Any
) -> Step:
    """One training step, in PyTorch's names, which are lucid's too."""
    model = case.build(library.nn).to(device)
    model.load_state_dict({name: library.from_numpy(value.copy()) for name, value in weights.items()})
    loss_of = library.nn.MSELoss() if case.targets else library.nn.CrossEntropyLoss()
    optimizer = library.optim.Adamax(model.parameters(), lr=LR, betas=(BETA1, BETA2), eps=EPS, **options)
    stream = cycle([(library.from_numpy(x).to(device), library.from_numpy(y).to(device)) for x, y in batches])

    def step() -> Any:
        x, y = next(stream)
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step.optimizer = optimizer  # type: ignore[attr-defined]
    return step


def contenders(case: Case) -> Contenders:
    """Every contender's step, fresh, all at the same weights."""
    torch.manual_seed(0)
    weights = {name: value.numpy() for name, value in case.build(torch.nn).state_dict().items()}
    batches = case.batches(np.random.default_rng(0))
    return {
        "lucid": step_of(lucid, case, batches, weights),
        TORCH[0]: step_of(torch, case, batches, weights, foreach=False),
        TORCH[1]: step_of(torch, case, batches, weights, foreach=True),
    }


def profile(step: Any) -> list[list[str]]:
    """Where the time of lucid's step goes: rows of name, microseconds forward, back, share of the step."""
    spent: dict[tuple[str, int], float] = {}

    def timed(name: str, way: int, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            began = perf_counter()
            try:
                return function(*args, **options)
            finally:
                spent[name, way] = spent.get((name, way), 0.0) + perf_counter() - began

        return run

    step()  # which plans what the operations save
    step.optimizer.step = timed("Adamax", 0, step.optimizer.step)
    steps = []
    forwards = events.on("forward", lambda op, forward: timed(op.name, 0, forward))
    with forwards, events.on("vjp", lambda node, vjp: timed(node.op.name, 1, vjp)):
        for _ in range(PROFILED_STEPS):
            spent.clear()
            began = perf_counter()
            step()
            steps.append((perf_counter() - began, spent.copy()))

    quickest = sorted(steps, key=lambda each: each[0])[:QUICKEST]  # the others waited for somebody else

    def mean(name: str, way: int) -> float:
        return 1e6 * sum(parts.get((name, way), 0.0) for _, parts in quickest) / QUICKEST

    whole = 1e6 * sum(time for time, _ in quickest) / QUICKEST
    rows = [(name, mean(name, 0), mean(name, 1)) for name in {name for name, _ in spent}]
    rows.sort(key=lambda row: -row[1] - row[2])
    others = rows[SHOWN:]
    if len(others) > 1:
        rows[SHOWN:] = [(f"{len(others)} others", sum(row[1] for row in others), sum(row[2] for row in others))]
    rows.append(("Python: calls, nodes, the backward pass", whole - sum(a + b for _, a, b in rows), 0.0))
    return [[name, f"{a:,.0f}", f"{b:,.0f}" if b else "", f"{(a + b) / whole:.0%}"] for name, a, b in rows]


def main() -> None:
    """Race all cases, profile lucid's steps; print and keep the tables."""
    rounds = race.rounds(__doc__)
    rows, profiles = [], []
    for case in CASES:
        race.check_agreement(case.name, contenders(case), TORCH[0])
        steps = contenders(case)
        times = race.race(steps, rounds)
        variant = race.faster(times, TORCH)
        ours, theirs = (f"{median(times[name]) * 1e6:,.0f}" for name in ("lucid", variant))
        reached = f"{race.ratio(times[variant], times['lucid']):.2f} (at least {case.target})"
        rows.append([case.name, ours, theirs, reached])
        parts = report.table(["operation", "forward µs", "backward µs", "of the step"], profile(steps["lucid"]))
        profiles.append(f"## {case.name}\n\n{parts}")
    head = ["model", "lucid µs", "PyTorch µs", "PyTorch / lucid (target)"]
    report.publish(
        "models",
        f"# One training step of small models\n\n{report.surroundings(lucid, np, torch)}; one thread each.\n\n"
        f"{report.table(head, rows)}\n\n"
        f"Medians over {rounds} rounds taken in turn; a ratio is the median of those within a round.\n"
        "PyTorch is eager, with the faster of its two Adamax variants; `benchmarks/README.md` has the rest.\n\n"
        "Below, where lucid's time goes, with a clock around each operation's forward and backward: means over the\n"
        f"{QUICKEST} quickest of {PROFILED_STEPS} steps.\n\n" + "\n\n".join(profiles),
    )


if __name__ == "__main__":
    main()
