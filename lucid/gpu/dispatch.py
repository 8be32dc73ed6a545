"""Which kernel computes an operation on a GPU.

A small model on a GPU waits for the host: each launch of a kernel costs it some 10 us, however little there is to
compute (an H200, CuPy 14.2). So where one kernel can do the work of several, it does. There are two ways:

- an operation's forward or vjp that is elementwise arithmetic is traced and printed as one kernel (fuse.py), without
  anybody having to say so;
- where a sum stands in the middle, the kernel is written by hand (row_kernels.py, recurrent_kernels.py; HANDWRITTEN
  lists them). Such a function is called as what it stands for, and returns NotImplemented where it does not apply.

Everything else runs as it stands, one launch for each function of the array library, and so do operations of other
packages. This file is loaded when an operation first runs on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lucid.core.op import Op
from lucid.gpu.fuse import Fused
from lucid.gpu.handwritten import HANDWRITTEN


def forward_on(xp: Any, op: Op) -> Callable[..., Any]:
    """The forward of an operation on a GPU, or the kernel that stands for it."""
    known = xp.kernels.get(op)
    if known is None:
        kernel, defaults = _kernel_for(xp, op, "forward", op.forward), op.options
        known = xp.kernels[op] = kernel
        if defaults:  # kernels know options by their places
            known = xp.kernels[op] = lambda xp, *arrays, **options: kernel(xp, *arrays, **{**defaults, **options})
    return known


def vjp_on(xp: Any, op: Any) -> Callable[..., Any]:
    """The vjps of an operation on a GPU, with kernels in the place of those that have one."""
    if type(op) is not Op or op.user_defined or op.variadic:
        return op.vjp
    known = xp.kernels.get((op, "vjp"))
    if known is None:
        kernels = {name: _kernel_for(xp, op, name, f) for name, f in {**op.shared, **op.vjps}.items()}
        known = xp.kernels[op, "vjp"] = op.vjp_with(kernels)
    return known


def _kernel_for(xp: Any, op: Op, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """What is called on a GPU in the place of a forward or vjp."""
    if op.user_defined or op.variadic:
        return function
    handwritten = HANDWRITTEN.get((op.name, part))
    if handwritten is None:
        return xp.kernels.setdefault((op, part), Fused(xp, op.name, part, function))

    def kernel(xp: Any, *args: Any, **options: Any) -> Any:
        out = handwritten(xp, *args, **options)
        return function(xp, *args, **options) if out is NotImplemented else out

    return kernel
