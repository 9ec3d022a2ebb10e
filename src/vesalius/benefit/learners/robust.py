"""A ridge regression of doubly robust scores (a DR-learner): right on average where hazards or propensities are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.benefit.learners.contract import Learned
from vesalius.benefit.measure import Measure
from vesalius.benefit.propensity import standards
from vesalius.benefit.robust import doubly_robust
from vesalius.benefit.trial import Trial
from vesalius.core.image import Array

PENALTIES = tuple(float(p) for p in np.geomspace(1e-3, 1e3, 25))  # times the number of patients


@dataclass(frozen=True, eq=False, kw_only=True)
class Robust(Learned):
    """Linear outcomes: `coefficients` `(F + 1, A)` of a one and of x standardised by `centre`, `scale` `(F,)`."""

    centre: Array
    scale: Array
    coefficients: Array

    def outcomes(self, x: Array) -> Array:
        """Return the measure of each patient under each arm, `(N, A)`."""
        return np.column_stack([np.ones(len(x)), (x - self.centre) / self.scale]) @ self.coefficients


def fit(trial: Trial, measure: Measure, *, rng: np.random.Generator) -> Robust:
    """Regress cross-fitted scores on what was known (Kennedy 2023). `rng` draws the folds. Raises DataError.

    The first arm's outcome and each other arm's difference from it have a ridge of their own, chosen by generalised
    cross-validation, so that a difference which is the same for all is left alone by one that is not.
    """
    scored = doubly_robust(trial, measure, rng=rng)
    keep = scored.kept
    centre, scale = standards(trial.x[keep])
    z, scores = (trial.x[keep] - centre) / scale, scored.scores[keep]
    first = ridge(z, scores[:, 0])
    others = [first + ridge(z, scores[:, k] - scores[:, 0]) for k in range(1, len(trial.arms))]
    return Robust(
        names=trial.names,
        arms=trial.arms,
        measure=measure,
        centre=centre,
        scale=scale,
        coefficients=np.column_stack([first, *others]),
    )


def ridge(z: Array, y: Array) -> Array:
    """Return intercept and coefficients `(F + 1,)` of `y` `(N,)` on centred columns `z` `(N, F)`.

    The penalty minimises generalised cross-validation (Golub, Heath and Wahba 1979) among 25.
    """
    n, level = len(y), float(y.mean())
    u, d, vt = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    along = u.T @ (y - level)
    best, found = np.inf, np.zeros(z.shape[1])
    for penalty in PENALTIES:
        kept = d**2 / (d**2 + penalty * n)
        left = float(((y - level) ** 2).sum() - ((2 * kept - kept**2) * along**2).sum())
        score = n * left / (n - 1 - float(kept.sum())) ** 2
        if score < best:
            best, found = score, vt.T @ (np.divide(kept, d, out=np.zeros_like(d), where=d > 1e-12) * along)
    return np.concatenate([[level - float(z.mean(axis=0) @ found)], found])
