"""Outlines of a binary plane: closed polygons half way between pixels, holes joined to them by keyholes.

The outline crosses half way between the centres of each pixel inside and its neighbour outside, so that filling it
again by pixel centres gives exactly the pixels it was made of. Pixels that touch at a corner only are apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from skimage import measure

from vesalius.core.image import Array


def outlines(plane: Array) -> list[Array]:
    """Return closed polygons `(N, 2)` of (x, y) in pixel indexes, none closed by repeating its first point.

    A hole is part of the polygon around it: a cut of no width leads to it and back (the keyhole of PS3.3 C.8.8.6.3).
    """
    where = np.nonzero(plane)
    if not len(where[0]):
        return []
    top, left = where[0].min(), where[1].min()
    cut = plane[top : where[0].max() + 1, left : where[1].max() + 1]
    padded = np.pad(cut.astype(np.float32), 1)
    find = cast("Callable[..., list[Any]]", measure.find_contours)
    rings = [_corners(ring[:-1, ::-1] + (left - 1, top - 1)) for ring in find(padded, 0.5)]
    areas = [_area(ring) for ring in rings]
    outer = [k for k, area in enumerate(areas) if area * _sign(areas) > 0]
    holes: dict[int, list[Array]] = {k: [] for k in outer}
    for k, ring in enumerate(rings):
        if k not in holes:
            around = [o for o in outer if abs(areas[o]) > abs(areas[k]) and _inside(ring[0], rings[o])]
            holes[min(around, key=lambda o: abs(areas[o]))].append(ring)
    return [_joined(rings[k], holes[k]) for k in outer]


def _sign(areas: list[float]) -> float:
    """Return the sense in which outer rings turn: that of the largest, which nothing can be around."""
    return float(np.sign(max(areas, key=abs)))


def _area(ring: Array) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _corners(ring: Array) -> Array:
    """Return the ring without the points that lie on a line between their neighbours."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    corners: Array = ring[np.abs(turns) > 1e-9]
    return corners


def _inside(point: Array, ring: Array) -> bool:
    """Return whether a point lies within a ring, by the crossings of a ray along x."""
    x, y = ring[:, 0], ring[:, 1]
    x2, y2 = np.roll(x, -1), np.roll(y, -1)
    crosses = (y > point[1]) != (y2 > point[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x + (point[1] - y) * (x2 - x) / (y2 - y)
    return bool(np.count_nonzero(crosses & (at > point[0])) % 2)


def _joined(ring: Array, holes: list[Array]) -> Array:
    """Return the ring with each hole joined by a cut straight up from its highest corner to what is above.

    The cut runs a quarter of a pixel beside the centres, so that no reader has to decide on which side of it one is.
    """
    for hole in sorted(holes, key=lambda h: float(h[:, 1].min())):
        k = _highest_slope(hole)
        after = np.roll(hole, -k - 1, axis=0)  # from the end of that edge round to its beginning
        start = (hole[k] + after[0]) / 2
        edge, hit = _above(start, ring)
        ring = np.concatenate([ring[: edge + 1], [hit, start], after, [start, hit], ring[edge + 1 :]])
    return ring


def _highest_slope(hole: Array) -> int:
    """Return the edge, by its first point, that is the highest of those that run across a pixel's corner."""
    step = np.roll(hole, -1, axis=0) - hole
    middle = hole[:, 1] + step[:, 1] / 2
    return int(np.argmin(np.where((step != 0).all(axis=1), middle, np.inf)))


def _above(point: Array, ring: Array) -> tuple[int, Array]:
    """Return the edge of a ring that is next above a point (towards lower y), by its first point, and where it is
    met.
    """
    x, y = ring[:, 0], ring[:, 1]
    x2, y2 = np.roll(x, -1), np.roll(y, -1)
    crosses = (x > point[0]) != (x2 > point[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        at = np.where(crosses, y + (point[0] - x) * (y2 - y) / (x2 - x), np.inf)
    edge = int(np.argmax(np.where(at < point[1], at, -np.inf)))
    return edge, np.array([point[0], at[edge]])
