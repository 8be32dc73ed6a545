"""Rows of the table (see table.py): normalisation, attention, embeddings, and the losses and activations with more
options.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import lucid
from tests.ops.samples import LABELS, D, P, Row, U, each, fixed, row, uniform


def functional(m: Any) -> Any:
    return m.nn.functional


def ran(m: Any, x: Any) -> dict[str, Any]:
    """Statistics of three channels, as they ran."""
    return {"running_mean": m.tensor([0.5, -1.0, 0.0]).type_as(x), "running_var": m.tensor([1.0, 0.25, 2.0]).type_as(x)}


def attend(m: Any, *qkv: Any, **options: Any) -> Any:
    return functional(m).scaled_dot_product_attention(*qkv, **options)


REDUCTIONS = ("mean", "sum", "none")
SOME = fixed([1, -100, 0, -100], "int64")
PROBABLE = uniform(3, 2, lo=0.1, hi=0.9)
QKV = (U(2, 3, 4), U(2, 5, 4), U(2, 5, 2))
SEEN = fixed([[1, 0, 1, 1, 0], [0, 1, 0, 0, 0], [1, 1, 1, 1, 1]], "bool")
BLIND = fixed([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], "bool")
SIGNS = fixed([1, -1, -1, 1], "int64")
KINKED = fixed([-4.0, -2.5, -0.3, 0.4, 2.6, 3.5, 6.5, 9.5])


def numbers(m: Any, x: Any, *shape: int) -> Any:
    """Some constants, in the dtype of x."""
    return m.tensor(np.linspace(0.5, 2.0, int(np.prod(shape))).reshape(shape)).type_as(x)


# PyTorch cannot differentiate a bias without a weight a second time.
TABLE: dict[str, list[Row]] = {
    "layer_norm": [row(lambda m, x, w, b: functional(m).layer_norm(x, (4,), w, b), U(3, 4), U(4), U(4)),
                   row(lambda m, x, w, b: functional(m).layer_norm(x, (3, 4), w, b, 0.1), U(2, 3, 4), U(3, 4), U(3, 4)),
                   row(lambda m, x: functional(m).layer_norm(x, [2]), U(2, 3, 2)),
                   row(lambda m, x, w: functional(m).layer_norm(x, (4,), w), U(4), U(4)),
                   row(lambda m, x, b: functional(m).layer_norm(x, (4,), None, b), U(3, 4), U(4), second=False),
                   row(lambda m, x, w, b: functional(m).layer_norm(x, (3,), w, b), U(0, 3), U(3), U(3)),
                   row(lambda m, x: functional(m).layer_norm(x, (1,)), U(3, 1))],
    "rms_norm": [row(lambda m, x, w: functional(m).rms_norm(x, (4,), w), U(3, 4), U(4)),
                 row(lambda m, x, w: functional(m).rms_norm(x, (3, 4), w, 0.1), U(2, 3, 4), U(3, 4)),
                 row(lambda m, x: functional(m).rms_norm(x, [2]), U(2, 3, 2)),
                 row(lambda m, x, w: functional(m).rms_norm(x, (3,), w, 1e-3), U(0, 3), U(3))],
    "batch_norm": [row(lambda m, x, w, b: functional(m).batch_norm(x, None, None, w, b, training=True), U(5, 3), U(3),
                       U(3)),
                   row(lambda m, x, w, b: functional(m).batch_norm(x, None, None, w, b, True, eps=0.1), U(2, 3, 4),
                       U(3), U(3)),
                   row(lambda m, x: functional(m).batch_norm(x, None, None, training=True), U(2, 3, 2, 2)),
                   row(lambda m, x, w: functional(m).batch_norm(x, None, None, w, None, True), U(4, 2), U(2)),
                   row(lambda m, x, b: functional(m).batch_norm(x, None, None, None, b, True), U(4, 2), U(2),
                       second=False),
                   row(lambda m, x: functional(m).batch_norm(x, None, None, training=True), U(0, 3)),
                   row(lambda m, x, w, b: functional(m).batch_norm(x, **ran(m, x), weight=w, bias=b), U(4, 3), U(3),
                       U(3)),
                   row(lambda m, x: functional(m).batch_norm(x, **ran(m, x)), U(2, 3, 2, 2)),
                   row(lambda m, x, b: functional(m).batch_norm(x, **ran(m, x), bias=b), U(2, 3, 2), U(3),
                       second=False)],
    "group_norm": [row(lambda m, x, w, b: functional(m).group_norm(x, 2, w, b), U(2, 4, 3), U(4), U(4)),
                   row(lambda m, x: functional(m).group_norm(x, 1, eps=0.1), U(2, 4)),
                   row(lambda m, x, w: functional(m).group_norm(x, 2, w), U(2, 2, 2, 2), U(2))],
    "normalize": [row(lambda m, x: functional(m).normalize(x), U(3, 4)),
                  row(lambda m, x: functional(m).normalize(x, p=3.0, dim=0), P(3, 4)),
                  row(lambda m, x: functional(m).normalize(x, 1, (0, 2)), P(2, 3, 2)),
                  row(lambda m, x: functional(m).normalize(x, dim=-1, eps=10.0), U(2, 3))],
    "cosine_similarity": [row(lambda m, x, y: functional(m).cosine_similarity(x, y), U(3, 4), U(3, 4)),
                          row(lambda m, x, y: functional(m).cosine_similarity(x, y, dim=-1), U(2, 1, 4), U(3, 4)),
                          row(lambda m, x, y: functional(m).cosine_similarity(x, y, dim=0), U(4), U(4))],
    "pairwise_distance": [row(lambda m, x, y: functional(m).pairwise_distance(x, y), U(3, 4), U(3, 4)),
                          row(lambda m, x, y: functional(m).pairwise_distance(x, y, 3.0, keepdim=True),
                              uniform(3, 4, lo=3, hi=5), P(3, 4)),
                          row(lambda m, x, y: functional(m).pairwise_distance(x, y, 1.0, eps=0.5),
                              uniform(2, 3, lo=3, hi=5), P(3))],
    # PyTorch differentiates its fused attention once only
    "attention_weights": [row(attend, *QKV, second=False),
                          row(lambda m, *qkv: attend(m, *qkv, scale=0.3), *QKV, second=False),
                          row(lambda m, *qkv: attend(m, *qkv, is_causal=True), U(2, 3, 4), U(2, 3, 4), U(2, 3, 2),
                              second=False),
                          row(lambda m, q, k, v, seen: attend(m, q, k, v, seen), *QKV, SEEN, second=False),
                          row(lambda m, q, k, v, seen: attend(m, q, k, v, seen), *QKV, BLIND, second=False),
                          row(lambda m, q, k, v, added: attend(m, q, k, v, added), *QKV, U(3, 5), second=False),
                          row(lambda m, q, k, v, added: attend(m, q, k, v, added), U(2, 2, 3, 4), U(2, 2, 5, 4),
                              U(2, 2, 5, 2), U(2, 1, 1, 5), second=False),
                          row(attend, U(3, 2), U(4, 2), U(4, 3), second=False),
                          row(lambda m, q, k, v: attend(m, q * 1e3, k, v), *QKV, second=False),
                          row(attend, U(2, 0, 4), U(2, 5, 4), U(2, 5, 2), second=False)],
    # losses
    "nll_weighted": [row(lambda m, x, t, r=r: functional(m).nll_loss(x, t, numbers(m, x, 3), ignore_index=1,
                                                                     reduction=r), U(4, 3), LABELS) for r in REDUCTIONS]
    + [row(lambda m, x, t: functional(m).nll_loss(x, t), U(4, 3), SOME),
       row(lambda m, x, t: functional(m).nll_loss(x, t, numbers(m, x, 3)), U(2, 3, 2),
           fixed([[0, 2], [1, -100]], "int64"))],
    "cross_entropy_ignore_index":
        [row(lambda m, x, t, r=r: functional(m).cross_entropy(x, t, ignore_index=2, reduction=r), U(4, 3), LABELS)
         for r in REDUCTIONS]
    + [row(lambda m, x, t: functional(m).cross_entropy(x, t, ignore_index=2) ** 2, U(4, 3), LABELS),
       row(lambda m, x, t: functional(m).cross_entropy(x, t, ignore_index=2) ** 2, U(3, 3), fixed([2, 0, 2], "int64"))]
    + [row(lambda m, x, t: functional(m).cross_entropy(x, t), U(4, 3), SOME),
       row(lambda m, x, t: functional(m).cross_entropy(x, t), U(2, 3, 2), fixed([[0, 2], [1, -100]], "int64"))]
    + [row(lambda m, x, t: functional(m).cross_entropy(x, t, ignore_index=2, reduction="sum"), U(0, 3),
           fixed([], "int64"))],
    "cross_entropy_weighted":
        [row(lambda m, x, t, r=r, s=s: functional(m).cross_entropy(x, t, numbers(m, x, 3), ignore_index=2, reduction=r,
                                                                   label_smoothing=s), U(4, 3), LABELS)
         for r in REDUCTIONS for s in (0.0, 0.3)]
    + [row(lambda m, x, t, s=s: functional(m).cross_entropy(x, t, label_smoothing=s), U(4, 3), SOME)
       for s in (0.0, 0.1, 1.0)]
    + [row(lambda m, x, t: functional(m).cross_entropy(x, t, numbers(m, x, 3), reduction="none", label_smoothing=0.2),
           U(2, 3, 2), fixed([[0, 2], [1, -100]], "int64")),
       row(lambda m, x, t: functional(m).cross_entropy(x, t, numbers(m, x, 3)), U(3), fixed(1, "int64"))],
    "cross_entropy_probabilities":
        [row(lambda m, x, t, r=r: functional(m).cross_entropy(x, t, numbers(m, x, 3), reduction=r, label_smoothing=0.3),
             U(4, 3), P(4, 3)) for r in REDUCTIONS]
    + [row(lambda m, x, t: functional(m).cross_entropy(x, t, numbers(m, x, 3)), U(2, 3, 2), P(2, 3, 2)),
       row(lambda m, x, t: functional(m).cross_entropy(x, t, numbers(m, x, 3), label_smoothing=1.0), U(3), P(3))],
    "kl_div": [row(lambda m, x, t, r=r, log=log: functional(m).kl_div(x, t, reduction=r, log_target=log), U(3, 4),
                   P(3, 4)) for r in ("batchmean", "sum", "none") for log in (False, True)]
    + [row(lambda m, x, t: functional(m).kl_div(x, t, reduction="sum"), U(*shape), P(*shape))
       for shape in ((), (0, 3))],
    "bce_weighted": [row(lambda m, x, t, r=r: functional(m).binary_cross_entropy(x, t, numbers(m, x, 2), reduction=r),
                         PROBABLE, PROBABLE) for r in REDUCTIONS],
    "bce_with_logits_weighted":
        [row(lambda m, x, t, r=r, o=o: functional(m).binary_cross_entropy_with_logits(x, t, reduction=r,
                                                                                      **{name: numbers(m, x, *shape)
                                                                                         for name, shape in o.items()}),
             U(3, 2), PROBABLE)
         for r in REDUCTIONS
         for o in ({"weight": (3, 1)}, {"pos_weight": (2,)}, {"weight": (3, 2), "pos_weight": (2,)})],
    "instance_norm": [
        row(lambda m, x: functional(m).instance_norm(x), U(2, 3, 4)),
        row(lambda m, x, w, b: functional(m).instance_norm(x, weight=w, bias=b, eps=0.1), U(2, 2, 2, 3), U(2), U(2)),
        row(lambda m, x: functional(m).instance_norm(x, numbers(m, x, 3), numbers(m, x, 3), use_input_stats=False),
            U(2, 3, 4))],
    # of pairs
    "margin_ranking": [row(lambda m, x, y, t, r=r: functional(m).margin_ranking_loss(x, y, t, 0.3, reduction=r), D(4),
                           fixed([0.01] * 4), SIGNS) for r in REDUCTIONS],
    "hinge_embedding": [row(lambda m, x, t, r=r: functional(m).hinge_embedding_loss(x, t, 1.3, reduction=r),
                            P(4), SIGNS) for r in REDUCTIONS],
    "cosine_embedding":
        [row(lambda m, x, y, t, r=r: functional(m).cosine_embedding_loss(x, y, t, -0.2, reduction=r), U(4, 3),
             U(4, 3), SIGNS) for r in REDUCTIONS]
    + [row(lambda m, x, y, t: functional(m).cosine_embedding_loss(x, y, t), U(3), U(3), fixed(1, "int64"))],
    "triplet_margin": [row(lambda m, x, y, z, r=r: functional(m).triplet_margin_loss(x, y, z, 2.5, reduction=r),
                           U(3, 4), U(3, 4), U(3, 4)) for r in REDUCTIONS]
    + [row(lambda m, x, y, z: functional(m).triplet_margin_loss(x, y, z, 9.0, 3.0, 0.1, True), U(3, 4), U(3, 4),
           U(3, 4))],
    "poisson_nll": [row(lambda m, x, t, o=o, r=r: functional(m).poisson_nll_loss(x, t, reduction=r, **o), P(3, 4),
                        uniform(3, 4, lo=1.5, hi=4.0))
                    for o in ({}, {"full": True}, {"log_input": False, "eps": 0.1}) for r in REDUCTIONS],
    "gaussian_nll": [row(lambda m, x, t, v, r=r: functional(m).gaussian_nll_loss(x, t, v, r == "sum", 0.1, reduction=r),
                         U(3, 4), U(3, 4), P(*s)) for r, s in zip(REDUCTIONS, ((3, 4), (3,), (3, 1)), strict=True)],
    # activations
    "celu": each(lambda m, x: functional(m).celu(x, 2.0), D),
    "hardshrink": each(lambda m, x: functional(m).hardshrink(x, 0.2), D),
    "softshrink": each(lambda m, x: functional(m).softshrink(x, 0.2), D),
    "threshold": each(lambda m, x: functional(m).threshold(x, 0.1, 20.0), D),
    "softmin": [row(lambda m, x: functional(m).softmin(x, 1), U(3, 4)),
                row(lambda m, x: functional(m).softmin(x, dim=0), U(0, 3))],
    "selu": each(lambda m, x: functional(m).selu(x), D),
    "mish": each(lambda m, x: functional(m).mish(x), U),
    "hardtanh": [*each(lambda m, x: functional(m).hardtanh(x, -0.5, 0.7), D),
                 row(lambda m, x: functional(m).relu6(x), KINKED)],
    "hardswish": [*each(lambda m, x: functional(m).hardswish(x), D),
                  row(lambda m, x: functional(m).hardswish(x), KINKED),
                  # PyTorch's hardsigmoid takes 1 / 6 in single precision on its way back
                  row(lambda m, x: functional(m).hardsigmoid(x) if m is lucid else functional(m).relu6(x + 3) / 6,
                      KINKED)],
    "softsign": each(lambda m, x: functional(m).softsign(x), D),
    "tanhshrink": each(lambda m, x: functional(m).tanhshrink(x), U),
    "logsigmoid": [*each(lambda m, x: functional(m).logsigmoid(x), U),
                   row(lambda m, x: functional(m).logsigmoid(x * 100), fixed([-9.0, 0.02, 9.0]))],
    "glu": [row(lambda m, x: functional(m).glu(x), U(3, 4)), row(lambda m, x: functional(m).glu(x, 0), U(2, 3))],
    "prelu": [row(lambda m, x, w: functional(m).prelu(x, w), D(3, 4), U(4)),
              row(lambda m, x, w: functional(m).prelu(x, w), D(5), U(1)),
              row(lambda m, x, w: functional(m).prelu(x, w), D(2, 3, 2), U(3)),
              row(lambda m, x, w: functional(m).prelu(x, w), D(2, 3), U(1))],
    # the exact gelu takes another way where x is large, and there PyTorch's has lost its digits: these it has not
    "gelu_far": [row(lambda m, x: functional(m).gelu(x), fixed([-3.0, -1.5, -0.7, 0.0, 1.2, 3.4, 8.0, 41.0]))],
}  # fmt: skip

PLAIN: dict[str, list[Row]] = {}  # fmt: skip
