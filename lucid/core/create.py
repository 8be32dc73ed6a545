"""Where tensors come from. Every function takes `dtype`, `device` and `requires_grad`."""

from __future__ import annotations

from typing import Any

from lucid.core.array import (
    DTYPES,
    Array,
    DType,
    as_device,
    as_dtype,
    cpu,
    create_on,
    from_data,
    get_default_dtype,
    int64,
    is_array,
    ndarray,
    to_device,
)
from lucid.core.node import Tensor
from lucid.core.tensor import lengths

__all__ = ["arange", "as_tensor", "empty", "from_numpy", "full", "ones", "tensor", "zeros"]


def from_host(array: Array, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """A NumPy array as a Tensor; `dtype` None keeps the array's."""
    if dtype is not None:
        array = array.astype(as_dtype(dtype), copy=False)
    return Tensor(to_device(array, device), requires_grad)


def float_dtype(dtype: Any) -> DType:
    """The dtype that is meant, the default one for None."""
    return get_default_dtype() if dtype is None else as_dtype(dtype)


def as_number(name: str, argument: str, n: Any) -> Any:
    """A Python number for what stands for one: a NumPy scalar, a 0-d tensor.

    Raises:
        TypeError: for anything else.
    """
    n = n.item() if getattr(n, "shape", None) == () else n
    if not isinstance(n, (int, float)):
        raise TypeError(f"{name}: expected a number for {argument}, got {n!r}")
    return n


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


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, without copying where it is a tensor or a NumPy array of the right dtype already."""
    if isinstance(data, Tensor):
        return data.to(data.dtype if dtype is None else dtype).to(data.device if device is None else device)
    if is_array(data) and str(data.dtype) in DTYPES:
        made = Tensor(data).to(data.dtype if dtype is None else dtype)
        return made if device is None and made.device != "cpu" else made.to(as_device(device))
    return tensor(data, dtype, device)


def from_numpy(array: Any) -> Tensor:
    """A tensor that shares the memory of a NumPy array: what is written to one shows in the other.

    Raises:
        TypeError: for anything but a NumPy array of a dtype that lucid has.
    """
    if not isinstance(array, ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}; use lucid.tensor(...)")
    as_dtype(array.dtype)
    return Tensor(array)


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros, of shape `zeros(2, 3)` or `zeros((2, 3))`."""
    return Tensor(create_on(device, "zeros", lengths("zeros", size), dtype=float_dtype(dtype)), requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return Tensor(create_on(device, "ones", lengths("ones", size), dtype=float_dtype(dtype)), requires_grad)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of whatever the memory held: to be written to before it is read."""
    return Tensor(create_on(device, "empty", lengths("empty", size), dtype=float_dtype(dtype)), requires_grad)


def full(size: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of shape `size` with one value everywhere, in the dtype that the value calls for."""
    value = from_data(fill_value.tolist() if isinstance(fill_value, Tensor) else fill_value, None, "cpu")
    wanted = value.dtype if dtype is None else as_dtype(dtype)
    return Tensor(create_on(device, "full", lengths("full", (size,)), value[()], dtype=wanted), requires_grad)


def arange(
    start: Any, end: Any = None, step: Any = 1, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """From `start` (0) up to, but without, `end`, in steps; int64 where all are ints, else float32.

    Raises:
        ValueError: if `step` is 0 or leads away from `end`.
    """
    start, end = (0, start) if end is None else (start, end)
    start, end, step = (as_number("arange", n, x) for n, x in (("start", start), ("end", end), ("step", step)))
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"arange: step {step} does not lead from {start} to {end}")
    if all(isinstance(n, int) for n in (start, end, step)):  # exact wherever it is made
        wanted = int64 if dtype is None else as_dtype(dtype)
        array = create_on(device, "arange", start, end, step, dtype=int64).astype(wanted, copy=False)
        return Tensor(array, requires_grad)
    return from_host(cpu.arange(start, end, step), float_dtype(dtype), device, requires_grad)
