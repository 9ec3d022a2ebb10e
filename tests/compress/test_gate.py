"""The gate: the upper bound of a drop decides, by patient, and what cannot be told is refused."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from vesalius.compress import gate
from vesalius.compress.gate import Drop, judged
from vesalius.core.errors import PlanError
from vesalius.metrics import Rows, scores

LABELS = ("no", "yes")
measured = functools.partial(gate.measured, resamples=60)


def rows(p: np.ndarray, y: np.ndarray) -> Rows:
    ids = [f"c{k:03d}" for k in range(len(y))]
    return scores.from_arrays(np.stack([1 - p, p], axis=1), y, kind="exclusive", labels=LABELS, case_ids=ids)


def drawn(n: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Chances of the second of two classes, and the classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return 1 / (1 + np.exp(-(2 * y - 1 + rng.normal(size=n) * noise))), y


def test_answers_that_are_the_same_but_for_rounding_lose_nothing() -> None:
    p, y = drawn(60, 1.0)
    drop = measured("Scores", "auc", rows(p, y), rows(p + 1e-7, y), patients={})
    assert (drop.drop, drop.upper) == (0, 0) and drop.patients == 60
    assert judged(drop, 0.0).passed


def test_a_model_that_loses_more_is_refused_and_one_that_may_lose_more_is_too() -> None:
    p, y = drawn(200, 1.0)
    worse, _ = drawn(200, 9.0, seed=1)
    drop = measured("Scores", "auc", rows(p, y), rows(worse, y), patients={})
    pairs = [(a, b) for a in p[y == 1] for b in p[y == 0]]
    by_hand = np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])  # Mann and Whitney
    assert drop.first == pytest.approx(by_hand) and drop.upper is not None and drop.drop is not None
    assert drop.drop > 0.1 and drop.upper > drop.drop
    assert not judged(drop, 0.005).passed and "more than" in judged(drop, 0.005).why
    between = (drop.drop + drop.upper) / 2
    unsure = judged(drop, between)  # the drop is allowed, its upper bound is not
    assert not unsure.passed and unsure.needed is not None and unsure.needed > 200
    assert judged(drop, drop.upper).passed


def test_the_direction_follows_the_figure() -> None:
    p, y = drawn(80, 1.0)
    worse, _ = drawn(80, 9.0, seed=1)
    for figure in ("auc", "brier", "log_loss"):  # the last two are better lower
        drop = measured("Scores", figure, rows(p, y), rows(worse, y), patients={})
        back = measured("Scores", figure, rows(worse, y), rows(p, y), patients={})
        assert drop.drop is not None and drop.drop > 0 and back.drop == pytest.approx(-drop.drop)
        assert drop.upper is not None and back.lower is not None and back.lower < 0 < drop.upper


def test_cases_of_one_patient_count_as_one() -> None:
    p, y = drawn(60, 1.0)
    worse = np.clip(p + np.random.default_rng(2).normal(size=60) * 0.05, 0, 1)
    whose = {f"c{k:03d}": f"p{k // 2}" for k in range(60)}
    alone = measured("Scores", "auc", rows(p, y), rows(worse, y), patients={})
    pairs = measured("Scores", "auc", rows(p, y), rows(worse, y), patients=whose)
    assert (alone.patients, pairs.patients) == (60, 30) and pairs.cases == 60
    few = {case: f"p{int(case[1:]) % 10}" for case in whose}
    told = judged(measured("Scores", "auc", rows(p, y), rows(worse, y), patients=few), 0.9)
    assert not told.passed and told.needed == gate.FEWEST and "too few" in told.why


def test_a_figure_that_never_changes_is_bounded_by_what_nobody_showed() -> None:
    y = np.arange(60) % 2
    sure, less = np.where(y == 1, 0.9, 0.1), np.where(y == 1, 0.7, 0.3)  # both separate the classes
    drop = measured("Scores", "auc", rows(sure, y), rows(less, y), patients={})
    bound = 2 * (1 - 0.025 ** (1 / 30))  # 30 patients of each class, none of whom changed it
    assert drop.drop == 0 and drop.upper == pytest.approx(bound)
    told = judged(drop, 0.005)
    assert not told.passed and told.needed == pytest.approx(60 * bound / 0.005, abs=1)


def test_a_figure_that_is_not_defined_or_has_no_direction_is_refused() -> None:
    p = np.linspace(0.1, 0.9, 30)
    one = rows(p, np.ones(30, dtype=int))
    told = judged(
        measured("Scores", "auc", one, rows(p[::-1].copy(), np.ones(30, dtype=int)), patients={}), 0.9
    )
    assert not told.passed and "cannot be compared" in told.why
    with pytest.raises(PlanError, match="better higher or lower"):
        measured("Scores", "no such figure", one, one, patients={})


def test_a_drop_without_a_bound_is_refused() -> None:
    told = judged(Drop("r2", 0.5, 0.5, 0.0, None, None, 40, 40, "0 on every resample"), 0.5)
    assert not told.passed and "cannot be bounded" in told.why
