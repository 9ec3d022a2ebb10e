"""Points of a mask's or a field's surface in LPS mm, finer than voxels, with normals outward; and which match which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.special import ndtri

from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array

MOST_VOXELS = 6_000_000  # beyond it, blocks of voxels are averaged first
SMOOTH = 0.8  # voxels over which the staircase of a mask is smoothed
FEWEST = 50  # points, without which nothing is said of a shape
ALIKE = 0.1  # of a shape's radius: how many mm a unit of difference between two normals counts


@dataclass(frozen=True, eq=False)
class Points:
    """Places (N, 3) in LPS mm on a surface, and unit normals (N, 3) that point outward."""

    places: Array
    normals: Array

    @property
    def radius_mm(self) -> float:
        """Return the root mean square distance from the middle."""
        return float(np.sqrt(((self.places - self.places.mean(axis=0)) ** 2).sum(axis=1).mean()))

    def some(self, number: int) -> Points:
        """Return so many of them, the same on every call; they come in a random order."""
        return Points(self.places[:number], self.normals[:number])

    def moved(self, matrix: Array) -> Points:
        """Return them moved by a rigid motion or a reflection (4, 4)."""
        turn = matrix[:3, :3]
        return Points(self.places @ turn.T + matrix[:3, 3], self.normals @ turn.T)


def points_of(mask: Array, affine: Array, *, level: float = 0.5, most: int = 20000) -> Points:
    """Return at most `most` points of the surface of a mask or a field `(Z, Y, X)`, evenly chosen, in a random order.

    `affine` (4, 4) maps the index (x, y, z) to LPS mm. Of a field, inside is where it lies above `level`. Where the
    shape is cut by the image's edge there are no points. Raises GeometryError for another shape of arrays, DataError
    where there is next to no surface.
    """
    if mask.ndim != 3 or affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise GeometryError(
            "a surface's points need a volume (z, y, x) and an affine of 4 × 4",
            found=f"{mask.shape}, {affine.shape}",
        )
    if mask.dtype != bool and mask.dtype.kind in "iu":
        mask = mask != 0
    inside = mask if mask.dtype == bool else mask > level
    held = (
        np.nonzero(inside.any(axis=(1, 2)))[0],
        np.nonzero(inside.any(axis=(0, 2)))[0],
        np.nonzero(inside.any(axis=(0, 1)))[0],
    )
    if not len(held[0]):
        raise DataError("there is no shape in an empty mask", hint="a mask with a label that holds something")
    low = [max(int(h[0]) - 3, 0) for h in held]
    high = [min(int(h[-1]) + 4, n) for h, n in zip(held, mask.shape, strict=True)]
    part = mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].astype(np.float32)
    block = int(np.ceil((part.size / MOST_VOXELS) ** (1 / 3)))
    field = _averaged(part, block) if block > 1 else part
    if mask.dtype == bool:
        field = ndimage.gaussian_filter(field, SMOOTH if block == 1 else 0.4, mode="nearest")
        field, level = ndtri(np.clip(field, 1e-3, 1 - 1e-3)), 0.0  # a smoothed step becomes a straight slope
    index, slope = _crossings(field, level)
    at_edge = np.zeros(len(index), bool)
    whole = (index + 0.5) * block - 0.5 + np.array(low)
    for axis in range(3):
        at_edge |= (whole[:, axis] < block) | (whole[:, axis] > mask.shape[axis] - 1 - block)
    index, slope = whole[~at_edge], slope[~at_edge]
    if len(index) < FEWEST:
        raise DataError("there is next to no surface to fit", found=f"{len(index)} voxels of a surface")
    if len(index) > most:
        chosen = np.random.default_rng(0).permutation(len(index))[:most]
    else:
        chosen = np.random.default_rng(0).permutation(len(index))
    turn = affine[:3, :3]
    places = index[chosen][:, ::-1] @ turn.T + affine[:3, 3]
    normals = -slope[chosen][:, ::-1] @ np.linalg.inv(turn)  # a gradient goes by the inverse transposed
    return Points(places, normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9))


def _averaged(part: Array, block: int) -> Array:
    """Return means of blocks; what does not fill a block is filled up with its edge."""
    pad = [(0, -n % block) for n in part.shape]
    full = np.pad(part, pad, mode="edge")
    z, y, x = (n // block for n in full.shape)
    found: Array = full.reshape(z, block, y, block, x, block).mean(axis=(1, 3, 5), dtype=np.float32)
    return found


def _crossings(field: Array, level: float) -> tuple[Array, Array]:
    """Return indices (N, 3) in (z, y, x) where a field crosses its level, and its gradient there."""
    inside = field > level
    rim = inside & ~ndimage.binary_erosion(inside, border_value=True)
    at = np.stack(np.nonzero(rim), axis=1)
    slope = np.empty((len(at), 3))
    for axis in range(3):
        up, down = at.copy(), at.copy()
        up[:, axis] = np.minimum(at[:, axis] + 1, field.shape[axis] - 1)
        down[:, axis] = np.maximum(at[:, axis] - 1, 0)
        rise = field[tuple(up.T)].astype(np.float64) - field[tuple(down.T)]
        slope[:, axis] = rise / np.maximum(up[:, axis] - down[:, axis], 1)
    size = (slope**2).sum(axis=1)
    kept = size > 1e-6
    at, slope, size = at[kept], slope[kept], size[kept]
    step = (level - field[tuple(at.T)]) / size
    moved = slope * step[:, None]
    far = np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1.0)
    return at + moved / far, slope


@dataclass(frozen=True, eq=False)
class Matcher:
    """Finds the nearest of a surface's points, where how alike normals are counts, too."""

    points: Points
    weight_mm: float
    tree: Any

    @staticmethod
    def of(points: Points) -> Matcher:
        """Return a matcher onto points."""
        weight = ALIKE * points.radius_mm
        return Matcher(points, weight, cKDTree(np.hstack([points.places, weight * points.normals])))

    def nearest(self, moved: Points) -> tuple[Array, Array]:
        """Return the index (N,) of each one's nearest, and its distance (N,): along the normal, and by its turn, in mm.

        What lies aside within the surface does not count, for how densely a surface is sampled is no distance.
        """
        _, found = self.tree.query(np.hstack([moved.places, self.weight_mm * moved.normals]))
        normals = self.points.normals[found]
        along = ((moved.places - self.points.places[found]) * normals).sum(axis=1)
        turned = self.weight_mm * np.linalg.norm(moved.normals - normals, axis=1)
        return found, np.hypot(along, turned)
