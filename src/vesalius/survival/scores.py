"""Scores under censoring: how well risks rank (Harrell's and Uno's C, AUC at a day), how near chances are (Brier)."""

from __future__ import annotations

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.chances import chances
from vesalius.survival.curves import censoring
from vesalius.survival.observed import Observed
from vesalius.survival.risksets import no_late_entry
from vesalius.survival.step import Step

_AT_ONCE = 2**22  # pairs


def harrell_c(risk: Array, observed: Observed) -> float:
    """Return the share of comparable pairs in which the one with the earlier event has the higher risk `(N,)`.

    A pair is comparable where one has the event while the other is at risk and goes on: another's censoring on the
    same day comes after it, two events on one day are not compared, and who entered later was not there. Equal risks
    count one half. NaN where no pair is comparable (Harrell 1996). Raises DataError where risks are not finite.
    """
    return _concordance(_finite(risk, observed), observed, np.ones(len(observed)))


def uno_c(
    risk: Array, observed: Observed, *, train: Observed | None = None, until: float | None = None
) -> float:
    """Return Uno's C of risks `(N,)`: pairs as in `harrell_c`, each over the squared chance to be under observation.

    That chance is the left limit G(t-) of the censoring curve at the earlier event (Uno 2011, eq. 6), by the patients
    themselves or by those of `train`. Only events before the day `until` count. NaN where no pair is comparable. Raises
    DataError for late entry, and where the curve of `train` does not tell of an event that counts.
    """
    no_late_entry(observed, "Uno's C")
    scored = _finite(risk, observed)
    counted = observed.happened & (observed.time_days < (np.inf if until is None else until))
    weights = np.zeros(len(observed))
    chance = _chances(observed, train).left(observed.time_days[counted])
    if train is not None:
        _told(chance, observed.time_days[counted], train)
    weights[counted] = 1 / chance**2
    return _concordance(scored, observed, weights)


def auc_at(risk: Array, observed: Observed, days: Array | float, *, train: Observed | None = None) -> Array:
    """Return the cumulative/dynamic AUC at each day: do those with the event by then have more risk than the others?

    `risk` is `(N,)`, or `(N, K)` with one column a day. Those with the event count 1/G(t-), the left limit of the
    censoring curve at their own day; those censored by the day are in neither group (Uno 2007; Hung and Chiang 2010).
    Equal risks count one half. The result has the shape of `days`; NaN where a group is empty. Raises DataError for
    late entry, and where the curve of `train` does not tell of an event.
    """
    no_late_entry(observed, "the AUC at a day")
    asked = np.atleast_1d(np.asarray(days, np.float64))
    scored = _finite(risk, observed, len(asked))
    weights = _weights(observed, train, float(asked.max(initial=0.0)))
    found = [
        _auc(scored[:, k] if scored.ndim == 2 else scored, observed, weights, float(day))
        for k, day in enumerate(asked)
    ]
    return np.array(found).reshape(np.shape(days))


def brier_at(
    survival: Array, observed: Observed, days: Array | float, *, train: Observed | None = None
) -> Array:
    """Return the Brier score of chances `(N, K)` to be without the event at each day `(K,)` (Graf 1999).

    Who had the event by then counts 1/G(t-), the left limit of the censoring curve at the own day; who goes on beyond
    it 1/G(day); who was censored by then 0. For one day, `survival` may be `(N,)`. NaN at a day after which nobody is
    known. Raises DataError for late entry, and where the curve of `train` does not tell of a day.
    """
    no_late_entry(observed, "the Brier score")
    asked = np.atleast_1d(np.asarray(days, np.float64))
    given = np.asarray(survival, np.float64)
    given = given[:, None] if given.ndim == 1 and np.ndim(days) == 0 else given
    chance = chances(given, observed, len(asked))
    curve, weights = _chances(observed, train), _weights(observed, train, float(asked.max(initial=0.0)))
    kept = np.asarray(curve.at(asked))
    if train is not None:
        _told(kept, asked, train)
    time = observed.time_days[:, None]
    after, by = time > asked, (time <= asked) & observed.happened[:, None]
    known = np.where(kept > 0, kept, np.nan)
    squares = chance**2 * by * weights[:, None] + (1 - chance) ** 2 * after / known
    return np.asarray(squares.mean(0)).reshape(np.shape(days))


def integrated_brier(
    survival: Array, observed: Observed, days: Array, *, train: Observed | None = None
) -> float:
    """Return the mean of the Brier score over the time from the first to the last of rising days, by trapezoids.

    Raises DataError as `brier_at` does, and for fewer than two days, or days that do not rise.
    """
    asked = np.asarray(days, np.float64)
    if asked.ndim != 1 or len(asked) < 2 or not (np.diff(asked) > 0).all():
        raise DataError("need two or more rising days to take a mean over time", found=f"{len(asked)} days")
    scores = brier_at(survival, observed, asked, train=train)
    return float(np.trapezoid(scores, asked) / (asked[-1] - asked[0]))


def _concordance(risk: Array, observed: Observed, weights: Array) -> float:
    """Return the weighted share of concordant pairs; `weights` `(N,)` are of the one with the event."""
    # events before censorings of the same day, so that whom an event is compared with are all from a place on
    order = np.lexsort((~observed.happened, observed.time_days))
    time, dead, entry = observed.time_days[order], observed.happened[order], observed.entry_days[order]
    rank, weight = np.unique(risk[order], return_inverse=True)[1].astype(np.int32), weights[order]
    events = np.flatnonzero(dead & (weight > 0))
    last = np.searchsorted(time[events], time[events], side="right")
    starts, places = events[last - 1] + 1, np.arange(len(time))  # events on one day are not compared
    late = bool((entry > 0).any())
    right = pairs = 0.0
    rows = max(1, _AT_ONCE // max(1, len(time)))
    for k in range(0, len(events), rows):
        own = events[k : k + rows]
        there = places >= starts[k : k + rows, None]
        if late:
            there &= (entry < time[own][:, None]) | (entry == 0)
        bits = np.packbits(there, axis=1)
        halves = _counted(rank < rank[own][:, None], bits) + _counted(rank <= rank[own][:, None], bits)
        right += float(weight[own] @ halves) / 2
        pairs += float(weight[own] @ _counted(there, bits))
    return right / pairs if pairs > 0 else float("nan")


def _counted(which: Array, bits: Array) -> Array:
    """Return how many of each row are set in both, `(R,)`; `bits` are packed already."""
    both = np.bitwise_count(np.packbits(which, axis=1) & bits)
    return np.asarray(both.sum(axis=1, dtype=np.int64))


def _auc(risk: Array, observed: Observed, weights: Array, day: float) -> float:
    cases = observed.happened & (observed.time_days <= day)
    controls = np.sort(risk[observed.time_days > day])
    whole = float(weights[cases].sum())
    if not len(controls) or not whole > 0:
        return float("nan")
    less = np.searchsorted(controls, risk[cases], side="left") + np.searchsorted(
        controls, risk[cases], side="right"
    )
    return float(weights[cases] @ less / (2 * len(controls) * whole))


def _chances(observed: Observed, train: Observed | None) -> Step:
    if train is None:
        return censoring(observed)
    no_late_entry(train, "the censoring curve of the training patients")
    return censoring(train)


def _weights(observed: Observed, train: Observed | None, day: float) -> Array:
    """Return 1/G(t-) of patients with an event by a day, 0 of others, `(N,)`."""
    weights = np.zeros(len(observed))
    dead = observed.happened & (observed.time_days <= day)
    chance = np.asarray(_chances(observed, train).left(observed.time_days[dead]))
    if train is not None:
        _told(chance, observed.time_days[dead], train)
    weights[dead] = 1 / chance
    return weights


def _told(chance: Array, days: Array, train: Observed) -> None:
    """Raise DataError where the training patients do not tell how likely one is still under observation at a day."""
    end = float(train.time_days.max())
    lost = (chance <= 0) | (days > end)
    if lost.any():
        raise DataError(
            f"the training patients do not tell who is under observation at day {days[lost].min():g}",
            found=f"their follow-up ends at day {end:g}",
            hint="score until an earlier day",
        )


def _finite(risk: Array, observed: Observed, days: int | None = None) -> Array:
    scored = np.asarray(risk, np.float64)
    shapes = [(len(observed),)] + ([(len(observed), days)] if days else [])
    if scored.shape not in shapes or not np.isfinite(scored).all():
        raise DataError(
            "need a finite risk for each patient",
            found=f"shape {scored.shape} for {len(observed)} patients, {int((~np.isfinite(scored)).sum())} not finite",
        )
    return scored
