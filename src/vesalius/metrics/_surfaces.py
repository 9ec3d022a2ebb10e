"""Surfaces of masks, cut to where anything is, and the distances between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from vesalius.core.cohort import Label
from vesalius.core.image import Array

Box = tuple[slice, ...]
CROWDED = 0.3  # surface voxels a voxel, from which a distance transform is faster than a search tree


def boxes(array: Array, labels: Sequence[Label]) -> list[Box | None]:
    """For each label, the box that holds it in `(1, Z, Y, X)` of values or `(K, Z, Y, X)` of bits; None if empty."""
    if array.shape[0] > 1:
        return [_box(plane != 0) for plane in array[: len(labels)]]
    plane = array[0]
    if plane.dtype == bool:
        plane = plane.view(np.uint8)
    top = max((label.value for label in labels), default=0)
    if np.issubdtype(plane.dtype, np.integer) and 0 < top < 4096 and min(v.value for v in labels) > 0:
        small = plane if plane.max() <= top and plane.min() >= 0 else np.where(plane <= top, plane, 0).clip(0)
        found = ndimage.find_objects(small, max_label=top)
        return [found[label.value - 1] for label in labels]
    return [_box(plane == label.value) for label in labels]


def cut(array: Array, k: int, value: int, around: Sequence[Box | None], inside: Array | None) -> Array:
    """Return label `k`'s bits within the box around both masks, and within the region where there is one."""
    held = [b for b in around if b is not None]
    if not held:
        return np.zeros((0, 0, 0), dtype=bool)
    box = tuple(slice(min(b[axis].start for b in held), max(b[axis].stop for b in held)) for axis in range(3))
    bits = array[k][box] != 0 if array.shape[0] > 1 else array[0][box] == value
    return np.asarray(bits if inside is None else bits & inside[box])


def surface(bits: Array, *, flat: bool) -> Array:
    """Voxels with a face neighbour outside the mask; what lies beyond the array is outside. `(Z, Y, X)` → same.

    A `flat` image, a single plane, has no neighbours along z; one plane of a volume has.
    """
    if flat:
        return np.asarray(bits & ~ndimage.binary_erosion(bits[0])[None])
    return np.asarray(bits & ~ndimage.binary_erosion(bits))


def distances(
    a: Array, b: Array, *, spacing_mm: tuple[float, float, float], flat: bool
) -> tuple[Array, Array]:
    """From each surface voxel of `a` to the surface of `b`, and back; `spacing_mm` is `(x, y, z)`. Exact."""
    step = np.array(spacing_mm[::-1])
    edges = [surface(bits, flat=flat) for bits in (a, b)]
    if sum(int(e.sum()) for e in edges) > CROWDED * edges[0].size:
        far = [ndimage.distance_transform_edt(~edge, sampling=step) for edge in edges]
        return np.asarray(far[1][edges[0]]), np.asarray(far[0][edges[1]])
    first, second = (np.argwhere(edge) * step for edge in edges)
    there = cKDTree(second).query(first)[0]
    back = cKDTree(first).query(second)[0]
    return np.asarray(there), np.asarray(back)


def _box(bits: Array) -> Box | None:
    if not bits.any():
        return None
    found = []
    for axis in range(bits.ndim):
        held = np.flatnonzero(bits.any(axis=tuple(i for i in range(bits.ndim) if i != axis)))
        found.append(slice(int(held[0]), int(held[-1]) + 1))
    return tuple(found)
