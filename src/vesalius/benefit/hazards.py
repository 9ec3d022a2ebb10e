"""Hazards of patients from what was known before: a Cox model with a little ridge, or one curve of few events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.benefit.propensity import corrected, standards
from vesalius.core.image import Array
from vesalius.survival.cox import breslow, fit_cox
from vesalius.survival.observed import Observed, observed
from vesalius.survival.step import Step

PENALTIES = (1.0, 10.0, 100.0, 1000.0)  # half of one times the squared coefficients of standardised columns
MANY = 10  # events a column, from which on the least penalty is enough
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


def fit_hazards(x: Array, seen: Observed) -> Hazards:
    """Fit the hazards of an event of any cause. Raises DataError where the model has no answer.

    Where columns are many for the events, the ridge is the one of `PENALTIES` with the best corrected Akaike criterion.
    """
    centre, scale = standards(x)
    beta = np.zeros(x.shape[1])
    varies = x.std(axis=0) > 1e-12
    single = observed(seen.time_days, seen.happened)
    if int(seen.happened.sum()) >= EVENTS and varies.any():
        beta[varies] = _coefficients(((x - centre) / scale)[:, varies], single)
    return Hazards(centre, scale, beta, breslow((x - centre) / scale @ beta, single))


def _coefficients(z: Array, seen: Observed) -> Array:
    """Return the coefficients `(F,)` of standardised columns.

    The criterion counts as many free parameters as the ridge leaves, F − penalty · tr(covariance) (Verweij and van
    Houwelingen 1994), and is corrected for few events (Hurvich and Tsai 1989).
    """
    names = [f"x{k}" for k in range(z.shape[1])]
    events = int(seen.happened.sum())
    few = MANY * z.shape[1] <= events
    fits = [fit_cox(z, seen, names=names, penalty=p / len(z)) for p in (PENALTIES[:1] if few else PENALTIES)]
    free = [z.shape[1] - p * float(np.trace(f.covariance)) for p, f in zip(PENALTIES, fits, strict=False)]
    best = int(np.argmin([corrected(d, events) - f.log_likelihood for d, f in zip(free, fits, strict=True)]))
    return fits[best].coefficients


def fit_censoring(x: Array, seen: Observed) -> Hazards:
    """Fit the hazards of being censored, with the roles exchanged; on one day events come before censoring."""
    order = np.unique(seen.time_days)
    gap = float(np.diff(order).min()) if len(order) > 1 else 1.0
    later = seen.time_days + np.where(seen.happened, 0.0, gap / 2)
    return fit_hazards(x, observed(later, ~seen.happened))
