"""The verb `mesh`: from masks, answers, folders and meshes to files; what is told, refused, and not left half-done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vesalius as vs
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, FormatError, GeometryError, OutputError, UsageError
from vesalius.core.image import Image
from vesalius.shapes.files import read_surface

LABELS = (Label(1, "liver"), Label(2, "left/lobe"))


@pytest.fixture
def mask() -> Mask:
    array = np.zeros((1, 9, 10, 11), np.uint8)
    array[0, 2:6, 2:6, 2:7], array[0, 7:, 7:, 8:10] = 1, 2
    return Mask(image=Image(array, affine=np.diag([-0.8, 0.8, 2.5, 1.0])), labels=LABELS, case_id="a")


def test_a_mask_becomes_a_file_and_is_measured(mask: Mask, tmp_path: Path) -> None:
    path = vs.write(mask, tmp_path / "a.nii.gz")
    made = vs.mesh(path, tmp_path / "out.3mf", names={1: "liver"})
    liver, other = made.meshes[0].pieces
    assert (liver.name, other.name, made.files) == ("liver", "label 2", (tmp_path / "out.3mf",))
    assert liver.mask_ml == pytest.approx(80 * 1.6 / 1000)
    assert liver.measures.volume_ml == pytest.approx(liver.mask_ml, rel=0.01) and made.sound
    assert other.cut == ("high z", "high y") and any("cut by the image's edge" in n for n in made.notes)
    assert [x.name for x in read_surface(tmp_path / "out.3mf").labels] == ["liver", "label 2"]
    again = vs.mesh(tmp_path / "out.3mf", tmp_path / "one.ply", labels=["liver"], faces=60, within_mm=1.0)
    assert len(again.meshes[0].pieces) == 1 and len(read_surface(tmp_path / "one.ply").faces) < 100
    assert again.meshes[0].pieces[0].measures.volume_ml == pytest.approx(liver.mask_ml, rel=0.01)


def test_a_folder_of_answers_is_split_and_names_come_from_their_json(mask: Mask, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    vs.write(mask, source / "a.nii.gz")
    vs.write(mask, source / "a.json")
    empty = Image(np.zeros((1, 5, 5, 5), np.uint8), affine=np.eye(4))
    vs.write(empty, source / "b.nii.gz")
    made = vs.mesh(source, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.left_lobe.stl", "a.liver.stl"]
    assert [a.case for a in made.set_aside] == [
        "b.nii.gz"
    ] and "nothing to lay a surface about" in made.set_aside[0].reason
    whole = vs.mesh(source / "a.nii.gz", tmp_path / "glb", form="glb")
    assert [p.name for p in whole.files] == ["a.glb"]


def test_an_answer_is_written_as_its_surface(mask: Mask, tmp_path: Path) -> None:
    lone = Mask(image=mask.image, labels=LABELS[:1])
    assert len(read_surface(vs.write(lone, tmp_path / "x.stl")).faces) > 50
    assert len(read_surface(vs.write(mask, tmp_path / "x.glb")).labels) == 2
    with pytest.raises(OutputError, match="several labels"):
        vs.write(mask, tmp_path / "y.stl")
    with pytest.raises(OutputError, match="withheld"):
        vs.write(Mask(image=mask.image, labels=LABELS, withheld="unlike"), tmp_path / "y.glb")
    assert not (tmp_path / "y.stl").exists() and not (tmp_path / "y.glb").exists()


def test_what_cannot_be_is_refused_and_leaves_nothing(mask: Mask, tmp_path: Path) -> None:
    path = vs.write(mask, tmp_path / "a.nrrd")
    here = {p.name for p in tmp_path.iterdir()}
    flat = vs.write(Image(np.ones((1, 5, 5, 5), np.uint8), spacing_mm=(1.0, 1.0, 1.0)), tmp_path / "n.npz")
    here.add("n.npz")
    for kind, words, call in (
        (DataError, "no label 9", lambda: vs.mesh(path, tmp_path / "o.stl", labels=["9"])),
        (OutputError, "several labels", lambda: vs.mesh(path, tmp_path / "o.stl")),
        (UsageError, "into a folder", lambda: vs.mesh(path, tmp_path / "o.stl", split=True)),
        (UsageError, "not written as 'stp'", lambda: vs.mesh(path, tmp_path / "o", form="stp")),
        (OutputError, "not a format of meshes", lambda: vs.mesh(path, tmp_path / "o.step")),
        (DataError, "says itself where it lies", lambda: vs.mesh(path, tmp_path / "o.glb", frame="ras")),
        (GeometryError, "where it lies", lambda: vs.mesh(flat, tmp_path / "o")),
        (DataError, "no such file", lambda: vs.mesh(tmp_path / "none", tmp_path / "o")),
        (OutputError, "study of their source", lambda: vs.mesh(path, tmp_path / "o.stl.dcm", labels=["1"])),
    ):
        with pytest.raises(kind, match=words):
            call()
        assert {p.name for p in tmp_path.iterdir()} == here, words
    (tmp_path / "bad.stl").write_bytes(b"x" * 100)
    with pytest.raises(FormatError, match="bad.stl"):
        vs.mesh(tmp_path / "bad.stl", tmp_path / "o.obj")
