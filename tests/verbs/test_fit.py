"""fit: what a run leaves behind, what its bundle does not hold, and the same weights from the same plan."""

from __future__ import annotations

import csv
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

import vesalius as vs
from vesalius.core.bundle import open_bundle
from vesalius.core.disk import sha256
from vesalius.core.errors import BudgetError, DataError, OutputError, PlanError, UnknownName
from vesalius.core.plan import USER, load_plan
from vesalius.core.scorecard import load_scorecard
from vesalius.learn.course import Change, Course, Pace
from vesalius.run import pacing


def weights(run: Path) -> dict[str, str]:
    return {p.name: sha256(p) for p in sorted((run / "bundle").glob("weights-*.safetensors"))}


@pytest.mark.parametrize("kind", ["pictures", "volumes"])
def test_a_run_leaves_all_of_it_behind(kind: str, request: pytest.FixtureRequest) -> None:
    tiny = request.getfixturevalue(kind)
    names = {p.name for p in tiny.path.iterdir()}
    assert {
        "plan.json",
        "folds.json",
        "run.json",
        "bundle",
        "scorecard.json",
        "report.html",
        "card.md",
    } <= names
    plan = load_plan(tiny.path / "plan.json")
    sealed = open_bundle(tiny.path).stages[-1].plan
    assert plan.model_dump_json() == tiny.run.plan.model_dump_json() == sealed.model_dump_json()
    assert plan.reasons["train.steps"] == USER and all(plan.reasons.values())
    log = tiny.path / "logs" / f"{plan.task.name}-0.csv"
    rows = list(csv.DictReader(log.open()))
    assert rows[-1]["step"] == str(plan.train.steps) and {r["figure"] for r in rows} >= {
        "loss",
        "lr",
        "score",
    }
    assert not list(tiny.path.rglob(".*.tmp*")), "no temporary file is left"


def test_nothing_of_a_patient_or_a_path_is_in_the_bundle(pictures: Any) -> None:
    path = pictures.bundle
    cohort = vs.read(pictures.data)
    assert all("PLANTED" in c.id and "PLANTED" in (c.patient or "") for c in cohort.cases), (
        "they were planted"
    )
    forbidden = [
        b"PLANTED",
        b"DOE^",
        b"PATIENT^",
        str(pictures.path.parent).encode(),
        b"/tmp",
        b"/home",
        b".png",
    ]
    files = [p for p in path.rglob("*") if p.is_file()]
    assert len(files) >= 6
    for file in files:
        data = file.read_bytes()
        for text in forbidden:
            assert text.lower() not in data.lower(), f"{text!r} in {file.name}"
    assert {p.suffix for p in files} <= {".json", ".safetensors", ".md", ".sha256"}, "no pixels"


def test_no_voxel_of_an_image_is_in_the_bundle_of_a_segmenter(volumes: Any) -> None:
    bundle = open_bundle(volumes.bundle)
    prior = bundle.stages[0].state.arrays["prior"]
    assert prior.min() >= 0 and prior.max() <= 1, "shares of labels, no intensities"
    assert set(bundle.stages[0].state.arrays) == {"prior"}
    assert b"case-000" not in b"".join(p.read_bytes() for p in volumes.bundle.iterdir())


@pytest.mark.parametrize("kind", ["pictures", "volumes"])
def test_the_scorecard_says_what_it_must(kind: str, request: pytest.FixtureRequest) -> None:
    tiny = request.getfixturevalue(kind)
    card = json.loads((tiny.path / "scorecard.json").read_text())
    sealed = json.loads((tiny.bundle / "scorecard.json").read_text())
    assert sealed["cases"] == [] and len(card["cases"]) == card["n_cases"] >= 2
    assert sealed["metrics"] == card["metrics"]
    assert card["split"] == "test" and re.fullmatch("[0-9a-f]{64}", card["data_hash"])
    assert card["answer"] == {"pictures": "Scores", "volumes": "Mask"}[kind]
    primary = {"pictures": "auc", "volumes": "dice"}[kind]
    assert primary in card["metrics"] and primary in card["baseline"] and card["baseline_is"]
    for name, found in card["metrics"].items():
        assert {"value", "low", "high", "n"} <= set(found), name
        if found["low"] is not None and found["value"] is not None:
            assert found["low"] <= found["value"] + 1e-9 and found["value"] <= found["high"] + 1e-9
    assert load_scorecard(tiny.path / "scorecard.json").metrics == tiny.run.scorecard.metrics


@pytest.mark.parametrize("kind", ["pictures", "volumes"])
def test_the_report_needs_nothing_from_elsewhere(kind: str, request: pytest.FixtureRequest) -> None:
    html = (request.getfixturevalue(kind).path / "report.html").read_text()
    for attribute in re.findall(r"""(?:src|href|srcset|action|data)\s*=\s*["']([^"']*)""", html):
        assert attribute.startswith(("#", "data:")), attribute
    assert not re.search(r"url\((?!['\"]?(?:#|data:))|@import|<script[^>]+src|<link", html)
    assert "data:image/" in html and "train.steps" in html


def test_the_same_plan_gives_the_same_weights(volumes: Any, tmp_path: Path) -> None:
    again = vs.fit(volumes.data, tmp_path / "again", target="mask", plan=volumes.path / "plan.json")
    assert again.plan.train.steps == volumes.run.plan.train.steps
    assert weights(tmp_path / "again") == weights(volumes.path)
    assert (tmp_path / "again" / "folds.json").read_text() == (volumes.path / "folds.json").read_text()


def test_a_run_that_followed_the_clock_is_made_again_from_its_plan(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hurried(Pace):
        def look(self, step: int, course: Course, validations: int) -> Change | None:
            return Change(3, 9) if step == 3 else None

    monkeypatch.setattr(pacing, "Pace", Hurried)
    settings = {"net.scale": 0.125, "train.batch": 4, "train.members": 2, "data.size": [1, 32, 32]}
    run = vs.fit(pictures.data, tmp_path / "run", settings=settings, time_limit="1h", seed=3)
    assert run.path is not None and run.bundle is not None and not run.ran_out
    assert run.plan.train.steps == 9 and "were planned" in run.plan.reasons["train.steps"]
    assert {(r.member, r.step, r.steps) for r in run.plan.train.revisions} > {(0, 3, 9), (1, 3, 9)}
    kept = [load_plan(run.path / "plan.json"), run.bundle.stages[-1].plan]
    assert {p.model_dump_json() for p in kept} == {run.plan.model_dump_json()}
    monkeypatch.undo()
    again = vs.fit(pictures.data, tmp_path / "again", plan=run.path / "plan.json", time_limit="1h")
    assert (
        weights(tmp_path / "again") == weights(run.path)
        and again.plan.train.revisions == run.plan.train.revisions
    )
    other = vs.fit(pictures.data, plan=run.path / "plan.json", settings={"train.steps": 4}, dry_run=True)
    assert (other.plan.train.steps, other.plan.train.revisions) == (4, ())


def test_a_limit_that_is_too_short_names_one_that_would_do(pictures: Any, tmp_path: Path) -> None:
    with pytest.raises(
        BudgetError, match=r"too short.*: too little is left.* of 2 s; try: --time-limit \d+s"
    ):
        vs.fit(pictures.data, tmp_path / "run", time_limit=2)
    late = time.monotonic() - 3600
    with pytest.raises(BudgetError, match=r"of 600 s; try: --time-limit 2h"):
        vs.fit(pictures.data, tmp_path / "run", time_limit="10m", started=late)
    assert not (tmp_path / "run").exists()


def test_another_fit_can_begin_from_it(pictures: Any, tmp_path: Path) -> None:
    """With a learning rate of next to nothing, what began from the bundle stays there."""
    settings = {"train.lr": 1e-12, "train.steps": 1, "train.ema": 0, "train.weight_decay": 0}
    plan = pictures.path / "plan.json"
    run = vs.fit(pictures.data, tmp_path / "on", plan=plan, settings=settings, init=pictures.path)
    assert run.path is not None and run.plan.net.init is not None and "bundle" in run.plan.net.init
    assert "PLANTED" not in run.plan.net.init and "/" not in run.plan.net.init
    before = load_file(pictures.bundle / "weights-0-0.safetensors")
    after = load_file(run.path / "bundle" / "weights-0-0.safetensors")
    learned = [k for k in before if "running" not in k and "num_batches" not in k]
    assert max(abs(before[k] - after[k]).max() for k in learned) < 1e-6


def test_a_dry_run_plans_and_writes_nothing(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = vs.fit(pictures.data, dry_run=True, time_limit="5m")
    assert (run.path, run.bundle, run.scorecard) == (None, None, None)
    assert run.plan.train.steps >= 20 and run.plan.reasons["train.steps"] != "not yet budgeted"
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(pictures: Any, volumes: Any) -> None:
    before = weights(pictures.path)
    for call in (
        lambda: vs.fit(pictures.data, pictures.path, settings={"train.steps": 1}),
        lambda: vs.predict(volumes.path, volumes.data / "imagesTr", pictures.path),
        lambda: vs.evaluate(volumes.path, volumes.data, pictures.path, target="mask"),
        lambda: vs.phantom(pictures.path, cases=1),
    ):
        with pytest.raises(OutputError, match="nothing is overwritten"):
            call()
    assert weights(pictures.path) == before


def test_a_finished_run_resumed_stays_as_it_is(pictures: Any, tmp_path: Path) -> None:
    def files() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in sorted(pictures.path.rglob("*")) if p.is_file()}

    before = files()
    again = vs.fit(pictures.data, pictures.path, resume=True)
    assert files() == before and again.bundle is not None and again.scorecard is not None
    assert again.bundle.hash == pictures.run.bundle.hash
    assert again.scorecard.metrics == pictures.run.scorecard.metrics
    assert again.plan.model_dump_json() == pictures.run.plan.model_dump_json()


def test_what_cannot_be_fitted_is_said_before_anything_is_written(pictures: Any, tmp_path: Path) -> None:
    for error, given in (
        (UnknownName, {"settings": {"train.step": 3}}),
        (PlanError, {"settings": {"net.name": "unet"}}),
        (DataError, {"task": "segment"}),
        (OutputError, {"resume": True}),
    ):
        with pytest.raises(error):
            vs.fit(pictures.data, tmp_path / "run", **given)  # type: ignore[arg-type]
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("path", ["infer.mirror", "augment.flip_axes"])
def test_no_setting_exchanges_sides_that_a_label_names(path: str, volumes: Any, tmp_path: Path) -> None:
    settings = {"train.steps": 1, "net.scale": 0.125, "data.size": [16, 32, 32], path: ["x"]}
    with pytest.raises(PlanError, match=rf"{path} would exchange left and right.*--set {path}=\[\]"):
        vs.fit(volumes.data, tmp_path / "run", target="mask", settings=settings)
    assert not (tmp_path / "run").exists()
    allowed = vs.fit(volumes.data, target="mask", settings={**settings, path: ["y"]}, dry_run=True)
    assert getattr(getattr(allowed.plan, path.split(".")[0]), path.split(".")[1]) == ("y",)
