"""Risk sets: who is under observation, and still without the event, at a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.observed import Observed


@dataclass(frozen=True, eq=False)
class Counts:
    """Numbers at each distinct time at which a patient's observation ends.

    `times_days` `(K,)`, rising; `at_risk` `(K,)` under observation just before; `events` `(K,)` and `censored` `(K,)`
    that end then. Where both fall on one day, the events come first.
    """

    times_days: Array
    at_risk: Array
    events: Array
    censored: Array


def sums_at_risk(observed: Observed, days: Array, values: Array) -> Array:
    """Return the sums of `values` `(N, …)` over the patients at risk at each day of `days` `(K,)`: `(K, …)`.

    A patient is at risk at day t where its entry < t ≤ its end; one without late entry also at day 0.
    """
    sums = _sums_from(observed.time_days, days, values)
    late = observed.entry_days > 0
    if late.any():
        sums = sums - _sums_from(observed.entry_days[late], days, values[late])
    return sums


def _sums_from(times: Array, days: Array, values: Array) -> Array:
    """Return the sums of values whose time is at or after each day."""
    order = np.argsort(-times, kind="stable")
    sums = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values[order], axis=0)])
    return np.asarray(sums[np.searchsorted(-times[order], -np.asarray(days), side="right")])


def counts(observed: Observed, happened: Array | None = None) -> Counts:
    """Return the numbers at each distinct time. `happened` `(N,)` are other bits of what counts as an event.

    Raises DataError without patients.
    """
    if not len(observed):
        raise DataError("need at least one patient to count who is at risk")
    bits = observed.happened if happened is None else happened
    times, place = np.unique(observed.time_days, return_inverse=True)
    ended = np.bincount(place, minlength=len(times))
    events = np.bincount(place, weights=bits, minlength=len(times))
    risk = len(observed) - np.concatenate([[0], np.cumsum(ended)[:-1]])
    entries = observed.entry_days[observed.entry_days > 0]
    if len(entries):
        risk = risk - (len(entries) - np.searchsorted(np.sort(entries), times, side="left"))
    return Counts(times, risk.astype(np.float64), events, ended - events)


def at_risk(observed: Observed, days: Array) -> Array:
    """Return how many patients are at risk at each day `(K,)`: under observation, and without an event before it."""
    return sums_at_risk(observed, np.asarray(days, np.float64), np.ones(len(observed)))


def no_late_entry(observed: Observed, what: str) -> None:
    """Raise DataError where a patient entered late: weights by the censoring curve do not hold for them."""
    late = int((observed.entry_days > 0).sum())
    if late:
        raise DataError(
            f"{what} is not defined for patients who entered late",
            found=f"{late} of {len(observed)}",
            hint="leave them out, or count their time from their entry",
        )
