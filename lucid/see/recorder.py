"""A training run as a picture: losses, gradients, update sizes and activations, recorded while the run goes on.

What costs next to nothing, the loss and the learning rate, is recorded at every step; the rest at every 100th. Only
numbers are kept, never a graph, and modules are observed only in those steps: it can be left on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from colorsys import hls_to_rgb
from contextlib import AbstractContextManager, ExitStack
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lucid.core import events
from lucid.core.array import cpu, namespace, to_numpy
from lucid.core.node import Tensor, grad_mode
from lucid.nn.module import Module
from lucid.optim.optimizer import Optimizer
from lucid.see.text import Table, digits, element, escape

Series = dict[str, list[float]]
RECORDED = ("losses", "rates", "at", "gradients", "updates", "activations", "state")
Lines = dict[str, tuple[list[int], list[float]]]  # name -> xs and ys
COLOURS = ("#2563a8", "#d9822b", "#3a8f5c", "#8a4fa3", "#c2452d", "#5f7f95", "#a3862a", "#c75c93")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 420, 230, 52, 30, 26  # of one panel of the SVG, and its margins
MOST_POINTS, MOST_NAMES, LONGEST = 400, 8, 16  # points of a line, lines with a name, letters of one


class Recorder(AbstractContextManager["Recorder"]):
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

    Raises TypeError if model or optimizer are something else, ValueError if `every` is not a positive int.

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
            given = f"{type(model).__name__} and {type(optimizer).__name__}"  # type: ignore[unreachable]
            raise TypeError(f"Recorder: expected a Module and an Optimizer, got {given}")
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"Recorder: every must be a whole number of 1 or more, got {every!r}")
        self.model, self.optimizer, self.every = model, optimizer, every
        self._with_state, self._with_activations = state, activations
        self._losses: list[Any] = []  # arrays until somebody reads them: to read a number off a GPU is to wait for it
        self.rates, self.at = [], []  # type: list[float], list[int]
        self.gradients, self.updates = {}, {}  # type: Series, Series
        self.activations, self.state = {}, {}  # type: dict[str, Series], dict[str, Series]
        self._loss: Any = math.nan
        self._modules: dict[int, str] = {}  # id -> name of those whose activations are still to be recorded
        self._parameters: list[tuple[str, Tensor, Any]] = []  # with the array that each was before the step
        self._observers, self._module_observer = ExitStack(), ExitStack()
        self._recording = False
        self._observers.enter_context(events.on("backward", self._record_loss))
        self._observers.enter_context(events.on("step", self._before_step))
        self._begin_step()

    def close(self) -> None:
        """Stop recording; what was recorded stays. Closing twice is harmless."""
        self._observers.close()
        self._module_observer.close()

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def losses(self) -> list[float]:
        """The loss of each step."""
        self._losses = [value if type(value) is float else float(to_numpy(value)) for value in self._losses]
        return self._losses

    def _record_loss(self, tensors: Sequence[Tensor]) -> None:
        self._loss = array if (array := tensors[0]._array).size == 1 else math.nan

    def _begin_step(self) -> None:
        """If the next step is one of those that are recorded, observe the modules that hold no others."""
        if self._recording:
            self._module_observer.close()
        self._recording = len(self.rates) % self.every == 0
        if self._recording and self._with_activations:
            modules = [(name, m) for name, m in self.model.named_modules() if next(m.children(), None) is None]
            self._modules = {id(module): name or type(module).__name__ for name, module in modules}
            record = lambda module, args: partial(self._record_activation, module)
            self._module_observer.enter_context(events.on("module", record))

    def _before_step(self, optimizer: Optimizer, closure: Any) -> Callable[[Any], None] | None:
        if optimizer is not self.optimizer:
            return None
        if self._recording:
            self._parameters = [(name, p, p._array.copy()) for name, p in self.model.named_parameters()]
        return self._after_step

    def _after_step(self, result: Any) -> None:
        if isinstance(result, Tensor):
            self._record_loss([result])
        if self._recording:
            self._record_parameters()
        self._losses.append(self._loss)
        self._loss = math.nan
        self.rates.append(float(self.optimizer.param_groups[0].get("lr", math.nan)))
        self._begin_step()

    def _record_parameters(self) -> None:
        row = len(self.at)
        self.at.append(len(self.rates))
        with cpu.quiet():
            for name, p, old in self._parameters:
                if p._grad is not None:
                    _append(self.gradients, name, row, _norm(p._grad._array))
                    if old.shape == p._array.shape:
                        size = _norm(old)
                        _append(self.updates, name, row, _norm(p._array - old) / size if size else math.nan)
                slots = self.optimizer.state.get(p, {}) if self._with_state else {}
                for slot in (slot for slot in self.optimizer.slots if slots.get(slot) is not None):
                    rms = _norm(slots[slot]) / math.sqrt(max(slots[slot].size, 1))
                    _append(self.state.setdefault(name, {}), slot, row, rms)
        self._parameters = []

    def _record_activation(self, module: Module, output: Any) -> None:
        output = output[0] if isinstance(output, tuple) and output else output
        if not grad_mode.get()[0] or not isinstance(output, Tensor) or not output.numel():
            return
        if (name := self._modules.pop(id(module), None)) is None:
            return  # of a module that is called twice, the first call is recorded
        x, series = output._array, self.activations.setdefault(name, {})
        if x.dtype.kind != "f":
            return
        with cpu.quiet():
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
        """Continue from a `state_dict()`, as if the run had never stopped. Raises ValueError if it is of
        something else; nothing has changed then."""
        expected = sorted(["every", *RECORDED])
        if not isinstance(state_dict, Mapping) or sorted(state_dict) != expected:
            raise ValueError(f"Recorder.load_state_dict: expected the keys {', '.join(expected)}; give a state_dict()")
        for name, value in deepcopy(dict(state_dict)).items():
            setattr(self, "_losses" if name == "losses" else name, value)
        self._begin_step()

    def panels(self) -> list[Panel]:
        """What the pictures show: loss, learning rate, gradients, updates, activations, and the state if recorded."""
        weights = [name for name in self.gradients if name.endswith("weight")] or list(self.gradients)
        steps, n = list(range(len(self.rates))), len(self.at)

        def lines(series: Series) -> Lines:  # what the modules of an unfinished step gave is not drawn yet
            return {name: (self.at[: len(values)], values[:n]) for name, values in series.items()}

        def of_weights(series: Series) -> Lines:
            return lines({name: series[name] for name in weights if name in series})

        types = {name or type(m).__name__: type(m).__name__ for name, m in self.model.named_modules()}
        names = {name: name if types.get(name, name) == name else f"{name} {types[name]}" for name in self.activations}
        spread = {names[name]: series["std"] for name, series in self.activations.items()}
        zeros = {names[name]: series["zeros"] for name, series in self.activations.items() if any(series["zeros"])}
        top = 1.05 * max((rate for rate in self.rates if math.isfinite(rate)), default=0.0) or 1.0
        panels = [
            Panel("loss", {"loss": (steps, self.losses)}, log=True),
            Panel("learning rate", {"rate": (steps, self.rates)}, log=False, span=(0, top)),
            Panel("norm of the gradient", of_weights(self.gradients), log=True),
            Panel("step / weight", of_weights(self.updates), log=True, mark=1e-3),
            Panel("spread of the outputs", lines(spread), log=False),
            Panel("share of outputs that are 0", lines(zeros), log=False, span=(0.0, 1.0)),
        ]
        for slot in self.optimizer.slots if self.state else ():
            sizes = {name: slots[slot] for name, slots in self.state.items() if slot in slots and name in weights}
            panels.append(Panel(f"size of {slot}", lines(sizes), log=True))
        return [panel for panel in panels if any(map(panel.points, panel.lines))] or panels[:1]

    def __repr__(self) -> str:
        """What the picture shows as a table: each line's first and last value."""
        lines = [(panel.title, name, ys) for panel in self.panels() for name, (_, ys) in panel.lines.items()]
        ends = [[digits(y, 3) for y in (*ys[:1], *ys[-1:])] or ["", ""] for _, _, ys in lines]
        rows = [[title, name, *values] for (title, name, _), values in zip(lines, ends, strict=True)]
        return str(Table(["", "", "first", "last"], rows, note=f"{len(self.rates)} steps; plot() draws them", left=2))

    def svg(self) -> str:
        """The picture as SVG text, drawn without matplotlib, with text for those who cannot see it."""
        panels = self.panels()
        height = math.ceil(len(panels) / 2) * HEIGHT
        at = [f"translate({i % 2 * WIDTH},{i // 2 * HEIGHT})" for i in range(len(panels))]
        drawn = [element("g", _svg_panel(panel), transform=at[i]) for i, panel in enumerate(panels)]
        return element(
            "svg", *drawn, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {2 * WIDTH} {height}",
            role="img", style=f"max-width:{2 * WIDTH}px;font:11px system-ui,sans-serif", fill="currentColor",
            aria_label="training run: " + ", ".join(panel.title for panel in panels),
        )  # fmt: skip

    _repr_svg_ = _repr_html_ = svg

    def plot(self, path: str | Path | None = None) -> Any:
        """The picture as a matplotlib Figure, written to `path` if one is given. Raises ModuleNotFoundError
        where there is no matplotlib, with the command that installs it."""
        panels = self.panels()
        try:
            from matplotlib.figure import Figure
        except ModuleNotFoundError:
            install = "pip install matplotlib (or lucid's extra 'examples'); Recorder.svg() needs nothing"
            missing = f"Recorder.plot draws with matplotlib, which is not installed: {install}"
            raise ModuleNotFoundError(missing) from None
        rows = math.ceil(len(panels) / 2)
        drawn = Figure(figsize=(11, 2.9 * rows), layout="constrained")
        grid = drawn.subplots(rows, 2, squeeze=False).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            axes.set_title(panel.title, fontsize=11, loc="left")
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
            short = short_names(list(panel.lines))
            for i, (xs, ys) in enumerate(panel.lines.values()):
                finite = [y if math.isfinite(y) and (y > 0 or not panel.logarithmic) else math.nan for y in ys]
                label = short[i] if i < MOST_NAMES else None
                axes.plot(xs, finite, color=colour(i, len(panel.lines)), linewidth=1.3, label=label)
            if panel.logarithmic and any(panel.points(name) for name in panel.lines):
                axes.set_yscale("log")
            if panel.span is not None:
                axes.set_ylim(*panel.span)
            if panel.mark is not None and panel.lines:
                axes.axhline(panel.mark, color="0.4", linewidth=1, linestyle="--")
            if len(panel.lines) > 1:
                more = f"and {len(panel.lines) - MOST_NAMES} more" if len(panel.lines) > MOST_NAMES else None
                beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False}
                axes.legend(title=more, title_fontsize=8, fontsize=8, **beside)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        for axes in grid[max(0, len(panels) - 2) : len(panels)]:
            axes.set_xlabel("step")
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            drawn.savefig(path, dpi=110)
        return drawn


def _append(series: Series, name: str, row: int, value: float) -> None:
    """Record the value of a row; rows that were missed, of a layer that was added or skipped, are NaN."""
    line = series.setdefault(name, [])
    line += [*[math.nan] * (row - len(line)), value]


def colour(i: int, n: int) -> str:
    """The colour of line i of n: no two are the same."""
    parts = [f"{round(255 * part):02x}" for part in hls_to_rgb(i / n, 0.4 + 0.1 * (i % 2), 0.6)]
    return COLOURS[i] if n <= len(COLOURS) else "#" + "".join(parts)


def short_names(names: list[str]) -> list[str]:
    """Names for a legend: without what all have in common, and of long ones the path in single letters.

    >>> short_names(["encoder.0.weight", "encoder.1.weight"]), short_names(["decoder.layers.0.attention", "head"])
    (['0', '1'], ['d.l.0.attention', 'head'])
    """
    ending = "[._]weight$" if len(names) > 1 and all(name.endswith("weight") for name in names) else "$"
    parts = [re.sub(ending, "", name).split(".") for name in names]
    while len(names) > 1 and min(map(len, parts)) > 1 and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    joined = [".".join(part) for part in parts]
    short = [".".join([*(word[:1] for word in part[:-1]), part[-1].partition(" ")[0]]) for part in parts]
    return [a if len(a) <= LONGEST else b[-LONGEST:] for a, b in zip(joined, short, strict=True)]


def _norm(x: Any) -> float:
    """The root of the sum of the squares; a product of a row with itself is the fastest that NumPy has for it."""
    flat = x.ravel().astype("float32") if x.dtype.char == "e" else x.ravel()
    return math.sqrt(float(flat @ flat))


@dataclass
class Panel:
    """One chart: lines by name, each its xs and ys; NaN and infinity are gaps. `mark` is a height to compare
    with; `span` two heights that are always visible, on a linear scale."""

    title: str
    lines: Lines
    log: bool
    mark: float | None = None
    span: tuple[float, float] | None = None

    def points(self, name: str) -> Sequence[tuple[float, float]]:
        """The points of a line that can be drawn, on a logarithmic scale their logarithms."""
        points = [(x, y) for x, y in zip(*self.lines[name], strict=True) if math.isfinite(y)]
        return [(x, math.log10(y)) for x, y in points if y > 0] if self.logarithmic else points

    @property
    def logarithmic(self) -> bool:
        """Whether the scale is logarithmic: if it was asked for, and no value is negative."""
        return self.log and not any(y < 0 for _, ys in self.lines.values() for y in ys)


def _svg_panel(panel: Panel) -> str:
    lines = {name: panel.points(name) for name in panel.lines}
    everything = [point for points in lines.values() for point in points]
    parts = [element("text", escape(panel.title), x=LEFT, y=16, font_weight="bold")]
    if not everything:
        return parts[0] + element("text", "nothing recorded", x=LEFT, y=HEIGHT // 2, opacity="0.6")
    right = WIDTH - (100 if len(lines) > 1 else 16)
    xs, ys = zip(*everything, strict=True)
    x_low, x_high, heights = min(xs), max(xs), [*ys, *(panel.span or ())]
    y_low, y_high = min(heights), max(heights)
    if y_high - y_low < 1e-12:
        y_low, y_high = y_low - 0.5, y_high + 0.5

    def at(x: float, y: float) -> tuple[float, float]:
        across, up = (x - x_low) / ((x_high - x_low) or 1), (y - y_low) / (y_high - y_low)
        return LEFT + across * (right - LEFT), HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP)

    def level(y: float, **style: str) -> None:
        parts.append(element("path", d=f"M{LEFT} {at(x_low, y)[1]:.1f}H{right}", stroke="currentColor", **style))

    def text(content: str, x: float, y: float, **style: str) -> None:
        parts.append(element("text", escape(content), x=x, y=y, **style))

    for y in (y_low, (y_low + y_high) / 2, y_high):
        level(y, opacity="0.15")
        label = digits(10**y if panel.logarithmic else y, 2)
        text(label, LEFT - 5, at(x_low, y)[1] + 4, text_anchor="end", opacity="0.7")
    for x, anchor in ((x_low, "start"), (x_high, "end")):
        text(f"{x:g}", at(x, y_low)[0], HEIGHT - 8, text_anchor=anchor, opacity="0.7")
    mark = math.nan if panel.mark is None else math.log10(panel.mark) if panel.logarithmic else panel.mark
    if y_low < mark < y_high:
        level(mark, stroke_dasharray="4 3")
    short = short_names(list(lines))
    for i, (name, points) in enumerate(lines.items()):
        stroke = colour(i, len(lines))
        path = "M" + "L".join("{:.1f} {:.1f}".format(*at(*p)) for p in points[:: max(1, len(points) // MOST_POINTS)])
        style = {"fill": "none", "stroke": stroke, "stroke_width": "1.5", "stroke_linecap": "round"}
        finite = [y for y in panel.lines[name][1] if math.isfinite(y)]
        lost = len(panel.lines[name][1]) - len(finite)
        words = f"{name}: from {digits(finite[0], 2)} to {digits(finite[-1], 2)}" if finite else f"{name}: nothing"
        words += f", and {lost} values that are not finite" if lost else ""
        parts.append(element("path", element("title", escape(words)), d=path, **style))
        if len(lines) > 1 and i < MOST_NAMES:
            text(short[i], right + 6, TOP + 6 + 14 * i, fill=stroke)
    if len(lines) > MOST_NAMES:
        text(f"and {len(lines) - MOST_NAMES} more", right + 6, TOP + 6 + 14 * MOST_NAMES)
    return "".join(parts)
