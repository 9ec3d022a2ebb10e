"""A case's truth over HTTP: of that image alone, on its grid, called as its file or a named model has it; samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from _bundles import ORGANS
from _uploads import upload
from starlette.testclient import TestClient

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Ref
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.core.learned import Seen, statistics, summary
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.ct import patient
from vesalius.serve.http import sample

DRAWN = (Label(1, "liver"), Label(7, "spleen"))


@pytest.fixture(scope="module")
def study(client: TestClient, series: list[Path]) -> Any:
    return upload(client, *((p.name, p.read_bytes()) for p in series)).json()


@pytest.fixture(scope="module")
def source(series: list[Path]) -> Image:
    return formats.read(Ref(tuple(series)))


def labels(source: Image) -> np.ndarray[Any, Any]:
    array = np.zeros(source.array.shape, np.uint8)
    array[0, 2:6, 8:20, 8:20], array[0, 2:6, 22:28, 8:20] = 1, 7
    return array


def give(client: TestClient, study: Any, path: Path, model: str = "organs") -> Any:
    url = f"/api/studies/{study['study']}/cases/c1/truth?model={model}"
    return client.put(url, files={"truth": (path.name, path.read_bytes())})


def test_a_segmentation_names_its_labels_itself(
    client: TestClient, study: Any, source: Image, tmp_path: Path
) -> None:
    mask = Mask(
        image=Image(labels(source), affine=source.affine),
        labels=(Label(1, "Spleen"), Label(7, "Liver")),  # not as the model has them
        source=source.source,
    )
    formats.write(mask, tmp_path / "drawn.seg.dcm", source=source)
    got = give(client, study, tmp_path / "drawn.seg.dcm")
    said = got.json()
    assert got.status_code == 200, got.text
    assert (said["names_from"], said["source"], said["kind"]) == ("file", "drawn.seg.dcm", "Mask")
    rows = {x["name"]: x["value"] for x in said["summary"]["labels"]}
    data = client.get(said["files"]["mask.nii.gz"])
    (tmp_path / "back.nii.gz").write_bytes(data.content)
    back = formats.read_mask(tmp_path / "back.nii.gz")
    assert back.affine is not None and np.allclose(back.affine, source.affine, atol=1e-3)
    for name, value in (("Spleen", 1), ("Liver", 7)):
        assert np.array_equal(back.array == rows[name], labels(source) == value)
    again = client.get(f"/api/studies/{study['study']}/cases/c1/truth").json()
    assert again["summary"] == said["summary"]


def test_values_without_names_are_called_as_the_named_model_calls_them_and_that_is_said(
    client: TestClient, study: Any, source: Image, tmp_path: Path
) -> None:
    formats.write(Image(labels(source), affine=source.affine), tmp_path / "plain.nii.gz")
    said = give(client, study, tmp_path / "plain.nii.gz").json()
    assert said["names_from"] == "model"
    assert {x["value"]: x["name"] for x in said["summary"]["labels"]} == {v: n for v, n, _ in ORGANS}
    other = give(client, study, tmp_path / "plain.nii.gz", model="chest").json()  # whose 1 is a class
    assert other["names_from"] == "model" and other["summary"]["labels"][1]["name"] == "value 7"
    nobody = client.get(f"/api/studies/{study['study']}/cases/c1/truth").json()
    assert nobody["names_from"] is None
    assert [x["name"] for x in nobody["summary"]["labels"]] == ["value 1", "value 7"]


def test_the_truth_of_another_image_is_refused(
    client: TestClient, study: Any, source: Image, tmp_path: Path
) -> None:
    """Another size, place or frame of reference (another patient's), or an image instead of labels: none is kept."""
    url = f"/api/studies/{study['study']}/cases/c1/truth"
    client.delete(url)
    assert source.affine is not None
    moved = source.affine.copy()
    moved[0, 3] += 30
    formats.write(Image(labels(source), affine=moved), tmp_path / "moved.nii.gz")
    formats.write(Image(labels(source)[:, :-1], affine=source.affine), tmp_path / "short.nii.gz")
    noise = np.arange(source.array.size).reshape(source.array.shape).astype(np.int16)
    formats.write(Image(noise, affine=source.affine), tmp_path / "image.nii.gz")
    other = tmp_path / "other"
    other.mkdir()
    for name, data in dicom_files(patient(2, size=(12, 32, 32))):
        (other / name).write_bytes(data)
    away = formats.read(Ref(tuple(sorted(other.iterdir()))))
    drawn = Mask(image=Image(labels(away), affine=away.affine), labels=DRAWN, source=away.source)
    formats.write(drawn, tmp_path / "other.seg.dcm", source=away)
    same = pydicom.dcmread(tmp_path / "other.seg.dcm")  # at the very place, but of another patient
    for name, words in (
        ("moved.nii.gz", "another grid"),
        ("short.nii.gz", "another grid"),
        ("image.nii.gz", "is an image, not labels"),
        ("other.seg.dcm", "frame of reference"),
    ):
        got = give(client, study, tmp_path / name)
        assert got.status_code == 422 and words in got.json()["error"], (name, got.text)
        assert str(tmp_path) not in got.text
    assert same.FrameOfReferenceUID != source.source.frame_of_reference_uid
    assert client.get(url).status_code == 204


def test_a_place_that_only_one_of_the_two_says_is_not_taken_as_the_same(
    client: TestClient, study: Any, source: Image, tmp_path: Path
) -> None:
    formats.write(Image(labels(source)), tmp_path / "placeless.nii.gz")
    said = give(client, study, tmp_path / "placeless.nii.gz").json()
    assert "their places are not known to" in said["notes"][0]


def test_a_truth_goes_with_its_study_and_is_the_owners_alone(
    clients: Any, picture: bytes, tmp_path: Path
) -> None:
    from vesalius.serve.http.keys import make

    keys = tmp_path / "keys"
    mine, other = ({"Authorization": f"Bearer {make(keys, n, 'user')}"} for n in ("alice", "bob"))
    client = clients(keys=keys)
    study = client.post("/api/studies", files={"files": ("x.png", picture)}, headers=mine).json()["study"]
    url = f"/api/studies/{study}/cases/c1/truth"
    array = np.zeros((1, 1, 40, 48), np.uint8)
    array[..., 10:20, 10:20] = 1
    path = formats.write(Image(array), tmp_path / "mask.png")
    form = {"truth": ("mask.png", path.read_bytes())}
    assert client.put(url, files=form, headers=other).status_code == 404
    assert client.put(url, files=form, headers=mine).status_code == 200
    assert client.get(url, headers=other).status_code == 404
    assert client.put(url, files={"files": form["truth"]}, headers=mine).status_code == 422
    before = client.app.state.service.studies.stored()
    assert client.put(url, files=form, headers=mine).status_code == 200  # in the place of the first
    assert client.app.state.service.studies.stored() == before
    client.delete(f"/api/studies/{study}", headers=mine)
    assert client.get(url, headers=mine).status_code == 404
    assert client.app.state.service.truths._kept == {}


def test_a_sample_has_the_size_that_a_model_learned_from() -> None:
    learned = summary(
        statistics([Seen((24, 48, 40), None, 0.0, 1.0), Seen((28, 48, 600), None, 0.0, 1.0)]), absolute=True
    )
    (volume, grid), (flat, wide) = (sample.recipe(flat=f, learned=learned) for f in (False, True))
    assert (volume, grid) == ("dicom", {"size": (26, 48, 192)})  # no larger than is soon made
    assert (flat, wide) == ("png", {"size": (64, 48, 192)})  # a plane of a volume of our depth


def test_a_sample_suits_the_model_is_synthetic_and_comes_with_its_truth(
    client: TestClient, study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "_GRID", (16, 48, 48))  # these models do not say what they learned from
    made = client.post("/api/studies/sample?model=organs")
    volume = made.json()
    assert made.status_code == 201 and volume["synthetic"] and volume["cases"][0]["modality"] == "CT"
    truth = client.get(f"/api/studies/{volume['study']}/cases/c1/truth").json()
    names = {x["name"] for x in truth["summary"]["labels"]}
    assert truth["names_from"] == "file" and {"liver", "kidney_right"} <= names
    again = client.post("/api/studies/sample?model=organs")
    assert again.status_code == 200 and again.json() == volume  # asked for twice, it is one
    flat = client.post("/api/studies/sample?model=chest").json()
    assert flat["cases"][0]["shape"][0] == 1 and flat["study"] != volume["study"]
    assert client.post("/api/studies/sample?model=none").status_code == 404
    listed = {s["study"]: s["synthetic"] for s in client.get("/api/studies").json()}
    assert listed[volume["study"]] and not all(listed.values())
    for made_up in (volume, flat):
        client.delete(f"/api/studies/{made_up['study']}")
