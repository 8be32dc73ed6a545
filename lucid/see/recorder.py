"""A training run as a picture: losses, gradients, update sizes and activations, recorded while the run goes on.

    with lucid.see.Recorder(model, optimizer) as recorder:
        ...                                 # the training loop, as it is
    recorder.plot("run.png")                # or just `recorder` in a notebook

What costs next to nothing, the loss and the learning rate, is recorded at every step; the rest at every 100th. Only
numbers are kept, never a graph, and modules are observed only in those steps: it can be left on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

from lucid.core import events
from lucid.core.array import namespace, to_numpy
from lucid.core.node import Tensor, grad_mode
from lucid.nn.module import Module
from lucid.optim.optimizer import Optimizer
from lucid.see import charts

Series = dict[str, list[float]]
RECORDED = ("losses", "rates", "at", "gradients", "updates", "activations", "state")


class Recorder:
    """Records how a training goes; `plot()` draws it, and in a notebook it shows itself.

    Works until `close()`, or the end of its `with` block. The loss is the last one whose `backward()` ran before the
    step, or what the step's closure returned. A run with two optimizers has two recorders.

    Args:
        model: whose weights and activations are recorded.
        optimizer: whose steps are counted.
        every: gradients, updates, activations and state are recorded at every so-many-th step, beginning with the
            first. Take 10 for a run of a few hundred steps.
        state: whether to record the optimizer's state too: with Adamax, the sizes of m and u for each parameter.
        activations: whether to record the outputs of the layers.

    Attributes:
        losses: one for each step; NaN where no backward pass ran.
        rates: the learning rate of the first group at each step.
        at: the steps at which the following were recorded, counted from 0.
        gradients: name of a parameter -> the norm of its gradient.
        updates: name -> the size of the step, relative to the weight's (root mean squares); about 0.001 is healthy.
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
            given = f"{type(model).__name__} and {type(optimizer).__name__}"
            raise TypeError(f"Recorder: expected a Module and an Optimizer, got {given}")
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"Recorder: every must be a whole number of 1 or more, got {every!r}")
        self.model, self.optimizer, self.every = model, optimizer, every
        self._with_state, self._with_activations = state, activations
        self._losses: list[Any] = []  # arrays until somebody reads them: to read a number off a GPU is to wait for it
        self.rates: list[float] = []
        self.at: list[int] = []
        self.gradients, self.updates = {}, {}  # type: Series, Series
        self.activations, self.state = {}, {}  # type: dict[str, Series], dict[str, Series]
        self._loss: Any = math.nan
        self._modules: dict[int, str] = {}  # id -> name of those whose activations are still to be recorded
        self._parameters: list[tuple[str, Tensor, Any]] = []  # with the array that each was before the step
        self._observers, self._module_observer = ExitStack(), ExitStack()
        self._observers.enter_context(events.on("backward", lambda tensors: self._record_loss(tensors[0])))
        self._observers.enter_context(events.on("step", self._before_step))
        self._begin_step()

    def close(self) -> None:
        """Stop recording; what was recorded stays. Closing twice is harmless."""
        self._observers.close()
        self._module_observer.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def losses(self) -> list[float]:
        """The loss of each step."""
        self._losses = [value if type(value) is float else float(to_numpy(value)) for value in self._losses]
        return self._losses

    def _record_loss(self, loss: Tensor) -> None:
        self._loss = loss._array if loss._array.size == 1 else math.nan

    def _begin_step(self) -> None:
        """If the next step is one of those that are recorded, observe the modules that hold no others."""
        self._recording = len(self.rates) % self.every == 0
        self._module_observer.close()
        if self._recording and self._with_activations:
            modules = [(name, m) for name, m in self.model.named_modules() if next(m.children(), None) is None]
            self._modules = {id(module): name or type(module).__name__ for name, module in modules}
            self._module_observer.enter_context(events.on("module", self._before_module))

    def _before_step(self, optimizer: Optimizer, closure: Any) -> Callable[[Any], None] | None:
        if optimizer is not self.optimizer:
            return None
        if self._recording:
            self._parameters = [(name, p, p._array.copy()) for name, p in self.model.named_parameters()]
        return self._after_step

    def _after_step(self, result: Any) -> None:
        if isinstance(result, Tensor):
            self._record_loss(result)
        if self._recording:
            self._record_parameters()
        self._losses.append(self._loss)
        self._loss = math.nan
        self.rates.append(float(self.optimizer.param_groups[0].get("lr", math.nan)))
        self._begin_step()

    def _record_parameters(self) -> None:
        row = len(self.at)
        self.at.append(len(self.rates))
        for name, p, old in self._parameters:
            if p._grad is not None:
                _append(self.gradients, name, row, _norm(p._grad._array))
                if old.shape == p._array.shape:
                    size = _norm(old)
                    _append(self.updates, name, row, _norm(p._array - old) / size if size else math.nan)
            slots = self.optimizer.state.get(p, {}) if self._with_state else {}
            for slot in self.optimizer.slots:
                if (array := slots.get(slot)) is not None:
                    rms = _norm(array) / math.sqrt(max(array.size, 1))
                    _append(self.state.setdefault(name, {}), slot, row, rms)
        self._parameters = []

    def _before_module(self, module: Module, args: Any) -> Callable[[Any], None] | None:
        return partial(self._record_activation, module) if id(module) in self._modules else None

    def _record_activation(self, module: Module, output: Any) -> None:
        output = output[0] if isinstance(output, tuple) and output else output
        if not grad_mode.recording or not isinstance(output, Tensor) or not output.numel():
            return
        if (name := self._modules.pop(id(module), None)) is None:
            return  # of a module that is called twice, the first call is recorded
        x, series = output._array, self.activations.setdefault(name, {})
        if x.dtype.kind != "f":
            return
        n, size = x.size, _norm(x)
        mean = float(x.sum(dtype="float32" if x.dtype.char == "e" else None)) / n
        facts = {"mean": mean, "std": math.sqrt(max(size * size / n - mean * mean, 0.0))}
        facts |= {"zeros": 1 - float(namespace(x).count_nonzero(x)) / n, "flat": 0.0}
        if type(module).__name__ in ("Tanh", "Sigmoid"):  # the share of outputs with next to no slope
            facts["flat"] = float((abs(x if type(module).__name__ == "Tanh" else 2 * x - 1) > 0.99).mean())
        for fact, value in facts.items():
            _append(series, fact, len(self.at), value)

    def to_dict(self) -> dict[str, Any]:
        """Everything that was recorded, in plain dicts, lists and numbers: for json, lucid.save, or a table."""
        return {"every": self.every, **{name: deepcopy(getattr(self, name)) for name in RECORDED}}

    state_dict = to_dict  # the name that checkpoints expect

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a `state_dict()`, as if the run had never stopped.

        Raises:
            ValueError: if it is of something else; nothing has changed then.
        """
        expected = sorted(["every", *RECORDED])
        if not isinstance(state_dict, Mapping) or sorted(state_dict) != expected:
            raise ValueError(f"Recorder.load_state_dict: expected the keys {', '.join(expected)}; give a state_dict()")
        for name, value in deepcopy(dict(state_dict)).items():
            setattr(self, "_losses" if name == "losses" else name, value)
        self._begin_step()

    def panels(self) -> list[charts.Panel]:
        """What the pictures show: loss, learning rate, gradients, updates, activations, and the state if recorded."""
        weights = [name for name in self.gradients if name.endswith("weight")] or list(self.gradients)
        steps, n = list(range(len(self.rates))), len(self.at)

        def lines(series: Series) -> charts.Lines:  # what the modules of an unfinished step gave is not drawn yet
            return {name: (self.at[: len(values)], values[:n]) for name, values in series.items()}

        def of_weights(series: Series) -> charts.Lines:
            return lines({name: series[name] for name in weights if name in series})

        types = {name or type(m).__name__: type(m).__name__ for name, m in self.model.named_modules()}
        names = {name: name if types.get(name, name) == name else f"{name} {types[name]}" for name in self.activations}
        spread = {names[name]: series["std"] for name, series in self.activations.items()}
        zeros = {names[name]: series["zeros"] for name, series in self.activations.items() if any(series["zeros"])}
        top = 1.05 * max((rate for rate in self.rates if math.isfinite(rate)), default=0.0) or 1.0
        panels = [
            charts.Panel("loss", {"loss": (steps, self.losses)}, log=True),
            charts.Panel("learning rate", {"rate": (steps, self.rates)}, log=False, span=(0, top)),
            charts.Panel("norm of the gradient", of_weights(self.gradients), log=True),
            charts.Panel("step / weight", of_weights(self.updates), log=True, mark=1e-3),
            charts.Panel("spread of the outputs", lines(spread), log=False),
            charts.Panel("share of outputs that are 0", lines(zeros), log=False, span=(0.0, 1.0)),
        ]
        for slot in self.optimizer.slots if self.state else ():
            sizes = {name: slots[slot] for name, slots in self.state.items() if slot in slots and name in weights}
            panels.append(charts.Panel(f"size of {slot}", lines(sizes), log=True))
        return panels

    def svg(self) -> str:
        """The picture as SVG text, drawn without matplotlib: for a page, or a notebook."""
        return charts.svg(self.panels())

    _repr_svg_ = _repr_html_ = svg

    def plot(self, path: str | Path | None = None) -> Any:
        """The picture as a matplotlib Figure, written to `path` if one is given.

        Raises:
            ModuleNotFoundError: where there is no matplotlib, with the command that installs it.
        """
        return charts.figure(self.panels(), path)


def _append(series: Series, name: str, row: int, value: float) -> None:
    """Record the value of a row; rows that were missed, of a layer that was added or skipped, are NaN."""
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
