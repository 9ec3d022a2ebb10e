"""Rank-weighted average effects: does a ranking of patients find those who gain more? TOC, AUTOC and Qini.

TOC(q) is the average effect among the share q of patients that the ranking puts first, minus that among all. AUTOC
is its mean over q, and Qini that of q · TOC(q); both are 0 for a ranking that tells nothing (Yadlowsky, Fleming,
Shah, Brunskill and Wager 2025).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.benefit.estimate import Estimate, normal
from vesalius.core.errors import DataError
from vesalius.core.image import Array

SHARES = tuple(k / 20 for k in range(1, 21))
DRAWS = 500


@dataclass(frozen=True, eq=False)
class Ranked:
    """What a ranking is worth, on patients of whom it learned nothing.

    `autoc` and `qini` in the measure's unit. `gain` `(Q,)` is TOC at the `shares` `(Q,)`, with its band `low`,
    `high`.
    """

    autoc: Estimate
    qini: Estimate
    shares: Array
    gain: Array
    low: Array
    high: Array


def rank_weighted(
    priority: Array,
    contrast: Array,
    *,
    rng: np.random.Generator,
    left_out: int = 0,
    draws: int = DRAWS,
    level: float = 0.95,
) -> Ranked:
    """Return what a ranking is worth by patients who took no part in it.

    `priority` `(N,)`, highest first; `contrast` `(N,)`, their doubly robust scores of one arm over another.
    Of patients whose priority is the same each counts as their mean. Errors are those of `draws` half samples without
    replacement, which show the whole's (Yadlowsky et al., section 4). Raises DataError with fewer than 20 patients.
    """
    n = len(contrast)
    if len(priority) != n or n < 20 or not np.isfinite(priority).all():
        raise DataError(
            "need a finite priority and a score of 20 patients or more", found=f"{len(priority)} and {n}"
        )
    order = np.argsort(-np.asarray(priority, np.float64), kind="stable")
    ranked = np.asarray(priority, np.float64)[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    score = np.asarray(contrast, np.float64)[order]
    whole = _figures(score, np.ones((1, n), bool), starts)[0]
    half = n // 2
    taken = np.zeros((draws, n), bool)
    chosen = np.argpartition(rng.random((draws, n)), half, axis=1)[:, :half]
    np.put_along_axis(taken, chosen, True, axis=1)
    error = _figures(score, taken, starts).std(axis=0, ddof=1) * np.sqrt(half / (n - half))
    both = [normal(float(whole[k]), float(error[k]), n, left_out=left_out, level=level) for k in (0, 1)]
    band = [normal(float(v), float(e), n, level=level) for v, e in zip(whole[2:], error[2:], strict=True)]
    return Ranked(
        both[0],
        both[1],
        np.array(SHARES),
        whole[2:],
        np.array([b.low for b in band]),
        np.array([b.high for b in band]),
    )


def _figures(score: Array, taken: Array, starts: Array) -> Array:
    """Return AUTOC, Qini and TOC at each share, `(B, 2 + Q)`, of `score` `(N,)` in order where `taken` `(B, N)`.

    `starts` are where a run of equal priorities begins. All are weighted means of scores; within a run the weights
    are their mean, as if the scores were.
    """
    m = int(taken[0].sum())
    place = np.maximum(np.cumsum(taken, axis=1) - 1, 0)
    size = np.add.reduceat(taken, starts, axis=1)
    run = np.add.reduceat(taken * score, starts, axis=1)  # (B, R) sums of scores
    found = []
    for weight in _weights(m):
        summed = np.add.reduceat(taken * weight[place], starts, axis=1)
        found.append((run * np.divide(summed, size, out=np.zeros_like(summed), where=size > 0)).sum(axis=1))
    return np.stack(found, axis=1) / m


def _weights(m: int) -> list[Array]:
    """Return the weight of each place, best first, in AUTOC, Qini and TOC at each share: means of weight · score."""
    place = np.arange(1, m + 1)
    autoc = np.cumsum((1 / place)[::-1])[::-1] - 1
    qini = (m - place + 1) / m - (m + 1) / (2 * m)
    tops = [max(int(np.ceil(q * m - 1e-9)), 1) for q in SHARES]
    return [autoc, qini, *((place <= k) * (m / k) - 1.0 for k in tops)]
