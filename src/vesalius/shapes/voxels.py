"""A closed surface as a mask on a grid: lines along one axis, in at one face and out at the next."""

from __future__ import annotations

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.errors import GeometryError
from vesalius.core.image import Array, Image

SIDEWAYS = (1.234e-5, 2.345e-5)  # of a voxel: so that no line meets an edge or a corner exactly


def filled(surface: Surface, grid: Image) -> Array:
    """Return which voxels `(Z, Y, X)` of an image's grid have their centre within a watertight surface in LPS mm.

    Raises GeometryError where the image has no affine, or the surface is not closed.
    """
    if grid.affine is None:
        raise GeometryError("an image without a place cannot hold a surface", hint="an image with an affine")
    inverse = np.linalg.inv(grid.affine)
    points = np.asarray(surface.vertices_mm, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3]
    points[:, 0] += SIDEWAYS[0]
    points[:, 1] += SIDEWAYS[1]
    depth, height, width = grid.shape
    toggles = np.zeros((depth + 1, height, width), dtype=np.int32)
    for corner in points[np.asarray(surface.faces)]:
        _cross(corner, toggles)
    inside = np.cumsum(toggles, axis=0)
    if inside[-1].any():
        raise GeometryError(
            "the surface is not closed, so that nothing says what is inside", hint="`vesalius mesh`"
        )
    return np.asarray(inside[:-1] != 0)


def _cross(corner: Array, toggles: Array) -> None:
    """Count a triangle `(3, 3)`, in index coordinates, where lines along z pass it: in from below, out above."""
    deep, height, width = toggles.shape
    low, high = corner[:, :2].min(axis=0), corner[:, :2].max(axis=0)
    x = np.arange(max(0, int(np.ceil(low[0]))), min(width - 1, int(np.floor(high[0]))) + 1)
    y = np.arange(max(0, int(np.ceil(low[1]))), min(height - 1, int(np.floor(high[1]))) + 1)
    if not len(x) or not len(y):
        return
    a, b, c = corner
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if area == 0:
        return
    px, py = x[None, :], y[:, None]
    u = ((px - a[0]) * (c[1] - a[1]) - (py - a[1]) * (c[0] - a[0])) / area
    v = ((b[0] - a[0]) * (py - a[1]) - (b[1] - a[1]) * (px - a[0])) / area
    within = (u >= 0) & (v >= 0) & (u + v <= 1)
    if not within.any():
        return
    z = a[2] + u * (b[2] - a[2]) + v * (c[2] - a[2])
    rows, columns = np.nonzero(within)
    at = np.clip(np.ceil(z[rows, columns]), 0, deep - 1).astype(int)
    np.add.at(toggles, (at, y[rows], x[columns]), 1 if area < 0 else -1)
