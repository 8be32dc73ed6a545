"""Following a training from outside: who is told of each call, each walk back and each step of an optimizer.

The loop stays as it is. `Tensor.backward` and an optimizer's `step` are replaced while somebody follows them, and only
then; any number may, and may leave in any order.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from lucid.core.node import Tensor
from lucid.nn.module import Module
from lucid.optim.optimizer import Optimizer

Told = Callable[..., Any]
_usual_walk = Tensor.backward
_walks: list[tuple[Told, Told]] = []
_steps: dict[int, list[tuple[Told, Told]]] = {}


def follow_walks(before: Told, after: Told) -> Callable[[], None]:
    """Call `before(loss, frame)`, with the frame that called, and `after(loss)` around each `loss.backward()`.

    Returns what ends it.
    """
    told = (before, after)
    _walks.append(told)
    setattr(Tensor, "backward", _followed_walk)  # noqa: B010 (mypy takes an assignment for a slip)

    def end() -> None:
        _walks.remove(told)
        if not _walks:
            setattr(Tensor, "backward", _usual_walk)  # noqa: B010

    return end


def _followed_walk(self: Tensor, *args: Any, **kwargs: Any) -> None:
    """`Tensor.backward`, with others looking on."""
    for before, _ in _walks:
        before(self, sys._getframe(1))
    _usual_walk(self, *args, **kwargs)
    for _, after in _walks:
        after(self)


def follow_steps(optimizer: Optimizer, before: Told, after: Told) -> Callable[[], None]:
    """Call `before(frame, closure)`, with the frame that called, and `after(result)` around each `optimizer.step()`.

    Returns what ends it.
    """
    told = (before, after)
    followers = _steps.setdefault(id(optimizer), [])
    followers.append(told)
    if "step" not in vars(optimizer):
        usual = optimizer.step

        def step(closure: Any = None) -> Any:
            for begin, _ in followers:
                begin(sys._getframe(1), closure)
            result = usual() if closure is None else usual(closure)
            for _, finish in followers:
                finish(result)
            return result

        optimizer.step = step  # type: ignore[method-assign]

    def end() -> None:
        followers.remove(told)
        if not followers:
            del _steps[id(optimizer)], optimizer.step

    return end


def follow_calls(module: Module, after: Told) -> Callable[[], None]:
    """Call `after(module, args, output)` behind each call of a module; returns what ends it.

    A forward hook, but for its end: with the last hook goes the longer way round that a module with hooks is called.
    """
    handle = module.register_forward_hook(after)

    def end() -> None:
        handle.remove()
        hooks = module._hooks
        if hooks is not None and not (hooks.before or hooks.after or hooks.backward):
            del module._hooks

    return end
