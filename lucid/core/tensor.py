"""The methods of Tensor that are no operations: its data and gradient, conversion, and what Python asks of an object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lucid.core.array import (
    as_device,
    as_dtype,
    bool_,
    float16,
    float32,
    float64,
    from_data,
    get_default_dtype,
    int32,
    int64,
    namespace,
    ndarray,
    text_of,
    to_device,
    to_numpy,
)
from lucid.core.elementwise import astype, positive
from lucid.core.node import Leaf, Tensor, method
from lucid.core.op import op
from lucid.core.promotion import ndim_of
from lucid.core.shapes import _transpose, axis_of, broadcast_to, permute, sizes, stack, transpose, unbind

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


# -- data, gradient, history -------------------------------------------------------------------------------------------


def _get_grad(self: Tensor) -> Tensor | None:
    """The gradient that `backward()` left here.

    Raises:
        TypeError, ValueError: when assigned something other than None or a Tensor of this shape and dtype.
    """
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
    return Tensor(self._array)


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
def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Set `requires_grad` and return the tensor itself."""
    self.requires_grad = requires_grad
    return self


@method()
def detach(self: Tensor) -> Tensor:
    """The same memory without history: gradients stop here."""
    return Tensor(self._array)


@method()
def detach_(self: Tensor) -> Tensor:
    """Forget the history of this tensor itself.

    Raises:
        RuntimeError: for a view, which has its history from the tensor that it shows.
    """
    if getattr(self, "view_of", None) is not None:
        raise RuntimeError("detach_: a view has its history from the tensor that it shows; use x = x.detach()")
    self._node = None
    return self


# -- size and layout ---------------------------------------------------------------------------------------------------


@method()
def dim(self: Tensor) -> int:
    """The number of dims."""
    return self._array.ndim


@method("numel", "nelement")
def numel(self: Tensor) -> int:
    """The number of elements."""
    return self._array.size


@method()
def size(self: Tensor, dim: Any = None) -> Any:
    """The shape, or the length of one dim."""
    return self.shape if dim is None else self.shape[axis_of("size", dim, self.ndim)]


@method()
def element_size(self: Tensor) -> int:
    """The bytes that one element takes."""
    return self._array.itemsize


@method()
def is_floating_point(self: Tensor) -> bool:
    """Whether the dtype is a float one."""
    return self._array.dtype.kind == "f"


@method()
def is_contiguous(self: Tensor) -> bool:
    """Whether the elements are in memory row by row without gaps."""
    return bool(self._array.flags.c_contiguous)


@method()
def contiguous(self: Tensor) -> Tensor:
    """Itself if its elements are in memory row by row, else a copy in which they are."""
    return self if self._array.flags.c_contiguous else positive(self)


@method()
def nonzero(self: Tensor, as_tuple: Any = False) -> Any:
    """Where the elements are not 0: one row of indices for each, or with `as_tuple` one tensor for each dim."""
    indices = tuple(Tensor(array) for array in namespace(self._array).nonzero(self._array))
    return indices if as_tuple else stack(indices, dim=1)


def _reversed_dims(self: Tensor) -> Tensor:
    """The dims in reverse order: for a matrix, its transpose."""
    return _transpose(self, axes=tuple(range(self.ndim))[::-1])


def _matrix_transpose(self: Tensor) -> Tensor:
    """The transpose of the last two dims."""
    return transpose(self, -2, -1)


Tensor.T, Tensor.mT = property(_reversed_dims), property(_matrix_transpose)  # type: ignore[attr-defined]


@method()
def t(x: Tensor) -> Tensor:
    """The transpose of a matrix; a 1-D or 0-d tensor as it is.

    Raises:
        ValueError: for more than two dims.
    """
    if x.ndim > 2:
        raise ValueError(f"t: expected at most 2 dims, got shape {x.shape}; use transpose(dim0, dim1) or mT")
    return permute(x, 1, 0) if x.ndim == 2 else x


@method()
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """Stretched to the shape of `other`."""
    return broadcast_to(self, other.shape)


@method()
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """`view` with the shape of another tensor."""
    ndim_of("view_as", other)
    return self.view(other.shape)


@method()
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """`reshape` with the shape of another tensor."""
    ndim_of("reshape_as", other)
    return self.reshape(other.shape)


# -- other dtypes and devices ------------------------------------------------------------------------------------------


@op(x=lambda xp, g, device, source: xp.transfer(g, device=source, source=device))
def transfer(xp, x, *, device, source):
    """x copied from the device `source` to `device`; the gradient travels the other way."""
    return to_device(x, device)


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
        x = transfer(x, device=device, source=x.device)
    return x


@method()
def cpu(self: Tensor) -> Tensor:
    """This tensor on the CPU."""
    return self.to("cpu")


@method()
def cuda(self: Tensor, index: Any = 0) -> Tensor:
    """This tensor on a GPU."""
    return self.to(f"cuda:{index}")


def _conversion(name: str, dtype: Any, doc: str) -> None:
    def convert(self: Tensor) -> Tensor:
        return self.to(dtype)

    convert.__name__, convert.__qualname__, convert.__doc__ = name, name, doc
    method()(convert)


for _name, _dtype in {"float": float32, "double": float64, "half": float16, "int": int32, "long": int64}.items():
    _conversion(_name, _dtype, f"As {_dtype}.")
_conversion("bool", bool_, "As bools: whether each element is not 0.")


@method()
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """In the dtype of `other`."""
    ndim_of("type_as", other)
    return self.to(other.dtype)


@method()
def new_tensor(self: Tensor, data: Any) -> Tensor:
    """A tensor of `data` with this dtype and device."""
    return Tensor(from_data(data, self.dtype, self.device))


@method()
def new_zeros(self: Tensor, *shape: Any) -> Tensor:
    """Zeros of a shape, with this dtype and device."""
    return Tensor(namespace(self._array).zeros(lengths("new_zeros", shape), dtype=self.dtype))


@method()
def new_ones(self: Tensor, *shape: Any) -> Tensor:
    """Ones of a shape, with this dtype and device."""
    return Tensor(namespace(self._array).ones(lengths("new_ones", shape), dtype=self.dtype))


def lengths(name: str, given: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape of a tensor that is to be made, given as `2, 3` or as `(2, 3)`."""
    shape = sizes(name, given)
    if any(n < 0 for n in shape):
        raise ValueError(f"{name}: expected lengths of 0 or more, got {shape}")
    return shape


# -- Python numbers, NumPy, DLPack -------------------------------------------------------------------------------------


@method()
def item(self: Tensor) -> Any:
    """The one element as a Python number.

    Raises:
        ValueError: if there is more than one, or none.
    """
    if self._array.size != 1:
        raise ValueError(f"item: expected one element, got shape {self.shape}; use .tolist(), or reduce it first")
    return self._array.item() if type(self._array) is ndarray else to_numpy(self._array).item()


@method()
def tolist(self: Tensor) -> Any:
    """Nested lists of Python numbers."""
    return to_numpy(self._array).tolist()


@method()
def numpy(self: Tensor) -> Any:
    """The values as a NumPy array: this tensor's memory on the CPU (read-only where a gradient is required, for a
    write would not be noticed), a copy from a GPU."""
    if self._node is None:
        return to_numpy(self._array)
    view = to_numpy(self._array).view()
    view.flags.writeable = False
    return view


@method()
def __array__(self: Tensor, dtype: Any = None, copy: Any = None) -> Any:
    array = self.numpy() if dtype is None else self.numpy().astype(dtype, copy=False)
    return array.copy() if copy else array


@method()
def __dlpack__(self: Tensor, **options: Any) -> Any:
    if self._node is not None:
        raise BufferError("__dlpack__: a tensor that requires a gradient is not handed out; use .detach()")
    return self._array.__dlpack__(**options)


@method()
def __dlpack_device__(self: Tensor) -> Any:
    return self._array.__dlpack_device__()


# -- what Python asks of an object -------------------------------------------------------------------------------------


@method()
def __bool__(self: Tensor) -> bool:
    if self._array.size != 1:
        raise ValueError(f"the truth of a tensor of shape {self.shape} is ambiguous; use .any() or .all()")
    return bool(self.item())


@method()
def __float__(self: Tensor) -> Any:
    return float(self.item())


@method()
def __int__(self: Tensor) -> Any:
    return int(self.item())


@method()
def __index__(self: Tensor) -> int:
    if self.ndim or self.dtype.kind not in "iu":
        raise TypeError(f"only a 0-d integer tensor is an index, got {self.dtype} of shape {self.shape}")
    return int(self.item())


@method()
def __len__(self: Tensor) -> int:
    if not self.ndim:
        raise TypeError("len() of a 0-d tensor")
    return self.shape[0]


@method()
def __iter__(self: Tensor) -> Iterator[Tensor]:
    if not self.ndim:
        raise TypeError("iteration over a 0-d tensor")
    return iter(unbind(self))


@method()
def __contains__(self: Tensor, value: Any) -> bool:
    return bool((self == value).any())


@method()
def __format__(self: Tensor, spec: str) -> str:
    return format(self.item(), spec) if spec else repr(self)


@method()
def __repr__(self: Tensor) -> str:
    notes = [] if self.dtype in (get_default_dtype(), int64, bool_) else [f"dtype={self.dtype}"]
    if not self.numel():
        notes.insert(0, f"shape={self.shape}")
    notes += [] if self.device == "cpu" else [f"device={self.device!r}"]
    notes += ["requires_grad=True"] if type(self._node) is Leaf else [f"grad_fn={self._node}"] if self._node else []
    title = "Parameter(tensor(" if type(self) is Parameter else "tensor("
    return title + ", ".join([text_of(self._array, title), *notes]) + ")" * title.count("(")


@method()
def __deepcopy__(self: Tensor, memo: dict[Any, Any]) -> Tensor:
    return _rebuild(*self.__reduce__()[1])


@method()
def __reduce__(self: Tensor) -> Any:
    if not self.is_leaf:
        raise RuntimeError(
            f"copy: only leaves can be deep-copied or pickled, this is an output of {self._node}; use .detach()"
        )
    grad = None if self._grad is None else to_numpy(self._grad._array)
    return _rebuild, (type(self), to_numpy(self._array), self.device, self.requires_grad, grad)


def _rebuild(cls: type[Tensor], array: Any, device: str, requires_grad: bool, grad: Any) -> Tensor:
    """A tensor from what `__reduce__` gave."""
    tensor = Tensor.__new__(cls)
    Tensor.__init__(tensor, to_device(from_data(array, array.dtype, "cpu"), device), requires_grad)
    if grad is not None:
        tensor._grad = Tensor(to_device(from_data(grad, grad.dtype, "cpu"), device))
    return tensor
