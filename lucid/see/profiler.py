"""What a model costs: the time and memory of each operation while a program runs, and a table of a model's layers.

Multiply-adds are counted from the operations that run: a matrix product of (n, k) and (k, m) takes n k m.
All that multiplies matrices is in `MULTIPLY_ADDS`; elementwise operations take little and are not counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from math import prod
from time import perf_counter
from typing import Any

from lucid.autograd.grad_mode import no_grad
from lucid.core import events
from lucid.core.array import is_array, storage_of
from lucid.core.node import Leaf, Node, Tensor
from lucid.core.op import Op
from lucid.core.tensor import Parameter
from lucid.nn.module import Module, own_entries
from lucid.ops.create import ones
from lucid.see.text import Printable, Table, duration, large_number, memory_size


def _recurrent(out: Any, x: Any, w_ih: Any, w_hh: Any, *rest: Any, **options: Any) -> int:
    steps, batch, _ = x.shape
    return steps * batch * (prod(w_ih.shape) + prod(w_hh.shape))


MULTIPLY_ADDS: dict[str, Callable[..., int]] = {  # of an operation's output, inputs and options
    "matmul": lambda out, a, b, **options: prod(out.shape) * a.shape[-1],
    "linear": lambda out, x, weight, *bias: prod(out.shape) * weight.shape[1],
    "attention_weights": lambda out, query, *rest, **options: prod(out.shape) * query.shape[-1],
    # weights are (O, C / groups, *kernel): each output takes its window
    "conv": lambda out, x, weight, *bias, **options: prod(out.shape) * prod(weight.shape[1:]),
    "conv_transpose": lambda out, y, weight, *bias, **options: prod(y.shape) * prod(weight.shape[1:]),
    "conv_weight": lambda out, x, y, **options: prod(y.shape) * prod(out.shape[1:]),
    **dict.fromkeys(("rnn", "lstm", "gru"), _recurrent),
    "solve": lambda out, a, b: prod(a.shape) * a.shape[-1] // 3 + prod(b.shape) * a.shape[-1],
}


def on_forward(after: Callable[..., Any]) -> events.Subscription:
    """Call `after(op, out, inputs, seconds, multiply_adds)`, on arrays, after each forward of an operation."""

    def observe(op: Op, forward: Callable[..., Any]) -> Callable[..., Any]:
        def timed(xp: Any, *inputs: Any, **options: Any) -> Any:
            started = perf_counter()
            result = forward(xp, *inputs, **options)
            seconds, out = perf_counter() - started, result[0] if op.aux_outputs else result
            count = MULTIPLY_ADDS.get(op.name)
            after(op, out, inputs, seconds, count(out, *inputs, **options) if count else 0)
            return result

        return timed

    return events.on("forward", observe)


@dataclass
class Entry:
    """What one operation took."""

    calls: int = 0  # how often it ran forward
    vjp_calls: int = 0  # how often its vjps ran
    forward: float = 0.0  # seconds
    backward: float = 0.0
    allocated: int = 0  # bytes of the arrays that it returned; a view of an input allocates none
    saved: int = 0  # bytes that its nodes saved for backward; memory that two nodes share counts for both
    multiply_adds: int = 0  # of the forwards, counted as `summary` counts them

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward

    def cells(self, name: str, share: str) -> list[str]:
        """The entry as text."""
        times, sizes = (self.forward, self.backward), (self.allocated, self.saved)
        cells = [name, f"{self.calls:,}", *map(duration, times), share, *map(memory_size, sizes)]
        return [*cells, large_number(self.multiply_adds) if self.multiply_adds else ""]


class profile(Printable):
    """`with profile() as p:` times every operation that runs in the block; then `print(p)`.

    Forward times are those of the arrays' arithmetic (on a GPU, of starting the kernels); `wall` minus
    their sum is that of Python and the rest of the program. Costs a few microseconds per operation.

    Attributes:
        entries: name of an operation -> its Entry.
        wall: seconds from the beginning of the block to its end.

    >>> import lucid
    >>> x = lucid.ones(64, 64, requires_grad=True)
    >>> with profile() as p:
    ...     (x @ x).tanh().sum().backward()
    >>> sorted(p.entries), p.entries["tanh"].allocated
    (['matmul', 'sum', 'tanh'], 16384)
    """

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = defaultdict(Entry)
        self.wall = self._started = 0.0
        self._observers = ExitStack()

    def __enter__(self) -> profile:
        self._observers.enter_context(on_forward(self._add_forward))
        self._observers.enter_context(events.on("vjp", self._observe_vjp))
        self._observers.enter_context(events.on("node", self._add_node))
        self._started = perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self.wall += perf_counter() - self._started
        self._observers.close()

    def _add_forward(self, op: Op, out: Any, inputs: Any, seconds: float, multiply_adds: int) -> None:
        entry = self.entries[op.name]
        entry.calls += 1
        entry.forward += seconds
        entry.multiply_adds += multiply_adds
        if not any(is_array(x) and storage_of(x) is storage_of(out) for x in inputs if is_array(out)):
            entry.allocated += getattr(out, "nbytes", 0)

    def _observe_vjp(self, node: Node, vjp: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            started = perf_counter()
            gradients = vjp(*arguments)
            entry = self.entries[node.op.name]
            entry.backward += perf_counter() - started
            entry.vjp_calls += 1
            return gradients

        return timed

    def _add_node(self, node: Node, out: Any) -> None:
        if type(node) is not Leaf:
            self.entries[node.op.name].saved += _bytes(node.saved)

    def table(self, by: str = "seconds") -> Table:
        """The operations in the order of `by`: "seconds" (forward and backward) or a column ("calls", "saved", ...).

        Raises:
            ValueError: for another word.
        """
        if not hasattr(Entry(), by):
            columns = "calls, forward, backward, allocated, saved, multiply_adds"
            raise ValueError(f"profile.table: there is no column {by!r}; use {columns}")
        everything = Entry(*map(sum, zip(*map(astuple, self.entries.values()), strict=True)))
        ordered = sorted(self.entries.items(), key=lambda item: -getattr(item[1], by))
        rows = [entry.cells(name, f"{entry.seconds / (everything.seconds or 1):.0%}") for name, entry in ordered]
        note = f"{duration(self.wall)} in all; the rest is Python, the optimizer and everything that is no operation"
        head = ["operation", "calls", "forward", "backward", "share", "allocated", "saved", "multiply-adds"]
        return Table(head, rows, everything.cells("all", ""), note)

    _printed = table


def _bytes(saved: Any) -> int:
    """The bytes of all arrays in a tuple of saved values."""
    if isinstance(saved, (tuple, list)):
        return sum(map(_bytes, saved))
    return saved.nbytes if is_array(saved) else 0


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
        name = "  " * (self.name.count(".") + 1) + self.name.rpartition(".")[2] + ": " if self.name else ""
        called = f", {self.calls} calls" if self.calls > 1 else "" if self.calls else ", not called"
        own = f"{self.own:,}" if self.own else "tied" if self.tied else ""
        count = large_number(self.multiply_adds) if self.multiply_adds else ""
        return [name + type(self.module).__name__ + called, self.shape, own, count]


@dataclass(repr=False, eq=False)
class Summary(Printable):
    """What `summary` returns: print it, or let a notebook show it.

    Attributes:
        rows: a Row for each module, parents first.
        parameters: how many numbers the model has, tied ones counted once.
        trainable: how many of them require a gradient.
        multiply_adds: of one forward; a backward takes about twice as many more.
    """

    rows: list[Row]
    parameters: int
    trainable: int
    multiply_adds: int = 0

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
    rows, counted = dict[int, Row](), set[int]()
    for name, module in model.named_modules():
        own = {id(p): p.numel() for _, p, _ in own_entries(module) if isinstance(p, Parameter)}
        new = own.keys() - counted
        counted |= new
        rows[id(module)] = Row(name, module, sum(own[key] for key in new), len(new) < len(own))
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    result = Summary(list(rows.values()), sum(n for n, _ in sizes), sum(n for n, trained in sizes if trained))
    running: list[Row] = []  # of the modules whose forward is running, outermost first

    def count(op: Op, out: Any, arrays: Any, seconds: float, multiply_adds: int) -> None:
        result.multiply_adds += multiply_adds
        for row in {id(row): row for row in running}.values():
            row.multiply_adds += multiply_adds

    def enter(module: Module, args: Any) -> Callable[[Any], None] | None:
        running.extend([rows[id(module)]] if id(module) in rows else [])
        return leave if id(module) in rows else None

    def leave(output: Any) -> None:
        row = running.pop()
        row.calls += 1
        row.shape = row.shape or _shape(output)

    modes = [(module, module.training) for module in model.modules()]
    with no_grad(), on_forward(count), events.on("module", enter):
        model.eval()
        try:
            model(*map(_example, inputs), **{key: _example(value) for key, value in keywords.items()})
        finally:
            for module, mode in modes:
                module.training = mode
    return result


def _example(value: Any) -> Any:
    """A shape as ones of that shape; anything else as it is."""
    is_shape = isinstance(value, tuple) and value and all(isinstance(n, int) for n in value)
    return ones(*value) if is_shape else value


def _shape(output: Any) -> str:
    """The shape of a Tensor; of several, those of all."""
    if isinstance(output, Tensor):
        return str(output.shape)
    if isinstance(output, (tuple, list)):
        return ", ".join(filter(None, map(_shape, output)))
    return ", ".join(f"{key}: {_shape(value)}" for key, value in output.items()) if isinstance(output, dict) else ""
