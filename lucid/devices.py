"""Chapter 1, before the first page. What a device is called.

Devices are strings, `"cpu"` and `"cuda:0"`, so that they can be written, compared and printed as such. Programs for
PyTorch also ask them for their parts, `x.device.type == "cuda"`, which is all that is added here.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


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
_default = SimpleNamespace(device=CPU)


def get_default_device() -> Device:
    """Where tensors are made when nobody says where: the CPU unless `set_default_device` was called."""
    return _default.device


def set_default_device(device: Any) -> None:
    """Make `device` the one where creation functions, and so new modules, put their tensors.

    What follows something that has a device already still does: `zeros_like(x)`, `x.new_zeros(3)`, `from_numpy(array)`.
    None means the CPU again.

    Raises:
        ValueError: for a device that lucid does not know. Whether there is such a GPU shows when it is first used.
    """
    _default.device = CPU if device is None else as_device(device)


def as_device(device: Any) -> Device:
    """The normal form of a device: `"cpu"`, or `"cuda:0"` for `"cuda"`, `"gpu"`, `"cuda:0"`; None is the default one.

    Raises:
        ValueError: for a device that lucid does not know.
    """
    return _default.device if device is None else device if isinstance(device, Device) else Device(device)
