"""Figures of an implant, worked out by hand on a plate with a square hole."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.shapes.design.figures import figures_of, near_border

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def plate() -> tuple[np.ndarray, np.ndarray]:
    truth = np.zeros((10, 36, 36), bool)
    truth[3:7, 8:28, 8:28] = True  # 40 mm wide
    bone = np.zeros_like(truth)
    bone[3:7, 2:34, 2:34] = True
    return bone & ~truth, truth


def test_the_truth_is_perfect() -> None:
    bone, truth = plate()
    found = figures_of(truth, truth, bone, AFFINE)
    assert found == pytest.approx({"dice": 1, "boundary_dice": 1, "hd95_mm": 0, "surface_mm": 0}, abs=1e-6)


def test_an_error_in_the_middle_does_not_count_near_the_border() -> None:
    bone, truth = plate()
    found = truth.copy()
    found[3:7, 15:21, 15:21] = False  # 14 mm from the border at least
    told = figures_of(found, truth, bone, AFFINE)
    assert told["dice"] == pytest.approx(2 * (400 - 36) / (800 - 36))
    assert told["boundary_dice"] == 1.0


def test_a_ring_too_few_counts_most_near_the_border() -> None:
    bone, truth = plate()
    found = np.zeros_like(truth)
    found[3:7, 9:27, 9:27] = True
    told = figures_of(found, truth, bone, AFFINE)
    assert told["dice"] == pytest.approx(2 * 324 / (400 + 324))
    assert told["boundary_dice"] < told["dice"]
    assert told["hd95_mm"] == pytest.approx(2.0)
    near = near_border(truth, bone, AFFINE)
    inside = truth & near
    assert inside.sum() == 4 * (400 - 10 * 10), "five voxels on each side are within 10 mm"
    assert 0.2 < told["surface_mm"] < 1.5


def test_nothing_found_is_zero_without_a_distance_and_no_truth_is_refused() -> None:
    bone, truth = plate()
    told = figures_of(np.zeros_like(truth), truth, bone, AFFINE)
    assert told["dice"] == told["boundary_dice"] == 0
    assert np.isnan([told["hd95_mm"], told["surface_mm"]]).all()
    with pytest.raises(DataError, match="nothing was taken out"):
        figures_of(truth, np.zeros_like(truth), bone, AFFINE)
