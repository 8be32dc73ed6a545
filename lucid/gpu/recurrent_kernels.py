"""Chapter 4a, continued. Recurrent networks. A step of an LSTM: one product and one kernel, forwards and backwards.

Everything else of a step is arithmetic on one cell, some thirty functions of the array library. The product is the
plain one of two matrices, (batch, n) @ (n, 4 n): the four gates of a cell lie side by side in it.
"""

from __future__ import annotations

from typing import Any

from lucid.gpu.cuda_expressions import OPTIONS

BLOCK = 128
TEXTS = {
    # Gates as `lstm` keeps them: sigmoid(i), sigmoid(f), -tanh(g), sigmoid(o), each (steps, batch, n).
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
    # `through` is what the state's gradient gets from the step behind; `dc` goes from step to step.
    "lstm_back": """(const scalar* g, const scalar* through, const scalar* gates, const scalar* cells,
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


def text(name: str, dtype: Any) -> str:
    """The source of a kernel for arrays of `dtype`."""
    scalar = "double" if str(dtype) == "float64" else "float"
    return f'typedef {scalar} scalar;\nextern "C" __global__ void lucid_{name}{TEXTS[name]}'


def _kernel(xp: Any, name: str, dtype: Any) -> Any:
    kernel = xp.kernels.get((name, dtype))
    if kernel is None:
        made = xp.module.RawKernel(text(name, dtype), f"lucid_{name}", options=OPTIONS)
        kernel = xp.kernels.setdefault((name, dtype), made)
    return kernel


def _fit(*arrays: Any) -> bool:
    """Whether all that are there have one dtype of float32 or float64, and there is something in the first."""
    first = arrays[0]
    return bool(first.size and first.dtype.char in "fd" and all(x is None or x.dtype == first.dtype for x in arrays))


def lstm(
    xp: Any, x: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, h0: Any = None, c0: Any = None
) -> Any:
    """The forward of ops.recurrent.lstm: the states, the gates, the cells and their tanh."""
    if not _fit(x, w_ih, w_hh, b_ih, b_hh, h0, c0):
        return NotImplemented
    (steps, batch, features), n = x.shape, w_hh.shape[1]
    y = xp.matmul(x.reshape(steps * batch, features), w_ih.T)
    gates, squashed = xp.empty((4, steps, batch, n), dtype=x.dtype), xp.empty((steps, batch, n), dtype=x.dtype)
    out, cells = (xp.empty((steps + 1, batch, n), dtype=x.dtype) for _ in range(2))
    cells[0] = 0 if c0 is None else c0
    b_ih, b_hh = (0 if b is None else xp.ascontiguousarray(b) for b in (b_ih, b_hh))
    kernel, weight, z, h = _kernel(xp, "lstm", x.dtype), w_hh.T, xp.empty((batch, 4 * n), dtype=x.dtype), h0
    blocks = (-(-batch * n // BLOCK),)
    for t in range(steps):
        product = 0 if h is None else xp.matmul(h, weight, out=z)
        kernel(blocks, (BLOCK,), (y, product, b_ih, b_hh, gates, cells, squashed, out, t, steps, batch, n))
        h = out[t]
    return out, gates, cells, squashed


def lstm_back(xp: Any, g: Any, out: Any, w_hh: Any, gates: Any, cells: Any, squashed: Any) -> Any:
    """The gradients of the four parts, (time * batch, 4 * n), and of the cell to start from."""
    if not _fit(gates, g, out, w_hh, cells, squashed):
        return NotImplemented
    _, steps, batch, n = gates.shape
    d, dc = xp.empty((steps, batch, 4 * n), dtype=g.dtype), xp.empty((batch, n), dtype=g.dtype)
    g, gates, cells, squashed = (xp.ascontiguousarray(x) for x in (g, gates, cells, squashed))
    kernel, through, dh = _kernel(xp, "lstm_back", g.dtype), 0, xp.empty((batch, n), dtype=g.dtype)
    blocks = (-(-batch * n // BLOCK),)
    for t in reversed(range(steps)):
        kernel(blocks, (BLOCK,), (g, through, gates, cells, squashed, dc, d, t, steps, batch, n))
        if t:
            through = xp.matmul(d[t], w_hh, out=dh)
    return d.reshape(steps * batch, 4 * n), dc


# -- the others --------------------------------------------------------------------------------------------------------

# Going back they write each step into its place. The formulas of ops/recurrent.py are for Tensors too, which cannot do
# that; and to put many arrays together in the end, CuPy first uploads where they lie.


def rnn_back(xp: Any, g: Any, out: Any, w_hh: Any, nonlinearity: str) -> Any:
    """The gradient of what each step took the tanh (or relu) of, (time * batch, n)."""
    if not _fit(out, g, w_hh):
        return NotImplemented
    slopes = 1 - out * out if nonlinearity == "tanh" else (out > 0).astype(out.dtype)
    d, dh = xp.empty(out.shape, dtype=out.dtype), g[-1]
    for t in reversed(range(len(out))):
        xp.multiply(dh, slopes[t], out=d[t])
        if t:
            dh = xp.matmul(d[t], w_hh)
            dh += g[t - 1]
    return d.reshape(-1, out.shape[2])


def gru_back(xp: Any, g: Any, out: Any, w_hh: Any, h0: Any, inner: Any, gates: Any) -> Any:
    """The gradients of y and of s, (time * batch, 3 * n), and that of h0 as far as it does not come through s."""
    if not _fit(out, g, w_hh, h0, inner, gates):
        return NotImplemented
    (steps, batch, n), (r, z, a) = out.shape, gates  # a is -n
    to_n = (1 - z) * (1 - a * a)
    before, states = (xp.empty(out.shape, dtype=out.dtype) for _ in range(2))
    before[0], before[1:] = 0 if h0 is None else h0, out[:-1]
    slopes, to_s = (xp.empty((steps, batch, 3, n), dtype=out.dtype) for _ in range(2))
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
