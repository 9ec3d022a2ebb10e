"""Thresholds, sets and intervals against MAPIE's and crepes', on the same scores; run where they are installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vesalius.answers import _sets as sets
from vesalius.evaluate import conformal

mapie = pytest.importorskip("mapie", reason="MAPIE is not installed: make install")
sklearn = pytest.importorskip("sklearn.base")


class Classes(sklearn.ClassifierMixin, sklearn.BaseEstimator):  # type: ignore[misc, name-defined]
    """What says the probabilities that it is given as features."""

    def fit(self, x: Any, y: Any) -> Classes:
        """Learn nothing but the classes."""
        self.classes_ = np.arange(x.shape[1])
        return self

    def predict_proba(self, x: Any) -> Any:
        """Return the features."""
        return np.asarray(x)

    def predict(self, x: Any) -> Any:
        """Return the likeliest class."""
        return np.asarray(x).argmax(axis=1)


class Numbers(sklearn.RegressorMixin, sklearn.BaseEstimator):  # type: ignore[misc, name-defined]
    """What says the number that it is given as a feature."""

    def fit(self, x: Any, y: Any) -> Numbers:
        """Learn nothing."""
        self.n_features_in_ = 1
        return self

    def predict(self, x: Any) -> Any:
        """Return the feature."""
        return np.asarray(x)[:, 0]


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.7] * 4, n)
    return p, np.array([rng.choice(4, p=one) for one in p])


@pytest.mark.parametrize("coverage", [0.6, 0.8, 0.9])
def test_sets_are_mapies(coverage: float) -> None:
    from mapie.classification import SplitConformalClassifier

    (p, y), (new, _) = drawn(173, 0), drawn(300, 1)
    theirs = SplitConformalClassifier(
        Classes().fit(p, y), confidence_level=coverage, conformity_score="lac", prefit=True
    )
    theirs.conformalize(p, y)
    _, found = theirs.predict_set(new)
    at = fitted(p, y, "lac", coverage)
    held = np.array([sets.strangeness(a, "lac") <= at for a in new])
    assert np.array_equal(held, np.asarray(found)[:, :, 0])


@pytest.mark.parametrize("way", sets.WAYS)
@pytest.mark.parametrize("coverage", [0.6, 0.8, 0.9])
def test_sets_of_the_same_scores_are_crepes(way: str, coverage: float) -> None:
    """MAPIE draws random numbers for its scores of `aps`, so that only its `lac` can be compared."""
    crepes = pytest.importorskip("crepes", reason="crepes is not installed")
    (p, y), (new, _) = drawn(173, 0), drawn(300, 1)
    scores = np.array([sets.strangeness(a, way)[k] for a, k in zip(p, y, strict=True)])
    theirs = crepes.ConformalClassifier()
    theirs.fit(scores)
    strange = np.array([sets.strangeness(a, way) for a in new])
    found = theirs.predict_set(strange, confidence=coverage, smoothing=False)
    assert np.array_equal(strange <= fitted(p, y, way, coverage), np.asarray(found).astype(bool))


def fitted(p: np.ndarray, y: np.ndarray, way: str, coverage: float) -> float:
    """The threshold that is ours."""
    strange = [{"": float(sets.strangeness(a, way)[k])} for a, k in zip(p, y, strict=True)]
    return conformal.fit(strange, coverage).pooled.at[""]


def test_intervals_are_mapies() -> None:
    from mapie.regression import SplitConformalRegressor

    rng = np.random.default_rng(2)
    x, new = rng.normal(size=(151, 1)), rng.normal(size=(20, 1))
    y = x[:, 0] + rng.standard_t(3, 151)
    theirs = SplitConformalRegressor(Numbers().fit(x, y), confidence_level=0.9, prefit=True)
    theirs.conformalize(x, y)
    _, bounds = theirs.predict_interval(new)
    at = conformal.fit([{"": float(v)} for v in np.abs(x[:, 0] - y)], 0.9).pooled.at[""]
    assert np.asarray(bounds)[:, 0, 0] == pytest.approx(new[:, 0] - at)
    assert np.asarray(bounds)[:, 1, 0] == pytest.approx(new[:, 0] + at)


def test_groups_are_crepes() -> None:
    crepes = pytest.importorskip("crepes", reason="crepes is not installed")
    rng = np.random.default_rng(3)
    bins = rng.integers(0, 2, 200)
    residuals = rng.normal(size=200) * (1 + 2 * bins)
    theirs = crepes.ConformalRegressor()
    theirs.fit(residuals, bins=bins)
    bounds = theirs.predict_int(np.zeros(2), bins=np.array([0, 1]), confidence=0.9)
    ours = conformal.fit(
        [{"": float(v)} for v in np.abs(residuals)], 0.9, groups=[str(b) for b in bins.tolist()]
    )
    assert np.asarray(bounds)[:, 1] == pytest.approx([ours.groups[g].at[""] for g in ("0", "1")])
