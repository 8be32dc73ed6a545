"""Numbers, values and tables as short text, for a terminal, for a notebook's HTML and for SVG."""

from __future__ import annotations

import html
import re
from typing import Any

from lucid.core.array import cpu, to_numpy

FEW = 4  # elements of a value that are written out in a line
NO_TEXT = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML, or UTF-8, does not have


def escape(text: str) -> str:
    """Text for HTML and SVG, with a mark in the place of each control character, and of each half of a character."""
    return html.escape(NO_TEXT.sub("\ufffd", text))


def digits(number: Any, precision: int = 4) -> str:
    """A number in a few digits: 0.5, -1.25e-07, nan."""
    return str(number) if isinstance(number, (bool, int)) else f"{float(number):.{precision}g}"


def large_number(n: float) -> str:
    """A count in three digits with a letter for its size: 1.23M."""
    sizes = ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))
    return next((f"{n / size:.3g}{letter}" for least, size, letter in sizes if n >= least), f"{n:,.0f}")


def duration(seconds: float) -> str:
    """A time in microseconds, from 10 ms on in milliseconds."""
    return f"{seconds * 1e6:,.0f} µs" if seconds < 1e-2 else f"{seconds * 1e3:,.1f} ms"


def memory_size(n: int) -> str:
    """Bytes in kB, from 1 MB on in MB."""
    return f"{n / 2**20:,.1f} MB" if n >= 2**20 else f"{n / 2**10:,.1f} kB"


def plural(n: int, noun: str, ending: str = "s") -> str:
    """A number and what is counted: 1 loss, 3 losses."""
    return f"{n} {noun}{ending * (n != 1)}"


def first_few(names: list[str], most: int = 4) -> str:
    """The first names of a list, and how many there are besides."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def shape_text(shape: Any) -> str:
    """A shape as `2×3`; that of a single number as "number"."""
    if shape and not isinstance(shape[0], int):  # the shapes of a Function's several outputs
        return ", ".join("nothing" if part is None else shape_text(part) for part in shape)
    return "×".join(map(str, shape)) or "number"


def host(value: Any) -> Any:
    """The NumPy array of a Tensor or array on any device."""
    return to_numpy(getattr(value, "_array", value))


def is_short(value: Any) -> bool:
    """Whether a value can be written in a few letters: a number, or up to four in a row."""
    return isinstance(value, (int, float)) or hasattr(value, "dtype") and value.size <= FEW and value.ndim <= 1


def value_text(value: Any) -> str:
    """A value in one line: up to four numbers in full, of more the shape and the range."""
    if value is None or isinstance(value, tuple):  # a tuple has the gradients of a Function's several outputs
        return "; ".join(value_text(part) or "none" for part in value or ())
    if isinstance(value, (bool, int, float, list)):
        return f"[{', '.join(map(value_text, value))}]" if isinstance(value, list) else digits(value)
    array = host(value)
    if array.size <= FEW:
        return value_text(array.tolist())
    finite = array[cpu.isfinite(array)] if array.dtype.kind == "f" else array
    lost = array.size - finite.size
    extremes = f", {digits(finite.min().item())} to {digits(finite.max().item())}" if finite.size else ""
    return shape_text(array.shape) + extremes + (f", {lost:,} not finite" if lost else "")


def element(tag: str, *content: str, **attributes: Any) -> str:
    """An HTML or SVG element. Attributes are escaped, content is not; floats get one decimal.

    >>> element("text", "a &lt; b", x=1.25, y=2, text_anchor="end", class_="title")
    '<text x="1.2" y="2" text-anchor="end" class="title">a &lt; b</text>'
    """
    opening = tag
    for name, value in attributes.items():
        text = f"{value:.1f}" if isinstance(value, float) else escape(str(value))
        opening += f' {name.rstrip("_").replace("_", "-")}="{text}"'
    return f"<{opening}>{''.join(content)}</{tag}>" if content else f"<{opening}/>"


def aligned(rows: list[list[str]], left: int, widest: int = 1000) -> list[str]:
    """Rows of cells as lines; the first `left` columns stand at the left, the others at the right."""
    widths = [min(widest, max(map(len, column))) for column in zip(*rows, strict=True)]
    formats = [f"{'<' if column < left else '>'}{width}" for column, width in enumerate(widths)]
    return ["  ".join(map(format, row, formats)).rstrip() for row in rows]


class Printable:
    """What is printed, and shown in a notebook, as the Table or Report that its `_printed()` returns."""

    _printed: Any

    def __str__(self) -> str:
        return str(self._printed())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return str(self._printed()._repr_html_())


class Markup(str):
    """A cell that is HTML already."""


class Table:
    """A head, rows of cells, and perhaps a line of sums and a note; `print(table)` is text, a notebook shows HTML.

    The first `left` columns are text and stand at the left, the others are numbers and stand at the right.
    """

    def __init__(
        self, head: list[str], rows: list[list[str]], total: list[str] | None = None, note: str = "", *, left: int = 1
    ) -> None:
        self.head, self.rows, self.total, self.note, self.left = head, rows, total, note, left

    def __str__(self) -> str:
        head, *rows = aligned([self.head, *self.rows, *([self.total] if self.total else [])], self.left)
        rule = "-" * max(map(len, [head, *rows]))
        if self.total:
            rows.insert(-1, rule)
        return "\n".join([head, rule, *rows, *([self.note] if self.note else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def row(cells: list[str], tag: str) -> str:
            sides = ["text-align:left"] * self.left + ["text-align:right"] * (len(cells) - self.left)
            styles = [side + ";white-space:pre" * cell.startswith(" ") for side, cell in zip(sides, cells, strict=True)]
            texts = (cell if isinstance(cell, Markup) else escape(cell) for cell in cells)
            return element("tr", *(element(tag, text, style=s) for text, s in zip(texts, styles, strict=True)))

        parts = [element("caption", escape(self.note))] if self.note else []
        body = element("tbody", *(row(cells, "td") for cells in self.rows))
        parts += [element("thead", row(self.head, "th")), body]
        return element("table", *parts, *([element("tfoot", row(self.total, "th"))] if self.total else []))
