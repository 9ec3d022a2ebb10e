"""A causal forest (econml) on pseudo-observations: groups of patients whose benefit differs, found by honest trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.benefit.learners.contract import Learned
from vesalius.benefit.measure import Measure, assert_followed
from vesalius.benefit.propensity import standards
from vesalius.benefit.pseudo import by_arm
from vesalius.benefit.trial import Trial
from vesalius.core.errors import MissingExtra
from vesalius.core.image import Array

EXTRA = "benefit"
TREES = 500  # of the causal forest
LEAF, FIRST_TREES = 10, 100  # patients of a leaf, and trees, of the forest that first explains the outcome


@dataclass(frozen=True, eq=False, kw_only=True)
class Forest(Learned):
    """A fitted `CausalForestDML` of x standardised by `centre`, `scale` `(F,)`.

    It is kept in memory alone, as a bundle holds no pickled objects.
    """

    centre: Array
    scale: Array
    forest: Any

    def outcomes(self, x: Array) -> Array:
        """Return each arm's measure over that of the first, `(N, A)`; a forest says differences alone."""
        z = (x - self.centre) / self.scale
        others = [self.forest.effect(z, T0=0, T1=k) for k in range(1, len(self.arms))]
        return np.column_stack([np.zeros(len(x)), *(np.ravel(o) for o in others)])


def fit(trial: Trial, measure: Measure, *, rng: np.random.Generator) -> Forest:
    """Grow a forest of honest trees (Athey, Tibshirani and Wager 2019; Cui et al. 2023 for censored times).

    What x tells of the outcome, by a random forest, and of the arm, by a logistic regression, is taken out of both
    first, cross-fitted; where chance decided on the arms, x tells nothing of them. Censoring is met by
    pseudo-observations of each arm, which are right where it does not depend on what is known. Raises DataError,
    MissingExtra without econml.
    """
    try:
        from econml.dml import CausalForestDML
        from sklearn.dummy import DummyClassifier
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtra(error.name or "econml", EXTRA) from error
    assert_followed(trial, measure)
    centre, scale = standards(trial.x)
    seed = int(rng.integers(2**31))
    forest = CausalForestDML(
        model_y=RandomForestRegressor(FIRST_TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=1),
        model_t=DummyClassifier(strategy="prior") if trial.randomised else LogisticRegression(max_iter=1000),
        discrete_treatment=True,
        categories=list(range(len(trial.arms))),
        n_estimators=TREES,
        n_jobs=1,
        random_state=seed,
    )
    forest.fit(by_arm(trial, measure), trial.arm, X=(trial.x - centre) / scale)
    return Forest(
        names=trial.names, arms=trial.arms, measure=measure, centre=centre, scale=scale, forest=forest
    )
