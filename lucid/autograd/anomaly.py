"""Where a NaN came from: the operation whose formula made it, and the line of the user's program that ran it."""

from __future__ import annotations

from typing import Any

from lucid import backend
from lucid.graph import Node, watch
from lucid.origins import remember, remembering, told


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
        self.on, self.check = True, _check if check_nan else None

    def __enter__(self) -> None:
        self.before.append((remember(self.on, values=self.on and remembering("values")), watch.check))
        watch.check = self.check

    def __exit__(self, *error: object) -> None:
        lines, watch.check = self.before.pop()
        lines.__exit__()


class set_detect_anomaly(detect_anomaly):
    """`detect_anomaly` on or off: at once when called, and as a context manager until its block ends."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        super().__init__(check_nan)
        if not mode:
            self.on, self.check = False, None
        super().__enter__()

    def __enter__(self) -> None:
        pass


def _check(node: Node, g: Any, parts: Any) -> None:
    """Raise a RuntimeError if one of the gradients that a node gave holds NaN."""
    for i, part in enumerate(parts):
        if part is not None and _has_nan(part):
            names = list(getattr(node.op, "formulas", ()))
            name = repr(names[i]) if i < len(names) and not node.op.variadic else str(i)
            given = "has NaN already" if _has_nan(g) else "has none"
            raise RuntimeError(
                f"backward: {node.op.name} gave NaN for its input {name} (the gradient it was given {given}); "
                f"{told(node, 'run the forward inside detect_anomaly() too')}"
            )


def _has_nan(value: Any) -> bool:
    if hasattr(value, "parts"):  # those of a Function with several outputs
        return any(_has_nan(part) for part in value.parts.values())
    array = getattr(value, "_array", value)
    return bool(backend.namespace(array).isnan(array).any())
