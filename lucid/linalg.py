"""Chapter 5j. Linear algebra under PyTorch's names: `lucid.linalg.solve(a, b)` and the rest.

All take one matrix or a batch of them, shape (..., n, n), in float32 or float64, and are differentiable to every order.
A matrix that has no inverse, or no such factor, is an error that says which one of the batch it is.
"""

from __future__ import annotations

import math
import typing
from typing import TYPE_CHECKING, Any

from lucid import functions, shaping
from lucid.operands import ndim_of
from lucid.ops import linalg as ops
from lucid.ops import linear, shapes

if TYPE_CHECKING:
    from lucid.tensor import Tensor


class SignLogabsdet(typing.NamedTuple):
    """What `slogdet` returns."""

    sign: Tensor
    logabsdet: Tensor


class EigenvaluesEigenvectors(typing.NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def _square(name: str, A: Any) -> Any:
    if ndim_of(name, A) < 2 or A.shape[-1] != A.shape[-2]:
        raise ValueError(f"{name}: expected a square matrix or a batch of them, (..., n, n), got shape {A.shape}")
    return A


def inv(A: Tensor) -> Tensor:
    """The inverse: inv(A) A = A inv(A) = I.

    `solve(A, B)` is faster and more accurate than `inv(A) @ B`.

    Raises:
        ValueError: for a singular matrix, and for one that is not square.

    >>> import lucid
    >>> lucid.linalg.inv(lucid.tensor([[2., 0.], [0., 4.]]))
    tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    return ops.inv(_square("inv", A))


def det(A: Tensor) -> Tensor:
    """The determinant, one number for each matrix: sum over permutations p of sign(p) * A[0, p[0]] * A[1, p[1]] * ...

    Its gradient is the matrix of cofactors, right for singular matrices too, and so is the second derivative; from the
    third on A must be invertible.

    Raises:
        ValueError: for a matrix that is not square.
    """
    return ops.det(_square("det", A))


def slogdet(A: Tensor) -> SignLogabsdet:
    """The sign of the determinant and log |det A|, which neither overflow nor underflow; 0 and -inf for singular A.

    The gradient is that of log |det A|, inv(A)'; the sign has none.

    Raises:
        ValueError: for a matrix that is not square; from `backward()`, for a singular one.
    """
    both = ops.slogdet(_square("slogdet", A))
    return SignLogabsdet(both.detach()[0].clone(), both[1].clone())


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X such that A X = B, or with `left=False` X A = B.

    B is a matrix (..., n, k), or for each A a vector: (n,), or the shape of A without its last dim. Batches broadcast.

    Raises:
        ValueError: for a singular matrix, for one that is not square, and where B does not fit.
    """
    _square("solve", A)
    vector = ndim_of("solve", B) == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    X = B.unsqueeze(-1) if vector else B
    A, X = (A, X) if left or vector else (A.mT, X.mT)
    if X.ndim < 2 or X.shape[-2] != A.shape[-1]:
        raise ValueError(
            f"solve: shapes {A.shape} and {B.shape} do not fit; expected (..., n, n) and (..., n, k) or (n,)"
        )
    batch = shaping.joint_shape("solve", A.shape[:-2], X.shape[:-2])
    A, X = (x if x.shape[:-2] == batch else shapes.broadcast_to(x, shape=batch + x.shape[-2:]) for x in (A, X))
    X = ops.solve(A, X)
    return X.squeeze(-1) if vector else X if left else X.mT


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L with a positive diagonal for which L L' = A; with `upper` its transpose.

    A must be symmetric and positive definite; only its lower (with `upper`, upper) triangle is read. The gradient is
    a symmetric matrix.

    Raises:
        ValueError: for a matrix that is not positive definite, and for one that is not square.
    """
    A = _square("cholesky", A)
    return ops.cholesky(A.mT).mT if upper else ops.cholesky(A)


def eigh(A: Tensor, UPLO: str = "L") -> EigenvaluesEigenvectors:
    """The eigenvalues of a symmetric matrix in ascending order, and its eigenvectors as columns: A V = V diag(w).

    Only the lower (UPLO="U": upper) triangle of A is read; the gradient is a symmetric matrix. An eigenvector has no
    sign of its own: a loss must not depend on which of v and -v comes out. Where eigenvalues are equal, the gradient of
    the eigenvectors, and the second derivative of the eigenvalues, do not exist and come out infinite or NaN.

    Raises:
        ValueError: for a matrix that is not square, and another UPLO.
    """
    if UPLO not in ("L", "U"):
        raise ValueError(f"eigh: expected UPLO to be 'L' or 'U', got {UPLO!r}")
    A = _square("eigh", A)
    both = ops.eigh(A.mT if UPLO == "U" else A)
    return EigenvaluesEigenvectors(both[..., 0, :].clone(), both[..., 1:, :].clone())


def matrix_power(A: Tensor, n: int) -> Tensor:
    """A @ A @ ... @ A, n times, in about log2(n) products; I for n = 0, and inv(A)'s power -n where n is negative.

    Raises:
        TypeError: if n is not an int.
        ValueError: for a matrix that is not square, and for a singular one with a negative n.
    """
    if not isinstance(n, int):
        raise TypeError(f"matrix_power: expected n to be an int, got {n!r}")
    A, left = _square("matrix_power", A), abs(n)
    if not n:
        return shapes.put_diagonal(A.new_ones(A.shape[:-1]), shape=A.shape, axis1=-2, axis2=-1)
    square = ops.inv(A) if n < 0 else A
    power = square.clone() if left & 1 else None
    while left := left >> 1:
        square = linear.matmul(square, square)
        if left & 1:
            power = square if power is None else linear.matmul(power, square)
    return power  # type: ignore[return-value]


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm of vectors, (sum |x|**ord)**(1 / ord), or of matrices: `dim` is an int, or two for the matrices in them.

    Without `dim`, a 1-D tensor is a vector and a 2-D one a matrix; without `ord` as well, all elements are one vector.

    Args:
        ord: of vectors, any number, or inf or -inf (`lucid.norm`; None is 2). Of matrices "fro" (None), the root of the
            sum of squares; "nuc", the sum of the singular values; 2 or -2, the largest or smallest of them; 1 or -1,
            the largest or smallest sum of magnitudes in a column; inf or -inf, in a row.

    Raises:
        ValueError: for another `ord`, or more than two dims.

    >>> import lucid
    >>> lucid.linalg.norm(lucid.tensor([[3., 0.], [0., 4.]])), lucid.linalg.norm(lucid.tensor([[3., 0.], [0., 4.]]), 2)
    (tensor(5.), tensor(4.))
    """
    ndim = ndim_of("norm", A)
    A = A if dtype is None else A.to(dtype)
    dims = [dim] if isinstance(dim, int) else list(range(ndim) if dim is None else dim)
    if len(dims) == 1 or (ord is None and dim is None):
        if isinstance(ord, str):
            raise ValueError(f"norm: {ord!r} is a norm of matrices; expected a number for ord, or two dims")
        return functions.norm(A, 2 if ord is None else ord, dim, keepdim)
    if len(dims) != 2:
        raise ValueError(f"norm: expected one dim or two, got {dim!r} for shape {A.shape}; name them with dim=")
    row, column = (shaping.axis_of("norm", d, ndim) for d in dims)
    if row == column:
        raise ValueError(f"norm: expected two different dims, got {dim!r}")
    if ord is None or ord == "fro":
        return functions.norm(A, 2, (row, column), keepdim)
    if ord == "nuc" or ord in (2, -2):
        order = [i for i in range(ndim) if i not in (row, column)] + [row, column]
        values = _singular_values(shapes.transpose(A, axes=tuple(order)))
        out = values.sum(-1) if ord == "nuc" else values.amax(-1) if ord == 2 else values.amin(-1)
        kept = tuple(1 if i in (row, column) else n for i, n in enumerate(A.shape))
        return shapes.reshape(out, shape=kept) if keepdim else out
    if ord not in (1, -1, math.inf, -math.inf):
        raise ValueError(f"norm: expected ord to be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf for matrices, got {ord!r}")
    along, over = (row, column) if abs(ord) == 1 else (column, row)
    sums = A.abs().sum(along, keepdim=True)
    out = sums.amax(over, keepdim=True) if ord > 0 else sums.amin(over, keepdim=True)
    return out if keepdim else out.squeeze((row, column))


def _singular_values(A: Tensor) -> Tensor:
    """The singular values of (..., m, n), in ascending order: the upper eigenvalues of [[0, A], [A', 0]]."""
    m, n = A.shape[-2:]
    upper = shapes.pad(A, widths=((0, 0),) * (A.ndim - 1) + ((m, 0),))
    lower = shapes.pad(A.mT, widths=((0, 0),) * (A.ndim - 1) + ((0, n),))
    both = ops.eigh(shapes.cat(upper, lower, axis=-2))
    return both[..., 0, m + n - min(m, n) :]


def __getattr__(name: str) -> object:  # only reached when the name is not there
    from lucid._suggest import missing

    raise missing("lucid.linalg", name, globals())
