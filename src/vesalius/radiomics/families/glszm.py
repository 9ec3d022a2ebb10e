"""GLSZM: how large connected zones of one grey level are (IBSI 3.8; PyRadiomics' `glszm`; Thibault 2009)."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.radiomics.families.contract import Family
from vesalius.radiomics.region import Region
from vesalius.radiomics.settings import Settings
from vesalius.radiomics.sizes import Sizes, figures, sizes

CALLED = {
    "GrayLevelNonUniformity": "level_uneven",
    "GrayLevelNonUniformityNormalized": "level_uneven_share",
    "GrayLevelVariance": "level_variance",
    "HighGrayLevelZoneEmphasis": "high",
    "LargeAreaEmphasis": "large",
    "LargeAreaHighGrayLevelEmphasis": "large_high",
    "LargeAreaLowGrayLevelEmphasis": "large_low",
    "LowGrayLevelZoneEmphasis": "low",
    "SizeZoneNonUniformity": "size_uneven",
    "SizeZoneNonUniformityNormalized": "size_uneven_share",
    "SmallAreaEmphasis": "small",
    "SmallAreaHighGrayLevelEmphasis": "small_high",
    "SmallAreaLowGrayLevelEmphasis": "small_low",
    "ZoneEntropy": "entropy",
    "ZonePercentage": "share",
    "ZoneVariance": "size_variance",
}
FEATURES = tuple(CALLED)


def matrix(levels: Array, settings: Settings) -> Sizes:
    """Return the matrix of zones: voxels of one grey level of `(Z, Y, X)` that touch, by a corner, too.

    Where neighbours are sought within slices alone, zones are.
    """
    from skimage.measure import label

    apart = levels
    if settings.flat:  # a slice's levels are none of the next one's, so that no zone reaches across
        slices = np.arange(len(levels), dtype=np.int64)[:, None, None] * (int(levels.max()) + 1)
        apart = np.where(levels > 0, levels + slices, 0)
    zones = label(apart, connectivity=3, background=0)  # type: ignore[no-untyped-call]
    size = np.bincount(zones.ravel())[1:]
    level = np.zeros(len(size) + 1, np.int64)
    level[zones.ravel()] = levels.ravel()
    return sizes(level[1:], size)


def glszm(region: Region, settings: Settings) -> dict[str, float]:
    """Return the features of the size-zone matrix by name."""
    found = figures(matrix(region.levels, settings))
    return {name: getattr(found, own) for name, own in CALLED.items()}


FAMILY = Family("glszm", FEATURES, glszm)
