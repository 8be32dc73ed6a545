"""The stand-in's arrays: a NumPy array that nobody gets at by accident, the device it lies on, and what things cost."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.exceptions import AxisError

# Who passes on what somebody else asked for: an upload by lucid.tensor() is its caller's.
PASSED = (
    "stand_in/*", "core/array.py", "core/tensor.py", "core/op.py", "ops/create.py",
    "ops/tensor_methods.py", "ops/random.py", "ops/refusals.py", "gpu/namespace.py", "gpu/deferred_errors.py", "<*",
)  # fmt: skip
TESTS = Path(__file__).parents[2]
SCALARS = (bool, int, float, np.generic)
counts: Counter[str] = Counter()  # "uploads", "syncs", "launches"
current = SimpleNamespace(device=0, devices=1)


def note(kind: str) -> None:
    """Count an upload or a wait, with the line that caused it."""
    frame = sys._getframe(1)
    while frame is not None and any(Path(frame.f_code.co_filename).match(pattern) for pattern in PASSED):
        frame = frame.f_back  # type: ignore[assignment]
    path = Path(frame.f_code.co_filename)
    file = path.relative_to(TESTS.parent).as_posix() if path.is_relative_to(TESTS) else path.name
    counts[kind] += 1
    counts[f"{kind} at {file}:{frame.f_lineno}"] += 1


class Trap(AssertionError):
    """What a GPU would have done without a word."""


@contextlib.contextmanager
def counted() -> Iterator[Counter[str]]:
    """The counts of what happens inside."""
    before = Counter(counts)
    found: Counter[str] = Counter()
    yield found
    found.update({key: n - before[key] for key, n in counts.items() if n != before[key]})


def host(value: Any, where: str) -> Any:
    """The NumPy array behind `value`, or a plain scalar; refuses what CuPy would refuse, or upload unasked."""
    if isinstance(value, ndarray):
        if value.device.id != current.device:
            raise Trap(f"{where}: an array on device {value.device.id} while the current device is {current.device}")
        return value._a
    if isinstance(value, SCALARS) or value is None:
        return value
    raise TypeError(f"{where}: unsupported type {type(value)}")


def wrap(result: Any, *sources: ndarray) -> Any:
    """What NumPy gave, as CuPy would give it: always arrays; views know whose memory they show."""
    if isinstance(result, tuple):
        named = hasattr(result, "_fields")
        parts = [wrap(part, *sources) for part in result]
        return type(result)(*parts) if named else tuple(parts)
    if not isinstance(result, (np.ndarray, np.generic)):
        return result
    array = np.asarray(result)
    for source in sources:
        shared = array.base is not None and (not array.size or np.may_share_memory(array, source._a))
        if source._a is array or shared:
            if not array.flags.writeable:  # NumPy makes some views so; CuPy has no such thing
                array = np.asarray(_Writable(array))
            return ndarray._of(array, source.device.id, source if source.base is None else source.base)
    return ndarray._of(array, current.device, None)


class _Writable:
    """The memory of an array, to be written to whatever the array says."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        found = array.__array_interface__
        self.__array_interface__ = {**found, "data": (found["data"][0], False), "strides": array.strides}


def index_of(index: Any, shape: tuple[int, ...], writing: bool) -> Any:
    """An index as NumPy takes it, once it is seen to be one that a GPU would have taken as meant."""
    parts = index if isinstance(index, tuple) else (index,)
    found = []
    for part in parts:
        if isinstance(part, ndarray):
            part = host(part, "index")
            if part.dtype == bool and not writing:
                note("syncs")  # how many there are must be known
        elif not (part is None or part is Ellipsis or isinstance(part, slice) or hasattr(part, "__index__")):
            raise TypeError(f"an index of the host, {type(part)}, would be uploaded")
        found.append(part)
    with np.errstate(all="ignore"):
        try:
            np.empty(shape, np.bool_)[tuple(found)]
        except IndexError as error:
            if any(isinstance(part, np.ndarray) and part.dtype != bool for part in found):
                raise Trap(f"an index out of range, which wraps around on a GPU: {error}") from None
            raise
    return tuple(found)


class Flags:
    """CuPy's have these three."""

    def __init__(self, array: np.ndarray, owned: bool) -> None:
        self.c_contiguous, self.f_contiguous, self.owndata = array.flags.c_contiguous, array.flags.f_contiguous, owned


class Device:
    """`cupy.cuda.Device`: a context manager under which things are made on it."""

    def __init__(self, device: int | None = None) -> None:
        self.id = current.device if device is None else int(device)
        if not 0 <= self.id < current.devices:
            raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        self._before: list[int] = []

    def __enter__(self) -> Device:
        self._before.append(current.device)
        current.device = self.id
        return self

    def __exit__(self, *error: object) -> None:
        current.device = self._before.pop()

    def use(self) -> None:
        current.device = self.id

    def synchronize(self) -> None:
        note("syncs")

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    __hash__ = None  # type: ignore[assignment]
    mem_info = property(lambda self: (2**33, 2**34))


class ndarray:
    """`cupy.ndarray`."""

    __slots__ = ("_a", "_base", "_device", "__weakref__")
    __array_ufunc__ = None  # NumPy's own functions do not take it: real CuPy's would, and hide who called them
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None, order: str = "C"
    ) -> None:
        self._a, self._base, self._device = np.empty(shape, dtype), None, current.device

    @classmethod
    def _of(cls, array: np.ndarray, device: int, base: ndarray | None) -> ndarray:
        made = cls.__new__(cls)
        made._a, made._base, made._device = array, base, device
        return made

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    shape = property(lambda self: self._a.shape)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    dtype = property(lambda self: self._a.dtype)
    itemsize = property(lambda self: self._a.itemsize)
    nbytes = property(lambda self: self._a.nbytes)
    strides = property(lambda self: self._a.strides)
    base = property(lambda self: self._base)
    device = property(lambda self: Device(self._device))
    flags = property(lambda self: Flags(self._a, self._base is None))
    data = property(lambda self: SimpleNamespace(ptr=self._a.__array_interface__["data"][0], mem=self))
    T = property(lambda self: wrap(self._a.T, self))

    # -- waiting for the device --

    def _sync(self, what: str) -> np.ndarray:
        note("syncs")
        return self._a

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        return self._sync("get").copy()

    def item(self) -> Any:
        return self._sync("item").item()

    def tolist(self) -> Any:
        return self._sync("tolist").tolist()

    def tobytes(self) -> bytes:
        return self._sync("tobytes").tobytes()

    def __bool__(self) -> bool:
        return bool(self._sync("bool"))

    def __int__(self) -> int:
        return int(self._sync("int"))

    def __float__(self) -> float:
        return float(self._sync("float"))

    def __repr__(self) -> str:
        return repr(self._sync("repr"))

    def nonzero(self) -> Any:
        return wrap(self._sync("nonzero").nonzero())

    # -- elements --

    def __len__(self) -> int:
        return len(self._a)

    def __iter__(self) -> Iterator[ndarray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self._a)))

    def __getitem__(self, index: Any) -> ndarray:
        parts = index_of(index, self.shape, writing=False)
        if any(isinstance(part, np.ndarray) for part in parts):
            counts["launches"] += 1
        return wrap(np.asarray(self._a[parts]), self)

    def __setitem__(self, index: Any, value: Any) -> None:
        parts = index_of(index, self.shape, writing=True)
        counts["launches"] += 1
        self._a[parts] = value = host(value, "setitem")
        if any(isinstance(part, np.ndarray) and part.dtype != bool for part in parts):
            places, other_way = np.arange(self._a.size).reshape(self._a.shape)[parts], self._a.copy()
            other_way.flat[places.ravel()[::-1]] = np.broadcast_to(value, places.shape).ravel()[::-1]
            if not np.array_equal(other_way, self._a, equal_nan=self._a.dtype.kind == "f"):
                raise Trap("a place written to twice: which value stays is undefined on a GPU")

    def fill(self, value: Any) -> None:
        counts["launches"] += 1
        self._a.fill(host(value, "fill"))

    def set(self, array: np.ndarray, stream: Any = None) -> None:
        note("uploads")
        self._a[...] = array

    # -- views, for nothing --

    def view(self, dtype: Any = None) -> ndarray:
        return wrap(self._a.view() if dtype is None else self._a.view(dtype), self)

    def reshape(self, *shape: Any, order: str = "C", copy: Any = None) -> ndarray:
        assert order == "C"
        made = self._a.reshape(*shape)
        if not np.may_share_memory(made, self._a):
            counts["launches"] += 1
        return wrap(made, self)

    def ravel(self, order: str = "C") -> ndarray:
        return self.reshape(-1)

    def transpose(self, *axes: Any) -> ndarray:
        return wrap(self._a.transpose(*axes), self)

    def swapaxes(self, axis1: int, axis2: int) -> ndarray:
        return wrap(self._a.swapaxes(axis1, axis2), self)

    def squeeze(self, axis: Any = None) -> ndarray:
        return wrap(self._a.squeeze(axis), self)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> ndarray:
        view = self._a.diagonal(offset, axis1, axis2)
        view.flags.writeable = True  # NumPy's is not, CuPy's always is
        return wrap(view, self)

    # -- kernels --

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: bool = True
    ) -> ndarray:
        if not copy and self.dtype == np.dtype(dtype):
            return self
        counts["launches"] += 1
        with np.errstate(all="ignore"):
            return wrap(self._a.astype(dtype, order=order))

    def __dlpack_device__(self) -> Any:
        return (2, self._device)  # kDLCUDA


METHODS = {  # those with the signature of NumPy's, and the keywords that CuPy's have
    "all": "axis out keepdims", "any": "axis out keepdims", "argmax": "axis out dtype keepdims",
    "argmin": "axis out dtype keepdims", "argsort": "axis kind", "clip": "min max out", "copy": "order",
    "cumprod": "axis dtype out", "cumsum": "axis dtype out", "flatten": "order", "max": "axis out keepdims",
    "mean": "axis dtype out keepdims", "min": "axis out keepdims", "prod": "axis dtype out keepdims",
    "repeat": "repeats axis", "sum": "axis dtype out keepdims", "take": "indices axis out",
}  # fmt: skip


def _method(name: str, keywords: str) -> Callable[..., Any]:
    known = set(keywords.split())

    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        if unknown := kwargs.keys() - known:
            raise TypeError(f"cupy.ndarray.{name} has no keyword {sorted(unknown)}")
        if name == "argsort" and kwargs.get("kind") not in (None, "stable"):
            raise ValueError("argsort: kind can only be None or 'stable'")
        host(self, name)
        axis = kwargs.get(
            "axis", args[0] if args and name not in ("clip", "copy", "flatten", "repeat", "take") else None
        )
        if (
            not self.ndim
            and axis not in (None, ())
            and name not in ("argmax", "argmin", "argsort", "cumsum", "cumprod")
        ):
            raise AxisError(axis, 0)  # NumPy takes 0 and -1
        counts["launches"] += 1
        with np.errstate(all="ignore"):
            kwargs = {
                key: value if key in ("axis", "dtype", "order") else host(value, name) for key, value in kwargs.items()
            }
            return wrap(np.asarray(getattr(self._a, name)(*args, **kwargs)))

    return method


def _operator(name: str) -> Callable[..., Any]:
    def operator(self: ndarray, *other: Any) -> Any:
        if other and not isinstance(other[0], (ndarray, *SCALARS)):
            if isinstance(other[0], np.ndarray):
                raise TypeError(f"ndarray.{name}: unsupported type {type(other[0])}")
            return NotImplemented
        a, b = host(self, name), [host(x, name) for x in other]
        counts["launches"] += 1
        with np.errstate(all="ignore"):
            result = getattr(a, name)(*b)
        return result if result is NotImplemented else self if result is a else wrap(result)

    return operator


for _name, _keywords in METHODS.items():
    setattr(ndarray, _name, _method(_name, _keywords))
for _name in "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split():
    for _prefix in ("", "r", "i"):
        if _prefix + _name != "imatmul":  # CuPy has none: a @= b binds a anew
            setattr(ndarray, f"__{_prefix}{_name}__", _operator(f"__{_prefix}{_name}__"))
for _name in "lt le gt ge eq ne neg pos abs invert".split():
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
