"""Which kernel computes an operation on a GPU?

A small model on a GPU waits for the host: each launch of a kernel costs it some 10 us, however little there is to
compute (an H200, CuPy 14.2). So one kernel does the work of several, in one of two ways:

- a forward or vjp that is elementwise arithmetic is traced and printed as one kernel (fuse.py);
- where there is a sum in the middle, the kernel is written by hand (HANDWRITTEN). It is called as what it
  replaces, and returns NotImplemented where it does not apply.

All else, operations of other packages too, runs as it stands, one launch for each function of the array
library. This file is loaded with CuPy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lucid.core.op import Op
from lucid.gpu import recurrent_kernels as recurrent
from lucid.gpu import row_kernels as rows
from lucid.gpu.fuse import Fused

HANDWRITTEN: dict[str, dict[str, Callable[..., Any]]] = {  # operation -> "forward", or a vjp's name ->
    "softmax": {"forward": rows.softmax, "x": rows.softmax_vjp},
    "log_softmax": {
        "forward": partial(rows.softmax, logarithm=True), "x": partial(rows.softmax_vjp, logarithm=True),
    },
    "attention_weights": {"forward": rows.attention_weights, "slope": rows.softmax_vjp},
    **{name: {"forward": rows.cross_entropy} for name in ("cross_entropy", "cross_entropy_ignore_index")},
    "layer_norm": {"forward": rows.row_norm, "x": rows.row_norm_vjp},
    "rms_norm": {"forward": partial(rows.row_norm, centred=False), "x": partial(rows.row_norm_vjp, centred=False)},
    "batch_norm": {
        "forward": rows.batch_norm, "x": rows.batch_norm_vjp, "total": rows.channel_sum, "along": rows.channel_sum,
    },
    "lstm": {"forward": recurrent.lstm, "back": recurrent.lstm_backward},
    "rnn": {"d": recurrent.rnn_backward}, "gru": {"back": recurrent.gru_backward},
}  # fmt: skip


def forward_on(xp: Any, op: Op) -> Callable[..., Any]:
    """The forward of an operation on a GPU, or the kernel that replaces it."""
    if (forward := xp.kernels.get(op)) is None:
        kernel = forward = op.forward if op.user_defined or op.variadic else _kernel(xp, op, "forward", op.forward)
        if defaults := op.options:  # kernels know options by their places
            forward = lambda xp, *arrays, **options: kernel(xp, *arrays, **{**defaults, **options})
        xp.kernels[op] = forward
    return forward


def vjp_on(xp: Any, op: Any) -> Callable[..., Any]:
    """The vjps of an operation on a GPU, with the kernels that replace them."""
    if type(op) is not Op or op.user_defined or op.variadic:
        return op.vjp
    if (vjp := xp.kernels.get((op, "vjp"))) is None:
        kernels = {name: _kernel(xp, op, name, f) for name, f in {**op.shared, **op.vjps}.items()}
        vjp = xp.kernels[op, "vjp"] = op.vjp_with(kernels)
    return vjp


def _kernel(xp: Any, op: Op, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """What is called on a GPU for a forward or vjp."""
    if (handwritten := HANDWRITTEN.get(op.name, {}).get(part)) is None:
        return xp.kernels.setdefault((op, part), Fused(xp, op.name, part, function))

    def kernel(xp: Any, *args: Any, **options: Any) -> Any:
        out = handwritten(xp, *args, **options)
        return function(xp, *args, **options) if out is NotImplemented else out

    return kernel
