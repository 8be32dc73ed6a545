"""Chapter 5f. From tensors to everything else: other dtypes and devices, Python numbers, NumPy, DLPack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lucid import backend, shaping
from lucid.operands import ndim_of
from lucid.ops import arithmetic, shapes

if TYPE_CHECKING:
    from lucid.tensor import Tensor


class Conversion:
    """The methods of Tensor that turn it into something else."""

    __slots__ = ()

    def to(self: Any, *args: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """This tensor in another dtype, on another device, or both; itself where nothing changes.

        Takes a dtype, a device, both, or a tensor to follow: `x.to("cuda")`, `x.to(lucid.float64)`, `x.to(other)`.
        """
        for arg in args:
            if hasattr(arg, "_array"):
                dtype, device = arg.dtype, arg.device
            elif isinstance(arg, str) and arg.partition(":")[0] in ("cpu", "cuda", "gpu"):
                device = arg
            elif arg is not None:
                dtype = arg
        x = self
        if dtype is not None and (dtype := backend.as_dtype(dtype)) != x.dtype:
            # What is cast to integers or bools has no slope, and no history.
            x = arithmetic.astype(x if dtype.kind == "f" else x.detach(), dtype=dtype)
        if device is not None and (device := backend.as_device(device)) != x.device:
            x = shapes.transfer(x, device=device, source=x.device)
        return x

    def cpu(self: Any) -> Tensor:
        """This tensor on the CPU."""
        return self.to("cpu")

    def cuda(self: Any, index: Any = 0) -> Tensor:
        """This tensor on a GPU."""
        return self.to(f"cuda:{index}")

    def float(self: Any) -> Tensor:
        """As float32."""
        return self.to(backend.float32)

    def double(self: Any) -> Tensor:
        """As float64."""
        return self.to(backend.float64)

    def half(self: Any) -> Tensor:
        """As float16."""
        return self.to(backend.float16)

    def int(self: Any) -> Tensor:
        """As int32."""
        return self.to(backend.int32)

    def long(self: Any) -> Tensor:
        """As int64."""
        return self.to(backend.int64)

    def bool(self: Any) -> Tensor:
        """As bools: whether each element is not 0."""
        return self.to(backend.bool_)

    def type_as(self: Any, other: Tensor) -> Tensor:
        """In the dtype of `other`."""
        ndim_of("type_as", other)
        return self.to(other.dtype)

    def contiguous(self: Any) -> Tensor:
        """Itself if its elements lie row by row in memory, else a copy in which they do."""
        return self if self._array.flags.c_contiguous else arithmetic.positive(self)

    def item(self: Any) -> Any:
        """The one element as a Python number.

        Raises:
            ValueError: if there is more than one, or none.
        """
        if self._array.size != 1:
            raise ValueError(f"item: expected one element, got shape {self.shape}; use .tolist(), or reduce it first")
        return self._array.item() if type(self._array) is backend.ndarray else backend.to_list(self._array.reshape(()))

    def tolist(self: Any) -> Any:
        """Nested lists of Python numbers."""
        return backend.to_list(self._array)

    def numpy(self: Any) -> Any:
        """The values as a NumPy array: this tensor's memory on the CPU (read-only where a gradient is required, for a
        write would go unnoticed), a copy from a GPU."""
        if self._node is None:
            return backend.to_numpy(self._array)
        view = backend.to_numpy(self._array).view()
        view.flags.writeable = False
        return view

    def __array__(self: Any, dtype: Any = None, copy: Any = None) -> Any:
        array = self.numpy() if dtype is None else self.numpy().astype(dtype, copy=False)
        return array.copy() if copy else array

    def __dlpack__(self: Any, **options: Any) -> Any:
        if self._node is not None:
            raise BufferError("__dlpack__: a tensor that requires a gradient is not handed out; use .detach()")
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self: Any) -> Any:
        return self._array.__dlpack_device__()

    @property
    def __cuda_array_interface__(self: Any) -> Any:
        if self.device == "cpu":
            raise AttributeError("__cuda_array_interface__: this tensor is on the CPU; use .cuda() first")
        if self._node is not None:
            raise BufferError("__cuda_array_interface__: of a tensor that requires a gradient; use .detach()")
        return self._array.__cuda_array_interface__

    def __bool__(self: Any) -> Any:
        if self._array.size != 1:
            raise ValueError(f"the truth of a tensor of shape {self.shape} is ambiguous; use .any() or .all()")
        return bool(self.item())

    def __float__(self: Any) -> Any:
        return float(self.item())

    def __int__(self: Any) -> Any:
        return int(self.item())

    def __index__(self: Any) -> Any:
        if self.ndim or self.dtype.kind not in "iu":
            raise TypeError(f"only a 0-d integer tensor is an index, got {self.dtype} of shape {self.shape}")
        return int(self.item())

    def __len__(self: Any) -> Any:
        if not self.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self: Any) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return iter(shaping.unbind(self))

    def __contains__(self: Any, value: Any) -> Any:
        return bool((self == value).any())

    def __format__(self: Any, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)
