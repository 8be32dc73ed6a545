"""Embedding: a layer of learned vectors, looked up by number."""

from __future__ import annotations

from typing import Any

from lucid.core.node import Tensor
from lucid.core.tensor import Parameter
from lucid.nn import functional as F
from lucid.nn import init
from lucid.nn.module import Module
from lucid.ops.checks import check_count
from lucid.ops.create import empty
from lucid.ops.embedding import row_number


class Embedding(Module):
    """weight[input]: a table of learned vectors, looked up by number; they start as standard normal numbers.

    Args:
        num_embeddings, embedding_dim: rows of the table, and the length of each.
        padding_idx: a row that starts as zeros and gets no gradient, for places that hold nothing.
        device, dtype: of the table; float32 by default.

    The `weight` is a Parameter (num_embeddings, embedding_dim). A TypeError or ValueError if a size is not an
    int or is negative; an IndexError if there is no row `padding_idx`."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, *, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        self.num_embeddings = check_count("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = check_count("Embedding", "embedding_dim", embedding_dim)
        self.padding_idx = None if padding_idx is None else row_number("Embedding", padding_idx, num_embeddings)
        self.weight = Parameter(empty(num_embeddings, embedding_dim, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew, and make the row for padding zeros."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0.0

    def forward(self, input: Tensor) -> Tensor:
        """Integers (...) -> (..., embedding_dim); an IndexError for one that is not a row's number."""
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """The sizes, and the row for padding if there is one."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
