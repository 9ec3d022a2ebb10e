"""The log-rank test: by hand, and against lifelines."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.survival.cox import fit_cox
from vesalius.survival.logrank import logrank
from vesalius.survival.observed import observed
from vesalius.survival.partial import partial

RNG = np.random.default_rng(2)
TIME, HAPPENED = np.ceil(RNG.exponential(20, 90)), RNG.random(90) < 0.7
GROUPS, STRATA = np.array(["low", "middle", "high"] * 30), np.repeat(["x", "y"], 45)


def test_by_hand() -> None:
    # a: 1, 3+; b: 2, 4. Day 1: 1 of 4, a half is due in a. Day 2: 1 of 3, a third. Day 4: b alone
    found = logrank(observed(np.array([1.0, 3.0, 2.0, 4.0]), np.array([1, 0, 1, 1])), ["a", "a", "b", "b"])
    assert found.events == {"a": 1, "b": 2}
    assert found.expected == pytest.approx({"a": 5 / 6, "b": 13 / 6})
    assert found.chi2 == pytest.approx((1 / 6) ** 2 / (1 / 4 + 2 / 9)) and found.df == 1


def test_it_equals_lifelines() -> None:
    from lifelines.statistics import multivariate_logrank_test

    found = logrank(observed(TIME, HAPPENED), GROUPS)
    theirs = multivariate_logrank_test(TIME, GROUPS, HAPPENED)
    assert (found.chi2, found.df, found.p) == pytest.approx((theirs.test_statistic, 2, theirs.p_value))
    assert sum(found.events.values()) == pytest.approx(sum(found.expected.values()))


@pytest.mark.parametrize("late", [False, True])
def test_with_strata_and_late_entry_it_is_the_score_test_of_cox(late: bool) -> None:
    time = TIME + np.arange(90) / 1000  # without ties both are one
    entry = np.where(np.arange(90) % 2, np.floor(time * 0.4), 0) if late else None
    seen = observed(time, HAPPENED, entry_days=entry)
    x = np.column_stack([GROUPS == "low", GROUPS == "high"]).astype(float)
    gradient, information = partial(x, seen, strata=STRATA).slopes(np.zeros(2))
    found = logrank(seen, GROUPS, strata=STRATA)
    assert found.chi2 == pytest.approx(gradient @ np.linalg.solve(information, gradient))
    assert fit_cox(x, seen, names=("low", "high"), strata=STRATA).events == sum(found.events.values())


def test_what_cannot_be_compared_is_refused() -> None:
    seen = observed(TIME, HAPPENED)
    with pytest.raises(DataError, match="two groups"):
        logrank(seen, ["one"] * 90)
    with pytest.raises(DataError, match="cannot be compared"):
        logrank(seen, GROUPS, strata=GROUPS)
    with pytest.raises(DataError, match="need a group"):
        logrank(seen, GROUPS[:5])
