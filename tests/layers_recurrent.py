"""Sample layers (see layers.py): (make, inputs, options) each."""

from __future__ import annotations

from typing import Any

LAYERS: dict[str, list[tuple[Any, tuple[Any, ...], dict[str, Any]]]] = {}  # fmt: skip
