"""Calibration of benefit: by groups of predicted benefit, what was predicted beside what was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.benefit.estimate import Estimate, mean, normal
from vesalius.core.errors import DataError
from vesalius.core.image import Array


@dataclass(frozen=True)
class BenefitCalibration:
    """Groups from the lowest predicted benefit to the highest.

    `predicted`: the mean prediction of each; `found`: the doubly robust effect in each. `slope`: by how much the
    effect rises for each unit of prediction: 1 is right, below 1 predictions are too far apart, and one whose
    interval holds 0 tells nothing. None where all predictions are the same.
    """

    predicted: tuple[float, ...]
    found: tuple[Estimate, ...]
    slope: Estimate | None


def calibration(
    predicted: Array, contrast: Array, *, groups: int = 5, left_out: int = 0, level: float = 0.95
) -> BenefitCalibration:
    """Return the calibration of predicted benefits `(N,)` against scores `(N,)` of patients who took no part.

    Equal predictions stay in one group, so that there may be fewer groups. The slope is that of the best linear
    predictor (Chernozhukov et al. 2018), its error robust to unequal variances (HC1). Raises DataError with fewer
    than 10 patients a group.
    """
    p, score = np.asarray(predicted, np.float64), np.asarray(contrast, np.float64)
    if p.shape != score.shape or len(p) < 10 * groups:
        raise DataError(
            f"need a prediction and a score of {10 * groups} patients or more",
            found=f"{len(p)}, {len(score)}",
        )
    edges = np.unique(np.quantile(p, np.arange(1, groups) / groups))
    place = np.searchsorted(edges, p, side="left")
    each = [score[place == k] for k in np.unique(place)]
    small = min(len(e) for e in each)
    if small < 2:
        raise DataError("predictions repeat too much to form groups", found=f"a group of {small}")
    means = tuple(float(p[place == k].mean()) for k in np.unique(place))
    return BenefitCalibration(
        means, tuple(mean(e, level=level) for e in each), _slope(p, score, left_out, level)
    )


def _slope(p: Array, score: Array, left_out: int, level: float) -> Estimate | None:
    away = p - p.mean()
    square = float((away**2).sum())
    if square <= 1e-24 * len(p):
        return None
    slope = float(away @ score) / square
    residual = score - score.mean() - slope * away
    n = len(p)
    error = np.sqrt((away**2 * residual**2).sum() * n / (n - 2)) / square
    return normal(slope, float(error), n, left_out=left_out, level=level)
