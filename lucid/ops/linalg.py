"""Linear algebra: inverses, determinants and factors of matrices, one or a batch of them; `lucid.linalg`.

The last two axes are the matrix. The vjps are those of Giles (2008, "An extended collection of matrix derivative
results for forward and reverse mode algorithmic differentiation") unless one says otherwise. They are made of products
and of the operations of this file, and so there are derivatives of every order. A matrix that has no inverse, or no
such factor, is an error that says which one of the batch it is.

>>> import lucid
>>> lucid.linalg.inv(lucid.tensor([[2., 0.], [0., 4.]]))
tensor([[0.5 , 0.  ],
        [0.  , 0.25]])
"""

from __future__ import annotations

import math
from collections import namedtuple
from functools import partial
from itertools import product
from typing import Any, NamedTuple

from lucid.core.array import cpu, get_default_dtype, namespace
from lucid.core.matmul import matmul
from lucid.core.node import Tensor
from lucid.core.op import op
from lucid.core.promotion import as_int, ndim_of
from lucid.core.shapes import _broadcast_to, _reshape, axis_of, sizes
from lucid.ops.checks import as_float
from lucid.ops.pad import _pad
from lucid.ops.reductions import norm as norm_of_lucid
from lucid.ops.shapes import _cat, _transpose, joint_shape, put_diagonal


class SignLogabsdet(NamedTuple):
    """What `slogdet` returns."""

    sign: Tensor
    logabsdet: Tensor


class EigenvaluesEigenvectors(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


QR = namedtuple("QR", "Q R")
SVD = namedtuple("SVD", "U S Vh")
LeastSquares = namedtuple("LeastSquares", "solution residuals rank singular_values")


def _square(name, A):
    """The matrices A, arrays or a Tensor, if they are square."""
    if ndim_of(name, A) < 2 or A.shape[-1] != A.shape[-2]:
        raise ValueError(f"{name}: expected a square matrix or a batch of them, (..., n, n), got shape {A.shape}")
    return A


_t = lambda xp, x: xp.swapaxes(x, a=-1, b=-2)
# A number for each matrix, and the sum of the products of two matrices' elements, in a shape that multiplies matrices:
_per_matrix = lambda xp, x: xp.reshape(x, shape=(*x.shape, 1, 1))
_inner_product = lambda xp, a, b: xp.sum(a * b, axis=(-2, -1), keepdims=True)


def _lapack(xp, name, why, routine, *arrays):
    """The result of a LAPACK routine; where it fails, an error that says at which matrix, and why."""
    try:
        with xp.strict():
            return routine(*arrays)
    except xp.linalg.LinAlgError:
        batch, which = arrays[0].shape[:-2], "a matrix"
        for index in product(*map(range, batch)):
            try:
                with xp.strict():
                    routine(*(x[index] for x in arrays))
            except xp.linalg.LinAlgError:
                which = f"matrix [{', '.join(map(str, index))}] of the batch" if batch else "the matrix"
                break
        raise ValueError(f"{name}: {which} {why}") from None


_SINGULAR = "is singular: its rows are linearly dependent; x + 1e-6 * eye(n), for example, is close to it and regular"
_INFINITE = "has no such factors in floating point; are there NaN or infinite elements in it?"
_INDEFINITE = "is not positive definite; if only rounding has made it so, pass x + 1e-6 * eye(n), for example"


@op(floats=True, A=lambda xp, g, out: -xp.matmul(xp.matmul(_t(xp, out), g), _t(xp, out)))
def inv(xp, A):
    """The inverse: inv(A) A = A inv(A) = I; `solve(A, B)` is faster and more accurate than `inv(A) @ B`. Raises
    ValueError for a singular matrix, and for one that is not square."""
    return _lapack(xp, "inv", _SINGULAR, xp.linalg.inv, _square("inv", A))


@op(
    floats=True, shared={"d": lambda xp, g, a: xp.solve(_t(xp, a), g)},
    a=lambda xp, g, d, out: -xp.matmul(d, _t(xp, out)), b=lambda xp, g, d: d,
)  # fmt: skip
def _solve(xp, a, b):
    """The matrix x for which a x = b; a and b have the same leading axes."""
    return _lapack(xp, "solve", _SINGULAR, xp.linalg.solve, a, b)


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X such that A X = B, or with `left=False` X A = B.

    B is a matrix (..., n, k), or for each A a vector: (n,), or the shape of A without its last dim. Batches
    broadcast. Raises ValueError for a singular matrix, for one that is not square, and where B does not fit.
    """
    _square("solve", A)
    vector = ndim_of("solve", B) == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    X = B.unsqueeze(-1) if vector else B
    A, X = (A, X) if left or vector else (A.mT, X.mT)
    if X.ndim < 2 or X.shape[-2] != A.shape[-1]:
        expected = "expected (..., n, n) and (..., n, k) or (n,)"
        raise ValueError(f"solve: shapes {A.shape} and {B.shape} do not fit; {expected}")
    batch = joint_shape("solve", A.shape[:-2], X.shape[:-2])
    A, X = (x if x.shape[:-2] == batch else _broadcast_to(x, shape=batch + x.shape[-2:]) for x in (A, X))
    X = _solve(A, X)
    return X.squeeze(-1) if vector else X if left else X.mT


@op(floats=True, x=lambda xp, g, out: _cholesky_slope(xp, g, out))
def _cholesky(xp, x):
    """The lower triangular matrix l with l l' = x. Of x the lower triangle is read; the gradient is symmetric."""
    return _lapack(xp, "cholesky", _INDEFINITE, xp.linalg.cholesky, x)


def _cholesky_slope(xp, g, out):
    """l'^-1 s l^-1 / 2, where s is the lower triangle of l' g mirrored (Murray 2016, arXiv 1602.07527)."""
    upper = _t(xp, out)
    lower = xp.tril(xp.matmul(upper, g))
    mirrored = lower + _t(xp, xp.tril(lower, k=-1))
    return xp.solve(upper, _t(xp, xp.solve(upper, mirrored))) / 2


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L with a positive diagonal for which L L' = A; with `upper` its transpose.

    A must be symmetric; only its lower (with `upper`, upper) triangle is read. The gradient is a symmetric
    matrix. Raises ValueError for a matrix that is not positive definite, and for one that is not square."""
    _square("cholesky", A)
    return _cholesky(A.mT).mT if upper else _cholesky(A)


# The matrix of cofactors is det(x) inv(x)' for an invertible x, but at a singular one it need not be 0. With
# x = u diag(s) v' it is det(u) det(v) u diag(c) v', where c[i] is the product of all s but s[i]. Its own derivative is
# that of diag(s), in the same bases.


@op(floats=True, A=lambda xp, g, A: _per_matrix(xp, g) * xp.cofactor(A))
def det(xp, A):
    """The determinant, one number for each matrix: sum over permutations p of sign(p) * A[0, p[0]] * A[1, p[1]] * ...

    Its gradient is the matrix of cofactors, right for singular matrices too, and so is the second derivative;
    from the third on A must be invertible. Raises ValueError for a matrix that is not square."""
    return xp.linalg.det(_square("det", A))


@op(x=lambda xp, g, x: xp.cofactor_along(x, g))
def cofactor(xp, x):
    """The matrix of cofactors, the gradient of the determinant."""
    u, s, v, sign = _svd(xp, x)
    others = xp.where(xp.eye(s.shape[-1], dtype=bool), 1, s[..., None, :]).prod(axis=-1)  # all but s[i]: (..., i)
    return sign * xp.matmul(u * others[..., None, :], v)


@op(x=lambda xp, g, x, h: _third_slope(xp, g, x, h), h=lambda xp, g, x: xp.cofactor_along(x, g))
def cofactor_along(xp, x, h):
    """The derivative of the matrix of cofactors of x + t h by t, at t = 0."""
    u, s, v, sign = _svd(xp, x)
    in_bases = xp.matmul(xp.matmul(_t(xp, u), h), _t(xp, v))  # (..., n, n)
    one = xp.eye(s.shape[-1], dtype=bool)
    others = xp.where(one[:, None] | one, 1, s[..., None, None, :]).prod(axis=-1)  # all but two: (..., i, j)
    others = xp.where(one, 0, others)
    diagonal = xp.matmul(others, in_bases.diagonal(0, -2, -1)[..., None])
    slope = xp.where(one, diagonal, -others * _t(xp, in_bases))
    return sign * xp.matmul(xp.matmul(u, slope), v)


def _svd(xp, x):
    """x = u diag(s) v, and the determinant of u v, which is 1 or -1."""
    u, s, v = _lapack(xp, "det", _INFINITE, xp.linalg.svd, x)
    return u, s, v, xp.sign(xp.linalg.det(u) * xp.linalg.det(v))[..., None, None]


def _third_slope(xp, g, x, h):
    """det(x) (b <b, h> - b h' b), the slope of the cofactors for b = inv(x)', differentiated once more along g."""
    b = _t(xp, xp.inv(x))
    g_b, h_b = xp.matmul(_t(xp, g), b), xp.matmul(_t(xp, h), b)
    b_g_b, b_h_b = xp.matmul(b, g_b), xp.matmul(b, h_b)
    along_g, along_h = _inner_product(xp, b, g), _inner_product(xp, b, h)
    slope = along_g * (along_h * b - b_h_b) - _inner_product(xp, b_g_b, h) * b - along_h * b_g_b
    return _per_matrix(xp, xp.det(x)) * (slope + xp.matmul(b_g_b, h_b) + xp.matmul(b_h_b, g_b))


@op(floats=True, x=lambda xp, g, x: _per_matrix(xp, xp.getitem(g, index=(1, Ellipsis))) * _t(xp, xp.inv(x)))
def _slogdet(xp, x):
    """Two numbers for each matrix, along a new first axis: the sign of the determinant, and log |determinant|."""
    out = xp.empty((2, *x.shape[:-2]), dtype=x.dtype)
    out[0], out[1] = xp.linalg.slogdet(x)
    return out


def slogdet(A: Tensor) -> SignLogabsdet:
    """The sign of the determinant and log |det A|, which neither overflow nor underflow; 0 and -inf for singular A.

    The gradient is that of log |det A|, inv(A)'; the sign has none. Raises ValueError for a matrix that is
    not square; from `backward()`, for a singular one."""
    both = _slogdet(_square("slogdet", A))
    return SignLogabsdet(both.detach()[0].clone(), both[1].clone())


@op(floats=True, x=lambda xp, g, out: _eigh_slope(xp, *_unpacked(xp, g), *_unpacked(xp, out)))
def _eigh(xp, x):
    """The eigenvalues of a symmetric matrix, in ascending order, as the first row; below each its eigenvector."""
    values, vectors = _lapack(xp, "eigh", _INFINITE, xp.linalg.eigh, x)
    return xp.concatenate([values[..., None, :], vectors], axis=-2)  # (..., n + 1, n)


def _unpacked(xp, out):
    values = xp.getitem(out, index=(Ellipsis, slice(0, 1), slice(None)))  # (..., 1, n)
    return values, xp.getitem(out, index=(Ellipsis, slice(1, None), slice(None)))


def _eigh_slope(xp, g_values, g_vectors, values, vectors):
    """v (diag(g_values) + (v' g_vectors) / (w[j] - w[i])) v'; only the skew part of v' g_vectors turns eigenvectors."""
    turn = xp.matmul(_t(xp, vectors), g_vectors)
    turn = (turn - _t(xp, turn)) / 2
    gaps = values - _t(xp, values)
    none = (gaps == 0) & (turn == 0)  # on the diagonal, and of equal eigenvalues whose vectors the loss does not use
    turn = turn / xp.where(none, 1, gaps)
    return xp.matmul(xp.matmul(vectors, turn) + vectors * g_values, _t(xp, vectors))


def eigh(A: Tensor, UPLO: str = "L") -> EigenvaluesEigenvectors:
    """The eigenvalues of a symmetric matrix in ascending order, and its eigenvectors as columns: A V = V diag(w).

    Only the lower (UPLO="U": upper) triangle of A is read; the gradient is a symmetric matrix. An eigenvector
    has no sign of its own: a loss must not depend on which of v and -v comes out. Where eigenvalues are
    equal, the gradient of the eigenvectors, and the second derivative of the eigenvalues, do not exist and
    come out infinite or NaN. Raises ValueError for a matrix that is not square, and another UPLO."""
    if UPLO not in ("L", "U"):
        raise ValueError(f"eigh: expected UPLO to be 'L' or 'U', got {UPLO!r}")
    _square("eigh", A)
    both = _eigh(A.mT if UPLO == "U" else A)
    return EigenvaluesEigenvectors(both[..., 0, :].clone(), both[..., 1:, :].clone())


def _matrices(name: str, A: Any) -> tuple[Tensor, int, int]:
    """A, integers as floats, if it is a matrix or a batch of them, and its two sizes."""
    if ndim_of(name, A) < 2:
        raise ValueError(f"{name}: expected a matrix or a batch of them, (..., m, n), got shape {A.shape}")
    return A if A.dtype.kind == "f" else A.to(get_default_dtype()), *A.shape[-2:]


@op(floats=True, x=lambda xp, g, x_shape, out: _qr_slope(xp, *_cut(xp, g, x_shape[-2]), *_cut(xp, out, x_shape[-2])))
def _qr(xp, x):
    """Of matrices with n columns and no fewer rows: q with orthonormal columns, and below it the transpose of r."""
    q, r = _lapack(xp, "qr", _INFINITE, xp.linalg.qr, x)
    return xp.concatenate([q, _t(xp, r)], axis=-2)  # (..., m + n, n)


def _cut(xp, x, at):
    """Matrices of which one stands above the other."""
    return [xp.getitem(x, index=(Ellipsis, rows, slice(None))) for rows in (slice(0, at), slice(at, None))]


def _qr_slope(xp, g_q, g_r, q, r):
    """(g_q + q s) inv(r)', where s is the lower triangle of r g_r' - g_q' q mirrored (Walter and Lehmann 2012,
    arXiv:1009.6112); r and g_r come transposed."""
    s = xp.tril(xp.matmul(_t(xp, r), g_r) - xp.matmul(_t(xp, g_q), q))
    s = s + _t(xp, xp.tril(s, k=-1))
    return _t(xp, xp.solve(_t(xp, r), _t(xp, g_q + xp.matmul(q, s))))


def qr(A: Tensor, mode: str = "reduced") -> QR:
    """Q with orthonormal columns and an upper triangular R, with Q R = A.

    With k the smaller of A's two sizes they are (..., m, k) and (..., k, n); with mode="complete" (..., m, m) and
    (..., m, n), and then a Q of more than n columns has no gradient; with mode="r" Q is empty. Raises ValueError for
    another mode, and from `backward()` where the first k columns depend on each other."""
    A, m, n = _matrices("qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr: expected mode to be 'reduced', 'complete' or 'r', got {mode!r}")
    if mode == "complete" and m > n:
        if A.requires_grad:
            raise ValueError(f"qr: a Q of shape ({m}, {m}) has no gradient; use mode='reduced', or A.detach()")
        return QR(*map(Tensor, namespace(A._array).linalg.qr(A._array, mode=mode)))
    both = _qr(A if m >= n else A[..., :m])
    Q, R = both[..., :m, :].clone(), both[..., m:, :].mT.clone()
    R = R if m >= n else _cat(R, matmul(Q.mT, A[..., m:]), axis=-1)
    return QR(A.new_zeros(0) if mode == "r" else Q, R)


@op(floats=True, x=lambda xp, g, x_shape, out: _svd_slope(xp, *_three(xp, g, x_shape), *_three(xp, out, x_shape)))
def _singular(xp, x):
    """For x = u diag(s) v', all of them with min(m, n) columns: s, u and v, one below the other."""
    u, s, vh = _lapack(xp, "svd", _INFINITE, partial(xp.linalg.svd, full_matrices=False), x)
    return xp.concatenate([s[..., None, :], u, _t(xp, vh)], axis=-2)  # (..., 1 + m + n, k)


def _three(xp, x, x_shape):
    s, rest = _cut(xp, x, 1)
    return [s, *_cut(xp, rest, x_shape[-2])]


def _svd_slope(xp, g_s, g_u, g_v, s, u, v):
    """Townsend (2016, "Differentiating the singular value decomposition"): what turns the vectors within the bases,
    and, where x is not square, out of them."""
    gaps, along_u, along_v = s * s - _t(xp, s * s), xp.matmul(_t(xp, u), g_u), xp.matmul(_t(xp, v), g_v)
    turn_u, turn_v = (_ratio(xp, a - _t(xp, a), gaps) for a in (along_u, along_v))
    left = xp.matmul(u, turn_u * s + _t(xp, s) * turn_v) + u * g_s
    if u.shape[-2] > u.shape[-1]:
        left = left + _ratio(xp, g_u - xp.matmul(u, along_u), s)
    slope = xp.matmul(left, _t(xp, v))
    if v.shape[-2] > v.shape[-1]:
        slope = slope + xp.matmul(u, _t(xp, _ratio(xp, g_v - xp.matmul(v, along_v), s)))
    return slope


def _ratio(xp, a, b):
    """a / b, and 0 for 0 / 0: of equal singular values, or those of 0, whose vectors the loss does not use."""
    return a / xp.where((a == 0) & (b == 0), 1, b)


def svd(A: Tensor, full_matrices: bool = True) -> SVD:
    """U, the singular values S in descending order and V', with U diag(S) V' = A; U and V have orthonormal columns.

    U is (..., m, m) and Vh (..., n, n), or with full_matrices=False only the min(m, n) columns and rows that belong to
    singular values; the others have no gradient. A pair of vectors has no sign of its own: a loss must not depend on
    which comes out. Where singular values are equal, or 0, the gradient of their vectors does not exist and comes out
    infinite or NaN."""
    A, m, _ = _matrices("svd", A)
    rows = _singular(A)
    U, S, V = rows[..., 1 : m + 1, :].clone(), rows[..., 0, :].clone(), rows[..., m + 1 :, :].clone()
    if full_matrices:  # the columns that are missing are those of a complete Q
        U, V = (_cat(t, qr(t.detach(), "complete").Q[..., S.shape[-1] :], axis=-1) for t in (U, V))
    return SVD(U, S, V.mT)


@op(floats=True, x=lambda xp, g, x, out: _pinv_slope(xp, g, x, out))
def _pinv(xp, x, *, atol, rtol):
    """v diag(1 / s) u' for x = u diag(s) v', without the s up to atol, or rtol times the largest."""
    u, s, vh = _lapack(xp, "pinv", _INFINITE, partial(xp.linalg.svd, full_matrices=False), x)
    kept = s > xp.maximum(rtol * s[..., :1], atol)
    return xp.matmul(_t(xp, vh) * (kept / xp.where(kept, s, 1)).astype(x.dtype)[..., None, :], _t(xp, u))


def _pinv_slope(xp, g, x, out):
    """Golub and Pereyra (1973, doi:10.1137/0710036), for a rank that stays what it is."""
    g, back = _t(xp, g), _t(xp, out)
    right, left = xp.matmul(xp.matmul(g, out), back), xp.matmul(back, xp.matmul(out, g))
    slope = right - xp.matmul(x, xp.matmul(out, right)) + left - xp.matmul(xp.matmul(left, out), x)
    return slope - xp.matmul(back, xp.matmul(_t(xp, g), back))


def pinv(A: Tensor, *, atol: float | None = None, rtol: float | None = None, hermitian: bool = False) -> Tensor:
    """The pseudo-inverse of Moore and Penrose: P with A P A = A, P A P = P, and A P and P A symmetric.

    Singular values up to `atol` (0), or up to `rtol` times the largest (the longer side times the dtype's eps, unless
    there is an `atol`), count as 0. `hermitian` makes no difference here."""
    A, *shape = _matrices("pinv", A)
    rtol = (0.0 if atol else max(shape) * float(cpu.finfo(A.dtype).eps)) if rtol is None else rtol
    return _pinv(A, atol=float(atol or 0.0), rtol=as_float("pinv", "rtol", rtol))


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """X for which the sum of the squares of A X - B is least, and of these the shortest, `pinv(A, rtol=rcond) @ B`; A
    is (..., m, n) and B (..., m, k), or one vector (m,). With it the sums for each column (empty unless m > n and A has
    full rank), the rank of A and its singular values. `driver` makes no difference. Raises ValueError for other
    shapes."""
    (A, m, n), vector = _matrices("lstsq", A), ndim_of("lstsq", B) == 1
    B = B.unsqueeze(-1) if vector else B
    if B.ndim < 2 or B.shape[-2] != m:
        raise ValueError(f"lstsq: expected shapes (..., m, n) and (..., m, k), got {A.shape} and {B.shape}")
    rcond = max(m, n) * float(cpu.finfo(A.dtype).eps) if rcond is None else rcond
    X, values = matmul(pinv(A, rtol=rcond), B), svd(A.detach(), False).S
    rank = (values > rcond * values[..., :1]).sum(-1)
    residuals = (matmul(A, X) - B).square().sum(-2) if m > n and bool((rank == n).all()) else A.new_zeros(0)
    return LeastSquares(X.squeeze(-1) if vector else X, residuals, rank, values)


def matrix_power(A: Tensor, n: int) -> Tensor:
    """A @ A @ ... @ A, n times, in about log2(n) products; I for n = 0, and inv(A)'s power -n where n is negative.
    Raises TypeError if n is not an int, and ValueError for a matrix that is not square, and for a singular one with
    a negative n."""
    n = as_int("matrix_power", "n", n)
    A, left = _square("matrix_power", A), abs(n)
    if not n:
        ones = A.diagonal(dim1=-2, dim2=-1) ** 0  # part of the graph, with slope 0
        return put_diagonal(ones, shape=A.shape, axis1=-2, axis2=-1)
    square = inv(A) if n < 0 else A
    power = square.clone() if left & 1 else None
    while left := left >> 1:
        square = matmul(square, square)
        if left & 1:
            power = square if power is None else matmul(power, square)
    return power  # type: ignore[return-value]


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm of vectors, (sum |x|**ord)**(1 / ord), or of matrices: `dim` is an int, or two for the matrices in them.

    Without `dim`, a 1-D tensor is a vector and a 2-D one a matrix; without `ord` as well, all elements are one vector.

    The `ord` of vectors is any number, or inf or -inf (`lucid.norm`; None is 2). Of matrices "fro" (None) is the root
    of the sum of squares; "nuc" the sum of the singular values; 2 or -2 the largest or smallest of them; 1 or -1 the
    largest or smallest sum of magnitudes in a column; inf or -inf, in a row. Raises ValueError for another `ord`, or
    more than two dims.

    >>> import lucid
    >>> lucid.linalg.norm(lucid.tensor([[3., 0.], [0., 4.]])), lucid.linalg.norm(lucid.tensor([[3., 0.], [0., 4.]]), 2)
    (tensor(5.), tensor(4.))
    """
    ndim = ndim_of("norm", A)
    A = A if dtype is None else A.to(dtype)
    dims = list(range(ndim) if dim is None else sizes("norm", (dim,)))
    if len(dims) == 1 or (ord is None and dim is None):
        if isinstance(ord, str):
            raise ValueError(f"norm: {ord!r} is a norm of matrices; expected a number for ord, or two dims")
        return norm_of_lucid(A, 2 if ord is None else ord, dim, keepdim)
    if len(dims) != 2:
        raise ValueError(f"norm: expected one dim or two, got {dim!r} for shape {A.shape}; name them with dim=")
    row, column = (axis_of("norm", d, ndim) for d in dims)
    if row == column:
        raise ValueError(f"norm: expected two different dims, got {dim!r}")
    if ord is None or ord == "fro":
        return norm_of_lucid(A, 2, (row, column), keepdim)
    if ord in ("nuc", 2, -2):
        order = [i for i in range(ndim) if i not in (row, column)] + [row, column]
        # The singular values, in ascending order, are the upper eigenvalues of [[0, matrix], [matrix', 0]].
        m, n, rest = A.shape[row], A.shape[column], ((0, 0),) * (ndim - 1)
        matrix = _transpose(A, axes=tuple(order))
        both = _cat(_pad(matrix, widths=(*rest, (m, 0))), _pad(matrix.mT, widths=(*rest, (0, n))), axis=-2)
        values = _eigh(both)[..., 0, m + n - min(m, n) :]
        out = values.sum(-1) if ord == "nuc" else values.amax(-1) if ord == 2 else values.amin(-1)
        kept = tuple(1 if i in (row, column) else n for i, n in enumerate(A.shape))
        return _reshape(out, shape=kept) if keepdim else out
    if ord not in (1, -1, math.inf, -math.inf):
        raise ValueError(f"norm: expected ord to be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf for matrices, got {ord!r}")
    along, over = (row, column) if abs(ord) == 1 else (column, row)
    sums = A.abs().sum(along, keepdim=True)
    out = sums.amax(over, keepdim=True) if ord > 0 else sums.amin(over, keepdim=True)
    return out if keepdim else out.squeeze((row, column))


def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """(sum |x|**ord)**(1 / ord) over `dim`, or over all elements: `lucid.norm`."""
    return norm_of_lucid(x if dtype is None else x.to(dtype), ord, dim, keepdim)


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The `norm` of the matrices in two dims. Raises ValueError unless there are two."""
    if len(dims := sizes("matrix_norm", (dim,))) != 2 or ndim_of("matrix_norm", A) < 2:
        raise ValueError(f"matrix_norm: expected two dims of a matrix or more, got dim {dim!r} for shape {A.shape}")
    return norm(A, ord, dims, keepdim, dtype=dtype)
