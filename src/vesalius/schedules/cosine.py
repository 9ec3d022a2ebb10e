"""Half a cosine from the whole rate down to a small share of it (Loshchilov and Hutter 2017)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

NAMES = {"cosine": "half a cosine, down to a small share of the rate"}
OPTIONS = {"floor": 0.001}
LIMITS = {"floor": {"ge": 0, "lt": 1}}


def factor(t: float, options: Mapping[str, Any]) -> float:
    """Return `floor` + (1 - `floor`) (1 + cos πt) / 2."""
    return float(0.5 * (1 + math.cos(math.pi * t)) * (1 - options["floor"]) + options["floor"])
