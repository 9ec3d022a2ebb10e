"""Scores of survival on some patients, NaN where one is not defined: calibration by groups, tenths, concordances."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from vesalius.core.image import Array
from vesalius.metrics import _ranks
from vesalius.survival.calibration import (
    DCalibration,
    calibration_groups,
    d_calibration,
)
from vesalius.survival.observed import Observed

GROUPS = 5  # of patients by their prediction, at most; each of
GROUP = 20  # patients at least


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


def without(gap: float, chance: float, *, drawn: bool) -> float:
    """Return the root of a squared gap without what chance makes of it; 0 where it is no larger.

    A resample, which is `drawn` from the patients, holds the chance of these patients and once more that of the
    drawing. Left in, it would put the whole interval of a small gap above the gap.
    """
    return math.sqrt(max(0.0, gap - (2 if drawn else 1) * chance)) if math.isfinite(gap) else math.nan


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
    return d_calibration(own, seen_until(observed, beyond))


def seen_until(observed: Observed, beyond: Array) -> Observed:
    """Return what is known up to the end of the curves, counted from the entry."""
    entry = np.zeros_like(observed.entry_days)
    return Observed(observed.time_days, np.where(beyond, 0, observed.cause), entry)
