"""Estimate: a figure with its standard error and interval, and of how many patients it tells."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array


@dataclass(frozen=True)
class Estimate:
    """A figure; `error` is its standard error, `low` and `high` its interval, `n` the patients it tells of.

    `left_out` are patients of whom it does not tell, as an arm was too unlikely for them.
    """

    value: float
    error: float
    low: float
    high: float
    n: int
    left_out: int = 0

    def holds(self, truth: float) -> bool:
        """Return whether a figure lies within the interval."""
        return self.low <= truth <= self.high

    @property
    def width(self) -> float:
        """Return how wide the interval is."""
        return self.high - self.low


def normal(value: float, error: float, n: int, *, left_out: int = 0, level: float = 0.95) -> Estimate:
    """Return a figure with the normal distribution's interval. Raises DataError for a level outside of 0 to 1."""
    from scipy.special import ndtri

    if not 0 < level < 1:
        raise DataError("an interval's level must lie between 0 and 1", found=f"{level:g}")
    wide = float(ndtri((1 + level) / 2)) * error
    return Estimate(value, error, value - wide, value + wide, n, left_out)


def mean(values: Array, *, left_out: int = 0, level: float = 0.95) -> Estimate:
    """Return the mean of independent values `(N,)` with its interval. Raises DataError with fewer than two."""
    n = len(values)
    if n < 2:
        raise DataError("need two patients or more for an interval", found=str(n))
    return normal(
        float(np.mean(values)),
        float(np.std(values, ddof=1)) / math.sqrt(n),
        n,
        left_out=left_out,
        level=level,
    )
