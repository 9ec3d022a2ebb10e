"""The two places that a NIfTI header says: which counts, that an answer says both as its image does, and findings."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from vesalius import cohorts, formats
from vesalius.core.answers.mask import Mask
from vesalius.core.image import Image
from vesalius.reliability.inspect import inspect

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SFORM = np.array([[2.0, 0, 0, -5], [0, 3, 0.5, 6], [0, 0, 4, 7], [0, 0, 0, 1]])  # sheared
_C, _S = math.cos(0.3), math.sin(0.3)
QFORM = np.array([[2 * _C, -3 * _S, 0, 11], [2 * _S, 3 * _C, 0, -2], [0, 0, -4, 3], [0, 0, 0, 1]])
NAMES = (
    "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z",
    "srow_x", "srow_y", "srow_z",
)  # fmt: skip


def saved(
    path: Path, sform: np.ndarray | None, qform: np.ndarray | None, codes: tuple[int, int], unit: str = "mm"
) -> Path:
    """A file with these forms and codes (sform, qform), its pixels of no meaning."""
    image = nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(5, 4, 3), None)
    image.header.set_xyzt_units(unit)
    image.header["pixdim"][1:4] = (2, 3, 4)
    if qform is not None:
        image.header.set_qform(qform, code=codes[1])
    if sform is not None:
        image.header.set_sform(sform, code=codes[0])
    nib.save(image, path)
    head = nib.load(path).header
    assert (int(head["sform_code"]), int(head["qform_code"])) == codes
    return path


CASES = [
    (SFORM, QFORM, (1, 1)),
    (SFORM, QFORM, (2, 1)),
    (SFORM, QFORM, (4, 1)),
    (SFORM, QFORM, (1, 4)),
    (SFORM, QFORM, (3, 2)),
    (SFORM, QFORM, (2, 0)),  # a qform is there and has no code
    (SFORM, QFORM, (0, 1)),
    (SFORM, QFORM, (0, 2)),
    (SFORM, None, (1, 0)),
    (None, QFORM, (0, 1)),
    (None, None, (0, 0)),
]


@pytest.mark.parametrize(("sform", "qform", "codes"), CASES)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_an_answer_has_both_forms_of_its_image(
    tmp_path: Path, sform: np.ndarray | None, qform: np.ndarray | None, codes: tuple[int, int], suffix: str
) -> None:
    path = saved(tmp_path / f"x{suffix}", sform, qform, codes)
    image = formats.read(path)
    used = sform if codes[0] else qform if codes[1] else None
    if used is None:
        assert image.affine is None and image.spacing_mm == (2, 3, 4)
    else:
        assert image.affine is not None and np.allclose(image.affine, LPS @ used, atol=1e-5)
    drawn = (image.array > 20).astype(np.uint8)
    made = Image(drawn, affine=image.affine, spacing_mm=image.spacing_mm)
    answers = {
        "answer": (Mask(image=made, labels=(), source=image.source), None),
        "source": (Mask(image=made, labels=()), image),
        "image": (image, None),
    }
    theirs = nib.load(path).header
    for name, (thing, source) in answers.items():
        out = formats.write(thing, tmp_path / f"{name}{suffix}", source=source)
        ours = nib.load(out)
        for field in NAMES:
            assert np.array_equal(ours.header[field], theirs[field]), (name, field)
        assert np.array_equal(ours.header["pixdim"][:4], theirs["pixdim"][:4])
        assert ours.header.get_xyzt_units()[0] == theirs.get_xyzt_units()[0]
        assert np.array_equal(ours.header.get_qform(), theirs.get_qform())
        assert np.array_equal(ours.header.get_sform(), theirs.get_sform())
        again = formats.read(out)
        assert again.spacing_mm == image.spacing_mm
        assert again.affine is image.affine or np.array_equal(again.affine, image.affine)
    written = np.asarray(nib.load(tmp_path / f"answer{suffix}").dataobj)
    assert np.array_equal(written, (np.arange(60).reshape(5, 4, 3) > 20).astype(np.uint8))


@pytest.mark.parametrize("unit", ["meter", "micron", "unknown"])
def test_forms_in_another_unit_are_kept_in_it(tmp_path: Path, unit: str) -> None:
    image = formats.read(saved(tmp_path / "x.nii", SFORM, QFORM, (1, 1), unit))
    out = formats.write(replace(image, array=image.array * 0), tmp_path / "y.nii")
    assert nib.load(out).header.get_xyzt_units()[0] == unit
    again = formats.read(out)
    assert again.affine is not None and np.array_equal(again.affine, image.affine)


def test_what_lies_elsewhere_than_its_source_has_its_own_forms(tmp_path: Path) -> None:
    image = formats.read(saved(tmp_path / "x.nii", SFORM, QFORM, (4, 1)))
    moved = np.eye(4)
    moved[:3, 3] = 5
    out = nib.load(formats.write(replace(image, affine=moved), tmp_path / "y.nii"))
    assert np.allclose(out.get_sform(), LPS @ moved) and np.allclose(out.get_qform(), LPS @ moved)
    assert (int(out.header["sform_code"]), int(out.header["qform_code"])) == (1, 1)


@pytest.mark.parametrize(
    ("shift", "apart", "disagree"),
    [(0.0, 0.0, False), (0.9, 0.9, False), (1.1, 1.1, True), (50.0, 50.0, True)],
)
def test_forms_that_disagree_by_more_than_half_a_voxel_are_known(
    tmp_path: Path, shift: float, apart: float, disagree: bool
) -> None:
    plain, other = np.diag([2.0, 3.0, 4.0, 1.0]), np.diag([2.0, 3.0, 4.0, 1.0])
    other[2, 3] = shift
    forms = formats.read(saved(tmp_path / "x.nii", plain, other, (1, 1))).source.forms
    assert forms is not None and forms.used == "sform" and forms.disagree == disagree
    assert forms.apart_mm == pytest.approx(apart, abs=1e-5)
    without = formats.read(saved(tmp_path / "y.nii", plain, other, (1, 0))).source.forms
    assert without is not None and not without.disagree


def test_a_qform_that_cannot_be_read_is_no_second_place(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.nii", SFORM, QFORM, (1, 1))
    raw = bytearray(path.read_bytes())
    raw[256:268] = np.array([1, 1, 1], "<f4").tobytes()  # quaternions are of length 1
    path.write_bytes(raw)
    image = formats.read(path)
    assert image.affine is not None and np.allclose(image.affine, LPS @ SFORM)
    assert image.source.forms is not None and not image.source.forms.disagree


def test_inspect_finds_forms_that_disagree(tmp_path: Path) -> None:
    plain, other = np.diag([2.0, 3.0, 4.0, 1.0]), np.diag([2.0, 3.0, 4.0, 1.0])
    other[0, 3] = 50
    for k in range(3):
        saved(tmp_path / f"c{k}.nii.gz", plain, other if k == 1 else plain, (2, 1))
    (found,) = [f for f in inspect(cohorts.read(tmp_path)).findings if f.kind == "geometry: forms"]
    assert (found.severity, found.cases) == ("warning", ("c1",))
    assert "1 case" in found.text and "50 mm apart" in found.text and "the sform is used" in found.text
