"""Selective answers: what becomes of the error where the least sure answers are left to a person.

The risk–coverage curve (El-Yaniv & Wiener 2010) is the mean loss of the surest answers, by their share of all. A
threshold whose error is at most a number, with a confidence, is found as Geifman & El-Yaniv (2017, algorithm 1) find
it: by a binary search over the cases, each of whose bounds is exact and holds together with the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import counted

SHARES = (0.5, 0.8, 0.9)  # of answered cases at which the loss is reported
CURVE = 101  # points of a curve that is kept


@dataclass(frozen=True)
class Rule:
    """A threshold of sureness: answers below it are withheld, and of the others at most `bound` are wrong.

    `answered` is the share of the `n` cases that is answered, `error` the share of those that is wrong; `bound` holds
    with the probability `confidence`.
    """

    at: float
    answered: float
    error: float
    bound: float
    n: int
    confidence: float


def curve(sure: Array, losses: Array) -> Array:
    """Return the mean loss of the k surest answers, for k from 1 to `n`, `(n,)`.

    Of answers that are equally sure nobody knows which comes first: each counts with the mean loss of all of them.
    """
    sure, losses = np.asarray(sure, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    order = np.argsort(-sure, kind="stable")
    ranked, lost = sure[order], losses[order]
    begins = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    sizes = np.diff(np.concatenate([begins, [len(ranked)]]))
    even = np.repeat(np.add.reduceat(lost, begins) / sizes, sizes)
    return np.asarray(np.cumsum(even) / np.arange(1, len(ranked) + 1))


def figures(sure: Array, losses: Array) -> dict[str, float]:
    """Return the area under the curve, how far it lies below that of a random order, and the loss at SHARES.

    `gain` is the mean loss of all answers, which is what a random order has at every share, less the area.
    """
    risks = curve(sure, losses)
    n = len(risks)
    found = {"aurc": float(risks.mean()), "gain": float(np.mean(losses) - risks.mean())}
    for share in SHARES:
        found[f"risk@{share:g}"] = float(risks[max(math.ceil(share * n - 1e-9), 1) - 1])
    return found


def thinned(sure: Array, losses: Array) -> dict[str, list[float]]:
    """Return the curve to draw: shares `x`, losses `y`, and `best`, where the worst answers are the least sure."""
    risks, best = curve(sure, losses), curve(-np.asarray(losses), losses)
    n = len(risks)
    places = np.unique(np.linspace(0, n - 1, min(n, CURVE)).round().astype(int))
    return {
        "x": [round(float(k + 1) / n, 5) for k in places],
        "y": [round(float(risks[k]), 6) for k in places],
        "best": [round(float(best[k]), 6) for k in places],
    }


def bound(wrong: int, n: int, delta: float) -> float:
    """Return the share of errors that `wrong` of `n` do not exceed, but with probability `delta` (Clopper–Pearson)."""
    return 1.0 if wrong >= n else float(stats.beta.ppf(1 - delta, wrong + 1, n - wrong))


def controlled(
    sure: Sequence[float] | Array, wrong: Sequence[bool] | Array, most: float, *, confidence: float = 0.95
) -> Rule:
    """Return the threshold that answers the most cases and keeps the share of errors at `most` or less.

    Raises DataError where no threshold does on these cases, with what the best one comes to.
    """
    sure, mistakes = np.asarray(sure, dtype=np.float64), np.asarray(wrong, dtype=bool)
    n = len(sure)
    if not n:
        raise DataError("no case to find a threshold on")
    levels = np.unique(sure)  # ascending: answered are those at or above
    tries = max(1, math.ceil(math.log2(len(levels) + 1)))
    delta = (1 - confidence) / tries
    low, high = 0, len(levels) - 1
    found: Rule | None = None
    least: Rule | None = None
    for _ in range(tries):
        middle = (low + high) // 2
        answered = sure >= levels[middle]
        k, errors = int(answered.sum()), int((answered & mistakes).sum())
        rule = Rule(float(levels[middle]), k / n, errors / k, bound(errors, k, delta), n, confidence)
        least = rule if least is None or rule.bound < least.bound else least
        if rule.bound <= most:
            found = rule if found is None or rule.answered > found.answered else found
            high = middle - 1
        else:
            low = middle + 1
        if low > high:
            break
    if found is None and least is not None:
        raise DataError(
            f"no threshold keeps the error at {100 * most:g} % or less with {100 * confidence:g} % confidence",
            found=f"at best {100 * least.bound:.3g} %, of {counted(n, 'case')}",
            hint="more calibration cases, or a larger share of errors",
        )
    assert found is not None
    return found
