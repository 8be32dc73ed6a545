"""Multiply-adds, counted from the operations that run and not from the kinds of layers there are.

A matrix product of (n, k) and (k, m) takes n k m of them. Everything that multiplies matrices comes down to one of the
operations below; what works element by element is not counted, for it is little beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

Count = Callable[..., int]


def _matmul(out: Any, a: Any, b: Any, **options: Any) -> int:
    return prod(out.shape) * a.shape[-1]


def _linear(out: Any, x: Any, weight: Any, bias: Any = None) -> int:
    return prod(out.shape) * weight.shape[1]


def _attention(out: Any, query: Any, key: Any, mask: Any = None, **options: Any) -> int:
    return prod(out.shape) * query.shape[-1]


def _conv(out: Any, x: Any, weight: Any, bias: Any = None, **options: Any) -> int:
    return prod(out.shape) * prod(weight.shape[1:])  # (O, C / groups, *kernel): for each output its window


def _conv_transpose(out: Any, y: Any, weight: Any, bias: Any = None, **options: Any) -> int:
    return prod(y.shape) * prod(weight.shape[1:])


def _conv_weight(out: Any, x: Any, y: Any, **options: Any) -> int:
    return prod(y.shape) * prod(out.shape[1:])


def _recurrent(out: Any, x: Any, w_ih: Any, w_hh: Any, *rest: Any, **options: Any) -> int:
    steps, batch, _ = x.shape
    return steps * batch * (prod(w_ih.shape) + prod(w_hh.shape))


def _solve(out: Any, a: Any, b: Any) -> int:
    return prod(a.shape) * a.shape[-1] // 3 + prod(b.shape) * a.shape[-1]


MULTIPLY_ADDS: dict[str, Count] = {
    "matmul": _matmul,
    "linear": _linear,
    "attention_weights": _attention,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "conv_weight": _conv_weight,
    "rnn": _recurrent,
    "lstm": _recurrent,
    "gru": _recurrent,
    "solve": _solve,
}


def multiply_adds(name: str, out: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> int:
    """How many a run of the operation took, given its output and inputs as arrays."""
    count = MULTIPLY_ADDS.get(name)
    return 0 if count is None else count(out, *inputs, **options)
