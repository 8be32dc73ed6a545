"""Chapter 1, before the first page. What a device is called.

Devices are strings, `"cpu"` and `"cuda:0"`, so that they can be written, compared and printed as such. Programs for
PyTorch also ask them for their parts, `x.device.type == "cuda"`, which is all that is added here.
"""

from __future__ import annotations

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


def as_device(device: Any) -> Device:
    """The normal form of a device: `"cpu"`, or `"cuda:0"` for `"cuda"`, `"gpu"`, `"cuda:0"`.

    Raises:
        ValueError: for a device that lucid does not know.
    """
    return CPU if device is None else device if isinstance(device, Device) else Device(device)
