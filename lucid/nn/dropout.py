"""Dropout: in training, zeros in random places, so that no unit can rely on another."""

from __future__ import annotations

from lucid.core.node import Tensor
from lucid.nn import functional as F
from lucid.nn.module import Module
from lucid.ops.checks import check_probability

__all__ = ["Dropout", "Dropout1d", "Dropout2d"]


class Dropout(Module):
    """In training x * kept / (1 - p), where each `kept` is 0 with probability `p` and else 1; x itself otherwise.

    PyTorch's `inplace` is accepted and changes nothing.

    Raises:
        ValueError: if `p` is not in [0, 1].
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        check_probability(type(self).__name__, p)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...)."""
        return F.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


class Dropout1d(Dropout):
    """Dropout of whole channels of (n, channels, length) or (channels, length)."""

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return F.dropout1d(input, self.p, self.training)


class Dropout2d(Dropout):
    """Dropout of whole channels of images, (n, channels, height, width)."""

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return F.dropout2d(input, self.p, self.training)
