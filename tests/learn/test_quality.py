"""Figures of features: known spectra, known distances, and chance where all are the same."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.learn import quality


@pytest.mark.parametrize("spectrum", [(1.0,), (1.0, 1.0, 1.0), (4.0, 2.0, 1.0, 1.0)])
def test_the_effective_rank_is_the_exponential_entropy_of_the_singular_values(
    spectrum: tuple[float, ...],
) -> None:
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=(20, 8)))[0][:, : len(spectrum)] for _ in range(2))
    vectors = left @ np.diag(spectrum) @ right.T
    share = np.array(spectrum) / sum(spectrum)
    by_hand = np.prod(share**-share)  # exp of the entropy
    assert quality.effective_rank(vectors) == pytest.approx(by_hand, rel=1e-4)
    assert quality.effective_rank(1000 * vectors) == pytest.approx(by_hand, rel=1e-4), "whatever their length"


def test_spread_is_none_where_all_agree_and_one_where_they_point_everywhere() -> None:
    rng = np.random.default_rng(0)
    assert quality.spread(np.ones((9, 4)) * rng.uniform(1, 2, size=(9, 1))) == pytest.approx(0, abs=1e-6)
    assert quality.spread(np.concatenate((np.eye(4), -np.eye(4)))) == pytest.approx(1)
    points = rng.normal(size=(30, 5))
    away = np.sqrt((((points - points.mean(axis=0)) ** 2).sum(axis=1)).mean())
    assert quality.deviation(points) == pytest.approx(away)
    assert quality.deviation(quality.unit(points)) == pytest.approx(quality.spread(points))


def test_alignment_and_uniformity_by_hand() -> None:
    one, other = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[0.0, 3.0], [0.0, 1.0]])
    assert quality.alignment(one, other) == pytest.approx((2 + 0) / 2)
    assert quality.uniformity(one) == pytest.approx(-2 * 2), "one pair, whose squared distance is 2"
    assert np.isnan(quality.uniformity(one[:1]))


def test_the_nearest_view_is_ones_own_or_a_matter_of_chance() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(12, 6))
    assert quality.own_view(vectors, vectors + 1e-3) == 1.0
    assert quality.own_view(vectors, np.roll(vectors, 1, axis=0)) == 0.0
    assert quality.own_view(np.ones((12, 6)), np.ones((12, 6))) == pytest.approx(1 / 12), (
        "a collapse is chance"
    )


def test_neighbours_tell_classes_against_a_plain_vote() -> None:
    rng = np.random.default_rng(0)
    labels = ["a"] * 30 + ["b"] * 10
    among = rng.normal(size=(40, 3)) + np.array([[2.0 if x == "a" else 0.0, 0, 0] for x in labels])
    asked = rng.normal(size=(20, 3)) + np.array([[2.0 * (k % 2 == 0), 0, 0] for k in range(20)])
    truth = ["a" if k % 2 == 0 else "b" for k in range(20)]
    hits: dict[str, list[bool]] = {"a": [], "b": []}
    for vector, label in zip(asked, truth, strict=True):
        cosine = among @ vector / np.linalg.norm(among, axis=1) / np.linalg.norm(vector)
        votes = {"a": 0.0, "b": 0.0}
        for k in sorted(range(40), key=lambda k: -cosine[k])[:10]:
            votes[labels[k]] += np.exp(cosine[k] / 0.1) / labels.count(labels[k])
        hits[label].append(max(votes, key=votes.__getitem__) == label)
    found = quality.by_neighbours(asked, truth, among, labels)
    assert found == pytest.approx((np.mean(hits["a"]) + np.mean(hits["b"])) / 2) and found > 0.6
    same = quality.by_neighbours(np.ones((8, 2)), ["a", "b"] * 4, np.ones((8, 2)), ["a", "b"] * 4, count=8)
    assert same == pytest.approx(0.5), (
        "where all are the same it is chance, however many there are of each class"
    )
    assert np.isnan(quality.by_neighbours(asked, ["a"] * 20, among, labels)), "of one class nothing is told"
