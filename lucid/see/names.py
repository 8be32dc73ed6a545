"""What tensors, modules and nodes are called: the user's own names for them.

A graph knows no names: `w` is a variable of the program. So what draws a graph looks into the function that called it,
and names a tensor as it is named there; a module's parameters go by their paths.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

from lucid.autograd.provenance import is_lucid, provenance
from lucid.core.node import Leaf, Node, Tensor
from lucid.core.tensor import Parameter
from lucid.nn.module import Module
from lucid.see.text import shape_text

ASSIGNMENT = re.compile(r"(\w+)\s*=\s*(.+)")


class Names:
    """The names of nodes and arrays.

    Args:
        names: name -> Tensor or Module; these come first.
        model: a Module, whose parameters are then called by their paths alone.
        frame: where to look for further ones.
    """

    def __init__(self, names: Mapping[str, Any] | None, model: Any, frame: Any) -> None:
        self.nodes: dict[Node, str] = {}
        self.arrays: dict[int, str] = {}
        self.tensors: dict[Node, Tensor] = {}
        self.module_paths: dict[int, dict[int, str]] = {}
        self._arrays_alive: list[Any] = []  # an array's id is its own as long as it lives
        for name, value in (names or {}).items():
            if not isinstance(name, str) or not isinstance(value, (Tensor, Module)):
                raise TypeError(f"names: expected a dict of names to Tensors and Modules, got {name!r}: {value!r}")
            self._add(name, value)
        if model is not None:
            if not isinstance(model, Module):
                raise TypeError(f"model: expected a lucid.nn.Module, got {type(model).__name__}")
            self._add("", model)
        if frame is not None:
            variables = {**frame.f_globals, **frame.f_locals}
            variables = {name: value for name, value in variables.items() if not name.startswith("_")}
            models = {id(v) for v in variables.values() if isinstance(v, Module) and list(v.parameters())}
            for name, value in variables.items():
                self._add("" if len(models) == 1 and isinstance(value, Module) else name, value)

    def _add(self, name: str, value: Any) -> None:
        if isinstance(value, Module):
            for path, tensor in (*value.named_parameters(), *value.named_buffers()):
                self._add(f"{name}.{path}" if name else path, tensor)
        elif isinstance(value, Tensor):
            self.arrays.setdefault(id(value._array), name)
            self._arrays_alive.append(value._array)
            if value._node is not None:
                self.nodes.setdefault(value._node, name)
                self.tensors.setdefault(value._node, value)

    def name_of(self, node: Node) -> str:
        """The name of a node: its tensor's, or what the line that made it assigns its result to; "" if it has none."""
        if node not in self.nodes:
            made_at = provenance(node, self.module_paths)
            assigned = ASSIGNMENT.fullmatch(made_at.text) if made_at is not None else None
            self.nodes[node] = assigned[1] if assigned and made_at and assigned[2] == made_at.expression else ""
        return self.nodes[node]

    def describe(self, node: Node) -> str:
        """The name of a node; of a nameless one its operation, or its kind and shape."""
        is_leaf = type(node) is Leaf
        return self.name_of(node) or (f"{kind(node)} {shape_text(node.shape)}" if is_leaf else node.name())


def kind(node: Node) -> str:
    """"parameter", "leaf" or "op"."""
    if type(node) is not Leaf:
        return "op"
    return "parameter" if isinstance(node.tensor(), Parameter) else "leaf"


def users_frame() -> Any:
    """The frame of the user's function that called into lucid."""
    frame: Any = sys._getframe(1)
    while frame is not None and is_lucid[frame.f_code.co_filename]:
        frame = frame.f_back
    return frame
