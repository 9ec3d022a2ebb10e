"""Scores of survival on some patients, NaN where one is not defined: calibration by groups, tenths, concordances."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.metrics import _ranks
from vesalius.survival import scores
from vesalius.survival.calibration import (
    DCalibration,
    calibration_groups,
    d_calibration,
    shared_out,
    squared_gap,
)
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


def mid_ranks(values: Array) -> Array:
    """Return the rank of each value `(N,)` as a share of all; equal ones share the mean of theirs.

    Where a value is not known, they stay as they are.
    """
    if not np.isfinite(values).all():
        return values
    return np.asarray(_ranks.tied(values) / max(len(values), 1))


def last(curves: Array) -> Array:
    """Return what each curve `(N, T)` comes to at the last time that all tell of; NaN where they share none."""
    complete = np.flatnonzero(np.isfinite(curves).all(axis=0))
    return np.asarray(curves[:, complete[-1]]) if len(complete) else np.full(len(curves), math.nan)


def group_count(patients: int) -> int:
    """Return in how many groups by their prediction so many patients are judged."""
    return max(1, min(GROUPS, patients // GROUP))


def calibration(survival: Array, observed: Observed, days: float, *, drawn: bool) -> float:
    """Return how far predicted survival at a day is from the observed, over groups of patients by their prediction.

    It is the root of the mean squared gap, less what chance makes of that where all predictions are right: `without`.
    """
    try:
        gap, chance = squared_gap(survival, observed, days, group_count(len(survival)))
    except DataError:
        return math.nan
    return without(gap, chance, drawn=drawn)


def without(gap: float, chance: float, *, drawn: bool) -> float:
    """Return the root of a squared gap without what chance makes of it; 0 where it is no larger.

    A resample, which is `drawn` from the patients, holds the chance of these patients and once more that of the
    drawing. Left in, it would put the whole interval of a small gap above the gap.
    """
    return math.sqrt(max(0.0, gap - (2 if drawn else 1) * chance)) if math.isfinite(gap) else math.nan


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
    return d_calibration(own, _seen_until(observed, beyond))


def unevenness(own: Array, observed: Observed, beyond: Array, *, drawn: bool) -> float:
    """Return how unevenly the tenths of predicted survival are filled, 0 where each holds a tenth of the patients.

    It is the root mean squared distance from a tenth, in tenths, less what chance makes of it: `without`. Arguments are
    those of `d_calibrated`.
    """
    parts = shared_out(own, _seen_until(observed, beyond))
    many, n = parts.shape[1], len(parts)
    shares = parts.mean(0)
    chance = ((parts**2).mean(0) - shares**2).mean() / n
    return without(float(many**2 * ((shares - 1 / many) ** 2).mean()), float(many**2 * chance), drawn=drawn)


def _seen_until(observed: Observed, beyond: Array) -> Observed:
    """Return what is known up to the end of the curves, counted from the entry."""
    entry = np.zeros_like(observed.entry_days)
    return Observed(observed.time_days, np.where(beyond, 0, observed.cause), entry)
