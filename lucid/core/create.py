"""Where tensors come from. Every function takes `dtype`, `device` and `requires_grad`."""

from __future__ import annotations

from typing import Any

from lucid.core.array import Array, DType, as_dtype, create_on, from_data, get_default_dtype, to_device
from lucid.core.node import Tensor
from lucid.core.tensor import lengths

__all__ = ["empty", "ones", "tensor", "zeros"]


def from_host(array: Array, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """A NumPy array as a Tensor; `dtype` None keeps the array's."""
    if dtype is not None:
        array = array.astype(as_dtype(dtype), copy=False)
    return Tensor(to_device(array, device), requires_grad)


def float_dtype(dtype: Any) -> DType:
    """The dtype that is meant, the default one for None."""
    return get_default_dtype() if dtype is None else as_dtype(dtype)


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor holding a copy of `data`: numbers, nested lists, arrays or tensors.

    Python floats become float32 (see `set_default_dtype`), ints int64; arrays and tensors keep their dtype.

    Raises:
        ValueError: for ragged lists.
        TypeError: for things that are not numbers, and for integers with `requires_grad`.

    >>> tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    >>> tensor([0.5, 1.0]).dtype
    dtype('float32')
    """
    if isinstance(data, Tensor):
        data, device = data._array, data.device if device is None else device
    return Tensor(from_data(data, None if dtype is None else as_dtype(dtype), device), requires_grad)


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros, of shape `zeros(2, 3)` or `zeros((2, 3))`."""
    return Tensor(create_on(device, "zeros", lengths("zeros", size), dtype=float_dtype(dtype)), requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return Tensor(create_on(device, "ones", lengths("ones", size), dtype=float_dtype(dtype)), requires_grad)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of whatever the memory held: to be written to before it is read."""
    return Tensor(create_on(device, "empty", lengths("empty", size), dtype=float_dtype(dtype)), requires_grad)
