"""Where to draw each box: layers from left to right, few crossings, and lines that are as straight as they can be.

This is Sugiyama's method (1981), for each group by itself. A member's layer is the longest way to it; a line that
passes a layer takes a place there as a box would; each layer is sorted by where its neighbours stand, back and forth;
and then it is moved up and down to where they are, as far as there is room (isotonic regression, by pooling adjacent
violators).

A line into or out of a group passes a *port* in its frame. So the first three steps do not depend on which groups are
folded, and are done once, here (`arrange`). The last one, `place`, does. The page does that in the browser, by the
same few lines in its own language; a test compares the two.

Members go by short names: b7 is box 7, g2 group 2, i7 and o7 the ports for what comes from box 7, d0, d1, ... bends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from operator import add
from typing import Any

from lucid.see.picture import Box, Edge, Group, Picture, around_of

COLUMN, ROW = 44, 16  # between layers, and between what stands in one
PADDING, TITLE = 14, 26  # inside a group's frame, and above for its name
LETTER = 7.6  # a letter's width
SWEEPS = 4
Rectangle = tuple[float, float, float, float, float]  # left, top, width, height, and the left of the layer it stands in


@dataclass
class Arrangement:
    """The inside of a group: its members in layers, each from top to bottom, and lines from layer to layer.

    A line is (from, to, box that it comes from).
    """

    layers: list[list[str]] = field(default_factory=list)
    lines: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass
class Layout:
    """What `arrange` found.

    Attributes:
        inside: for each group its arrangement.
        routes: for each edge the ports and bends that it passes: (group, member) pairs, in order.
    """

    inside: list[Arrangement]
    routes: list[list[tuple[int, str]]]


def size_of(member: Box | Group) -> tuple[float, float]:
    """Width and height of a box, or of a group that is folded."""
    if isinstance(member, Group):
        return max(120.0, 44 + LETTER * len(member.label)), 58.0
    if member.kind == "op":
        return max(126.0, 44 + LETTER * (len(member.label) + len(member.name))), 58.0
    return max(126.0, 34 + LETTER * len(member.name or member.label)), 58.0


def key_of(member: Box | Group) -> str:
    """A member's short name."""
    return f"{'b' if isinstance(member, Box) else 'g'}{member.number}"


def arrange(picture: Picture) -> Layout:
    """Layers, order and routes of a picture, whatever will be folded."""
    local: list[list[tuple[str, str, int]]] = [[] for _ in picture.groups]  # lines before they are given bends
    passing: list[list[tuple[int, str, str, int]]] = []  # for each edge (group, from, to, source)
    around = {group.number: around_of(group) for group in picture.groups}
    for edge in picture.input_index:
        passed = list(_passed(picture, edge, around))
        passing.append(passed)
        for group, a, b, source in passed:
            local[group].append((a, b, source))
    inside, bends = [], []
    for each, lines in zip(picture.groups, local, strict=True):
        arrangement, bent = _arranged(each, list(dict.fromkeys(lines)))
        inside.append(arrangement)
        bends.append(bent)
    routes = []
    for passed in passing:
        route: list[tuple[int, str]] = []
        for group, a, b, source in passed:
            route += [(group, a)] if a[0] == "i" else []
            route += [(group, bend) for bend in bends[group].get((a, b, source), ())]
            route += [(group, b)] if b[0] == "o" else []
        routes.append(route)
    return Layout(inside, routes)


def _passed(picture: Picture, edge: Edge, around: dict[int, list[Group]]) -> Iterable[tuple[int, str, str, int]]:
    """The lines that an edge is made of: out of its groups, along, and into those of its target."""
    source, target = picture.boxes[edge.source], picture.boxes[edge.target]
    assert source.group is not None and target.group is not None
    out, into = around[source.group.number], around[target.group.number]
    shared = sum(1 for a, b in zip(out, into, strict=False) if a is b)
    here, there = f"b{source.number}", f"b{target.number}"
    for group in reversed(out[shared:]):
        yield group.number, here, f"o{source.number}", source.number
        here = f"g{group.number}"
    ends = [*(f"g{group.number}" for group in into[shared:]), there]
    yield out[shared - 1].number, here, ends[0], source.number
    for group, end in zip(into[shared:], ends[1:], strict=True):
        yield group.number, f"i{source.number}", end, source.number


def _arranged(
    group: Group, lines: list[tuple[str, str, int]]
) -> tuple[Arrangement, dict[tuple[str, str, int], list[str]]]:
    rank = _ranks(group, lines)
    layers: list[list[str]] = [[] for _ in range(max(rank.values(), default=0) + 1)]
    for member in rank:
        layers[rank[member]].append(member)
    bends: dict[tuple[str, str, int], list[str]] = {}
    made: dict[tuple[str, int, int], str] = {}
    short: list[tuple[str, str, int]] = []
    for a, b, source in lines:
        here, passed = a, []  # type: tuple[str, list[str]]
        for layer in range(rank[a] + 1, rank[b]):
            key = (a, source, layer)  # lines from one place share their bends, and part where they must
            if key not in made:
                made[key] = f"d{len(made)}"
                layers[layer].insert(0, made[key])  # above weights: what comes from afar is mostly a first argument
                short.append((here, made[key], source))
            here = made[key]
            passed.append(here)
        bends[a, b, source] = passed
        short.append((here, b, source))
    short = list(dict.fromkeys(short))
    _sort(layers, short)
    return Arrangement(layers, short), bends


def _ranks(group: Group, lines: list[tuple[str, str, int]]) -> dict[str, int]:
    """The layer of each member: after all that it depends on; what depends on nothing stands just before its use."""
    names = [key_of(member) for member in group.members]
    names += dict.fromkeys(end for a, b, _ in lines for end in (a, b) if end[0] in "io")
    after: dict[str, list[str]] = {name: [] for name in names}
    waiting = dict.fromkeys(names, 0)
    for a, b in dict.fromkeys((a, b) for a, b, _ in lines):
        after[a].append(b)
        waiting[b] += 1
    sources = [name for name in names if not waiting[name]]
    first = 1 if any(name[0] == "i" for name in names) else 0
    rank = {name: 0 if name[0] == "i" else first for name in sources}
    order = list(sources)
    for name in order:
        for follower in after[name]:
            rank[follower] = max(rank.get(follower, first), rank[name] + 1)
            waiting[follower] -= 1
            if not waiting[follower]:
                order.append(follower)
    for name in sources:
        if name[0] == "b" and after[name]:
            rank[name] = max(rank[name], min(rank[follower] for follower in after[name]) - 1)
    last = max((r for name, r in rank.items() if name[0] != "o"), default=0) + 1
    for name in rank:
        if name[0] == "o":
            rank[name] = last
    lowest = min(rank.values(), default=0)
    return {name: r - lowest for name, r in rank.items()}


def _sort(layers: list[list[str]], lines: list[tuple[str, str, int]]) -> None:
    """Order each layer by the mean place of its neighbours, from left to right and back."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for a, b, _ in lines:
        before.setdefault(b, []).append(a)
        after.setdefault(a, []).append(b)
    place = {name: i / max(1, len(layer) - 1) for layer in layers for i, name in enumerate(layer)}
    for sweep in range(SWEEPS):
        neighbours = after if sweep % 2 == 0 else before
        for layer in reversed(layers) if sweep % 2 == 0 else layers:
            mean = {
                name: sum(place[n] for n in near) / len(near) if (near := neighbours.get(name)) else place[name]
                for name in layer
            }
            layer.sort(key=mean.__getitem__)
            for i, name in enumerate(layer):
                place[name] = (i + 0.5) / len(layer)


# -- coordinates -----------------------------------------------------------------------------------------------------


@dataclass
class Placed:
    """Coordinates: the rectangle (x, y, width, height) of each box and group that can be seen, and each edge's points.

    An edge whose ends lie in one folded group, or that another one covers, has none.
    """

    rectangles: dict[str, Rectangle]
    lines: list[list[tuple[float, float]]]


def place(picture: Picture, layout: Layout, folded: Collection[int] = ()) -> Placed:
    """Coordinates for the state in which the groups of these numbers are folded."""
    inner: dict[int, dict[str, Rectangle]] = {}  # group -> member -> rectangle within
    sizes: dict[str, tuple[float, float]] = {}

    def measure(group: Group) -> tuple[float, float]:
        for member in group.members:
            if isinstance(member, Group) and member.number not in folded:
                sizes[key_of(member)] = measure(member)
            else:
                sizes[key_of(member)] = size_of(member)
        rectangles, extent = _positions(layout.inside[group.number], sizes)
        inner[group.number] = rectangles
        return extent

    width, height = measure(picture.root)
    absolute: dict[str, Rectangle] = {"g0": (0.0, 0.0, width, height, 0.0)}
    points: dict[tuple[int, str], Rectangle] = {}
    frontier = [picture.root]
    while frontier:
        group = frontier.pop()
        left, top = absolute[f"g{group.number}"][:2]
        for name, (x, y, w, h, start) in inner[group.number].items():
            moved = (left + x, top + y, w, h, left + start)
            if name[0] in "bg":
                absolute[name] = moved
            else:
                points[group.number, name] = moved
        frontier += [m for m in group.members if isinstance(m, Group) and m.number not in folded]
    return Placed(absolute, _lines(picture, layout, absolute, points))


def _positions(
    inside: Arrangement, sizes: dict[str, tuple[float, float]]
) -> tuple[dict[str, Rectangle], tuple[float, float]]:
    """Rectangles of the members of a group within its frame, and the size of the frame."""

    def size(name: str) -> tuple[float, float]:
        return sizes[name] if name[0] in "bg" else (0.0, 4.0)

    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for a, b, _ in inside.lines:
        before.setdefault(b, []).append(a)
        after.setdefault(a, []).append(b)
    middle: dict[str, float] = {}
    for layer in inside.layers:
        total = sum(size(name)[1] for name in layer) + ROW * (len(layer) - 1)
        y = -total / 2
        for name in layer:
            middle[name] = y + size(name)[1] / 2
            y += size(name)[1] + ROW
    for sweep in range(2 * SWEEPS):
        neighbours = after if sweep % 2 == 0 else before
        for layer in reversed(inside.layers) if sweep % 2 == 0 else inside.layers:
            wanted = []
            for name in layer:
                near = neighbours.get(name, ())
                wanted.append(sum(middle[n] for n in near) / len(near) if near else middle[name])
            heights = [size(name)[1] for name in layer]
            weights = [4.0 if name[0] == "d" else 1.0 for name in layer]
            middle |= zip(layer, _pooled(wanted, heights, weights), strict=True)
    top = min((middle[n] - size(n)[1] / 2 for layer in inside.layers for n in layer), default=0.0)
    bottom = max((middle[n] + size(n)[1] / 2 for layer in inside.layers for n in layer), default=0.0)
    rectangles = {}
    x = float(PADDING)
    for layer in inside.layers:
        width = max((size(name)[0] for name in layer), default=0.0)
        for name in layer:
            w, h = size(name)
            own = width if name[0] == "d" else w  # a bend is a line across its layer
            rectangles[name] = (x + width - own, PADDING + TITLE + middle[name] - h / 2 - top, own, h, x)
        x += width + COLUMN
    width = x - COLUMN + PADDING
    for name, (_, y, w, h, _) in rectangles.items():  # ports stand in the frame itself
        if name[0] in "io":
            x = 0.0 if name[0] == "i" else width
            rectangles[name] = (x, y, w, h, x)
    return rectangles, (width, bottom - top + 2 * PADDING + TITLE)


def _pooled(wanted: list[float], heights: list[float], weights: list[float]) -> list[float]:
    """The middles nearest to `wanted`, by least squares, that keep the order and do not overlap."""
    offsets = [0.0]
    blocks: list[tuple[float, float, int]] = []  # weighted sum, weight and number of each run that touches
    for a, b in pairwise(heights):
        offsets.append(offsets[-1] + (a + b) / 2 + ROW)
    for want, offset, weight in zip(wanted, offsets, weights, strict=False):
        blocks.append(((want - offset) * weight, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            blocks.append(tuple(map(add, blocks.pop(), blocks.pop())))
    flat = [total / weight for total, weight, count in blocks for _ in range(count)]
    return [z + offset for z, offset in zip(flat, offsets, strict=False)]


def _lines(picture: Picture, layout: Layout, seen: dict[str, Any], points: dict[tuple[int, str], Any]) -> list[Any]:
    """Each edge's points, from the right of what can be seen of its source to the left of its target."""
    shown: dict[int, str] = {}
    for box in picture.boxes:
        name = f"b{box.number}"
        if name not in seen:
            name = next(f"g{g.number}" for g in reversed(around_of(box.group)) if f"g{g.number}" in seen)
        shown[box.number] = name
    lines: list[list[tuple[float, float]]] = []
    drawn: set[tuple[str, str]] = set()
    for edge, route in zip(picture.input_index, layout.routes, strict=True):
        a, b = shown[edge.source], shown[edge.target]
        if a == b or (a, b) in drawn:
            lines.append([])
            continue
        drawn.add((a, b))
        x, y, w, h, _ = seen[a]
        line = [(x + w, y + h / 2)]
        for key in route:
            if key in points:
                px, py, pw, ph, _ = points[key]
                line += [(px, py + ph / 2)] + ([(px + pw, py + ph / 2)] if pw else [])
        x, y, w, h, start = seen[b]
        lines.append([*line, (start, y + h / 2), (x, y + h / 2)])
    return lines
