"""Evidence: whether cases that come one after the other lie as the cases of a reference do, at a rate that is kept.

A feature's values fall into bins between quantiles of a reference of `m` cases. Where new cases are drawn as those
were, the next one falls into a bin with the probability (g + n) / (m + 1 + t), whatever the distribution: g is how many
of the m + 1 gaps between reference values the bin has, n how many of the t cases so far fell into it (ranks are
exchangeable: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005). On that, a fair bet is made at
each case: that values lie higher, lower, wider or narrower. Bets that begin at every case have a share of the capital
each, so that a drift that begins late is told, too. The capital is a martingale that begins at 1, so that it ever
exceeds 1 / r with a probability of r at most (Ville 1939; conformal test martingales: Vovk, Nouretdinov, Gammerman,
2003; e-detectors: Shin, Ramdas, Rinaldo, 2022). That holds for all cases together, however many come, and however
often somebody looks. Over features, Holm's correction holds (Vovk and Wang, Annals of Statistics 2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vesalius.core.image import Array

UNKNOWN = -1  # the bin of a feature that a case does not have
MOVED = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)  # in standard deviations of a normal distribution
SPREAD = (0.5, 2.0)  # times its standard deviation
_SHARES = 2.10975  # the sum over k ≥ 1 of 1 / ((k + 1) log² (k + 1))


class Evidence:
    """The capital of the bets on each feature, and the counts that they stand on; nothing is known of single cases.

    `gaps` `(B,)` says how many gaps between reference values each bin has, `features` how many features there are. It
    is not safe for several threads at once.
    """

    def __init__(self, gaps: Sequence[int], features: int) -> None:
        self.cases = 0
        self._gaps = np.asarray(gaps, dtype=np.float64)
        self._counts = np.zeros((features, len(self._gaps)))
        self._begun = np.zeros(features)  # the share of capital that was given out
        self._bets = np.zeros((features, len(MOVED) + len(SPREAD)))
        self.best = np.ones(features)  # the largest capital so far, of each feature

    @property
    def now(self) -> Array:
        """The capital of each feature, `(F,)`: what has not been bet yet, and what the bets made of the rest."""
        found: Array = 1 - self._begun + self._bets.mean(axis=1)
        return found

    def add(self, bins: Sequence[int]) -> None:
        """Take in one case: the bin of each feature from 0, the lowest values, on; `UNKNOWN` where it has none."""
        self.cases += 1
        for f, b in enumerate(bins):
            if b != UNKNOWN:
                self._add(f, int(b))
        self.best = np.maximum(self.best, self.now)

    def _add(self, f: int, b: int) -> None:
        weights = self._gaps + self._counts[f]
        edges = np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum()
        low, high = _deviate(edges[b]), _deviate(edges[b + 1])
        chance = edges[b + 1] - edges[b]
        moved = [_normal(high - d) - _normal(low - d) for d in MOVED]
        spread = [_normal(high / s) - _normal(low / s) for s in SPREAD]
        k = self._counts[f].sum() + 1
        share = 1 / ((k + 1) * math.log(k + 1) ** 2 * _SHARES)
        self._begun[f] += share
        self._bets[f] = (self._bets[f] + share) * np.array([*moved, *spread]) / chance
        self._counts[f, b] += 1

    def told(self, rate: float) -> tuple[bool, ...]:
        """Return of each feature whether it ever drifted, by Holm's correction over features.

        Where nothing drifts, any is told with a probability of `rate` at most, over all cases that ever come.
        """
        order = np.argsort(-self.best, kind="stable")
        found = [False] * len(order)
        for place, f in enumerate(order):
            if self.best[f] < (len(order) - place) / rate:
                break
            found[int(f)] = True
        return tuple(found)


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _deviate(p: float) -> float:
    from scipy.special import ndtri

    return -math.inf if p <= 0 else math.inf if p >= 1 else float(ndtri(p))
