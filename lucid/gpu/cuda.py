"""The GPU as a device: whether there is one, synchronisation, and memory statistics, with PyTorch's names.

Work on a GPU is queued: an operation returns as soon as its kernel is in the queue, and the host waits only where it
needs a number, in `item()`, `tolist()`, `numpy()` and `cpu()`. Memory that tensors release stays in CuPy's pool.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from lucid.core.array import Device, as_device
from lucid.gpu import namespace
from lucid.gpu.deferred_errors import raise_pending
from lucid.gpu.namespace import gpu, on

__all__ = [
    "current_accelerator", "device_count", "empty_cache", "get_device_name", "is_available", "max_memory_allocated",
    "memory_allocated", "memory_reserved", "reset_peak_memory_stats", "synchronize",
]  # fmt: skip

_allocations: Any = None  # CuPy's memory hook that counts, from the first call of max_memory_allocated on


def is_available() -> bool:
    """Whether CuPy is installed and finds a GPU."""
    try:
        gpu()
    except RuntimeError:
        return False
    return True


def current_accelerator(check_available: bool = False) -> Device | None:
    """The GPU as a device, "cuda:0"; None where there is none."""
    return as_device("cuda") if is_available() else None


def device_count() -> int:
    """How many GPUs there are; 0 where CuPy is not installed."""
    return gpu().devices if is_available() else 0


def get_device_name(device: Any = "cuda") -> str:
    """The name of a GPU, such as "NVIDIA H200"; a RuntimeError if there is no such GPU."""
    with _on("get_device_name", device) as current:
        name = gpu().module.cuda.runtime.getDeviceProperties(int(current))["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def synchronize(device: Any = "cuda") -> None:
    """Wait until a GPU has done everything that was queued. To be called around what is timed.

    Raises:
        RuntimeError: if there is no such GPU.
        IndexError: if an operation since the last synchronisation was given an index out of range.
    """
    with _on("synchronize", device) as current:
        current.synchronize()
    raise_pending(gpu())


def memory_allocated(device: Any = "cuda") -> int:
    """The bytes that tensors (and other CuPy arrays) hold on a GPU."""
    with _on("memory_allocated", device):
        return int(gpu().module.get_default_memory_pool().used_bytes())


def memory_reserved(device: Any = "cuda") -> int:
    """The bytes that the memory pool has from a GPU, held by tensors or kept for the next ones."""
    with _on("memory_reserved", device):
        return int(gpu().module.get_default_memory_pool().total_bytes())


def max_memory_allocated(device: Any = "cuda") -> int:
    """The most bytes that tensors held at one time since `reset_peak_memory_stats`, which the first call calls itself.

    From then on every allocation is counted, which takes 1 to 2 us each; nothing is counted before.
    """
    with _on("max_memory_allocated", device) as current:
        if _allocations is None:
            reset_peak_memory_stats(device)
        return int(_allocations.peak.setdefault(int(current), memory_allocated(device)))


def reset_peak_memory_stats(device: Any = "cuda") -> None:
    """Start `max_memory_allocated` again, from what is held now."""
    global _allocations
    with _on("reset_peak_memory_stats", device) as current:
        _allocations = _allocations or _count_allocations(gpu().module)
        _allocations.held[int(current)] = _allocations.peak[int(current)] = memory_allocated(device)


def _count_allocations(cupy: Any) -> Any:
    """CuPy's memory hook, counting until the program ends: the bytes `held` on each GPU, and the `peak` of them."""

    class Counting(cupy.cuda.MemoryHook):  # type: ignore[misc]
        name = "lucid"
        held, peak = Counter[int](), Counter[int]()

        def malloc_postprocess(self, *, device_id: int, mem_size: int, **rest: Any) -> None:
            self.held[device_id] += mem_size
            self.peak[device_id] = max(self.held[device_id], self.peak[device_id])

        def free_postprocess(self, *, device_id: int, mem_size: int, **rest: Any) -> None:
            self.held[device_id] -= mem_size

    hook = Counting()
    hook.__enter__()
    return hook


def empty_cache() -> None:
    """Give back to the GPU, and so to other programs, what the memory pool keeps and no tensor holds."""
    if namespace.loaded is not None:
        namespace.loaded.module.get_default_memory_pool().free_all_blocks()


def _on(caller: str, device: Any) -> Any:
    """The context of the device, which has to be a GPU."""
    if (wanted := as_device(device)) == "cpu":
        raise ValueError(f"lucid.cuda.{caller}: expected a GPU, 'cuda' or 'cuda:N', got 'cpu'")
    return on(wanted)
