"""Competing risks: incidences of causes from their Cox models, against a loop and Aalen-Johansen."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.survival.competing import fit_causes, incidence, of_cause
from vesalius.survival.curves import aalen_johansen, kaplan_meier
from vesalius.survival.observed import observed

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.normal(size=150), RNG.random(150) < 0.5]).astype(float)
TIME = np.ceil(RNG.exponential(30 * np.exp(-0.8 * X[:, 0])))
CAUSE = np.where(RNG.random(150) < 0.7, 1 + (RNG.random(150) < 0.4), 0)
SEEN = observed(TIME, CAUSE, causes=("cancer", "other"))


def test_incidences_equal_a_loop_over_days() -> None:
    coxes = fit_causes(X, SEEN, names=("score", "arm"))
    days = np.array([0.0, 7.0, 30.5, TIME.max()])
    found = incidence(coxes, X[:4], days)
    for row in range(4):
        sums, left, place = {"cancer": 0.0, "other": 0.0}, 1.0, 0
        past = dict.fromkeys(sums, 0.0)
        for day in [0.0, *np.unique(TIME)]:
            hazards = {
                c: float(m.cumulative_hazard(X[row : row + 1], np.array([day]))[0, 0])
                for c, m in coxes.items()
            }
            jump = {c: hazards[c] - past[c] for c in hazards}
            total = sum(jump.values())
            for c in sums:
                sums[c] += left * (1 - np.exp(-total)) * (jump[c] / total if total else 0.0)
            left, past = left * np.exp(-total), hazards
            following = np.unique(TIME)[np.unique(TIME) > day]
            while place < len(days) and (not len(following) or days[place] < following[0]):
                assert {c: f[row, place] for c, f in found.items()} == pytest.approx(sums)
                place += 1
    free = np.exp(-sum(m.cumulative_hazard(X[:4], days) for m in coxes.values()))
    assert found["cancer"] + found["other"] + free == pytest.approx(np.ones((4, 4)))


def test_their_mean_is_near_aalen_johansen_and_not_near_one_less_survival() -> None:
    coxes = fit_causes(X, SEEN, names=("score", "arm"))
    mean = incidence(coxes, X, np.array([40.0]))["cancer"].mean()
    assert mean == pytest.approx(float(aalen_johansen(SEEN, "cancer").at(40.0)), abs=0.02)
    naive = 1 - float(kaplan_meier(of_cause(SEEN, "cancer")).at(40.0))
    assert naive > mean + 0.03


def test_days_beyond_the_follow_up_and_unknown_causes_are_refused() -> None:
    coxes = fit_causes(X, SEEN, names=("score", "arm"))
    with pytest.raises(DataError, match="does not tell of day"):
        incidence(coxes, X, np.array([1e5]))
    with pytest.raises(DataError, match="'war'"):
        of_cause(SEEN, "war")
    with pytest.raises(DataError, match="for each cause"):
        incidence({}, X, np.array([1.0]))
