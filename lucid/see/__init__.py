"""See inside: a backward pass step by step, the graph as a page, a training as charts, and its mistakes by name.

`lucid.see` is loaded when it is first used. None of it is needed to train, and all of it works on what training makes.

- A backward pass: `trace` has its steps, with the text of the vjps (`formulas`) and the user's `names`.
- The graph: `picture` says what there is to draw, `layout` where; `drawing` writes SVG, DOT and Mermaid, `page` HTML.
- A training: `recorder` and its `charts`, `summary` and `profiler` with their `multiply_adds`, and the `doctor`.
- `observers` holds every callback into the engine, `text` how numbers, values and tables are written.
"""

from lucid.autograd.provenance import Provenance, provenance, track_provenance
from lucid.see.doctor import Finding, Report, doctor, watch
from lucid.see.drawing import Graph, to_dot, to_mermaid, to_svg
from lucid.see.page import Page, page
from lucid.see.profiler import Summary, profile, summary
from lucid.see.recorder import Recorder
from lucid.see.trace import Contribution, Step, steps

__all__ = [
    "Contribution", "Finding", "Graph", "Provenance", "Page", "Recorder", "Report", "Step", "Summary",
    "doctor", "page", "profile", "provenance", "steps", "summary", "to_dot", "to_mermaid", "to_svg", "track_provenance",
    "watch",
]  # fmt: skip
