"""A course that checks itself: `python -m lucid.learn` in an empty folder begins it; docs/course.md is for teachers."""

import sys as _sys

from lucid.learn.checks import WrongAnswer, expect, same, slopes
from lucid.ops.refusals import guard as _guard

__all__ = ["WrongAnswer", "expect", "same", "slopes"]
_guard(_sys.modules[__name__])
