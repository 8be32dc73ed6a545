"""Where to draw each box: layers from left to right, few crossings, and lines that are as straight as they can be.

This is Sugiyama's method (1981), for each group by itself. A member's layer is the longest path to it; a line that
passes a layer gets a place there, as a box would (a *bend*); each layer is sorted by the mean place of its neighbours,
back and forth; then its members are moved up and down towards their neighbours, as far as there is room (isotonic
regression, by pooling adjacent violators).

A line into or out of a group passes a *port* in its frame. So the first three steps do not depend on which groups are
folded, and are done once (`arrange`). The last, `assign_coordinates`, does; the page does that by the same
few lines in JavaScript, which a test compares.

Members have short keys: b7 is box 7, g2 group 2, i7 and o7 the ports for what comes from box 7, d0, d1, ... bends.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from itertools import pairwise
from operator import add
from typing import Any, NamedTuple

from lucid.see.picture import Box, Edge, Group, Picture, enclosing

COLUMN, ROW = 44, 16  # space between layers, and between the members of one
PADDING, TITLE = 14, 26  # inside a group's frame, and above for its name
LETTER = 7.6  # width of a letter
BESIDE = 10  # between the edges of one box to the same other one
SWEEPS = 4
Size = tuple[float, float]
Line = tuple[str, str, int]  # from, to, and the box that it comes from
Rectangle = tuple[float, float, float, float, float]  # left, top, width, height, and the left of its layer


class Arrangement(NamedTuple):
    """The inside of a group."""

    layers: list[list[str]]  # the keys of its members, each layer from top to bottom
    lines: list[Line]  # from each layer to the next


class Layout(NamedTuple):
    """What `arrange` finds."""

    inside: list[Arrangement]  # of each group
    routes: list[list[tuple[int, str]]]  # for each edge (group, key) of the ports and bends that it passes, in order


class Coordinates(NamedTuple):
    """Where everything visible stands. Of edges to or from a folded group that are the same one has points."""

    rectangles: dict[str, Rectangle]  # of each box and group, by key
    lines: list[list[tuple[float, float]]]  # the points of each edge


def size_of(member: Box | Group) -> Size:
    """Width and height of a box, or of a group that is folded."""
    if isinstance(member, Group):
        return max(150.0, 44 + LETTER * len(member.short)), 58.0
    text = member.label + member.short if member.kind == "op" else member.short or member.label
    return max(126.0, (44 if member.kind == "op" else 34) + LETTER * len(text)), 58.0


def key_of(member: Box | Group) -> str:
    """A member's key."""
    return f"{'b' if isinstance(member, Box) else 'g'}{member.number}"


def arrange(picture: Picture) -> Layout:
    """Layers, order and routes of a picture, whatever will be folded."""
    segments = [list(_segments(picture, edge)) for edge in picture.edges]
    lines_in: list[dict[Line, None]] = [{} for _ in picture.groups]  # of each group, each line once, in order
    for group, line in (segment for edge in segments for segment in edge):
        lines_in[group][line] = None
    inside, bends = zip(*map(_arrange_group, picture.groups, lines_in), strict=True)
    passed = [[(n, key) for n, line in edge for key in (line[0], *bends[n][line], line[1])] for edge in segments]
    return Layout(list(inside), [[(n, key) for n, key in route if key[0] not in "bg"] for route in passed])


def _segments(picture: Picture, edge: Edge) -> Iterable[tuple[int, Line]]:
    """The lines of an edge, each with its group: out of the source's groups, across, and into those of the target."""
    source, target = picture.boxes[edge.source], picture.boxes[edge.target]
    out, into = enclosing(source.group), enclosing(target.group)
    shared = sum(a is b for a, b in zip(out, into, strict=False))
    starts = [key_of(source), *map(key_of, reversed(out[shared:]))]
    ends = [*map(key_of, into[shared:]), key_of(target)]
    for group, start in zip(reversed(out[shared:]), starts, strict=False):
        yield group.number, (start, f"o{source.number}", source.number)
    yield out[shared - 1].number, (starts[-1], ends[0], source.number)
    for group, end in zip(into[shared:], ends[1:], strict=True):
        yield group.number, (f"i{source.number}", end, source.number)


def _arrange_group(group: Group, lines: Iterable[Line]) -> tuple[Arrangement, dict[Line, list[str]]]:
    """The arrangement of a group, and the bends of each line."""
    rank = _ranks(group, lines)
    layers: list[list[str]] = [[] for _ in range(max(rank.values(), default=0) + 1)]
    for key, r in rank.items():
        layers[r].append(key)
    bends: dict[Line, list[str]] = {}
    bend_at: dict[tuple[str, int, int], str] = {}
    short: dict[Line, None] = {}  # lines from one layer to the next, each once
    for a, b, source in lines:
        passed = bends.setdefault((a, b, source), [])
        for r in range(rank[a] + 1, rank[b]):
            if (a, source, r) not in bend_at:  # lines from one place share their bends
                bend_at[a, source, r] = f"d{len(bend_at)}"
                layers[r].insert(0, bend_at[a, source, r])  # above weights: it is mostly the first argument
            passed.append(bend_at[a, source, r])
        short |= {(start, end, source): None for start, end in pairwise((a, *passed, b))}
    at = {key: i / max(1, len(layer) - 1) for layer in layers for i, key in enumerate(layer)}
    for neighbours, layer in _sweeps(layers, short, SWEEPS):
        layer.sort(key=lambda key: _mean(key, neighbours, at))
        at |= {key: (i + 0.5) / len(layer) for i, key in enumerate(layer)}
    return Arrangement(layers, list(short)), bends


def _ranks(group: Group, lines: Iterable[Line]) -> dict[str, int]:
    """The layer of each member: after all that it depends on; what depends on nothing stands just before its use."""
    ports = [key for a, b, _ in lines for key in (a, b) if key[0] in "io"]
    keys = list(dict.fromkeys([*map(key_of, group.members), *ports]))
    after, waiting = {key: list[str]() for key in keys}, dict.fromkeys(keys, 0)
    for a, b in dict.fromkeys((a, b) for a, b, _ in lines):
        after[a].append(b)
        waiting[b] += 1
    sources = [key for key in keys if not waiting[key]]
    first = int(any(key[0] == "i" for key in keys))
    rank, order = {key: 0 if key[0] == "i" else first for key in sources}, sources.copy()
    for key in order:
        for follower in after[key]:
            rank[follower] = max(rank.get(follower, first), rank[key] + 1)
            waiting[follower] -= 1
            if not waiting[follower]:
                order.append(follower)
    for key in sources:
        if key[0] == "b" and after[key]:
            rank[key] = max(rank[key], min(rank[follower] for follower in after[key]) - 1)
    last = max((r for key, r in rank.items() if key[0] != "o"), default=0) + 1
    rank |= {key: last for key in rank if key[0] == "o"}
    lowest = min(rank.values(), default=0)
    return {key: r - lowest for key, r in rank.items()}


def _sweeps(layers: list[list[str]], lines: Iterable[Line], count: int) -> Iterable[tuple[Any, list[str]]]:
    """(neighbours, layer) again and again: from right to left with what comes after, then back with what is before."""
    before, after = defaultdict(list), defaultdict(list)  # type: dict[str, list[str]], dict[str, list[str]]
    for a, b, _ in lines:
        before[b].append(a)
        after[a].append(b)
    for sweep in range(count):
        for layer in layers if sweep % 2 else reversed(layers):
            yield before if sweep % 2 else after, layer


def _mean(key: str, neighbours: dict[str, list[str]], at: dict[str, float]) -> float:
    """Where the neighbours of a member stand on average; its own place if it has none."""
    near = neighbours.get(key)
    return sum(at[n] for n in near) / len(near) if near else at[key]


def assign_coordinates(picture: Picture, layout: Layout, folded: Collection[int] = ()) -> Coordinates:
    """Coordinates for the state in which the groups of these numbers are folded."""
    inner: dict[int, dict[str, Rectangle]] = {}  # group -> key -> rectangle within

    def measure(member: Box | Group) -> Size:
        if isinstance(member, Box) or member.number in folded:
            return size_of(member)
        sizes = {key_of(inside): measure(inside) for inside in member.members}
        inner[member.number], extent = _positions(layout.inside[member.number], sizes)
        return extent

    absolute: dict[str, Rectangle] = {"g0": (0.0, 0.0, *measure(picture.root), 0.0)}
    points: dict[tuple[int, str], Rectangle] = {}
    pending = [0]
    while pending:
        left, top = absolute[f"g{(group := pending.pop())}"][:2]
        for key, (x, y, w, h, start) in inner[group].items():
            moved = (left + x, top + y, w, h, left + start)
            if key[0] in "bg":
                absolute[key] = moved
            else:
                points[group, key] = moved
        pending += [m.number for m in picture.groups[group].members if isinstance(m, Group) and m.number in inner]
    return Coordinates(absolute, _lines(picture, layout, absolute, points))


def _positions(inside: Arrangement, sizes: dict[str, Size]) -> tuple[dict[str, Rectangle], Size]:
    """Rectangles of the members of a group within its frame, and the size of the frame."""
    size = {key: sizes[key] if key[0] in "bg" else (0.0, 4.0) for layer in inside.layers for key in layer}
    middle: dict[str, float] = {}
    for layer in inside.layers:
        y = -(sum(size[key][1] for key in layer) + ROW * (len(layer) - 1)) / 2
        for key in layer:
            middle[key] = y + size[key][1] / 2
            y += size[key][1] + ROW
    for neighbours, layer in _sweeps(inside.layers, inside.lines, 2 * SWEEPS):
        targets, heights = [_mean(key, neighbours, middle) for key in layer], [size[key][1] for key in layer]
        weights = [4.0 if key[0] == "d" else 1.0 for key in layer]
        middle |= zip(layer, _without_overlap(targets, heights, weights), strict=True)
    top = min((middle[key] - h / 2 for key, (_, h) in size.items()), default=0.0)
    bottom = max((middle[key] + h / 2 for key, (_, h) in size.items()), default=0.0)
    rectangles, x = {}, float(PADDING)
    for layer in inside.layers:
        width = max((size[key][0] for key in layer), default=0.0)
        for key in layer:
            w, h = size[key] if key[0] != "d" else (width, size[key][1])  # a bend is a line across its layer
            rectangles[key] = (x + width - w, PADDING + TITLE + middle[key] - h / 2 - top, w, h, x)
        x += width + COLUMN
    width = x - COLUMN + PADDING
    for key, (_, y, w, h, _) in rectangles.items():  # ports stand in the frame itself
        if key[0] in "io":
            rectangles[key] = (x := 0.0 if key[0] == "i" else width, y, w, h, x)
    return rectangles, (width, bottom - top + 2 * PADDING + TITLE)


def _without_overlap(targets: list[float], heights: list[float], weights: list[float]) -> list[float]:
    """The middles nearest to `targets`, by least squares, that keep the order and do not overlap."""
    blocks: list[tuple[float, float, int]] = []  # weighted sum, weight and number of members that touch
    offsets = [0.0]
    for a, b in pairwise(heights):
        offsets.append(offsets[-1] + (a + b) / 2 + ROW)
    for target, offset, weight in zip(targets, offsets, weights, strict=False):
        blocks.append(((target - offset) * weight, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            blocks.append(tuple(map(add, blocks.pop(), blocks.pop())))
    flat = [total / weight for total, weight, count in blocks for _ in range(count)]
    return [z + offset for z, offset in zip(flat, offsets, strict=False)]


def _lines(picture: Picture, layout: Layout, visible: dict[str, Any], points: dict[tuple[int, str], Any]) -> list[Any]:
    """Each edge's points, from the right of the visible part of its source to the left of its target."""
    keys = [[key_of(box), *map(key_of, reversed(enclosing(box.group)))] for box in picture.boxes]
    shown = [next(key for key in of_box if key in visible) for of_box in keys]  # the box, or the folded group around it
    lines, drawn, total = list[list[tuple[float, float]]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    total.update((shown[edge.source], shown[edge.target]) for edge in picture.edges)
    for edge, route in zip(picture.edges, layout.routes, strict=True):
        a, b = pair = shown[edge.source], shown[edge.target]
        if a == b or (pair in drawn and "g" in (a[0], b[0])):
            lines.append([])
            continue
        shift = 0.0 if "g" in (a[0], b[0]) else (drawn[pair] - (total[pair] - 1) / 2) * min(BESIDE, 40 / total[pair])
        drawn[pair] += 1
        x, y, w, h, _ = visible[a]
        line = [(x + w, y + h / 2)]
        for x, y, w, h, _ in (points[at] for at in route if at in points):
            line += [(x, y + h / 2)] + ([(x + w, y + h / 2)] if w else [])
        x, y, w, h, start = visible[b]
        lines.append([(x, y + shift) for x, y in (*line, (start, y + h / 2), (x, y + h / 2))])
    return lines
