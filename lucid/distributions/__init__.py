"""Probability distributions as PyTorch has them; `families` has them all."""
# ruff: noqa: I001  (several names a line)

from lucid._suggest import suggesting as _suggesting
from lucid.distributions.families import (
    Bernoulli, Categorical, Distribution, Exponential, Independent, Multinomial, Normal, Uniform, kl_divergence,
)  # fmt: skip

__all__ = [
    "Bernoulli", "Categorical", "Distribution", "Exponential", "Independent", "Multinomial", "Normal", "Uniform",
    "kl_divergence",
]  # fmt: skip
__getattr__ = _suggesting(__name__, globals())
