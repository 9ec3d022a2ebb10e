"""Operating points: words, thresholds by brute force, exact intervals, and what a rule reached."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from vesalius.core.calibration import fit, points
from vesalius.core.errors import PlanError
from vesalius.core.operating import Rule, clopper_pearson, in_words, parse, reached, threshold

RNG = np.random.default_rng(7)
P = np.round(RNG.random(120), 2)
TRUTH = RNG.random(120) < P


def test_words_become_rules() -> None:
    assert parse(None) is None and parse("half") == Rule("half") and not Rule("half").valued
    assert parse("sensitivity:0.95") == Rule("sensitivity", 0.95)
    assert parse("cost:5@0.02") == Rule("cost", 5, 0.02) and str(parse("cost:5@0.02")) == "cost:5@0.02"
    assert parse("net_benefit:.1") == Rule("net_benefit", 0.1)


@pytest.mark.parametrize(
    "word",
    ["sensitivity", "sensitivity:1", "sensitivity:95", "sensitivity:0.9@0.1", "cost:0", "cost:-1", "cost:5@1.5",
     "net_benefit:0", "recall:0.9", "0.4", "sensitivity:0.95x", 0.4],
)  # fmt: skip
def test_bad_words_are_one_line(word: object) -> None:
    with pytest.raises(PlanError) as said:
        parse(word)
    assert "task.options.threshold" in str(said.value) and "\n" not in str(said.value)


def test_a_kept_rate_is_kept_and_no_other_cut_does_better() -> None:
    at = threshold(P, TRUTH, Rule("sensitivity", 0.9))
    assert (P[TRUTH] >= at).mean() >= 0.9 and (P[TRUTH] >= at + 0.011).mean() < 0.9
    at = threshold(P, TRUTH, Rule("specificity", 0.9))
    assert (P[~TRUTH] < at).mean() >= 0.9 and (P[~TRUTH] < at - 0.011).mean() < 0.9
    kept = points(P, TRUTH)
    assert threshold(P, TRUTH, Rule("sensitivity", 0.95)) == kept["sensitivity"]["0.95"]
    assert threshold(P, TRUTH, Rule("specificity", 0.95)) == kept["specificity"]["0.95"]


@pytest.mark.parametrize(
    ("cost", "prevalence"), [(5.0, None), (1.0, None), (50.0, 0.02), (3.0, 0.5), (0.2, 0.001)]
)
def test_the_cost_is_the_lowest_by_brute_force(cost: float, prevalence: float | None) -> None:
    share = TRUTH.mean() if prevalence is None else prevalence

    def of(at: float) -> float:
        return float(cost * share * (P[TRUTH] < at).mean() + (1 - share) * (P[~TRUTH] >= at).mean())

    at = threshold(P, TRUTH, Rule("cost", cost, prevalence))
    assert of(at) == pytest.approx(min(of(t) for t in [0, *np.unique(P), 2]))
    assert reached(P, TRUTH, at, Rule("cost", cost, prevalence))["cost"] == pytest.approx(of(at))


def test_a_net_benefit_acts_at_its_own_probability() -> None:
    rule = Rule("net_benefit", 0.1)
    assert threshold(P, TRUTH, rule) == 0.1 and threshold(P, np.ones(120, dtype=bool), rule) == 0.1
    found = reached(P, TRUTH, 0.1, rule)
    called = P >= 0.1
    assert found["net_benefit"] == pytest.approx(
        ((called & TRUTH).sum() - (called & ~TRUTH).sum() * 0.1 / 0.9) / 120
    )
    assert found["net_benefit_all"] == pytest.approx(TRUTH.mean() - (1 - TRUTH.mean()) / 9)


def test_ends_ties_and_one_kind() -> None:
    sure = np.array([1.0, 1.0, 0.0])
    at = threshold(sure, np.array([False, True, True]), Rule("specificity", 0.9))
    assert at > 1 or (sure < at)[0], "nobody is called"
    assert threshold(np.full(4, 0.3), np.array([True, False, True, False]), Rule("sensitivity", 0.9)) <= 0.3
    assert threshold(P, np.zeros(120, dtype=bool), Rule("cost", 5)) == 0.5
    assert "specificity" not in reached(P, np.ones(120, dtype=bool), 0.5, Rule("sensitivity", 0.9))


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (3, 17), (95, 100)])
def test_intervals_are_scipys(k: int, n: int) -> None:
    exact = binomtest(k, n).proportion_ci(method="exact")
    assert clopper_pearson(k, n) == pytest.approx((exact.low, exact.high))


def test_fit_keeps_what_was_reached() -> None:
    logits = np.stack([np.zeros(120), np.log((P + 0.005) / (1.005 - P))], axis=1)
    found = fit(logits, TRUTH.astype(int), labels=["no", "yes"], rule=parse("sensitivity:0.95"))
    one = found["reached"]["yes"]
    assert found["rule"] == one["rule"] == "sensitivity:0.95" and found["thresholds"] == {
        "yes": one["threshold"]
    }
    assert one["sensitivity"]["value"] >= 0.95 and one["sensitivity"]["low"] < one["sensitivity"]["value"]
    assert "chosen by sensitivity:0.95" in in_words(one) and "sensitivity 0.9" in in_words(one)
    bits = np.stack([TRUTH, ~TRUTH], axis=1).astype(int)
    many = fit(logits, bits, labels=["a", "b"], multilabel=True, rule=parse("cost:5"))
    assert set(many["reached"]) == {"a", "b"} and many["reached"]["a"]["threshold"] == many["thresholds"]["a"]
