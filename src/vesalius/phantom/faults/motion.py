"""Images of somebody who moved: the mean of several places along one direction."""

from __future__ import annotations

from functools import partial

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 2
NEEDS = ("pixels",)
REACH = 16  # the way moved is one part in so many of the shorter side, and 4 pixels at least


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Average a share of the images over a straight way along the rows or along the columns; `axis` says which."""
    planted = []
    for i in site.chosen(range(len(site.rows)), share, random):
        axis = int(random.integers(1, 3))
        for path in site.files(site.rows[i], site.images):
            site.alter(path, partial(_moved, axis=axis))
        planted.append(Planted("motion", site.rows[i]["case"], {"axis": "zyx"[axis]}))
    return planted


def _moved(array: Array, *, axis: int) -> Array:
    way = max(4, min(array.shape[1:3]) // REACH)
    pad = [(way // 2, way - way // 2) if k == axis else (0, 0) for k in range(4)]
    wide = np.pad(array.astype(np.float64), pad, mode="edge")
    return np.asarray(
        np.rint(
            np.mean([np.take(wide, range(k, k + array.shape[axis]), axis) for k in range(way + 1)], axis=0)
        )
    )
