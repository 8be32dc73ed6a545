"""The page: a graph in one HTML file, with a backward pass to step through.

The file holds everything: the graph as JSON, the program and the style. It loads nothing from any server or network,
and its Content-Security-Policy makes the browser forbid it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from lucid.autograd.provenance import HINT, user_frame
from lucid.core.array import cpu
from lucid.core.node import Tensor
from lucid.see import layout
from lucid.see.layout import arrange, key_of, size_of
from lucid.see.picture import LIMIT, Box, Picture, enclosing, initially_folded
from lucid.see.text import element, host, shape_text, value_text
from lucid.see.trace import iter_steps

FULL, CELLS = 64, 20  # elements that are written out; rows and columns of a heat map
MANY = 600  # operations from which on pages are sparing: FULL becomes 8, CELLS 10


def page(
    loss: Tensor, path: str | Path | None = None, *, gradient: Any = None, model: Any = None,
    names: Mapping[str, Any] | None = None, title: str | None = None, limit: int = LIMIT, run: Any = None,
) -> Page:  # fmt: skip
    """The graph of `loss` as one HTML page, with its backward pass to step through; written to `path`.

    The page needs no server and no network. Leaves go by the names that they have in the calling function. Neither the
    graph nor any `grad` is changed. Run the forward inside `with lucid.see.track_provenance():`, and modules are drawn
    as boxes that fold, and each node shows its value and the line that made it.

    Args:
        loss: a tensor whose graph was not released: draw it before `backward()`, or pass that `retain_graph=True`.
        path: where to write; None only makes the page, which notebooks show.
        gradient, model, names: as those of `lucid.see.steps`.
        title: the page's title.
        limit: how many operations to draw, the youngest; the page says how many it left out.
        run: what to show below the graph: anything with a `_repr_html_()`, such as a Recorder.

    Raises:
        RuntimeError: where there is no graph, or where it was released.
        OSError: if the file cannot be written.
    """
    picture = Picture(loss, model, names, limit, user_frame(sys._getframe()))
    made = Page(_html(picture, gradient, title or "A backward pass, step by step", run))
    if path is not None:
        made.save(path)
    return made


class Page:
    """A page: `save(path)` writes it, `text` has it, and notebooks show it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def save(self, path: str | Path) -> None:
        """Write the page.

        Raises:
            OSError: if that is not possible, with the reason.
        """
        try:
            Path(path).write_text(self.text, encoding="utf-8")
        except OSError as error:
            advice = "name a file in a directory that exists and that you may write to"
            problem = f"cannot write {str(path)!r}: {error.strerror or error}"
            raise type(error)(f"lucid.see.page: {problem}; {advice}") from error

    def __repr__(self) -> str:
        return f"<page of {len(self.text) / 1e3:,.0f} kB>"

    def _repr_html_(self) -> str:
        style = "width:100%;height:640px;border:1px solid #ccc;border-radius:6px"
        return element("iframe", "", srcdoc=self.text, style=style, title="Computation graph")


def _html(picture: Picture, gradient: Any, title: str, run: Any) -> str:
    data = json.dumps(payload(picture, gradient), allow_nan=False, separators=(",", ":"))
    folder = Path(__file__).parent
    slots = {
        "title": escape(title),
        "css": (folder / "page.css").read_text("utf-8"),
        "js": (folder / "page.js").read_text("utf-8"),
        "run": element("section", run._repr_html_(), id="run") if run is not None else "",
        # without these three characters a </script> in a name ends nothing
        "data": data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
    }
    pieces = (folder / "page.html").read_text("utf-8").split("@")  # text, slot, text, slot, ...
    return "".join(slots.get(piece, f"@{piece}@") if i % 2 else piece for i, piece in enumerate(pieces))


def payload(picture: Picture, gradient: Any = None) -> dict[str, Any]:
    """What the page's program works with: boxes, groups with the inside of each, edges with their routes, and steps."""
    arranged = arrange(picture)
    sizes = (8, 10) if picture.total > MANY else (FULL, CELLS)
    number = {box.node: box.number for box in picture.boxes if box.node is not None}
    edges_between: dict[tuple[int | None, int], list[int]] = {}
    for i, edge in enumerate(picture.edges):
        edges_between.setdefault((edge.source, edge.target), []).append(i)
    steps, seed = [], None
    for step in iter_steps(picture.loss, gradient, picture.names, {}, number):  # one by one: they hold all gradients
        seed, box = step.gradient if seed is None else seed, number[step.node]
        sent = []
        for part in step.contributions:
            to, gradient_sent = number.get(part.node), None if part.before is None else part.gradient
            sent.append({
                "to": to, "name": part.to, "input": part.input, "formula": part.formula, "filled": part.filled,
                "part": encode_value(gradient_sent, sizes),  # null: the same as after
                "before": encode_value(part.before, sizes), "after": encode_value(part.after, sizes),
                "edges": edges_between.get((to, box), []),
            })  # fmt: skip
        steps.append({"box": box, "sent": sent})
    if seed is None:  # a leaf by itself has no steps
        seed = picture.loss.new_ones(picture.loss.shape) if gradient is None else gradient
    ops = picture.root.operations()
    summary = f"{ops:,} operations, {len(picture.boxes) - ops:,} leaves and constants"
    if picture.left_out:
        summary += f"; {picture.left_out:,} earlier operations are left out (limit={ops:,})"
    return {
        "summary": summary,
        "hint": f"To see more, {HINT}." if not picture.has_provenance else "",
        "loss": number[picture.loss._node],
        "seed": encode_value(seed, sizes),
        "folded": initially_folded(picture),
        "constants": {name: getattr(layout, name) for name in ("COLUMN", "ROW", "PADDING", "TITLE", "SWEEPS")},
        "boxes": [_encode_box(box, sizes) for box in picture.boxes],
        "groups": [
            {
                "label": group.label, "parent": None if group.group is None else group.group.number,
                "depth": len(enclosing(group)), "count": group.operations(),
                "members": [key_of(member) for member in group.members], "size": size_of(group),
                "layers": inside.layers, "lines": inside.lines,
            }
            for group, inside in zip(picture.groups, arranged.inside, strict=True)
        ],
        "edges": [
            [edge.source, edge.target, edge.input, [f"{group} {key}" for group, key in route]]
            for edge, route in zip(picture.edges, arranged.routes, strict=True)
        ],
        "steps": steps,
    }


def _encode_box(box: Box, sizes: tuple[int, int]) -> dict[str, Any]:
    line, made_at = None, box.provenance  # type: Any, Any
    if made_at is not None:
        path, here = Path(made_at.file), Path.cwd()
        file = str(path.relative_to(here)) if path.is_relative_to(here) else made_at.file
        line = {"file": file, "number": made_at.line, "function": made_at.function, "text": made_at.text}
    return {
        "kind": box.kind, "label": box.label, "name": box.name,
        "shape": None if box.shape is None else shape_text(box.shape), "dtype": str(getattr(box.value, "dtype", "")),
        "value": encode_value(box.value, sizes), "changed": box.changed, "size": size_of(box),
        "group": 0 if box.group is None else box.group.number,
        "module": (made_at and made_at.module) or "", "line": line,
    }


def encode_value(value: Any, sizes: tuple[int, int] = (FULL, CELLS)) -> dict[str, Any] | None:
    """A value as JSON: few numbers in full, of many a heat map and statistics. NaN and infinities are strings."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return {"text": value_text(value)}
    if isinstance(value, (bool, int, float)):
        value = cpu.asarray(value)
    array = host(value)
    encoded: dict[str, Any] = {"shape": list(array.shape)}
    full, cells = sizes
    if array.size <= full and array.dtype.kind == "f":  # with as few digits as tell them apart in their own precision
        texts = array.reshape(-1).astype("U32").tolist()
        encoded["full"] = [x if x in ("nan", "inf", "-inf") else float(x) for x in texts]
    elif array.size <= full:
        encoded["full"] = list(map(int, array.reshape(-1).tolist()))
    if array.size <= 1:
        return encoded
    real = array.astype("float64")
    finite = real[cpu.isfinite(real)]
    if finite.size:
        facts = {"low": finite.min(), "high": finite.max(), "mean": finite.mean(), "std": finite.std()}
        encoded |= {name: float(f"{fact:.6g}") for name, fact in facts.items()}
        encoded["zeros"] = int((finite == 0).sum())
    encoded |= {"nan": int(cpu.isnan(real).sum()), "infinite": int(cpu.isinf(real).sum())}
    if array.size > full:
        encoded |= _heat_map(real, float(abs(finite).max()) if finite.size else 0.0, cells)
    return encoded


def _heat_map(array: Any, largest: float, cells: int) -> dict[str, Any]:
    """Means of blocks as letters: E is 0, earlier ones are negative, later ones positive, and ! is not finite."""
    flat = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(1, -1)
    if array.ndim == 1 and array.size > cells:
        rows = -(-array.size // cells)
        flat = flat[:, [min(i, array.size - 1) for i in range(rows * cells)]].reshape(rows, cells)
    for axis in (0, 1):
        n = flat.shape[axis]
        block = -(-n // cells)
        if block > 1:
            count = -(-n // block)
            flat = flat.take([min(i, n - 1) for i in range(count * block)], axis=axis)
            flat = flat.reshape((count, block, -1) if axis == 0 else (flat.shape[0], count, block)).mean(axis=axis + 1)
    shares = flat.reshape(-1) / (largest or 1.0)
    letters = cpu.where(cpu.isfinite(shares), 69 + 21 * shares, ord("!"))
    heat = letters.round().astype("uint8").tobytes().decode("ascii")
    return {"rows": flat.shape[0], "columns": flat.shape[1], "heat": heat}
