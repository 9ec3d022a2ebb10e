"""How well a label is told by something that should not tell it: an area under the ROC curve, out of fold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from vesalius.core.image import Array
from vesalius.metrics import rank_auc

FOLDS = 5
LEAST = 8  # cases of a class and of the others, so that something can be told
RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """How well one class is told from all others: the AUC with its 95 % interval, on how many cases.

    `beyond_chance` says whether that holds beside all else that was tried (Mann-Whitney, Bonferroni).
    """

    label: str
    auc: float
    low: float
    high: float
    cases: int
    beyond_chance: bool


def told(labels: Sequence[str], features: Array, *, tests: int = 1) -> Told | None:
    """Return the class that `features` `(N, F)` tell best, out of fold; None where no class has LEAST cases.

    A ridge regression of the class on the features gives each case a score by what the others teach; its AUC is the
    Mann-Whitney statistic, held against chance for all `tests` and classes together. The interval is Hanley's and
    McNeil's (1982), on the logit's scale. One row is one patient, or the interval would be too narrow.
    """
    names = [n for n in dict.fromkeys(labels) if LEAST <= list(labels).count(n) <= len(labels) - LEAST]
    if len(set(labels)) == 2:
        names = names[-1:]  # of two classes one says all
    found = []
    for name in names:
        y = np.array([x == name for x in labels])
        auc = rank_auc(np.round(_scores(y, features), 9), y)
        n, m = int(y.sum()), int((~y).sum())
        far = (auc - 0.5) / math.sqrt((n + m + 1) / (12 * n * m))
        sure = bool(far > stats.norm.ppf(1 - 0.025 / (tests * len(names))))
        found.append(Told(name, auc, *interval(auc, n, m), len(y), sure))
    return max(found, key=lambda t: t.low, default=None)


def one_hot(words: Sequence[str | None]) -> Array:
    """Return `(N, K)` of 0 and 1, a column a word; an empty cell is a word of its own."""
    known = list(dict.fromkeys(words))
    return np.array([[float(w == k) for k in known] for w in words])


def binned(numbers: Sequence[float | None]) -> Array:
    """Return `(N, K)`: in which fifth of the cohort a number lies, and whether there is none."""
    values = np.array([np.nan if n is None else n for n in numbers], np.float64)
    ends = np.unique(np.nanquantile(values, (0.2, 0.4, 0.6, 0.8)))
    place = np.where(np.isnan(values), -1, np.searchsorted(ends, values, side="left"))
    return one_hot([str(p) for p in place])


def interval(auc: float, positives: int, negatives: int) -> tuple[float, float]:
    """Return the 95 % interval of an AUC by Hanley and McNeil (1982), on the logit's scale; 0 and 1 are drawn in."""
    half = 0.5 / (positives * negatives) ** 0.5
    inside = min(max(auc, half), 1 - half)
    q1, q2 = inside / (2 - inside), 2 * inside**2 / (1 + inside)
    variance = (
        inside * (1 - inside) + (positives - 1) * (q1 - inside**2) + (negatives - 1) * (q2 - inside**2)
    ) / (positives * negatives)
    wide = 1.96 * math.sqrt(max(variance, 0.0)) / (inside * (1 - inside))
    middle = float(special.logit(inside))
    return float(special.expit(middle - wide)), float(special.expit(middle + wide))


def _scores(y: Array, features: Array) -> Array:
    """Return each case's score by a ridge regression on the other folds; folds hold equal shares of both classes."""
    fold = np.zeros(len(y), int)
    random = np.random.default_rng(0)
    for side in (True, False):
        at = random.permutation(np.flatnonzero(y == side))
        fold[at] = np.arange(len(at)) % FOLDS
    scores = np.zeros(len(y))
    for k in range(FOLDS):
        inside, held = fold != k, fold == k
        x, mean = features[inside], features[inside].mean(axis=0)
        spread = x.std(axis=0) + 1e-9
        z, w = (x - mean) / spread, (features[held] - mean) / spread
        target = y[inside] - y[inside].mean()
        beta = np.linalg.solve(z.T @ z + RIDGE * np.eye(z.shape[1]), z.T @ target)
        scores[held] = w @ beta
    return scores
