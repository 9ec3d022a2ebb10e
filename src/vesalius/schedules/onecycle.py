"""A straight line from the whole rate down to a small share of it (Smith and Topin 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {"onecycle": "a straight line down to a small share of the rate"}
OPTIONS = {"floor": 0.001}
LIMITS = {"floor": {"ge": 0, "lt": 1}}


def factor(t: float, options: Mapping[str, Any]) -> float:
    """Return 1 - t, or `floor` where that is more."""
    return float(max(1 - t, options["floor"]))
