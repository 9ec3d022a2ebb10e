"""Doubly robust scores: their own outcomes without censoring, a double loop, and what is right where half is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.benefit._made import ARMS, MEAN, SURVIVAL, benefits, draw

from vesalius.benefit import evalue
from vesalius.benefit.average import effect, naive, outcome, risk_ratio
from vesalius.benefit.hazards import EVENTS, Hazards, fit_censoring, fit_hazards
from vesalius.benefit.measure import Measure
from vesalius.benefit.robust import doubly_robust, score
from vesalius.benefit.trial import Trial, trial
from vesalius.core.errors import DataError, UnknownName
from vesalius.survival.observed import observed
from vesalius.survival.step import Step


def hazards(days: list[float], values: list[float], slope: float = 0.0) -> Hazards:
    return Hazards(
        np.zeros(2), np.ones(2), np.array([slope, 0.0]), Step(np.array(days), np.array(values), 0.0)
    )


NEVER = hazards([1.0], [0.0])


@pytest.mark.parametrize("measure", [SURVIVAL, MEAN], ids=["survival", "mean"])
def test_without_censoring_and_with_one_arm_a_score_is_the_outcome_whatever_the_model(
    measure: Measure,
) -> None:
    made = draw(60, 4, censored=False)
    model = hazards([90.0, 200.0, 350.0, 700.0], [0.2, 0.9, 1.1, 3.0], slope=0.7)
    found = score(made, model, NEVER, weight=np.ones(60), measure=measure)
    assert found == pytest.approx(measure.of_known(made.observed.time_days), abs=1e-9)
    assert score(made, hazards([1.0], [0.0]), NEVER, weight=np.ones(60), measure=measure) == pytest.approx(
        measure.of_known(made.observed.time_days), abs=1e-9
    )


def by_loops(made: Trial, event: Hazards, away: Hazards, weight: np.ndarray, measure: Measure) -> list[float]:
    """The formula of the module, a patient and a jump at a time."""
    end, found = measure.horizon_days, []

    def at(model: Hazards, i: int, day: float, left: bool = False) -> float:
        base = 0.0
        for jump, value in zip(model.baseline.times_days, model.baseline.values, strict=True):
            if jump < day or (jump == day and not left):
                base = value
        return float(np.exp(-base * np.exp(made.x[i] @ model.coefficients)))

    for i in range(len(made)):
        jumps = [d for d in event.baseline.times_days if d <= end]

        def beyond(day: float, i: int = i, jumps: list[float] = jumps) -> float:
            if measure.kind == "survival":
                return at(event, i, end)
            edges = [day, *(d for d in jumps if d > day), end]
            return sum(at(event, i, a) * (b - a) for a, b in zip(edges[:-1], edges[1:], strict=True))

        time, happened = made.observed.time_days[i], made.observed.happened[i]
        lost = 0.0
        if happened and time <= end:
            lost = beyond(time) / (at(event, i, time) * at(away, i, time, left=True))
        for u in jumps:
            if u <= min(time, end):
                jump = 1 / at(event, i, u) - 1 / at(event, i, u, left=True)
                lost -= beyond(u) * jump / at(away, i, u, left=True)
        found.append(beyond(0.0) - weight[i] * lost)
    return found


@pytest.mark.parametrize("measure", [SURVIVAL, MEAN], ids=["survival", "mean"])
def test_scores_are_those_of_a_double_loop(measure: Measure) -> None:
    made = draw(25, 6)
    days = np.sort(made.observed.time_days)[[2, 6, 9, 15]]  # jumps and patients' own days coincide
    event = hazards(days.tolist(), [0.1, 0.4, 0.5, 1.4], slope=0.5)
    away = hazards(days[1:].tolist(), [0.1, 0.2, 0.4], slope=-0.3)
    weight = np.where(made.arm == 1, 1 / 0.4, 0.0)
    found = score(made, event, away, weight=weight, measure=measure)
    assert found == pytest.approx(by_loops(made, event, away, weight, measure), abs=1e-9)


def test_the_left_limit_of_the_censoring_curve_counts() -> None:
    """Of four one dies on day 2, one is censored then, one dies on day 3, one lives: alive on day 3 are 3/4 · 1/2."""
    seen = observed(np.array([2.0, 2.0, 3.0, 9.0]), np.array([1, 0, 1, 0]))
    made = Trial(np.zeros((4, 2)), ("a", "b"), np.zeros(4, int), ("one",), seen, True)
    event, away = fit_hazards(made.x, seen), fit_censoring(made.x, seen)
    assert away.baseline.left(2.0) == 0 and away.baseline.left(3.0) == pytest.approx(1 / 3)
    flat = replace(
        away, baseline=Step(np.array([2.5]), np.array([np.log(3 / 2)]), 0.0)
    )  # G = 2/3 by Kaplan-Meier
    found = score(made, replace(event, baseline=Step(np.array([1.0]), np.array([0.0]), 0.0)), flat,
                  weight=np.ones(4), measure=Measure(3.0))  # fmt: skip
    assert found == pytest.approx(
        [0.0, 1.0, 1 - 3 / 2, 1.0]
    )  # of a model that lets nobody die: inverse weights alone
    assert found.mean() == pytest.approx(3 / 4 * 1 / 2)


@pytest.mark.parametrize("measure", [SURVIVAL, MEAN], ids=["survival", "mean"])
def test_confounding_biases_the_naive_difference_and_not_the_scores(measure: Measure) -> None:
    made = draw(1500, 11, confounded=True)  # no effect at all: those whose outlook is bad are treated
    plain = naive(made, measure, control="control", treated="treated")
    scored = doubly_robust(made, measure, rng=np.random.default_rng(0))
    robust = effect(scored, control="control", treated="treated")
    assert plain.high < 0 and robust.holds(0.0), (plain, robust)
    assert abs(robust.value) < abs(plain.value) / 5
    assert robust.n + robust.left_out == 1500 and robust.left_out == int((~scored.kept).sum()) > 0
    assert effect(scored, control="control", treated="treated", population="overlap").holds(0.0)
    backwards = effect(scored, control="treated", treated="control")
    assert backwards.value == pytest.approx(-robust.value)
    each = [outcome(scored, arm) for arm in ARMS]
    assert each[1].value - each[0].value == pytest.approx(robust.value)


def test_one_wrong_half_is_forgiven_and_two_are_not() -> None:
    """With a blind outcome model or a blind propensity 2,500 patients hold the truth; with both they do not."""
    made = draw(2500, 12, effect=0.0, confounded=True)
    right = 1 / (1 + np.exp(-1.2 * made.x[:, 0]))
    away = [fit_censoring(made.where(made.arm == a).x, made.where(made.arm == a).observed) for a in (0, 1)]
    blind = made.x * [0, 1]
    for sees, weighs, held in ((True, False, True), (False, True, True), (False, False, False)):
        p = np.clip(right, 0.05, 0.95) if weighs else np.full(2500, made.arm.mean())
        chance = np.stack([1 - p, p], axis=1)
        each = []
        for a in (0, 1):
            part = made.where(made.arm == a)
            event = fit_hazards(part.x if sees else blind[made.arm == a], part.observed)
            given = replace(made, x=made.x if sees else blind)
            each.append(score(given, event, replace(away[a], coefficients=np.zeros(2)),
                              weight=(made.arm == a) / chance[:, a], measure=SURVIVAL))  # fmt: skip
        gap = each[1] - each[0]
        error = gap.std() / np.sqrt(2500)
        assert (abs(gap.mean()) < 2.6 * error) == held, (sees, weighs, gap.mean(), error)


def test_the_effect_that_was_planted_is_within_the_interval() -> None:
    made = draw(1200, 14, effect=-0.6)
    found = effect(
        doubly_robust(made, SURVIVAL, rng=np.random.default_rng(0)), control="control", treated="treated"
    )
    truth = benefits(np.random.default_rng(1).normal(size=(50_000, 2)), -0.6).mean()
    assert found.holds(float(truth)) and found.left_out == 0
    plain = naive(made, SURVIVAL, control="control", treated="treated")
    assert plain.holds(float(truth)) and found.width < plain.width  # what is known of patients narrows it


def test_a_risk_ratio_is_that_of_the_outcomes_and_narrow_where_patients_are_many() -> None:
    made = draw(400, 15, effect=-0.8)
    scored = doubly_robust(made, SURVIVAL, rng=np.random.default_rng(0))
    found = risk_ratio(scored, control="control", treated="treated")
    first, second = (1 - outcome(scored, a).value for a in ARMS)
    assert found.value == pytest.approx(second / first) and found.low < found.value < found.high
    drawn = [scored.where(np.random.default_rng(k).integers(0, 400, 400)) for k in range(200)]
    logs = [np.log(risk_ratio(s, control="control", treated="treated").value) for s in drawn]
    assert found.error == pytest.approx(np.std(logs), rel=0.15)
    assert np.log(found.high / found.value) == pytest.approx(1.96 * found.error, rel=0.01)
    strength = evalue.of_risk_ratio(found.value, found.low, found.high)
    assert strength.bound is not None and 1.0 <= strength.bound <= strength.point
    with pytest.raises(DataError, match="needs survival at the horizon"):
        risk_ratio(replace(scored, measure=MEAN), control="control", treated="treated")


def test_an_arm_that_nobody_like_the_others_had_is_refused() -> None:
    rng = np.random.default_rng(0)
    x = np.r_[rng.normal(-4, 0.3, (100, 1)), rng.normal(4, 0.3, (100, 1))]
    made = trial(
        x, ["old"] * 100 + ["new"] * 100, observed(rng.integers(1, 900, 200), np.ones(200)), names=["age"]
    )
    with pytest.raises(
        DataError, match=r"hardly any patient of arm '\w+' is like those of other arms; found \d of 100"
    ):
        doubly_robust(made, Measure(100.0), rng=rng)


def test_few_events_have_one_curve_for_all_and_unknown_arms_are_named() -> None:
    made = draw(60, 8)
    first = np.argsort(made.observed.time_days)[: EVENTS - 1]
    happened = np.zeros(60, bool)
    happened[first] = True
    few = fit_hazards(made.x, observed(made.observed.time_days, happened))
    assert not few.coefficients.any() and few.baseline.values[-1] > 0
    scored = doubly_robust(made, SURVIVAL, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="'surgery' was never given"):
        scored.contrast("control", "surgery")
    with pytest.raises(UnknownName, match="surgery"):
        naive(made, SURVIVAL, control="control", treated="surgery")
    part = scored.where(scored.kept)
    assert part.scores.shape == (int(scored.kept.sum()), 2)
