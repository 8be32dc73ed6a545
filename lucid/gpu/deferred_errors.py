"""Errors that a GPU finds, raised when the host next waits for it.

A GPU takes an index out of range silently and picks another element. A kernel that checks leaves a number
on the device; when the host waits anyway (`item()`, `numpy()`, `cpu()`), it becomes the error that the CPU
would have raised at once. A check is one launch, 8 us; reading the number takes 12 (an H200, CuPy 14.2).
"""

from __future__ import annotations

from itertools import count
from typing import Any

from lucid.core.array import Array

KERNEL = (
    "T value, int64 low, int64 high, int64 allowed, int32 number", "raw int32 first_failure",
    """long long index = value;
    if (!first_failure[0] && index != allowed && (index < low || index >= high)) first_failure[0] = number;""",
    "lucid_assert_in_range",
)  # fmt: skip
LATE = " (a GPU reports this only when the host waits for it: the call was one before this line)"
MANY = 4096  # messages that are kept between two reads
_number = count(1)


def assert_in_range(xp: Any, values: Array, low: int, high: int, error: Any, allowed: int | None = None) -> None:
    """An `error`, or an IndexError with this text, at the next wait for the GPU, if one of `values` is neither in
    [low, high) nor `allowed`."""
    if not values.size:
        return
    device = values.device.id
    xp.follow(values)
    if device not in xp.checks:
        xp.checks[device] = xp.module.ElementwiseKernel(*KERNEL), xp.zeros(1, dtype="int32"), {}
    kernel, failure, messages = xp.checks[device]
    number = next(_number) % 2**31 or next(_number)
    messages[number] = IndexError(error) if isinstance(error, str) else error
    if len(messages) > MANY:
        del messages[next(iter(messages))]
    kernel(values, low, high, low if allowed is None else allowed, number, failure)


def raise_pending(xp: Any) -> None:
    """Read what the kernels have found, now that the host waits; the error of a check that failed."""
    for device, (_, failure, messages) in xp.checks.items():
        if messages:
            pending = dict(messages)
            messages.clear()
            with xp.module.cuda.Device(device):
                if number := int(failure.get()[0]):
                    failure.fill(0)
                    error = pending.get(number, IndexError("an index is out of range"))
                    raise type(error)(f"{error}{LATE}")
