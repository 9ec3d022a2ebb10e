"""Curves of observed times: by hand, and against lifelines."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.survival.cox import breslow
from vesalius.survival.curves import (
    aalen_johansen,
    at_risk,
    censoring,
    kaplan_meier,
    median_band,
    median_days,
    nelson_aalen,
    restricted_mean,
    restricted_mean_days,
)
from vesalius.survival.observed import Observed, observed

# six patients by hand: an event and a censoring share day 3
SIX = observed(np.array([1.0, 3.0, 3.0, 5.0, 7.0, 8.0]), np.array([1, 1, 0, 1, 0, 1]))


def drawn(n: int, seed: int, *, late: bool = False, causes: int = 1) -> Observed:
    """Return made-up times on whole days (so with ties), about a third of them censored."""
    rng = np.random.default_rng(seed)
    time = np.ceil(rng.exponential(30, n))
    entry = np.floor(rng.uniform(0, 1, n) * time * (rng.random(n) < 0.5)) if late else None
    cause = np.where(rng.random(n) < 0.65, rng.integers(1, causes + 1, n), 0)
    return observed(time, cause, entry_days=entry, causes=[f"c{k}" for k in range(1, causes + 1)])


def test_kaplan_meier_by_hand() -> None:
    curve = kaplan_meier(SIX)
    assert curve.times_days.tolist() == [1, 3, 5, 7, 8]
    assert curve.values == pytest.approx([5 / 6, 5 / 6 * 4 / 5, 4 / 9, 4 / 9, 0])
    assert curve.at(np.array([0.0, 1.0, 2.9, 3.0, 99.0])) == pytest.approx([1, 5 / 6, 5 / 6, 2 / 3, 0])
    assert curve.left(np.array([1.0, 3.0, 3.1])) == pytest.approx([1, 5 / 6, 2 / 3])
    assert at_risk(SIX, np.array([0.0, 1.0, 3.0, 3.5, 8.0, 9.0])).tolist() == [6, 6, 5, 3, 1, 0]


def test_an_event_comes_before_a_censoring_of_the_same_day() -> None:
    # on day 3 five are at risk, one has the event, so one of four is censored; naively exchanged it is one of five
    assert censoring(SIX).values == pytest.approx([1, 3 / 4, 3 / 4, 3 / 8, 3 / 8])
    assert censoring(SIX).left(np.array([3.0, 7.0, 8.0])) == pytest.approx([1, 3 / 4, 3 / 8])


def test_the_last_value_of_the_band_is_carried_where_the_curve_is_zero() -> None:
    curve = kaplan_meier(SIX)
    assert curve.low is not None and curve.high is not None
    assert curve.low[-1] == 0 and curve.high[-1] == curve.high[-2] > 4 / 9


@pytest.mark.parametrize("late", [False, True])
def test_kaplan_meier_equals_lifelines(late: bool) -> None:
    import lifelines

    seen = drawn(200, 3)
    if late:  # all who enter late do so while others are at risk
        entry = np.where(seen.time_days > 12, np.arange(200) % 10, 0)
        seen = observed(seen.time_days, seen.cause, entry_days=entry)
    peer = lifelines.KaplanMeierFitter().fit(
        seen.time_days, seen.happened, entry=seen.entry_days if late else None
    )
    curve = kaplan_meier(seen)
    assert peer.predict(curve.times_days).to_numpy() == pytest.approx(curve.values, abs=1e-12)
    band = peer.confidence_interval_.loc[curve.times_days].to_numpy()
    inside = curve.values > 0
    assert band[inside, 0] == pytest.approx(curve.low[inside], abs=1e-9)  # type: ignore[index]
    assert band[inside, 1] == pytest.approx(curve.high[inside], abs=1e-9)  # type: ignore[index]


def test_late_entry_that_empties_the_risk_set_is_refused() -> None:
    seen = observed(np.array([2.0, 8.0, 9.0]), np.array([1, 1, 0]), entry_days=np.array([0.0, 4.0, 4.0]))
    with pytest.raises(DataError, match="nobody at risk"):
        kaplan_meier(seen)
    assert breslow(np.zeros(3), seen).values == pytest.approx([1, 1.5, 1.5])
    assert at_risk(seen, np.array([2.0, 4.0, 4.5])).tolist() == [1, 0, 2]


def test_nelson_aalen_and_breslow_of_equal_patients_are_one() -> None:
    import lifelines

    seen = drawn(150, 4)
    peer = lifelines.NelsonAalenFitter(nelson_aalen_smoothing=False).fit(seen.time_days, seen.happened)
    hazard = nelson_aalen(seen)
    assert peer.predict(hazard.times_days).to_numpy() == pytest.approx(hazard.values, abs=1e-12)
    days, dead = seen.time_days, seen.happened
    variance = sum((dead & (days == t)).sum() / (days >= t).sum() ** 2 for t in np.unique(days) if t <= 20)
    mean = float(hazard.at(20.0))
    top = mean * np.exp(1.959964 * variance**0.5 / mean)
    assert hazard.high is not None
    assert hazard.high[hazard.times_days <= 20][-1] == pytest.approx(top, rel=1e-6)
    assert breslow(np.zeros(150), seen).values == pytest.approx(hazard.values)
    shifted = breslow(np.full(150, 300.0), seen)  # what all have in common moves into the baseline
    assert shifted.values * np.exp(300) == pytest.approx(hazard.values)
    with pytest.raises(DataError, match="too large"):
        breslow(np.full(150, 800.0), seen)


def test_the_incidences_of_all_causes_and_survival_add_up_to_one() -> None:
    import lifelines

    seen = drawn(120, 5, causes=2, late=False)
    first, second = aalen_johansen(seen, "c1"), aalen_johansen(seen, "c2")
    assert first.values + second.values + kaplan_meier(seen).values == pytest.approx(
        np.ones(len(first.values))
    )
    untied = observed(seen.time_days + np.arange(120) / 1000, seen.cause, causes=("c1", "c2"))
    curve = aalen_johansen(untied, "c2")
    peer = lifelines.AalenJohansenFitter().fit(untied.time_days, untied.cause, event_of_interest=2)
    assert peer.predict(curve.times_days).to_numpy() == pytest.approx(curve.values, abs=1e-9)
    band = peer.confidence_interval_.loc[curve.times_days].to_numpy()
    inside = (curve.values > 0) & (kaplan_meier(untied).values > 0)
    assert band[inside, 0] == pytest.approx(curve.low[inside], abs=1e-9)  # type: ignore[index]
    assert band[inside, 1] == pytest.approx(curve.high[inside], abs=1e-9)  # type: ignore[index]
    with pytest.raises(DataError, match="c3"):
        aalen_johansen(seen, "c3")


def test_incidence_without_rivals_is_one_less_survival_with_its_band() -> None:
    seen = drawn(80, 6)
    incidence, curve = aalen_johansen(seen, "c1"), kaplan_meier(seen)
    assert incidence.values == pytest.approx(1 - curve.values)
    inside = (curve.values > 0.2) & (curve.values < 0.8)  # both bands have Greenwood's width to first order
    width = incidence.high - incidence.low  # type: ignore[operator]
    assert width[inside] == pytest.approx((curve.high - curve.low)[inside], rel=0.1)  # type: ignore[operator]


def test_the_band_of_an_incidence_that_comes_to_one_stays_as_wide_as_it_was() -> None:
    incidence = aalen_johansen(observed(np.arange(1.0, 8.0), np.ones(7)), "event")
    assert incidence.low is not None and incidence.high is not None
    assert incidence.values[-1] == pytest.approx(1) and 0 < incidence.low[-1] == incidence.low[-2] < 1
    assert (incidence.low <= incidence.values + 1e-12).all() and (
        incidence.high >= incidence.values - 1e-12
    ).all()


def test_median_and_restricted_mean() -> None:
    import lifelines
    from lifelines.utils import restricted_mean_survival_time

    curve = kaplan_meier(SIX)
    assert median_days(curve) == 5
    # 1 to day 1, 5/6 to day 3, 2/3 to day 5, 4/9 to day 6
    assert restricted_mean_days(curve, 6.0) == pytest.approx(1 + 5 / 3 + 4 / 3 + 4 / 9)
    assert restricted_mean_days(curve, 99.0) == pytest.approx(
        restricted_mean_days(curve, 8.0)
    )  # it is 0 by then
    seen = drawn(100, 7)
    low, high = median_band(kaplan_meier(seen))
    middle = median_days(kaplan_meier(seen))
    assert low is not None and middle is not None and high is not None and low < middle < high
    mean = restricted_mean(seen, 40.0)
    peer = lifelines.KaplanMeierFitter().fit(seen.time_days, seen.happened)
    assert mean.days == pytest.approx(restricted_mean_survival_time(peer, t=40), rel=1e-6)
    assert mean.error_days == pytest.approx(_error(seen, 40.0), rel=1e-9)
    half = kaplan_meier(observed(np.array([1.0, 2.0]), np.array([0, 0])))
    assert median_days(half) is None and median_band(half) == (None, None)
    with pytest.raises(DataError, match="day 3"):
        restricted_mean_days(half, 3.0)


def _error(seen: Observed, until: float) -> float:
    """Return the restricted mean's standard error by its definition, an event time after another."""
    curve, total = kaplan_meier(seen), 0.0
    for day in np.unique(seen.time_days[seen.happened]):
        n, d = (seen.time_days >= day).sum(), ((seen.time_days == day) & seen.happened).sum()
        if day > until or n == d:
            continue
        grid = np.unique(np.concatenate([[day, until], curve.times_days]))
        grid = grid[(grid >= day) & (grid <= until)]
        area = sum(float(curve.at(a)) * (b - a) for a, b in zip(grid[:-1], grid[1:], strict=True))
        total += area**2 * d / (n * (n - d))
    return float(np.sqrt(total))


def test_nobody_has_no_curve() -> None:
    with pytest.raises(DataError, match="at least one patient"):
        kaplan_meier(observed(np.zeros(0), np.zeros(0)))
    with pytest.raises(DataError, match="level"):
        kaplan_meier(SIX, level=95)
