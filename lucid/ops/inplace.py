"""Writing in place, and when that is refused.

Outside the graph a write is just a write. Within it there are three cases. A leaf that requires a gradient may not be
written to: the change would be lost to it. A computed tensor may, and the write becomes part of its history. And an
array that some vjp still needs may be written to, but backward will notice and name the operation.

Where tensors share memory, a write to one changes them all, and so it must change all their histories. Each view knows
what it shows and through which operation, and each tensor knows its views (`register_view`). So a write to a view is a
`setitem` on its base, and whatever views there are then get their history from that one anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from lucid.core.array import cpu, is_array, is_writable, namespace, ndarray, overlap
from lucid.core.node import Leaf, Node, Tensor, bump_version, grad_mode, method
from lucid.core.op import op
from lucid.core.promotion import KIND_RANK, describe_error, number
from lucid.ops.elementwise import clamp, relu
from lucid.ops.indexing import may_repeat, normal_index
from lucid.ops.refusals import after

LEAF = """{name}: this tensor is a {view}leaf that requires a gradient, and a change in place would be lost \
to it; write to it inside `with lucid.no_grad():`, or compute a new tensor, x = x + ..."""
VIEW_WITHOUT_HISTORY = """{name}: this tensor is a view, taken under no_grad(), of a tensor whose history \
would not include the change; write to it under no_grad() as well, take the view outside of it, or write to \
a .clone()"""
UNTRACKED = """{name}: this tensor is a view of another or has views, made by a function that returned its \
input's memory, and a recorded change in place would reach those without the graph knowing; compute a new \
tensor, x = x + ..., or work on a .clone()"""
OWN_HISTORY = """{name}: a view of this tensor, of shape {shape}, has a history of its own, which would not \
include the change; work on a .clone()"""
READ_ONLY = """{name}: the memory of this tensor is read-only (expand() and broadcast_to() make it so, and \
NumPy arrays can be); write to a .clone()"""


# `view_chain` says what operations make the view of its base, as (operation, options) pairs: y[1][2:] = v is
# setitem(y, v, index=2:, view_chain=[getitem 1]).
@op(
    x=lambda xp, g, index, view_chain: xp.setitem(
        g, xp.zeros_like(xp.getitem(_view_of(xp, g, view_chain), index=index)),
        index=index, view_chain=view_chain,
    ),
    value=lambda xp, g, index, view_chain: _written(xp, _view_of(xp, g, view_chain), index),
)  # fmt: skip
def setitem(xp, x, value, *, index, view_chain=()):
    """A copy of x with `value` at `index` of what the views of `view_chain` show of it."""
    return _with_value(xp, x, value, index, view_chain)


def _with_value(xp, x, value, index, view_chain):
    shown = [x]  # x, and what each view shows of the one before
    for name, options in view_chain:
        shown.append(getattr(xp, name)(shown[-1], **options))
    changed = xp.copy(shown.pop())
    write_at(xp, changed, index, value)
    for (name, options), source in zip(reversed(view_chain), reversed(shown), strict=True):
        if name == "reshape":  # of a copy it may be another copy, but it can be undone
            changed = changed.reshape(source.shape)
        else:
            part, changed = changed, xp.copy(source)
            getattr(xp, name)(changed, **options)[...] = part
    return changed


def write_at(xp, out, index, value):
    """out[index] = value. Of several values for one place, the last in the order of rows stays."""
    if is_array(value) and may_repeat(index):
        if xp is cpu:  # goes row by row through values that are stored so
            value = xp.ascontiguousarray(value)
        else:  # a GPU keeps no order: the last value is written by all of them
            last = _last_written(xp, out, index)
            (values := xp.empty(last.shape, dtype=value.dtype))[...] = value
            value = values.reshape(-1)[last]
    out[index] = value


def _last_written(xp, x, index):
    """For each value that is written to x[index], the position of the last one for the same place."""
    places, shape = xp.zeros(x.shape, dtype="float64"), x[index].shape
    xp.maximum.at(places, index, xp.arange(math.prod(shape), dtype="float64").reshape(shape))
    return places[index].astype("int64")


@op()
def stays(xp, x, *, index):
    """Which of the values that are written to x[index] no other one is then written over."""
    last = _last_written(xp, x, index)
    return last == xp.arange(last.size).reshape(last.shape)


def _written(xp, g, index):
    """The gradient of what was written at an index: 0 for values that another one was then written over."""
    values = xp.getitem(g, index=index)
    return xp.masked(values, xp.stays(g, index=index)) if may_repeat(index) else values


def _view_of(xp, x, view_chain):
    """What a chain of views shows of x."""
    for name, options in view_chain:
        x = getattr(xp, name)(x, **options)
    return x


class ViewGroup:
    """Tensors with one memory: a tensor, the base whose memory it shows, and all the views of that."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = self.base = tensor  # the base is no view; the tensor itself if that is none
        self.view_chain: list[tuple[str, dict[str, Any]]] = []  # what makes the tensor of the base
        self.views: list[Tensor] = []  # each after what it is a view of
        while (source := getattr(self.base, "view_of", None)) is not None:
            self.base, spec, options = source
            self.view_chain.insert(0, (spec.name, options))
        frontier = [self.base]
        while frontier:
            for weak in frontier.pop().views or ():
                if (view := weak()) is not None and view.view_of is not None:
                    self.views.append(view)
                    frontier.append(view)

    def check_write(self, name: str, recorded: Any) -> None:
        """Raise a RuntimeError for a write to the tensor that would be lost, or make a gradient wrong."""
        tensor, base, views = self.tensor, self.base, self.views
        if type(tensor._node) is Leaf or type(base._node) is Leaf:
            raise RuntimeError(LEAF.format(name=name, view="" if type(tensor._node) is Leaf else "view of a "))
        if base._node is not None and tensor._node is None:
            raise RuntimeError(VIEW_WITHOUT_HISTORY.format(name=name))
        if recorded and any(getattr(t, "untracked_alias", False) for t in (base, *views)):
            raise RuntimeError(UNTRACKED.format(name=name))
        for view in views:
            if type(view._node) is Leaf if recorded else base._node is None and type(view._node) is Node:
                raise RuntimeError(OWN_HISTORY.format(name=name, shape=view.shape))

    def rebase(self, node: Node | None, index: tuple[Any, ...] | None = None) -> None:
        """Give the tensor and all that share its memory the history `node` of all, or of its `index`."""
        if self.tensor is not self.base or index is not None:
            spec = setitem.op  # type: ignore[attr-defined]
            options = {"index": (Ellipsis,) if index is None else index, "view_chain": tuple(self.view_chain)}
            saved = tuple([options[name] for name in spec.saved_names])
            node = Node(spec, (self.base._node, node), saved, self.base._array)
        first, written = self.base._node is None, self.tensor._array
        meets = namespace(written).may_share_memory
        _move_history(self.base, node)
        for view in self.views:  # but for those that show other elements, or were taken under no_grad()
            if first or (view._node is not None and meets(view._array, written)):
                source, spec, options = view.view_of  # type: ignore[misc]
                _move_history(view, spec.call(source, **options)._node)


def _move_history(tensor: Tensor, node: Any) -> None:
    """Make `node` the history of `tensor`, and move to it what `retain_grad` left at the old one."""
    old, tensor._node = tensor._node, node
    if old is not None and old.retain_hooks and id(tensor) in old.retain_hooks:
        node.retain_hooks = {**(node.retain_hooks or {}), id(tensor): old.retain_hooks.pop(id(tensor))}


def _group_to_write(tensor: Tensor, name: str, recorded: Any) -> ViewGroup | None:
    """The group whose history a write belongs to, unless that is refused; None where there can be no history."""
    if not is_writable(tensor._array):
        raise RuntimeError(READ_ONLY.format(name=name))
    alone = not recorded and tensor.views is None and getattr(tensor, "view_of", None) is None
    if not grad_mode.get()[0] or (alone and type(tensor._node) is not Leaf):
        return None
    group = ViewGroup(tensor)
    group.check_write(name, recorded)
    return group


def assign_in_place(tensor: Tensor, name: str, new: Tensor) -> Tensor:
    """Give `tensor` the values of `new`, which was computed from it, and with them its history."""
    group = _group_to_write(tensor, name, new._node is not None)
    if new.shape != tensor.shape:
        raise ValueError(f"{name}: the result has shape {new.shape} and cannot be stored in shape {tensor.shape}")
    if new.dtype != tensor.dtype:
        if KIND_RANK[new.dtype.kind] > KIND_RANK[tensor.dtype.kind]:
            stored = f"stored in a tensor of {tensor.dtype}; use x = x + ..."
            raise TypeError(f"{name}: a {new.dtype} result cannot be {stored}")
        new = new.to(tensor.dtype)
    array, node = tensor._array, new._node
    if node is not None:  # what it saved of the values to be replaced, it keeps in a copy
        shows = lambda value: is_array(value) and overlap(value, array)
        node.saved = tuple([value.copy() if shows(value) else value for value in node.saved or ()])
    array[...] = new._array
    bump_version(array)
    if node is not None and group is not None:
        group.rebase(node)
    return tensor


def assign_at(tensor: Tensor, name: str, index: tuple[Any, ...], value: Any) -> Tensor:
    """Write `value`, a number or a tensor, at `index` of `tensor`."""
    mine, array, node = tensor._array, number(value), None
    if not isinstance(array, (int, float)):
        value = value if isinstance(value, Tensor) else tensor.new_tensor(value)
        array, node = value._array, value._node
    recorded = grad_mode.get()[0] and (tensor._node is not None or node is not None)
    group = _group_to_write(tensor, name, recorded)
    if is_array(array):
        if type(array) is not type(mine) or (recorded and array.dtype is not mine.dtype):
            value = value.to(tensor)
            array, node = value._array, value._node
        if type(mine) is not ndarray and overlap(array, mine):
            array = array.copy()  # NumPy sees to overlaps by itself
    try:
        write_at(namespace(mine), mine, index, array)
    except (ValueError, TypeError, IndexError) as error:
        if isinstance(error, ValueError) and "broadcast" in str(error) and is_array(array):
            fit = f"does not fit into a place of shape {mine[index].shape}"
            raise ValueError(f"{name}: a value of shape {array.shape} {fit}") from error
        raise describe_error(setitem.op, error, [mine, array]) from error  # type: ignore[attr-defined]
    bump_version(mine)
    if recorded and group is not None:
        group.rebase(node, index)
    return tensor


@method("__setitem__")
def set_at(self: Tensor, index: Any, value: Any) -> None:
    """self[index] = value, for the indices that `self[index]` takes."""
    assign_at(self, "setitem", normal_index(self, index), value)


def in_place(function: Callable[..., Tensor], name: str = "", *operators: str, doc: str = "") -> None:
    """Make a method that gives its tensor what `function` computes of it: `in_place(clamp)` makes Tensor.clamp_."""
    name = name or f"{function.__name__}_"

    @method(name, *operators)
    @wraps(function, updated=())
    def change(self: Tensor, *args: Any, **options: Any) -> Tensor:
        try:
            return assign_in_place(self, name, function(self, *args, **options))
        except Exception as error:
            if (out := after(error, change, (self, *args), options)) is error:
                raise
            return out

    change.__name__, change.__qualname__ = name, f"Tensor.{name}"
    change.__doc__ = f"{doc or f'`{function.__name__}`'}, in place."


def _scaled(other: Any, alpha: Any) -> Any:
    return other if alpha == 1 else other * alpha


in_place(lambda self, other, *, alpha=1: self + _scaled(other, alpha), "add_", "__iadd__", doc="self += alpha * other")
in_place(lambda self, other, *, alpha=1: self - _scaled(other, alpha), "sub_", "__isub__", doc="self -= alpha * other")
in_place(lambda self, other: self * other, "mul_", "__imul__", doc="self *= other")
in_place(lambda self, other: self / other, "div_", "__itruediv__", doc="self /= other")
in_place(lambda self, exponent: self**exponent, "pow_", "__ipow__", doc="self **= exponent")
in_place(clamp)
in_place(relu)


@method()
def copy_(self: Tensor, source: Any) -> Tensor:
    """Take over the values of `source`, cast to this dtype and stretched to this shape."""
    return assign_at(self, "copy_", (Ellipsis,), source)


@method()
def fill_(self: Tensor, value: Any) -> Tensor:
    """Set every element to one number."""
    return assign_at(self, "fill_", (Ellipsis,), value)


@method()
def zero_(self: Tensor) -> Tensor:
    """Set every element to 0."""
    return assign_at(self, "zero_", (Ellipsis,), 0)
