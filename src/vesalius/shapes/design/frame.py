"""The grid on which a part is designed: cubes around the defect, standing along the axis of insertion."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array
from vesalius.shapes.design.part import Bone, Part, signed, to_index

MARGIN_MM = 14.0  # of bone around the defect that is looked at
MOST = 6_000_000  # points of the grid
FINEST_MM, COARSEST_MM = 0.5, 1.5
_SMOOTH = (
    0.6  # voxels: what takes the stairs off a mask, and moves its surface by less than a tenth of a voxel
)


def bone_from(mask: Array, affine: Array) -> Bone:
    """Return the bone of a mask `(Z, Y, X)` with its signed distances. Raises GeometryError for a sheared grid."""
    sides = affine[:3, :3]
    spacing = np.linalg.norm(sides, axis=0)
    if np.abs(sides.T @ sides / np.outer(spacing, spacing) - np.eye(3)).max() > 1e-3:
        raise GeometryError(
            "the voxels are sheared, so that distances cannot be measured along their axes",
            found=f"affine {np.round(sides, 3).tolist()}",
            hint="an image on a grid with right angles",
        )
    return Bone(mask, smooth_distance(mask, spacing), affine)


def smooth_distance(mask: Array, spacing_mm: Array) -> Array:
    """Return signed distances without a mask's stairs; each voxel keeps its side of the surface."""
    x, y, z = (float(s) for s in spacing_mm)
    field = signed(mask, (x, y, z))
    smooth = ndimage.gaussian_filter(field, _SMOOTH)
    tiny = 0.05 * min(x, y, z)
    found: Array = np.where(mask, np.minimum(smooth, -tiny), np.maximum(smooth, tiny)).astype(np.float32)
    return found


def framed(bone: Bone, missing: Array, axis: Array, *, step_mm: float | None = None) -> Part:
    """Return the part that fills `missing` `(Z, Y, X)` on a grid whose z runs along `axis`, a direction in LPS.

    `step_mm` is the side of its cubes, by default half of the smallest side of a voxel, within what can be computed.
    """
    points = np.argwhere(missing)[:, ::-1] @ bone.affine[:3, :3].T + bone.affine[:3, 3]
    turn = basis(axis)  # columns x, y, z of the new grid in LPS
    seen = points @ turn
    half = bone.voxel_mm
    low, high = seen.min(axis=0) - MARGIN_MM - half, seen.max(axis=0) + MARGIN_MM + half
    spacing = np.linalg.norm(bone.affine[:3, :3], axis=0)
    step = step_mm or float(np.clip(spacing.min() / 2, FINEST_MM, COARSEST_MM))
    step = max(step, float((np.prod(high - low) / MOST) ** (1 / 3)))
    size = np.ceil((high - low) / step).astype(int) + 1
    affine = np.eye(4)
    affine[:3, :3] = turn * step
    affine[:3, 3] = turn @ low
    index = np.linalg.inv(bone.affine) @ affine
    swap = np.eye(4)[[2, 1, 0, 3]]
    matrix = swap @ index @ swap

    def onto(field: Array) -> Array:
        found: Array = ndimage.affine_transform(
            field,
            matrix[:3, :3],
            offset=matrix[:3, 3],
            output_shape=tuple(int(n) for n in size[::-1]),
            order=1,
            mode="nearest",
        )
        return found

    wanted = onto(smooth_distance(missing, spacing))
    return Part(wanted, onto(bone.distance_mm), wanted, affine, step)


def basis(axis: Array) -> Array:
    """Return a right-handed basis `(3, 3)` whose third column is the axis. Raises DataError for no direction."""
    length = float(np.linalg.norm(axis))
    if not np.isfinite(length) or length < 1e-9:
        raise DataError("the axis of insertion is no direction", found=str(np.asarray(axis).tolist()))
    z = np.asarray(axis, dtype=np.float64) / length
    aside = np.eye(3)[int(np.argmin(np.abs(z)))]
    x = np.cross(aside, z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


def filled(part: Part, affine: Array, shape: tuple[int, int, int]) -> Array:
    """Return which voxels of another grid have their middle in the part, `(Z, Y, X)` bool."""
    corners = np.array([[(k >> a) & 1 for a in range(3)] for k in range(8)])
    ends = corners * (np.array(part.distance_mm.shape[::-1]) - 1)
    there = to_index(ends @ part.affine[:3, :3].T + part.affine[:3, 3], affine)
    low = np.maximum(np.floor(there.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(there.max(axis=0)).astype(int) + 1, np.array(shape[::-1]))
    out = np.zeros(shape, dtype=bool)
    if (high <= low).any():
        return out
    x, y, z = (np.arange(a, b) for a, b in zip(low, high, strict=True))
    grid = np.stack(np.meshgrid(z, y, x, indexing="ij"), axis=-1)[..., ::-1].reshape(-1, 3)
    index = to_index(grid @ affine[:3, :3].T + affine[:3, 3], part.affine)
    far = float(part.distance_mm.max())
    values = ndimage.map_coordinates(part.distance_mm, index[:, ::-1].T, order=1, cval=far)
    out[low[2] : high[2], low[1] : high[1], low[0] : high[0]] = (values < 0).reshape(len(z), len(y), len(x))
    return out
