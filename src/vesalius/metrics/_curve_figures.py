"""Figures of one event on a resample: how well its risk ranks, and how right its chances are.

What is the same on every resample is found once and kept in the rows' memo; of a resample it counts how often it holds
each patient. The figures are those of the room `survival`, to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vesalius.core.horizons import named
from vesalius.core.image import Array
from vesalius.metrics._curve_clock import Clock, clock_of
from vesalius.metrics._curve_gap import Gap, gap_at
from vesalius.metrics._curve_pairs import Apart, Pairs, apart_at, pairs_of
from vesalius.metrics._curve_rows import Judged
from vesalius.metrics._curve_scores import group_count, last, seen_until, with_means, without
from vesalius.metrics._curve_table import asked_of, column, judged, observed_of, told_causes
from vesalius.metrics._rows import Rows
from vesalius.survival.calibration import shared_out
from vesalius.survival.observed import Observed

FEWEST = 5  # different patients with the event, for a resample to count


@dataclass(frozen=True, eq=False)
class Ready:
    """What is known of one event before any resample is drawn, of the N cases at the places `at` of the table.

    `pairs` are those of the event, by '', or of each cause that answers tell of; of a cause whose curves do not end
    together there are none, and `incidence` `(N, T)` is looked at on each resample. `had` and `free` `(N, T)` are the
    squared errors of those with the event by a time and of those free of it then. `tenths` `(N, 10)` are shares of
    D-calibration, 0 where `unsure`.
    """

    about: Judged
    at: Array
    asked: Observed
    causes: Mapping[str, Observed]
    clock: Clock
    own_clock: Mapping[str, Clock]
    pairs: Mapping[str, Pairs]
    incidence: Mapping[str, Array]
    apart: Mapping[float, Apart]
    had: Array
    free: Array
    survival: Array
    gaps: Mapping[float, Gap]
    tenths: Array
    unsure: Array

    def says(self, weight: Array, wanted: Array) -> bool:
        """Return whether these cases say anything: with an event, and as a resample with several patients' events."""
        different = int((weight[wanted] > 0).sum())
        return different > 0 and (weight.max() <= 1 or different >= FEWEST)


def figures(rows: Rows, event: str, index: Array) -> dict[str, float]:
    """Return every metric of one event on a resample; NaN where too few patients had it."""
    key = f"curves of {event}"
    if key not in rows.memo:
        rows.memo[key] = _ready(rows, event)
    ready: Ready = rows.memo[key]
    weight = np.bincount(index, minlength=len(rows))[ready.at].astype(np.float64)
    says = ready.says(weight, ready.asked.happened)
    watched = ready.clock.watched(weight) if says and not ready.about.late else np.ones(1)
    return _ranking(ready, weight, watched, says=says) | _chances(ready, weight, watched, says=says)


# --- once


def _ready(rows: Rows, event: str) -> Ready:
    seen, at = observed_of(rows, event)
    about = judged(rows, event)
    asked = asked_of(seen, about)
    survival, times = column(rows, "survival", event)[at], np.array(about.times)
    causes = {
        c: Observed(seen.time_days, seen.of(c).astype(np.int64), seen.entry_days)
        for c in told_causes(rows, event)
    }
    incidence = {c: column(rows, f"incidence:{c}", event)[at] for c in causes}
    if causes:
        pairs = {
            c: pairs_of(last(incidence[c]), own) for c, own in causes.items() if _end_together(incidence[c])
        }
    else:
        pairs = {"": pairs_of(column(rows, "risk", event)[at], asked)}
    apart = {}
    for h in () if about.late else about.horizons:
        marker = -survival[:, about.times.index(h)] if h <= about.told else column(rows, "risk", event)[at]
        apart[h] = apart_at(marker, asked, h)
    time, happened = asked.time_days[:, None], asked.happened[:, None]
    chance = np.clip(survival, 0, 1)
    own, beyond = column(rows, "own", event)[at], column(rows, "beyond", event)[at] > 0
    unsure = ~np.isfinite(own)
    tenths = np.zeros((len(at), 10))
    if not unsure.all():
        tenths[~unsure] = shared_out(own[~unsure], seen_until(asked, beyond).where(~unsure))
    return Ready(
        about=about,
        at=at,
        asked=asked,
        causes=causes,
        clock=clock_of(asked),
        own_clock={c: clock_of(own) for c, own in causes.items()},
        pairs=pairs,
        incidence=incidence,
        apart=apart,
        had=np.where((time <= times) & happened, chance**2, 0.0),
        free=np.where(time > times, (1 - chance) ** 2, 0.0),
        survival=survival,
        gaps={
            h: gap_at(chance[:, about.times.index(h)], asked, h) for h in about.horizons if h <= about.told
        },
        tenths=tenths,
        unsure=unsure,
    )


def _end_together(curves: Array) -> bool:
    """Return whether the same times are told of by all curves `(N, T)`, so that no resample tells of others."""
    finite = np.isfinite(curves)
    return bool((finite == finite[:1]).all())


# --- on each resample


def _ranking(ready: Ready, weight: Array, watched: Array, *, says: bool) -> dict[str, float]:
    """Return the concordances and the AUC over time; of several causes each by its own incidence, and their means."""
    about, clock = ready.about, ready.clock
    found: dict[str, float] = {}
    for cause, own in (ready.causes or {"": ready.asked}).items():
        tells = says and ready.says(weight, own.happened)
        pairs = ready.pairs.get(cause)
        if tells and pairs is None:
            pairs = pairs_of(_last_of(ready.incidence[cause], weight), own)
        end = f"/{cause}" if cause else ""
        found[f"c_index{end}"] = pairs.concordance(weight) if tells and pairs is not None else math.nan
        if not about.late:
            left = ready.own_clock[cause] if cause else clock
            before = (left.watched(weight) if cause else watched)[left.place] if tells else watched
            found[f"uno_c{end}"] = (
                pairs.uno(weight, before, about.end) if tells and pairs is not None else math.nan
            )
    for h, apart in ready.apart.items():
        found[f"auc/{named(h)}"] = apart.auc(weight, watched[clock.place]) if says else math.nan
    return with_means(found)


def _last_of(curves: Array, weight: Array) -> Array:
    """Return what curves come to at the last time that all drawn ones tell of, and NaN of the others."""
    drawn = weight > 0
    found = np.full(len(curves), math.nan)
    found[drawn] = last(curves[drawn])
    return found


def _chances(ready: Ready, weight: Array, watched: Array, *, says: bool) -> dict[str, float]:
    """Return the Brier scores, the errors of calibration, and D-calibration; nothing where no curve is told of."""
    about, n = ready.about, float(weight.sum())
    if about.told <= 0:
        return {}
    found: dict[str, float] = {}
    times = np.array(about.times)
    inside = times <= about.told
    briers = _briers(ready, weight, watched) if says and not about.late else np.full(len(times), math.nan)
    if not about.late:
        span = times[inside]
        mean = np.trapezoid(briers[inside], span) / (span[-1] - span[0]) if len(span) > 1 else math.nan
        found["ibs"] = float(mean)
    whole = ready.clock.free(weight) if says else None
    until = ready.clock.end(weight)
    drawn = bool(weight.max(initial=0) > 1)
    for h in about.horizons:
        place, name = about.times.index(h), named(h)
        if not about.late:
            found[f"brier/{name}"] = float(briers[place]) if h <= about.told else math.nan
        found[f"calibration/{name}"] = found[f"bias/{name}"] = math.nan
        if whole is not None and h in ready.gaps and (h <= until or whole[-1] <= 0):
            gap, chance = ready.gaps[h].squared(weight, group_count(int(n)))
            found[f"calibration/{name}"] = without(gap, chance, drawn=drawn)
            seen = float(np.concatenate([[1.0], whole])[ready.clock.until(np.array(h))])
            found[f"bias/{name}"] = float(weight @ ready.survival[:, place]) / n - seen
    tells = says and not ready.unsure[weight > 0].any()
    found["d_calibration"] = _unevenness(ready.tenths, weight, n, drawn=drawn) if tells else math.nan
    return with_means(found)


def _briers(ready: Ready, weight: Array, watched: Array) -> Array:
    """Return the Brier score at each time of the grid, as `brier_at`; NaN at one after which nobody is known."""
    clock = ready.clock
    own = np.where((weight > 0) & ready.asked.happened, watched[clock.place], 1.0)
    kept = watched[clock.until(np.array(ready.about.times))]
    known = np.where(kept > 0, kept, np.nan)
    return np.asarray(((weight / own) @ ready.had + (weight @ ready.free) / known) / weight.sum())


def _unevenness(tenths: Array, weight: Array, n: float, *, drawn: bool) -> float:
    """Return how unevenly the tenths of predicted survival are filled, 0 where each holds a tenth of the patients.

    It is the root mean squared distance from a tenth, in tenths, less what chance makes of it: `without`.
    """
    many = tenths.shape[1]
    shares = weight @ tenths / n
    chance = float((weight @ tenths**2 / n - shares**2).mean()) / n
    return without(float(many**2 * ((shares - 1 / many) ** 2).mean()), many**2 * chance, drawn=drawn)
