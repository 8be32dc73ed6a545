"""Sequences of several lengths in one tensor."""

from __future__ import annotations

from collections.abc import Iterable

from lucid.core.node import Tensor
from lucid.core.promotion import ndim_of
from lucid.ops.pad import pad
from lucid.ops.shapes import stack

__all__ = ["pad_sequence"]


def pad_sequence(
    sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Tensors (length, ...) in one (longest, batch, ...), with `padding_value` behind those that are shorter, or before
    them if `padding_side` is "left"; (batch, longest, ...) if `batch_first`. A ValueError for no sequences, for some
    that differ in other dims than the first, and for another side.

    >>> from lucid import arange
    >>> pad_sequence([arange(3), arange(1)], batch_first=True, padding_value=-1).tolist()
    [[0, 1, 2], [0, -1, -1]]
    """
    sequences = list(sequences)
    if padding_side not in ("left", "right"):
        raise ValueError(f"pad_sequence: padding_side must be 'left' or 'right', got {padding_side!r}")
    if not all(ndim_of("pad_sequence", x) for x in sequences) or len({x.shape[1:] for x in sequences}) != 1:
        shapes = ", ".join(str(x.shape) for x in sequences) or "none"
        raise ValueError(f"pad_sequence: expected sequences (length, ...) alike behind the length, got {shapes}")
    longest, rest = max(x.shape[0] for x in sequences), (0, 0) * (sequences[0].ndim - 1)
    ends = [(0, longest - x.shape[0])[:: 1 if padding_side == "right" else -1] for x in sequences]
    padded = [pad(x, (*rest, *end), value=padding_value) for x, end in zip(sequences, ends, strict=True)]
    return stack(padded, 0 if batch_first else 1)
