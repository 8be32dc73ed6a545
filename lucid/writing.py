"""Chapter 5e. Writing in place, and when that is refused.

Outside the graph a write is just a write. Within it there are three cases. A leaf that requires a gradient may not be
written to: the change would be lost to it. A computed tensor may, and the write becomes part of its history, unless
it shares its memory with other tensors of the graph, whose history would then be wrong. And an array that some formula
still needs may be written to, but backward will notice and name the operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lucid import functions, operands, shaping
from lucid.graph import Leaf, grad_mode, tick, written
from lucid.ops import functions as elementwise
from lucid.ops import indexing

if TYPE_CHECKING:
    from lucid.tensor import Tensor


class Writing:
    """The methods of Tensor that change its elements."""

    __slots__ = ()

    def _become(self: Any, name: str, new: Tensor) -> Tensor:
        """Take over the values of `new`, which was computed from this tensor, and with them its history."""
        self._allow_write(name, new._node is not None)
        if new.shape != self.shape:
            raise ValueError(f"{name}: the result has shape {new.shape} and cannot be stored in shape {self.shape}")
        if new.dtype != self.dtype:
            if operands.KIND[new.dtype.kind] > operands.KIND[self.dtype.kind]:
                raise TypeError(
                    f"{name}: a {new.dtype} result cannot be stored in a tensor of {self.dtype}; use x = x + ..."
                )
            new = new.to(self.dtype)
        node, old = new._node, self._node
        if node is not None:  # what it saved of the values to be replaced, it keeps in a copy
            node.saved = tuple(part.copy() if part is self._array else part for part in node.saved)
        self._array[...] = new._array
        written(self._array)
        if node is not None:
            node.born = tick()  # it is the write
            self._node = node
            if old is not None and old.retained and id(self) in old.retained:
                keep = old.retained.pop(id(self))
                node.hooks, node.retained = node.hooks or {}, {**(node.retained or {}), id(self): keep}
        return self

    def _allow_write(self: Any, name: str, recorded: Any) -> None:
        if not grad_mode.recording:
            return
        if type(self._node) is Leaf:
            raise RuntimeError(
                f"{name}: this tensor is a leaf that requires a gradient, and a change in place would be lost to it; "
                f"write to it inside `with lucid.no_grad():`, or compute a new tensor, x = x + ..."
            )
        if recorded and getattr(self, "shared", False):
            raise RuntimeError(
                f"{name}: this tensor is a view of another or has views (indexing, reshape and transpose make them), "
                f"and a recorded change in place would reach those behind the graph's back; compute a new tensor, "
                f"x = x + ..., or work on a .clone()"
            )

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
        node = value._node if hasattr(value, "_array") else None
        if grad_mode.recording and (self._node is not None or node is not None):
            self._allow_write(name, True)
            value = value.to(self.dtype) if hasattr(value, "_array") else self.new_tensor(value)
            return self._become(name, indexing.setitem(self, value, index=index))
        array = value._array if hasattr(value, "_array") else value
        try:
            self._array[index] = array
        except (ValueError, TypeError, IndexError) as error:
            raise operands.explain(indexing.setitem.op, error, [self._array, array]) from error  # type: ignore[attr-defined]
        written(self._array)
        return self

    __iadd__, __isub__, __imul__, __itruediv__, __ipow__ = add_, sub_, mul_, div_, pow_
