"""Regions: the part of a prepared image that one click is answered from, and the way to the image's own grid and back.

A region has a fixed number of voxels, so that one compiled graph answers all of them; a large object is seen in a
larger part of the image at a coarser step. Coordinates are edges: voxel k reaches from k to k + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array
from vesalius.prepare import geometry
from vesalius.prepare.geometry import Undo

Grid = tuple[int, int, int]
Where = tuple[slice, slice, slice]
MARGIN = 0.15  # of an object's extent, that is seen around it at least


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a prepared grid, from voxel `start` on and of `extent` voxels, seen on a grid of `size` voxels.

    It may reach beyond the prepared grid, where nothing is. All are `(z, y, x)`.
    """

    start: Grid
    extent: Grid
    size: Grid

    @property
    def step(self) -> Array:
        """How many prepared voxels one of the region is, along each axis."""
        return np.divide(self.extent, self.size)

    def places(self, prepared: Array) -> Array:
        """Return points `(…, 3)` of the prepared grid as points of the region."""
        found: Array = (np.asarray(prepared, np.float64) - np.asarray(self.start)) / self.step
        return found


def around(low: Array, high: Array, size: Grid, shape: Grid, zoom: float) -> Region:
    """Return the region at a zoom with a box `(low, high)` of the prepared grid in its middle.

    Where it would reach beyond the image it is moved back, as far as the image reaches. An axis of one voxel, as a
    picture's first, is never zoomed.
    """
    start, extent = [], []
    for a, b, n, whole in zip(low, high, size, shape, strict=True):
        length = n if n == 1 else max(1, round(n * zoom))
        at = int(np.floor((a + b) / 2 - length / 2 + 0.5)) if n > 1 else int(np.floor(a))
        at = (
            min(max(at, min(0, whole - length)), max(0, whole - length))
            if n > 1
            else min(max(at, 0), whole - 1)
        )
        start.append(at)
        extent.append(length)
    return Region((start[0], start[1], start[2]), (extent[0], extent[1], extent[2]), size)


def needed(low: Array, high: Array, size: Grid) -> float:
    """Return the zoom at which a region shows a box whole, with a margin; 1 where it fits as it is."""
    ratios = [(b - a) * (1 + 2 * MARGIN) / n for a, b, n in zip(low, high, size, strict=True) if n > 1]
    return max(1.0, *ratios) if ratios else 1.0


def cut(array: Array, region: Region) -> Array:
    """Return what a region shows of a prepared image `(C, Z, Y, X)`, float32; zeros beyond it."""
    lead = array.shape[0]
    out = np.zeros((lead, *region.extent), np.float32)
    inside, there = [], []
    for at, length, n in zip(region.start, region.extent, array.shape[1:], strict=True):
        a, b = max(at, 0), min(at + length, n)
        there.append(slice(a, max(a, b)))
        inside.append(slice(a - at, max(a, b) - at))
    out[(slice(None), *inside)] = array[(slice(None), *there)]
    return out if region.extent == region.size else geometry.resample(out, region.size)


def window(region: Region, undo: Undo) -> Where:
    """Return which voxels of the turned and cut native image have their middles in a region."""
    found = []
    for axis in range(3):
        middles = _to_prepared(np.arange(undo.seen[axis]) + 0.5, undo, axis)
        inside = np.flatnonzero(
            (middles >= region.start[axis]) & (middles < region.start[axis] + region.extent[axis])
        )
        found.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0))
    return found[0], found[1], found[2]


def to_native(field: Array, region: Region, undo: Undo, where: Where) -> Array:
    """Return a region's field `(Z, Y, X)` at the middles of the native voxels `where`, interpolated."""
    axes = []
    for axis, part in enumerate(where):
        middles = _to_prepared(np.arange(part.start, part.stop) + 0.5, undo, axis)
        axes.append((middles - region.start[axis]) / region.step[axis] - 0.5)
    return _at(field, axes)


def from_native(mask: Array, region: Region, undo: Undo) -> Array:
    """Return a turned and cut native mask as the region sees it, float32 from 0 to 1; zeros beyond the image."""
    axes, inside = [], []
    for axis in range(3):
        prepared = region.start[axis] + (np.arange(region.size[axis]) + 0.5) * region.step[axis]
        own = (prepared - undo.before[axis]) * undo.seen[axis] / undo.inner[axis]
        inside.append((own >= 0) & (own <= undo.seen[axis]))
        axes.append(own - 0.5)
    lows = [max(0, int(np.floor(a.min()))) for a in axes]
    highs = [min(n, int(np.ceil(a.max())) + 2) for a, n in zip(axes, mask.shape, strict=True)]
    if any(a >= b for a, b in zip(lows, highs, strict=True)):
        return np.zeros(region.size, np.float32)
    part = mask[tuple(slice(a, b) for a, b in zip(lows, highs, strict=True))].astype(np.float32)
    found = _at(part, [a - low for a, low in zip(axes, lows, strict=True)])
    outside = np.ix_(*inside)
    kept = np.zeros_like(found)
    kept[outside] = found[outside]
    return kept


def _to_prepared(edges: Array, undo: Undo, axis: int) -> Array:
    scaled: Array = edges * (undo.inner[axis] / undo.seen[axis]) + undo.before[axis]
    return scaled


def _at(field: Array, axes: Sequence[Array]) -> Array:
    """Return a field at the crossings of indices along each axis, linear in between and constant beyond its ends."""
    for axis, index in enumerate(axes):
        top = field.shape[axis] - 1
        index = np.clip(index, 0, top)
        low = np.floor(index).astype(np.int64)
        share = (index - low).astype(np.float32)
        first = np.take(field, low, axis=axis)
        if not share.any():
            field = first
            continue
        second = np.take(field, np.minimum(low + 1, top), axis=axis)
        shaped = share.reshape([-1 if k == axis else 1 for k in range(3)])
        field = first * (1 - shaped) + second * shaped
    return field
