"""Pairs of faces that cross: found by the balls around them, told by sides that pass through faces."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree

from vesalius.core.image import Array

TOGETHER = 1 << 20  # pairs that are told together


def crossings(points: Array, faces: Array) -> int:
    """Return how many pairs of faces cross, of those that share one corner at most. Touching is no crossing.

    A pair crosses where a side of one passes through the inner of the other; faces that lie in one plane do not.
    """
    return sum(int(_cross(points, faces[one], faces[two]).sum()) for one, two in _near(points, faces))


def _near(points: Array, faces: Array) -> Iterator[tuple[Array, Array]]:
    """Yield pairs of faces whose balls overlap, by their places, each pair once."""
    corners = points[faces]
    centres = corners.mean(axis=1)
    radii = np.sqrt(((corners - centres[:, None]) ** 2).sum(axis=2).max(axis=1))
    sizes = np.floor(np.log2(np.maximum(radii, 1e-9 * max(float(radii.max()), 1e-300)))).astype(int)
    classes = [(np.flatnonzero(sizes == k), float(2.0 ** (k + 1))) for k in np.unique(sizes)]
    trees = [cKDTree(centres[held]) for held, _ in classes]
    for i, (mine, reach) in enumerate(classes):
        step = max(TOGETHER // 256, 1)
        for start in range(0, len(mine), step):
            own = mine[start : start + step]
            tree = cKDTree(centres[own])
            for j in range(i + 1):
                theirs, other = classes[j]
                found = tree.sparse_distance_matrix(trees[j], reach + other, output_type="ndarray")
                one, two = own[found["i"]], theirs[found["j"]]
                kept = one > two if i == j else np.ones(len(one), bool)
                kept &= np.linalg.norm(centres[one] - centres[two], axis=1) <= radii[one] + radii[two]
                for at in range(0, len(one), TOGETHER):
                    some = kept[at : at + TOGETHER]
                    a, b = one[at : at + TOGETHER][some], two[at : at + TOGETHER][some]
                    apart = _shared(faces[a], faces[b]) <= 1
                    apart &= _boxes_meet(corners[a], corners[b])
                    yield a[apart], b[apart]


def _shared(one: Array, two: Array) -> Array:
    return np.asarray((one[:, :, None] == two[:, None, :]).any(axis=2).sum(axis=1))


def _boxes_meet(one: Array, two: Array) -> Array:
    low = np.maximum(one.min(axis=1), two.min(axis=1))
    high = np.minimum(one.max(axis=1), two.max(axis=1))
    return np.asarray((low <= high).all(axis=1))


def _cross(points: Array, one: Array, two: Array) -> Array:
    """Return which pairs of faces `(N, 3)` cross."""
    found = np.zeros(len(one), bool)
    for face, other in ((one, two), (two, one)):
        for k in range(3):
            found |= _pierces(points, face[:, k], face[:, (k + 1) % 3], other)
    return found


def _pierces(points: Array, start: Array, end: Array, face: Array) -> Array:
    """Return which segments pass through the inner of their face, and do not end on it."""
    p, q = points[start], points[end]
    a, b, c = (points[face[:, k]] - p for k in range(3))
    along = q - p
    normal = np.cross(b - a, c - a)
    here, there = -np.einsum("ij,ij->i", normal, a), np.einsum("ij,ij->i", normal, along - a)
    turns = [np.einsum("ij,ij->i", along, np.cross(u, v)) for u, v in ((a, b), (b, c), (c, a))]
    same = np.logical_or(np.all([t > 0 for t in turns], axis=0), np.all([t < 0 for t in turns], axis=0))
    ends = ((face == start[:, None]) | (face == end[:, None])).any(axis=1)
    return np.asarray((here * there < 0) & same & ~ends)
