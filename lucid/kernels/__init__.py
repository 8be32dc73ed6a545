"""Chapter 4a. What an operation does on a GPU instead of one step after the other.

A small model on a GPU waits for the host: each launch of a kernel costs it some 10 us, however little there is to
compute (an H200, CuPy 14.2). So where one kernel can do the work of several, it does. There are two ways:

- an operation's forward or formula that is elementwise arithmetic is run once on symbols and printed as one kernel
  (elementwise.py), without anybody having to say so;
- where a sum stands in the middle, somebody has written the kernel (rows.py, recurrent.py). `FORMS` lists these. A form
  is called as what it stands for, and answers NotImplemented where it does not apply.

All else runs as it stands, one launch for each function of the array library, and so do operations of other packages.
This chapter is loaded when a GPU is first used; until then it is the two functions that the generated text and the walk
back ask for what to call.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from lucid.core.array import cpu
from lucid.core.op import Op
from lucid.op import OBSERVERS, RUNTIME


def forward_on(xp: Any, spec: Op) -> Callable[..., Any]:
    """The forward of an operation for arrays of `xp`, a GPU's namespace or the CPU's."""
    if xp is cpu:
        return spec.forward
    found = xp.kernels.get(spec)
    if found is None:
        found = xp.kernels.setdefault(spec, _chosen(xp, spec, "forward", spec.forward))
    return found if not OBSERVERS else spec.observed(found)


def back_on(xp: Any, spec: Op) -> Callable[..., Any]:
    """The way back of an operation for arrays of `xp`: the generated `back`, with other formulas to call."""
    if xp is cpu or type(spec) is not Op or spec.user_defined or spec.variadic:
        return spec.back
    found = xp.kernels.get((spec, "back"))
    if found is None:
        scope = dict(spec._scope)
        for name, formula in {**spec.shared, **spec.vjps}.items():
            scope[f"f_{name}"] = _chosen(xp, spec, name, formula)
        found = xp.kernels[spec, "back"] = FunctionType(spec.back.__code__, scope)
    return found


def _chosen(xp: Any, spec: Op, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """What stands for a forward or formula on a GPU."""
    if spec.user_defined or spec.variadic:
        return function
    from lucid.kernels import elementwise
    from lucid.kernels.forms import FORMS

    form = FORMS.get((spec.name, part))
    if form is None:
        return elementwise.Fused(xp, spec.name, part, function)

    def formed(xp: Any, *args: Any, **options: Any) -> Any:
        found = form(xp, *args, **options)
        return function(xp, *args, **options) if found is NotImplemented else found

    return formed


RUNTIME.update(forward_on=forward_on)
