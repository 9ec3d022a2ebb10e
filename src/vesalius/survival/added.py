"""What a factor adds to others: likelihood ratio, change of a score, reclassification and decisions, with censoring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import listed
from vesalius.survival.chances import SAME, chances, event_share
from vesalius.survival.cox import Cox
from vesalius.survival.observed import Observed
from vesalius.survival.scores import harrell_c


@dataclass(frozen=True)
class LikelihoodRatio:
    """The test of what further columns add to a Cox model."""

    chi2: float
    df: int
    p: float


@dataclass(frozen=True)
class Reclassification:
    """The net share of patients that a second model moves the right way, NaN where the follow-up does not tell.

    `events` is of those who will have the event (moved up less moved down), `others` of those who will not (down less
    up), and `total` their sum, from -2 to 2. `up` and `down` are how many moved.
    """

    events: float
    others: float
    up: int
    down: int

    @property
    def total(self) -> float:
        """Return the net reclassification improvement."""
        return self.events + self.others


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit of treating whose chance of the event is at or above each threshold, beside treating all.

    Treating nobody has a net benefit of 0. All are `(K,)`; NaN where the follow-up does not tell.
    """

    thresholds: Array
    model: Array
    treat_all: Array


def likelihood_ratio(small: Cox, large: Cox) -> LikelihoodRatio:
    """Return the likelihood-ratio test of two Cox models of the same patients, the first within the second.

    Raises DataError where the columns of the one are not among those of the other, the patients differ, ties are
    handled otherwise, or a likelihood is penalised or has weights that are no counts.
    """
    from scipy.special import chdtrc

    extra = [n for n in large.names if n not in small.names]
    if not extra or len(extra) + len(small.names) != len(large.names):
        raise DataError(
            "the columns of the first model must be some of those of the second", found=listed(small.names, 5)
        )
    unlike = not np.isclose(small.null_log_likelihood, large.null_log_likelihood, rtol=1e-9)
    if unlike or (small.patients, small.events, small.ties) != (large.patients, large.events, large.ties):
        raise DataError(
            "both models must be of the same patients, strata and ties",
            found=f"{small.patients} and {large.patients} patients, {small.events} and {large.events} events",
            hint="leave out the patients whom either model lacks",
        )
    if small.penalty or large.penalty or small.robust or large.robust:
        raise DataError(
            "a penalty, weights or clusters leave no likelihood to test", hint="fit both without them"
        )
    chi2 = max(0.0, 2 * (large.log_likelihood - small.log_likelihood))
    return LikelihoodRatio(chi2, len(extra), float(chdtrc(len(extra), chi2)))


def change(
    before: Array,
    after: Array,
    observed: Observed,
    *,
    draws: Iterable[Array] = (),
    score: Callable[[Array, Observed], float] = harrell_c,
) -> tuple[float, Array]:
    """Return how much larger a score is of risks `after` than of `before`, `(N,)` both, and the same on each draw.

    `draws` are places of patients drawn with replacement; both models are scored on the same ones, so that an interval
    of the values is of the paired difference. Risks must come from data that took no part in either fit.
    """

    def differ(seen: Observed, index: Array) -> float:
        return score(after[index], seen) - score(before[index], seen)

    whole = np.arange(len(observed))
    return differ(observed, whole), np.array([differ(observed.where(d), d) for d in draws])


def reclassification(
    before: Array, after: Array, observed: Observed, days: float, *, cuts: Sequence[float] | None = None
) -> Reclassification:
    """Return the net reclassification by a second model's chances `(N,)` to be without the event at a day.

    Without `cuts` any change counts (continuous); with them, chances of the event at which one category ends, only a
    change of category. Shares with the event are Kaplan-Meier's among those who moved (Pencina 2011, eq. 5). Raises
    DataError for chances beyond 0 and 1, and for cuts that do not rise within them.
    """
    first, second = 1 - chances(before, observed), 1 - chances(after, observed)
    if cuts is not None:
        limits = np.asarray(cuts, np.float64)
        if not len(limits) or not (np.diff(limits) > 0).all() or limits[0] <= 0 or limits[-1] >= 1:
            raise DataError("cuts must rise between 0 and 1", found=listed([f"{c:g}" for c in cuts]))
        first, second = (np.searchsorted(limits - SAME, p, side="right") for p in (first, second))
    up, down = second > first + SAME, second < first - SAME
    whole = event_share(observed, days)
    gain = {
        n: event_share(observed.where(b), days) * float(b.mean()) for n, b in (("up", up), ("down", down))
    }
    events = (gain["up"] - gain["down"]) / whole if whole > 0 else float("nan")
    free = (float(down.mean()) - gain["down"]) - (float(up.mean()) - gain["up"])
    others = free / (1 - whole) if whole < 1 else float("nan")
    return Reclassification(events, others, int(up.sum()), int(down.sum()))


def decision_curve(survival: Array, observed: Observed, days: float, thresholds: Array) -> DecisionCurve:
    """Return the net benefit of chances `(N,)` to be without the event at a day, at thresholds of the event `(K,)`.

    The share with the event among those treated is Kaplan-Meier's (Vickers 2008, section 2.2). Raises DataError for
    chances beyond 0 and 1, and thresholds that are not between them.
    """
    risk, limits = 1 - chances(survival, observed), np.asarray(thresholds, np.float64)
    if limits.ndim != 1 or not ((limits > 0) & (limits < 1)).all():
        raise DataError("thresholds of the chance of the event must lie between 0 and 1")
    odds = limits / (1 - limits)
    whole = event_share(observed, days)
    model = np.zeros(len(limits))
    for k, limit in enumerate(limits):
        treated = risk >= limit - SAME
        share = event_share(observed.where(treated), days)
        model[k] = float(treated.mean()) * (share - (1 - share) * odds[k])
    return DecisionCurve(limits, model, whole - (1 - whole) * odds)
