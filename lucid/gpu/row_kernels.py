"""Chapter 4a, continued. Kernels with a sum in the middle: softmax and its relatives, the normalisations of rows.

One warp works on a row: 32 threads that run in step and can read each other's numbers. Each takes every 32nd element,
and what they have found they put together in five exchanges. So a row of ten and one of some thousands are both read at
the speed of memory, or of the launch; and nothing waits for anything. Where there is one thread after the other, on a
host, a warp is one thread: `LANES` says so.

Arithmetic is in `scalar`, float for float16 and float32, else double, in the order of the NumPy forms but for the sums.
"""

from __future__ import annotations

from typing import Any

from lucid.gpu.cuda_expressions import HELPERS, OPTIONS

WARPS = 4  # in a block
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
__device__ inline scalar total(scalar a)
{{
    for (int by = LANES / 2; by > 0; by /= 2) a += exchanged(a, by);
    return a;
}}
// Which row is this warp's, and which elements of it are this thread's.
#define ROW (blockIdx.x * (long long)(blockDim.x / LANES) + threadIdx.x / LANES)
#define EACH(j, n) for (long long j = threadIdx.x % LANES; j < n; j += LANES)
"""

TEXTS = {
    # The elements of a row are `inner` apart. A row of nothing but -inf, where that is held at `lowest`, gives zeros.
    "softmax": """(const stored* x, stored* out, long long rows, long long n, long long inner,
    double factor, double lowest)
{
    const long long row = ROW;
    if (row >= rows) return;
    x += row / inner * n * inner + row % inner;
    out += row / inner * n * inner + row % inner;
    scalar top = scalar(x[0]) * scalar(factor), sum = 0;
    EACH(j, n) top = maximum(top, scalar(x[j * inner]) * scalar(factor));
    top = maximum(largest(top), scalar(lowest));
    EACH(j, n) sum += exp(scalar(x[j * inner]) * scalar(factor) - top);
    sum = total(sum);
    if (sum == 0) sum = 1;
    EACH(j, n) out[j * inner] = exp(scalar(x[j * inner]) * scalar(factor) - top) / sum;
}""",
    "log_softmax": """(const stored* x, stored* out, long long rows, long long n, long long inner)
{
    const long long row = ROW;
    if (row >= rows) return;
    x += row / inner * n * inner + row % inner;
    out += row / inner * n * inner + row % inner;
    scalar top = x[0], sum = 0;
    EACH(j, n) top = maximum(top, scalar(x[j * inner]));
    top = largest(top);
    EACH(j, n) sum += exp(scalar(x[j * inner]) - top);
    const scalar log_sum = log(total(sum));
    EACH(j, n) out[j * inner] = scalar(x[j * inner]) - top - log_sum;
}""",
    "softmax_slope": """(const stored* g, const stored* out, stored* slope,
    long long rows, long long n, long long inner)
{
    const long long row = ROW;
    if (row >= rows) return;
    const long long at = row / inner * n * inner + row % inner;
    scalar sum = 0;
    EACH(j, n) sum += scalar(g[at + j * inner]) * scalar(out[at + j * inner]);
    sum = total(sum);
    EACH(j, n) slope[at + j * inner] = scalar(out[at + j * inner]) * (scalar(g[at + j * inner]) - sum);
}""",
    "log_softmax_slope": """(const stored* g, const stored* out, stored* slope,
    long long rows, long long n, long long inner)
{
    const long long row = ROW;
    if (row >= rows) return;
    const long long at = row / inner * n * inner + row % inner;
    scalar sum = 0;
    EACH(j, n) sum += scalar(g[at + j * inner]);
    sum = total(sum);
    EACH(j, n) slope[at + j * inner] = scalar(g[at + j * inner]) - exp(scalar(out[at + j * inner])) * sum;
}""",
    # p - y and -log p of each row. A label that is no class costs NaN: on the host it would have been refused.
    "cross_entropy": """(const stored* x, const label* labels, stored* error, scalar* losses,
    long long rows, long long n, long long down, long long across, long long step, long long ignored)
{
    const long long row = ROW;
    if (row >= rows) return;
    x += row * down;
    const long long is = labels[row * step];
    const bool kept = is != ignored;
    scalar top = x[0], sum = 0;
    EACH(j, n) top = maximum(top, scalar(x[j * across]));
    top = largest(top);
    EACH(j, n) sum += exp(scalar(x[j * across]) - top);
    sum = total(sum);
    EACH(j, n) error[row * n + j] = kept ? exp(scalar(x[j * across]) - top) / sum - (j == is ? 1 : 0) : scalar(0);
    if (threadIdx.x % LANES == 0)
        losses[row] =
            !kept ? scalar(0) : is < 0 || is >= n ? log(scalar(-1)) : log(sum) - (scalar(x[is * across]) - top);
}""",
    # What becomes of the losses: their sum, or the mean over the labels that count; and what each is worth in it.
    "reduced": """(const scalar* losses, const label* labels, stored* out, stored* share,
    long long rows, long long step, long long ignored, long long mean)
{
    if (ROW > 0) return;
    scalar sum = 0, count = 0;
    EACH(i, rows) { sum += losses[i]; count += labels[i * step] != ignored ? 1 : 0; }
    sum = total(sum);
    count = total(count);
    if (threadIdx.x % LANES == 0) {
        *share = mean && count > 1 ? 1 / count : scalar(1);
        *out = mean ? sum / count : sum;
    }
}""",
    "row_norm": """(const stored* x, const stored* weight, const stored* bias, stored* out, stored* scale, stored* unit,
    long long rows, long long n, double eps, long long centred)
{
    const long long row = ROW, at = row * n;
    if (row >= rows) return;
    scalar mean = 0, square = 0;
    if (centred) {
        EACH(j, n) mean += scalar(x[at + j]);
        mean = total(mean) / n;
    }
    EACH(j, n) square += (scalar(x[at + j]) - mean) * (scalar(x[at + j]) - mean);
    const scalar by = 1 / sqrt(total(square) / n + scalar(eps));
    EACH(j, n) {
        const scalar one = (scalar(x[at + j]) - mean) * by;
        unit[at + j] = one;
        out[at + j] = one * (weight ? scalar(weight[j]) : scalar(1)) + (bias ? scalar(bias[j]) : scalar(0));
    }
    if (threadIdx.x % LANES == 0) scale[row] = by;
}""",
    "row_norm_slope": """(const stored* g, const stored* unit, const stored* scale, const stored* weight, stored* slope,
    long long rows, long long n, long long centred)
{
    const long long row = ROW, at = row * n;
    if (row >= rows) return;
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
        slope[at + j] = scalar(scale[row]) * (one - scalar(unit[at + j]) * along - moved);
    }
}""",
}
C = {
    "float16": "__half", "float32": "float", "float64": "double", "int8": "signed char", "uint8": "unsigned char",
    "int16": "short", "int32": "int", "int64": "long long",
}  # fmt: skip


def text(name: str, dtype: Any, labels: Any = "int64") -> str:
    """The source of a kernel for arrays of `dtype`."""
    lines = ["#include <cuda_fp16.h>"] if str(dtype) == "float16" else []
    lines += [f"typedef {'double' if str(dtype) == 'float64' else 'float'} scalar;", f"typedef {C[str(dtype)]} stored;"]
    lines += [f"typedef {C[str(labels)]} label;", COMMON, f'extern "C" __global__ void lucid_{name}{TEXTS[name]}']
    return "\n".join(lines)


def launch(xp: Any, name: str, rows: int, args: tuple[Any, ...], dtype: Any, labels: Any = "int64") -> None:
    """Run a kernel on `rows` rows; args begin with arrays and end with numbers."""
    if not rows:
        return
    kernel = xp.kernels.get((name, dtype, labels))
    if kernel is None:
        made = xp.module.RawKernel(text(name, dtype, labels), f"lucid_{name}", options=OPTIONS)
        kernel = xp.kernels.setdefault((name, dtype, labels), made)
    kernel((-(-rows // WARPS),), (32 * WARPS,), args)
