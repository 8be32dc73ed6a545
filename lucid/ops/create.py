"""Where tensors come from: lists and other libraries, one value everywhere, numbers evenly apart; and the default
dtype and device of those that name none. Most functions take `dtype`, `device` and `requires_grad`.
"""

from __future__ import annotations  # noqa: I001  (several names a line)

from collections.abc import Callable
from typing import Any

from lucid.core import array as arrays
from lucid.core.array import (
    DTYPES, Device, as_array, as_device, as_dtype, cpu, create_on, from_data, int64, is_array, ndarray,
)  # fmt: skip
from lucid.core.node import Tensor, method
from lucid.core.promotion import as_number, of_kind, shown
from lucid.core.shapes import sizes
from lucid.core.tensor import Parameter
from lucid.ops.checks import check_count

__all__ = [
    "arange", "as_tensor", "empty", "empty_like", "eye", "from_dlpack", "from_numpy", "full", "full_like",
    "get_default_device", "is_tensor", "linspace", "ones", "ones_like", "set_default_device",
    "set_default_dtype", "tensor", "zeros", "zeros_like",
]  # fmt: skip


def from_host(array: arrays.Array, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """A NumPy array as a Tensor; `dtype` None keeps the array's."""
    if dtype is not None:
        array = array.astype(as_dtype(dtype), copy=False)
    return Tensor(arrays.to_device(array, device), requires_grad)


def float_dtype(dtype: Any) -> arrays.DType:
    """The dtype that is meant, the default one for None."""
    return arrays.get_default_dtype() if dtype is None else as_dtype(dtype)


def lengths(name: str, given: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape of a tensor that is to be made, given as `2, 3` or as `(2, 3)`."""
    shape = sizes(name, given)
    if any(n < 0 for n in shape):
        raise ValueError(f"{name}: expected lengths of 0 or more, got {shape}")
    return shape


def given(name: str, args: tuple[Any, ...], dtype: Any, device: Any = None) -> arrays.Array:
    """What PyTorch's `Tensor(...)` and its kin make: of ints, zeros of that shape; else an array of the data given.
    Raises TypeError for a tuple of ints, which may mean the one or the other."""
    if not args or type(args[0]) is int:
        try:
            return create_on(device, "zeros", lengths(name, args or (0,)), dtype=dtype)
        except (MemoryError, ValueError) as error:  # too many, or below 0
            raise of_kind(error, f"{name}: {error}".replace(f"{name}: {name}: ", f"{name}: ")) from None
    if len(args) > 1 or (type(args[0]) is tuple and {*map(type, args[0])} == {int}):
        forms = f"a shape, {name}(2, 3), or data, {name}([2, 3])"
        raise TypeError(f"{name}: expected {forms}, got {', '.join(map(shown, args))}; zeros(shape) takes a tuple")
    return from_data(getattr(args[0], "_array", args[0]), dtype, device, name)


@method("_given")
def _for_tensor(self: Tensor, data: Any, requires_grad: Any, *lengths: Any) -> tuple[arrays.Array, Any]:
    """The array, and what is left of `requires_grad`, for `Tensor(data, requires_grad)` or `Tensor(2, 3)`."""
    if type(requires_grad) is int:
        return given("Tensor", (data, requires_grad, *lengths), arrays.DEFAULT.dtype), False
    if type(data) in (int, list, tuple):
        data = given("Tensor", (data,), arrays.DEFAULT.dtype)
    return as_array(data, "Tensor"), requires_grad


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor holding a copy of `data`: numbers, nested lists, arrays or tensors.

    Python floats become float32 (see `set_default_dtype`), ints int64; arrays and tensors keep their dtype.

    Raises ValueError for ragged lists, TypeError for what is no number and for integers with `requires_grad`.

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


def from_numpy(array: Any) -> Tensor:
    """A tensor that shares the memory of a NumPy array: what is written to one shows in the other.

    Raises TypeError for anything but a NumPy array of a dtype that lucid has."""
    if not isinstance(array, ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}; use lucid.tensor(...)")
    return Tensor(as_array(array, shared=True))


def from_dlpack(source: Any) -> Tensor:
    """A tensor that shares the memory of anything that speaks DLPack: PyTorch, JAX and CuPy arrays. A TypeError for a
    dtype that lucid has not, such as bfloat16.

    >>> import numpy
    >>> from_dlpack(numpy.arange(3.0))
    tensor([0., 1., 2.], dtype=float64)
    """
    if is_array(source):
        return Tensor(as_array(source, shared=True))
    if not hasattr(source, "__dlpack_device__"):
        raise TypeError(f"from_dlpack: expected what has __dlpack__, such as an array, got {type(source).__name__}")
    on_cpu = source.__dlpack_device__()[0] in (1, 3)  # kDLCPU, kDLCUDAHost
    try:
        array = (cpu if on_cpu else arrays.LOADERS["cuda"]()).from_dlpack(source)
    except RuntimeError as error:  # NumPy's, of a dtype that it has not
        dtype = getattr(source, "dtype", "this dtype")
        raise TypeError(f"from_dlpack: lucid has no {dtype}; convert the array first, to float32 say") from error
    return Tensor(as_array(array, shared=True))


def eye(n: int, m: int | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of n rows and m (n) columns of zeros."""
    rows, columns = check_count("eye", "n", n), check_count("eye", "m", n if m is None else m)
    return Tensor(create_on(device, "eye", rows, columns, dtype=float_dtype(dtype)), requires_grad)


def linspace(
    start: float, end: float, steps: int, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers from `start` to `end`, both included, evenly apart."""
    start, end = as_number("linspace", "start", start), as_number("linspace", "end", end)
    array = cpu.linspace(start, end, check_count("linspace", "steps", steps))
    return from_host(array, float_dtype(dtype), device, requires_grad)


def like(create: Callable[..., Tensor], what: str) -> Callable[..., Tensor]:
    """A creation function whose shape, dtype and device are those of a tensor: `like(zeros, "Zeros")` is zeros_like."""
    name = f"{create.__name__}_like"

    def create_like(x: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        options = {"dtype": x.dtype if dtype is None else dtype, "device": x.device if device is None else device}
        return create(x.shape, **options, requires_grad=requires_grad)

    create_like.__name__ = create_like.__qualname__ = name
    create_like.__doc__ = f"{what} in the shape, dtype and device of x."
    return create_like


zeros_like = like(zeros, "Zeros")
ones_like = like(ones, "Ones")
empty_like = like(empty, "Whatever the memory held,")


def full_like(x: Tensor, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """One value everywhere, in the shape, dtype and device of x."""
    dtype, device = x.dtype if dtype is None else dtype, x.device if device is None else device
    return full(x.shape, fill_value, dtype, device, requires_grad)


def is_tensor(value: Any) -> bool:
    """Whether `value` is a Tensor."""
    return isinstance(value, Tensor)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, without copying where it is a tensor or a NumPy array of the right dtype already."""
    if isinstance(data, Tensor):
        return data.to(data.dtype if dtype is None else dtype).to(data.device if device is None else device)
    if is_array(data) and (dtype is None or str(data.dtype) in DTYPES):
        out = Tensor(data).to(dtype=dtype)
        return out if device is None and out.device != "cpu" else out.to(as_device(device))
    return tensor(data, dtype, device)


def full(size: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of shape `size` with one value everywhere, in the dtype that the value calls for."""
    value = from_data(as_number("full", "fill_value", fill_value), None, "cpu")
    wanted = value.dtype if dtype is None else as_dtype(dtype)
    return Tensor(create_on(device, "full", lengths("full", (size,)), value[()], dtype=wanted), requires_grad)


def arange(
    start: Any, end: Any = None, step: Any = 1, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """From `start` (0) up to, but without, `end`, in steps; int64 where all are ints, else float32. Raises
    ValueError if `step` is 0 or leads away from `end`."""
    start, end = (0, start) if end is None else (start, end)
    start, end, step = (as_number("arange", n, x) for n, x in (("start", start), ("end", end), ("step", step)))
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"arange: step {step} does not lead from {start} to {end}")
    if all(isinstance(n, int) for n in (start, end, step)):  # exact wherever it is made
        wanted = int64 if dtype is None else as_dtype(dtype)
        array = create_on(device, "arange", start, end, step, dtype=int64).astype(wanted, copy=False)
        return Tensor(array, requires_grad)
    return from_host(cpu.arange(start, end, step), float_dtype(dtype), device, requires_grad)


def set_default_dtype(dtype: Any) -> None:
    """Make `dtype` (float16, float32 or float64) the dtype of tensors made from Python floats. Raises TypeError for
    anything but a float dtype."""
    dtype = as_dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(f"set_default_dtype: expected float16, float32 or float64, got {dtype}")
    arrays.DEFAULT.dtype = dtype


def get_default_device() -> Device:
    """Where tensors are created when no device is given: the CPU unless `set_default_device` was called."""
    return arrays.DEFAULT.device


def set_default_device(device: Any) -> None:
    """Make `device` the one where creation functions, and so new modules, put their tensors; None is the CPU again.

    What follows another tensor or array still has that one's device: `zeros_like(x)`, `x.new_zeros(3)`,
    `from_numpy(array)`. Raises ValueError for a device that lucid does not know. Whether there is such a GPU
    shows when it is first used."""
    arrays.DEFAULT.device = as_device("cpu" if device is None else device)


class UninitializedParameter(Parameter):
    """The Parameter of a lazy layer such as `nn.LazyLinear` until the layer's first call, which gives it its shape."""

    @property
    def shape(self) -> tuple[int, ...]:
        """A ValueError: there is none yet."""
        raise ValueError(
            "the parameter of a lazy layer has no shape before the layer's first call; run the model once, "
            "model(one_batch), and only then count, initialise, load or optimise its parameters"
        )

    def numel(self) -> int:
        """A ValueError, as `shape`."""
        return len(self.shape)

    def __repr__(self) -> str:
        return "UninitializedParameter()"
