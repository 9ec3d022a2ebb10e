"""Images that are out of focus, or smoothed: what is fine in them is gone."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 2
NEEDS = ("pixels",)
WIDTH = (
    40  # the blur's standard deviation is one part in so many of the shorter side, and 1.5 pixels at least
)


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Blur a share of the images in each plane by a Gaussian."""
    planted = []
    for i in site.chosen(range(len(site.rows)), share, random):
        for path in site.files(site.rows[i], site.images):
            site.alter(path, _blurred)
        planted.append(Planted("blurred", site.rows[i]["case"]))
    return planted


def _blurred(array: Array) -> Array:
    width = max(1.5, min(array.shape[1:3]) / WIDTH)
    return np.asarray(
        np.rint(ndimage.gaussian_filter(array.astype(np.float32), (0, width, width, 0), mode="nearest"))
    )
