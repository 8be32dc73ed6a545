"""Chapter 4. The graph, and the walk back: how one number's gradient reaches every parameter.

Each recorded operation leaves a Node: which operation, the nodes its inputs came from, and the arrays its formulas
asked for. Nodes hold arrays and other nodes, never Tensors, so there are no reference cycles: drop the loss and the
whole graph is gone, by reference counting alone.

The walk is a loop, not a recursion. Nodes are numbered as they are born, and an operation is always younger than its
inputs. So of the nodes that have received a gradient the youngest has received all of it: whatever else it was used for
is younger still, and has been walked already. A heap says which one that is.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush
from math import inf
from operator import attrgetter, itemgetter
from types import SimpleNamespace
from typing import Any
from weakref import ref

from lucid import backend
from lucid.backend import cpu, namespace, ndarray
from lucid.kernels import back_on
from lucid.op import RUNTIME, Op
from lucid.origins import HOW, told, while_remembering, whose_line, written_down

_clock = itertools.count(1)  # ticks for each node and each write in place, so that the two can be ordered
tick = _clock.__next__


class Node:
    """One recorded operation.

    Attributes:
        op: the operation.
        parents: for each differentiable input the node it came from, or None where it needs no gradient.
        saved: the values that `op.saved` names; None once the graph was released, and until `remake` has run.
        shape: the output's shape.
        born: its place in the order of creation.
        hooks: functions of the gradient that run before it is used, in order; None while there are none.
        retained: functions that are shown the gradient once the hooks have run, by the tensor that asked for it.

    Four are there only where somebody set them. `remake` gives `saved` its values when the walk gets here, `since` says
    when those values were made (chapter 6); `made` is where the node came from and `out` what it computed (`origins`).
    """

    __slots__ = (
        "op", "parents", "saved", "shape", "born", "hooks", "retained", "remake", "since", "made", "out", "__weakref__",
    )  # fmt: skip
    remake: Callable[[], None]
    since: int
    made: Any
    out: backend.Array

    def __init__(self, op: Op, parents: tuple[Node | None, ...], saved: tuple[Any, ...] | None, shape: Any) -> None:
        self.op, self.parents, self.saved, self.shape = op, parents, saved, shape
        self.born = tick()
        self.hooks: dict[int, Callable[[Any], Any]] | None = None
        self.retained: dict[int, Callable[[Any], Any]] | None = None

    def name(self) -> str:
        """The operation's name."""
        return self.op.name

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class Leaf(Node):
    """Where the graph ends: a tensor that the user asked gradients of. Held weakly, for the tensor holds the leaf."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Any) -> None:
        self.op, self.parents, self.saved, self.shape = None, (), (), tensor._array.shape  # type: ignore[assignment]
        self.born, self.hooks, self.retained = tick(), None, None
        self.tensor = ref(tensor)

    def name(self) -> str:
        """Just that."""
        return "leaf"


def _remembering(node: Node, op: Op, parents: tuple[Node | None, ...], saved: Any, shape: Any) -> None:
    node.op, node.parents, node.saved, node.shape = op, parents, saved, shape
    node.born, node.hooks, node.retained = tick(), None, None
    node.made = whose_line(sys._getframe(1))


def _remembering_leaf(leaf: Leaf, tensor: Any) -> None:
    _make_leaf(leaf, tensor)
    leaf.made = whose_line(sys._getframe(1))


_make_leaf: Callable[[Leaf, Any], None] = Leaf.__init__
while_remembering("lines", Node, "__init__", _remembering)
while_remembering("lines", Leaf, "__init__", _remembering_leaf)


class RemovableHandle:
    """What registering a hook returns; `remove()` takes the hook away again. Also a context manager."""

    _ids = itertools.count()

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self.id, self._hooks = next(self._ids), hooks
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook away; doing so twice is harmless."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


# -- writes in place -------------------------------------------------------------------------------------------------

# `check` is detect_anomaly's function of a node, its gradient and those that it gave; `line` notes who writes.
watch = SimpleNamespace(check=None, line=None)
while_remembering("lines", watch, "line", whose_line)

# When each array was last written to, by the identity of the array that owns the memory. A node need only be checked
# if it is older than the last write of all; in a training loop, where writes happen between graphs, none ever is.
_writes: dict[int, list[Any]] = {}  # id -> [weak reference, time, whose line it was if that is remembered]
_last_write = 0


def written(array: backend.Array) -> None:
    """Note that `array` was just written to in place; backward then refuses a graph that still needs what was there."""
    global _last_write
    owner = array if array.base is None else memory_of(array)
    key, _last_write = id(owner), tick()
    line = None if watch.line is None else watch.line(sys._getframe(1))
    known = _writes.get(key)
    if known is not None:
        known[1:] = _last_write, line
    else:
        _writes[key] = [ref(owner, lambda _: _writes.pop(key, None)), _last_write, line]


def memory_of(array: Any) -> Any:
    """The array whose memory `array` shows."""
    while backend.is_array(array.base):
        array = array.base
    return array


def last_write(value: Any) -> int:
    """When an array that `value` is, or holds, as an index does, was last written to in place; 0 for never."""
    if isinstance(value, tuple):
        return max((last_write(part) for part in value), default=0)
    known = _writes.get(id(memory_of(value))) if backend.is_array(value) else None
    return 0 if known is None else known[1]


def refuse_changed(node: Node, saved: Any, after: float, before: float = inf) -> None:
    """Raise a RuntimeError if one of `saved`, which are values for `node`, was written to between two times."""
    for name, value in zip(node.op.saved, saved, strict=True):
        if after < last_write(value) < before:
            what = "its own output" if name == "out" else f"its input {name!r}"
            raise RuntimeError(
                f"backward: {node.op.name} needs {what} (shape {tuple(getattr(value, 'shape', ()))}) as it was when it "
                f"ran, but it was changed in place since; write x = x + ... instead of x += ..., or change a "
                f"clone(), or call backward() before the change; of h[t] = f(h[t - 1]) keep the steps in a list and "
                f"stack() them. {_in_order(node, value)}"
            )


def _in_order(node: Node, value: Any) -> str:
    """What was run and what was written to, one after the other, as far as it was remembered."""
    arrays = [part for part in (value if isinstance(value, tuple) else (value,)) if backend.is_array(part)]
    known = max((_writes.get(id(memory_of(array)), [None, 0, None]) for array in arrays), key=itemgetter(1))
    if getattr(node, "made", None) is None and known[2] is None:
        return f"{HOW.capitalize()} to hear at which lines"
    return f"First {told(node)}; then it was changed at {written_down(known[2])}; then came backward()"


# -- the walk back ---------------------------------------------------------------------------------------------------


def history(roots: Iterable[Node | None], since: int = 0) -> list[Node]:
    """Every operation born after `since` that `roots` were computed from, theirs included, newest first. No leaves."""
    seen = {root for root in roots if type(root) is Node and root.born > since}
    frontier = list(seen)
    while frontier:
        for parent in frontier.pop().parents:
            if type(parent) is Node and parent.born > since and parent not in seen:
                seen.add(parent)
                frontier.append(parent)
    return sorted(seen, key=attrgetter("born"), reverse=True)


def fold(xp: Any, g: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting: sum `g` down to `shape`.

    Raises:
        ValueError: if `shape` does not broadcast to that of `g`.
    """
    lead = len(g.shape) - len(shape)
    own = shape[-lead:] if lead < 0 else shape  # assignment drops leading ones: t[0] = v with v of shape (1, 3)
    stretched = tuple([i for i, n in enumerate(own, max(lead, 0)) if n != g.shape[i]])
    if any(n != 1 for n in shape[: max(-lead, 0)]) or any(own[i - max(lead, 0)] != 1 for i in stretched):
        raise ValueError(f"shape {g.shape} does not come of broadcasting shape {shape}")
    if lead > 0 or stretched:
        g = xp.sum(g, axis=(*range(lead), *stretched), keepdims=True)
    return xp.reshape(g, shape=shape)


def walk(
    seeds: list[tuple[Node, Any]],
    xp: Any,
    lift: Callable[[Node], tuple[Any, ...]] | None = None,
    wanted: set[Node] | None = None,
    release: bool = True,
    ledger: Any = None,
) -> Iterator[tuple[Node, Any]]:
    """Run the formulas backwards from `seeds`; yield each leaf (or each node of `wanted`) with its whole gradient.

    `xp` and `lift` say on what: a backend's namespace and None for raw arrays; `RECORDED` and a function that turns a
    node's saved arrays into Tensors for derivatives that can be differentiated again. With `wanted` only the paths to
    those nodes are walked. `release` lets go of each node's arrays as soon as they have been used. Who wants to look on
    passes a `ledger`: a dict, to hold the gradients in flight, with a method `check` like that of `watch`.

    A gradient that is yielded is its receiver's own: never the same array as another's, nor a view.

    Raises:
        RuntimeError: where a node was released before, or something it saved was written to.
    """
    gradients: dict[Node, Any] = {} if ledger is None else ledger
    for node, g in seeds:
        g = xp.positive(g) if type(node) is Leaf else g
        gradients[node] = gradients[node] + g if node in gradients else g
    youngest = [(-node.born, node) for node in gradients if type(node) is Node]
    heapify(youngest)
    needed = set() if wanted is None else _leading_to(wanted, history(gradients))
    check = watch.check if ledger is None else ledger.check
    while youngest:
        _, node = heappop(youngest)
        g = gradients.pop(node)  # complete: everyone who used this node has already spoken
        if node.hooks is not None:
            g = _after_hooks(xp, node, g)
        if wanted is not None:
            if node in wanted:
                yield node, xp.positive(g)
            if not any(parent in needed for parent in node.parents):
                continue  # nothing is wanted beyond this one, which can stay as it is
        while node.saved is None:
            _remake(node)
        if node.born < _last_write:
            refuse_changed(node, node.saved, getattr(node, "since", node.born))
        parents = node.parents
        if wanted is not None:
            parents = tuple([p if p in needed else None for p in parents])
        saved = node.saved if lift is None else lift(node)
        back = node.op.back
        if lift is None:
            if type(g) is ndarray:
                xp = cpu
            else:  # the graph may cross devices
                xp = space(g)
                back = back_on(xp, node.op)
        parts = back(xp, g, saved, parents)
        if check is not None:
            check(node, g, parts)
        for parent, part in zip(parents, parts):  # noqa: B905 (strict costs a keyword)
            if part is None or parent is None:
                continue
            if part.shape != parent.shape:
                part = _folded(xp, node, part, parent.shape)
            before = gradients.get(parent)
            if before is not None:
                gradients[parent] = before + part
            elif type(parent) is not Leaf:
                gradients[parent] = part
                heappush(youngest, (-parent.born, parent))
            elif lift is not None or part is g or part.base is not None or node.op.foreign:
                gradients[parent] = xp.positive(part)
            else:
                gradients[parent] = part
        if release:
            node.saved = None  # the parents stay: a later walk must find its way here, to say that it cannot go on
    for node, g in gradients.items():  # every operation has been popped: these are the leaves
        if wanted is None or node in wanted:
            yield node, g if node.hooks is None else _after_hooks(xp, node, g)


def space(g: Any) -> Any:
    """The namespace of a gradient; of a Function's with several outputs, that of the first to have come."""
    return namespace(next(iter(g.parts.values())) if hasattr(g, "parts") else g)


def _remake(node: Node) -> None:
    """Give a node the values again that it put off; a released one has none."""
    if not hasattr(node, "remake"):
        raise RuntimeError(
            "backward: this graph was already walked and released. Either backward() was called twice on it (pass "
            "retain_graph=True to the first call), or a tensor of an earlier step is still part of this one "
            f"(use .detach() or .item() on what is carried over, a running loss or a hidden state). The first operation"
            f" that has let go of its arrays is {node.name()}; {told(node)}"
        )
    node.remake()


def _after_hooks(xp: Any, node: Node, g: Any) -> Any:
    """What the hooks make of a gradient; those who asked to keep it are shown the result."""
    for hook in list((node.hooks or {}).values()):
        replaced = hook(g)
        g = g if replaced is None else xp.positive(replaced)
    for keep in list((node.retained or {}).values()):
        keep(g)
    return g


def _folded(xp: Any, node: Node, part: Any, shape: tuple[int, ...]) -> Any:
    try:
        return fold(xp, part, shape)
    except ValueError:
        raise RuntimeError(
            f"backward: {node.op.name} gave a gradient of shape {tuple(part.shape)} for an input of shape {shape}"
        ) from None


def _leading_to(wanted: set[Node], order: list[Node]) -> set[Node]:
    """`wanted`, and the nodes of `order` from which one of them can be reached."""
    found = set(wanted)
    for node in reversed(order):
        if any(parent in found for parent in node.parents):
            found.add(node)
    return found


RUNTIME.update(Node=Node)
