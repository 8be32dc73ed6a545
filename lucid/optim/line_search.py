"""A line search: how far to go along a direction to lower the loss enough, where the slope is flat enough.

These are the strong Wolfe conditions (Nocedal and Wright 2006, Numerical Optimization, section 3.1): with
f(t) the loss at theta + t * d,

    f(t) <= f(0) + c1 * t * f'(0)       enough is gained for so long a step
    |f'(t)| <= c2 * |f'(0)|             and not much more could be gained by going on

First the step grows until such a point is passed or found (Algorithm 3.5), then the interval that must hold one is
narrowed (Algorithm 3.6). The next t to try is the minimum of the cubic through two points (equation 3.59). What the
book leaves open, how far to grow and how near to an end to try, is settled as in minFunc (Schmidt 2005) and PyTorch.
A point where the loss or its slope is not finite, as of log(x) below 0, counts as infinitely high: the interval ends
there, and as no cubic goes through such a point it is halved.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, sqrt
from typing import Any, NamedTuple

C1, C2 = 1e-4, 0.9


class Point(NamedTuple):
    """A point on the line: how far along it lies, and the loss, its gradient and its slope along the line there."""

    t: float
    loss: float
    gradient: Any
    slope: float


def strong_wolfe(
    at: Callable[[float], Point], start: Point, t: float, length: float, smallest: float, limit: int
) -> tuple[Point, int]:
    """A point that meets both conditions, or the best one found; and how many points were evaluated.

    `at` evaluates the loss at a point of the line, `start` is the point at 0, where the slope is below 0, and
    `t` the first to try; `limit` more follow at most. `length` is the largest element of d: an interval in
    which no element changes by `smallest` is not searched."""

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + C1 * point.t * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -C2 * start.slope

    before, new, tries = start, at(t), 0
    while tries < limit:
        # From the third point on a rise is enough; the book has it from the second on.
        if too_high(new) or (tries > 1 and new.loss >= before.loss):
            break
        if flat(new):
            return new, tries + 1
        if new.slope >= 0:
            break
        t = cubic(before, new, new.t + 0.01 * (new.t - before.t), 10 * new.t)
        before, new, tries = new, at(t), tries + 1
    else:
        before = start  # the limit is reached: the result is the last point, or the start

    ends, low = [before, new], int(new.loss < before.loss)  # low: which of the two has the lower loss
    near_end = False  # whether the last point lay close to an end
    while tries < limit and abs(ends[1].t - ends[0].t) * length >= smallest:
        left, right = sorted(end.t for end in ends)
        t, margin = cubic(ends[0], ends[1], left, right), 0.1 * (right - left)
        if min(right - t, t - left) >= margin:
            near_end = False
        elif near_end or not left < t < right:
            t, near_end = right - margin if abs(t - right) < abs(t - left) else left + margin, False
        else:
            near_end = True  # allowed once
        new, tries = at(t), tries + 1
        if too_high(new) or new.loss >= ends[low].loss:
            ends[1 - low] = new
            low = int(ends[1].loss < ends[0].loss)
            continue
        if flat(new):
            return new, tries + 1
        if new.slope * (ends[1 - low].t - ends[low].t) >= 0:
            ends[1 - low] = ends[low]
        ends[low] = new
    return ends[low], tries + 1


def cubic(a: Point, b: Point, least: float, most: float) -> float:
    """The minimum of the cubic through the losses and slopes of `a` and `b`, clipped to `least` and `most`.

    >>> cubic(Point(0.0, 1.0, None, -2.0), Point(3.0, 4.0, None, 4.0), 0.0, 3.0)  # of (t - 1)^2
    1.0
    """
    if a.t > b.t:
        a, b = b, a
    if inf in (a.loss, b.loss):
        return (least + most) / 2
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if square >= 0:
        d2 = sqrt(square)
        below = b.slope - a.slope + 2 * d2
        if below:
            return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / below), least), most)
    return (least + most) / 2  # no minimum, or none that can be computed
