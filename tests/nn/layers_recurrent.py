"""Sample layers (see layers.py): (make, inputs, options) each."""

from __future__ import annotations

from typing import Any

from tests.ops.samples import U

STATES = {"RNN": 1, "GRU": 1, "LSTM": 2}


def started(layer: Any, x: Any, *states: Any) -> Any:
    """The call with states to start from; an LSTM takes a pair."""
    return layer(x, states if len(states) == 2 else states[0])


def layers(kind: str) -> list[tuple[Any, tuple[Any, ...], dict[str, Any]]]:
    states, make = STATES[kind], lambda *sizes, **options: lambda nn: getattr(nn, kind)(*sizes, **options)
    return [
        (make(3, 2), (U(4, 2, 3),), {}),
        (make(3, 2, bias=False), (U(4, 2, 3),), {}),
        (make(3, 2), (U(2, 2, 3), *[U(1, 2, 2)] * states), {"call": started}),
        (make(2, 2, num_layers=2, batch_first=True), (U(2, 3, 2), *[U(2, 2, 2)] * states), {"call": started}),
        (
            make(2, 1, num_layers=2, bidirectional=True, dropout=0.0),
            (U(3, 2, 2), *[U(4, 2, 1)] * states),
            {"call": started},
        ),
        (make(2, 2, bidirectional=True, batch_first=True, bias=False), (U(2, 3, 2),), {}),
        (make(3, 2), (U(4, 3),), {}),  # without a batch
        (make(2, 2, batch_first=True, bidirectional=True), (U(3, 2), *[U(2, 2)] * states), {"call": started}),
    ]


def cells(kind: str) -> list[tuple[Any, tuple[Any, ...], dict[str, Any]]]:
    states, make = STATES[kind], lambda *sizes, **options: lambda nn: getattr(nn, f"{kind}Cell")(*sizes, **options)
    return [
        (make(3, 2), (U(2, 3),), {}),
        (make(3, 2, bias=False), (U(2, 3), *[U(2, 2)] * states), {"call": started}),
        (make(3, 2), (U(3), *[U(2)] * states), {"call": started}),
        (make(3, 2), (U(3),), {}),
    ]


LAYERS: dict[str, list[tuple[Any, tuple[Any, ...], dict[str, Any]]]] = {
    **{kind: layers(kind) for kind in STATES},
    **{f"{kind}Cell": cells(kind) for kind in STATES},
}
LAYERS["RNN"].append((lambda nn: nn.RNN(3, 2, 1, "relu"), (U(4, 2, 3),), {}))
LAYERS["RNNCell"].append((lambda nn: nn.RNNCell(3, 2, nonlinearity="relu"), (U(2, 3),), {}))
