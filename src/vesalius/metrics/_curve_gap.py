"""Gaps: predicted against observed survival at a day, by groups of a resample of patients who were sorted once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array
from vesalius.survival.observed import Observed


@dataclass(frozen=True, eq=False)
class Gap:
    """Patients in the order of their chance to be without the event at a day.

    `died` `(N,)` is the place of the own death among the U distinct days of deaths up to that day, U of others; `seen`
    and `entered` are how many of those days have come by the own end, and by the own entry. `beyond` `(N,)`: whether
    the observation reaches the day.
    """

    order: Array
    chance: Array
    days: int
    died: Array
    seen: Array
    entered: Array | None
    beyond: Array

    def squared(self, weight: Array, groups: int) -> tuple[float, float]:
        """Return the mean squared gap over groups by the chance, and what chance makes of it, as `squared_gap`."""
        own = weight[self.order]
        edges = np.unique(self._quantiles(np.cumsum(own), groups))
        bounds = np.searchsorted(self.chance, edges, side="right")
        many = len(edges) + 1
        place = np.repeat(np.arange(many), np.diff(bounds, prepend=0, append=len(own)))
        size = np.bincount(place, own, many)
        predicted = np.bincount(place, own * self.chance, many) / np.maximum(size, 1)
        found, variance = self._found(own, place, many)
        known = np.isfinite(found) & (size > 0)
        if not known.any():
            return math.nan, math.nan
        share = size[known] / size[known].sum()
        return float(((predicted - found)[known] ** 2) @ share), float(variance[known] @ share)

    def _quantiles(self, upto: Array, groups: int) -> Array:
        """Return the chances between groups of equal size, as numpy's quantiles of the drawn patients."""
        virtual = (upto[-1] - 1) * (np.arange(1, groups) / groups)
        low = np.floor(virtual)
        share = virtual - low
        first, second = (self.chance[np.searchsorted(upto, low + k, side="right")] for k in (0, 1))
        apart = second - first
        return np.asarray(np.where(share >= 0.5, second - apart * (1 - share), first + apart * share))

    def _found(self, own: Array, place: Array, groups: int) -> tuple[Array, Array]:
        """Return Kaplan-Meier's survival of each group at the day, NaN where it does not tell, and its variance."""

        def table(at: Array, weight: Array) -> Array:
            held = np.bincount(at * groups + place, weight, (self.days + 1) * groups)
            return np.asarray(held.reshape(self.days + 1, groups))

        events = table(self.died, own)[:-1]
        risk = table(self.seen, own)[::-1].cumsum(axis=0)[::-1][1:]
        late = self.entered is not None
        if self.entered is not None:
            risk = risk - table(self.entered, own * (self.entered > 0))[::-1].cumsum(axis=0)[::-1][1:]
        left = risk * (risk - events)
        found = np.prod(1 - np.divide(events, risk, out=np.zeros_like(risk), where=risk > 0), axis=0)
        terms = np.divide(events, left, out=np.zeros_like(left), where=left > 0).sum(axis=0)
        reaches = np.bincount(place, own * self.beyond, groups) > 0
        told = (reaches | (found <= 0)) & ~((found <= 0) & late)
        return np.where(told, found, np.nan), found**2 * terms


def gap_at(chance: Array, observed: Observed, day: float) -> Gap:
    """Return patients in the order of their chance `(N,)` to be without the event at a day."""
    order = np.argsort(chance, kind="stable")
    time, dead = observed.time_days[order], observed.happened[order]
    early = dead & (time <= day)
    days = np.unique(time[early])
    died = np.where(early, np.searchsorted(days, time), len(days))
    entry = observed.entry_days[order]
    entered = np.searchsorted(days, entry, side="right") if (entry > 0).any() else None
    if entered is not None:
        entered = np.where(entry > 0, entered, 0)
    seen = np.searchsorted(days, time, side="right")
    return Gap(order, chance[order], len(days), died, seen, entered, time >= day)
