"""Pairs: how well a risk ranks the patients of a resample, whose pairs were found once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.metrics import _ranks
from vesalius.survival import scores
from vesalius.survival.observed import Observed

MOST = 2**22  # pairs that are held; of more the patients of a resample are ranked anew


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which patients can be compared, and who of them has the lower risk.

    `events` `(E,)` are the places of patients with the event. `table` `(2, E, N)`: whether another is compared with
    one of them, and how much that counts as right: 1, one half where risks are equal, or 0. None of too many pairs.
    """

    risk: Array
    observed: Observed
    events: Array
    table: Array | None

    def concordance(self, weight: Array) -> float:
        """Return Harrell's C; NaN where a risk is not known, or no pair can be compared."""
        if not self._known(weight):
            return math.nan
        if self.table is None:
            at = _drawn(weight)
            return scores.harrell_c(self.risk[at], self.observed.where(at))
        return self._share(weight, weight[self.events])

    def uno(self, weight: Array, watched: Array, until: float) -> float:
        """Return Uno's C up to a day; `watched` `(N,)` is the chance to be under observation just before one's end."""
        if not self._known(weight):
            return math.nan
        if self.table is None:
            at = _drawn(weight)
            return _or_nan(self.risk[at], self.observed.where(at), until)
        own = weight[self.events] * (self.observed.time_days[self.events] < until)
        chance = np.where(own > 0, watched[self.events], 1.0)
        return self._share(weight, own / chance**2)

    def _known(self, weight: Array) -> bool:
        return bool(np.isfinite(self.risk[weight > 0]).all())

    def _share(self, weight: Array, own: Array) -> float:
        pairs, right = np.asarray(self.table) @ weight.astype(np.float32)
        whole = float(own @ pairs)
        return float(own @ right) / whole if whole > 0 else math.nan


def pairs_of(risk: Array, observed: Observed) -> Pairs:
    """Return the pairs of patients of whom one has the event while the other is at risk and goes on, as `harrell_c`."""
    time, dead, entry = observed.time_days, observed.happened, observed.entry_days
    events = np.flatnonzero(dead)
    if len(events) * len(time) > MOST:
        return Pairs(risk, observed, events, None)
    own = time[events][:, None]
    there = (time > own) | ((time == own) & ~dead)
    if (entry > 0).any():
        there &= (entry < own) | (entry == 0)
    low = risk[events][:, None]
    right = ((risk < low).astype(np.float32) + (risk <= low)) / 2
    return Pairs(risk, observed, events, np.stack([there, there * right]).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Apart:
    """Those with the event by a day, and those free of it then, in the order of a marker, for the AUC at that day.

    `early` `(N,)` are bits in that order, `order` the places, and `ends` where a tie has its last.
    """

    marker: Array
    order: Array
    ends: Array
    early: Array
    late: Array

    def auc(self, weight: Array, watched: Array) -> float:
        """Return the cumulative/dynamic AUC as `auc_at`; NaN where a marker is not known, or a group is empty."""
        if not np.isfinite(self.marker[weight > 0]).all():
            return math.nan
        own, chance = weight[self.order], watched[self.order]
        chance = np.where(self.early & (own > 0), chance, 1.0)
        return _ranks.auc(self.early, own * (self.early / chance + self.late), self.ends)


def apart_at(marker: Array, observed: Observed, day: float) -> Apart:
    """Return who is told from whom at a day, by a marker `(N,)` that is larger where the event comes sooner."""
    order, ends = (found[:, 0] for found in _ranks.descending(marker[:, None]))
    time, dead = observed.time_days[order], observed.happened[order]
    return Apart(marker, order, ends, np.asarray(dead & (time <= day)), np.asarray(time > day))


def _drawn(weight: Array) -> Array:
    return np.repeat(np.arange(len(weight)), weight.astype(np.int64))


def _or_nan(risk: Array, observed: Observed, until: float) -> float:
    try:
        return scores.uno_c(risk, observed, until=until)
    except DataError:
        return math.nan
