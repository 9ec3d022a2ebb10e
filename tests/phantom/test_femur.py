"""Femora: left is left, sides differ by what is said, and what one lacks is what the whole one has more."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array
from vesalius.phantom.femora.pair import surface_points
from vesalius.phantom.femur import FemurPatient, patient, twin
from vesalius.shapes.fitting import refined
from vesalius.shapes.points import points_of
from vesalius.shapes.symmetry import Plane


@pytest.fixture(scope="module")
def whole() -> FemurPatient:
    return patient(1, 4, size=68)


def middle(bits: Array, affine: Array) -> Array:
    """Mean place (3,) of bits in LPS mm."""
    found: Array = affine[:3, :3] @ np.stack(np.nonzero(bits))[::-1].mean(axis=1) + affine[:3, 3]
    return found


def test_left_is_at_high_x(whole: FemurPatient) -> None:
    assert middle(whole.femur == 1, whole.affine)[0] > middle(whole.femur == 2, whole.affine)[0] + 150
    volumes = whole.truth()["femur_ml"]
    assert volumes["left"] == pytest.approx(volumes["right"], rel=0.1) and 200 < volumes["left"] < 800


@pytest.mark.parametrize("defect", ["piece", "end"])
def test_what_is_missing(whole: FemurPatient, defect: str) -> None:
    one = patient(1, 4, size=68, defect=defect)  # type: ignore[arg-type]
    value = 1 if one.truth()["defect"]["side"] == "left" else 2
    assert np.array_equal((one.femur == value) | one.implant, whole.femur == value)
    assert np.array_equal(one.femur == 3 - value, whole.femur == 3 - value)
    assert one.implant.any() and not (one.implant & (one.femur > 0)).any()
    assert np.median(one.volume[one.implant]) < 120 and set(one.as_case().targets) == {"femur", "implant"}
    told = one.truth()["defect"]
    high = np.nonzero(one.implant.any(axis=(1, 2)))[0]
    assert (high[-1] - high[0] + 1) * 7.5 == pytest.approx(told["to_mm"] - told["from_mm"], abs=22)


def test_a_fracture_moves_the_lower_fragment_by_what_is_said(whole: FemurPatient) -> None:
    one = patient(1, 4, size=68, defect="fracture")
    told = one.truth()["defect"]
    value, side = (1, one.pair.left) if told["side"] == "left" else (2, one.pair.right)
    assert "implant" not in one.as_case().targets and 3 <= told["turned_deg"] <= 7
    own = side.turn @ np.diag([side.sign, 1, 1])
    frame = np.eye(4)
    frame[:3, :3], frame[:3, 3] = own, side.place_mm
    field = np.eye(4)
    field[:3, 3] = one.affine[:3, :3] @ ((np.array(one.volume.shape[::-1]) - 1) / 2) + one.affine[:3, 3]
    motion = field @ frame @ np.array(told["matrix"]) @ np.linalg.inv(field @ frame)
    knee = np.zeros_like(whole.femur, bool)
    knee[: len(knee) // 4] = (whole.femur == value)[: len(knee) // 4]
    moved = np.zeros_like(knee)
    moved[: len(knee) // 4] = (one.femur == value)[: len(knee) // 4]
    expected = motion[:3, :3] @ middle(knee, one.affine) + motion[:3, 3]
    assert (
        np.linalg.norm(middle(moved, one.affine) - expected)[()] < 7
    )  # mm: both are cut off by the same plane


def test_sides_differ_by_what_is_said() -> None:
    """Against a rigid fit of one side's voxels upon the other's: it knows nothing of how they were bent."""
    one = patient(2, 4, size=136)
    left, right = (points_of(one.femur == value, one.affine, most=6000) for value in (1, 2))
    across = Plane.of((left.places.mean(axis=0) + right.places.mean(axis=0)) / 2, np.array([1.0, 0, 0]))
    fit = refined(left, right.moved(across.matrix()), np.eye(4), kept=1.0)
    assert fit.residual_mm == pytest.approx(one.pair.rms_mm, rel=0.35)


def test_points_lie_on_the_surface(whole: FemurPatient) -> None:
    points, normals = surface_points(whole.pair.femur, step_mm=12.0)
    assert len(points[0]) > 200
    assert np.abs(whole.pair.femur.depth(points)).max() < 0.11
    assert whole.pair.femur.depth(points + normals).max() < 0


def test_twins_and_options() -> None:
    one = twin(1, 4, without="defect", size=68, defect="piece")
    assert one.lack is None and one.id.endswith("-without-defect")
    with pytest.raises(UnknownName, match="defect"):
        patient(0, defect="half")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="planes"):
        patient(0, size=10)
