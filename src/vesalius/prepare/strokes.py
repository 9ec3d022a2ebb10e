"""Strokes as what a network sees beside an image: soft spots where something was added or removed, a box, a mask.

The spots are Gaussians around each marked voxel, as in DeepIGeoS' successors (Sakinis et al., arXiv:1903.08205); the
mask so far is a channel, too, as in RITM (Sofiiuk et al., arXiv:2102.06583).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vesalius.core.image import Array

Grid = tuple[int, int, int]
CHANNELS = ("added", "removed", "box", "mask")
SIGMA = 2.0  # of a spot, in voxels along the finest axis
LEAST = 0.1  # below which a spot ends


@dataclass(frozen=True, eq=False)
class Marks:
    """What was shown of one object on a grid: voxels `(N, 3)` that were added and removed, and a box.

    The box is its low corner and the one beyond its high corner, each `(z, y, x)`, in voxels of the grid; places may
    lie outside of the grid, and are then not seen.
    """

    added: Array
    removed: Array
    box: tuple[Array, Array] | None = None


def channels(marks: Marks, mask: Array, spacing: Sequence[float] | None = None) -> Array:
    """Return the marks and the mask so far as `(4, Z, Y, X)` float32, in the order of CHANNELS.

    `mask` `(Z, Y, X)` lies on the grid, from 0 to 1. `spacing` `(z, y, x)` is that of the grid, in any unit: spots are
    round in it. Along an axis of coarse voxels they do not reach as many.
    """
    shape: Grid = (mask.shape[0], mask.shape[1], mask.shape[2])
    out = np.zeros((len(CHANNELS), *shape), np.float32)
    z, y, x = (float(s) for s in spacing) if spacing is not None else (1.0, 1.0, 1.0)
    each = (z, y, x)
    _spots(out[0], marks.added, each)
    _spots(out[1], marks.removed, each)
    if marks.box is not None:
        low, high = (np.asarray(corner, np.float64) for corner in marks.box)
        a = np.floor(low + 0.5).astype(int)
        b = np.maximum(np.floor(high + 0.5).astype(int), a + 1)
        a, b = np.clip(a, 0, shape), np.clip(b, 0, shape)
        out[2, a[0] : b[0], a[1] : b[1], a[2] : b[2]] = 1
    out[3] = mask
    return out


def _spots(out: Array, voxels: Array, spacing: tuple[float, float, float]) -> None:
    """Paint a spot around each voxel `(N, 3)` into `out`; where spots meet the stronger counts."""
    if not len(voxels):
        return
    shape = np.array(out.shape)
    places = np.unique(np.asarray(voxels, np.int64), axis=0)
    for offset, weight in _stamp(spacing):
        moved = places + np.array(offset)
        inside = ((moved >= 0) & (moved < shape)).all(axis=1)
        z, y, x = moved[inside].T
        out[z, y, x] = np.maximum(out[z, y, x], weight)


@lru_cache(maxsize=16)
def _stamp(spacing: tuple[float, float, float]) -> tuple[tuple[tuple[int, int, int], float], ...]:
    """Return the voxels of a spot, from its middle, with their weights."""
    finest = min(spacing)
    reach = SIGMA * float(np.sqrt(-2 * np.log(LEAST)))
    steps = [s / finest for s in spacing]
    axes = [range(-int(reach / s), int(reach / s) + 1) for s in steps]
    found = []
    for z, y, x in itertools.product(*axes):
        square = (z * steps[0]) ** 2 + (y * steps[1]) ** 2 + (x * steps[2]) ** 2
        weight = float(np.exp(-square / (2 * SIGMA**2)))
        if weight >= LEAST:
            found.append(((z, y, x), weight))
    return tuple(found)
