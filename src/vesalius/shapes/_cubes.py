"""Marching cubes on bits: where a mesh passes between voxels, and how its corners hang together.

The table of Lorensen and Cline (1987) is asked about bits alone, so the mesh is closed and manifold whatever they are,
and each of its corners lies on the line between a voxel inside and a neighbour outside, one corner for each such pair.
Where on that line is `_field`'s to say. Voxels that touch along an edge are joined.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array

SLAB = 1 << 24  # voxels that are looked at together


@dataclass(frozen=True, eq=False)
class Net:
    """A mesh whose corners lie between voxels.

    `inside` `(V, 3)` is the voxel `(z, y, x)` inside of each corner, `axis` `(V,)` the axis of the array along which
    its neighbour outside lies, `side` `(V,)` whether that comes after it (1) or before (−1). `faces` `(F, 3)` are
    counter-clockwise from outside in coordinates `(x, y, z)`.
    """

    inside: Array
    axis: Array
    side: Array
    faces: Array

    @property
    def outside(self) -> Array:
        """The voxel outside of each corner, `(V, 3)`."""
        found = self.inside.copy()
        found[np.arange(len(found)), self.axis] += self.side
        return found

    def placed(self, share: Array) -> Array:
        """Return the corners `(V, 3)` as `(x, y, z)` indexes, `share` `(V,)` of the way from inside to outside."""
        found = self.inside.astype(np.float64)
        found[np.arange(len(found)), self.axis] += self.side * share
        return np.asarray(found[:, ::-1])


def net_of(bits: Array) -> Net:
    """Return the mesh about the voxels `(Z, Y, X)` that are True. What lies beyond the array is outside."""
    found = [_slab(bits, low, high) for low, high in _slabs(bits)]
    found = [(keys, faces) for keys, faces in found if len(faces)]
    if not found:
        none = np.zeros(0, np.int64)
        return Net(np.zeros((0, 3), np.int64), none, none, np.zeros((0, 3), np.int64))
    every = np.concatenate([keys for keys, _ in found])
    unique, back = np.unique(every, return_inverse=True)
    starts = np.cumsum([0, *(len(keys) for keys, _ in found[:-1])])
    faces = np.concatenate([back[faces + at] for (_, faces), at in zip(found, starts, strict=True)])
    low, axis = np.divmod(unique, 3)
    shape = tuple(n + 2 for n in bits.shape)
    place = np.stack(np.unravel_index(low, shape), axis=1) - 1
    first = _at(bits, place)  # whether the voxel before is the one inside
    inside = place.copy()
    inside[~first, axis[~first]] += 1
    return Net(inside, axis, np.where(first, 1, -1), faces)


def _at(bits: Array, place: Array) -> Array:
    within = ((place >= 0) & (place < bits.shape)).all(axis=1)
    found: Array = np.zeros(len(place), bool)
    found[within] = bits[tuple(place[within].T)]
    return found


def _slabs(bits: Array) -> Iterator[tuple[int, int]]:
    """Yield first and last plane of slabs, which share a plane, from one before the array to one after it."""
    thick = max(SLAB // max(int(np.prod(bits.shape[1:])), 1), 1)
    for low in range(-1, bits.shape[0], thick):
        yield low, min(low + thick, bits.shape[0])


def _slab(bits: Array, low: int, high: int) -> tuple[Array, Array]:
    """Return a name for each corner `(V,)`, and the faces `(F, 3)`, between two planes."""
    from skimage.measure import marching_cubes

    none = np.zeros(0, np.int64), np.zeros((0, 3), np.int64)
    inner = bits[max(low, 0) : high + 1]
    held: Array = np.asarray(inner.any(axis=0))
    rows, columns = np.flatnonzero(held.any(axis=1)), np.flatnonzero(held.any(axis=0))
    if not len(rows):
        return none
    y, x = (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)
    outside = np.ones((high - low + 1, y[1] - y[0] + 2, x[1] - x[0] + 2), np.float32)
    start = max(low, 0) - low
    outside[start : start + len(inner), 1:-1, 1:-1] = 1 - 2 * inner[:, slice(*y), slice(*x)].astype(
        np.float32
    )
    if outside.min() > 0 or outside.max() < 0:
        return none
    points, faces, _, _ = marching_cubes(outside, 0.0, method="lorensen")  # type: ignore[no-untyped-call]
    twice = np.rint(points * 2).astype(np.int64)
    axis = (twice % 2).argmax(axis=1)
    place = twice // 2 + np.array([low + 1, y[0], x[0]])  # in the array with a border of one voxel
    shape = tuple(n + 2 for n in bits.shape)
    names = np.ravel_multi_index(tuple(place.T), shape) * 3 + axis
    return names, np.asarray(faces[:, ::-1], np.int64)  # (z, y, x) is the mirror image of (x, y, z)
