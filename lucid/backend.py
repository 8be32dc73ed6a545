"""Chapter 1. What an array is.

lucid computes with arrays of two libraries: NumPy's on the CPU and CuPy's on a GPU. This file is the only one that
knows them by name. It gives each a *namespace* (`cpu`, and `gpu()` once somebody asks for one): the same short list
of functions under the same names, with whatever the two libraries do differently settled here. Everything above is
written against a namespace called `xp`, so one formula serves both.

It also holds what belongs to arrays rather than to tensors: dtypes, devices and random numbers.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy
from numpy.exceptions import AxisError as AxisError

from lucid.devices import CPU, Device
from lucid.devices import as_device as as_device

# glibc gives the memory of large arrays back when they are freed, and the next are faulted in anew: 2 ms of the 7 of a
# transformer block's step. Once a block of almost 32 MB has come and gone it keeps as much for reuse (mallopt(3): the
# thresholds are dynamic); this one is never touched.
numpy.empty(2**25 - 2**16, numpy.uint8)

Array = Any  # numpy.ndarray or cupy.ndarray: the formulas do not care, and neither does this alias
ndarray = numpy.ndarray
DType = numpy.dtype

float16, float32, float64 = numpy.dtype("float16"), numpy.dtype("float32"), numpy.dtype("float64")
int8, int16, int32, int64 = (numpy.dtype(name) for name in ("int8", "int16", "int32", "int64"))
uint8, bool_ = numpy.dtype("uint8"), numpy.dtype("bool")

DTYPES = {str(dtype): dtype for dtype in (float16, float32, float64, int8, int16, int32, int64, uint8, bool_)}
_default = SimpleNamespace(dtype=float32)


def as_dtype(dtype: Any) -> DType:
    """The NumPy dtype meant by `lucid.float32`, `"float32"`, `numpy.float32`, `float`, `int` or `bool`.

    Python's `float` means the default dtype (float32), not NumPy's float64.

    Raises:
        TypeError: for a dtype that lucid has no tensors of, such as strings, objects or complex numbers.
    """
    if dtype is float:
        return _default.dtype
    try:
        found = DTYPES.get(str(numpy.dtype(dtype))) if dtype is not None else None
    except TypeError:
        found = None
    if found is None:
        raise TypeError(f"unknown dtype {dtype!r}; expected one of {', '.join(DTYPES)}")
    return found


def get_default_dtype() -> DType:
    """The dtype of tensors made from Python floats: float32 unless `set_default_dtype` was called."""
    return _default.dtype


def set_default_dtype(dtype: Any) -> None:
    """Make `dtype` (float16, float32 or float64) the dtype of tensors made from Python floats.

    Raises:
        TypeError: for anything but a float dtype.
    """
    dtype = as_dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(f"set_default_dtype: expected float16, float32 or float64, got {dtype}")
    _default.dtype = dtype


# The functions that both libraries spell alike. An operation may use these, the handful defined below, and every other
# operation by its name: `op` (chapter 2) adds each new one to the namespaces.
SHARED = """
    absolute add arange argsort asarray ascontiguousarray ceil concatenate copy copysign cos count_nonzero divide
    empty empty_like equal exp expm1 eye finfo floor floor_divide fmin full full_like greater greater_equal isfinite
    isinf isnan less less_equal log log1p log2 log10 logical_not matmul maximum minimum multiply negative nonzero
    not_equal ones ones_like power remainder rint sign sin sqrt subtract take_along_axis tan tanh tril triu trunc
    where zeros zeros_like
""".split()


class Namespace(SimpleNamespace):
    """One array library's functions under the names that lucid uses; `xp` in every forward and formula."""

    name: str

    def __getattr__(self, missing: str) -> Any:  # only reached when the name is not there
        raise AttributeError(
            f"xp.{missing}: not in lucid's array namespace; use another operation's name, or add it to backend.SHARED"
        )

    def __repr__(self) -> str:
        return f"<lucid namespace {self.name}>"


def _numpy_namespace() -> Namespace:
    xp = Namespace(name="numpy", **{name: getattr(numpy, name) for name in SHARED})
    xp.abs = numpy.absolute
    xp.sum, xp.max, xp.min = _sum, _max, _min
    xp.broadcast_to = _broadcast_to
    xp.add_at = numpy.add.at
    xp.quiet = partial(numpy.errstate, all="ignore")
    xp.one, xp.diagonal = _one, _diagonal
    xp.linalg, xp.strict = numpy.linalg, nullcontext  # numpy.linalg raises LinAlgError by itself
    xp.as_strided = lambda x, shape, strides: ndarray(shape, x.dtype, x, 0, strides)  # of x without gaps
    return xp


# ufunc.reduce is what numpy.sum and numpy.max end in: calling it directly is twice as fast on small arrays. Along a
# short last axis (the classes of a classifier) it pays some 35 ns a row whatever the row's length; a product with ones,
# and a maximum over the transposed copy, do not: on 128 x 10, 1.4 us for 4.4 and 3.2 us for 6.9. Down the rows of a
# matrix (the gradient of every bias) a product with ones is faster as well: 1.9 us for 4.8 on 128 x 128.
_SHORT, _MANY = 32, 32
_EXACT = 256  # up to that many terms the product's sums are as exact as NumPy's by pairs: 4 us for 19 on 512 x 64
_add: Any = numpy.add.reduce
_maximum: Any = numpy.maximum.reduce
_minimum: Any = numpy.minimum.reduce
_ones: dict[Any, Array] = {}


def _sum(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    if axis is not None and x.ndim > 1 and x.dtype.char in "fd":
        if axis == 0 and x.ndim == 2 and not keepdims:
            return _ones_of(x.shape[0], x.dtype) @ x
        if (axis == -1 or axis == x.ndim - 1) and x.shape[-1] <= _EXACT:
            total = x @ _ones_of(x.shape[-1], x.dtype)
            return total[..., None] if keepdims else total
    return _add(x, axis, None, None, keepdims)


def _ones_of(n: int, dtype: DType) -> Array:
    ones = _ones.get((n, dtype))
    if ones is None:
        if len(_ones) > 256:
            _ones.clear()
        ones = _ones.setdefault((n, dtype), numpy.ones(n, dtype))
    return ones


def _max(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    if (axis == -1 or axis == x.ndim - 1) and x.ndim > 1 and 0 < (n := x.shape[-1]) <= _SHORT and x.size >= _MANY * n:
        top = _maximum(x.reshape(-1, n).T.copy(), 0).reshape(x.shape[:-1])
        return top[..., None] if keepdims else top
    return _maximum(x, axis, None, None, keepdims)


def _min(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    return _minimum(x, axis, None, None, keepdims)


def _one(x: Array) -> Array:
    """The number 1 in the shape and dtype of `x`, one element: where a walk back starts."""
    if x.ndim:
        return numpy.ones(x.shape, x.dtype)
    one = _ones.get(x.dtype)
    if one is None:
        one = _ones.setdefault(x.dtype, numpy.ones((), x.dtype))
        one.flags.writeable = False
    return one


def _broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """numpy.broadcast_to, nine times faster where `x` is one number (the gradient of every full sum)."""
    if x.size == 1 and type(x) is ndarray and x.ndim <= len(shape):
        view = ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
        view.flags.writeable = False
        return view
    return numpy.broadcast_to(x, shape)


def _diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """numpy.diagonal as a view that can be written to, if x can."""
    view = x.diagonal(offset, axis1, axis2)
    view.flags.writeable = x.flags.writeable
    return view


# -- devices ---------------------------------------------------------------------------------------------------------

_gpu: Namespace | None = None
_INSTALL = 'pip install "cupy-cuda12x[ctk]>=14" (or cuda13x, after the CUDA version that nvidia-smi shows)'


def gpu() -> Namespace:
    """CuPy's namespace; the first call imports CuPy.

    Raises:
        RuntimeError: if CuPy is not installed, or finds no GPU to work with.
    """
    global _gpu
    if _gpu is None:
        try:
            import cupy
            import cupyx
            from cupyx.scipy.special import erf
        except ImportError as error:
            raise RuntimeError(f"device 'cuda' needs CuPy, which is not installed here; {_INSTALL}") from error
        try:
            count = cupy.cuda.runtime.getDeviceCount()
        except Exception as error:
            raise RuntimeError(f"device 'cuda': CuPy finds no usable GPU ({error}); use device='cpu'") from error
        if not count:
            raise RuntimeError("device 'cuda': no GPU on this machine; use device='cpu'")
        xp = Namespace(name="cupy", **{name: getattr(cupy, name) for name in SHARED if hasattr(cupy, name)})
        xp.abs, xp.sum, xp.max, xp.min = cupy.absolute, cupy.sum, cupy.max, cupy.min
        xp.broadcast_to, xp.erf, xp.add_at = cupy.broadcast_to, erf, cupy.add.at
        xp.quiet = nullcontext  # a GPU raises no floating-point warnings
        xp.one, xp.as_strided = cupy.ones_like, cupy.lib.stride_tricks.as_strided
        xp.diagonal, xp.linalg, xp.strict = cupy.diagonal, cupy.linalg, partial(cupyx.errstate, linalg="raise")
        xp.module = cupy
        _gpu = xp
        for name, forward in _extra.items():
            _install(xp, name, forward)
    return _gpu


def namespace(array: Array) -> Namespace:
    """The namespace that `array` belongs to."""
    return cpu if isinstance(array, (ndarray, numpy.generic)) else gpu()


def is_array(value: Any) -> bool:
    """Whether `value` is an array of either library."""
    return isinstance(value, ndarray) or (_gpu is not None and isinstance(value, _gpu.module.ndarray))


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
        return array.get()
    cupy, index = gpu().module, int(wanted[5:])
    if index >= (count := cupy.cuda.runtime.getDeviceCount()):
        raise RuntimeError(f"device {wanted!r}: this machine has {count} GPU(s), numbered from 0")
    with cupy.cuda.Device(index):
        return cupy.asarray(array)


def to_numpy(array: Array) -> ndarray:
    """`array` as a NumPy array: itself on the CPU, a copy from a GPU."""
    return to_device(array, "cpu")


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
    if device is None and not isinstance(data, ndarray):
        return data.astype(wanted, copy=True)  # stays on its GPU
    return to_device(numpy.array(to_numpy(data), dtype=wanted, order="C"), device)


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


# -- operations join the namespaces ----------------------------------------------------------------------------------

_extra: dict[str, Any] = {}


def register(name: str, forward: Any) -> None:
    """Make an operation's forward callable as `xp.name(...)` in every namespace that has no `name` of its own."""
    _extra[name] = forward
    for xp in (cpu, _gpu):
        if xp is not None:
            _install(xp, name, forward)


def _install(xp: Namespace, name: str, forward: Any) -> None:
    own = vars(xp).get(name)
    if own is None or getattr(own, "_lucid", False):  # a library's own function is at least as fast: keep it
        found = partial(forward, xp)
        found._lucid = True  # type: ignore[attr-defined]
        setattr(xp, name, found)


# -- random numbers --------------------------------------------------------------------------------------------------

_generator: numpy.random.Generator | None = None  # made when first asked for: loading numpy.random takes 13 ms


def generator() -> numpy.random.Generator:
    """The one generator that every random number in lucid is drawn from, on the host whatever the device."""
    global _generator
    if _generator is None:
        _generator = numpy.random.default_rng()
    return _generator


def manual_seed(seed: int) -> None:
    """Start the random generator anew from `seed`: the same program then draws the same numbers, on every device.

    Raises:
        TypeError: if `seed` is not an int.
        ValueError: if `seed` is negative.
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"manual_seed: expected an int, got {seed!r}")
    if seed < 0:
        raise ValueError(f"manual_seed: expected a seed of 0 or more, got {seed}")
    bits = generator().bit_generator
    bits.state = type(bits)(int(seed)).state


def get_rng_state() -> dict[str, Any]:
    """The random generator's state as nested dicts of plain values, to be given to `set_rng_state` later."""
    return generator().bit_generator.state  # type: ignore[return-value]


def set_rng_state(state: dict[str, Any]) -> None:
    """Continue the stream of random numbers from where `get_rng_state` was called.

    Raises:
        ValueError: if `state` is not such a state.
    """
    try:
        generator().bit_generator.state = state
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"set_rng_state: expected what get_rng_state() returned, got {state!r}") from error


cpu = _numpy_namespace()
