"""Advice about one patient, of a model whose answers are known by formula: what it says, and when it is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from tests.benefit._treated import cases, person, state
from tests.run._advised import DAYS, Bundled, Known, Loaded, Stage, about, predictor

from vesalius.benefit import given
from vesalius.core.bundle import State
from vesalius.core.errors import DataError
from vesalius.infer.predictor import Predictor
from vesalius.run.advice.contributions import contributions
from vesalius.run.advice.page import page
from vesalius.run.advice.result import RESEARCH
from vesalius.tasks import _treated


def test_what_is_expected_is_the_formula(tmp_path: Path) -> None:
    found = about(predictor(tmp_path), person(60, "M"))
    horizon = found.told.treatment.horizon_days
    day = DAYS[horizon >= DAYS][-1]
    control = math.exp(-day / 1500 * math.exp(0.03 * -4.5 + 0.4))
    drug = math.exp(-day / 1500 * math.exp(0.03 * -4.5 + 0.4 - 0.2))
    assert found.told.expected[0].at[0] == pytest.approx(control)
    assert found.told.gains[0].survival[0] == pytest.approx(drug - control)
    assert found.told.gains[0].days[0] > 0


def test_the_arm_that_a_patient_had_plays_no_part(tmp_path: Path) -> None:
    known = predictor(tmp_path)
    one = about(known, person(60))
    treated = replace(person(60), covariates={**person(60).covariates, "arm": "drug"})
    assert about(known, treated).json() == one.json()
    assert not [c for c in known.asked if "arm" in c.covariates]


def test_contributions_add_up_and_are_those_of_a_line(tmp_path: Path) -> None:
    # a linear log hazard: each fair share is the coefficient times the distance from the average of training cases
    known = predictor(tmp_path)
    usual = given.usual(known.stages[0].stage.state)
    rows, whole = contributions(cast(Predictor, known), person(80, "M"), usual)
    said = {row.name: row for row in rows}
    mean = np.mean([cast(float, c.covariates["age"]) for c in cases()])
    assert whole
    assert said["age"].risk == pytest.approx(0.03 * (80 - mean))
    assert said["sex"].risk == pytest.approx(0.4 if usual["sex"] == "F" else 0.0)
    told = about(known, person(80, "M")).told
    assert sum(r.risk or 0.0 for r in rows) == pytest.approx(told.risk)
    assert sum(r.gains["drug"] for r in rows) == pytest.approx(told.gains[0].survival[0])


def test_a_patient_like_whom_nobody_was_treated_is_refused(tmp_path: Path) -> None:
    known = predictor(tmp_path, old_untreated=True)
    with pytest.raises(DataError, match="patients like this one had only control"):
        about(known, person(85))
    assert not known.asked


def test_a_bundle_of_one_arm_is_refused(tmp_path: Path) -> None:
    known = predictor(tmp_path)
    bare = {k: v for k, v in known.stages[0].stage.state.values.items() if k != given.TREATMENT}
    known.stages = [Loaded(Stage(State(bare, {})))]
    with pytest.raises(DataError, match="one treatment alone"):
        about(known, person(60))


def test_an_arm_that_hardly_anybody_had_is_refused(tmp_path: Path) -> None:
    few = [c for c in cases() if c.covariates["arm"] == "control"]
    known = Known([Loaded(Stage(_treated.remembered(few, state())))], Bundled(tmp_path))
    with pytest.raises(DataError, match="'drug' was never given"):
        about(known, person(60))


def test_a_withheld_answer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="withheld; found it was unlike"):
        about(predictor(tmp_path, withheld="it was unlike"), person(60))


def test_what_argues_against_it_is_said(tmp_path: Path) -> None:
    said = "\n".join(about(predictor(tmp_path), person(60)).against)
    assert "Chance did not decide on the arms" in said and "never scored" in said
    alone = "\n".join(about(predictor(tmp_path, members=1), person(60)).against)
    assert "nothing says how uncertain the effect of drug is" in alone
    fair = "\n".join(about(predictor(tmp_path, "randomised"), person(60)).against)
    assert "Chance did not" not in fair


def test_the_page_and_the_document_say_that_it_is_research(tmp_path: Path) -> None:
    found = about(predictor(tmp_path), person(60))
    text = page(found)
    main = text.split("<main")[1]
    assert main.index(RESEARCH) < main.index("Under each arm") and 'src="http' not in main
    assert "a C-index says nothing about whom to treat" in text and "percentage points" in text
    told = json.loads(json.dumps(found.json(), allow_nan=False))
    assert told["for_research"] == RESEARCH and told["gains"][0]["arm"] == "drug"
    assert not [c.id for c in cases() if f">{c.id}<" in text or f'"{c.id}"' in json.dumps(told)]
