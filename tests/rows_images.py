"""Rows of the table (see table.py): convolutions, pooling, resizing."""

from __future__ import annotations

from samples import Row

TABLE: dict[str, list[Row]] = {}  # fmt: skip

PLAIN: dict[str, list[Row]] = {}  # fmt: skip
