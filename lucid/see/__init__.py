"""See inside: where nodes come from, a backward pass step by step, the graph as a picture and as a page.

`lucid.see` is loaded when it is first used. None of it is needed to train, and all of it works on what training made.
"""

from lucid.origins import Origin as Origin
from lucid.origins import origin as origin
from lucid.origins import remember as remember
from lucid.see.drawing import Graph as Graph
from lucid.see.drawing import to_dot as to_dot
from lucid.see.drawing import to_mermaid as to_mermaid
from lucid.see.drawing import to_svg as to_svg
from lucid.see.page import Page as Page
from lucid.see.page import page as page
from lucid.see.trace import Sent as Sent
from lucid.see.trace import Step as Step
from lucid.see.trace import steps as steps
