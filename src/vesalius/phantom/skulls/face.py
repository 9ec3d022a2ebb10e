"""The face and the base's parts: orbits, nose, sinuses, cheek arches, mastoids, and the hole for the spinal cord."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.skulls.person import Person

WALL_MM, RIM_MM = 2.8, 3.6  # thickness of the walls of cavities, and of the face's surface


@dataclass(frozen=True, eq=False)
class Face:
    """What of a voxel is bone and what is air in the face, as shares; how deep it lies in the face, in mm."""

    bone: Array
    air: Array
    depth_mm: Array
    cord: Array  # share of the hole for the spinal cord


def covered(depth: Array, voxel_mm: float) -> Array:
    """Return the share of a voxel that lies inside, from its centre's depth in mm: its edge is a ramp of one voxel."""
    return np.clip(depth / voxel_mm + 0.5, 0, 1)


def draw_face(person: Person, points: Array, *, voxel_mm: float) -> Face:
    """Return the face at points `(3, …)` of the head, in mm."""
    size, front = person.face, -person.length_mm / 2
    drop = np.clip((-20 - points[2]) / 60, 0, 1.2)
    x, y, z = points[0] - person.face_shift_mm * drop, points[1], points[2]

    def ball(
        middle: tuple[float, float, float], half: tuple[float, float, float], *, both: bool = False
    ) -> Array:
        """Return how deep points lie in an ellipsoid, or in two; a distance at its surface, in mm."""
        across = np.abs(x) if both else x
        away = [(v - m) / (h * size) for v, m, h in zip((across, y, z), middle, half, strict=True)]
        return np.asarray((1 - np.sqrt(away[0] ** 2 + away[1] ** 2 + away[2] ** 2)) * min(half) * size)

    solid = ball((0, front + 26, -50), (51, 33, 43))
    orbits = ball((31 * size, front + 6, -24), (19, 30, 17), both=True)
    nose = ball((0, front + 10, -53), (12, 34, 19))
    sinuses = ball((29 * size, front + 30, -58), (13, 16, 15), both=True)
    bone = covered(solid, voxel_mm) - covered(solid - RIM_MM, voxel_mm)
    for cavity in (orbits, nose, sinuses):
        wall = covered(cavity + WALL_MM, voxel_mm) * covered(solid, voxel_mm)
        bone = np.maximum(bone, wall)
    opened = np.maximum(covered(orbits, voxel_mm), covered(nose, voxel_mm))
    hollow = np.maximum(opened, covered(sinuses, voxel_mm))
    bone = bone * (1 - hollow)
    half = person.breadth_mm / 2
    arch = _rod(np.stack([np.abs(x), y, z]), (49 * size, front + 26, -44), (half - 3, -6, -42), 3.4)
    mastoid = ball((half - 15, 20, -56), (11, 13, 17), both=True)
    bone = np.maximum(bone, np.maximum(covered(arch, voxel_mm), covered(mastoid, voxel_mm)))
    cord = _cord(points, person, voxel_mm)
    air = np.maximum(covered(nose, voxel_mm), covered(sinuses, voxel_mm))
    return Face(bone * (1 - cord), air, np.maximum(solid, np.maximum(arch, mastoid)), cord)


def _cord(points: Array, person: Person, voxel_mm: float) -> Array:
    """Return the share of the hole for the spinal cord: 32 by 36 mm in the base."""
    ring = (1 - np.hypot(points[0] / 16, (points[1] - 24) / 18)) * 16
    return covered(ring, voxel_mm) * (person.vault.base(points) < 14)


def _rod(
    points: Array, one: tuple[float, float, float], other: tuple[float, float, float], radius: float
) -> Array:
    """Return how deep points lie in a rod between two places, in mm."""
    start = np.array(one).reshape(3, *[1] * (points.ndim - 1)).astype(points.dtype)
    along = np.array(other, points.dtype).reshape(start.shape) - start
    share = np.clip(((points - start) * along).sum(axis=0) / float((along**2).sum()), 0, 1)
    return np.asarray(radius - np.sqrt(((points - start - share * along) ** 2).sum(axis=0)))
