"""DICOM against SimpleITK and by hand: order, affine, rescale, spacing's place, multi-frame, damage."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from _studies import Change, enhanced, plane, series, three_frames, without
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.image import Image
from vesalius.formats import dicom


def test_a_series_is_sorted_by_place_and_in_hounsfield_units(tmp_path: Path) -> None:
    ref = series(tmp_path)
    image, head = formats.read(ref), formats.header(ref)
    expected = np.arange(20).reshape(4, 5)[None] + 100 * np.arange(4)[:, None, None] - 1024
    assert np.array_equal(image.array[0], expected) and image.array.dtype == np.int16 and image.unit == "HU"
    assert np.allclose(
        image.affine @ [1, 0, 0, 1], [10 + 0.8 * 0.75, 20 + 0.6 * 0.75, 30, 1]
    )  # x: column spacing
    assert np.allclose(image.affine @ [0, 1, 0, 1], [10 - 0.6 * 0.5, 20 + 0.8 * 0.5, 30, 1])  # y: row spacing
    assert np.allclose(image.affine @ [0, 0, 3, 1], [10, 20, 37.5, 1])
    assert image.source.sop_uids == ("1.2.3.1", "1.2.3.2", "1.2.3.3", "1.2.3.4")
    assert image.source.frame_of_reference_uid == "1.4" and image.modality == "CT"
    assert image.display["window"] == (40.0, 400.0)
    assert (head.shape, head.dtype, head.modality) == ((4, 4, 5), "int16", "CT")
    assert np.array_equal(head.affine, image.affine)


def test_simpleitk_agrees(tmp_path: Path) -> None:
    ref = series(tmp_path)
    uid = pydicom.dcmread(ref.paths[0]).SeriesInstanceUID
    theirs = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path), uid))
    image = formats.read(ref)
    affine = np.eye(4)
    affine[:3, :3] = np.array(theirs.GetDirection()).reshape(3, 3) * np.array(theirs.GetSpacing())
    affine[:3, 3] = theirs.GetOrigin()
    assert np.allclose(image.affine, affine)
    assert np.array_equal(sitk.GetArrayFromImage(theirs), image.array[0])


def test_a_tilted_gantry_is_moved_upright(tmp_path: Path) -> None:
    """Where values are a linear function of place, they still are after the slices were moved."""

    def tilt(data: Dataset, k: int) -> None:
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [10 - 0.3 * k, 20 + 0.7 * k, 30 + 2.5 * k]
        y, x = np.mgrid[0:4, 0:5]
        place = 10 * (10 - 0.3 * k + 0.75 * x) + 40 * (20 + 0.7 * k + 0.5 * y)
        data.PixelData = np.rint(place).astype("<u2").tobytes()
        data.RescaleSlope, data.RescaleIntercept = 0.5, 100

    ref = series(tmp_path, 6, tilt)
    image, head = formats.read(ref), formats.header(ref)
    assert (
        image.affine is not None and head.shape == image.shape and np.array_equal(head.affine, image.affine)
    )
    axes = image.affine[:3, :3]
    assert np.allclose(axes, np.diag([0.75, 0.5, 2.5])) and image.shape == (6, 11, 7)
    z, y, x = np.mgrid[0:6, 0:11, 0:7]
    place = np.einsum("ij,j...->i...", image.affine, np.stack([x, y, z, np.ones_like(x)]))
    expected = (10 * place[0] + 40 * place[1]) * 0.5 + 100
    inside = image.array[0] != image.array.min()
    assert inside.sum() > 60 and np.abs(image.array[0] - expected)[inside].max() < 0.6
    assert len(image.source.sop_uids) == 6 and image.display["gantry_tilt"] == "moved upright"


def set_to(**values: object) -> Change:
    def change(data: Dataset, k: int) -> None:
        if k == 2:
            for name, value in values.items():
                setattr(data, name, value)

    return change


def missing(*names: str, every: bool = True) -> Change:
    def change(data: Dataset, k: int) -> None:
        for name in names:
            if every or k == 2:
                delattr(data, name)

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_to(ImagePositionPatient=[10, 20, 36]), "missing or unevenly"),
        (set_to(ImagePositionPatient=[10, 20, 32.5]), "several planes at one position"),
        (set_to(ImagePositionPatient=[14, 20, 35]), "one line"),
        (set_to(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]), "several orientations"),
        (set_to(PixelSpacing=[0.5, 0.5]), "several pixel spacings"),
        (set_to(SeriesInstanceUID="9.9"), "several series"),
        (set_to(Rows=2), "several sizes"),
        (missing("ImagePositionPatient"), "without position"),
        (missing("ImagePositionPatient", every=False), "among others"),
        (missing("PixelData", every=False), "without its pixels"),
        (missing("Rows", every=False), "without an image"),
        (set_to(PixelData=b"\0" * 8), "damaged"),
        (set_to(ImageOrientationPatient=[2, 0, 0, 0, 2, 0]), "several orientations"),
    ],
)
def test_what_is_not_one_even_volume_is_refused(tmp_path: Path, change: Change, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        formats.read(series(tmp_path, change=change))


def test_slopes_give_floats_and_each_plane_its_own(tmp_path: Path) -> None:
    def pet(data: Dataset, k: int) -> None:
        data.Modality, data.RescaleSlope, data.RescaleIntercept = "PT", 0.5 * (k + 1), 0

    image = formats.read(series(tmp_path, change=pet))
    assert image.array.dtype == np.float32 and image.unit is None
    assert image.array[0, 2, 0, 0] == 200 * 1.5 and image.array[0, 3, 0, 0] == 300 * 2.0


@pytest.mark.parametrize(
    ("fields", "spacing", "at"),
    [
        ({"PixelSpacing": [0.2, 0.1]}, (0.1, 0.2, 1.0), "patient"),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, (0.1, 0.2, 1.0), "detector"),
        ({"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.2, 0.1]}, (0.1, 0.2, 1.0), "detector"),
        ({"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.18, 0.09]}, (0.09, 0.18, 1.0), "patient"),
        ({}, None, None),
    ],
)
def test_a_projection_s_spacing_says_where_it_holds(
    tmp_path: Path, fields: dict[str, Sequence[float]], spacing: Any, at: str | None
) -> None:
    def radiograph(data: Dataset, k: int) -> None:
        data.Modality = "DX"
        data.PhotometricInterpretation = "MONOCHROME1"
        without(data, "SliceThickness")
        for name, value in fields.items():
            setattr(data, name, list(value))

    image = formats.read(series(tmp_path, 1, radiograph))
    assert image.affine is None and image.spacing_mm == spacing and image.spacing_at == at
    assert image.display["photometric"] == "MONOCHROME1" and image.array[0, 0, 0, 1] == 1  # not inverted
    assert image.unit is None


def test_frames_are_a_volume_only_where_each_is_placed(tmp_path: Path) -> None:
    path = three_frames(tmp_path / "e.dcm")
    image = formats.read(path)
    frames = np.arange(60).reshape(3, 4, 5) - 10
    assert np.array_equal(image.array[0], frames[[1, 2, 0]])
    assert image.affine.tolist() == [[3, 0, 0, 1], [0, 2, 0, 2], [0, 0, 4, 0], [0, 0, 0, 1]]
    one = formats.read(Ref((path,), None, 2))
    assert np.array_equal(one.array[0, 0], frames[2]) and one.affine[2, 3] == 4
    loose = enhanced(tmp_path / "c.dcm", 3, modality="CT")
    with pytest.raises(FormatError, match="index"):
        formats.read(loose)
    assert np.array_equal(formats.read(Ref((loose,), None, 1)).array[0, 0], frames[1] + 10)
    with pytest.raises(FormatError, match="no such frame"):
        formats.read(Ref((loose,), None, 3))


def test_files_are_grouped_and_the_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    first, second = series(tmp_path / "a", 3), series(tmp_path / "b", 2)
    (tmp_path / "notes.dcm").write_text("nothing")
    found, left = dicom.series(sorted(tmp_path.rglob("*.dcm")))
    assert {s.ref for s in found} == {first, second}
    assert found[0].patient_id == "P1" and found[0].modality == "CT" and found[0].number == 3
    assert [path.name for path, _ in left] == ["notes.dcm"] and "notes.dcm" in left[0][1]


def test_a_deflated_data_set_that_grows_without_end_is_refused(tmp_path: Path) -> None:
    data = plane(0, "1.3")
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(tmp_path / "d.dcm", enforce_file_format=True)
    assert formats.read(tmp_path / "d.dcm").array[0, 0, 0, 1] == -1023
    raw = (tmp_path / "d.dcm").read_bytes()
    start = 144 + int(
        pydicom.filereader.read_file_meta_info(tmp_path / "d.dcm").FileMetaInformationGroupLength
    )
    squeeze = zlib.compressobj(1, zlib.DEFLATED, -15)
    bomb = b"".join(squeeze.compress(bytes(1 << 22)) for _ in range(70)) + squeeze.flush()
    (tmp_path / "d.dcm").write_bytes(raw[:start] + bomb)
    with pytest.raises(FormatError, match="grows too large"):
        formats.read(tmp_path / "d.dcm")


def test_sequences_nested_without_end_are_refused(tmp_path: Path) -> None:
    data = plane(0, "1.3")
    data.save_as(tmp_path / "n.dcm", enforce_file_format=True)
    tail = b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 3000
    raw = (tmp_path / "n.dcm").read_bytes()
    at = raw.index(b"\xe0\x7f\x10\x00")
    (tmp_path / "n.dcm").write_bytes(raw[:at] + tail)
    with pytest.raises(FormatError, match=r"n\.dcm"):
        formats.read(tmp_path / "n.dcm")


def test_claims_and_writing_are_refused(tmp_path: Path) -> None:
    def huge(data: Dataset, k: int) -> None:
        data.Rows = data.Columns = 65535

    with pytest.raises(FormatError, match="claims too much"):
        formats.header(series(tmp_path, 1, huge))
    with pytest.raises(OutputError, match="do not hold"):
        formats.write(Image(array=np.zeros((1, 1, 2, 2))), tmp_path / "x.dcm")


@pytest.mark.realdata
def test_a_real_study_as_simpleitk_reads_it(shared_data: Path) -> None:
    found, left = dicom.series(p for p in sorted((shared_data / "mr_dicom").rglob("*")) if p.is_file())
    assert len(found) == 3 and not left
    for each in found:
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(each.ref.paths[0].parent), each.series_uid)
        theirs, image = sitk.ReadImage(names), formats.read(each.ref)
        affine = np.eye(4)
        affine[:3, :3] = np.array(theirs.GetDirection()).reshape(3, 3) * np.array(theirs.GetSpacing())
        affine[:3, 3] = theirs.GetOrigin()
        assert np.allclose(image.affine, affine, atol=1e-4)
        assert np.array_equal(image.array[0], sitk.GetArrayFromImage(theirs))


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore")
def test_the_zoo_is_read_or_refused_by_name(shared_data: Path) -> None:
    zoo, read = shared_data / "dicom_zoo", 0
    for path in sorted(p for p in zoo.rglob("*.dcm") if p.stat().st_size < 300_000):
        try:
            image = formats.read(path)
        except FormatError as error:
            assert path.name in str(error)
            continue
        head, read = formats.header(path), read + 1
        assert (head.shape, head.dtype) == (image.shape, image.array.dtype.name), path.name
    assert read >= 90, read


def test_rounded_cosines_are_made_of_length_one(tmp_path: Path) -> None:
    def rounded(data: Dataset, k: int) -> None:
        data.ImageOrientationPatient = [1, 0, 0, 0, 0.98796, -0.15152]

    image = formats.read(series(tmp_path, 1, rounded))
    assert image.spacing_mm is not None and image.spacing_mm[:2] == pytest.approx((0.75, 0.5), abs=1e-9)


ALIKE = (
    "CT_small",
    "MR_small",
    "MR_small_bigendian",
    "MR_small_implicit",
    "MR_small_RLE",
    "MR_small_jp2klossless",
    "MR_small_jpeg_ls_lossless",
    "JPEG2000",
    "693_J2KR",
    "693_UNCI",
    "J2K_pixelrep_mismatch",
    "image_dfl",
    "rtdose",
    "rtdose_rle",
    "SC_rgb_rle",
    "SC_rgb_dcmtk_+eb+cy+n1",
    "SC_rgb_small_odd_jpeg",
    "color-px",
    "examples_ybr_color",
    "ExplVR_BigEnd",
)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ALIKE)
def test_a_file_of_the_zoo_as_simpleitk_reads_it(shared_data: Path, name: str) -> None:
    path = next((shared_data / "dicom_zoo").rglob(f"{name}.dcm"), None)
    assert path is not None
    image, theirs = formats.read(path), sitk.ReadImage(str(path))
    other = np.squeeze(sitk.GetArrayFromImage(theirs))
    ours = np.squeeze(np.moveaxis(image.array, -4, -1) if image.channels else image.array)
    factor = image.display.get("unit_factor", 1.0)
    allowed = max(1e-3, 1e-6 * float(np.abs(other).max()))  # dose grids are of 32 bits
    assert ours.shape == other.shape and np.abs(ours / factor - other.astype(float)).max() <= allowed
    if image.affine is not None:
        last = np.array(theirs.TransformIndexToPhysicalPoint([n - 1 for n in theirs.GetSize()]))
        assert np.abs(image.affine @ [*(n - 1 for n in image.shape[::-1]), 1] - [*last, 1]).max() <= 1e-3
