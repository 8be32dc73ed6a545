"""The page: a graph in one HTML file, with a backward pass to step through.

The file holds everything: the graph as JSON, the program and the style. It asks no server and no network for anything,
and says so to the browser (its Content-Security-Policy forbids it).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from lucid.autograd.provenance import HINT
from lucid.core.array import cpu
from lucid.core.node import Tensor
from lucid.see import layout
from lucid.see.layout import arrange, key_of, size_of
from lucid.see.names import brief, host, shape_of, users_frame
from lucid.see.picture import LIMIT, Box, Picture, around_of, first_folded
from lucid.see.trace import Step, stepping

FULL, CELLS = 64, 20  # elements that are written out; rows and columns of a heat map
MANY = 600  # operations from which on pages are sparing: FULL becomes 8, CELLS 10


def page(
    loss: Tensor,
    path: str | Path | None = None,
    *,
    gradient: Any = None,
    model: Any = None,
    names: Mapping[str, Any] | None = None,
    title: str | None = None,
    limit: int = LIMIT,
    run: Any = None,
) -> Page:
    """The graph of `loss` as one HTML page, with its backward pass to step through; written to `path`.

    The page needs no server and no network. Leaves go by the names that they have in the calling function. Neither the
    graph nor any `grad` is changed. Record the forward inside `with lucid.see.track_provenance():`, and modules are drawn as
    boxes that fold, and each node knows its value and the line that made it.

    Args:
        loss: a tensor whose graph was not released: draw it before `backward()`, or pass that `retain_graph=True`.
        path: where to write; None only makes the page, which notebooks show.
        gradient: the gradient to start with; 1 for a single number.
        model: a Module whose parameters are to be called by their paths.
        names: name -> Tensor or Module, for what goes by other names than in the calling function.
        title: the page's title.
        limit: how many operations to draw, the youngest; the page says how many it left out.
        run: what to show below the graph: anything with a `_repr_html_()`, such as a Recorder.

    Raises:
        RuntimeError: where there is no graph, or where it was released.
        OSError: if the file cannot be written.
    """
    frame = users_frame()
    picture = Picture(loss, model, names, limit, frame)
    made = Page(_text(picture, gradient, title or "A backward pass, step by step", run))
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
            raise type(error)(
                f"lucid.see.page: cannot write {str(path)!r}: {error.strerror or error}; name a file in a directory "
                f"that exists and that you may write to"
            ) from error

    def __repr__(self) -> str:
        return f"<page of {len(self.text) / 1e3:,.0f} kB>"

    def _repr_html_(self) -> str:
        style = "width:100%;height:640px;border:1px solid #ccc;border-radius:6px"
        return f'<iframe srcdoc="{escape(self.text)}" style="{style}" title="Computation graph"></iframe>'


def _text(picture: Picture, gradient: Any, title: str, run: Any) -> str:
    data = json.dumps(payload(picture, gradient), allow_nan=False, separators=(",", ":"))
    data = data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")  # </script> ends nothing
    here = Path(__file__).parent
    parts = {
        "title": escape(title),
        "css": (here / "page.css").read_text("utf-8"),
        "js": (here / "page.js").read_text("utf-8"),
        "run": f'<section id="run">{run._repr_html_()}</section>' if run is not None else "",
        "data": data,
    }
    pieces = (here / "page.html").read_text("utf-8").split("@")  # text, name, text, name, ...
    return "".join(parts.get(piece, "@" + piece + "@") if i % 2 else piece for i, piece in enumerate(pieces))


def payload(picture: Picture, gradient: Any = None) -> dict[str, Any]:
    """What the page's program works with: boxes, groups with the inside of each, edges with their routes, and steps."""
    found = arrange(picture)
    sizes = (8, 10) if picture.total > MANY else (FULL, CELLS)
    number = {box.node: box.number for box in picture.boxes if box.node is not None}
    steps, seed = [], None
    for step in stepping(picture.loss, gradient, picture.names, of=number):
        seed = step.gradient if seed is None else seed
        steps.append(_step(step, number, picture, sizes))
    depth = {group.number: len(around_of(group)) for group in picture.groups}
    ops = sum(box.kind == "op" for box in picture.boxes)
    summary = f"{ops:,} operations, {len(picture.boxes) - ops:,} leaves and constants"
    if picture.left_out:
        summary += f"; {picture.left_out:,} earlier operations are left out (limit={ops:,})"
    return {
        "summary": summary,
        "hint": f"To see more, {HINT}." if not picture.remembered else "",
        "loss": number[picture.loss._node],
        "seed": shown(seed if seed is not None else _one(picture.loss, gradient), sizes),
        "folded": first_folded(picture),
        "constants": {name: getattr(layout, name) for name in ("COLUMN", "ROW", "PADDING", "TITLE", "SWEEPS")},
        "boxes": [_box(box, sizes) for box in picture.boxes],
        "groups": [
            {
                "label": group.label,
                "parent": None if group.parent is None else group.parent.number,
                "depth": depth[group.number],
                "count": sum(box.kind == "op" for box in group.boxes()),
                "members": [key_of(member) for member in group.members],
                "size": size_of(group),
                "layers": inside.layers,
                "lines": inside.lines,
            }
            for group, inside in zip(picture.groups, found.inside, strict=True)
        ],
        "edges": [
            [edge.source, edge.target, edge.input, [f"{group} {key}" for group, key in route]]
            for edge, route in zip(picture.input_index, found.routes, strict=True)
        ],
        "steps": steps,
    }


def _one(loss: Tensor, gradient: Any) -> Any:
    return loss.new_ones(loss.shape) if gradient is None else gradient


def _box(box: Box, sizes: tuple[int, int]) -> dict[str, Any]:
    value, place = box.value, box.origin
    return {
        "kind": box.kind,
        "label": box.label,
        "name": box.name,
        "shape": None if box.shape is None else shape_of(box),
        "dtype": str(getattr(value, "dtype", "")),
        "value": shown(value, sizes),
        "changed": box.changed,
        "size": size_of(box),
        "group": 0 if box.group is None else box.group.number,
        "module": "" if place is None or place.module is None else place.module,
        "line": place
        and {"file": _file(place.file), "number": place.line, "function": place.function, "text": place.text},
    }


def _file(name: str) -> str:
    """A file's name as it is seen from the directory that the program runs in."""
    path, here = Path(name), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else name


def _step(step: Step, number: dict[Any, int], picture: Picture, sizes: tuple[int, int]) -> dict[str, Any]:
    box = number[step.node]
    edges = picture.into(box)
    return {
        "box": box,
        "sent": [
            {
                "to": number.get(sent.node),
                "name": sent.to,
                "input": sent.input,
                "formula": sent.formula,
                "filled": sent.filled,
                "part": None if sent.before is None else shown(sent.gradient, sizes),  # else what is there after it
                "before": None if sent.before is None else shown(sent.before, sizes),
                "after": shown(sent.after, sizes),
                "edges": [i for i in edges if number.get(sent.node) == picture.input_index[i].source],
            }
            for sent in step.sent
        ],
    }


def shown(value: Any, sizes: tuple[int, int] = (FULL, CELLS)) -> dict[str, Any] | None:
    """A value as JSON: few numbers in full, of many a heat map and statistics. NaN and infinities are strings."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return {"text": brief(value)}
    if isinstance(value, (bool, int, float)):
        value = cpu.asarray(value)
    array = host(value)
    found: dict[str, Any] = {"shape": list(array.shape)}
    full, cells = sizes
    if array.size <= full:
        found["full"] = _numbers(array.reshape(-1))
    if array.size <= 1:
        return found
    xp = cpu
    real = array.astype("float64")
    finite = real[xp.isfinite(real)]
    if finite.size:
        facts = {"low": finite.min(), "high": finite.max(), "mean": finite.mean(), "std": finite.std()}
        found |= {name: float(f"{fact:.6g}") for name, fact in facts.items()}
        found["zeros"] = int((finite == 0).sum())
    found |= {"nan": int(xp.isnan(real).sum()), "infinite": int(xp.isinf(real).sum())}
    if array.size > full:
        found |= _heat(real, float(abs(finite).max()) if finite.size else 0.0, cells)
    return found


def _numbers(array: Any) -> list[Any]:
    """Each with as few digits as say which one it is in its own precision."""
    if array.dtype.kind != "f":
        return [int(x) for x in array.tolist()]
    return [float(x) if x not in ("nan", "inf", "-inf") else x for x in array.astype("U32").tolist()]


def _heat(array: Any, largest: float, cells: int) -> dict[str, Any]:
    """Means of blocks, as letters: E is 0, those before it negative, those behind it positive; ! what is not finite."""
    flat = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(1, -1)
    if array.ndim == 1 and array.size > cells:
        columns = cells
        rows = -(-array.size // columns)
        flat = flat[:, [min(i, array.size - 1) for i in range(rows * columns)]].reshape(rows, columns)
    for axis in (0, 1):
        n = flat.shape[axis]
        block = -(-n // cells)
        if block > 1:
            parts = -(-n // block)
            flat = flat.take([min(i, n - 1) for i in range(parts * block)], axis=axis)
            flat = flat.reshape((parts, block, -1) if axis == 0 else (flat.shape[0], parts, block)).mean(axis=axis + 1)
    shares = flat.reshape(-1) / (largest or 1.0)
    letters = cpu.where(cpu.isfinite(shares), 69 + 21 * shares, ord("!"))
    heat = letters.round().astype("uint8").tobytes().decode("ascii")
    return {"rows": flat.shape[0], "columns": flat.shape[1], "heat": heat}
