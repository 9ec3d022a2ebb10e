"""Survival curves in tables, in words, in a report, and from another tool's table."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vesalius.answers import _curve_kept, contract
from vesalius.answers.drawing.survival import unit_of
from vesalius.core.answers.curve import Curve
from vesalius.core.case import Case, Event
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.horizons import days_of, named, years_until
from vesalius.core.promise import Limits
from vesalius.core.scorecard import Scorecard, load_scorecard, save_scorecard
from vesalius.evaluate import conformal
from vesalius.evaluate.report import Report, facts, render
from vesalius.evaluate.scorecard import scorecard
from vesalius.metrics import curve as judge
from vesalius.survival.curves import aalen_johansen, kaplan_meier
from vesalius.survival.observed import observed

TIMES = np.array([100.0, 400.0, 800.0])
CURVE = Curve(
    case_id="a",
    times_days=TIMES,
    survival={"none": np.array([0.9, 0.6, 0.4]), "chemo": np.array([0.95, 0.8, 0.7])},
    low={"none": np.array([0.8, 0.5, 0.3]), "chemo": np.array([0.9, 0.7, 0.6])},
    high={"none": np.array([0.95, 0.7, 0.5]), "chemo": np.array([0.99, 0.9, 0.8])},
    incidence={"none": {"death": np.array([0.1, 0.3, 0.4]), "relapse": np.array([0.0, 0.1, 0.2])}},
    risk=0.7,
    rank=0.8,
    given="none",
)
HANDLING = contract.of("Curve")


def judged(n: int = 90, *, rank: bool = True, until: float = 2000.0) -> Scorecard:
    rng = np.random.default_rng(0)
    risk = rng.normal(size=n)
    time, last = rng.exponential(700 * np.exp(-risk)), rng.uniform(300, 2300, n)
    truths = [Event(float(min(a, b)), bool(a <= b)) for a, b in zip(time, last, strict=True)]
    times = np.arange(50.0, until, 50)
    answers = [
        Curve(
            case_id=f"c{k}",
            times_days=times,
            survival={"all": np.exp(-times / 700 * np.exp(r))},
            risk=float(r),
            rank=float((risk < r).mean()) if rank else None,
        )
        for k, r in enumerate(risk)
    ]
    return scorecard(judge.rows(answers, truths), "Curve", split="test", data_hash="", resamples=5)


CARD = judged()


def test_times_are_said_and_read_in_words() -> None:
    assert [named(d) for d in (365.25, 1095.75, 120.0, 0.0)] == ["1 year", "3 years", "120 days", "0 days"]
    words = ("365", "365 days", "3 years", "18 months", "2 weeks")
    assert [days_of(w) for w in words] == pytest.approx([365, 365, 1095.75, 547.875, 14])
    assert [days_of(w) for w in ("soon", "-1", "3 fathoms", "nan", "inf", "")] == [None] * 6
    assert years_until(800) == (365.25, 730.5)
    assert [unit_of(d)[0] for d in (2000, 400, 60)] == ["years", "months", "days"]


def test_columns_say_risk_median_mean_and_chances_of_each_arm() -> None:
    found = HANDLING.columns(CURVE)
    assert (found["risk"], found["rank"], found["arm_given"]) == (0.7, 0.8, "none")
    assert (found["median_days_none"], found["median_days_chemo"]) == (800.0, "")
    assert found["mean_days_until_800_none"] == pytest.approx(100 + 0.9 * 300 + 0.6 * 400)
    assert (found["survival_1_year_none"], found["survival_2_years_chemo"]) == (0.9, 0.8)
    assert (found["death_2_years_none"], found["relapse_1_year_none"]) == (0.3, 0.0)
    assert HANDLING.values(CURVE)["median_days_chemo"] is None
    short = replace(CURVE, survival={"all": np.array([0.9, 0.6, 0.4])}, times_days=np.array([10.0, 20.0, 30.0]),
                    low=None, high=None, incidence=None, given=None, risk=None, rank=None)  # fmt: skip
    assert HANDLING.columns(short) == {
        "median_days": 30.0, "mean_days_until_30": pytest.approx(10 + 9 + 6), "survival_30_days": 0.4,
    }  # fmt: skip


def test_lines_say_the_risk_beside_training_cases_and_the_band() -> None:
    lines = {line.name: line.text for line in HANDLING.lines(CURVE)}
    assert lines["risk"] == "hazard 2.01 times that of the average training case, higher than 80% of them"
    assert lines["none (given)"] == "median 800 days, 60% (50% to 70%) at 2 years"
    assert lines["chemo"] == "median not reached within 800 days, 80% (70% to 90%) at 2 years"
    assert lines["death, none"] == "30% by 2 years"


def test_a_risk_a_time_or_an_arm_can_be_asked_about() -> None:
    assert (contract.ask(CURVE).of, contract.ask(CURVE).words) == ("risk", "the risk")
    found = contract.ask(CURVE, "horizon=2 years")
    assert (found.at, found.place, found.words) == (730.5, 0, "survival at 2 years under none")
    found = contract.ask(CURVE, "arm=chemo@365")
    assert (found.of, found.place, found.at) == ("arm", 1, 365.0)
    assert contract.ask(CURVE, "arm=chemo").at == 400.0
    with pytest.raises(DataError, match="does not tell of 3 years"):
        contract.ask(CURVE, "horizon=3 years")
    with pytest.raises(UnknownName, match="unknown arm 'radio'"):
        contract.ask(CURVE, "arm=radio")
    with pytest.raises(DataError, match="one risk"):
        contract.ask(CURVE, "risk=2")


def test_a_benefit_is_asked_by_how_it_follows_the_hazards_of_both_arms() -> None:
    log_hazard, horizon = {"none": -6.5, "chemo": -7.1, "radio": -6.9}, 400.0

    def curve(**moved: float) -> Curve:
        days = np.array([200.0, 400.0, 800.0])
        lines = {a: np.exp(-days * np.exp(v + moved.get(a, 0.0))) for a, v in log_hazard.items()}
        return Curve(times_days=days, survival=lines, case_id="x")

    def gain(arm: str, **moved: float) -> float:
        made = curve(**moved)
        return made.at(horizon, arm) - made.at(horizon, "none")

    for arm, place in (("chemo", 1), ("radio", 2)):
        found = contract.ask(curve(), f"benefit={arm}@400")
        slopes = {a: (gain(arm, **{a: 1e-6}) - gain(arm, **{a: -1e-6})) / 2e-6 for a in (arm, "none")}
        assert found.sum == pytest.approx({place: slopes[arm], 0: slopes["none"]}, rel=1e-5)
        assert (
            found.place == place and found.words == f"what {arm} changes beside none in survival at 400 days"
        )
    usual = contract.ask(curve(), "benefit")
    assert (usual.place, usual.at) == (1, 400.0)  # half of the curve, where no horizon is told
    one = contract.ask(curve(), "arm=radio@400")
    survival = curve().at(400.0, "radio")
    assert one.sum == pytest.approx({2: survival * np.log(survival)})  # falls with the hazard
    with pytest.raises(DataError, match="held against"):
        contract.ask(curve(), "benefit=none")
    with pytest.raises(UnknownName, match="surgery"):
        contract.ask(curve(), "benefit=surgery")
    with pytest.raises(DataError, match="one arm"):
        contract.ask(
            Curve(times_days=np.array([1.0]), survival={"": np.array([0.5])}, case_id="x"), "benefit"
        )
    assert HANDLING.asks_of({"arms": ["none", "chemo"]}) == ("horizon", "risk", "arm", "benefit")
    assert HANDLING.asks_of({}) == ("horizon", "risk")


def test_a_report_draws_groups_cut_by_training_cases_with_numbers_at_risk() -> None:
    html = render(Report(title="x", scorecard=CARD))
    for said in ("Survival by risk", "low risk (", "high risk (", "at risk", "Log-rank test: p", "D-calibration",
                 "Groups are cut at the risks of the training cases", "Calibration", "AUC over time"):  # fmt: skip
        assert said in html, said
    (told,) = CARD.curves["events"].values()
    assert [g["n"] for g in told["groups"]] == [30, 30, 30]
    counts = [g["at_risk"] for g in told["groups"]]
    assert [c[0] for c in counts] == [30, 30, 30] and all(
        a >= b for c in counts for a, b in zip(c, c[1:], strict=False)
    )
    events = [g["events"] for g in told["groups"]]
    assert events == sorted(events) and told["logrank"]["p"] < 0.001
    table = HANDLING.case_table(CARD)
    assert table is not None and table.rows[0][3].number == max(c["risk"] for c in CARD.cases)


def test_without_a_rank_groups_are_cut_here_and_a_short_curve_is_said() -> None:
    card = judged(rank=False, until=600.0)
    assert "groups are cut at the risks of these very cases" in HANDLING.clinic(card)[0].text
    said = dict(facts(card))
    assert "curves end before, so that chances are judged up to day" in said["judged until"]
    assert said["horizons"].startswith("1 year")
    few = judged(24, rank=True)
    assert [g["name"] for g in few.curves["events"][""]["groups"]] == [
        "lower half of risk",
        "higher half of risk",
    ]
    alone = judged(12, rank=True)
    assert [g["name"] for g in alone.curves["events"][""]["groups"]] == ["all"]
    assert "logrank" not in alone.curves["events"][""]


def test_a_case_is_rated_by_what_is_known_of_it() -> None:
    none = np.array([0.9, 0.6, 0.4])
    score, said = HANDLING.rate(CURVE, Event(400.0, True), None)
    assert score == pytest.approx(-np.mean((none - [1, 0, 0]) ** 2))
    assert said == "event day 400, median 800"
    score, said = HANDLING.rate(CURVE, Event(500.0, False), None)
    assert score == pytest.approx(-np.mean((none[:2] - 1) ** 2)), "after a censoring nothing is known"
    assert said == "free of it until day 500, median 800"
    assert np.isnan(HANDLING.rate(CURVE, Event(50.0, False), None)[0])


def test_a_scorecard_gives_its_rows_back(tmp_path: Path) -> None:
    save_scorecard(CARD, tmp_path / "card.json")
    rows = HANDLING.again(load_scorecard(tmp_path / "card.json"))
    assert rows is not None
    found = judge.summary(rows, np.arange(len(rows)))
    assert found == {name: one.value for name, one in CARD.metrics.items()}


def test_several_events_and_their_causes_are_kept_and_come_back() -> None:
    rng = np.random.default_rng(5)
    times, risk = np.arange(50.0, 1500, 50), rng.normal(size=40)

    def tells(k: int, event: str, risk: float, **more: Any) -> Curve:
        line = np.exp(-times / 500 * np.exp(risk))
        shares = (
            {"all": {"tumour": 0.7 * (1 - line), "other": 0.3 * (1 - line)}} if event == "death" else None
        )
        return Curve(case_id=f"c{k}", times_days=times, survival={"all": line}, risk=risk, event=event,
                     incidence=shares, **more)  # fmt: skip

    answers = [tells(k, "death", r, parts={"relapse": tells(k, "relapse", -r)}) for k, r in enumerate(risk)]
    days = rng.exponential(500 * np.exp(-risk))
    causes = np.where(rng.random(40) < 0.6, "tumour", "other")
    truths = [
        {"death": Event(float(d), True, str(c)), "relapse": Event(float(d) / 2, k % 3 > 0) if k else None}
        for k, (d, c) in enumerate(zip(days, causes, strict=True))
    ]
    rows = judge.rows(answers, truths)
    card = scorecard(rows, "Curve", split="test", data_hash="", resamples=2)
    assert {"c_index", "c_index/death", "c_index/relapse", "ibs/death"} <= set(card.metrics)
    again = HANDLING.again(card)
    assert again is not None and judge.summary(again, np.arange(40)) == judge.summary(rows, np.arange(40))
    death = card.curves["events"]["death"]
    assert (
        set(death["incidence"]) == {"tumour", "other"} and not card.curves["events"]["relapse"]["incidence"]
    )
    tumour = death["incidence"]["tumour"]
    step = aalen_johansen(judge.observed_of(rows, "death")[0], "tumour")
    assert tumour["observed"]["y"][-1] == pytest.approx(float(step.values[-1]))
    mean = np.mean([a.incidence["all"]["tumour"][times <= tumour["predicted"]["x"][-1]][-1] for a in answers])
    assert tumour["predicted"]["y"][-1] == pytest.approx(mean)
    said = dict(facts(card))
    assert said["Death: causes"].startswith("other, tumour; C is of each cause")
    assert ("Relapse", "not known what happened: 1 of 40 cases") in facts(card)


def foreign(tmp_path: Path, text: str) -> dict[str, Curve]:
    path = tmp_path / "theirs.csv"
    path.write_text(text)
    cases = [Case(name, {}, reference=None) for name in ("p1", "p2")]
    return dict(HANDLING.foreign(path, cases, TargetInfo("survival", "event", ())))


def test_another_tools_risks_and_chances_are_read(tmp_path: Path) -> None:
    found = foreign(tmp_path, "case,risk\np1,0.5\np2,-1\n")
    assert (found["p1"].risk, len(found["p1"].times_days)) == (0.5, 0)
    found = foreign(tmp_path, "case,survival_1_year,survival_730.5\np1,0.8,0.5\np2,0.9,0.9\n")
    one = found["p1"]
    assert (one.at(365.25), one.at(730.5), one.risk) == (0.8, 0.5, None)
    assert one.at(365.25 / 2) == pytest.approx(0.9, abs=0.011), (
        "a straight line between the times of the table"
    )
    rows = judge.rows([found["p1"], found["p2"]], [Event(300, True), Event(900, False)])
    assert judge.summary(rows, np.arange(2))["c_index"] == 1.0
    only = foreign(tmp_path, "case,risk\np1,0.5\np2,-1\n")
    found_figures = judge.summary(
        judge.rows([only["p1"], only["p2"]], [Event(300, True), Event(900, False)]), np.arange(2)
    )
    assert found_figures["c_index"] == 1.0 and not {"ibs", "calibration", "d_calibration"} & set(
        found_figures
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("case,prediction\np1,0.5\n", "neither a risk nor survival"),
        ("case,survival_365,survival_730\np1,0.2,0.8\n", "rises with time"),
        ("case,survival_365\np1,80\n", "not a chance"),
        ("case,risk\np1,nan\n", "no finite number"),
    ],
)
def test_a_table_that_may_be_read_the_wrong_way_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DataError, match=re.escape(why)):
        foreign(tmp_path, text)


def test_a_promised_time_is_kept_whatever_the_censoring_and_the_model() -> None:
    rng = np.random.default_rng(3)
    times = np.arange(10.0, 3000, 10)

    def drawn(n: int) -> list[tuple[Curve, Event]]:
        risk = rng.normal(size=n)
        time, last = rng.exponential(600 * np.exp(-risk)), rng.uniform(100, 2500, n)
        real = [Event(float(min(a, b)), bool(a <= b)) for a, b in zip(time, last, strict=True)]
        wrong = [np.exp(-times / 2000 * np.exp(0.5 * r)) for r in risk]  # far too hopeful
        return [(Curve(times_days=times, survival={"all": s}), e) for s, e in zip(wrong, real, strict=True)]

    strange = [HANDLING.strangeness(answer, event, "lower") for answer, event in drawn(400)]
    fitted = conformal.thresholds(strange, 0.9)
    limits = Limits(0.9, fitted.at, fitted.n, way="lower")
    kept = [HANDLING.kept(HANDLING.promised(answer, limits), event).held[""] for answer, event in drawn(1500)]
    assert 0.87 < np.mean(kept) < 0.93
    one = HANDLING.promised(drawn(1)[0][0], limits)
    assert one.promise.text.startswith("at least ") and one.promise.text.endswith(" days")


def test_a_promised_time_by_hand() -> None:
    answer = Curve(times_days=TIMES, survival={"all": np.array([0.9, 0.6, 0.4])})

    def day(most: float) -> float:
        return HANDLING.promised(answer, Limits(0.9, {"": most}, {"": 50})).promise.interval[0]

    assert [day(q) for q in (0.95, 0.9, 0.7, 0.5, 0.1, 1.0, np.inf)] == [100, 100, 400, 800, 800, 0, 0]
    assert HANDLING.strangeness(answer, Event(400, False), "") == {"": 0.6}
    assert HANDLING.strangeness(answer, Event(5000, True), "") == {"": 0.4}, "beyond the curve its end counts"
    with pytest.raises(DataError, match="entered late"):
        HANDLING.strangeness(answer, Event(400, True, entry_days=30), "")


def test_a_group_in_which_nobody_had_the_event_is_not_free_of_it_for_sure() -> None:
    seen = observed(np.array([100.0, 200, 300, 400, 500]), np.array([0, 0, 0, 1, 0]))
    step = kaplan_meier(seen)
    at = _curve_kept._at(step, 250.0, seen)
    assert (at["value"], at["high"]) == (1.0, 1.0) and at["low"] == pytest.approx(
        0.025 ** (1 / 3)
    )  # of three at risk
    assert _curve_kept._at(step, 400.0, seen)["value"] == pytest.approx(1 / 2)
