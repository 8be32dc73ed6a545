"""Linear algebra beyond the table's rows: what cannot be inverted, what is singular, and the sentences that say so."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

import lucid
from lucid import linalg
from lucid.autograd import grad, gradcheck, gradgradcheck

SINGULAR = {
    "rank n - 1": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]],
    "rank n - 2": [[1.0, 2.0, -1.0], [2.0, 4.0, -2.0], [-1.0, -2.0, 1.0]],
    "zero": [[0.0, 0.0], [0.0, 0.0]],
    "one number": [[0.0]],
    "a row of zeros": [[1.0, 2.0], [0.0, 0.0]],
}


def matrix(values: Any) -> lucid.Tensor:
    return lucid.tensor(values, dtype="float64", requires_grad=True)


@pytest.mark.parametrize("name", SINGULAR)
def test_the_slope_of_a_determinant_is_right_where_there_is_no_inverse(name: str) -> None:
    A = matrix(SINGULAR[name])
    assert gradcheck(linalg.det, A) and gradgradcheck(linalg.det, A)


def test_cofactors_are_signed_minors() -> None:
    A = matrix(np.random.default_rng(0).uniform(-1, 1, (2, 4, 4)))
    linalg.det(A).sum().backward()
    for found, a in zip(A.grad.numpy(), A.tolist(), strict=True):
        for i in range(4):
            for j in range(4):
                minor = np.linalg.det(np.delete(np.delete(np.array(a), i, 0), j, 1))
                assert found[i, j] == pytest.approx((-1) ** (i + j) * minor)


def test_the_third_derivative_of_a_determinant() -> None:
    """det(x I) = x ** 3 for 3 x 3."""
    x = lucid.tensor(2.0, dtype="float64", requires_grad=True)
    out, found = linalg.det(x * lucid.eye(3, dtype="float64")), []
    for _ in range(4):
        found.append(out.item())
        (out,) = grad(out, x, create_graph=True)
    np.testing.assert_allclose(found, [8, 12, 12, 6])


@pytest.mark.parametrize("f",
                         [lambda A: linalg.inv(A)[0, 1], lambda A: linalg.slogdet(A)[1],
                          lambda A: linalg.eigh(A + A.mT)[0][0], lambda A: linalg.cholesky(A @ A.mT)[1, 0]],
                         ids=["inv", "slogdet", "eigh", "cholesky"])
def test_third_derivatives_along_a_line(f: Any) -> None:
    rng = np.random.default_rng(3)
    base, step = (lucid.tensor(rng.uniform(-1, 1, (3, 3)) + 2 * np.eye(3)) for _ in range(2))

    def second(t: lucid.Tensor) -> lucid.Tensor:
        out = f(base + t * step)
        for _ in range(2):
            (out,) = grad(out, t, create_graph=True)
        return out

    assert gradcheck(second, lucid.tensor(0.3, dtype="float64", requires_grad=True))


def test_determinants_too_large_or_small_for_a_float() -> None:
    A = 1e-3 * lucid.eye(200)
    sign, size = linalg.slogdet(A)
    assert sign.item() == 1 and size.item() == pytest.approx(200 * np.log(1e-3), rel=1e-5) and linalg.det(A).item() == 0
    sign, size = linalg.slogdet(lucid.zeros(2, 2))
    assert sign.item() == 0 and size.item() == -np.inf
    assert linalg.slogdet(-lucid.eye(3)).sign.item() == -1


def test_the_slope_of_log_determinant_is_infinite_where_it_is() -> None:
    A = lucid.zeros(2, 2, requires_grad=True)
    with pytest.raises(ValueError, match="inv: the matrix is singular"):
        linalg.slogdet(A).logabsdet.backward()


def test_equal_eigenvalues_have_a_slope_together() -> None:
    """The sum of f over the eigenvalues, whichever eigenvectors LAPACK chose."""
    A = matrix(np.diag([2.0, 2.0, 5.0]))
    linalg.eigh(A).eigenvalues.exp().sum().backward()
    np.testing.assert_allclose(A.grad.numpy(), np.diag(np.exp([2.0, 2.0, 5.0])), atol=1e-12)
    A.grad = None
    with np.errstate(all="ignore"):
        linalg.eigh(A).eigenvectors[0, 1].backward()
    assert not np.isfinite(A.grad.numpy()).all()


def test_factors_are_factors() -> None:
    A = lucid.randn(5, 4, 4, dtype="float64")
    S = A @ A.mT + lucid.eye(4, dtype="float64")
    L, U = linalg.cholesky(S), linalg.cholesky(S, upper=True)
    w, V = linalg.eigh(S)
    for product in (
        L @ L.mT,
        U.mT @ U,
        V * w.unsqueeze(-2) @ V.mT,
        S @ linalg.inv(S) @ S,
        linalg.solve(S, S) @ S,
        linalg.solve(S, S, left=False) @ S,
    ):
        np.testing.assert_allclose(product.numpy(), S.numpy(), rtol=1e-9, atol=1e-9)
    assert (w[:, 1:] >= w[:, :-1]).all() and L.triu(1).abs().max().item() == 0


def test_only_one_triangle_is_read() -> None:
    A = lucid.tensor([[4.0, 99.0], [2.0, 5.0]])
    full = lucid.tensor([[4.0, 2.0], [2.0, 5.0]])
    assert linalg.cholesky(A).tolist() == linalg.cholesky(full).tolist()
    assert linalg.cholesky(A.mT, upper=True).tolist() == linalg.cholesky(full, upper=True).tolist()
    assert (
        linalg.eigh(A).eigenvalues.tolist()
        == linalg.eigh(full).eigenvalues.tolist()
        == linalg.eigh(A.mT, "U").eigenvalues.tolist()
    )


def test_matrix_norms_are_numpys() -> None:
    for shape in ((3, 4), (4, 3), (1, 5), (3, 3)):
        A = lucid.randn(*shape, dtype="float64")
        for ord in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
            assert linalg.norm(A, ord).item() == pytest.approx(np.linalg.norm(A.numpy(), ord), rel=1e-10)
    assert linalg.norm(lucid.zeros(0, 3), "nuc").item() == 0


def test_a_matrix_without_rank_has_a_nuclear_norm_and_a_slope() -> None:
    A = matrix([[1.0, 2.0], [2.0, 4.0]])
    linalg.norm(A, "nuc").backward()
    assert np.isfinite(A.grad.numpy()).all()
    assert (A.grad * A).sum().item() == pytest.approx(5)  # homogeneous of degree 1, whichever subgradient it is


def test_powers() -> None:
    A = lucid.randn(2, 3, 3, dtype="float64")
    for n in (-3, -1, 0, 1, 2, 5, 8):
        np.testing.assert_allclose(linalg.matrix_power(A, n).numpy(), np.linalg.matrix_power(A.numpy(), n), rtol=1e-7)
    x = lucid.tensor([[0.0, 2.0], [math.nan, 3.0]], requires_grad=True)
    linalg.matrix_power(x, 0).sum().backward()
    assert linalg.matrix_power(x, 0).tolist() == [[1, 0], [0, 1]] and x.grad.tolist() == [[0, 0], [0, 0]]
    first = linalg.matrix_power(A, 1)
    first.zero_()
    assert A.abs().sum().item() > 0  # it was a copy
    linalg.matrix_power(A, 0).zero_()  # and this can be written to


def test_integers_become_floats_and_halves_are_refused() -> None:
    assert linalg.inv(lucid.tensor([[2, 0], [0, 4]])).tolist() == [[0.5, 0], [0, 0.25]]
    assert linalg.det(lucid.eye(3)).dtype == lucid.float32
    with pytest.raises(TypeError, match="inv: .*float16"):
        linalg.inv(lucid.eye(2).half())


two = lucid.ones(2, 2)
REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "not a tensor": (lambda: linalg.inv([[1.0]]), TypeError,
                     "inv: expected a Tensor, a number or an array for 'A', got list"),
    "not square": (lambda: linalg.det(lucid.ones(2, 3)), ValueError,
                   "det: expected a square matrix or a batch of them, (..., n, n), got shape (2, 3)"),
    "a vector": (lambda: linalg.cholesky(lucid.ones(3)), ValueError, "cholesky: expected a square matrix"),
    "eigh of a rectangle": (lambda: linalg.eigh(lucid.ones(2, 3)), ValueError, "eigh: expected a square matrix"),
    "slogdet of a rectangle": (lambda: linalg.slogdet(lucid.ones(2, 3)), ValueError,
                               "slogdet: expected a square matrix"),
    "power of a rectangle": (lambda: linalg.matrix_power(lucid.ones(2, 3), 2), ValueError,
                             "matrix_power: expected a square matrix"),
    "singular": (lambda: linalg.inv(two), ValueError,
                 "inv: the matrix is singular: its rows are linearly dependent; x + 1e-6 * eye(n)"),
    "singular in a batch": (lambda: linalg.inv(lucid.stack([lucid.eye(2), two, two]).reshape(3, 1, 2, 2)), ValueError,
                            "inv: matrix [1, 0] of the batch is singular"),
    "solve singular": (lambda: linalg.solve(two, lucid.ones(2)), ValueError, "solve: the matrix is singular"),
    "solve singular in a batch": (lambda: linalg.solve(lucid.stack([lucid.eye(2), two]), lucid.ones(2, 3)), ValueError,
                                  "solve: matrix [1] of the batch is singular"),
    "solve shapes": (lambda: linalg.solve(two, lucid.ones(3, 2)), ValueError,
                     "solve: shapes (2, 2) and (3, 2) do not fit; expected (..., n, n) and (..., n, k) or (n,)"),
    "solve right": (lambda: linalg.solve(two, lucid.ones(2, 3), left=False), ValueError,
                    "solve: shapes (2, 2) and (2, 3) do not fit"),
    "solve batches": (lambda: linalg.solve(lucid.ones(2, 3, 3), lucid.ones(4, 3, 1)), ValueError,
                      "solve: shapes (2,) and (4,) do not broadcast together"),
    "power of a singular one": (lambda: linalg.matrix_power(two, -1), ValueError,
                                "matrix_power: inv: the matrix is singular"),
    "not positive definite": (lambda: linalg.cholesky(-lucid.eye(2)), ValueError,
                              "cholesky: the matrix is not positive definite; if only rounding"),
    "UPLO": (lambda: linalg.eigh(two, "M"), ValueError, "eigh: expected UPLO to be 'L' or 'U', got 'M'"),
    "half a power": (lambda: linalg.matrix_power(two, 0.5), TypeError,
                     "matrix_power: expected an int for n, got 0.5"),
    "norm of what": (lambda: linalg.norm(lucid.ones(2, 2, 2), 2), ValueError,
                     "norm: expected one dim or two, got None for shape (2, 2, 2)"),
    "norm by dim twice": (lambda: linalg.norm(two, 2, (0, -2)), ValueError,
                          "norm: expected two different dims, got (0, -2)"),
    "norm of a vector": (lambda: linalg.norm(lucid.ones(2), "nuc"), ValueError, "norm: 'nuc' is a norm of matrices"),
    "norm 3": (lambda: linalg.norm(two, 3), ValueError,
               "norm: expected ord to be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf for matrices, got 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_use_gets_a_sentence(name: str) -> None:
    use, error, message = REFUSED[name]
    with pytest.raises(error, match="^" + re.escape(message)) as caught:
        use()
    assert type(caught.value) is error


@pytest.mark.parity
def test_named_results_are_pytorchs() -> None:
    import torch

    for ours, theirs in (
        (linalg.slogdet(lucid.eye(2)), torch.linalg.slogdet(torch.eye(2))),
        (linalg.eigh(lucid.eye(2)), torch.linalg.eigh(torch.eye(2))),
    ):
        for name in ours._fields:
            np.testing.assert_allclose(getattr(ours, name).numpy(), getattr(theirs, name).numpy())
