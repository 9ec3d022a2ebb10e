"""Part: what is being designed, as a signed distance field on a grid that stands along the axis of insertion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from vesalius.core.answers.surface import Surface
from vesalius.core.image import Array, Triple

_TINY = 1e-3  # mm: what keeps a point on its side of a smoothed surface


@dataclass(frozen=True, eq=False)
class Bone:
    """The bone that is there, on its own grid: `mask` `(Z, Y, X)` bool, its signed distances, and where it lies.

    `distance_mm` is negative inside; `affine` maps `(x, y, z)` to LPS millimetres.
    """

    mask: Array
    distance_mm: Array
    affine: Array

    def distance_at(self, points_mm: Array) -> Array:
        """Return the signed distance to the bone in mm at LPS points `(N, 3)`; outside of the field its edge's."""
        index = to_index(points_mm, self.affine)
        found: Array = ndimage.map_coordinates(self.distance_mm, index[:, ::-1].T, order=1, mode="nearest")
        return found

    @property
    def voxel_mm(self) -> float:
        """Return the longest side of a voxel."""
        return float(np.linalg.norm(self.affine[:3, :3], axis=0).max())


@dataclass(frozen=True, eq=False)
class Part:
    """A part in the making. `distance_mm` `(Z, Y, X)` is negative inside of it, `bone_mm` inside of the bone.

    Both lie on one grid of cubes of `step_mm`; `affine` maps its `(x, y, z)` to LPS millimetres, and its z runs along
    the axis on which the part is drawn out. `wanted_mm` is what was missing, before any rule changed it.
    """

    distance_mm: Array
    bone_mm: Array
    wanted_mm: Array
    affine: Array
    step_mm: float

    @property
    def axis(self) -> Triple:
        """Return the unit vector in LPS along which the part is drawn out."""
        column = self.affine[:3, 2] / self.step_mm
        return (float(column[0]), float(column[1]), float(column[2]))

    @property
    def inside(self) -> Array:
        """Return which points of the grid lie in the part."""
        found: Array = self.distance_mm < 0
        return found

    @property
    def volume_ml(self) -> float:
        """Return the volume in ml, by points of the grid."""
        return float(self.inside.sum()) * self.step_mm**3 / 1000

    def without(self, field_mm: Array) -> Part:
        """Return the part without the points where another signed distance is negative, distances measured anew."""
        return replace(self, distance_mm=refreshed(np.maximum(self.distance_mm, -field_mm), self.step_mm))

    def also(self, field_mm: Array) -> Part:
        """Return the part with the points where another signed distance is negative, distances measured anew."""
        return replace(self, distance_mm=refreshed(np.minimum(self.distance_mm, field_mm), self.step_mm))

    def field_of(self, points: Array) -> Array:
        """Return the signed distance to some points of the grid, bool, without their stairs."""
        field: Array = ndimage.gaussian_filter(signed(points, (self.step_mm,) * 3), 0.7)
        return np.where(points, np.minimum(field, -_TINY), np.maximum(field, _TINY))


@dataclass(frozen=True, eq=False)
class Made:
    """A part as it would be made: its mesh in LPS millimetres, and what of the image's grid it fills, `(Z, Y, X)`."""

    part: Part
    surface: Surface
    mask: Array
    bone: Bone


def to_index(points_mm: Array, affine: Array) -> Array:
    """Return the indices `(x, y, z)` of LPS points `(N, 3)`."""
    found: Array = (np.asarray(points_mm, dtype=np.float64) - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    return found


def signed(inside: Array, spacing_mm: Triple | tuple[float, ...]) -> Array:
    """Return signed distances in mm, negative inside, of a mask `(Z, Y, X)`; `spacing_mm` is `(x, y, z)`.

    The surface lies half way between the middles of voxels inside and outside. Where nothing is inside, or all, the
    distance is as long as the field. Float32.
    """
    reach = float(np.linalg.norm(np.multiply(inside.shape, spacing_mm[::-1])))
    if not inside.any() or inside.all():
        return np.full(inside.shape, -reach if inside.any() else reach, np.float32)
    half = float(min(spacing_mm)) / 2
    sampling = tuple(float(s) for s in spacing_mm[::-1])
    outside = ndimage.distance_transform_edt(~inside, sampling=sampling)
    within = ndimage.distance_transform_edt(inside, sampling=sampling)
    found: Array = np.where(inside, half - within, outside - half).astype(np.float32)
    return found


def refreshed(field_mm: Array, step_mm: float) -> Array:
    """Return true distances of a field whose zero is right but whose values are not, as after cutting two fields.

    Near the surface the field's own values stand, so that the zero does not move; farther off they are measured.
    """
    far = signed(field_mm < 0, (step_mm,) * 3)
    near = np.abs(field_mm) < step_mm
    found: Array = np.where(near, field_mm, far).astype(np.float32)
    return found
