"""A Cox model of each arm by itself (a T-learner): arms may differ in all, and each has its own patients alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.benefit.hazards import Hazards, fit_hazards
from vesalius.benefit.learners.contract import Curves
from vesalius.benefit.measure import Measure, assert_followed
from vesalius.benefit.trial import Trial
from vesalius.core.image import Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Armwise(Curves):
    """Hazards of each arm, in the order of `arms`."""

    hazards: tuple[Hazards, ...]

    def curves(self, x: Array, days: Array) -> Array:
        """Return the chance to be free of the event, `(N, A, K)`."""
        return np.stack([h.survival(x, days) for h in self.hazards], axis=1)

    @property
    def jumps(self) -> Array:
        """Return the days on which a curve may fall, rising."""
        return np.unique(np.concatenate([h.jumps for h in self.hazards]))


def fit(trial: Trial, measure: Measure, *, rng: np.random.Generator) -> Armwise:
    """Fit a Cox model to the patients of each arm; nothing is drawn from `rng`. Raises DataError."""
    assert_followed(trial, measure)
    each = [trial.where(trial.arm == k) for k in range(len(trial.arms))]
    hazards = tuple(fit_hazards(part.x, part.observed) for part in each)
    return Armwise(names=trial.names, arms=trial.arms, measure=measure, hazards=hazards)
