"""Grades: probabilities of labels that have an order, by the chance to lie above each of them; cut, called, scaled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.image import Array

_HALF = 0.5 - 1e-9  # rounding must not move a probability of exactly one half past the grade that holds it


def above(p: Array) -> Array:
    """Return how likely it is to lie above each grade but the last, `(…, K - 1)`, of probabilities `p` `(…, K)`.

    It never rises from grade to grade, as no probability is negative.
    """
    p = np.asarray(p, dtype=np.float64)
    return np.asarray(np.clip(np.cumsum(p[..., :0:-1], axis=-1)[..., ::-1], 0.0, 1.0))


def median(p: Array) -> Array:
    """Return the place of the median grade, `(…)`, of probabilities `p` `(…, K)`: the first that one half lies at or
    below.

    It has the least expected distance to the true grade, counted in grades; of two that have the same, it is the lower.
    """
    upto = np.cumsum(np.asarray(p, dtype=np.float64), axis=-1)
    return np.asarray((upto >= _HALF * upto[..., -1:]).argmax(axis=-1))


def expected(p: Array) -> Array:
    """Return the mean place of the grade, `(…)` from 0, of probabilities `p` `(…, K)`."""
    return np.asarray(above(p).sum(axis=-1))


def answered(log_p: Array, temperature: float = 1.0) -> Array:
    """Return the probabilities `(…, K)` float64 of log probabilities `(…, K)`, after a temperature of their log-odds.

    The log-odds to lie above each grade are divided by the temperature, so that no two of them ever cross: every
    probability is at least 0, and they sum to 1. A constant that is added to all of `log_p` changes nothing, so that
    means over mirror images can be given as they are. Infinities are clipped; NaN stays NaN.
    """
    log_p = np.clip(np.asarray(log_p, dtype=np.float64), -1e30, 1e30)
    low = np.logaddexp.accumulate(log_p, axis=-1)[..., :-1]  # at or below each grade but the last
    high = np.logaddexp.accumulate(log_p[..., ::-1], axis=-1)[..., ::-1][..., 1:]  # above it
    odds = np.minimum.accumulate((high - low) / temperature, axis=-1)
    over = np.minimum.accumulate(0.5 * (1 + np.tanh(odds / 2)), axis=-1)
    ends = over.shape[:-1]
    bounds = np.concatenate([np.ones((*ends, 1)), over, np.zeros((*ends, 1))], axis=-1)
    return np.asarray(bounds[..., :-1] - bounds[..., 1:])


def cut_name(label: str) -> str:
    """Return how the question whether a grade is this one or a higher one is called."""
    return f"at least {label}"


def cuts(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the cuts between grades in order, lowest first: one fewer than grades."""
    return tuple(map(cut_name, labels[1:]))
