"""Chapter 5e. Writing in place, and when that is refused.

Outside the graph a write is just a write. Within it there are three cases. A leaf that requires a gradient may not be
written to: the change would be lost to it. A computed tensor may, and the write becomes part of its history. And an
array that some formula still needs may be written to, but backward will notice and name the operation.

Where tensors share memory, a write to one changes them all, and so it must change all their histories. Each view knows
what it shows and through which operation, and each tensor knows its views (`share`). So a write to a view is a
`setitem` on the tensor at the root, and whatever views there are then get their history from that one anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from lucid import backend, functions, operands, shaping
from lucid.graph import Leaf, Node, memory_of, written
from lucid.op import RUNTIME, Op
from lucid.ops import functions as elementwise
from lucid.ops import indexing
from lucid.ops import sort_index as selecting
from lucid.recording import grad_mode

if TYPE_CHECKING:
    from lucid.tensor import Tensor

SETITEM = indexing.setitem.op  # type: ignore[attr-defined]


def share(x: Any, out: Tensor, spec: Op, options: tuple[Any, ...]) -> Tensor:
    """Note on both sides that `out` shows x's memory, if it does, so that a change in place can follow."""
    try:
        views, mine = x.views, x._array
    except AttributeError:  # an array, or a number
        return out
    array, base = out._array, out._array.base
    if base is not mine and array is not mine and (base is None or memory_of(array) is not memory_of(mine)):
        return out
    if spec.foreign:  # what a user's operation would make of a changed input is not known
        x.shared = out.shared = True
        return out
    out.origin = (x, spec, options)
    if views is None:
        x.views = [ref(out)]
    else:
        views.append(ref(out))
        if (n := len(views)) >= 32 and not n & (n - 1):  # at 32, 64, 128, ... those that are gone are let go of
            views[:] = [view for view in views if view() is not None]
    return out


class Family:
    """Tensors with one memory: a tensor, the root whose memory it shows, and all the views of that.

    Attributes:
        root: the tensor at the root, which is no view; the tensor itself if it is not one.
        through: what makes the tensor of the root, as (operation, options) pairs.
        views: the views that there are, each behind what it is a view of.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.tensor, self.root, self.through, self.views = tensor, tensor, [], []  # type: ignore[var-annotated]
        while (origin := getattr(self.root, "origin", None)) is not None:
            self.root, spec, options = origin
            self.through.insert(0, (spec.name, dict(zip(spec.options, options, strict=True))))
        frontier = [self.root]
        while frontier:
            for alive in frontier.pop().views or ():
                if (view := alive()) is not None and view.origin is not None:
                    self.views.append(view)
                    frontier.append(view)

    def refuse(self, name: str, recorded: Any) -> None:
        """Raise an error for a write to the tensor that would be lost, or make a gradient wrong."""
        tensor, root, views = self.tensor, self.root, self.views
        if type(tensor._node) is Leaf or type(root._node) is Leaf:
            raise RuntimeError(
                f"{name}: this tensor is a {'' if type(tensor._node) is Leaf else 'view of a '}leaf that requires a "
                f"gradient, and a change in place would be lost to it; write to it inside `with lucid.no_grad():`, or "
                f"compute a new tensor, x = x + ..."
            )
        if root._node is not None and tensor._node is None:
            raise RuntimeError(
                f"{name}: this tensor is a view, taken under no_grad(), of a tensor whose history would not hear of "
                f"the change; write to it under no_grad() as well, take the view outside of it, or write to a .clone()"
            )
        if recorded and any(getattr(t, "shared", False) for t in (root, *views)):
            raise RuntimeError(
                f"{name}: this tensor is a view of another or has views, made by a function that handed its input on, "
                f"and a recorded change in place would reach those behind the graph's back; compute a new tensor, "
                f"x = x + ..., or work on a .clone()"
            )
        for view in views:
            if type(view._node) is Leaf if recorded else root._node is None and type(view._node) is Node:
                raise RuntimeError(
                    f"{name}: a view of this tensor, of shape {view.shape}, has a history of its own, which would not "
                    f"hear of the change; work on a .clone()"
                )

    def follow(self, node: Node) -> None:
        """The tensor now holds what `node` computed: give it, and all that share its memory, that history."""
        if self.tensor is self.root:
            self._renew(node)
        else:
            self.write(node, (Ellipsis,))

    def write(self, value: Node | None, index: tuple[Any, ...]) -> None:
        """The same where `value` was written at `index` of the tensor."""
        if SETITEM.back is None:
            SETITEM.compile()  # its forward was never run: the write has been done already, in place
        known = {"index": index, "through": tuple(self.through)}
        parents = (self.root._node, value)
        self._renew(Node(SETITEM, parents, tuple([known[name] for name in SETITEM.saved]), self.root.shape))

    def _renew(self, node: Node) -> None:
        """Give the root the history `node`, and the views theirs from there."""
        first = self.root._node is None
        _take(self.root, node)
        for view in self.views:
            if first or view._node is not None:  # or it was taken under no_grad()
                source, spec, options = view.origin  # type: ignore[misc]
                _take(view, spec.call(source, **dict(zip(spec.options, options, strict=True)))._node)


def _take(tensor: Tensor, node: Node) -> None:
    """Make `node` the history of `tensor`, and move to it what `retain_grad` left at the old one."""
    old, tensor._node = tensor._node, node
    if old is not None and old.retained and id(tensor) in old.retained:
        keep = old.retained.pop(id(tensor))
        node.hooks, node.retained = node.hooks or {}, {**(node.retained or {}), id(tensor): keep}


def _same_memory(a: Any, b: Any) -> bool:
    return backend.is_array(a) and memory_of(a) is memory_of(b)


def _is_writable(array: Any) -> bool:
    """Whether elements can be changed one by one. CuPy has no read-only arrays, but ones that show an element often."""
    if type(array) is backend.ndarray:
        return array.flags.writeable
    return not array.size or all(n == 1 or step for n, step in zip(array.shape, array.strides, strict=True))


class Writing:
    """The methods of Tensor that change its elements."""

    __slots__ = ()

    def _become(self: Any, name: str, new: Tensor) -> Tensor:
        """Take over the values of `new`, which was computed from this tensor, and with them its history."""
        family = self._to_write(name, new._node is not None)
        if new.shape != self.shape:
            raise ValueError(f"{name}: the result has shape {new.shape} and cannot be stored in shape {self.shape}")
        if new.dtype != self.dtype:
            if operands.KIND[new.dtype.kind] > operands.KIND[self.dtype.kind]:
                raise TypeError(
                    f"{name}: a {new.dtype} result cannot be stored in a tensor of {self.dtype}; use x = x + ..."
                )
            new = new.to(self.dtype)
        node = new._node
        if node is not None:  # what it saved of the values to be replaced, it keeps in a copy
            node.saved = tuple([part.copy() if _same_memory(part, self._array) else part for part in node.saved])
        self._array[...] = new._array
        written(self._array)
        if node is not None:
            family.follow(node)
        return self

    def _to_write(self: Any, name: str, recorded: Any) -> Family | None:
        """The family whose history a write belongs to, unless that is refused; None where there can be no history."""
        if not _is_writable(self._array):
            raise RuntimeError(
                f"{name}: the memory of this tensor is read-only (expand() and broadcast_to() make it so, and NumPy "
                f"arrays can be); write to a .clone()"
            )
        alone = not recorded and self.views is None and getattr(self, "origin", None) is None
        if not grad_mode.recording or (alone and type(self._node) is not Leaf):
            return None
        family = Family(self)
        family.refuse(name, recorded)
        return family

    def add_(self: Any, other: Any, *, alpha: Any = 1) -> Tensor:
        """self += alpha * other, in place."""
        return self._become("add_", self + (other if alpha == 1 else other * alpha))

    def sub_(self: Any, other: Any, *, alpha: Any = 1) -> Tensor:
        """self -= alpha * other, in place."""
        return self._become("sub_", self - (other if alpha == 1 else other * alpha))

    def mul_(self: Any, other: Any) -> Tensor:
        """self *= other, in place."""
        return self._become("mul_", self * other)

    def div_(self: Any, other: Any) -> Tensor:
        """self /= other, in place."""
        return self._become("div_", self / other)

    def pow_(self: Any, exponent: Any) -> Tensor:
        """self **= exponent, in place."""
        return self._become("pow_", self**exponent)

    def clamp_(self: Any, min: Any = None, max: Any = None) -> Tensor:
        """`clamp`, in place."""
        return self._become("clamp_", functions.clamp(self, min, max))

    def relu_(self: Any) -> Tensor:
        """`relu`, in place."""
        return self._become("relu_", elementwise.relu(self))

    def masked_fill_(self: Any, mask: Tensor, value: Any) -> Tensor:
        """`masked_fill`, in place."""
        return self._become("masked_fill_", selecting.masked_fill(self, mask, value))

    def scatter_(self: Any, dim: int, index: Tensor, src: Any = None, *, value: float | None = None) -> Tensor:
        """`scatter`, in place."""
        return self._become("scatter_", selecting.scatter(self, dim, index, src, value=value))

    def scatter_add_(self: Any, dim: int, index: Tensor, src: Tensor) -> Tensor:
        """`scatter_add`, in place."""
        return self._become("scatter_add_", selecting.scatter_add(self, dim, index, src))

    def copy_(self: Any, source: Any) -> Tensor:
        """Take over the values of `source`, cast to this dtype and stretched to this shape."""
        return self._assign("copy_", (Ellipsis,), source)

    def fill_(self: Any, value: Any) -> Tensor:
        """Set every element to one number."""
        return self._assign("fill_", (Ellipsis,), value)

    def zero_(self: Any) -> Tensor:
        """Set every element to 0."""
        return self._assign("zero_", (Ellipsis,), 0)

    def __setitem__(self: Any, index: Any, value: Any) -> None:
        self._assign("setitem", shaping.normal(self, index), value)

    def _assign(self: Any, name: str, index: tuple[Any, ...], value: Any) -> Tensor:
        mine, node = self._array, None
        array: Any
        if isinstance(value := functions.number(value), (int, float)):
            array = value
        else:
            value = value if hasattr(value, "_array") else self.new_tensor(value)
            array, node = value._array, value._node
        recorded = grad_mode.recording and (self._node is not None or node is not None)
        family = self._to_write(name, recorded)
        if array is not value and (type(array) is not type(mine) or (recorded and array.dtype is not mine.dtype)):
            value = value.to(self)
            array, node = value._array, value._node
        if type(mine) is not backend.ndarray and _same_memory(array, mine):
            array = array.copy()  # NumPy sees to overlaps by itself
        try:
            mine[index] = array
        except (ValueError, TypeError, IndexError) as error:
            if isinstance(error, ValueError) and "broadcast" in str(error) and array is not value:
                raise ValueError(
                    f"{name}: a value of shape {array.shape} does not fit into a place of shape {mine[index].shape}"
                ) from error
            raise operands.explain(SETITEM, error, [mine, array]) from error
        written(mine)
        if recorded:
            family.write(node, index)
        return self

    __iadd__, __isub__, __imul__, __itruediv__, __ipow__ = add_, sub_, mul_, div_, pow_


RUNTIME.update(share=share)
