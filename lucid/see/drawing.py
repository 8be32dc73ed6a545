"""The graph as a picture in text: SVG for eyes, DOT for graphviz, Mermaid for documents.

All three draw forward, from the leaves to the loss, with frames around what was made in one call of a module. What is
too large to read is folded as the page folds it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from lucid.autograd.provenance import user_frame
from lucid.core.node import Tensor
from lucid.see.layout import Rectangle, arrange, assign_coordinates, key_of
from lucid.see.picture import LIMIT, Box, Group, Picture, enclosing, initially_folded
from lucid.see.text import element, shape_text, value_text

STYLE = "\n" + (Path(__file__).parent / "drawing.css").read_text("utf-8")


class Graph:
    """The graph of `loss`, to be drawn: `to_svg()`, `to_dot()`, `to_mermaid()`; notebooks show it.

    Arguments are those of `lucid.see.page`. A graph that was released can be drawn, without the values it has dropped.

    >>> import lucid
    >>> x = lucid.tensor(2.0, requires_grad=True)
    >>> print(lucid.see.Graph((x * 3).exp()).to_mermaid())
    graph LR
      b2(["x<br>2"]) --> b0["multiply"]
      b3>"number<br>3"] --> b0
      b0 --> b1["exp<br>403.4"]
    """

    def __init__(
        self, loss: Tensor, *, model: Any = None, names: Mapping[str, Any] | None = None, limit: int = LIMIT
    ) -> None:
        self._picture = Picture(loss, model, names, limit, user_frame(sys._getframe()))
        self._folded = set(initially_folded(self._picture))

    def __repr__(self) -> str:
        return f"<graph of {self._picture.root.operations():,} operations>"

    def to_svg(self) -> str:
        """The picture as the text of an SVG file, which follows the reader's light or dark setting."""
        picture = self._picture
        drawn = assign_coordinates(picture, arrange(picture), self._folded)
        _, _, width, height, _ = drawn.rectangles["g0"]
        members: dict[str, Box | Group] = {key_of(member): member for member in (*picture.boxes, *picture.groups[1:])}
        shown = [(members[key], at) for key, at in drawn.rectangles.items() if key != "g0"]
        is_frame = lambda member: isinstance(member, Group) and member.number not in self._folded
        frames = [_svg_member(member, at) for member, at in shown if is_frame(member)]
        boxes = [_svg_member(member, at, folded=True) for member, at in shown if not is_frame(member)]
        lines = [element("path", d=_curve(line), marker_end="url(#tip)") for line in drawn.lines if line]
        label = f"Computation graph of {len(picture.boxes):,} nodes, inputs at the left, the loss at the right"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="lucid" role="img" aria-label="{label}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"><style>{STYLE}</style>'
            '<defs><marker id="tip" viewBox="0 0 6 6" refX="5.2" refY="3" markerWidth="8" markerHeight="8" '
            'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.4 5.6 3 0 5.6z"/></marker></defs>'
            f"{''.join([*frames, *lines, *boxes])}</svg>"
        )

    _repr_svg_ = to_svg

    def to_dot(self) -> str:
        """The graph in graphviz's language: `dot -Tpdf` makes a figure of it."""
        lines = ["digraph {", "  rankdir=LR; node [fontname=Helvetica, fontsize=11]; edge [color=gray50]"]
        frame = 'subgraph cluster_{} {{ label="{}"; color=gray80'
        begin = lambda group: frame.format(group.number, _dot_text(group.label))
        lines += self._nested(self._picture.root.members, "  ", _dot_node, begin, "}")
        lines += [f"  {a} -> {b}" for a, b in self._arrows()]
        return "\n".join([*lines, "}"])

    def to_mermaid(self) -> str:
        """The graph in Mermaid's language, which Markdown renderers draw."""
        undefined = {self._key(box): _mermaid_node(box) for box in self._picture.boxes if self._key(box)[0] == "b"}
        undefined |= {f"g{n}": _mermaid_node(self._picture.groups[n]) for n in self._folded}
        lines = ["graph LR"]
        for a, b in self._arrows():  # a node is defined where it is mentioned first
            lines.append(f"  {a}{undefined.pop(a, '')} --> {b}{undefined.pop(b, '')}")
        if len(lines) == 1:
            lines += [f"  {key}{definition}" for key, definition in undefined.items()]
        frames = [m for m in self._picture.root.members if isinstance(m, Group) and m.number not in self._folded]
        begin = lambda group: f'subgraph s{group.number}["{_mermaid_text(group.label)}"]'
        return "\n".join([*lines, *self._nested(frames, "  ", key_of, begin, "end")])

    def _key(self, box: Box) -> str:
        """The key that stands for a box: its own, or that of the outermost folded group that it is in."""
        folded = [group for group in enclosing(box.group) if group.number in self._folded]
        return key_of(folded[0] if folded else box)

    def _arrows(self) -> list[tuple[str, str]]:
        boxes = self._picture.boxes
        pairs = [(self._key(boxes[edge.source]), self._key(boxes[edge.target])) for edge in self._picture.edges]
        return [(a, b) for a, b in dict.fromkeys(pairs) if a != b]

    def _nested(self, members: list[Any], indent: str, node: Any, begin: Any, end: str) -> list[str]:
        """Members in their frames: boxes and folded groups as `node` writes them, frames between `begin` and `end`."""
        lines: list[str] = []
        for member in members:
            if isinstance(member, Box) or member.number in self._folded:
                lines.append(indent + node(member))
            else:
                inner = self._nested(member.members, indent + "  ", node, begin, end)
                lines += [indent + begin(member), *inner, indent + end]
        return lines


def to_svg(loss: Tensor, **options: Any) -> str:
    """`Graph(loss, ...).to_svg()`: the picture as text."""
    return Graph(loss, **options).to_svg()


def to_dot(loss: Tensor, **options: Any) -> str:
    """`Graph(loss, ...).to_dot()`: the graph for graphviz."""
    return Graph(loss, **options).to_dot()


def to_mermaid(loss: Tensor, **options: Any) -> str:
    """`Graph(loss, ...).to_mermaid()`: the graph for Mermaid."""
    return Graph(loss, **options).to_mermaid()


def _texts(box: Box) -> tuple[str, str, str]:
    """The title of a box, its name where that is not the title, and its value (or shape)."""
    title = box.label if box.kind in ("op", "more") else box.name or box.label
    value = value_text(box.value)
    if not value or len(value) > 16:
        value = shape_text(box.shape) if box.shape else ""
    return title, box.name if box.name != title else "", value


def _svg_member(member: Box | Group, at: Rectangle, folded: bool = False) -> str:
    """A box, a frame around what is in a group, or a folded group."""
    x, y, w, h, _ = at

    def rect(rx: int, shift: int = 0) -> str:
        return element("rect", x=x + shift, y=y + shift, width=w, height=h, rx=rx)

    def text(content: str, dx: float, dy: int, **attributes: str) -> str:
        return element("text", escape(content), x=x + dx, y=y + dy, **attributes)

    if isinstance(member, Group) and not folded:
        return element("g", rect(12), text(member.label, 13, 19, class_="value"), class_="frame")
    if isinstance(member, Group):
        count = text(f"{member.operations():,} operations", 12, 43, class_="value")
        return element("g", rect(10, shift=4), rect(10), text(member.label, 12, 23, class_="title"), count)
    inset, rx = (12, 8) if member.kind in ("op", "more") else (16, 20)
    title, name, value = _texts(member)
    parts = [rect(rx), text(title, inset, 23, class_="title")]
    parts += [text(name, w - inset, 23, text_anchor="end", class_="value")] if name else []
    return element("g", *parts, text(value, inset, 43, class_="value"), class_=member.kind)


def _curve(line: list[tuple[float, float]]) -> str:
    """A path through points that leaves and enters each of them horizontally."""
    path = f"M{line[0][0]:.1f} {line[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(line):
        bend = min(60.0, max(12.0, (x1 - x0) / 2))
        level, end = abs(y1 - y0) < 0.5, f"{x1:.1f} {y1:.1f}"
        path += f"L{end}" if level else f"C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} {end}"
    return path


LEAF = 'shape=box, style="rounded,filled", fillcolor="#e3eefa"', "([{}])"
STYLES = {  # of a kind of box, and of a folded group: in DOT and in Mermaid
    "op": ("shape=box", "[{}]"), "more": ("shape=box, style=dotted", "[{}]"), "group": ("shape=box3d", "[[{}]]"),
    "constant": ("shape=box, style=dashed", ">{}]"), "leaf": LEAF, "parameter": LEAF,
}  # fmt: skip


def _style_and_lines(member: Box | Group) -> tuple[tuple[str, str], list[str]]:
    if isinstance(member, Group):
        return STYLES["group"], [member.label]
    *title, value = _texts(member)
    return STYLES[member.kind], [line for line in (" ".join(filter(None, title)), value) if line]


def _dot_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _dot_node(member: Box | Group) -> str:
    (style, _), lines = _style_and_lines(member)
    label = "\\n".join(map(_dot_text, lines))
    return f'{key_of(member)} [{style}, label="{label}"]'


def _mermaid_text(text: str) -> str:
    """Text with Mermaid's own characters as codes."""
    return "".join(c if c.isalnum() or c in " .,_-+·…×[]=" else f"#{ord(c)};" for c in text)


def _mermaid_node(member: Box | Group) -> str:
    (_, shape), lines = _style_and_lines(member)
    return shape.format('"' + "<br>".join(map(_mermaid_text, lines)) + '"')
