"""What do the functions of `lucid.ops` refuse before they compute?

NumPy would broadcast, wrap an index around or give NaN without a word. For any file of `ops` or `nn`: `check_integers`,
`check_count`, `check_probability`, `check_range` (indices of rows or classes) and, behind it, `check_within` (any
range, any text). The first argument, `caller`, is the public name that the error begins with.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from lucid.core.array import Array, cpu, device_of, namespace, ndarray
from lucid.core.node import Tensor
from lucid.core.promotion import as_int, as_number

UNSIGNED = {size: cpu.zeros(0, dtype=f"u{size}").dtype for size in (1, 2, 4, 8)}  # bytes -> dtype


def check_integers(caller: str, name: str, indices: Tensor) -> None:
    """Refuse a Tensor that does not hold integers."""
    if indices.dtype.kind not in "iu":
        raise TypeError(f"{caller}: {name} must hold integers, got {indices.dtype}; convert it with .long()")


def check_count(caller: str, name: str, value: int, least: int = 0) -> int:
    """`value`, if it can be a number of things, and of at least so many."""
    if not least <= (count := as_int(caller, name, value)) < 2**63:
        bound = f"{least} or more" if count < least else "below 2**63"
        raise ValueError(f"{caller}: {name} must be {bound}, got {count}")
    return count


def as_float(caller: str, name: str, value: Any) -> float:
    """`value`, if it is a number, as a float."""
    return float(as_number(caller, name, value))


def check_probability(caller: str, p: float) -> None:
    """Refuse a `p` outside of [0, 1]."""
    if not 0 <= p <= 1:
        raise ValueError(f"{caller}: p is a probability and must be in [0, 1], got {p}")


def check_absent(caller: str, **options: object) -> None:
    """Refuse options of PyTorch's that lucid does not have, unless they are off."""
    for name, value in options.items():
        if value:
            raise ValueError(f"{caller}: {name} is an option of PyTorch's that lucid does not have; leave it out")


# Options of PyTorch's that lucid has not or has not everywhere -> the values with which they change nothing.
NEUTRAL: dict[str, tuple[Any, ...] | None] = {
    # The same steps computed in another way, and threads, which start in a tenth of a millisecond.
    **dict.fromkeys(("foreach", "fused", "capturable", "persistent_workers"), (None, False, True)),
    **dict.fromkeys("""differentiable maximize sparse scale_grad_by_freq add_bias_kv add_zero_attn antialias verbose
        mmap decoupled_weight_decay fast_mode device dtype generator kdim vdim size_average reduce max_norm out
        pickle_module multiprocessing_context""".split(), (None, False)),
    "proj_size": (None, 0), "last_epoch": (-1,), "in_order": (True,), "pin_memory_device": (None, ""),
    **dict.fromkeys("force layout memory_format non_blocking pin_memory".split()),  # None: all of them
}  # fmt: skip


def without_neutral(options: Mapping[str, Any], known: Collection[str] = ()) -> dict[str, Any]:
    """`options` without those that are not `known` and have a neutral value."""
    given = [(name, value, NEUTRAL[name]) for name, value in options.items() if name in NEUTRAL]
    neutral = {name for name, value, idle in given if idle is None or any(value is x for x in idle)}
    return {name: value for name, value in options.items() if name in known or name not in neutral}


def check_range(caller: str, name: str, indices: Tensor, count: int, of: str, ignored: int | None = None) -> None:
    """Refuse an index that is not one of 0 to `count` - 1 and not `ignored`; `of` says what is counted ("classes")."""
    check_within(
        indices._array, count,
        f"{caller}: {name} holds {{}}, but there are {count} {of}, numbered from 0; expected 0 to {count - 1}: "
        f"correct {name}, or make room for more {of}",
        f"{caller}: {name} holds a number that is not one of the {count} {of}, 0 to {count - 1}", ignored,
    )  # fmt: skip


def check_within(indices: Array, count: int, text: str, late_text: str, ignored: int | None = None) -> None:
    """Refuse integers that are not in [0, count) (NumPy would count those below 0 from the end, a GPU wrap
    around). The IndexError comes on the CPU at once, with the number in the place of {} in `text`; on a GPU
    when it is next waited for, with `late_text`."""
    if device_of(indices) != "cpu":
        namespace(indices).assert_in_range(indices, 0, count, late_text, ignored)
    # Read as unsigned, a negative number is a huge one: one look at the array instead of two.
    elif indices.size and cpu.max(indices.view(UNSIGNED[indices.itemsize])) >= count:
        outside = indices if ignored is None else indices[indices != ignored]
        if outside.size and (odd := min(cpu.min(outside), 0) or cpu.max(outside)) not in range(count):
            raise IndexError(text.format(odd))


def known_within(values: Array, low: float, high: float) -> bool:
    """Whether an array, or a Tensor, is known to lie between two bounds. Of a GPU's nothing is, as that would wait: the
    way that is taken without knowing must be right everywhere, and may be slower."""
    array: Array = getattr(values, "_array", values)
    if array.ndim and array.size and type(array) is ndarray:
        return bool(cpu.max(array) < high and (low == -math.inf or low < cpu.min(array)))
    return not array.size or (device_of(array) == "cpu" and bool(low < array < high))
