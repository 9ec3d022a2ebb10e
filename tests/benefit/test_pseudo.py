"""Pseudo-observations against leaving each patient out in turn."""

from __future__ import annotations

import numpy as np
import pytest
from tests.benefit._made import draw

from vesalius.benefit.measure import Measure
from vesalius.benefit.pseudo import by_arm, pseudo_observations
from vesalius.survival.observed import observed


def measured(time: list[float], event: list[int], measure: Measure) -> float:
    """Kaplan and Meier's estimate by a loop over days, from the definition."""
    value, area, last = 1.0, 0.0, 0.0
    for day in sorted({t for t in time if t <= measure.horizon_days}):
        area += value * (day - last)
        last = day
        at_risk = sum(t >= day for t in time)
        died = sum(t == day and e for t, e in zip(time, event, strict=True))
        value *= 1 - died / at_risk
    area += value * (measure.horizon_days - last)
    return value if measure.kind == "survival" else area


@pytest.mark.parametrize("kind", ["survival", "restricted_mean"])
@pytest.mark.parametrize("horizon", [3.0, 5.0, 7.5, 9.0])
def test_they_are_the_jackknife(kind: str, horizon: float) -> None:
    rng = np.random.default_rng(int(horizon))
    for n in (2, 3, 12):
        time = rng.integers(1, 10, n).astype(float).tolist()  # ties among events and censorings
        event = (rng.random(n) < 0.6).astype(int).tolist()
        measure = Measure(horizon, kind)  # type: ignore[arg-type]
        whole = measured(time, event, measure)
        by_hand = [
            n * whole - (n - 1) * measured(time[:i] + time[i + 1 :], event[:i] + event[i + 1 :], measure)
            for i in range(n)
        ]
        found = pseudo_observations(observed(np.array(time), np.array(event)), measure)
        assert found == pytest.approx(by_hand, abs=1e-10), (time, event)


def test_without_censoring_they_are_what_happened() -> None:
    time = np.array([1.0, 4.0, 4.0, 9.0])
    seen = observed(time, np.ones(4))
    assert pseudo_observations(seen, Measure(4.0)) == pytest.approx([0, 0, 0, 1])
    assert pseudo_observations(seen, Measure(5.0, "restricted_mean")) == pytest.approx([1, 4, 4, 5])


def test_each_arm_has_its_own() -> None:
    made = draw(60, 3)
    mine = made.given("treated")
    found = by_arm(made, Measure(500.0))
    assert found[mine] == pytest.approx(pseudo_observations(made.observed.where(mine), Measure(500.0)))
    assert found != pytest.approx(pseudo_observations(made.observed, Measure(500.0)))
