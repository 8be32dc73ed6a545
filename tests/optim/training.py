"""Small parameters, models and loops for the tests of optimizers."""

from typing import Any

import numpy as np

import lucid
from lucid import nn, optim


def parameter(*values: float, dtype: str = "float64") -> nn.Parameter:
    return nn.Parameter(np.array(values, dtype))


def give(p: nn.Parameter, *gradient: float) -> nn.Parameter:
    """Let `p` have this gradient; returns `p`."""
    p.grad = lucid.Tensor(np.array(gradient, p.dtype).reshape(p.shape))
    return p


def model_and_data(seed: int = 0) -> tuple[nn.Module, lucid.Tensor, lucid.Tensor]:
    lucid.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)), lucid.randn(16, 3), lucid.randn(16, 1)


def train(model: nn.Module, optimizer: optim.Optimizer, x: lucid.Tensor, y: lucid.Tensor, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()


def weights(model: nn.Module) -> list[np.ndarray]:
    return [p.detach().numpy().copy() for p in model.parameters()]


def equal(these: list[np.ndarray], those: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(these, those, strict=True))


class Naive:
    """One evaluation of the rule per parameter, as the equation says; predicts a step without taking it."""

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self.rule, self.numbers = type(optimizer).rule, type(optimizer).numbers
        self.slots, self.names, self.initial = optimizer.slots, optimizer._constants, optimizer.initial
        self.state: dict[Any, dict[str, Any]] = {}

    def predict(self, groups: list[dict[str, Any]]) -> dict[Any, np.ndarray]:
        expected = {}
        for group in groups:
            for p in group["params"]:
                expected[p] = p._array.copy()
                if p.grad is not None:
                    wide = np.promote_types(p.dtype, "float32")
                    first = {slot: group[self.initial[slot]] if slot in self.initial else 0 for slot in self.slots}
                    entry = self.state.setdefault(
                        p, {"t": 0} | {slot: np.full(p.shape, value, wide) for slot, value in first.items()}
                    )
                    entry["t"] += 1
                    theta, *memory = self.rule(
                        np,
                        p._array.astype(wide),
                        p.grad._array.astype(wide),
                        *(entry[slot].astype(wide) for slot in self.slots),
                        *self.numbers(group, entry["t"]),
                        **{name: group[name] for name in self.names},
                    )
                    expected[p] = theta.astype(p.dtype)
                    entry.update(zip(self.slots, memory, strict=True))
        return expected
