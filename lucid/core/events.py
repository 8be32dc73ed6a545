"""What happens while lucid runs, for code that observes it: anomaly detection, provenance, the pictures of lucid.see.

    >>> import lucid
    >>> calls = []
    >>> with on("node", lambda node, out: calls.append(node.name())):
    ...     loss = (lucid.ones(3, requires_grad=True) * 2).sum()
    >>> calls
    ['leaf', 'multiply', 'sum']

There is one list of handlers for each event. An empty list is what everyone else pays for: one comparison where the
event happens.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

FORWARD: list[Any] = []
NODE: list[Any] = []
VJP: list[Any] = []
WRITE: list[Any] = []
BACKWARD: list[Any] = []
STEP: list[Any] = []
MODULE: list[Any] = []

# event -> its handlers, what a handler is called with, and what it may return
EVENTS: dict[str, tuple[list[Any], tuple[str, ...], str]] = {
    "forward": (FORWARD, ("op", "forward"), "the function to call in place of `forward`"),
    "node": (NODE, ("node", "out"), "nothing"),
    "vjp": (VJP, ("node", "vjp"), "the function to call in place of `vjp`, with (xp, g, saved, inputs)"),
    "write": (WRITE, ("array",), "what errors may say of where this write came from (see provenance.py)"),
    "backward": (BACKWARD, ("tensors",), "None, or a function without arguments to call when the pass is over"),
    "step": (STEP, ("optimizer", "closure"), "None, or a function of the step's result to call when it is over"),
    "module": (MODULE, ("module", "args"), "None, or a function of the output to call when the module has run"),
}


class Subscription:
    """A handler that is being called; `remove()` ends that. Also a context manager."""

    def __init__(self, handlers: list[Any], handler: Any) -> None:
        self._handlers, self._handler = handlers, handler
        handlers.append(handler)

    def remove(self) -> None:
        """Stop calling the handler; doing so twice is harmless."""
        for i, handler in enumerate(self._handlers):
            if handler is self._handler:
                del self._handlers[i]
                return

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def on(event: str, handler: Callable[..., Any]) -> Subscription:
    """Call `handler` whenever `event` happens, in any thread, until the subscription that is returned is removed.

    Args:
        event: "forward", "vjp": an operation's forward, a node's vjps are about to run; "node": a node was recorded,
            with the tensor's array; "write": an array was changed in place (None: an optimizer's
            parameters); "backward", "step", "module": a backward
            pass, an optimizer's step, the call of a module begins.
        handler: a function of what `EVENTS` lists for the event; what it may return stands there as well.

    Raises:
        ValueError: for an event that there is not.
        TypeError: for a handler that cannot be called with the event's arguments.
    """
    if event not in EVENTS:
        raise ValueError(f"events.on: there is no event {event!r}; there are {', '.join(EVENTS)}")
    handlers, arguments, returns = EVENTS[event]
    form = f"on({event!r}, lambda {', '.join(arguments)}: ...), which returns {returns}"
    if not callable(handler):
        raise TypeError(f"events.on: expected a function as the handler, got {handler!r}; write {form}")
    try:
        signature(handler).bind(*arguments)
    except ValueError:
        pass  # a function in C without a signature
    except TypeError:
        raise TypeError(f"events.on: a handler of {event!r} takes ({', '.join(arguments)}); write {form}") from None
    return Subscription(handlers, handler)


def observed(handlers: list[Any], subject: Any, function: Any) -> Any:
    """The forward or the vjp of `subject` as the handlers of "forward" or "vjp" want it called."""
    for handler in list(handlers):
        function = handler(subject, function)
    return function


def begin(handlers: list[Any], *arguments: Any) -> list[Any]:
    """Tell the handlers of "backward", "step" or "module" that it begins; returns what to call when it is over."""
    after = [handler(*arguments) for handler in list(handlers)]
    return [function for function in after if function is not None]


class UnknownProvenance:
    """What errors say of where a node comes from: how to find out. `track_provenance` replaces it by one that knows."""

    hint = "run the forward inside `with lucid.see.track_provenance():`"

    def node(self, node: Any, hint: str = hint) -> str:
        """A clause on where an operation was run, or on how to find out."""
        return f"{hint} to see which line it is"

    def write(self, node: Any, value: Any, record: Any) -> str:
        """A sentence on where an operation ran and where one of its saved values was changed, or on how to find out."""
        return f"{self.hint.capitalize()} to see the lines"

    def operands(self, names: Any, nodes: Any) -> str:
        """A clause on where the operands of a failing operation were computed, or on how to find out."""
        computed = [name for name, node in zip(names, nodes, strict=False) if getattr(node, "inputs", None)]
        return f"; {self.hint} to see where {computed[0]!r} comes from" if computed else ""


describe: list[UnknownProvenance] = [UnknownProvenance()]  # a list of one, for it may be replaced
