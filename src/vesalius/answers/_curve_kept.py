"""What a scorecard keeps of survival curves to be drawn: groups by risk, means against Kaplan-Meier, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.answers._curve_cases import judged_of
from vesalius.answers.drawing.survival import unit_of
from vesalius.core.errors import DataError
from vesalius.core.horizons import named
from vesalius.core.image import Array
from vesalius.core.operating import clopper_pearson
from vesalius.metrics import Rows
from vesalius.metrics import curve as judge
from vesalius.survival import scores
from vesalius.survival.curves import aalen_johansen, at_risk, kaplan_meier, median_band, median_days
from vesalius.survival.logrank import logrank
from vesalius.survival.observed import Observed
from vesalius.survival.step import Step

LEAST = 10  # patients of a group, for thirds by risk; of fewer halves, and of too few all together
WORDS = {2: ("lower half of risk", "higher half of risk"), 3: ("low risk", "middle risk", "high risk")}
TRAINING, HERE = "training", "here"  # whose risks the groups are cut by
POINTS = 300  # of a drawn curve, at most
TICKS = 12  # times at which the AUC is drawn, from the time on by which there were
EVENTS = 5  # events at least


def kept(rows: Rows) -> dict[str, Any]:
    """Return what is drawn of each event, by its name; '' of a single one."""
    events = {event: _event(rows, event) for event in judge.events(rows)}
    return {"events": events, "judged": judged_of(rows)}


def _event(rows: Rows, event: str) -> dict[str, Any]:
    about = judge.judged(rows, event)
    seen, at = judge.observed_of(rows, event)
    asked = judge.asked_of(seen, about)
    found: dict[str, Any] = {
        "n": len(at),
        "events": int(asked.happened.sum()),
        "horizons": list(about.horizons),
        "end": about.end,
        "told": about.told,
        "by": about.by,
        "of": about.of,
        "late": about.late,
        "causes": list(about.causes) if len(about.causes) > 1 else [],
    }
    if not len(at):
        return found
    try:
        return found | _told(rows, event, at, seen)
    except DataError as error:  # late entry that leaves nobody at risk: no curve can be drawn
        return found | {"undrawn": str(error)}


def _told(rows: Rows, event: str, at: Array, seen: Observed) -> dict[str, Any]:
    """Return the curves of an event. Raises DataError where Kaplan-Meier's cannot be drawn."""
    about = judge.judged(rows, event)
    asked = judge.asked_of(seen, about)
    found: dict[str, Any] = {}
    survival = judge.column(rows, "survival", event)[at]
    found["observed"] = _drawn(kaplan_meier(asked))
    found["predicted"] = {"x": list(about.times), "y": _means(survival)}
    found |= _groups(rows, event, at, asked, survival)
    found["calibration"] = _calibration(survival, asked, about)
    found["auc"] = _auc(judge.column(rows, "risk", event)[at], asked, about)
    found["tenths"] = _tenths(rows, event, at, asked)
    found["incidence"] = {
        cause: {
            "observed": _drawn(aalen_johansen(seen, cause)),
            "predicted": {"x": list(about.times), "y": _means(judge.column(rows, f"incidence:{cause}", event)[at])},
        }
        for cause in judge.told_causes(rows, event)
        if cause in seen.causes
    }  # fmt: skip
    return found


# --- groups by risk


def _groups(rows: Rows, event: str, at: Array, asked: Observed, survival: Array) -> dict[str, Any]:
    """Return the patients in groups by their risk, cut by the training cases' where the answers tell the rank."""
    rank, risk = judge.column(rows, "rank", event)[at], judge.column(rows, "risk", event)[at]
    of = TRAINING if np.isfinite(rank).all() else HERE
    place, names = _cut(rank if of == TRAINING else _ranks(risk))
    ticks = _ticks(float(asked.time_days.max()))
    made = []
    for k, name in enumerate(names):
        inside = np.flatnonzero(place == k)
        if not len(inside):
            continue
        here = asked.where(inside)
        step = kaplan_meier(here)
        low, high = median_band(step)
        censored = np.unique(here.time_days[~here.happened])
        made.append(
            {
                "name": name,
                "n": len(inside),
                "events": int(here.happened.sum()),
                "curve": _drawn(step),
                "censored": [float(d) for d in _some(censored)],
                "at_risk": [int(n) for n in at_risk(here, ticks)],
                "median": {"value": median_days(step), "low": low, "high": high},
                "at": {named(h): _at(step, h, here) for h in judge.judged(rows, event).horizons},
                "predicted": {
                    named(h): _mean(survival[inside, judge.judged(rows, event).times.index(h)])
                    for h in judge.judged(rows, event).horizons
                },
            }
        )
    found: dict[str, Any] = {"groups": made, "cut": of, "ticks": [float(t) for t in ticks]}
    if len(made) > 1 and asked.happened.any():
        found["logrank"] = _logrank(asked, place)
    return found


def _logrank(asked: Observed, place: Array) -> dict[str, float] | None:
    """Return the log-rank test of groups; None where they are never at risk together."""
    try:
        test = logrank(asked, place)
    except DataError:
        return None
    return {"chi2": test.chi2, "df": test.df, "p": test.p}


def _cut(rank: Array) -> tuple[Array, Sequence[str]]:
    """Return the group of each patient by its rank, from 0 to 1, and the names of the groups."""
    if not np.isfinite(rank).all():
        return np.zeros(len(rank), np.int64), ("all",)
    for many in (3, 2):
        place = np.minimum((rank * many).astype(np.int64), many - 1)
        if np.bincount(place, minlength=many).min() >= LEAST:
            return place, WORDS[many]
    return np.zeros(len(rank), np.int64), ("all",)


def _ranks(risk: Array) -> Array:
    """Return the share of these patients with a lower risk."""
    return np.asarray(np.searchsorted(np.sort(risk), risk, side="left") / max(len(risk), 1))


# --- chances against what happened


def _calibration(survival: Array, asked: Observed, about: judge.Judged) -> dict[str, Any]:
    """Return predicted and observed survival of groups of patients by their prediction, a horizon each."""
    found = {}
    for h in about.horizons:
        here = survival[:, about.times.index(h)]
        if np.isfinite(here).all():
            found[named(h)] = judge.groups_at(here, asked, h)
    return found


def _auc(risk: Array, asked: Observed, about: judge.Judged) -> dict[str, Any]:
    """Return the AUC of the risk over time; empty where patients entered late, or no risk is told."""
    if about.late or not np.isfinite(risk).all():
        return {}
    events = np.sort(asked.time_days[asked.happened])
    first = events[min(EVENTS, len(events)) - 1] if len(events) else np.inf
    times = np.array([t for t in about.times if t >= first])
    x, y = [], []
    for day in times[np.unique(np.linspace(0, len(times) - 1, TICKS).astype(np.int64))] if len(times) else ():
        try:
            value = float(scores.auc_at(risk, asked, float(day)))
        except DataError:
            continue
        if np.isfinite(value):
            x.append(float(day))
            y.append(value)
    return {"x": x, "y": y}


def _tenths(rows: Rows, event: str, at: Array, asked: Observed) -> dict[str, Any]:
    """Return the share of patients in each tenth of their own predicted survival, and the chance of such shares."""
    own, beyond = judge.column(rows, "own", event)[at], judge.column(rows, "beyond", event)[at] > 0
    if not np.isfinite(own).all() or not asked.happened.any():
        return {}
    found = judge.d_calibrated(own, asked, beyond)
    return {"shares": [float(n) for n in found.counts / found.counts.sum()], "p": found.p}


# --- curves as a drawing takes them


def _drawn(step: Step) -> dict[str, Any]:
    """Return the corners of a step function, of a long one some, each as the curve is there."""
    places = _some(np.flatnonzero(np.diff(step.values, prepend=step.before) != 0))
    places = np.unique(np.append(places, len(step.values) - 1)) if len(step.values) else places
    found = {"x": [float(x) for x in step.times_days[places]], "y": [float(y) for y in step.values[places]]}
    for name, band in (("low", step.low), ("high", step.high)):
        if band is not None:
            found[name] = [float(v) for v in band[places]]
    return {"before": step.before, **found}


def _some(places: Array) -> Array:
    """Return at most `POINTS` of some places, evenly, with the last."""
    if len(places) <= POINTS:
        return places
    return np.asarray(places[np.unique(np.linspace(0, len(places) - 1, POINTS).astype(np.int64))])


def _at(step: Step, days: float, here: Observed) -> Mapping[str, float | None]:
    """Return a curve at a day with its band; without a value beyond what it tells of.

    Where nobody has had the event Greenwood's band has no width: there it is the exact one of those still at risk.
    """
    if days > step.end_days and (not len(step.values) or step.values[-1] > 0):
        return {"value": None, "low": None, "high": None}
    place = int(np.searchsorted(step.times_days, days, side="right")) - 1
    bands = {"low": step.low, "high": step.high}
    if float(step.at(days)) >= 1:
        free = int(at_risk(here, np.array([days]))[0])
        return {"value": 1.0, "low": clopper_pearson(free, free)[0], "high": 1.0}
    return {"value": float(step.at(days))} | {
        name: None if band is None or place < 0 else float(band[place]) for name, band in bands.items()
    }


def _means(curves: Array) -> list[float | None]:
    """Return the mean over patients at each time, None where not all tell."""
    return [_mean(column) for column in curves.T]


def _mean(values: Array) -> float | None:
    return float(values.mean()) if len(values) and np.isfinite(values).all() else None


def _ticks(end: float) -> Array:
    """Return days at round years, months or days, at which a drawing to `end` counts who is at risk."""
    _, days, step = unit_of(end)
    return np.arange(0.0, end + 1e-9, days * step)
