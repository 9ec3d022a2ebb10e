"""Calibration of survival: by hand, and on patients whose chances are known."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.calibration import (
    calibration_at,
    calibration_groups,
    d_calibration,
    shared_out,
    squared_gap,
)
from vesalius.survival.curves import kaplan_meier
from vesalius.survival.observed import Observed, observed


def known(n: int, seed: int, *, whole: bool = False) -> tuple[Array, Observed]:
    """Return hazards, and times drawn by them; all are seen to the end where `whole`."""
    rng = np.random.default_rng(seed)
    hazard = np.exp(rng.normal(size=n)) / 100
    time = rng.exponential(1 / hazard)
    stop = np.full(n, np.inf) if whole else rng.uniform(0, 250, n)
    return hazard, observed(np.minimum(time, stop), time <= stop)


def test_d_calibration_by_hand() -> None:
    # events at .7 and .2; one censored at .8 has .5/.8 of its mass below one half, one at .4 all of it
    seen = observed(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 0, 1, 0]))
    found = d_calibration(np.array([0.7, 0.8, 0.2, 0.4]), seen, bins=2)
    assert found.counts == pytest.approx([1 + 0.625 + 1, 1 + 0.375])
    assert found.chi2 == pytest.approx(2 * 0.625**2 / 2) and found.df == 1
    ends = d_calibration(
        np.array([1.0, 1.0, 0.0, 0.0]), seen, bins=4
    )  # both ends belong to the bins beside them
    assert ends.counts == pytest.approx([2 + 0.25, 0.25, 0.25, 1 + 0.25])


def test_true_chances_are_d_calibrated_and_others_are_not() -> None:
    small = []
    for seed in range(40):
        hazard, seen = known(300, seed)
        small.append(d_calibration(np.exp(-hazard * seen.time_days), seen).p)
        assert d_calibration(np.exp(-3 * hazard * seen.time_days), seen).p < 1e-6
    assert np.mean(np.array(small) < 0.05) <= 0.15  # censored mass, shared out, makes the test hold back


def test_groups_at_a_day_without_censoring_are_shares() -> None:
    hazard, seen = known(200, 1, whole=True)
    chance = np.exp(-hazard * 60)
    found = calibration_at(chance, seen, 60.0, groups=4)
    order = np.argsort(chance).reshape(4, 50)
    assert [g.patients for g in found.groups] == [50] * 4
    assert [g.predicted for g in found.groups] == pytest.approx(chance[order].mean(1))
    assert [g.seen for g in found.groups] == pytest.approx((seen.time_days > 60)[order].mean(1))
    curve = kaplan_meier(seen.where(order[0]))
    place = np.searchsorted(curve.times_days, 60.0) - 1
    assert curve.low is not None and found.groups[0].low == pytest.approx(curve.low[place])
    assert found.groups[0].high is not None and found.groups[0].high > (seen.time_days > 60)[order[0]].mean()


def test_the_index_is_small_for_true_chances_and_tells_how_far_others_are_off() -> None:
    hazard, seen = known(3000, 2)
    chance = np.exp(-hazard * 60)
    right = calibration_at(chance, seen, 60.0)
    wrong = calibration_at(chance**2, seen, 60.0)
    assert right.ici is not None and wrong.ici is not None and right.e90 is not None
    assert right.ici < 0.02 and right.e50 is not None and right.e50 <= right.e90
    assert wrong.ici == pytest.approx(float(np.abs(chance**2 - chance).mean()), abs=0.02)


def test_what_the_follow_up_does_not_tell_is_none() -> None:
    hazard, seen = known(100, 3)
    late = calibration_at(np.exp(-hazard * 900), seen, 900.0, groups=2)
    assert late.ici is None and late.groups[0].seen is None and late.groups[0].patients == 50
    alike = calibration_at(np.full(100, 0.5), seen, 60.0)
    assert len(alike.groups) == 1 and alike.ici is None and alike.groups[0].seen is not None


def test_what_is_no_chance_is_refused() -> None:
    hazard, seen = known(20, 4)
    with pytest.raises(DataError, match="between 0 and 1"):
        d_calibration(hazard * 1e4, seen)
    with pytest.raises(DataError, match="for each patient"):
        calibration_at(hazard[:3], seen, 60.0)
    with pytest.raises(DataError, match="as many patients as groups"):
        calibration_at(np.full(20, 0.5), seen, 60.0, groups=30)
    late = observed(np.array([3.0, 4.0]), np.array([1, 1]), entry_days=np.array([1.0, 0.0]))
    with pytest.raises(DataError, match="entered late"):
        d_calibration(np.full(2, 0.5), late)


def test_the_squared_gap_is_that_of_the_groups_and_chance_makes_all_of_it_where_chances_are_right() -> None:
    hazard, seen = known(150, 5)
    seen = observed(seen.time_days, seen.cause * (np.arange(150) % 3 > 0))
    late = observed(
        seen.time_days, seen.cause, entry_days=np.where(np.arange(150) % 4, 0, seen.time_days / 2)
    )
    for what in (seen, late):
        for chance in (np.exp(-hazard * 60), np.full(150, 0.5), np.round(np.exp(-hazard * 60), 1)):
            groups = calibration_groups(chance, what, 60.0, 4)
            gaps = [((g.predicted - g.seen) ** 2, g.patients) for g in groups if g.seen is not None]
            gap, _ = squared_gap(chance, what, 60.0, 4)
            assert gap == pytest.approx(sum(a * n for a, n in gaps) / sum(n for _, n in gaps))
    half, days = np.full(2, 0.5), np.array([1.0, 2.0])
    assert np.isnan(squared_gap(half, observed(days, np.array([1, 0])), 5.0, 1)).all(), (
        "follow-up ends before"
    )
    assert squared_gap(half, observed(days, np.array([1, 1])), 5.0, 1) == (0.25, 0.0), "nobody is left"
    draws = [known(100, seed) for seed in range(200)]
    found = np.array([squared_gap(np.exp(-h * 60), o, 60.0, 4) for h, o in draws]).mean(0)
    assert found[0] == pytest.approx(found[1], rel=0.15)


def test_each_patient_is_shared_out_once() -> None:
    seen = observed(np.arange(1.0, 5.0), np.array([1, 0, 0, 1]))
    parts = shared_out(np.array([1.0, 0.5, 0.0, 0.25]), seen, bins=4)
    assert parts.tolist() == [[0, 0, 0, 1], [0.5, 0.5, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
