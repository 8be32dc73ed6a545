"""Kernels with a sum in the middle: softmax and its relatives, the normalisations, cross-entropy.

One warp works on a row: 32 threads in step that read each other's numbers. Each takes every 32nd element, and
five exchanges combine their results. So rows of ten and of some thousands elements are both read at the speed
of memory, or of the launch. On a host a warp is one thread (`LANES`).

Arithmetic is in `scalar`, float for float16 and float32, else double, in the order of the NumPy forwards but
for the sums. Each function has the arguments and results of the forward or vjp that it replaces
(dispatch.py), or returns NotImplemented where it does not apply.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from lucid.gpu.cuda_expressions import CTYPES, HELPERS, OPTIONS, typedefs
from lucid.gpu.fuse import Fused

THREADS = 128  # in a block: four warps
MAX_LABELS = 4096  # rows whose losses one warp adds up; CuPy's own sums are faster for more
COMMON = f"""
#ifdef __CUDACC__
const int LANES = 32;
__device__ inline scalar exchanged(scalar a, int by) {{ return __shfl_xor_sync(0xffffffffu, a, by); }}
#else
const int LANES = 1;
__device__ inline scalar exchanged(scalar a, int by) {{ return a; }}
#endif
{HELPERS["maximum"]}
__device__ inline scalar largest(scalar a)
{{
    for (int by = LANES / 2; by > 0; by /= 2) a = maximum(a, exchanged(a, by));
    return a;
}}
__device__ inline scalar less(scalar a, scalar top) {{ return a == top && a > 0 ? 0 : a - top; }} // inf - inf is 0
__device__ inline scalar total(scalar a)
{{
    for (int by = LANES / 2; by > 0; by /= 2) a += exchanged(a, by);
    return a;
}}
// The row of this warp, at which the others return, and the elements of it that are this thread's.
#define ROW(rows) \\
    const long long row = blockIdx.x * (long long)(blockDim.x / LANES) + threadIdx.x / LANES; \\
    if (row >= rows) return
#define EACH(j, n) for (long long j = threadIdx.x % LANES; j < n; j += LANES)
"""

TEXTS = {
    # softmax(factor * x), or its logarithm. The elements of a row are `inner` apart. A row of nothing but -inf, where
    # the largest counts as `lowest` at least, gives zeros.
    "softmax": """(const stored* x, stored* out, long long rows, long long n, long long inner,
    double factor, double lowest, long long logarithm)
{
    ROW(rows);
    const long long start = row / inner * n * inner + row % inner;
    x += start;
    out += start;
    scalar top = scalar(x[0]) * scalar(factor), sum = 0;
    EACH(j, n) top = maximum(top, scalar(x[j * inner]) * scalar(factor));
    top = maximum(largest(top), scalar(lowest));
    EACH(j, n) sum += exp(less(scalar(x[j * inner]) * scalar(factor), top));
    sum = total(sum);
    if (sum == 0) sum = 1;
    const scalar log_sum = log(sum);
    EACH(j, n) {
        const scalar shifted = less(scalar(x[j * inner]) * scalar(factor), top);
        out[j * inner] = logarithm ? shifted - log_sum : exp(shifted) / sum;
    }
}""",
    "softmax_vjp": """(const stored* g, const stored* out, stored* dx,
    long long rows, long long n, long long inner, long long logarithm)
{
    ROW(rows);
    const long long start = row / inner * n * inner + row % inner;
    scalar sum = 0;
    EACH(j, n) sum += scalar(g[start + j * inner]) * (logarithm ? scalar(1) : scalar(out[start + j * inner]));
    sum = total(sum);
    EACH(j, n) {
        const scalar dy = g[start + j * inner], y = out[start + j * inner];
        dx[start + j * inner] = logarithm ? dy - exp(y) * sum : y * (dy - sum);
    }
}""",
    # p - y and -log p of each row. A label that is no class gives NaN: on the host it would have been refused.
    "cross_entropy": """(const stored* x, const label* labels, stored* error, scalar* losses,
    long long rows, long long n, long long down, long long across, long long step, long long ignored)
{
    ROW(rows);
    x += row * down;
    const long long is = labels[row * step];
    const bool kept = is != ignored;
    scalar top = x[0], sum = 0;
    EACH(j, n) top = maximum(top, scalar(x[j * across]));
    top = largest(top);
    EACH(j, n) sum += exp(less(x[j * across], top));
    sum = total(sum);
    EACH(j, n) error[row * n + j] = kept ? exp(less(x[j * across], top)) / sum - (j == is ? 1 : 0) : scalar(0);
    if (threadIdx.x % LANES == 0)
        losses[row] =
            !kept ? scalar(0) : is < 0 || is >= n ? log(scalar(-1)) : log(sum) - less(x[is * across], top);
}""",
    # The sum of the losses, or their mean over the labels that count; and the weight of each loss in it.
    "reduce_losses": """(const scalar* losses, const label* labels, stored* out, stored* share,
    long long count, long long step, long long ignored, long long mean)
{
    ROW(1);
    scalar sum = 0, kept = 0;
    EACH(i, count) { sum += losses[i]; kept += labels[i * step] != ignored ? 1 : 0; }
    sum = total(sum);
    kept = total(kept);
    if (threadIdx.x % LANES == 0) {
        *share = mean && kept > 1 ? 1 / kept : scalar(1);
        *out = mean ? sum / kept : sum;
    }
}""",
    "row_norm": """(const stored* x, const stored* weight, const stored* bias, stored* out, stored* scale, stored* unit,
    long long rows, long long n, double eps, long long centred)
{
    ROW(rows);
    const long long at = row * n;
    scalar mean = 0, square = 0;
    if (centred) EACH(j, n) mean += scalar(x[at + j]);
    mean = total(mean) / n;
    EACH(j, n) square += (scalar(x[at + j]) - mean) * (scalar(x[at + j]) - mean);
    scalar by = 1 / sqrt(total(square) / n + scalar(eps));
    if (!(by > scalar(1e-15) && by < scalar(1e15))) { // squares overflowed or vanished: again, of what is 1 at most
        scalar top = sqrt(scalar(eps)), sum = 0;
        EACH(j, n) top = maximum(top, fabs(scalar(x[at + j]) - mean));
        top = largest(top);
        EACH(j, n) sum += (scalar(x[at + j]) - mean) / top * ((scalar(x[at + j]) - mean) / top);
        by = 1 / sqrt(total(sum) / n + scalar(eps) / top / top) / top;
    }
    EACH(j, n) {
        const scalar one = (scalar(x[at + j]) - mean) * by;
        unit[at + j] = one;
        out[at + j] = one * (weight ? scalar(weight[j]) : scalar(1)) + (bias ? scalar(bias[j]) : scalar(0));
    }
    if (threadIdx.x % LANES == 0) scale[row] = by;
}""",
    "row_norm_vjp": """(const stored* g, const stored* unit, const stored* scale, const stored* weight, stored* dx,
    long long rows, long long n, long long centred)
{
    ROW(rows);
    const long long at = row * n;
    scalar moved = 0, along = 0;
    EACH(j, n) {
        const scalar one = scalar(g[at + j]) * (weight ? scalar(weight[j]) : scalar(1));
        moved += one;
        along += one * scalar(unit[at + j]);
    }
    moved = centred ? total(moved) / n : scalar(0);
    along = total(along) / n;
    EACH(j, n) {
        const scalar one = scalar(g[at + j]) * (weight ? scalar(weight[j]) : scalar(1));
        dx[at + j] = scalar(scale[row]) * (one - scalar(unit[at + j]) * along - moved);
    }
}""",
}


def source(name: str, text: str, dtype: Any, labels: Any = "int64") -> str:
    """The source of a kernel for arrays of `dtype`; `text` is its arguments and its body."""
    labelled = f"typedef {CTYPES[str(labels)]} label;"
    return "\n".join([*typedefs(dtype), labelled, COMMON, f'extern "C" __global__ void lucid_{name}{text}'])


def launcher(xp: Any, name: str, text: str, threads: int, dtype: Any, labels: Any = "int64") -> Callable[..., None]:
    """A function that launches a kernel with this many threads, given a tuple of arguments."""
    if not threads:
        return lambda args: None
    if (kernel := xp.kernels.get((name, dtype, labels))) is None:
        kernel = xp.module.RawKernel(source(name, text, dtype, labels), f"lucid_{name}", options=OPTIONS)
        kernel = xp.kernels.setdefault((name, dtype, labels), kernel)
    return partial(kernel, (-(-threads // THREADS),), (THREADS,))


def _launch(xp, name, rows, args, *dtypes):
    """Launch a kernel on `rows` rows; its arguments are arrays, and then numbers."""
    launcher(xp, name, TEXTS[name], 32 * rows, *dtypes)(args)


def empty(xp, like, *shapes):
    """New arrays of these shapes, in the dtype of `like`."""
    return [xp.empty(shape, dtype=like.dtype) for shape in shapes]


def dense(xp, *arrays):
    """The arrays without gaps."""
    return [x if x is None or x.flags.c_contiguous else xp.ascontiguousarray(x) for x in arrays]


def same_float(*arrays, kinds="efd"):
    """Whether all arrays have one dtype, a float of one of these kinds, and the first has elements."""
    size, dtype = arrays[0].size, arrays[0].dtype
    return bool(size and dtype.char in kinds and all(x is None or x.dtype == dtype for x in arrays))


def _row_layout(x, axis):
    """How many rows there are along an axis, their length, and the distance of their elements."""
    return x.size // x.shape[axis], x.shape[axis], math.prod(x.shape[axis % x.ndim + 1 :])


def softmax(xp, x, *, axis, factor=1.0, lowest=-math.inf, logarithm=False):
    """The forward of softmax and log_softmax."""
    if not same_float(x) or not -x.ndim <= axis < x.ndim:
        return NotImplemented
    (x,), (out,), layout = dense(xp, x), empty(xp, x, x.shape), _row_layout(x, axis)
    _launch(xp, "softmax", layout[0], (x, out, *layout, factor, lowest, int(logarithm)), x.dtype)
    return out


def softmax_vjp(xp, g, out, axis=-1, *, logarithm=False):
    """The vjp of softmax and log_softmax, and of the weights of attention."""
    if not same_float(g, out) or not g.ndim or g.shape != out.shape:
        return NotImplemented
    (g, out), (dx,), layout = dense(xp, g, out), empty(xp, out, out.shape), _row_layout(out, axis)
    _launch(xp, "softmax_vjp", layout[0], (g, out, dx, *layout, int(logarithm)), out.dtype)
    return dx


def attention_weights(xp, query, key, mask=None, *, scale):
    """The forward of attention_weights."""
    if not same_float(query, key, kinds="fd") or not key.size:
        return NotImplemented
    scores = xp.matmul(query, xp.swapaxes(key, a=-1, b=-2))
    if mask is None:
        return softmax(xp, scores, axis=-1, factor=float(scale))
    scores *= scale
    scores += mask
    return softmax(xp, scores, axis=-1, lowest=float(xp.finfo(scores.dtype).min))


def cross_entropy(xp, x, labels, *, reduction, ignore_index=None):
    """The forward of cross_entropy, and of cross_entropy_ignore_index, which has one more auxiliary output."""
    many = len(labels) > MAX_LABELS and x.dtype.char != "e"  # of half precision the forward itself makes no single
    if not same_float(x) or str(labels.dtype) not in CTYPES or many:
        return NotImplemented
    (rows, n), size, ignored = x.shape, x.itemsize, -1 if ignore_index is None else ignore_index
    dtypes, step = (x.dtype, labels.dtype), labels.strides[0] // labels.itemsize
    losses = xp.empty(rows, dtype="float64" if size == 8 else "float32")
    error, out, share = empty(xp, x, x.shape, (), ())
    layout = (rows, n, x.strides[0] // size, x.strides[1] // size, step, ignored)
    _launch(xp, "cross_entropy", rows, (x, labels, error, losses, *layout), *dtypes)
    if reduction == "none":
        out, share = losses.astype(x.dtype, copy=False), xp.ones((), dtype=x.dtype)
    else:
        args = losses, labels, out, share, rows, step, ignored, int(reduction == "mean")
        _launch(xp, "reduce_losses", 1, args, *dtypes)
    return (out, error) if ignore_index is None else (out, error, share)


def row_norm(xp, x, weight=None, bias=None, *, dims, eps, centred=True):
    """The forward of layer_norm, and of rms_norm, which takes no mean out."""
    if not same_float(x, weight, bias):
        return NotImplemented
    x, weight, bias = dense(xp, x, weight, bias)
    rows = x.size // (n := math.prod(x.shape[x.ndim - dims :]))
    out, unit, scale = empty(xp, x, x.shape, (rows, n), (rows, 1))
    learned = (0 if weight is None else weight, 0 if bias is None else bias)
    _launch(xp, "row_norm", rows, (x, *learned, out, scale, unit, rows, n, float(eps), int(centred)), x.dtype)
    return out, scale, unit


def row_norm_vjp(xp, g, x_shape, rows, along, unit, scale, weight, *, centred=True):
    """The vjp of x in layer_norm and rms_norm."""
    if not same_float(rows, unit, weight):
        return NotImplemented
    rows, weight = dense(xp, rows, weight)
    (dx,), (count, n) = empty(xp, unit, x_shape), unit.shape
    args = (rows, unit, scale, 0 if weight is None else weight, dx, count, n, int(centred))
    _launch(xp, "row_norm_vjp", count, args, unit.dtype)
    return dx


def _fused(xp, name, function):
    """A part of a function below as one kernel."""
    return xp.kernels.get(name) or xp.kernels.setdefault(name, Fused(xp, name, "part", function))


def batch_norm(xp, x, mean, var, weight=None, bias=None, *, eps):
    """The forward of batch_norm, whose elementwise parts are fused."""
    if not same_float(x, mean, weight, bias):
        return NotImplemented
    channels = x if x.ndim == 2 else x.reshape(*x.shape[:2], -1)
    scale = _fused(xp, "channel_scale", lambda xp, var, eps: 1 / xp.sqrt(var + eps))(xp, var, eps)
    scale = scale.astype(x.dtype, copy=False)  # the variance is in double precision
    weight, bias = (None if p is None else p.reshape(scale.shape) for p in (weight, bias))
    out, unit = _fused(xp, "channel_norm", _normalized)(xp, channels, mean, scale, weight, bias)
    return out.reshape(x.shape), scale, unit


def _normalized(xp, x, mean, scale, weight, bias):
    unit = (x - mean) * scale
    out = unit if weight is None else unit * weight
    return out if bias is None else out + bias, unit


def batch_norm_vjp(xp, g, x_shape, each, total, along, unit, scale, weight):
    """The vjp of x in batch_norm, but for the sums that it shares with the other vjps."""
    if not same_float(each, unit, scale, weight):
        return NotImplemented
    weight, share = None if weight is None else weight.reshape(scale.shape), scale.size / unit.size
    vjp = _fused(xp, "channel_vjp", _channel_vjp)
    return vjp(xp, each, total, along, unit, scale, weight, share).reshape(x_shape)


def _channel_vjp(xp, g, total, along, unit, scale, weight, share):
    factor = scale if weight is None else scale * weight
    return factor * (g - unit * (share * along) - share * total)


def channel_sum(xp, g, each, unit=None):
    """The sum of `each`, or of each * unit, in one launch, where NumPy is faster in two steps."""
    if each.ndim == 2:
        return NotImplemented
    return (each if unit is None else each * unit).sum(axis=(0, 2)).reshape(-1, 1)
