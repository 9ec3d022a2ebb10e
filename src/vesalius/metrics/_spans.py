"""Spans: at which times survival is judged: horizons with enough patients still at risk, and a grid up to the last."""

from __future__ import annotations

import math

import numpy as np

from vesalius.core.horizons import years_until
from vesalius.core.image import Array
from vesalius.survival.curves import at_risk
from vesalius.survival.observed import Observed

AT_RISK = 10  # patients, and a tenth of them, who are still under observation at the last time that is judged
FEWEST = 5  # events before a horizon in years
GRID = 40  # times over which curves are held and scores are integrated
QUARTILES = (0.25, 0.5, 0.75)


def needed(patients: int) -> int:
    """Return how many must be at risk at a time that is judged: a tenth and ten at least, of few a quarter."""
    return max(1, min(max(AT_RISK, math.ceil(patients / 10)), math.ceil(patients / 4)))


def end_of(observed: Observed) -> float:
    """Return the last day at which enough patients are under observation; 0 without patients."""
    if not len(observed):
        return 0.0
    days = np.unique(observed.time_days)
    risk = at_risk(observed, days)
    enough = days[risk >= needed(len(observed))]
    return float(enough[-1]) if len(enough) else 0.0


def horizons(observed: Observed, end: float) -> tuple[float, ...]:
    """Return the days at which curves are judged, up to `end`: whole years, else quartiles of the times of events.

    A year counts from `FEWEST` events before it on. Empty where no event happened until `end`.
    """
    events = np.sort(observed.time_days[observed.happened & (observed.time_days <= end)])
    found = [day for day in years_until(end) if (events <= day).sum() >= FEWEST]
    if not found and len(events):
        found = sorted({float(d) for d in np.quantile(events, QUARTILES, method="lower")})
    return tuple(found)


def grid(observed: Observed, end: float, at: tuple[float, ...]) -> Array:
    """Return rising times up to `end`: the horizons `at`, and quantiles of the times of events between them."""
    events = observed.time_days[observed.happened & (observed.time_days <= end)]
    many = GRID - len(at) - 1
    spread = np.quantile(events, np.linspace(0, 1, many), method="lower") if len(events) else np.zeros(0)
    days = np.unique(np.concatenate([spread, at, [end]]))
    return np.asarray(days[days > 0])
