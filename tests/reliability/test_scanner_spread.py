"""The spread between scanners by hand, within patients and between means; how well a site is told, against chance."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.reliability.plain_models import dealt, discriminants, out_of_fold, ridge
from vesalius.reliability.scanner_spread import Levels, inside, kept, levels, spread, telling
from vesalius.reliability.told import guessed, told


def test_within_patients_by_hand() -> None:
    # three patients, far from one another, each seen on two scanners whose values differ by 2, 4 and 6
    base, apart = np.array([0.0, 100.0, 50.0]), np.array([2.0, 4.0, 6.0])
    quantiles = np.stack([base, base + apart], axis=1).reshape(6, 1) @ np.ones((1, 5))
    found = spread(Levels(quantiles, np.full(6, 20.0)), ["a", "b"] * 3, ["p", "p", "q", "q", "r", "r"])
    want = np.sqrt((apart**2 / 2).mean()) / 20  # the deviation of two numbers d apart is d / √2
    assert found.paired and found.patients == 3 and found.value.value == pytest.approx(want)


def test_a_scanner_that_no_travelling_patient_was_seen_on_counts_too() -> None:
    few, many = [10.0, 10.1] * 3, [210.0] * 40
    quantiles = np.array([*few, *many])[:, None] @ np.ones((1, 5))
    scanners, patients = ["a", "b"] * 3 + ["c"] * 40, [k // 2 for k in range(6)] + list(range(3, 43))
    found = spread(Levels(quantiles, np.full(46, 20.0)), scanners, patients)
    assert not found.paired and found.value.value is not None and found.value.value > 5
    parted = spread(
        Levels(quantiles[:12], np.full(12, 20.0)), list("ababab" + "cdcdcd"), [*"ppqqrr", *"xxyyzz"]
    )
    assert not parted.paired and parted.value.value is not None and parted.value.value > 5, (
        "nobody links a to c"
    )


def test_between_means_by_hand_and_the_interval_holds_it() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(10, 1, 30), rng.normal(13, 1, 30)])
    quantiles = values[:, None] @ np.ones((1, 5))
    scanners = ["a"] * 30 + ["b"] * 30
    found = spread(Levels(quantiles, np.full(60, 10.0)), scanners, list(range(60)))
    want = abs(values[:30].mean() - values[30:].mean()) / np.sqrt(2) / 10
    assert not found.paired and found.value.value == pytest.approx(want)
    assert found.value.low is not None and found.value.high is not None
    assert found.value.low < want < found.value.high and found.value.high - found.value.low < 0.15


def test_the_interval_of_no_difference_reaches_down_to_it() -> None:
    rng = np.random.default_rng(1)
    quantiles = rng.normal(0, 1, (40, 1)) @ np.ones((1, 5))
    found = spread(Levels(quantiles, np.full(40, 5.0)), list("abcd") * 10, list(range(40))).value
    assert found.low is not None and found.high is not None and found.value is not None
    assert found.low < 0.03 and found.low <= found.value <= found.high


def test_what_has_no_contrast_holds_no_threshold() -> None:
    images = [np.full((2, 4, 4), 3.0, np.float32)] * 4
    masks = [inside(i) for i in images]
    with pytest.raises(DataError, match="no contrast left"):
        spread(levels(images, masks), list("abab"), list("pqrs"))
    with pytest.raises(DataError, match="two of them"):
        spread(levels(images, masks), list("aaaa"), list("pqrs"))


def test_order_is_kept_by_what_rises_and_lost_by_what_does_not() -> None:
    image = np.random.default_rng(0).normal(0, 1, (4, 8, 8)).astype(np.float32)
    mask = np.ones(image.shape, bool)
    assert kept(image, np.exp(image), mask) == pytest.approx(1.0)
    assert kept(image, -image, mask) == pytest.approx(-1.0) and kept(image, image * 0, mask) == 0.0


def test_a_plane_has_features_too() -> None:
    assert np.isfinite(
        telling(np.random.default_rng(0).normal(0, 1, (1, 8, 8)), np.ones((1, 8, 8), bool))
    ).all()


def test_folds_keep_patients_together_and_spread_strata() -> None:
    patients = [f"p{k // 2}" for k in range(40)]
    strata = ["x" if k < 20 else "y" for k in range(40)]
    fold = dealt(patients, strata, folds=5)
    assert all(fold[2 * k] == fold[2 * k + 1] for k in range(20))
    assert all(np.bincount(fold[:20], minlength=5) == 4) and all(np.bincount(fold[20:], minlength=5) == 4)


def test_sites_are_told_where_they_differ_and_not_where_they_do_not() -> None:
    rng = np.random.default_rng(4)
    sites = ["a", "b", "c"] * 30
    noise = rng.normal(0, 1, (90, 4))
    same = told(noise, sites, list(range(90)))
    assert (
        same.auc.low is not None
        and same.auc.low < 0.5 < same.auc.high
        and same.chance == pytest.approx(1 / 3)
    )
    apart = told(noise + 5 * np.array([[s == "a", s == "b", 0, 0] for s in sites]), sites, list(range(90)))
    assert apart.auc.value > 0.99 and apart.accuracy.value > 0.95
    with pytest.raises(DataError, match="two patients"):
        told(noise, ["a"] * 89 + ["b"], list(range(90)))


def test_models_against_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    x, new = rng.normal(3, 2, (60, 5)), rng.normal(3, 2, (9, 5))
    y = x @ [1.0, 0, -2, 0, 0.5] + rng.normal(0, 0.1, 60)
    z, z_new = (x - x.mean(0)) / x.std(0), (new - x.mean(0)) / x.std(0)
    want = sklearn.Ridge(alpha=np.sqrt(60)).fit(z, y).predict(z_new)
    assert np.allclose(ridge(x, y, new), want)
    classes = (y > y.mean()).astype(int)
    p = discriminants(2)(x, classes, new)
    assert (
        np.allclose(p.sum(axis=1), 1)
        and ((p[:, 1] > 0.5) == (new @ [1.0, 0, -2, 0, 0.5] > y.mean())).mean() > 0.8
    )
    found = guessed(x, y.tolist(), list(range(60)))
    assert found.mae.value is not None and found.mae.value < 0.6 < found.mean_only


def test_what_is_fitted_in_each_fold_sees_no_other() -> None:
    fold = np.array([0, 0, 1, 1])
    seen: list[tuple[list[int], list[int]]] = []

    def change(learn: np.ndarray, ask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append((learn.tolist(), ask.tolist()))
        return np.ones((len(learn), 1)), np.ones((len(ask), 1))

    out_of_fold(np.ones((4, 1)), fold, ridge, np.arange(4.0), change=change)
    assert seen == [([2, 3], [0, 1]), ([0, 1], [2, 3])]
