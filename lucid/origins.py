"""Chapter 4b. Where a node came from: the user's line that ran the operation, and the module in whose forward it ran.

Looking up the stack at each operation takes more than the two percent of a toy training step that would let it be on
all the time (`benchmarks/inside.py` measures it), so it is done where somebody asked for it: inside `with remember():`.
Off costs nothing, for it is not a question that each operation asks. On, nodes are made by another function than
`Node.__init__`, and so it is for all that later chapters add with `while_remembering`: the call of a module notes which
one it is, a Tensor leaves its array with its node.

A node remembers a code object and the offset of an instruction in it, which is little, and keeps nothing alive that
the program would have let go: neither the frame with its variables nor the module. File, line, text and names are made
of these when somebody wants to read them (`origin`).
"""

from __future__ import annotations

import linecache
import os
import threading
from collections.abc import Sequence
from itertools import islice
from types import CodeType
from typing import Any, NamedTuple
from weakref import ref

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
HOW = "run the forward inside `with lucid.see.remember():`"  # for messages that would have liked to name the line


class _Ours(dict[str, bool]):
    """File -> whether it is lucid's own, which is never the line that a user is looking for."""

    def __missing__(self, file: str) -> bool:
        self[file] = answer = file.startswith((_HERE, "<generated for op"))
        return answer


class _Here(threading.local):
    """The calls of modules that this thread is inside of: (weak reference, class, the calls around it) or None."""

    calls: Any = None


ours = _Ours()
here = _Here()


# -- remembering -----------------------------------------------------------------------------------------------------


def whose_line(frame: Any) -> Any:
    """What a node keeps: code, offset and calls of the innermost frame around `frame` that is not lucid's."""
    while frame is not None and ours[frame.f_code.co_filename]:
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti, here.calls)


_on = {"lines": False, "values": False}
_places: dict[str, list[tuple[Any, str, Any, Any]]] = {"lines": [], "values": []}  # where, what, usual, remembering


def while_remembering(what: str, cls: Any, method: str, function: Any) -> None:
    """Put `function` in the place of an attribute, mostly a method, while "lines" or "values" are remembered."""
    _places[what].append((cls, method, getattr(cls, method), function))


def _switch(wanted: dict[str, bool]) -> None:
    for what, on in wanted.items():
        _on[what] = on
        for cls, method, usual, remembering in _places[what]:
            setattr(cls, method, remembering if on else usual)


class remember:
    """`with remember():` nodes know the line that made them, the module it ran in, and with `values` their output.

    `remember()` alone begins at once, and `remember(False)` ends it, as `set_grad_enabled` does; a block ends with what
    was there before. What was recorded inside keeps what it knows: `lucid.see` shows it, anomaly mode and the errors
    of a walk back tell it.

    Args:
        mode: whether to remember.
        values: whether nodes also keep the arrays that they computed, so that all of them can be shown. That takes
            the memory of those arrays that no formula would have kept.

    >>> import lucid
    >>> with lucid.see.remember():
    ...     y = lucid.ones(2, requires_grad=True).exp()
    >>> lucid.see.origin(y).expression
    'lucid.ones(2, requires_grad=True).exp()'
    """

    def __init__(self, mode: bool = True, *, values: bool = True) -> None:
        if not isinstance(mode, bool):
            raise TypeError(f"remember: expected True or False, got {mode!r}")
        self.before = _on.copy()
        _switch({"lines": mode, "values": mode and bool(values)})

    def __enter__(self) -> remember:
        return self

    def __exit__(self, *error: object) -> None:
        _switch(self.before)


def remembering(what: str = "lines") -> bool:
    """Whether "lines", or "values", are being remembered."""
    return _on[what]


# -- and telling -----------------------------------------------------------------------------------------------------


class Origin(NamedTuple):
    """Where a node came from.

    Attributes:
        file: the file of the user's program.
        line: the number of the line in it.
        function: the name of the function that the line stands in, "<module>" at the top.
        text: the line; "" where the source cannot be had.
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


def origin(node: Any, paths: dict[int, dict[int, str]] | None = None) -> Origin | None:
    """Where `node`, a Node or a Tensor, came from; None where that was not remembered, or no user's line is to blame.

    Args:
        node: what to look up.
        paths: a cache of modules' names, for who looks up many: an empty dict, the same at each call.
    """
    made = getattr(getattr(node, "_node", node), "made", None)
    if made is None:
        return None
    code, offset, calls = made
    line, expression = _place(code, offset)
    modules = _path(calls, {} if paths is None else paths)
    text = linecache.getline(code.co_filename, line).strip()
    module = None if not modules else modules[-1][0] or modules[-1][1]
    return Origin(code.co_filename, line, code.co_name, text, expression, module, modules)


def _place(code: CodeType, offset: int) -> tuple[int, str]:
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


def _path(calls: Any, paths: dict[int, dict[int, str]]) -> tuple[tuple[str, str], ...]:
    """(path, class name) for each of the nested calls, the outermost first."""
    chain: list[tuple[Any, str]] = []
    while calls is not None:
        alive, cls, calls = calls
        chain.insert(0, (alive(), cls.__name__))
    if not chain or (root := chain[0][0]) is None:
        return tuple([("", name) for _, name in chain])
    if id(root) not in paths:
        paths[id(root)] = {id(module): name for name, module in root.named_modules()}
    return tuple([(paths[id(root)].get(id(module), ""), name) for module, name in chain])


def told(node: Any, how: str = HOW) -> str:
    """A clause for an error about `node`: where it was run, or how to hear of that."""
    found = origin(node)
    return f"it was run at {found}" if found else f"{how} to hear which line it is"


def written_down(made: Any) -> str:
    """Where a write happened, of which `whose_line` was kept."""
    if made is None:
        return "a line that was not remembered"
    code, offset, _ = made
    line, _ = _place(code, offset)
    text = linecache.getline(code.co_filename, line).strip()
    return f"{code.co_filename}:{line}, in {code.co_name}: {text}".rstrip(": ")


def came_from(names: Sequence[str], nodes: Sequence[Any]) -> str:
    """A clause for an error about operands: the module it happened in, and where those that were computed come from."""
    within = _path(here.calls, {})
    module = f"; it happened in module {within[-1][0] or within[-1][1]} ({within[-1][1]})" if within else ""
    computed = [(name, node) for name, node in zip(names, nodes, strict=False) if getattr(node, "parents", None)]
    lines = [f"; {name!r} is what {node.name()} gave at {made}" for name, node in computed if (made := origin(node))]
    hint = f"; {HOW} to hear where {computed[0][0]!r} comes from" if computed and not lines else ""
    return module + "".join(lines) + hint


def around(calls: Any, module: Any) -> Any:
    """`calls`, and within them that of `module`; weakly, for a module may hold what it computed."""
    return (ref(module), type(module), calls)
