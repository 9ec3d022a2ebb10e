"""`shape`, `complete` and `morph` from masks on the disk: who is left out, what is kept, and what is written."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.shapes.models._beans import bean

import vesalius as vs
from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, OutputError
from vesalius.core.image import Array, Image
from vesalius.run.shape import keeping
from vesalius.shapes.files import read_surface
from vesalius.shapes.voxels import filled

AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
AFFINE[:3, 3] = (-68, -60, -60)
GRID = Image(np.zeros((1, 30, 30, 34), np.uint8), affine=AFFINE)


def write(path: Path, bits: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image(bits.astype(np.uint8)[None], affine=AFFINE)
    formats.write(Mask(image=image, labels=(Label(1, "bean"),)), path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five beans, one that lacks the label, and one that the image's edge cuts; an nnU-Net's folder."""
    folder = tmp_path_factory.mktemp("beans")
    bits = {f"b{k}": filled(bean(k), GRID) for k in range(5)}
    bits["none"] = np.zeros(GRID.shape, bool)
    bits["cut"] = np.zeros(GRID.shape, bool)
    bits["cut"][:, :, 12:] = bits["b0"][:, :, :-12]
    for name, one in bits.items():
        write(folder / "labelsTr" / f"{name}.nii.gz", one)
        formats.write(Image(one.astype(np.float32)[None], affine=AFFINE), _image(folder, name))
    told = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "bean": 1},
        "numTraining": len(bits),
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(told))
    return folder


def _image(folder: Path, name: str) -> Path:
    (folder / "imagesTr").mkdir(exist_ok=True)
    return folder / "imagesTr" / f"{name}_0000.nii.gz"


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shape") / "out"
    vs.shape(data, folder, points=60, max_set_aside=0.3)
    return folder


def test_absent_and_cut_masks_are_left_out_with_their_reason(out: Path) -> None:
    told = json.loads((out / "shape.json").read_text())
    assert told["shapes"] == 5 and set(told["left_out"]) == {"none", "cut"}
    assert "no voxel" in told["left_out"]["none"] and "edge" in told["left_out"]["cut"]
    page = (out / "shape.html").read_text()
    assert "image/gif" in page and "edge" in page and "Three figures" in page


def test_too_many_left_out_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 cases of 7 have no shape"):
        vs.shape(data, tmp_path / "out", points=60)
    assert not (tmp_path / "out").exists()


def test_registrations_that_are_kept_are_not_done_again(
    data: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (out / "model" / "MANIFEST.sha256").read_text()
    kept = len(list((out / keeping.CASES).iterdir()))

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("registered again")

    monkeypatch.setattr("vesalius.shapes.models.learning.register", refused)
    vs.shape(data, out, points=60, max_set_aside=0.3)
    assert kept == 10 and (out / "model" / "MANIFEST.sha256").read_text() == before
    with pytest.raises(OutputError):
        vs.shape(data, out, points=80, max_set_aside=0.3)


def test_a_cut_mask_is_completed_on_its_grid_and_beyond_what_was_seen(out: Path, tmp_path: Path) -> None:
    whole = filled(bean(7), GRID)
    shorter = Image(whole[:, :, :20].astype(np.uint8)[None], affine=AFFINE)
    found = vs.complete(out, shorter, tmp_path / "done")
    assert any("edge" in note for note in found.completion.notes) and found.completion.missing > 0.1
    assert found.mask is not None and found.mask.shape == shorter.shape
    assert found.completion.surface.vertices_mm[:, 0].max() > 12 + 4, "it goes on beyond the image"
    rows = list(csv.DictReader((tmp_path / "done" / "band.csv").open()))
    assert len(rows) == len(found.completion.seen) and {r["seen"] for r in rows} == {"0", "1"}
    again = read_surface(tmp_path / "done" / "completed.stl")
    assert np.allclose(
        again.vertices_mm.min(axis=0), found.completion.surface.vertices_mm.min(axis=0), atol=1e-3
    )
    with pytest.raises(DataError, match="no label 'liver'"):
        vs.complete(out, shorter, label="liver")
    with pytest.raises(DataError, match="does not say where it lies"):
        vs.complete(out, Image(shorter.array, spacing_mm=(4, 4, 4)))


def test_drawn_masks_hold_what_their_meshes_do(out: Path, tmp_path: Path) -> None:
    found = vs.morph(out, tmp_path / "drawn", cases=1, spacing_mm=4.0)
    held = formats.read_mask(tmp_path / "drawn" / "00000.nii.gz")
    assert np.array_equal(held.array[0] != 0, filled(found.surfaces[0], held)) and held.array.any()
    with pytest.raises(DataError, match="above 0 mm"):
        vs.morph(out, cases=1, spacing_mm=-1)
