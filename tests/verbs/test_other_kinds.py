"""The guard as a person meets it: other channels and modalities are refused, what lies outside is marked."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

import vesalius as vs
from vesalius import formats
from vesalius.cli import app
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case
from vesalius.core.channels import COLOURS
from vesalius.core.cohort import Cohort
from vesalius.core.errors import MismatchError
from vesalius.core.image import Image
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.ct import patient


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DICOM series that says it is of MR."""
    folder = tmp_path_factory.mktemp("brain")
    for name, data in dicom_files(patient(1, size=(12, 32, 32))):
        (folder / name).write_bytes(data)
        one = pydicom.dcmread(folder / name)
        one.Modality, one.BodyPartExamined = "MR", "HEAD"
        one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
        del one.RescaleType
        one.save_as(folder / name)
    return folder


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [*map(str, words)])


def table(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "answers.csv").open()))


def volume(path: Path, channels: int, *, scale: float = 1.0) -> Path:
    rng = np.random.default_rng(5)
    shape = (32, 32, 12) if channels == 1 else (32, 32, 12, channels)
    nib.save(nib.Nifti1Image((scale * rng.normal(0, 300, shape)).astype(np.float32), np.eye(4)), path)
    return path


def test_a_bundle_says_what_its_training_cases_were(volumes: Any, pictures: Any) -> None:
    learned = open_bundle(volumes.bundle).learned
    assert learned is not None and (learned.modality, learned.unit) == ("CT", "HU"), "dataset.json says CT"
    folds = json.loads((volumes.path / "folds.json").read_text())["folds"]
    assert learned.cases == sum(map(len, folds)) < 8, "training cases alone"
    assert learned.size == ((12, 12), (32, 32), (32, 32)) and learned.absolute
    other = open_bundle(pictures.bundle).learned
    assert other is not None and (other.modality, other.flat, other.spacing_mm) == (None, True, None)


def test_another_modality_is_refused_and_nothing_is_written(
    volumes: Any, brain: Path, tmp_path: Path
) -> None:
    with pytest.raises(MismatchError, match="modality MR, learned from CT"):
        vs.predict(volumes.bundle, brain)
    done = run("predict", volumes.bundle, brain, "-o", tmp_path / "out")
    assert done.exit_code == 2 or isinstance(done.exception, MismatchError)
    assert "modality MR, learned from CT" in str(done.exception) + done.output
    assert not (tmp_path / "out").exists()


def test_an_accepted_mismatch_is_answered_and_marked_everywhere(
    volumes: Any, brain: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run("predict", volumes.bundle, brain, "-o", out, "--accept-mismatch", "--also", ".json", "--dicom")
    assert done.exit_code == 0, done.output
    (row,) = table(out)
    assert row["outside"].startswith("accepted: modality MR, learned from CT")
    said = json.loads(next(out.glob("*.json")).read_text())
    assert said["outside"][0] == "accepted: modality MR, learned from CT"
    report = formats.read_answer(next(out.glob("*.sr.dcm")))
    assert "accepted: modality MR, learned from CT" in " ".join(report.sections.values())  # type: ignore[attr-defined]
    answer = vs.predict(volumes.bundle, brain, accept_mismatch=True)
    assert answer.outside is not None and answer.outside[0] == "accepted: modality MR, learned from CT"


def test_what_declares_nothing_is_marked_where_it_lies_outside(volumes: Any, tmp_path: Path) -> None:
    strange = volume(tmp_path / "mr.nii.gz", 1, scale=20)
    vs.predict(volumes.bundle, strange, tmp_path / "out")
    (row,) = table(tmp_path / "out")
    assert "brightest values" in row["outside"] and "learned from" in row["outside"]
    own = next((volumes.data / "imagesTr").glob("*0002.nii.gz"))
    assert vs.predict(volumes.bundle, own).outside == ()


@pytest.mark.parametrize("channels", [3, 4])
def test_channels_that_are_no_colours_are_refused(volumes: Any, tmp_path: Path, channels: int) -> None:
    file = volume(tmp_path / "many.nii.gz", channels)
    words = f"found {channels} channels, learned from 1 channel"
    with pytest.raises(MismatchError, match=words):
        vs.predict(volumes.bundle, file)
    done = run("predict", volumes.bundle, file, "-o", tmp_path / "out")
    assert isinstance(done.exception, MismatchError) and words in str(done.exception)
    assert done.exception.exit_code == 2 and not (tmp_path / "out").exists()


def test_of_several_cases_only_the_refused_are_left_out(volumes: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    volume(tmp_path / "in" / "a.nii.gz", 1)
    volume(tmp_path / "in" / "b.nii.gz", 3)
    done = run("predict", volumes.bundle, tmp_path / "in", "-o", tmp_path / "out")
    assert done.exit_code == 1 and [r["case"] for r in table(tmp_path / "out")] == ["a"]
    (failed,) = csv.DictReader((tmp_path / "out" / "failed.csv").open())
    assert failed["case"] == "b" and "found 3 channels" in failed["reason"]


def test_colours_become_grey_bit_for_bit_as_before(pictures: Any, tmp_path: Path) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    Pillow.fromarray(rgb).save(tmp_path / "c.png")
    found = vs.predict(pictures.bundle, tmp_path / "c.png")
    grey = np.moveaxis(rgb, -1, 0)[:, None].mean(axis=0, keepdims=True, dtype=np.float32)
    want = vs.predict(pictures.bundle, alone(Image(grey)))[0]
    assert isinstance(found, Scores) and isinstance(want, Scores) and np.array_equal(found.p, want.p)
    np.savez(tmp_path / "c.npz", rgb)
    same = vs.predict(pictures.bundle, tmp_path / "c.npz")
    assert isinstance(same, Scores) and np.array_equal(same.p, want.p)
    named = Image(np.moveaxis(rgb, -1, 0)[:, None], channels=COLOURS)
    assert np.array_equal(vs.predict(pictures.bundle, alone(named))[0].p, want.p)  # type: ignore[attr-defined]


def alone(image: Image) -> Cohort:
    return Cohort(root=Path("memory"), layout="plain", cases=(Case("c", {"image": image}),))


def test_evaluate_scores_no_other_modality_unless_told(volumes: Any, brain: Path, tmp_path: Path) -> None:
    case = vs.read(volumes.data, layout="msd").cases[0]
    image = formats.read(case.images["image"])  # type: ignore[arg-type]
    other = replace(case, images={"image": replace(image, modality="MR", unit=None)}, declared=(), split=None)
    info = vs.read(volumes.data).targets
    mr = Cohort(root=tmp_path, layout="plain", cases=(other,), targets=info)
    bare = shutil.copytree(
        volumes.bundle, tmp_path / "bare"
    )  # its run would tell that it was trained on the case
    with pytest.raises(MismatchError, match="modality MR, learned from CT"):
        vs.evaluate(bare, mr, split="all")
    card = vs.evaluate(bare, mr, split="all", accept_mismatch=True)
    assert card.n_cases == 1


def test_bundles_of_before_say_unknown(volumes: Any, brain: Path, tmp_path: Path) -> None:
    old = replace(open_bundle(volumes.bundle), learned=None)
    answer = vs.predict(old, brain)
    assert isinstance(answer, Mask) and answer.outside is None
    vs.predict(old, brain, tmp_path / "out")
    assert table(tmp_path / "out")[0]["outside"] == "unknown"


def sequences(root: Path, names: tuple[str, ...], cases: int = 6, *, lacking: int | None = None) -> Path:
    """A Decathlon folder of volumes with a channel a sequence; `lacking` has the first alone."""
    for part in ("imagesTr", "labelsTr"):
        (root / part).mkdir(parents=True)
    rng = np.random.default_rng(3)
    for k in range(cases):
        shape = (16, 16, 8) if k == lacking else (16, 16, 8, len(names))
        image = nib.Nifti1Image(rng.normal(size=shape).astype(np.float32), np.eye(4))
        mask = np.zeros((16, 16, 8), np.uint8)
        mask[4:8, 4:8, 2:6] = 1
        nib.save(image, root / "imagesTr" / f"c{k}.nii.gz")
        nib.save(nib.Nifti1Image(mask, np.eye(4)), root / "labelsTr" / f"c{k}.nii.gz")
    listed = [{"image": f"./imagesTr/c{k}.nii.gz", "label": f"./labelsTr/c{k}.nii.gz"} for k in range(cases)]
    said = {"labels": {"0": "background", "1": "tumour"}, "training": listed}
    (root / "dataset.json").write_text(json.dumps({**said, "modality": dict(enumerate(names))}))
    return root


def test_a_plan_says_what_each_channel_is(tmp_path: Path, quick: None) -> None:
    names = ("FLAIR", "T1w", "t1gd", "T2w")
    plan = vs.fit(sequences(tmp_path / "d", names), dry_run=True).plan
    assert plan.data.channel_names == names and plan.data.channels == 4
    with pytest.raises(
        MismatchError, match=r"4 channels \(FLAIR, .*\) in 5 cases, 1 channel in 1, such as c2"
    ):
        vs.fit(sequences(tmp_path / "e", names, lacking=2), dry_run=True)
