"""Scores of survival on some patients, NaN where one is not defined: calibration by groups, tenths, concordances."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival import scores
from vesalius.survival.calibration import DCalibration, calibration_groups, d_calibration
from vesalius.survival.observed import Observed
from vesalius.survival.step import Step

GROUPS = 5  # of patients by their prediction, at most; each of
GROUP = 20  # patients at least


def finite(score: Callable[..., Any], *arguments: Any, **options: Any) -> float:
    """Return a score; NaN where it is not defined on these patients."""
    try:
        return float(score(*arguments, **options))
    except DataError:
        return math.nan


def concordance(risk: Array, observed: Observed) -> float:
    """Return Harrell's C; NaN where a risk is not known, or no pair can be compared."""
    return finite(scores.harrell_c, risk, observed) if np.isfinite(risk).all() else math.nan


def uno(risk: Array, observed: Observed, until: float) -> float:
    """Return Uno's C up to a day; NaN where a risk is not known, or no pair can be compared."""
    return finite(scores.uno_c, risk, observed, until=until) if np.isfinite(risk).all() else math.nan


def with_means(found: Mapping[str, float]) -> dict[str, float]:
    """Return figures with the mean over their names, `auc` of `auc/1 year` and `auc/3 years`, before them."""
    metrics = dict.fromkeys(name.partition("/")[0] for name in found if "/" in name)
    means = {m: mean([v for name, v in found.items() if name.partition("/")[0] == m]) for m in metrics}
    return means | dict(found)


def mean(values: list[float]) -> float:
    """Return the mean of those values that are numbers; NaN where none is."""
    known = [v for v in values if math.isfinite(v)]
    return float(np.mean(known)) if known else math.nan


def last(curves: Array) -> Array:
    """Return what each curve `(N, T)` comes to at the last time that all tell of; NaN where they share none."""
    complete = np.flatnonzero(np.isfinite(curves).all(axis=0))
    return np.asarray(curves[:, complete[-1]]) if len(complete) else np.full(len(curves), math.nan)


def group_count(patients: int) -> int:
    """Return in how many groups by their prediction so many patients are judged."""
    return max(1, min(GROUPS, patients // GROUP))


def calibration(survival: Array, observed: Observed, days: float) -> float:
    """Return the mean gap between predicted and observed survival at a day over groups of patients by prediction.

    Groups are weighed by their patients; one whose follow-up ends before tells nothing.
    """
    try:
        found = calibration_groups(survival, observed, days, group_count(len(survival)))
    except DataError:
        return math.nan
    gaps = [(g.patients, abs(g.predicted - g.seen)) for g in found if g.seen is not None]
    return sum(n * gap for n, gap in gaps) / sum(n for n, _ in gaps) if gaps else math.nan


def reaches(step: Step, days: float) -> bool:
    """Return whether a curve tells of a day: it goes on so far, or has come to 0."""
    return days <= step.end_days or (len(step.values) > 0 and float(step.values[-1]) <= 0)


def groups_at(survival: Array, observed: Observed, days: float) -> dict[str, list[float]]:
    """Return of groups by their prediction the mean predicted `x`, the observed `y` with its band, and sizes `n`."""
    found = [
        g
        for g in calibration_groups(survival, observed, days, group_count(len(survival)))
        if g.seen is not None
    ]
    return {
        "x": [g.predicted for g in found],
        "y": [g.seen for g in found if g.seen is not None],
        "low": [g.low for g in found if g.low is not None],
        "high": [g.high for g in found if g.high is not None],
        "n": [g.patients for g in found],
    }


def d_calibrated(own: Array, observed: Observed, beyond: Array) -> DCalibration:
    """Return the test of how the survival predicted for the patients' own times is spread, by tenths.

    `own` is the survival given that one entered, so that a late entry needs no more. Who is `beyond` the end of the
    curve lies at or below what it ended with, as one who is censored there.
    """
    seen = Observed(
        observed.time_days, np.where(beyond, 0, observed.cause), np.zeros_like(observed.entry_days)
    )
    return d_calibration(own, seen)


def unevenness(counts: Array) -> float:
    """Return the share of patients that would have to lie in another tenth for all tenths to hold as many."""
    shares = counts / counts.sum()
    return float(np.abs(shares - 1 / len(shares)).sum() / 2)
