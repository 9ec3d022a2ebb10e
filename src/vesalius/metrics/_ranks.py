"""Ranks: those of numbers, and areas under curves from an order found once, so that a resample costs no sorting."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array


def tied(values: Array) -> Array:
    """Return the rank of each value `(N,)`, the smallest 1; equal ones share the mean of theirs."""
    _, place, many = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(many) - (many - 1) / 2)[place.ravel()])


def rank_auc(scores: Array, y: Array) -> float:
    """Return the chance that a positive ranks above a negative, ties counted half; NaN with one sort only.

    `scores` `(N,)` and bits `y` `(N,)`. It is the area under the ROC curve (Mann-Whitney).
    """
    positive, negative = int(y.sum()), int((~y).sum())
    if not positive or not negative:
        return float("nan")
    return float((tied(scores)[y].sum() - positive * (positive + 1) / 2) / (positive * negative))


def descending(p: Array) -> tuple[Array, Array]:
    """For each column of `p` `(N, K)`: the order of falling p, and whether a place there is a tie's last."""
    order = np.argsort(-p, axis=0, kind="stable")
    ranked = np.take_along_axis(p, order, axis=0)
    ends = np.ones(p.shape, dtype=bool)
    ends[:-1] = ranked[:-1] != ranked[1:]
    return order, ends


def auc(y: Array, weight: Array, ends: Array) -> float:
    """Return the area under the ROC curve by trapezia, of bits and weights in falling order; NaN with one class only.

    Equals the chance that a positive ranks above a negative, ties counted half (Mann-Whitney).
    """
    positive = np.cumsum(weight * y)[ends]
    negative = np.cumsum(weight * ~y)[ends]
    if not len(positive) or positive[-1] <= 0 or negative[-1] <= 0:
        return float("nan")
    height = np.concatenate([[0.0], positive])
    width = np.diff(negative, prepend=0.0)
    return float((width * (height[1:] + height[:-1]) / 2).sum() / (positive[-1] * negative[-1]))


def average_precision(y: Array, weight: Array, ends: Array) -> float:
    """Return Σ (recall step × precision), without interpolation; NaN without positives."""
    positive = np.cumsum(weight * y)[ends]
    called = np.cumsum(weight)[ends]
    if not len(positive) or positive[-1] <= 0:
        return float("nan")
    step = np.diff(positive, prepend=0.0) / positive[-1]
    precision = np.divide(positive, called, out=np.zeros_like(positive), where=called > 0)
    return float((step * precision).sum())
