"""SUV by body weight, worked out by hand; and units that are not known, which stay without one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _studies import plane
from pydicom.dataset import Dataset

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError

DOSE_BQ, HALF_LIFE_S, WEIGHT_KG = 3.7e8, 6586.2, 80.0  # fluorine-18


def pet(path: Path, changes: Mapping[str, Any], drug: Mapping[str, Any]) -> Path:
    data = plane(0, "1.3")
    data.Modality, data.Units, data.DecayCorrection, data.PatientWeight = "PT", "BQML", "START", WEIGHT_KG
    data.SeriesDate = data.AcquisitionDate = "20260102"
    data.SeriesTime, data.AcquisitionTime = "100000", "100003.5"
    data.CorrectedImage = ["DECY", "ATTN", "SCAT"]
    data.RescaleSlope, data.RescaleIntercept = 100, 0
    dose = Dataset()
    dose.RadionuclideTotalDose, dose.RadionuclideHalfLife, dose.RadiopharmaceuticalStartTime = (
        DOSE_BQ,
        HALF_LIFE_S,
        "090000",
    )
    for name, value in drug.items():
        setattr(dose, name, value)
    data.RadiopharmaceuticalInformationSequence = [dose]
    for name, value in changes.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


PER_BQML = WEIGHT_KG * 1000 / (DOSE_BQ * 2 ** (-3600 / HALF_LIFE_S))  # an hour after the injection


@pytest.mark.parametrize(
    ("changes", "drug", "factor"),
    [
        ({}, {}, PER_BQML),
        ({"DecayCorrection": "ADMIN"}, {}, WEIGHT_KG * 1000 / DOSE_BQ),
        ({}, {"RadiopharmaceuticalStartDateTime": "20260102090000.00"}, PER_BQML),
        ({"SeriesTime": "003000", "AcquisitionTime": "003000"}, {"RadiopharmaceuticalStartTime": "233000"}, PER_BQML),
        ({"SeriesTime": "150000", "AcquisitionTime": "100000"}, {}, PER_BQML),  # a later reconstruction
        ({"Units": "GML"}, {}, 1.0),
        ({"Units": "GML", "SUVType": "BW"}, {}, 1.0),
    ],
)  # fmt: skip
def test_known_units_become_suv(
    tmp_path: Path, changes: Mapping[str, Any], drug: Mapping[str, Any], factor: float
) -> None:
    image = formats.read(pet(tmp_path / "p.dcm", changes, drug))
    assert image.unit == "SUVbw" and image.array.dtype == np.float32
    assert image.array[0, 0].ravel() == pytest.approx(np.arange(20) * 100 * factor, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "drug", "why"),
    [
        ({"Units": "PROPCPS"}, {}, "units PROPCPS"),
        ({"Units": None}, {}, "not said"),
        ({"Units": "CNTS"}, {}, "without Philips"),
        ({"Units": "GML", "SUVType": "LBM"}, {}, "another type"),
        ({"PatientWeight": None}, {}, "weight"),
        ({"DecayCorrection": "NONE"}, {}, "decay correction NONE"),
        ({"CorrectedImage": ["SCAT"]}, {}, "not corrected"),
        ({}, {"RadionuclideTotalDose": 0}, "dose"),
        ({}, {"RadionuclideHalfLife": 0}, "half-life"),
        ({"SeriesTime": None, "AcquisitionTime": None}, {}, "times"),
    ],
)
def test_unknown_units_stay_without_one_and_say_why(
    tmp_path: Path, changes: Mapping[str, Any], drug: Mapping[str, Any], why: str
) -> None:
    image = formats.read(pet(tmp_path / "p.dcm", changes, drug))
    assert image.unit is None and why in image.display["unit_note"]
    assert image.array[0, 0, 0, 1] in (1, 100)


def test_philips_counts_by_its_own_factors(tmp_path: Path) -> None:
    path = pet(tmp_path / "p.dcm", {"Units": "CNTS"}, {})
    import pydicom

    for element, value, factor in ((0x00, "0.25", 0.25), (0x09, "2", 2 * PER_BQML)):
        data = pydicom.dcmread(path)
        block = data.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(element, "DS", value)
        data.save_as(tmp_path / "q.dcm", enforce_file_format=True)
        image = formats.read(tmp_path / "q.dcm")
        assert image.unit == "SUVbw" and image.array[0, 0, 0, 1] == pytest.approx(100 * factor, rel=1e-6)


def test_a_scan_across_midnight_began_before_it(tmp_path: Path) -> None:
    """The slice that came after midnight has the smaller time of day, and is not the first by its date."""
    times = {"a.dcm": ("20260102", "235800"), "b.dcm": ("20260103", "000500")}
    for k, (name, (date, clock)) in enumerate(times.items()):
        changes = {"AcquisitionDate": date, "AcquisitionTime": clock, "SeriesTime": "235800"}
        place = {"ImagePositionPatient": [0, 0, 2.5 * k], "SOPInstanceUID": f"1.2.3.{k + 1}"}
        pet(tmp_path / name, changes | place, {"RadiopharmaceuticalStartTime": "225800"})
    image = formats.read(Ref((tmp_path / "a.dcm", tmp_path / "b.dcm")))
    assert image.unit == "SUVbw" and image.display["unit_factor"] == pytest.approx(PER_BQML)


def test_slices_of_several_doses_are_not_one_image(tmp_path: Path) -> None:
    for k in range(2):
        place = {"ImagePositionPatient": [0, 0, 2.5 * k], "SOPInstanceUID": f"1.2.3.{k + 1}"}
        pet(tmp_path / f"{k}.dcm", place, {"RadionuclideTotalDose": DOSE_BQ * (k + 1)})
    with pytest.raises(FormatError, match="values of several kinds in one image"):
        formats.read(Ref((tmp_path / "0.dcm", tmp_path / "1.dcm")))
