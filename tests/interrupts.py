"""Ctrl-C at every moment: what a test runs is broken off at each place where Python would look for a signal."""

import gc
import sys
from collections.abc import Callable, Iterator
from itertools import count
from types import FrameType


def interrupted(run: Callable[[], object], moment: int) -> bool:
    """Run it, and raise KeyboardInterrupt where a function begins, or a call has just returned, for the `moment`-th
    time; gives whether that moment came."""
    left = moment

    def look(frame: FrameType, event: str, arg: object) -> None:
        nonlocal left
        if event in ("call", "c_return") and frame.f_code is not interrupted.__code__:
            left -= 1
            if not left:
                raise KeyboardInterrupt

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        run()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(before)
    return False


def at_every_moment(make: Callable[[], Callable[[], object]]) -> Iterator[bool]:
    """Run what `make` gives, interrupted at its first moment, its second, ...; yield whether it was, after each run."""
    gc.disable()  # what others have the collector call is not what is tested
    try:
        for moment in count(1):
            yield (stopped := interrupted(make(), moment))
            if not stopped:
                return
    finally:
        gc.enable()
