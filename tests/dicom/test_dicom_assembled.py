"""Series that would be put together wrongly without a word: each is read right, cut apart by name, or refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from _studies import Change, at, enhanced, item, plane, series, without
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.dicom.series.grouping import Found
from vesalius.formats import dicom

Look = Callable[..., Found]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """What is found in a series of so many planes, with a change to each."""

    def found(count: int, change: Change | None = None) -> Found:
        series(tmp_path, count, change)
        return dicom.sort(sorted(tmp_path.rglob("*.dcm")))

    return found


def one(k: int, **values: Any) -> Change:
    """Something else in plane k alone; None takes the element away."""

    def change(data: Dataset, n: int) -> None:
        for name, value in values.items() if n == k else ():
            if value is None:
                delattr(data, name)
            else:
                setattr(data, name, value)

    return change


def data_of(folder: Path) -> Dataset:
    """The header of a plane of the series."""
    return pydicom.dcmread(folder / "IM2.dcm")


def reason(found: Found) -> str:
    """Why a series is refused, of which nothing is read then."""
    assert not found.series and len(found.refused) == 1, found
    return found.refused[0][1]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"PatientID": "P2"}, "of several patients; found 2 patient ids"),
        ({"PatientID": None}, "found 2 patient ids, one of them empty"),
        ({"IssuerOfPatientID": "A"}, None),  # the others do not say
        ({"PatientID": "P1 "}, None),
        ({"StudyInstanceUID": "1.9"}, "of several studies"),
        ({"StudyInstanceUID": None}, None),
    ],
)
def test_a_series_is_of_one_patient_and_one_study(
    look: Look, values: dict[str, Any], says: str | None
) -> None:
    found = look(4, one(2, **values))
    if says is None:
        assert len(found.series) == 1 and formats.read(found.series[0].ref).shape == (4, 4, 5)
        return
    assert says in reason(found) and "P2" not in reason(found) and len(found.refused[0][0]) == 4
    with pytest.raises(FormatError, match="several"):
        formats.read(Ref(found.refused[0][0]))


def test_ids_of_two_issuers_are_two_patients(look: Look) -> None:
    def change(data: Dataset, k: int) -> None:
        data.IssuerOfPatientID = "AB"[k % 2]

    assert "2 issuers" in reason(look(4, change))


@pytest.mark.parametrize("k", [0, 3, 7])
@pytest.mark.parametrize("lost", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_a_slice_without_a_place_is_no_image_of_its_own(look: Look, k: int, lost: str) -> None:
    said = reason(look(8, one(k, **{lost: None})))
    assert f"no {lost} in IM{8 - k}.dcm" in said and "without it" in said


def test_a_screen_shot_without_a_place_is_one(look: Look, tmp_path: Path) -> None:
    shot = plane(20, str(pydicom.dcmread(series(tmp_path, 4).paths[0]).SeriesInstanceUID))
    shot.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    without(shot)
    shot.save_as(tmp_path / "shot.dcm", enforce_file_format=True)
    found = dicom.sort(sorted(tmp_path.glob("*.dcm")))
    assert sorted(len(s.ref.paths) for s in found.series) == [1, 4] and not found.refused
    assert {s.part for s in found.series} == {"rescale 1", "rescale 2"}  # the first that tells them apart


UNLIKE = {
    "size": {"Rows": 2, "PixelData": bytes(20)},
    "pixel spacing": {"PixelSpacing": [0.6, 0.75]},
    "frame of reference": {"FrameOfReferenceUID": "1.5"},
    "orientation": {"ImageOrientationPatient": [-0.8, -0.6, 0, -0.6, 0.8, 0]},
    "photometric interpretation": {"PhotometricInterpretation": "MONOCHROME1"},
    "rescale": {"RescaleSlope": None, "RescaleIntercept": None},
    "unit": {"RescaleType": "US"},
    "modality": {"Modality": "PT"},
    "b-value": {"DiffusionBValue": 1000.0},
    "echo time": {"EchoTime": 80},
}


@pytest.mark.parametrize("k", [0, 3, 7])
@pytest.mark.parametrize("name", UNLIKE)
def test_a_slice_unlike_the_others_is_no_image_of_its_own(look: Look, name: str, k: int) -> None:
    """Neither read among the others with another meaning, nor left out at an end of theirs."""
    others = {"b-value": {"DiffusionBValue": 0.0}, "echo time": {"EchoTime": 2.5}}.get(name, {})

    def change(data: Dataset, n: int) -> None:
        for element, value in others.items():
            setattr(data, element, value)
        one(k, **UNLIKE[name])(data, n)

    found = look(8, change)
    assert name in reason(found) and f"IM{8 - k}.dcm" in reason(found)
    with pytest.raises(FormatError):
        formats.read(Ref(found.refused[0][0]))


@pytest.mark.parametrize("name", ["rescale", "unit", "photometric interpretation"])
@pytest.mark.parametrize("slices", [8, 9])
def test_every_other_slice_unlike_the_others_makes_no_two_half_volumes(
    look: Look, name: str, slices: int
) -> None:
    def change(data: Dataset, k: int) -> None:
        if k % 2:
            one(k, **UNLIKE[name])(data, k)

    assert name in reason(look(slices, change))


def test_interleaved_slices_of_another_kind_do_not_fill_the_gaps(look: Look) -> None:
    def change(data: Dataset, k: int) -> None:
        data.EchoTime = (2.5, 80)[k % 2]

    found = look(8, change)  # evenly spaced only together
    assert [s.part for s in found.series] == ["echo time 2.5", "echo time 80"]
    assert all(formats.read(s.ref).spacing_mm[2] == 5 for s in found.series)  # type: ignore[index]


def test_halves_of_two_echoes_are_no_volume(look: Look) -> None:
    def change(data: Dataset, k: int) -> None:
        data.EchoTime = (2.5, 80)[k // 4]

    assert [s.part for s in look(8, change).series] == ["echo time 2.5", "echo time 80"]


@pytest.mark.parametrize("gone", [0, 2])
def test_a_time_that_is_short_of_a_slice_is_refused_and_the_others_are_read(
    look: Look, tmp_path: Path, gone: int
) -> None:
    def change(data: Dataset, k: int) -> None:
        data.ImagePositionPatient = [10, 20, 30 + 2.5 * (k % 5)]
        data.TemporalPositionIdentifier = k // 5 + 1

    look(15, change)
    (tmp_path / f"IM{15 - (5 + gone)}.dcm").unlink()
    found = dicom.sort(sorted(tmp_path.glob("*.dcm")))
    assert [s.part for s in found.series] == ["time 1", "time 3"]
    ((paths, said),) = found.refused
    assert len(paths) == 4 and "slices of 'time 2' are missing; found none at 1 places" in said


def test_frames_of_a_time_that_is_short_are_refused_too(tmp_path: Path) -> None:
    frames = [at(z, TemporalPositionIndex=t) for t in (1, 2, 3) for z in (0, 2, 4) if (t, z) != (2, 4)]
    path = enhanced(tmp_path / "t.dcm", frames)
    found = dicom.sort([path])
    assert [s.part for s in found.series] == ["time 1", "time 3"] and "'time 2'" in found.refused[0][1]
    with pytest.raises(FormatError, match="several stacks"):
        formats.read(path)


def test_a_mark_that_is_each_planes_own_does_not_shred_volumes(look: Look) -> None:
    def change(data: Dataset, k: int) -> None:
        data.ImagePositionPatient = [10, 20, 30 + 2.5 * (k % 3)]
        data.AcquisitionNumber = k

    found = look(6, change)
    assert len(found.series) == 1
    with pytest.raises(FormatError, match="several planes at one position"):
        formats.read(found.series[0].ref)


def test_a_bolus_watched_at_one_place_is_apart_from_the_scan(look: Look) -> None:
    def change(data: Dataset, k: int) -> None:
        data.AcquisitionNumber = min(k, 4) + 1
        if k < 4:
            data.ImagePositionPatient = [10, 20, 45]

    found = look(12, change)
    assert sorted(len(s.ref.paths) for s in found.series) == [1, 1, 1, 1, 8] and not found.refused


@pytest.mark.parametrize("step", [0.3, 0.625, 1.0, 3.0])
def test_positions_that_jitter_or_were_rounded_are_even(look: Look, step: float) -> None:
    jitter = np.random.default_rng(0).uniform(-0.01, 0.01, 40)

    def change(data: Dataset, k: int) -> None:
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        z = round(step * k, 1) if step == 0.625 else step * k + jitter[k]
        data.ImagePositionPatient = [round(jitter[-k], 4), 0, round(z, 4)]

    image = formats.read(look(40, change).series[0].ref)
    assert image.spacing_mm is not None and image.spacing_mm[2] == pytest.approx(step, abs=0.01)
    assert image.array[0, :, 0, 0].tolist() == [100 * k % 4096 - 1024 for k in range(40)]


@pytest.mark.parametrize("gone", [1, 2, 37, 38])
def test_one_of_forty_thin_slices_is_missed(look: Look, tmp_path: Path, gone: int) -> None:
    def change(data: Dataset, k: int) -> None:
        data.ImagePositionPatient = [10, 20, round(0.625 * k, 1)]

    look(40, change)
    (tmp_path / f"IM{40 - gone}.dcm").unlink()
    with pytest.raises(FormatError, match="missing or unevenly"):
        formats.read(dicom.sort(sorted(tmp_path.glob("*.dcm"))).series[0].ref)


def test_orientations_that_differ_by_rounding_are_one(look: Look) -> None:
    def change(data: Dataset, k: int) -> None:
        data.ImageOrientationPatient = [0.8 + 1e-5 * k, 0.6, 1e-6 * k, -0.6, 0.8 - 1e-5 * k, 0]
        data.InstanceNumber = 100 - k

    image = formats.read(look(6, change).series[0].ref)
    assert image.array[0, :, 0, 0].tolist() == [100 * k - 1024 for k in range(6)]


def test_a_tilted_gantry_whose_positions_jitter_is_still_moved_upright(look: Look) -> None:
    jitter = np.random.default_rng(1).uniform(-0.02, 0.02, (12, 3))

    def change(data: Dataset, k: int) -> None:
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [round(float(v), 3) for v in (jitter[k] + [0, 0.7 * k, 3 * k])]

    image = formats.read(look(12, change).series[0].ref)
    assert image.affine is not None and image.display["gantry_tilt"] == "moved upright"
    assert np.allclose(image.affine[:3, :3], np.diag([0.75, 0.5, 3]), atol=0.01)


def test_slices_of_other_bits_and_signs_keep_their_values(look: Look) -> None:
    def change(data: Dataset, k: int) -> None:
        data.PixelPaddingValue = -2000 if k % 2 else 63
        if k % 2:
            data.PixelRepresentation, data.BitsStored, data.HighBit = 1, 16, 15
            data.PixelData = np.array([-2000] + [k] * 19, "<i2").tobytes()

    image = formats.read(look(4, change).series[0].ref)
    assert image.array[0, :, 0, :2].tolist() == [[-1024, -1023], [-3024, -1023], [-824, -823], [-3024, -1021]]


def test_frames_in_any_order_of_two_stacks_with_a_rescale_each(tmp_path: Path) -> None:
    places = [(s, z) for s in "12" for z in (8, 0, 4)]
    frames = [at(z, StackID=s) for s, z in places]
    for k, frame in enumerate(frames):
        frame.PixelValueTransformationSequence = [
            item(RescaleSlope=k + 1, RescaleIntercept=0, RescaleType="US")
        ]
    found = dicom.sort([enhanced(tmp_path / "e.dcm", frames)])
    second = formats.read(found.series[1].ref)
    assert second.array[0, :, 0, 0].tolist() == [80 * 5, 100 * 6, 60 * 4]


def test_what_only_the_shared_groups_say_counts(tmp_path: Path) -> None:
    """Without a group of its own a frame has the shared ones: its spacing and its rescale are not lost."""
    shared = [item(RescaleSlope=2, RescaleIntercept=-5)]

    def stripped(name: str, count: int, **values: Any) -> Path:
        frames = [at(2 * z) for z in range(count)]
        path = enhanced(tmp_path / name, frames, spacing=(2, 3), PixelValueTransformationSequence=shared)
        data = pydicom.dcmread(path)
        del data.PerFrameFunctionalGroupsSequence
        for element, value in values.items():
            setattr(data, element, value)
        data.save_as(path)
        return path

    image = formats.read(stripped("one.dcm", 1))
    assert image.array[0, 0, 0, :2].tolist() == [-5, -3] and image.affine is None
    assert image.spacing_mm == (3, 2, 2)
    with pytest.raises(FormatError, match="without a place"):
        formats.read(stripped("three.dcm", 3))
    cine = stripped("cine.dcm", 3, FrameTime=40)
    assert formats.read(cine).array[1, 0, 0, 0, 0] == 2 * 20 - 5
    assert len(dicom.sort([cine]).series) == 1


def test_frames_that_lost_their_groups_or_their_place_are_said(tmp_path: Path) -> None:
    path = enhanced(tmp_path / "e.dcm", [at(z) for z in (0, 2, 4)])
    data = pydicom.dcmread(path)
    del data.PerFrameFunctionalGroupsSequence[2]
    data.FrameTime = 40
    data.save_as(path)
    with pytest.raises(FormatError, match="groups of 2 frames for 3"):
        formats.read(path)
    frames = [at(z) for z in (0, 2, 4)]
    del frames[2].PlanePositionSequence
    path = enhanced(tmp_path / "f.dcm", frames)
    (found,) = dicom.sort([path]).series
    with pytest.raises(FormatError, match="1 of 3, the first is number 3"):
        formats.read(found.ref)


def test_frames_of_which_some_are_rescaled_are_not_one_image(tmp_path: Path) -> None:
    frames = [at(z) for z in (0, 2, 4)]
    for frame in frames[:2]:
        frame.PixelValueTransformationSequence = [item(RescaleSlope=1, RescaleIntercept=-9, RescaleType="HU")]
    with pytest.raises(FormatError, match="values of several kinds"):
        formats.read(enhanced(tmp_path / "e.dcm", frames, modality="CT"))


def test_mosaics_and_parts_of_a_concatenation_are_named(look: Look, tmp_path: Path) -> None:
    found = look(2, one(0, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]))
    assert "a mosaic, and nothing says" in found.refused[0][1] and len(found.series) == 1
    path = enhanced(tmp_path / "c.dcm", [at(0), at(2)])
    data = pydicom.dcmread(path)
    data.ConcatenationUID, data.InConcatenationNumber, data.InConcatenationTotalNumber = "1.7", 2, 3
    data.save_as(path)
    with pytest.raises(FormatError, match="found part 2 of 3"):
        formats.read(path)


def test_one_uid_twice_is_a_copy_or_two_images(look: Look, tmp_path: Path) -> None:
    look(4)
    again = pydicom.dcmread(tmp_path / "IM2.dcm")
    again.SeriesDescription = "sent again"
    again.compress(RLELossless, generate_instance_uid=False)
    again.save_as(tmp_path / "late.dcm")
    shutil.copy(tmp_path / "IM1.dcm", tmp_path / "same.dcm")
    found = dicom.sort(sorted(tmp_path.glob("*.dcm")))
    assert [p.name for p, _ in found.spare] == ["late.dcm", "same.dcm"]
    assert len(found.series) == 1 and formats.read(found.series[0].ref).shape == (4, 4, 5)
    other = pydicom.dcmread(tmp_path / "IM2.dcm")
    other.PixelData = bytes(40)
    other.save_as(tmp_path / "late.dcm")
    assert "two different images stand under one SOPInstanceUID" in reason(
        dicom.sort(sorted(tmp_path.glob("*.dcm")))
    )


def test_copies_of_pictures_and_cines_are_copies_too(tmp_path: Path) -> None:
    def radiograph(data: Dataset, k: int) -> None:
        without(data)

    series(tmp_path, 1, radiograph)
    shutil.copy(tmp_path / "IM1.dcm", tmp_path / "again.dcm")
    found = dicom.sort(sorted(tmp_path.glob("*.dcm")))
    assert len(found.series) == 1 and len(found.spare) == 1


@pytest.mark.parametrize("implicit", [False, True])
def test_a_volume_is_not_read_without_its_damaged_slice(look: Look, tmp_path: Path, implicit: bool) -> None:
    look(5)
    path = tmp_path / "IM1.dcm"  # the last in space
    if implicit:
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        data.save_as(path, implicit_vr=True, little_endian=True)
    path.write_bytes(path.read_bytes()[:-8])
    said = reason(dicom.sort(sorted(tmp_path.glob("*.dcm"))))
    assert "is damaged, and the others would be read without it" in said and "IM1.dcm: truncated" in said
    path.unlink()
    derived = plane(9, "1.9.9")
    derived.ReferencedSeriesSequence = [item(SeriesInstanceUID=data_of(tmp_path).SeriesInstanceUID)]
    derived.save_as(tmp_path / "derived.dcm", enforce_file_format=True)
    (tmp_path / "derived.dcm").write_bytes((tmp_path / "derived.dcm").read_bytes()[:-8])
    (tmp_path / "notes.dcm").write_text("nothing")  # of no series
    found = dicom.sort(sorted(tmp_path.glob("*.dcm")))
    assert len(found.series) == 1 and {p.name for p, _ in found.left} == {"derived.dcm", "notes.dcm"}


def test_a_place_that_is_no_number_is_that_file_s_damage(look: Look, tmp_path: Path) -> None:
    look(5)
    data = (tmp_path / "IM1.dcm").read_bytes()
    assert data.count(b"\\40.0") == 1
    (tmp_path / "IM1.dcm").write_bytes(data.replace(b"\\40.0", b"\\4x.0"))
    found = dicom.sort(sorted(tmp_path.glob("*.dcm")))
    assert "damaged" in reason(found) and "IM1.dcm" in reason(found)

    def radiograph(data: Dataset, k: int) -> None:
        without(data)
        data.SOPInstanceUID, data.Modality = f"1.7.{k}", "CR"  # slices of CT would be no pictures
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    series(pictures, 3, radiograph)
    whole = (pictures / "IM1.dcm").read_bytes()
    (pictures / "IM1.dcm").write_bytes(whole[:-4])
    found = dicom.sort(sorted(pictures.glob("*.dcm")))
    assert len(found.series) == 2 and [p.name for p, _ in found.left] == ["IM1.dcm"]


def test_a_frame_unlike_the_others_refuses_its_file_alone(tmp_path: Path) -> None:
    frames = [at(z) for z in (0, 2, 4, 6)]
    frames[3].PixelMeasuresSequence = [item(PixelSpacing=[2, 2], SliceThickness=2)]
    path = enhanced(tmp_path / "e.dcm", frames)
    other = enhanced(tmp_path / "f.dcm", [at(z) for z in (0, 2, 4)], modality="CT")
    data = pydicom.dcmread(other)
    data.SOPInstanceUID = "1.7"
    data.save_as(other)
    found = dicom.sort([path, other])
    assert [s.ref.paths for s in found.series] == [(other,)]
    assert "another pixel spacing in e.dcm" in found.refused[0][1]


def test_colours_of_other_bits_and_floats_do_not_wrap(look: Look, tmp_path: Path) -> None:
    """What is read into the type of the first file would be cut down to it."""

    def colour(data: Dataset, k: int) -> None:
        del data.RescaleSlope, data.RescaleIntercept
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
        bits = 16 if k == 3 else 8
        data.BitsAllocated = data.BitsStored = bits
        data.HighBit, data.PixelData = bits - 1, bytes(60 * bits // 8)

    assert "another photometric interpretation" in reason(look(4, colour))
    for path in tmp_path.glob("*.dcm"):
        path.unlink()

    def floats(data: Dataset, k: int) -> None:
        if k == 3:
            del data.PixelData
            data.BitsAllocated, data.FloatPixelData = 32, np.linspace(0, 1, 20, dtype="<f4").tobytes()

    assert "another kind of pixels" in reason(look(4, floats))


def test_phases_of_beats_that_differ_from_slice_to_slice_are_taken_in_turn(
    look: Look, tmp_path: Path
) -> None:
    def change(data: Dataset, k: int) -> None:
        place, phase = k % 4, k // 4
        data.ImagePositionPatient = [10, 20, 30 + 2.5 * place]
        data.TriggerTime = round((40 + 1.7 * place) * phase, 2)

    found = look(12, change)
    assert [s.part for s in found.series] == [f"phase {n} of 3" for n in (1, 2, 3)]
    assert formats.read(found.series[1].ref).array[0, :, 0, 0].tolist() == [
        100 * k - 1024 for k in (4, 5, 6, 7)
    ]
    (tmp_path / "IM4.dcm").unlink()  # one phase of one slice: which is which is not known any more
    (left,) = dicom.sort(sorted(tmp_path.glob("*.dcm"))).series
    with pytest.raises(FormatError, match="several planes at one position"):
        formats.read(left.ref)


def test_a_mark_that_mixes_b_values_does_not_tell_planes_apart(look: Look) -> None:
    def change(data: Dataset, k: int) -> None:
        data.ImagePositionPatient = [10, 20, 30 + 2.5 * (k % 3)]
        data.AcquisitionNumber = k // 3
        data.DiffusionBValue = (0.0, 1000.0, 1000.0)[(k // 3 + k % 3) % 3]

    found = look(9, change)
    for series_ in found.series:
        with pytest.raises(FormatError):
            formats.read(series_.ref)


def test_frames_of_several_units_are_stacks_of_their_own(tmp_path: Path) -> None:
    """As of a CT of several energies: each is read by itself, in its own unit."""
    frames = [at(z) for _ in range(2) for z in (0, 2, 4)]
    for k, frame in enumerate(frames):
        unit = "HU" if k < 3 else "Z_EFF"
        frame.PixelValueTransformationSequence = [
            item(RescaleSlope=1 + k // 3, RescaleIntercept=-9, RescaleType=unit)
        ]
    found = dicom.sort([enhanced(tmp_path / "e.dcm", frames, modality="CT")])
    assert [s.part for s in found.series] == ["unit HU", "unit Z_EFF"]
    first, second = (formats.read(s.ref) for s in found.series)
    assert (first.unit, second.unit) == ("HU", None)
    assert first.array[0, :, 0, 0].tolist() == [-9, 11, 31]
    assert second.array[0, :, 0, 0].tolist() == [111, 151, 191]
