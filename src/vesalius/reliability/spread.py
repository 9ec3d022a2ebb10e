"""Spread: the least, the median and the greatest of something over the cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array


@dataclass(frozen=True, slots=True)
class Spread:
    """Least, median and greatest of something over the cases."""

    low: float
    median: float
    high: float


def spread(values: Array) -> Spread:
    """Least, median and greatest."""
    return Spread(float(values.min()), float(np.median(values)), float(values.max()))
