"""Chapter 1, continued. What a namespace is: the functions that operations and formulas may call by name.

NumPy's stands in on_numpy.py and CuPy's in on_cupy.py. Operations join both (`register`), so that a formula can use
any of them as `xp.name`.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

# The functions that both libraries spell alike. An operation may use these, the handful defined below, and every other
# operation by its name: `op` (chapter 2) adds each new one to the namespaces.
SHARED = """
    absolute add arange argsort asarray ascontiguousarray ceil concatenate copy copysign cos count_nonzero divide
    empty empty_like equal exp expm1 eye finfo floor floor_divide fmin full full_like greater greater_equal isfinite
    isinf isnan less less_equal log log1p log2 log10 logical_not matmul maximum minimum multiply negative nonzero
    not_equal ones ones_like power remainder rint sign sin sqrt subtract take_along_axis tan tanh tril triu trunc
    where zeros zeros_like
""".split()


class Namespace(SimpleNamespace):
    """One array library's functions under the names that lucid uses; `xp` in every forward and formula."""

    name: str

    def __getattr__(self, missing: str) -> Any:  # only reached when the name is not there
        raise AttributeError(
            f"xp.{missing}: not in lucid's array namespace; use another operation's name, or add it to backend.SHARED"
        )

    def __repr__(self) -> str:
        return f"<lucid namespace {self.name}>"


_operations: dict[str, Any] = {}  # name -> forward
_joined: list[Namespace] = []


def join(xp: Namespace) -> Namespace:
    """Give a namespace all operations, those so far and those to come."""
    _joined.append(xp)
    for name, forward in _operations.items():
        _install(xp, name, forward)
    return xp


def leave(xp: Namespace) -> None:
    """Give it no more."""
    _joined.remove(xp)


def register(name: str, forward: Any) -> None:
    """Make an operation's forward callable as `xp.name(...)` in every namespace that has no `name` of its own."""
    _operations[name] = forward
    for xp in _joined:
        _install(xp, name, forward)


def _install(xp: Namespace, name: str, forward: Any) -> None:
    own = vars(xp).get(name)
    if own is None or getattr(own, "_lucid", False):  # a library's own function is at least as fast: keep it
        found = partial(forward, xp)
        found._lucid = True  # type: ignore[attr-defined]
        setattr(xp, name, found)
