"""Tables of boxes beside a cohort: `boxes.csv` has a row a box, in pixels or voxels of the image, from 0 on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.case import Box
from vesalius.core.image import Array
from vesalius.phantom.contract import Row

FLAT_COLUMNS = ("case", "label", "y0", "x0", "y1", "x1")
COLUMNS = ("case", "label", "z0", "y0", "x0", "z1", "y1", "x1")


def box_around(inside: Array, label: str, window: Sequence[slice]) -> Box:
    """Return the tightest box around the pixels of a window of an image, 2-D or 3-D, that are `inside`."""
    ends = []
    for axis in range(inside.ndim):
        others = tuple(a for a in range(inside.ndim) if a != axis)
        hits = np.flatnonzero(inside.any(axis=others)) + window[axis].start
        ends.append((float(hits[0]), float(hits[-1] + 1)))
    ends = [(0.0, 1.0)] * (3 - inside.ndim) + ends
    low, high = zip(*ends, strict=True)
    return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]), label)


def flat_row(case: str, label: str, corners: Sequence[float]) -> Row:
    """Return the row of a box `(y0, x0, y1, x1)` of a picture."""
    return dict(zip(FLAT_COLUMNS, (case, label, *corners), strict=True))


def row(case: str, label: str, low: Sequence[float], high: Sequence[float]) -> Row:
    """Return the row of a box of a volume, from its low and its high corner `(z, y, x)`."""
    return dict(zip(COLUMNS, (case, label, *low, *high), strict=True))
