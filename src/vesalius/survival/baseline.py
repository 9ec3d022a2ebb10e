"""The cumulative baseline hazard of patients whose log hazards are known, by Breslow's method."""

from __future__ import annotations

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.observed import Observed
from vesalius.survival.risksets import sums_at_risk
from vesalius.survival.step import Step

_LARGEST = 600.0  # exp of it is still a number


def breslow(log_hazard: Array, observed: Observed, *, weights: Array | None = None) -> Step:
    """Return the cumulative baseline hazard of patients with these log hazards `(N,)` (Breslow 1972), with late entry.

    It belongs to a patient whose log hazard is 0; survival is `exp(-H(t)·exp(log hazard))`. Its times are all days on
    which an observation ends, so that the last is as far as it tells. Raises DataError where a log hazard is not
    finite or beyond ±600, or shapes differ.
    """
    logs = np.asarray(log_hazard, np.float64)
    if logs.shape != (len(observed),) or not np.isfinite(logs).all():
        raise DataError(
            "need a finite log hazard for each patient",
            found=f"shape {logs.shape}, {int((~np.isfinite(logs)).sum())} not finite",
        )
    weight = np.ones(len(observed)) if weights is None else np.asarray(weights, np.float64)
    top = float(logs.max()) if len(logs) else 0.0
    if abs(top) > _LARGEST:  # a baseline of 0 would say that nobody ever has the event
        raise DataError(
            "log hazards are too large to stand beside a baseline",
            found=f"{top:g}",
            hint="subtract their mean",
        )
    times, place = np.unique(observed.time_days, return_inverse=True)
    events = np.bincount(place, weights=weight * observed.happened, minlength=len(times))
    risk = sums_at_risk(observed, times, weight * np.exp(logs - top))
    hazard = np.divide(events, risk, out=np.zeros_like(risk), where=events > 0)
    return Step(times, np.cumsum(hazard) * np.exp(-top), 0.0)
