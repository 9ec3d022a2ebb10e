"""GLRLM: how long runs of one grey level are, along straight lines (IBSI 3.7; PyRadiomics' `glrlm`; Galloway 1975)."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.radiomics.families.contract import Family
from vesalius.radiomics.offsets import lines, offsets
from vesalius.radiomics.region import Region
from vesalius.radiomics.settings import Settings
from vesalius.radiomics.sizes import Sizes, added, figures, sizes

CALLED = {
    "GrayLevelNonUniformity": "level_uneven",
    "GrayLevelNonUniformityNormalized": "level_uneven_share",
    "GrayLevelVariance": "level_variance",
    "HighGrayLevelRunEmphasis": "high",
    "LongRunEmphasis": "large",
    "LongRunHighGrayLevelEmphasis": "large_high",
    "LongRunLowGrayLevelEmphasis": "large_low",
    "LowGrayLevelRunEmphasis": "low",
    "RunEntropy": "entropy",
    "RunLengthNonUniformity": "size_uneven",
    "RunLengthNonUniformityNormalized": "size_uneven_share",
    "RunPercentage": "share",
    "RunVariance": "size_variance",
    "ShortRunEmphasis": "small",
    "ShortRunHighGrayLevelEmphasis": "small_high",
    "ShortRunLowGrayLevelEmphasis": "small_low",
}
FEATURES = tuple(CALLED)


def matrices(levels: Array, settings: Settings) -> list[Sizes]:
    """Return the matrix of each direction of grey levels `(Z, Y, X)`, or one of them all where they are merged."""
    found = []
    ways = offsets(levels.shape, flat=settings.flat) or [(0, 0, 1)]  # one voxel is one run
    for line in lines(levels, ways):
        begins = np.flatnonzero(np.diff(line) != 0) + 1
        level = line[begins[:-1]]
        length = np.diff(begins)
        found.append(sizes(level[level > 0], length[level > 0]))
    return [added(found)] if settings.merged else found


def glrlm(region: Region, settings: Settings) -> dict[str, float]:
    """Return the features of the run-length matrix by name, each the mean over directions."""
    each = [figures(one) for one in matrices(region.levels, settings)]
    return {name: float(np.mean([getattr(one, own) for one in each])) for name, own in CALLED.items()}


FAMILY = Family("glrlm", FEATURES, glrlm)
