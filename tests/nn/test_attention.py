"""Attention: the masks of both kinds, causality, dropout, and the transformer's encoder beside its definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.autograd import grad
from lucid.nn import functional as F

RNG = np.random.default_rng(0)


def normal(*shape: int, live: bool = True) -> lucid.Tensor:
    return lucid.tensor(RNG.normal(size=shape), requires_grad=live)


def in_steps(q: Any, k: Any, v: Any, mask: Any = None) -> Any:
    """The definition: what the fused operation must come to."""
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return (scores if mask is None else scores + mask).softmax(-1) @ v


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_what_its_steps_come_to_with_its_second_derivatives(masked: bool) -> None:
    q, k, v, mask = normal(2, 3, 4, 2), normal(2, 3, 5, 2), normal(2, 3, 5, 3), normal(3, 4, 5)
    xs = [q, k, v, mask] if masked else [q, k, v]
    found = []
    for f in (F.scaled_dot_product_attention, in_steps):
        out = f(*xs)
        firsts = grad(
            (out * lucid.tensor(np.cos(np.arange(out.numel())).reshape(out.shape))).sum(), xs, create_graph=True
        )
        seconds = grad(sum((g * g).sum() for g in firsts), xs)
        found.append([t.detach().numpy() for t in (out, *firsts, *seconds)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_bools_floats_and_causality_say_the_same() -> None:
    q, k, v = (normal(2, 5, 4, live=False) for _ in range(3))
    past = lucid.tensor(np.tri(5, dtype=bool))
    expected = in_steps(q, k, v, lucid.tensor(np.where(np.tri(5), 0.0, -np.inf)))
    for found in (
        F.scaled_dot_product_attention(q, k, v, past),
        F.scaled_dot_product_attention(q, k, v, is_causal=True),
        F.scaled_dot_product_attention(q, k, v, lucid.zeros(5, 5).masked_fill(~past, -math.inf)),
    ):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12)
    last = lucid.tensor([[False, True, True, True, True]])  # on top of a mask: the first query has no key left
    both = F.scaled_dot_product_attention(q, k, v, last, is_causal=True)
    assert both[:, 0].abs().sum().item() == 0
    np.testing.assert_allclose(both.numpy()[:, 1], v.numpy()[:, 1], rtol=1e-12)


@pytest.mark.parity
def test_more_queries_than_keys_are_causal_as_pytorchs() -> None:
    import torch

    for queries, keys in ((2, 4), (4, 2)):
        arrays = [RNG.normal(size=(n, 3)) for n in (queries, keys, keys)]
        ours = F.scaled_dot_product_attention(*map(lucid.tensor, arrays), is_causal=True)
        theirs = torch.nn.functional.scaled_dot_product_attention(*map(torch.tensor, arrays), is_causal=True)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)


def test_large_scores_and_masks_do_not_overflow() -> None:
    q = lucid.tensor([[1e4, 0.0]])
    k, v = lucid.tensor([[1.0, 0.0], [0.5, 0.0]]), lucid.tensor([[1.0], [2.0]])
    assert F.scaled_dot_product_attention(q, k, v).tolist() == [[1]]
    assert F.scaled_dot_product_attention(q, k, v, lucid.tensor([[-3e38, 0.0]])).tolist() == [[2]]
    large, small = lucid.tensor([[300.0, 300.0]]).half(), lucid.tensor([[0.0, 1.0]]).half()  # 180,000 is beyond half
    half = F.scaled_dot_product_attention(large, lucid.cat([large, small]), v.half())
    assert half.dtype == lucid.float16 and half.tolist() == [[1]]
    assert (
        F.scaled_dot_product_attention(lucid.ones(2, 3), lucid.ones(0, 3), lucid.ones(0, 4)).tolist() == [[0] * 4] * 2
    )


def test_the_dtype_is_the_querys() -> None:
    q = lucid.ones(2, 3)
    assert F.scaled_dot_product_attention(q, q, q, lucid.zeros(2, 2, dtype=lucid.float64)).dtype == lucid.float32


def test_dropout_drops_weights() -> None:
    q, k, v = lucid.zeros(1, 4), lucid.zeros(10_000, 4), lucid.ones(10_000, 1)
    found = {round(F.scaled_dot_product_attention(q, k, v, dropout_p=0.25).item(), 1) for _ in range(5)}
    assert found == {1.0}  # in the mean
    values = F.scaled_dot_product_attention(lucid.zeros(50, 4), lucid.zeros(1, 4), lucid.ones(1, 1), dropout_p=0.5)
    assert {0.0, 2.0} == set(values.reshape(-1).tolist())


def attention(**options: Any) -> nn.MultiheadAttention:
    lucid.manual_seed(0)
    return nn.MultiheadAttention(4, 2, **options).double()


def test_layouts_say_the_same() -> None:
    q, kv = normal(3, 2, 4, live=False), normal(5, 2, 4, live=False)  # (length, batch, features)
    out, weights = attention()(q, kv, kv)
    first, first_weights = attention(batch_first=True)(q.transpose(0, 1), kv.transpose(0, 1), kv.transpose(0, 1))
    np.testing.assert_allclose(first.transpose(0, 1).detach().numpy(), out.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(first_weights.detach().numpy(), weights.detach().numpy(), rtol=1e-12)
    for i in range(2):
        one, one_weights = attention()(q[:, i], kv[:, i], kv[:, i])
        np.testing.assert_allclose(one.detach().numpy(), out[:, i].detach().numpy(), rtol=1e-12)
        np.testing.assert_allclose(one_weights.detach().numpy(), weights[i].detach().numpy(), rtol=1e-12)


def test_weights_are_shares_and_can_be_had_by_head_or_not_at_all() -> None:
    q, kv = normal(2, 3, 4, live=False), normal(2, 5, 4, live=False)
    layer = attention(batch_first=True)
    out, mean = layer(q, kv, kv)
    same, heads = layer(q, kv, kv, average_attn_weights=False)
    also, nothing = layer(q, kv, kv, need_weights=False)
    assert nothing is None and out.tolist() == same.tolist() == also.tolist()
    assert heads.shape == (2, 2, 3, 5) and mean.shape == (2, 3, 5)
    np.testing.assert_allclose(heads.sum(-1).detach().numpy(), 1, rtol=1e-12)
    np.testing.assert_allclose(heads.mean(1).detach().numpy(), mean.detach().numpy(), rtol=1e-12)


def test_padding_is_as_if_it_were_not_there() -> None:
    layer = attention(batch_first=True)
    x = normal(2, 5, 4, live=False)
    padding = lucid.tensor([[False] * 3 + [True] * 2, [False] * 5])
    out, weights = layer(x, x, x, key_padding_mask=padding)
    short, _ = layer(x[:1, :3], x[:1, :3], x[:1, :3])
    np.testing.assert_allclose(out[:1, :3].detach().numpy(), short.detach().numpy(), rtol=1e-10)
    assert weights[0, :, 3:].abs().sum().item() == 0
    added = lucid.zeros(2, 5).masked_fill(padding, -math.inf)
    np.testing.assert_allclose(
        layer(x, x, x, key_padding_mask=added)[0].detach().numpy(), out.detach().numpy(), rtol=1e-12
    )


def test_a_sample_of_nothing_but_padding_spoils_no_gradient() -> None:
    layer = attention(batch_first=True)
    x = normal(2, 3, 4)
    out, weights = layer(x, x, x, key_padding_mask=lucid.tensor([[True] * 3, [False] * 3]))
    assert out[0].abs().sum().item() == 0 and weights[0].abs().sum().item() == 0  # the bias is 0 at first
    out.sum().backward()
    for t in (x, *layer.parameters()):
        assert np.isfinite(t.grad.numpy()).all()


def test_dropped_weights_are_the_ones_returned() -> None:
    layer = attention(dropout=0.5, batch_first=True)
    x = normal(1, 8, 4, live=False)
    with lucid.no_grad():
        out, heads = layer(x, x, x, average_attn_weights=False)
        values = (x @ layer.in_proj_weight[8:].mT).reshape(1, 8, 2, 2).transpose(1, 2)
        mixed = (heads @ values).transpose(1, 2).reshape(1, 8, 4)
        np.testing.assert_allclose(layer.out_proj(mixed).numpy(), out.numpy(), rtol=1e-10)
        assert (heads == 0).any().item()
        layer.eval()
        assert layer(x, x, x)[0].tolist() == layer(x, x, x)[0].tolist()


def test_the_causal_hint_needs_the_mask_and_changes_nothing() -> None:
    layer = attention(batch_first=True)
    x = normal(1, 4, 4, live=False)
    ahead = ~lucid.tensor(np.tri(4, dtype=bool))
    with_hint, _ = layer(x, x, x, attn_mask=ahead, is_causal=True)
    assert with_hint.tolist() == layer(x, x, x, attn_mask=ahead)[0].tolist()
    np.testing.assert_allclose(
        with_hint[:, :2].detach().numpy(),
        layer(x[:, :2], x[:, :2], x[:, :2], attn_mask=ahead[:2, :2])[0].detach().numpy(),
        rtol=1e-10,
    )


def test_weights_start_as_pytorchs_do() -> None:
    layer = nn.MultiheadAttention(100, 4)
    bound = math.sqrt(6 / (100 + 300))
    values = layer.in_proj_weight.detach().numpy()
    assert np.abs(values).max() <= bound and values.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert layer.in_proj_bias.abs().sum().item() == layer.out_proj.bias.abs().sum().item() == 0


def test_the_encoders_layers_are_copies() -> None:
    one = nn.TransformerEncoderLayer(4, 2, 3)
    encoder = nn.TransformerEncoder(one, 2)
    a, b = encoder.layers
    assert a.linear1.weight.tolist() == b.linear1.weight.tolist() == one.linear1.weight.tolist()
    assert len({id(p) for p in [*encoder.parameters(), *one.parameters()]}) == 3 * len(list(one.parameters()))
    assert {name.split(".")[1] for name in encoder.state_dict()} == {"0", "1"}


@pytest.mark.parity
@pytest.mark.parametrize("norm_first", [False, True])
def test_an_encoder_with_both_masks_beside_pytorchs(norm_first: bool) -> None:
    import torch

    def made(m: Any, **options: Any) -> Any:
        layer = m.nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", batch_first=True, norm_first=norm_first)
        return m.nn.TransformerEncoder(layer, 3, m.nn.LayerNorm(8), **options).double()

    theirs, ours = made(torch, enable_nested_tensor=False), made(lucid)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x, ahead = RNG.normal(size=(2, 5, 8)), ~np.tri(5, dtype=bool)
    padding = np.array([[False] * 5, [False] * 3 + [True] * 2])
    outs = []
    for m, model in ((lucid, ours), (torch, theirs)):
        outs.append(model(m.tensor(x), m.tensor(ahead), m.tensor(padding), is_causal=True))
        (outs[-1] ** 2).sum().backward()
    np.testing.assert_allclose(outs[0].detach().numpy(), outs[1].detach().numpy(), rtol=1e-9, atol=1e-11)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-7, atol=1e-9)


X = lucid.ones(2, 5, 4)
LAYER = nn.MultiheadAttention(4, 2, batch_first=True)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: F.scaled_dot_product_attention(X, X[..., :3], X), ValueError,
         "scaled_dot_product_attention: expected query (..., queries, features) and key (..., keys, features), with as "
         "many features, got shapes (2, 5, 4) and (2, 5, 3)"),
        (lambda: F.scaled_dot_product_attention(X[0, 0], X, X), ValueError, "got shapes (4,) and (2, 5, 4)"),
        (lambda: F.scaled_dot_product_attention(X, X, X[:, :3]), ValueError,
         "key of shape (2, 5, 4) has 5 keys, but value of shape (2, 3, 4) not as many rows"),
        (lambda: F.scaled_dot_product_attention(X, X, X, lucid.ones(4, 5)), ValueError,
         "attn_mask of shape (4, 5) does not broadcast to the scores, which are (..., 5, 5) for 5 queries and 5 keys"),
        (lambda: F.scaled_dot_product_attention(X, X, X, lucid.ones(1, 1, 5, 5)), ValueError,
         "attn_mask of shape (1, 1, 5, 5) does not broadcast"),
        (lambda: F.scaled_dot_product_attention(X, X, X, lucid.ones(5, 5).long()), TypeError,
         "attn_mask must hold bools or floats, got int64; write mask != 0"),
        (lambda: F.scaled_dot_product_attention(X, X, X, [[True]]), TypeError,
         "expected a Tensor or None for 'attn_mask', got list"),
        (lambda: F.scaled_dot_product_attention(X, X, X, dropout_p=1.5), ValueError,
         "p is a probability and must be in [0, 1], got 1.5"),
        (lambda: F.scaled_dot_product_attention(X, X, 1.0), TypeError, "expected a Tensor for 'value', got float"),
        (lambda: nn.MultiheadAttention(5, 2), ValueError,
         "MultiheadAttention: num_heads must divide embed_dim, got embed_dim=5, num_heads=2"),
        (lambda: nn.MultiheadAttention(4, 0), ValueError, "got embed_dim=4, num_heads=0"),
        (lambda: nn.MultiheadAttention(4, 2, 2.0), ValueError,
         "MultiheadAttention: p is a probability and must be in [0, 1], got 2.0"),
        (lambda: LAYER(X, X[0], X), ValueError,
         "query, key and value must have 3 dims, or unbatched 2; got shapes ((2, 5, 4), (5, 4), (2, 5, 4))"),
        (lambda: LAYER(X, X[..., :3], X), ValueError, "MultiheadAttention: key has 3 features, expected 4"),
        (lambda: LAYER(X, X, X[:, :3]), ValueError, "MultiheadAttention: key and value must agree in batch and length"),
        (lambda: LAYER(X[:1], X, X), ValueError, "MultiheadAttention: query and key must agree in the batch, dim 0"),
        (lambda: LAYER(X, X, X, attn_mask=lucid.ones(2, 5, 5)), ValueError,
         "attn_mask must have shape (5, 5), or (4, 5, 5) with a mask for each head of each sample, got (2, 5, 5)"),
        (lambda: LAYER(X, X, X, attn_mask=lucid.ones(5, 5).int()), TypeError,
         "MultiheadAttention: attn_mask must hold bools or floats, got int32"),
        (lambda: LAYER(X, X, X, key_padding_mask=lucid.ones(5, 2) != 0), ValueError,
         "key_padding_mask must have shape (2, 5), got (5, 2)"),
        (lambda: LAYER(X, X, X, key_padding_mask=[True]), TypeError,
         "expected a Tensor or None for 'key_padding_mask', got list"),
        (lambda: LAYER(X, X, X, is_causal=True), ValueError,
         "is_causal=True only says what attn_mask is; pass the mask as well"),
        (lambda: nn.TransformerEncoderLayer(4, 3), ValueError,
         "num_heads must divide embed_dim, got embed_dim=4, num_heads=3"),
        (lambda: nn.TransformerEncoderLayer(4, 2, activation="swish"), ValueError,
         "TransformerEncoderLayer: activation must be 'relu', 'gelu' or a function, got 'swish'"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_sentence(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value)
