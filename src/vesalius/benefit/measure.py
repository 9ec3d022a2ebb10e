"""Measure: what a benefit is counted in: the chance to be free of the event at a day, or time without it up to then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vesalius.benefit.trial import Trial
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.curves import censoring

Kind = Literal["survival", "restricted_mean"]
AT_RISK = 5  # patients of an arm still followed at the horizon: with fewer nothing is said of it
FOLLOWED = 0.1  # of an arm not yet censored at the horizon: with fewer, each stands for too many others


@dataclass(frozen=True)
class Measure:
    """A horizon in days, and what is compared there.

    `survival`: the share of patients without the event after the horizon; a benefit is a difference of shares.
    `restricted_mean`: the mean time without the event up to the horizon, in days.
    """

    horizon_days: float
    kind: Kind = "survival"

    @property
    def unit(self) -> str:
        """Return the unit of a benefit: days, or nothing for a difference of shares."""
        return "days" if self.kind == "restricted_mean" else ""

    def of_curve(self, times_days: Array, survival: Array) -> Array:
        """Return the measure, `(…,)`, of step curves `(…, K)` over rising `times_days` `(K,)`; they begin at 1."""
        curve = np.asarray(survival, np.float64)
        if self.kind == "survival":
            place = int(np.searchsorted(times_days, self.horizon_days, side="right")) - 1
            return np.asarray(curve[..., place] if place >= 0 else np.ones(curve.shape[:-1]))
        within = np.minimum(np.asarray(times_days, np.float64), self.horizon_days)
        edges = np.concatenate([[0.0], within, [self.horizon_days]])
        ones = np.ones((*curve.shape[:-1], 1))
        return np.asarray((np.concatenate([ones, curve], axis=-1) * np.diff(edges)).sum(-1))

    def of_known(self, time_days: Array) -> Array:
        """Return the measure of patients whose time to the event is known, `(N,)`."""
        time = np.asarray(time_days, np.float64)
        if self.kind == "survival":
            return np.asarray((time > self.horizon_days).astype(np.float64))
        return np.minimum(time, self.horizon_days)


def assert_followed(trial: Trial, measure: Measure) -> None:
    """Raise DataError where hardly anybody of an arm was followed up to the horizon, or nearly all were censored."""
    if not measure.horizon_days > 0:
        raise DataError("a horizon must be later than day 0", found=f"day {measure.horizon_days:g}")
    for name in trial.arms:
        time = np.sort(trial.observed.time_days[trial.given(name)])
        n = int((time >= measure.horizon_days).sum())
        if n < AT_RISK or measure.horizon_days > _followed_days(trial, name):
            raise DataError(
                f"too few patients of arm '{name}' were followed up to day {measure.horizon_days:g}",
                found=f"{n} of {len(time)}",
                hint=f"a horizon of at most {np.floor(furthest_days(trial)):g} days",
            )


def furthest_days(trial: Trial) -> float:
    """Return the latest horizon that every arm can tell of.

    Until then 5 patients of each were followed, and one in ten would have been if the event had come to nobody.
    """
    ends = [np.sort(trial.observed.time_days[trial.given(a)])[-AT_RISK:][0] for a in trial.arms]
    return float(min(*ends, *(_followed_days(trial, a) for a in trial.arms)))


def _followed_days(trial: Trial, arm: str) -> float:
    """Return the last day ahead of which no more than nine in ten of an arm are censored; infinite where none is."""
    curve = censoring(trial.observed.where(trial.given(arm)))
    gone = np.flatnonzero(curve.values < FOLLOWED)
    return float(curve.times_days[gone[0]]) if len(gone) else np.inf
