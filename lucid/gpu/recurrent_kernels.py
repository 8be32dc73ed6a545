"""Recurrent networks. A step of an LSTM: one product and one kernel, forward and backward.

All else of a step is arithmetic on one cell, some thirty functions of the array library. The product is that
of two matrices, (batch, n) @ (n, 4 n): the four gates of a cell lie side by side in it.

In backward, RNN and GRU write the results of each step into their place. The vjps of ops/recurrent.py, for
Tensors too, cannot; and to join many arrays at the end, CuPy first uploads their addresses.
"""

from __future__ import annotations

from lucid.gpu.row_kernels import dense, empty, launcher, same_float

TEXTS = {
    # Gates as the forward of `lstm` saves them: sigmoid(i), sigmoid(f), -tanh(g), sigmoid(o), each (steps, batch, n).
    "lstm": """(const scalar* y, const scalar* z, const scalar* b_ih, const scalar* b_hh, scalar* gates, scalar* cells,
    scalar* squashed, scalar* out, long long t, long long steps, long long batch, long long n)
{
    const long long all = batch * n, cell = blockIdx.x * (long long)blockDim.x + threadIdx.x, j = cell % n;
    if (cell >= all) return;
    scalar part[4];
    for (int k = 0; k < 4; k++) {
        const long long at = (cell / n * 4 + k) * n + j;
        part[k] = y[t * 4 * all + at] + (z ? z[at] : scalar(0));
        if (b_ih) part[k] += b_ih[k * n + j] + b_hh[k * n + j];
    }
    const scalar one = 1;
    const scalar i = one / (one + exp(-part[0])), f = one / (one + exp(-part[1])), a = -tanh(part[2]);
    const scalar o = one / (one + exp(-part[3])), c = f * cells[t * all + cell] - i * a, s = tanh(c);
    gates[t * all + cell] = i;
    gates[(steps + t) * all + cell] = f;
    gates[(2 * steps + t) * all + cell] = a;
    gates[(3 * steps + t) * all + cell] = o;
    cells[(t + 1) * all + cell] = c;
    squashed[t * all + cell] = s;
    out[t * all + cell] = o * s;
    if (t == steps - 1) out[steps * all + cell] = c;
}""",
    # `through` is the state's gradient from the next step; `dc` is passed on from step to step.
    "lstm_backward": """(const scalar* g, const scalar* through, const scalar* gates, const scalar* cells,
    const scalar* squashed, scalar* dc, scalar* d, long long t, long long steps, long long batch, long long n)
{
    const long long all = batch * n, cell = blockIdx.x * (long long)blockDim.x + threadIdx.x, j = cell % n;
    if (cell >= all) return;
    const scalar i = gates[t * all + cell], f = gates[(steps + t) * all + cell];
    const scalar a = gates[(2 * steps + t) * all + cell], o = gates[(3 * steps + t) * all + cell];
    const scalar s = squashed[t * all + cell], h = o * s;
    const scalar dh = g[t * all + cell] + (through ? through[cell] : scalar(0));
    const scalar in = t == steps - 1 ? g[steps * all + cell] : dc[cell], to_c = in + dh * (o - h * s);
    scalar* at = d + t * 4 * all + cell / n * 4 * n + j;
    at[0] = to_c * (i * (i - 1) * a);
    at[n] = to_c * (f * (1 - f) * cells[t * all + cell]);
    at[2 * n] = to_c * (i * (1 - a * a));
    at[3 * n] = dh * (h * (1 - o));
    dc[cell] = to_c * f;
}""",
}


def lstm(xp, x, w_ih, w_hh, b_ih=None, b_hh=None, h0=None, c0=None):
    """The forward of ops.recurrent.lstm: the states, the gates, the cells and their tanh."""
    if not same_float(x, w_ih, w_hh, b_ih, b_hh, h0, c0, kinds="fd"):
        return NotImplemented
    (steps, batch, features), n = x.shape, w_hh.shape[1]
    y = xp.matmul(x.reshape(steps * batch, features), w_ih.T)
    states, weight, h, cell = (steps + 1, batch, n), w_hh.T, h0, (steps, batch, n)
    out, cells, gates, squashed, z = empty(xp, x, states, states, (4, *cell), cell, (batch, 4 * n))
    cells[0] = 0 if c0 is None else c0
    b_ih, b_hh = (0 if b is None else b for b in dense(xp, b_ih, b_hh))
    launch = launcher(xp, "lstm", TEXTS["lstm"], batch * n, x.dtype)
    for t in range(steps):
        product = 0 if h is None else xp.matmul(h, weight, out=z)
        launch((y, product, b_ih, b_hh, gates, cells, squashed, out, t, steps, batch, n))
        h = out[t]
    return out, gates, cells, squashed


def lstm_backward(xp, g, out, w_hh, gates, cells, squashed):
    """The gradients of the four parts, (time * batch, 4 * n), and of the initial cell."""
    if not same_float(gates, g, out, w_hh, cells, squashed, kinds="fd"):
        return NotImplemented
    _, steps, batch, n = gates.shape
    d, dc, dh = empty(xp, g, (steps, batch, 4 * n), (batch, n), (batch, n))
    g, gates, cells, squashed = dense(xp, g, gates, cells, squashed)
    launch, through = launcher(xp, "lstm_backward", TEXTS["lstm_backward"], batch * n, g.dtype), 0
    for t in reversed(range(steps)):
        launch((g, through, gates, cells, squashed, dc, d, t, steps, batch, n))
        if t:
            through = xp.matmul(d[t], w_hh, out=dh)
    return d.reshape(steps * batch, 4 * n), dc


def rnn_backward(xp, g, out, w_hh, nonlinearity):
    """The gradient of the argument of each step's tanh (or relu), (time * batch, n)."""
    if not same_float(out, g, w_hh, kinds="fd"):
        return NotImplemented
    slopes = 1 - out * out if nonlinearity == "tanh" else (out != 0).astype(out.dtype)
    (d,), dh = empty(xp, out, out.shape), g[-1]
    for t in reversed(range(len(out))):
        xp.multiply(dh, slopes[t], out=d[t])
        if t:
            dh = xp.matmul(d[t], w_hh)
            dh += g[t - 1]
    return d.reshape(-1, out.shape[2])


def gru_backward(xp, g, out, w_hh, h0, inner, gates):
    """The gradients of y and of s, (time * batch, 3 * n), and that of h0 without the part that comes through s."""
    if not same_float(out, g, w_hh, h0, inner, gates, kinds="fd"):
        return NotImplemented
    (steps, batch, n), (r, z, a) = out.shape, gates  # a is -n
    before, states, slopes, to_s = empty(xp, out, *[out.shape] * 2, *[(steps, batch, 3, n)] * 2)
    before[0], before[1:] = 0 if h0 is None else h0, out[:-1]
    to_n = (1 - z) * (1 - a * a)
    slopes[:, :, 0] = to_n * inner * r * (1 - r)
    slopes[:, :, 1] = (before + a) * z * (1 - z)
    slopes[:, :, 2] = to_n * r
    dh = g[-1]
    for t in reversed(range(steps)):
        states[t] = dh
        xp.multiply(states[t][:, None], slopes[t], out=to_s[t])
        dh = dh * z[t]
        if t:
            dh += g[t - 1]
            dh += xp.matmul(to_s[t].reshape(batch, 3 * n), w_hh)
    to_y = to_s.copy()
    xp.multiply(states, to_n, out=to_y[:, :, 2])
    return to_y.reshape(-1, 3 * n), to_s.reshape(-1, 3 * n), dh
