"""Figures of episodes: by hand, against scikit-learn, and over patients against drawing them one by one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from vesalius.learn.episodes import Episode
from vesalius.learn.heads import prototypes
from vesalius.run.episodes import Asked, accuracy, answered, auc, over_episodes, over_patients, per_episode


def asked(seed: int, ways: int = 3, queries: int = 6) -> Asked:
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(ways), queries)
    p = rng.dirichlet(np.ones(ways), size=len(truth)) + 0.3 * np.eye(ways)[truth]
    query = rng.permutation(60)[: len(truth)]
    return Asked(
        Episode(tuple(range(ways)), np.arange(0), query, np.arange(0), truth),
        p / p.sum(axis=1, keepdims=True),
    )


def test_accuracy_and_auc_are_scikit_learns_also_where_cases_count_several_times() -> None:
    a = asked(0)
    weight = np.random.default_rng(1).integers(0, 4, size=(5, len(a.p))).astype(float)
    truth = a.episode.truth
    for w, said, area in zip(weight, accuracy(a, weight), auc(a, weight), strict=True):
        assert said == pytest.approx(np.average(a.p.argmax(axis=1) == truth, weights=w))
        by_class = [roc_auc_score(truth == k, a.p[:, k], sample_weight=w) for k in range(3)]
        assert area == pytest.approx(np.mean(by_class))
    two = asked(2, ways=2)
    assert auc(two, np.ones((1, 12)))[0] == pytest.approx(roc_auc_score(two.episode.truth, two.p[:, 1]))
    gone = np.ones((1, len(a.p)))
    gone[0, truth == 1] = 0
    assert np.isnan(auc(a, gone)[0]), "a class that nobody is left of has no curve"


def test_the_interval_over_episodes_is_1_96_standard_errors_by_hand() -> None:
    found = over_episodes(np.array([0.5, 0.7, 0.6, 0.8]))
    half = 1.959964 * np.sqrt(((0.15**2) * 2 + (0.05**2) * 2) / 3) / 2
    assert found.value == pytest.approx(0.65) and found.n == 4
    assert (found.low, found.high) == (pytest.approx(0.65 - half), pytest.approx(0.65 + half))
    assert over_episodes(np.array([0.5])).low is None


def test_the_interval_over_patients_is_that_of_drawing_them_one_by_one() -> None:
    several = [asked(k) for k in range(6)]
    patients = [f"p{k // 3}" for k in range(60)]
    found = over_patients(several, "accuracy", patients, seed=3)
    assert found.value == pytest.approx(per_episode(several, "accuracy").mean())
    rng, names = np.random.default_rng(4), sorted({patients[q] for a in several for q in a.episode.query})
    means = []
    for _ in range(1000):
        drawn = list(rng.choice(names, len(names)))
        each = []
        for a in several:
            right = a.p.argmax(axis=1) == a.episode.truth
            w = np.array([drawn.count(patients[q]) for q in a.episode.query])
            each.append(np.average(right, weights=w))
        means.append(np.mean(each))
    low, high = np.percentile(means, [2.5, 97.5])
    assert found.low == pytest.approx(low, abs=0.02) and found.high == pytest.approx(high, abs=0.02)
    assert found.n == len(names)


def test_a_difference_is_paired() -> None:
    several = [asked(k) for k in range(5)]
    patients = [f"p{k}" for k in range(60)]
    same = over_patients(several, "auc", patients, less=several)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_a_head_is_fitted_to_the_support_alone() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(12, 4)) + 5 * np.eye(4)[np.repeat([0, 1], 6)]
    episode = Episode(
        (0, 1), np.array([0, 6]), np.array([1, 2, 7, 8]), np.array([0, 1]), np.array([0, 0, 1, 1])
    )
    told = answered(episode, features, prototypes)
    assert (told.p.argmax(axis=1) == episode.truth).all()
    other = features.copy()
    other[[3, 4, 9, 10]] = 1e6  # cases that are neither shots nor queries
    assert np.array_equal(told.p, answered(episode, other, prototypes).p)
