"""Gain: by how much one of two models is better on the same cases, with an interval that holds for few patients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from vesalius.core.image import Array

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Gain:
    """The mean over patients of how much better the second model is, with its interval at `level`.

    `low` and `high` are None where there are fewer than two patients.
    """

    mean: float
    low: float | None
    high: float | None
    patients: int
    level: float = 0.95

    @property
    def sure(self) -> bool:
        """Return whether the second is better by more than its interval."""
        return self.low is not None and self.low > 0

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.mean:+.3g}"
        return f"{self.mean:+.3g} [{self.low:+.3g}, {self.high:+.3g}]"


def gain(
    first: Mapping[str, float],
    second: Mapping[str, float],
    patients: Mapping[str, str],
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Gain:
    """Return the gain of the second over the first from a score of each case, larger is better, by case id.

    A patient's cases are averaged first, so that no patient counts more than another. The interval is the wider of two,
    bound by bound: that of Student's t over patients, and the bootstrap's that draws patients (percentiles). With few
    patients the bootstrap's alone is too narrow: of four that differ by chance it excludes 0 in one of eight trials. It
    tells how sure the difference between these two models is on other patients, not what another training would give.
    Cases whose score is not a number for either are left out. Raises ValueError for other cases in the one than in the
    other.
    """
    if set(first) != set(second):
        raise ValueError("two models that did not answer the same cases")
    each: dict[str, list[float]] = {}
    for case, score in first.items():
        change = second[case] - score
        if math.isfinite(change):
            each.setdefault(patients.get(case, case), []).append(change)
    means: Array = np.array([np.mean(each[p]) for p in sorted(each)])
    n = len(means)
    if not n:
        return Gain(math.nan, None, None, 0, level)
    mean = float(means.mean())
    if n < 2:
        return Gain(mean, None, None, n, level)
    tail = (1 - level) / 2
    half = float(stats.t.ppf(1 - tail, n - 1)) * float(means.std(ddof=1)) / math.sqrt(n)
    rng = np.random.default_rng(seed)
    drawn = means[rng.integers(n, size=(RESAMPLES, n))].mean(axis=1)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Gain(mean, min(mean - half, float(low)), max(mean + half, float(high)), n, level)
