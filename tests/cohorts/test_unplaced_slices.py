"""Slices of CT, MR and PET that do not say where they lie: one series set aside by name, never many pictures."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
    generate_uid,
)

from vesalius import cohorts
from vesalius.core.errors import DataError
from vesalius.reliability.inspect import inspect

CT = "1.2.840.10008.5.1.4.1.1.2"
PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
Change = Callable[[Dataset, int], None]


def slices(
    folder: Path, count: int = 8, change: Change | None = None, *, kind: str = CT, modality: str = "CT"
) -> Path:
    """A series of slices as files; `change` alters each."""
    folder.mkdir(parents=True, exist_ok=True)
    uid, study = generate_uid(), generate_uid()
    for k in range(count):
        data = Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = kind
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        data.StudyInstanceUID, data.SeriesInstanceUID, data.PatientID = study, uid, "P7"
        data.Modality, data.SeriesDescription, data.InstanceNumber = modality, "thorax", k + 1
        data.SliceLocation = 2.5 * k
        data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = 8, 9, 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.PixelSpacing, data.SliceThickness = [1, 1], 2.5
        data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 2.5 * k]
        data.PixelData = (np.arange(72, dtype="<u2") + k).tobytes()
        if change is not None:
            change(data, k)
        data.save_as(folder / f"IM{k:02}.dcm", enforce_file_format=True)
    return folder


def without(*names: str) -> Change:
    def change(data: Dataset, _: int) -> None:
        for name in names:
            delattr(data, name)

    return change


VARIANTS = {
    "neither": without("ImagePositionPatient", "ImageOrientationPatient"),
    "no position": without("ImagePositionPatient"),
    "no orientation": without("ImageOrientationPatient"),
    "no spacing": without("PixelSpacing"),
    "number alone": without(*PLACE, "SliceLocation", "SliceThickness"),
    "nothing": without(*PLACE, "SliceLocation", "SliceThickness", "InstanceNumber"),
    "empty": lambda data, _: setattr(data, "ImagePositionPatient", None),
    "now this, now that": lambda data, k: delattr(data, PLACE[k % 2]),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_series_without_places_is_one_series_set_aside(tmp_path: Path, variant: str) -> None:
    slices(tmp_path / "a", change=VARIANTS[variant])
    slices(tmp_path / "b")
    cohort = cohorts.read(tmp_path, max_set_aside=1.0)
    assert [len(c.images["image"].paths) for c in cohort.cases] == [8]  # type: ignore[union-attr]
    (aside,) = cohort.set_aside
    assert aside.case == "a/IM00" and aside.files == 8
    assert "8 slices of this series do not say where they lie" in aside.reason and "found no " in aside.reason
    assert "(8 files)" in aside.reason and "original export" in aside.reason


@pytest.mark.parametrize(
    ("kind", "modality", "pictures"),
    [
        (MRImageStorage, "MR", 0),
        (PositronEmissionTomographyImageStorage, "PT", 0),
        ("1.3.46.670589.11.0.0.12.1", "MR", 0),  # a class of a vendor's own
        (UltrasoundImageStorage, "US", 5),
        (ComputedRadiographyImageStorage, "CR", 5),
        (SecondaryCaptureImageStorage, "CT", 5),  # screen shots
    ],
)
def test_pictures_stay_pictures(tmp_path: Path, kind: str, modality: str, pictures: int) -> None:
    slices(tmp_path / "a", 5, VARIANTS["neither"], kind=kind, modality=modality)
    cohort = cohorts.read(tmp_path, max_set_aside=1.0)
    assert len(cohort.cases) == pictures and len(cohort.set_aside) == (0 if pictures else 1)


def test_one_slice_alone_is_a_picture(tmp_path: Path) -> None:
    slices(tmp_path / "a", 1, VARIANTS["neither"])
    assert len(cohorts.read(tmp_path).cases) == 1


def test_sizes_are_told_apart(tmp_path: Path) -> None:
    def change(data: Dataset, k: int) -> None:
        VARIANTS["neither"](data, k)
        if k == 0:
            data.Rows, data.Columns = 9, 8

    slices(tmp_path / "a", 4, change)
    cohort = cohorts.read(tmp_path, max_set_aside=1.0)
    assert len(cohort.cases) == 1 and cohort.set_aside[0].files == 3


def test_every_way_in_says_so(tmp_path: Path) -> None:
    folder = slices(tmp_path / "study" / "a", change=VARIANTS["neither"])
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as file:
        for path in folder.iterdir():
            file.write(path, path.name)
    for place in (tmp_path / "study", folder, tmp_path / "study.zip"):
        found = inspect(cohorts.read(place, max_set_aside=1.0))
        said = [f.text for f in found.findings if "do not say where they lie" in f.text]
        assert len(said) == 1, place
        with pytest.raises(DataError, match="8 slices of this series do not say where they lie"):
            cohorts.read(place)


def test_a_table_reads_each_file_as_a_picture(tmp_path: Path) -> None:
    slices(tmp_path / "ct", change=VARIANTS["neither"])
    rows = [f"ct/IM{k:02}.dcm,{'ab'[k % 2]}" for k in range(8)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,finding", *rows]))
    cohort = cohorts.read(tmp_path / "labels.csv")
    assert len(cohort.cases) == 8 and not cohort.set_aside


def test_a_row_that_names_a_folder_of_unplaced_slices_says_why_there_is_no_image(tmp_path: Path) -> None:
    for k in range(12):
        slices(tmp_path / f"p{k}", 3)

    def unplaced(data: Dataset, _: int) -> None:
        for name in PLACE[:2]:
            delattr(data, name)

    slices(tmp_path / "bad", 3, unplaced)
    rows = [f"p{k},{'ab'[k % 2]}" for k in range(12)] + ["bad,a"]
    (tmp_path / "t.csv").write_text("\n".join(["folder,label", *rows]) + "\n")
    cohort = cohorts.read(tmp_path / "t.csv")
    (one,) = cohort.set_aside
    assert one.case == "bad" and "files in 'bad' that cannot be read: 3 slices" in one.reason


def test_where_no_case_is_left_inspect_finds_an_error_and_localisers_are_named(tmp_path: Path) -> None:
    lost = inspect(cohorts.read(slices(tmp_path / "lost", change=without(*PLACE)), max_set_aside=1.0))
    assert [(f.severity, f.text) for f in lost.findings if f.kind == "cases"] == [
        ("error", "no case can be used")
    ]
    assert not any("0 series" in note for note in lost.cohort.notes)

    def scout(data: Dataset, _: int) -> None:
        data.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    with pytest.raises(DataError, match="no images found in .*; found IM00: a localiser"):
        cohorts.read(slices(tmp_path / "scouts", change=scout))
