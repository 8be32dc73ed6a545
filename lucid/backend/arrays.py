"""Chapter 1, continued. Arrays of either library: where they lie, how they are made, and how they get elsewhere."""

from __future__ import annotations

from typing import Any

import numpy

from lucid.backend import late, on_cupy
from lucid.backend.dtypes import DTYPES, Array, DType, _default, ndarray
from lucid.backend.namespaces import Namespace
from lucid.backend.on_cupy import gpu
from lucid.backend.on_numpy import cpu
from lucid.devices import CPU, Device, as_device


def namespace(array: Array) -> Namespace:
    """The namespace that `array` belongs to. That of a GPU works on the array's device from here on."""
    return cpu if isinstance(array, (ndarray, numpy.generic)) else on_cupy.follow(array)


def is_array(value: Any) -> bool:
    """Whether `value` is an array of either library."""
    if isinstance(value, ndarray):
        return True
    if (xp := on_cupy.loaded()) is not None:
        return isinstance(value, xp.module.ndarray)
    kind = type(value)  # CuPy may have been loaded by others
    return (kind.__module__, kind.__name__) == ("cupy", "ndarray") and isinstance(value, gpu().module.ndarray)


def is_scalar(value: Any) -> bool:
    """Whether `value` is a NumPy scalar, such as what `array[0]` or `numpy.mean(...)` gives."""
    return isinstance(value, numpy.generic)


def device_of(array: Array) -> Device:
    """Where `array` lies: `"cpu"` or `"cuda:N"`."""
    return CPU if isinstance(array, (ndarray, numpy.generic)) else Device("cuda", array.device.id)


def to_device(array: Array, device: Any) -> Array:
    """`array` on `device`; the array itself where it lies there already.

    Raises:
        RuntimeError: if there is no such GPU.
    """
    wanted = as_device(device)
    if wanted == device_of(array):
        return array
    if wanted == "cpu":
        late.look()
        return array.get()
    with on_cupy.on(wanted), on_cupy.telling():
        return gpu().module.asarray(array)


def made_on(device: Any, function: str, *args: Any, **options: Any) -> Array:
    """What a function of the device's namespace makes there: `made_on("cuda", "zeros", (2, 3), dtype=float32)`."""
    wanted = as_device(device)
    if wanted == "cpu":
        return getattr(cpu, function)(*args, **options)
    with on_cupy.on(wanted), on_cupy.telling():
        return getattr(gpu(), function)(*args, **options)


def to_numpy(array: Array) -> ndarray:
    """`array` as a NumPy array: itself on the CPU, a copy from a GPU."""
    return to_device(array, "cpu")


def to_list(array: Array) -> Any:
    """`array` as nested lists of Python numbers; of one without dims, the number."""
    if type(array) is not ndarray:
        late.look()
    return array.tolist()


def text_of(array: Array, prefix: str) -> str:
    """The numbers of `array` as people read them: 4 digits, and only the corners of what is large."""
    host = to_numpy(array)
    return numpy.array2string(
        host, precision=4, separator=", ", prefix=prefix, threshold=1000, edgeitems=3, suppress_small=None
    )


def as_array(data: Any) -> Array:
    """`data` as an array: itself if it is one, a 0-d one for a NumPy scalar, else what `from_data` makes of it."""
    if isinstance(data, numpy.generic) and data.dtype.kind in "biuf":
        return numpy.asarray(data)
    return data if is_array(data) else from_data(data, None)


def from_data(data: Any, dtype: DType | None, device: Any = None) -> Array:
    """A new array of nested lists, numbers or arrays: Python floats become the default dtype, arrays keep theirs.

    Without a `device`, what lies on a GPU stays there, and all else goes to the default device.

    Raises:
        ValueError: for ragged nested lists.
        TypeError: for strings, objects and other things that are not numbers.
    """
    if not is_array(data):
        keeps = isinstance(data, numpy.generic) or hasattr(data, "__array__")
        try:
            data = numpy.array(_plain(data))
        except ValueError as error:
            raise ValueError(
                f"expected nested lists that form a full rectangle, got {_short(data)} ({error})"
            ) from None
        if dtype is None and not keeps and (data.dtype.kind == "f" or not data.size):
            dtype = _default.dtype
    native = data.dtype.newbyteorder("=")
    if native.kind not in "biuf" or (dtype is None and str(native) not in DTYPES):  # uint32 can be cast, if asked to
        raise TypeError(f"cannot make a tensor of {native} values such as {_short(data)}; expected numbers or bools")
    wanted = native if dtype is None else dtype
    place = as_device(device)
    if not data.ndim and place != "cpu" and isinstance(data, ndarray):  # a number goes along with the kernel
        return made_on(place, "full", (), data.item(), dtype=wanted)
    if device is None and not isinstance(data, ndarray):
        return data.astype(wanted, copy=True)  # stays on its GPU
    return to_device(numpy.array(to_numpy(data), dtype=wanted, order="C"), place)


def linspace(start: float, end: float, steps: int) -> Array:
    """`steps` float64 numbers from `start` to `end`, evenly apart, on the host."""
    return numpy.linspace(start, end, steps)


def from_dlpack(source: Any) -> Array:
    """An array that shares the memory of a DLPack producer, on the device where that lies."""
    on_cpu = source.__dlpack_device__()[0] in (1, 3)  # kDLCPU, kDLCUDAHost
    return numpy.from_dlpack(source) if on_cpu else gpu().module.from_dlpack(source)


def _plain(data: Any) -> Any:
    """Nested sequences with the arrays of whatever tensors they hold."""
    if isinstance(data, (list, tuple)):
        return [_plain(part) for part in data]
    return to_numpy(data._array) if hasattr(data, "_array") else data


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
