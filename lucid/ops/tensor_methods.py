"""The rest of Tensor's methods: its values as Python's and NumPy's, layout, other dtypes and devices, copies,
and what Python's own functions ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from types import FunctionType
from typing import Any

from lucid._suggest import TYPES, pairs
from lucid.core.array import as_dtype, from_data, namespace, ndarray, to_device, to_numpy
from lucid.core.elementwise import positive
from lucid.core.node import Tensor, method
from lucid.core.op import op
from lucid.core.shapes import axis_of, transpose
from lucid.ops.create import given, lengths
from lucid.ops.elementwise import equal
from lucid.ops.shapes import _transpose, permute, unbind

OPERATORS = {  # what NumPy calls them -> the methods
    name: getattr(Tensor, f"__{its}__")
    for name, its in pairs("""
        add=add bitwise_and=and bitwise_or=or bitwise_xor=xor divide=truediv equal=eq floor_divide=floordiv greater=gt
        greater_equal=ge invert=invert left_shift=lshift less=lt less_equal=le matmul=matmul multiply=mul negative=neg
        not_equal=ne positive=pos power=pow remainder=mod right_shift=rshift subtract=sub""").items()
}  # fmt: skip
# Functions of NumPy's that give the numbers of a tensor with history as `np.asarray` does, or look at its shape alone:
# other libraries read their arguments with them.
AS_THEY_ARE = frozenset("""
    atleast_1d atleast_2d atleast_3d broadcast_arrays broadcast_to copy empty_like full_like ones_like ravel reshape
    squeeze zeros_like
""".split())


def _on_arrays(name: str, function: Any, args: Any, options: Any) -> Any:
    """A function of NumPy's on the arrays of the tensors among its arguments, unless it cuts a gradient off."""
    tracked: list[Any] = []

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor):
            tracked.append(value._node)
            return value.numpy()
        return type(value)(map(plain, value)) if type(value) in (list, tuple) else value

    out = function(*plain(args), **{name: plain(value) for name, value in options.items()})
    parts = out if isinstance(out, (list, tuple)) else (out,)
    floats = any(getattr(getattr(part, "dtype", None), "kind", "") == "f" for part in parts)
    if floats and any(node is not None for node in tracked) and name not in AS_THEY_ARE:
        ours = f"t.{name}(...)" if hasattr(Tensor, name) else "it with lucid's functions"
        cut = "this tensor t requires a gradient, which NumPy's functions cut off"
        raise RuntimeError(f"numpy.{name}: {cut}; write {ours}, or give it t.detach()")
    return out


class Methods(Tensor):
    """What Tensor gets below, method by method; there are no objects of this class."""

    def dim(self) -> int:
        """The number of dims."""
        return self._array.ndim

    def item(self) -> Any:
        """The one element as a Python number. Raises ValueError if there is more than one, or none."""
        if self._array.size != 1:
            raise ValueError(f"item: expected one element, got shape {self.shape}; use .tolist(), or reduce it first")
        return self._array.item() if type(self._array) is ndarray else to_numpy(self._array).item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return to_numpy(self._array).tolist()

    def numpy(self) -> Any:
        """The values as a NumPy array: this tensor's memory on the CPU (read-only where a gradient is required, for a
        write would not be noticed), a copy from a GPU."""
        if self._node is None:
            return to_numpy(self._array)
        view = to_numpy(self._array).view()
        view.flags.writeable = False
        return view

    def detach_(self) -> Tensor:
        """Forget this tensor's own history. Raises RuntimeError for a view, whose history is another's."""
        if getattr(self, "view_of", None) is not None:
            raise RuntimeError("detach_: a view has its history from the tensor that it shows; use x = x.detach()")
        self._node = None
        return self

    def element_size(self) -> int:
        """The bytes that one element takes."""
        return self._array.itemsize

    def is_contiguous(self) -> bool:
        """Whether the elements are in memory row by row without gaps."""
        return bool(self._array.flags.c_contiguous)

    def contiguous(self, memory_format: Any = None) -> Tensor:
        """Itself if its elements are in memory row by row, else a copy in which they are."""
        return self if self._array.flags.c_contiguous else positive(self)

    @property
    def T(self) -> Tensor:
        """The dims in reverse order: for a matrix, its transpose."""
        return _transpose(self, axes=tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Tensor:
        """The transpose of the last two dims."""
        return transpose(self, -2, -1)

    def t(self) -> Tensor:
        """The transpose of a matrix; a 1-D or 0-d tensor as it is. Raises ValueError for more than two dims."""
        if self.ndim > 2:
            raise ValueError(f"t: expected at most 2 dims, got shape {self.shape}; use transpose(dim0, dim1) or mT")
        return permute(self, 1, 0) if self.ndim == 2 else self

    def cuda(self, index: Any = 0) -> Tensor:
        """This tensor on a GPU."""
        return self.to(f"cuda:{index}")

    def new_tensor(self, data: Any) -> Tensor:
        """A tensor of `data` with this dtype and device."""
        return Tensor(from_data(data, self.dtype, self.device))

    def new_zeros(self, *shape: Any) -> Tensor:
        """Zeros of a shape, with this dtype and device."""
        return Tensor(namespace(self._array).zeros(lengths("new_zeros", shape), dtype=self.dtype))

    def new_ones(self, *shape: Any) -> Tensor:
        """Ones of a shape, with this dtype and device."""
        return Tensor(namespace(self._array).ones(lengths("new_ones", shape), dtype=self.dtype))

    def new(self, *data: Any) -> Tensor:
        """Zeros of a shape given as ints, or a copy of data, with this dtype and device."""
        return Tensor(given("new", data, self.dtype, self.device))

    def data_ptr(self) -> int:
        """The address of the first element."""
        array = self._array
        return int(array.__array_interface__["data"][0] if type(array) is ndarray else array.data.ptr)

    @property
    def is_cuda(self) -> bool:
        """Whether it is on a GPU."""
        return self.device != "cpu"

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        array = self.numpy() if dtype is None else self.numpy().astype(dtype, copy=False)
        return array.copy() if copy else array

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:  # np.mean(t)
        return _on_arrays(function.__name__, function, args, options)

    def __dlpack__(self, **options: Any) -> Any:
        if self._node is not None:
            raise BufferError("__dlpack__: a tensor that requires a gradient is not handed out; use .detach()")
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()

    @property
    def __cuda_array_interface__(self) -> Any:
        if self.device == "cpu":
            raise AttributeError("__cuda_array_interface__: this tensor is on the CPU; use .cuda() first")
        if self._node is not None:
            raise BufferError("__cuda_array_interface__: of a tensor that requires a gradient; use .detach()")
        return self._array.__cuda_array_interface__

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ValueError(f"the truth of a tensor of shape {self.shape} is ambiguous; use .any() or .all()")
        return bool(self.item())

    def __float__(self) -> Any:
        return float(self.item())

    def __int__(self) -> Any:
        return int(self.item())

    def __index__(self) -> int:
        if self.ndim or self.dtype.kind not in "iu":
            raise TypeError(f"only a 0-d integer tensor is an index, got {self.dtype} of shape {self.shape}")
        return int(self.item())

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return iter(unbind(self))

    def __contains__(self, value: Any) -> bool:
        return bool(equal(self, value).any())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __copy__(self) -> Tensor:
        return self.__deepcopy__(None) if self.is_leaf else positive(self)

    def __deepcopy__(self, memo: dict[Any, Any] | None) -> Tensor:
        _, args, own = self.__reduce__()
        tensor = _rebuild(*args)
        vars(tensor).update(own if memo is None else deepcopy(own, memo)) if own else None
        return tensor

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            computed = f"this is an output of {self._node}; use .detach()"
            raise RuntimeError(f"copy: only leaves can be deep-copied or pickled, {computed}")
        grad = None if self._grad is None else to_numpy(self._grad._array)
        args = type(self), to_numpy(self._array), self.device, self.requires_grad, grad
        return _rebuild, args, getattr(self, "__dict__", None) or None  # what a user has set on a Parameter

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` and return the tensor itself."""
        self.requires_grad = requires_grad
        return self

    def size(self, dim: Any = None) -> Any:
        """The shape, or the length of one dim."""
        return self.shape if dim is None else self.shape[axis_of("size", dim, self.ndim)]

    def is_floating_point(self) -> bool:
        """Whether the dtype is a float one."""
        return self._array.dtype.kind == "f"


class _OfType:
    """NumPy asks the type for `__array_ufunc__`, and gets it. CuPy asks the tensor, and gets None: array * tensor is
    Tensor.__rmul__."""

    def __get__(self, tensor: Any, owner: Any) -> Any:
        return _array_ufunc if tensor is None else None


def _array_ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    if not options and method == "__call__" and (operator := OPERATORS.get(ufunc.__name__)) is not None:
        return operator(*inputs)  # of ndarray * tensor, too
    if any(isinstance(out, Tensor) for out in options.get("out", ())):
        raise TypeError(f"numpy.{ufunc.__name__}: out= is a Tensor; write t.copy_(...)")
    return _on_arrays(ufunc.__name__, getattr(ufunc, method), inputs, options)


for _name, _value in vars(Methods).items():
    if isinstance(_value, (FunctionType, property)):
        _function: Any = _value.fget if isinstance(_value, property) else _value
        _function.__qualname__ = f"Tensor.{_name}"
        setattr(Tensor, _name, _value)
Tensor.__array_ufunc__ = _OfType()  # type: ignore[attr-defined]


def _conversion(name: str, dtype_or_device: Any, doc: str) -> None:
    def convert(self: Tensor) -> Tensor:
        return self.to(dtype_or_device)

    convert.__name__, convert.__qualname__, convert.__doc__ = name, name, doc
    method()(convert)


def _like_other(name: str, change: str, attribute: str, doc: str) -> None:
    def like_other(self: Tensor, other: Tensor) -> Tensor:
        return getattr(self, change)(getattr(other, attribute))

    like_other.__name__, like_other.__qualname__, like_other.__doc__ = name, name, doc
    method()(like_other)


for _name, _dtype in TYPES.items():
    _doc = f"As {_dtype}{': whether each element is not 0' * (_dtype == 'bool')}."
    _conversion(_name.removesuffix("Tensor").lower(), as_dtype(_dtype), _doc)
_conversion("cpu", "cpu", "This tensor on the CPU.")
for _change in ("expand", "view", "reshape"):
    _like_other(f"{_change}_as", _change, "shape", f"`{_change}` with the shape of another tensor.")
_like_other("type_as", "to", "dtype", "In the dtype of `other`.")


def _rebuild(cls: type[Tensor], array: Any, device: str, requires_grad: bool, grad: Any) -> Tensor:
    """A tensor from what `__reduce__` gave."""
    tensor = Tensor.__new__(cls)
    Tensor.__init__(tensor, to_device(from_data(array, array.dtype, "cpu"), device), requires_grad)
    if grad is not None:
        tensor._grad = Tensor(to_device(from_data(grad, grad.dtype, "cpu"), device))
    return tensor


@op(x=lambda xp, g, device, source: xp.transfer(g, device=source, source=device))
def transfer(xp, x, *, device, source):
    """x copied from the device `source` to `device`; the gradient travels the other way."""
    return to_device(x, device)
