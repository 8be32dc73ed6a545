"""What the functions of this package refuse, with what was wrong and what to do."""

from __future__ import annotations

from lucid.backend import Array, cpu, device_of, within
from lucid.operands import called
from lucid.tensor import Tensor

REDUCTIONS = ("mean", "sum", "none")
UNSIGNED = {size: cpu.zeros(0, dtype=f"u{size}").dtype for size in (1, 2, 4, 8)}


def check_reduction(who: str, reduction: str) -> None:
    """Refuse a `reduction` that no loss has."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{who}: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def check_approximate(approximate: str) -> None:
    """Refuse a form that gelu does not have."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")


def check_probability(who: str, p: float) -> None:
    """Refuse a `p` that is no probability."""
    if not 0 <= p <= 1:
        raise ValueError(f"{who}: p is a probability and must be in [0, 1], got {p}")


def check_pair(who: str, input: Tensor, target: Tensor, reduction: str) -> None:
    """Refuse an input and a target that are not Tensors of one shape, and an unknown `reduction`."""
    if reduction not in REDUCTIONS:
        check_reduction(who, reduction)
    check_tensor(who, "target", target)
    check_tensor(who, "input", input)
    if input._array.shape != target._array.shape:
        raise ValueError(
            f"{who}: input has shape {tuple(input.shape)} but target {tuple(target.shape)}; make them equal, "
            "with reshape, unsqueeze or expand (broadcasting here is nearly always a mistake)"
        )


def check_tensor(who: str, name: str, value: object) -> None:
    """Refuse what is not a Tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{who}: {name} must be a Tensor, got {called(value)}; use lucid.tensor(...)")


def check_integers(who: str, name: str, indices: Tensor) -> None:
    """Refuse what is not a Tensor of integers."""
    check_tensor(who, name, indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"{who}: {name} must hold integers, got {indices.dtype}; convert it with .long()")


def check_range(who: str, name: str, indices: Tensor, count: int, of: str) -> None:
    """Refuse an index that is not one of 0 to count - 1 (NumPy wraps below 0); on a GPU when it is next waited for."""
    array = indices._array
    _refuse(who, name, array, count, of) if device_of(array) == "cpu" else _refuse_late(who, name, array, count, of)


def _refuse(who: str, name: str, array: Array, count: int, of: str) -> None:
    # Read as unsigned, a negative number is a huge one: one look at the array instead of two.
    if array.size and cpu.max(array.view(UNSIGNED[array.itemsize])) >= count:
        found = min(cpu.min(array), 0) or cpu.max(array)
        raise IndexError(
            f"{who}: {name} holds {found}, but there are {count} {of}, numbered from 0; "
            f"expected 0 to {count - 1}: correct {name}, or make room for more {of}"
        )


def _refuse_late(who: str, name: str, array: Array, count: int, of: str, spared: int | None = None) -> None:
    told = f"{who}: {name} holds a number that is not one of the {count} {of}, 0 to {count - 1}"
    within(array, 0, count, told, spared)


def check_labels(who: str, name: str, labels: Tensor, classes: int, ignore_index: int) -> bool:
    """Refuse a label that is neither a class nor `ignore_index`; whether none is known to be that. Of what lies on a
    GPU nothing is known at once."""
    array = labels._array
    if device_of(array) != "cpu":
        _refuse_late(who, name, array, classes, "classes", ignore_index)
        return False
    elsewhere = not 0 <= ignore_index < classes
    if elsewhere and (not array.size or cpu.max(array.view(UNSIGNED[array.itemsize])) < classes):  # see _refuse
        return True
    _refuse(who, name, array[array != ignore_index], classes, "classes")
    return False


def check_smoothing(who: str, label_smoothing: float) -> None:
    """Refuse a `label_smoothing` that is no share."""
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{who}: label_smoothing is a share and must be in [0, 1], got {label_smoothing}")


def check_kl_reduction(who: str, reduction: str) -> None:
    """Refuse a `reduction` that kl_div does not have."""
    if reduction not in (*REDUCTIONS, "batchmean"):
        raise ValueError(f"{who}: reduction must be 'batchmean', 'mean', 'sum' or 'none', got {reduction!r}")
