"""Chapter 1, continued. Dtypes: NumPy's, also for what lies on a GPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy

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
