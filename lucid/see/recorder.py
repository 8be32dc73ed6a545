"""A training run as a picture: losses, gradients, steps and activations, noted while the run goes on.

    with lucid.see.Recorder(model, optimizer) as recorder:
        ...                                 # the training loop, as it is
    recorder.plot("run.png")                # or just `recorder` in a notebook

What costs next to nothing, the loss and the learning rate, is noted at every step; the rest at every 100th. Only
numbers are kept, never a graph, and modules are looked at only in the steps that count: it can be left on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

from lucid.core.array import namespace, to_numpy
from lucid.core.node import Tensor, grad_mode
from lucid.nn.module import Module
from lucid.optim.optimizer import Optimizer
from lucid.see import charts
from lucid.see.following import follow_calls, follow_steps, follow_walks

Series = dict[str, list[float]]


class Recorder:
    """Notes how a training goes; `plot()` draws it, and in a notebook it shows itself.

    Works until `close()`, or the end of its `with` block. The loss is the last one that was walked back before the
    step, or what the step's closure returned. A run with two optimizers has two recorders.

    Args:
        model: whose weights and activations are noted.
        optimizer: whose steps are counted.
        every: gradients, steps, activations and state are noted at every so-many-th step, beginning with the first.
            Take 10 for a run of a few hundred steps.
        state: whether to note the optimizer's memory too: with Adamax, the sizes of m and u for each parameter.
        activations: whether to note what the layers give.

    Attributes:
        losses: one for each step; NaN where no loss was walked back.
        rates: the learning rate of the first group at each step.
        at: the steps at which the following were noted, counted from 0.
        gradients: name of a parameter -> the norm of its gradient.
        updates: name -> by how much of its size (root mean squares) the step moved it; about 0.001 is healthy.
        activations: name of a module -> "mean", "std", "zeros" and "flat": the shares of outputs that are 0, and that
            are within a hundredth of the bounds of a sigmoid or tanh.
        state: name of a parameter -> name of a slot -> its root mean square.

    Raises:
        TypeError: if model or optimizer are something else.
        ValueError: if `every` is not a positive whole number.

    >>> import lucid
    >>> from lucid import nn, optim
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    >>> optimizer = optim.Adamax(model.parameters())
    >>> with Recorder(model, optimizer, state=True) as recorder:
    ...     for _ in range(120):
    ...         optimizer.zero_grad()
    ...         model(lucid.ones(16, 4)).square().mean().backward()
    ...         optimizer.step()
    >>> len(recorder.losses), recorder.at, sorted(recorder.state["0.weight"])
    (120, [0, 100], ['m', 'u'])
    """

    def __init__(
        self, model: Module, optimizer: Optimizer, *, every: int = 100, state: bool = False, activations: bool = True
    ) -> None:
        if not isinstance(model, Module) or not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"Recorder: expected a Module and an Optimizer, got {type(model).__name__} and "
                f"{type(optimizer).__name__}"
            )
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"Recorder: every must be a whole number of 1 or more, got {every!r}")
        self.model, self.optimizer, self.every = model, optimizer, every
        self._with_state, self._with_activations = state, activations
        self._losses: list[Any] = []  # arrays, until somebody asks: reading a number off a GPU waits for it
        self.rates: list[float] = []
        self.at: list[int] = []
        self.gradients: Series = {}
        self.updates: Series = {}
        self.activations: dict[str, Series] = {}
        self.state: dict[str, Series] = {}
        self._loss: Any = math.nan
        self._hooks: list[Callable[[], None]] = []
        self._seen: set[str] = set()
        self._counts = True  # whether the step that is going on is one of those that are looked at
        self._parameters: list[tuple[str, Tensor, Any]] = []  # with the array that each was before the step
        self._open = ExitStack()
        self._open.callback(follow_walks(self._note_loss, lambda loss: None))
        self._open.callback(follow_steps(optimizer, self._before_step, self._after_step))
        self._look()

    def close(self) -> None:
        """Stop noting; what was noted stays. Doing so twice is harmless."""
        self._open.close()
        self._look_away()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def losses(self) -> list[float]:
        """The loss of each step."""
        self._losses = [value if type(value) is float else float(to_numpy(value)) for value in self._losses]
        return self._losses

    # -- noting --------------------------------------------------------------------------------------------------

    def _note_loss(self, loss: Tensor, frame: Any) -> None:
        self._loss = loss._array if loss._array.size == 1 else math.nan

    def _before_step(self, frame: Any, closure: Any) -> None:
        if self._counts:
            self._parameters = [(name, p, p._array.copy()) for name, p in self.model.named_parameters()]

    def _after_step(self, result: Any) -> None:
        if isinstance(result, Tensor):
            self._note_loss(result, None)
        if self._counts:
            self._note_parameters()
            self._look_away()
        self._losses.append(self._loss)
        self.rates.append(float(self.optimizer.param_groups[0].get("lr", math.nan)))
        self._loss = math.nan
        self._counts = len(self.rates) % self.every == 0
        if self._counts:  # the next one does
            self._look()

    def _note_parameters(self) -> None:
        row = len(self.at)
        self.at.append(len(self.rates))
        for name, p, old in self._parameters:
            if p._grad is not None:
                _put(self.gradients, name, row, _norm(p._grad._array))
                if old.shape == p._array.shape:
                    size = _norm(old)
                    _put(self.updates, name, row, _norm(p._array - old) / size if size else math.nan)
            if self._with_state:
                for slot in self.optimizer.slots:
                    if (array := self.optimizer.state.get(p, {}).get(slot)) is not None:
                        _put(self.state.setdefault(name, {}), slot, row, _norm(array) / math.sqrt(max(array.size, 1)))
        self._parameters = []

    def _look(self) -> None:
        """Look at modules until the step has been made: those that hold no others."""
        self._seen.clear()
        if not self._with_activations:
            return
        for name, module in self.model.named_modules():
            if next(module.children(), None) is None:
                self._hooks.append(follow_calls(module, self._looking_at(name or type(module).__name__)))

    def _look_away(self) -> None:
        for end in self._hooks:
            end()
        self._hooks.clear()

    def _looking_at(self, name: str) -> Any:
        def look(module: Module, args: Any, output: Any) -> None:
            output = output[0] if isinstance(output, tuple) and output else output
            if not grad_mode.recording or not isinstance(output, Tensor) or name in self._seen or not output.numel():
                return
            self._seen.add(name)  # a module that is called twice is noted once
            x, noted = output._array, self.activations.setdefault(name, {})
            if x.dtype.kind != "f":
                return
            n, mean = x.size, float(x.sum(dtype="float32" if x.dtype.char == "e" else None)) / x.size
            row, size = len(self.at), _norm(x)
            _put(noted, "mean", row, mean)
            _put(noted, "std", row, math.sqrt(max(size * size / n - mean * mean, 0.0)))
            _put(noted, "zeros", row, 1 - float(namespace(x).count_nonzero(x)) / n)
            _put(noted, "flat", row, _flat(type(module).__name__, x))

        return look

    # -- keeping -------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """All that was noted, in plain dicts, lists and numbers: for json, lucid.save, or a table."""
        names = ("losses", "rates", "at", "gradients", "updates", "activations", "state")
        return {"every": self.every, **{name: deepcopy(getattr(self, name)) for name in names}}

    def state_dict(self) -> dict[str, Any]:
        """The same, under the name that checkpoints go by."""
        return self.to_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what a `state_dict` holds, as if the run had never stopped.

        Raises:
            ValueError: if it is of something else; nothing has changed then.
        """
        expected = sorted(self.to_dict())
        if not isinstance(state_dict, Mapping) or sorted(state_dict) != expected:
            raise ValueError(f"Recorder.load_state_dict: expected the keys {', '.join(expected)}; give a state_dict()")
        for name, value in deepcopy(dict(state_dict)).items():
            setattr(self, "_losses" if name == "losses" else name, value)
        self._look_away()
        self._counts = len(self.rates) % self.every == 0
        if self._counts:
            self._look()

    # -- drawing -------------------------------------------------------------------------------------------------

    def panels(self) -> list[charts.Panel]:
        """What the pictures show: loss, learning rate, gradients, steps, activations, and the state if it was noted."""
        weights = [name for name in self.gradients if name.endswith("weight")] or list(self.gradients)
        top = 1.05 * max((rate for rate in self.rates if math.isfinite(rate)), default=0.0) or 1.0
        found = [
            charts.Panel("loss", {"loss": (list(range(len(self.losses))), self.losses)}, log=True),
            charts.Panel("learning rate", {"rate": (list(range(len(self.rates))), self.rates)}, False, span=(0, top)),
            charts.Panel("norm of the gradient", self._over(self.gradients, weights), log=True),
            charts.Panel("step / weight", self._over(self.updates, weights), log=True, mark=1e-3),
        ]
        kinds = {name or type(m).__name__: type(m).__name__ for name, m in self.model.named_modules()}
        for key, title in (("std", "spread of the outputs"), ("zeros", "share of outputs that are 0")):
            lines = {
                name if kinds.get(name, name) == name else f"{name} {kinds[name]}": noted[key]
                for name, noted in self.activations.items()
                if key == "std" or any(noted[key])
            }
            span = (0.0, 1.0) if key == "zeros" else None
            found.append(charts.Panel(title, self._over(lines, list(lines)), log=False, span=span))
        for slot in self.optimizer.slots if self.state else ():
            lines = {name: slots[slot] for name, slots in self.state.items() if slot in slots and name in weights}
            found.append(charts.Panel(f"size of {slot}", self._over(lines, list(lines)), log=True))
        return found

    def _over(self, lines: Series, names: list[str]) -> dict[str, tuple[list[int], list[float]]]:
        return {name: (self.at[: len(lines[name])], lines[name]) for name in names if name in lines}

    def svg(self) -> str:
        """The picture as SVG text, drawn without matplotlib: for a page, or a notebook."""
        return charts.svg(self.panels())

    _repr_svg_ = svg

    def _repr_html_(self) -> str:
        return self.svg()

    def plot(self, path: str | Path | None = None) -> Any:
        """The picture as a matplotlib Figure, written to `path` if one is given.

        Raises:
            ModuleNotFoundError: where there is no matplotlib, with the command that installs it.
        """
        return charts.figure(self.panels(), path)


def _put(series: Series, name: str, row: int, value: float) -> None:
    """Write down the value of a row; rows that were missed, of a layer that came or was left out, are NaN."""
    line = series.setdefault(name, [])
    line += [math.nan] * (row - len(line))
    line.append(value)


def _norm(x: Any) -> float:
    """The root of the sum of the squares; a product of a row with itself is the fastest that NumPy has for it."""
    flat = x.ravel()
    if flat.dtype.char == "e":
        flat = flat.astype("float32")
    with namespace(x).quiet():
        return math.sqrt(float(flat @ flat))


def _flat(kind: str, x: Any) -> float:
    """The share of outputs at which an activation has next to no slope."""
    if kind == "Tanh":
        return float((abs(x) > 0.99).mean())
    return float((abs(2 * x - 1) > 0.99).mean()) if kind == "Sigmoid" else 0.0
