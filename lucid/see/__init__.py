"""See inside: where nodes come from, a backward pass step by step, the graph as a picture and as a page.

`lucid.see` is loaded when it is first used. None of it is needed to train, and all of it works on what training made.
"""

from lucid.origins import Origin as Origin
from lucid.origins import origin as origin
from lucid.origins import remember as remember
from lucid.see.diagnosis import doctor as doctor
from lucid.see.findings import Finding as Finding
from lucid.see.findings import Report as Report
from lucid.see.profiling import profile as profile
from lucid.see.recorder import Recorder as Recorder
from lucid.see.summing import Summary as Summary
from lucid.see.summing import summary as summary
from lucid.see.watching import watch as watch
