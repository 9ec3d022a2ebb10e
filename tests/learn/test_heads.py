"""Last layers in closed form: prototypes against nearest means by hand, linear ones against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NearestCentroid

from vesalius.core.errors import DataError, PlanError
from vesalius.learn.heads import Rows, linear, prototypes


def blobs(classes: int = 3, each: int = 6, width: int = 20, seed: int = 0) -> tuple[Rows, np.ndarray]:
    rng = np.random.default_rng(seed)
    middle = 1.5 * rng.normal(size=(classes, width))
    label = np.repeat(np.arange(classes), each)
    x = 3 + middle[label] + rng.normal(size=(len(label), width))
    return Rows(x, np.eye(classes)[label], np.arange(len(label)), np.ones(len(label)), "exclusive"), label


def test_euclidean_prototypes_are_the_nearest_mean_and_its_softmax() -> None:
    rows, label = blobs()
    head = prototypes(rows, "euclidean")
    asked = 3 + 2 * np.random.default_rng(1).normal(size=(200, 20))
    by_hand = NearestCentroid().fit(rows.features, label).predict(asked)
    assert (head(asked).argmax(axis=1) == by_hand).all()
    centres = np.stack([rows.features[label == k].mean(axis=0) for k in range(3)])
    squared = ((asked[:, None] - centres) ** 2).sum(axis=2)
    apart = head(asked)[:, [1]] - head(asked)[:, [0]]
    t = float(np.median(apart[:, 0] / (squared[:, 0] - squared[:, 1])))
    assert t > 0
    np.testing.assert_allclose(softmax(head(asked), axis=1), softmax(-t * squared, axis=1), atol=1e-8)


def test_cosine_prototypes_call_what_is_nearest_by_angle() -> None:
    rows, label = blobs()
    head = prototypes(rows, "cosine")
    middle = np.mean([rows.features[label == k].mean(axis=0) for k in range(3)], axis=0)
    unit = rows.features - middle
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    means = np.stack([unit[label == k].mean(axis=0) for k in range(3)])
    asked = 3 + 2 * np.random.default_rng(2).normal(size=(200, 20))
    moved = asked - middle
    cosine = (moved @ means.T) / np.linalg.norm(moved, axis=1)[:, None] / np.linalg.norm(means, axis=1)
    assert (head(asked).argmax(axis=1) == cosine.argmax(axis=1)).all()


def test_every_case_counts_alike_however_many_rows_it_has() -> None:
    features = np.array([[0.0, 0], [0, 0], [0, 0], [6, 0], [0, 9]])
    wanted = np.eye(2)[[0, 0, 0, 0, 1]]
    rows = Rows(features, wanted, np.array([0, 0, 0, 1, 2]), np.ones(5), "exclusive")
    head = prototypes(rows, "euclidean")
    half = np.array([[3.0, 0.0], [0.0, 9.0]]).mean(axis=0)  # half way from the mean of the cases' means
    np.testing.assert_allclose(np.diff(head(half[None]), axis=1), 0, atol=1e-9)
    assert "not fitted" in head.said and np.isnan(head.loss), "label 1 has one case"


def test_prototypes_of_labels_that_may_hold_at_once_are_those_with_and_without_each() -> None:
    rng = np.random.default_rng(3)
    wanted = np.array([[1, 0], [1, 1], [0, 1], [0, 0], [1, 0], [0, 1]], dtype=float)
    x = wanted @ np.array([[4.0, 0, 0], [0, 4, 0]]) + 0.1 * rng.normal(size=(6, 3))
    head = prototypes(Rows(x, wanted, np.arange(6), np.ones(6), "several"), "euclidean")
    assert ((head(x) > 0) == (wanted > 0.5)).all()
    with_, without = x[wanted[:, 0] > 0].mean(axis=0), x[wanted[:, 0] == 0].mean(axis=0)
    np.testing.assert_allclose(head(((with_ + without) / 2)[None])[0, 0], 0, atol=1e-9)


def standardised(rows: Rows) -> np.ndarray:
    """Each variance counts as if five more cases had the median one; by hand."""
    x, n = rows.features, len(rows.features)
    variance = (n * x.var(axis=0) + 5 * np.median(x.var(axis=0))) / (n + 5)
    return (x - x.mean(axis=0)) / np.sqrt(variance * x.shape[1])


def test_the_logistic_layer_is_scikit_learns() -> None:
    rows, label = blobs()
    for strength in (1.0, 1e-3):
        head = linear(rows, (strength,))
        z = standardised(rows)
        model = LogisticRegression(C=1 / (strength * len(z)), tol=1e-10, max_iter=10000).fit(z, label)
        np.testing.assert_allclose(softmax(head(rows.features), axis=1), model.predict_proba(z), atol=2e-4)


def test_the_strength_is_the_one_that_leaving_out_by_hand_finds() -> None:
    rows, label = blobs(each=4, width=8, seed=5)
    tried = (1.0, 1e-2, 1e-4)
    z, losses = standardised(rows), []
    for strength in tried:
        total = 0.0
        for k in range(len(z)):
            keep = np.arange(len(z)) != k
            model = LogisticRegression(C=1 / (strength * keep.sum()), tol=1e-8, max_iter=10000)
            total -= model.fit(z[keep], label[keep]).predict_log_proba(z[[k]])[0, label[k]]
        losses.append(total / len(z))
    head = linear(rows, tried)
    assert f"strength {tried[int(np.argmin(losses))]:g}," in head.said
    assert head.loss == pytest.approx(min(losses), abs=1e-3)


def test_the_ridge_layer_is_scikit_learns() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(12, 30))
    y = x[:, :2] @ np.array([[1.0], [-2]]) + 5
    rows = Rows(x, y, np.arange(12), np.ones(12), "numbers")
    head = linear(rows, (0.1,))
    z = standardised(rows)
    model = Ridge(alpha=0.1 * len(z)).fit(z, y[:, 0])
    np.testing.assert_allclose(head(x)[:, 0], model.predict(z), atol=1e-8)


def test_a_feature_that_hardly_varies_over_the_shots_does_not_outweigh_the_others() -> None:
    """As a unit of a net does that is asleep for the few cases and awake for others."""
    rows, label = blobs()
    x = np.column_stack([rows.features, 1e-4 * np.arange(18)])
    head = linear(Rows(x, rows.wanted, rows.case, rows.weight, "exclusive"), (1e-3,))
    awake = np.column_stack([rows.features, np.full(18, 3.0)])
    assert (head(awake).argmax(axis=1) == label).all()


def test_rows_of_one_case_are_left_out_together() -> None:
    """Two views of each case: were they parted, the view that stays would give the other one away."""
    rows, label = blobs(each=5, width=40, seed=7)
    noise = np.random.default_rng(8).permutation(label)  # nothing to be learned
    twice = Rows(
        np.repeat(rows.features, 2, axis=0),
        np.eye(3)[np.repeat(noise, 2)],
        np.repeat(rows.case, 2),
        np.ones(30),
        "exclusive",
    )
    assert linear(twice, (1.0, 1e-3)).loss > np.log(3) - 0.2, "no better than chance by more than luck"


def test_what_cannot_be() -> None:
    rows, _ = blobs()
    with pytest.raises(PlanError, match="no prototypes"):
        prototypes(Rows(rows.features, rows.wanted[:, :1], rows.case, rows.weight, "numbers"))
    with pytest.raises(DataError, match="the same features for every case"):
        linear(Rows(np.ones((6, 4)), np.eye(2)[[0, 1] * 3], np.arange(6), np.ones(6), "exclusive"))


def test_one_case_a_label_is_enough_for_both() -> None:
    rows, label = blobs(each=1)
    assert (prototypes(rows)(rows.features).argmax(axis=1) == label).all()
    assert (linear(rows)(rows.features).argmax(axis=1) == label).all()
