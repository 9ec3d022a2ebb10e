"""What an earlier stage's mask measures of findings of the same name: the largest diameter of the largest thing, in mm.

Along each slice of the prepared grid, as a radiologist measures (RECIST 1.1: the longest diameter in the plane of the
slice): between the outer corners of two voxels of one connected thing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from vesalius.core.image import Array
from vesalius.core.plan import DataPlan
from vesalius.prepare.geometry import Undo
from vesalius.tasks._report_findings import About

THERE = 0.5  # of a channel, from which a voxel is of the thing
MEASURED = (
    "measured"  # in a state: of each learned finding, the channel that shows it, or None; and among vectors
)


def channels_of(data: DataPlan, abouts: Sequence[About]) -> list[int | None]:
    """Return of each finding the channel of the prepared image in which an earlier stage shows it; None without one."""
    made = [name for names in data.taken.values() for name in names]
    return [data.channels + made.index(a.name) if a.name in made else None for a in abouts]


def measured(array: Array, channels: Sequence[int | None], undo: Undo) -> Array:
    """Return the largest diameter in mm of each finding, `(K,)` float32, 0 where nothing shows it.

    `array` is the prepared image `(C, Z, Y, X)`. Nothing is measured of an image without millimetres.
    """
    found = np.zeros(len(channels), np.float32)
    spacing = spacing_of(undo)
    if spacing is None:
        return found
    for k, channel in enumerate(channels):
        if channel is not None:
            found[k] = diameter(array[channel] >= THERE, spacing)
    return found


def spacing_of(undo: Undo) -> tuple[float, float, float] | None:
    """Return how far voxels of the prepared grid lie apart along `(z, y, x)`, in mm; None where nobody knows."""
    if undo.turned_spacing_mm is None:
        return None
    x, y, z = undo.turned_spacing_mm
    z, y, x = (mm * n / max(m, 1) for mm, n, m in zip((z, y, x), undo.seen, undo.inner, strict=True))
    return z, y, x


def diameter(bits: Array, spacing: tuple[float, float, float]) -> float:
    """Return the longest in-plane diameter in mm of the largest connected thing in `(Z, Y, X)` bits; 0 of none."""
    parts, many = ndimage.label(bits)
    if not many:
        return 0.0
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    best = 0.0
    for plane in parts == largest:
        if plane.any():
            best = max(best, _across(np.argwhere(plane), spacing[1:]))
    return best


def _across(points: Array, spacing: tuple[float, ...]) -> float:
    """Return the largest distance in mm between corners of pixels `(N, 2)`."""
    corners = (
        np.unique(np.concatenate([points + np.array((dy, dx)) for dy in (0, 1) for dx in (0, 1)]), axis=0)
        * spacing
    )
    corners = corners[ConvexHull(corners).vertices]
    apart = corners[:, None] - corners[None]
    return math.sqrt(float((apart**2).sum(axis=2).max()))
