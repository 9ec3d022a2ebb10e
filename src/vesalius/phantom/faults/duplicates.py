"""Cases that are there twice, under another name and another patient's, byte for byte."""

from __future__ import annotations

import numpy as np

from vesalius.phantom.faults._copies import copy
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 4
NEEDS = ("pixels",)


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Add a copy of a share of the cases; `of` is the case that each is a copy of."""
    planted = []
    for count, i in enumerate(site.chosen(range(len(site.rows)), share, random)):
        row = site.rows[i]
        planted.append(
            Planted("duplicates", copy(site, row, f"again-{count:04d}")["case"], {"of": row["case"]})
        )
    return planted
