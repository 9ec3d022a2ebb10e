"""Mahalanobis distance to the nearest group of training cases, in every layer, with a shrunk covariance (Lee 2018).

Lee, Lee, Lee, Shin, "A simple unified framework for detecting out-of-distribution samples and adversarial attacks",
NeurIPS 2018; the covariance, which the groups share, is shrunk as in Ledoit, Wolf, "A well-conditioned estimator for
large-dimensional covariance matrices", Journal of Multivariate Analysis 88, 2004. The layers' weights are not fitted on
outliers, as there: see `infer/alarm.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vesalius.core.image import Array
from vesalius.infer.novelty.contract import FEWEST, Detector, Seen

FLOOR = 0.05  # of the median deviation: what a channel that hardly ever changes is taken to vary by
TINY = 1e-12


class Mahalanobis(Detector):
    """Features are divided by their deviation first, so that shrinking weighs every channel alike."""

    def fit(self, seen: Seen) -> Mapping[str, Array]:
        """Return of each layer: scale `(D,)`, means `(G, D)`, directions `(R, D)`, their weights `(R,)`, the rest's."""
        found: dict[str, Array] = {}
        groups = np.zeros(len(seen), int) if seen.groups is None else seen.groups
        for k, layer in enumerate(seen.layers):
            scale = scale_of(layer)
            x = layer / scale
            means, own = means_of(x, groups)
            directions, weights, rest = precision(x - own)
            for name, value in (
                ("scale", scale),
                ("means", means),
                ("directions", directions),
                ("weights", weights),
                ("rest", np.array([rest])),
            ):
                found[f"{name}-{k}"] = value
        return found

    def scores(self, fitted: Mapping[str, Array], seen: Seen) -> Array:
        """Return the logarithm of the distance to the nearest group's mean, `(n, L)`."""
        columns = []
        for k, layer in enumerate(seen.layers):
            x = layer / fitted[f"scale-{k}"]
            squared = [
                distance2(x - mean, fitted[f"directions-{k}"], fitted[f"weights-{k}"], fitted[f"rest-{k}"])
                for mean in fitted[f"means-{k}"]
            ]
            columns.append(0.5 * np.log(np.min(squared, axis=0) + TINY))
        return np.stack(columns, axis=1)


def scale_of(layer: Array) -> Array:
    """Return by what each feature is divided, `(D,)`: its deviation over the cases, or a share of the usual one."""
    spread = layer.std(axis=0)
    usual = np.median(spread[spread > 0]) if (spread > 0).any() else 1.0
    found: Array = np.maximum(spread, FLOOR * usual)
    return found


def means_of(x: Array, groups: Array) -> tuple[Array, Array]:
    """Return the mean of each group, `(G, D)`, and of each case its own group's, `(n, D)`.

    Groups of fewer than `FEWEST` cases share one mean; where these are too few as well, it is that of all cases.
    """
    numbers, counts = np.unique(groups, return_counts=True)
    large = numbers[counts >= FEWEST]
    small = ~np.isin(groups, large)
    own = np.empty_like(x)
    means = []
    for number in large:
        own[groups == number] = x[groups == number].mean(axis=0)
        means.append(x[groups == number].mean(axis=0))
    if small.any():
        rest = x[small].mean(axis=0) if small.sum() >= FEWEST else x.mean(axis=0)
        own[small] = rest
        means.append(rest)
    return np.stack(means), own


def shrinkage(x: Array) -> float:
    """Return how far the covariance of centred cases `x` `(n, D)` is drawn towards a multiple of the identity, 0 to 1.

    Source: Ledoit and Wolf 2004, lemma 3.2 and theorem 3.3, with the norm that divides by D.
    """
    n, d = x.shape
    gram = x @ x.T / n  # (n, n): its squares add up to those of the covariance, whatever D
    mu = np.trace(gram) / d
    delta = (gram**2).sum() / d - mu**2  # ‖S − μI‖²
    beta = ((np.diag(gram) * n) ** 2).sum() / (n**2 * d) - (gram**2).sum() / (
        n * d
    )  # mean of ‖xxᵀ − S‖² over n
    return float(np.clip(beta / delta, 0.0, 1.0)) if delta > 0 else 1.0


def precision(x: Array) -> tuple[Array, Array, float]:
    """Return the inverse of the shrunk covariance of centred cases `x` `(n, D)`.

    It is `rest · I + Σ weights[r] directions[r] directions[r]ᵀ`, with at most `min(n, D)` directions.
    """
    n, d = x.shape
    share = shrinkage(x)
    _, singular, directions = np.linalg.svd(x, full_matrices=False)
    variances = singular**2 / n
    mu = max(float(variances.sum()) / d, TINY)
    share = max(share, 1e-3)  # exactly singular covariances exist: a channel that is a sum of others
    kept = variances > 1e-9 * mu
    rest = 1 / (share * mu)
    weights = 1 / ((1 - share) * variances[kept] + share * mu) - rest
    return directions[kept], weights, float(rest)


def distance2(x: Array, directions: Array, weights: Array, rest: Array) -> Array:
    """Return the squared distances of centred cases `(n, D)` under what `precision` returned, `(n,)`."""
    along = x @ directions.T
    found: Array = np.maximum(float(rest[0]) * (x**2).sum(axis=1) + (along**2) @ weights, 0.0)
    return found


DETECTOR = Mahalanobis()
