"""Figures of one event on a resample: how well its risk ranks, and how right its chances are."""

from __future__ import annotations

import math

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.horizons import named
from vesalius.core.image import Array
from vesalius.metrics._curve_rows import Judged
from vesalius.metrics._curve_scores import (
    calibration,
    concordance,
    finite,
    last,
    reaches,
    unevenness,
    uno,
    with_means,
)
from vesalius.metrics._curve_table import asked_of, column, judged, observed_of, told_causes
from vesalius.metrics._rows import Rows
from vesalius.survival import scores
from vesalius.survival.curves import kaplan_meier
from vesalius.survival.observed import Observed
from vesalius.survival.step import Step

FEWEST = 5  # different patients with the event, for a resample to count


def figures(rows: Rows, event: str, index: Array) -> dict[str, float]:
    """Return every metric of one event on a resample; NaN where too few patients had it."""
    seen, at = observed_of(rows, event, index)
    about = judged(rows, event)
    asked = asked_of(seen, about)
    says = _says(at, asked.happened)
    found = _ranking(rows, event, at, seen, asked, says=says)
    return found | _chances(rows, event, at, asked, says=says)


def _says(at: Array, wanted: Array) -> bool:
    """Return whether these cases say anything: with an event, and as a resample with events of several patients."""
    if not wanted.any():
        return False
    return len(np.unique(at)) == len(at) or len(np.unique(at[wanted])) >= FEWEST


def _ranking(
    rows: Rows, event: str, at: Array, seen: Observed, asked: Observed, *, says: bool
) -> dict[str, float]:
    """Return the concordances and the AUC over time; of several causes each by its own incidence, and their means."""
    about = judged(rows, event)
    causes = told_causes(rows, event)
    found: dict[str, float] = {}
    weighted = not about.late
    if causes:
        for cause in causes:
            own = Observed(seen.time_days, seen.of(cause).astype(np.int64), seen.entry_days)
            risk = last(column(rows, f"incidence:{cause}", event)[at])
            tells = says and _says(at, own.happened)
            found[f"c_index/{cause}"] = concordance(risk, own) if tells else math.nan
            if weighted:
                found[f"uno_c/{cause}"] = uno(risk, own, about.end) if tells else math.nan
    else:
        risk = column(rows, "risk", event)[at]
        found["c_index"] = concordance(risk, asked) if says else math.nan
        if weighted:
            found["uno_c"] = uno(risk, asked, about.end) if says else math.nan
    for h in about.horizons if weighted else ():
        told_of = column(rows, "survival", event)[at, about.times.index(h)]
        marker = -told_of if h <= about.told else column(rows, "risk", event)[at]
        found[f"auc/{named(h)}"] = finite(scores.auc_at, marker, asked, h) if says else math.nan
    return with_means(found)


def _chances(rows: Rows, event: str, at: Array, asked: Observed, *, says: bool) -> dict[str, float]:
    """Return the Brier scores, the errors of calibration, and D-calibration; nothing where no curve is told of."""
    about = judged(rows, event)
    survival, times = column(rows, "survival", event)[at], np.array(about.times)
    if about.told <= 0:
        return {}
    found: dict[str, float] = {}
    inside = times <= about.told
    drawn = len(np.unique(at)) < len(at)
    if not about.late:
        found["ibs"] = (
            finite(scores.integrated_brier, survival[:, inside], asked, times[inside]) if says else math.nan
        )
    whole = _whole(asked) if says else None
    places = [about.times.index(h) for h in about.horizons]
    told = [h for h in about.horizons if h <= about.told and says]
    briers = _briers(survival, asked, told, about) if not about.late else {}
    for h, place in zip(about.horizons, places, strict=True):
        here, name = survival[:, place], named(h)
        if not about.late:
            found[f"brier/{name}"] = briers.get(h, math.nan)
        known = whole is not None and h in told and reaches(whole, h)
        found[f"calibration/{name}"] = calibration(here, asked, h, drawn=drawn) if known else math.nan
        found[f"bias/{name}"] = float(here.mean() - whole.at(h)) if known and whole is not None else math.nan
    own, beyond = column(rows, "own", event)[at], column(rows, "beyond", event)[at] > 0
    tells = says and bool(np.isfinite(own).all())
    found["d_calibration"] = unevenness(own, asked, beyond, drawn=drawn) if tells else math.nan
    return with_means(found)


def _briers(survival: Array, asked: Observed, days: list[float], about: Judged) -> dict[float, float]:
    """Return the Brier score at each of some horizons; none where it is not defined."""
    try:
        at = [about.times.index(day) for day in days]
        found = scores.brier_at(survival[:, at], asked, np.array(days)) if days else ()
    except DataError:
        return {}
    return dict(zip(days, map(float, found), strict=True))


def _whole(asked: Observed) -> Step | None:
    """Return Kaplan-Meier's curve; None where late entry leaves nobody at risk in between."""
    try:
        return kaplan_meier(asked)
    except DataError:
        return None
