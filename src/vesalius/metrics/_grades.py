"""Figures of grades that know their order: weighted kappa, error in grades, and how good each cut between grades is.

Cohen 1968 for the weighted kappa, Epstein 1969 and Murphy 1971 for the ranked probability score.
"""

from __future__ import annotations

import numpy as np

from vesalius.core import grades
from vesalius.core.image import Array
from vesalius.metrics._ranks import auc
from vesalius.metrics._rows import Rows

BINS = 15


def figures(rows: Rows, weight: Array) -> dict[str, float]:
    """Return the figures that only grades have, of rows that count `weight` `(N,)` times; NaN where not defined.

    A figure of a cut is named by the grade that the cut lies below: `cut_auc/severe` holds severe and higher grades
    against all lower ones; without a label it is the mean over the cuts where it is defined. The ranked probability
    score is divided by the number of cuts, so that it lies in 0 to 1.
    """
    y, called, labels = rows["y"], rows["decided"], rows.info["labels"]
    k = len(labels)
    table = np.bincount(y * k + called, weights=weight, minlength=k * k).reshape(k, k)  # truth × called
    apart = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    total = table.sum()
    over, truth = grades.above(rows["p"]), y[:, None] > np.arange(k - 1)
    found = {
        "kappa": kappa(table, apart.astype(np.float64) ** 2),
        "linear_kappa": kappa(table, apart.astype(np.float64)),
        "mae": float((table * apart).sum() / total),
        "within_one": float((table * (apart <= 1)).sum() / total),
        "rps": float((weight * ((over - truth) ** 2).mean(axis=1)).sum() / total),
    }
    each = {
        "cut_auc": [_area(rows, truth[:, j], weight, j) for j in range(k - 1)],
        "cut_ece": [ece(over[:, j], truth[:, j], weight) for j in range(k - 1)],
    }
    for name, values in each.items():
        defined = [v for v in values if np.isfinite(v)]
        found[name] = float(np.mean(defined)) if defined else float("nan")
        found |= {f"{name}/{label}": v for label, v in zip(labels[1:], values, strict=True)}
    return found


def kappa(table: Array, cost: Array) -> float:
    """Return Cohen's weighted kappa of counts `(K, K)`, truth by called, with the cost `(K, K)` of each pair.

    1 less the mean cost over that of calls which are drawn at random with the same shares; NaN where these cost
    nothing, as where all truths and all calls are one grade.
    """
    total = table.sum()
    chance = float((cost * np.outer(table.sum(1), table.sum(0))).sum()) / total if total else 0.0
    return 1 - float((cost * table).sum()) / chance if chance > 0 else float("nan")


def ece(sure: Array, right: Array, weight: Array) -> float:
    """Return the mean gap between probabilities `(N,)` and how often they come true, over bins of equal width."""
    place = np.clip(np.ceil(sure * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gap = np.bincount(place, weights=weight * (right - sure), minlength=BINS)
    return float(np.abs(gap).sum() / weight.sum())


def _area(rows: Rows, truth: Array, weight: Array, j: int) -> float:
    order, ends = rows.prepared["cut_order"][:, j], rows.prepared["cut_ends"][:, j]
    return auc(truth[order], weight[order], ends)
