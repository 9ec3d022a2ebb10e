"""Metrics of Curve: whether the risk ranks patients, and whether the chances are right, where some times are censored.

Every figure is on the patients of a resample alone: the censoring, too, is estimated from them. A resample in which
fewer than five different patients had the event says nothing of how sure a figure is, and counts as undefined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from vesalius.core.answers.curve import Curve
from vesalius.core.case import Event
from vesalius.core.errors import DataError
from vesalius.core.horizons import named
from vesalius.core.image import Array
from vesalius.core.words import listed
from vesalius.metrics._curve_figures import figures
from vesalius.metrics._curve_rows import UNKNOWN, Judged, events_of, told
from vesalius.metrics._curve_scores import d_calibrated, groups_at, mean, mid_ranks
from vesalius.metrics._curve_table import (
    all_told,
    asked_of,
    column,
    events,
    judged,
    named_column,
    observed_of,
    told_causes,
)  # fmt: skip
from vesalius.metrics._rows import Rows
from vesalius.survival.curves import kaplan_meier
from vesalius.survival.observed import from_events
from vesalius.survival.step import Step

__all__ = [
    "UNKNOWN",
    "Judged",
    "all_told",
    "asked_of",
    "baseline",
    "column",
    "counts",
    "d_calibrated",
    "each",
    "events",
    "excluded",
    "groups_at",
    "joined",
    "judged",
    "named_column",
    "observed_of",
    "occurrences",
    "rows",
    "standing",
    "summary",
    "told_causes",
    "without_causes",
    "wrong_by",
]  # fmt: skip

ANSWER = "Curve"
DESCRIPTIONS = {
    "c_index": {"text": "Harrell's C: how often, of two patients, the one with the higher risk has the event first",
                "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "uno_c": {"text": "Uno's C: the same, weighted so that it does not depend on the censoring",
              "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "auc": {"text": "time-dependent AUC: telling those with the event by a horizon from those free of it then",
            "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "ibs": {"text": "integrated Brier score: mean squared error of the survival over time", "better": "lower",
            "low": 0.0, "high": 1.0, "unit": ""},
    "brier": {"text": "Brier score: squared error of the survival at a horizon", "better": "lower", "low": 0.0,
              "high": 1.0, "unit": ""},
    "calibration": {"text": "calibration error: root mean squared gap between predicted and observed survival at a "
                            "horizon over groups by prediction, less what chance makes of it", "better": "lower",
                    "low": 0.0, "high": 1.0, "unit": ""},
    "bias": {"text": "mean predicted survival at a horizon, minus the observed", "better": "zero", "low": -1.0,
             "high": 1.0, "unit": ""},
    "d_calibration": {"text": "D-calibration: how far tenths of the survival predicted for the patients' own times are "
                              "from holding a tenth of them each, in tenths, less what chance makes of it",
                      "better": "lower", "low": 0.0, "high": 3.0, "unit": ""},
}  # fmt: skip
Truth = Event | Mapping[str, Event | None]


def rows(answers: Sequence[Curve], truths: Sequence[Truth]) -> Rows:
    """Return a row a case: what happened, and of each event the risk and the survival on a grid of times.

    Truths are events, or events by name where the answers tell of several; one that is missing counts for nothing. The
    curve is that of the arm given. Raises DataError for curves that are none, or where no time is known.
    """
    if not answers:
        raise DataError("no answers to judge")
    columns: dict[str, Array] = {}
    info: dict[str, Judged] = {}
    real = []
    for event in events_of(answers, truths):
        found = told(answers, truths, event)
        info[event] = found.judged
        real.append(found.columns["y"])
        columns |= {named_column(name, event): c for name, c in found.columns.items() if name != "y"}
    columns["y"] = np.concatenate(real, axis=1)  # (N, 3 · events): time, cause, entry
    return Rows(tuple(a.case_id for a in answers), columns, {"events": info, "labels": _labels(info)})


def joined(first: Rows, second: Rows) -> Rows:
    """Return the rows of two tables about the same events, judged as far as the curves of both tell.

    Risks become ranks among the cases of their table: only their order counts, and a test that exchanges the answers of
    two models needs them on one scale.

    Raises DataError where they are not judged at the same times.
    """
    one, other = first.info["events"], second.info["events"]
    if one.keys() != other.keys():
        raise DataError(
            "two tables of curves about other events", found=f"{listed(one)}; and {listed(other)}"
        )
    if first.columns.keys() != second.columns.keys() or any(one[e].of != other[e].of for e in one):
        raise DataError(
            "two tables of curves that are not about the same causes",
            found=" and ".join(listed([j.of or "any cause" for j in info.values()]) for info in (one, other)),
        )
    if any(one[e].times != other[e].times for e in one):
        raise DataError("two tables of curves that are not judged at the same times")
    info = {
        e: replace(
            j, told=min(j.told, other[e].told), by=j.by if j.by == other[e].by else f"{j.by}, {other[e].by}"
        )
        for e, j in one.items()
    }
    columns = {name: np.concatenate([c, second[name]]) for name, c in first.columns.items()}
    for name in (named_column("risk", event) for event in info):
        columns[name] = np.concatenate([mid_ranks(table[name]) for table in (first, second)])
    return Rows((*first.case_ids, *second.case_ids), columns, {**first.info, "events": info})


def without_causes(rows: Rows) -> Rows:
    """Return the rows without what is told of single causes, so that any of them is the event."""
    columns = {name: c for name, c in rows.columns.items() if not name.startswith("incidence:")}
    return replace(rows, columns=columns)


def summary(rows: Rows, index: Array) -> dict[str, float]:
    """Return every metric of a resample, by horizon (`auc/1 year`), by cause (`c_index/relapse`) or by event.

    Without a name it is the mean over the names that have one; the integrated score and D-calibration have none. What
    needs weights by the censoring curve is absent where patients entered late, for whom no such weights are known.
    """
    names = events(rows)
    if len(names) == 1:
        return figures(rows, names[0], index)
    each = {event: figures(rows, event, index) for event in names}
    metrics = dict.fromkeys(name for found in each.values() for name in found if "/" not in name)
    means = {m: mean([found[m] for found in each.values() if m in found]) for m in metrics}
    return means | {f"{m}/{event}": found[m] for m in metrics for event, found in each.items() if m in found}


def counts(rows: Rows) -> dict[str, int]:
    """Return of how many cases each metric speaks, where what happened to some is not known."""
    names = events(rows)
    known = {event: len(observed_of(rows, event)[1]) for event in names}
    if len(names) == 1:
        n = known[names[0]]
        return {} if n == len(rows) else dict.fromkeys(summary(rows, np.arange(len(rows))), n)
    return {f"{metric}/{event}": n for metric in DESCRIPTIONS for event, n in known.items()}


def standing(rows: Rows) -> dict[str, tuple[Array, ...]]:
    """Return which cases each figure stands on: those with the event, and one of two, of whom a pair can be made.

    An AUC at a horizon stands on those with the event by then, and on those who are free of it then.
    """
    found: dict[str, tuple[Array, ...]] = {}
    several = len(events(rows)) > 1
    for event in events(rows):
        seen, at = observed_of(rows, event)
        about = judged(rows, event)
        place, asked = np.arange(len(at)), asked_of(seen, about)
        pairs = _bits(rows, at[place % 2 == 0])
        end = f"/{event}" if several else ""
        for metric in ("c_index", "uno_c"):
            found[metric + end] = (_bits(rows, at[asked.happened]), pairs)
            for cause in () if several else told_causes(rows, event):
                found[f"{metric}/{cause}"] = (_bits(rows, at[seen.of(cause)]), pairs)
        for h in about.horizons:
            early = _bits(rows, at[asked.happened & (seen.time_days <= h)])
            late = _bits(rows, at[seen.time_days > h])
            name = f"auc/{event}" if several else f"auc/{named(h)}"
            found[name] = (*found.get(name, ()), early, late)
    return found


def _bits(rows: Rows, at: Array) -> Array:
    bits = np.zeros(len(rows), bool)
    bits[at] = True
    return bits


def excluded(rows: Rows) -> dict[str, int]:
    """Return of how many cases it is not known what happened, or which arm they had."""
    found = {}
    for event in events(rows):
        end = event or "cases"
        found[f"unknown/{end}"] = len(rows) - len(observed_of(rows, event)[1])
        found[f"arm/{end}"] = judged(rows, event).stand_in
    return {reason: n for reason, n in found.items() if n}


def each(rows: Rows) -> Array:
    """Return the negative mean squared error of each case's curve over the times at which it is known what is true.

    `(N,)`, the higher the better. A case that is free of the event at a time should have a survival of 1 there, one
    that had it of 0; after a censoring nothing is known. Of several events it is the mean; NaN where nothing is known.
    """
    made = np.full((len(events(rows)), len(rows)), np.nan)
    for k, event in enumerate(events(rows)):
        about = judged(rows, event)
        seen, at = observed_of(rows, event)
        days = np.array(about.times)
        survival = column(rows, "survival", event)[at]
        time, happened = seen.time_days[:, None], asked_of(seen, about).happened[:, None]
        known = ((days < time) | happened) & np.isfinite(survival)
        error = np.where(known, (survival - (days < time)) ** 2, 0.0).sum(axis=1)
        count = known.sum(axis=1)
        made[k, at] = np.where(count > 0, -error / np.maximum(count, 1), np.nan)
    count = np.isfinite(made).sum(axis=0)
    return np.asarray(np.where(count > 0, np.nansum(made, axis=0) / np.maximum(count, 1), np.nan))


def wrong_by(answer: Curve, event: Event) -> float:
    """Return the mean squared error of a curve over its own times at which it is known what is true, as `each`.

    NaN where nothing is known, as of a case that was censored before the curve's first time.
    """
    times, line = np.asarray(answer.times_days), np.asarray(answer.survival[answer.arm], np.float64)
    known = (times < event.time_days) | event.happened
    return float(((line - (times < event.time_days)) ** 2)[known].mean()) if known.any() else float("nan")


def occurrences(rows: Rows) -> dict[str, tuple[int, int, int]]:
    """Return of each event, or of each of its causes, how many cases had it; each of them is foretold by a risk."""
    found = {}
    for event in events(rows):
        seen, at = observed_of(rows, event)
        about = judged(rows, event)
        for cause in (about.of,) if about.of else about.causes:
            name = event if len(about.causes) == 1 and event else f"{event}: {cause}" if event else cause
            found[name] = (int(seen.of(cause).sum()), len(at), len(at))
    return found


def baseline(truths: Sequence[Event]) -> Step:
    """Return the trivial answer: Kaplan-Meier's curve of the training cases, whatever the image shows."""
    return kaplan_meier(from_events(truths))


def _labels(info: Mapping[str, Judged]) -> tuple[str, ...]:
    """Return what figures have names of: the horizons of a single event and its causes, else the events."""
    if len(info) > 1:
        return tuple(info)
    (about,) = info.values()
    causes = about.causes if len(about.causes) > 1 else ()
    return (*(named(h) for h in about.horizons), *causes)
