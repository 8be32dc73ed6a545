"""See inside: a backward pass step by step, the graph as a page, a training as charts, and its mistakes by name.

`lucid.see` is loaded when it is first used. None of it is needed to train, and all of it works on what training makes.

- A backward pass: `trace` has its steps, `names` what stands in the source: the user's names and the text of the vjps.
- The graph: `picture` says what there is to draw, `layout` where; `drawing` writes SVG, DOT, Mermaid and the page.
- A training: `recorder` draws its charts, `profiler` has what it costs, and the `doctor` its mistakes.
"""

import sys as _sys

from lucid._suggest import suggest as _know_other_names
from lucid.autograd.provenance import Provenance, provenance, track_provenance
from lucid.ops.refusals import guard as _guard
from lucid.see.doctor import Finding, Report, doctor, watch
from lucid.see.drawing import Graph, Page, page, to_dot, to_mermaid, to_svg
from lucid.see.profiler import Summary, profile, summary
from lucid.see.recorder import Recorder
from lucid.see.trace import Contribution, Step, steps

__all__ = [
    "Contribution", "Finding", "Graph", "Page", "Provenance", "Recorder", "Report", "Step", "Summary", "doctor", "page",
    "profile", "provenance", "steps", "summary", "to_dot", "to_mermaid", "to_svg", "track_provenance", "watch",
]  # fmt: skip
_guard(_sys.modules[__name__])
_know_other_names(_sys.modules[__name__])
