"""DICOM files into series by geometry: echoes, b-values, phases, orientations, localisers, copies, gaps."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from _studies import Change, plane, series
from pydicom.dataset import Dataset

from vesalius import formats
from vesalius.core.errors import FormatError
from vesalius.formats import dicom


def every(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.dcm"))


def twice(name: str, values: tuple[object, object], *, together: bool = True) -> Change:
    """Planes 0 to 5 as two runs over three places, told apart by one element."""

    def change(data: Dataset, k: int) -> None:
        data.ImagePositionPatient = [10, 20, 30 + 2.5 * (k % 3)]
        setattr(data, name, values[k // 3])
        data.InstanceNumber = (7 * k) % 6  # says nothing

    return change


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("EchoTime", (2.5, 80), ["echo time 2.5", "echo time 80"]),
        ("DiffusionBValue", (0.0, 1000.0), ["b-value 0", "b-value 1000"]),
        ("TemporalPositionIdentifier", (1, 2), ["time 1", "time 2"]),
        ("TriggerTime", (0, 400), ["trigger time 0", "trigger time 400"]),
        ("AcquisitionNumber", (1, 2), ["acquisition 1", "acquisition 2"]),
        ("ImageType", (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]), ["type M", "type P"]),
        ("ConvolutionKernel", ("B30f", "B70f"), ["kernel B30f", "kernel B70f"]),
        ("FrameReferenceTime", (0, 60000), ["frame time 0", "frame time 60000"]),
    ],
)
def test_planes_at_one_place_are_told_apart(
    tmp_path: Path, name: str, values: tuple[object, object], words: list[str]
) -> None:
    series(tmp_path, 6, twice(name, values))
    found, left = dicom.series(every(tmp_path))
    assert [s.part for s in found] == words and not left
    first, second = (formats.read(s.ref) for s in found)
    assert first.shape == second.shape == (3, 4, 5)
    assert np.array_equal(second.array, first.array + 300) and np.array_equal(first.affine, second.affine)


def test_b_values_in_private_elements_are_known(tmp_path: Path) -> None:
    blocks = {
        (0x0019, "SIEMENS MR HEADER", 0x0C): ("IS", ["0", "800"]),
        (0x0043, "GEMS_PARM_01", 0x39): ("IS", [["0", "8", "0", "0"], ["1000000800", "8", "0", "0"]]),
        (0x2001, "Philips Imaging DD 001", 0x03): ("FL", [0.0, 800.0]),
    }
    for k, ((number, creator, element), (kind, values)) in enumerate(blocks.items()):
        folder = tmp_path / str(k)
        folder.mkdir()

        def change(data: Dataset, k: int) -> None:
            data.ImagePositionPatient = [10, 20, 30 + 2.5 * (k % 3)]
            data.private_block(number, creator, create=True).add_new(element, kind, values[k // 3])

        series(folder, 6, change)
        assert [s.part for s in dicom.series(every(folder))[0]] == ["b-value 0", "b-value 800"], creator


def test_two_marks_are_taken_together_where_one_does_not_do(tmp_path: Path) -> None:
    def change(data: Dataset, k: int) -> None:
        data.ImagePositionPatient = [10, 20, 30 + 2.5 * (k % 3)]
        data.EchoTime, data.TemporalPositionIdentifier = (1, 2)[k // 3 % 2], k // 6

    series(tmp_path, 12, change)
    found, _ = dicom.series(every(tmp_path))
    assert [s.part for s in found] == [f"echo time {e}, time {t}" for e in (1, 2) for t in (0, 1)]
    assert all(formats.read(s.ref).shape == (3, 4, 5) for s in found)


def test_nothing_is_guessed_where_nothing_tells_planes_apart(tmp_path: Path) -> None:
    def change(data: Dataset, k: int) -> None:
        data.ImagePositionPatient = [10, 20, 30 + 2.5 * (k % 3)]
        data.InstanceNumber = k

    series(tmp_path, 6, change)
    found, _ = dicom.series(every(tmp_path))
    assert len(found) == 1
    said = r"several planes at one position.*IM3.dcm and IM6.dcm, and 2 such pairs more; try: take one file of each"
    with pytest.raises(FormatError, match=said):
        formats.read(found[0].ref)


@pytest.mark.parametrize("other", ["nothing", "pixels", "place", "echo"])
def test_a_slice_that_is_stored_again_under_another_uid_is_a_copy(tmp_path: Path, other: str) -> None:
    def change(data: Dataset, k: int) -> None:
        if k < 4:
            data.EchoTime = 2.5
            return
        again = plane(1, data.SeriesInstanceUID)  # the second in space, under the UID of plane 4
        data.ImagePositionPatient, data.PixelData = again.ImagePositionPatient, again.PixelData
        data.EchoTime = 80 if other == "echo" else 2.5
        if other == "pixels":
            data.PixelData = b"\1\0" + data.PixelData[2:]
        if other == "place":
            data.ImagePositionPatient = [10, 20, 32.6]

    series(tmp_path, 5, change)
    found, left = dicom.series(every(tmp_path))
    if other == "nothing":
        assert [(p.name, why) for p, why in left] == [
            ("IM4.dcm", "a copy of IM1.dcm, under another instance UID")
        ]
        assert [formats.read(s.ref).shape for s in found] == [(4, 4, 5)]
    else:  # nothing is taken away that differs
        assert sum(len(s.ref.paths) for s in found) + len(left) == 5
        assert not any("a copy" in why for _, why in left)


def test_an_acquisition_number_a_slice_does_not_tear_a_volume_apart(tmp_path: Path) -> None:
    def change(data: Dataset, k: int) -> None:
        data.AcquisitionNumber = k

    series(tmp_path, 5, change)
    found, _ = dicom.series(every(tmp_path))
    assert len(found) == 1 and formats.read(found[0].ref).shape == (5, 4, 5)


def test_acquisitions_with_a_gap_between_them_are_two(tmp_path: Path) -> None:
    def change(data: Dataset, k: int) -> None:
        data.AcquisitionNumber = k // 3
        data.ImagePositionPatient = [10, 20, 2.5 * k + 100 * (k // 3)]

    series(tmp_path, 6, change)
    found, _ = dicom.series(every(tmp_path))
    assert [formats.read(s.ref).shape for s in found] == [(3, 4, 5)] * 2


def test_a_missing_slice_is_found_and_said(tmp_path: Path) -> None:
    series(tmp_path, 6)
    (tmp_path / "IM3.dcm").unlink()  # the fourth in space
    found, left = dicom.series(every(tmp_path))
    assert len(found) == 1 and not left
    with pytest.raises(
        FormatError, match=r"missing or unevenly spaced; found a gap of 5\.000 mm after slice 3"
    ):
        formats.read(found[0].ref)


def test_localisers_and_copies_are_left_aside_with_the_reason(tmp_path: Path) -> None:
    series(tmp_path, 4)
    shutil.copy(tmp_path / "IM1.dcm", tmp_path / "again.dcm")
    scout = plane(9, "1.77")
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.save_as(tmp_path / "scout.dcm", enforce_file_format=True)
    found, left = dicom.series(every(tmp_path))
    said = {path.name: reason for path, reason in left}
    assert len(found) == 1 and len(found[0].ref.paths) == 4
    assert said["scout.dcm"].startswith("a localiser") and any("a copy of" in r for r in said.values())
    alone, _ = dicom.series([tmp_path / "scout.dcm"])
    assert len(alone) == 1  # asked for by name


def test_orientations_spacings_and_frames_of_reference_are_series_of_their_own(tmp_path: Path) -> None:
    def change(data: Dataset, k: int) -> None:
        if k >= 6:
            data.FrameOfReferenceUID = "1.5"
        elif k >= 4:
            data.PixelSpacing = [1, 1]
        elif k >= 2:
            data.ImageOrientationPatient = [0, 1, 0, 0, 0, 1]
            data.ImagePositionPatient = [2.0 * k, 0, 0]

    series(tmp_path, 8, change)
    found, _ = dicom.series(every(tmp_path))
    assert len(found) == 4 and {len(s.ref.paths) for s in found} == {2}
    assert any("sagittal" in s.part for s in found)
    assert all(formats.read(s.ref).shape == (2, 4, 5) for s in found)
