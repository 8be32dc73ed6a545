"""A stand-in for CuPy on machines without a GPU: NumPy's arithmetic behind CuPy's manners.

`with stand_in.installed():` puts it where `import cupy` finds it, and has lucid look for its GPU anew. It is strict
where
CuPy is, and where a GPU is silent it speaks up:

- an array of the host, a list, or anything that would be uploaded unasked is a TypeError, and so is the way back;
- names and keywords that CuPy does not have (cupy-14.2.txt, written by record.py) are not there;
- reductions give 0-d arrays; results lie on the current device, and operands on another one are an error;
- an index out of range, which on a GPU wraps around in silence, and a write to one place twice, whose outcome is
  anybody's guess there, are errors;
- `counts` has the uploads, the waits for the device, and the launches, as CuPy would make them, one for a function.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lucid.core.array import NAMESPACES
from lucid.gpu import namespace

from . import cupy_like
from .arrays import Trap as Trap
from .arrays import counts as counts


def reset() -> None:
    """Have lucid look for its GPU anew."""
    if namespace.loaded is not None:
        NAMESPACES.remove(namespace.loaded)
    namespace.loaded = None


@contextmanager
def installed(gpus: int = 1) -> Iterator[None]:
    """Inside, `import cupy` gives the stand-in, with so many devices."""
    modules = cupy_like.modules(gpus)
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    reset()
    try:
        yield
    finally:
        reset()
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
