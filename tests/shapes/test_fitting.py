"""Shapes moved and laid upon one another: a known motion is found again although a part is missing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vesalius.core.errors import GeometryError
from vesalius.core.image import Array
from vesalius.shapes.fitting import moved, refined
from vesalius.shapes.points import points_of


def body(size: int = 36) -> Array:
    """A lump of three balls that no turn takes into itself."""
    grid = np.indices((size, size, size)) - (size - 1) / 2
    parts = [((0, 0, 0), 10.0), ((8, 5, -3), 6.0), ((-6, 9, 6), 4.5)]
    found: Array = np.any(
        [((grid - np.array(c).reshape(3, 1, 1, 1)) ** 2).sum(axis=0) < r**2 for c, r in parts], axis=0
    )
    return found


def test_points_lie_on_a_ball_nearer_than_its_voxels() -> None:
    grid = np.indices((40, 40, 40)) - 19.5
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    points = points_of((grid**2).sum(axis=0) < 15**2, affine)
    middle = affine[:3, :3] @ np.full(3, 19.5)
    away = points.places - middle
    far = np.linalg.norm(away, axis=1)
    assert abs(far.mean() - 30) < 0.25 and far.std() < 0.45  # a voxel is 2 mm
    assert ((away / far[:, None]) * points.normals).sum(axis=1).min() > 0.9


def test_there_are_no_points_where_the_image_cuts_a_shape() -> None:
    bits = np.zeros((20, 20, 20), bool)
    bits[:12, 5:15, 5:15] = True
    points = points_of(bits, np.eye(4))
    assert points.places[:, 2].min() > 0.9 and points.places[:, 2].max() == pytest.approx(11.5, abs=0.3)


def test_a_known_motion_is_found_with_a_part_missing() -> None:
    whole = body()
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    lacking = whole.copy()
    lacking[:, :, :13] = False
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_rotvec([0.12, -0.1, 0.15]).as_matrix()
    motion[:3, 3] = (4.0, -3.0, 5.0)
    target = points_of(whole, affine).moved(motion)
    fit = refined(points_of(lacking, affine), target, np.eye(4), kept=0.8)
    corner = np.array([40.0, 30.0, 50.0, 1.0])
    assert np.linalg.norm((fit.matrix @ corner - motion @ corner)[:3]) < 0.8 and fit.residual_mm < 0.4


def test_a_shift_by_whole_voxels_is_exact_and_what_leaves_the_grid_is_gone() -> None:
    bits = np.random.default_rng(0).random((5, 6, 7)) < 0.5
    motion = np.eye(4)
    motion[0, 3] = 4.0  # two voxels along x
    found = moved(bits, np.diag([2.0, 1.0, 1.0, 1.0]), motion)
    assert np.array_equal(found[:, :, 2:], bits[:, :, :-2]) and not found[:, :, :2].any()
    with pytest.raises(GeometryError, match="undone"):
        moved(bits, np.eye(4), np.zeros((4, 4)))
