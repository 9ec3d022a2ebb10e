"""GLDM: how many neighbours of a voxel have its grey level (IBSI 3.11; PyRadiomics' `gldm`; Sun and Wee 1983)."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.radiomics.families.contract import Family
from vesalius.radiomics.offsets import offsets, pairs
from vesalius.radiomics.region import Region
from vesalius.radiomics.settings import Settings
from vesalius.radiomics.sizes import Sizes, figures, sizes

CALLED = {
    "DependenceEntropy": "entropy",
    "DependenceNonUniformity": "size_uneven",
    "DependenceNonUniformityNormalized": "size_uneven_share",
    "DependenceVariance": "size_variance",
    "GrayLevelNonUniformity": "level_uneven",
    "GrayLevelVariance": "level_variance",
    "HighGrayLevelEmphasis": "high",
    "LargeDependenceEmphasis": "large",
    "LargeDependenceHighGrayLevelEmphasis": "large_high",
    "LargeDependenceLowGrayLevelEmphasis": "large_low",
    "LowGrayLevelEmphasis": "low",
    "SmallDependenceEmphasis": "small",
    "SmallDependenceHighGrayLevelEmphasis": "small_high",
    "SmallDependenceLowGrayLevelEmphasis": "small_low",
}
FEATURES = tuple(CALLED)


def matrix(levels: Array, settings: Settings) -> Sizes:
    """Return the matrix of dependences of grey levels `(Z, Y, X)`: the voxel itself counts, so that the least is 1."""
    count = np.ones(levels.shape, np.int32)
    for offset in offsets(levels.shape, distances=settings.distances, flat=settings.flat):
        here, there = pairs(levels, offset)
        alike = (here > 0) & (there > 0)
        alike &= np.abs(here - there) <= settings.dependence if settings.dependence else here == there
        for view in pairs(count, offset):
            view += alike
    inside = levels > 0
    return sizes(levels[inside], count[inside])


def gldm(region: Region, settings: Settings) -> dict[str, float]:
    """Return the features of the dependence matrix by name."""
    found = figures(matrix(region.levels, settings))
    return {name: getattr(found, own) for name, own in CALLED.items()}


FAMILY = Family("gldm", FEATURES, gldm)
