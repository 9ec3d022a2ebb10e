"""NGTDM: how far a voxel is from the mean of its neighbours (IBSI 3.10; PyRadiomics' `ngtdm`; Amadasun 1989)."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.radiomics.families.contract import Family
from vesalius.radiomics.offsets import offsets, pairs
from vesalius.radiomics.region import Region
from vesalius.radiomics.settings import Settings

FEATURES = ("Busyness", "Coarseness", "Complexity", "Contrast", "Strength")
COARSEST = 1e6  # the coarseness of a region without any difference


def matrix(levels: Array, settings: Settings) -> tuple[Array, Array, Array]:
    """Return the grey levels `(L,)`, how many voxels `(L,)` and what sum of differences `(L,)` each has.

    Counted are the voxels of `levels` `(Z, Y, X)` that have a neighbour in the region.
    """
    total, many = np.zeros(levels.shape, np.int64), np.zeros(levels.shape, np.int32)
    inside = levels > 0
    for offset in offsets(levels.shape, distances=settings.distances, flat=settings.flat):
        for view, value in zip(pairs(total, offset), reversed(pairs(levels, offset)), strict=True):
            view += value
        for view, value in zip(pairs(many, offset), reversed(pairs(inside, offset)), strict=True):
            view += value
    valid = inside & (many > 0)
    level = levels[valid]
    away = np.abs(level - total[valid] / many[valid])
    count, sums = np.bincount(level), np.bincount(level, away)
    some = np.flatnonzero(count)
    return some.astype(np.float64), count[some].astype(np.float64), sums[some]


def ngtdm(region: Region, settings: Settings) -> dict[str, float]:
    """Return the features of the neighbouring grey tone differences by name; NaN where no two voxels touch."""
    level, count, sums = matrix(region.levels, settings)
    if not len(level):
        return dict.fromkeys(FEATURES, float("nan"))
    total = float(count.sum())
    p = count / total
    away = np.abs(level[:, None] - level[None, :])
    coarse, weight = float(p @ sums), level * p
    uneven = float(np.abs(weight[:, None] - weight[None, :]).sum())
    several = len(level) > 1
    both = (p * sums)[:, None] + (p * sums)[None, :]
    spread = float(p @ away**2 @ p)
    return {
        "Busyness": coarse / uneven if uneven > 0 else 0.0,
        "Coarseness": 1 / coarse if coarse > 0 else COARSEST,
        "Complexity": float(np.sum(away * both / (p[:, None] + p[None, :]))) / total,
        "Contrast": spread / (len(level) * (len(level) - 1)) * float(sums.sum()) / total if several else 0.0,
        "Strength": float(np.sum((p[:, None] + p[None, :]) * away**2)) / float(sums.sum())
        if sums.sum() > 0
        else 0.0,
    }


FAMILY = Family("ngtdm", FEATURES, ngtdm)
