"""Sample layers (see layers.py): (make, inputs, options) each."""

from __future__ import annotations

from typing import Any

from tests.nn.layers_images import called
from tests.ops.samples import D, P, U, fixed

KINKED = fixed([-4.0, -2.5, -0.3, 0.4, 2.6, 3.5, 6.5, 9.5])
LEFT_OUT = fixed([[0, 1, 0, 1, 0], [0, 0, 0, 1, 0], [1, 0, 0, 0, 0]], "bool")  # True: the key does not take part
PADDING = fixed([[0, 0, 0, 1, 1], [0, 1, 0, 0, 0]], "bool")
CROSS = (U(2, 3, 4), U(2, 5, 4), U(2, 5, 4))


def encoder(nn: Any, **options: Any) -> Any:
    return nn.TransformerEncoderLayer(4, 2, dim_feedforward=3, dropout=0.0, activation="gelu", **options)


def decoder(nn: Any, **options: Any) -> Any:
    return nn.TransformerDecoderLayer(4, 2, dim_feedforward=3, dropout=0.0, activation="gelu", **options)


def stacked(nn: Any, norm: bool = False) -> Any:
    options = {} if nn.__name__.startswith("lucid") else {"enable_nested_tensor": False}
    return nn.TransformerEncoder(encoder(nn, batch_first=True), 2, nn.LayerNorm(4) if norm else None, **options)


def itself(attention: Any, x: Any, **options: Any) -> Any:
    return attention(x, x, x, **options)


LAYERS: dict[str, list[tuple[Any, tuple[Any, ...], dict[str, Any]]]] = {
    "LayerNorm": [(lambda nn: nn.LayerNorm(4), (U(3, 4),), {}),
                  (lambda nn: nn.LayerNorm((3, 4), eps=0.1), (U(2, 3, 4),), {}),
                  (lambda nn: nn.LayerNorm(4, elementwise_affine=False), (U(3, 4),), {}),
                  (lambda nn: nn.LayerNorm([4], bias=False), (U(2, 3, 4),), {})],
    "RMSNorm": [(lambda nn: nn.RMSNorm(4), (U(3, 4),), {}), (lambda nn: nn.RMSNorm((3, 4), eps=0.1), (U(2, 3, 4),), {}),
                (lambda nn: nn.RMSNorm(4, elementwise_affine=False), (U(3, 4),), {})],
    "GroupNorm": [(lambda nn: nn.GroupNorm(2, 4), (U(2, 4, 3),), {}),
                  (lambda nn: nn.GroupNorm(4, 4, eps=0.1, affine=False), (U(2, 4, 3, 2),), {}),
                  (lambda nn: nn.GroupNorm(2, 4, bias=False), (U(2, 4, 3),), {})],
    "BatchNorm1d": [(lambda nn: nn.BatchNorm1d(3), (U(4, 3),), {}),
                    (lambda nn: nn.BatchNorm1d(3, eps=0.1, momentum=0.3), (U(2, 3, 4),), {}),
                    (lambda nn: nn.BatchNorm1d(3, momentum=None), (U(4, 3),), {}),
                    (lambda nn: nn.BatchNorm1d(3, affine=False), (U(4, 3),), {}),
                    (lambda nn: nn.BatchNorm1d(3, track_running_stats=False), (U(4, 3),), {}),
                    (lambda nn: nn.BatchNorm1d(3, bias=False), (U(4, 3),), {}),
                    (lambda nn: nn.BatchNorm1d(3).eval(), (U(4, 3),), {})],
    "BatchNorm2d": [(lambda nn: nn.BatchNorm2d(3), (U(2, 3, 2, 2),), {}),
                    (lambda nn: nn.BatchNorm2d(2, momentum=1.0).eval(), (U(2, 2, 3, 1),), {})],
    "InstanceNorm1d": [(lambda nn: nn.InstanceNorm1d(3), (U(2, 3, 4),), {}),
                       (lambda nn: nn.InstanceNorm1d(3, 0.1, affine=True), (U(3, 4),), {}),
                       (lambda nn: nn.InstanceNorm1d(3, momentum=0.3, track_running_stats=True), (U(2, 3, 4),), {}),
                       (lambda nn: nn.InstanceNorm1d(3, track_running_stats=True).eval(), (U(2, 3, 4),), {})],
    "InstanceNorm2d": [(lambda nn: nn.InstanceNorm2d(2), (U(2, 2, 2, 3),), {}),
                       (lambda nn: nn.InstanceNorm2d(2, affine=True, track_running_stats=True), (U(2, 3, 2),), {})],
    "LazyBatchNorm1d": [(lambda nn: called(nn.LazyBatchNorm1d().eval(), nn, 4, 3).train(), (U(4, 3),), {})],
    "LazyBatchNorm2d": [(lambda nn: called(nn.LazyBatchNorm2d(affine=False).eval(), nn, 4, 2, 1, 1).train(),
                         (U(2, 2, 2, 3),), {})],
    "MultiheadAttention": [
        (lambda nn: nn.MultiheadAttention(4, 2, batch_first=True), CROSS, {}),
        (lambda nn: nn.MultiheadAttention(4, 2), (U(3, 2, 4), U(5, 2, 4), U(5, 2, 4)), {}),
        (lambda nn: nn.MultiheadAttention(4, 1, bias=False, batch_first=True), (U(2, 3, 4),), {"call": itself}),
        (lambda nn: nn.MultiheadAttention(4, 2, kdim=3, vdim=5), (U(3, 2, 4), U(4, 2, 3), U(4, 2, 5)), {}),
        (lambda nn: nn.MultiheadAttention(4, 2), (U(3, 4), U(5, 4), U(5, 4)), {}),
        (lambda nn: nn.MultiheadAttention(4, 2, batch_first=True), (*CROSS, LEFT_OUT),
         {"call": lambda a, q, k, v, m: a(q, k, v, attn_mask=m, average_attn_weights=False)}),
        (lambda nn: nn.MultiheadAttention(4, 2, batch_first=True), (*CROSS, PADDING, LEFT_OUT),
         {"call": lambda a, q, k, v, p, m: a(q, k, v, p, False, m)}),
        (lambda nn: nn.MultiheadAttention(4, 2, batch_first=True), (U(2, 3, 4), U(4, 3, 3)),
         {"call": lambda a, x, m: a(x, x, x, attn_mask=m)}),
        (lambda nn: nn.MultiheadAttention(4, 2), (U(3, 4), U(5, 4), U(5, 4), U(5), U(3, 5)),
         {"call": lambda a, q, k, v, p, m: a(q, k, v, key_padding_mask=p, attn_mask=m)}),
    ],
    "TransformerEncoderLayer": [
        (lambda nn: encoder(nn, batch_first=True, norm_first=True), (U(2, 3, 4),), {}),
        (lambda nn: encoder(nn, bias=False), (U(3, 2, 4),), {}),
        (lambda nn: nn.TransformerEncoderLayer(4, 2, 3, 0.0, nn.functional.silu, batch_first=True, layer_norm_eps=0.1),
         (CROSS[1],
          fixed([[0, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], "bool"),
          PADDING),
         {"call": lambda layer, x, m, p: layer(x, m, p, is_causal=False)}),
        (lambda nn: encoder(nn), (U(3, 4),), {}),
    ],
    "TransformerEncoder": [(lambda nn: stacked(nn, norm=True), (U(2, 3, 4),), {}),
                           (stacked, (U(2, 3, 4), U(3, 3)), {"call": lambda layer, x, m: layer(x, mask=m)})],
    "TransformerDecoderLayer": [
        (lambda nn: decoder(nn, batch_first=True, norm_first=True), (U(2, 3, 4), U(2, 5, 4)), {}),
        (lambda nn: decoder(nn, bias=False), (U(3, 2, 4), U(5, 2, 4)), {}),
        (lambda nn: decoder(nn, batch_first=True), (*CROSS[:2], U(3, 3), LEFT_OUT, PADDING),
         {"call": lambda layer, x, y, m, n, p: layer(x, y, m, n, None, p)}),
    ],
    "TransformerDecoder": [
        (lambda nn: nn.TransformerDecoder(decoder(nn), 2, nn.LayerNorm(4)), (U(3, 2, 4), U(5, 2, 4)), {}),
        (lambda nn: nn.TransformerDecoder(decoder(nn, batch_first=True), 1), (*CROSS[:2], U(3, 3)),
         {"call": lambda layer, x, y, m: layer(x, y, tgt_mask=m)}),
    ],
    "Transformer": [
        (lambda nn: nn.Transformer(4, 2, 1, 2, 3, 0.0, "gelu", batch_first=True), (U(2, 5, 4), U(2, 3, 4), PADDING),
         {"call": lambda model, x, y, p: model(
             x, y, tgt_mask=model.generate_square_subsequent_mask(3).to(y.dtype) if model.nhead else None,
             src_key_padding_mask=p, memory_key_padding_mask=p)}),
        (lambda nn: nn.Transformer(4, 2, 1, 1, 3, 0.0, custom_encoder=nn.Identity(), norm_first=True),
         (U(5, 2, 4), U(3, 2, 4)), {"call": lambda model, x, y: model.decoder(y, x)}),
    ],
    "Dropout1d": [(lambda nn: nn.Dropout1d(0.0), (U(2, 3, 2),), {}),
                  (lambda nn: nn.Dropout1d(0.5).eval(), (U(3, 2),), {})],
    "Dropout2d": [(lambda nn: nn.Dropout2d(0.0), (U(2, 3, 2, 2),), {}),
                  (lambda nn: nn.Dropout2d().eval(), (U(2, 3, 2, 2),), {})],
    "CosineSimilarity": [(lambda nn: nn.CosineSimilarity(), (U(3, 4), U(3, 4)), {}),
                         (lambda nn: nn.CosineSimilarity(dim=-1, eps=1e-3), (U(2, 1, 4), U(3, 4)), {})],
    "PairwiseDistance": [(lambda nn: nn.PairwiseDistance(), (U(3, 4), U(3, 4)), {}),
                         (lambda nn: nn.PairwiseDistance(3.0, 0.1, keepdim=True), (P(3, 4), U(4)), {})],
    "KLDivLoss": [(lambda nn: nn.KLDivLoss(reduction="batchmean"), (U(3, 4), P(3, 4)), {}),
                  (lambda nn: nn.KLDivLoss(reduction="sum", log_target=True), (U(3, 4), U(3, 4)), {})],
    **{name: [(lambda nn, name=name: getattr(nn, name)(), (x,), {})] for name, x in {
        "SELU": D(3, 4), "Mish": U(3, 4), "Hardtanh": D(3, 4), "ReLU6": KINKED, "Hardswish": KINKED,
        "Softsign": D(3, 4), "Tanhshrink": U(3, 4), "LogSigmoid": U(3, 4), "GLU": U(3, 4), "PReLU": D(3, 4)}.items()},
    # PyTorch's hardsigmoid takes 1 / 6 in single precision on its way back: its outputs are compared, and its slopes at
    # no kink's place
    "Hardsigmoid": [(lambda nn: nn.Hardsigmoid(), (fixed([-4.0, 3.5, 6.5]),), {})],
}  # fmt: skip
LAYERS["Hardtanh"].append((lambda nn: nn.Hardtanh(-0.5, 0.3), (D(3, 4),), {}))
LAYERS["GLU"].append((lambda nn: nn.GLU(0), (U(2, 3),), {}))
LAYERS["PReLU"].append((lambda nn: nn.PReLU(3, init=0.1), (D(2, 3, 2),), {}))
