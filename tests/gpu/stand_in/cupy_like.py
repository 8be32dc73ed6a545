"""The stand-in's modules: every function that CuPy has and NumPy has as well, with CuPy's names and keywords."""

from __future__ import annotations

import types
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.gpu import cuda_on_cpu

from .arrays import Device, counts, current, host, ndarray, note, wrap

KNOWN = dict(line.split(" ", 1) for line in (Path(__file__).parent / "cupy-14.2.txt").read_text().splitlines())
VIEWS = {"broadcast_to", "swapaxes", "transpose", "reshape", "moveaxis", "expand_dims", "squeeze", "diagonal",
         "as_strided"}
FREE = {"empty", "empty_like"}  # memory, and no kernel
# and other ufuncs, which lucid has no use for
AT = {"add": "int32 int64 float16 float32 float64 uint32 uint64".split(),
      "maximum": "int32 float32 float64 uint32 uint64".split()}


def unwrapped(value: Any, where: str) -> Any:
    """Arguments as NumPy takes them; sequences of arrays (of concatenate, say) are looked into."""
    if isinstance(value, (list, tuple)) and any(isinstance(part, ndarray) for part in value):
        return type(value)(host(part, where) for part in value)
    if isinstance(value, (list, tuple, str, slice, np.dtype, type, types.EllipsisType)):
        return value  # an axis, a shape, a dtype
    return host(value, where)


class ufunc:
    """`cupy.ufunc`."""

    def __init__(self, name: str, function: np.ufunc) -> None:
        self.__name__, self.function, self.nin, self.nout = name, function, function.nin, function.nout

    def __call__(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        if unknown := kwargs.keys() - {"dtype", "casting"}:
            raise TypeError(f"cupy.{self.__name__}: wrong arguments {sorted(unknown)}")
        given = [host(x, f"cupy.{self.__name__}") for x in args]
        counts["launches"] += 1
        with np.errstate(all="ignore"):
            if out is not None:
                self.function(*given, out=host(out, self.__name__), **kwargs)
                return out
            return wrap(self.function(*given, **kwargs))

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        if a.dtype.name not in AT.get(self.__name__, ()):
            raise TypeError(f"cupy.{self.__name__}.at: not for {a.dtype}")
        counts["launches"] += 1
        parts = indices if isinstance(indices, tuple) else (indices,)
        found = tuple(host(p, "at") if isinstance(p, (ndarray, np.ndarray)) else p for p in parts)
        self.function.at(host(a, "at"), found, host(b, "at"))


def _function(path: str, function: Any, parameters: str) -> Any:
    """NumPy's function under CuPy's signature."""
    name = path.rpartition(".")[2]
    known = {p.lstrip("*") for p in parameters.split()}
    loose = "of unknown parameters" in parameters or any(p.startswith("**") for p in parameters.split())

    def call(*args: Any, **kwargs: Any) -> Any:
        if not loose and (unknown := kwargs.keys() - known):
            raise TypeError(f"{path}() got an unexpected keyword argument {sorted(unknown)}")
        if name in ("nonzero", "argwhere", "flatnonzero", "unique"):
            note("syncs")
        sources = [x for x in (*args, *kwargs.values()) if isinstance(x, ndarray)]
        given = [unwrapped(x, path) for x in args]
        named = {key: unwrapped(value, path) for key, value in kwargs.items()}
        with np.errstate(all="ignore"):
            made = function(*given, **named)
        if name in VIEWS:
            return wrap(made, *sources)
        counts["launches"] += name not in FREE
        return kwargs["out"] if kwargs.get("out") is not None else wrap(made)

    call.__name__ = name
    return call


def array(obj: Any, dtype: Any = None, copy: bool = True, order: str = "K", **rest: Any) -> ndarray:
    """An upload, unless it lies on a device already."""
    if isinstance(obj, ndarray) and obj.device.id != current.device:  # across devices it is a copy
        return wrap(np.array(obj._a, dtype))
    if isinstance(obj, ndarray):
        return obj.astype(obj.dtype if dtype is None else dtype, copy=copy)
    note("uploads")
    return wrap(np.array(obj, dtype, order="C" if order == "K" else order))


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False) -> ndarray:
    return array(a, dtype, copy=bool(copy))


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    made = asarray(a, dtype)
    return made if made.flags.c_contiguous else made.copy()


def copyto(dst: ndarray, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    counts["launches"] += 1
    np.copyto(host(dst, "copyto"), host(src, "copyto"), casting=casting)  # type: ignore[arg-type]


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> np.ndarray:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def from_dlpack(source: Any, **options: Any) -> ndarray:
    assert isinstance(source, ndarray)
    return source.view()


def _checked(function: Any) -> Any:
    """A function of linear algebra: under errstate(linalg="raise"), CuPy looks at what the device says went wrong."""

    def call(*args: Any, **kwargs: Any) -> Any:
        counts["launches"] += 1
        if errors.linalg == "raise":
            note("syncs")
        elif errors.linalg is None and function.__name__ in ("cholesky", "inv", "solve"):
            raise RuntimeError("cupyx.errstate: linalg is None; set it to 'ignore' or 'raise'")
        return wrap(function(*[host(x, "linalg") for x in args], **kwargs))

    return call


class _Launching:
    """Kernels of one's own: the system's C++ compiler takes their text."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if cuda_on_cpu.COMPILER is None:
            pytest.skip(cuda_on_cpu.MISSING)
        super().__init__(*args, **kwargs)

    def __call__(self, *args: Any) -> Any:
        counts["launches"] += 1
        for given in args if not isinstance(args[-1], tuple) else args[-1]:
            if isinstance(given, ndarray):
                host(given, self.name)  # type: ignore[attr-defined]
        return super().__call__(*args)  # type: ignore[misc]


class ElementwiseKernel(_Launching, cuda_on_cpu.ElementwiseKernel):
    """`cupy.ElementwiseKernel`."""

    @staticmethod
    def empty(shape: tuple[int, ...], dtype: str) -> ndarray:
        return wrap(np.empty(shape, dtype))


class RawKernel(_Launching, cuda_on_cpu.RawKernel):
    """`cupy.RawKernel`."""


errors = SimpleNamespace(linalg=None)


class errstate:
    """`cupyx.errstate`, of which only `linalg` matters."""

    def __init__(self, *, linalg: Any = None) -> None:
        self.wanted = linalg

    def __enter__(self) -> None:
        self.before, errors.linalg = errors.linalg, self.wanted

    def __exit__(self, *error: object) -> None:
        errors.linalg = self.before


def _memory() -> SimpleNamespace:
    return SimpleNamespace(used_bytes=lambda: 0, total_bytes=lambda: 0, free_all_blocks=lambda: None)


def modules(gpus: int) -> dict[str, ModuleType]:
    """A fresh set, by name."""
    current.device, current.devices = 0, gpus
    made = {name: ModuleType(name) for name in ("cupy", "cupy.linalg", "cupyx", "cupyx.scipy", "cupyx.scipy.special")}
    cupy, linalg, cupyx, special = (made[n] for n in ("cupy", "cupy.linalg", "cupyx", "cupyx.scipy.special"))
    own = {f.__name__: f for f in (array, asarray, ascontiguousarray, copyto, asnumpy, from_dlpack)}
    for path, kind in KNOWN.items():
        where, _, name = path.rpartition(".")
        if where == "cupy":
            theirs = getattr(np, name, None)
            if name in own:
                cupy.__dict__[name] = own[name]
            elif isinstance(theirs, np.ufunc):
                cupy.__dict__[name] = ufunc(name, theirs)
            elif kind.startswith("function") and callable(theirs):
                cupy.__dict__[name] = _function(path, theirs, kind)
            elif theirs is not None:
                cupy.__dict__[name] = theirs  # a constant, a dtype
        elif where == "cupy.linalg" and callable(getattr(np.linalg, name, None)):
            linalg.__dict__[name] = _checked(getattr(np.linalg, name))
    cupy.ndarray, cupy.linalg, cupy.ufunc, cupy.generic = ndarray, linalg, ufunc, np.generic
    cupy.ElementwiseKernel, cupy.RawKernel = ElementwiseKernel, RawKernel
    stride_tricks = SimpleNamespace(
        as_strided=_function("cupy.lib.stride_tricks.as_strided", np.lib.stride_tricks.as_strided, "x shape strides")
    )
    cupy.lib = SimpleNamespace(stride_tricks=stride_tricks)
    runtime = SimpleNamespace(getDeviceCount=lambda: current.devices, CUDARuntimeError=RuntimeError)
    cupy.cuda = SimpleNamespace(
        Device=Device, runtime=runtime,
        memory=SimpleNamespace(OutOfMemoryError=type("OutOfMemoryError", (MemoryError,), {})),
        Stream=SimpleNamespace(null=SimpleNamespace(synchronize=lambda: None)), get_current_stream=lambda: None,
    )  # fmt: skip
    cupy.get_default_memory_pool = _memory
    cupyx.errstate, cupyx.scipy = errstate, made["cupyx.scipy"]
    special.erf = ufunc("erf", _erf)
    return made


def _erf_ufunc() -> Any:
    import math

    function = np.vectorize(math.erf, otypes=[float])

    class Erf:
        nin, nout = 1, 1

        def __call__(self, x: Any, out: Any = None) -> Any:
            made = function(x).astype(x.dtype) if np.size(x) else np.empty_like(x)
            if out is None:
                return made
            out[...] = made
            return out

    return Erf()


_erf = _erf_ufunc()
