"""Rows of the table (see table.py): tensor functions: selecting, sorting, products of many kinds, linear algebra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import lucid
from lucid.ops import linalg as ops
from tests.ops.samples import MASK, D, Row, U, fixed, put, row


def ints(values: Any) -> Callable[[np.random.Generator], np.ndarray]:
    return fixed(values, "int64")


def regular(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Square matrices far from singular: a random one, and 3 on the diagonal."""
    return lambda rng: rng.uniform(-1, 1, shape) + 3 * np.eye(shape[-1])


def within(t: Any, view: Callable[[Any], Any], change: Callable[[Any], Any]) -> Any:
    """t after a change in place to a view of it."""
    change(view(t))
    return t


def spd(m: Any, x: Any) -> Any:
    """A symmetric positive definite matrix of any."""
    return x @ x.mT + m.eye(x.shape[-1], dtype=x.dtype)


def cofactors(m: Any, x: Any) -> Any:
    return ops.cofactor(x) if m is lucid else m.linalg.det(x)[..., None, None] * m.linalg.inv(x).mT


def cofactors_along(m: Any, x: Any, h: Any) -> Any:
    """How the cofactors change along h: lucid's operation, and for PyTorch what it is where x is invertible."""
    if m is lucid:
        return ops.cofactor_along(x, h)
    b = m.linalg.inv(x).mT
    return m.linalg.det(x)[..., None, None] * ((b * h).sum((-2, -1), keepdim=True) * b - b @ h.mT @ b)


I23 = ints([[0, 2, 0, 1], [1, 1, 2, 0]])  # (2, 4), into three
LINALG = [(3, 3), (2, 3, 3), (1, 1), (0, 3, 3)]

TABLE: dict[str, list[Row]] = {
    # in place, on views: the root's history must hear of it, and the views' too
    "write_through_views": [
        row(lambda m, x, v: within(x * 2, lambda y: y[1], lambda z: z.mul_(v)), U(3, 4), U(4)),
        row(lambda m, x, v: within(x * 2, lambda y: y.t()[1:], lambda z: put(z, 0, v)), U(3, 4), U(3)),
        row(lambda m, x, v: within(x * 2, lambda y: y.reshape(2, 6)[:, ::2], lambda z: z.add_(v)), U(3, 4), U(3)),
        row(lambda m, x, v: within(x * 2, lambda y: y.permute(2, 0, 1)[1][0], lambda z: z.copy_(v)), U(2, 3, 4), U(3)),
        row(lambda m, x, v: within(x * 2, lambda y: y.diagonal(), lambda z: z.mul_(v)), U(3, 4), U(3)),
        row(lambda m, x, v, i: within(x * 2, lambda y: y[1:], lambda z: put(z, i, v)), U(4, 3), U(2, 3), ints([2, 0])),
        row(lambda m, x: within(x * x, lambda y: y[..., 1:], lambda z: z.zero_()), U(2, 3)),
        row(lambda m, x: (lambda y, z: (y.mul_(x), z * z)[1])(*(lambda y: (y, y.t()[1:]))(x * 2)), U(3, 2)),
        row(lambda m, v: within(m.zeros(2, 3, dtype=v.dtype), lambda y: y[0], lambda z: z.add_(v)), U(3)),
    ],
    "shaped_as_another": [row(lambda m, x, y: x.view_as(y) * y, U(6), U(2, 3)),
                          row(lambda m, x, y: x.t().reshape_as(y) * y, U(2, 3), U(1, 6))],
    "in_place_by_index": [
        row(lambda m, x, mask: (x * 2).masked_fill_(mask, 0.5), U(2, 3), MASK),
        row(lambda m, x: (x * 2).unsqueeze_(1) * x, U(2, 3)), row(lambda m, x: (x * 2).t_().exp_(), U(2, 3)),
        row(lambda m, x: (lambda y: (lambda z: (y.transpose_(0, 1).mul_(3), z * z * y[0])[1])(y[1]))(x * 2), U(2, 2)),
        row(lambda m, x: (lambda y: (y[0].squeeze_(0).mul_(x[1, 0]), y * y)[1])(x * 2), U(2, 1, 3)),
        row(lambda m, x, i, s: (x * 2).scatter_(1, i, s), U(2, 3), ints([[0, 2], [1, 0]]), U(2, 2)),
        row(lambda m, x, i, s: (x * 2).scatter_add_(1, i, s), U(2, 3), I23, U(2, 4)),
    ],
    # diagonals and triangles
    "tril": [row(lambda m, x, k=k: m.tril(x, k), U(3, 4)) for k in (0, 1, -1, -5)]
    + [row(lambda m, x: x.tril(), U(2, 3, 2)), row(lambda m, x: x.tril(diagonal=1), U(0, 3))],
    "triu": [row(lambda m, x, k=k: m.triu(x, k), U(3, 4)) for k in (0, 1, -1, 5)]
    + [row(lambda m, x: x.triu(), U(2, 3, 2)), row(lambda m, x: x.triu(diagonal=1), U(3, 0))],
    "diagonal": [row(lambda m, x, k=k: m.diagonal(x, k), U(3, 4)) for k in (0, 1, -2)]
    + [row(lambda m, x: x.diagonal(1, -2, -1), U(2, 3, 4)), row(lambda m, x: x.diagonal(dim1=2, dim2=0), U(2, 3, 4)),
       row(lambda m, x: m.diag(x), U(3, 3)), row(lambda m, x: m.diag(x, -1), U(3, 2)),
       row(lambda m, x: m.trace(x), U(3, 4)), row(lambda m, x: x.trace(), U(0, 0))],
    "put_diagonal": [row(lambda m, x: m.diag(x), U(3)), row(lambda m, x: x.diag(2), U(2)),
                     row(lambda m, x: x.diag(diagonal=-1), U(2)), row(lambda m, x: m.diag(x), U(0))],
    # by index
    "scatter_add_along": [
        row(lambda m, x, i, s: m.scatter_add(x, 1, i, s), U(2, 3), I23, U(2, 4)),
        row(lambda m, x, i, s: x.scatter_add(0, i, s), U(3, 5), I23, U(2, 4)),
        row(lambda m, x, i, s: x.scatter_add(-1, i, s), U(3), ints([2, 2, 0, 2]), U(4)),
        row(lambda m, x, i, s: x.scatter_add(0, i, s), U(3), ints([]), U(0)),
    ],
    "scatter": [
        row(lambda m, x, i, s: m.scatter(x, 1, i, s), U(2, 3), ints([[0, 2], [1, 0]]), U(2, 2)),
        row(lambda m, x, i, s: x.scatter(0, i, s), U(3, 5), ints([[0, 2, 1], [1, 0, 2]]), U(2, 3)),
        row(lambda m, x, i: x.scatter(1, i, 1.5), U(2, 3), ints([[2], [0]])),
        row(lambda m, x, i: x.scatter(1, i, value=2), U(2, 3), ints([[2], [0]])),
    ],
    "index_add": [
        row(lambda m, x, i, s: m.index_add(x, 1, i, s), U(2, 3), ints([0, 2, 0, 0]), U(2, 4)),
        row(lambda m, x, i, s: x.index_add(0, i, s, alpha=-2.5), U(3, 2), ints([1, 1]), U(2, 2)),
    ],
    "take_along_dim": [
        row(lambda m, x, i: m.take_along_dim(x, i, 1), U(2, 3), ints([[0, 0, 2, 1], [1, 2, 2, 2]])),
        row(lambda m, x, i: x.take_along_dim(i, dim=0), U(3, 4), ints([[2], [0], [2], [1], [0]])),
        row(lambda m, x, i: x.take_along_dim(i), U(2, 3), ints([[5, 0], [5, 3]])),
        row(lambda m, x, i: x.take_along_dim(i, 1), U(1, 3), ints([[0], [2]])),
    ],
    "narrow": [row(lambda m, x: m.narrow(x, 1, 1, 2), U(2, 4)), row(lambda m, x: x.narrow(0, -2, 1), U(3))],
    # by rank
    "sort": [
        row(lambda m, x: m.sort(x).values, D(3, 4)), row(lambda m, x: x.sort(0, descending=True)[0], D(3, 4)),
        row(lambda m, x: x.sort(dim=1, stable=True).values ** 2, D(2, 3)),
        row(lambda m, x: x.sort().values, D()), row(lambda m, x: x.sort(0).values, D(0, 2)),
        row(lambda m, x: m.take_along_dim(x, m.argsort(x, 1), 1), D(2, 3)),
    ],
    "topk": [
        row(lambda m, x: m.topk(x, 2).values, D(3, 4)), row(lambda m, x: x.topk(3, 0, largest=False)[0], D(3, 2)),
        row(lambda m, x: x.topk(1).values, D()), row(lambda m, x: x.topk(0).values, D(3)),
    ],
    "cumprod": [
        row(lambda m, x: m.cumprod(x, 1), U(3, 4)), row(lambda m, x: x.cumprod(0), U(3, 2)),
        row(lambda m, x: x.cumprod(-1), fixed([2.0, 0.0, 3.0, 4.0])), row(lambda m, x: x.cumprod(0), U()),
        row(lambda m, x: x.cumprod(1), fixed([[0.0, 2.0, 0.0, 3.0], [1.0, 0.0, 0.0, 0.0]])),
        row(lambda m, x: x.cumprod(0), U(0, 3)), row(lambda m, x: x.cumprod(1), U(2, 3, 2)),
    ],
    "prod_along_the_last": [row(lambda m, x: x.prod(-1), U(2, 3, 2)),
                            row(lambda m, x: m.prod(x, -2, keepdim=True),
                                fixed([[[0.0, 2.0], [3.0, 0.5], [1.5, 0.0]]]))],
    "meshgrid": [
        row(lambda m, x, y: m.stack(m.meshgrid(x, y, indexing="ij")), U(2), U(3)),
        row(lambda m, x, y, z: m.stack(m.meshgrid([x, y, z], indexing="xy"), -1), U(2), U(3), U()),
        row(lambda m, x: m.meshgrid(x, indexing="xy")[0], U(3)),
    ],
    # products
    "einsum": [row(lambda m, *xs, eq=eq: m.einsum(eq, *xs), *(U(*shape) for shape in shapes)) for eq, *shapes in [
        ("ij,jk->ik", (2, 3), (3, 4)), ("bij,bjk->bik", (2, 3, 2), (2, 2, 3)), ("bij,jk->bik", (2, 3, 2), (2, 3)),
        ("ij,jk", (2, 3), (3, 4)), ("ba", (2, 3)), ("ii", (3, 3)), ("ii->i", (3, 3)),
        ("iji->j", (2, 3, 2)), ("i,j->ji", (2,), (3,)), ("i,i->", (3,), (3,)), ("bi,bi->b", (2, 3), (2, 3)),
        ("ij->", (2, 3)), ("bhqd,bhkd->bhqk", (2, 2, 3, 2), (2, 2, 2, 2)),
        ("...ij,...jk->...ik", (2, 1, 2, 3), (4, 3, 2)),
        ("...i,i", (2, 3), (3,)), ("i...->...", (3, 2)), ("i...->i", (3, 2)), ("ij,ij->ij", (2, 1), (2, 3)),
        ("ij,jk->ik", (2, 3), (1, 4)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("i,i,i->", (3,), (3,), (3,)),
        ("ab,cb,ad,cd->", (2, 3), (2, 3), (2, 2), (2, 2)), (",ij->ij", (), (2, 2)), (",->", (), ()), ("->", ()),
        ("ij,jk->ik", (2, 0), (0, 3)), ("ij->ij", (2, 3)), ("ij->i", (0, 3)),
        ("bn,anm,bm->ba", (2, 3), (4, 3, 2), (2, 2)),
        ("iij,jk->ik", (2, 2, 3), (3, 2)), ("i,j,k->kji", (2,), (3,), (2,)), ("Aa,aB->BA", (2, 3), (3, 2)),
        ("...,...->...", (2, 3), (3,)), ("ij,ik->jk", (3, 2), (3, 4)),
    ]]
    + [row(lambda m, x, y: m.einsum(" i j , j k -> i k ", [x, y]), U(2, 3), U(3, 2)),
       row(lambda m, x: m.einsum("i,i->i", x, x), U(3))],
    "tensordot": [
        row(lambda m, x, y: m.tensordot(x, y), U(2, 3, 4), U(3, 4, 2)),
        row(lambda m, x, y: m.tensordot(x, y, 1), U(2, 3), U(3, 2)),
        row(lambda m, x, y: m.tensordot(x, y, dims=0), U(2), U(3)),
        row(lambda m, x, y: m.tensordot(x, y, dims=([2, 0], [0, -1])), U(2, 3, 4), U(4, 5, 2)),
        row(lambda m, x, y: m.tensordot(x, y, dims=([], [])), U(), U(2)),
        row(lambda m, x, y: m.tensordot(x, y, 1), U(2, 3), U(1, 2)),
    ],
    # linear algebra
    "inv": [row(lambda m, x: m.linalg.inv(x), regular(*shape)) for shape in LINALG],
    "solve": [row(lambda m, a, b: m.linalg.solve(a, b), regular(*a), U(*b)) for a, b in [
        ((3, 3), (3, 2)), ((3, 3), (3,)), ((2, 3, 3), (2, 3)), ((2, 3, 3), (2, 3, 1)), ((3, 3), (2, 3, 2)),
        ((2, 1, 2, 2), (3, 2, 1)), ((1, 1), (1, 2)), ((2, 2, 2), (2,))]]
    + [row(lambda m, a, b: m.linalg.solve(a, b, left=False), regular(2, 2), U(3, 2)),
       row(lambda m, a, b: m.linalg.solve(a, b), fixed(np.zeros((0, 0))), U(0, 2))],
    "det": [row(lambda m, x: m.linalg.det(x), regular(*shape)) for shape in LINALG],
    "cofactor": [row(cofactors, regular(3, 3)), row(cofactors, regular(2, 2, 2)), row(cofactors, regular(1, 1)),
                 row(cofactors, regular(0, 2, 2))],
    "cofactor_along": [row(cofactors_along, regular(3, 3), U(3, 3)), row(cofactors_along, regular(2, 2, 2), U(2, 2, 2)),
                       row(cofactors_along, regular(4, 4), U(4, 4)),
                       row(cofactors_along, regular(0, 2, 2), U(0, 2, 2))],
    "slogdet": [row(lambda m, x: m.linalg.slogdet(x).logabsdet, regular(*shape)) for shape in LINALG]
    + [row(lambda m, x: (lambda sign, size: sign * size)(*m.linalg.slogdet(-x)), regular(3, 3))],
    "cholesky": [row(lambda m, x: m.linalg.cholesky(spd(m, x)), U(*shape)) for shape in LINALG]
    + [row(lambda m, x: m.linalg.cholesky(spd(m, x), upper=True), U(2, 2))],
    "eigh": [row(lambda m, x: m.linalg.eigh(x + x.mT).eigenvalues, U(*shape)) for shape in LINALG]
    # of an eigenvector only what its sign does not change
    + [row(lambda m, x: (lambda w, v: v.square() @ (w.exp()[..., None]))(*m.linalg.eigh(x + x.mT)), U(*shape))
       for shape in ((3, 3), (2, 2, 2))]
    + [row(lambda m, x: m.linalg.eigh(x + x.mT, UPLO="U")[1].abs(), U(3, 3))],
    "linalg_norm": [row(lambda m, x, ord=ord: m.linalg.norm(x, ord), U(3, 4))
                    for ord in (None, "fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf"))]
    + [row(lambda m, x, ord=ord: m.linalg.norm(x, ord, dim=1), D(3, 4)) for ord in (None, 1, 3, 0.5, float("inf"))]
    + [row(lambda m, x, ord=ord: m.linalg.norm(x, ord, (2, 0), keepdim=True), D(3, 2, 2))
       for ord in (None, "nuc", 1, float("inf"), 2)]
    + [row(lambda m, x: m.linalg.norm(x), D(2, 3, 2)), row(lambda m, x: m.linalg.norm(x, 3), D(4)),
       row(lambda m, x: m.linalg.norm(x, 1, dim=(0, 1)), D(3, 2)),
       row(lambda m, x: m.linalg.norm(x, 2, dim=(-1, -2)), D(2, 3, 2))],
    "matrix_power": [row(lambda m, x, n=n: m.linalg.matrix_power(x, n), regular(*shape))
                     for n, shape in ((1, (2, 2)), (2, (2, 2, 2)), (3, (2, 2)), (6, (2, 2)), (7, (2, 2)), (-1, (3, 3)),
                                      (-3, (2, 2)))],
}  # fmt: skip

PLAIN: dict[str, list[Row]] = {
    "sorted_indices": [
        row(lambda m, x: m.argsort(x), U(3, 4)), row(lambda m, x: x.argsort(0, descending=True), U(3, 4)),
        row(lambda m, x: x.sort(1).indices, U(3, 4)), row(lambda m, x: m.topk(x, 2, 0)[1], U(3, 4)),
        row(lambda m, x: m.sort(x, stable=True, dim=0).indices, fixed([2.0, 1.0, 2.0, 1.0, 1.0])),
        row(lambda m, x: m.sort(x, stable=True, dim=0, descending=True).indices, fixed([2.0, 1.0, 2.0, 1.0, 1.0])),
        row(lambda m, x: m.argsort(x), fixed([2.0, np.nan, np.inf, -np.inf])),
        row(lambda m, x: m.argsort(x, descending=True), fixed([2.0, np.nan, np.inf, -np.inf])),
        row(lambda m, x: m.argsort(x), U()),
        row(lambda m, x: m.sort(x).values, ints([[3, 1, 2]])), row(lambda m, x: m.topk(x, 2).values, ints([3, 1, 2])),
        row(lambda m, x: m.sort(x).values, fixed([True, False, True], "bool")), row(lambda m, x: x.argsort(0), U(0, 2)),
    ],
    "selecting_integers": [
        row(lambda m, x: m.tril(x), ints([[1, 2], [3, 4]])),
        row(lambda m, x: m.triu(x, 1), fixed(np.ones((3, 3)), "bool")), row(lambda m, x: m.diag(x), ints([1, 2])),
        row(lambda m, x: m.trace(x), ints([[1, 2], [3, 4]])),
        row(lambda m, x, i, s: x.scatter_add(0, i, s), ints([0, 0]), ints([1, 1, 0]), ints([1, 2, 3])),
        row(lambda m, x, i: x.scatter(0, i, 7), ints([0, 0]), ints([1])),
        row(lambda m, x: x.cumprod(0), ints([1, 2, 3])),
        row(lambda m, x: m.einsum("ij,kj->ik", x, x), ints([[1, 2], [3, 4]])),
        row(lambda m, x: m.tensordot(x, x), ints([[1, 2], [3, 4]])),
        row(lambda m, x: m.meshgrid(x, x, indexing="ij")[1], ints([1, 2])),
    ],
    "comparing_methods": [row(lambda m, x, y: m.stack([x.eq(y), x.ne(y), x.lt(y), x.le(y), x.gt(y), x.ge(y)]),
                              fixed([1.0, 2.0, np.nan]), fixed([1.0, 3.0, 2.0]))],
    "constant_matrices": [row(lambda m, x: m.linalg.matrix_power(x.detach(), 0), U(2, 3, 3)),
                          row(lambda m, x: m.linalg.slogdet(x.detach()).sign, U(4, 2, 2))],
}  # fmt: skip
