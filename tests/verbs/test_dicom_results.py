"""predict and write into the study of a DICOM source: on the command line, in Python, and where there is no study."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

import vesalius as vs
from vesalius.cli import app
from vesalius.core.answers import Answer
from vesalius.core.answers.curve import Curve
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.picture import Picture
from vesalius.core.answers.ranking import Ranking
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.surface import Surface
from vesalius.core.case import Case
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import OutputError
from vesalius.core.image import Image, Source
from vesalius.evaluate.foreign import foreign_answers
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.ct import patient
from vesalius.run.answers_folder import write_objects


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two series of one phantom."""
    folder = tmp_path_factory.mktemp("study")
    for index in (1, 2):
        (folder / f"s{index}").mkdir()
        for name, data in dicom_files(patient(index, size=(12, 32, 32))):
            (folder / f"s{index}" / name).write_bytes(data)
    return folder


def test_predict_writes_the_objects_of_each_answer(volumes: Any, study: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    words = ["predict", str(volumes.bundle), str(study), "--device", "cpu", "--dicom"]
    done = CliRunner().invoke(app, [*words, "-o", str(out), "--also", ".rt.dcm"])
    assert done.exit_code == 0, done.output
    assert {p.name for p in out.glob("*.dcm")} == {
        f"s{k}{x}" for k in (1, 2) for x in (".seg.dcm", ".sr.dcm", ".rt.dcm")
    }
    for k in (1, 2):
        source = pydicom.dcmread(next((study / f"s{k}").iterdir()))
        for path in out.glob(f"s{k}.*.dcm"):
            made = pydicom.dcmread(path)
            assert made.StudyInstanceUID == source.StudyInstanceUID and made.PatientID == source.PatientID
    cases = [Case(f"s{k}", {}) for k in (1, 2)]  # the masks are found among the objects beside them
    found = foreign_answers(out, cases, TargetInfo("mask", "mask"))
    assert [found[c.id].image.shape for c in cases] == [(12, 32, 32)] * 2  # type: ignore[attr-defined]
    vs.predict(volumes.bundle, study / "s1", again, dicom=True, device="cpu")
    for kind in ("seg", "sr"):
        first, second = (
            pydicom.dcmread(next(f.glob(f"*{n}{kind}.dcm"))) for f, n in ((out, "s1."), (again, ""))
        )
        assert first.SOPInstanceUID == second.SOPInstanceUID


def test_an_answer_finds_its_series_in_the_study(study: Path, tmp_path: Path) -> None:
    image = vs.read(study / "s2").cases[0].images["image"]
    uid = pydicom.dcmread(image.paths[0]).SeriesInstanceUID  # type: ignore[union-attr]
    answer = Scores(labels=(Label(0, "cyst"),), p=np.ones(1), source=Source(series_uid=uid), bundle="b")
    made = pydicom.dcmread(vs.write(answer, tmp_path / "out.dcm", source=study))
    named = made.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert named.SeriesInstanceUID == uid
    lost = Scores(labels=(Label(0, "cyst"),), p=np.ones(1), source=Source(series_uid="1.2.3"))
    with pytest.raises(OutputError, match="does not hold the series"):
        vs.write(lost, tmp_path / "lost.dcm", source=study)


def test_a_mask_made_by_hand_goes_into_the_only_series(study: Path, tmp_path: Path) -> None:
    only = tmp_path / "only"
    shutil.copytree(study / "s1", only)
    mask = Mask(image=Image(array=np.ones((1, 12, 32, 32), np.uint8)), labels=(Label(1, "liver"),))
    path = vs.write(mask, tmp_path / "out.dcm", source=only)
    assert pydicom.dcmread(path).Modality == "SEG"


def test_an_answer_without_a_study_is_listed_and_the_rest_is_written(volumes: Any, tmp_path: Path) -> None:
    image = next((volumes.data / "imagesTr").glob("*.nii.gz"))
    done = vs.predict(volumes.bundle, image, tmp_path / "out", dicom=True, device="cpu")
    assert done.set_aside and not list(done.out.glob("*.dcm")) and list(done.out.glob("*.nii.gz"))
    reasons = [row["reason"] for row in csv.DictReader((done.out / "failed.csv").open())]
    assert len(reasons) == 2 and all("study of their source" in r for r in reasons)


def test_what_has_no_dicom_object_is_one_line_that_says_what_has(study: Path, tmp_path: Path) -> None:
    image = vs.formats.read(vs.read(study / "s1").cases[0].images["image"])
    answers: list[Answer] = [
        Ranking(case_ids=("b",), distances=np.ones(1), source=image.source),
        Picture(image=image, source=image.source),
        Surface(vertices_mm=np.zeros((3, 3)), faces=np.array([[0, 1, 2]]), source=image.source),
    ]
    for answer in answers:
        path = tmp_path / "a.sr.dcm"
        (reason,) = write_objects(answer, {".sr.dcm": path})
        kind = type(answer).__name__
        assert (
            f"there is no .sr.dcm: {path}: dicom_sr files do not hold a {kind}; try: one of ." in reason
            and ".json" in reason
        )
        assert "\n" not in reason and not path.exists()
    curve = Curve(times_days=np.array([10.0]), survival={"all": np.array([0.9])}, source=image.source)
    assert write_objects(curve, {".sr.dcm": tmp_path / "c.sr.dcm"}) == []
