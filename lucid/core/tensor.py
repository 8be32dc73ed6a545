"""Parameter, and methods of Tensor that are no operations: its data and gradient, conversion, and how it is printed.

More of them stand in ops/tensor_methods.py.
"""

from __future__ import annotations

import warnings
from typing import Any

from lucid.core.array import as_device, as_dtype, bool_, from_data, get_default_dtype, int64, text_of
from lucid.core.elementwise import astype
from lucid.core.node import Leaf, Node, Tensor, method
from lucid.core.op import on_tensors

COMPUTED = "grad: backward() leaves none at a tensor that was computed, here by {op}; call retain_grad() before it"
Tensor.__hash__ = object.__hash__  # type: ignore[method-assign]  # dicts and sets go by identity, not by value


class Parameter(Tensor):
    """A tensor that a model learns: a leaf with its own copy of `data`, in data's dtype, that requires a gradient.

    Raises:
        TypeError: if it should require a gradient and `data` holds integers or bools.

    >>> import lucid
    >>> lucid.nn.Parameter(lucid.zeros(2))
    Parameter(tensor([0., 0.], requires_grad=True))
    """

    def __init__(self, data: Any, requires_grad: Any = True) -> None:
        array, device = (data._array, data.device) if isinstance(data, Tensor) else (data, None)
        super().__init__(from_data(array, None, device), requires_grad)


def _get_grad(self: Tensor) -> Tensor | None:
    """The gradient that `backward()` left here.

    Raises:
        TypeError, ValueError: when assigned something other than None or a Tensor of this shape and dtype.
    """
    if self._grad is None and type(self._node) is Node and self._node.retain_hooks is None:
        warnings.warn(COMPUTED.format(op=self._node.name()), stacklevel=2)
    return self._grad


def _set_grad(self: Tensor, grad: Tensor | None) -> None:
    if grad is not None:
        if not isinstance(grad, Tensor):
            raise TypeError(f"grad: expected a Tensor or None, got {type(grad).__name__}")
        mine, its = ((t.shape, t.dtype, t.device) for t in (self, grad))
        if mine != its:
            raise ValueError("grad: expected shape {} and {} on {}, got shape {} and {} on {}".format(*mine, *its))
    self._grad = grad


def _get_data(self: Tensor) -> Tensor:
    """The same memory as a tensor without history; assigning gives this tensor another array."""
    return Tensor(self._array, False, None)


def _set_data(self: Tensor, data: Any) -> None:
    array = data._array if isinstance(data, Tensor) else from_data(data, None, self.device)
    if self._node is not None and array.dtype.kind != "f":
        raise TypeError(f"data: a tensor that requires a gradient cannot hold {array.dtype}; use a float dtype")
    self._array, self.view_of = array, None
    for weak in self.views or ():  # they keep the memory that was
        if (view := weak()) is not None:
            view.view_of = None
    self.views = None
    if type(self._node) is Leaf:
        self._node.shape = array.shape


Tensor.grad, Tensor.data = property(_get_grad, _set_grad), property(_get_data, _set_data)  # type: ignore


@method()
def detach(self: Tensor) -> Tensor:
    """The same memory without history: gradients stop here."""
    return Tensor(self._array, False, None)


@method("numel", "nelement")
def numel(self: Tensor) -> int:
    """The number of elements."""
    return self._array.size


@method()
def to(self: Tensor, *args: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """This tensor in another dtype, on another device, or both; itself where nothing changes.

    Takes a dtype, a device, both, or a tensor to follow: `x.to("cuda")`, `x.to(lucid.float64)`, `x.to(other)`.
    """
    for arg in args:
        if isinstance(arg, Tensor):
            dtype, device = arg.dtype, arg.device
        elif isinstance(arg, str) and arg.partition(":")[0] in ("cpu", "cuda", "gpu"):
            device = arg
        elif arg is not None:
            dtype = arg
    x = self
    if dtype is not None and (dtype := as_dtype(dtype)) != x.dtype:
        # What is cast to integers or bools has no slope, and no history.
        x = astype(x if dtype.kind == "f" else x.detach(), dtype=dtype)
    if device is not None and (device := as_device(device)) != x.device:
        x = on_tensors.transfer(x, device=device, source=x.device)
    return x


@method()
def __repr__(self: Tensor) -> str:
    notes = [] if self.dtype in (get_default_dtype(), int64, bool_) else [f"dtype={self.dtype}"]
    if not self._array.size:
        notes.insert(0, f"shape={self.shape}")
    notes += [] if self.device == "cpu" else [f"device={self.device!r}"]
    notes += ["requires_grad=True"] if type(self._node) is Leaf else [f"grad_fn={self._node}"] if self._node else []
    title = "Parameter(tensor(" if type(self) is Parameter else "tensor("
    return title + ", ".join([text_of(self._array, title), *notes]) + ")" * title.count("(")
