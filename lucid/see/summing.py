"""A model as a table: for each layer the shape that it gives, its parameters, and the multiply-adds that it takes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from lucid.autograd.grad_mode import no_grad
from lucid.core.create import ones
from lucid.core.node import Tensor
from lucid.core.op import Op
from lucid.core.tensor import Parameter
from lucid.nn.module import Module, own_entries
from lucid.op import look_on
from lucid.see.counting import multiply_adds
from lucid.see.following import follow_calls
from lucid.see.table import Table, counted


class Row:
    """One module, as it was met: its name, how deep it lies, and what was seen of it.

    Attributes:
        shape: of its output in the first call, in words; "" if it never ran.
        own: the parameters in it alone that no row before has counted.
        products: multiply-adds in its calls, those of the modules inside included.
        calls: how often it ran.
    """

    def __init__(self, name: str, module: Module, own: int, shared: bool) -> None:
        self.name, self.module, self.own, self.shared = name, module, own, shared
        self.shape, self.products, self.calls = "", 0, 0


class Summary:
    """What `summary` gives: print it, or let a notebook show it.

    Attributes:
        rows: a Row for each module, parents first.
        parameters: how many numbers the model has, tied ones counted once.
        trained: how many of them require a gradient.
        multiply_adds: of one forward; a backward takes about twice as many more.
    """

    def __init__(self, rows: list[Row], parameters: int, trained: int, products: int) -> None:
        self.rows, self.parameters, self.trained, self.multiply_adds = rows, parameters, trained, products

    def _table(self) -> Table:
        cells = []
        for row in self.rows:
            depth = row.name.count(".") + 1 if row.name else 0
            name = f"{row.name.rpartition('.')[2]}: " if row.name else ""
            label = "  " * depth + name + type(row.module).__name__
            label += f", {row.calls} calls" if row.calls > 1 else "" if row.calls else ", not called"
            own = f"{row.own:,}" if row.own else "tied" if row.shared else ""
            cells.append([label, row.shape, own, counted(row.products) if row.products else ""])
        total = ["all", "", f"{self.parameters:,}", counted(self.multiply_adds)]
        frozen = self.parameters - self.trained
        note = f"{self.parameters:,} parameters, {frozen:,} of them frozen" if frozen else ""
        return Table(["layer", "output", "parameters", "multiply-adds"], cells, total, note)

    def __str__(self) -> str:
        return str(self._table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()


def summary(model: Module, *inputs: Any, **keywords: Any) -> Summary:
    """A table of the model's layers as they run on these inputs; also `model.summary(*inputs)`.

    Multiply-adds are those of matrix products, convolutions, attention and recurrent layers, counted from the
    operations that run; a module's are those of all within it. A tied weight counts where it is met first, and a module
    that is called twice has one row, with the multiply-adds of both calls. The forward is run once, unrecorded, in eval
    mode: nothing about the model changes.

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
    seen: set[int] = set()
    for name, module in model.named_modules():
        own = [value for _, value, _ in own_entries(module) if isinstance(value, Parameter)]
        fresh = {id(p): p.numel() for p in own if id(p) not in seen}
        seen |= set(fresh)
        rows[id(module)] = Row(name, module, sum(fresh.values()), len(fresh) < len({id(p) for p in own}))
    inside: list[Row] = []
    total = _run(model, rows, inside, tuple(map(_input, inputs)), {k: _input(v) for k, v in keywords.items()})
    parameters = list(model.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    return Summary(list(rows.values()), sum(p.numel() for p in parameters), trained, total)


def _input(value: Any) -> Any:
    """A shape as ones of that shape; anything else as it is."""
    is_shape = isinstance(value, tuple) and value and all(isinstance(n, int) for n in value)
    return ones(*value) if is_shape else value


def _run(
    model: Module, rows: dict[int, Row], inside: list[Row], inputs: tuple[Any, ...], keywords: dict[str, Any]
) -> int:
    """Run the model once, in eval mode, and write down what happens in each row; gives all multiply-adds."""
    total = 0

    def counting(op: Op, forward: Any) -> Any:
        def count(xp: Any, *arrays: Any, **options: Any) -> Any:
            nonlocal total
            found = forward(xp, *arrays, **options)
            products = multiply_adds(op.name, found[0] if op.aux_outputs else found, arrays, options)
            total += products
            for row in {id(row): row for row in inside}.values():
                row.products += products
            return found

        return count

    def enter(module: Module, args: Any) -> None:
        inside.append(rows[id(module)])

    def leave(module: Module, args: Any, output: Any) -> None:
        row = inside.pop()
        row.calls += 1
        row.shape = row.shape or _shape(output)

    with ExitStack() as stack, no_grad():
        modes = [(module, module.training) for module in model.modules()]
        for module, _ in modes:
            before = module.register_forward_pre_hook(enter)
            stack.callback(follow_calls(module, leave))  # ends after the next, and tidies up behind both
            stack.callback(before.remove)
        look_on(counting)
        stack.callback(look_on, counting, False)
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
