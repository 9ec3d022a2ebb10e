"""A later visit of the CT phantom: lesions grown by a known factor, a patient who lies otherwise, another study."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest

from vesalius.core.errors import DataError
from vesalius.phantom import ct
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.abdomen.later import Later

SIZE = (48, 96, 96)


def test_lesions_grow_by_the_factor_and_nothing_else_does() -> None:
    first = ct.patient(3, seed=9, size=SIZE)
    second = ct.later(3, seed=9, growth=2.0, days=60, size=SIZE)
    volumes = [one.truth()["organ_ml"] for one in (first, second)]
    assert volumes[1]["lesion"] / volumes[0]["lesion"] == pytest.approx(2.0, rel=0.06)
    nominal = [one.lesion_facts[0].nominal_ml for one in (first, second)]
    assert nominal[1] / nominal[0] == pytest.approx(2.0, rel=1e-3)
    outside = (first.lesions == 0) & (second.lesions == 0)
    assert np.array_equal(first.labels[outside], second.labels[outside]) and np.array_equal(
        first.affine, second.affine
    )
    assert first.densities == second.densities and (first.image != second.image).mean() > 0.5  # other noise
    again = ct.later(3, seed=9, growth=2.0, days=60, size=SIZE)
    assert np.array_equal(again.image, second.image)


def test_the_patient_lies_where_it_is_said() -> None:
    """The lesion's middle, in the scanner's millimetres, is turned and shifted as the rotation about z says."""
    first = ct.patient(3, seed=9, size=SIZE)
    moved = ct.later(3, seed=9, size=SIZE, shift_mm=(10.0, -5.0, 8.0), turned_deg=(0.0, 0.0, 90.0))
    middles = []
    for one in (first, moved):
        index = np.argwhere(one.lesions > 0).mean(axis=0)[::-1]
        middles.append(one.affine[:3, :3] @ index + one.affine[:3, 3])
    x, y, z = middles[0]
    assert np.linalg.norm(middles[1] - np.array([-y + 10, x - 5, z + 8])) < 2.0
    assert np.allclose(
        Later(1, 1, (10.0, -5.0, 8.0), (0.0, 0.0, 90.0)).matrix @ [-y + 10, x - 5, z + 8, 1], [x, y, z, 1]
    )


def test_its_files_are_of_the_same_patient_in_a_later_study() -> None:
    heads = [
        pydicom.dcmread(io.BytesIO(next(iter(dicom_files(one)))[1]), stop_before_pixels=True)
        for one in (ct.patient(1, size=(8, 16, 16)), ct.later(1, days=60, size=(8, 16, 16)))
    ]
    assert heads[0].PatientID == heads[1].PatientID
    assert (heads[0].StudyDate, heads[1].StudyDate) == ("20200101", "20200301")
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
        assert heads[0][name].value != heads[1][name].value, name


def test_what_cannot_be_is_refused() -> None:
    for wrong in ({"growth": 0.0}, {"growth": 50.0}, {"days": 0}):
        with pytest.raises(DataError):
            ct.later(1, size=(8, 16, 16), **wrong)  # type: ignore[arg-type]
