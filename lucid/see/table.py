"""A table of words and numbers, as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

from html import escape


class Table:
    """A head, rows of cells, and perhaps a line of sums; the first column is text, the others stand to the right.

    `print(table)` gives text, a notebook shows it as HTML, with every cell escaped.
    """

    def __init__(self, head: list[str], rows: list[list[str]], total: list[str] | None = None, note: str = "") -> None:
        self.head, self.rows, self.total, self.note = head, rows, total, note

    def __str__(self) -> str:
        lines = [self.head, *self.rows, *([self.total] if self.total else [])]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.head))]

        def text(line: list[str]) -> str:
            first, *others = zip(line, widths, strict=True)
            return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip()

        rule = "-" * (sum(widths) + 2 * len(widths) - 2)
        out = [text(self.head), rule, *map(text, self.rows)]
        out += [rule, text(self.total)] if self.total else []
        return "\n".join([*out, *([self.note] if self.note else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def row(cells: list[str], kind: str) -> str:
            left = "text-align:left;white-space:pre"
            return (
                "<tr>"
                + "".join(
                    f'<{kind} style="{left if i == 0 else "text-align:right"}">{escape(cell)}</{kind}>'
                    for i, cell in enumerate(cells)
                )
                + "</tr>"
            )

        body = "".join(row(line, "td") for line in self.rows)
        total = f"<tfoot>{row(self.total, 'th')}</tfoot>" if self.total else ""
        note = f"<caption>{escape(self.note)}</caption>" if self.note else ""
        return f"<table>{note}<thead>{row(self.head, 'th')}</thead><tbody>{body}</tbody>{total}</table>"


def counted(n: float) -> str:
    """A number with a letter for the thousands, in three digits: 1.23M."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if n >= size:
            size = 1e3 if letter == "k" else size
            return f"{n / size:.3g}{letter}"
    return f"{n:,.0f}"
