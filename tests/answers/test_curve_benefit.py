"""What a scorecard and a report say of benefit, on curves whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vesalius.answers import _benefit, _benefit_shown
from vesalius.answers.curve import HANDLING
from vesalius.answers.drawing.panels import Table
from vesalius.benefit.words import verdict_of
from vesalius.core.answers.curve import Curve
from vesalius.core.case import Case, Event
from vesalius.core.scorecard import Scorecard, as_json, load_scorecard
from vesalius.core.treatment import OBSERVED, RANDOMISED, UNKNOWN, Treatment
from vesalius.evaluate.scorecard import scorecard
from vesalius.metrics import Rows

DAYS = np.arange(1.0, 1501.0, 10)
N = 500


def cohort(
    assignment: str, *, confounded: bool = False, reverse: bool = False, n: int = N
) -> list[tuple[Curve, Event, Case]]:
    """Patients whose hazard is known: `size` says who gains from the treatment, and age how long they live."""
    rng = np.random.default_rng(5)
    age, size = rng.normal(65, 8, n), rng.normal(0, 1, n)
    chance = 1 / (1 + np.exp(-(age - 65) / 6)) if confounded else np.full(n, 0.5)
    treated = rng.random(n) < chance
    log = -6.9 + (age - 65) / 10
    effect = -1.3 * size
    time = rng.exponential(np.exp(-(log + treated * effect)))
    leave = rng.uniform(500, 2500, n)
    about = Treatment(
        column="given", horizon_days=730.5, known=("age", "sex"), categories=("sex",), assignment=assignment
    )
    made = []
    for k in range(n):
        told = -effect[k] if reverse else effect[k]
        arms = {"none": np.exp(-DAYS * np.exp(log[k])), "chemo": np.exp(-DAYS * np.exp(log[k] + told))}
        given = "chemo" if treated[k] else "none"
        answer = Curve(
            case_id=f"c{k}", times_days=DAYS, survival=arms, risk=float(log[k]), given=given, treatment=about
        )
        case = Case(f"c{k}", {}, None, covariates={"age": float(age[k]), "sex": "FM"[k % 2], "given": given})
        event = Event(float(min(time[k], leave[k])), bool(time[k] <= leave[k]))
        made.append((answer, event, case))
    return made


def rows_of(made: list[tuple[Curve, Event, Case]]) -> Rows:
    return HANDLING.rows([HANDLING.measure(a, e, c) for a, e, c in made], [c.id for _, _, c in made])


def card_of(rows: Rows) -> Scorecard:
    return scorecard(
        rows, "Curve", split="test", patients=[None] * len(rows), data_hash="", bundle="", resamples=10
    )


@pytest.fixture(scope="module")
def randomised() -> Rows:
    return rows_of(cohort(RANDOMISED))


@pytest.fixture(scope="module")
def card(randomised: Rows) -> Scorecard:
    return card_of(randomised)


def test_true_predictions_are_shown_to_tell_who_gains(card: Scorecard) -> None:
    found = card.clinical["benefit"]
    (one,) = found["against"]
    assert one["tells"] and one["ranked"]["autoc"]["low"] > 0
    assert one["calibration"]["slope"]["low"] < 1 < one["calibration"]["slope"]["high"]
    for arm in ("none", "chemo"):
        assert one["policy"]["gain"][arm]["low"] > 0
    assert "gain more" in verdict_of(one)


def test_predictions_that_are_the_wrong_way_round_are_shown_to_harm() -> None:
    (one,) = _benefit.kept(rows_of(cohort(RANDOMISED, reverse=True)))["benefit"]["against"]
    assert one["ranked"]["autoc"]["high"] < 0 and not one["tells"]
    assert one["policy"]["gain"]["none"]["high"] < 0
    assert "gain less" in verdict_of(one)


def test_the_naive_difference_stands_beside_and_is_wrong_where_age_decided() -> None:
    # as they are, the treated are older and die sooner; the effect of all is known from the hazards
    made = cohort(OBSERVED, confounded=True)
    truth = float(np.mean([a.at(730.5, "chemo") - a.at(730.5, "none") for a, _, _ in made]))
    found = _benefit.kept(rows_of(made))["benefit"]
    (one,) = found["against"]
    assert one["naive"]["high"] < truth - 0.02
    assert one["effect"]["low"] < truth < one["effect"]["high"]
    assert "age" in one["balance"]["unbalanced"]["none"]
    assert "age" not in one["balance"]["unbalanced"]["overlap"]
    assert one["pairs"] is None  # matched pairs tell where chance decided, alone


def test_a_scorecard_gives_the_same_figures_again(card: Scorecard, randomised: Rows, tmp_path: Any) -> None:
    path = tmp_path / "scorecard.json"
    path.write_text(as_json(card))
    again = HANDLING.again(load_scorecard(path))
    assert again is not None
    assert json.dumps(_benefit.kept(again)) == json.dumps(_benefit.kept(randomised))
    assert again.columns.keys() == randomised.columns.keys()


def test_no_table_of_benefit_holds_a_c_index(card: Scorecard) -> None:
    shown = _benefit_shown.panels(card)
    tables = [p for p in shown if isinstance(p, Table)]
    assert len(tables) == 3 and len(shown) == 7
    cells = [c.text for t in tables for row in t.rows for c in row]
    assert not [c for c in cells if "c-index" in c.lower() or "harrell" in c.lower() or "uno" in c.lower()]
    assert card.metrics["c_index"].value is not None  # it stands elsewhere
    ranked = next(t for t in tables if t.title.startswith("Whom"))
    assert "a C-index says nothing about whom to treat" in ranked.text


def test_an_assignment_of_which_nobody_told_is_taken_as_observed_and_said() -> None:
    rows = rows_of(cohort(UNKNOWN, n=200))
    found = _benefit.kept(rows)["benefit"]
    assert found["against"][0]["pairs"] is None
    table = next(p for p in _benefit_shown.panels(replace(card_of(rows), cases=())) if isinstance(p, Table))
    assert "Nobody said whether chance decided" in table.text


def test_too_few_of_an_arm_are_refused_with_the_reason() -> None:
    made = cohort(RANDOMISED, n=60)
    few = [one for one in made if one[2].covariates["given"] == "none"] + [
        one for one in made if one[2].covariates["given"] == "chemo"
    ][:4]
    found = _benefit.kept(rows_of(few))["benefit"]
    assert "'chemo' was given to too few patients; found 4 of" in found["refused"]
    (table,) = _benefit_shown.panels(card_of(rows_of(few)))
    assert isinstance(table, Table) and "too few" in table.rows[0][1].text


def test_a_time_up_to_which_nobody_was_followed_gives_way_to_an_earlier_one() -> None:
    made = [
        (a, Event(min(e.time_days, 500.0), e.happened and e.time_days <= 500.0), c)
        for a, e, c in cohort(RANDOMISED, n=300)
    ]
    assert _benefit.kept(rows_of(made))["benefit"]["judged_days"] == 365.25


def test_curves_without_arms_have_no_benefit() -> None:
    one = [(replace(a, treatment=None), e, c) for a, e, c in cohort(RANDOMISED, n=20)]
    rows = rows_of(one)
    assert _benefit.kept(rows) == {} and "treated" not in rows.columns
