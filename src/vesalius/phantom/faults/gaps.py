"""Masks that miss planes in the middle of what they label, as where somebody drew every third one."""

from __future__ import annotations

import numpy as np

from vesalius.phantom.faults._pixels import read
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 1
NEEDS = ("masks",)
LEAST = 5  # planes that a mask covers, so that a middle can be missing


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Empty one or two planes in the middle of the first mask of a share of the cases that cover LEAST planes."""
    name = site.masks[0]
    rows = [k for k, row in enumerate(site.rows) if row.get(name) and len(_covered(site, row[name])) >= LEAST]
    planted = []
    for i in site.chosen(rows, share, random):
        covered = _covered(site, site.rows[i][name])
        middle = int(covered[len(covered) // 2])
        planes = list(range(middle, middle + int(random.integers(1, 3))))
        held = read(site.root / site.rows[i][name])
        new = held.array.copy()
        new[planes] = 0
        held.put(new)
        planted.append(Planted("gaps", site.rows[i]["case"], {"target": name, "planes": planes}))
    return planted


def _covered(site: Site, path: str) -> list[int]:
    return [int(z) for z in np.flatnonzero(read(site.root / path).array.any(axis=(1, 2, 3)))]
