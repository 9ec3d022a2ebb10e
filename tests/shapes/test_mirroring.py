"""Completion by a mirror image: right beside the midline, wrong across it, refused where nothing is missing."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.phantom.femur import patient
from vesalius.shapes.mirroring import grid_oracle, mirror_completion, other_side
from vesalius.shapes.symmetry import Plane

AFFINE = np.diag([-4.0, 4.0, 4.0, 1.0])
MIDDLE = Plane.of(np.array([-4.0 * 23.5, 0, 0]), np.array([1.0, 0, 0]))


def dice(one: Array, other: Array) -> float:
    """Share of both that both have."""
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.fixture(scope="module")
def shell() -> Array:
    """A head-like shell: longer than wide, with a nose, symmetric in x."""
    z, y, x = np.indices((48, 48, 48)) - 23.5
    far = np.sqrt((x / 17) ** 2 + (y / 21) ** 2 + (z / 19) ** 2)
    found: Array = ((far < 1) & (far > 0.83)) | (x**2 + (y + 21) ** 2 + (z + 6) ** 2 < 9)
    return found


def hole(shell: Array, x: float) -> Array:
    """Bits of a round hole of 50 mm in the top, at x voxels from the midline."""
    gz, gy, gx = np.indices(shell.shape) - 23.5
    found: Array = shell & ((gx - x) ** 2 + gy**2 < 6.2**2) & (gz > 0)
    return found


def test_beside_the_midline_it_is_the_truth(shell: Array) -> None:
    piece = hole(shell, 9.0)
    made = mirror_completion(shell & ~piece, AFFINE, plane=MIDDLE)
    assert dice(made.implant, piece) > 0.93 and made.residual_mm < 0.3
    assert not (made.implant & shell & ~piece).any()
    fitted = mirror_completion(shell & ~piece, AFFINE, near=np.array([1.0, 0, 0]))
    assert dice(fitted.implant, piece) > 0.9 and fitted.plane is not None and fitted.plane.apart(MIDDLE) < 1


def test_across_the_midline_a_part_stays_missing(shell: Array) -> None:
    piece = hole(shell, 3.0)
    made = mirror_completion(shell & ~piece, AFFINE, plane=MIDDLE)
    both = piece & piece[:, :, ::-1]
    assert both.any() and not (made.implant & both).any() and dice(made.implant, piece) < 0.8


def test_nothing_missing_is_said(shell: Array) -> None:
    for whole in (
        shell,
        shell & ~hole(shell, 0.0),
    ):  # a hole that is its own mirror image shows nothing, either
        with pytest.raises(DataError, match="nothing is missing"):
            mirror_completion(whole, AFFINE, plane=MIDDLE)


@pytest.mark.parametrize("defect", ["piece", "end"])
def test_a_femur_by_the_other_one(defect: str) -> None:
    one = patient(3, 1, size=85, defect=defect)  # type: ignore[arg-type]
    value = 1 if one.truth()["defect"]["side"] == "left" else 2
    made = other_side(one.femur == value, one.femur == 3 - value, one.affine)
    assert dice(made.implant, one.implant) > 0.8 and made.residual_mm < 1.6 and made.plane is None
    assert not (made.implant & (one.femur == value)).any()


def test_what_the_grid_costs(shell: Array) -> None:
    piece = hole(shell, 9.0)
    cost = dice(grid_oracle(piece, AFFINE), piece)
    assert 0.85 < cost < 1
