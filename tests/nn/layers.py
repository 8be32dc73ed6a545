"""Sample layers: each public class of `lucid.nn`, beside PyTorch's of the same name (test_layer_table.py).

A row makes a layer out of `nn`, which is `lucid.nn` or `torch.nn`, and calls it on arrays (see samples.py). What
draws random numbers is given here with p=0, so that both libraries compute the same; that it drops, and how much, is
tested elsewhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.nn import layers_images, layers_norms, layers_recurrent
from tests.nn.layers_images import called
from tests.ops.samples import LABELS, D, P, U, fixed, uniform


@dataclass
class Layer:
    """One sample; `call` says how the layer is called where plain `layer(*inputs)` is not it."""

    make: Callable[[Any], Any]
    inputs: tuple[Any, ...]
    call: Callable[..., Any] = lambda layer, *inputs: layer(*inputs)
    second: bool = True  # whether the second derivative is checked too
    name: str = ""
    arrays: list[np.ndarray] = field(default_factory=list)


def layer(make: Callable[[Any], Any], *inputs: Any, **options: Any) -> Layer:
    return Layer(make, inputs, **options)


PROBABLE = uniform(5, lo=0.1, hi=0.9)


def weights(nn: Any, n: int) -> Any:
    """n constants for a loss to weigh by."""
    return nn.Parameter(nn.Linear(1, 1).weight.detach().reshape(1).expand(n).clone()).detach().fill_(1.7)


SIGNS = fixed([1, -1, -1, 1], "int64")


LOSSES = {name: [layer(lambda nn, name=name, r=r: getattr(nn, name)(reduction=r), D(3, 4),
                       uniform(3, 4, lo=4.0, hi=7.0)) for r in ("mean", "sum", "none")]
          for name in ("MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss")}  # fmt: skip

LAYERS: dict[str, list[Layer]] = {
    "Linear": [layer(lambda nn: nn.Linear(3, 2), U(4, 3)), layer(lambda nn: nn.Linear(3, 2, bias=False), U(2, 4, 3)),
               layer(lambda nn: nn.Linear(3, 2), U(3))],
    "Embedding": [layer(lambda nn: nn.Embedding(4, 3), LABELS),
                  layer(lambda nn: nn.Embedding(4, 2), fixed([[3, 3], [0, 1]], "int64")),
                  layer(lambda nn: nn.Embedding(4, 2, padding_idx=-1), fixed([[2, 2], [0, 1]], "int64"))],
    "Identity": [layer(lambda nn: nn.Identity(7, any=1), U(2, 3))],
    "Flatten": [layer(lambda nn: nn.Flatten(), U(2, 3, 2)), layer(lambda nn: nn.Flatten(0, 1), U(2, 3, 2))],
    "Unflatten": [layer(lambda nn: nn.Unflatten(1, (2, 3)), U(2, 6))],
    "Dropout": [layer(lambda nn: nn.Dropout(0.0), U(2, 3)), layer(lambda nn: nn.Dropout(0.7).eval(), U(2, 3))],
    "Sequential": [layer(lambda nn: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), U(2, 3))],
    "ModuleList": [layer(lambda nn: nn.ModuleList([nn.Linear(3, 3), nn.Tanh()]), U(2, 3),
                         call=lambda layer, x: layer[1](layer[0](x)))],
    "ModuleDict": [layer(lambda nn: nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Tanh()}), U(2, 3),
                         call=lambda layer, x: layer["b"](layer["a"](x)))],
    **{name: [layer(lambda nn, name=name: getattr(nn, name)(), make(3, 4))] for name, make in {
        "ReLU": D, "Sigmoid": U, "Tanh": U, "SiLU": U, "GELU": U, "LeakyReLU": D, "ELU": D, "Softplus": U}.items()},
    "Softmax": [layer(lambda nn: nn.Softmax(dim=1), U(3, 4))],
    "LogSoftmax": [layer(lambda nn: nn.LogSoftmax(dim=0), U(3, 4))],
    "ParameterDict": [layer(lambda nn: nn.ParameterDict({"w": nn.Linear(3, 3).weight}), U(2, 3),
                            call=lambda layer, x: x @ layer["w"])],
    "LazyLinear": [layer(lambda nn: called(nn.LazyLinear(2), nn, 1, 3), U(4, 3)),
                   layer(lambda nn: called(nn.LazyLinear(2, bias=False), nn, 3), U(3))],
    "Softmin": [layer(lambda nn: nn.Softmin(dim=1), U(3, 4))],
    "CELU": [layer(lambda nn: nn.CELU(), D(3, 4)), layer(lambda nn: nn.CELU(2.0), D(3, 4))],
    "Hardshrink": [layer(lambda nn: nn.Hardshrink(), D(3, 4)), layer(lambda nn: nn.Hardshrink(0.2), D(3, 4))],
    "Softshrink": [layer(lambda nn: nn.Softshrink(), D(3, 4)), layer(lambda nn: nn.Softshrink(lambd=0.2), D(3, 4))],
    "Threshold": [layer(lambda nn: nn.Threshold(0.1, 20), D(3, 4))],
    **LOSSES,
    "HingeEmbeddingLoss": [layer(lambda nn, r=r: nn.HingeEmbeddingLoss(1.3, reduction=r), P(4), SIGNS)
                           for r in ("mean", "sum", "none")],
    "MarginRankingLoss": [layer(lambda nn, r=r: nn.MarginRankingLoss(0.3, reduction=r), D(4), fixed([0.0] * 4), SIGNS)
                          for r in ("mean", "sum", "none")],
    "CosineEmbeddingLoss": [layer(lambda nn, r=r: nn.CosineEmbeddingLoss(-0.3, reduction=r), U(4, 3), U(4, 3), SIGNS)
                            for r in ("mean", "sum", "none")]
    + [layer(lambda nn: nn.CosineEmbeddingLoss(), U(3), U(3), fixed(-1, "int64"))],
    "TripletMarginLoss": [layer(lambda nn, o=o: nn.TripletMarginLoss(**o), U(4, 3), U(4, 3), U(4, 3))
                          for o in ({}, {"margin": 2.0, "p": 3.0, "eps": 0.1, "reduction": "none"},
                                    {"swap": True, "reduction": "sum"})],
    "PoissonNLLLoss": [layer(lambda nn, o=o: nn.PoissonNLLLoss(**o), P(3, 4), uniform(3, 4, lo=1.5, hi=4.0))
                       for o in ({}, {"full": True}, {"log_input": False, "reduction": "sum"},
                                 {"log_input": False, "full": True, "eps": 0.1, "reduction": "none"})],
    "GaussianNLLLoss": [layer(lambda nn, o=o: nn.GaussianNLLLoss(**o), U(3, 4), U(3, 4), v)
                        for o, v in (({}, P(3, 4)), ({"full": True, "reduction": "sum"}, P(3, 1)),
                                     ({"eps": 0.1, "reduction": "none"}, P(3)))],
    "BCELoss": [layer(lambda nn: nn.BCELoss(), PROBABLE, PROBABLE),
                layer(lambda nn: nn.BCELoss(weights(nn, 5)), PROBABLE, PROBABLE)],
    "BCEWithLogitsLoss": [layer(lambda nn: nn.BCEWithLogitsLoss(), U(5), PROBABLE),
                          layer(lambda nn: nn.BCEWithLogitsLoss(weights(nn, 5), pos_weight=weights(nn, 1)), U(5),
                                PROBABLE)],
    "CrossEntropyLoss": [layer(lambda nn: nn.CrossEntropyLoss(), U(4, 3), LABELS),
                         layer(lambda nn: nn.CrossEntropyLoss(weights(nn, 3), ignore_index=2, label_smoothing=0.2,
                                                              reduction="sum"), U(4, 3), LABELS),
                         layer(lambda nn: nn.CrossEntropyLoss(weights(nn, 3), label_smoothing=0.2), U(4, 3),
                               uniform(4, 3, lo=0.1, hi=0.9))],
    "NLLLoss": [layer(lambda nn: nn.NLLLoss(), U(4, 3), LABELS),
                layer(lambda nn: nn.NLLLoss(weights(nn, 3), ignore_index=0), U(4, 3), LABELS)],
}  # fmt: skip

for part in (layers_images, layers_norms, layers_recurrent):  # the rows of the other files
    for name, rows in part.LAYERS.items():
        assert name not in LAYERS, f"{part.__name__} has rows of {name} again"
        LAYERS[name] = [Layer(make, inputs, **options) for make, inputs, options in rows]

for name, rows in LAYERS.items():
    for i, sample in enumerate(rows):
        sample.name = f"{name}-{i}"
        rng = np.random.default_rng(zlib.crc32(sample.name.encode()))
        sample.arrays = [np.array(make(rng), order="C") for make in sample.inputs]

ROWS = [sample for rows in LAYERS.values() for sample in rows]
