"""How long one training step takes: lucid beside PyTorch eager, and beside the same step by hand in NumPy.

    python benchmarks/train_step.py

A step is zero_grad, forward, backward and Adamax. All contenders start from the same weights, see the same
batches, and must first compute the same losses. Then they run in turn, a slice each, round after round, so
that whatever else the machine does falls on all of them; a ratio is taken within each round, and the median
over the rounds is reported. One thread each.
"""

import race  # first: it limits the libraries to one thread

# isort: split
from dataclasses import dataclass
from itertools import cycle
from statistics import median
from typing import Any

import numpy as np
import report
import torch
from race import BATCHES, BETA1, BETA2, EPS, LR, TORCH, Contenders, Step

import lucid
import lucid.nn
import lucid.optim

Batches = list[tuple[np.ndarray, np.ndarray]]


@dataclass
class Case:
    """A network, its batch, and the figures that it is to reach."""

    sizes: tuple[int, ...]
    activation: str
    batch: int
    loss: str
    torch_target: float
    numpy_target: float | None = None

    @property
    def name(self) -> str:
        return f"{'-'.join(map(str, self.sizes))} {self.activation}, batch {self.batch}, {self.loss}"

    def batches(self, rng: np.random.Generator) -> Batches:
        inputs = rng.standard_normal((BATCHES, self.batch, self.sizes[0]), dtype=np.float32)
        if self.loss == "MSE":
            return list(
                zip(
                    inputs,
                    rng.standard_normal((BATCHES, self.batch, self.sizes[-1]), dtype=np.float32),
                    strict=True,
                )
            )
        return list(zip(inputs, rng.integers(0, self.sizes[-1], (BATCHES, self.batch)), strict=True))


CASES = [
    Case((2, 16, 16, 1), "tanh", 32, "MSE", torch_target=4, numpy_target=1.3),
    Case((64, 128, 64, 10), "relu", 128, "cross-entropy", torch_target=2),
    Case((784, 512, 512, 10), "relu", 128, "cross-entropy", torch_target=1),
]


def torch_network(case: Case) -> torch.nn.Sequential:
    """The network in PyTorch; its weights are where all contenders start."""
    layers: list[torch.nn.Module] = []
    for width_in, width_out in zip(case.sizes, case.sizes[1:], strict=False):
        layers += [
            torch.nn.Linear(width_in, width_out),
            torch.nn.Tanh() if case.activation == "tanh" else torch.nn.ReLU(),
        ]
    return torch.nn.Sequential(*layers[:-1])


def torch_step(case: Case, batches: Batches, weights: dict, *, foreach: bool) -> Step:
    """PyTorch eager, with Adamax over lists of tensors (foreach) or in a loop over the parameters."""
    model = torch_network(case)
    model.load_state_dict(weights)
    loss_of = torch.nn.MSELoss() if case.loss == "MSE" else torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adamax(model.parameters(), lr=LR, betas=(BETA1, BETA2), eps=EPS, foreach=foreach)
    stream = cycle([(torch.from_numpy(x), torch.from_numpy(y)) for x, y in batches])

    def step() -> Any:
        x, y = next(stream)
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def lucid_step(case: Case, batches: Batches, weights: dict) -> Step:
    """The same program with lucid's names."""
    nn = lucid.nn
    layers: list[nn.Module] = []
    for width_in, width_out in zip(case.sizes, case.sizes[1:], strict=False):
        layers += [nn.Linear(width_in, width_out), nn.Tanh() if case.activation == "tanh" else nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    model.load_state_dict({name: value.numpy() for name, value in weights.items()})
    loss_of = nn.MSELoss() if case.loss == "MSE" else nn.CrossEntropyLoss()
    optimizer = lucid.optim.Adamax(model.parameters(), lr=LR, betas=(BETA1, BETA2), eps=EPS)
    stream = cycle([(lucid.from_numpy(x), lucid.from_numpy(y)) for x, y in batches])

    def step() -> Any:
        x, y = next(stream)
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def numpy_step(case: Case, batches: Batches, weights: dict) -> Step:
    """What a careful person writes without a framework: derivatives by hand, in place where that is free."""
    parameters = [value.numpy().copy() for value in weights.values()]  # weight, bias, weight, bias, ...
    momenta = [np.zeros_like(theta) for theta in parameters]
    norms = [np.zeros_like(theta) for theta in parameters]
    depth = len(parameters) // 2
    rows = np.arange(case.batch)
    stream = cycle(batches)
    t = 0

    def step() -> Any:
        nonlocal t
        x, y = next(stream)

        outputs = [x]  # of each layer, after its activation
        for layer in range(depth):
            z = outputs[-1] @ parameters[2 * layer].T
            z += parameters[2 * layer + 1]
            if layer < depth - 1:
                if case.activation == "tanh":
                    np.tanh(z, out=z)
                else:
                    np.maximum(z, 0, out=z)
            outputs.append(z)

        if case.loss == "MSE":
            g = outputs[-1] - y
            loss = (g * g).mean()
            g *= 2 / g.size
        else:
            shifted = outputs[-1] - outputs[-1].max(axis=1, keepdims=True)
            g = np.exp(shifted)
            total = g.sum(axis=1, keepdims=True)
            loss = (np.log(total[:, 0]) - shifted[rows, y]).mean()
            g /= total
            g[rows, y] -= 1
            g /= case.batch

        gradients = [None] * len(parameters)
        for layer in reversed(range(depth)):
            gradients[2 * layer] = g.T @ outputs[layer]
            gradients[2 * layer + 1] = g.sum(axis=0)
            if layer:
                g = g @ parameters[2 * layer]
                g *= 1 - outputs[layer] * outputs[layer] if case.activation == "tanh" else outputs[layer] > 0

        t += 1
        rate = LR / (1 - BETA1**t)
        for theta, g, m, u in zip(parameters, gradients, momenta, norms, strict=True):
            m *= BETA1
            m += (1 - BETA1) * g
            u *= BETA2
            np.maximum(u, np.abs(g), out=u)
            theta -= rate * m / (u + EPS)
        return loss

    return step


def contenders(case: Case) -> Contenders:
    """Every contender's step, fresh, all at the same weights."""
    torch.manual_seed(0)
    weights = torch_network(case).state_dict()
    batches = case.batches(np.random.default_rng(0))
    return {
        "lucid": lucid_step(case, batches, weights),
        TORCH[0]: torch_step(case, batches, weights, foreach=False),
        TORCH[1]: torch_step(case, batches, weights, foreach=True),
        "NumPy by hand": numpy_step(case, batches, weights),
    }


def main() -> None:
    """Race all cases; print and keep the table."""
    rounds = race.rounds(__doc__)
    rows = []
    for case in CASES:
        race.check_agreement(case.name, contenders(case), "NumPy by hand")
        times = race.race(contenders(case), rounds)
        variant = race.faster(times, TORCH)
        hand_target = f" (at most {case.numpy_target})" if case.numpy_target else ""
        rows.append(
            [
                case.name,
                *(f"{median(times[name]) * 1e6:,.0f}" for name in ("lucid", variant, "NumPy by hand")),
                f"{race.ratio(times[variant], times['lucid']):.2f} (at least {case.torch_target})",
                f"{race.ratio(times['lucid'], times['NumPy by hand']):.2f}{hand_target}",
            ]
        )
    head = [
        "network",
        "lucid µs",
        "PyTorch µs",
        "by hand µs",
        "PyTorch / lucid (target)",
        "lucid / by hand (target)",
    ]
    report.publish(
        "train_step",
        f"# One training step\n\n{report.surroundings(lucid, np, torch)}; one thread each.\n\n"
        f"{report.table(head, rows)}\n\n"
        f"Medians over {rounds} rounds taken in turn; a ratio is the median of those within a round.\n"
        "PyTorch is eager, with the faster of its two Adamax variants; `benchmarks/README.md` has the rest.",
    )


if __name__ == "__main__":
    main()
