"""Chapter 3l. Pooling and resizing: images, (N, C, *size), with more or fewer places than they had.

The largest element of every window is one thing: which one it is depends on the numbers. Everything else here, be it an
average over windows or an interpolation, multiplies each dim by a fixed matrix that has a few entries a row. A `Mix` is
such a matrix, `resample` the product with it, and the gradient is the product with the transposed one: an operation
that is its own adjoint.
"""

import math
from functools import cached_property
from itertools import pairwise
from typing import Any

from lucid.backend import cpu, device_of
from lucid.op import op
from lucid.ops.images import batch_first, batch_last
from lucid.ops.reductions import half_in_single
from lucid.ops.special import BITS

# -- the largest of every window -------------------------------------------------------------------------------------


@op(x=lambda xp, g, x, out, grid: xp.to_maxima(g, x, out, grid=grid))
def max_pool(xp, x, *, grid):
    """The largest element of every window, NaN if it has one: (N, C, *size) gives (N, C, *out). The gradient goes to
    the first of equals, and of NaNs."""
    image, meetings = batch_last(xp, x), grid.meetings
    if grid.whole:
        best = image[meetings[0][2]].copy()
        meetings = meetings[1:]
    else:
        best = xp.full((image.shape[0], *grid.out, image.shape[-1]), _lowest(x.dtype), dtype=x.dtype)
    for _, windows, places in meetings:
        part = best[windows]
        xp.maximum(part, image[places], out=part)
    return batch_first(best)


def _lowest(dtype):
    if dtype.kind == "f":
        return -math.inf
    return -(2 ** (8 * dtype.itemsize - 1)) if dtype.kind == "i" else 0


# Each y goes through its window, element by element, and stays at the first that does not fall short of the maximum. It
# is carried as the integer that its bits spell: that times 1 or 0 is it or nothing, even if it is infinite.
@op(y=lambda xp, g, x, top, grid: _read(xp, g, xp.find_maxima(x, top, grid=grid)))
def to_maxima(xp, y, x, top, *, grid):
    """y, (N, C, *out), put down where the maxima `top` of the windows of x are, and added up: (N, C, *size)."""
    image, top, bits = batch_last(xp, x), _reached(xp, top), BITS[y.dtype.char]
    found, carried = xp.zeros(image.shape, dtype=y.dtype), batch_last(xp, y).view(bits)

    def leave(there, part):
        if grid.apart:
            found.view(bits)[there] = part
        else:
            found[there] += part.view(y.dtype)

    if grid.whole:
        *others, (_, _, last) = grid.meetings
        for _, _, places in others:
            passed = (image[places] < top).astype(bits)
            passed *= carried
            leave(places, carried - passed)
            carried = passed
        leave(last, carried)  # what nobody else kept
    else:
        carried = carried.copy()
        for _, windows, places in grid.meetings:
            passed = (image[places] < top[windows]).astype(bits)
            passed *= carried[windows]
            leave(places, carried[windows] - passed)
            carried[windows] = passed
    return batch_first(found)


@op()
def find_maxima(xp, x, top, *, grid):
    """Where the maxima `top` of the windows of x are, (N, C, *out): places counted row by row in an image, int64."""
    image, top = batch_last(xp, x), _reached(xp, top)
    numbers = xp.arange(math.prod(grid.size)).reshape(*grid.size, 1)
    found, open = xp.zeros(top.shape, dtype="int64"), xp.ones(top.shape, dtype=bool)
    for _, windows, places in grid.meetings:
        before = open[windows]
        after = before & (image[places] < top[windows])
        found[windows] += (before ^ after) * numbers[places[1:]]
        open[windows] = after
    return batch_first(found)


def _read(xp, x, places):
    """x, (N, C, *size), at places in each image: the adjoint of to_maxima."""
    flat = xp.reshape(x, shape=(*x.shape[:2], math.prod(x.shape[2:])))
    where = xp.reshape(places, shape=(*places.shape[:2], math.prod(places.shape[2:])))
    return xp.reshape(xp.take_along(flat, where, axis=2), shape=places.shape)


def _reached(xp, top):
    """Maxima with the batch last, and infinity for NaN: nothing but a NaN (or infinity) does not fall short of that."""
    top = batch_last(xp, top)
    return xp.fmin(top, xp.full(top.shape[-1:], math.inf, dtype=top.dtype))


# -- fixed mixtures --------------------------------------------------------------------------------------------------


class Mix:
    """A matrix with few entries a row: how each of `rows` new places is mixed from some of `columns` old ones.

    Its entries, (row, column, weight), come in passes in which each row is named once at most, so that a pass is one
    addition of arrays.
    """

    def __init__(self, rows: int, columns: int, passes: list[list[tuple[int, int, float]]]) -> None:
        self.rows, self.columns, self.passes = rows, columns, [entries for entries in passes if entries]
        self.laid: dict[Any, Any] = {}

    @cached_property
    def steps(self):
        """The passes as indices of rows and of columns, and an array of weights, or one for all, or None for 1."""
        found = []
        for entries in self.passes:
            rows, columns, weights = zip(*entries, strict=True)
            alike = float(weights[0]) if len(set(weights)) == 1 else cpu.asarray(weights)
            found.append((_index(rows), _index(columns), None if set(weights) == {1} else alike))
        return found

    def steps_for(self, xp, x):
        """The same where x lies, the weights in its dtype; laid there once."""
        place = device_of(x), x.dtype
        if place not in self.laid:
            self.laid[place] = [
                (
                    *[part if type(part) is slice else xp.asarray(part) for part in (rows, columns)],
                    weight if weight is None or type(weight) is float else xp.asarray(weight, dtype=x.dtype),
                )
                for rows, columns, weight in self.steps
            ]
        return self.laid[place]

    @cached_property
    def transposed(self):
        """The matrix with rows for columns; a pass that names a column twice becomes several."""
        passes: list[list[tuple[int, int, float]]] = []
        for entries in self.passes:
            turns: dict[int, int] = {}
            split: list[list[tuple[int, int, float]]] = []
            for row, column, weight in entries:
                turn = turns[column] = turns.get(column, -1) + 1
                if turn == len(split):
                    split.append([])
                split[turn].append((column, row, weight))
            passes += split
        mix = Mix(self.columns, self.rows, passes)
        mix.__dict__["transposed"] = self
        return mix


def _index(places):
    """Places as a slice where they are evenly apart: that takes neither a copy nor an array on the GPU."""
    step = places[1] - places[0] if len(places) > 1 else 1
    even = step > 0 and all(b - a == step for a, b in pairwise(places))
    return slice(places[0], places[-1] + 1, step) if even else cpu.asarray(places)


@op(x=lambda xp, g, mixes: xp.resample(g, mixes=tuple([mix and mix.transposed for mix in mixes])))
@half_in_single
def resample(xp, x, *, mixes):
    """Each dim of size of x, (N, C, *size), multiplied by a Mix, out[i] = sum of mix[i, j] * x[j], or left for None."""
    out = batch_last(xp, x)
    for axis, mix in enumerate(mixes, 1):
        if mix is not None:
            out = _multiplied(xp, out, axis, mix)
    return batch_first(out if any(mixes) else out.copy())


def _multiplied(xp, x, axis, mix):
    before, behind = (slice(None),) * axis, (1,) * (x.ndim - axis - 1)
    out = xp.zeros((*x.shape[:axis], mix.rows, *x.shape[axis + 1 :]), dtype=x.dtype)
    for rows, columns, weight in mix.steps_for(xp, x):
        part = x[(*before, columns)]
        if weight is not None:
            part = part * (weight if type(weight) is float else weight.reshape(-1, *behind))
        out[(*before, rows)] += part
    return out
