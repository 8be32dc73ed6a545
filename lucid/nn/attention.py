"""Attention as layers: several heads side by side, and a transformer's encoder and decoder, built of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from lucid.core.node import Tensor
from lucid.core.tensor import Parameter
from lucid.nn import functional as F
from lucid.nn import init
from lucid.nn.activations import Dropout
from lucid.nn.layers import Linear
from lucid.nn.module import Module
from lucid.nn.norms import LayerNorm
from lucid.ops.attention import additive_mask, attention_weights
from lucid.ops.checks import check_absent, check_count, check_probability
from lucid.ops.create import empty, full
from lucid.ops.shapes import triu


class MultiheadAttention(Module):
    """Attention by several heads, each on its own slice of the features, and a linear mixture of their results:

        head_i = softmax(q_i @ k_i.T / sqrt(features of a head)) @ v_i
        output = concat(head_1, ..., head_h) @ out_proj.weight.T + out_proj.bias

    q = query @ w_q.T + b_q, and so k and v; q_i are the features of q that belong to head i. Source: Vaswani et al.
    2017, arXiv 1706.03762, section 3.2.2. PyTorch's `add_bias_kv` and `add_zero_attn` are not there: a ValueError.

    Args:
        embed_dim: features of the query and of the result; each head works on embed_dim / num_heads.
        num_heads: how many heads; a ValueError if that does not divide embed_dim.
        dropout: the probability with which a weight of the attention is dropped in training; else a ValueError.
        bias: whether the linear maps have one.
        kdim, vdim: features of the key and of the value; embed_dim if None.
        batch_first: whether inputs are (batch, length, features); else they are (length, batch, features).
        device, dtype: of the parameters; float32 by default.

    Attributes:
        in_proj_weight: Parameter (3 * embed_dim, embed_dim), the maps of query, key and value; None if kdim or vdim
            differ from embed_dim: then they are q_proj_weight, k_proj_weight and v_proj_weight.
        in_proj_bias, out_proj: Parameter (3 * embed_dim,), or None; the Linear that mixes the heads.

    >>> from lucid import nn, randn
    >>> attention = nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = randn(5, 4, 8)
    >>> mixture, weights = attention(x, x, x)
    >>> mixture.shape, weights.shape
    ((5, 4, 8), (5, 4, 4))
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, add_bias_kv: bool = False,
        add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        check_absent("MultiheadAttention", add_bias_kv=add_bias_kv, add_zero_attn=add_zero_attn)
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            got = f"{embed_dim=}, {num_heads=}"
            raise ValueError(f"MultiheadAttention: num_heads must divide embed_dim, got {got}")
        check_probability("MultiheadAttention", dropout)
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self.dropout, self.batch_first = dropout, batch_first

        def parameter(wanted: bool, *shape: int) -> Parameter | None:
            return Parameter(empty(*shape, device=device, dtype=dtype)) if wanted else None

        packed = self.kdim == self.vdim == embed_dim
        self.in_proj_weight = parameter(packed, 3 * embed_dim, embed_dim)
        self.q_proj_weight = parameter(not packed, embed_dim, embed_dim)
        self.k_proj_weight = parameter(not packed, embed_dim, self.kdim)
        self.v_proj_weight = parameter(not packed, embed_dim, self.vdim)
        self.in_proj_bias = parameter(bias, 3 * embed_dim)
        self.out_proj = Linear(embed_dim, embed_dim, bias, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights of the maps into the heads anew, and make the biases zeros; as PyTorch does."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
        need_weights: bool = True, attn_mask: Tensor | None = None, average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """Attend with `query` to `key`, and mix `value` accordingly.

        Masks of bools hold where a key does NOT take part, the reverse of `scaled_dot_product_attention`, as in
        PyTorch; masks of floats are added to the scores.

        Args:
            query: (batch, queries, embed_dim), (queries, batch, embed_dim) unless batch_first, or unbatched
                (queries, embed_dim).
            key, value: likewise, with keys, and kdim or vdim.
            key_padding_mask: (batch, keys), or (keys,) if unbatched: the keys to leave out.
            need_weights: whether the weights are returned too.
            attn_mask: (queries, keys), or (batch * num_heads, queries, keys).
            average_attn_weights: whether they are averaged over the heads.
            is_causal: says that attn_mask is the causal mask, which must be passed all the same.

        Returns:
            The mixture, in the shape of the query, and the weights (batch, queries, keys), or if they are not averaged
            (batch, num_heads, queries, keys), or None. A ValueError if shapes do not fit, or `is_causal` comes without
            a mask; a TypeError if a mask holds neither bools nor floats."""
        self._check(query, key, value)
        if is_causal and attn_mask is None:
            raise ValueError("MultiheadAttention: is_causal=True only says what attn_mask is; pass the mask as well")
        batched = query.ndim == 3
        if not batched:
            query, key, value = query.unsqueeze(0), key.unsqueeze(0), value.unsqueeze(0)
        elif not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        mask = self._mask(query, key, key_padding_mask, attn_mask)  # broadcasts to (batch, heads, queries, keys)
        q, k, v = self._heads(query, key, value)  # (batch, heads, length, head_dim) each
        weights = attention_weights("MultiheadAttention", q, k, mask)  # (batch, heads, queries, keys)
        weights = F.dropout(weights, self.dropout, self.training)
        mixed = (weights @ v).transpose(1, 2)  # (batch, queries, heads, head_dim)
        out = self.out_proj(mixed.reshape(*query.shape[:2], self.embed_dim))  # (batch, queries, embed_dim)
        if average_attn_weights and need_weights:
            weights = weights.mean(1)  # (batch, queries, keys)
        if not batched:
            return out.squeeze(0), weights.squeeze(0) if need_weights else None
        return out if self.batch_first else out.transpose(0, 1), weights if need_weights else None

    def _heads(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """Query, key and value mapped and split into heads: (batch, heads, length, head_dim) each."""
        n, packed, bias, heads = self.embed_dim, self.in_proj_weight, self.in_proj_bias, []
        weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        for i, x in enumerate((query, key, value)):  # (batch, length, features)
            rows = slice(i * n, i * n + n)
            weight = weights[i] if packed is None else packed[rows]
            mapped = F.linear(x, weight, None if bias is None else bias[rows])  # (batch, length, embed_dim)
            heads.append(mapped.reshape(*x.shape[:2], self.num_heads, self.head_dim).transpose(1, 2))
        return tuple(heads)

    def _mask(self, query: Tensor, key: Tensor, padding: Tensor | None, mask: Tensor | None) -> Tensor | None:
        """Both masks as one, to be added to scores of shape (batch, heads, queries, keys)."""
        caller, batch, queries, keys = "MultiheadAttention", query.shape[0], query.shape[1], key.shape[1]
        if mask is not None:
            shapes = (queries, keys), (batch * self.num_heads, queries, keys)
            if mask.shape not in shapes:
                expected = f"{shapes[0]}, or {shapes[1]} with a mask for each head of each sample"
                raise ValueError(f"{caller}: attn_mask must have shape {expected}, got {mask.shape}")
            mask = _excluding(caller, "attn_mask", mask, query)
            mask = mask.reshape(batch, self.num_heads, queries, keys) if mask.ndim == 3 else mask
        if padding is None:
            return mask
        padding = padding.unsqueeze(0) if padding.ndim == 1 and batch == 1 else padding
        if padding.shape != (batch, keys):
            raise ValueError(f"{caller}: key_padding_mask must have shape ({batch}, {keys}), got {padding.shape}")
        padding = _excluding(caller, "key_padding_mask", padding, query).reshape(batch, 1, 1, keys)
        return padding if mask is None else mask + padding

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        caller, shapes = "MultiheadAttention", (query.shape, key.shape, value.shape)
        if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
            raise ValueError(f"{caller}: query, key and value must have 3 dims, or unbatched 2; got shapes {shapes}")
        for name, x, size in (("query", query, self.embed_dim), ("key", key, self.kdim), ("value", value, self.vdim)):
            if x.shape[-1] != size:
                raise ValueError(f"{caller}: {name} has {x.shape[-1]} features, expected {size}; got shapes {shapes}")
        if key.shape[:-1] != value.shape[:-1]:
            raise ValueError(f"{caller}: key and value must agree in batch and length; got shapes {shapes}")
        batch = 0 if self.batch_first else 1
        if query.ndim == 3 and query.shape[batch] != key.shape[batch]:
            raise ValueError(f"{caller}: query and key must agree in the batch, dim {batch}; got shapes {shapes}")

    def extra_repr(self) -> str:
        """The sizes."""
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, batch_first={self.batch_first}"


def _excluding(caller: str, name: str, mask: Tensor, like: Tensor) -> Tensor:
    """`additive_mask` of a mask whose bools hold where a key is left out."""
    return additive_mask(caller, name, ~mask if mask.dtype.kind == "b" else mask, like)


class TransformerLayer(Module):
    """What `TransformerEncoderLayer` and `TransformerDecoderLayer` have in common: attentions, and a network of two
    linear maps, each added to its input and normalised.

    Args:
        d_model, nhead: features, and heads of the attention; a ValueError if they do not divide the features.
        dim_feedforward: features between the two linear maps.
        dropout: the probability in training, in the attention and after each map.
        activation: "relu", "gelu", or a function of one Tensor; else a ValueError.
        layer_norm_eps: what keeps the root of the norms away from 0.
        batch_first: whether inputs are (batch, length, d_model); else they are (length, batch, d_model).
        norm_first: whether norms come before attention and network rather than after the sums.
        bias: whether linear maps and norms have one.
        device, dtype: of the parameters; float32 by default."""

    attentions: tuple[str, ...] = ("self_attn",)
    self_attn: Any
    multihead_attn: Any

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = "relu", layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        options = {"device": device, "dtype": dtype}
        for name in self.attentions:
            attention = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **options)
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **options)
        self.norm_first = norm_first
        for i in range(1, len(self.attentions) + 2):
            setattr(self, f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options))
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation: Any = {"relu": F.relu, "gelu": F.gelu}.get(activation, activation)  # type: ignore[arg-type]
        if not callable(self.activation):
            caller, got = type(self).__name__, repr(activation)  # type: ignore[unreachable]
            raise ValueError(f"{caller}: activation must be 'relu', 'gelu' or a function, got {got}")

    def _add(self, i: int, x: Tensor, f: Callable[[Tensor], Tensor]) -> Tensor:
        """x and what the i-th part makes of it, normalised before or after."""
        norm, dropout = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
        return x + dropout(f(norm(x))) if self.norm_first else norm(x + dropout(f(x)))

    def _feedforward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(TransformerLayer):
    """Self-attention, then a network of two linear maps, each added to its input and normalised:

        x = norm1(x + attention(x));  x = norm2(x + linear2(activation(linear1(x))))
        x = x + attention(norm1(x));  x = x + linear2(activation(linear1(norm2(x))))    # with `norm_first`

    Arguments and errors are those of `TransformerLayer`. Source: Vaswani et al. 2017, arXiv 1706.03762; `norm_first` is
    the order of Xiong et al. 2020, arXiv 2002.04745: normalise what goes in, not the sum, which trains without a
    warm-up of the learning rate."""

    def forward(
        self, src: Tensor, src_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """(batch, length, d_model) in and out, or as `batch_first` says; the masks are those of MultiheadAttention."""
        masks = src_key_padding_mask, False, src_mask, True, is_causal
        src = self._add(1, src, lambda x: self.self_attn(x, x, x, *masks)[0])
        return self._add(2, src, self._feedforward)


class TransformerDecoderLayer(TransformerLayer):
    """Self-attention, attention to the `memory` that an encoder gave, and a network of two linear maps, each added to
    its input and normalised, as in `TransformerEncoderLayer`; arguments and errors are those of `TransformerLayer`."""

    attentions = ("self_attn", "multihead_attn")

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """(batch, length, d_model) and a memory (batch, its length, d_model) give the shape of the first, or as
        `batch_first` says; the masks are those of MultiheadAttention."""
        own = tgt_key_padding_mask, False, tgt_mask, True, bool(tgt_is_causal)
        other = memory_key_padding_mask, False, memory_mask, True, memory_is_causal
        tgt = self._add(1, tgt, lambda x: self.self_attn(x, x, x, *own)[0])
        tgt = self._add(2, tgt, lambda x: self.multihead_attn(x, memory, memory, *other)[0])
        return self._add(3, tgt, self._feedforward)


def _copies(caller: str, name: str, layer: Module, number: int) -> list[Any]:
    """As many copies of a layer, its weights included."""
    if not isinstance(layer, Module):
        raise TypeError(f"{caller}: {name} must be a Module, got {type(layer).__name__}")
    return [copy.deepcopy(layer) for _ in range(check_count(caller, "num_layers", number, 1))]


class TransformerEncoder(Module):
    """Several copies of one TransformerEncoderLayer, one after the other, and a norm after the last.

    The attribute `layers` has `num_layers` copies of `encoder_layer`, its weights included; `norm` may be None. The
    last two arguments choose among PyTorch's implementations, and change nothing here. A TypeError for a layer that is
    no Module, or a number that is no int; a ValueError for less than one."""

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None, enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:  # fmt: skip
        self.layers = _copies("TransformerEncoder", "encoder_layer", encoder_layer, num_layers)
        self.norm = norm

    def forward(
        self, src: Tensor, mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:  # fmt: skip
        """(batch, length, d_model) in and out, or as the layers' `batch_first` says; the masks go to every layer."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """Several copies of one TransformerDecoderLayer, as `TransformerEncoder` has of its layer; errors likewise."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = _copies("TransformerDecoder", "decoder_layer", decoder_layer, num_layers)
        self.norm = norm

    def forward(self, tgt: Tensor, memory: Tensor, *masks: Any, **named: Any) -> Tensor:
        """As `TransformerDecoderLayer`; memory and masks go to every layer."""
        for layer in self.layers:
            tgt = layer(tgt, memory, *masks, **named)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder that reads `src`, and a decoder that reads `tgt` and what the encoder made of `src`; both end with a
    norm (Vaswani et al. 2017, arXiv 1706.03762). Matrices start as `init.xavier_uniform_` draws them.

    `num_encoder_layers` and `num_decoder_layers` say how many layers they have; `custom_encoder` and `custom_decoder`
    are Modules to take their place. The other arguments, and errors, are those of the layers.

    >>> from lucid import nn, randn
    >>> model = nn.Transformer(8, 2, 1, 1, dim_feedforward=16, batch_first=True)
    >>> model(randn(5, 4, 8), randn(5, 3, 8)).shape
    (5, 3, 8)
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
        dim_feedforward: int = 2048, dropout: float = 0.1, activation: str | Callable[[Tensor], Tensor] = "relu",
        custom_encoder: Any = None, custom_decoder: Any = None, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        options: Any = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first,
                        bias, device, dtype)  # fmt: skip
        norm = LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)
        encoder, decoder = TransformerEncoderLayer(*options), TransformerDecoderLayer(*options)
        self.encoder = custom_encoder or TransformerEncoder(encoder, num_encoder_layers, norm)
        self.decoder = custom_decoder or TransformerDecoder(decoder, num_decoder_layers, copy.deepcopy(norm))
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self, src: Tensor, tgt: Tensor, src_mask: Tensor | None = None, tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None, tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """(batch, length, d_model) twice gives the shape of the second, or as `batch_first` says; masks are those of
        MultiheadAttention."""
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        masks = tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask
        return self.decoder(tgt, memory, *masks, tgt_is_causal, memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """(sz, sz), -inf above the diagonal and 0 elsewhere: what is to come does not take part."""
        return triu(full((sz, sz), -math.inf, dtype=dtype, device=device), 1)
