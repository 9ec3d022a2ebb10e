"""What calls are worth: each figure against one that is counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius import metrics
from vesalius.core.calibration import points
from vesalius.core.operating import clopper_pearson
from vesalius.metrics import Rows

RNG = np.random.default_rng(5)


def rows_of(n: int) -> Rows:
    return Rows(tuple(str(k) for k in range(n)), {})


def test_rates_of_a_call_and_what_it_means() -> None:
    y = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, -1])
    p = np.array([0.9, 0.8, 0.7, 0.2, 0.6, 0.4, 0.3, 0.2, 0.1, 0.99])
    found = metrics.rates_at(y, p, 0.5)(rows_of(10), np.arange(10))
    assert (
        found["sensitivity"] == 3 / 4 and found["specificity"] == 4 / 5
    )  # the last is not known: it counts nowhere
    assert found["ppv_even"] == pytest.approx(0.75 / (0.75 + 0.2))
    assert found["npv_even"] == pytest.approx(0.8 / (0.8 + 0.25))
    # at the share of these very cases, Bayes gives what is counted: 3 of 4 positive calls and 4 of 5 negative ones
    share, v = 4 / 9, found["ppv_even"]
    assert v * share / (v * share + (1 - v) * (1 - share)) == pytest.approx(3 / 4)
    v = found["npv_even"]
    assert v * (1 - share) / (v * (1 - share) + (1 - v) * share) == pytest.approx(4 / 5)
    twice = metrics.rates_at(y, p, 0.5)(rows_of(10), np.array([0, 0, 3, 4]))
    assert twice["sensitivity"] == pytest.approx(2 / 3) and twice["specificity"] == 0.0


def test_a_rate_of_all_or_none_has_the_width_of_the_cases_that_it_stands_on() -> None:
    y, p = np.array([1, 1, 1, 0, 0, 0, 0, 1]), np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.95])
    raw = metrics.bootstrap(rows_of(8), metrics.rates_at(y, p, 0.5), patients=range(8), n=200)
    found = metrics.bounded_rates(raw, having=4, lacking=4)
    assert raw["sensitivity"].low == 1.0 and found["sensitivity"].low == pytest.approx(0.025 ** (1 / 4))
    assert found["sensitivity"].value == 1.0 and found["sensitivity"].high == 1.0
    assert (
        found["specificity"] == raw["specificity"] and found["ppv_even"] == raw["ppv_even"]
    )  # not at an end
    spec, low = clopper_pearson(3, 4)[0], 0.025 ** (1 / 4)
    assert found["npv_even"].low == pytest.approx(spec / (spec + 1 - low)) and raw["npv_even"].low > 0.99


@pytest.mark.parametrize("keep", ["sensitivity", "specificity"])
def test_the_point_that_keeps_a_rate_is_the_best_of_all_thresholds(keep: str) -> None:
    y = (RNG.random(120) < 0.4).astype(int)
    p = np.round(np.clip(0.3 + 0.3 * y + RNG.normal(0, 0.25, 120), 0, 1), 2)  # with ties
    other = "specificity" if keep == "sensitivity" else "sensitivity"
    for at in (0.5, 0.9, 0.95, 1.0):
        best = -1.0
        for threshold in [*np.unique(p), 2.0]:
            one = {
                "sensitivity": (p >= threshold)[y == 1].mean(),
                "specificity": (p < threshold)[y == 0].mean(),
            }
            if one[keep] >= at - 1e-12:
                best = max(best, one[other])
        found = metrics.rates_kept(y, p, keep=keep, at=at)(rows_of(120), np.arange(120))
        assert found[keep] >= at - 1e-12 and found[other] == pytest.approx(best)


def test_thresholds_that_keep_a_rate_do_so_on_the_cases_that_they_were_chosen_on() -> None:
    y = RNG.random(200) < 0.3
    p = np.clip(0.3 + 0.3 * y + RNG.normal(0, 0.2, 200), 0, 1)
    found = points(p, y)
    for at, threshold in found["specificity"].items():
        assert (p[~y] < threshold).mean() >= float(at) > (p[~y] < threshold - 0.03).mean()
    for at, threshold in found["sensitivity"].items():
        assert (p[y] >= threshold).mean() >= float(at) > (p[y] >= threshold + 0.03).mean()
    assert points(p[y], y[y]) == {}
    assert points(np.array([0.2, 0.7]), np.array([False, True]))["specificity"]["0.9"] == pytest.approx(0.45)


def test_net_benefit_is_true_positives_less_the_price_of_false_ones() -> None:
    y = np.array([1, 1, 0, 0, 0, -1])
    p = np.array([0.9, 0.3, 0.6, 0.2, 0.1, 0.5])
    found = metrics.net_benefit(y, p, (0.1, 0.25, 0.5, 0.8))(rows_of(6), np.arange(6))
    assert found["net/0"] == pytest.approx((2 - 3 * 0.1 / 0.9) / 5)  # a case at the threshold is acted on
    assert found["net/1"] == pytest.approx((2 - 1 * 0.25 / 0.75) / 5)
    assert found["net/2"] == pytest.approx((1 - 1 * 1.0) / 5)
    assert found["net/3"] == pytest.approx(1 / 5)
    assert found["all/2"] == pytest.approx((2 - 3) / 5)


def test_limits_of_agreement_are_those_of_bland_and_altman() -> None:
    truth = RNG.normal(50, 10, 30)
    answer = truth + RNG.normal(1.5, 2, 30)
    found = metrics.agreement(answer, truth)(rows_of(30), np.arange(30))
    apart = answer - truth
    assert found["bias"] == pytest.approx(apart.mean())
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * apart.std(ddof=1))
    gone = metrics.agreement(np.append(answer, np.nan), np.append(truth, 3.0))(rows_of(31), np.arange(31))
    assert gone == pytest.approx(found)


def test_the_interval_of_a_share_is_wilsons() -> None:
    assert metrics.wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)  # Newcombe 1998, table I: 0/10
    assert metrics.wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # and 81/263
    assert metrics.wilson(0.5, 0) == (0.0, 1.0)
