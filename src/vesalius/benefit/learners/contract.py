"""The contract of a learner of benefit: a file in `benefit/learners/` with `fit(trial, measure, *, rng) -> Learned`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from vesalius.benefit.measure import Measure
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array
from vesalius.core.words import listed

AT_ONCE = 1000  # patients whose whole curves are in memory


@dataclass(frozen=True, eq=False, kw_only=True)
class Learned(ABC):
    """What each arm would bring a patient of whom `names` are known, in the unit of `measure`."""

    names: tuple[str, ...]
    arms: tuple[str, ...]
    measure: Measure

    @abstractmethod
    def outcomes(self, x: Array) -> Array:
        """Return the measure of each patient under each arm, `(N, A)`, of `x` `(N, F)`."""

    def benefit(self, x: Array, *, control: str, treated: str) -> Array:
        """Return what `treated` brings beyond `control`, `(N,)`, of `x` `(N, F)`; above 0 is better.

        Raises UnknownName for an arm that nobody was given, DataError where columns differ.
        """
        table = np.asarray(x, np.float64)
        if table.ndim != 2 or table.shape[1] != len(self.names):
            raise DataError(f"need the columns {listed(self.names)}", found=f"shape {table.shape}")
        for arm in (control, treated):
            if arm not in self.arms:
                raise UnknownName("arm", arm, self.arms)
        found = self.outcomes(table)
        return np.asarray(found[:, self.arms.index(treated)] - found[:, self.arms.index(control)])


@dataclass(frozen=True, eq=False, kw_only=True)
class Curves(Learned):
    """A learner that says a whole curve of each arm. Its outcomes are the measures of the curves."""

    @abstractmethod
    def curves(self, x: Array, days: Array) -> Array:
        """Return the chance to be free of the event, `(N, A, K)`, of `x` `(N, F)` after `days` `(K,)`, rising."""

    @property
    @abstractmethod
    def jumps(self) -> Array:
        """Return the days on which a curve may fall, rising."""

    def outcomes(self, x: Array) -> Array:
        """Return the measure of each patient's curve under each arm, `(N, A)`."""
        if self.measure.kind == "survival":
            return self.curves(x, np.array([self.measure.horizon_days]))[:, :, 0]
        days = self.jumps[self.jumps <= self.measure.horizon_days]
        parts = [x[k : k + AT_ONCE] for k in range(0, len(x), AT_ONCE)] or [x]
        return np.concatenate([self.measure.of_curve(days, self.curves(part, days)) for part in parts])
