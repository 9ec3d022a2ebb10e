"""Metrics of survival curves: worked by hand where it is small, and against what must be so where it is not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from _curves import by_risk, drawn, said

from vesalius import metrics
from vesalius.answers import contract
from vesalius.core.answers.curve import Curve
from vesalius.core.case import Event
from vesalius.core.errors import DataError
from vesalius.evaluate.paired import differences, together
from vesalius.metrics import _spans, curve
from vesalius.survival.observed import from_events, observed

RISK, EVENTS = drawn(120)
ROWS = curve.rows(by_risk(RISK), EVENTS)
ALL = np.arange(len(ROWS))


def few(*pairs: tuple[float, bool]) -> list[Event]:
    return [Event(time, happened) for time, happened in pairs]


def test_times_are_judged_only_while_enough_patients_are_at_risk() -> None:
    assert [_spans.needed(n) for n in (4, 12, 40, 100, 500)] == [1, 3, 10, 10, 50]
    seen = observed(np.arange(1.0, 101.0) * 20, np.ones(100))  # the last tenth is at risk until day 1820
    assert _spans.end_of(seen) == 1820
    assert _spans.horizons(seen, 1820) == (365.25, 730.5, 1095.75)
    short = observed(np.arange(1.0, 41.0), np.arange(40) % 2)  # nobody is followed for a year
    assert _spans.horizons(short, _spans.end_of(short)) == (8.0, 16.0, 22.0), (
        "quartiles of the times of events"
    )
    assert _spans.horizons(observed(np.ones(9) * 400, np.zeros(9)), 400) == ()
    grid = _spans.grid(seen, 1820, (365.25,))
    assert len(grid) <= _spans.GRID and grid[-1] == 1820 and 365.25 in grid and (np.diff(grid) > 0).all()


def test_concordance_worked_by_hand() -> None:
    events = few((10, True), (20, False), (30, True), (40, True), (50, False))
    risks = [0.9, 0.1, 0.3, 0.3, 0.5]
    # pairs: 10 before all four (4 right); 30 before 40 (a tie, one half) and before 50 (wrong); 40 before 50 (wrong)
    rows = curve.rows(by_risk(risks), events)
    assert curve.summary(rows, np.arange(5))["c_index"] == pytest.approx((4 + 0.5) / 7)


def test_patients_are_compared_only_while_both_are_under_observation() -> None:
    events = [Event(10, True), Event(30, True), Event(40, True, entry_days=20)]
    rows = curve.rows(by_risk([0.0, 0.5, 0.2]), events)
    # the third was not there when the first had its event: pairs are first-second (wrong) and second-third (right)
    found = curve.summary(rows, np.arange(3))
    assert found["c_index"] == pytest.approx(1 / 2)
    assert not {"uno_c", "auc", "ibs", "brier"} & set(found), "no weights by the censoring are known"
    assert curve.judged(rows, "").late == 1


def test_a_curve_is_not_judged_beyond_its_end() -> None:
    short = [said(f"c{k}", r, until=800.0) for k, r in enumerate(RISK)]
    rows = curve.rows(short, EVENTS)
    about, whole = curve.judged(rows, ""), curve.judged(ROWS, "")
    assert about.horizons == whole.horizons and about.times == whole.times, "the truths alone decide them"
    assert about.told <= 780 < whole.told
    found, long = curve.summary(rows, ALL), curve.summary(ROWS, ALL)
    assert rows.info["labels"] == ROWS.info["labels"]
    assert found["brier/1 year"] == pytest.approx(long["brier/1 year"])
    assert math.isnan(found["brier/3 years"]) and math.isnan(found["calibration/3 years"])
    assert math.isfinite(found["auc/3 years"]), "the risk tells who is first all the same"
    assert math.isfinite(found["d_calibration"]), "who goes on beyond the curve counts as censored at its end"


def test_figures_of_the_true_hazard_beat_those_of_one_curve_for_all() -> None:
    step = curve.baseline(EVENTS)
    trivial = [
        Curve(case_id=f"c{k}", times_days=step.times_days, survival={"all": step.values}) for k in range(120)
    ]
    one, all_alike = curve.summary(ROWS, ALL), curve.summary(curve.rows(trivial, EVENTS), ALL)
    assert [all_alike[n] for n in ("c_index", "uno_c", "auc", "auc/1 year")] == pytest.approx([0.5] * 4)
    assert one["c_index"] > 0.65 and one["ibs"] < all_alike["ibs"] - 0.02
    assert all_alike["bias"] == pytest.approx(0, abs=1e-9) and all_alike["calibration"] == pytest.approx(
        0, abs=1e-9
    )
    assert one["calibration"] < 0.12 and abs(one["bias"]) < 0.1 and one["d_calibration"] < 0.2
    wrong = [replace(a, survival={"all": a.survival["all"] ** 3}) for a in by_risk(RISK)]
    assert curve.summary(curve.rows(wrong, EVENTS), ALL)["c_index"] == one["c_index"]
    assert curve.summary(curve.rows(wrong, EVENTS), ALL)["bias"] < -0.2
    assert curve.summary(curve.rows(wrong, EVENTS), ALL)["d_calibration"] > 0.3


def test_the_interval_of_a_small_error_holds_the_error() -> None:
    risk, events = drawn(80, seed=4)
    rows = curve.rows(by_risk(risk), events)
    found = metrics.bootstrap(rows, curve.summary, patients=rows.case_ids, n=60)
    for name in ("calibration", "calibration/1 year", "d_calibration"):
        one = found[name]
        assert one.low is not None and one.high is not None and one.value is not None
        assert one.low <= one.value < one.high and one.low < 0.05, name


def test_few_events_have_no_interval_and_a_patient_drawn_twice_is_no_second_one() -> None:
    events = few(*[(10.0 * k, k in (3, 9, 14)) for k in range(1, 31)])
    rows = curve.rows(by_risk(np.linspace(1, -1, 30)), events)
    found = metrics.bootstrap(rows, curve.summary, patients=rows.case_ids, n=40)["c_index"]
    assert (found.value, found.low) == (1.0, None) and "not defined on" in found.reason
    twice = np.repeat(np.arange(30), 2)
    assert math.isnan(curve.summary(rows, twice)["c_index"])
    many = curve.rows(by_risk(np.linspace(1, -1, 30)), few(*[(10.0 * k, True) for k in range(1, 31)]))
    assert curve.summary(many, twice)["c_index"] == 1.0, "copies of a patient are no pair"


def test_the_curve_of_the_arm_given_is_judged_and_an_unknown_arm_is_said() -> None:
    times = np.array([100.0, 200.0, 300.0])
    both = {"no": np.array([0.9, 0.8, 0.7]), "yes": np.array([0.5, 0.3, 0.1])}
    arms = ["yes", None, "no", "yes", "no", "yes"]
    answers = [
        Curve(case_id=str(k), times_days=times, survival=both, given=g) for k, g in enumerate(arms)
    ]  # fmt: skip
    rows = curve.rows(answers, few(*[(50.0 + 50 * k, k % 2 == 0) for k in range(6)]))
    place = curve.judged(rows, "").times.index(150.0)
    assert curve.column(rows, "survival", "")[:, place].tolist() == [0.5, 0.9, 0.9, 0.5, 0.9, 0.5]
    assert curve.excluded(rows) == {"arm/cases": 1}
    assert curve.judged(rows, "").by == "curve"
    risk = curve.column(rows, "risk", "")
    assert risk[0] > risk[1] == risk[2], "the area above the curve of the arm given"


def test_causes_are_ranked_each_by_its_own_incidence() -> None:
    times = np.array([10.0, 20.0, 30.0, 40.0])
    falls = np.array([0.9, 0.7, 0.5, 0.3])

    def tells(case: str, death: float) -> Curve:
        incidence = {"all": {"death": (1 - falls) * death, "relapse": (1 - falls) * (1 - death)}}
        return Curve(case_id=case, times_days=times, survival={"all": falls}, incidence=incidence, risk=0.0)

    answers = [tells(str(k), share) for k, share in enumerate((0.9, 0.2, 0.6, 0.5))]
    events = [
        Event(10, True, "death"), Event(20, True, "relapse"), Event(30, True, "death"), Event(40, False),
    ]  # fmt: skip
    found = curve.summary(curve.rows(answers, events), np.arange(4))
    assert found["c_index/death"] == 1.0, "0 before 1, 2, 3, and 2 before 3"
    assert found["c_index/relapse"] == 1.0 and found["c_index"] == 1.0
    swapped = [tells(str(k), share) for k, share in enumerate((0.9, 0.7, 0.6, 0.5))]
    found = curve.summary(curve.rows(swapped, events), np.arange(4))
    assert (found["c_index/death"], found["c_index/relapse"]) == (1.0, 0.0) and found["c_index"] == 0.5
    assert curve.occurrences(curve.rows(answers, events)) == {"death": (2, 4, 4), "relapse": (1, 4, 4)}
    alone = [
        replace(a, incidence=None, event="relapse", risk=r)
        for a, r in zip(answers, (3, 2, 1, 0), strict=True)
    ]
    rows = curve.rows(alone, events)
    assert curve.judged(rows, "").of == "relapse"
    assert curve.summary(rows, np.arange(4))["c_index"] == 1.0, "1 before 2 and 3; who died is censored by it"


def test_several_events_are_judged_by_their_names() -> None:
    answers = [
        replace(a, event="death", parts={"progression": replace(said(a.case_id, -a.risk), event="progression")})
        for a in by_risk(RISK)
    ]  # fmt: skip
    truths = [{"death": e, "progression": e if k else None} for k, e in enumerate(EVENTS)]
    rows = curve.rows(answers, truths)
    found = curve.summary(rows, ALL)
    assert found["c_index/death"] == curve.summary(ROWS, ALL)["c_index"]
    assert found["c_index/progression"] < 0.35
    assert found["c_index"] == pytest.approx((found["c_index/death"] + found["c_index/progression"]) / 2)
    assert curve.counts(rows)["c_index/progression"] == 119 and curve.excluded(rows) == {
        "unknown/progression": 1
    }
    with pytest.raises(DataError, match="tell of no event"):
        curve.rows(answers, [{"relapse": e} for e in EVENTS])
    with pytest.raises(DataError, match="which of several events"):
        curve.rows(by_risk(RISK), truths)


def test_two_models_are_compared_as_far_as_both_curves_tell() -> None:
    noise = np.random.default_rng(1).normal(size=120)
    worse = [said(f"c{k}", float(r), until=800.0) for k, r in enumerate(RISK * 0.3 + noise)]
    rows = together("Curve", ROWS, curve.rows(worse, EVENTS))
    assert curve.judged(rows, "").told <= 780
    found = differences("Curve", rows, patients=ROWS.case_ids, names=("a", "b"), resamples=30)
    assert found["c_index"].better == "a"
    assert found["ibs"].second == pytest.approx(curve.summary(curve.rows(worse, EVENTS), ALL)["ibs"])
    assert found["brier/3 years"].difference is None
    later = [Event(e.time_days + 1, e.happened) for e in EVENTS]
    with pytest.raises(DataError, match="different truths|not judged at the same times"):
        together("Curve", ROWS, curve.rows(by_risk(RISK), later))


def test_two_models_whose_risks_are_on_other_scales_are_not_told_apart_by_that() -> None:
    scaled = [replace(a, risk=1000 + 50 * (a.risk or 0.0)) for a in by_risk(RISK)]  # the same order
    rows = together("Curve", ROWS, curve.rows(scaled, EVENTS))
    swap = np.where(np.arange(120) % 2, ALL, ALL + 120)
    assert curve.summary(rows, swap)["c_index"] == curve.summary(ROWS, ALL)["c_index"]
    found = differences("Curve", rows, patients=ROWS.case_ids, names=("a", "b"), resamples=20)
    assert (found["c_index"].difference, found["c_index"].p) == (0.0, 1.0)
    alone = [
        Curve(case_id=a.case_id, times_days=np.zeros(0), survival={"all": np.zeros(0)}, risk=a.risk)
        for a in scaled
    ]
    rows = together("Curve", ROWS, curve.rows(alone, EVENTS))
    assert curve.summary(rows, ALL)["auc/1 year"] == curve.summary(rows, ALL + 120)["auc/1 year"]


def test_who_tells_of_causes_and_who_does_not_are_compared_by_any_cause() -> None:
    events = [replace(e, cause="xy"[k % 2] if e.happened else None) for k, e in enumerate(EVENTS)]
    plain = curve.rows(by_risk(RISK), events)
    causes = [
        replace(a, incidence={"all": dict.fromkeys("xy", (1 - a.survival["all"]) / 2)}) for a in by_risk(RISK)
    ]
    told = curve.rows(causes, events)
    with pytest.raises(DataError, match="the same causes"):
        curve.joined(plain, told)
    one, two, note = contract.of("Curve").alike(plain, told)
    assert "any cause" in note and curve.summary(one, ALL) == curve.summary(two, ALL)
    assert len(curve.joined(one, two)) == 240
    asked = curve.rows([replace(a, event="x") for a in by_risk(RISK)], events)
    with pytest.raises(DataError, match="any cause and x"):
        curve.joined(plain, asked)


def test_each_case_by_hand() -> None:
    times = np.array([10.0, 20.0, 30.0])
    line = {"all": np.array([0.8, 0.5, 0.2])}
    answers = [Curve(case_id=str(k), times_days=times, survival=line) for k in range(4)]
    rows = curve.rows(answers, few((10, True), (20, True), (30, True), (15, False)))
    days = curve.judged(rows, "").times
    assert days == (10.0, 20.0, 30.0)
    squares = [
        np.mean([0.8**2, 0.5**2, 0.2**2]), np.mean([0.2**2, 0.5**2, 0.2**2]),
        np.mean([0.2**2, 0.5**2, 0.2**2]), 0.2**2,
    ]  # fmt: skip
    assert curve.each(rows) == pytest.approx(-np.array(squares))


def test_chances_of_who_entered_late_are_those_given_that_they_entered() -> None:
    answers = by_risk([0.0] * 3)
    events = [Event(300, True, entry_days=120), Event(300, True), Event(3000, True)]
    own = curve.column(curve.rows(answers, events), "own", "")
    s = answers[0].at
    assert own == pytest.approx([s(300) / s(120), s(300), s(2370)])
    assert curve.column(curve.rows(answers, events), "beyond", "").tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("line", "risk", "why"),
    [
        ([0.5, 0.6], 0.0, "rises with time"),
        ([1.2, 0.5], 0.0, "not a chance"),
        ([0.9, 0.5], np.inf, "not a finite"),
    ],
)
def test_what_is_no_curve_is_refused(line: list[float], risk: float, why: str) -> None:
    answer = Curve(case_id="a", times_days=np.array([1.0, 2.0]), survival={"all": np.array(line)}, risk=risk)
    with pytest.raises(DataError, match=why):
        curve.rows([answer], [Event(1.0, True)])


def test_without_events_nothing_is_defined_and_nothing_fails() -> None:
    rows = curve.rows(by_risk(RISK[:30]), [Event(400.0 + k, False) for k in range(30)])
    assert curve.judged(rows, "").horizons == ()
    assert all(math.isnan(v) for v in curve.summary(rows, np.arange(30)).values())
    assert from_events(EVENTS).happened.sum() > 50
