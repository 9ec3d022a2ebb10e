"""What a factor adds: likelihood ratio, change of C, reclassification and decisions, by hand and as counted."""

from __future__ import annotations

import numpy as np
import pytest
from tests.survival.test_cox import made_up

from vesalius.core.errors import DataError
from vesalius.survival.added import change, decision_curve, likelihood_ratio, reclassification
from vesalius.survival.cox import fit_cox
from vesalius.survival.observed import observed
from vesalius.survival.scores import harrell_c

# by day 2.5: those moved up 1, 2+, 3 (a third have the event), those moved down 1+, 2, 4 (a half); of all 3/8
SIX = observed(np.array([1.0, 2.0, 3.0, 1.0, 2.0, 4.0]), np.array([1, 0, 1, 0, 1, 1]))
BEFORE = np.array([0.6, 0.6, 0.6, 0.5, 0.5, 0.5])
AFTER = np.array([0.4, 0.4, 0.4, 0.7, 0.7, 0.7])


def test_reclassification_with_censoring_by_hand() -> None:
    found = reclassification(BEFORE, AFTER, SIX, 2.5)
    assert (found.up, found.down) == (3, 3)
    assert found.events == pytest.approx((1 / 6 - 1 / 4) / (3 / 8))
    assert found.others == pytest.approx((1 / 4 - 1 / 3) / (5 / 8))
    assert found.total == pytest.approx(-2 / 9 - 2 / 15)
    assert reclassification(BEFORE, AFTER, SIX, 2.5, cuts=[0.55]).down == 0
    assert reclassification(BEFORE, AFTER, SIX, 2.5, cuts=[0.9]).total == 0
    assert reclassification(BEFORE, BEFORE + 1e-15, SIX, 2.5).down == 0  # a rounding is no move
    assert np.isnan(reclassification(BEFORE, AFTER, SIX.where(np.arange(2)[[1, 1, 1, 1, 1, 1]]), 2.5).total)


def test_reclassification_without_censoring_counts() -> None:
    rng = np.random.default_rng(0)
    before, after, time = rng.random(60), rng.random(60), rng.exponential(2, 60)
    cuts = [0.2, 0.6]
    found = reclassification(before, after, observed(time, np.ones(60)), 1.0, cuts=cuts)
    moved = np.digitize(1 - after, cuts) - np.digitize(1 - before, cuts)
    dead = time <= 1.0
    assert found.events == pytest.approx((moved[dead] > 0).mean() - (moved[dead] < 0).mean())
    assert found.others == pytest.approx((moved[~dead] < 0).mean() - (moved[~dead] > 0).mean())


def test_decisions_with_censoring_by_hand_and_without_it_as_counted() -> None:
    found = decision_curve(AFTER, SIX, 2.5, np.array([0.1, 0.5, 0.6, 0.9]))
    assert found.treat_all[1] == pytest.approx(3 / 8 - 5 / 8)
    assert found.model == pytest.approx(
        [3 / 8 - 5 / 8 / 9, 1 / 6 - 1 / 3, 1 / 6 - 1 / 3 * 1.5, 0]
    )  # .6 treats 1 - .4
    from vesalius.metrics import net_benefit

    rng = np.random.default_rng(1)
    chance, time = rng.random(80), rng.exponential(2, 80)
    limits = np.array([0.2, 0.5])
    ours = decision_curve(chance, observed(time, np.ones(80)), 1.0, limits)
    counted = net_benefit(time <= 1.0, 1 - chance, limits.tolist())({}, np.arange(80))  # type: ignore[arg-type]
    assert ours.model == pytest.approx([counted["net/0"], counted["net/1"]])
    assert ours.treat_all == pytest.approx([counted["all/0"], counted["all/1"]])


def test_the_likelihood_ratio() -> None:
    from scipy.special import chdtrc

    x, seen = made_up()
    small, large = fit_cox(x[:, :1], seen, names=("a",)), fit_cox(x, seen, names=("a", "b"))
    found = likelihood_ratio(small, large)
    assert found.df == 1 and found.chi2 == pytest.approx(2 * (large.log_likelihood - small.log_likelihood))
    assert found.p == pytest.approx(chdtrc(1, found.chi2))
    wald = (large.coefficients[1] / large.errors[1]) ** 2
    assert found.chi2 == pytest.approx(wald, rel=0.15)
    for other, match in (
        (fit_cox(x[1:], seen.where(np.arange(1, 80)), names=("a", "b")), "same patients"),
        (fit_cox(x, seen, names=("c", "b")), "some of those"),
        (fit_cox(x, seen, names=("a", "b"), penalty=0.1), "penalty"),
        (fit_cox(x, seen, names=("a", "b"), robust=True), "penalty"),
        (fit_cox(x, seen, names=("a", "b"), ties="breslow"), "same patients"),
    ):
        with pytest.raises(DataError, match=match):
            likelihood_ratio(small, other)


def test_the_change_of_c_is_paired() -> None:
    x, seen = made_up()
    draws = [np.random.default_rng(k).integers(80, size=80) for k in range(50)]
    value, values = change(x[:, 1], x[:, 0], seen, draws=draws)
    assert value == pytest.approx(harrell_c(x[:, 0], seen) - harrell_c(x[:, 1], seen))
    assert values[3] == pytest.approx(
        harrell_c(x[draws[3], 0], seen.where(draws[3])) - harrell_c(x[draws[3], 1], seen.where(draws[3]))
    )
    assert change(x[:, 0], 2 * x[:, 0], seen, draws=draws)[1] == pytest.approx(np.zeros(50))


def test_what_is_no_chance_is_refused() -> None:
    with pytest.raises(DataError, match="cuts must rise"):
        reclassification(BEFORE, AFTER, SIX, 2.5, cuts=[0.5, 0.2])
    with pytest.raises(DataError, match="thresholds"):
        decision_curve(AFTER, SIX, 2.5, np.array([0.0, 0.5]))
    with pytest.raises(DataError, match="between 0 and 1"):
        decision_curve(AFTER * 100, SIX, 2.5, np.array([0.5]))
