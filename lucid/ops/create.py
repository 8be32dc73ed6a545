"""More ways to create tensors: like another one, evenly apart, from another library."""

from __future__ import annotations

from typing import Any

from lucid.core.array import LOADERS, cpu, create_on
from lucid.core.create import as_number, empty, float_dtype, from_host, full, ones, zeros
from lucid.core.node import Tensor
from lucid.core.promotion import ndim_of

__all__ = [
    "empty_like", "eye", "from_dlpack", "full_like", "is_tensor", "linspace", "ones_like", "zeros_like",
]  # fmt: skip


def as_int(name: str, what: str, n: Any) -> int:
    """`n` as a Python int; a TypeError for what is none."""
    if not hasattr(n, "__index__"):
        raise TypeError(f"{name}: expected an int for {what}, got {n!r}")
    return n.__index__()


def as_count(name: str, what: str, n: Any) -> int:
    """The same, of 0 or more."""
    if (count := as_int(name, what, n)) < 0:
        raise ValueError(f"{name}: expected {what} to be 0 or more, got {count}")
    return count


def from_dlpack(source: Any) -> Tensor:
    """A tensor that shares the memory of anything that speaks DLPack: PyTorch, JAX and CuPy arrays.

    >>> import numpy
    >>> from_dlpack(numpy.arange(3.0))
    tensor([0., 1., 2.], dtype=float64)
    """
    if not hasattr(source, "__dlpack_device__"):
        raise TypeError(f"from_dlpack: expected what has __dlpack__, such as an array, got {type(source).__name__}")
    return Tensor(array_from_dlpack(source))


def eye(n: int, m: int | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of n rows and m (n) columns of zeros."""
    rows, columns = as_count("eye", "n", n), as_count("eye", "m", n if m is None else m)
    return Tensor(create_on(device, "eye", rows, columns, dtype=float_dtype(dtype)), requires_grad)


def linspace(
    start: float, end: float, steps: int, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers from `start` to `end`, both included, evenly apart."""
    start, end = as_number("linspace", "start", start), as_number("linspace", "end", end)
    return from_host(cpu.linspace(start, end, as_count("linspace", "steps", steps)), float_dtype(dtype), device, requires_grad)


def zeros_like(x: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape, dtype and device of x."""
    ndim_of("zeros_like", x)
    return zeros(x.shape, **options_like(x, dtype, device), requires_grad=requires_grad)


def ones_like(x: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape, dtype and device of x."""
    ndim_of("ones_like", x)
    return ones(x.shape, **options_like(x, dtype, device), requires_grad=requires_grad)


def empty_like(x: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Whatever the memory held, in the shape, dtype and device of x."""
    ndim_of("empty_like", x)
    return empty(x.shape, **options_like(x, dtype, device), requires_grad=requires_grad)


def full_like(x: Tensor, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """One value everywhere, in the shape, dtype and device of x."""
    ndim_of("full_like", x)
    return full(x.shape, fill_value, **options_like(x, dtype, device), requires_grad=requires_grad)


def options_like(x: Tensor, dtype: Any, device: Any) -> dict[str, Any]:
    """The dtype and device to create a tensor with that is to be like x."""
    return {"dtype": x.dtype if dtype is None else dtype, "device": x.device if device is None else device}


def is_tensor(value: Any) -> bool:
    """Whether `value` is a Tensor."""
    return isinstance(value, Tensor)


def array_from_dlpack(source: Any) -> Any:
    """An array that shares the memory of a DLPack producer, on the device where that is."""
    on_cpu = source.__dlpack_device__()[0] in (1, 3)  # kDLCPU, kDLCUDAHost
    return (cpu if on_cpu else LOADERS["cuda"]()).from_dlpack(source)
