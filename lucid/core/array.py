"""What an array is: dtypes, devices, and `xp`, the namespace of an array library.

lucid computes with the arrays of two libraries, NumPy's on the CPU and another's on a GPU. A *namespace* is one
library's functions under one list of names, with whatever the libraries do differently settled. Operations and their
vjps are written against a namespace called `xp`, so one text serves both. NumPy's is here; lucid/gpu adds the other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from contextvars import Context
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy
from numpy.exceptions import AxisError as AxisError

Array = Any  # numpy.ndarray, or another library's array: vjps do not care, and neither does this alias
ndarray = numpy.ndarray
DType = numpy.dtype

float16, float32, float64 = numpy.dtype("float16"), numpy.dtype("float32"), numpy.dtype("float64")
int8, int16, int32, int64 = (numpy.dtype(name) for name in ("int8", "int16", "int32", "int64"))
uint8, bool_ = numpy.dtype("uint8"), numpy.dtype("bool")
DTYPES = {str(dtype): dtype for dtype in (float16, float32, float64, int8, int16, int32, int64, uint8, bool_)}
_KNOWN = frozenset(DTYPES.values())
NO_NUMBERS = "{}cannot make a tensor of {} values such as {}; expected numbers or bools, in this machine's byte order"


def as_dtype(dtype: Any) -> DType:
    """The NumPy dtype meant by `lucid.float32`, `"float32"`, `numpy.float32`, `float`, `int` or `bool`.

    Python's `float` means the default dtype (float32), not NumPy's float64.

    Raises:
        TypeError: for a dtype that lucid has no tensors of, such as strings, objects or complex numbers.
    """
    if dtype is float:
        return DEFAULT.dtype
    try:
        known = DTYPES.get(str(numpy.dtype(dtype))) if dtype is not None else None
    except TypeError:
        known = None
    if known is None:
        raise TypeError(f"unknown dtype {dtype!r}; expected one of {', '.join(DTYPES)}")
    return known


class Device(str):
    """The name of a device, `"cpu"` or `"cuda:N"`: a string in all respects, with its two parts as attributes.

    `Device("cuda")`, `Device("gpu")` and `Device("cuda", 0)` are `"cuda:0"`. Naming a GPU does not look for it.

    Raises:
        ValueError: for a device that lucid does not know.
    """

    __slots__ = ()

    def __new__(cls, type: str, index: int | None = None) -> Device:
        """The normal form of the name."""
        name = str(type) if index is None else f"{type}:{index}"
        kind, _, number = name.partition(":")
        if name != "cpu":
            if kind not in ("cuda", "gpu") or not (number or "0").isdecimal():
                raise ValueError(f"unknown device {name!r}; expected 'cpu', 'cuda' or 'cuda:N'")
            name = f"cuda:{int(number or 0)}"
        return super().__new__(cls, name)

    @property
    def type(self) -> str:
        """`"cpu"` or `"cuda"`."""
        return self.partition(":")[0]

    @property
    def index(self) -> int | None:  # type: ignore[override]
        """The GPU's number; None for the CPU."""
        return int(self[5:]) if self != "cpu" else None


CPU = Device("cpu")
DEFAULT = SimpleNamespace(dtype=float32, device=CPU)


def as_device(device: Any) -> Device:
    """The normal form of a device: `"cpu"`, or `"cuda:0"` for `"cuda"`, `"gpu"`, `"cuda:0"`; None is the default one.

    Raises:
        ValueError: for a device that lucid does not know.
    """
    return DEFAULT.device if device is None else device if isinstance(device, Device) else Device(device)


def get_default_dtype() -> DType:
    """The dtype of tensors made from Python floats: float32 unless `set_default_dtype` was called."""
    return DEFAULT.dtype


# The functions that the libraries spell alike. An operation may use these, the handful defined below, and every other
# operation by its name: `op` adds each one to the namespaces.
SHARED_FUNCTIONS = """
    absolute acos acosh add arange argsort asarray ascontiguousarray asin asinh atan atan2 atanh ceil concatenate copy
    copysign cos cosh count_nonzero divide dot empty empty_like equal exp exp2 expm1 eye finfo floor floor_divide fmin
    fmod full full_like greater greater_equal hypot isfinite isinf isnan less less_equal log log1p log2 log10
    logaddexp logical_and logical_not logical_or logical_xor matmul maximum may_share_memory minimum multiply negative
    nonzero not_equal ones ones_like power remainder rint searchsorted sign sin sinh sort sqrt subtract
    take_along_axis tan tanh tril triu trunc unique where zeros zeros_like
""".split()


class Namespace(SimpleNamespace):
    """One array library's functions under the names that lucid uses: `xp` in every forward and vjp.

    The methods say what differs from device to device; these are NumPy's answers, which lucid/gpu overrides.
    """

    name: str

    def forward(self, op: Any) -> Callable[..., Array]:
        """What computes an operation on arrays of this library: its forward."""
        return op.forward

    def vjp(self, op: Any) -> Callable[..., Any]:
        """What computes an operation's vector-Jacobian products on arrays of this library."""
        return op.vjp

    def follow(self, array: Array) -> Namespace:
        """This namespace, with the device of `array` made the current one."""
        return self

    def quick_operands(self, op: Any, operands: Any) -> Any:
        """A shortcut for `promote_operands`, or None where it does not apply."""
        return None

    def add_at(self, out: Array, index: Any, x: Array) -> None:
        """out[index] += x, with what is named twice added twice; half precision adds up in single."""
        wide = out.astype("float32") if out.dtype.char == "e" else out
        self.add.at(wide, index, x)
        if wide is not out:
            out[...] = wide

    def memory_error(self, error: MemoryError) -> str:
        """What is left of the device's memory, for an error's text; "" where nothing is known of that."""
        return ""

    def __getattr__(self, missing: str) -> Any:  # only reached when the name is not there
        raise AttributeError(
            f"xp.{missing}: not in lucid's array namespace; use another operation's name, or add it to SHARED_FUNCTIONS"
        )

    def __repr__(self) -> str:
        return f"<lucid namespace {self.name}>"


_forwards: dict[str, Any] = {}  # operation -> its forward
NAMESPACES: list[Namespace] = []  # those loaded; NumPy's is always the first


def register_namespace(xp: Namespace) -> Namespace:
    """Give a namespace all operations, those so far and those to come."""
    NAMESPACES.append(xp)
    for name, forward in _forwards.items():
        _install(xp, name, forward)
    return xp


def register_forward(name: str, forward: Any) -> None:
    """Make an operation's forward callable as `xp.name(...)` in every namespace that has no `name` of its own."""
    _forwards[name] = forward
    for xp in NAMESPACES:
        _install(xp, name, forward)


def _install(xp: Namespace, name: str, forward: Any) -> None:
    own = vars(xp).get(name)
    if own is None or getattr(own, "is_forward", False):  # a library's own function is at least as fast: keep it
        bound = partial(forward, xp)
        bound.is_forward = True  # type: ignore[attr-defined]
        setattr(xp, name, bound)


_errors = Context()  # a context in which NumPy ignores errors: it has one variable, which says so
_errors.run(numpy.errstate(all="ignore").__enter__)
((_ON_ERROR, _IGNORE),) = _errors.items()


class _Quiet:
    """numpy.errstate(all="ignore"), in half the time."""

    __slots__ = ("before",)

    def __enter__(self) -> None:
        self.before = _ON_ERROR.set(_IGNORE)

    def __exit__(self, *error: object) -> None:
        _ON_ERROR.reset(self.before)


cpu = Namespace(
    name="numpy",
    array=ndarray,
    **{name: getattr(numpy, name) for name in SHARED_FUNCTIONS},
    # ops/numpy_speed.py replaces some of these by faster ones.
    **{name: getattr(numpy, name) for name in ("abs", "sum", "max", "min", "broadcast_to", "diagonal", "linalg")},
    one=numpy.ones_like,
    scalar=numpy.asarray,
    linspace=numpy.linspace,
    from_dlpack=numpy.from_dlpack,
    quiet=_Quiet,
    strict=nullcontext,  # numpy.linalg raises LinAlgError by itself
    as_strided=lambda x, shape, strides: ndarray(shape, x.dtype, x, 0, strides),  # of x without gaps
)
register_namespace(cpu)


# -- arrays of any library: where they are, how they are made, and how they get elsewhere ------------------------------

# A kind of device, or (module, name) of an array type -> its namespace.
LOADERS: dict[Any, Callable[[], Namespace]] = {}


def _library(kind: type) -> Namespace | None:
    """The namespace whose arrays are of this type; None if there is none."""
    for xp in NAMESPACES:
        if issubclass(kind, xp.array):
            return xp
    load = LOADERS.get((kind.__module__, kind.__name__))  # arrays of a library that only others have loaded so far
    return load() if load is not None else None


def namespace(array: Array) -> Namespace:
    """The namespace that `array` belongs to. That of a GPU works on the array's device from here on."""
    if isinstance(array, (ndarray, numpy.generic)):
        return cpu
    xp = _library(type(array))
    if xp is None:
        raise TypeError(f"expected an array, got {type(array).__name__}")
    return xp.follow(array)


def is_array(value: Any) -> bool:
    """Whether `value` is an array that lucid can compute with."""
    return isinstance(value, ndarray) or _library(type(value)) is not None


def is_scalar(value: Any) -> bool:
    """Whether `value` is a NumPy scalar, such as what `array[0]` or `numpy.mean(...)` gives."""
    return isinstance(value, numpy.generic)


def storage_of(array: Any) -> Any:
    """The array whose memory `array` shows: itself, or what it is a view of."""
    while (base := array.base) is not None:
        if not is_array(base) and not is_array(base := getattr(base, "base", None)):  # as_strided puts one between
            break
        array = base
    return array


def extent_of(array: Array) -> tuple[int, int]:
    """The addresses where the memory of `array` begins and ends, whatever owns it: a buffer, say, or a file."""
    start = array.__array_interface__["data"][0] if isinstance(array, ndarray) else array.data.ptr
    if not array.size:
        return start, start
    reach = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    return start + sum(x for x in reach if x < 0), start + sum(x for x in reach if x > 0) + array.itemsize


def overlap(a: Array, b: Array) -> bool:
    """Whether two arrays show one storage, or memory that overlaps in another way."""
    (start, end), (other, other_end) = extent_of(a), extent_of(b)
    return storage_of(a) is storage_of(b) or (start < other_end and other < end)


def is_writable(array: Array) -> bool:
    """Whether elements can be changed one by one. Not every library has read-only arrays, but each has views that show
    one element in many places."""
    if type(array) is ndarray:
        return array.flags.writeable
    return not array.size or all(n == 1 or step for n, step in zip(array.shape, array.strides, strict=True))


def device_of(array: Array) -> Device:
    """Where `array` is: `"cpu"` or `"cuda:N"`."""
    if isinstance(array, (ndarray, numpy.generic)):
        return CPU
    return namespace(array).device_of(array)


def on_device(device: Device) -> Namespace:
    """The namespace for a device that is not the CPU.

    Raises:
        RuntimeError: if there is no such GPU.
    """
    return LOADERS[device.type]()


def to_device(array: Array, device: Any) -> Array:
    """`array` on `device`; the array itself where it is there already.

    Raises:
        RuntimeError: if there is no such GPU.
    """
    wanted = as_device(device)
    if wanted == device_of(array):
        return array
    return namespace(array).to_host(array) if wanted == "cpu" else on_device(wanted).to_device(array, wanted)


def create_on(device: Any, function: str, *args: Any, **options: Any) -> Array:
    """What a function of the device's namespace creates: `create_on("cuda", "zeros", (2, 3), dtype=float32)`."""
    wanted = as_device(device)
    if wanted == "cpu":
        return getattr(cpu, function)(*args, **options)
    return on_device(wanted).create(wanted, function, *args, **options)


def to_numpy(array: Array) -> ndarray:
    """`array` as a NumPy array: itself on the CPU, a copy from a GPU."""
    return to_device(array, "cpu")


def text_of(array: Array, prefix: str) -> str:
    """The numbers of `array` as people read them: 4 digits, and only the corners of what is large."""
    return numpy.array2string(
        to_numpy(array), precision=4, separator=", ", prefix=prefix, threshold=1000, edgeitems=3, suppress_small=None
    )


def as_array(data: Any, caller: str = "", shared: bool = False) -> Array:
    """`data` as an array that lucid can compute with: every array that users give comes in by this door.

    An array of one of lucid's dtypes is itself; of what is no array `from_data` makes one. What a subclass adds, such
    as the `*` of numpy.matrix, is left behind, and bytes in foreign order are turned round, in a copy. A TypeError for
    dtypes that lucid has not, and for masks; if the memory must be `shared`, also where only a copy would do.
    """
    data = data if type(data) is ndarray else _plain(data)
    if type(data) is not ndarray and not is_array(data):
        return from_data(data, None, caller=caller)
    if data.dtype not in _KNOWN:
        native = DTYPES.get(str(data.dtype.newbyteorder("=")))
        if native is None or shared:
            hint = "" if native is None else "; lucid.tensor(...) makes a copy in that order"
            raise TypeError(NO_NUMBERS.format(f"{caller}: " * bool(caller), data.dtype, short(data)) + hint)
        data = data.astype(native)
    return data


def _plain(data: Any) -> Any:
    """A NumPy scalar, or an array of a subclass, as an array of NumPy's own class; anything else as it is."""
    if type(data) is ndarray or not isinstance(data, (ndarray, numpy.generic)):
        return data
    if hasattr(data, "mask"):
        raise TypeError(f"expected an array without a mask, got {short(data)}; fill it, array.filled(0), say")
    return numpy.asarray(data)


def from_data(data: Any, dtype: DType | None, device: Any = None, caller: str = "") -> Array:
    """A new array of nested lists, numbers or arrays: Python floats become the default dtype, arrays keep theirs.

    Without a `device`, an array of a GPU stays there, and all else goes to the default device.

    Raises:
        ValueError: for ragged nested lists.
        TypeError: for strings, objects and other things that are not numbers.
    """
    data = _plain(data)
    if not is_array(data):
        has_dtype = hasattr(data, "__array__")
        try:
            data = numpy.asarray(_without_tensors(data))
        except ValueError as error:
            text = f"expected nested lists that form a full rectangle, got {short(data)} ({error})"
            raise ValueError(f"{caller}{': ' * bool(caller)}{text}") from None
        if dtype is None and not has_dtype and (data.dtype.kind == "f" or not data.size):
            dtype = DEFAULT.dtype
    native = data.dtype.newbyteorder("=")
    if native.kind not in "biuf" or (dtype is None and str(native) not in DTYPES):  # uint32 can be cast, if asked to
        raise TypeError(NO_NUMBERS.format(f"{caller}: " * bool(caller), native, short(data)))
    wanted = native if dtype is None else dtype
    target = as_device(device)
    if not data.ndim and target != "cpu" and isinstance(data, ndarray):  # a number is an argument of the kernel
        return create_on(target, "full", (), data.item(), dtype=wanted)
    if device is None and not isinstance(data, ndarray):
        return data.astype(wanted, copy=True)  # stays on its GPU
    return to_device(numpy.array(to_numpy(data), dtype=wanted, order="C"), target)


def _without_tensors(data: Any) -> Any:
    """Nested sequences with NumPy arrays in place of the tensors that they hold."""
    if isinstance(data, (list, tuple)):
        return [_without_tensors(item) for item in data]
    return to_numpy(data._array) if hasattr(data, "_array") else _plain(data) if isinstance(data, ndarray) else data


def short(value: Any) -> str:
    """The beginning of a value's repr."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."
