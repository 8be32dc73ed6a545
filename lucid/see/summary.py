"""A model as a table: for each layer the shape of its output, its parameters, and the multiply-adds that it takes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from lucid.autograd.grad_mode import no_grad
from lucid.core.create import ones
from lucid.core.node import Tensor
from lucid.core.op import Op
from lucid.core.tensor import Parameter
from lucid.nn.module import Module, own_entries
from lucid.see.multiply_adds import multiply_adds
from lucid.see.observers import on_forward, on_module_call
from lucid.see.text import Printable, Table, large_number


@dataclass
class Row:
    """One module."""

    name: str  # its dotted path
    module: Module
    own: int  # elements of the parameters in it alone that no row before has counted
    tied: bool  # whether some of its parameters were counted in a row before
    shape: str = ""  # of its output in the first call; "" if it never ran
    multiply_adds: int = 0  # of all its calls, those of the modules inside included
    calls: int = 0

    def cells(self) -> list[str]:
        """The row as text."""
        depth = self.name.count(".") + 1 if self.name else 0
        name = f"{self.name.rpartition('.')[2]}: " if self.name else ""
        label = "  " * depth + name + type(self.module).__name__
        label += f", {self.calls} calls" if self.calls > 1 else "" if self.calls else ", not called"
        own = f"{self.own:,}" if self.own else "tied" if self.tied else ""
        return [label, self.shape, own, large_number(self.multiply_adds) if self.multiply_adds else ""]


class Summary(Printable):
    """What `summary` returns: print it, or let a notebook show it.

    Attributes:
        rows: a Row for each module, parents first.
        parameters: how many numbers the model has, tied ones counted once.
        trainable: how many of them require a gradient.
        multiply_adds: of one forward; a backward takes about twice as many more.
    """

    def __init__(self, rows: list[Row], parameters: int, trainable: int, multiply_adds: int) -> None:
        self.rows, self.parameters, self.trainable, self.multiply_adds = rows, parameters, trainable, multiply_adds

    def _printed(self) -> Table:
        total = ["all", "", f"{self.parameters:,}", large_number(self.multiply_adds)]
        frozen = self.parameters - self.trainable
        note = f"{self.parameters:,} parameters, {frozen:,} of them frozen" if frozen else ""
        head = ["layer", "output", "parameters", "multiply-adds"]
        return Table(head, [row.cells() for row in self.rows], total, note)


def summary(model: Module, *inputs: Any, **keywords: Any) -> Summary:
    """A table of the model's layers as they run on these inputs; also `model.summary(*inputs)`.

    Multiply-adds are those of matrix products, convolutions, attention and recurrent layers, counted from the
    operations that run; a module's are those of everything inside it. A tied weight counts where it comes first, and a
    module that is called twice has one row, with the multiply-adds of both calls. The forward is run once, unrecorded,
    in eval mode: nothing about the model changes.

    Args:
        model: the model.
        inputs, keywords: what it is called with. A shape, a tuple of ints, stands for ones of that shape.

    Raises:
        TypeError: if `model` is no Module.

    >>> from lucid import nn
    >>> print(summary(nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)), (32, 64)))
    layer           output  parameters  multiply-adds
    -------------------------------------------------
    Sequential    (32, 10)                       303k
      0: Linear  (32, 128)       8,320           262k
      1: ReLU    (32, 128)
      2: Linear   (32, 10)       1,290            41k
    -------------------------------------------------
    all                          9,610           303k
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary: expected a Module, got {type(model).__name__}")
    rows: dict[int, Row] = {}
    counted: set[int] = set()
    for name, module in model.named_modules():
        own = {id(p): p.numel() for _, p, _ in own_entries(module) if isinstance(p, Parameter)}
        new = own.keys() - counted
        counted |= new
        rows[id(module)] = Row(name, module, sum(own[key] for key in new), len(new) < len(own))
    total = _run(model, rows, list(map(_example, inputs)), {key: _example(value) for key, value in keywords.items()})
    parameters = list(model.parameters())
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    return Summary(list(rows.values()), sum(p.numel() for p in parameters), trainable, total)


def _example(value: Any) -> Any:
    """A shape as ones of that shape; anything else as it is."""
    is_shape = isinstance(value, tuple) and value and all(isinstance(n, int) for n in value)
    return ones(*value) if is_shape else value


def _run(model: Module, rows: dict[int, Row], inputs: Any, keywords: dict[str, Any]) -> int:
    """Run the model once in eval mode and fill in the rows; returns all multiply-adds."""
    total = 0
    running: list[Row] = []  # of the modules whose forward is running, outermost first

    def count(op: Op, out: Any, arrays: Any, options: Any, seconds: float) -> None:
        nonlocal total
        n = multiply_adds(op.name, out, arrays, options)
        total += n
        for row in {id(row): row for row in running}.values():
            row.multiply_adds += n

    def enter(module: Module, args: Any) -> None:
        running.append(rows[id(module)])

    def leave(module: Module, args: Any, output: Any) -> None:
        row = running.pop()
        row.calls += 1
        row.shape = row.shape or _shape(output)

    with ExitStack() as stack, no_grad():
        modes = [(module, module.training) for module in model.modules()]
        for module, _ in modes:
            before = module.register_forward_pre_hook(enter)
            stack.callback(on_module_call(module, leave))  # unregistered after the next line's, and tidies up for both
            stack.callback(before.remove)
        stack.callback(on_forward(count))
        model.eval()
        try:
            model(*inputs, **keywords)
        finally:
            for module, mode in modes:
                module.training = mode
    return total


def _shape(output: Any) -> str:
    """The shape of a Tensor; of several, those of all."""
    if isinstance(output, Tensor):
        return str(output.shape)
    if isinstance(output, (tuple, list)):
        return ", ".join(filter(None, map(_shape, output)))
    if isinstance(output, dict):
        return ", ".join(f"{key}: {_shape(value)}" for key, value in output.items())
    return ""
