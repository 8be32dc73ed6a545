"""What the functions of this package refuse, with what was wrong and what to do."""

from __future__ import annotations

from lucid.backend import cpu, device_of
from lucid.ops.checks import UNSIGNED as UNSIGNED
from lucid.ops.checks import check_integers as check_integers
from lucid.ops.checks import check_probability as check_probability
from lucid.ops.checks import check_range as check_range
from lucid.ops.checks import check_tensor as check_tensor
from lucid.tensor import Tensor

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(who: str, reduction: str) -> None:
    """Refuse a `reduction` that no loss has."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{who}: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def check_approximate(approximate: str) -> None:
    """Refuse a form that gelu does not have."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")


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


def check_labels(who: str, name: str, labels: Tensor, classes: int, ignore_index: int) -> bool:
    """Refuse a label that is neither a class nor `ignore_index`; whether none is known to be that. Of what lies on a
    GPU nothing is known at once."""
    array = labels._array
    on_cpu, elsewhere = device_of(array) == "cpu", not 0 <= ignore_index < classes
    # Read as unsigned, a negative number is a huge one: one look at the array instead of two.
    if on_cpu and elsewhere and (not array.size or cpu.max(array.view(UNSIGNED[array.itemsize])) < classes):
        return True
    check_range(who, name, labels, classes, "classes", ignore_index)
    return False


def check_smoothing(who: str, label_smoothing: float) -> None:
    """Refuse a `label_smoothing` that is no share."""
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{who}: label_smoothing is a share and must be in [0, 1], got {label_smoothing}")


def check_kl_reduction(who: str, reduction: str) -> None:
    """Refuse a `reduction` that kl_div does not have."""
    if reduction not in (*REDUCTIONS, "batchmean"):
        raise ValueError(f"{who}: reduction must be 'batchmean', 'mean', 'sum' or 'none', got {reduction!r}")
