"""The graph as a picture in words: SVG for eyes, DOT for graphviz, Mermaid for documents.

All three draw forward, from the leaves to the loss, with frames around what was made in one call of a module. What is
too large to read is folded as the page folds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import pairwise
from typing import Any

from lucid.core.node import Tensor
from lucid.see.layout import arrange, key_of, place
from lucid.see.names import brief, shape_of, users_frame
from lucid.see.picture import LIMIT, Box, Group, Picture, around_of, first_folded

STYLE = """
.lucid { --ink: #22262b; --soft: #676e77; --op: #fff; --op-line: #a9b0b8; --leaf: #e3eefa; --leaf-line: #2b6cb0;
  --constant: #f0eee8; --constant-line: #b3ada0; --frame: #00000008; --line: #dedad1; }
@media (prefers-color-scheme: dark) { .lucid { --ink: #e7e9ec; --soft: #98a1ad; --op: #232830; --op-line: #59626f;
  --leaf: #172c45; --leaf-line: #6aa9ec; --constant: #24231f; --constant-line: #6d675b; --frame: #ffffff0a;
  --line: #3a414c; } }
.lucid text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.lucid .title { font-weight: 600; font-size: 13px; }
.lucid .value { font: 11.5px ui-monospace, monospace; fill: var(--soft); }
.lucid rect { fill: var(--op); stroke: var(--op-line); }
.lucid .parameter rect, .lucid .leaf rect { fill: var(--leaf); stroke: var(--leaf-line); }
.lucid .constant rect { fill: var(--constant); stroke: var(--constant-line); stroke-dasharray: 4 3; }
.lucid .more rect { stroke-dasharray: 2 4; }
.lucid .frame rect { fill: var(--frame); stroke: var(--line); }
.lucid path { fill: none; stroke: var(--op-line); stroke-width: 1.5; }
.lucid marker path { fill: var(--op-line); stroke: none; }
"""


class Graph:
    """The graph behind `loss`, to be drawn: `to_svg()`, `to_dot()`, `to_mermaid()`; notebooks show it.

    Arguments are those of `lucid.see.page`. A graph that was released can be drawn, without what it let go of.

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
        self._picture = Picture(loss, model, names, limit, users_frame())
        self._folded = set(first_folded(self._picture))

    def __repr__(self) -> str:
        ops = sum(box.kind == "op" for box in self._picture.boxes)
        return f"<graph of {ops:,} operations>"

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def to_svg(self) -> str:
        """The picture as the text of an SVG file, which follows the reader's light or dark setting."""
        picture = self._picture
        placed = place(picture, arrange(picture), self._folded)
        _, _, width, height, _ = placed.rectangles["g0"]
        keys = [key for key in placed.rectangles if key != "g0"]
        frames = [key for key in keys if key[0] == "g" and int(key[1:]) not in self._folded]
        parts = [_frame(picture.groups[int(key[1:])], placed.rectangles[key]) for key in frames]
        parts += [f'<path d="{_curve(line)}" marker-end="url(#tip)"/>' for line in placed.lines if line]
        for key, at in placed.rectangles.items():
            if key[0] == "b":
                parts.append(_drawn(picture.boxes[int(key[1:])], at))
            elif int(key[1:]) in self._folded:
                parts.append(_drawn_folded(picture.groups[int(key[1:])], at))
        label = f"Computation graph of {len(picture.boxes):,} nodes, inputs at the left, the loss at the right"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="lucid" role="img" aria-label="{label}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"><style>{STYLE}</style>'
            '<defs><marker id="tip" viewBox="0 0 6 6" refX="5.2" refY="3" markerWidth="8" markerHeight="8" '
            'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.4 5.6 3 0 5.6z"/></marker></defs>'
            + "".join(parts)
            + "</svg>"
        )

    def to_dot(self) -> str:
        """The graph in graphviz's language: `dot -Tpdf` makes a figure of it."""
        lines = ["digraph {", "  rankdir=LR; node [fontname=Helvetica, fontsize=11]; edge [color=gray50]"]
        lines += self._nested(self._picture.root.members, "  ", _dot_box, _dot_group, "}")
        lines += [f"  {a} -> {b}" for a, b in self._arrows()]
        return "\n".join([*lines, "}"])

    def to_mermaid(self) -> str:
        """The graph in Mermaid's language, which Markdown renderers draw."""
        boxes = {self._key(box): _mermaid_box(box) for box in self._picture.boxes if self._key(box)[0] == "b"}
        boxes |= {f"g{n}": f'[["{_mermaid_text(self._picture.groups[n].label)}"]]' for n in self._folded}
        lines = ["graph LR"]
        for a, b in self._arrows():
            lines.append(f"  {a}{boxes.pop(a, '')} --> {b}{boxes.pop(b, '')}")  # what it is, at first mention
        if len(lines) == 1:
            lines += [f"  {key}{text}" for key, text in boxes.items()]
        lines += self._nested(self._picture.root.members, "  ", None, _mermaid_group, "end")
        return "\n".join(lines)

    def _key(self, box: Box) -> str:
        """What stands for a box: itself, or the outermost folded group that it is in."""
        folded = [group for group in around_of(box.group) if group.number in self._folded]
        return key_of(folded[0] if folded else box)

    def _arrows(self) -> list[tuple[str, str]]:
        boxes = self._picture.boxes
        pairs = [(self._key(boxes[edge.source]), self._key(boxes[edge.target])) for edge in self._picture.input_index]
        return [(a, b) for a, b in dict.fromkeys(pairs) if a != b]

    def _nested(self, members: list[Box | Group], indent: str, box: Any, group: Any, end: str) -> list[str]:
        """Members in their frames, as `box` and `group` write them; without `box`, their keys alone."""
        lines: list[str] = []
        for member in members:
            if isinstance(member, Box):
                if box is not None:
                    lines.append(indent + box(member))
                elif indent != "  ":
                    lines.append(f"{indent}b{member.number}")
            elif member.number in self._folded:
                if box is not None:
                    lines.append(f'{indent}g{member.number} [shape=box3d, label="{_dot_text(member.label)}"]')
                elif indent != "  ":
                    lines.append(f"{indent}g{member.number}")
            else:
                inner = self._nested(member.members, indent + "  ", box, group, end)
                lines += [indent + group(member), *inner, indent + end]
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


def _title(box: Box) -> str:
    return box.label if box.kind in ("op", "more") else box.name or box.label


def _value(box: Box) -> str:
    text = brief(box.value) if box.value is not None else ""
    if text and len(text) <= 16:
        return text
    return shape_of(box) if box.shape not in (None, ()) else ""


def _frame(group: Group, at: Any) -> str:
    x, y, w, h, _ = at
    text = f'<text x="{x + 13:.1f}" y="{y + 19:.1f}" class="value">{escape(group.label)}</text>'
    return f'<g class="frame"><rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="12"/>{text}</g>'


def _drawn(box: Box, at: Any) -> str:
    x, y, w, h, _ = at
    inset, rx = (12, 8) if box.kind in ("op", "more") else (16, 20)
    name = box.name if box.name and box.name != _title(box) else ""
    called = f'<text x="{x + w - inset:.1f}" y="{y + 23:.1f}" text-anchor="end" class="value">{escape(name)}</text>'
    return (
        f'<g class="{box.kind}"><rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{rx}"/>'
        f'<text x="{x + inset:.1f}" y="{y + 23:.1f}" class="title">{escape(_title(box))}</text>{called if name else ""}'
        f'<text x="{x + inset:.1f}" y="{y + 43:.1f}" class="value">{escape(_value(box))}</text></g>'
    )


def _drawn_folded(group: Group, at: Any) -> str:
    x, y, w, h, _ = at
    count = sum(box.kind == "op" for box in group.boxes())
    return (
        f'<g><rect x="{x + 4:.1f}" y="{y + 4:.1f}" width="{w:.1f}" height="{h:.1f}" rx="10"/>'
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="10"/>'
        f'<text x="{x + 12:.1f}" y="{y + 23:.1f}" class="title">{escape(group.label)}</text>'
        f'<text x="{x + 12:.1f}" y="{y + 43:.1f}" class="value">{count:,} operations</text></g>'
    )


def _curve(line: list[tuple[float, float]]) -> str:
    """A path through points that leaves and enters each of them level."""
    path = f"M{line[0][0]:.1f} {line[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(line):
        bend = min(60.0, max(12.0, (x1 - x0) / 2))
        level, end = abs(y1 - y0) < 0.5, f"{x1:.1f} {y1:.1f}"
        path += f"L{end}" if level else f"C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} {end}"
    return path


def _words(box: Box) -> list[str]:
    name = f" {box.name}" if box.name and box.name != _title(box) else ""
    return [part for part in (_title(box) + name, _value(box)) if part]


def _dot_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _dot_box(box: Box) -> str:
    looks = {"op": "shape=box", "more": "shape=box, style=dotted", "constant": "shape=box, style=dashed"}
    look = looks.get(box.kind, 'shape=box, style="rounded,filled", fillcolor="#e3eefa"')
    label = "\\n".join(map(_dot_text, _words(box)))
    return f'b{box.number} [{look}, label="{label}"]'


def _dot_group(group: Group) -> str:
    return f'subgraph cluster_{group.number} {{ label="{_dot_text(group.label)}"; color=gray80'


def _mermaid_text(text: str) -> str:
    """Mermaid's own way of writing what would mean something to it."""
    return "".join(c if c.isalnum() or c in " .,_-+·…×[]=" else f"#{ord(c)};" for c in text)


def _mermaid_box(box: Box) -> str:
    text = '"' + "<br>".join(map(_mermaid_text, _words(box))) + '"'
    if box.kind in ("op", "more"):
        return f"[{text}]"
    return f">{text}]" if box.kind == "constant" else f"([{text}])"


def _mermaid_group(group: Group) -> str:
    return f'subgraph s{group.number}["{_mermaid_text(group.label)}"]'
