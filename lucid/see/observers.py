"""Observing a training from outside: callbacks around backward passes, optimizer steps, module calls and operations.

The training loop stays as it is. Everything that `lucid.see` puts in the place of the engine's own functions is here;
each is replaced only while somebody observes it. Any number of observers may register, and unregister in any order:
each function below returns the function that unregisters.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from lucid.graph import Node
from lucid.nn.module import Module
from lucid.op import TABLE, Op, look_on
from lucid.optim.optimizer import Optimizer
from lucid.tensor import Tensor

Callback = Callable[..., Any]
Unregister = Callable[[], None]
_original_backward = Tensor.backward
_backward_observers: list[tuple[Callback, Callback]] = []
_step_observers: dict[int, list[tuple[Callback, Callback]]] = {}


def on_backward(before: Callback, after: Callback) -> Unregister:
    """Call `before(loss, frame)`, with the calling frame, and `after(loss)` around each `loss.backward()`."""
    observer = (before, after)
    _backward_observers.append(observer)
    setattr(Tensor, "backward", _observed_backward)  # noqa: B010 (mypy takes an assignment for a slip)

    def unregister() -> None:
        _backward_observers.remove(observer)
        if not _backward_observers:
            setattr(Tensor, "backward", _original_backward)  # noqa: B010

    return unregister


def _observed_backward(self: Tensor, *args: Any, **kwargs: Any) -> None:
    """`Tensor.backward` with its observers."""
    for before, _ in _backward_observers:
        before(self, sys._getframe(1))
    _original_backward(self, *args, **kwargs)
    for _, after in _backward_observers:
        after(self)


def on_step(optimizer: Optimizer, before: Callback, after: Callback) -> Unregister:
    """Call `before(frame, closure)`, with the calling frame, and `after(result)` around each `optimizer.step()`."""
    observer = (before, after)
    observers = _step_observers.setdefault(id(optimizer), [])
    observers.append(observer)
    if "step" not in vars(optimizer):
        original = optimizer.step

        def step(closure: Any = None) -> Any:
            for begin, _ in observers:
                begin(sys._getframe(1), closure)
            result = original() if closure is None else original(closure)
            for _, finish in observers:
                finish(result)
            return result

        optimizer.step = step  # type: ignore[method-assign]

    def unregister() -> None:
        observers.remove(observer)
        if not observers:
            del _step_observers[id(optimizer)], optimizer.step

    return unregister


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
        def observed(xp: Any, *inputs: Any, **options: Any) -> Any:
            started = perf_counter()
            result = forward(xp, *inputs, **options)
            after(op, result[0] if op.keeps else result, inputs, options, perf_counter() - started)
            return result

        return observed

    look_on(observe)
    return partial(look_on, observe, False)


def on_vjp(after: Callback) -> Unregister:
    """Call `after(op, seconds)` each time the vjps of an operation have run."""
    originals = []

    def observe(op: Op, vjp: Callback) -> Callback:
        def observed(xp: Any, g: Any, saved: Any, parents: Any) -> Any:
            started = perf_counter()
            gradients = vjp(xp, g, saved, parents)
            after(op, perf_counter() - started)
            return gradients

        return observed

    for op in TABLE.values():
        if op.formulas:
            if op.back is None:
                op.compile()
            originals.append((op, op.back))
            op.back = observe(op, op.back)

    def unregister() -> None:
        for op, original in originals:
            op.back = original

    return unregister


def on_node(after: Callback) -> Unregister:
    """Call `after(op, saved)` for each new node, with the values that it saved for backward."""
    original = Node.__init__

    def init(node: Node, op: Op, parents: Any, saved: Any, shape: Any) -> None:
        original(node, op, parents, saved, shape)
        after(op, saved)

    def unregister() -> None:
        setattr(Node, "__init__", original)  # noqa: B010

    setattr(Node, "__init__", init)  # noqa: B010
    return unregister
