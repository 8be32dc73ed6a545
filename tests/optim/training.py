"""Small parameters, models and loops for the tests of optimizers."""

from types import BuiltinFunctionType
from typing import Any

import numpy as np

import lucid
from lucid import nn, optim
from lucid.optim.rule import compiled_rule, pattern_of


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


def run_in_place(rule: Any, slots: Any, scalars: Any, static: dict[str, Any], theta: Any, g: Any, memory: Any) -> Any:
    """Do to these arrays what the compiled rule says; gives the compiled rule."""
    compiled = compiled_rule(rule, slots, pattern_of(scalars, static))
    assert compiled is not None
    numbers = [*compiled.static_values(static), *compiled.step_values(static, scalars)]
    registers = [theta, g, *(x for x in memory if x is not None), *(np.asarray(x, theta.dtype) for x in numbers)]
    registers += [np.empty_like(theta) for _ in range(compiled.workspace)]
    for function, *arrays in compiled.bound(registers):
        function(*arrays)
        plain = getattr(function, "func", function)  # of a partial
        assert isinstance(plain, (np.ufunc, BuiltinFunctionType)), "Ctrl-C may come in between what is no C"
    np.subtract(theta, registers[compiled.update], theta)
    return compiled


class Naive:
    """One evaluation of the rule per parameter, as the equation says; predicts a step without taking it."""

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self.rule, self.step_scalars = type(optimizer).rule, type(optimizer).step_scalars
        self.slots, self.names, self.initial = optimizer.slots, optimizer._static_names, optimizer.initial_values
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
                    old = p._array.astype(wide)
                    update, *memory = self.rule(
                        np,
                        old,
                        p.grad._array.astype(wide),
                        *(entry[slot].astype(wide) for slot in self.slots),
                        *self.step_scalars(group, entry["t"]),
                        **{name: group[name] for name in self.names},
                    )
                    scaled = memory.pop() if len(memory) > len(self.slots) else old
                    expected[p] = (scaled - update).astype(p.dtype)
                    entry.update(zip(self.slots, memory, strict=True))
        return expected
