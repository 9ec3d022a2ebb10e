"""Saw: a hole with conical walls in any shape of millimetres, round or with corners, as in a craniotomy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array

ANGLES = 180  # radii of a cross-section
ROUND, CORNERS = "round", "corners"
SHAPES = (ROUND, CORNERS)


@dataclass(frozen=True, eq=False)
class Saw:
    """A hole around an axis that points outward, by its cross-section at a point of the surface.

    `radii_mm` (K,) is the distance from the axis to the wall at angles 2πk/K from `across`, in the plane through
    `point_mm`; `slope` is by how many mm the hole is wider a mm further out, and `depth_mm` how far it reaches inward.
    """

    point_mm: Array  # (3,)
    axis: Array  # (3,), a unit vector
    across: Array  # (3,), a unit vector at right angles to the axis
    radii_mm: Array  # (K,)
    slope: float
    depth_mm: float

    @property
    def area_cm2(self) -> float:
        """Return the area of the cross-section through its point."""
        return float(np.pi * np.mean(self.radii_mm**2) / 100)

    def within(self, points: Array) -> Array:
        """Return how deep points `(3, …)` in mm lie within the hole: above 0 inside, below 0 outside, in mm."""
        kind = points.dtype.type
        away = [points[k] - kind(self.point_mm[k]) for k in range(3)]
        upright = np.cross(self.axis, self.across)
        up, one, other = (
            sum((kind(axis[k]) * away[k] for k in range(3)), start=kind(0))
            for axis in (self.axis, self.across, upright)
        )
        place = np.mod(np.arctan2(other, one), 2 * np.pi) * (len(self.radii_mm) / (2 * np.pi))
        below = np.floor(place).astype(np.intp)
        share = (place - below).astype(points.dtype)
        radii = self.radii_mm.astype(points.dtype)
        first, second = radii[below % len(radii)], radii[(below + 1) % len(radii)]
        wall = first + share * (second - first) + kind(self.slope) * up - np.hypot(one, other)
        lean = kind(1 / np.hypot(1, self.slope))
        found: Array = np.minimum(wall * lean, up + kind(self.depth_mm))
        return found


def frame_of(axis: Array) -> Array:
    """Return a unit vector at right angles to `axis`, always the same one."""
    least = np.eye(3)[int(np.argmin(np.abs(axis)))]
    across = least - axis * float(axis @ least)
    found: Array = across / np.linalg.norm(across)
    return found


def drawn_radii(random: np.random.Generator, shape: str, *, radius_mm: float) -> Array:
    """Return the radii (K,) of a cross-section in mm, drawn at random; its area is that of a circle of `radius_mm`.

    `round` is an ellipse up to 1.6 times as long as wide with shallow waves, `corners` has four to seven corners, which
    are rounded as a saw leaves them.
    """
    angles = np.arange(ANGLES) * (2 * np.pi / ANGLES)
    if shape == ROUND:
        long, turned = random.uniform(1.0, 1.6), random.uniform(0, np.pi)
        radii = 1 / np.hypot(np.cos(angles - turned) / np.sqrt(long), np.sin(angles - turned) * np.sqrt(long))
        for wave in (2, 3, 4):
            radii = radii * (
                1 + random.normal(0, 0.05) * np.cos(wave * angles + random.uniform(0, 2 * np.pi))
            )
    else:
        radii = _with_corners(random, angles)
    found: Array = radii * (radius_mm / np.sqrt(np.mean(radii**2)))
    return found


def _with_corners(random: np.random.Generator, angles: Array) -> Array:
    """Return the radii of a star-shaped polygon with rounded corners."""
    number = int(random.integers(4, 8))
    at = (np.arange(number) + random.uniform(-0.25, 0.25, number)) * (2 * np.pi / number) + random.uniform(
        0, 1
    )
    far = random.uniform(0.85, 1.2, number)
    corners = np.stack([far * np.cos(at), far * np.sin(at)], axis=1)
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    radii = np.full(len(angles), np.inf)
    for k in range(number):
        one, edge = corners[k], corners[(k + 1) % number] - corners[k]
        turn = np.mod(angles - at[k], 2 * np.pi)
        here = turn <= np.mod(at[(k + 1) % number] - at[k], 2 * np.pi)
        crossed = ways[here, 0] * edge[1] - ways[here, 1] * edge[0]
        radii[here] = (one[0] * edge[1] - one[1] * edge[0]) / crossed
    kernel = np.exp(-0.5 * (np.minimum(np.arange(ANGLES), ANGLES - np.arange(ANGLES)) / 3.0) ** 2)
    smooth = np.fft.irfft(np.fft.rfft(radii) * np.fft.rfft(kernel / kernel.sum()), n=ANGLES)
    found: Array = smooth
    return found
