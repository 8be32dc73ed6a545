"""What takes the time and the memory: each operation's forward and backward, timed while a program runs."""

from __future__ import annotations

from collections import defaultdict
from time import perf_counter
from typing import Any

from lucid.core.array import is_array
from lucid.core.node import Node
from lucid.core.op import OPS, Op
from lucid.op import look_on
from lucid.see.counting import multiply_adds
from lucid.see.table import Table, counted

COLUMNS = ("forward", "backward", "allocated", "saved")


class Entry:
    """What one operation took.

    Attributes:
        calls: how often it ran forward.
        walks: how often its formulas ran.
        forward, backward: seconds.
        allocated: bytes of the arrays that it gave.
        saved: bytes that its nodes kept for the walk back, what lies in the same memory counted once for each node.
        multiply_adds: as `summary` counts them, of the forwards.
    """

    def __init__(self) -> None:
        self.calls = self.walks = self.allocated = self.saved = self.multiply_adds = 0
        self.forward = self.backward = 0.0

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward


class profile:
    """`with profile() as p:` times every operation that runs in the block; then `print(p)`.

    Forward times are those of the arrays' arithmetic; `wall` less their sum is what Python and the rest of the program
    took. Costs nothing when off, and a few microseconds for each operation when on. On a GPU the times are those of
    starting the work.

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
        self.wall = 0.0
        self._began = 0.0
        self._backs: list[tuple[Op, Any]] = []
        self._init: Any = None

    def __enter__(self) -> profile:
        look_on(self._forward)
        for op in OPS.values():
            if op.vjps:
                if op.back is None:
                    op.compile()  # so that its formulas can be timed
                self._backs.append((op, op.back))
                op.back = self._timed_back(op.name, op.back)
        self._init = Node.__init__
        init, entries = self._init, self.entries

        def making(node: Node, op: Op, parents: Any, saved: Any, shape: Any) -> None:
            init(node, op, parents, saved, shape)
            entries[op.name].saved += _bytes(saved)

        setattr(Node, "__init__", making)  # noqa: B010 (mypy takes an assignment for a slip)
        self._began = perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self.wall += perf_counter() - self._began
        Node.__init__ = self._init  # type: ignore[method-assign]
        for op, back in self._backs:
            op.back = back
        self._backs.clear()
        look_on(self._forward, False)

    def _forward(self, op: Op, forward: Any) -> Any:
        entry = self.entries

        def timed(xp: Any, *inputs: Any, **options: Any) -> Any:
            began = perf_counter()
            found = forward(xp, *inputs, **options)
            taken = perf_counter() - began
            out, mine = found[0] if op.aux_outputs else found, entry[op.name]
            mine.calls += 1
            mine.forward += taken
            if getattr(out, "base", None) is None:  # a view allocates nothing
                mine.allocated += getattr(out, "nbytes", 0)
            mine.multiply_adds += multiply_adds(op.name, out, inputs, options)
            return found

        return timed

    def _timed_back(self, name: str, back: Any) -> Any:
        def timed(xp: Any, g: Any, saved: Any, parents: Any) -> Any:
            began = perf_counter()
            parts = back(xp, g, saved, parents)
            mine = self.entries[name]
            mine.backward += perf_counter() - began
            mine.walks += 1
            return parts

        return timed

    def table(self, by: str = "seconds") -> Table:
        """The operations in the order of `by`: "seconds", "forward", "backward", "allocated", "saved" or "calls".

        Raises:
            ValueError: for another word.
        """
        if not hasattr(Entry(), by):
            raise ValueError(f"profile.table: there is no {by!r}; take seconds, {', '.join(COLUMNS)} or calls")
        ordered = sorted(self.entries.items(), key=lambda item: -getattr(item[1], by))
        everything = sum(entry.seconds for _, entry in ordered) or 1.0
        rows = [
            [
                name,
                f"{entry.calls:,}",
                _time(entry.forward),
                _time(entry.backward),
                f"{entry.seconds / everything:.0%}",
                _size(entry.allocated),
                _size(entry.saved),
                counted(entry.multiply_adds) if entry.multiply_adds else "",
            ]
            for name, entry in ordered
        ]
        entries = self.entries.values()
        total = [
            "all",
            f"{sum(e.calls for e in entries):,}",
            _time(sum(e.forward for e in entries)),
            _time(sum(e.backward for e in entries)),
            "",
            _size(sum(e.allocated for e in entries)),
            _size(sum(e.saved for e in entries)),
            counted(sum(e.multiply_adds for e in entries)),
        ]
        note = f"{_time(self.wall)} in all; what the operations did not take is Python's, the optimizer's and the rest"
        head = ["operation", "calls", "forward", "backward", "share", "allocated", "saved", "multiply-adds"]
        return Table(head, rows, total, note)

    def __str__(self) -> str:
        return str(self.table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _bytes(saved: Any) -> int:
    """The bytes of all arrays in a tuple of saved values."""
    if isinstance(saved, (tuple, list)):
        return sum(map(_bytes, saved))
    return saved.nbytes if is_array(saved) else 0


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs" if seconds < 1e-2 else f"{seconds * 1e3:,.1f} ms"


def _size(n: int) -> str:
    return f"{n / 2**20:,.1f} MB" if n >= 2**20 else f"{n / 2**10:,.1f} kB"
