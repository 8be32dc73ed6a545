"""How a picture is written: SVG for eyes, DOT for graphviz, Mermaid for documents, and a page to step through.

SVG, DOT and Mermaid draw forward, from the leaves to the loss, with frames around what one call of a module
made, and fold what is too large to read as the page does. The page is one HTML file that holds all: the graph
as JSON, program and style. Its Content-Security-Policy makes the browser forbid loading anything else.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from lucid.autograd.provenance import HINT, user_frame
from lucid.core.array import cpu
from lucid.core.node import Tensor
from lucid.io.npz import atomic_write
from lucid.see import layout
from lucid.see.layout import Rectangle, arrange, assign_coordinates, key_of, size_of
from lucid.see.picture import LIMIT, Box, Group, Picture, enclosing, initially_folded
from lucid.see.text import NO_TEXT, element, escape, host, shape_text, value_text
from lucid.see.trace import iter_steps

FOLDER = Path(__file__).parent
STYLE = "\n" + (FOLDER / "drawing.css").read_text("utf-8")
FULL, CELLS = 64, 20  # elements that are written out; rows and columns of a heat map
MANY = 600  # operations from which on pages are sparing: FULL becomes 8, CELLS 10


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
        frames, boxes = list[str](), list[str]()
        for key, at in drawn.rectangles.items():
            member: Any = (picture.boxes if key[0] == "b" else picture.groups)[int(key[1:])]
            is_frame = key[0] == "g" and member.number not in self._folded
            if key != "g0":
                (frames if is_frame else boxes).append(_svg_member(member, at, is_frame))
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
        boxes, edges = self._picture.boxes, enumerate(self._picture.edges)
        pairs = [(self._key(boxes[edge.source]), self._key(boxes[edge.target]), i) for i, edge in edges]
        each = dict.fromkeys((a, b, None if "g" in (a[0], b[0]) else i) for a, b, i in pairs)  # of folded groups one
        return [(a, b) for a, b, _ in each if a != b]

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


def _texts(box: Box, name: str) -> tuple[str, str, str]:
    """The title of a box, its name where that is not the title, and its value (or shape)."""
    title = box.label if box.kind in ("op", "more") else name or box.label
    value = value_text(box.value)
    value = value if 0 < len(value) <= 16 else shape_text(box.shape) if box.shape else ""
    return title, name if name != title else "", value


def _svg_member(member: Box | Group, at: Rectangle, is_frame: bool) -> str:
    """A box, a frame around what is in a group, or a folded group."""
    x, y, w, h, _ = at

    def rect(rx: int, shift: int = 0) -> str:
        return element("rect", x=x + shift, y=y + shift, width=w, height=h, rx=rx)

    def text(content: str, dx: float, dy: int, **attributes: str) -> str:
        return element("text", escape(content), x=x + dx, y=y + dy, **attributes)

    full = element("title", escape(f"{member.label} {'' if isinstance(member, Group) else member.name}".rstrip()))
    if is_frame:
        return element("g", full, rect(12), text(member.short, 13, 19, class_="value"), class_="frame")
    if isinstance(member, Group):
        count = text(f"{member.operations():,} operations", 12, 43, class_="value")
        return element("g", full, rect(10, shift=4), rect(10), text(member.short, 12, 23, class_="title"), count)
    inset, rx = (12, 8) if member.kind in ("op", "more") else (16, 20)
    title, name, value = _texts(member, member.short)
    parts = [full, rect(rx), text(title, inset, 23, class_="title")]
    parts += [text(name, w - inset, 23, text_anchor="end", class_="value")] if name else []
    return element("g", *parts, text(value, inset, 43, class_="value"), class_=member.kind)


def _curve(line: list[tuple[float, float]]) -> str:
    """A path through points that leaves and enters each of them horizontally."""
    path = f"M{line[0][0]:.1f} {line[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(line):
        bend, end = min(60.0, max(12.0, (x1 - x0) / 2)), f"{x1:.1f} {y1:.1f}"
        curve = f"C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} {end}"
        path += f"L{end}" if abs(y1 - y0) < 0.5 else curve
    return path


LEAF = 'shape=box, style="rounded,filled", fillcolor="#e3eefa"', "([{}])"
STYLES = {  # of a kind of box, and of a folded group: in DOT and in Mermaid
    "op": ("shape=box", "[{}]"), "more": ("shape=box, style=dotted", "[{}]"), "group": ("shape=box3d", "[[{}]]"),
    "constant": ("shape=box, style=dashed", ">{}]"), "leaf": LEAF, "parameter": LEAF,
}  # fmt: skip


def _style_and_lines(member: Box | Group) -> tuple[tuple[str, str], list[str]]:
    if isinstance(member, Group):
        return STYLES["group"], [member.label]
    *title, value = _texts(member, member.name)
    return STYLES[member.kind], [line for line in (" ".join(filter(None, title)), value) if line]


def _dot_text(text: str) -> str:
    return NO_TEXT.sub("\ufffd", text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _dot_node(member: Box | Group) -> str:
    (style, _), lines = _style_and_lines(member)
    return f'{key_of(member)} [{style}, label="' + "\\n".join(map(_dot_text, lines)) + '"]'


def _mermaid_text(text: str) -> str:
    """Text with Mermaid's own characters as codes."""
    return "".join(c if c.isalnum() or c in " .,_-+·…×[]=" else f"#{ord(c)};" for c in text)


def _mermaid_node(member: Box | Group) -> str:
    (_, shape), lines = _style_and_lines(member)
    return shape.format('"' + "<br>".join(map(_mermaid_text, lines)) + '"')


def page(
    loss: Tensor, path: str | Path | None = None, *, gradient: Any = None, model: Any = None,
    names: Mapping[str, Any] | None = None, title: str | None = None, limit: int = LIMIT, run: Any = None,
    links: Mapping[str, str] | None = None,
) -> Page:  # fmt: skip
    """The graph of `loss` as one HTML page, with its backward pass to step through; written to `path`.

    It needs no server and no network. Leaves go by their names in the calling function. Neither the graph nor
    any `grad` is changed. If the forward ran in `with lucid.see.track_provenance():`, modules are drawn as
    boxes that fold, and each node shows its value and the line that made it.

    Args:
        loss: a tensor whose graph was not released: draw it before `backward()`, or pass that `retain_graph=True`.
        path: where to write; None only makes the page, which notebooks show.
        gradient, model, names: as those of `lucid.see.steps`.
        title: the page's title.
        limit: how many operations to draw, the youngest; the page says how many it left out.
        links: text -> address of pages to go to, {"home": "index.html", "next": "mlp.html"}, shown at the top.
        run: what to show below the graph: anything with a `_repr_html_()`, such as a Recorder.

    Raises:
        RuntimeError: where there is no graph, or where it was released.
        OSError: if the file cannot be written.
    """
    picture = Picture(loss, model, names, limit, user_frame(sys._getframe()))
    data = json.dumps(payload(picture, gradient), allow_nan=False, separators=(",", ":"))
    slots = {
        "title": escape(title or "A backward pass, step by step"),
        "css": (FOLDER / "page.css").read_text("utf-8"),
        "js": (FOLDER / "page.js").read_text("utf-8"),
        "links": "".join(element("a", escape(text), href=address) for text, address in (links or {}).items()),
        "run": element("section", run._repr_html_(), id="run") if run is not None else "",
        # without these three characters a </script> in a name ends nothing
        "data": data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
    }
    pieces = (FOLDER / "page.html").read_text("utf-8").split("@")  # text, slot, text, slot, ...
    made = Page("".join(slots.get(piece, f"@{piece}@") if i % 2 else piece for i, piece in enumerate(pieces)))
    if path is not None:
        made.save(path)
    return made


class Page:
    """A page: `save(path)` writes it, `text` has it, and notebooks show it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def save(self, path: str | Path) -> None:
        """Write the page; an OSError, with the reason, if that is not possible."""
        with atomic_write("lucid.see.page", path) as file:
            file.write(self.text.encode())

    def __repr__(self) -> str:
        return f"<page of {len(self.text) / 1e3:,.0f} kB>"

    def _repr_html_(self) -> str:
        style = "width:100%;height:640px;border:1px solid #ccc;border-radius:6px"
        return element("iframe", "", srcdoc=self.text, style=style, title="Computation graph")


def payload(picture: Picture, gradient: Any = None) -> dict[str, Any]:
    """What the page's program works with: boxes, groups with the inside of each, edges with their routes, and steps."""
    arranged = arrange(picture)
    sizes = (8, 10) if picture.total > MANY else (FULL, CELLS)
    number = {box.node: box.number for box in picture.boxes if box.node is not None}
    edges_between: dict[tuple[int | None, int, str], list[int]] = {}
    for i, edge in enumerate(picture.edges):
        edges_between.setdefault(edge, []).append(i)
    steps, seed = [], None
    for step in iter_steps(picture.loss, gradient, picture.names, {}, number):  # one by one: they hold all gradients
        seed, box, sent = step.gradient if seed is None else seed, number[step.node], []
        for part in step.contributions:
            to, gradient_sent = number.get(part.node), None if part.before is None else part.gradient
            sent.append({
                "to": to, "name": part.to, "input": part.input, "formula": part.formula,
                "math": part.math, "numbers": part.numbers, "note": part.note,
                "part": encode_value(gradient_sent, sizes),  # null: the same as after
                "before": encode_value(part.before, sizes), "after": encode_value(part.after, sizes),
                "edges": edges_between.get((to, box, part.input), []),
            })  # fmt: skip
        steps.append({"box": box, "sent": sent})
    if seed is None:  # a leaf by itself has no steps
        seed = picture.loss.new_ones(picture.loss.shape) if gradient is None else gradient
    ops, left_out = picture.root.operations(), picture.left_out
    summary = f"{ops:,} operations, {len(picture.boxes) - ops:,} leaves and constants"
    summary += f"; {left_out:,} earlier operations are left out (limit={ops:,})" if left_out else ""
    return {
        "summary": summary, "hint": f"To see more, {HINT}." if not picture.has_provenance else "",
        "loss": number[picture.loss_node], "seed": encode_value(seed, sizes),
        "constants": {x: getattr(layout, x) for x in ("COLUMN", "ROW", "PADDING", "TITLE", "SWEEPS", "BESIDE")},
        "boxes": [_encode_box(box, sizes) for box in picture.boxes],
        "groups": [{
            "label": group.label, "short": group.short, "parent": None if group.group is None else group.group.number,
            "depth": len(enclosing(group)), "count": group.operations(),
            "members": [key_of(member) for member in group.members], "size": size_of(group),
            "layers": inside.layers, "lines": inside.lines,
        } for group, inside in zip(picture.groups, arranged.inside, strict=True)],
        "edges": [
            [edge.source, edge.target, edge.input, [f"{group} {key}" for group, key in route]]
            for edge, route in zip(picture.edges, arranged.routes, strict=True)
        ],
        "steps": steps,
    }  # fmt: skip


def _encode_box(box: Box, sizes: tuple[int, int]) -> dict[str, Any]:
    line: Any = None
    if (made_at := box.provenance) is not None:
        file = made_at.file.removeprefix(os.path.join(os.getcwd(), ""))
        line = {"file": file, "number": made_at.line, "function": made_at.function, "text": made_at.text}
    return {
        "kind": box.kind, "label": box.label, "name": box.name, "short": box.short,
        "shape": None if box.shape is None else shape_text(box.shape), "dtype": str(getattr(box.value, "dtype", "")),
        "value": encode_value(box.value, sizes), "changed": box.changed, "size": size_of(box),
        "group": 0 if box.group is None else box.group.number,
        "module": (made_at and made_at.module) or "", "line": line,
    }


def encode_value(value: Any, sizes: tuple[int, int] = (FULL, CELLS)) -> dict[str, Any] | None:
    """A value as JSON: few numbers in full, of many a heat map and statistics. NaN and infinities are strings."""
    if value is None or isinstance(value, tuple):
        return None if value is None else {"text": value_text(value)}
    array, (full, cells) = host(cpu.asarray(value) if isinstance(value, (bool, int, float)) else value), sizes
    encoded: dict[str, Any] = {"shape": list(array.shape)}
    if array.size <= full and array.dtype.kind == "f":  # with as few digits as tell them apart in their own precision
        texts = array.reshape(-1).astype("U32").tolist()
        encoded["full"] = [x if x in ("nan", "inf", "-inf") else float(x) for x in texts]
    elif array.size <= full:
        encoded["full"] = list(map(int, array.reshape(-1).tolist()))
    if array.size <= 1:
        return encoded
    real = array.astype("float64")
    finite = real if (all_finite := bool((is_finite := cpu.isfinite(real)).all())) else real[is_finite]
    if finite.size:
        mean = finite.sum() / finite.size
        facts = {"low": finite.min(), "high": finite.max(), "mean": mean, "std": ((finite - mean) ** 2).mean() ** 0.5}
        encoded |= {name: float(f"{fact:.6g}") for name, fact in facts.items()}
        encoded["zeros"] = finite.size - int(cpu.count_nonzero(finite))
    lost = (0, 0) if all_finite else (int(cpu.isnan(real).sum()), int(cpu.isinf(real).sum()))
    encoded |= {"nan": lost[0], "infinite": lost[1]}
    if array.size > full:
        encoded |= _heat_map(real, float(abs(finite).max()) if finite.size else 0.0, cells)
    return encoded


def _heat_map(array: Any, largest: float, cells: int) -> dict[str, Any]:
    """Means of blocks as letters: E is 0, earlier ones are negative, later ones positive, and ! is not finite."""
    flat = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(1, -1)
    if array.ndim == 1 and array.size > cells:
        rows = -(-array.size // cells)
        flat = flat[:, [min(i, array.size - 1) for i in range(rows * cells)]].reshape(rows, cells)
    for axis, n in enumerate(flat.shape):
        if (block := -(-n // cells)) > 1:
            count = -(-n // block)
            flat = flat.take([min(i, n - 1) for i in range(count * block)], axis=axis)
            flat = flat.reshape((count, block, -1) if axis == 0 else (flat.shape[0], count, block)).mean(axis=axis + 1)
    shares = flat.reshape(-1) / (largest or 1.0)
    letters = cpu.where(cpu.isfinite(shares), 69 + 21 * shares, ord("!")).round().astype("uint8")
    return {"rows": flat.shape[0], "columns": flat.shape[1], "heat": letters.tobytes().decode("ascii")}
