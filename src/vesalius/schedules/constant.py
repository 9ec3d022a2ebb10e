"""The same rate from the warm-up to the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {"constant": "the same rate throughout"}
OPTIONS: dict[str, float] = {}
LIMITS: dict[str, dict[str, float]] = {}


def factor(t: float, options: Mapping[str, Any]) -> float:
    """Return one, whatever the time."""
    return 1.0
