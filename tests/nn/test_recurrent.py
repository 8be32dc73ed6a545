"""Recurrent networks beyond their rows: against the plain composition, over long sequences, with masks, and what they
refuse.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.autograd import grad, gradcheck, gradgradcheck
from lucid.ops import recurrent
from tests.whole import whole

KINDS = {"RNN": (1, 1), "LSTM": (4, 2), "GRU": (3, 1)}  # blocks of rows, states


def draw(*shape: int, dtype: str = "float64", scale: float = 1.0) -> lucid.Tensor:
    rng = np.random.default_rng(sum(shape))
    return lucid.tensor(scale * rng.standard_normal(shape), dtype=dtype)


def made(kind: str, *sizes: int, dtype: str = "float64", **options: object) -> nn.Module:
    lucid.manual_seed(0)
    return getattr(nn, kind)(*sizes, **options).to(dtype)


def step(kind: str, x: lucid.Tensor, states: list[lucid.Tensor], w: dict[str, lucid.Tensor]) -> list[lucid.Tensor]:
    """One step as the paper has it, out of Tensor operations."""
    y = x @ w["weight_ih_l0"].T + w["bias_ih_l0"]
    s = states[0] @ w["weight_hh_l0"].T + w["bias_hh_l0"]
    n = states[0].shape[-1]
    parts = [(y[:, i : i + n], s[:, i : i + n]) for i in range(0, y.shape[1], n)]
    if kind == "RNN":
        return [(y + s).tanh()]
    if kind == "LSTM":
        i, f, g, o = (a + b for a, b in parts)
        c = f.sigmoid() * states[1] + i.sigmoid() * g.tanh()
        return [o.sigmoid() * c.tanh(), c]
    r, z = ((a + b).sigmoid() for a, b in parts[:2])
    new = (parts[2][0] + r * parts[2][1]).tanh()
    return [(1 - z) * new + z * states[0]]


def composed(kind: str, layer: nn.Module, x: lucid.Tensor) -> tuple[lucid.Tensor, list[lucid.Tensor]]:
    """Every h, and the last states, of one layer in one direction."""
    w = dict(layer.named_parameters())
    states = [lucid.zeros(x.shape[1], layer.hidden_size, dtype=x.dtype)] * KINDS[kind][1]
    found = []
    for t in range(x.shape[0]):
        states = step(kind, x[t], states, w)
        found.append(states[0])
    return lucid.stack(found), states


def ends(last: object) -> list[lucid.Tensor]:
    return list(last) if isinstance(last, tuple) else [last]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, 5, 200])
def test_the_operation_is_the_plain_composition(kind: str, steps: int) -> None:
    layer, x = made(kind, 3, 4), draw(steps, 2, 3).requires_grad_()
    output, last = layer(x)
    expected, states = composed(kind, layer, x)
    np.testing.assert_allclose(output.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-13)
    for a, b in zip(ends(last), states, strict=True):
        np.testing.assert_allclose(a[0].detach().numpy(), b.detach().numpy(), rtol=1e-12, atol=1e-13)
    wrt, weight = [x, *layer.parameters()], draw(*output.shape)

    def slopes(h: lucid.Tensor, s: list[lucid.Tensor]) -> tuple[lucid.Tensor, ...]:
        return grad((h * weight).sum() + sum((a * a).sum() for a in s), wrt)

    for a, b in zip(slopes(output, ends(last)), slopes(expected, states), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_derivative_is_that_of_the_plain_composition(kind: str) -> None:
    layer, x = made(kind, 3, 2), draw(6, 2, 3).requires_grad_()
    wrt = [x, *layer.parameters()]

    def seconds(h: lucid.Tensor) -> tuple[lucid.Tensor, ...]:
        return grad(sum((g * g).sum() for g in grad((h**2).sum(), wrt, create_graph=True)), wrt)

    for a, b in zip(seconds(layer(x)[0]), seconds(composed(kind, layer, x)[0]), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-11)


@whole
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_third_derivatives(kind: str) -> None:
    n, gates, states = 1, {"rnn": 1, "lstm": 4, "gru": 3}[kind], 1 + (kind == "lstm")
    shapes = [(2, 1, 2), (gates * n, 2), (gates * n, n), (gates * n,), (gates * n,), *[(1, n)] * states]
    inputs = [draw(*shape).requires_grad_() for shape in shapes]
    f = getattr(recurrent, kind)

    def slopes(*xs: lucid.Tensor) -> list[lucid.Tensor]:
        return list(grad((f(*xs) ** 2).sum(), xs, create_graph=True))

    assert gradcheck(slopes, inputs) and gradgradcheck(slopes, inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_step_by_step_is_the_layer(kind: str) -> None:
    layer, cell, x = made(kind, 3, 4), made(f"{kind}Cell", 3, 4), draw(5, 2, 3)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    state, found = None, []
    for t in range(5):
        state = cell(x[t], state)
        found.append(ends(state)[0])
    output, last = layer(x)
    np.testing.assert_allclose(lucid.stack(found).detach().numpy(), output.detach().numpy(), rtol=1e-12)
    for a, b in zip(ends(state), ends(last), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b[0].detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_in_two_pieces_is_the_sequence(kind: str) -> None:
    layer, x = made(kind, 3, 4, num_layers=2), draw(7, 2, 3)
    whole, last = layer(x)
    first, middle = layer(x[:3])
    second, end = layer(x[3:], middle)
    np.testing.assert_allclose(lucid.cat([first, second]).detach().numpy(), whole.detach().numpy(), rtol=1e-12)
    for a, b in zip(ends(last), ends(end), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_backpropagation_stops_where_the_state_was_detached(kind: str) -> None:
    layer, x = made(kind, 3, 4), draw(6, 2, 3).requires_grad_()
    _, state = layer(x[:4])
    kept = tuple(s.detach() for s in state) if kind == "LSTM" else state.detach()
    layer(x[4:], kept)[0].sum().backward()
    assert not x.grad.numpy()[:4].any() and x.grad.numpy()[4:].all()
    _, state = layer(x[:4])
    x.grad = None
    layer(x[4:], state)[0].sum().backward()
    assert x.grad.numpy().all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_of_the_last_step_before_the_padding_is_picked_by_its_length(kind: str) -> None:
    layer, x = made(kind, 3, 4), draw(6, 2, 3).requires_grad_()
    lengths = lucid.tensor([4, 6])
    output, _ = layer(x)
    picked = output[lengths - 1, lucid.arange(2)]
    np.testing.assert_allclose(picked[0].detach().numpy(), layer(x[:4, :1])[0][-1, 0].detach().numpy(), rtol=1e-12)
    picked.sum().backward()
    assert not x.grad.numpy()[4:, 0].any() and x.grad.numpy()[:4, 0].all() and x.grad.numpy()[:, 1].all()


@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_kept_and_near_to_float64(kind: str) -> None:
    layer, x = made(kind, 3, 4, num_layers=2, bidirectional=True), draw(50, 2, 3, scale=2)
    expected, _ = layer(x)
    expected.sum().backward()
    slopes = [p.grad.numpy() for p in layer.parameters()]
    layer.zero_grad()
    output, last = layer.float()(x.float())
    assert {str(t.dtype) for t in [output, *ends(last)]} == {"float32"}
    np.testing.assert_allclose(output.detach().numpy(), expected.detach().numpy(), atol=2e-6)
    output.sum().backward()
    for p, g in zip(layer.parameters(), slopes, strict=True):
        assert str(p.grad.dtype) == "float32"
        np.testing.assert_allclose(p.grad.numpy(), g, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gates_do_not_overflow_and_closed_ones_keep_their_accuracy(kind: str, dtype: str) -> None:
    """All gates but the candidate at sigmoid(-30), where 0.5 * tanh(-15) + 0.5 would be 0, and then at
    sigmoid(-1000) and sigmoid(1000).
    """
    layer = made(kind, 1, 1, dtype=dtype)
    with lucid.no_grad():
        for p in layer.parameters():
            p.fill_(0)
    shut = {"RNN": [], "LSTM": [0, 1, 3], "GRU": [0, 1]}[kind]
    for y in (-30.0, -1000.0, 1000.0):
        bias = [y if k in shut else 0.5 for k in range(KINDS[kind][0])]
        layer.bias_ih_l0.data = lucid.tensor(bias, dtype=dtype)
        output, _ = layer(lucid.zeros(2, 1, 1, dtype=dtype))
        output.sum().backward()
        expected, _ = composed(kind, layer, lucid.zeros(2, 1, 1, dtype=dtype))
        np.testing.assert_allclose(output.detach().numpy(), expected.detach().numpy(), rtol=1e-6, atol=0)
        assert all(np.isfinite(p.grad.numpy()).all() for p in layer.parameters())
        if kind == "LSTM" and y == -30.0:
            assert 0 < output[0].item() < 1e-24


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_batch_gives_an_empty_output_and_gradients_of_0(kind: str) -> None:
    layer, x = (
        made(kind, 3, 4, num_layers=2, bidirectional=True),
        lucid.zeros(5, 0, 3, dtype="float64", requires_grad=True),
    )
    output, last = layer(x)
    assert output.shape == (5, 0, 8) and {s.shape for s in ends(last)} == {(4, 0, 4)}
    output.sum().backward()
    assert x.grad.shape == x.shape and not any(p.grad.numpy().any() for p in layer.parameters() if p.grad is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_weights_get_no_gradient_and_the_rest_the_same(kind: str) -> None:
    layer, x = made(kind, 3, 4), draw(5, 2, 3).requires_grad_()
    layer(x)[0].sum().backward()
    expected, x.grad = x.grad.numpy(), None
    layer.zero_grad()
    layer.requires_grad_(False)
    layer(x)[0].sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-13)
    assert all(p.grad is None for p in layer.parameters())
    with lucid.no_grad():
        assert layer(x)[0].grad_fn is None


def test_dropout_drops_between_layers_in_training_alone() -> None:
    lucid.manual_seed(0)
    layer, x = nn.LSTM(3, 4, num_layers=2, dropout=0.5), draw(5, 2, 3).float()
    first, second = layer(x)[0], layer(x)[0]
    assert not np.array_equal(first.detach().numpy(), second.detach().numpy())
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].detach().numpy(), layer(x)[0].detach().numpy())
    all_dropped = nn.LSTM(3, 4, num_layers=2, dropout=1.0)
    all_dropped.load_state_dict(layer.state_dict())
    output, (h, _) = all_dropped(x)
    # the first layer reads all
    np.testing.assert_array_equal(h[0].detach().numpy(), layer(x)[1][0][0].detach().numpy())
    np.testing.assert_array_equal(output.detach().numpy(), all_dropped(x + 1)[0].detach().numpy())  # the second nothing
    assert not np.allclose(output.detach().numpy(), layer(x)[0].detach().numpy())


def test_weights_start_within_one_over_the_root_of_the_hidden_size() -> None:
    layer = made("LSTM", 50, 25)
    for p in layer.parameters():
        values = p.detach().numpy()
        assert abs(values).max() <= 0.2 and abs(values).max() > 0.18 and abs(values.mean()) < 0.03
    before = layer.weight_hh_l0.detach().clone()
    layer.reset_parameters()
    assert not np.array_equal(before.numpy(), layer.weight_hh_l0.detach().numpy())


def test_layers_say_what_they_are() -> None:
    assert repr(nn.LSTM(3, 4)) == "LSTM(3, 4)"
    options = {"num_layers": 2, "bias": False, "batch_first": True, "dropout": 0.5, "bidirectional": True}
    assert (
        repr(nn.GRU(3, 4, **options))
        == "GRU(3, 4, num_layers=2, bias=False, batch_first=True, dropout=0.5, bidirectional=True)"
    )
    assert repr(nn.RNN(3, 4, nonlinearity="relu")) == "RNN(3, 4)"
    assert repr(nn.RNNCell(3, 4, nonlinearity="relu", bias=False)) == "RNNCell(3, 4, bias=False, nonlinearity=relu)"
    assert repr(nn.LSTMCell(3, 4)) == "LSTMCell(3, 4)"


@pytest.mark.parity
def test_they_say_it_as_pytorch_does() -> None:
    import torch

    makes = [
        lambda nn: nn.LSTM(3, 4, 2, False, True, 0.5, True), lambda nn: nn.RNN(3, 4, 2, "relu"),
        lambda nn: nn.GRU(3, 4),
        lambda nn: nn.RNNCell(3, 4, False, "relu"), lambda nn: nn.LSTMCell(3, 4),
        lambda nn: nn.GRUCell(3, 4, bias=False),
    ]  # fmt: skip
    for make in makes:
        assert repr(make(nn)) == repr(make(torch.nn))


@pytest.mark.parity
@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_steps_in_float32_beside_pytorch(kind: str) -> None:
    import torch

    theirs = getattr(torch.nn, kind)(8, 16, 2)
    ours = getattr(nn, kind)(8, 16, 2)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((200, 3, 8)).astype("float32")
    a, b = ours(lucid.tensor(x))[0], theirs(torch.tensor(x))[0]
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=2e-6)
    (a * a).mean().backward()
    (b * b).mean().backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=2e-4, atol=2e-6)


# -- what is refused -------------------------------------------------------------------------------------------------

X, H = lucid.zeros(5, 2, 3), lucid.zeros(1, 2, 4)


def lstm(**options: object) -> nn.LSTM:
    return nn.LSTM(3, 4, **options)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: nn.LSTM(0, 4), ValueError, "LSTM: input_size must be 1 or more, got 0"),
        (lambda: nn.GRU(3, -1), ValueError, "GRU: hidden_size must be 1 or more, got -1"),
        (lambda: nn.RNN(3, 4.0), TypeError, "RNN: expected an int for hidden_size, got 4.0"),
        (lambda: nn.RNN(3, 4, 0), ValueError, "RNN: num_layers must be 1 or more, got 0"),
        (lambda: lstm(dropout=1.5, num_layers=2), ValueError,
         r"LSTM: dropout is a probability and must be in \[0, 1\], got 1.5"),
        (lambda: lstm(dropout=True, num_layers=2), ValueError,
         r"LSTM: dropout is a probability and must be in \[0, 1\], got True"),
        (lambda: nn.RNN(3, 4, nonlinearity="selu"), ValueError,
         "RNN: nonlinearity must be 'tanh' or 'relu', got 'selu'"),
        (lambda: nn.RNNCell(3, 4, nonlinearity=None), ValueError,
         "RNNCell: nonlinearity must be 'tanh' or 'relu', got None"),
        (lambda: nn.GRUCell(0, 4), ValueError, "GRUCell: input_size must be 1 or more, got 0"),
        (lambda: lstm()([[1.0]]), TypeError, "LSTM: expected a Tensor for 'input', got list"),
        (lambda: lstm()(lucid.zeros(3)), ValueError,
         r"LSTM: input has shape \(3,\); expected \(time, features\) or \(time, batch, features\)"),
        (lambda: lstm(batch_first=True)(lucid.zeros(1, 1, 1, 3)), ValueError,
         r"expected \(time, features\) or \(batch, time, features\)"),
        (lambda: lstm()(lucid.zeros(5, 2, 7)), ValueError,
         r"LSTM: input has 7 features, its shape being \(5, 2, 7\); expected input_size=3"),
        (lambda: lstm()(lucid.zeros(0, 2, 3)), ValueError,
         r"LSTM: input has shape \(0, 2, 3\); expected a sequence of at least one step"),
        (lambda: lstm(batch_first=True)(lucid.zeros(2, 0, 3)), ValueError,
         r"input has shape \(2, 0, 3\); expected a sequence of at least one step"),
        (lambda: lstm()(X, H), TypeError, r"LSTM: hx must be a pair of Tensors, \(h_0, c_0\), got Tensor"),
        (lambda: lstm()(X, (H,)), TypeError, r"LSTM: hx must be a pair of Tensors, \(h_0, c_0\), got 1 of them"),
        (lambda: lstm()(X, (H, None)), ValueError, r"LSTM: c_0 has shape none \(NoneType\); expected"),
        (lambda: lstm()(X, (H, lucid.zeros(1, 3, 4))), ValueError,
         r"LSTM: c_0 has shape \(1, 3, 4\); expected \(1, 2, 4\), which is \(num_layers \* directions, batch, "
         r"hidden_size\)"),
        (lambda: lstm(bidirectional=True)(X, (H, H)), ValueError,
         r"LSTM: h_0 has shape \(1, 2, 4\); expected \(2, 2, 4\)"),
        (lambda: lstm()(X[:, 0], (H, H)), ValueError,
         r"h_0 has shape \(1, 2, 4\); expected \(1, 4\), which is \(num_layers \* directions, hidden_size\)"),
        (lambda: nn.GRU(3, 4)(X, (H, H)), ValueError, r"GRU: hx has shape none \(tuple\); expected"),
        (lambda: nn.RNN(3, 4)(X, H[0]), ValueError, r"RNN: hx has shape \(2, 4\); expected \(1, 2, 4\)"),
        (lambda: nn.LSTMCell(3, 4)(X), ValueError,
         r"LSTMCell: input has shape \(5, 2, 3\); expected \(features,\) or \(batch, features\)"),
        (lambda: nn.GRUCell(3, 4)(X[0], H), ValueError,
         r"GRUCell: hx has shape \(1, 2, 4\); expected \(2, 4\), which is \(batch, hidden_size\)"),
        (lambda: nn.RNNCell(3, 4)(X[0, 0], H[0]), ValueError,
         r"RNNCell: hx has shape \(2, 4\); expected \(4,\), which is \(hidden_size,\)"),
        (lambda: nn.RNNCell(3, 4)(lucid.zeros(2, 5)), ValueError,
         "RNNCell: input has 5 features.*expected input_size=3"),
        (lambda: nn.LSTMCell(3, 4)(X[0], H[0]), TypeError, "LSTMCell: hx must be a pair of Tensors"),
    ],
)  # fmt: skip
def test_bad_input_is_told(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_with_nothing_to_drop_between_is_warned_of(kind: str) -> None:
    with pytest.warns(
        UserWarning, match=f"{kind}: dropout=0.5 drops between layers, and num_layers=1 has nothing between"
    ):
        getattr(nn, kind)(3, 4, dropout=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(nn, kind)(3, 4, num_layers=2, dropout=0.5)
