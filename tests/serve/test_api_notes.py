"""What a client must read before an answer, wherever it asks; and refusals under a status that says so."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from _bundles import classifier, segmenter
from _cines import cine
from _clients import Clients
from _uploads import upload
from PIL import Image as Pil
from starlette.testclient import TestClient

from vesalius.core.learned import Seen, statistics, summary
from vesalius.infer.predictor import Predictor
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.problems import for_clients

APART = "its sform and its qform say places 40 mm apart; the sform was used"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A classifier and a segmenter that learned from CT alone."""
    root, threads = tmp_path_factory.mktemp("strict"), torch.get_num_threads()
    ct = summary(statistics([Seen((1, 40, 48), None, 0.0, 255.0, "CT", "HU")] * 2), absolute=True)
    classifier(root / "chest", learned=ct)
    segmenter(root / "organs")
    made = Clients(Catalogue([root / "chest", root / "organs"], ["cpu"]), root)
    torch.set_num_threads(threads)
    yield made()
    made.close()


def two_places(tmp_path: Path) -> bytes:
    """A NIfTI whose sform and qform lie 40 mm apart."""
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    made: Any = nib.Nifti1Image(np.zeros((16, 16, 8), np.int16), affine)
    other = affine.copy()
    other[0, 3] += 40
    made.set_sform(affine, code=1)
    made.set_qform(other, code=1)
    nib.save(made, tmp_path / "two.nii.gz")
    return (tmp_path / "two.nii.gz").read_bytes()


def test_a_refused_image_is_answered_with_422_and_the_job(strict: TestClient) -> None:
    files = [("files", ("film.png", _film())), ("files", ("us.dcm", cine()[0]))]
    refused = strict.post("/api/predict", files=files[1:], data={"model": "chest"})
    job = refused.json()
    assert refused.status_code == 422 and job["status"] == "failed" and job["answers"] == []
    assert "learned from another kind of image" in job["error"]["error"] and job["error"]["case"] == "c1"
    again = strict.get(f"/api/jobs/{job['job']}")
    assert again.status_code == 200 and again.json() == job  # the job itself is there to be read
    some = strict.post("/api/predict", files=files, data={"model": "chest"})
    assert some.status_code == 200 and some.json()["error"] and len(some.json()["answers"]) == 1


def _film() -> bytes:
    buffer = io.BytesIO()
    Pil.fromarray(np.arange(1920, dtype=np.uint8).reshape(40, 48)).save(buffer, "PNG")
    return buffer.getvalue()


def test_what_fails_inside_is_not_called_the_clients_fault(
    strict: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Predictor, *given: Any, **more: Any) -> None:
        raise ZeroDivisionError("DOE^PLANTED")

    monkeypatch.setattr(Predictor, "__call__", broken)
    got = strict.post("/api/predict", files={"files": ("x.png", _film())}, data={"model": "chest"})
    assert got.status_code == 500 and got.json()["status"] == "failed" and "DOE" not in got.text


def test_an_image_that_lies_at_two_places_says_so_in_its_case_and_beside_each_answer(
    strict: TestClient, tmp_path: Path
) -> None:
    volume = two_places(tmp_path)
    study = upload(strict, ("two.nii.gz", volume)).json()
    assert study["cases"][0]["notes"] == [APART]
    job = strict.post(
        "/api/predict", files={"files": ("two.nii.gz", volume)}, data={"model": "organs"}
    ).json()
    assert job["answers"][0]["notes"] == [APART]
    for output in ("image", "json", "all"):
        got = strict.post(f"/infer/organs?output={output}", files={"file": ("two.nii.gz", volume)})
        assert got.status_code == 200, got.text
        if output == "image":  # a file has no room for words: they come with it
            marks = json.loads(got.headers["x-vesalius-marks"])
            assert marks == {"outside": None, "notes": [APART]}
        else:
            assert APART in got.text
    plain = nib.Nifti1Image(np.zeros((16, 16, 8), np.int16), np.diag([2.0, 2.0, 3.0, 1.0]))
    nib.save(plain, tmp_path / "one.nii.gz")
    one = upload(strict, ("one.nii.gz", (tmp_path / "one.nii.gz").read_bytes())).json()
    assert one["cases"][0]["notes"] == []


@pytest.mark.parametrize(
    ("hint", "kept"),
    [
        ("the original; or a table that names each file, if each is a picture of its own", "the original"),
        ("answer the DICOM files; in Python, vs.write(answer, path)", "answer the DICOM files"),
        ("images with spacing, or a model of pixels (fitted with data.spacing_mm=null)", "images with spacing"),
        ("one stack by the reference", None),
        ("name each image as the bundle does: columns of a table, or names in a dataset.json", None),
        ("images that share a frame, or declare the cohort registered", "images that share a frame"),
        ("formats.read", None),
        ("upload the whole series", "upload the whole series"),
    ],
)  # fmt: skip
def test_hints_that_only_a_reader_of_files_could_follow_are_left_out(hint: str, kept: str | None) -> None:
    assert for_clients(hint) == kept


def test_slices_without_a_place_are_refused_without_a_word_of_tables(
    strict: TestClient, series: list[Path]
) -> None:
    files = []
    for path in series[:4]:
        data = pydicom.dcmread(path)
        del data.ImagePositionPatient, data.ImageOrientationPatient
        buffer = io.BytesIO()
        data.save_as(buffer, enforce_file_format=True)
        files.append(("files", (path.name, buffer.getvalue())))
    got = strict.post("/api/studies", files=files)
    assert got.status_code == 422 and "do not say where they lie" in got.text and "table" not in got.text
