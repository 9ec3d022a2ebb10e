"""Several trainings on the same cases: means, paired differences and intervals against exact enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.evaluate.pooled import over_trainings
from vesalius.metrics import Rows, scores, value

FEW = 200  # draws


def errors(*sizes: float) -> Rows:
    """Answers that are wrong by so much, a case each, of which the mean absolute error is their mean."""
    return value.from_arrays(
        np.array(sizes), np.zeros(len(sizes)), case_ids=[f"c{k}" for k in range(len(sizes))]
    )


def test_the_mean_over_seeds_and_the_paired_difference_by_hand() -> None:
    runs = {"old": {0: errors(4, 2, 6), 1: errors(4, 4, 4)}, "new": {0: errors(3, 1, 5), 1: errors(4, 1, 4)}}
    found = over_trainings("Value", runs, patients={}, metric="mae", resamples=FEW, against="old")
    assert found["old"].figure.value == 4.0 and dict(found["old"].figure.by_seed) == {0: 4.0, 1: 4.0}
    assert found["new"].figure.value == 3.0 and found["old"].difference is None
    change = found["new"].difference
    assert change is not None and change.value == -1.0 and dict(change.by_seed) == {0: -1.0, 1: -1.0}


def test_the_interval_is_that_of_all_draws_of_patients_and_seeds() -> None:
    """By hand: 2 seeds drawn of 2, 3 patients of 3, all 4 · 27 draws alike; differences are those of the errors."""
    old = {0: errors(1, 5, 2), 1: errors(3, 3, 9)}
    new = {0: errors(2, 1, 1), 1: errors(2, 4, 1)}
    change = np.array([[1.0, -4.0, -1.0], [-1.0, 1.0, -8.0]])  # (seeds, patients)
    exact = [
        np.mean([change[s, list(who)].mean() for s in seeds])
        for seeds in product((0, 1), repeat=2)
        for who in product((0, 1, 2), repeat=3)
    ]
    found = over_trainings(
        "Value", {"old": old, "new": new}, patients={}, metric="mae", against="old", resamples=3000
    )["new"]
    assert found.difference is not None and found.difference.value == pytest.approx(change.mean())
    low, high = np.percentile(exact, [2.5, 97.5])
    assert found.difference.low == pytest.approx(low, abs=0.25)
    assert found.difference.high == pytest.approx(high, abs=0.25)
    assert found.better is None, "the interval holds 0"


def test_cases_of_one_patient_are_drawn_together() -> None:
    """Two patients with three cases each: one whose error falls by 2, one whose error rises by 2."""
    old, new = errors(5, 5, 5, 5, 5, 5), errors(3, 3, 3, 7, 7, 7)
    whose = {f"c{k}": "one" if k < 3 else "two" for k in range(6)}
    runs = {"old": {0: old}, "new": {0: new}}
    change = over_trainings("Value", runs, patients=whose, metric="mae", resamples=FEW, against="old")[
        "new"
    ].difference
    assert change is not None and (change.low, change.high) == (-2.0, 2.0), "both, one or none of the two"
    alone = over_trainings("Value", runs, patients={}, metric="mae", resamples=FEW, against="old")[
        "new"
    ].difference
    assert alone is not None and alone.low is not None and alone.low > -2.0


def test_better_and_worse_follow_the_direction_of_the_figure() -> None:
    runs = {"old": {0: errors(5, 6, 7)}, "new": {0: errors(1, 1, 2)}, "bad": {0: errors(9, 9, 9)}}
    found = over_trainings("Value", runs, patients={}, metric="mae", resamples=FEW, against="old")
    assert found["new"].better is True and found["bad"].better is False, "less error is better"
    right = [scores.from_arrays(np.array([[1 - p, p] for p in ps]), np.array([0, 0, 0, 1, 1, 1]), labels=["a", "b"])
             for ps in ([0.1, 0.2, 0.1, 0.9, 0.8, 0.9], [0.9, 0.8, 0.9, 0.1, 0.2, 0.3])]  # fmt: skip
    told = over_trainings(
        "Scores",
        {"old": {0: right[1]}, "new": {0: right[0]}},
        patients={},
        metric="auc",
        resamples=FEW,
        against="old",
    )
    assert told["new"].figure.value == 1.0 and told["new"].better is True, "more area is better"


def test_an_arm_is_compared_over_the_seeds_that_both_have() -> None:
    runs = {"old": {0: errors(4, 4), 2: errors(8, 8)}, "new": {0: errors(3, 3), 1: errors(1, 1)}}
    found = over_trainings("Value", runs, patients={}, metric="mae", resamples=FEW, against="old")["new"]
    assert found.figure.value == 2.0, "over its own two"
    assert found.difference is not None and dict(found.difference.by_seed) == {0: -1.0}
    none = over_trainings(
        "Value",
        {"old": {}, "new": {0: errors(1, 2)}},
        patients={},
        metric="mae",
        resamples=FEW,
        against="old",
    )
    assert none["new"].difference is None and none["new"].figure.value == 1.5 and "old" not in none


def test_other_cases_and_other_truths_are_refused() -> None:
    with pytest.raises(DataError, match="other cases"):
        over_trainings(
            "Value",
            {"a": {0: errors(1, 2)}, "b": {0: errors(1, 2, 3)}},
            patients={},
            metric="mae",
            against="a",
        )
    other = value.from_arrays(np.array([1.0, 2.0]), np.ones(2), case_ids=["c0", "c1"])
    with pytest.raises(DataError, match="other truths"):
        over_trainings(
            "Value",
            {"a": {0: errors(1, 2)}, "b": {0: other}},
            patients={},
            metric="mae",
            resamples=FEW,
            against="a",
        )
