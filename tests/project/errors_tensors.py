"""Wrong uses of what selects, sorts and contracts, and of linear algebra (see errors.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lucid

Error = tuple[Callable[[], Any], type[Exception], str]

x3, x23, square = lucid.ones(3), lucid.ones(2, 3), lucid.ones(2, 2)
ints = lucid.tensor([0, 2, 1])


def of_square(name: str, f: Callable[..., Any]) -> list[Error]:
    return [(lambda: f(x23), ValueError,
             rf"{name}: expected a square matrix or a batch of them, \(..., n, n\), got shape \(2, 3\)"),
            (lambda: f(x3), ValueError, rf"{name}: .* got shape \(3,\)"),
            (lambda: f([1.0]), TypeError,
             f"{name}: expected a Tensor, (a number or an array for 'A', )?got list")]  # fmt: skip


ERRORS: dict[str, list[Error]] = {
    "tril": [(lambda: x3.tril(), ValueError,
              r"tril: expected a matrix or a batch of them, \(..., n, m\), got shape \(3,\)")],
    "triu": [(lambda: x3.triu(), ValueError,
              r"triu: expected a matrix or a batch of them, \(..., n, m\), got shape \(3,\)")],
    "diagonal": [(lambda: x23.diagonal(0, 1, 1), ValueError, r"diagonal: expected two different dims, got 1 and 1"),
                 (lambda: x3.diagonal(), IndexError, "diagonal: dim 1 is out of range")],
    "diag": [(lambda: lucid.ones(1, 1, 1).diag(), ValueError, r"diag: expected 1 or 2 dims, got shape \(1, 1, 1\)")],
    "trace": [(lambda: x3.trace(), ValueError, r"trace: expected a matrix, got shape \(3,\)")],
    "narrow": [(lambda: x23.narrow(1, 1, 3), IndexError, "narrow: 3 from 1 on is not within the 3 of dim 1"),
               (lambda: x23.narrow(2, 0, 1), IndexError, "narrow: dim 2 is out of range")],
    "take_along_dim": [(lambda: x3.take_along_dim(lucid.tensor([7]), 0), IndexError,
                        "take_along_dim: index 7 is out of range for the 3 of dim 0"),
                       (lambda: x23.take_along_dim(ints, 0), ValueError,
                        r"take_along_dim: expected indices with 2 dims, as x has, got shape \(3,\)")],
    "scatter": [(lambda: x3.scatter(0, ints), ValueError, "scatter: expected src, a tensor or a number, got neither"),
                (lambda: x3.scatter(0, lucid.tensor([7]), 1.0), IndexError, "scatter: index 7 is out of range"),
                (lambda: x3.scatter(0, lucid.tensor([[0]]), x23), ValueError,
                 "scatter: an index of shape .* do not fit")],
    "scatter_add": [(lambda: x3.scatter_add(0, lucid.tensor([7]), x3), IndexError,
                     "scatter_add: index 7 is out of range for the 3 of dim 0"),
                    (lambda: x3.scatter_add(0, ints, lucid.ones(2)), ValueError,
                     r"scatter_add: an index of shape \(3,\) and src of shape \(2,\) do not fit"),
                    (lambda: x3.scatter_add(0, x3, x3), TypeError,
                     "scatter_add: expected an index of integers, got float32")],
    "index_add": [(lambda: x3.index_add(0, lucid.tensor([7]), lucid.ones(1)), IndexError,
                   "index_add: index 7 is out of range"),
                  (lambda: x3.index_add(0, ints, lucid.ones(2)), ValueError, "index_add: ")],
    "sort": [(lambda: x23.sort(2), IndexError, "sort: dim 2 is out of range"),
             (lambda: x23.sort("a"), TypeError, "sort: expected an int for dim, got 'a'")],
    "argsort": [(lambda: x23.argsort(2), IndexError, "argsort: dim 2 is out of range")],
    "Tensor.view_as": [(lambda: x23.view_as(x3), ValueError,
                        r"view: 6 elements of shape \(2, 3\) do not fit into shape \(3,\)"),
                       (lambda: x23.view_as((3, 2)), TypeError, "view_as: expected a Tensor for 'other', got tuple")],
    "Tensor.reshape_as": [(lambda: x23.reshape_as(x3), ValueError,
                           r"reshape: 6 elements of shape \(2, 3\) do not fit into shape \(3,\)"),
                          (lambda: x23.reshape_as((3, 2)), TypeError,
                           "reshape_as: expected a Tensor for 'other', got tuple")],
    "topk": [(lambda: x23.topk(4), ValueError,
              "topk: expected k to be an int from 0 to 3, the length of dim -1, got 4"),
             (lambda: x23.topk(1, 2), IndexError, "topk: dim 2 is out of range")],
    "einsum": [(lambda: lucid.einsum("ij,jk", x23), ValueError, "einsum: "),
               (lambda: lucid.einsum("i?->i", x23), ValueError, r"einsum: '\?' in 'i\?->i'; expected letters"),
               (lambda: lucid.einsum("ijk->i", x23), ValueError,
                r"einsum: 'ijk' names 3 dims, but operand 0 has shape \(2, 3\)"),
               (lambda: lucid.einsum("ij,ij->ij", x23, x23.T), ValueError, "einsum: 'i' is 2 long, but 3 in operand 1"),
               (lambda: lucid.einsum("ij->ik", x23), ValueError,
                "einsum: the output of 'ij->ik' has 'k', but no operand"),
               (lambda: lucid.einsum(x23, x23), TypeError, "einsum: ")],
    "tensordot": [(lambda: lucid.tensordot(x23, x23, 1), ValueError, "tensordot: .*"),
                  (lambda: lucid.tensordot(x23, x23, 3), ValueError,
                   r"tensordot: dims 3 is more than one of the shapes \(2, 3\) and \(2, 3\) has")],
    # linear algebra
    **{f"linalg.{name}": of_square(name, getattr(lucid.linalg, name)) for name in ("det", "slogdet")},
    "linalg.inv": [*of_square("inv", lucid.linalg.inv),
                   (lambda: lucid.linalg.inv(square), ValueError, "inv: .*singular")],
    "linalg.solve": [*of_square("solve", lambda A: lucid.linalg.solve(A, x3)),
                     (lambda: lucid.linalg.solve(square, x3), ValueError,
                      r"solve: shapes \(2, 2\) and \(3,\) do not fit"),
                     (lambda: lucid.linalg.solve(square, lucid.ones(2)), ValueError, "solve: .*singular")],
    "linalg.cholesky": [*of_square("cholesky", lucid.linalg.cholesky),
                        (lambda: lucid.linalg.cholesky(-square), ValueError, "cholesky: .*positive definite")],
    "linalg.eigh": [*of_square("eigh", lucid.linalg.eigh),
                    (lambda: lucid.linalg.eigh(square, "X"), ValueError,
                     "eigh: expected UPLO to be 'L' or 'U', got 'X'")],
    "linalg.matrix_power": [*of_square("matrix_power", lambda A: lucid.linalg.matrix_power(A, 2)),
                            (lambda: lucid.linalg.matrix_power(square, 0.5), TypeError,
                             "matrix_power: expected an int for n, got 0.5"),
                            (lambda: lucid.linalg.matrix_power(square, -1), ValueError, "singular")],
    "linalg.norm": [(lambda: lucid.linalg.norm(x23, "max"), ValueError, "norm: .*'max'"),
                    (lambda: lucid.linalg.norm(x23, dim=(0, 1, 2)), ValueError, "norm: ")],
}  # fmt: skip
