"""Linear algebra under PyTorch's names: `lucid.linalg.solve(a, b)` and the rest.

All take one matrix or a batch of them, shape (..., n, n), in float32 or float64, and are differentiable to every order.
"""
# ruff: noqa: I001 (types, then functions)

from lucid._suggest import suggesting as _suggesting
from lucid.ops.linalg import EigenvaluesEigenvectors, SignLogabsdet
from lucid.ops.linalg import cholesky, det, eigh, inv, matrix_power, norm, slogdet, solve

__all__ = [
    "EigenvaluesEigenvectors", "SignLogabsdet", "cholesky", "det", "eigh", "inv", "matrix_power", "norm", "slogdet",
    "solve",
]  # fmt: skip
__getattr__ = _suggesting(__name__, globals())
