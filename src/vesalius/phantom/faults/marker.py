"""A bright mark in a corner of the images of one class: a shortcut that tells the class without the finding."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 2
NEEDS = ("classes", "pixels")
SIDE = 12  # the mark is one part in so many of the shorter side of the image


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Mark a share of the images of the class whose name is last in the alphabet, and no others.

    The mark is a square in the first rows and columns of every plane, as bright as the greatest value of the image or
    of its type where that has eight bits. With wrong labels planted, too, the mark goes with the label, as a mark that
    the person set who labelled.
    """
    name = str(site.classes)
    marked = max(row[name] for row in site.rows if row[name])
    planted = []
    for i in site.chosen([k for k, row in enumerate(site.rows) if row[name] == marked], share, random):
        for path in site.files(site.rows[i], site.images):
            site.alter(path, _marked)
        planted.append(Planted("marker", site.rows[i]["case"], {"target": name, "class": marked}))
    return planted


def _marked(array: Array) -> Array:
    side = max(3, min(array.shape[1:3]) // SIDE)
    new = array.copy()
    new[:, :side, :side] = 255 if array.dtype == np.uint8 else array.max()
    return new
