"""Calibration of survival: do as many have the event as was said? D-calibration, and groups at a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.chances import chances
from vesalius.survival.cox import fit_cox
from vesalius.survival.curves import kaplan_meier
from vesalius.survival.observed import Observed
from vesalius.survival.risksets import no_late_entry, sums_at_risk

_NEVER = 1e-6  # a chance nearer to 0 or 1 is taken to be this far from it


@dataclass(frozen=True, eq=False)
class DCalibration:
    """How chances at the patients' own times spread over [0, 1]: evenly where the model is calibrated.

    `counts` `(B,)` are patients by tenths (or B-ths) of the chance, shared out where censored; `p` is small where they
    are further from even than by chance.
    """

    counts: Array
    chi2: float
    df: int
    p: float


@dataclass(frozen=True)
class CalibrationGroup:
    """Patients of like chances: the mean chance to be without the event, and Kaplan-Meier's with its band.

    `seen`, `low` and `high` are None where the group's follow-up ends before the day, or begins with nobody at risk.
    """

    patients: int
    predicted: float
    seen: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Calibration:
    """Calibration at a day: groups, and distances of chances from a smooth curve of what was seen (Austin 2020).

    `ici` is the mean distance (the integrated calibration index), `e50` and `e90` are its median and 90th percentile;
    None where no smooth curve could be fitted.
    """

    days: float
    groups: tuple[CalibrationGroup, ...]
    ici: float | None
    e50: float | None
    e90: float | None


def d_calibration(survival_at_time: Array, observed: Observed, *, bins: int = 10) -> DCalibration:
    """Return the test of D-calibration (Haider 2020, section 3.5).

    `survival_at_time` `(N,)` is each patient's chance at its own time to be without the event until then. One with the
    event counts in the bin of that chance; one censored at chance c is shared out evenly over [0, c], where it would
    have counted in the end. Raises DataError for late entry, and for chances beyond 0 and 1.
    """
    from scipy.special import chdtrc

    counts = shared_out(survival_at_time, observed, bins=bins).sum(0)
    even = len(observed) / bins
    chi2 = float(((counts - even) ** 2 / even).sum())
    return DCalibration(counts, chi2, bins - 1, float(chdtrc(bins - 1, chi2)))


def shared_out(survival_at_time: Array, observed: Observed, *, bins: int = 10) -> Array:
    """Return how much of each patient counts in each bin of D-calibration, `(N, B)`; rows add up to one.

    Raises DataError as `d_calibration` does.
    """
    no_late_entry(observed, "D-calibration")
    chance = chances(survival_at_time, observed)
    if bins < 2 or not len(chance):
        raise DataError("need two bins and a patient for D-calibration", found=f"{bins} and {len(chance)}")
    bits, lower = np.arange(bins), np.arange(bins) / bins
    place = np.minimum((chance * bins).astype(np.int64), bins - 1)
    left = chance[:, None]
    spread = np.divide(
        np.clip(left - lower, 0, 1 / bins), left, out=(bits == 0) * np.ones_like(left), where=left > 0
    )
    return np.asarray(np.where(observed.happened[:, None], bits == place[:, None], spread), np.float64)


def calibration_at(survival: Array, observed: Observed, days: float, groups: int = 10) -> Calibration:
    """Return how chances `(N,)` to be without the event at a day agree with what was seen.

    Groups are those of `calibration_groups`. Raises DataError as that does.
    """
    chance = chances(survival, observed)
    made = calibration_groups(chance, observed, days, groups)
    smooth = smooth_at(chance, observed, days)
    if smooth is None:
        return Calibration(days, made, None, None, None)
    away = np.abs(smooth - chance)
    return Calibration(days, made, float(away.mean()), float(np.median(away)), float(np.quantile(away, 0.9)))


def calibration_groups(
    survival: Array, observed: Observed, days: float, groups: int = 10
) -> tuple[CalibrationGroup, ...]:
    """Return groups of patients by their chance `(N,)` to be without the event at a day, the lowest first.

    They are of equal size, but those of one chance stay together. Raises DataError for chances beyond 0 and 1, or fewer
    patients than groups.
    """
    chance = chances(survival, observed)
    if not 0 < groups <= len(chance):
        raise DataError(
            "need as many patients as groups", found=f"{len(chance)} patients and {groups} groups"
        )
    place = _places(chance, groups)
    return tuple(_group(chance[place == k], observed.where(place == k), days) for k in np.unique(place))


def squared_gap(survival: Array, observed: Observed, days: float, groups: int = 10) -> tuple[float, float]:
    """Return the mean squared gap between chances `(N,)` at a day and what was seen, and what chance makes of it.

    The mean is over the groups of `calibration_groups`, weighed by their patients; one whose follow-up ends before the
    day does not count, and both are NaN where none does. What was seen of a group varies by Greenwood's variance, the
    mean of which is what the squared gap comes to where all chances are right. Bands are not asked for, so that it is
    fast enough for resamples. Raises DataError as `calibration_groups` does.
    """
    chance = chances(survival, observed)
    if not 0 < groups <= len(chance):
        raise DataError(
            "need as many patients as groups", found=f"{len(chance)} patients and {groups} groups"
        )
    place = _places(chance, groups)
    size = np.bincount(place).astype(np.float64)
    predicted = np.bincount(place, weights=chance) / np.maximum(size, 1)
    seen, variance = _seen(place, len(size), observed, days)
    known = np.isfinite(seen) & (size > 0)
    if not known.any():
        return float("nan"), float("nan")
    gap = np.average((predicted - seen)[known] ** 2, weights=size[known])
    return float(gap), float(np.average(variance[known], weights=size[known]))


def _places(chance: Array, groups: int) -> Array:
    """Return the group of each patient, `(N,)`; those of one chance are in one group."""
    edges = np.unique(np.quantile(chance, np.arange(1, groups) / groups))
    return np.asarray(np.searchsorted(edges, chance, side="left"))


def _seen(place: Array, groups: int, observed: Observed, days: float) -> tuple[Array, Array]:
    """Return Kaplan-Meier's survival of each group at a day and its variance, `(G,)`; NaN where follow-up ends before.

    So it is where late entry leaves nobody at risk.
    """
    belongs = place[:, None] == np.arange(groups)
    dead = np.flatnonzero(observed.happened & (observed.time_days <= days))
    times, at = np.unique(observed.time_days[dead], return_inverse=True)
    events = np.zeros((len(times), groups))
    np.add.at(events, (at, place[dead]), 1.0)
    risk = sums_at_risk(observed, times, belongs.astype(np.float64))
    left = risk * (risk - events)
    seen = np.prod(1 - np.divide(events, risk, out=np.zeros_like(risk), where=risk > 0), axis=0)
    terms = np.divide(events, left, out=np.zeros_like(left), where=left > 0).sum(axis=0)
    ends = np.where(belongs, observed.time_days[:, None], -1.0).max(axis=0, initial=-1.0)
    emptied = bool((observed.entry_days > 0).any()) & (seen <= 0)
    return np.where(((ends >= days) | (seen <= 0)) & ~emptied, seen, np.nan), seen**2 * terms


def smooth_at(survival: Array, observed: Observed, days: float) -> Array | None:
    """Return what was seen of patients with each chance `(N,)`, as a smooth curve of the chance tells it, `(N,)`.

    The curve is a Cox model of a restricted cubic spline of log(-log(chance)) with three knots (Austin 2020, section
    2.2), or of a straight line where there are too few chances. None where it cannot be fitted, or ends before the day.
    """
    chance = np.clip(chances(survival, observed), _NEVER, 1 - _NEVER)
    scale = np.log(-np.log(chance))
    knots = np.quantile(scale, [0.1, 0.5, 0.9])
    columns = scale[:, None]
    if len(np.unique(np.round(knots, 9))) == 3:
        columns = np.column_stack([scale, _spline(scale, *knots)])
    try:
        cox = fit_cox(columns, observed, names=("chance", "bent")[: columns.shape[1]])
        return np.asarray(cox.survival(columns, np.array([days]))[:, 0])
    except DataError:
        return None


def _spline(x: Array, first: float, second: float, third: float) -> Array:
    """Return the bent column of a restricted cubic spline with three knots (Harrell 2015, eq. 2.25)."""

    def cubed(knot: float) -> Array:
        return np.maximum(x - knot, 0) ** 3

    bent = cubed(first) - cubed(second) * (third - first) / (third - second)
    return np.asarray((bent + cubed(third) * (second - first) / (third - second)) / (third - first) ** 2)


def _group(chance: Array, observed: Observed, days: float) -> CalibrationGroup:
    predicted = float(chance.mean())
    try:
        curve = kaplan_meier(observed)
    except DataError:  # late entry leaves nobody at risk
        return CalibrationGroup(len(chance), predicted, None, None, None)
    if days > curve.end_days and curve.values[-1] > 0:
        return CalibrationGroup(len(chance), predicted, None, None, None)
    place = int(np.searchsorted(curve.times_days, days, side="right")) - 1
    seen, low, high = (1.0, 1.0, 1.0)
    if place >= 0 and curve.low is not None and curve.high is not None:
        seen, low, high = float(curve.values[place]), float(curve.low[place]), float(curve.high[place])
    return CalibrationGroup(len(chance), predicted, seen, low, high)
