"""Hazards of patients from what was known before: a Cox model with a little ridge, or one curve of few events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.benefit.propensity import standards
from vesalius.core.image import Array
from vesalius.survival.cox import breslow, fit_cox
from vesalius.survival.observed import Observed, observed
from vesalius.survival.step import Step

PENALTY = 1.0  # of standardised columns: half of it times their squared coefficients
EVENTS = 5  # with fewer of them every patient has the same curve


@dataclass(frozen=True, eq=False)
class Hazards:
    """Cumulative hazards H(t) · exp((x − centre) / scale · coefficients). `baseline` is H; the others are `(F,)`."""

    centre: Array
    scale: Array
    coefficients: Array
    baseline: Step

    @property
    def jumps(self) -> Array:
        """Return the days on which somebody had the event, rising."""
        return np.asarray(self.baseline.times_days[np.diff(self.baseline.values, prepend=0.0) > 0])

    def log_hazard(self, x: Array) -> Array:
        """Return the log of each patient's hazard over the baseline's, `(N,)`."""
        return np.asarray((x - self.centre) / self.scale @ self.coefficients)

    def survival(self, x: Array, days: Array) -> Array:
        """Return the chance to be free of the event after so many days, `(N, K)` for `days` `(K,)`."""
        return np.asarray(np.exp(-np.exp(self.log_hazard(x))[:, None] * self.baseline.at(days)[None]))

    def survival_before(self, x: Array, days: Array) -> Array:
        """Return the chance to be free of the event just before these days, `(N, K)` for `days` `(K,)` or `(N, K)`."""
        return np.asarray(
            np.exp(-np.exp(self.log_hazard(x))[:, None] * np.atleast_2d(self.baseline.left(days)))
        )


def fit_hazards(x: Array, seen: Observed, *, penalty: float = PENALTY) -> Hazards:
    """Fit the hazards of an event of any cause. Raises DataError where the model has no answer."""
    centre, scale = standards(x)
    beta = np.zeros(x.shape[1])
    varies = x.std(axis=0) > 1e-12
    single = observed(seen.time_days, seen.happened)
    if int(seen.happened.sum()) >= EVENTS and varies.any():
        z = ((x - centre) / scale)[:, varies]
        names = [f"x{k}" for k in np.flatnonzero(varies)]
        beta[varies] = fit_cox(z, single, names=names, penalty=penalty / len(z)).coefficients
    return Hazards(centre, scale, beta, breslow((x - centre) / scale @ beta, single))


def fit_censoring(x: Array, seen: Observed, *, penalty: float = PENALTY) -> Hazards:
    """Fit the hazards of being censored, with the roles exchanged; on one day events come before censoring."""
    order = np.unique(seen.time_days)
    gap = float(np.diff(order).min()) if len(order) > 1 else 1.0
    later = seen.time_days + np.where(seen.happened, 0.0, gap / 2)
    return fit_hazards(x, observed(later, ~seen.happened), penalty=penalty)
