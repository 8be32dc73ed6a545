"""Where windows lie: the sizes that convolution, pooling and resizing give, worked out and checked.

Everything here depends on shapes and options alone, and a program has few of those: each answer is kept.
"""

from __future__ import annotations

from functools import lru_cache, partial
from operator import index
from typing import Any

from lucid.backend import float32
from lucid.ops.images import Grid
from lucid.ops.pooling import Mix

Shape = tuple[int, ...]
kept = lru_cache(maxsize=1024)


def hashable(value: Any) -> Any:
    """An option as something that an answer can be kept under: a list becomes a tuple."""
    return tuple(value) if not isinstance(value, (str, tuple)) and hasattr(value, "__iter__") else value


def each(who: str, name: str, value: Any, dims: int, least: int) -> Shape:
    """An option for each dim, given as one int for all or as `dims` of them, none below `least`."""
    try:
        found = tuple(map(index, value)) if isinstance(value, (tuple, list)) else (index(value),) * dims
    except TypeError:
        raise TypeError(f"{who}: {name} must be an int, or a tuple of {dims}, got {value!r}") from None
    if len(found) != dims:
        raise ValueError(f"{who}: {name} must be an int, or a tuple of {dims}, got {value!r}")
    if any(n < least for n in found):
        raise ValueError(f"{who}: {name} must be {least} or more, got {value!r}")
    return found


def size_of(who: str, shape: Shape, dims: int) -> Shape:
    """The image's size in the shape of an input, which has channels, and perhaps a batch, in front of it."""
    if len(shape) not in (dims + 1, dims + 2):
        one = "channels, length" if dims == 1 else "channels, height, width"
        raise ValueError(f"{who}: input must have the shape ({one}), or (batch, {one}), got {shape}")
    return shape[-dims:]


def channels(who: str, shape: Shape, weight: Shape, bias: Shape | None, dims: int, groups: int, turned: bool) -> None:
    """Refuse an input, a weight and a bias that do not fit together; `turned` says that the weight is that of a
    transposed convolution, (in, out / groups, ...), and not (out, in / groups, ...)."""
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise ValueError(f"{who}: groups must be an int of 1 or more, got {groups!r}")
    expected = "(in_channels, out_channels / groups" if turned else "(out_channels, in_channels / groups"
    if len(weight) != dims + 2:
        raise ValueError(f"{who}: weight must have the shape {expected}, and {dims} of the kernel), got {weight}")
    if weight[0] % groups:
        what = "in_channels" if turned else "out_channels"
        raise ValueError(f"{who}: weight has {weight[0]} {what}, which do not divide by groups={groups}")
    inside, out = (weight[0], weight[1] * groups) if turned else (weight[1] * groups, weight[0])
    if shape[-dims - 1] != inside:
        raise ValueError(
            f"{who}: input of shape {shape} has {shape[-dims - 1]} channels, but weight of shape {weight} with "
            f"groups={groups} takes {inside}"
        )
    if bias is not None and bias != (out,):
        raise ValueError(f"{who}: bias must have the shape ({out},), one number for each output channel, got {bias}")


def check_padding(who: str, padding: Any, stride: Shape) -> None:
    """Refuse a word for the padding that does not exist, or does not go with a stride."""
    if isinstance(padding, str) and padding not in ("same", "valid"):
        raise ValueError(f"{who}: padding must be 'same', 'valid' or numbers, got {padding!r}")
    if padding == "same" and any(s != 1 for s in stride):
        raise ValueError(f"{who}: padding='same' needs a stride of 1, got {stride}; give padding as numbers")


@kept
def of_conv(
    who: str, dims: int, shape: Shape, weight: Shape, bias: Shape | None, stride: Any, padding: Any, dilation: Any,
    groups: int,
) -> Grid:  # fmt: skip
    """The grid of a convolution."""
    size = size_of(who, shape, dims)
    channels(who, shape, weight, bias, dims, groups, turned=False)
    kernel = each(who, "the kernel's size", weight[2:], dims, 1)
    stride, dilation = each(who, "stride", stride, dims, 1), each(who, "dilation", dilation, dims, 1)
    check_padding(who, padding, stride)
    if padding == "same":  # the odd one of an even kernel goes behind
        before = tuple((k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True))
        return Grid(size, kernel, size, stride, before, dilation)
    around = each(who, "padding", 0 if padding == "valid" else padding, dims, 0)
    return Grid(size, kernel, windows(who, size, kernel, stride, around, dilation), stride, around, dilation)


def windows(
    who: str, size: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, ceil_mode: bool = False
) -> Shape:
    """How many windows there are; in `ceil_mode` the last may stick out, as long as it begins in the image or in the
    padding before it."""
    out = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        free = n + 2 * p - (k - 1) * d - 1
        count = (free + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (count - 1) * s >= n + p:
            count -= 1
        out.append(count)
    if any(count < 1 for count in out):
        reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
        apart = f", {reach} with dilation {dilation}," if reach != kernel else ""
        around = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
        raise ValueError(
            f"{who}: the kernel of size {kernel}{apart} does not fit into the input of size {size}"
            + (f", {around} with padding {padding}" if around != size else "")
            + "; make it smaller, or padding larger"
        )
    return tuple(out)


@kept
def of_conv_transpose(
    who: str, dims: int, shape: Shape, weight: Shape, bias: Shape | None, stride: Any, padding: Any,
    output_padding: Any, groups: int, dilation: Any,
) -> Grid:  # fmt: skip
    """The grid of the convolution that a transposed one is the adjoint of: its `out` is the input, its `size` the
    output."""
    out = size_of(who, shape, dims)
    channels(who, shape, weight, bias, dims, groups, turned=True)
    kernel = each(who, "the kernel's size", weight[2:], dims, 1)
    stride, dilation = each(who, "stride", stride, dims, 1), each(who, "dilation", dilation, dims, 1)
    padding = each(who, "padding", padding, dims, 0)
    extra = each(who, "output_padding", output_padding, dims, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(
            f"{who}: output_padding must be smaller than stride or dilation, got {extra} with stride {stride} and "
            f"dilation {dilation}"
        )
    dims_of = zip(out, kernel, stride, padding, dilation, extra, strict=True)
    size = tuple((o - 1) * s - 2 * p + (k - 1) * d + e + 1 for o, k, s, p, d, e in dims_of)
    if any(n < 1 for n in size):
        raise ValueError(
            f"{who}: input of size {out} would give an output of size {size}; it needs a larger kernel than {kernel}, "
            f"or less padding than {padding}"
        )
    return Grid(size, kernel, out, stride, padding, dilation)


@kept
def of_pool(
    who: str, dims: int, shape: Shape, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Grid:
    """The grid of a pooling; without a stride, its windows lie side by side."""
    size = size_of(who, shape, dims)
    kernel = each(who, "kernel_size", kernel_size, dims, 1)
    stride = kernel if stride is None else each(who, "stride", stride, dims, 1)
    padding, dilation = each(who, "padding", padding, dims, 0), each(who, "dilation", dilation, dims, 1)
    if any(2 * p > (k - 1) * d + 1 for k, p, d in zip(kernel, padding, dilation, strict=True)):
        raise ValueError(
            f"{who}: padding must be at most half of the kernel, or windows would see nothing else; got padding "
            f"{padding}, kernel_size {kernel} and dilation {dilation}"
        )
    out = windows(who, size, kernel, stride, padding, dilation, ceil_mode)
    return Grid(size, kernel, out, stride, padding, dilation)


@kept
def of_unfold(who: str, size: Shape, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Grid:
    """The grid of unfold and fold, on images of a size."""
    dims = len(size)
    kernel = each(who, "kernel_size", kernel_size, dims, 1)
    stride, dilation = each(who, "stride", stride, dims, 1), each(who, "dilation", dilation, dims, 1)
    padding = each(who, "padding", padding, dims, 0)
    return Grid(size, kernel, windows(who, size, kernel, stride, padding, dilation), stride, padding, dilation)


# -- mixtures --------------------------------------------------------------------------------------------------------


@kept
def of_avg_pool(
    who: str, dims: int, shape: Shape, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor: int | None,
) -> tuple[Mix, ...]:  # fmt: skip
    """For each dim how windows are averaged along it; the averages of averages are those of the whole windows."""
    grid = of_pool(who, dims, shape, kernel_size, stride, padding, 1, ceil_mode)
    if divisor == 0:
        raise ValueError(f"{who}: divisor_override must not be 0")
    found, total = [], divisor
    for n, k, out, s, p in zip(grid.size, grid.kernel, grid.out, grid.stride, grid.padding, strict=True):
        passes: list[list[Any]] = [[] for _ in range(k)]
        for o in range(out):
            first, end = o * s - p, min(o * s - p + k, n + p)
            inside = range(max(first, 0), min(end, n))
            count = total if total is not None else end - first if count_include_pad else len(inside)
            for place in inside:
                passes[place - first].append((o, place, 1 / count))
        found.append(Mix(out, n, passes))
        total = None if divisor is None else 1  # the divisor is one for all dims: the first sees to it
    return tuple(found)


@kept
def of_adaptive(who: str, dims: int, shape: Shape, output_size: Any) -> tuple[Mix | None, ...]:
    """For each dim how it is averaged to `output_size`: place i from i * n / out, rounded down, to (i + 1) * n / out,
    rounded up. None for a dim that stays."""
    size = size_of(who, shape, dims)
    wanted = output_size if isinstance(output_size, tuple) else (output_size,) * dims
    if len(wanted) != dims:
        raise ValueError(f"{who}: output_size must be an int, or a tuple of {dims}, got {output_size!r}")
    wanted = each(who, "output_size", tuple(n if o is None else o for n, o in zip(size, wanted, strict=True)), dims, 0)
    if 0 in size:
        raise ValueError(f"{who}: input of size {size} has nothing to average")
    return tuple(None if n == out else _averaged(n, out) for n, out in zip(size, wanted, strict=True))


def _averaged(n: int, out: int) -> Mix:
    spans = [(o * n // out, -(-(o + 1) * n // out)) for o in range(out)]
    longest = max((end - first for first, end in spans), default=0)
    return Mix(out, n, [
        [(o, first + turn, 1 / (end - first)) for o, (first, end) in enumerate(spans) if first + turn < end]
        for turn in range(longest)
    ])  # fmt: skip


LINEAR = {"linear": 1, "bilinear": 2}  # mode -> dims of size


@kept
def of_interpolate(
    shape: Shape, size: Any, scale_factor: Any, mode: str, align_corners: bool | None, recompute: bool | None
) -> tuple[Mix, ...]:
    """For each dim of size how its new places are mixed from the old ones."""
    who, dims = "interpolate", len(shape) - 2
    if mode != "nearest" and mode not in LINEAR:
        raise ValueError(f"{who}: mode must be 'nearest', 'linear' or 'bilinear', got {mode!r}")
    if dims < 1 or mode in LINEAR and dims != LINEAR[mode]:
        wanted = "at least 3 dims, (batch, channels, ...)" if mode == "nearest" else f"{LINEAR[mode] + 2} dims"
        raise ValueError(f"{who}: mode {mode!r} needs an input of {wanted}, got shape {shape}")
    if align_corners is not None and mode == "nearest":
        raise ValueError(
            f"{who}: align_corners={align_corners} goes with the modes 'linear' and 'bilinear', not with 'nearest'"
        )
    if (size is None) == (scale_factor is None):
        raise ValueError(f"{who}: expected size or scale_factor, and not both; got {size} and {scale_factor}")
    old = shape[2:]
    if 0 in old:
        raise ValueError(f"{who}: input of size {old} has nothing to take values from")
    scales: tuple[float | None, ...] = (None,) * dims
    if size is not None:
        new = each(who, "size", size, dims, 1)
    else:
        factors = scale_factor if isinstance(scale_factor, tuple) else (scale_factor,) * dims
        if len(factors) != dims or not all(isinstance(f, (int, float)) and f > 0 for f in factors):
            expected = f"a positive number, or a tuple of {dims}"
            raise ValueError(f"{who}: scale_factor must be {expected}, got {scale_factor!r}")
        new = tuple(int(n * float(f)) for n, f in zip(old, factors, strict=True))
        if 0 in new:
            raise ValueError(f"{who}: scale_factor={scale_factor!r} leaves nothing of size {old}")
        scales = scales if recompute else factors
    made = partial(_linear, align_corners=bool(align_corners)) if mode in LINEAR else _nearest
    return tuple([made(n, m, scale) for n, m, scale in zip(old, new, scales, strict=True)])


def _nearest(n: int, m: int, factor: float | None) -> Mix:
    # The product is in float32, as PyTorch has it: rounding decides which of two places is taken.
    step = float32.type(1 / factor if factor else n / m)
    return Mix(m, n, [[(place, min(int(float32.type(place) * step), n - 1), 1) for place in range(m)]])


def _linear(n: int, m: int, factor: float | None, align_corners: bool) -> Mix:
    """Between two old places, the nearer the more of it. Places are squares, and the outer edges of the outermost meet;
    with `align_corners` they are points, and the outermost meet."""
    passes: list[list[Any]] = [[], []]
    for place in range(m):
        if align_corners:
            at = place * (n - 1) / (m - 1) if m > 1 else 0.0
        else:
            at = max(0.0, (place + 0.5) * (1 / factor if factor else n / m) - 0.5)
        low = min(int(at), n - 1)
        share = min(at - low, 1.0) if low < n - 1 else 0.0
        passes[0] += [(place, low, 1 - share)] if share < 1 else []
        passes[1] += [(place, low + 1, share)] if share > 0 else []
    return Mix(m, n, passes)
