"""Attention: each query's mixture of values, weighted by how well their keys match it."""

from __future__ import annotations

import math

from lucid.creation import arange
from lucid.nn.functional.checks import check_probability, check_tensor
from lucid.nn.functional.layers import dropout
from lucid.ops import fused
from lucid.tensor import Tensor


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
) -> Tensor:
    """softmax(query @ key.T * scale + mask) @ value (Vaswani et al. 2017, arXiv 1706.03762).

    Args:
        query: (..., queries, features).
        key: (..., keys, features).
        value: (..., keys, features of the result).
        attn_mask: broadcasts to (..., queries, keys). Of bools: True where the key takes part. Of floats: added
            to the scores, so that -inf keeps a key out. A query that no key is left for gets zeros, as in PyTorch.
        dropout_p: the probability with which each weight is dropped; whether this is training is the caller's
            to know.
        is_causal: lets query i see the keys up to i only, on top of what `attn_mask` says.
        scale: 1 / sqrt(features) if None.

    Raises:
        ValueError: if the shapes do not fit, or `dropout_p` is not a probability.
        TypeError: if the mask holds neither bools nor floats.
    """
    who = "scaled_dot_product_attention"
    weights = attention_weights(who, query, key, attn_mask, is_causal, scale)
    check_tensor(who, "value", value)
    if value.ndim < 2 or value.shape[-2] != key.shape[-2]:
        raise ValueError(
            f"{who}: key of shape {key.shape} has {key.shape[-2]} keys, but value of shape {value.shape} not as many "
            "rows; expected (..., keys, features) for both"
        )
    check_probability(who, dropout_p)
    return dropout(weights, dropout_p) @ value


def attention_weights(
    who: str, query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool = False, scale: float | None = None
) -> Tensor:
    """softmax(query @ key.T * scale + mask), what is checked in the name of `who`; (..., queries, keys)."""
    check_tensor(who, "query", query)
    check_tensor(who, "key", key)
    if query.ndim < 2 or key.ndim < 2 or query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"{who}: expected query (..., queries, features) and key (..., keys, features), with as many features, "
            f"got shapes {query.shape} and {key.shape}"
        )
    queries, keys = query.shape[-2], key.shape[-2]
    if mask is not None:
        mask = as_added(who, "attn_mask", mask, query)
        ends = zip(mask.shape[::-1], (keys, queries), strict=False)
        if mask.ndim > max(query.ndim, key.ndim) or any(m not in (1, n) for m, n in ends):
            raise ValueError(
                f"{who}: attn_mask of shape {mask.shape} does not broadcast to the scores, which are "
                f"(..., {queries}, {keys}) for {queries} queries and {keys} keys"
            )
    if is_causal:
        past = arange(queries, device=query.device).unsqueeze(1) >= arange(keys, device=query.device)
        causal = as_added(who, "is_causal", past, query)
        mask = causal if mask is None else mask + causal
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else float(scale)
    return fused.attention_weights(query, key, mask, scale=scale)


def as_added(who: str, name: str, mask: Tensor, like: Tensor) -> Tensor:
    """A mask as what is added to the scores, in the dtype of `like`: of bools, 0 where they hold and -inf elsewhere."""
    check_tensor(who, name, mask)
    if mask.dtype.kind == "b":
        return like.new_zeros(mask.shape).masked_fill(~mask, -math.inf)
    if mask.dtype.kind != "f":
        raise TypeError(f"{who}: {name} must hold bools or floats, got {mask.dtype}; write mask != 0")
    return mask if mask.dtype == like.dtype else mask.to(like.dtype)
