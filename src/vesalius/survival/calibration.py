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
from vesalius.survival.risksets import no_late_entry

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

    no_late_entry(observed, "D-calibration")
    chance = chances(survival_at_time, observed)
    if bins < 2 or not len(chance):
        raise DataError("need two bins and a patient for D-calibration", found=f"{bins} and {len(chance)}")
    place = np.minimum((chance * bins).astype(np.int64), bins - 1)
    dead = observed.happened
    counts = np.bincount(place[dead], minlength=bins).astype(np.float64)
    stopped = chance[~dead]
    left, lower = stopped[stopped > 0][:, None], np.arange(bins) / bins
    counts += (np.clip(left - lower, 0, 1 / bins) / left).sum(0)
    counts[0] += (stopped == 0).sum()
    even = len(chance) / bins
    chi2 = float(((counts - even) ** 2 / even).sum())
    return DCalibration(counts, chi2, bins - 1, float(chdtrc(bins - 1, chi2)))


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
    edges = np.unique(np.quantile(chance, np.arange(1, groups) / groups))
    place = np.searchsorted(edges, chance, side="left")
    return tuple(_group(chance[place == k], observed.where(place == k), days) for k in np.unique(place))


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
