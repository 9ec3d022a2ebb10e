"""Masks with stray specks of a label, far from all that is labelled."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vesalius.phantom.faults._pixels import read
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 1
NEEDS = ("masks",)
SPECKS = 3


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Add SPECKS of 2 × 2 pixels of a label that a mask has, where no label is nearer than they can be told from it.

    They stand in the first mask of a share of the cases that have one which is not empty; `label` is which.
    """
    name = site.masks[0]
    rows = [k for k, row in enumerate(site.rows) if row.get(name) and read(site.root / row[name]).array.any()]
    planted = []
    for i in site.chosen(rows, share, random):
        held = read(site.root / site.rows[i][name])
        new = held.array.copy()
        values = np.unique(new[new > 0])
        label = values[int(random.integers(len(values)))]
        for _ in range(SPECKS):
            far = ndimage.distance_transform_edt(new[..., 0] == 0)
            far[:, -2:], far[:, :, -2:] = 0, 0
            places = np.argwhere(far >= np.quantile(far, 0.98))
            z, y, x = (int(v) for v in places[int(random.integers(len(places)))])
            new[z, y : y + 2, x : x + 2] = label
        held.put(new)
        planted.append(Planted("islands", site.rows[i]["case"], {"target": name, "label": int(label)}))
    return planted
