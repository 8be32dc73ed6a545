"""Probability distributions as PyTorch has them; `families` has them all."""
# ruff: noqa: I001  (several names a line)

import sys as _sys

from lucid._suggest import suggest as _know_other_names
from lucid.distributions.families import (
    Bernoulli, Categorical, Distribution, Exponential, Independent, Multinomial, Normal, Uniform, kl_divergence,
)  # fmt: skip

__all__ = [
    "Bernoulli", "Categorical", "Distribution", "Exponential", "Independent", "Multinomial", "Normal", "Uniform",
    "kl_divergence",
]  # fmt: skip
_know_other_names(_sys.modules[__name__])
