"""Rows of the table (see table.py): the rest of the elementary functions, statistics, cutting and joining, factors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import lucid
from tests.ops.rows_tensors import ints, regular
from tests.ops.samples import BINARY, MASK, D, P, Row, U, each, fixed, quietly, row, uniform

NAN, INF = math.nan, math.inf
within = lambda *shape: uniform(*shape, lo=-0.9, hi=0.9)
above_1 = lambda *shape: uniform(*shape, lo=1.2, hi=3.0)
EDGES = fixed([0.0, -0.0, 1.0, -1.0, 2.0, INF, -INF, NAN, 1e300, 1e-300])


def between(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Numbers from -4 to 6, none of which is near an integer: the poles of gamma."""
    return lambda rng: rng.integers(-4, 6, shape) + rng.uniform(0.2, 0.8, shape)


def no_sign(factors: Any) -> list[Any]:
    """What does not depend on the signs of vectors."""
    return [x.abs() for x in factors]


def joined(m: Any, parts: Any) -> Any:
    """Several results in one row."""
    return m.cat([part.reshape(-1) for part in parts])


FACTORED = [(3, 3), (4, 2), (2, 4), (2, 3, 2), (2, 2, 3)]

TABLE: dict[str, list[Row]] = {
    # functions of one number
    "sinh": each(lambda m, x: m.sinh(x), U),
    "cosh": each(lambda m, x: m.cosh(x), U),
    "asin": each(lambda m, x: m.asin(x), within),
    "acos": each(lambda m, x: m.acos(x), within),
    "atan": each(lambda m, x: m.atan(x), U),
    "asinh": each(lambda m, x: m.asinh(x), U),
    "acosh": each(lambda m, x: m.acosh(x), above_1),
    "atanh": each(lambda m, x: m.atanh(x), within),
    "exp2": each(lambda m, x: m.exp2(x), U),
    "erfc": [row(lambda m, x: m.erfc(x) * 16.0, uniform(4, lo=1.5, hi=2.0)), *each(lambda m, x: m.erfc(x), U)],
    "erfinv": each(lambda m, x: m.erfinv(x), within),
    "lgamma": each(lambda m, x: m.lgamma(x), between),
    "polygamma": each(lambda m, x: m.digamma(x), P) + [row(lambda m, x: m.digamma(x), between(5), second=False)],
    "nan_to_num": each(lambda m, x: m.nan_to_num(x) * x, U) + [row(lambda m, x: x.nan_to_num(2.0) * 3, U(3))],
    # functions of two
    "atan2": [
        row(lambda m, x, y: m.atan2(x, y), P(*a), U(*b))
        for a, b in (((3, 4), (4,)), ((3,), (2, 1)), ((), ()), ((0, 3), (3,)))
    ]
    + [row(lambda m, x, y: x.atan2(y), U(2, 3), P(3))],
    "hypot": [
        row(lambda m, x, y: m.hypot(x, y), P(*a), P(*b))
        for a, b in (((3, 4), (4,)), ((3,), (2, 1)), ((), ()), ((0, 3), (3,)))
    ],
    "logaddexp": [row(lambda m, x, y: m.logaddexp(x, y), *pair) for pair in BINARY]
    + [row(lambda m, x, y: m.logaddexp(x * 500.0, y * 500.0), U(3), U(3), eps=1e-8, second=False)],
    "copysign": [
        row(lambda m, x, y: m.copysign(x, y) * x * y, D(3, 4), fixed([0.01, 0.3, -0.2, -0.5])),
        row(lambda m, x, y: m.copysign(x, y) * y, fixed([0.3, -0.5]), fixed([[0.2], [-1.0]])),
        row(lambda m, x, y: m.copysign(x, y) + y, P(), fixed(-1.0)),
        row(lambda m, x, y: m.copysign(x, y) + y, P(0, 3), P(3)),
    ],
    "fmod": [
        row(lambda m, x, y: m.fmod(x, y), fixed([5.3, -2.2, 7.9]), fixed([2.0, 3.0, -2.5]), second=False),
        row(lambda m, x, y: m.fmod(x, y), fixed([[5.3], [-2.2]]), fixed([2.0, 3.0]), second=False),
        row(lambda m, x, y: x.fmod(y), fixed(5.3), fixed([2.0, 3.0]), second=False),
        row(lambda m, x, y: m.fmod(x, y), fixed(5.3), fixed(2.0), second=False),
        row(lambda m, x, y: m.fmod(x, y), U(0, 3), P(3), second=False),
    ],
    "scaled": [
        row(lambda m, x, y: m.add(x, y, alpha=2.5), U(2, 3), U(3)),
        row(lambda m, x, y: x.sub(y, alpha=3), U(3), U()),
        row(lambda m, x, y: m.sub(x, y), U(3), U(3)),
        row(lambda m, x: x.add(2, alpha=0.5), U(3)),
        row(lambda m, x, y, z: m.addcmul(x, y, z, value=0.5), U(2, 3), U(3), U(2, 1)),
        row(lambda m, x, y, z: x.addcdiv(y, z, value=-2), U(2, 3), U(3), P(2, 1)),
    ],
    "rounded_division": [
        row(
            lambda m, x, y, r=r: (
                m.div(x, y, rounding_mode=r) * x * y if m is lucid else (m.div(x, y, rounding_mode=r)).detach() * x * y
            ),
            fixed([5.3, -2.2, 7.9]),
            fixed([2.0, 3.0, -2.5]),
        )
        for r in ("trunc", "floor")
    ],
    "lerp": [
        row(lambda m, x, y, w: m.lerp(x, y, w), U(2, 3), U(3), fixed([0.3, 0.7, 1.4])),
        row(lambda m, x, y: x.lerp(y, 0.25), U(3), U(3)),
        row(lambda m, x, y: m.lerp(x, y, 0.75), U(2, 1), U(3)),
    ],
    "operators": [row(lambda m, x: +x * x, U(3))],
    # statistics
    "median": [
        row(lambda m, x: m.median(x), D(3, 4)),
        row(lambda m, x: x.median(), D()),
        row(lambda m, x: x.median(), fixed([[]])),
        row(lambda m, x: x.median(1).values, D(3, 4)),
        row(lambda m, x: m.median(x, 0, True)[0], D(3, 4)),
        row(lambda m, x: x.median(0).values, D()),
        row(lambda m, x: x.median(1).values, D(0, 3)),
    ],
    "quantile": [
        row(lambda m, x, i=i: m.quantile(x, 0.3, interpolation=i), D(3, 4))
        for i in ("linear", "lower", "higher", "midpoint", "nearest")
    ]
    + [
        row(lambda m, x, q: m.quantile(x, q, 1), D(3, 4), fixed([0.1, 0.55, 0.8])),
        row(lambda m, x, q: x.quantile(q, dim=0, keepdim=True), D(3, 4), fixed([0.1, 0.8])),
        row(lambda m, x, q: x.quantile(q, keepdim=True), D(3, 4), fixed(0.4)),
        row(lambda m, x: x.quantile(0.3, 0), D()),
        row(lambda m, x: x.quantile(1.0, -1), D(2, 3)),
    ],
    "nanmean": [
        row(lambda m, x: m.nanmean(x), U(3, 4)),
        row(lambda m, x: x.nanmean((0, 1), keepdim=True), U(3, 4)),
        row(lambda m, x: m.nanmean(m.where(m.tensor([True, False, True]), x, NAN) ** 2, 0), U(3)),
        row(quietly(lambda m, x: x.nanmean(1)), U(3, 0)),
        row(lambda m, x: x.nanmean(0) * x, U()),
    ],
    "std_mean": [
        row(lambda m, x: joined(m, m.std_mean(x, 1)), U(3, 4)),
        row(lambda m, x: joined(m, m.var_mean(x, dim=0, correction=0, keepdim=True)), U(3, 4)),
        row(lambda m, x: joined(m, m.var_mean(x)), U(3, 4)),
    ],
    "logcumsumexp": [
        row(lambda m, x: m.logcumsumexp(x, 1), U(3, 4)),
        row(lambda m, x: x.logcumsumexp(0), U(3, 2)),
        row(lambda m, x: x.logcumsumexp(-1) * x, U(4)),
        row(lambda m, x: x.logcumsumexp(0), U(0, 3)),
        row(lambda m, x: x.logcumsumexp(0) * x, U()),
        row(lambda m, x: m.logcumsumexp(x * 300.0, 0), U(4), second=False, eps=1e-8),
    ],
    "cummax": [
        row(lambda m, x: m.cummax(x, 1).values, D(3, 4)),
        row(lambda m, x: x.cummin(0)[0] * x, D(3, 2)),
        row(lambda m, x: m.cummin(x, dim=-1).values, D(4)),
        row(lambda m, x: x.cummax(0)[0] * x, D()),
    ],
    "astype_of_weights": [
        row(
            lambda m, w, i: m.bincount(i, w, 6) if m is lucid else m.zeros(6, dtype=w.dtype).index_add(0, i, w),
            U(4),
            ints([0, 2, 0, 3]),
        )
    ],
    "astype_first": [
        row(lambda m, x: x.float().cumsum(0, dtype=m.float64), U(3), eps=1e-3, second=False),
        row(lambda m, x: m.softmax(x, 0, dtype=m.float64), U(3)),
        row(lambda m, x: x.log_softmax(1, dtype=m.float64), U(2, 3)),
        row(lambda m, x: x.sum(0, dtype=m.float64), U(3)),
    ],
    # shapes
    "of_numbers": [
        row(f, U())
        for f in (
            lambda m, x: x.squeeze(0) * x,
            lambda m, x: m.transpose(x, 0, -1) * x,
            lambda m, x: m.movedim(x, 0, -1) * x,
            lambda m, x: x.flip(0) * x,
            lambda m, x: x.gather(0, m.tensor(0)),
            lambda m, x: x.index_select(-1, m.tensor([0])),
            lambda m, x: x.scatter(0, m.tensor(0), 5.0) * x,
            lambda m, x: x.scatter_add(0, m.tensor(0), x),
            lambda m, x: x.index_add(0, m.tensor([0]), x),
            lambda m, x: x.index_fill(0, m.tensor([0]), 2.0) * x,
        )
    ],
    "select": [
        row(lambda m, x: m.select(x, 1, -1), U(2, 3)),
        row(lambda m, x: x.select(0, 1), U(2, 3, 2)),
        row(lambda m, x: (lambda y: (y.select(1, 2).mul_(x[:, 0]), y)[1])(x * 2), U(2, 3)),
    ],
    "unflatten": [
        row(lambda m, x: m.unflatten(x, 1, (2, -1)), U(2, 6)),
        row(lambda m, x: x.unflatten(-1, (3, 2)), U(6)),
    ],
    "tensor_split": [
        row(lambda m, x: m.tensor_split(x, 3)[1], U(7, 2)),
        row(lambda m, x: x.tensor_split((1, 5), 1)[1], U(2, 7)),
        row(lambda m, x: joined(m, m.tensor_split(x, [3, 1, -1])), U(5)),
    ],
    "stacked": [
        row(lambda m, x, y: m.hstack([x, y]), U(2), U(3)),
        row(lambda m, x, y: m.hstack((x, y)), U(2, 1), U(2, 3)),
        row(lambda m, x, y: m.vstack([x, y]), U(3), U(2, 3)),
        row(lambda m, x, y: m.vstack([x, y]), U(), U()),
        row(lambda m, x, y: m.hstack([x, y]), U(), U(2)),
    ],
    "moved": [
        row(lambda m, x: m.movedim(x, (0, 1), (-1, 0)), U(2, 3, 4)),
        row(lambda m, x: x.movedim([2, 0], [0, 1]), U(2, 3, 4)),
        row(lambda m, x: m.flip(x, dims=(0, -1)), U(2, 3)),
        row(lambda m, x: x.flip(dims=[1]), U(2, 3)),
    ],
    "diff": [
        row(lambda m, x: m.diff(x), U(2, 4)),
        row(lambda m, x: x.diff(2, 0), U(4, 2)),
        row(lambda m, x: x.diff(9), U(3)),
        row(lambda m, x, y: m.diff(x, dim=0, prepend=y, append=x), U(2, 3), U(1, 3)),
    ],
    "repeat_interleave": [
        row(lambda m, x: m.repeat_interleave(x, 2, 1), U(2, 3)),
        row(lambda m, x: x.repeat_interleave(3), U(2, 2)),
        row(lambda m, x, n: x.repeat_interleave(n, dim=0), U(3, 2), ints([2, 0, 3])),
        row(lambda m, x: x.repeat_interleave(0, 0), U(3)),
        row(lambda m, x: x.repeat_interleave(2), U()),
        row(lambda m, x, n: m.repeat_interleave(x, n), U(0), ints([])),
    ],
    # writes that leave the tensor as it was
    "index_put": [
        row(lambda m, x, v, i, j: m.index_put(x, (i, j), v), U(3, 3), U(2), ints([0, 2]), ints([1, 1])),
        row(lambda m, x, v, i: x.index_put((i,), v, accumulate=True), U(3, 2), U(2), ints([2, 0, 2])),
        row(lambda m, x, v, i: (x * 2).index_put_((i,), v), U(3, 2), U(2, 2), ints([2, 0])),
        row(lambda m, x, v, mask: m.index_put(x, [mask], v), U(2, 3), U(), MASK),
    ],
    "index_fill": [
        row(lambda m, x, i: m.index_fill(x, 1, i, 2.5), U(2, 3), ints([0, 2, 0])),
        row(lambda m, x, i: (x * x).index_fill_(0, i, -1.0), U(3), ints([1])),
        row(lambda m, x, v, i: x.index_fill(-1, i, v), U(2, 3), U(), ints([1])),
    ],
    "masked_scatter": [
        row(lambda m, x, v, mask: m.masked_scatter(x, mask, v), U(2, 3), U(5), MASK),
        row(lambda m, x, v, mask: x.masked_scatter(mask, v), U(3), U(2, 2), MASK),
        row(lambda m, x, v, mask: (x * 2).masked_scatter_(mask, v), U(2, 3), U(4), MASK),
    ],
    "index_add_in_place": [row(lambda m, x, i, s: (x * 2).index_add_(0, i, s), U(3, 2), ints([1, 1]), U(2, 2))],
    # products
    "mv": [row(lambda m, a, b: m.mv(a, b), U(2, 3), U(3)), row(lambda m, a, b: a.mv(b), U(0, 3), U(3))],
    "addmm": [
        row(lambda m, x, a, b: m.addmm(x, a, b, beta=0.5, alpha=2), U(4), U(2, 3), U(3, 4)),
        row(lambda m, x, a, b: x.addmm(a, b, beta=0) + 0 * x, U(2, 4), U(2, 3), U(3, 4)),
        row(lambda m, x, a, b: m.baddbmm(x, a, b), U(2, 2, 2), U(2, 2, 3), U(2, 3, 2)),
        row(lambda m, x, a, b: x.baddbmm(a, b, beta=-1.0, alpha=0.5), U(2, 1, 2), U(2, 2, 3), U(2, 3, 2)),
    ],
    "kron": [
        row(lambda m, a, b: m.kron(a, b), U(2, 3), U(3, 2)),
        row(lambda m, a, b: a.kron(b), U(2), U(2, 1, 3)),
        row(lambda m, a, b: m.kron(a, b), U(), U(2)),
    ],
    "cross": [
        row(lambda m, a, b: m.cross(a, b, dim=-1), U(2, 3), U(2, 3)),
        row(lambda m, a, b: a.cross(b, 0), U(3, 2), U(3, 1)),
        row(lambda m, a, b: m.cross(a, b, dim=1), U(2, 3), U(1, 3)),
    ],
    "cdist": [row(lambda m, a, b, p=p: m.cdist(a, b, p), P(3, 2), U(4, 2), second=False) for p in (2.0, 1.0, 3.0)]
    + [
        row(lambda m, a, b: m.cdist(a, b), U(2, 3, 2), U(1, 2, 2), second=False),
        row(lambda m, a, b: m.cdist(a, b), U(0, 2), U(3, 2), second=False),
    ],
    "einsum_of_lists": [
        row(lambda m, a, b: m.einsum(a, [0, 1], b, [1, 2], [0, 2]), U(2, 3), U(3, 4)),
        row(lambda m, a, b: m.einsum(a, [30, 1], b, [1, 2]), U(2, 3), U(3, 4)),
        row(lambda m, a: m.einsum(a, [..., 0, 1], [1, ...]), U(2, 2, 3)),
    ],
    "nearest_exact": [
        row(lambda m, x, s=s: m.nn.functional.interpolate(x, size=s, mode="nearest-exact"), U(1, 2, 5, 3))
        for s in ((3, 4), (7, 2))
    ]
    + [row(lambda m, x: m.nn.functional.interpolate(x, scale_factor=1.6, mode="nearest-exact"), U(1, 2, 5))],
    # factors
    "qr": [row(lambda m, x: joined(m, m.linalg.qr(x)), U(*shape)) for shape in FACTORED]
    + [row(lambda m, x: m.linalg.qr(x).R, U(0, 3, 2)), row(lambda m, x: m.linalg.qr(x, "complete").Q, U(2, 3))],
    "singular": [
        row(lambda m, x: joined(m, no_sign(m.linalg.svd(x, full_matrices=False))), U(*shape)) for shape in FACTORED
    ]
    + [
        row(lambda m, x: m.linalg.svd(x).S, U(2, 3, 2)),
        row(lambda m, x: m.linalg.svd(x)[0][..., :2].abs(), U(4, 2)),
        row(lambda m, x: m.linalg.svd(x).S, U(0, 2, 2)),
    ],
    "pinv": [row(lambda m, x: m.linalg.pinv(x), U(*shape)) for shape in FACTORED]
    + [row(lambda m, x: m.linalg.pinv(x, rtol=1e-5), regular(2, 2)), row(lambda m, x: m.linalg.pinv(x), U(0, 2, 3))],
    "lstsq": [
        row(lambda m, a, b: m.linalg.lstsq(a, b).solution, U(4, 2), U(4, 3)),
        row(lambda m, a, b: m.linalg.lstsq(a, b)[0], U(2, 4, 2), U(2, 4, 1)),
    ],
    "norms_of_linalg": [
        row(lambda m, x: m.linalg.vector_norm(x), U(3, 4)),
        row(lambda m, x: m.linalg.vector_norm(x, 3, 1, True), D(3, 4)),
        row(lambda m, x: m.linalg.vector_norm(x, dim=(0, 1)), U(3, 4)),
        row(lambda m, x: m.linalg.matrix_norm(x), U(3, 4)),
        row(lambda m, x: m.linalg.matrix_norm(x, "nuc", (0, -1), keepdim=True), U(3, 2, 2)),
    ],
}

PLAIN: dict[str, list[Row]] = {
    **{
        name: [
            row(f, fixed([1.5, 0.0, NAN, 0.0]), fixed([0, 0, 1, 2], "int64")),
            row(f, MASK, fixed([True, False, True], "bool")),
        ]
        for name, f in {
            "logical_and": lambda m, x, y: m.logical_and(x, y),
            "logical_or": lambda m, x, y: x.logical_or(y),
            "logical_xor": lambda m, x, y: m.logical_xor(x, y),
        }.items()
    },
    "logical_not": [
        row(lambda m, x: m.logical_not(x), fixed([1.5, 0.0, NAN])),
        row(lambda m, x: x.logical_not(), MASK),
    ],
    "left_shift": [
        row(lambda m, x: x << 2, ints([1, -3])),
        row(lambda m, x: 3 << x, ints([0, 5])),
        row(lambda m, x: x << x, fixed([1, 2], "int32")),
    ],
    "right_shift": [row(lambda m, x: x >> 1, ints([5, -3])), row(lambda m, x: 300 >> x, ints([0, 5]))],
    "running_place": [
        row(lambda m, x: m.cummax(x, 1).indices, fixed([[1.0, 1.0, NAN, 0.0, NAN, 3.0]] * 2)),
        row(lambda m, x: m.cummin(x, 0).indices, ints([[3, 1], [3, 1], [2, 7]])),
        row(lambda m, x: x.cummax(0).indices, fixed(2.0)),
        row(lambda m, x: x.cummin(0)[1], U(0, 2)),
    ],
    "at_the_edges": [
        row(
            quietly(lambda m, x, name=name: getattr(m, name)(x.detach()).float()),
            fixed([0.0, 1.0, -1.0, INF, -INF, NAN, 2.0]),
        )
        for name in ("asin", "acos", "atan", "acosh", "atanh", "erfc", "erfinv", "lgamma", "digamma", "nan_to_num")
    ]
    + [
        row(lambda m, x: m.nan_to_num(x.detach(), 1.0, 2.0, -3.0), fixed([NAN, INF, -INF, 0.5], "float32")),
        row(lambda m, x: m.nan_to_num(x.detach()), fixed([NAN, INF, -INF, 0.5], "float16")),
        row(lambda m, x: m.nan_to_num(x), ints([3])),
        row(lambda m, x: m.copysign(x, m.tensor([-0.0, 1.0, NAN])).abs(), ints([1, -2, 3])),
        row(quietly(lambda m, x: m.logaddexp(x, x.detach()).isfinite()), fixed([-INF, INF, NAN, 1e300])),
    ],
    "division": [
        row(lambda m, x, y, r=r: m.div(x, y, rounding_mode=r), ints([7, -7, 7, -7]), ints([2, 2, -2, -2]))
        for r in ("trunc", "floor")
    ]
    + [
        row(lambda m, x: x.div(2.5, rounding_mode="trunc"), ints([7, -7])),
        row(lambda m, x: m.fmod(x, 3), ints([7, -7])),
    ],
    "medians": [
        row(lambda m, x: m.median(x), ints([3, 1, 2, 5])),
        row(lambda m, x: x.median(1).indices, ints([[3, 1, 2], [5, 4, 4]])),
        row(lambda m, x: m.median(x.detach()), fixed([1.0, NAN, 2.0])),
        row(lambda m, x: x.median(1)[1], fixed([[1.0, NAN, 2.0, NAN], [4.0, 3.0, 2.0, 1.0]])),
        row(lambda m, x: m.quantile(x.detach(), 0.5, 1), fixed([[1.0, NAN, 2.0], [1.0, 4.0, INF]])),
        row(lambda m, x: m.nanmean(x.detach(), 1), fixed([[1.0, NAN, 3.0], [5.0, 1.0, 0.0]])),
    ],
    "counts": [
        row(lambda m, x: m.count_nonzero(x), MASK),
        row(lambda m, x: x.count_nonzero(dim=1), fixed([[0.0, NAN, 2.0]])),
        row(lambda m, x: m.bincount(x), ints([1, 3, 1])),
        row(lambda m, x: x.bincount(minlength=5), ints([])),
        row(lambda m, x: m.bincount(x, x), ints([1, 3, 1])),
        row(lambda m, x: m.bincount(x, m.tensor([1.0, 2.0, 4.0])), fixed([1, 3, 1], "int32")),
        row(lambda m, x: m.tensor([m.equal(x, x), m.equal(x, x[:1]), x.equal(x + 1)]), ints([1, 2])),
    ],
    "unique": [
        row(lambda m, x, k=k: m.unique(x, return_inverse=True, return_counts=True)[k], ints([[3, 1], [3, 2]]))
        for k in range(3)
    ]
    + [
        row(lambda m, x, k=k: x.unique(return_inverse=True, return_counts=True, dim=1)[k], ints([[3, 1, 3], [2, 0, 2]]))
        for k in range(3)
    ]
    + [
        row(lambda m, x: m.unique(x), fixed([NAN, 1.0, NAN])),
        row(lambda m, x: x.unique(), fixed(3.0)),
        row(lambda m, x: m.unique(x), fixed([])),
    ],
    "searchsorted": [
        row(lambda m, x, y, r=r: m.searchsorted(x, y, right=r), fixed([1.0, 3.0, 5.0]), fixed([[3.0, 4.0], [0.0, 9.0]]))
        for r in (False, True)
    ]
    + [
        row(
            lambda m, x, y: m.searchsorted(x, y, side="right", out_int32=True), ints([[1, 3], [2, 4]]), ints([[3], [3]])
        ),
        row(lambda m, x: m.searchsorted(x, 2.5), ints([1, 2, 3])),
        row(lambda m, x, i: m.searchsorted(x, x, sorter=i), ints([3, 1, 2]), ints([1, 2, 0])),
    ],
    "places": [
        row(lambda m, x: m.argwhere(x), MASK),
        row(lambda m, x: m.nonzero(x), fixed(5.0)),
        row(lambda m, x: x.argwhere(), fixed(0.0)),
        row(lambda m, x: m.nonzero(x, as_tuple=True)[0], fixed(5.0)),
        row(lambda m: m.tril_indices(3, 4)),
        row(lambda m: m.triu_indices(3, 3, 1, dtype=m.int32)),
        row(lambda m: m.tril_indices(2, 3, offset=-2)),
        row(lambda m, x: m.repeat_interleave(x), ints([2, 0, 1])),
        row(lambda m, x: m.diff(x), fixed([True, False, False], "bool")),
        row(lambda m, x: x.diff(), ints([1, 4, 2])),
    ],
    "with_another_dtype": [
        row(lambda m, x: m.cumsum(x, 0, dtype=m.int64), fixed([1.5, 2.7])),
        row(lambda m, x: x.cumprod(0, dtype=m.float64), ints([1, 2])),
        row(lambda m, x: x.softmax(0, dtype=m.float64), ints([1, 1])),
    ],
    "complete_factors": [
        row(lambda m, x: m.linalg.qr(x.detach(), mode="r").R.abs().float(), regular(2, 2)),
        row(lambda m, x: m.tensor(m.linalg.qr(x.detach(), "complete").Q.shape), U(4, 2)),
        row(lambda m, x: m.tensor([*m.linalg.svd(x.detach()).U.shape, *m.linalg.svd(x.detach()).Vh.shape]), U(2, 3)),
        row(
            lambda m, x: m.linalg.lstsq(x.detach(), x.detach()[:, 0] if m is lucid else x.detach()[:, :1]).rank,
            regular(2, 2),
        ),
    ],
}
