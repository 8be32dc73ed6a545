"""Activations: the functions between the layers."""

from __future__ import annotations

from lucid.nn.functional.checks import check_approximate
from lucid.ops import functions
from lucid.tensor import Tensor


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x * P(Z <= x), Z standard normal (arXiv 1606.08415); `approximate="tanh"` takes the paper's tanh form.

    Raises:
        ValueError: for another `approximate`.
    """
    check_approximate(approximate)
    return functions.gelu(input, approximate=approximate)


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where it is positive, negative_slope * x elsewhere (Maas et al. 2013)."""
    return functions.leaky_relu(input, negative_slope=float(negative_slope))


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """x where it is positive, alpha * (exp(x) - 1) elsewhere (arXiv 1511.07289)."""
    return functions.elu(input, alpha=float(alpha))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta, a smooth relu; x itself where beta * x exceeds `threshold`."""
    return functions.softplus(input, beta=float(beta), threshold=float(threshold))
