"""A shape moved in LPS mm, and the rigid motion that lays one surface upon another, of which a part may be missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from vesalius.core.errors import GeometryError
from vesalius.core.image import Array
from vesalius.shapes.points import Matcher, Points

KEPT = 0.8  # share of the points that a fit counts, the nearest ones


@dataclass(frozen=True, eq=False)
class Fitted:
    """A motion (4, 4) of LPS mm, and how far what it moved lies from the other surface, in mm along its normal.

    `residual_mm` is a root mean square over the nearest `KEPT` of the points.
    """

    matrix: Array
    residual_mm: float


def moved(mask: Array, affine: Array, matrix: Array) -> Array:
    """Return a mask (bool) or a field `(Z, Y, X)` moved by `matrix` (4, 4) of LPS mm, on its own grid.

    A voxel of a mask belongs to the moved shape where at least half of it does, by linear interpolation; a motion that
    takes voxels onto voxels is exact. Beyond the grid there is nothing. Raises GeometryError for a matrix that cannot
    be undone.
    """
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-9:
        raise GeometryError("a motion is a matrix of 4 × 4 that can be undone", found=str(matrix.tolist()))
    back = np.linalg.inv(affine) @ np.linalg.inv(matrix) @ affine  # index (x, y, z) to index
    near = np.round(back)
    back = np.where(np.abs(back - near) < 1e-7, near, back)
    turn, shift = back[:3, :3][::-1, ::-1], back[:3, 3][::-1]
    whole = mask.dtype == bool
    field = mask.astype(np.float32 if whole else np.result_type(mask.dtype, np.float32))
    found = ndimage.affine_transform(field, turn, shift, order=1, mode="grid-constant", cval=0.0)
    return np.asarray(found >= 0.5 if whole else found)


def refined(source: Points, target: Points, matrix: Array, *, kept: float = KEPT, rounds: int = 30) -> Fitted:
    """Return the rigid motion after `matrix` (4, 4) that lays points upon another surface best: both, as one matrix.

    Points are matched to the nearest ones with alike normals, and the sum of squares along normals made least over the
    nearest `kept` of them (point to plane: Chen and Medioni 1992), from few points to many. Every point of `source`
    should have a counterpart: where one of two shapes lacks a part, it is the source.
    """
    onto = Matcher.of(target)
    total = matrix
    for number, most in ((600, rounds), (3000, max(rounds // 2, 1))):
        some = source.some(number)
        for _ in range(most):
            step = _step(some.moved(total), onto, kept)
            total = step @ total
            if np.abs(step - np.eye(4)).max() < 1e-3:
                break
    found, far = onto.nearest(source.some(3000).moved(total))
    near = far <= np.quantile(far, kept)
    gap = source.some(3000).moved(total).places - target.places[found]
    along = (gap * target.normals[found]).sum(axis=1)[near]
    return Fitted(total, float(np.sqrt(np.mean(along**2))))


def _step(some: Points, onto: Matcher, kept: float) -> Array:
    """Return one Gauss–Newton step (4, 4) towards the target."""
    found, far = onto.nearest(some)
    near = far <= np.quantile(far, kept)
    places, facing = some.places[near], onto.points.normals[found[near]]
    middle = places.mean(axis=0)
    left = ((onto.points.places[found[near]] - places) * facing).sum(axis=1)
    columns = np.hstack([np.cross(places - middle, facing), facing])
    size = max(some.radius_mm, 1e-6)
    columns[:, :3] /= size
    soft = 1e-3 * np.sqrt(len(left))  # what a surface does not fix, as the turn of a rod, stays as it is
    full = np.vstack([columns, soft * np.eye(6)])
    solved = np.linalg.lstsq(full, np.concatenate([left, np.zeros(6)]), rcond=None)[0]
    made = np.eye(4)
    made[:3, :3] = Rotation.from_rotvec(solved[:3] / size).as_matrix()
    made[:3, 3] = middle - made[:3, :3] @ middle + solved[3:]
    return made
