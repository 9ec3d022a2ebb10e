"""What a trial takes, and what it refuses with a line that says why."""

from __future__ import annotations

import numpy as np
import pytest
from tests.benefit._made import ARMS, HORIZON, NAMES, draw

from vesalius.benefit.folds import assign
from vesalius.benefit.measure import Measure, assert_followed, furthest_days
from vesalius.benefit.trial import trial
from vesalius.core.errors import DataError, UnknownName
from vesalius.survival.observed import observed


def table(n: int = 40) -> tuple[np.ndarray, list[str]]:
    return np.arange(2.0 * n).reshape(n, 2), [ARMS[k % 2] for k in range(n)]


def test_a_trial_keeps_its_patients_and_knows_who_was_given_what() -> None:
    x, arm = table()
    made = trial(x, arm, observed(np.arange(1.0, 41), np.ones(40)), names=NAMES)
    assert made.arms == ARMS and made.given("treated")[:3].tolist() == [False, True, False]
    part = made.where(np.array([3, 3, 5]))
    assert part.x[:, 0].tolist() == [6, 6, 10] and part.observed.time_days.tolist() == [4, 4, 6]
    with pytest.raises(UnknownName, match="tretaed"):
        made.given("tretaed")


def test_an_arm_that_was_never_given_is_refused() -> None:
    x, arm = table()
    seen = observed(np.arange(1.0, 41), np.ones(40))
    with pytest.raises(DataError, match="'surgery' was never given"):
        trial(x, arm, seen, names=NAMES, arms=(*ARMS, "surgery"))
    with pytest.raises(DataError, match="one arm only"):
        trial(x, ["control"] * 40, seen, names=NAMES)
    with pytest.raises(DataError, match=r"too few patients; found 9 of 40"):
        trial(x, ["treated"] * 9 + ["control"] * 31, seen, names=NAMES)
    with pytest.raises(DataError, match="not among those"):
        trial(x, arm, seen, names=NAMES, arms=("control", "surgery"))


def test_missing_values_and_late_entry_are_refused() -> None:
    x, arm = table()
    seen = observed(np.arange(1.0, 41), np.ones(40))
    x[3, 1] = np.nan
    with pytest.raises(DataError, match="'size' is not known of every patient"):
        trial(x, arm, seen, names=NAMES)
    late = observed(np.arange(2.0, 42), np.ones(40), entry_days=np.r_[1.0, np.zeros(39)])
    with pytest.raises(DataError, match="entered late; found 1 of 40"):
        trial(np.ones((40, 2)), arm, late, names=NAMES)
    with pytest.raises(DataError, match="a name for each column"):
        trial(np.ones((40, 3)), arm, seen, names=NAMES)


def test_a_horizon_beyond_the_follow_up_of_an_arm_is_refused() -> None:
    x, arm = table()
    time = np.where(np.array(arm) == "treated", 100.0, 900.0) + np.arange(40)
    made = trial(x, arm, observed(time, np.ones(40)), names=NAMES)
    assert furthest_days(made) == 131.0  # treated end at 101, 103, … 139: five of them at 131 or later
    assert_followed(made, Measure(131.0))
    with pytest.raises(
        DataError, match=r"arm 'treated' .* day 132; found 4 of 20; try: a horizon of at most 131"
    ):
        assert_followed(made, Measure(132.0))
    with pytest.raises(DataError, match="later than day 0"):
        assert_followed(made, Measure(0.0))


def test_a_horizon_by_which_nearly_all_are_censored_is_refused() -> None:
    """Of 100 in each arm 92 are censored on day 50: eight who are left would stand for all of them."""
    arm = [ARMS[k % 2] for k in range(200)]
    time = np.r_[np.full(184, 50.0), np.full(16, 400.0)]
    made = trial(np.zeros((200, 1)), arm, observed(time, np.r_[np.zeros(184), np.ones(16)]), names=["age"])
    assert furthest_days(made) == 50.0
    assert_followed(made, Measure(50.0))
    with pytest.raises(
        DataError, match=r"followed up to day 51; found 8 of 100; try: a horizon of at most 50"
    ):
        assert_followed(made, Measure(51.0))


def test_a_measure_is_the_curve_at_the_horizon_or_the_area_up_to_it() -> None:
    days, curves = np.array([1.0, 3.0]), np.array([[0.5, 0.2], [1.0, 0.0]])
    assert Measure(2.0).of_curve(days, curves).tolist() == [0.5, 1.0]
    assert Measure(3.0).of_curve(days, curves).tolist() == [0.2, 0.0]
    assert Measure(0.5).of_curve(days, curves).tolist() == [1.0, 1.0]
    assert Measure(2.0, "restricted_mean").of_curve(days, curves).tolist() == [1.5, 2.0]
    assert Measure(5.0, "restricted_mean").of_curve(days, curves) == pytest.approx(
        [1 + 2 * 0.5 + 2 * 0.2, 3.0]
    )
    assert Measure(2.0).of_known(np.array([1.0, 2.0, 3.0])).tolist() == [0, 0, 1]


def test_folds_share_out_arms_and_events_evenly() -> None:
    made = draw(203, 1)
    fold = assign(made, 5, np.random.default_rng(0))
    for arm in ARMS:
        for happened in (True, False):
            counts = np.bincount(fold[made.given(arm) & (made.observed.happened == happened)], minlength=5)
            assert counts.max() - counts.min() <= 1, (arm, happened, counts)
    assert HORIZON == 500.0 and (np.bincount(fold) >= 40).all()
