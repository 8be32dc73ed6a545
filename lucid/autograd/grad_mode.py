"""Whether operations are recorded: no_grad, enable_grad and the other switches, as context managers and decorators.

Python raises KeyboardInterrupt where a function of its own begins, or where any call has just returned; never inside of
one that is written in C. An `__exit__` in Python may thus be broken off before its first line, and recording would stay
off for the rest of the program. So the one here is C's: that of `io.IOBase`, which calls `close`, whatever it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial, wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from io import IOBase
from itertools import repeat
from operator import itemgetter, not_
from typing import Any, TypeVar

from lucid.core.node import grad_mode

__all__ = ["enable_grad", "inference_mode", "is_grad_enabled", "no_grad", "set_grad_enabled"]

F = TypeVar("F", bound=Callable[..., Any])


def is_grad_enabled() -> bool:
    """Whether operations are being recorded, here and now, in this thread and this task of asyncio."""
    return bool(grad_mode.get()[0])


def _putting_back(pairs: Iterator[Sequence[Any]]) -> Any:
    """A function that makes the next of `pairs` the mode, all of it in C; it gives False, as an `__exit__` must."""
    return partial(next, map(not_, map(grad_mode.set, pairs)))


class _Block(IOBase):
    """A context manager whose end cannot be broken off half-way."""

    closed = True  # to IOBase, which would else call `close` when this is deleted
    close = staticmethod(_putting_back(map(itemgetter(1), iter(grad_mode.get, None))))


class set_grad_enabled(_Block):
    """Switch recording on or off: at once when called, and as a context manager until its block ends. Ctrl-C between
    the two leaves it switched, which `no_grad` does not."""

    def __init__(self, mode: bool) -> None:
        self.before = grad_mode.get()
        self.close = _putting_back(repeat(self.before))
        grad_mode.set((bool(mode), self.before[1]))

    def __enter__(self) -> None:  # type: ignore[override]
        pass

    def __call__(self, function: F) -> F:
        """As a decorator: `function`, run in this mode; until it is called nothing changes."""
        mode, _ = grad_mode.get()
        grad_mode.set(self.before)
        return run_inside(enable_grad if mode else no_grad, function)


class no_grad(_Block):
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
        if function is not None:
            raise TypeError(f"{type(self).__name__} takes no argument; write @{type(self).__name__}() with parentheses")

    def __enter__(self) -> None:  # type: ignore[override]
        pair = (self.recording, grad_mode.get())
        try:
            grad_mode.set(pair)
        except BaseException:  # Ctrl-C, when it has been set
            self.close()
            raise

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


def run_inside(context: type[no_grad], function: F) -> F:
    """`function`, run inside `context()`; of a generator function, each stretch between two yields."""

    @wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with context():
            return function(*args, **kwargs)

    @wraps(function)
    async def inside_coroutine(*args: Any, **kwargs: Any) -> Any:
        with context():
            return await function(*args, **kwargs)

    @wraps(function)
    def inside_generator(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        resume, given = generator.send, None
        while True:
            try:
                with context():
                    value = resume(given)
            except StopIteration as stop:
                return stop.value
            try:
                resume, given = generator.send, (yield value)
            except BaseException as thrown:  # GeneratorExit too
                resume, given = generator.throw, thrown

    if isasyncgenfunction(function):
        raise TypeError(f"{context.__name__}: expected no async generator; write `with {context.__name__}():` in it")
    kinds = {isgeneratorfunction: inside_generator, iscoroutinefunction: inside_coroutine}
    return next((made for is_kind, made in kinds.items() if is_kind(function)), inside)  # type: ignore[return-value]
