"""Where a NaN came from: the operation whose formula made it, and the line of the user's program that ran it."""

from __future__ import annotations

import linecache
import os
import sys
from typing import Any

from lucid import backend
from lucid.graph import Node, watch

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # what lies in there is not the user's
_plain = Node.__init__


class detect_anomaly:
    """`with detect_anomaly():` makes backward stop at the first formula that gives NaN, and name the operation.

    Run the forward inside too: then the error has the line that ran the operation. For debugging, since it looks
    through every gradient, and up the stack at every operation. `check_nan=False` only notes the lines.

    Raises:
        RuntimeError: from the walk back, inside the block.

    >>> import lucid
    >>> x = lucid.zeros(1, requires_grad=True)
    >>> with detect_anomaly():
    ...     (x.sqrt() * 0).sum().backward()
    Traceback (most recent call last):
        ...
    RuntimeError: backward: sqrt gave NaN for its input 'x' (the gradient it was given has none); it was run at ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.before: list[Any] = []
        self.wanted: Any = (_noting, _check if check_nan else None)

    def __enter__(self) -> None:
        # Off costs nothing, for it is not a question that each operation asks: on, nodes are made by another function.
        self.before.append((Node.__init__, watch.check))
        Node.__init__, watch.check = self.wanted  # type: ignore[method-assign]

    def __exit__(self, *error: object) -> None:
        Node.__init__, watch.check = self.before.pop()  # type: ignore[method-assign]


class set_detect_anomaly(detect_anomaly):
    """`detect_anomaly` on or off: at once when called, and as a context manager until its block ends."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        super().__init__(check_nan)
        if not mode:
            self.wanted = (_plain, None)
        super().__enter__()

    def __enter__(self) -> None:
        pass


def _noting(node: Node, *args: Any) -> None:
    _plain(node, *args)
    frame = sys._getframe(1)
    while frame is not None and _is_ours(frame.f_code.co_filename):
        frame = frame.f_back  # type: ignore[assignment]
    node.line = None if frame is None else (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def _is_ours(file: str) -> bool:
    return file.startswith((_HERE, "<generated for op"))


def _check(node: Node, g: Any, parts: Any) -> None:
    """Raise a RuntimeError if one of the gradients that a node gave holds NaN."""
    for i, part in enumerate(parts):
        if part is not None and _has_nan(part):
            names = list(getattr(node.op, "formulas", ()))
            name = repr(names[i]) if i < len(names) and not node.op.variadic else str(i)
            given = "has NaN already" if _has_nan(g) else "has none"
            raise RuntimeError(
                f"backward: {node.op.name} gave NaN for its input {name} (the gradient it was given {given}); "
                f"{_told(node)}"
            )


def _has_nan(value: Any) -> bool:
    if hasattr(value, "parts"):  # those of a Function with several outputs
        return any(_has_nan(part) for part in value.parts.values())
    array = getattr(value, "_array", value)
    return bool(backend.namespace(array).isnan(array).any())


def _told(node: Node) -> str:
    """Where the operation was run."""
    line = getattr(node, "line", None)
    if line is None:
        return "run the forward inside detect_anomaly() too to hear which line it is"
    file, number, name = line
    return f"it was run at {file}:{number}, in {name}: {linecache.getline(file, number).strip()}"
