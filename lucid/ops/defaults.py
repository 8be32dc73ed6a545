"""The dtype and the device of tensors that are created without naming one."""

from __future__ import annotations

from typing import Any

from lucid.core.array import CPU, DEFAULT, Device, as_device, as_dtype

__all__ = ["get_default_device", "set_default_device", "set_default_dtype"]


def set_default_dtype(dtype: Any) -> None:
    """Make `dtype` (float16, float32 or float64) the dtype of tensors made from Python floats.

    Raises:
        TypeError: for anything but a float dtype.
    """
    dtype = as_dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(f"set_default_dtype: expected float16, float32 or float64, got {dtype}")
    DEFAULT.dtype = dtype


def get_default_device() -> Device:
    """Where tensors are created when no device is given: the CPU unless `set_default_device` was called."""
    return DEFAULT.device


def set_default_device(device: Any) -> None:
    """Make `device` the one where creation functions, and so new modules, put their tensors; None is the CPU again.

    What follows another tensor or array still has that one's device: `zeros_like(x)`, `x.new_zeros(3)`,
    `from_numpy(array)`.

    Raises:
        ValueError: for a device that lucid does not know. Whether there is such a GPU shows when it is first used.
    """
    DEFAULT.device = CPU if device is None else as_device(device)
