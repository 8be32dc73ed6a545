"""Rows of the table (see table.py): tensor functions: selecting, sorting, products of many kinds, linear algebra."""

from __future__ import annotations

from samples import Row

TABLE: dict[str, list[Row]] = {}  # fmt: skip

PLAIN: dict[str, list[Row]] = {}  # fmt: skip
