"""The tail of ordinary cases: the limit, p-values and standings, by hand and by drawing many times."""

from __future__ import annotations

import numpy as np

from vesalius.core import tail


def test_the_limit_is_the_kth_largest_by_hand() -> None:
    scores = np.arange(1.0, 40.0)  # 39 of them: 5 % of 40 is 2
    found = tail.limit(scores, 0.05)
    assert (found.at, found.rate, found.n, found.kept) == (38.0, 0.05, 39, True)
    few = tail.limit(np.arange(9.0), 0.05)
    assert (few.at, few.rate, few.kept) == (8.0, 0.1, False)


def test_p_values_by_hand() -> None:
    scores = np.array([1.0, 2.0, 3.0])
    assert [tail.p_value(scores, x) for x in (0.5, 1.5, 3.0, 4.0)] == [1.0, 0.75, 0.5, 0.25]


def test_a_standing_rises_strictly_and_passes_the_rate_at_the_limit() -> None:
    scores = np.random.default_rng(0).gamma(2.0, size=60)
    found = tail.limit(scores, 0.05)
    asked = np.sort(np.concatenate([np.linspace(0, 5 * scores.max(), 4000), scores]))
    standings = np.array([tail.standing(scores, x) for x in asked])
    assert (np.diff(standings)[np.diff(asked) > 0] > 0).all()
    assert standings.min() > 0 and standings.max() < 1
    threshold = np.nextafter(1 - found.rate, 1.0)
    np.testing.assert_array_equal(standings >= threshold, asked > found.at)


def test_equal_scores_give_standings_and_no_call() -> None:
    scores = np.ones(30)
    found = tail.limit(scores, 0.1)
    assert tail.standing(scores, 1.0) < 1 and not found.at < 1.0
    assert tail.standing(scores, 0.5) < tail.standing(scores, 1.0) < tail.standing(scores, 1.5)


def test_the_rate_of_false_alarms_is_kept_over_many_draws() -> None:
    rng = np.random.default_rng(1)
    drawn = rng.lognormal(size=(4000, 41))
    called = [row[-1] > tail.limit(row[:-1], 0.05).at for row in drawn]
    promised = tail.limit(drawn[0, :-1], 0.05).rate  # 2 of 41
    assert abs(np.mean(called) - promised) < 4 * np.sqrt(promised * (1 - promised) / 4000)
