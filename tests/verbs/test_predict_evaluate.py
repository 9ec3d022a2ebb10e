"""predict and evaluate: the same figures from a bundle and from its written answers; one bad case spoils no other."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Pillow

import vesalius as vs
from vesalius import cohorts
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.errors import BundleError, DataError, PlanError
from vesalius.core.plan import override
from vesalius.run.past import ORIGIN


@pytest.fixture(scope="module")
def answered(volumes: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("answers") / "out"
    done = vs.predict(volumes.path, volumes.data / "imagesTr", out, json=True, overlays=True)
    assert done.out == out and len(done.case_ids) == 8 and not done.set_aside
    return out


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open()))


def unnamed(folder: Path, place: Path) -> Path:
    """A copy of predictions that does not say which bundle made them, as another tool's."""
    return shutil.copytree(folder, place / "unnamed", ignore=shutil.ignore_patterns(ORIGIN))


def test_what_a_bundle_predicted_is_scored_as_the_bundle_itself(pictures: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    vs.predict(pictures.path, pictures.data, out)
    own, written = vs.evaluate(pictures.path, pictures.data), vs.evaluate(out, pictures.data)
    assert written.left_out == own.left_out > 0 and written.overlap == own.overlap
    assert (written.split, written.n_cases) == ("test", own.n_cases)
    assert written.metrics["accuracy"] == own.metrics["accuracy"]
    assert vs.evaluate(out / "answers.csv", pictures.data).left_out == own.left_out
    asked = vs.evaluate(out, pictures.data, split="train")
    assert asked.banners[0].kind == "training cases" and asked.n_cases == own.left_out
    other = vs.evaluate(unnamed(out, tmp_path), pictures.data)
    assert other.n_cases == 12 and "could not be checked" in other.overlap


def test_predictions_of_a_bundle_that_is_gone_are_known_by_their_data(pictures: Any, tmp_path: Path) -> None:
    bare = shutil.copytree(pictures.bundle, tmp_path / "bare")
    vs.predict(bare, pictures.data, tmp_path / "out")
    shutil.rmtree(bare)
    card = vs.evaluate(tmp_path / "out", pictures.data)
    assert card.n_cases == 12 and "these very data" in card.banners[0].text
    (tmp_path / "out" / ORIGIN).write_text("{", encoding="utf-8")
    again = vs.evaluate(tmp_path / "out", pictures.data)
    assert "training cases" not in {b.kind for b in again.banners}


def test_a_bundle_and_its_written_answers_score_the_same(
    volumes: Any, answered: Path, tmp_path: Path
) -> None:
    bare = shutil.copytree(
        volumes.bundle, tmp_path / "bare"
    )  # in its run's folder, training cases are left out
    own = vs.evaluate(bare, volumes.data, tmp_path / "own", split="all", target="mask")
    written = vs.evaluate(unnamed(answered, tmp_path), volumes.data, split="all", target="mask")
    assert own.n_cases == written.n_cases == 8 and own.metrics.keys() == written.metrics.keys()
    for name, found in own.metrics.items():
        assert found == written.metrics[name], name
    assert {"scorecard.json", "report.html"} <= {p.name for p in (tmp_path / "own").iterdir()}
    assert own.baseline["dice"].value is not None and own.baseline_is
    assert own.bundle == volumes.run.bundle.hash and written.bundle == ""


def test_every_answer_lies_on_its_images_grid_in_the_datas_values(volumes: Any, answered: Path) -> None:
    for image in sorted((volumes.data / "imagesTr").glob("*.nii.gz")):
        given, made = nib.load(image), nib.load(answered / image.name)
        assert made.shape == given.shape and np.allclose(made.affine, given.affine, atol=1e-4)
        assert set(np.unique(np.asarray(made.dataobj))) <= set(range(9))


def test_a_row_a_case_with_each_labels_size(volumes: Any, answered: Path) -> None:
    table = rows(answered / "answers.csv")
    assert len(table) == 8 and "liver_ml" in table[0] and not (answered / "failed.csv").exists()
    for row in table:
        made = nib.load(answered / f"{row['case']}.nii.gz")
        ml = (np.asarray(made.dataobj) == 1).sum() * np.prod(made.header.get_zooms()) / 1000
        assert float(row["liver_ml"]) == pytest.approx(ml, rel=1e-3, abs=1e-3)


def test_json_and_overlays_are_there_when_asked(volumes: Any, answered: Path) -> None:
    for row in rows(answered / "answers.csv"):
        said = json.loads((answered / f"{row['case']}.json").read_text())
        assert said["case_id"] == row["case"] and volumes.run.bundle.hash in json.dumps(said)
        picture = Pillow.open(answered / f"{row['case']}.overlay.png")
        assert min(picture.size) > 100 and len(np.unique(np.asarray(picture.convert("RGB")))) > 10


def test_one_case_in_python_gives_the_answer_itself(volumes: Any, answered: Path) -> None:
    image = next((volumes.data / "imagesTr").glob("*0002.nii.gz"))
    answer = vs.predict(volumes.bundle, image)
    assert isinstance(answer, Mask) and answer.bundle == volumes.run.bundle.hash
    written = np.asarray(nib.load(answered / image.name).dataobj)
    assert np.array_equal(answer.image.array[0].transpose(2, 1, 0), written)


def test_pictures_give_probabilities(pictures: Any, tmp_path: Path) -> None:
    vs.predict(pictures.path, pictures.data, tmp_path / "out")
    table = rows(tmp_path / "out" / "answers.csv")
    names = [k[2:] for k in table[0] if k.startswith("p_")]
    assert len(table) == 12 and sorted(names) == ["cyst", "malignant", "normal"]
    for row in table:
        p = {n: float(row[f"p_{n}"]) for n in names}
        assert sum(p.values()) == pytest.approx(1, abs=1e-5) and row["answer"] == max(p, key=lambda n: p[n])
    bare = shutil.copytree(
        pictures.bundle, tmp_path / "bare"
    )  # in its run's folder, training cases are left out
    own = vs.evaluate(bare, pictures.data, split="all")
    again = vs.evaluate(unnamed(tmp_path / "out", tmp_path), pictures.data, split="all")
    assert own.metrics["accuracy"] == again.metrics["accuracy"]
    assert own.metrics["auc"].value == pytest.approx(again.metrics["auc"].value, abs=1e-9)
    one = vs.predict(pictures.path, next(pictures.data.parent.rglob("*_004.png")))
    assert isinstance(one, Scores)
    assert [f"{x:.6f}" for x in one.p] == [table[4][f"p_{x.name}"] for x in one.labels]


def test_a_bad_case_is_listed_and_the_others_are_answered(
    volumes: Any, answered: Path, tmp_path: Path
) -> None:
    data = tmp_path / "mixed"
    data.mkdir()
    for k, image in enumerate(sorted((volumes.data / "imagesTr").glob("*.nii.gz"))[:3]):
        shutil.copy(image, data / image.name)
        if k == 1:
            whole = (data / image.name).read_bytes()
            (data / image.name).write_bytes(whole[: len(whole) // 2])
    done = vs.predict(volumes.path, data, tmp_path / "out")
    assert len(done.case_ids) == 2 and len(done.set_aside) == 1
    failed = rows(tmp_path / "out" / "failed.csv")
    assert [r["case"] for r in failed] == [done.set_aside[0].case] and "0001" in failed[0]["case"]
    assert failed[0]["reason"] and "\n" not in failed[0]["reason"]
    for name in ("case-0000.nii.gz", "case-0002.nii.gz"):
        assert np.array_equal(nib.load(tmp_path / "out" / name).dataobj, nib.load(answered / name).dataobj)


def test_mirroring_is_refused_where_sides_are_named(volumes: Any, tmp_path: Path) -> None:
    assert volumes.run.plan.augment.flip_axes == (), "kidneys are left and right"
    with pytest.raises(PlanError, match="may not be mirrored"):
        vs.predict(volumes.path, volumes.data / "imagesTr", tmp_path / "out", mirror=["x"])
    assert not (tmp_path / "out").exists()


def test_a_planned_mirroring_is_what_is_done(pictures: Any) -> None:
    image = next(pictures.data.parent.rglob("*_004.png"))
    assert pictures.run.plan.infer.mirror == ("x",), "as in training"
    plain, asked = vs.predict(pictures.path, image), vs.predict(pictures.path, image, mirror=["x"])
    assert isinstance(plain, Scores) and isinstance(asked, Scores) and np.array_equal(plain.p, asked.p)
    bundle = pictures.run.bundle
    (stage,) = bundle.stages
    without = replace(stage, plan=override(stage.plan, {"infer.mirror": []}))
    single = vs.predict(replace(bundle, stages=(without,)), image)
    assert isinstance(single, Scores) and 0 < np.abs(single.p - plain.p).max() < 0.9


def test_what_cannot_be_answered_is_said(volumes: Any, pictures: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not one"):
        vs.predict(volumes.path, volumes.data / "imagesTr")
    with pytest.raises(BundleError, match="not a bundle"):
        vs.predict(volumes.data, volumes.data / "imagesTr", tmp_path / "out")
    with pytest.raises(DataError, match="nothing at"):
        vs.evaluate(tmp_path / "nowhere", volumes.data)
    with pytest.raises(DataError, match="no case to score"):
        vs.evaluate(pictures.path, pictures.data, split="val")


def test_a_target_of_another_kind_than_the_bundles_is_refused_before_anything_is_decoded(
    volumes: Any, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cohorts, "check", None)
    table = volumes.data / "cohort.csv"
    wrong = (
        r"learned to segment .* target 'class'; found a target of kind class, not mask; try: --target mask$"
    )
    with pytest.raises(DataError, match=wrong) as caught:
        vs.evaluate(volumes.path, table, target="class")
    assert caught.value.exit_code == 2
    wrong = r"to classify .* target 'mask'; found a target of kind mask, not class or ordinal; try: --target class"
    with pytest.raises(DataError, match=wrong):
        vs.evaluate(pictures.path, table, target="mask")
    with pytest.raises(
        DataError, match="target 'class'; found a target of kind class, not mask; try: data with"
    ):
        vs.evaluate(volumes.path, pictures.data)


def test_answers_and_images_are_written_in_the_format_of_the_suffix(volumes: Any, tmp_path: Path) -> None:
    image = next((volumes.data / "imagesTr").glob("*0002.nii.gz"))
    answer = vs.predict(volumes.path, image)
    for suffix in ("nii.gz", "nrrd", "mha"):
        path = vs.write(answer, tmp_path / f"a.{suffix}", source=image)
        back = vs.read(path)
        assert len(back.cases) == 1 and path.stat().st_size > 100


@pytest.fixture
def undeclared(tmp_path: Path) -> Path:
    """Images and masks in sibling folders; what values the masks hold stands nowhere but in their voxels."""
    values = np.zeros((6, 5, 4), dtype=np.int16)
    values[1:3, 1:4, 1:3], values[4:, 2:, 2:] = 300, 7
    rng = np.random.default_rng(0)
    for name in ("images", "masks", "predictions"):
        (tmp_path / name).mkdir()
    for k in range(3):
        volume = rng.normal(size=values.shape).astype(np.float32)
        nib.save(nib.Nifti1Image(volume, np.eye(4)), tmp_path / "images" / f"c{k}.nii.gz")
        nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "masks" / f"c{k}.nii.gz")
        shown = np.where(values == 7, 0, values) if k == 2 else values
        nib.save(nib.Nifti1Image(shown, np.eye(4)), tmp_path / "predictions" / f"c{k}.nii.gz")
    (tmp_path / "data").mkdir()
    for name in ("images", "masks"):
        (tmp_path / name).rename(tmp_path / "data" / name)
    return tmp_path


def test_masks_whose_labels_nothing_declares_are_scored_by_label(undeclared: Path) -> None:
    card = vs.evaluate(undeclared / "predictions", undeclared / "data")
    assert card.n_cases == 3
    assert card.metrics["dice/300"].value == 1 and card.metrics["dice/7"].value == pytest.approx(2 / 3)


def test_another_tools_classes_have_the_positive_one_that_a_plan_would_name(tmp_path: Path) -> None:
    lines, made = ["image,class"], ["case,p_benign,p_malignant"]
    for k in range(8):
        Pillow.fromarray(np.full((8, 8), 30 * k, dtype=np.uint8)).save(tmp_path / f"{k}.png")
        lines.append(f"{k}.png,{('malignant', 'benign')[k % 4 == 0]}")
        made.append(f"{k},{'0.9,0.1' if k in (0, 1) else '0.2,0.8'}")
    (tmp_path / "truth.csv").write_text("\n".join(lines))
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "made.csv").write_text("\n".join(made))
    (tmp_path / "swapped.csv").write_text("\n".join(lines[:1] + lines[2:] + lines[1:2]))
    for table in ("truth.csv", "swapped.csv"):  # whichever class comes first
        card = vs.evaluate(tmp_path / "theirs" / "made.csv", tmp_path / table)
        assert card.positive == "malignant", table
        assert card.metrics["recall"].value == pytest.approx(5 / 6)
        assert card.metrics["specificity"].value == pytest.approx(1 / 2)


def test_predictions_that_cannot_be_scored_leave_no_folder_behind(undeclared: Path) -> None:
    for path in (undeclared / "predictions").iterdir():
        nib.save(nib.Nifti1Image(np.ones((3, 3, 3), dtype=np.int16), np.eye(4)), path)
    with pytest.raises(DataError, match="c0"):
        vs.evaluate(undeclared / "predictions", undeclared / "data", undeclared / "card")
    assert not (undeclared / "card").exists()
