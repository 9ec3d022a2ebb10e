"""What stands in the corners and along the edges of a picture, where a label should not stand."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.reliability.finding import Place
from vesalius.reliability.looks.contract import Sight

PART = 16  # a patch is one part in so many of the shorter side, and 2 pixels at least
EVEN = 0.02  # of the span: a patch that varies less is a mark, where it is also as bright as the brightest
NAMES = ("upper left", "upper right", "lower left", "lower right")


def corners(sight: Sight) -> Array | None:
    """Return `(8,)`: how bright each corner is beside the span of values, then how far it is a bright even mark.

    The corners stand as in NAMES. None of an image that is flat, or too small to have corners.
    """
    low, high = sight.span
    plane = sight.planes[len(sight.planes) // 2]
    side = max(2, min(plane.shape) // PART)
    if high <= low or min(plane.shape) < 4 * side:
        return None
    patches = [plane[rows, columns] for rows in (slice(0, side), slice(-side, None))
               for columns in (slice(0, side), slice(-side, None))]  # fmt: skip
    bright = [float(np.clip((p.mean() - low) / (high - low), -1, 2)) for p in patches]
    marks = [
        float(p.min() >= high and np.ptp(p) <= EVEN * (high - low) and plane.max() > low) for p in patches
    ]
    return np.array(bright + marks)


def place_of(corner: int, part: float = 1 / 12) -> Place:
    """Return a frame around a corner by its place in NAMES."""
    top, left = (0.0, 1 - part)[corner // 2], (0.0, 1 - part)[corner % 2]
    return top, left, top + part, left + part
