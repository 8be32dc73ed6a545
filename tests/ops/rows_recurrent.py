"""Rows of the table (see table.py): recurrent networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lucid
from lucid.ops import recurrent
from tests.ops.samples import Row, U, row

GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def sequence(
    kind: str,
    steps: int = 3,
    batch: int = 2,
    features: int = 4,
    n: int = 2,
    *,
    bias: bool = True,
    start: bool = True,
    relu: bool = False,
) -> Row:
    """A layer in one direction: x, w_ih, w_hh, the biases and the states to start from; for an LSTM every h and the
    last c.
    """
    rows, states = GATES[kind] * n, (kind == "lstm") + 1

    def f(m: Any, x: Any, w_ih: Any, w_hh: Any, *rest: Any) -> Any:
        biases, given = (rest[:2], rest[2:]) if bias else ((), rest)
        if m is lucid:
            options: dict[str, Any] = {"nonlinearity": "relu"} if relu else {}
            first = dict(zip(("h0", "c0"), given, strict=False))
            return getattr(recurrent, kind)(
                x, w_ih, w_hh, **dict(zip(("b_ih", "b_hh"), biases, strict=False)), **first, **options
            )
        first = [s[None] for s in given] or [x.new_zeros(1, x.shape[1], n)] * states
        call = getattr(m, "rnn_relu" if relu else "rnn_tanh" if kind == "rnn" else kind)
        out, *last = call(
            x, first if kind == "lstm" else first[0], [w_ih, w_hh, *biases], bias, 1, 0.0, True, False, False
        )
        return m.cat([out, last[1]]) if kind == "lstm" else out

    inputs: list[Callable[..., Any]] = [U(steps, batch, features), U(rows, features), U(rows, n)]
    inputs += [U(rows), U(rows)] if bias else []
    inputs += [U(batch, n)] * states if start else []
    return row(f, *inputs)


TABLE: dict[str, list[Row]] = {
    kind: [sequence(kind), sequence(kind, bias=False), sequence(kind, start=False),
           sequence(kind, bias=False, start=False), sequence(kind, steps=1), sequence(kind, batch=0),
           sequence(kind, 2, 1, 1, 3)]
    for kind in GATES
}  # fmt: skip
TABLE["rnn"] += [sequence("rnn", relu=True), sequence("rnn", relu=True, start=False)]

PLAIN: dict[str, list[Row]] = {}
