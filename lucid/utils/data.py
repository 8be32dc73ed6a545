"""Data in batches: PyTorch's name for `lucid.data`, which tells how the order of a run is kept and resumed."""

from lucid.data import *  # noqa: F403
from lucid.data import __all__ as __all__
