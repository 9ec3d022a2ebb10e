"""Clock: the days on which observations end, found once, so that a resample is how often each patient counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array
from vesalius.survival.observed import Observed


@dataclass(frozen=True, eq=False)
class Clock:
    """`times` `(D,)`, rising, and of each patient its place among them, whether it had the event, and its entry.

    `entered` `(N,)` is the number of times up to the entry; None where nobody entered late.
    """

    times: Array
    place: Array
    happened: Array
    entered: Array | None

    def at_risk(self, weight: Array) -> Array:
        """Return how many are at risk just before each time, `(D,)`, of patients who count so often."""
        many = len(self.times)
        left = np.cumsum(np.bincount(self.place, weight, many)[::-1])[::-1]
        if self.entered is None:
            return np.asarray(left)
        late = np.bincount(self.entered, weight * (self.entered > 0), many + 1)[::-1].cumsum()[::-1]
        return np.asarray(left - late[1:])

    def free(self, weight: Array) -> Array | None:
        """Return Kaplan-Meier's curve at each time; None where late entry leaves nobody at risk in between."""
        events = np.bincount(self.place, weight * self.happened, len(self.times))
        risk = self.at_risk(weight)
        if self.entered is not None:
            gone = np.flatnonzero((risk > 0) & (events >= risk))
            if len(gone) and (risk[gone[0] + 1 :] > 0).any():
                return None
        return _product(events, risk)

    def watched(self, weight: Array) -> Array:
        """Return the chance not to be censored by each time, `(D + 1,)`, the first before all of them."""
        many = len(self.times)
        events = np.bincount(self.place, weight * self.happened, many)
        censored = np.bincount(self.place, weight * ~self.happened, many)
        return np.concatenate([[1.0], _product(censored, self.at_risk(weight) - events)])

    def end(self, weight: Array) -> float:
        """Return the last day on which an observation ends; 0 of nobody."""
        return float(self.times[self.place[weight > 0]].max(initial=0.0))

    def until(self, days: Array) -> Array:
        """Return how many of the times have come by each day."""
        return np.searchsorted(self.times, days, side="right")


def clock_of(observed: Observed) -> Clock:
    """Return the times of patients, of whom some may count often and some not at all."""
    times, place = np.unique(observed.time_days, return_inverse=True)
    late = observed.entry_days > 0
    entered = None
    if late.any():
        entered = np.where(late, np.searchsorted(times, observed.entry_days, side="right"), 0)
    return Clock(times, place.ravel(), observed.happened, entered)


def _product(ended: Array, risk: Array) -> Array:
    return np.asarray(np.cumprod(1.0 - np.divide(ended, risk, out=np.zeros_like(risk), where=risk > 0)))
