"""Plans of several stages go through `fit`: each with its own task, target and calibration, one cut by another."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import vesalius as vs
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import DataError, PlanError, UnknownName
from vesalius.core.plan import USER, Plan, load_plan
from vesalius.run.reporting import choices
from vesalius.run.stages import stages_of
from vesalius.verbs.phantom import phantom

SETTINGS: dict[str, Any] = {
    "net.scale": 0.125, "train.threads": 1, "train.members": 1, "train.steps": 4, "train.batch": 2,
    "train.validations": 1, "train.precision": "fp32",
}  # fmt: skip
ORGANS = {"name": "organs", "settings": {"task.target": "mask", "train.steps": 3, "net.scale": 0.125}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Path:
    return phantom(tmp_path_factory.mktemp("made") / "ct", cases=10, seed=3, size=(12, 32, 32)) / "cohort.csv"


def test_organs_are_found_and_what_is_around_them_is_classified(made: Path, tmp_path: Path) -> None:
    told = {**SETTINGS, "earlier": json.dumps([ORGANS]), "takes.margin_mm": "5"}
    run = vs.fit(made, tmp_path / "run", target="class", settings=told)
    first, last = open_bundle(tmp_path / "run").stages
    assert (first.name, first.plan.task.name, first.plan.task.target) == ("organs", "segment", "mask")
    assert (last.plan.task.name, last.plan.task.target) == ("classify", "class")
    assert last.takes == {"stage": 0, "as": "crop", "margin_mm": 5.0} and first.takes is None
    assert (first.plan.train.steps, last.plan.train.steps) == (3, 4) and last.calibration["temperature"] > 0
    assert (first.plan.data.sampling, last.plan.data.sampling) == ("patches", "whole"), "as its task chooses"
    assert first.plan.reasons["task.target"] == "of the stage 'organs'" and not first.plan.earlier
    image = next((made.parent / "imagesTr").glob("*"))
    answer = vs.predict(run.bundle or "", image)
    assert type(answer).__name__ == "Scores" and type(answer.parts["organs"]).__name__ == "Mask"
    assert run.bundle is not None
    model = run.bundle.torch()
    with torch.inference_mode():
        said = model.answer(model(run.bundle.prepare(image)), image)
    assert said.p.tolist() == answer.p.tolist(), "prepare finds the part that the last stage sees"
    item = vs.torch_dataset(made, run, target="class")[0]
    assert item["image"].shape[1:] == tuple(last.plan.data.size) and item["label"].sum() == 1
    vs.predict(run.bundle or "", image, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").glob("*.nii.gz")] == [f"{answer.case_id}.organs.nii.gz"]
    again = vs.fit(made, tmp_path / "again", plan=tmp_path / "run" / "plan.json", target="class")
    assert again.plan.earlier == run.plan.earlier == load_plan(tmp_path / "run" / "plan.json").earlier
    for k in (0, 1):
        name = f"weights-{k}-0.safetensors"
        same = [(tmp_path / r / "bundle" / name).read_bytes() for r in ("run", "again")]
        assert same[0] == same[1], "the same stages, trained alike"


def test_an_earlier_stage_of_scores_is_calibrated_and_stands_beside_the_answer(
    made: Path, tmp_path: Path
) -> None:
    normal = {"name": "normal", "settings": {"task.target": "class", "net.scale": 0.125}, "share": 1.0}
    told = {**SETTINGS, "earlier": [normal], "data.size": [8, 32, 32]}
    run = vs.fit(made, tmp_path / "run", target="mask", settings=told)
    first, last = open_bundle(tmp_path / "run").stages
    assert (first.plan.task.name, first.plan.train.steps) == ("classify", 4) and last.takes is None
    assert first.calibration["temperature"] > 0 and first.calibration["n"] > 0
    answer = vs.predict(run.bundle or "", next((made.parent / "imagesTr").glob("*")))
    assert type(answer).__name__ == "Mask" and sum(answer.parts["normal"].p) == pytest.approx(1)  # type: ignore[attr-defined]


def test_a_setting_of_an_earlier_stage_is_told_by_its_name(made: Path, tmp_path: Path) -> None:
    told = {
        **SETTINGS,
        "earlier": '[{"name": "organs", "settings": {"task.target": "mask"}}]',
        "earlier.organs.net.scale": "0.25",
        "earlier.organs.data.size": "[8, 32, 32]",
        "earlier.organs.train.steps": "2",
        "earlier.organs.share": "0.5",
        "takes.margin_mm": "5",
    }
    run = vs.fit(made, tmp_path / "run", target="class", settings=told)
    first, last = (stage.plan for stage in open_bundle(tmp_path / "run").stages)
    assert (first.net.scale, first.data.size, first.train.steps) == (0.25, (8, 32, 32), 2)
    assert (last.net.scale, last.train.steps) == (0.125, 4), "the last stage has its own"
    assert run.plan.earlier[0].share == 0.5 and run.plan.reasons["earlier.organs.net.scale"] == USER
    assert ("earlier.organs.net.scale", "0.25", USER) in choices(run.plan)
    vs.fit(made, tmp_path / "run", settings=told, resume=True)  # the same again
    with pytest.raises(PlanError, match=r"keeps its plan; found earlier\.organs\.net\.scale=0\.5"):
        vs.fit(made, tmp_path / "run", settings={"earlier.organs.net.scale": "0.5"}, resume=True)


def test_a_stage_without_settings_has_its_own_tasks_choices_and_another_net_its_own_options(
    made: Path,
) -> None:
    told = {**SETTINGS, "earlier": '[{"name": "organs", "settings": {"task.target": "mask"}}]'}

    def stage(**more: Any) -> Plan:
        plan = vs.fit(made, target="class", settings={**told, **more}, dry_run=True).plan
        return stages_of(plan)[0].plan

    assert stage().net.scale == 1.0, "what is set without a stage is of the last one"
    assert stage().net.name == "unet" and stage().net.options
    other = stage(**{"earlier.organs.net.name": "resunet"})
    assert (other.net.name, other.net.options) == ("resunet", {})


def test_an_earlier_stage_does_not_exchange_sides_that_its_labels_name(made: Path) -> None:
    cohort = vs.read(made)
    mask = cohort.targets["mask"]
    names = (replace(mask.labels[0], name="left kidney"), *mask.labels[1:])
    cohort = replace(cohort, targets={**cohort.targets, "mask": replace(mask, labels=names)})
    told = {**SETTINGS, "earlier": [{"name": "organs", "settings": {"task.target": "mask"}}]}
    plan = vs.fit(cohort, target="class", settings=told, dry_run=True).plan
    assert stages_of(plan)[0].plan.augment.flip_axes == () and plan.augment.flip_axes == ("x",)
    for path in ("augment.flip_axes", "infer.mirror"):
        path = f"earlier.organs.{path}"
        with pytest.raises(PlanError, match=rf"{path} would exchange left and right.*--set {path}=\[\]"):
            vs.fit(cohort, target="class", settings={**told, path: ["x"]}, dry_run=True)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"takes.stage": 1, "earlier": [ORGANS]},
            PlanError,
            "takes what stage 1 found, which is not before it",
        ),
        ({"takes.stage": 0}, PlanError, "0 stages before it"),
        ({"earlier": [ORGANS, ORGANS]}, PlanError, "two stages are called 'organs'"),
        ({"earlier": [{**ORGANS, "name": "a/b"}]}, PlanError, r"earlier.0.name"),
        ({"earlier": [{"name": "x", "settings": {"task.target": "nothing"}}]}, UnknownName, "nothing"),
        ({"earlier": [{"name": "x", "settings": {"train.stepz": 1}}]}, UnknownName, "train.stepz"),
        (
            {"earlier.organs.net.scale": 1},
            UnknownName,
            "unknown earlier stage 'organs'.*first --set 'earlier=",
        ),
        ({"earlier": [ORGANS], "earlier.organ.net.scale": 1}, UnknownName, "closest: organs"),
        (
            {"earlier": [ORGANS], "earlier.organs.net.scal": 1},
            UnknownName,
            r"closest: earlier\.organs\.net\.scale",
        ),
        ({"earlier": [ORGANS], "earlier.organs.net.scale": -1}, PlanError, r"the stage 'organs': net\.scale"),
        ({"earlier": [ORGANS], "earlier.organs.name": "x"}, UnknownName, "earlier.organs.name"),
        ({"earlier": [ORGANS], "earlier.organs": 1}, UnknownName, "earlier.organs"),
        ({"earlier": [ORGANS], "earlier.organs.takes.margin": 1}, UnknownName, "takes.margin_mm"),
        (
            {"earlier": [{**ORGANS, "settings": {"locate.margin_mm": 3}}]},
            PlanError,
            "'locate.margin_mm' is not a setting of the stage 'organs'",
        ),
        ({"earlier": [ORGANS], "locate.margin_mm": 1}, PlanError, "locating stage or other earlier ones"),
        (
            {"earlier": [{"name": "x"}], "takes.stage": 0},
            PlanError,
            "which learns no place; found a class; try: takes of a stage",
        ),
        (
            {"earlier": [{"name": "x", "settings": {"task.name": "segment", "task.target": "class"}}]},
            DataError,
            "cannot learn from target 'class'",
        ),
    ],
)
def test_stages_that_do_not_fit_are_refused_before_anything_is_trained(
    made: Path, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        vs.fit(made, target="class", settings={**SETTINGS, **settings}, dry_run=True)
