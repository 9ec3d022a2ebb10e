"""Thresholds of conformal prediction against the definition, against draws, and against independent numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from vesalius.answers import _sets as sets
from vesalius.core.errors import DataError, PlanError
from vesalius.core.operating import clopper_pearson
from vesalius.evaluate import conformal


def test_the_threshold_is_the_order_statistic_of_the_definition() -> None:
    scores = np.arange(1, 10) / 10  # n = 9: ⌈10 · 0.9⌉ = 9, the largest; ⌈10 · 0.8⌉ = 8
    assert conformal.quantile(scores, 0.9) == 0.9
    assert conformal.quantile(scores, 0.8) == 0.8
    assert conformal.quantile(scores[::-1], 0.75) == 0.8  # ⌈7.5⌉ = 8
    assert conformal.quantile(scores, 0.91) == math.inf  # ⌈9.1⌉ = 10 of 9
    assert conformal.quantile([], 0.5) == math.inf
    assert conformal.quantile(np.arange(99), 0.9) == 89  # 100 · 0.9 is 90.00000000000001 in floats


def test_coverage_over_draws_follows_the_beta_binomial_law() -> None:
    rng = np.random.default_rng(0)
    hits = [
        int((draw[60:] <= conformal.quantile(draw[:60], 0.9)).sum())
        for draw in (rng.normal(size=260) for _ in range(2000))
    ]
    assert np.mean(hits) / 200 == pytest.approx(math.ceil(61 * 0.9) / 61, abs=0.004)  # E = l / (n + 1), 3 σ
    low, high = conformal.expected(200, coverage=0.9, calibrated=60)
    inside = np.mean([low <= h / 200 <= high for h in hits])
    assert 0.94 < inside < 0.985
    assert conformal.chance_of(200, 200, coverage=0.9, calibrated=60) == pytest.approx(1)
    below = np.mean([conformal.chance_of(h, 200, coverage=0.9, calibrated=60) < 0.025 for h in hits])
    assert below < 0.04


def test_risk_control_keeps_the_mean_loss_and_is_the_last_place_that_does() -> None:
    curves = np.array([[0.0, 0.1, 0.2, 0.6], [0.0, 0.0, 0.1, 0.4], [0.0, 0.0, 0.0, 0.2]] * 3)
    # n = 9; sums 0, .3, .9, 3.6; (sum + 1) / 10 = .1, .13, .19, .46
    assert conformal.controlled(curves, 0.9) == 0
    assert conformal.controlled(curves, 0.86) == 1
    assert conformal.controlled(curves, 0.8) == 2
    assert conformal.controlled(curves, 0.5) == 3
    assert conformal.controlled(curves, 0.95) == math.inf  # 1 / (n + 1) > 0.05
    with pytest.raises(DataError, match="not fall"):
        conformal.controlled(curves[:, ::-1], 0.9)


def test_the_mean_loss_of_new_cases_is_kept() -> None:
    rng = np.random.default_rng(1)
    grid = np.linspace(0, 1, 101)
    lost = []
    for _ in range(400):
        skill = rng.beta(2, 5, size=140)  # a case's voxels are missed from its own place on
        curves = np.clip((grid[None] - skill[:, None]) / 0.6, 0, 1)
        at = conformal.controlled(curves[:40], 0.8)
        lost.append(curves[40:, int(at)].mean())
    assert np.mean(lost) < 0.2
    assert np.mean(lost) > 0.15  # it is not merely always careful


def test_groups_below_fifty_have_the_thresholds_of_all_cases() -> None:
    rng = np.random.default_rng(2)
    strange = [{"": float(x)} for x in np.concatenate([rng.uniform(0, 1, 80), rng.uniform(2, 3, 30)])]
    groups: list[str | None] = ["a"] * 80 + ["b"] * 29 + [None]
    found = conformal.fit(strange, 0.9, groups=groups)
    assert set(found.groups) == {"a"} and found.few == {"b": 29}
    assert found.groups["a"].at[""] < 1 < found.pooled.at[""]
    assert found.groups["a"].n == {"": 80} and found.pooled.n == {"": 110}


def test_a_name_has_its_own_cases_and_what_is_unknown_counts_for_nothing() -> None:
    strange: list[conformal.Strange] = [{"a": 0.1, "b": 0.5}, {"a": 0.2}, {"a": math.nan, "b": 0.9}]
    found = conformal.fit(strange, 0.5)
    assert found.pooled.n == {"a": 2, "b": 2}
    assert found.pooled.at == {"a": 0.2, "b": 0.9}
    with pytest.raises(DataError, match="nothing can be promised"):
        conformal.fit([{}, {}], 0.9)
    with pytest.raises(PlanError, match="between 0 and 1"):
        conformal.fit(strange, 1.0)


def test_clopper_and_pearson_against_scipy() -> None:
    for hits, n in ((0, 20), (3, 20), (20, 20), (180, 200)):
        exact = stats.binomtest(hits, n).proportion_ci(method="exact")
        assert clopper_pearson(hits, n) == pytest.approx((exact.low, exact.high))


def test_sets_of_classes_by_hand() -> None:
    p = np.array([0.5, 0.1, 0.4])
    assert sets.strangeness(p, "lac").tolist() == pytest.approx([0.5, 0.9, 0.6])
    assert sets.strangeness(p, "aps").tolist() == pytest.approx([0.5, 1.0, 0.9])
    assert sets.strangeness(p, "raps").tolist() == pytest.approx([0.5, 1.2, 1.0])
    assert sets.held(sets.strangeness(p, "aps"), 0.9, 0) == [0, 2]
    assert sets.held(sets.strangeness(p, "lac"), 0.3, 0) == [0]  # never empty


def test_sets_of_grades_lie_side_by_side() -> None:
    p = np.array([0.3, 0.06, 0.4, 0.2, 0.04])
    strange = sets.in_order(p, 2)
    assert strange.tolist() == pytest.approx([0.96, 0.66, 0.4, 0.6, 1.0])
    for at in np.linspace(0.4, 1.0, 13):
        places = sets.held(strange, at, 2)
        assert places == list(range(places[0], places[-1] + 1))
