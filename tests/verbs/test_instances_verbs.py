"""Instances through the verbs: other tools are scored, answers are written with their table, and explained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

import vesalius as vs
from vesalius.core.answers.instances import Instances
from vesalius.core.errors import DataError, VesaliusError


@pytest.fixture(scope="module")
def smear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few small fields of a smear."""
    return vs.phantom(tmp_path_factory.mktemp("smear") / "data", kind="smear", cases=6, options={"size": 64})


@pytest.fixture(scope="module")
def run(smear: Path, tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    quick = {
        "train.steps": 2,
        "train.members": 1,
        "train.batch": 2,
        "data.size": [1, 64, 64],
        "net.name": "unet",
        "net.scale": 0.125,
    }
    folder = tmp_path_factory.mktemp("run") / "run"
    return vs.fit(smear, folder, target="instances", settings=quick, init="none")


def test_masks_of_ids_beside_a_table_belong_to_its_cases(smear: Path) -> None:
    cohort = vs.read(smear)
    assert cohort.layout == "table" and cohort.patients_known and len(cohort) == 6
    assert cohort.targets["instances"].kind == "instances"
    assert {x.name for x in cohort.targets["instances"].labels} <= {"red_cell", "white_cell", "platelet"}
    assert all("instances" in case.targets for case in cohort)


def theirs(smear: Path, folder: Path, *, table: bool, shift: int = 0) -> Path:
    """The truth as another tool's answers, moved by some pixels."""
    folder.mkdir()
    for path in sorted((smear / "instances").glob("*.png")):
        ids = np.roll(np.asarray(Pil.open(path)).astype(np.uint16), shift, axis=1)
        Pil.fromarray(ids).save(folder / path.name)
    if table:
        rows = (smear / "instances" / "instances.csv").read_text().splitlines()
        text = [rows[0] + ",p", *(f"{row},0.5" for row in rows[1:])]
        (folder / "instances.csv").write_text("\n".join(text) + "\n")
    return folder


def test_another_tools_masks_of_ids_are_scored(smear: Path, tmp_path: Path) -> None:
    card = vs.evaluate(theirs(smear, tmp_path / "same", table=True), smear, target="instances")
    assert card.metrics["pq"].value == card.metrics["ap50"].value == card.metrics["aji"].value == 1.0
    moved = vs.evaluate(theirs(smear, tmp_path / "moved", table=True, shift=3), smear, target="instances")
    assert 0.3 < (moved.metrics["sq"].value or 0) < 0.95
    with pytest.raises(DataError, match="nothing says the label of id"):
        vs.evaluate(theirs(smear, tmp_path / "bare", table=False), smear, target="instances")


def test_a_bundle_answers_is_scored_and_explained(run: vs.Run, smear: Path, tmp_path: Path) -> None:
    answer = vs.predict(run.bundle, smear / "images" / "smear-0000.png")
    assert isinstance(answer, Instances) and set(answer.parts) == {"counts"}
    assert set(np.unique(answer.image.array)) - {0} == {t.id for t in answer.things}
    path = vs.write(answer, tmp_path / "x.png")
    lines = (tmp_path / "x.instances.csv").read_text().splitlines()
    assert len(lines) == 1 + max(1, len(answer.things)) and lines[0] == "case,id,label,p,called,size,unit"
    back = np.asarray(Pil.open(path))
    sizes = {int(r.split(",")[1]): float(r.split(",")[5]) for r in lines[1:] if answer.things}
    assert all((back == k).sum() == n for k, n in sizes.items())
    card = vs.evaluate(run.bundle, smear, target="instances")
    assert 0 <= (card.metrics["pq"].value or 0) <= 1 and "pq" in card.baseline
    if answer.called:
        found = vs.explain(
            run.bundle, smear / "images" / "smear-0000.png", ask="instance=1", method="gradcam", check="none"
        )
        assert found is not None


def test_the_run_kept_what_calibration_needs(run: vs.Run) -> None:
    fitted = run.bundle.stages[-1].calibration
    assert fitted["seed"] in (0.3, 0.4, 0.5, 0.6, 0.7) and fitted["n"] > 0
    assert run.bundle.stages[-1].state.values["least"] > 0


def test_a_mask_of_labels_is_learned_from_where_a_person_names_the_task(smear: Path, tmp_path: Path) -> None:
    (tmp_path / "d" / "images").mkdir(parents=True)
    (tmp_path / "d" / "masks").mkdir()
    for k in range(4):
        ids = np.asarray(Pil.open(smear / "instances" / f"smear-{k:04d}.png"))
        Pil.fromarray((ids > 0).astype(np.uint8)).save(tmp_path / "d" / "masks" / f"{k}.png")
        Pil.open(smear / "images" / f"smear-{k:04d}.png").save(tmp_path / "d" / "images" / f"{k}.png")
    plan = vs.fit(tmp_path / "d", dry_run=True, task="instances", settings={"train.steps": 2}).plan
    assert plan.task.name == "instances"
    assert vs.fit(tmp_path / "d", dry_run=True, settings={"train.steps": 2}).plan.task.name == "segment"


def test_what_is_asked_must_be_there(run: vs.Run, smear: Path) -> None:
    with pytest.raises(VesaliusError, match="no such instance"):
        vs.explain(run.bundle, smear / "images" / "smear-0000.png", ask="instance=9999")
