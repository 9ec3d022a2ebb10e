"""Whether a plan that a search found beats the default one beyond noise, on folds that the search did not see.

The best of many validation scores is too high: it was chosen for its luck, too. So the few best and the default plan
are trained again with other folds held out, and the best is taken only where the interval of its gain holds no 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.words import counted

LEVEL = 0.95  # of all intervals together
FEWEST = 4  # patients in all groups together that anything is told by
WIDEST = 0.2  # share of the draws that may be undefined


@dataclass(frozen=True)
class Measure:
    """What one plan came to on one group of folds: its score, and its scores on drawn patients (see `PlanScore`)."""

    score: float
    draws: tuple[float | None, ...]
    patients: int


@dataclass(frozen=True)
class Gain:
    """How much better one plan is than the default one: the mean over the groups of folds, and its interval.

    `low` and `high` are None where too few patients, or too many undefined draws, tell nothing.
    """

    value: float
    low: float | None
    high: float | None
    level: float
    patients: int
    folds: int

    @property
    def sure(self) -> bool:
        """Return whether it is better beyond its interval."""
        return self.low is not None and self.low > 0

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:+.3f}, without an interval"
        return f"{self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


@dataclass(frozen=True)
class Finalist:
    """One of the best trials: its score where it was found, its gain there, and its gain on the folds it was not.

    `optimism` is by how much the first gain is larger than the second; None where no other folds were measured.
    """

    number: int
    score: float
    found: Gain
    confirmed: Gain | None

    @property
    def optimism(self) -> float | None:
        """By how much the search's own folds flatter it, beside the default plan."""
        return None if self.confirmed is None else self.found.value - self.confirmed.value


@dataclass(frozen=True)
class Verdict:
    """Which trial is taken, None for the default plan, and why in a sentence."""

    chosen: int | None
    why: str


def gain(default: Sequence[Measure], other: Sequence[Measure], *, level: float) -> Gain:
    """Return the gain of a plan over the default one, each measured on the same groups of folds.

    The draws of a group are of the same patients for both, so that the differences are paired; those of several groups
    are of different patients, and their mean is drawn by itself. The interval is the percentiles'.
    """
    value = float(np.mean([o.score - d.score for d, o in zip(default, other, strict=True)]))
    patients = sum(m.patients for m in default)
    pairs = [
        [_less(o, d) for d, o in zip(a.draws, b.draws, strict=True)]
        for a, b in zip(default, other, strict=True)
    ]
    drawn = np.array(pairs, dtype=np.float64)  # (groups, draws)
    known = drawn[:, np.isfinite(drawn).all(axis=0)]
    if patients < FEWEST or known.shape[1] < (1 - WIDEST) * drawn.shape[1] or not known.size:
        return Gain(value, None, None, level, patients, len(default))
    tail = (1 - level) / 2
    low, high = np.quantile(known.mean(axis=0), [tail, 1 - tail])
    return Gain(value, float(low), float(high), level, patients, len(default))


def decided(finalists: Sequence[Finalist], *, trials: int, primary: str) -> Verdict:
    """Return which of the finalists is taken, if any: the one with the largest gain of those that are sure.

    The gain that counts is that on other folds, where it is known, and else that on the search's own, whose interval
    must then hold for all of its trials.
    """
    if not finalists:
        return Verdict(None, "no other plan was finished: the default plan is taken")
    counts = {one.number: one.confirmed or one.found for one in finalists}
    sure = [one for one in finalists if counts[one.number].sure]
    best = max(sure or finalists, key=lambda one: counts[one.number].value)
    told, other = counts[best.number], best.confirmed is not None
    where = (
        f"on {counted(told.folds, 'fold')} that the search did not see"
        if other
        else "on the search's own fold"
    )
    of = f"trial {best.number} of {trials}"
    if sure:
        return Verdict(best.number, f"{of} beats the default plan beyond noise {where}: {primary} {told}")
    end = "its interval holds 0, so that the default plan is taken"
    if told.low is None:
        end = "nothing tells it from noise, so that the default plan is taken"
    return Verdict(None, f"the best found, {of}, changes {primary} by {told} {where}: {end}")


def level_of(finalists: int, trials: int, *, confirmed: bool) -> float:
    """Return the level of each interval, so that LEVEL holds for all that are compared (Bonferroni)."""
    return 1 - (1 - LEVEL) / max(1, finalists if confirmed else trials)


def best_of(scores: Mapping[int, float], most: int, *, without: int) -> list[int]:
    """Return the numbers of the best trials, the best first, without the default plan's."""
    known = {k: v for k, v in scores.items() if k != without and math.isfinite(v)}
    return sorted(known, key=lambda k: (-known[k], k))[:most]


def _less(one: float | None, other: float | None) -> float:
    return math.nan if one is None or other is None else one - other
