"""A causal forest (econml) on pseudo-observations: groups of patients whose benefit differs, found by honest trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.benefit.learners.contract import Learned
from vesalius.benefit.measure import Measure, assert_followed
from vesalius.benefit.pseudo import by_arm
from vesalius.benefit.trial import Trial
from vesalius.core.errors import MissingExtra
from vesalius.core.image import Array

TREES = 500


@dataclass(frozen=True, eq=False, kw_only=True)
class Forest(Learned):
    """A fitted `CausalForestDML`; it is kept in memory alone, as a bundle holds no pickled objects."""

    forest: Any

    def outcomes(self, x: Array) -> Array:
        """Return each arm's measure over that of the first, `(N, A)`; a forest says differences alone."""
        others = [self.forest.effect(x, T0=0, T1=k) for k in range(1, len(self.arms))]
        return np.column_stack([np.zeros(len(x)), *(np.ravel(o) for o in others)])


def fit(trial: Trial, measure: Measure, *, rng: np.random.Generator) -> Forest:
    """Grow a forest of honest trees (Athey, Tibshirani and Wager 2019; Cui et al. 2023 for censored times).

    Outcomes and propensities are first explained by cross-fitted models of econml's choice. Censoring is met by
    pseudo-observations of each arm, which are right where it does not depend on what is known. Raises DataError,
    MissingExtra without econml.
    """
    try:
        from econml.dml import CausalForestDML
    except ImportError as error:
        raise MissingExtra("econml") from error
    assert_followed(trial, measure)
    forest = CausalForestDML(
        discrete_treatment=True,
        categories=list(range(len(trial.arms))),
        n_estimators=TREES,
        n_jobs=1,
        random_state=int(rng.integers(2**31)),
    )
    forest.fit(by_arm(trial, measure), trial.arm, X=trial.x)
    return Forest(names=trial.names, arms=trial.arms, measure=measure, forest=forest)
