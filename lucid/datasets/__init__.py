"""Small data sets that come with lucid: `digits`, the `text` of a book, and toy sets that are drawn anew each time."""

import sys as _sys

from lucid._suggest import suggesting as _suggesting
from lucid.datasets.sets import digits, moons, sine, spiral, text
from lucid.ops.refusals import guard as _guard

__all__ = ["digits", "moons", "sine", "spiral", "text"]
__getattr__ = _suggesting(__name__, globals())
_guard(_sys.modules[__name__])
