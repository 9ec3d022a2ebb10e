"""What is measured of each label of a mask, as four looks share it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from vesalius.core.case import IGNORED
from vesalius.core.image import Array, Image
from vesalius.reliability.finding import Place

MOST = 24  # labels of a mask that are measured
STRAY = 0.02  # of the largest piece: smaller ones are specks
LEAST = 8  # voxels up to which a piece is a speck beside any larger one
FAR = 0.05  # of the image's diagonal: so far from the largest piece a speck is stray


@dataclass(frozen=True, slots=True)
class Drawn:
    """One label in one mask: its size, its pieces, the specks far from the largest, and where it touches and breaks.

    `size` is in mm³, or in voxels where spacing is not known. `edge` is how many voxels lie on the image's rim, `gap`
    how many planes are empty between two that show the same piece. `place` frames the first speck, `at_edge` the rim
    that it touches most.
    """

    size: float
    pieces: int
    specks: int
    edge: int
    gap: int
    place: Place | None
    at_edge: Place | None


def drawn(mask: Image) -> dict[int, Drawn]:
    """Return each label's measures by its value; of overlapping labels' bits, and of more than MOST labels, none."""
    labels = mask.array[0]
    values = [int(v) for v in np.unique(labels) if v not in (0, IGNORED)]
    if mask.array.shape[0] != 1 or len(values) > MOST or labels.dtype.kind not in "iub":
        return {}
    voxel = float(np.prod(mask.spacing_mm)) if mask.spacing_mm is not None else 1.0
    return {value: _of(labels == value, voxel) for value in values}


def _of(where: Array, voxel: float) -> Drawn:
    window = ndimage.find_objects(where.astype(np.uint8))[0]
    inside = where[window]  # (Z, Y, X)
    parts, count = ndimage.label(inside, np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    boxes = ndimage.find_objects(parts)
    largest = int(sizes.argmax())
    far = FAR * float(np.linalg.norm(where.shape))
    specks = [
        k
        for k, size in enumerate(sizes)
        if k != largest
        and size <= max(LEAST, STRAY * sizes[largest])
        and size < sizes[largest]
        and _apart(boxes[k], boxes[largest]) > far
    ]
    planes = inside.any(axis=(1, 2))
    edge, at = _rim(where, window)
    return Drawn(
        size=voxel * float(sizes.sum()),
        pieces=count,
        specks=len(specks),
        edge=edge,
        gap=_missing(inside, planes),
        place=_place(boxes[specks[0]], window, where.shape) if specks else None,
        at_edge=at,
    )


def _missing(inside: Array, planes: Array) -> int:
    """Return how many planes are empty where those on both sides have half of what either covers in common."""
    full = np.flatnonzero(planes)
    missing = 0
    for before, after in pairwise(full.tolist()):
        if after - before > 1:
            one, other = inside[before], inside[after]
            common = int((one & other).sum()) / int((one | other).sum())
            missing += after - before - 1 if common > 0.5 else 0
    return missing


def _apart(one: tuple[slice, ...], other: tuple[slice, ...]) -> float:
    """Return the distance between two boxes, in voxels."""
    gaps = [max(a.start - b.stop, b.start - a.stop, 0) for a, b in zip(one, other, strict=True)]
    return float(np.linalg.norm(gaps))


def _rim(where: Array, window: tuple[slice, ...]) -> tuple[int, Place | None]:
    """Return how many voxels lie in the first and the last row and column, and a frame around the fullest of these."""
    _, height, width = where.shape
    sides = {
        (0.0, 0.0, 0.08, 1.0): where[:, 0] if window[1].start == 0 else None,
        (0.92, 0.0, 1.0, 1.0): where[:, -1] if window[1].stop == height else None,
        (0.0, 0.0, 1.0, 0.08): where[:, :, 0] if window[2].start == 0 else None,
        (0.0, 0.92, 1.0, 1.0): where[:, :, -1] if window[2].stop == width else None,
    }
    counts = {place: int(side.sum()) for place, side in sides.items() if side is not None}
    return sum(counts.values()), max(counts, key=lambda k: counts[k]) if counts else None


def _place(box: tuple[slice, ...], window: tuple[slice, ...], shape: tuple[int, ...]) -> Place:
    """Return a frame around a box, two hundredths of the picture wide at least, as shares of rows and columns."""
    ends = []
    for axis in (1, 2):
        low, high = (window[axis].start + e for e in (box[axis].start, box[axis].stop))
        ends.append((max(low / shape[axis] - 0.02, 0.0), min(high / shape[axis] + 0.02, 1.0)))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]
