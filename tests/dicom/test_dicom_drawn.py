"""Segmentations, structure sets and reports: against highdicom's and pydicom's files, and by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from _studies import COLUMN, ROW, item, plane, series, without
from dicom_mutations import mutants
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from vesalius import cohorts, formats
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.case import Ref
from vesalius.core.errors import DataError, FormatError, NotAnImage
from vesalius.formats import dicom_rt, dicom_seg, dicom_sr


def code(meaning: str, value: str = "1", scheme: str = "99X") -> list[Dataset]:
    return [item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def no_pixels(data: Dataset) -> None:
    del data.Rows, data.Columns, data.PixelData


def bits() -> np.ndarray:
    """Two structures `(2, Z, Y, X)` on four slices of 4 × 5; the first is absent from the last two."""
    found = np.zeros((2, 4, 4, 5), bool)
    found[0, 0, :2], found[0, 1, :2, :3], found[1, 1:, 3, 1:] = True, True, True
    return found


def segmentation(
    path: Path,
    image: Ref,
    drawn: np.ndarray,
    names: Sequence[str] = ("liver", "tumour"),
    *,
    kind: str = "BINARY",
) -> Path:
    """A SEG of the image's series, its empty frames left out, its frames in a mixed order."""
    first = formats.read(image)
    data = plane(0, generate_uid())
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    data.Modality, data.SegmentationType, data.SeriesDescription = "SEG", kind, "drawn"
    without(data)
    data.SegmentSequence = [
        item(SegmentNumber=k + 1, SegmentLabel=name, SegmentedPropertyTypeCodeSequence=code(name, f"T{k}"))
        for k, name in enumerate(names)
    ]
    frames = [(k, z) for z in (2, 0, 3, 1) for k in range(len(names)) if drawn[k, z].any()]
    data.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=[*ROW, *COLUMN])],
            PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.75], SliceThickness=2.5)],
        )
    ]
    data.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[10, 20, 30 + 2.5 * z])],
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=k + 1)],
        )
        for k, z in frames
    ]
    data.NumberOfFrames = len(frames)
    stack = np.stack([drawn[k, z] for k, z in frames])
    if kind == "BINARY":
        data.BitsAllocated = data.BitsStored = 1
        data.HighBit, data.PixelRepresentation = 0, 0
        packed = np.packbits(stack.ravel(), bitorder="little").tobytes()
    else:
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit, data.MaximumFractionalValue = 7, 200
        packed = np.where(stack, 100, 99).astype(np.uint8).tobytes()
    data.PixelData = packed + b"\0" * (len(packed) % 2)
    data.ReferencedSeriesSequence = [item(SeriesInstanceUID=first.source.series_uid)]
    data.save_as(path, enforce_file_format=True)
    return path


def contours(path: Path, image: Ref) -> Path:
    """A structure set: a square with a square hole on slice 1, and a triangle on slice 2."""
    first = formats.read(image)
    affine = first.affine

    def points(index: Sequence[tuple[float, float, float]]) -> list[float]:
        return [round(float(v), 6) for p in index for v in (affine @ [*p, 1])[:3]]

    def closed(index: Sequence[tuple[float, float, float]]) -> Dataset:
        return item(
            ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=len(index), ContourData=points(index)
        )

    data = plane(0, generate_uid())
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    data.Modality = "RTSTRUCT"
    no_pixels(data)
    data.StructureSetROISequence = [item(ROINumber=7, ROIName="bladder"), item(ROINumber=9, ROIName="tip")]
    outer = [(0.5, -0.5, 1), (4.5, -0.5, 1), (4.5, 3.5, 1), (0.5, 3.5, 1)]
    hole = [(1.5, 0.5, 1), (3.5, 0.5, 1), (3.5, 2.5, 1), (1.5, 2.5, 1)]
    data.ROIContourSequence = [
        item(ReferencedROINumber=7, ContourSequence=[closed(outer), closed(hole)]),
        item(
            ReferencedROINumber=9, ContourSequence=[closed([(-0.4, -0.4, 2), (3.1, -0.4, 2), (-0.4, 3.1, 2)])]
        ),
    ]
    there = item(SeriesInstanceUID=first.source.series_uid)
    study = item(RTReferencedSeriesSequence=[there])
    data.ReferencedFrameOfReferenceSequence = [item(RTReferencedStudySequence=[study])]
    data.save_as(path, enforce_file_format=True)
    return path


def report(path: Path, image: Ref) -> Path:
    """A measurement group with a volume, a finding and a remark."""
    data = plane(0, generate_uid())
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    data.Modality = "SR"
    no_pixels(data)
    volume = item(NumericValue="12.5", MeasurementUnitsCodeSequence=code("millilitre", "ml", "UCUM"))
    group = item(
        ValueType="CONTAINER",
        ConceptNameCodeSequence=code("Measurement Group"),
        ContentSequence=[
            item(ValueType="TEXT", ConceptNameCodeSequence=code("Tracking Identifier"), TextValue="lesion 1"),
            item(ValueType="NUM", ConceptNameCodeSequence=code("Volume"), MeasuredValueSequence=[volume]),
            item(
                ValueType="CODE",
                ConceptNameCodeSequence=code("Malignancy"),
                ConceptCodeSequence=code("Benign"),
            ),
        ],
    )
    remark = item(ValueType="TEXT", ConceptNameCodeSequence=code("Impression"), TextValue="a cyst")
    data.ValueType, data.ContentSequence = "CONTAINER", [group, remark]
    there = item(SeriesInstanceUID=formats.read(image).source.series_uid)
    data.CurrentRequestedProcedureEvidenceSequence = [item(ReferencedSeriesSequence=[there])]
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_a_segmentation_lies_on_its_image_s_grid(tmp_path: Path, kind: str) -> None:
    image = series(tmp_path)
    drawn = bits()
    path = segmentation(tmp_path / "s.seg", image, drawn, kind=kind)
    expected = np.where(drawn[0], 1, np.where(drawn[1], 2, 0))
    mask, head = formats.read_mask(Ref((path, *image.paths))), formats.header(Ref((path, *image.paths)))
    assert np.array_equal(mask.array[0], expected) and np.array_equal(mask.affine, formats.read(image).affine)
    assert head.shape == mask.shape
    turned = formats.read_mask(Ref((path, *image.paths), "tumour|absent|liver"))
    assert np.array_equal(turned.array[0], np.where(drawn[0], 3, np.where(drawn[1], 1, 0)))
    assert np.array_equal(formats.read_mask(path).array[0], expected)  # a grid of its own: here the same
    with pytest.raises(FormatError, match="called 'spleen'; found liver, tumour"):
        formats.read_mask(Ref((path,), "spleen"))


def test_segments_that_overlap_are_refused_together_and_read_alone(tmp_path: Path) -> None:
    image, drawn = series(tmp_path), bits()
    drawn[1, 1, 0] = True
    path = segmentation(tmp_path / "s.seg", image, drawn)
    with pytest.raises(FormatError, match="overlap cannot be one label map"):
        formats.read_mask(Ref((path, *image.paths)))
    assert np.array_equal(formats.read_mask(Ref((path, *image.paths), "tumour")).array[0], drawn[1])


def test_another_image_s_grid_is_refused(tmp_path: Path) -> None:
    def finer(data: Dataset, k: int) -> None:
        data.PixelSpacing = [0.25, 0.375]

    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    image, other = series(tmp_path / "a"), series(tmp_path / "b", change=finer)
    path = segmentation(tmp_path / "s.seg", image, bits())
    with pytest.raises(
        FormatError,
        match=r"another direction or spacing.*another spacing, 0\.75 × 0\.5 × 2\.5 and 0\.375 × 0\.25",
    ):
        formats.read_mask(Ref((path, *other.paths)))


def test_contours_are_filled_with_their_holes(tmp_path: Path) -> None:
    image = series(tmp_path)
    path = contours(tmp_path / "rs", image)
    mask = formats.read_mask(Ref((path, *image.paths), "bladder")).array[0]
    expected = np.zeros((4, 4, 5), int)
    expected[1, :, 1:] = 1
    expected[1, 1:3, 2:4] = 0
    assert np.array_equal(mask, expected)
    both = formats.read_mask(Ref((path, *image.paths))).array[0]
    assert both[1].max() == 7 and [tuple(p) for p in np.argwhere(both == 9)] == [
        (2, y, x) for y in range(3) for x in range(3) if x + y <= 2
    ]
    with pytest.raises(FormatError, match="no grid of their own"):
        formats.read_mask(path)
    with pytest.raises(NotAnImage, match="structured report"):
        formats.read(report(tmp_path / "sr", image))


def test_a_report_is_a_text_with_its_numbers(tmp_path: Path) -> None:
    answer = formats.read_answer(report(tmp_path / "sr", series(tmp_path)))
    assert isinstance(answer, Text) and answer.sections["Impression"] == "a cyst"
    assert answer.sections["lesion 1: Malignancy"] == "Benign"
    volume = answer.parts["lesion 1: Volume"]
    assert isinstance(volume, Value) and (volume.x, volume.unit) == (12.5, "ml")


def test_a_tree_with_segmentations_contours_and_reports_has_targets(tmp_path: Path) -> None:
    for k, name in enumerate(("a", "b")):
        folder = tmp_path / name
        folder.mkdir()
        image = series(folder, 4)
        names = ("liver", "tumour") if k == 0 else ("tumour", "liver")  # numbered otherwise
        drawn = bits() if k == 0 else bits()[::-1]
        segmentation(folder / "seg.dcm", image, drawn, names)
        contours(folder / "rs.dcm", image)
        report(folder / "sr.dcm", image)
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "dicomtree" and not cohort.set_aside and len(cohort.cases) == 2
    assert set(cohort.targets) == {"mask", "bladder", "tip", "lesion 1: Volume", "lesion 1: Malignancy"}
    assert [x.name for x in cohort.targets["mask"].labels] == ["liver", "tumour"]
    assert cohort.targets["mask"].labels[1].code == ("T1", "99X", "tumour")
    assert (
        cohort.targets["lesion 1: Volume"].kind == "number"
        and cohort.targets["lesion 1: Malignancy"].kind == "class"
    )
    for case in cohort.cases:
        assert case.targets["lesion 1: Volume"] == 12.5 and "IMPRESSION: a cyst" in (case.report or "")
    masks = [formats.read_mask(c.targets["mask"]).array for c in cohort.cases]  # type: ignore[arg-type]
    assert np.array_equal(masks[0], masks[1])
    checked = cohorts.check(cohort, target="mask")
    assert len(checked.cases) == 2 and not checked.set_aside


@pytest.mark.parametrize("make", [segmentation, contours, report])
def test_seeded_damage_ends_in_a_typed_error(tmp_path: Path, make: Callable[..., Path]) -> None:
    image = series(tmp_path)
    path = make(tmp_path / "x.dcm", image, *((bits(),) if make is segmentation else ()))
    good, refused = path.read_bytes(), 0
    for bad in mutants([good], 120, seed=5):
        path.write_bytes(bad)
        try:
            if make is report:
                dicom_sr.read(Ref((path,)))
            else:
                mask = (dicom_seg if make is segmentation else dicom_rt).read_mask(Ref((path, *image.paths)))
                assert mask.shape == (4, 4, 5)
        except FormatError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 30


@pytest.mark.realdata
def test_real_segmentations_and_reports(shared_data: Path) -> None:
    """highdicom's SEG of four CT slices against its own pixel values; pydicom's structured report."""
    files = shared_data / "dicom_zoo"
    found = {p.name: p for p in files.rglob("*.dcm")}
    seg = formats.read_mask(found["seg_image_ct_binary.dcm"])
    assert seg.array.max() == 1 and seg.affine is not None
    assert np.array_equal(
        formats.read_mask(found["liver.dcm"]).array, formats.read_mask(found["liver_expb.dcm"]).array
    )
    assert np.array_equal(
        formats.read_mask(found["liver.dcm"]).array, formats.read_mask(found["liver_deflate.dcm"]).array
    )
    answer = formats.read_answer(found["test-SR.dcm"])
    assert isinstance(answer, Text) and (answer.sections or answer.parts)
    with pytest.raises(DataError, match="no grid"):
        formats.read_mask(found["rtstruct.dcm"])
