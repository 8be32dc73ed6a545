"""Rows of the table (see table.py): normalisation, attention, embeddings, and the losses and activations with more options."""

from __future__ import annotations

from samples import Row

TABLE: dict[str, list[Row]] = {}  # fmt: skip

PLAIN: dict[str, list[Row]] = {}  # fmt: skip
