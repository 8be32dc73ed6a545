"""Multiply-adds, counted from the operations that run and not from the kinds of layers there are.

A matrix product of (n, k) and (k, m) takes n k m of them. Everything that multiplies matrices is made of the operations
below; elementwise operations are not counted, for they take little beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

Count = Callable[..., int]


def _recurrent(out: Any, x: Any, w_ih: Any, w_hh: Any, *rest: Any, **options: Any) -> int:
    steps, batch, _ = x.shape
    return steps * batch * (prod(w_ih.shape) + prod(w_hh.shape))


MULTIPLY_ADDS: dict[str, Count] = {  # of an operation's output, inputs and options
    "matmul": lambda out, a, b, **options: prod(out.shape) * a.shape[-1],
    "linear": lambda out, x, weight, *bias: prod(out.shape) * weight.shape[1],
    "attention_weights": lambda out, query, *rest, **options: prod(out.shape) * query.shape[-1],
    # weights are (O, C / groups, *kernel): each output takes its window
    "conv": lambda out, x, weight, *bias, **options: prod(out.shape) * prod(weight.shape[1:]),
    "conv_transpose": lambda out, y, weight, *bias, **options: prod(y.shape) * prod(weight.shape[1:]),
    "conv_weight": lambda out, x, y, **options: prod(y.shape) * prod(out.shape[1:]),
    "rnn": _recurrent,
    "lstm": _recurrent,
    "gru": _recurrent,
    "solve": lambda out, a, b: prod(a.shape) * a.shape[-1] // 3 + prod(b.shape) * a.shape[-1],
}


def multiply_adds(name: str, out: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> int:
    """How many multiply-adds one run of an operation took, given its output and inputs as arrays."""
    count = MULTIPLY_ADDS.get(name)
    return 0 if count is None else count(out, *inputs, **options)
