"""Which GPU a test runs on: the stand-in always, and CuPy's where one answers."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest

import lucid
from tests.gpu import stand_in

BOTH = ["stand-in", pytest.param("cuda", marks=pytest.mark.gpu)]

# Who must wait: how many elements a mask picks, and whether a matrix has an inverse, decide what comes next. And an
# index that is a list has to get there.
MAY_WAIT = {"syncs at linalg.py", "syncs at indexing.py", "uploads at indexing.py"}


@contextlib.contextmanager
def there(kind: str) -> Iterator[str]:
    """While this GPU is there. New tensors go to it, unless they are told otherwise."""
    with contextlib.nullcontext() if kind == "cuda" else stand_in.installed():
        lucid.set_default_device("cuda")
        yield kind
        lucid.set_default_device("cpu")


@pytest.fixture(params=BOTH)
def gpu(request: pytest.FixtureRequest) -> Iterator[str]:
    with there(request.param) as kind:
        yield kind


def unasked(found: Counter[str]) -> list[str]:
    """What waited, or was uploaded, without the test itself having asked for it."""
    places = {key.rpartition(":")[0] for key in found if " at " in key}
    return sorted(place for place in places - MAY_WAIT if " at tests/" not in place)
