"""Experts and a model together: probabilities weighed by how much each agrees with the others (CROWDLAB).

Goh, Tkachenko and Mueller 2022 (arXiv 2210.06812), sections 3 and 4: an expert's call counts as a vector that gives it
P, the mean agreement with the consensus, and the other classes the rest; experts and the model are weighed by how much
less they err than one who always calls the most frequent class. The model's probabilities must be of cases that it did
not learn from, or it agrees with itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.consensus.majority import TIED, Joined, decided, majority
from vesalius.consensus.patterns import UNSEEN
from vesalius.core.errors import DataError
from vesalius.core.image import Array

LEAST = 1e-6  # the least weight of anyone


@dataclass(frozen=True, eq=False)
class Crowd:
    """What was joined case by case, the weight of each expert `(E,)` and of the model, and P."""

    joined: Joined
    weights: Array
    model: float
    agreement: float


def crowd(calls: Array, p: Array) -> Crowd:
    """Return experts' calls `(C, E)` joined with a model's out-of-fold probabilities `(C, K)`.

    Raises DataError for probabilities that are none, or where no case was seen by two experts.
    """
    p = np.asarray(p, np.float64)
    if p.shape[:1] != calls.shape[:1] or p.ndim != 2:
        raise DataError("a row of probabilities a case is needed", found=f"{p.shape} for {calls.shape}")
    if not np.isfinite(p).all() or p.min(initial=0) < 0 or abs(p.sum(1) - 1).max(initial=0) > 1e-3:
        raise DataError("each row of probabilities sums to 1", found="rows that do not")
    labels, seen = p.shape[1], calls != UNSEEN
    votes = seen.sum(1)
    several = votes > 1
    if not several.any():
        raise DataError("no case was seen by two experts, so nothing says how far they agree")
    first = majority(calls, labels=labels)
    told = np.where(first.label == TIED, (first.p + 1e-3 * p).argmax(1), first.label)  # the model breaks ties
    agree = (calls == told[:, None]) & seen
    sure = float((agree.sum(1) / np.maximum(votes, 1))[several].mean())
    usual = np.bincount(told[votes > 0], minlength=labels).argmax()
    chance = max(float((told[several] != usual).mean()), LEAST)  # how often the most frequent class is wrong
    weights = np.array([max(1 - (1 - a) / chance, LEAST) for a in _with_others(calls, seen)])
    wrong = float((p.argmax(1)[several] != told[several]).mean())
    model = max(1 - wrong / chance, LEAST) * float(np.sqrt(votes[votes > 0].mean()))
    total = model * p
    for e in range(calls.shape[1]):
        own = np.full((len(calls), labels), (1 - sure) / (labels - 1))
        own[np.arange(len(calls)), np.maximum(calls[:, e], 0)] = sure
        total = total + weights[e] * seen[:, e, None] * own
    mass = model + seen @ weights
    return Crowd(decided(total / mass[:, None]), weights, model, sure)


def _with_others(calls: Array, seen: Array) -> list[float]:
    """Return for each expert the share of the other experts' calls, in cases both saw, that are like the expert's."""
    found = []
    for e in range(calls.shape[1]):
        both = seen & seen[:, [e]]
        both[:, e] = False
        same = (calls == calls[:, [e]]) & both
        found.append(float(same.sum() / both.sum()) if both.any() else 0.0)
    return found
