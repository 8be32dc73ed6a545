"""What things are called: tensors and modules by the user's own names, numbers in a few digits.

A graph knows no names: `w` is a variable of the program. So whoever draws one looks into the function that asked for
the drawing, and calls a tensor what it is called there; a module's parameters go by their paths.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

from lucid.autograd.provenance import is_lucid, provenance
from lucid.core.array import cpu, to_numpy
from lucid.core.node import Leaf, Node, Tensor
from lucid.core.tensor import Parameter
from lucid.nn.module import Module

ASSIGNMENT = re.compile(r"(\w+)\s*=\s*(.+)")
FEW = 4  # elements that are written out in a line


class Names:
    """The names of nodes and arrays.

    Args:
        names: name -> Tensor or Module, and what comes first.
        model: a Module, whose parameters are then called by their paths alone.
        frame: where to look for further ones.
    """

    def __init__(self, names: Mapping[str, Any] | None, model: Any, frame: Any) -> None:
        self.nodes: dict[Node, str] = {}
        self.arrays: dict[int, str] = {}
        self.tensors: dict[Node, Tensor] = {}
        self.paths: dict[int, dict[int, str]] = {}
        self._kept: list[Any] = []  # an array's id is its own as long as it lives
        for name, value in (names or {}).items():
            if not isinstance(name, str) or not isinstance(value, (Tensor, Module)):
                raise TypeError(f"names: expected a dict of names to Tensors and Modules, got {name!r}: {value!r}")
            self._add(name, value)
        if model is not None:
            if not isinstance(model, Module):
                raise TypeError(f"model: expected a lucid.nn.Module, got {type(model).__name__}")
            self._add("", model)
        if frame is not None:
            found = {**frame.f_globals, **frame.f_locals}
            found = {name: value for name, value in found.items() if not name.startswith("_")}
            modules = [value for value in found.values() if isinstance(value, Module) and list(value.parameters())]
            alone = len({id(module) for module in modules}) == 1
            for name, value in found.items():
                self._add("" if alone and isinstance(value, Module) else name, value)

    def _add(self, name: str, value: Any) -> None:
        if isinstance(value, Module):
            for path, tensor in (*value.named_parameters(), *value.named_buffers()):
                self._add(f"{name}.{path}" if name else path, tensor)
        elif isinstance(value, Tensor):
            self.arrays.setdefault(id(value._array), name)
            self._kept.append(value._array)
            if value._node is not None:
                self.nodes.setdefault(value._node, name)
                self.tensors.setdefault(value._node, value)

    def of(self, node: Node) -> str:
        """The name of a node: its tensor's, or what the line that made it assigns its result to; "" if it has none."""
        if node not in self.nodes:
            made = provenance(node, self.paths)
            assigned = ASSIGNMENT.fullmatch(made.text) if made is not None else None
            self.nodes[node] = assigned[1] if assigned and made and assigned[2] == made.expression else ""
        return self.nodes[node]

    def called(self, node: Node) -> str:
        """How a node is spoken of: by its name, else as what it is."""
        return self.of(node) or (f"{kind(node)} {shape_of(node)}" if type(node) is Leaf else node.name())


def kind(node: Node) -> str:
    """"parameter", "leaf" or "op"."""
    if type(node) is not Leaf:
        return "op"
    return "parameter" if isinstance(node.tensor(), Parameter) else "leaf"


def users_frame() -> Any:
    """The frame of the function of the user's that called into lucid."""
    frame: Any = sys._getframe(1)
    while frame is not None and is_lucid[frame.f_code.co_filename]:
        frame = frame.f_back
    return frame


def shape_of(value: Any) -> str:
    """`2×3`; of a single number "number"."""
    shape = value.shape
    if shape and not isinstance(shape[0], int):  # a Function with several outputs
        return ", ".join("nothing" if part is None else shape_text(part) for part in shape)
    return shape_text(shape)


def shape_text(shape: Any) -> str:
    """The same of a shape."""
    return "×".join(map(str, shape)) or "number"


def host(value: Any) -> Any:
    """The NumPy array of a Tensor or array, wherever it lies."""
    return to_numpy(getattr(value, "_array", value))


def digits(number: Any, places: int = 4) -> str:
    """A number in a few digits: 0.5, -1.25e-07, nan."""
    if isinstance(number, (bool, int)):
        return str(number)
    return f"{number:.{places}g}"


def brief(value: Any) -> str:
    """A value in one line: few numbers in full, of many shape and size."""
    if value is None:
        return ""
    if isinstance(value, tuple):  # the gradients of a Function with several outputs
        return "; ".join(brief(part) or "none" for part in value)
    if isinstance(value, (bool, int, float)):
        return digits(value)
    array = host(value)
    if array.size <= FEW:
        return _nested(array.tolist())
    finite = array[cpu.isfinite(array)] if array.dtype.kind == "f" else array
    odd = array.size - finite.size
    text = shape_text(array.shape)
    text += f", {digits(finite.min().item())} to {digits(finite.max().item())}" if finite.size else ""
    return text + (f", {odd:,} not finite" if odd else "")


def _nested(value: Any) -> str:
    return f"[{', '.join(map(_nested, value))}]" if isinstance(value, list) else digits(value)
