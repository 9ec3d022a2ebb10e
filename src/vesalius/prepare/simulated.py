"""A person who shows an object, simulated from its true mask: where the next stroke falls, and of which kind it is.

The first stroke lies inside of the object, a further one in the middle of the largest error (Xu et al., arXiv:
1603.04042; RITM, arXiv:2102.06583). With a generator the person is as unsure as people are; without one every stroke
is the middle-most, so that figures can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array

Rng = np.random.Generator
Voxel = tuple[int, int, int]
DEEP = 0.5  # of the largest depth: where an unsure person still clicks
BOX_JITTER = 0.1  # of a box's side, by which each of its faces is off at most
LEAST_ERROR = 1  # voxels of an error that a person still sees


@dataclass(frozen=True, eq=False)
class Shown:
    """One simulated stroke: voxels `(N, 3)` that it marks, and whether it adds."""

    voxels: Array
    adds: bool


def first(truth: Array, spacing: Sequence[float] | None = None, rng: Rng | None = None) -> Voxel | None:
    """Return the voxel of a first click, deep inside of an object `(Z, Y, X)` of bits; None where there is none."""
    found = _deepest(truth, spacing, rng)
    return None if found is None else found[0]


def correction(
    truth: Array,
    mask: Array,
    known: Array | None = None,
    *,
    spacing: Sequence[float] | None = None,
    rng: Rng | None = None,
) -> tuple[Voxel, bool] | None:
    """Return the middle of the largest error of a mask, and whether a click there adds; None where there is none.

    All are bits `(Z, Y, X)`; what is not `known` is no error. How large an error is, is how deep its deepest voxel
    lies, so that a thin seam along the object's surface counts less than a part that is missing.
    """
    missing, beyond = truth & ~mask, mask & ~truth
    if known is not None:
        missing, beyond = missing & known, beyond & known
    one, other = (_deepest(error, spacing, rng) for error in (missing, beyond))
    if one is None and other is None:
        return None
    if other is None or (one is not None and one[1] >= other[1]):
        return (one or ((0, 0, 0), 0.0))[0], True
    return other[0], False


def box(truth: Array, rng: Rng | None = None) -> tuple[Voxel, Voxel] | None:
    """Return the first and the last voxel of the box around an object, each face a little off with a generator."""
    found = ndimage.find_objects(truth.astype(np.uint8))
    if not found or found[0] is None:
        return None
    low = np.array([s.start for s in found[0]])
    high = np.array([s.stop for s in found[0]]) - 1
    if rng is not None:
        side = (high - low + 1) * BOX_JITTER
        low = low + np.rint(rng.uniform(-side, side)).astype(int)
        high = high + np.rint(rng.uniform(-side, side)).astype(int)
        low, high = np.minimum(low, high), np.maximum(low, high)
    shape = np.array(truth.shape)
    low, high = np.clip(low, 0, shape - 1), np.clip(high, 0, shape - 1)
    return _voxel(low), _voxel(high)


def scribble(error: Array, at: Voxel, rng: Rng, *, longest: int = 24) -> Array:
    """Return a piece of the skeleton of the error around a voxel of it, as voxels `(N, 3)`, within the voxel's slice.

    People draw in a slice. Where the skeleton is far away it is the voxel alone.
    """
    from skimage.morphology import skeletonize

    bones = np.argwhere(skeletonize(error[at[0]]))  # type: ignore[no-untyped-call]
    if not len(bones):
        return np.array([at])
    apart = np.abs(bones - np.array(at[1:])).max(axis=1)
    near = bones[apart <= int(rng.integers(3, max(4, longest // 2)))]
    if not len(near):
        return np.array([at])
    return np.column_stack([np.full(len(near), at[0]), near])


def _deepest(where: Array, spacing: Sequence[float] | None, rng: Rng | None) -> tuple[Voxel, float] | None:
    """Return the deepest voxel of a region and its depth; with a generator one of those that lie deep enough."""
    found = ndimage.find_objects(where.astype(np.uint8))
    if not found or found[0] is None:
        return None
    part = np.pad(where[found[0]], 1)
    flat = [n for n, size in enumerate(where.shape) if size == 1]
    for axis in flat:  # a picture has no depth across its plane
        part = np.take(part, [1], axis=axis)
    depth = ndimage.distance_transform_edt(part, sampling=None if spacing is None else list(spacing))
    most = float(depth.max())
    if rng is None:
        at = np.unravel_index(int(depth.argmax()), depth.shape)
    else:
        deep = np.flatnonzero(depth >= DEEP * most)
        at = np.unravel_index(int(deep[rng.integers(len(deep))]), depth.shape)
    low = [s.start - (0 if n in flat else 1) for n, s in enumerate(found[0])]
    return _voxel(np.array(at) + np.array(low)), most


def _voxel(place: Array) -> Voxel:
    z, y, x = (int(a) for a in place)
    return z, y, x
