"""A power of the time left, as segmenters are often trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {"poly": "a power of the time that is left"}
OPTIONS = {"power": 0.9}
LIMITS = {"power": {"gt": 0}}


def factor(t: float, options: Mapping[str, Any]) -> float:
    """Return (1 - t) to the power."""
    return float((1 - t) ** options["power"])
