"""What a DICOM image declares of itself, and what a bundle is compared with: modality, unit, body part, sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from _studies import plane
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.image import Image
from vesalius.formats import Header


def declared(folder: Path, **elements: Any) -> tuple[Image, Header]:
    """A plane with other elements, those that are None left out, as it is read and as its header says."""
    data: Dataset = plane(0, "1.3")
    for name, value in elements.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.save_as(folder / "x.dcm", enforce_file_format=True)
    ref = Ref((folder / "x.dcm",))
    return formats.read(ref), formats.header(ref)


@pytest.mark.parametrize(
    ("uid", "modality"),
    [
        (CTImageStorage, "CT"),
        (MRImageStorage, "MR"),
        (PositronEmissionTomographyImageStorage, "PT"),
        (UltrasoundImageStorage, "US"),
        (DigitalMammographyXRayImageStorageForPresentation, "MG"),
        (SecondaryCaptureImageStorage, None),
    ],
)
def test_an_image_without_a_modality_is_of_what_alone_makes_its_class(
    uid: str, modality: str | None, tmp_path: Path
) -> None:
    for missing in (None, ""):
        image, header = declared(tmp_path, SOPClassUID=uid, Modality=missing)
        assert image.modality == header.modality == modality
    assert declared(tmp_path, SOPClassUID=uid, Modality="OT")[0].modality == "OT"


@pytest.mark.parametrize(
    ("kind", "unit"),
    [(None, "HU"), ("HU", "HU"), ("MGML", "mg/mL"), ("PCT", "%"), ("ED", "10*23/mL"), ("US", None)],
)
def test_what_a_ct_measures_is_its_unit_where_that_is_not_attenuation(
    kind: str | None, unit: str | None, tmp_path: Path
) -> None:
    image, header = declared(tmp_path, **({} if kind is None else {"RescaleType": kind}))
    assert image.unit == header.unit == unit


def test_a_header_declares_what_the_image_does(tmp_path: Path) -> None:
    image, header = declared(
        tmp_path,
        Modality="MR",
        SOPClassUID=MRImageStorage,
        BodyPartExamined="HEAD",
        SeriesDescription="ax T2 FLAIR",
    )
    assert (image.body_part, image.sequence) == (header.body_part, header.sequence) == ("HEAD", "FLAIR")
