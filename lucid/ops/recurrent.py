"""Recurrent networks: one layer, in one direction, over a whole sequence, as one operation.

Inputs are x (time, batch, features), weights and biases as PyTorch has them (the gates one below the other: i, f, g, o
in an LSTM, r, z, n in a GRU; the biases both or neither), and the initial state, (batch, n), or None for zeros.

What does not depend on the state before is computed for all steps at once: in the forward x @ w_ih'; in the backward
pass the slopes that lead from a state's gradient to those of its gates, and every weight's gradient, one product over
time and batch. The loops over time are left with one product and a few short lines a step. In the backward pass that
loop is the `shared` value, from which each vjp takes its gradient; the gates are auxiliary outputs of the forward.

Each gate has an array of its own, or a plane of one: NumPy's arithmetic on columns of a wide matrix copies them into a
buffer first and takes three to four times as long (NumPy 2.4, on 1024 x 64 of 1024 x 256).
"""

from lucid.core.op import op
from lucid.ops.products import _rows


def _x_gradient(xp, d, w_ih, x_shape):
    """The gradient of x, from that of x @ w_ih', (time * batch, gates * n)."""
    return xp.reshape(xp.matmul(d, w_ih), shape=x_shape)  # (time, batch, features)


def _w_hh_gradient(xp, d, out, h0, x_shape):
    """The gradient of w_hh, from that of h @ w_hh' for h = h0 at first and then `out` one step behind."""
    steps, batch, _ = x_shape
    later = xp.matmul(d[batch:].T, _rows(xp, out[: steps - 1]))  # (gates * n, n)
    return later if h0 is None else later + xp.matmul(d[:batch].T, h0)


def _previous(xp, h0, out, x_shape):
    """The state before each step, (time, batch, n): h0, or zeros, and then `out` one step behind."""
    first = xp.zeros_like(out[:1]) if h0 is None else xp.reshape(h0, shape=(1, *h0.shape))
    return xp.cat(first, out[: x_shape[0] - 1], axis=0)


def _rnn_backward(xp, g, out, w_hh, nonlinearity):
    """The gradient of what each step took the tanh (or relu) of, (time * batch, n)."""
    slopes = 1 - out * out if nonlinearity == "tanh" else xp.astype(out != 0, dtype=out.dtype)  # (time, batch, n)
    dh, d = g[-1], []  # (batch, n), and of every step that times its slope, last step first
    for t in reversed(range(out.shape[0])):
        d.append(dh * slopes[t])
        if t:
            dh = g[t - 1] + xp.matmul(d[-1], w_hh)
    return xp.cat(*d[::-1], axis=0)


@op(
    floats=True, in_single="cpu", shared={"d": _rnn_backward, "total": lambda xp, g, d: xp.sum(d, axis=0)},
    x=lambda xp, g, d, w_ih, x_shape: _x_gradient(xp, d, w_ih, x_shape),
    w_ih=lambda xp, g, d, x: xp.matmul(d.T, _rows(xp, x)),
    w_hh=lambda xp, g, d, out, h0, x_shape: _w_hh_gradient(xp, d, out, h0, x_shape),
    b_ih=lambda xp, g, total: total, b_hh=lambda xp, g, total: xp.positive(total),
    h0=lambda xp, g, d, w_hh, x_shape: xp.matmul(d[: x_shape[1]], w_hh),
)  # fmt: skip
def rnn(xp, x, w_ih, w_hh, b_ih=None, b_hh=None, h0=None, *, nonlinearity="tanh"):
    """h[t] = tanh(x[t] @ w_ih' + b_ih + h[t-1] @ w_hh' + b_hh), or relu of that: every h, (time, batch, n).
    Source: Elman 1990, "Finding structure in time"."""
    steps, batch, features = x.shape
    out = xp.matmul(x.reshape(steps * batch, features), w_ih.T).reshape(steps, batch, w_ih.shape[0])  # (time, batch, n)
    if b_ih is not None:
        out += b_ih + b_hh
    weight, product, h = _repeated_factor(xp, w_hh.T, steps), xp.empty(out.shape[1:], dtype=out.dtype), h0
    for z in out:  # (batch, n)
        if h is not None:
            z += xp.matmul(h, weight, out=product)
        h = xp.tanh(z, out=z) if nonlinearity == "tanh" else xp.maximum(z, 0, out=z)
    return out


# LSTM and GRU compute with their gates' inputs negated: sigmoid is 1 / (1 + exp(-y)), and -tanh is kept for tanh.


def _negated_inputs(xp, x, w_ih, bias, gates):
    """-(x @ w_ih' + bias) by gate, (gates, time, batch, n), in one product: the bias is the weight of a -1 after -x."""
    steps, batch, features = x.shape
    negated = xp.full((steps * batch, features + (bias is not None)), -1, dtype=x.dtype)
    # Not xp.negative: NumPy 2.4's is wrong from strided to strided memory (AVX2; every 4th float32, every 8th float64).
    xp.multiply(x.reshape(steps * batch, features), -1, out=negated[:, :features])
    weight = w_ih if bias is None else xp.concatenate([w_ih, bias[:, None]], axis=1)  # (gates * n, features + 1)
    return xp.matmul(negated, _by_gate(weight, gates)).reshape(gates, steps, batch, w_ih.shape[0] // gates)


def _by_gate(weight, gates):
    """A weight as (gates, k, n), so that x @ it is (gates, batch, n)."""
    return weight.reshape(gates, weight.shape[0] // gates, weight.shape[1]).swapaxes(1, 2)


def _repeated_factor(xp, weight, steps):
    """A weight in the layout that products read fastest; copying it pays from the second step on."""
    return xp.ascontiguousarray(weight) if steps > 1 else weight


def _lstm_gates(xp, x, w_ih, w_hh, b_ih, b_hh, h0, out):
    """sigmoid(i), sigmoid(f), -tanh(g) and sigmoid(o) of every step, (4, time, batch, n)."""
    y = xp.matmul(x, w_ih.T) + xp.matmul(_previous(xp, h0, out, x.shape), w_hh.T)  # (time, batch, 4 * n)
    y = y if b_ih is None else y + (b_ih + b_hh)
    n = w_hh.shape[1]
    i, f, o = (xp.sigmoid(y[..., k * n : (k + 1) * n]) for k in (0, 1, 3))
    return xp.stack(i, f, -xp.tanh(y[..., 2 * n : 3 * n]), o, axis=0)


def _lstm_cells(xp, c0, out, gates):
    """The cell before the first step and after each, (time + 1, batch, n)."""
    cells = [xp.zeros_like(out[0]) if c0 is None else c0]
    for t in range(gates.shape[1]):
        cells.append(gates[1, t] * cells[-1] - gates[0, t] * gates[2, t])
    return xp.stack(*cells, axis=0)


def _lstm_backward(xp, g, out, w_hh, gates, cells, squashed):
    """The gradients of the four parts, (time * batch, 4 * n), and of the initial cell, (batch, n)."""
    i, f, a, o, h = gates[0], gates[1], gates[2], gates[3], out[:-1]  # (time, batch, n); a is -tanh(g)
    slopes = xp.cat(i * (i - 1) * a, f * (1 - f) * cells[:-1], i * (1 - a * a), h * (1 - o), axis=-1)
    through = o - h * squashed  # from h into its cell: o * (1 - tanh(c)**2)
    dh, dc, d = g[-2], g[-1], []  # (batch, n) twice, and the parts' gradients, last step first
    for t in reversed(range(h.shape[0])):
        dc = dc + dh * through[t]
        d.append(xp.cat(dc, dc, dc, dh, axis=1) * slopes[t])  # (batch, 4 * n)
        dc = dc * f[t]
        if t:
            dh = g[t - 1] + xp.matmul(d[-1], w_hh)
    return xp.cat(*d[::-1], axis=0), dc


@op(
    floats=True, in_single="cpu",
    aux_outputs={"gates": _lstm_gates, "cells": _lstm_cells, "squashed": lambda xp, cells: xp.tanh(cells[1:])},
    shared={"back": _lstm_backward, "total": lambda xp, g, back: xp.sum(back[0], axis=0)},
    x=lambda xp, g, back, w_ih, x_shape: _x_gradient(xp, back[0], w_ih, x_shape),
    w_ih=lambda xp, g, back, x: xp.matmul(back[0].T, _rows(xp, x)),
    w_hh=lambda xp, g, back, out, h0, x_shape: _w_hh_gradient(xp, back[0], out, h0, x_shape),
    b_ih=lambda xp, g, total: total, b_hh=lambda xp, g, total: xp.positive(total),
    h0=lambda xp, g, back, w_hh, x_shape: xp.matmul(back[0][: x_shape[1]], w_hh),
    c0=lambda xp, g, back: back[1],
)  # fmt: skip
def lstm(xp, x, w_ih, w_hh, b_ih=None, b_hh=None, h0=None, c0=None):
    """With x[t] @ w_ih' + b_ih + h[t-1] @ w_hh' + b_hh in four parts, i, f, g and o,
    c[t] = sigmoid(f) * c[t-1] + sigmoid(i) * tanh(g) and h[t] = sigmoid(o) * tanh(c[t]): every h, and then the last c,
    (time + 1, batch, n). Source: Hochreiter and Schmidhuber 1997; the forget gate f is of Gers et al. 2000."""
    gates = _negated_inputs(xp, x, w_ih, None if b_ih is None else b_ih + b_hh, 4)  # (4, time, batch, n)
    _, steps, batch, n = gates.shape
    weight = _repeated_factor(xp, _by_gate(w_hh, 4), steps)  # (4, n, n)
    cells, one = xp.empty((steps + 1, batch, n), dtype=x.dtype), xp.ones((), dtype=x.dtype)
    out, squashed, z, added = (xp.empty_like(like) for like in (cells, cells[1:], gates[:, 0], cells[0]))
    cells[0] = 0 if c0 is None else c0
    h = h0
    with xp.quiet():  # exp may overflow to inf, and one over that is the right 0
        for t, (i, f, a, o, before, c, s, state) in enumerate(zip(*gates, cells[:-1], cells[1:], squashed, out[:-1])):  # noqa: B905
            y = gates[:, t]  # (4, batch, n), negated
            y = y if h is None else xp.subtract(y, xp.matmul(h, weight, out=z), out=z)
            i_and_f, y_o = y[:2], y[3]
            xp.exp(i_and_f, out=i_and_f)  # 1 / (1 + exp(-y)) is as exact as `sigmoid`; a tanh of y / 2 would not be
            i_and_f += one
            xp.divide(one, y[0], out=i)
            xp.divide(one, y[1], out=f)
            xp.exp(y_o, out=y_o)
            y_o += one
            xp.divide(one, y_o, out=o)
            xp.tanh(y[2], out=a)  # -tanh(g)
            xp.multiply(f, before, out=c)
            c -= xp.multiply(i, a, out=added)
            h = xp.multiply(o, xp.tanh(c, out=s), out=state)
    out[steps] = cells[steps]
    return out, gates, cells, squashed


def _gru_inner(xp, x_shape, w_hh, b_hh, h0, out):
    """s_n of every step, (time, batch, n)."""
    n = w_hh.shape[1]
    s = xp.matmul(_previous(xp, h0, out, x_shape), w_hh[2 * n :].T)
    return s if b_hh is None else s + b_hh[2 * n :]


def _gru_gates(xp, x, w_ih, w_hh, b_ih, b_hh, h0, out, inner):
    """r, z and -n of every step, (3, time, batch, n)."""
    n = w_hh.shape[1]
    y, s = xp.matmul(x, w_ih.T), xp.matmul(_previous(xp, h0, out, x.shape), w_hh[: 2 * n].T)  # (time, batch, k * n)
    if b_ih is not None:
        y, s = y + b_ih, s + b_hh[: 2 * n]
    r, z = (xp.sigmoid(y[..., k * n : (k + 1) * n] + s[..., k * n : (k + 1) * n]) for k in (0, 1))
    return xp.stack(r, z, -xp.tanh(y[..., 2 * n :] + r * inner), axis=0)


def _gru_backward(xp, g, out, w_hh, h0, inner, gates):
    """The gradients of y and of s, (time * batch, 3 * n), and the part of h0's, (batch, n), that is not through s."""
    r, z, a = gates[0], gates[1], gates[2]  # (time, batch, n); a is -n
    to_n = (1 - z) * (1 - a * a)
    slopes = xp.cat(
        to_n * inner * r * (1 - r), (_previous(xp, h0, out, out.shape) + a) * z * (1 - z), to_n * r, axis=-1
    )
    dh, states, d = g[-1], [], []  # (batch, n), and of every step that and s's gradient, last step first
    for t in reversed(range(out.shape[0])):
        states.append(dh)
        d.append(xp.cat(dh, dh, dh, axis=1) * slopes[t])  # (batch, 3 * n)
        dh = dh * z[t]
        if t:
            dh = g[t - 1] + dh + xp.matmul(d[-1], w_hh)
    to_s = xp.cat(*d[::-1], axis=0)
    to_y_n = xp.cat(*states[::-1], axis=0) * _rows(xp, to_n)
    return xp.cat(to_s[:, : 2 * w_hh.shape[1]], to_y_n, axis=1), to_s, dh


@op(
    floats=True, in_single="cpu",
    aux_outputs={"inner": _gru_inner, "gates": _gru_gates}, shared={"back": _gru_backward},
    x=lambda xp, g, back, w_ih, x_shape: _x_gradient(xp, back[0], w_ih, x_shape),
    w_ih=lambda xp, g, back, x: xp.matmul(back[0].T, _rows(xp, x)),
    w_hh=lambda xp, g, back, out, h0, x_shape: _w_hh_gradient(xp, back[1], out, h0, x_shape),
    b_ih=lambda xp, g, back: xp.sum(back[0], axis=0), b_hh=lambda xp, g, back: xp.sum(back[1], axis=0),
    h0=lambda xp, g, back, w_hh, x_shape: back[2] + xp.matmul(back[1][: x_shape[1]], w_hh),
)  # fmt: skip
def gru(xp, x, w_ih, w_hh, b_ih=None, b_hh=None, h0=None):
    """With y = x[t] @ w_ih' + b_ih and s = h[t-1] @ w_hh' + b_hh in three parts each, r, z and n,
    h[t] = (1 - z) * n + z * h[t-1] for r = sigmoid(y_r + s_r), z = sigmoid(y_z + s_z) and n = tanh(y_n + r * s_n):
    every h, (time, batch, n). Source: Cho et al. 2014, arXiv 1406.1078; r stands after the product, as in PyTorch."""
    n, bias, b_n = w_hh.shape[1], b_ih, None
    if b_ih is not None:
        bias, b_n = b_ih + b_hh, b_hh[2 * n :]
        bias[2 * n :] = b_ih[2 * n :]
    gates = _negated_inputs(xp, x, w_ih, bias, 3)  # (3, time, batch, n)
    weight = _repeated_factor(xp, _by_gate(w_hh, 3), gates.shape[1])  # (3, n, n)
    out, inner, s = (xp.empty_like(like) for like in (gates[0], gates[0], gates[:, 0]))
    one = xp.ones((), dtype=x.dtype)
    h = xp.zeros_like(s[0]) if h0 is None else h0
    with xp.quiet():
        for t, (r, z, new, s_n, state) in enumerate(zip(*gates, inner, out)):  # noqa: B905
            xp.matmul(h, weight, out=s)  # (3, batch, n)
            r_and_z = s[:2]
            xp.subtract(gates[:2, t], r_and_z, out=r_and_z)
            xp.exp(r_and_z, out=r_and_z)
            r_and_z += one
            xp.divide(one, s[0], out=r)
            xp.divide(one, s[1], out=z)
            s_n[...] = s[2]
            if b_n is not None:
                s_n += b_n
            new -= xp.multiply(r, s_n, out=state)
            xp.tanh(new, out=new)  # -n
            xp.add(h, new, out=state)
            state *= z
            state -= new
            h = state
    return out, inner, gates
