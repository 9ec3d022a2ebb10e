"""What a risk adds to factors: kept in a scorecard as the room of survival has it, and shown in a report."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from vesalius.answers import contract
from vesalius.answers.contract import FACTORS
from vesalius.answers.drawing.nomogram import nomogram as rulers
from vesalius.core.answers.curve import Curve
from vesalius.core.case import Case, Event
from vesalius.core.scorecard import Scorecard
from vesalius.evaluate.factors import with_factors
from vesalius.metrics import curve as judge
from vesalius.survival.added import reclassification
from vesalius.survival.observed import from_events
from vesalius.survival.scores import harrell_c
from vesalius.survival.signature import signature, tabled

N, HANDLING = 120, contract.of("Curve")
NAMES = ("age", "sex")


@pytest.fixture(scope="module")
def judged():
    """Cases, and the rows of answers whose risk tells of something that no factor does."""
    rng = np.random.default_rng(8)
    age, hidden = rng.normal(60, 10, N), rng.normal(size=N)
    days = 900 * (-np.log(rng.random(N)) / np.exp(0.05 * (age - 60) + hidden)) ** 0.8 + 1
    end = rng.uniform(400, 2500, N)
    truths = [Event(float(min(d, e)), bool(d <= e)) for d, e in zip(days, end, strict=True)]
    grid = np.arange(100.0, 2600.0, 100.0)
    answers = [
        Curve(
            case_id=f"c{k}",
            times_days=grid,
            survival={"all": np.exp(-grid / 1500 * np.exp(h))},
            risk=float(h),
        )
        for k, h in enumerate(hidden)
    ]
    cases = [
        Case(
            f"c{k}",
            {},
            patient=f"p{k}",
            covariates={"age": float(a), "sex": "M" if k % 3 else "F"},
            targets={},
        )
        for k, a in enumerate(age)
    ]
    return cases, judge.rows(answers, truths), hidden, truths


@pytest.fixture(scope="module")
def card(judged):
    cases, rows, _, _ = judged
    tally = SimpleNamespace(handling=HANDLING, cases=cases, kind="Curve", rows=lambda: (rows, None))
    bare = Scorecard(
        answer="Curve", split="test", n_patients=N, n_cases=N, patients_known=True, data_hash="", bundle="",
        metrics={"c_index": None}, resamples=30, patients={c.id: c.patient for c in cases},
    )  # fmt: skip
    learned = with_factors(SimpleNamespace(metrics=bare.metrics, split="training"), tally, NAMES)
    assert not hasattr(learned, "clinical"), "of cases that were trained on nothing is said"
    assert with_factors(bare, tally, ()) is bare, "without a factor there is nothing to compare with"
    return with_factors(bare, tally, NAMES)


def test_figures_are_those_of_the_room_of_survival(judged, card):
    cases, _, hidden, truths = judged
    told = card.clinical[FACTORS]["events"][""]
    table = tabled({name: [c.covariates[name] for c in cases] for name in NAMES})
    seen = from_events(truths)
    found = signature(hidden, table, seen, told["days"], people=[c.patient for c in cases])
    gain = harrell_c(found.after, seen) - harrell_c(found.before, seen)
    assert told["c"]["change"]["value"] == pytest.approx(gain) and gain > 0.05
    assert told["c"]["change"]["low"] < gain < told["c"]["change"]["high"]
    moved = reclassification(found.free(found.before), found.free(found.after), seen, told["days"])
    assert told["reclassified"]["total"]["value"] == pytest.approx(moved.total)
    assert told["test"]["chi2"] == pytest.approx(found.test.chi2)
    assert [one["name"] for one in told["models"]["both"]] == ["age", "sex: F", "risk"]
    assert told["days"] in judge.judged(judged[1], "").horizons
    json.dumps(card.clinical)  # as a scorecard is stored


def test_the_nomogram_gives_the_chance_of_the_model(judged, card):
    """A woman of 60 with a risk of one standard deviation: points by hand from the axes, against the Cox model."""
    cases, _, hidden, truths = judged
    told = card.clinical[FACTORS]["events"][""]
    axes = {one["name"]: one for one in told["nomogram"]["axes"]}
    points = np.interp(60.0, axes["age"]["values"], axes["age"]["points"])
    points += axes["sex"]["points"][axes["sex"]["values"].index("sex: F")]
    points += np.interp(1.0, axes["risk"]["values"], axes["risk"]["points"])
    name, free = next(iter(told["nomogram"]["free"].items()))
    read = np.interp(points, told["nomogram"]["totals"], free)
    table = tabled({n: [c.covariates[n] for c in cases] for n in NAMES})
    found = signature(hidden, table, from_events(truths), told["days"], people=[c.patient for c in cases])
    day = judge.judged(judged[1], "").horizons[0]
    assert read == pytest.approx(
        float(found.both.survival(np.array([[60.0, 1.0, 1.0]]), [day])[0, 0]), abs=0.01
    )
    assert {"1 year": 365.25}.get(name, day) == pytest.approx(day)


def test_a_report_shows_ratios_the_nomogram_and_decisions(card):
    added, ratios, drawn, decision = HANDLING.clinic(card)
    assert [str(row[0].text) for row in ratios.rows] == ["Age", "sex: F", "risk, a standard deviation more"]
    assert added.rows[2][1].text.startswith("+0.") and "trained on none of these cases" in added.text
    assert "The model itself was given" not in added.text
    assert all(word in drawn.svg for word in ("Total points", "Free at 1 year", "Age", "risk (SD)"))
    assert "net benefit" in decision.svg


def test_what_the_model_was_given_and_what_is_left_out_is_said(judged, card):
    found = {**card.clinical[FACTORS], "saw": ["age", "sex"]}
    found["events"] = {
        "": {**found["events"][""], "lacking": 4, "left_out": {"site": "the same in all patients"}}
    }
    other = Scorecard(**{**vars_of(card), "clinical": {FACTORS: found}})
    text = HANDLING.clinic(other)[0].text
    assert "was given age, sex: its risk is not that of the image alone" in text
    assert "4 cases of which not all is known are left out" in text
    assert "Site is left out: the same in all patients" in text


def vars_of(card):
    return {name: getattr(card, name) for name in card.__dataclass_fields__}


def test_too_few_events_are_said_and_not_fitted(judged):
    cases, rows, _, _ = judged
    few = rows.__class__(rows.case_ids[:30], {k: v[:30] for k, v in rows.columns.items()}, rows.info)
    known = {name: [c.covariates[name] for c in cases[:30]] for name in NAMES}
    told = HANDLING.adds(few, known, [c.id for c in cases[:30]], resamples=5, seed=0)
    assert "too few events" in told["events"][""]["reason"]


def test_words_that_have_no_room_are_not_drawn_over_one_another():
    svg = rulers(
        [{"name": "age", "values": [61, 61.5, 62, 63], "points": [0, 1, 2, 100]}],
        [0, 100],
        {"1 year": [0.9, 0.2]},
    )
    words = re.findall(r">(61|61\.5|62|63)<", svg)
    assert words == ["61", "61.5", "63"], "above, below, and no place is left for the third"
