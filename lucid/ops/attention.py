"""Attention: each query's mixture of values, weighted by how well their keys match it."""

from __future__ import annotations

import math

from lucid.core.node import Tensor
from lucid.core.op import op
from lucid.ops.checks import as_float, check_probability
from lucid.ops.create import arange
from lucid.ops.embedding import dropout
from lucid.ops.reductions import softmax_vjp


@op(
    floats=True, in_single=True, shared={"slope": lambda xp, g, out: softmax_vjp(xp, g, out, -1)},
    query=lambda xp, g, slope, key, scale: xp.matmul(slope, key) * scale,
    key=lambda xp, g, slope, query, scale: xp.matmul(xp.swapaxes(slope, a=-1, b=-2), query) * scale,
    mask=lambda xp, g, slope: slope,
)  # fmt: skip
def _attention_weights(xp, query, key, mask=None, *, scale):
    """softmax(query @ key.T * scale + mask) along the keys, (..., queries, keys), 0 throughout where the mask, which
    broadcasts to that, is -inf for every key: how much each query attends to each key."""
    scores = xp.matmul(query, xp.swapaxes(key, a=-1, b=-2))  # (..., queries, keys)
    if not scores.size:
        return scores
    scores *= scale
    if mask is not None:
        scores += mask
    top = xp.max(scores, axis=-1, keepdims=True)  # (..., queries, 1)
    if mask is None:
        scores -= top
    else:
        scores -= xp.maximum(top, xp.finfo(scores.dtype).min)  # of -inf throughout there stays -inf, and not NaN
    xp.exp(scores, out=scores)
    total = xp.sum(scores, axis=-1, keepdims=True)  # (..., queries, 1)
    scores /= total if mask is None else total + (total == 0)
    return scores


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None,
) -> Tensor:  # fmt: skip
    """softmax(query @ key.T * scale + mask) @ value (Vaswani et al. 2017, arXiv 1706.03762).

    Args:
        query, key, value: (..., queries, features), (..., keys, features) and (..., keys, features of the result).
        attn_mask: broadcasts to (..., queries, keys). Of bools: True where the key takes part. Of floats: added
            to the scores, so that -inf keeps a key out. A query that no key is left for gets zeros, as in PyTorch.
        dropout_p: the probability with which each weight is dropped, in training and outside: pass 0 there.
        is_causal: lets query i see the keys up to i only, on top of what `attn_mask` says.
        scale: 1 / sqrt(features) if None.

    Raises ValueError if the shapes do not fit, or `dropout_p` is not a probability; TypeError if the mask holds neither
    bools nor floats.
    """
    caller = "scaled_dot_product_attention"
    weights = attention_weights(caller, query, key, attn_mask, is_causal, scale)  # (..., queries, keys)
    if value.ndim < 2 or value.shape[-2] != key.shape[-2]:
        value_rows = f"value of shape {value.shape} not as many rows; expected (..., keys, features) for both"
        raise ValueError(f"{caller}: key of shape {key.shape} has {key.shape[-2]} keys, but {value_rows}")
    check_probability(caller, dropout_p)
    return dropout(weights, dropout_p) @ value  # (..., queries, features of the result)


def attention_weights(
    caller: str, query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool = False, scale: float | None = None
) -> Tensor:
    """softmax(query @ key.T * scale + mask), with errors in the name of `caller`; (..., queries, keys)."""
    if query.ndim < 2 or key.ndim < 2 or query.shape[-1] != key.shape[-1]:
        expected = "query (..., queries, features) and key (..., keys, features), with as many features"
        raise ValueError(f"{caller}: expected {expected}, got shapes {query.shape} and {key.shape}")
    queries, keys = query.shape[-2], key.shape[-2]
    if mask is not None:
        mask = additive_mask(caller, "attn_mask", mask, query)
        ends = zip(mask.shape[::-1], (keys, queries), strict=False)
        if mask.ndim > max(query.ndim, key.ndim) or any(m not in (1, n) for m, n in ends):
            scores = f"the scores, which are (..., {queries}, {keys}) for {queries} queries and {keys} keys"
            raise ValueError(f"{caller}: attn_mask of shape {mask.shape} does not broadcast to {scores}")
    if is_causal:
        past = arange(queries, device=query.device).unsqueeze(1) >= arange(keys, device=query.device)  # (queries, keys)
        causal = additive_mask(caller, "is_causal", past, query)
        mask = causal if mask is None else mask + causal
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else as_float(caller, "scale", scale)
    return _attention_weights(query, key, mask, scale=scale)


def additive_mask(caller: str, name: str, mask: Tensor, like: Tensor) -> Tensor:
    """A mask as what is added to the scores, in the dtype of `like`: of bools, 0 where they hold and -inf elsewhere."""
    if mask.dtype.kind == "b":
        return like.new_zeros(mask.shape).masked_fill(~mask, -math.inf)
    if mask.dtype.kind != "f":
        raise TypeError(f"{caller}: {name} must hold bools or floats, got {mask.dtype}; write mask != 0")
    return mask if mask.dtype == like.dtype else mask.to(like.dtype)
