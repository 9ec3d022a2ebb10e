"""A design through the front door: files, sides and words, of a bone whose hole is known; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

import vesalius as vs
from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, OutputError, UnknownName, UsageError
from vesalius.core.image import Array, Image

N, SIDE = 36, 3.3


def skull(*, across: float = 28.0, mirrored: bool = False) -> tuple[Image, Array]:
    """Return a hollow egg with a hole `across` mm to the patient's left of its middle, and what is missing of it."""
    affine = np.diag([-SIDE if mirrored else SIDE, SIDE, SIDE, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ np.full(3, (N - 1) / 2)
    z, y, x = np.mgrid[:N, :N, :N]
    x, y, z = (affine[k, k] * i + affine[k, 3] for k, i in enumerate((x, y, z)))
    r = np.sqrt((x / 0.85) ** 2 + (y / 1.0) ** 2 + (z / 0.95) ** 2)
    shell = (r < 54) & (r > 45)
    hole = shell & (np.hypot(x - across, y) < 14) & (z > 0)
    bone = (shell & ~hole).astype(np.uint8)
    return Image(bone[None], affine=affine), hole


def as_mask(image: Image, array: Array) -> Mask:
    return Mask(
        image=Image(array[None].astype(np.uint8), affine=image.affine, modality="SEG"),
        labels=(Label(1, "bone"),),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bone and what is missing of it, as files."""
    root = tmp_path_factory.mktemp("skull")
    image, hole = skull()
    formats.write(as_mask(image, image.array[0]), root / "bone.nii.gz")
    formats.write(as_mask(image, hole), root / "missing.nii.gz")
    return root


@pytest.fixture(scope="module")
def out(folder: Path) -> Path:
    place = folder / "out"
    vs.design(folder / "bone.nii.gz", place, rules={"clearance": 1.0})
    return place


def test_the_mirror_image_fills_what_was_taken_out(out: Path, folder: Path) -> None:
    part = formats.read_mask(out / "implant.nii.gz").array[0] > 0
    bone, truth = (formats.read_mask(folder / f"{n}.nii.gz").array[0] > 0 for n in ("bone", "missing"))
    assert not (part & bone).any()
    assert 2 * (part & truth).sum() / (part.sum() + truth.sum()) > 0.65, (
        "a voxel is 3 mm, and 1 mm of room was asked for"
    )


def test_both_meshes_are_the_same_closed_body_in_millimetres(out: Path) -> None:
    stl = trimesh.load(out / "implant.stl")
    scene = trimesh.load(out / "implant.3mf")
    other = scene.to_mesh() if isinstance(scene, trimesh.Scene) else scene
    document = json.loads((out / "design.json").read_text())
    assert stl.is_watertight
    assert stl.volume / 1000 == pytest.approx(document["measures"]["volume_ml"], rel=1e-3)
    assert other.volume == pytest.approx(stl.volume, rel=1e-3)
    assert document["measures"]["mass_PEEK_g"] == pytest.approx(1.3 * document["measures"]["volume_ml"])
    assert np.allclose(stl.centroid, document["defect"]["middle_mm"], atol=4)


def test_the_document_and_the_page_say_how_it_was_designed(out: Path) -> None:
    document = json.loads((out / "design.json").read_text())
    assert document["by"] == "mirror"
    assert "the patient's left" in document["place"]
    (gap,) = (r for r in document["rules"] if r["rule"] == "clearance")
    assert gap["values"]["least_mm"] == 1.0
    assert gap["figures"]["least_mm"] >= 1.0
    page = (out / "design.html").read_text()
    assert "not for clinical use" in page
    assert page.count("data:image") >= 11


def test_an_affine_that_runs_the_other_way_says_the_same_side() -> None:
    image, hole = skull(mirrored=True)
    other = Image(hole[None].astype(np.uint8), affine=image.affine)
    design = vs.design(image, missing=other)
    assert "the patient's left" in design.place
    assert design.surface.vertices_mm[:, 0].mean() > 15


def test_a_defect_across_the_midline_is_told() -> None:
    image, hole = skull(across=0.0)
    design = vs.design(image, missing=Image(hole[None].astype(np.uint8), affine=image.affine))
    assert design.place.startswith("across the midline")


def test_a_whole_bone_is_not_designed_for_and_nothing_is_written(tmp_path: Path) -> None:
    image, hole = skull()
    whole = Image((image.array[0] | hole)[None].astype(np.uint8), affine=image.affine)
    with pytest.raises(DataError, match=r"nothing is missing|no defect was found|does not lie in a hole"):
        vs.design(whole, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_asked_is_refused(folder: Path, tmp_path: Path, out: Path) -> None:
    bone = folder / "bone.nii.gz"
    with pytest.raises(OutputError):
        vs.design(bone, out)
    with pytest.raises(UnknownName, match="way to find"):
        vs.design(bone, by="guess")
    with pytest.raises(DataError, match=r"--by model lacks what it needs.*--model BUNDLE"):
        vs.design(bone, by="model")
    with pytest.raises(UsageError, match="axis"):
        vs.design(bone, missing=folder / "missing.nii.gz", axis=(0, 0, 0))
    with pytest.raises(DataError, match="lies in bone that is there"):
        vs.design(bone, missing=bone)
    with pytest.raises(DataError, match="there is no"):
        vs.design(tmp_path / "none.nii.gz")
    labels = Image(
        np.where(np.arange(N) < 20, 2, 3)[None, None, None, :].repeat(N, 1).repeat(N, 2).astype(np.uint8)
        * (skull()[0].array > 0),
        affine=skull()[0].affine,
    )
    with pytest.raises(DataError, match=r"several labels.*2, 3.*--label"):
        vs.design(labels)


def test_the_command_line_says_the_rule_that_is_broken(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vesalius import cli

    words = [
        "design",
        folder / "bone.nii.gz",
        "--missing",
        folder / "missing.nii.gz",
        "--rule",
        "thickness=15mm",
    ]
    monkeypatch.setattr("sys.argv", ["vesalius", *map(str, words), "-o", str(tmp_path / "x")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "breaks the rule 'flush'" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
