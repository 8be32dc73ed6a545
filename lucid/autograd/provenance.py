"""Where a node came from: the user's line that ran the operation, and the module in whose forward it ran.

Looking up the stack at each operation takes more than the two percent of a toy training step that would let it be on
all the time (`benchmarks/inside.py` measures it), so it is done inside `with track_provenance():` alone, as a handler
of the events "node", "write" and "module".

A node keeps a code object and the offset of an instruction in it, which is little, and keeps nothing alive that the
program would have freed: neither the frame with its variables nor the module. File, line, text and names are looked
up when somebody reads them (`provenance`).
"""

from __future__ import annotations

import linecache
import os
import sys
import threading
from itertools import islice
from types import CodeType
from typing import Any, NamedTuple
from weakref import ref

from lucid.core import events
from lucid.core.array import is_array
from lucid.core.node import write_record

_LUCID = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
HINT = events.UnknownProvenance.hint


class _IsLucid(dict[str, bool]):
    """File -> whether it is lucid's own, which is never the line that a user is looking for."""

    def __missing__(self, file: str) -> bool:
        self[file] = own = file.startswith(_LUCID)
        return own


class _ModuleCalls(threading.local):
    """The calls of modules that this thread is inside of: (weak reference, class, the calls around it) or None."""

    innermost: Any = None


is_lucid = _IsLucid()
_calls = _ModuleCalls()


def user_frame(frame: Any) -> Any:
    """The innermost frame, from `frame` outwards, that is not lucid's; None if there is none."""
    while frame is not None and is_lucid[frame.f_code.co_filename]:
        frame = frame.f_back
    return frame


def here(frame: Any = None) -> Any:
    """The provenance of what happens now, in the form that nodes keep: code, offset and module calls; or None."""
    frame = user_frame(sys._getframe(1) if frame is None else frame)
    return None if frame is None else (frame.f_code, frame.f_lasti, _calls.innermost)


def _note_node(node: Any, out: Any) -> None:
    node.provenance = here()


def _note_value(node: Any, out: Any) -> None:
    array = getattr(out, "_array", out)
    if is_array(array):
        node.out = array


def _note_module(module: Any, args: Any) -> Any:
    before, _calls.innermost = _calls.innermost, (ref(module), type(module), _calls.innermost)

    def leave(output: Any) -> None:
        _calls.innermost = before

    return leave


_subscriptions: dict[str, list[events.Subscription]] = {"lines": [], "values": []}
_HANDLERS: dict[str, list[tuple[str, Any]]] = {
    "lines": [("node", _note_node), ("write", lambda array: here()), ("module", _note_module)],
    "values": [("node", _note_value)],
}


def is_tracking(what: str = "lines") -> bool:
    """Whether "lines", or "values", are being tracked."""
    return bool(_subscriptions[what])


def _switch(wanted: dict[str, bool]) -> None:
    for what, on in wanted.items():
        if on and not _subscriptions[what]:
            _subscriptions[what] = [events.on(event, handler) for event, handler in _HANDLERS[what]]
        elif not on:
            for subscription in _subscriptions[what]:
                subscription.remove()
            _subscriptions[what] = []


class track_provenance:
    """`with track_provenance():` nodes know the line that made them, the module it ran in, and with `values` their
    output, so that all of them can be shown; that takes the memory of those arrays that no vjp would have kept.

    `track_provenance()` alone begins at once, and `track_provenance(False)` ends it, as `set_grad_enabled` does; a
    block ends with what was there before. What was recorded inside keeps its provenance: `lucid.see` shows it, anomaly
    detection and the errors of a backward pass name it.

    >>> import lucid
    >>> with lucid.see.track_provenance():
    ...     y = lucid.ones(2, requires_grad=True).exp()
    >>> lucid.see.provenance(y).expression
    'lucid.ones(2, requires_grad=True).exp()'
    """

    def __init__(self, mode: bool = True, *, values: bool = True) -> None:
        if not isinstance(mode, bool):
            raise TypeError(f"track_provenance: expected True or False, got {mode!r}")
        self.before = {what: is_tracking(what) for what in _subscriptions}
        events.describe[0] = KnownProvenance()
        _switch({"lines": mode, "values": mode and bool(values)})

    def __enter__(self) -> track_provenance:
        return self

    def __exit__(self, *error: object) -> None:
        _switch(self.before)


class Provenance(NamedTuple):
    """Where a node came from.

    Attributes:
        file: the file of the user's program.
        line: the number of the line in it.
        function: the name of the function that the line stands in, "<module>" at the top.
        text: the line; "" where the source is not available.
        expression: the part of the text that ran the operation, over several lines joined; "" as above.
        module: of the module in whose forward the node was made the dotted path from the outermost one that was called,
            `layers.0`; for that one itself the name of its class; None outside of modules.
        modules: (path, class name) of each module whose call it was made in, the outermost first.
    """

    file: str
    line: int
    function: str
    text: str
    expression: str
    module: str | None
    modules: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        within = f", in module {self.module}" if self.module else ""
        return f"{self.file}:{self.line}, in {self.function}{within}: {self.text}".rstrip(": ")


def provenance(node: Any, paths: dict[int, dict[int, str]] | None = None) -> Provenance | None:
    """Where `node`, a Node or a Tensor, came from; None where that was not tracked, or it is no user's line. `paths` is
    a cache of modules' names, for looking up many: an empty dict, the same at each call."""
    record = getattr(getattr(node, "_node", node), "provenance", None)
    return None if record is None else _read(record, {} if paths is None else paths)


def _read(record: Any, paths: dict[int, dict[int, str]]) -> Provenance:
    """What a record of `here` stands for."""
    code, offset, calls = record
    line, expression = _line_of(code, offset)
    modules = _module_paths(calls, paths)
    text = linecache.getline(code.co_filename, line).strip()
    module = None if not modules else modules[-1][0] or modules[-1][1]
    return Provenance(code.co_filename, line, code.co_name, text, expression, module, modules)


def _line_of(code: CodeType, offset: int) -> tuple[int, str]:
    """The line and the text of the expression at an offset into the code."""
    first, last, start, end = next(islice(code.co_positions(), offset // 2, None), (None,) * 4)
    if first is None:
        return code.co_firstlineno, ""
    lines = [linecache.getline(code.co_filename, n).encode() for n in range(first, (last or first) + 1)]
    if not all(lines) or start is None or end is None:
        return first, ""
    lines[-1] = lines[-1][:end]  # columns count bytes
    lines[0] = lines[0][start:]
    return first, " ".join(part.decode(errors="replace").strip() for part in lines)


def _module_paths(calls: Any, paths: dict[int, dict[int, str]]) -> tuple[tuple[str, str], ...]:
    """(path, class name) for each of the nested calls, the outermost first."""
    chain: list[tuple[Any, str]] = []
    while calls is not None:
        weak, cls, calls = calls
        chain.insert(0, (weak(), cls.__name__))
    if not chain or (outermost := chain[0][0]) is None:
        return tuple([("", name) for _, name in chain])
    if id(outermost) not in paths:
        paths[id(outermost)] = {id(module): name for name, module in outermost.named_modules()}
    return tuple([(paths[id(outermost)].get(id(module), ""), name) for module, name in chain])


class KnownProvenance(events.UnknownProvenance):
    """What errors say of where a node comes from, as far as it was tracked."""

    def node(self, node: Any, hint: str = HINT) -> str:
        """A clause on where an operation was run, or on how to find out."""
        known = provenance(node)
        return f"it was run at {known}" if known else super().node(node, hint)

    def write(self, node: Any, value: Any, record: Any) -> str:
        """A sentence on what ran and what was changed, one after the other, as far as it was tracked."""
        arrays = [item for item in (value if isinstance(value, tuple) else (value,)) if is_array(item)]
        _, where = max(map(write_record, arrays), key=lambda record: record[0], default=record)
        if getattr(node, "provenance", None) is None and where is None:
            return super().write(node, value, record)
        line = "a line that was not tracked" if where is None else str(_read((*where[:2], None), {}))
        return f"First {self.node(node)}; then it was changed at {line}; then came backward()"

    def operands(self, names: Any, nodes: Any) -> str:
        """The module that an error happened in, and where those operands come from that were computed."""
        inside = _module_paths(_calls.innermost, {})
        module = f"; it happened in module {inside[-1][0] or inside[-1][1]} ({inside[-1][1]})" if inside else ""
        computed = [(name, node) for name, node in zip(names, nodes, strict=False) if getattr(node, "inputs", None)]
        lines = [f"; {n!r} is what {node.name()} gave at {at}" for n, node in computed if (at := provenance(node))]
        return module + ("".join(lines) if lines else super().operands(names, nodes))
