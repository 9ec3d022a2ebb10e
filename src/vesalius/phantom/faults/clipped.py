"""Images whose bright values are cut off, as where a window or a detector was too narrow."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 2
NEEDS = ("pixels",)
TOP = 0.85  # the share of an image's distinct pixels below where it is cut off


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Cut off a share of the images at the value below which TOP of those lie that are not the least of the image."""
    planted = []
    for i in site.chosen(range(len(site.rows)), share, random):
        for path in site.files(site.rows[i], site.images):
            site.alter(path, _cut)
        planted.append(Planted("clipped", site.rows[i]["case"]))
    return planted


def _cut(array: Array) -> Array:
    inside = array[array > array.min()]
    return np.minimum(array, np.quantile(inside, TOP, method="lower")) if inside.size else array
