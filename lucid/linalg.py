"""Linear algebra under PyTorch's names: `lucid.linalg.solve(a, b)` and the rest.

All take one matrix or a batch of them, in float32 or float64, and are differentiable to every order.
"""
# ruff: noqa: I001 (types, then functions)

from lucid.ops.linalg import EigenvaluesEigenvectors, SignLogabsdet
from lucid.ops.linalg import cholesky, det, eigh, inv, lstsq, matrix_norm, matrix_power, norm, pinv, qr, slogdet, solve
from lucid.ops.linalg import svd, vector_norm

__all__ = [
    "EigenvaluesEigenvectors", "SignLogabsdet", "cholesky", "det", "eigh", "inv", "lstsq", "matrix_norm",
    "matrix_power", "norm", "pinv", "qr", "slogdet", "solve", "svd", "vector_norm",
]  # fmt: skip
