"""See inside: where nodes come from, a backward pass step by step, the graph as a picture and as a page.

`lucid.see` is loaded when it is first used. None of it is needed to train, and all of it works on what training made.
"""

from lucid.origins import Origin as Origin
from lucid.origins import origin as origin
from lucid.origins import remember as remember
from lucid.see.doctor import doctor as doctor
from lucid.see.findings import Finding as Finding
from lucid.see.findings import Report as Report
from lucid.see.watch import watch as watch
