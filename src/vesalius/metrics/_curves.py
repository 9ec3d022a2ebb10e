"""Curves to draw: ROC, precision and recall, calibration; and the confusion matrix."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.metrics._ranks import descending


def roc(y: Array, p: Array) -> tuple[Array, Array, Array]:
    """False-positive rate, true-positive rate and threshold, from (0, 0) at +inf to (1, 1); ties are one step."""
    truth, order, ends = _ranked(y, p)
    hit = np.concatenate([[0], np.cumsum(truth)[ends]])
    false = np.concatenate([[0], np.cumsum(~truth)[ends]])
    at = np.concatenate([[np.inf], np.asarray(p, dtype=np.float64)[order][ends]])
    return false / max(int(false[-1]), 1), hit / max(int(hit[-1]), 1), at


def precision_recall(y: Array, p: Array) -> tuple[Array, Array, Array]:
    """Return recall, precision and threshold, recall rising from the first call on."""
    truth, order, ends = _ranked(y, p)
    hit, called = np.cumsum(truth)[ends], np.arange(1, len(truth) + 1)[ends]
    at = np.asarray(p, dtype=np.float64)[order][ends]
    return hit / max(int(hit[-1]) if len(hit) else 0, 1), hit / called, at


def calibration_curve(y: Array, p: Array, *, bins: int = 15) -> tuple[Array, Array, Array]:
    """Mean probability, share that is so, and number of cases, for each bin of equal width that holds any."""
    p, y = np.asarray(p, dtype=np.float64), np.asarray(y, dtype=np.float64)
    place = np.clip(np.ceil(p * bins).astype(np.int64) - 1, 0, bins - 1)
    n = np.bincount(place, minlength=bins)
    held = n > 0
    sure = np.bincount(place, weights=p, minlength=bins)[held] / n[held]
    share = np.bincount(place, weights=y, minlength=bins)[held] / n[held]
    return sure, share, n[held]


def confusion(y: Array, called: Array, k: int) -> Array:
    """Return the confusion matrix, counts `(K, K)`: true labels down the rows, called labels along the columns."""
    return np.bincount(np.asarray(y) * k + np.asarray(called), minlength=k * k).reshape(k, k)


def _ranked(y: Array, p: Array) -> tuple[Array, Array, Array]:
    order, ends = descending(np.asarray(p, dtype=np.float64)[:, None])
    return np.asarray(y, dtype=bool)[order[:, 0]], order[:, 0], ends[:, 0]
