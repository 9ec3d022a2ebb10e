"""Label errors: a case worked by hand, the results of cleanlab recorded, and cleanlab itself where it is installed."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from vesalius.core.errors import DataError, UnknownName
from vesalius.reliability import label_errors
from vesalius.reliability.label_errors import find, find_several, suspects

# Given labels and probabilities of ten cases. Thresholds: mean p(a) where a is given is (.9 + .8 + .7 + .1 + .6) / 5,
# that is .62; mean p(b) where b is given is (.9 + .8 + .7 + .3 + .05) / 5, that is .55.
GIVEN = ["a"] * 5 + ["b"] * 5
P_A = np.array([0.9, 0.8, 0.7, 0.1, 0.6, 0.1, 0.2, 0.3, 0.7, 0.95])
P = np.stack([P_A, 1 - P_A], axis=1)
CASES = [f"c{k}" for k in range(10)]


def test_a_case_worked_by_hand() -> None:
    y = np.array([0] * 5 + [1] * 5)
    assert label_errors.thresholds(y, P) == pytest.approx([0.62, 0.55])
    # c4 reaches neither threshold (.6 < .62, .4 < .55); c3 is surely b; c8 and c9 are surely a
    assert label_errors.confident_labels(y, P).tolist() == [0, 0, 0, 1, -1, 1, 1, 1, 0, 0]
    # counts: a is a 3, a is b 1; b is a 2, b is b 3. Calibrated to 5 given each: (3.75, 1.25) and (2, 3)
    assert label_errors.confident_joint(y, P).tolist() == [[4, 1], [2, 3]]
    found = find(CASES, GIVEN, P, ("a", "b"))
    assert [(e.case, e.given, e.likely, e.confident) for e in found.errors] == [
        ("c9", "b", "a", True), ("c3", "a", "b", True), ("c8", "b", "a", True),
    ]  # fmt: skip
    assert found.errors[0].margin == pytest.approx(0.9) and found.errors[0].p_given == pytest.approx(0.05)
    assert found.noise[""].share == pytest.approx(0.3) and found.noise[""].small == ()


def test_a_label_that_is_also_the_likeliest_is_never_doubted() -> None:
    for by in label_errors.WAYS:
        flagged = suspects(np.array([0] * 5 + [1] * 5), P, by=by)
        assert flagged.tolist() == [False, False, False, True, False, False, False, False, True, True], by
    clean = np.where(np.eye(2)[[0] * 5 + [1] * 5], 0.8, 0.2)
    assert find(CASES, GIVEN, clean, ("a", "b")).errors == ()


def test_labels_that_may_hold_together_are_asked_about_one_by_one() -> None:
    given = [("cyst",) if w == "a" else () for w in GIVEN]
    both = np.stack([P_A, np.full(10, 0.5)], axis=1)  # nobody has the second label: nothing to tell apart
    found = find_several(CASES, given, both, ("cyst", "stone"))
    assert [(e.case, e.label, e.given, e.likely) for e in found.errors] == [
        ("c9", "cyst", "no", "yes"), ("c3", "cyst", "yes", "no"), ("c8", "cyst", "no", "yes"),
    ]  # fmt: skip
    assert list(found.noise) == ["cyst"]


def test_what_cannot_be_probabilities_is_refused() -> None:
    with pytest.raises(DataError, match="do not fit"):
        find(CASES[:9], GIVEN[:9], P, ("a", "b"))
    with pytest.raises(DataError, match=r"must sum to 1; found 1\.8000 for case c0"):
        find(CASES, GIVEN, np.full((10, 2), 0.9), ("a", "b"))
    with pytest.raises(DataError, match="between 0 and 1"):
        find(CASES, GIVEN, np.full((10, 2), np.nan), ("a", "b"))
    with pytest.raises(UnknownName, match="label"):
        find(CASES, ["a"] * 9 + ["z"], P, ("a", "b"))
    with pytest.raises(UnknownName, match="way of finding"):
        find(CASES, GIVEN, P, ("a", "b"), by="guess")


def test_a_label_with_few_cases_is_said() -> None:
    given = ["a"] * 8 + ["b"] * 2
    assert find(CASES, given, P, ("a", "b")).noise[""].small == ("b",)


def _random(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    k, n = int(rng.integers(2, 6)), int(rng.integers(40, 300))
    true = rng.integers(0, k, n)
    given = np.where(rng.random(n) < 0.25, rng.integers(0, k, n), true)
    z = np.exp(rng.normal(size=(n, k)) + 2.5 * np.eye(k)[true])
    return given, z / z.sum(axis=1, keepdims=True)


# cleanlab 2.9: the confident joint, and how many labels each way takes
RECORDED = {
    1: ([[39, 4, 8], [8, 45, 5], [3, 7, 54]], [34, 35, 33, 27]),
    2: ([[11, 0, 1, 3, 2], [0, 17, 0, 0, 0], [1, 0, 23, 0, 1], [0, 0, 2, 16, 3], [5, 3, 1, 1, 18]], [23, 23, 20, 18]),
    3: ([[14, 0, 2, 0, 0], [0, 12, 0, 2, 0], [0, 1, 10, 2, 0], [0, 0, 0, 9, 0], [1, 0, 1, 0, 8]], [7, 7, 6, 6]),
    4: ([[57, 3, 6, 4], [5, 54, 7, 4], [3, 1, 61, 6], [7, 4, 2, 61]], [50, 52, 47, 39]),
}  # fmt: skip
WAYS = {
    "noise_rate": "prune_by_noise_rate",
    "class": "prune_by_class",
    "both": "both",
    "confident": "confident_learning",
}


@pytest.mark.parametrize("seed", RECORDED)
def test_results_of_cleanlab_on_random_cohorts(seed: int) -> None:
    given, p = _random(seed)
    joint, counts = RECORDED[seed]
    assert label_errors.confident_joint(given, p).tolist() == joint
    assert [int(suspects(given, p, by=by).sum()) for by in WAYS] == counts


@pytest.mark.filterwarnings("ignore")
def test_the_same_cases_as_cleanlab_takes() -> None:
    if "cleanlab" not in sys.modules:
        pytest.importorskip("cleanlab")
    from cleanlab.filter import find_label_issues

    for seed in RECORDED:
        given, p = _random(seed)
        for by, name in WAYS.items():
            theirs = find_label_issues(given, p, filter_by=name, n_jobs=1)
            assert np.array_equal(suspects(given, p, by=by), theirs), (seed, by)
