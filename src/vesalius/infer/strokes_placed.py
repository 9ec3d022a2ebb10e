"""Where strokes lie: on a prepared image, in a region of it, and in the turned native image; and boxes around masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from vesalius.core.guidance import Stroke
from vesalius.core.image import Array
from vesalius.infer.regions import Region, Where
from vesalius.prepare.geometry import Undo, forward_points
from vesalius.prepare.strokes import Marks

Bounds = tuple[Array, Array]  # the low corner `(z, y, x)`, and the one beyond the high corner


def box_of(stroke: Stroke, undo: Undo) -> Bounds:
    """Return the box around a stroke's voxels on the prepared grid, in edges."""
    made = forward_points(np.array(stroke.corners(), np.float64), undo)
    return made.min(axis=0), made.max(axis=0)


def marks_of(strokes: Sequence[Stroke], region: Region, undo: Undo) -> Marks:
    """Return strokes as voxels of a region; of several boxes that add the last one counts."""
    added, removed, box = [np.zeros((0, 3), np.int64)], [np.zeros((0, 3), np.int64)], None
    for stroke in strokes:
        if stroke.kind == "box":
            if stroke.adds:
                low, high = box_of(stroke, undo)
                box = region.places(low), region.places(high)
            continue
        places = forward_points(stroke.voxels() + 0.5, undo)
        found = np.floor(region.places(places)).astype(np.int64)
        (added if stroke.adds else removed).append(found)
    return Marks(np.concatenate(added), np.concatenate(removed), box)


def turned(voxels: Array, undo: Undo) -> Array:
    """Return native voxels `(N, 3)` as voxels of the turned and cut image."""
    found = voxels[:, list(undo.order)]
    for axis in undo.flips:
        found[:, axis] = undo.turned[axis] - 1 - found[:, axis]
    moved: Array = found - np.asarray(undo.low)
    return moved


def part_of(stroke: Stroke, undo: Undo) -> Where:
    """Return the box around a stroke in the turned and cut image, as far as that reaches."""
    corners = np.array(stroke.corners(), np.int64)
    a, b = turned(np.stack([corners[0], corners[1] - 1]), undo)
    low = np.clip(np.minimum(a, b), 0, undo.seen)
    high = np.clip(np.maximum(a, b) + 1, 0, undo.seen)
    z, y, x = (slice(int(p), int(q)) for p, q in zip(low, high, strict=True))
    return z, y, x


def touched(mask: Array, stroke: Stroke, undo: Undo, where: Where) -> Array:
    """Return the connected parts of a mask, which lies at `where` in the turned image, that a stroke touches."""
    parts, n = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if not n:
        return mask
    voxels = turned(stroke.voxels(), undo) - np.array([s.start for s in where])
    inside = ((voxels >= 0) & (voxels < np.array(mask.shape))).all(axis=1)
    z, y, x = voxels[inside].T
    found: Array = np.isin(parts, np.setdiff1d(parts[z, y, x], [0]))
    return found


def bounds_of(mask: Array) -> Bounds | None:
    """Return the box around the voxels of a mask; None of an empty one."""
    found = ndimage.find_objects(mask.astype(np.uint8))
    if not found or found[0] is None:
        return None
    return np.array([s.start for s in found[0]]), np.array([s.stop for s in found[0]])


def joined(one: Bounds | None, other: Bounds | None) -> Bounds | None:
    """Return the box around two boxes, of which either may not be there."""
    if one is None or other is None:
        return other if one is None else one
    return np.minimum(one[0], other[0]), np.maximum(one[1], other[1])


def union(several: Sequence[Where]) -> Where:
    """Return the box around several parts; empty ones count for nothing."""
    full = [w for w in several if all(s.stop > s.start for s in w)]
    if not full:
        return slice(0, 0), slice(0, 0), slice(0, 0)
    z, y, x = (slice(min(w[a].start for w in full), max(w[a].stop for w in full)) for a in range(3))
    return z, y, x
