"""What takes the time and the memory: each operation's forward and backward, timed while a program runs."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from lucid.core.array import is_array
from lucid.core.op import Op
from lucid.see.multiply_adds import multiply_adds
from lucid.see.observers import on_forward, on_node, on_vjp
from lucid.see.text import Printable, Table, duration, large_number, memory_size

COLUMNS = ("calls", "forward", "backward", "allocated", "saved", "multiply_adds")


@dataclass
class Entry:
    """What one operation took."""

    calls: int = 0  # how often it ran forward
    vjp_calls: int = 0  # how often its vjps ran
    forward: float = 0.0  # seconds
    backward: float = 0.0
    allocated: int = 0  # bytes of the arrays that it returned; a view allocates none
    saved: int = 0  # bytes that its nodes saved for backward; memory that two nodes share counts for both
    multiply_adds: int = 0  # of the forwards, counted as `summary` counts them

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward


class profile(Printable):
    """`with profile() as p:` times every operation that runs in the block; then `print(p)`.

    Forward times are those of the arrays' arithmetic; `wall` minus their sum is the time of Python and the rest of the
    program. Costs nothing when off, and a few microseconds per operation when on. On a GPU the times are those of
    starting the kernels.

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
        for unregister in (on_forward(self._after_forward), on_vjp(self._after_vjp), on_node(self._after_node)):
            self._observers.callback(unregister)
        self._started = perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self.wall += perf_counter() - self._started
        self._observers.close()

    def _after_forward(self, op: Op, out: Any, inputs: Any, options: Any, seconds: float) -> None:
        entry = self.entries[op.name]
        entry.calls += 1
        entry.forward += seconds
        if getattr(out, "base", None) is None:
            entry.allocated += getattr(out, "nbytes", 0)
        entry.multiply_adds += multiply_adds(op.name, out, inputs, options)

    def _after_vjp(self, op: Op, seconds: float) -> None:
        self.entries[op.name].backward += seconds
        self.entries[op.name].vjp_calls += 1

    def _after_node(self, op: Op, saved: Any) -> None:
        self.entries[op.name].saved += _bytes(saved)

    def table(self, by: str = "seconds") -> Table:
        """The operations in the order of `by`: "seconds" (forward and backward) or a column ("calls", "saved", ...).

        Raises:
            ValueError: for another word.
        """
        if not hasattr(Entry(), by):
            raise ValueError(f"profile.table: there is no column {by!r}; use {', '.join(COLUMNS)}")
        everything = Entry()
        for entry in self.entries.values():
            for name in COLUMNS:
                setattr(everything, name, getattr(everything, name) + getattr(entry, name))
        seconds = everything.seconds or 1.0
        ordered = sorted(self.entries.items(), key=lambda item: -getattr(item[1], by))
        rows = [_cells(name, entry, f"{entry.seconds / seconds:.0%}") for name, entry in ordered]
        note = f"{duration(self.wall)} in all; the rest is Python, the optimizer and everything that is no operation"
        head = ["operation", "calls", "forward", "backward", "share", "allocated", "saved", "multiply-adds"]
        return Table(head, rows, _cells("all", everything, ""), note)

    _printed = table


def _cells(name: str, entry: Entry, share: str) -> list[str]:
    times = [duration(entry.forward), duration(entry.backward), share]
    sizes = [memory_size(entry.allocated), memory_size(entry.saved)]
    return [name, f"{entry.calls:,}", *times, *sizes, large_number(entry.multiply_adds) if entry.multiply_adds else ""]


def _bytes(saved: Any) -> int:
    """The bytes of all arrays in a tuple of saved values."""
    if isinstance(saved, (tuple, list)):
        return sum(map(_bytes, saved))
    return saved.nbytes if is_array(saved) else 0
