"""The upper tail of numbers of ordinary cases: how rarely a further one is larger, and from where on to call it.

Split conformal: of `n` ordinary cases and a further one that is drawn as these were, every order is alike, so that the
further one exceeds the `k`-th largest with a probability of `k / (n + 1)` at most (Vovk, Gammerman, Shafer 2005; as
tests for outliers Bates et al., Annals of Statistics 2023).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array

_SLACK = 1e-9


@dataclass(frozen=True)
class Limit:
    """Above `at` a case is called, which a share `rate` of ordinary ones is at most; it stands on `n` of them.

    `rate` is larger than what was `asked` for where `n` is too small to promise that.
    """

    at: float
    rate: float
    n: int
    asked: float

    @property
    def kept(self) -> bool:
        """Whether what was asked for can be promised."""
        return self.rate <= self.asked + _SLACK


def limit(scores: Array, rate: float) -> Limit:
    """Return the `k`-th largest of `scores` `(n,)`, with the largest `k` of `k / (n + 1)` not above `rate`, 1 at least.

    Above it lies a further case with a probability of `k / (n + 1)` at most.
    """
    n = len(scores)
    k = max(1, math.floor(rate * (n + 1) + _SLACK))
    return Limit(float(np.sort(scores)[-k]), k / (n + 1), n, rate)


def p_value(scores: Array, score: float) -> float:
    """Return the conformal p-value of a case: (1 + the number of `scores` `(n,)` that are not below it) / (n + 1)."""
    return float((1 + np.count_nonzero(np.asarray(scores) >= score)) / (len(scores) + 1))


def standing(scores: Array, score: float) -> float:
    """Return where a case stands among ordinary ones, above 0 and below 1, rising strictly with its score.

    At the j-th smallest of `n` scores it is j / (n + 1), between two of them it lies on the line, and beyond the ends
    it nears 0 and 1 as a hyperbola does, on the scale of the middle half. So it is above 1 - `rate` exactly where a
    case is above `limit(scores, rate)`, while cases that are above all ordinary ones can still be told apart; it is no
    p-value there.
    """
    held = np.sort(np.asarray(scores, dtype=np.float64))
    n, x = len(held), float(score)
    low, high = np.quantile(held, [0.25, 0.75])
    scale = max(float(high - low), 1e-3 * abs(float(held[-1])), 1e-12)
    if x >= held[-1]:
        return 1.0 - 1.0 / ((n + 1) * (1.0 + (x - float(held[-1])) / scale))
    if x < held[0]:
        return 1.0 / ((n + 1) * (1.0 + (float(held[0]) - x) / scale))
    below = int(np.searchsorted(held, x, side="right"))  # so many are not above it, at least one and not all
    a, b = float(held[below - 1]), float(held[below])
    return (below + (x - a) / (b - a)) / (n + 1)
