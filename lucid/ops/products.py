"""Products of vectors and matrices that check the number of dims, where `matmul` broadcasts."""

from __future__ import annotations

from lucid.core.matmul import matmul
from lucid.core.node import Tensor, method
from lucid.core.promotion import ndim_of

__all__ = ["bmm", "dot", "mm", "outer"]


@method()
def dot(x: Tensor, other: Tensor) -> Tensor:
    """sum(x * other), for two 1-D tensors of one length.

    Raises:
        ValueError: for other shapes.
    """
    if ndim_of("dot", x) != 1 or ndim_of("dot", other) != 1 or x.shape != other.shape:
        raise ValueError(f"dot: expected two 1-D tensors of one length, got shapes {x.shape} and {other.shape}")
    return matmul(x, other)


@method()
def mm(x: Tensor, other: Tensor) -> Tensor:
    """The product of two matrices, out[i, j] = sum over l of x[i, l] * other[l, j]: (n, k) and (k, m) give (n, m).

    Raises:
        ValueError: if one is not 2-D.
    """
    return _product("mm", 2, x, other)


@method()
def bmm(x: Tensor, other: Tensor) -> Tensor:
    """The products of the matrices in two batches, pair by pair: (b, n, k) and (b, k, m) give (b, n, m).

    Raises:
        ValueError: if one is not 3-D, or the batches differ in length.
    """
    return _product("bmm", 3, x, other)


def _product(name: str, ndim: int, x: Tensor, other: Tensor) -> Tensor:
    ndims = ndim_of(name, x), ndim_of(name, other)
    if ndims != (ndim, ndim) or x.shape[: ndim - 2] != other.shape[: ndim - 2]:
        raise ValueError(
            f"{name}: expected two {ndim}-D tensors, got shapes {x.shape} and {other.shape}; matmul broadcasts"
        )
    return matmul(x, other)


@method()
def outer(x: Tensor, other: Tensor) -> Tensor:
    """out[i, j] = x[i] * other[j], for 1-D tensors: (n,) and (m,) give (n, m).

    Raises:
        ValueError: if one is not 1-D.
    """
    if ndim_of("outer", x) != 1 or ndim_of("outer", other) != 1:
        raise ValueError(f"outer: expected two 1-D tensors, got shapes {x.shape} and {other.shape}")
    return x.unsqueeze(1) * other
