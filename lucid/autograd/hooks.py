"""Gradients on their way: hooks on a tensor, and gradients kept for tensors that are no leaves."""

from __future__ import annotations

from itertools import count
from typing import Any
from weakref import ref

from lucid.core.array import namespace
from lucid.core.events import Subscription
from lucid.core.node import Leaf, Node, Tensor, method


class RemovableHandle(Subscription):
    """What registering a hook returns; `remove()` takes the hook away again. Also a context manager."""

    _ids = count()

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self.id, self._hooks = next(self._ids), hooks
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook away; doing so twice is harmless."""
        self._hooks.pop(self.id, None)


@method()
def retain_grad(self: Tensor) -> None:
    """Keep the gradient of a computed tensor in its `grad`, as leaves do; a RuntimeError if it requires none."""
    node = _node_of("retain_grad", self)
    if type(node) is not Leaf:
        retain_gradient(node, self)


def retain_gradient(node: Node, tensor: Tensor) -> None:
    """Let `tensor` keep, in its `grad`, the gradient that reaches `node`."""
    weak = ref(tensor)

    def keep(g: Any) -> None:
        if (t := weak()) is not None:
            g = g if isinstance(g, Tensor) else Tensor(namespace(g).copy(g))
            t._grad = g if t._grad is None else t._grad + g

    node.retain_hooks = {**(node.retain_hooks or {}), id(tensor): keep}


@method()
def register_hook(self: Tensor, hook: Any) -> RemovableHandle:
    """Call `hook(gradient)` whenever this tensor's gradient is known; what it returns, if anything, replaces it.
    Returns a handle whose `remove()` takes the hook away."""

    def on_gradient(g: Any) -> Any:
        given = g if isinstance(g, Tensor) else Tensor(namespace(g).copy(g))
        result = hook(given)
        if result is None:
            return None
        if not isinstance(result, Tensor) or result.shape != given.shape:
            expected = f"None or a Tensor of shape {given.shape}"
            raise RuntimeError(f"register_hook: the hook must return {expected}, got {result!r}")
        result = result.to(given.dtype)
        return result if isinstance(g, Tensor) else result._array

    node = _node_of("register_hook", self)
    if node.hooks is None:
        node.hooks = {}
    return RemovableHandle(node.hooks, on_gradient)


def _node_of(name: str, tensor: Tensor) -> Node:
    if tensor._node is None:
        raise RuntimeError(f"{name}: this tensor does not require a gradient; call requires_grad_() first")
    return tensor._node
