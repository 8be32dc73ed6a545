"""Line charts of a training run: by matplotlib, or as SVG text that needs nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

COLOURS = ("#2563a8", "#d9822b", "#3a8f5c", "#8a4fa3", "#c2452d", "#5f7f95", "#a3862a", "#c75c93")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 420, 230, 52, 30, 26  # of one panel of the SVG, and its margins
MOST = 400  # points of a line in the SVG; more cannot be seen
NAMED = 8  # lines that have a name beside them


@dataclass
class Panel:
    """One chart: lines by name, each its xs and ys; NaN and infinity are gaps.

    `mark` is a height to compare with; `span` two heights that are to be seen in any case, on a linear scale.
    """

    title: str
    lines: dict[str, tuple[list[int], list[float]]]
    log: bool
    mark: float | None = None
    span: tuple[float, float] | None = None

    def points(self, name: str) -> list[tuple[float, float]]:
        """The points of a line that can be drawn, on a logarithmic scale their logarithms."""
        found = zip(*self.lines[name], strict=True)
        if self.logarithmic:
            return [(x, math.log10(y)) for x, y in found if math.isfinite(y) and y > 0]
        return [(x, y) for x, y in found if math.isfinite(y)]

    @property
    def logarithmic(self) -> bool:
        """Whether the scale is: if it is to be, and nothing would be lost."""
        return self.log and not any(y < 0 for _, ys in self.lines.values() for y in ys)


# -- SVG ---------------------------------------------------------------------------------------------------------------


def svg(panels: list[Panel]) -> str:
    """The panels side by side, two in a row, with text for those who cannot see them."""
    rows = math.ceil(len(panels) / 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {2 * WIDTH} {rows * HEIGHT}" '
        f'style="max-width:{2 * WIDTH}px;font:11px system-ui,sans-serif" fill="currentColor" '
        f'aria-label="{escape("training run: " + ", ".join(panel.title for panel in panels))}">'
    ]
    for i, panel in enumerate(panels):
        parts.append(f'<g transform="translate({i % 2 * WIDTH},{i // 2 * HEIGHT})">{_drawn(panel)}</g>')
    return "".join([*parts, "</svg>"])


def _drawn(panel: Panel) -> str:
    lines = {name: panel.points(name) for name in panel.lines}
    everything = [point for points in lines.values() for point in points]
    title = f'<text x="{LEFT}" y="16" font-weight="bold">{escape(panel.title)}</text>'
    if not everything:
        return title + f'<text x="{LEFT}" y="{HEIGHT // 2}" opacity="0.6">nothing noted</text>'
    right = WIDTH - (100 if len(lines) > 1 else 16)
    x_low, x_high = min(x for x, _ in everything), max(x for x, _ in everything)
    heights = [*(y for _, y in everything), *(panel.span or ())]
    y_low, y_high = min(heights), max(heights)
    if y_high - y_low < 1e-12:
        y_low, y_high = y_low - 0.5, y_high + 0.5

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / ((x_high - x_low) or 1)
        up = (y - y_low) / (y_high - y_low)
        return LEFT + across * (right - LEFT), HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP)

    parts = [title]
    for y in (y_low, (y_low + y_high) / 2, y_high):
        height = at(x_low, y)[1]
        label = _short(10**y if panel.logarithmic else y)
        parts.append(f'<path d="M{LEFT} {height:.1f}H{right}" stroke="currentColor" opacity="0.15"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{height + 4:.1f}" text-anchor="end" opacity="0.7">{label}</text>')
    for x, anchor in ((x_low, "start"), (x_high, "end")):
        place = at(x, y_low)[0]
        parts.append(f'<text x="{place:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}" opacity="0.7">{x:g}</text>')
    mark = None if panel.mark is None else math.log10(panel.mark) if panel.logarithmic else panel.mark
    if mark is not None and y_low < mark < y_high:
        height = at(x_low, mark)[1]
        parts.append(f'<path d="M{LEFT} {height:.1f}H{right}" stroke="currentColor" stroke-dasharray="4 3"/>')
    for i, (name, points) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        thinned = points[:: max(1, len(points) // MOST)]
        path = "M" + "L".join("{:.1f} {:.1f}".format(*at(*point)) for point in thinned)
        said = f"{name}: {_said(panel, name)}"
        parts.append(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-linecap="round">'
            f"<title>{escape(said)}</title></path>"
        )
        if len(lines) > 1 and i < NAMED:
            height = TOP + 6 + 14 * i
            text = name if len(name) < 16 else "…" + name[-14:]
            parts.append(f'<text x="{right + 6}" y="{height}" fill="{colour}">{escape(text)}</text>')
    if len(lines) > NAMED:
        parts.append(f'<text x="{right + 6}" y="{TOP + 6 + 14 * NAMED}">and {len(lines) - NAMED} more</text>')
    return "".join(parts)


def _said(panel: Panel, name: str) -> str:
    """A line in words."""
    ys = [y for y in panel.lines[name][1] if math.isfinite(y)]
    lost = len(panel.lines[name][1]) - len(ys)
    words = f"from {_short(ys[0])} to {_short(ys[-1])}" if ys else "nothing"
    return words + (f", and {lost} values that are not finite" if lost else "")


def _short(y: float) -> str:
    return f"{y:.2g}"


# -- matplotlib --------------------------------------------------------------------------------------------------------


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
    places = drawn.subplots(rows, 2, squeeze=False).ravel()
    for axes, panel in zip(places, panels, strict=False):
        axes.set_title(panel.title, fontsize=11, loc="left")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        for i, (name, (xs, ys)) in enumerate(panel.lines.items()):
            finite = [y if math.isfinite(y) and (y > 0 or not panel.logarithmic) else math.nan for y in ys]
            label = name if i < NAMED else None
            axes.plot(xs, finite, color=COLOURS[i % len(COLOURS)], linewidth=1.3, label=label)
        if panel.logarithmic and any(panel.points(name) for name in panel.lines):
            axes.set_yscale("log")
        if panel.span is not None:
            axes.set_ylim(*panel.span)
        if panel.mark is not None and panel.lines:
            axes.axhline(panel.mark, color="0.4", linewidth=1, linestyle="--")
        if len(panel.lines) > 1:
            axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    for axes in places[max(0, len(panels) - 2) : len(panels)]:
        axes.set_xlabel("step")
    if path is not None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn.savefig(path, dpi=110)
    return drawn
