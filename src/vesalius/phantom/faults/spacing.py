"""Cases whose header tells a spacing ten times too large, as where centimetres are taken for millimetres."""

from __future__ import annotations

import numpy as np

from vesalius.phantom.faults._pixels import read
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 3
NEEDS = ("spacing",)
FACTOR = 10.0


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Multiply the spacing by FACTOR in the headers of a share of the cases, of images and masks alike."""
    planted = []
    for i in site.chosen(range(len(site.rows)), share, random):
        for path in site.pixels(site.rows[i]):
            held = read(path)
            held.put(held.array, scale=FACTOR)
        planted.append(Planted("spacing", site.rows[i]["case"], {"factor": FACTOR}))
    return planted
