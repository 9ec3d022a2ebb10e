"""Platt scaling against scikit-learn's logistic regression, and where there is nothing to learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from vesalius.core import platt
from vesalius.core.errors import DataError


def test_it_is_the_logistic_regression_of_softened_targets():
    rng = np.random.default_rng(0)
    so = rng.random(200) < 0.3
    z = 4 * so + rng.normal(0, 2, 200) + 7
    many, few = so.sum(), (~so).sum()
    high, low = (many + 1) / (many + 2), 1 / (few + 2)
    x = np.concatenate([z, z])[:, None]
    y = np.concatenate([np.ones(200), np.zeros(200)])
    weight = np.concatenate([np.where(so, high, low), 1 - np.where(so, high, low)])
    model = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(x, y, sample_weight=weight)
    np.testing.assert_allclose(platt.fit(z, so), [model.coef_[0, 0], model.intercept_[0]], rtol=1e-4)


def test_scores_that_tell_the_opposite_tell_nothing():
    slope, offset = platt.fit(np.array([3.0, 2, 1, 0]), np.array([0, 0, 1, 1]))
    assert slope == 0 and platt.apply([slope, offset], 5) == pytest.approx(0.5)


def test_perfect_scores_ask_for_no_certainty():
    line = platt.fit(np.array([0.0, 0, 0, 1, 1, 1]), np.array([0, 0, 0, 1, 1, 1]))
    assert platt.apply(line, 1) == pytest.approx(4 / 5, abs=1e-4)


def test_one_kind_of_case_is_refused():
    with pytest.raises(DataError, match="with and without"):
        platt.fit(np.array([1.0, 2]), np.array([1, 1]))
