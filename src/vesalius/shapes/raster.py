"""A z-buffer: which face of a mesh is seen at each pixel, how deep it lies, and where in the face; no graphics card."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array

AT_ONCE = 1_000_000  # pixels of boxes that are looked at together
EDGE = -1e-9  # a pixel's middle on an edge belongs to both faces: no crack between neighbours


@dataclass(frozen=True, eq=False)
class Seen:
    """What is seen of a mesh: at each pixel the nearest face and its depth, and the weights of the face's corners.

    `face` is `(H, W)`, -1 where nothing is seen; `depth` is `(H, W)`, infinite there; `weights` is `(N, 3)`, a row for
    each pixel at which something is seen, in the order of `np.nonzero(face >= 0)`.
    """

    face: Array
    depth: Array
    weights: Array

    @property
    def there(self) -> Array:
        """Where something is seen, `(H, W)` of bits."""
        found: Array = self.face >= 0
        return found


def seen(points: Array, faces: Array, shape: tuple[int, int]) -> Seen:
    """Return what is seen of a mesh. `points` is `(V, 3)`: column, row and depth in pixels; `faces` is `(F, 3)`.

    The middle of the pixel in row r and column c is at (c, r). The nearest depth is the least one. A mesh without
    faces that reach a pixel's middle, as one smaller than a pixel, is seen at the pixel of each face's middle, so that
    nothing small vanishes.
    """
    height, width = shape
    depth = np.full(height * width, np.inf)
    face = np.full(height * width, -1, dtype=np.int64)
    corners = points[faces]  # (F, 3, 3)
    low = np.ceil(corners[..., :2].min(axis=1)).astype(np.int64)
    high = np.floor(corners[..., :2].max(axis=1)).astype(np.int64)
    np.clip(low, 0, None, out=low)
    np.clip(high, None, [width - 1, height - 1], out=high)
    across = high - low + 1
    inside = np.flatnonzero((across > 0).all(axis=1))
    side = 2 ** np.ceil(np.log2(across[inside].max(axis=1))).astype(np.int64)
    for size in np.unique(side):
        of_size = inside[side == size]
        step = max(1, AT_ONCE // int(size) ** 2)
        for start in range(0, len(of_size), step):
            _fill(depth, face, corners, of_size[start : start + step], low, high, int(size), width)
    if not (face >= 0).any():
        _dots(depth, face, corners, shape)
    there = np.flatnonzero(face >= 0)
    weights = _weights(corners[face[there]], there % width, there // width)
    return Seen(face.reshape(shape), depth.reshape(shape), weights)


def _fill(
    depth: Array, face: Array, corners: Array, which: Array, low: Array, high: Array, size: int, width: int
) -> None:
    """Put the nearest of some faces into the buffers; the box of each is `size` pixels at most along each axis."""
    steps = np.arange(size)
    column = low[which, 0, None, None] + steps[None, None, :]  # (n, 1, size)
    row = low[which, 1, None, None] + steps[None, :, None]  # (n, size, 1)
    a, b, c = (corners[which, k] for k in range(3))
    area = _cross(a, b, c[:, 0], c[:, 1])
    flat = np.abs(area) < 1e-12
    scale = 1 / np.where(flat, 1.0, area)
    one = _cross(b, c, column, row) * scale[:, None, None]
    two = _cross(c, a, column, row) * scale[:, None, None]
    three = 1 - one - two
    z = one * a[:, 2, None, None] + two * b[:, 2, None, None] + three * c[:, 2, None, None]
    covered = (one >= EDGE) & (two >= EDGE) & (three >= EDGE) & ~flat[:, None, None]
    covered &= (column <= high[which, 0, None, None]) & (row <= high[which, 1, None, None])
    n, r, k = np.nonzero(covered)
    pixel = row[n, r, 0] * width + column[n, 0, k]
    _nearest(depth, face, pixel, z[n, r, k], which[n])


def _nearest(depth: Array, face: Array, pixel: Array, z: Array, which: Array) -> None:
    np.minimum.at(depth, pixel, z)
    won = z == depth[pixel]
    face[pixel[won]] = which[won]


def _dots(depth: Array, face: Array, corners: Array, shape: tuple[int, int]) -> None:
    """Put each face's middle into the pixel in which it lies."""
    middle = corners.mean(axis=1)
    at = np.rint(middle[:, :2]).astype(np.int64)
    held = np.flatnonzero(((at >= 0) & (at < [shape[1], shape[0]])).all(axis=1))
    _nearest(depth, face, at[held, 1] * shape[1] + at[held, 0], middle[held, 2], held)


def _weights(corners: Array, column: Array, row: Array) -> Array:
    """Return the barycentric weights of pixels in the faces that they show, `(N, 3)`, each from 0 to 1, in sum 1."""
    a, b, c = (corners[:, k] for k in range(3))
    area = _cross(a, b, c[:, 0], c[:, 1])
    flat = np.abs(area) < 1e-12
    scale = 1 / np.where(flat, 1.0, area)
    one, two = _cross(b, c, column, row) * scale, _cross(c, a, column, row) * scale
    found = np.clip(np.stack([one, two, 1 - one - two], axis=1), 0, None)
    found[flat] = 1 / 3
    whole: Array = found / found.sum(axis=1, keepdims=True)
    return whole


def _cross(a: Array, b: Array, column: Array, row: Array) -> Array:
    """Return twice the signed area of the triangles of edge (a, b) and a pixel."""
    grown = (slice(None), *(None,) * (np.ndim(column) - 1))
    dx, dy = (b[:, 0] - a[:, 0])[grown], (b[:, 1] - a[:, 1])[grown]
    found: Array = dx * (row - a[:, 1][grown]) - dy * (column - a[:, 0][grown])
    return found
