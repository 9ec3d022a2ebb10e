"""Figures of survival curves from the patients of a resample one by one, each of whom stands in a table of its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.horizons import named
from vesalius.metrics import Rows
from vesalius.metrics._curve_scores import group_count, last, seen_until, with_means, without
from vesalius.metrics._curve_table import asked_of, column, judged, observed_of, told_causes
from vesalius.survival import scores
from vesalius.survival.calibration import shared_out, squared_gap
from vesalius.survival.curves import kaplan_meier
from vesalius.survival.observed import Observed


def finite(score: Any, *arguments: Any, **options: Any) -> float:
    try:
        return float(score(*arguments, **options))
    except DataError:
        return math.nan


def says(at: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(wanted.any()) and (len(np.unique(at)) == len(at) or len(np.unique(at[wanted])) >= 5)


def figures(rows: Rows, event: str, index: np.ndarray) -> dict[str, float]:
    seen, at = observed_of(rows, event, index)
    about = judged(rows, event)
    asked = asked_of(seen, about)
    tells = says(at, asked.happened)
    return ranking(rows, event, at, seen, asked, tells) | chances(rows, event, at, asked, tells)


def ranking(
    rows: Rows, event: str, at: Any, seen: Observed, asked: Observed, tells: bool
) -> dict[str, float]:
    about = judged(rows, event)
    found: dict[str, float] = {}
    each = {
        f"/{c}": (last(column(rows, f"incidence:{c}", event)[at]), seen.of(c))
        for c in told_causes(rows, event)
    } or {"": (column(rows, "risk", event)[at], asked.happened)}
    for end, (risk, bits) in each.items():
        own = Observed(seen.time_days, bits.astype(np.int64), seen.entry_days)
        known = tells and says(at, bits) and bool(np.isfinite(risk).all())
        found[f"c_index{end}"] = finite(scores.harrell_c, risk, own) if known else math.nan
        if not about.late:
            found[f"uno_c{end}"] = finite(scores.uno_c, risk, own, until=about.end) if known else math.nan
    for h in () if about.late else about.horizons:
        marker = -column(rows, "survival", event)[at, about.times.index(h)]
        marker = marker if h <= about.told else column(rows, "risk", event)[at]
        found[f"auc/{named(h)}"] = finite(scores.auc_at, marker, asked, h) if tells else math.nan
    return with_means(found)


def chances(rows: Rows, event: str, at: np.ndarray, asked: Observed, tells: bool) -> dict[str, float]:
    about = judged(rows, event)
    survival, times = column(rows, "survival", event)[at], np.array(about.times)
    if about.told <= 0:
        return {}
    found, inside, drawn = {}, times <= about.told, len(np.unique(at)) < len(at)
    if not about.late:
        found["ibs"] = (
            finite(scores.integrated_brier, survival[:, inside], asked, times[inside]) if tells else math.nan
        )
    try:
        whole = kaplan_meier(asked) if tells else None
    except DataError:
        whole = None
    for h in about.horizons:
        here, name = survival[:, about.times.index(h)], named(h)
        if not about.late:
            known = tells and h <= about.told
            found[f"brier/{name}"] = finite(scores.brier_at, here, asked, h) if known else math.nan
        found[f"calibration/{name}"] = found[f"bias/{name}"] = math.nan
        if whole is not None and h <= about.told and (h <= whole.end_days or whole.values[-1] <= 0):
            gap, chance = squared_gap(here, asked, h, group_count(len(here)))
            found[f"calibration/{name}"] = without(gap, chance, drawn=drawn)
            found[f"bias/{name}"] = float(here.mean() - whole.at(h))
    own, beyond = column(rows, "own", event)[at], column(rows, "beyond", event)[at] > 0
    found["d_calibration"] = math.nan
    if tells and np.isfinite(own).all():
        parts = shared_out(own, seen_until(asked, beyond))
        shares, many = parts.mean(0), parts.shape[1]
        chance = ((parts**2).mean(0) - shares**2).mean() / len(parts)
        found["d_calibration"] = without(
            float(many**2 * ((shares - 1 / many) ** 2).mean()), float(many**2 * chance), drawn=drawn
        )
    return with_means(found)
