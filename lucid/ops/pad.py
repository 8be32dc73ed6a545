"""Padding: a number around a tensor, or more of the tensor itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from lucid.core.node import Tensor
from lucid.core.op import op
from lucid.core.promotion import as_number, ndim_of
from lucid.core.shapes import sizes
from lucid.ops.images import SparseMatrix, cached, resample
from lucid.ops.indexing import _getitem
from lucid.ops.shapes import squeeze, unsqueeze

__all__ = ["pad"]

# mode -> the place that stands in for place i of n, and how far beyond the edge that may be
MODES: dict[str, tuple[Callable[[int, int], int], Callable[[int], float]]] = {
    "reflect": (lambda i, n: n - 1 - abs(n - 1 - abs(i)), lambda n: n - 1),
    "replicate": (lambda i, n: min(max(i, 0), n - 1), lambda n: math.inf if n else 0),
    "circular": (lambda i, n: i % n, lambda n: n),
}


@op(x=lambda xp, g, x_shape, widths: xp.getitem(g, index=_middle(x_shape, widths)))
def _pad(xp, x, *, widths, value=0.0):
    """x with `widths[axis] = (before, after)` elements of `value` around it."""
    shape = tuple(before + n + after for n, (before, after) in zip(x.shape, widths, strict=True))
    out = xp.full(shape, value, dtype=x.dtype)
    out[_middle(x.shape, widths)] = x
    return out


def _middle(shape, widths):
    return tuple(slice(before, before + n) for n, (before, _) in zip(shape, widths, strict=True))


def pad(x: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """x with more around it: out[i] = x[i - left], and what `mode` says where x ends.

    Args:
        x: any tensor; in the modes other than "constant", (channels, *size) or (n, channels, *size).
        pad: (left, right) of the last dim, then of the one before, and so on; in the other modes for all of size.
            Negative numbers cut off.
        mode: "constant" puts `value` (0) there, "reflect" goes back from the edge without repeating it, "replicate"
            repeats the edge, "circular" begins again at the other end.

    Raises ValueError for another mode, an odd number of widths, or widths that do not go with the dims; where
    a reflection or a round would go on beyond the other edge.

    >>> from lucid import tensor
    >>> pad(tensor([[1, 2, 3]]), (2, 1), mode="reflect").tolist()
    [[3, 2, 1, 2, 3, 2]]
    """
    pad = sizes("pad", (pad,))
    if mode in MODES and value is None:
        return _pad_around(x, pad, mode)
    if mode != "constant":
        modes = f"'constant', {', '.join(map(repr, MODES))}, value with the first alone"
        raise ValueError(f"pad: expected mode {modes}; got {mode!r} and value={value}")
    if len(pad) % 2 or len(pad) > 2 * ndim_of("pad", x):
        raise ValueError(f"pad: expected a (before, after) pair for each of at most {x.ndim} dims, got {pad}")
    pairs = list(zip(pad[-2::-2], pad[::-2], strict=True))  # of the dims in their order
    widths = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    if any(n < 0 for pair in widths for n in pair):
        cut = []
        for n, (before, after) in zip(x.shape, widths, strict=True):
            if n + before + after < 0:
                raise ValueError(f"pad: {pad} cuts off more than shape {x.shape} has")
            cut.append(slice(max(0, -before), n - max(0, -after)))
        x = _getitem(x, index=tuple(cut))
        widths = [(max(0, before), max(0, after)) for before, after in widths]
    return _pad(x, widths=tuple(widths), value=0.0 if value is None else as_number("pad", "value", value))


def _pad_around(x: Tensor, pad: tuple[int, ...], mode: str) -> Tensor:
    dims, (_, most) = len(pad) // 2, MODES[mode]
    if len(pad) % 2 or ndim_of("pad", x) not in (dims + 1, dims + 2):
        pairs = "a (before, after) pair for each dim behind (n, channels) or (channels)"
        raise ValueError(f"pad: mode {mode!r} expects {pairs}, got {pad} for shape {x.shape}")
    if mode == "circular" and min(pad, default=0) < 0:
        raise ValueError(f"pad: mode 'circular' takes no negative numbers, got {pad}; cut off first, with x[..., 1:]")
    matrices = []
    for n, before, after in zip(x.shape[-dims:], pad[-2::-2], pad[::-2], strict=True):
        if max(before, after) > most(n) or n + before + after < 0:
            raise ValueError(f"pad: {pad} does not fit shape {x.shape} with mode {mode!r}: {n} places give {most(n)}")
        matrices.append(_around(mode, n, before, after))
    out = resample(x if x.ndim > dims + 1 else unsqueeze(x, 0), matrices=tuple(matrices))
    return out if x.ndim > dims + 1 else squeeze(out, 0)


@cached
def _around(mode: str, n: int, before: int, after: int) -> SparseMatrix:
    """Which of a dim's n places stands at each place of the padded one; kept, as is what it has on a GPU."""
    source, length = MODES[mode][0], n + before + after
    return SparseMatrix(length, n, [[(i, source(i - before, n), 1) for i in range(length)]])
