"""Defects cut into a healthy bone by a seed: the bone that is left and the piece that was taken out, to learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.saw import SHAPES, Saw, drawn_radii, frame_of
from vesalius.shapes.points import Points, points_of

DIAMETER_MM = (20.0, 95.0)  # of the circle that has the hole's area; each as likely
BEVEL_DEG = (0.0, 32.0)
LEAN_DEG = 7.0
OPEN_MM = 60.0  # so far outward nothing may stand before a point at which a saw begins
HIGH = 0.45  # share of the bone's height, from below, above which saws begin
MOST, LEAST_ML = 0.35, 0.5  # share of the bone that a piece may be; the smallest piece
TRIES = 40


@dataclass(frozen=True, eq=False)
class Cut:
    """A bone with a hole, `defective`, and the piece that was taken out, `implant`: bits `(Z, Y, X)`, never both.

    Together they are the whole bone. `saw` is what cut it, in LPS mm.
    """

    defective: Array
    implant: Array
    saw: Saw


def cut(
    mask: Array,
    affine: Array,
    seed: int,
    *,
    index: int = 0,
    diameter_mm: tuple[float, float] = DIAMETER_MM,
    where: Array | None = None,
) -> Cut:
    """Return a bone's mask `(Z, Y, X)` with one hole sawn into it; the same for the same seed and index.

    The hole is round or has corners, its walls are upright or bevelled, and it lies anywhere on the outside of the
    bone's upper part (in LPS; above 45 % of its height), or where `where` (bits) is. The piece is in one part.

    Raises DataError for a mask of no bits, a range of diameters that is none, and where no hole can be cut.
    """
    if mask.dtype != bool:
        mask = mask != 0
    low, high = diameter_mm
    if not 0 < low <= high or not np.isfinite(high):
        raise DataError(
            "the diameters of a hole go from one number of mm up to another", found=f"{low:g} to {high:g}"
        )
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    points = points_of(mask, affine, most=4000)
    begin = _outside(points, mask, affine, where)
    index_zyx = np.stack(np.nonzero(mask))
    places = (affine[:3, :3] @ index_zyx[::-1] + affine[:3, 3:]).astype(np.float32)
    voxel_ml = float(np.abs(np.linalg.det(affine[:3, :3]))) / 1000
    for _ in range(TRIES):
        saw = _drawn(random, points, begin, diameter_mm)
        implant = np.zeros(mask.shape, bool)
        implant[tuple(index_zyx[:, saw.within(places) > 0])] = True
        implant = _one_part(implant)
        size = float(implant.sum())
        if size * voxel_ml >= LEAST_ML and size <= MOST * len(index_zyx[0]):
            return Cut(mask & ~implant, implant, saw)
    raise DataError(
        f"no hole of {low:g} to {high:g} mm could be cut in {TRIES} tries",
        found=f"a bone of {len(index_zyx[0]) * voxel_ml:.3g} ml",
        hint="smaller diameters, or the whole bone's mask",
    )


def _outside(points: Points, mask: Array, affine: Array, where: Array | None) -> Array:
    """Return the indices of points on the bone's outside where a saw may begin."""
    height = points.places[:, 2]
    bottom, top = float(height.min()), float(height.max())
    allowed = height > bottom + HIGH * (top - bottom) if where is None else _at(where, points.places, affine)
    away = points.places - points.places.mean(axis=0)
    open_ = allowed & ((away * points.normals).sum(axis=1) > 0)
    step = 0.8 * float(np.linalg.norm(affine[:3, :3], axis=0).min())
    for far in np.arange(2.5 * step, OPEN_MM, step):
        open_ &= ~_at(mask, points.places + far * points.normals, affine)
    found = np.flatnonzero(open_)
    if not len(found):
        raise DataError(
            "there is no place on the bone's outside for a saw to begin",
            hint="where=, bits of the bone's grid",
        )
    return found


def _at(mask: Array, places: Array, affine: Array) -> Array:
    """Return whether the voxels in which places (N, 3) in LPS mm lie are set; beyond the grid none is."""
    back = np.linalg.inv(affine)
    index = np.round(places @ back[:3, :3].T + back[:3, 3]).astype(int)[:, ::-1]
    within = ((index >= 0) & (index < mask.shape)).all(axis=1)
    found = np.zeros(len(places), bool)
    found[within] = mask[tuple(index[within].T)]
    return found


def _drawn(
    random: np.random.Generator, points: Points, begin: Array, diameter_mm: tuple[float, float]
) -> Saw:
    """Return a saw at one of those points, along the mean normal around it."""
    at = points.places[begin[int(random.integers(len(begin)))]]
    radius = float(random.uniform(*diameter_mm)) / 2
    near = begin[np.linalg.norm(points.places[begin] - at, axis=1) < max(0.6 * radius, 8.0)]
    mean = points.normals[near].sum(axis=0)
    lean = np.tan(np.radians(random.normal(0, LEAN_DEG, 3)))
    axis = mean / np.linalg.norm(mean) + lean
    axis = axis / np.linalg.norm(axis)
    shape = SHAPES[int(random.integers(len(SHAPES)))]
    radii = drawn_radii(random, shape, radius_mm=radius)
    slope = float(np.tan(np.radians(random.uniform(*BEVEL_DEG))))
    return Saw(at, axis, frame_of(axis), radii, slope, 14.0 + radius**2 / 110)


def _one_part(bits: Array) -> Array:
    """Return the largest part; the rest stays in the bone."""
    numbered, count = ndimage.label(bits, np.ones((3, 3, 3), bool))
    if count < 2:
        return bits
    sizes = np.bincount(numbered.reshape(-1))
    sizes[0] = 0
    return np.asarray(numbered == int(sizes.argmax()))
