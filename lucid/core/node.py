"""What is recorded: a Tensor holds an array and the Node that computed it; nodes hold what backward needs of them.

Each recorded operation leaves a Node: which operation, the nodes that its inputs came from, and the arrays that its
vjps ask for. Nodes hold arrays and other nodes, never Tensors, so there are no reference cycles: drop the loss and the
whole graph is freed, by reference counting alone.

This file defines the two classes and the switch for recording, which everything after it needs. The methods of Tensor
are attached by the files that define them, with `@method`; those that are no operations are in tensor.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar
from weakref import ref

from lucid.core.array import Array, Device, DType, device_of, overlap, storage_of
from lucid.core.events import NODE, WRITE

F = TypeVar("F", bound=Callable[..., Any])
next_sequence = itertools.count(1).__next__  # numbers nodes and writes in place, so that any two can be ordered


class Node:
    """One recorded operation.

    Attributes:
        op: the operation.
        inputs: for each differentiable input the node that computed it, or None where it needs no gradient.
        saved: the values that `op.saved_names` names; None once they were freed, and until `recompute` has run.
        shape: the output's shape.
        sequence: its place in the order of creation. An operation is always newer than its inputs, so newest first is
            a reverse topological order.
        hooks: functions of the output's gradient that run before it is used, in order; None while there are none.
        retain_hooks: functions that are given the gradient after all hooks: what `retain_grad` leaves here.

    Four are there only where somebody set them: `recompute` gives `saved` its values when backward gets here, and
    `saved_at` is when it did; `provenance` is where the node came from and `out` the array that it computed.
    """

    __slots__ = (
        "op", "inputs", "saved", "shape", "sequence", "hooks", "retain_hooks", "recompute", "saved_at", "provenance",
        "out", "__weakref__",
    )  # fmt: skip
    op: Any
    inputs: tuple[Node | None, ...]
    saved: tuple[Any, ...] | None
    shape: tuple[int, ...]
    sequence: int
    hooks: dict[int, Callable[[Any], Any]] | None
    retain_hooks: dict[int, Callable[[Any], Any]] | None
    recompute: Callable[[], None]
    saved_at: int
    provenance: Any
    out: Array

    def __init__(self, op: Any, inputs: tuple[Node | None, ...], saved: tuple[Any, ...] | None, out: Any) -> None:
        self.op, self.inputs, self.saved, self.shape = op, inputs, saved, out.shape
        self.sequence, self.hooks, self.retain_hooks = next_sequence(), None, None
        if NODE:
            for handler in list(NODE):
                handler(self, out)

    def name(self) -> str:
        """The operation's name."""
        return self.op.name

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class Leaf(Node):
    """Where the graph ends: a tensor that the user wants gradients of. Held weakly, for the tensor holds the leaf."""

    __slots__ = ("tensor",)
    tensor: ref[Tensor]

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(None, (), (), tensor._array)
        self.tensor = ref(tensor)

    def name(self) -> str:
        """The word "leaf"."""
        return "leaf"


class Tensor:
    """An array that can remember how it was computed.

    `Tensor(data)` wraps an array as it is, without copying; of nested lists it makes one, in the default dtype;
    `Tensor(2, 3)` is zeros of that shape. `lucid.tensor(data)`, which always copies, is what most programs want.

    Attributes:
        grad: the gradient that `backward()` left here, a Tensor of the same shape, or None. Can be assigned.
        data: the same numbers without the history; assigning it gives this tensor another array.
    """

    __slots__ = ("_array", "_grad", "_node", "untracked_alias", "view_of", "views", "__weakref__")
    _array: Array
    _node: Node | None  # what computed it; a Leaf where the user wants a gradient; None where none is needed
    _grad: Tensor | None
    # See `register_view`. Where there is nothing to say, `view_of` and `untracked_alias` are not set, to save time.
    views: list[ref[Tensor]] | None  # those that show this tensor's memory
    view_of: tuple[Tensor, Any, dict[str, Any]] | None  # what a view shows, by which operation and options
    untracked_alias: bool  # it shares memory with another tensor in a way that was not recorded

    def __init__(self, data: Any = (), requires_grad: bool = False, _node: Any = ..., *lengths: int) -> None:
        if _node is ...:  # from users: what comes from operations is an array of the right kind already
            data, requires_grad, _node = *self._given(data, requires_grad), None
        self._array = data
        self._node = _node
        self._grad = None
        self.views = None
        if requires_grad is not False:
            if _node is not None:  # Tensor(2, 3, 4), a shape
                self._array, requires_grad = self._given(data, requires_grad, _node, *lengths)
                self._node = None
            self.requires_grad = requires_grad

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dim."""
        return self._array.shape

    @property
    def ndim(self) -> int:
        """The number of dims."""
        return self._array.ndim

    @property
    def dtype(self) -> DType:
        """The dtype of the elements, such as `lucid.float32`."""
        return self._array.dtype

    @property
    def device(self) -> Device:
        """Where the array is, "cpu" or "cuda:N": a string with the attributes `type` and `index`."""
        return device_of(self._array)

    @property
    def grad_fn(self) -> Node | None:
        """The node that computed this tensor; None for leaves."""
        return None if type(self._node) is Leaf else self._node

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation computed this tensor: PyTorch's sense, wider than the graph's `Leaf`."""
        return self._node is None or type(self._node) is Leaf

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded. Can be assigned on leaves.

        Raises:
            TypeError: when set on a tensor of integers or bools.
            RuntimeError: when unset on a tensor that an operation computed.
        """
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if not isinstance(wanted, bool):
            raise TypeError(f"Tensor.requires_grad: expected a bool, got {wanted!r}")
        if not self.is_leaf:
            if not wanted:
                raise RuntimeError("requires_grad = False on a computed tensor; use .detach() for one without history")
        elif not wanted:
            self._node = None
        elif self._node is None:
            if self.dtype.kind != "f":
                raise TypeError(
                    f"requires_grad: a tensor of {self.dtype} has no gradients; use a float dtype, x.float()"
                )
            self._node = Leaf(self)


def method(*names: str, reflected: str | None = None) -> Callable[[F], F]:
    """Make a function a method of Tensor, under its own name or those given; under `reflected`, for `2 - x`, with its
    two operands exchanged. `Tensor.exp` and `lucid.exp` are one object: no second call, no second docstring."""

    def attach(function: F) -> F:
        operator: Any = getattr(function, "operator", function)
        for name in names or (function.__name__,):
            setattr(Tensor, name, operator if name.startswith("__") else function)
        if reflected is not None:
            setattr(Tensor, reflected, lambda self, other: operator(other, self))
        return function

    return attach


# `grad_mode.get()[0]` says whether operations are recorded, in this thread and this task of asyncio. Behind it stands
# what the end of the block, of no_grad() or enable_grad(), puts back: such a pair again. Outside of all blocks a pair
# stands behind itself.
outermost: list[Any] = [True]
outermost.append(outermost)
grad_mode: ContextVar[Sequence[Any]] = ContextVar("grad_mode", default=outermost)
# Whether a checkpoint runs its function again, which must not move running statistics.
recomputing: ContextVar[bool] = ContextVar("recomputing", default=False)


# The last write to each storage, by its id. A node need only be checked if it is older than the last write of all; in
# a training loop, where writes happen between graphs, none ever is.
_writes: dict[int, list[Any]] = {}  # id of a storage -> [weak reference, time, provenance of the write if tracked]
_borrowed: set[int] = set()  # those of memory that a buffer or another library owns, and others may show as well
last_write = [0]  # the time of the last write of all


def bump_version(array: Array) -> None:
    """Note that `array` was just changed in place; backward then refuses a graph that still needs what was there."""
    version_record(array)[1:] = new_version(array)


def new_version(array: Array) -> tuple[int, Any]:
    """The time of a write that happens now, and its provenance if that is tracked."""
    last_write[0] = next_sequence()
    return last_write[0], [handler(array) for handler in WRITE][-1] if WRITE else None


def version_record(array: Array) -> list[Any]:
    """What is known of the last write to the storage of `array`, a list to be updated; kept as long as the storage."""
    storage = array if array.base is None else storage_of(array)
    key = id(storage)
    record = _writes.get(key)
    if record is None:
        record = _writes[key] = [ref(storage, partial(_writes.pop, key)), 0, None]  # in C: Ctrl-C loses none
        if storage.base is not None:
            _borrowed.add(key)
    return record


def write_record(value: Any) -> tuple[int, Any]:
    """When an array that `value` is, or holds, as an index does, was last changed in place, and that write's
    provenance; time 0 for never."""
    if isinstance(value, tuple):
        return max(map(write_record, value), key=lambda record: record[0], default=(0, None))
    if not hasattr(value, "base"):
        return 0, None
    storage = storage_of(value)
    records = [record for key in [id(storage)] if (record := _writes.get(key)) is not None]
    if _borrowed or storage.base is not None:
        others = [(record, record[0]()) for record in list(_writes.values())]
        records += [record for record, other in others if type(other) is type(storage) and overlap(other, storage)]
    return max([(time, provenance) for _, time, provenance in records], key=lambda record: record[0], default=(0, None))


def register_view(x: Any, out: Tensor, op: Any, options: dict[str, Any]) -> None:
    """Note on both sides that `out` shows x's memory, if it does, so that a change in place can follow."""
    if not isinstance(x, Tensor):
        return
    array, mine, base = out._array, x._array, out._array.base
    if base is not mine and array is not mine and (base is None or storage_of(array) is not storage_of(mine)):
        return
    if op.user_defined:  # what a user's operation would make of a changed input is not known
        x.untracked_alias = out.untracked_alias = True
        return
    out.view_of = (x, op, options)
    if x.views is None:
        x.views = [ref(out)]
    else:
        x.views.append(ref(out))
        if (n := len(x.views)) >= 32 and not n & (n - 1):  # at 32, 64, 128, ... those that are gone are dropped
            x.views[:] = [view for view in x.views if view() is not None]
