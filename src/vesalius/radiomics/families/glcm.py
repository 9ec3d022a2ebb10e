"""GLCM: how often two grey levels lie side by side (IBSI 3.6; PyRadiomics' `glcm`; Haralick 1973)."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.radiomics.families.contract import Family
from vesalius.radiomics.offsets import offsets, pairs
from vesalius.radiomics.region import Region
from vesalius.radiomics.settings import Settings

FEATURES = (
    "Autocorrelation", "JointAverage", "ClusterProminence", "ClusterShade", "ClusterTendency", "Contrast",
    "Correlation", "DifferenceAverage", "DifferenceEntropy", "DifferenceVariance", "JointEnergy", "JointEntropy",
    "Imc1", "Imc2", "Idm", "MCC", "Idmn", "Id", "Idn", "InverseVariance", "MaximumProbability", "SumAverage",
    "SumEntropy", "SumSquares",
)  # fmt: skip


def matrices(levels: Array, settings: Settings) -> list[Array]:
    """Return the symmetric matrices of counts, `(L, L)` float64 each, of the directions that have a pair.

    Row and column k are of the k-th different grey level in `levels` `(Z, Y, X)`. Where directions are merged, there is
    one matrix of them all.
    """
    present = np.unique(levels[levels > 0])
    many = len(present)
    place = np.full(int(present[-1]) + 1, many, np.int32)  # outside: beyond the last level
    place[present] = np.arange(many)
    ranks = place[levels]
    found = []
    for offset in offsets(levels.shape, distances=settings.distances, flat=settings.flat):
        here, there = pairs(ranks, offset)
        counts = np.bincount((here * (many + 1) + there).ravel(), minlength=(many + 1) ** 2)
        one = counts.reshape(many + 1, many + 1)[:many, :many].astype(np.float64)
        if one.any():
            found.append(one + one.T)
    return [np.sum(found, axis=0)] if settings.merged and found else found


def glcm(region: Region, settings: Settings) -> dict[str, float]:
    """Return the features of the co-occurrence matrix by name, the mean over directions; NaN where no two touch."""
    present = np.unique(region.levels[region.inside]).astype(np.float64)
    each = [_features(one / one.sum(), present, region.highest) for one in matrices(region.levels, settings)]
    if not each:
        return dict.fromkeys(FEATURES, float("nan"))
    return {name: float(np.mean([one[name] for one in each])) for name in FEATURES}


def _features(p: Array, level: Array, highest: int) -> dict[str, float]:
    """Return the features of one matrix of probabilities `(L, L)`, symmetric; `level` `(L,)` are its grey levels."""
    i, j = level[:, None], level[None, :]
    side = p.sum(axis=1)
    mean = float(side @ level)
    variance = float(side @ (level - mean) ** 2)
    about = i + j - 2 * mean
    whole = level.astype(int)
    difference = np.bincount(np.abs(np.subtract.outer(whole, whole)).ravel(), p.ravel())
    total = np.bincount(np.add.outer(whole, whole).ravel(), p.ravel())
    k, average = np.arange(len(difference)), float(np.arange(len(difference)) @ difference)
    covariance = float(np.sum(p * (i - mean) * (j - mean)))
    return {
        "Autocorrelation": float(np.sum(p * i * j)),
        "JointAverage": mean,
        "ClusterProminence": float(np.sum(p * about**4)),
        "ClusterShade": float(np.sum(p * about**3)),
        "ClusterTendency": float(np.sum(p * about**2)),
        "Contrast": float(np.sum(p * (i - j) ** 2)),
        "Correlation": covariance / variance if len(level) > 1 and variance > 0 else 1.0,
        "DifferenceAverage": average,
        "DifferenceEntropy": _entropy(difference),
        "DifferenceVariance": float(difference @ (k - average) ** 2),
        "JointEnergy": float(np.sum(p**2)),
        "JointEntropy": _entropy(p),
        **_information(p, side),
        "Idm": float(np.sum(difference / (1 + k**2))),
        "MCC": _correlation(p, side),
        "Idmn": float(np.sum(difference / (1 + k**2 / highest**2))),
        "Id": float(np.sum(difference / (1 + k))),
        "Idn": float(np.sum(difference / (1 + k / highest))),
        "InverseVariance": float(np.sum(difference[1:] / k[1:] ** 2)),
        "MaximumProbability": float(p.max()),
        "SumAverage": float(np.arange(len(total)) @ total),
        "SumEntropy": _entropy(total),
        "SumSquares": variance,
    }


def _entropy(p: Array) -> float:
    """Return the entropy of probabilities in bits."""
    some = p[p > 0]
    return float(-np.sum(some * np.log2(some))) + 0.0


def _information(p: Array, side: Array) -> dict[str, float]:
    """Return the two informational measures of correlation (Haralick's f12 and f13), in bits."""
    apart = np.outer(side, side)
    filled = apart > 0
    logs = np.log2(apart[filled])
    joint, single = _entropy(p), _entropy(side)
    first = float(-np.sum(p[filled] * logs))
    second = float(-np.sum(apart[filled] * logs))
    return {
        "Imc1": (joint - first) / single if single > 0 else 0.0,
        "Imc2": float(np.sqrt(1 - np.exp(-2 * (second - joint)))) if second > joint else 0.0,
    }


def _correlation(p: Array, side: Array) -> float:
    """Return the maximal correlation coefficient (Haralick's f14): the root of the second eigenvalue of Q.

    Q is similar to the square of P with rows and columns divided by the roots of their sums, which is symmetric.
    """
    if len(p) < 2:
        return 1.0
    root = np.sqrt(np.where(side > 0, side, 1.0))
    values = np.sort(np.abs(np.linalg.eigvalsh(p / np.outer(root, root))))
    return float(values[-2])


FAMILY = Family("glcm", FEATURES, glcm)
