"""Saws: the area of a cross-section, and where a point lies in the hole, against values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.saw import SHAPES, Saw, drawn_radii, frame_of


def cone(slope: float) -> Saw:
    """A round hole of 10 mm along z through (1, 2, 3)."""
    axis = np.array([0.0, 0.0, 1.0])
    return Saw(np.array([1.0, 2.0, 3.0]), axis, frame_of(axis), np.full(180, 10.0), slope, 20.0)


def test_depth_within_a_cylinder() -> None:
    points = np.array(
        [[1.0, 2.0, 3.0], [1.0, 9.0, 3.0], [14.0, 2.0, 3.0], [1.0, 2.0, -16.0], [1.0, 2.0, -18.0]]
    ).T
    assert cone(0.0).within(points) == pytest.approx([10.0, 3.0, -3.0, 1.0, -1.0])
    assert cone(0.0).area_cm2 == pytest.approx(np.pi)


def test_bevelled_walls_are_wider_outside_and_their_depth_is_a_distance() -> None:
    saw = cone(1.0)  # 45°: 5 mm further out the hole is 5 mm wider
    outside, inside = np.array([[14.0], [2.0], [8.0]]), np.array([[14.0], [2.0], [3.0]])
    assert saw.within(outside)[0] == pytest.approx(2 / np.sqrt(2))
    assert saw.within(inside)[0] == pytest.approx(-3 / np.sqrt(2))


@pytest.mark.parametrize("shape", SHAPES)
def test_drawn_cross_sections_have_the_area_that_is_asked_for(shape: str) -> None:
    for seed in range(5):
        radii = drawn_radii(np.random.default_rng(seed), shape, radius_mm=25.0)
        angles = np.arange(len(radii)) * 2 * np.pi / len(radii)
        x, y = radii * np.cos(angles), radii * np.sin(angles)
        shoelace = 0.5 * abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))))
        assert shoelace == pytest.approx(np.pi * 25**2, rel=0.01) and radii.min() > 8


def test_a_frame_is_upright() -> None:
    for axis in np.eye(3):
        across = frame_of(axis)
        assert abs(float(across @ axis)) < 1e-12 and np.linalg.norm(across) == pytest.approx(1)
