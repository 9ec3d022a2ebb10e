"""Known: what a table says of a case, everywhere the same: when a value is missing, and how a code is written."""

from __future__ import annotations

import math
from typing import Any


def absent(value: Any) -> bool:
    """Return whether nothing is known: no value, or no number (NaN). An infinite number is a value, and a fault."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def word(value: Any) -> str:
    """Return a category as text: a code is the same whether it was read as a number or as a word."""
    return value if isinstance(value, str) else str(value) if isinstance(value, bool) else f"{value:.15g}"
