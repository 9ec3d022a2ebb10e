"""First order: how intensities are distributed, wherever they lie (IBSI 3.3 and 3.4; PyRadiomics' `firstorder`)."""

from __future__ import annotations

import numpy as np

from vesalius.radiomics.families.contract import Family
from vesalius.radiomics.region import Region
from vesalius.radiomics.settings import Settings

FEATURES = (
    "10Percentile", "90Percentile", "Energy", "Entropy", "InterquartileRange", "Kurtosis", "Maximum",
    "Mean", "MeanAbsoluteDeviation", "Median", "Minimum", "Range", "RobustMeanAbsoluteDeviation",
    "RootMeanSquared", "Skewness", "TotalEnergy", "Uniformity", "Variance",
)  # fmt: skip


def firstorder(region: Region, settings: Settings) -> dict[str, float]:
    """Return the first-order features of a region by name.

    Kurtosis is that of the definition, 3 for a normal distribution (the IBSI takes 3 away). Entropy (bits) and
    uniformity are of the grey levels. TotalEnergy is Energy times a voxel's volume, in mm³.
    """
    x = region.intensities
    tenth, quarter, median, three, ninth = np.percentile(x, (10, 25, 50, 75, 90))
    middle, shifted = x - x.mean(), x + settings.shift
    variance = float(np.mean(middle**2))
    robust = x[(x >= tenth) & (x <= ninth)]
    p = np.bincount(region.levels[region.inside]) / len(x)
    p = p[p > 0]
    energy = float(np.sum(shifted**2))
    flat = variance < np.finfo(np.float64).eps * max(1.0, float(np.mean(x**2)))
    return {
        "10Percentile": float(tenth),
        "90Percentile": float(ninth),
        "Energy": energy,
        "Entropy": float(-np.sum(p * np.log2(p))) + 0.0,
        "InterquartileRange": float(three - quarter),
        "Kurtosis": 0.0 if flat else float(np.mean(middle**4)) / variance**2,
        "Maximum": float(x.max()),
        "Mean": float(x.mean()),
        "MeanAbsoluteDeviation": float(np.mean(np.abs(middle))),
        "Median": float(median),
        "Minimum": float(x.min()),
        "Range": float(x.max() - x.min()),
        "RobustMeanAbsoluteDeviation": float(np.mean(np.abs(robust - robust.mean()))) if len(robust) else 0.0,
        "RootMeanSquared": float(np.sqrt(energy / len(x))),
        "Skewness": 0.0 if flat else float(np.mean(middle**3)) / variance**1.5,
        "TotalEnergy": energy * float(np.prod(region.spacing)),
        "Uniformity": float(np.sum(p**2)),
        "Variance": variance,
    }


FAMILY = Family("firstorder", FEATURES, firstorder, textured=False)
