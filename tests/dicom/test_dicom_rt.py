"""Structure sets: filled again by an independent rule, in patient coordinates, the contours give the mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from _studies import make_study
from matplotlib.path import Path as Outline

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import GeometryError
from vesalius.core.image import Array, Image
from vesalius.dicom.write.rt_contours import outlines

Errors = Callable[[Path], list[str]]


def filled(path: Path, number: int, image: Image) -> Array:
    """A structure's voxels: pixel centres in an odd number of its contours, each on the slice that it refers to."""
    data = pydicom.dcmread(path)
    found = np.zeros(image.shape, bool)
    z, y, x = image.shape
    centres = np.stack(np.meshgrid(np.arange(x), np.arange(y)), axis=-1).reshape(-1, 2)
    item = data.ROIContourSequence[number - 1]
    assert item.ReferencedROINumber == number
    back = np.linalg.inv(image.affine)
    for contour in item.get("ContourSequence") or ():
        points = np.array(contour.ContourData, np.float64).reshape(-1, 3)
        assert contour.ContourGeometricType == "CLOSED_PLANAR" and contour.NumberOfContourPoints == len(
            points
        )
        index = points @ back[:3, :3].T + back[:3, 3]
        plane = image.source.sop_uids.index(contour.ContourImageSequence[0].ReferencedSOPInstanceUID)
        assert np.abs(index[:, 2] - plane).max() < 2e-3
        ring = Outline(index[:, :2], closed=False)
        found[plane] ^= ring.contains_points(centres).reshape(y, x)
    return found


def shapes(rows: int, columns: int) -> Array:
    """A ring with an island in its hole that has a hole, a block with two holes, single pixels, corners that touch."""
    plane = np.zeros((rows, columns), np.uint8)
    plane[1:12, 1:12], plane[2:11, 2:11], plane[4:9, 4:9], plane[6, 6] = 1, 0, 1, 0
    plane[13:19, 2:14], plane[15:17, 4:6], plane[15, 9] = 1, 0, 0
    plane[2, 16] = plane[3, 17] = plane[4, 16] = plane[0, 25] = plane[19, 25] = 1
    plane[6:10, 15:25], plane[7:9, 16:24:2] = 1, 0
    return plane


@pytest.mark.parametrize("turn", ["oblique", "double oblique", "coronal"])
def test_filling_the_contours_gives_the_mask(turn: str, tmp_path: Path, dciodvfy: Errors) -> None:
    (tmp_path / "source").mkdir()
    image = make_study(tmp_path / "source", turn)
    bits = np.zeros((3, *image.shape), bool)
    bits[0, 2:5] = shapes(*image.shape[1:]) == 1
    bits[1] = np.random.default_rng(0).random(image.shape) > 0.5  # overlaps the first
    labels = (Label(1, "liver"), Label(5, "noise", colour="#00ff00"), Label(7, "nothing"))
    mask = Mask(
        image=replace(image, array=bits), labels=labels, overlapping=True, source=image.source, bundle="b"
    )
    path = formats.write(mask, tmp_path / "out.rt.dcm", source=image)
    assert dciodvfy(path) == []
    assert all(np.array_equal(filled(path, k + 1, image), bits[k]) for k in range(3))
    for k, name in enumerate(("liver", "noise")):
        ours = formats.read(Ref((path, *image.source.files), member=name))
        assert np.array_equal(ours.array[0] == 1, bits[k])


def test_holes_belong_to_the_outline_around_them() -> None:
    plane = shapes(20, 26)
    found = outlines(plane)
    assert len(found) == 3 + 3 + 2 + 1  # ring, island, block; three corners; two at the edge; the comb
    assert all(not np.array_equal(ring[0], ring[-1]) for ring in found)
    assert outlines(np.zeros((4, 4), np.uint8)) == []


def test_it_says_what_it_is(ct: Image, tmp_path: Path) -> None:
    array = np.zeros((1, *ct.shape), np.uint8)
    array[0, 2, 5:9, 5:9] = 3
    mask = Mask(image=replace(ct, array=array), labels=(Label(3, "spleen"),), source=ct.source, bundle="b")
    data = pydicom.dcmread(formats.write(mask, tmp_path / "x.rt.dcm"))
    assert data.ApprovalStatus == "UNAPPROVED" and "research use" in data.SeriesDescription
    assert data.StructureSetROISequence[0].ROIName == "spleen"
    assert data.StructureSetROISequence[0].ROIGenerationAlgorithm == "AUTOMATIC"
    assert data.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence[0].CodeValue == "78961009"
    frame = data.ReferencedFrameOfReferenceSequence[0]
    assert frame.FrameOfReferenceUID == ct.source.frame_of_reference_uid
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == ct.source.series_uid
    assert [i.ReferencedSOPInstanceUID for i in series.ContourImageSequence] == list(ct.source.sop_uids)


def test_an_image_without_place_has_no_contours(ct: Image, tmp_path: Path) -> None:
    path = tmp_path / "flat.dcm"
    data = pydicom.dcmread(ct.source.files[0])
    for name in ("ImagePositionPatient", "ImageOrientationPatient"):
        del data[name]
    data.save_as(path)
    image = formats.read(path)
    mask = Mask(
        image=replace(image, array=np.ones((1, *image.shape), np.uint8)),
        labels=(Label(1, "liver"),),
        source=image.source,
    )
    with pytest.raises(GeometryError, match="patient coordinates.*seg.dcm"):
        formats.write(mask, tmp_path / "x.rt.dcm", source=image)
    assert formats.write(mask, tmp_path / "x.seg.dcm", source=image).is_file()
