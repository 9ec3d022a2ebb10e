"""Finalists and the verdict: by hand, against a paired bootstrap, and at the promised rate of false finds."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import BudgetError
from vesalius.search.page import front
from vesalius.search.times import shared
from vesalius.search.verdict import Finalist, Measure, best_of, decided, gain, level_of


def measured(values: np.ndarray, seed: int = 0, draws: int = 400) -> Measure:
    """A plan whose score is the mean over patients, with the draws of a bootstrap that all plans share."""
    rng = np.random.default_rng(seed)
    n = len(values)
    drawn = tuple(map(float, values[rng.integers(n, size=(draws, n))].mean(axis=1)))
    return Measure(float(values.mean()), drawn, n)


def test_a_gain_is_the_mean_over_folds_with_the_quantiles_of_paired_draws() -> None:
    one = [Measure(0.5, (0.4, 0.5, 0.6), 10), Measure(0.7, (0.7, 0.7, 0.7), 10)]
    two = [Measure(0.6, (0.5, 0.6, 0.7), 10), Measure(0.7, (0.6, 0.7, 0.8), 10)]
    found = gain(one, two, level=0.95)
    assert found.value == pytest.approx(0.05) and found.folds == 2 and found.patients == 20
    each = np.array([0.0, 0.05, 0.1])  # ((0.1, 0.1, 0.1) + (-0.1, 0, 0.1)) / 2, by hand
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(each, [0.025, 0.975])))


def test_what_is_common_to_both_plans_does_not_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    hard = rng.normal(size=60)  # how hard each patient is, for both
    a, b = measured(hard), measured(hard + 0.2 + 0.05 * rng.normal(size=60))
    found = gain([a], [b], level=0.95)
    assert found.sure and found.high is not None and found.low is not None and found.high - found.low < 0.05


def test_draws_that_are_not_defined_or_few_patients_tell_nothing() -> None:
    some = Measure(0.5, (None, None, 0.5, 0.5), 10)
    assert gain([some], [some], level=0.95).low is None
    few = Measure(0.5, (0.5,) * 100, 3)
    assert gain([few], [Measure(0.9, (0.9,) * 100, 3)], level=0.95).low is None


def test_the_best_on_its_own_fold_is_not_taken_where_other_folds_do_not_bear_it_out() -> None:
    none, clear = Measure(0.7, (0.7,) * 50, 40), Measure(0.9, (0.9,) * 50, 40)
    lucky = Finalist(3, 0.9, gain([none], [clear], level=0.95), gain([none], [none], level=0.95))
    true = Finalist(5, 0.8, gain([none], [clear], level=0.95), gain([none], [clear], level=0.95))
    verdict = decided([lucky], trials=20, primary="auc")
    assert verdict.chosen is None and "its interval holds 0" in verdict.why
    assert lucky.optimism == pytest.approx(0.2) and true.optimism == pytest.approx(0.0)
    assert decided([lucky, true], trials=20, primary="auc").chosen == 5
    alone = Finalist(7, 0.9, gain([none], [clear], level=0.95), None)
    assert decided([alone], trials=20, primary="auc").chosen == 7 and alone.optimism is None
    assert decided([], trials=1, primary="auc").chosen is None


def test_without_other_folds_the_interval_holds_for_all_trials() -> None:
    assert level_of(2, 49, confirmed=True) == pytest.approx(1 - 0.05 / 2)
    assert level_of(2, 49, confirmed=False) == pytest.approx(1 - 0.05 / 49)


def test_plans_that_are_all_alike_are_seldom_called_better() -> None:
    """Twenty plans of equal worth: the three that look best are confirmed; one in forty comparisons may be wrong."""
    rng, wrong = np.random.default_rng(0), 0
    for seed in range(60):
        default = measured(rng.normal(size=50), seed)
        plans = {k: rng.normal(size=50).mean() for k in range(1, 20)}
        numbers = best_of(plans, 3, without=0)
        level = level_of(3, 19, confirmed=True)
        finals = [
            Finalist(k, plans[k], g := gain([default], [measured(rng.normal(size=50), seed)], level=level), g)
            for k in numbers
        ]
        wrong += decided(finals, trials=20, primary="x").chosen is not None
    assert (
        wrong <= 6
    )  # 2.5 % on one side of each, of 60: 1.5 are expected, and the percentiles are a little narrow


def test_the_best_are_those_with_the_highest_scores_and_never_the_default() -> None:
    assert best_of({0: 0.99, 1: 0.5, 2: 0.9, 3: float("nan"), 4: 0.7}, 2, without=0) == [2, 4]


def test_a_front_holds_what_no_other_beats_in_both() -> None:
    points = [(10.0, 0.5, 1), (20.0, 0.9, 2), (30.0, 0.9, 3), (5.0, 0.4, 4), (30.0, 0.6, 5)]
    assert front(points) == [1, 2, 4]


def test_time_is_shared_and_too_little_is_refused_with_what_would_do() -> None:
    plain = shared(None, 40.0, trials=30, workers=1)
    assert plain.each_s == 40.0 and plain.trials_s is None
    two = shared(3600.0, None, trials=30, workers=2)
    assert two.each_s is not None and two.each_s * 30 / 2 < 0.55 * 3600 == two.trials_s
    with pytest.raises(BudgetError, match="30 trials") as error:
        shared(20.0, None, trials=30, workers=1)
    fit = int(str(error.value.hint).split()[1].rstrip(","))
    assert shared(20.0, None, trials=fit, workers=1).each_s
    with pytest.raises(BudgetError, match="one trial"):
        shared(60.0, 40.0, trials=30, workers=1)
