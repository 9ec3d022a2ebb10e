"""The face of a made-up head goes, its brain stays, however the volume lies; what cannot be judged is set aside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import nibabel
import numpy as np
import pydicom
import pytest
from _planted import ct, save
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1

from vesalius import deidentify
from vesalius.core.case import Ref
from vesalius.core.errors import GeometryError
from vesalius.core.image import Image
from vesalius.deidentify.deface import face
from vesalius.formats import dicom

STEP = 4.0  # mm


def head() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A head `(Z, Y, X)`, S × P × L upwards: a skull with a brain, a jaw, a nose, eyes; and where each is."""
    z, y, x = np.mgrid[0:240:STEP, 0:232:STEP, 0:184:STEP].astype(float)
    z, y, x = z - 130, y - 120, x - 92  # the middle of the skull

    def ball(cz: float, cy: float, cx: float, rz: float, ry: float, rx: float) -> np.ndarray:
        return ((z - cz) / rz) ** 2 + ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1

    skull, jaw = ball(0, 0, 0, 98, 95, 75), ball(-70, -45, 0, 55, 48, 50)
    nose = ball(-45, -95, 0, 24, 20, 11)
    brain = ball(8, 0, 0, 72, 74, 58)
    eyes = ball(-25, -72, 30, 11, 11, 11) | ball(-25, -72, -30, 11, 11, 11)
    body = skull | jaw | nose | ball(-110, 20, 0, 60, 50, 50)
    texture = np.arange(body.size).reshape(body.shape) % 37
    values = np.where(body, 60 + texture, 0) + np.where(brain, 40, 0) + np.where(eyes, 20, 0)
    return values.astype(np.int16), {"nose": nose & ~skull, "brain": brain, "eyes": eyes, "body": body}


def slices(
    folder: Path, values: np.ndarray, change: Callable[[Dataset, int], object] | None = None
) -> Dataset:
    """The head as a series of files; the last of them."""
    for n, plane in enumerate(values):
        data = ct(number=100 + n)
        data.Modality, data.RescaleIntercept = "MR", 0
        data.Rows, data.Columns = plane.shape
        data.PixelSpacing, data.SliceThickness = [STEP, STEP], STEP
        data.ImagePositionPatient = [-90, -110, -120 + STEP * n]
        data.PixelData = plane.astype("<u2").tobytes()
        if change is not None:
            change(data, n)
        save(data, folder / f"{n}.dcm")
    return data


def affine(turn: float = 0.0) -> np.ndarray:
    """LPS, pitched by `turn` degrees about the left-right axis."""
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    made = np.eye(4)
    made[:3, :3] = STEP * np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    made[:3, 3] = (-90, -110, -120)
    return made


@pytest.mark.parametrize("turn", [0.0, 15.0])
def test_the_face_goes_and_the_brain_stays(turn: float) -> None:
    values, parts = head()
    mask = face(Image(values[None], affine(turn), modality="MR"))
    assert mask is not None
    assert mask[parts["nose"]].all() and mask[parts["eyes"]].mean() > 0.5
    assert not mask[parts["brain"]].any()
    assert mask[:, 40:][parts["body"][:, 40:]].mean() == 0  # the back of the head


def test_a_head_that_lies_otherwise_in_its_array_loses_the_same() -> None:
    values, _ = head()
    straight = face(Image(values[None], affine()))
    turned = affine()  # array axes: left from right, and slices sagittal
    turned[:3, :3] = STEP * np.array([[0, 0, -1], [1, 0, 0], [0, 1, 0]])
    turned[:3, 3] = (-90 + STEP * (values.shape[2] - 1), -110, -120)
    other = face(Image(np.ascontiguousarray(values[:, :, ::-1].transpose(2, 0, 1))[None], turned))
    assert straight is not None and other is not None
    assert (other.transpose(1, 2, 0)[:, :, ::-1] == straight).mean() > 0.99  # but for rounding at the cut


def test_what_is_no_head_keeps_its_voxels_and_what_cannot_be_judged_is_refused() -> None:
    values, _ = head()
    assert (
        face(
            Image(
                np.zeros((1, 20, 20, 20), np.int16) + np.arange(20, dtype=np.int16), np.diag([1, 1, 1, 1.0])
            )
        )
        is None
    )
    with pytest.raises(GeometryError, match="top of the head"):
        face(Image(values[None, :30], affine()))
    with pytest.raises(GeometryError, match="no affine"):
        face(Image(values[None], spacing_mm=(4, 4, 4)))
    with pytest.raises(GeometryError, match="too few"):
        face(Image(values[None, 20:24], affine()))


def test_nifti_and_dicom_lose_the_face(tmp_path: Path) -> None:
    values, parts = head()
    source = tmp_path / "in"
    source.mkdir()
    to_ras = np.diag([-1.0, -1, 1, 1])
    nibabel.save(nibabel.Nifti1Image(values.T, to_ras @ affine()), source / "head.nii.gz")
    nibabel.save(
        nibabel.Nifti1Image(parts["body"].T.astype(np.uint8), to_ras @ affine()), source / "labels.nii.gz"
    )
    data = slices(source / "series", values)
    save(data, source / "series" / "again.dcm")
    few = ct(number=999)
    few.SeriesInstanceUID = "1.2.3.999"
    save(few, source / "scout.dcm")
    made = deidentify(source, tmp_path / "out", deface=True)
    assert sorted(reason for _, reason in made.set_aside) == [
        "its face cannot be removed: the file is not part of a volume",  # a second file of one slice
        "its face cannot be removed: too few slices to find a face in",
    ]
    nifti, labels = sorted(made.out.rglob("*.nii.gz"), key=lambda p: -p.stat().st_size)
    assert np.array_equal(np.asarray(nibabel.load(labels).dataobj).T, parts["body"])
    volume = dicom.read(Ref(tuple(made.out.rglob("*.dcm")))).array[0]
    for after in (np.asarray(nibabel.load(nifti).dataobj).T, volume):
        assert not after[parts["nose"]].any()
        assert np.array_equal(after[parts["brain"]], values[parts["brain"]])
    one = pydicom.dcmread(next(made.out.rglob("*.dcm")))
    assert one.RecognizableVisualFeatures == "NO"
    assert "113102" in [c.CodeValue for c in one.DeidentificationMethodCodeSequence]
    assert json.loads(made.report.read_text())["options"].keys() == {"deface"}


def lossless(data: Dataset, n: int) -> None:
    """By a process for which pydicom has no decoder here."""
    frame = np.frombuffer(data.PixelData, "<u2").reshape(data.Rows, data.Columns)
    data.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    data.PixelData = encapsulate([imagecodecs.ljpeg_encode(frame)])
    data["PixelData"].is_undefined_length = True


def test_a_head_in_lossless_jpeg_loses_its_face(tmp_path: Path) -> None:
    values, parts = head()
    slices(tmp_path / "in", values, lossless)
    made = deidentify(tmp_path / "in", tmp_path / "out", deface=True)
    assert not made.set_aside
    after = dicom.read(Ref(tuple(made.out.rglob("*.dcm")))).array[0]
    assert not after[parts["nose"]].any()
    assert np.array_equal(after[parts["brain"]], values[parts["brain"]])


def two_patients(data: Dataset, n: int) -> None:
    data.PatientID = f"P{n % 2}"


def no_place(data: Dataset, n: int) -> None:
    if n == 20:
        del data.ImagePositionPatient


@pytest.mark.parametrize("change", [two_patients, no_place])
def test_a_series_that_is_no_sound_volume_is_not_copied_with_its_face(
    tmp_path: Path, change: Callable[[Dataset, int], object]
) -> None:
    values, _ = head()
    slices(tmp_path / "in", values, change)
    made = deidentify(tmp_path / "in", tmp_path / "out", deface=True)
    assert not list(made.out.rglob("*.dcm")) and len(made.set_aside) == len(values)


@pytest.mark.realdata
def test_a_real_head_loses_its_nose_and_keeps_its_brain(shared_data: Path) -> None:
    """The post-contrast T1 of mr_dicom: the planes through the nose lose their front, those above the brow nothing."""
    files = list((shared_data / "mr_dicom").rglob("*.dcm"))
    (series,) = [s for s in dicom.series(files)[0] if s.description == "T1post"]
    mask = face(dicom.read(series.ref))
    assert mask is not None and mask.shape == (22, 512, 512)
    assert mask[:6, :60].all()  # the nose's tip and the air before it
    assert not mask[11:].any()  # from above the brow up
    assert not mask[:, 300:, 100:410].any()  # cerebellum and brain stem
    assert not mask[:9, 190:, 170:340].any()  # temporal lobes and what lies between
