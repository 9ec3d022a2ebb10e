"""One Cox model with the arm, what was known, and their products: arms share a baseline, and what they can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.benefit.hazards import Hazards, fit_hazards
from vesalius.benefit.learners.contract import Curves
from vesalius.benefit.measure import Measure, assert_followed
from vesalius.benefit.propensity import standards
from vesalius.benefit.trial import Trial
from vesalius.core.image import Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Interaction(Curves):
    """Hazards of a table with columns for x, for each arm but the first, and for their products.

    `centre`, `scale` `(F,)` standardise x before it is multiplied; `share` `(A,)` is subtracted from the arms'
    indicators.
    """

    centre: Array
    scale: Array
    share: Array
    hazards: Hazards

    def curves(self, x: Array, days: Array) -> Array:
        """Return the chance to be free of the event, `(N, A, K)`."""
        z = (x - self.centre) / self.scale
        each = [_table(z, np.full(len(z), k), self.share) for k in range(len(self.arms))]
        return np.stack([self.hazards.survival(t, days) for t in each], axis=1)

    @property
    def jumps(self) -> Array:
        """Return the days on which a curve may fall, rising."""
        return self.hazards.jumps


def fit(trial: Trial, measure: Measure, *, rng: np.random.Generator) -> Interaction:
    """Fit one Cox model to the patients of all arms; nothing is drawn from `rng`. Raises DataError."""
    assert_followed(trial, measure)
    centre, scale = standards(trial.x)
    share = np.bincount(trial.arm, minlength=len(trial.arms)) / len(trial)
    table = _table((trial.x - centre) / scale, trial.arm, share)
    return Interaction(
        names=trial.names,
        arms=trial.arms,
        measure=measure,
        centre=centre,
        scale=scale,
        share=share,
        hazards=fit_hazards(table, trial.observed),
    )


def _table(z: Array, arm: Array, share: Array) -> Array:
    """Return x, the arms but the first around their shares, and the products, `(N, F + (A − 1) (1 + F))`."""
    sides = [(arm == k) - share[k] for k in range(1, len(share))]
    return np.column_stack([z, *sides, *(z * side[:, None] for side in sides)])
