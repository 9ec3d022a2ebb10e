"""Nuclear medicine in one file, by hand and by SimpleITK: slices by vectors, gated and dynamic frames, mere views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from _studies import ROW, TURNED, item, nuclear

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.formats import dicom

NORMAL = np.cross(TURNED[:3], TURNED[3:])


def reconstructed(path: Path, slices: list[int], **values: object) -> Path:
    said = {
        "SliceVector": slices,
        "SpacingBetweenSlices": 4,
        "ImageType": ["ORIGINAL", "PRIMARY", "RECON TOMO"],
    }
    return nuclear(path, len(slices), **{**said, **values})


@pytest.mark.parametrize("spacing", [4, -4])
def test_slices_are_stacked_by_the_sign_of_their_spacing(tmp_path: Path, spacing: float) -> None:
    path = reconstructed(tmp_path / "r.dcm", [1, 2, 3], SpacingBetweenSlices=spacing)
    image, head = formats.read(path), formats.header(path)
    assert head.shape == image.shape == (3, 4, 5) and np.array_equal(head.affine, image.affine)
    order = [0, 1, 2] if spacing > 0 else [2, 1, 0]  # along the normal
    assert image.array[0, :, 0, 0].tolist() == [20 * k for k in order]
    for z, k in enumerate(order):
        wanted = np.array([10, 20, 30]) + k * spacing * NORMAL
        assert np.allclose((image.affine @ [0, 0, z, 1])[:3], wanted)
    assert np.allclose(image.affine[:3, 0], 3 * np.array(ROW)) and np.allclose(
        image.affine[:3, 1], [0, 0, -2]
    )
    theirs = sitk.ReadImage(str(path))
    for k, values in enumerate(sitk.GetArrayFromImage(theirs)):  # each of their slices, in our order
        z = int(image.array[0, :, 0, 0].tolist().index(values[0, 0]))
        assert np.array_equal(image.array[0, z], values)
        assert np.allclose(
            (image.affine @ [4, 3, z, 1])[:3], theirs.TransformIndexToPhysicalPoint([4, 3, k]), atol=1e-3
        )
    found, left = dicom.series([path])
    assert len(found) == 1 and not left and formats.read(found[0].ref).shape == (3, 4, 5)


def test_slices_in_another_order_lie_where_their_numbers_say(tmp_path: Path) -> None:
    image = formats.read(reconstructed(tmp_path / "r.dcm", [1, 3, 2]))
    assert image.array[0, :, 0, 0].tolist() == [0, 40, 20]


def test_a_gated_reconstruction_has_times_where_they_are_said(tmp_path: Path) -> None:
    vectors = {"TimeSlotVector": [1, 1, 2, 2], "RRIntervalVector": [1, 1, 1, 1]}
    bare = reconstructed(tmp_path / "g.dcm", [1, 2, 1, 2], **vectors)
    found, _ = dicom.series([bare])
    assert [s.part for s in found] == ["time 1", "time 2"]
    assert formats.read(found[1].ref).array[0, :, 0, 0].tolist() == [40, 60]
    gated = [item(DataInformationSequence=[item(FrameTime=125)])]
    image = formats.read(
        reconstructed(tmp_path / "t.dcm", [1, 2, 1, 2], GatedInformationSequence=gated, **vectors)
    )
    assert image.array.shape == (2, 1, 2, 4, 5) and image.times_s == (0, 0.125)
    assert image.array[:, 0, :, 0, 0].tolist() == [[0, 20], [40, 60]]


def test_energy_windows_are_stacks_of_their_own(tmp_path: Path) -> None:
    path = reconstructed(tmp_path / "e.dcm", [1, 2, 1, 2], EnergyWindowVector=[1, 1, 2, 2])
    found, _ = dicom.series([path])
    assert [s.part for s in found] == ["stack energy window 1 coronal", "stack energy window 2 coronal"]
    assert formats.read(found[1].ref).array[0, :, 0, 0].tolist() == [40, 60]


def test_a_dynamic_study_has_the_times_of_its_phases(tmp_path: Path) -> None:
    phases = [item(ActualFrameDuration=1000, PauseBetweenFrames=0, PhaseDelay=0, NumberOfFramesInPhase=2)]
    phases.append(
        item(ActualFrameDuration=5000, PauseBetweenFrames=500, PhaseDelay=100, NumberOfFramesInPhase=2)
    )
    image = formats.read(
        nuclear(tmp_path / "d.dcm", 4, PhaseVector=[1, 1, 2, 2], PhaseInformationSequence=phases)
    )
    assert image.times_s == pytest.approx((0, 1, 2.1, 7.6)) and image.array.shape == (4, 1, 1, 4, 5)
    assert image.affine is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            {"SliceVector": None, "DetectorVector": [1, 2]},
            "views of a nuclear medicine study.*DetectorVector.*index",
        ),
        ({"SliceVector": None, "AngularViewVector": [1, 2]}, "2 frames by AngularViewVector"),
        ({"SpacingBetweenSlices": None}, "place is not known"),
        ({"SliceVector": [2, 3]}, "place is not known"),
        ({"SliceVector": [1, 2, 3]}, "SliceVector of 3 values for 2 frames"),
        ({"DetectorInformationSequence": [item()]}, "without a position"),
    ],
)
def test_frames_of_unknown_place_are_refused(tmp_path: Path, values: dict[str, object], says: str) -> None:
    path = reconstructed(tmp_path / "r.dcm", [1, 2], **values)
    with pytest.raises(FormatError, match=says):
        formats.read(path)


def test_a_view_is_read_by_its_index(tmp_path: Path) -> None:
    path = nuclear(tmp_path / "v.dcm", 2, DetectorVector=[1, 2])
    assert formats.read(Ref((path,), None, 1)).array[0, 0, 0, 0] == 20


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore")
def test_a_slide_says_what_it_is_and_what_to_try(shared_data: Path) -> None:
    path = next((shared_data / "dicom_zoo").rglob("sm_image.dcm"))
    with pytest.raises(FormatError, match="tiles of a whole-slide picture.*25 tiles of 50 × 50.*OpenSlide"):
        formats.read(path)
    assert formats.read(Ref((path,), None, 3)).array.shape == (3, 1, 10, 10)
