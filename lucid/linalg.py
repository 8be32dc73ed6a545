"""Linear algebra under PyTorch's names: `lucid.linalg.solve(a, b)` and the rest.

All take one matrix or a batch of them, shape (..., n, n), in float32 or float64, and are differentiable to every order.
"""

from lucid.ops.linalg import EigenvaluesEigenvectors as EigenvaluesEigenvectors
from lucid.ops.linalg import SignLogabsdet as SignLogabsdet
from lucid.ops.linalg import cholesky as cholesky
from lucid.ops.linalg import det as det
from lucid.ops.linalg import eigh as eigh
from lucid.ops.linalg import inv as inv
from lucid.ops.linalg import matrix_power as matrix_power
from lucid.ops.linalg import norm as norm
from lucid.ops.linalg import slogdet as slogdet
from lucid.ops.linalg import solve as solve

__all__ = [
    "EigenvaluesEigenvectors", "SignLogabsdet", "cholesky", "det", "eigh", "inv", "matrix_power", "norm", "slogdet",
    "solve",
]  # fmt: skip


def __getattr__(name: str) -> object:  # only reached when the name is not there
    from lucid.missing import missing

    raise missing("lucid.linalg", name, globals())
