"""See inside: where nodes come from, a backward pass step by step, the graph as a page; a training and its mistakes.

`lucid.see` is loaded when it is first used. None of it is needed to train, and all of it works on what training made.
"""

from lucid.autograd.provenance import Provenance, provenance, track_provenance
from lucid.see.diagnosis import doctor as doctor
from lucid.see.drawing import Graph as Graph
from lucid.see.drawing import to_dot as to_dot
from lucid.see.drawing import to_mermaid as to_mermaid
from lucid.see.drawing import to_svg as to_svg
from lucid.see.findings import Finding as Finding
from lucid.see.findings import Report as Report
from lucid.see.page import Page as Page
from lucid.see.page import page as page
from lucid.see.profiling import profile as profile
from lucid.see.recorder import Recorder as Recorder
from lucid.see.summing import Summary as Summary
from lucid.see.summing import summary as summary
from lucid.see.trace import Sent as Sent
from lucid.see.trace import Step as Step
from lucid.see.trace import steps as steps
from lucid.see.watching import watch as watch
