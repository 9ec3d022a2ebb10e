"""Results of sources that are no plain series: tilted gantries, stacks, frames, times, cines, nuclear medicine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from _studies import at, by_hand, cine, enhanced, item, nuclear, plane, series, three_frames, without
from pydicom.dataset import Dataset

from vesalius import formats
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Box, Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError, GeometryError, OutputError
from vesalius.core.image import Image

Errors = Callable[[Path], list[str]]
ROOT = "1.2.826.0.1.3680043.8.498."
CT, MR, US, NM = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2.1", "4.1", "3.1", "20"))


def identify(data: Dataset, k: int = 0, kind: str | None = None) -> None:
    """Give an object the identity that a result refers to."""
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = (
        ROOT + "1",
        ROOT + "2",
        ROOT + "3",
    )
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}4.{k + 1}"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    if kind is not None:
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = kind


def one_file(path: Path, kind: str) -> Path:
    data = pydicom.dcmread(path)
    identify(data, kind=kind)
    data.save_as(path)
    return path


def tilted(folder: Path) -> Ref:
    def tilt(data: Dataset, k: int) -> None:
        identify(data, k)
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [10 - 0.3 * k, 20 + 0.7 * k, 30 + 2.5 * k]

    return series(folder, 6, tilt)


def frames(folder: Path) -> Ref:
    return Ref((one_file(three_frames(folder / "e.dcm"), CT),))


def stack(folder: Path) -> Ref:
    both = [at(z, StackID=s) for s in "12" for z in (4, 0, 2)]
    return Ref((one_file(enhanced(folder / "s.dcm", both), MR),), "stack 2 axial")


def times(folder: Path) -> Ref:
    all_ = [at(z, TemporalPositionIndex=t) for z in (0, 2) for t in (1, 2, 3)]
    for frame, t in zip(all_, (1, 2, 3) * 2, strict=True):
        frame.TemporalPositionSequence = [item(TemporalPositionTimeOffset=1.5 * t)]
    return Ref((one_file(enhanced(folder / "t.dcm", all_), MR),))


def one_frame(folder: Path) -> Ref:
    return Ref(frames(folder).paths, None, 1)


def slices(folder: Path) -> Ref:
    said = {"SliceVector": [1, 2, 3], "SpacingBetweenSlices": -4}
    return Ref((one_file(nuclear(folder / "n.dcm", 3, **said), NM),))


def still(folder: Path) -> Ref:
    return Ref((one_file(cine(folder / "c.dcm", FrameTime=40), US),), None, 2)


PLACED = (tilted, frames, stack, times, one_frame, slices)


def mask_of(image: Image) -> Mask:
    values = np.zeros((1, *image.shape), np.uint8)
    values[0, : max(1, image.shape[0] - 1), 1:3, 1:4] = 3
    plain = replace(image, array=values, times_s=None, unit=None, channels=(), display={})
    return Mask(image=plain, labels=(Label(3, "liver"),), source=image.source, bundle="ab" * 32)


@pytest.mark.parametrize("make", PLACED)
def test_a_mask_lies_where_it_was_drawn(
    make: Callable[[Path], Ref], tmp_path: Path, dciodvfy: Errors
) -> None:
    """Read back here and by highdicom, from the object alone."""
    image = formats.read(make(tmp_path))
    mask = mask_of(image)
    wanted = mask.image.array[0] != 0
    path = formats.write(mask, tmp_path / "m.seg.dcm")
    assert dciodvfy(path) == []
    back = formats.read(path)
    assert np.array_equal(back.array[0] == 1, wanted) and np.allclose(back.affine, image.affine, atol=1e-4)
    theirs = hd.seg.segread(path).get_volume(combine_segments=True)
    voxels = np.argwhere(theirs.array != 0)
    places = np.c_[voxels, np.ones(len(voxels))] @ theirs.affine.T
    index = np.rint(places @ np.linalg.inv(image.affine).T)[:, 2::-1].astype(int)
    assert {tuple(i) for i in index} == {tuple(i) for i in np.argwhere(wanted)}
    for suffix in (".rt.dcm", ".sr.dcm", ".sc.dcm"):
        assert dciodvfy(formats.write(mask, tmp_path / f"m{suffix}")) == [], suffix
    contours = formats.read_mask(Ref((tmp_path / "m.rt.dcm", *image.source.files), "liver")) if make in (
        tilted, frames, times, slices) else None  # fmt: skip
    assert contours is None or np.array_equal(contours.array[0] == 1, wanted)
    shown = pydicom.dcmread(tmp_path / "m.sc.dcm").pixel_array
    shown = shown if shown.ndim == 4 else shown[None]
    assert shown.shape == (*image.shape, 3)
    grey = (shown[..., 0] == shown[..., 1]) & (shown[..., 1] == shown[..., 2])
    assert np.array_equal(~grey, wanted)


@pytest.mark.parametrize("start", ["explicit", "implicit", "group 2"])
def test_sources_without_preamble_are_sources(start: str, tmp_path: Path, dciodvfy: Errors) -> None:
    (folder := tmp_path / "in").mkdir()
    ref = tilted(folder)
    for path in ref.paths:
        if start == "group 2":
            path.write_bytes(path.read_bytes()[132:])
            continue
        data = pydicom.dcmread(path)
        data.PatientName = "Ütz^Änne"
        data.SpecificCharacterSet = "ISO_IR 100"
        del data.file_meta, data.preamble
        data.save_as(path, little_endian=True, implicit_vr=start == "implicit", enforce_file_format=False)
        assert path.read_bytes()[128:132] != b"DICM"
    image = formats.read(ref)
    for suffix in (".seg.dcm", ".sr.dcm", ".rt.dcm", ".sc.dcm"):
        path = tmp_path / f"out{suffix}"
        formats.write(mask_of(image), path, source=image)
        data = pydicom.dcmread(path)
        assert data.StudyInstanceUID == ROOT + "1" and data.PatientID == "P1" and not dciodvfy(path)
        assert start == "group 2" or str(data.PatientName) == "Ütz^Änne"


def test_a_source_that_is_damaged_since_is_said_whole(tmp_path: Path) -> None:
    ref = tilted(tmp_path)
    image = formats.read(ref)
    ref.paths[0].write_bytes(b"not DICOM at all, but something else")
    with pytest.raises(
        OutputError, match="not a DICOM file: the source's header cannot be read; found it begins with"
    ):
        formats.write(mask_of(image), tmp_path / "out.seg.dcm", source=image)


@pytest.mark.parametrize("make", PLACED)
def test_maps_and_boxes_too(make: Callable[[Path], Ref], tmp_path: Path, dciodvfy: Errors) -> None:
    image = formats.read(make(tmp_path))
    mask = mask_of(image)
    field = replace(
        mask.image, array=np.linspace(0, 1, mask.image.array.size, dtype=np.float32).reshape(1, *image.shape)
    )
    path = formats.write(
        Map(image=field, quantity="q", unit="mm2/s", source=image.source), tmp_path / "m.pm.dcm"
    )
    assert dciodvfy(path) == []
    back = formats.read(path)
    assert np.array_equal(back.array, field.array) and np.allclose(back.affine, image.affine, atol=1e-4)
    boxes = Boxes(
        boxes=(Box((0, 1, 1), (1, 3, 4), "node"),),
        p=np.ones(1),
        labels=(Label(1, "node"),),
        source=image.source,
    )
    assert dciodvfy(formats.write(boxes, tmp_path / "b.sr.dcm")) == []


def referred(items: Any) -> list[tuple[str, Any]]:
    """Every reference to an instance in a data set, with the frames that it names."""
    found = []
    for element in items:
        if element.VR == "SQ":
            for one in element.value:
                if "ReferencedSOPInstanceUID" in one:
                    found.append((str(one.ReferencedSOPInstanceUID), one.get("ReferencedFrameNumber")))
                found += referred(one)
    return found


def test_a_frame_of_a_cine_is_referred_to_by_its_number(tmp_path: Path, dciodvfy: Errors) -> None:
    image = formats.read(still(tmp_path))
    mask = mask_of(image)
    for suffix in (".seg.dcm", ".sr.dcm", ".sc.dcm"):
        path = formats.write(mask, tmp_path / f"m{suffix}")
        assert dciodvfy(path) == [], suffix
        frames_named = {
            n for uid, n in referred(pydicom.dcmread(path)) if uid == ROOT + "4.1" and n is not None
        }
        assert frames_named == {3}, suffix
    bits = pydicom.dcmread(tmp_path / "m.seg.dcm").pixel_array
    assert np.array_equal(bits.reshape(4, 5) != 0, mask.image.array[0, 0] != 0)
    back = formats.read(tmp_path / "m.seg.dcm")
    assert back.affine is None and np.array_equal(back.array != 0, mask.image.array != 0)
    other = formats.read(Ref(image.source.files, None, 1))
    uids = {
        str(pydicom.dcmread(formats.write(mask_of(i), tmp_path / "u.seg.dcm")).SOPInstanceUID)
        for i in (image, other)
    }
    assert len(uids) == 2  # each frame has a segmentation of its own
    with pytest.raises(GeometryError, match="contours are in patient coordinates"):
        formats.write(mask, tmp_path / "m.rt.dcm")


def test_a_picture_s_mask_is_read_on_its_picture(tmp_path: Path) -> None:
    """Two labels on a radiograph, by themselves and on the image; another size is refused."""

    def radiograph(data: Dataset, k: int) -> None:
        identify(data, kind="1.2.840.10008.5.1.4.1.1.1.1")
        without(data)
        del data.FrameOfReferenceUID
        data.Modality, data.PatientOrientation = "DX", ["L", "F"]

    ref = series(tmp_path, 1, radiograph)
    image = formats.read(ref)
    values = np.zeros((1, 1, 4, 5), np.uint8)
    values[0, 0, :2, :2], values[0, 0, 3, 1:] = 1, 2
    labels = (Label(1, "lung"), Label(2, "heart"))
    mask = Mask(image=replace(image, array=values), labels=labels, source=image.source, bundle="ab" * 32)
    path = formats.write(mask, tmp_path / "x.seg.dcm")
    assert np.array_equal(formats.read_mask(path).array, values)
    on_image = formats.read_mask(Ref((path, *ref.paths), "heart|lung"))
    assert np.array_equal(on_image.array[0, 0], np.array([0, 2, 1])[values[0, 0]])
    assert on_image.source.series_uid == image.source.series_uid and formats.header(path).affine is None
    (tmp_path / "o").mkdir()
    larger = series(tmp_path / "o", 1, lambda data, k: (radiograph(data, k), setattr(data, "Rows", 2))[0])
    with pytest.raises(FormatError, match="another size"):
        formats.read_mask(Ref((path, *larger.paths), "lung"))


def test_a_picture_of_a_class_that_leaves_the_number_of_frames_out(tmp_path: Path, dciodvfy: Errors) -> None:
    data = plane(0, "1.2.3")
    identify(data, kind="1.2.840.10008.5.1.4.1.1.12.1")
    without(data)
    del data.FrameOfReferenceUID
    data.Modality = "XA"
    data.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    image = formats.read(tmp_path / "x.dcm")
    drawn = np.zeros(image.array.shape, np.uint8)
    drawn[0, 0, 1:3, 2:4] = 1
    mask = Mask(image=Image(array=drawn), labels=(Label(1, "vessel"),), source=image.source)
    path = formats.write(mask, tmp_path / "m.seg.dcm", source=image)
    assert dciodvfy(path) == [] and np.array_equal(by_hand(path)[1][()], drawn[0, 0])
