"""Plain models of a table of features, asked out of fold by patient: linear discriminants, and ridge regression."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from vesalius.core.image import Array

FOLDS = 5
SHRINK = 0.1  # of the shared covariance towards its diagonal's mean
RIDGE = 1.0  # times the root of the number of cases, on standardised columns
LEAST = 1e-9  # a column that varies less says nothing


def dealt(
    patients: Sequence[Hashable], strata: Sequence[Hashable], *, folds: int = FOLDS, seed: int = 0
) -> Array:
    """Return the fold of each case: all cases of a patient share one, and each stratum is spread over all folds.

    A patient's stratum is that of the first of its cases.
    """
    rng = np.random.default_rng(seed)
    first: dict[Hashable, Hashable] = {}
    for patient, stratum in zip(patients, strata, strict=True):
        first.setdefault(patient, stratum)
    fold: dict[Hashable, int] = {}
    turn = 0
    for stratum in sorted(set(first.values()), key=str):
        own = [p for p, s in first.items() if s == stratum]
        for k in rng.permutation(len(own)):
            fold[own[k]] = turn % folds
            turn += 1
    return np.array([fold[p] for p in patients])


def out_of_fold(
    features: Array,
    fold: Array,
    model: Callable[[Array, Array, Array], Array],
    truth: Array,
    *,
    change: Callable[[Array, Array], tuple[Array, Array]] | None = None,
) -> Array:
    """Return what a model says of each case by the cases of the other folds; NaN where these do not suffice.

    `model(learned, truth, asked)` answers `asked` rows. `change(learn, ask)`, where it is given, is told which rows are
    learned from and asked about, and returns the features of both: what is fitted anew in each fold.
    """
    said: Array | None = None
    for k in np.unique(fold):
        learn, ask = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        before, after = (features[learn], features[ask]) if change is None else change(learn, ask)
        found = model(before, truth[learn], after)
        if said is None:
            said = np.full((len(features), *found.shape[1:]), np.nan)
        said[ask] = found
    return np.empty((0,)) if said is None else said


def discriminants(classes: int) -> Callable[[Array, Array, Array], Array]:
    """Return a model of classes 0 … `classes` − 1: shrunk linear discriminants (Friedman 1989), `(N, classes)` chances.

    All classes are taken for equally frequent; one that is not among those learned from has the chance 0.
    """

    def model(learned: Array, truth: Array, asked: Array) -> Array:
        learned, asked = _standardised(learned, asked)
        there = [c for c in range(classes) if (truth == c).any()]
        means = np.stack([learned[truth == c].mean(axis=0) for c in there])
        rest = np.concatenate([learned[truth == c] - m for c, m in zip(there, means, strict=True)])
        spread = rest.T @ rest / max(1, len(rest) - len(there))
        size = max(float(np.trace(spread)) / len(spread), LEAST)
        spread = (1 - SHRINK) * spread + SHRINK * size * np.eye(len(spread))
        weights = np.linalg.solve(spread, means.T)  # (F, classes that are there)
        score = asked @ weights - 0.5 * (means.T * weights).sum(axis=0)
        chances = np.exp(score - score.max(axis=1, keepdims=True))
        found = np.zeros((len(asked), classes))
        found[:, there] = chances / chances.sum(axis=1, keepdims=True)
        return found

    return model


def ridge(learned: Array, truth: Array, asked: Array) -> Array:
    """Return a number for each asked row `(N,)` by ridge regression on standardised columns."""
    learned, asked = _standardised(learned, asked)
    mean = truth.mean()
    inner = learned.T @ learned + RIDGE * np.sqrt(len(learned)) * np.eye(learned.shape[1])
    found: Array = mean + asked @ np.linalg.solve(inner, learned.T @ (truth - mean))
    return found


def _standardised(learned: Array, asked: Array) -> tuple[Array, Array]:
    mean, sd = learned.mean(axis=0), learned.std(axis=0)
    keep = sd > LEAST * np.maximum(1.0, np.abs(mean))
    if not keep.any():
        return np.zeros((len(learned), 1)), np.zeros((len(asked), 1))
    return (learned[:, keep] - mean[keep]) / sd[keep], (asked[:, keep] - mean[keep]) / sd[keep]
