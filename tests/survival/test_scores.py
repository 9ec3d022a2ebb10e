"""Scores under censoring: by hand, and against double loops written from the papers."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from tests._patience import patience
from tests.survival._lung import NAMES, lung

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.cox import fit_cox
from vesalius.survival.observed import Observed, observed
from vesalius.survival.scores import auc_at, brier_at, harrell_c, integrated_brier, uno_c

# day 2: an event and a censoring; day 3: two events; day 5 a censoring; day 6 an event
TIED = observed(np.array([1.0, 2.0, 2.0, 3.0, 3.0, 5.0, 6.0]), np.array([1, 1, 0, 1, 1, 0, 1]))
RISK = np.array([0.9, 0.5, 0.5, 0.7, 0.1, 0.3, 0.2])


def drawn(n: int, seed: int, *, late: bool = False) -> tuple[Array, Observed]:
    """Return risks of few values and times on whole days, so with ties in both."""
    rng = np.random.default_rng(seed)
    risk = np.round(rng.normal(size=n), 1)
    times = np.ceil(rng.exponential(12 * np.exp(-0.5 * risk)))
    entry = np.floor(times * rng.random(n)) * (rng.random(n) < 0.4) if late else None
    return risk, observed(times, rng.random(n) < 0.6, entry_days=entry)


def still(seen: Observed, day: float, *, left: bool) -> float:
    """Return the chance to be under observation at a day, or just before it, by a loop over the days."""
    chance = 1.0
    for t in np.unique(seen.time_days):
        if t < day or (t == day and not left):
            gone = ((seen.time_days == t) & ~seen.happened).sum()
            risk = (seen.time_days >= t).sum() - ((seen.time_days == t) & seen.happened).sum()
            chance *= 1 - gone / risk if gone else 1.0
    return chance


def pairs(risk: Array, seen: Observed, *, weighted: bool = False, until: float = np.inf) -> float:
    """Return a C by its definition, a pair after another."""
    right = whole = 0.0
    for i in range(len(seen)):
        if not seen.happened[i] or seen.time_days[i] >= until:
            continue
        weight = still(seen, seen.time_days[i], left=True) ** -2 if weighted else 1.0
        for j in range(len(seen)):
            day = seen.time_days[i]
            later = seen.time_days[j] > day or (seen.time_days[j] == day and not seen.happened[j])
            if j != i and later and (seen.entry_days[j] < day or not seen.entry_days[j]):
                whole += weight
                right += weight * ((risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j]))
    return right / whole


def test_harrells_c_by_hand() -> None:
    # day 1: 6 of 6. Day 2: against the tied censoring (½), .7 no, .1, .3, .2 yes: 3½ of 5. Day 3: .7 above .3, .2 (2 of
    # 2); .1 below both (0 of 2). Day 6: nobody left.
    assert harrell_c(RISK, TIED) == pytest.approx((6 + 3.5 + 2 + 0) / (6 + 5 + 4))
    assert np.isnan(harrell_c(RISK[:2], observed(np.array([1.0, 1.0]), np.array([1, 1]))))
    assert harrell_c(-RISK, TIED) == pytest.approx(1 - 11.5 / 15)


def test_unos_c_by_hand() -> None:
    # G: on day 2, 6 are at risk, 1 has the event, 1 of 5 is censored: G(2-) = 1, G(3-) = 4/5
    weight = (5 / 4) ** 2
    assert uno_c(RISK, TIED) == pytest.approx((6 + 3.5 + 2 * weight) / (6 + 5 + 4 * weight))
    assert uno_c(RISK, TIED, until=3.0) == pytest.approx(9.5 / 11)  # events on the day itself do not count
    free = observed(TIED.time_days, np.ones(7))
    assert uno_c(RISK, TIED, train=free) == pytest.approx(harrell_c(RISK, TIED))


def test_auc_at_a_day_by_hand() -> None:
    # by day 3: cases .9, .5 (weight 1), .7, .1 (weight 5/4); controls .3, .2; the one censored on day 2 is neither
    whole = 1 + 1 + 5 / 4 + 5 / 4
    assert float(auc_at(RISK, TIED, 3.0)) == pytest.approx((1 + 1 + 5 / 4) / whole)
    at = auc_at(np.column_stack([RISK, -RISK]), TIED, np.array([3.0, 3.0]))
    assert at == pytest.approx([3.25 / 4.5, 1.25 / 4.5])
    assert np.isnan(auc_at(RISK, TIED, np.array([0.5, 6.0]))).all()


def test_the_brier_score_by_hand() -> None:
    chance = np.array([0.1, 0.4, 0.5, 0.6, 0.3, 0.8, 0.9])
    # at day 2 G is 4/5: events of days 1 and 2 count 1, those after day 2 count 5/4, who was censored on day 2 nothing
    after = 5 / 4 * (0.4**2 + 0.7**2 + 0.2**2 + 0.1**2)
    assert float(brier_at(chance, TIED, 2.0)) == pytest.approx((0.1**2 + 0.4**2 + after) / 7)
    days = np.array([2.0, 4.0, 6.0])
    each = brier_at(np.column_stack([chance] * 3), TIED, days)
    whole = integrated_brier(np.column_stack([chance] * 3), TIED, days)
    assert whole == pytest.approx((each[0] / 2 + each[1] + each[2] / 2) / 2)
    ended = observed(np.array([1.0, 2.0, 3.0]), np.array([1, 1, 0]))  # nobody is known after day 3
    found = brier_at(np.full((3, 2), 0.5), ended, np.array([2.0, 3.0]))
    assert found[0] == pytest.approx(0.25) and np.isnan(found[1])


@pytest.mark.parametrize("late", [False, True])
def test_concordances_equal_their_definitions(late: bool) -> None:
    for seed in range(4):
        risk, seen = drawn(40, seed, late=late)
        assert harrell_c(risk, seen) == pytest.approx(pairs(risk, seen))
        if not late:
            assert uno_c(risk, seen) == pytest.approx(pairs(risk, seen, weighted=True))
            assert uno_c(risk, seen, until=9) == pytest.approx(pairs(risk, seen, weighted=True, until=9))


def test_auc_and_brier_equal_their_definitions() -> None:
    for seed in range(4):
        risk, seen = drawn(40, seed)
        chance = 1 / (1 + np.exp(risk))
        for day in (2.0, 5.5, 9.0):
            up = down = squares = 0.0
            for i in range(40):
                if seen.time_days[i] > day:
                    squares += (1 - chance[i]) ** 2 / still(seen, day, left=False)
                elif seen.happened[i]:
                    weight = 1 / still(seen, seen.time_days[i], left=True)
                    squares += chance[i] ** 2 * weight
                    for j in np.flatnonzero(seen.time_days > day):
                        down += weight
                        up += weight * ((risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j]))
            assert float(auc_at(risk, seen, day)) == pytest.approx(up / down)
            assert float(brier_at(chance, seen, day)) == pytest.approx(squares / 40)


def test_weights_undo_the_censoring_and_leaving_them_out_does_not() -> None:
    """On many patients the weighted figures are those of the same patients seen to the end."""
    rng = np.random.default_rng(1)
    risk = rng.normal(size=20000)
    true = rng.exponential(np.exp(-risk))
    stop = rng.exponential(1.0, 20000)
    whole = observed(true, np.ones(20000))
    seen = observed(np.minimum(true, stop), true <= stop)
    chance = np.exp(-1.0 * np.exp(risk))
    assert float(brier_at(chance, seen, 1.0)) == pytest.approx(float(brier_at(chance, whole, 1.0)), abs=0.006)
    assert float(auc_at(risk, seen, 1.0)) == pytest.approx(float(auc_at(risk, whole, 1.0)), abs=0.01)
    some = np.arange(4000)
    early = uno_c(risk[some], whole.where(some), until=1.0)
    assert uno_c(risk[some], seen.where(some), until=1.0) == pytest.approx(early, abs=0.012)


@pytest.mark.realdata
def test_harrells_c_equals_lifelines_on_lung_cancer(shared_data: Path) -> None:
    from lifelines.utils import concordance_index

    x, seen, _ = lung(shared_data)
    risk = fit_cox(x, seen, names=NAMES).log_hazard(x)
    theirs = concordance_index(seen.time_days, -risk, seen.happened)
    assert harrell_c(risk, seen) == pytest.approx(theirs, abs=1e-9)
    coarse = np.round(risk, 1)
    assert harrell_c(coarse, seen) == pytest.approx(concordance_index(seen.time_days, -coarse, seen.happened))


def test_a_bootstrap_takes_seconds() -> None:
    risk, seen = drawn(400, 0)
    chance = np.column_stack([1 / (1 + np.exp(risk))] * 5)
    began = time.perf_counter()
    for k in range(20):
        index = np.random.default_rng(k).integers(400, size=400)
        harrell_c(risk[index], seen.where(index))
        uno_c(risk[index], seen.where(index))
        brier_at(chance[index], seen.where(index), np.arange(1.0, 6.0))
    assert time.perf_counter() - began < patience(20 * 3 * 0.004)


def test_what_has_no_score_is_refused() -> None:
    risk, late = drawn(30, 0, late=True)
    chance = np.full(30, 0.5)
    for score in (
        lambda: uno_c(risk, late),
        lambda: auc_at(risk, late, 3.0),
        lambda: brier_at(chance, late, 3.0),
    ):
        with pytest.raises(DataError, match="entered late"):
            score()
    risk, seen = drawn(30, 0)
    short = observed(np.array([1.0, 2.0, 3.0]), np.array([1, 0, 1]))
    for score in (
        lambda: uno_c(risk, seen, train=short),
        lambda: auc_at(risk, seen, 5.0, train=short),
        lambda: brier_at(chance, seen, 5.0, train=short),
    ):
        with pytest.raises(DataError, match="training patients do not tell"):
            score()
    assert uno_c(risk, seen, train=short, until=3.0) > 0
    with pytest.raises(DataError, match="finite risk"):
        harrell_c(np.full(30, np.nan), seen)
    with pytest.raises(DataError, match="between 0 and 1"):
        brier_at(risk * 9, seen, 3.0)
    with pytest.raises(DataError, match="rising days"):
        integrated_brier(np.full((30, 2), 0.5), seen, np.array([3.0, 3.0]))
