"""Observing a training from outside: callbacks around backward passes, optimizer steps, module calls and operations.

The training loop stays as it is: these are handlers of the engine's events, in the form that the rest of `lucid.see`
wants. Any number may register, and unregister in any order: each function returns the function that unregisters.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

from lucid.autograd.provenance import user_frame
from lucid.core import events
from lucid.core.node import Leaf, Node
from lucid.core.op import Op
from lucid.nn.module import Module
from lucid.optim.optimizer import Optimizer

Callback = Callable[..., Any]
Unregister = Callable[[], None]


def on_backward(before: Callback, after: Callback) -> Unregister:
    """Call `before(loss, frame)`, with the user's frame, and `after(loss)` around each backward pass."""

    def begin(tensors: Any) -> Callback:
        before(tensors[0], user_frame(sys._getframe(1)))
        return lambda: after(tensors[0])

    return events.on("backward", begin).remove


def on_step(optimizer: Optimizer, before: Callback, after: Callback) -> Unregister:
    """Call `before(frame, closure)`, with the user's frame, and `after(result)` around each `optimizer.step()`."""

    def begin(stepping: Any, closure: Any) -> Callback | None:
        if stepping is not optimizer:
            return None
        before(user_frame(sys._getframe(1)), closure)
        return after

    return events.on("step", begin).remove


def on_module_call(module: Module, after: Callback) -> Unregister:
    """Call `after(module, args, output)` after each call of a module.

    A forward hook. With the last hook of a module goes the slower path by which modules with hooks are called.
    """
    handle = module.register_forward_hook(after)

    def unregister() -> None:
        handle.remove()
        hooks = module._hooks
        if hooks is not None and not (hooks.before or hooks.after or hooks.backward):
            del module._hooks

    return unregister


def on_forward(after: Callback) -> Unregister:
    """Call `after(op, out, inputs, options, seconds)`, on arrays, after each forward of an operation."""

    def observe(op: Op, forward: Callback) -> Callback:
        def timed(xp: Any, *inputs: Any, **options: Any) -> Any:
            started = perf_counter()
            result = forward(xp, *inputs, **options)
            after(op, result[0] if op.aux_outputs else result, inputs, options, perf_counter() - started)
            return result

        return timed

    return events.on("forward", observe).remove


def on_vjp(after: Callback) -> Unregister:
    """Call `after(op, seconds)` each time the vjps of an operation have run."""

    def observe(node: Node, vjp: Callback) -> Callback:
        def timed(xp: Any, g: Any, saved: Any, inputs: Any) -> Any:
            started = perf_counter()
            gradients = vjp(xp, g, saved, inputs)
            after(node.op, perf_counter() - started)
            return gradients

        return timed

    return events.on("vjp", observe).remove


def on_node(after: Callback) -> Unregister:
    """Call `after(op, saved)` for each new node of an operation, with the values that it saved for backward."""

    def observe(node: Node, out: Any) -> None:
        if type(node) is not Leaf:
            after(node.op, node.saved)

    return events.on("node", observe).remove
