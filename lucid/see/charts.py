"""Line charts of a training run: by matplotlib, or as SVG text that needs nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from lucid.see.text import digits, element

COLOURS = ("#2563a8", "#d9822b", "#3a8f5c", "#8a4fa3", "#c2452d", "#5f7f95", "#a3862a", "#c75c93")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 420, 230, 52, 30, 26  # of one panel of the SVG, and its margins
MOST_POINTS = 400  # of a line in the SVG; more cannot be seen
MOST_NAMES = 8  # lines that have a name beside them
Lines = dict[str, tuple[list[int], list[float]]]  # name -> xs and ys


@dataclass
class Panel:
    """One chart: lines by name, each its xs and ys; NaN and infinity are gaps.

    `mark` is a height to compare with; `span` two heights that are always visible, on a linear scale.
    """

    title: str
    lines: Lines
    log: bool
    mark: float | None = None
    span: tuple[float, float] | None = None

    def points(self, name: str) -> list[tuple[float, float]]:
        """The points of a line that can be drawn, on a logarithmic scale their logarithms."""
        points = [(x, y) for x, y in zip(*self.lines[name], strict=True) if math.isfinite(y)]
        return [(x, math.log10(y)) for x, y in points if y > 0] if self.logarithmic else points

    @property
    def logarithmic(self) -> bool:
        """Whether the scale is logarithmic: if it was asked for, and no value is negative."""
        return self.log and not any(y < 0 for _, ys in self.lines.values() for y in ys)


def svg(panels: list[Panel]) -> str:
    """The panels side by side, two in a row, with text for those who cannot see them."""
    rows = math.ceil(len(panels) / 2)
    label = escape("training run: " + ", ".join(panel.title for panel in panels))
    places = [f"translate({i % 2 * WIDTH},{i // 2 * HEIGHT})" for i in range(len(panels))]
    drawn = [element("g", _svg_panel(panel), transform=at) for panel, at in zip(panels, places, strict=True)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {2 * WIDTH} {rows * HEIGHT}" '
        f'style="max-width:{2 * WIDTH}px;font:11px system-ui,sans-serif" fill="currentColor" aria-label="{label}">'
        f"{''.join(drawn)}</svg>"
    )


def _svg_panel(panel: Panel) -> str:
    lines = {name: panel.points(name) for name in panel.lines}
    everything = [point for points in lines.values() for point in points]
    parts = [element("text", escape(panel.title), x=LEFT, y=16, font_weight="bold")]
    if not everything:
        return parts[0] + element("text", "nothing recorded", x=LEFT, y=HEIGHT // 2, opacity="0.6")
    right = WIDTH - (100 if len(lines) > 1 else 16)
    xs, ys = zip(*everything, strict=True)
    x_low, x_high, heights = min(xs), max(xs), [*ys, *(panel.span or ())]
    y_low, y_high = min(heights), max(heights)
    if y_high - y_low < 1e-12:
        y_low, y_high = y_low - 0.5, y_high + 0.5

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / ((x_high - x_low) or 1)
        up = (y - y_low) / (y_high - y_low)
        return LEFT + across * (right - LEFT), HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP)

    def level(y: float, **style: str) -> None:
        parts.append(element("path", d=f"M{LEFT} {at(x_low, y)[1]:.1f}H{right}", stroke="currentColor", **style))

    def text(content: str, x: float, y: float, **style: str) -> None:
        parts.append(element("text", escape(content), x=x, y=y, **style))

    for y in (y_low, (y_low + y_high) / 2, y_high):
        level(y, opacity="0.15")
        label = digits(10**y if panel.logarithmic else y, 2)
        text(label, LEFT - 5, at(x_low, y)[1] + 4, text_anchor="end", opacity="0.7")
    for x, anchor in ((x_low, "start"), (x_high, "end")):
        text(f"{x:g}", at(x, y_low)[0], HEIGHT - 8, text_anchor=anchor, opacity="0.7")
    if panel.mark is not None:
        mark = math.log10(panel.mark) if panel.logarithmic else panel.mark
        if y_low < mark < y_high:
            level(mark, stroke_dasharray="4 3")
    for i, (name, points) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        path = "M" + "L".join("{:.1f} {:.1f}".format(*at(*p)) for p in points[:: max(1, len(points) // MOST_POINTS)])
        style = {"fill": "none", "stroke": colour, "stroke_width": "1.5", "stroke_linecap": "round"}
        finite = [y for y in panel.lines[name][1] if math.isfinite(y)]
        lost = len(panel.lines[name][1]) - len(finite)
        words = f"{name}: from {digits(finite[0], 2)} to {digits(finite[-1], 2)}" if finite else f"{name}: nothing"
        words += f", and {lost} values that are not finite" if lost else ""
        parts.append(element("path", element("title", escape(words)), d=path, **style))
        if len(lines) > 1 and i < MOST_NAMES:
            text(name if len(name) < 16 else "…" + name[-14:], right + 6, TOP + 6 + 14 * i, fill=colour)
    if len(lines) > MOST_NAMES:
        text(f"and {len(lines) - MOST_NAMES} more", right + 6, TOP + 6 + 14 * MOST_NAMES)
    return "".join(parts)


def figure(panels: list[Panel], path: str | Path | None) -> Any:
    """The same panels as a matplotlib Figure."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "Recorder.plot draws with matplotlib, which is not installed: pip install matplotlib (or lucid's extra "
            "'examples'); Recorder.svg() needs nothing"
        ) from None
    rows = math.ceil(len(panels) / 2)
    drawn = Figure(figsize=(11, 2.9 * rows), layout="constrained")
    grid = drawn.subplots(rows, 2, squeeze=False).ravel()
    for axes, panel in zip(grid, panels, strict=False):
        axes.set_title(panel.title, fontsize=11, loc="left")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        for i, (name, (xs, ys)) in enumerate(panel.lines.items()):
            finite = [y if math.isfinite(y) and (y > 0 or not panel.logarithmic) else math.nan for y in ys]
            label = name if i < MOST_NAMES else None
            axes.plot(xs, finite, color=COLOURS[i % len(COLOURS)], linewidth=1.3, label=label)
        if panel.logarithmic and any(panel.points(name) for name in panel.lines):
            axes.set_yscale("log")
        if panel.span is not None:
            axes.set_ylim(*panel.span)
        if panel.mark is not None and panel.lines:
            axes.axhline(panel.mark, color="0.4", linewidth=1, linestyle="--")
        if len(panel.lines) > 1:
            axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[max(0, len(panels) - 2) : len(panels)]:
        axes.set_xlabel("step")
    if path is not None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn.savefig(path, dpi=110)
    return drawn
