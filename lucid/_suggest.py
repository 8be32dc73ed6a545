"""Errors for names that are missing: what to write instead of a name that PyTorch has and lucid has not.

Modules with public names have a `__getattr__` that raises them. One on Tensor would do the same for methods,
but slow down every attribute of every tensor, for Python then takes a slower path to look them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

INSTEAD = {
    "float": "write lucid.float32, or x.float()", "double": "write lucid.float64, or x.double()",
    "long": "write lucid.int64, or x.long()", "int": "write lucid.int32, or x.int()",
    "bool": "write lucid.bool_, or x.bool()", "concat": "write cat", "concatenate": "write cat",
    "ravel": "write flatten", "SyncBatchNorm": "write lucid.distributed.SyncBatchNorm",
    "inverse": "write lucid.linalg.inv", "det": "write lucid.linalg.det",
    "logdet": "write lucid.linalg.slogdet(x).logabsdet", "cholesky": "write lucid.linalg.cholesky",
    "Generator": "lucid.manual_seed starts the one generator there is",
}  # fmt: skip


def missing(owner: str, name: str, names: Iterable[str]) -> AttributeError:
    """The error for a name that `owner` does not have; `names` are those that it has."""
    if name.startswith("_"):
        return AttributeError(f"{owner} has no {name!r}")
    if name in INSTEAD:
        return AttributeError(f"{owner} has no {name!r}: {INSTEAD[name]}")
    from difflib import get_close_matches  # only now: most programs never get here

    # Other names of PyTorch's are not taken for typos: sinh is 0.857 like sin, and vstack has another first letter.
    close = get_close_matches(name, [n for n in names if n.startswith(name[:1])], n=1, cutoff=0.86)
    return AttributeError(f"{owner} has no {name!r}" + (f"; there is {close[0]!r}" if close else ""))


def suggesting(owner: str, names: Iterable[str]) -> Callable[[str], object]:
    """A `__getattr__` for the module `owner`, which has these names; Python calls it for one that is not
    there."""

    def __getattr__(name: str) -> object:
        raise missing(owner, name, names)

    return __getattr__
