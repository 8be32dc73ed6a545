"""Ctrl-C at every moment: what a test runs is broken off at each place where Python would look for a signal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from types import FrameType


@contextmanager
def interrupt_at(moment: int) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt where a function begins, or a call has just returned, for the `moment`-th time."""
    seen = [0]

    def look(frame: FrameType, event: str, arg: object) -> None:
        if event in ("call", "c_return") and frame.f_code is not interrupt_at.__wrapped__.__code__:
            seen[0] += 1
            if seen[0] == moment:
                sys.setprofile(None)
                raise KeyboardInterrupt

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield seen
    finally:
        sys.setprofile(before)


def at_every_moment(make: Callable[[], Callable[[], object]], step: int = 1) -> Iterator[bool]:
    """Run what `make` gives, interrupted at its first moment, its second, ...; yield whether it was, after each run."""
    for moment in count(1, step):
        run, stopped = make(), False
        try:
            with interrupt_at(moment):
                run()
        except KeyboardInterrupt:
            stopped = True
        yield stopped
        if not stopped:
            return
