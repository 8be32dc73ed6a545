"""Whether operations are recorded: no_grad, enable_grad and the other switches, as context managers and decorators."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any, TypeVar

from lucid.core.node import grad_mode

__all__ = ["enable_grad", "inference_mode", "is_grad_enabled", "no_grad", "set_grad_enabled"]

F = TypeVar("F", bound=Callable[..., Any])


def is_grad_enabled() -> bool:
    """Whether operations are being recorded, here and now, in this thread."""
    return grad_mode.recording


class set_grad_enabled:
    """Switch recording on or off: at once when called, and as a context manager until its block ends."""

    def __init__(self, mode: bool) -> None:
        self.before, grad_mode.recording = grad_mode.recording, bool(mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        grad_mode.recording = self.before

    def __call__(self, function: F) -> F:
        """As a decorator: `function`, run in this mode; until it is called nothing changes."""
        mode, grad_mode.recording = grad_mode.recording, self.before
        return run_inside(lambda: set_grad_enabled(mode), function)


class no_grad:
    """`with no_grad():` or `@no_grad()`: inside, operations are computed but not recorded.

    >>> import lucid
    >>> w = lucid.ones(2, requires_grad=True)
    >>> with lucid.no_grad():
    ...     w -= 0.5
    >>> w
    tensor([0.5, 0.5], requires_grad=True)
    """

    recording = False

    def __init__(self, function: F | None = None) -> None:
        self.before: list[bool] = []
        if function is not None:
            raise TypeError(f"{type(self).__name__} takes no argument; write @{type(self).__name__}() with parentheses")

    def __enter__(self) -> None:
        self.before.append(grad_mode.recording)
        grad_mode.recording = self.recording

    def __exit__(self, *error: object) -> None:
        grad_mode.recording = self.before.pop()

    def __call__(self, function: F) -> F:
        """`function`, run in this mode; of a generator, each stretch between two yields."""
        return run_inside(type(self), function)


class enable_grad(no_grad):
    """The opposite of `no_grad`, for a stretch of code that must record whatever surrounds it."""

    recording = True


def inference_mode(mode: bool = True) -> no_grad:
    """`no_grad()`, or with `mode=False` `enable_grad()`, under the name of PyTorch's stricter and faster form.

    What is computed inside is an ordinary tensor here, and may take part in later graphs as a constant."""
    if not isinstance(mode, bool):
        raise TypeError(f"inference_mode: expected True or False, got {mode!r}; as a decorator, @inference_mode()")
    return no_grad() if mode else enable_grad()


def run_inside(context: Callable[[], Any], function: F) -> F:
    """`function`, run inside `context()`; of a generator function, each stretch between two yields."""

    @wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with context():
            return function(*args, **kwargs)

    @wraps(function)
    def inside_generator(*args: Any, **kwargs: Any) -> Any:
        generator, sent = function(*args, **kwargs), None
        try:
            while True:
                with context():
                    try:
                        value = generator.send(sent)
                    except StopIteration as stop:
                        return stop.value
                sent = yield value
        finally:
            generator.close()

    return inside_generator if isgeneratorfunction(function) else inside  # type: ignore[return-value]
