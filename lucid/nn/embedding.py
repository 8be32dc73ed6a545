"""Embedding: a layer of learned vectors, looked up by number."""

from __future__ import annotations

from typing import Any, Self

from lucid.core.node import Tensor
from lucid.core.promotion import ndim_of
from lucid.core.tensor import Parameter
from lucid.nn import functional as F
from lucid.nn import init
from lucid.nn.module import Module
from lucid.ops.checks import check_absent, check_count
from lucid.ops.create import empty
from lucid.ops.embedding import row_number


class Embedding(Module):
    """weight[input]: a table of learned vectors, looked up by number; they start as standard normal numbers.

    Args:
        num_embeddings, embedding_dim: rows of the table, and the length of each.
        padding_idx: a row that starts as zeros and gets no gradient, for places that hold nothing.
        max_norm, norm_type: the most that the norm of a row may be when it is looked up, and which norm; see
            `nn.functional.embedding`.
        device, dtype: of the table; float32 by default.

    The `weight` is a Parameter (num_embeddings, embedding_dim). A TypeError or ValueError if a size is not an int or is
    negative; an IndexError if there is no row `padding_idx`; a ValueError for `scale_grad_by_freq` and `sparse`, which
    are not there."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False, *, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        check_absent("Embedding", scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)
        self.num_embeddings = check_count("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = check_count("Embedding", "embedding_dim", embedding_dim)
        self.padding_idx = None if padding_idx is None else row_number("Embedding", padding_idx, num_embeddings)
        self.max_norm, self.norm_type = max_norm, norm_type
        self.weight = Parameter(empty(num_embeddings, embedding_dim, device=device, dtype=dtype))
        self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
    ) -> Self:  # fmt: skip
        """A table with the rows of `embeddings`, (num_embeddings, embedding_dim), whose memory it shares; they are not
        learned if they are to `freeze`. A ValueError if they are no matrix; the rest is as in the constructor."""
        if ndim_of("from_pretrained", embeddings) != 2:
            raise ValueError(f"from_pretrained: embeddings must be a matrix, got shape {embeddings.shape}")
        layer = cls.__new__(cls)
        Embedding.__init__(layer, 0, embeddings.shape[1], None, max_norm, norm_type, scale_grad_by_freq, sparse)
        count = layer.num_embeddings = embeddings.shape[0]
        layer.padding_idx = None if padding_idx is None else row_number("from_pretrained", padding_idx, count)
        layer.weight.data = embeddings.detach()
        layer.weight.requires_grad = not freeze
        return layer

    def reset_parameters(self) -> None:
        """Draw the table anew, and make the row for padding zeros."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0.0

    def forward(self, input: Tensor) -> Tensor:
        """Integers (...) -> (..., embedding_dim); an IndexError for one that is not a row's number."""
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type)

    def extra_repr(self) -> str:
        """The sizes, and the row for padding if there is one."""
        options = {"padding_idx": self.padding_idx, "max_norm": self.max_norm}
        shown = [f", {name}={value}" for name, value in options.items() if value is not None]
        return f"{self.num_embeddings}, {self.embedding_dim}{''.join(shown)}"
