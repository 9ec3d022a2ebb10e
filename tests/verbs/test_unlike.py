"""A fit with the alarm: the same weights, answers and figures; and the way of the alarm from the plan to evaluate."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures
from typer.testing import CliRunner

import vesalius as vs
from _normality import normality
from vesalius.cli import app
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import BundleError, MismatchError, PlanError, UnknownName
from vesalius.core.plan import Plan, load_plan, parse_plan, save_plan
from vesalius.infer.alarm import RECORD, UNLIKE, alarm_of
from vesalius.infer.drifting import UNTOLD, reference_of
from vesalius.run.novelty import ENOUGH, afforded, allowed_s, looked_at
from vesalius.run.predict_settings import PredictSettings

SETTINGS: dict[str, Any] = {
    "net.scale": 0.125,
    "train.threads": 1,
    "train.members": 1,
    "train.steps": 6,
    "train.batch": 4,
    "train.validations": 1,
    "data.size": [1, 16, 16],
}
CASES = 120


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two classes: discs, bright or dark, on noise."""
    root = tmp_path_factory.mktemp("discs")
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:24, :24]
    for k in range(CASES):
        name = ("bright", "dark")[k % 2]
        picture = generator.normal(110, 20, (24, 24))
        cy, cx, r = generator.uniform(8, 16), generator.uniform(8, 16), generator.uniform(3, 6)
        picture[(y - cy) ** 2 + (x - cx) ** 2 < r**2] += 70 if name == "bright" else -70
        (root / name).mkdir(exist_ok=True)
        Pictures.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(root / name / f"{k:03d}.png")
    return root


@pytest.fixture(scope="module")
def fitted(data: Path, quick: None, tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    """A run as it is planned: with the alarm, of 96 training cases, since so many are enough."""
    return vs.fit(data, tmp_path_factory.mktemp("with") / "run", settings=SETTINGS, seed=1)


@pytest.fixture(scope="module")
def plain(data: Path, quick: None, tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    settings = SETTINGS | {"infer.novelty": "none"}
    return vs.fit(data, tmp_path_factory.mktemp("without") / "run", settings=settings, seed=1)


def test_the_alarm_changes_no_weight_no_answer_and_no_figure(
    fitted: vs.Run, plain: vs.Run, data: Path
) -> None:
    assert fitted.bundle is not None and plain.bundle is not None
    assert fitted.plan.infer.novelty == "mahalanobis" and "knn" in fitted.plan.reasons["infer.novelty"]
    for name in fitted.bundle.stages[0].members:
        assert (fitted.bundle.path / name).read_bytes() == (plain.bundle.path / name).read_bytes()
    a, b = fitted.scorecard, plain.scorecard
    assert a is not None and b is not None
    assert (a.metrics, a.cases, a.thresholds) == (b.metrics, b.cases, b.thresholds) and b.novelty == {}
    assert fitted.bundle.stages[0].calibration == plain.bundle.stages[0].calibration
    assert "novelty" not in plain.bundle.stages[0].extras
    few = vs.read(data)[:30]
    one, other = vs.predict(fitted, few), vs.predict(plain, few)
    for x, y in zip(one, other, strict=True):
        assert np.array_equal(x.p, y.p) and y.outside == ()  # type: ignore[attr-defined]


def test_the_record_is_of_the_first_member_and_of_cases_that_it_never_saw(fitted: vs.Run) -> None:
    assert fitted.bundle is not None
    stage = open_bundle(fitted.bundle.path).stages[0]
    record = stage.extras[RECORD].values
    alarm = alarm_of(stage)
    assert alarm is not None and record["member"] == stage.members[0]
    assert alarm.trained + alarm.held_out == fitted.bundle.learned.cases  # type: ignore[union-attr]
    assert alarm.grouped == 2 and alarm.rate == 1 / (alarm.held_out + 1)


def test_a_strange_case_is_marked_refused_and_counted(fitted: vs.Run, data: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    stripes = np.zeros((24, 24), np.uint8)
    stripes[::2] = 255
    Pictures.fromarray(stripes).save(odd / "stripes.png")
    shutil.copy(next(data.rglob("000.png")), odd / "usual.png")
    done = vs.predict(fitted, odd, tmp_path / "answers")
    rows = {r["case"]: r["outside"] for r in csv.DictReader((tmp_path / "answers" / "answers.csv").open())}
    assert rows["usual"] == "" and rows["stripes"].startswith(UNLIKE) and len(done.answered) == 2
    done = vs.predict(fitted, odd, tmp_path / "refused", refuse_unlike=True)
    assert [c.case for c in done.set_aside] == ["stripes"] and "unlike the cases that" in done.set_aside[
        0
    ].reason
    with pytest.raises(MismatchError, match="above the"):
        vs.predict(fitted, odd / "stripes.png", refuse_unlike=True)
    card = vs.evaluate(fitted, data, split="test")
    found = card.novelty
    assert (
        found["cases"] == card.n_cases and found["low"] <= found["raised"] / found["cases"] <= found["high"]
    )
    assert found["promised"] == 1 / (found["held_out"] + 1)
    assert fitted.scorecard is not None and fitted.scorecard.novelty == found


def test_a_guard_marks_and_refuses_beside_the_bundles_own_alarm(
    fitted: vs.Run, plain: vs.Run, data: Path, tmp_path: Path
) -> None:
    shown = [np.asarray(Pictures.open(path)) for path in sorted(data.rglob("*.png"))[:20]]
    guard = normality(tmp_path / "normal", shown)
    odd = tmp_path / "odd"
    odd.mkdir()
    Pictures.fromarray(np.repeat(np.where(np.arange(24) % 2, 255, 0).astype(np.uint8)[:, None], 24, 1)).save(
        odd / "stripes.png"
    )
    shutil.copy(sorted(data.rglob("*.png"))[0], odd / "usual.png")
    words = ["predict", str(plain.path), str(odd), "-o", str(tmp_path / "answers"), "--guard", str(guard)]
    assert CliRunner().invoke(app, words).exit_code == 0
    rows = {r["case"]: r["outside"] for r in csv.DictReader((tmp_path / "answers" / "answers.csv").open())}
    assert rows["usual"] == "" and rows["stripes"].startswith(f"{UNLIKE}the guard 'normal': score ")
    both = vs.predict(fitted, odd / "stripes.png", guard=guard).outside or ()
    assert ["the guard" in text for text in both] == [True, False] and all(t.startswith(UNLIKE) for t in both)
    with pytest.raises(MismatchError, match="the guard 'normal' learned from"):
        vs.predict(plain, odd / "stripes.png", guard=guard, refuse_unlike=True)
    with pytest.raises(PlanError, match="guards no other one"):
        vs.predict(plain, odd, tmp_path / "none", guard=fitted)
    assert not (tmp_path / "none").exists()
    with pytest.raises(BundleError):
        vs.predict(plain, odd, tmp_path / "none", guard=tmp_path / "nowhere")


def test_a_folder_is_gone_on_with_by_the_same_guard() -> None:
    told = PredictSettings(guard="/runs/normal", guard_hash="ab")
    mark = told.mark("cd")
    assert PredictSettings().completed(mark).guard == "/runs/normal"
    assert mark != PredictSettings(guard="/runs/normal", guard_hash="ac").mark("cd")
    assert "guard" not in PredictSettings().mark("cd")  # folders of before say nothing of it


def test_data_of_another_kind_raise_it_more_often_than_is_promised(
    fitted: vs.Run, data: Path, tmp_path: Path
) -> None:
    for path in data.rglob("*.png"):
        shown = np.asarray(Pictures.open(path)).astype(float)
        out = tmp_path / "inverted" / path.parent.name / path.name
        out.parent.mkdir(parents=True, exist_ok=True)
        stripes = np.where(np.arange(24)[:, None] % 2, shown, 255 - shown)
        Pictures.fromarray(stripes.astype(np.uint8)).save(out)
    card = vs.evaluate(fitted, tmp_path / "inverted", tmp_path / "out", split="all")
    assert card.novelty["low"] > card.novelty["promised"]
    banner = next(b for b in card.banners if b.kind == "unlike the training cases")
    assert f"{card.novelty['raised']} of {CASES} cases" in banner.text
    assert "unlike the training cases" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_folder_that_drifts_is_told_of_and_a_bundle_without_a_reference_says_so(
    fitted: vs.Run, plain: vs.Run, data: Path, tmp_path: Path
) -> None:
    assert fitted.bundle is not None and plain.bundle is not None
    reference = reference_of(fitted.bundle)
    assert reference is not None and reference.cases >= 19 and "strangeness" in reference.names
    dim = tmp_path / "dim"
    dim.mkdir()
    for path in sorted(data.rglob("*.png"))[:40]:
        Pictures.fromarray((np.asarray(Pictures.open(path)) // 4).astype(np.uint8)).save(dim / path.name)
    done = vs.predict(fitted, dim, tmp_path / "answers")
    assert done.drift is not None and done.drift.cases == 40 and done.drift.drifted
    rows = list(csv.DictReader((tmp_path / "answers" / "drift.csv").open()))
    assert len(rows) == 40 and tuple(rows[0]) == ("case", *reference.names)
    assert vs.predict(fitted, vs.read(dim)).drift == done.drift  # in memory and in a folder
    usual = vs.predict(fitted, data, tmp_path / "usual").drift
    assert usual is not None and not usual.drifted and usual.cases == CASES
    untold = vs.predict(plain, dim, tmp_path / "untold").drift
    assert (
        untold is not None and untold.sentence == UNTOLD and not (tmp_path / "untold" / "drift.csv").exists()
    )


# --- the plan


def test_a_plan_of_before_has_no_alarm_and_still_parses(fitted: vs.Run, tmp_path: Path) -> None:
    data = fitted.plan.model_dump(mode="json")
    for name in ("novelty", "novelty_cases", "alarm_rate"):
        del data["infer"][name]
    assert parse_plan(data).infer.novelty == "none"
    save_plan(fitted.plan, tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json").infer == fitted.plan.infer


def test_a_detector_that_is_not_there_is_refused_before_training(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown detector 'mahalonobis'.*mahalanobis"):
        vs.fit(data, tmp_path / "run", settings=SETTINGS | {"infer.novelty": "mahalonobis"}, dry_run=True)


def few(plan: Plan, limit_s: float, answer_s: float) -> Plan:
    plain = plan.model_copy(update={"infer": plan.infer.model_copy(update={"mirror": ()})})
    return afforded(plain, allowed_s(limit_s, 0.0), answer_s)


def test_looking_at_cases_takes_a_small_share_of_the_time(fitted: vs.Run) -> None:
    plan = fitted.plan
    assert few(plan, 600, 0.01).infer.novelty_cases == 500
    assert few(plan, 600, 0.1).infer.novelty_cases == 240  # 24 s of ten minutes
    fewer = few(plan, 3600, 1.0)
    assert fewer.infer.novelty_cases == 144 and looked_at(fewer, 1000) * 1.0 <= 0.04 * 3600
    assert fewer.reasons["infer.novelty_cases"] == "so many can be looked at within 144 s"
    none = few(plan, 3600, 30.0)
    assert none.infer.novelty == "none" and looked_at(none, 1000) == 0
    assert "48 cases would take more than the 144 s" in none.reasons["infer.novelty"]
    asked = plan.model_copy(update={"reasons": {**plan.reasons, "infer.novelty": "set by the user"}})
    assert few(asked, 3600, 30.0).infer.novelty_cases == ENOUGH
    assert (allowed_s(None, 10.0), allowed_s(None, 5000.0)) == (60.0, 200.0)
