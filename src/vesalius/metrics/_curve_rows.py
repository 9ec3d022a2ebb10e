"""Rows of survival curves: what each answer says and what happened, event by event, on one grid of times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vesalius.core.answers.curve import Curve
from vesalius.core.case import Event
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import listed
from vesalius.metrics import _spans
from vesalius.survival.observed import CENSORED, Observed, from_events

UNKNOWN = -1.0  # as a time of `y`: nobody knows what happened to this case


@dataclass(frozen=True)
class Judged:
    """How one event is judged: at which times, and against what.

    `times` is the grid of `survival`, and `horizons` are among it. `end` is the last day that is judged, `told` the
    last of which every curve tells. `causes` are those of the truths; `of` is the one that is asked about where the
    answers tell of no causes of their own, all others being censored by it; None where any of them counts. `by` says
    where the risk comes from. `late` counts cases of late entry, `stand_in` those that do not say which arm they had.
    """

    times: tuple[float, ...]
    horizons: tuple[float, ...]
    end: float
    told: float
    causes: tuple[str, ...] = ("event",)
    of: str | None = None
    by: str = "answer"
    late: int = 0
    stand_in: int = 0


@dataclass(frozen=True, eq=False)
class Told:
    """What answers say of one event, a row a case, and how it is judged. Columns are those of `curve.from_table`."""

    judged: Judged
    columns: Mapping[str, Array] = field(default_factory=dict)


def events_of(answers: Sequence[Curve], truths: Sequence[Event | Mapping[str, Event | None]]) -> list[str]:
    """Return the events that are judged: '' of a single one, else the names that answers and truths share.

    Raises DataError where they share none.
    """
    if not any(isinstance(t, Mapping) for t in truths):
        return [""]
    known = {name for t in truths if isinstance(t, Mapping) for name in t}
    said = _said_of(answers[0], sorted(known))
    shared = [name for name in said if name in known]
    if not shared:
        raise DataError(
            "the answers tell of no event that the truths name",
            found=f"{listed(list(said))}; and {listed(sorted(known))}",
        )
    return shared


def told(answers: Sequence[Curve], truths: Sequence[Event | Mapping[str, Event | None]], event: str) -> Told:
    """Return what answers say of one event on a grid that the truths alone decide. Raises DataError."""
    named = sorted({name for t in truths if isinstance(t, Mapping) for name in t})
    curves = [_said_of(a, named)[event] if event else a for a in answers]
    real = [t.get(event) if isinstance(t, Mapping) else t for t in truths]
    known = [e for e in real if e is not None]
    if not known:
        raise DataError(f"of no case it is known when {event or 'the event'} happened")
    _assert_sound(curves)
    causes = tuple(sorted({e.cause for e in known if e.cause is not None})) or ("event",)
    seen = from_events(known, causes)
    shared = _incidences(curves)
    of = curves[0].event if not shared and curves[0].event in causes and len(causes) > 1 else None
    counted = Observed(seen.time_days, seen.of(of).astype(np.int64), seen.entry_days) if of else seen
    end = _spans.end_of(counted)
    at = _spans.horizons(counted, end)
    times = _spans.grid(counted, end, at)
    columns: dict[str, Array] = {"y": _truths(real, causes)}
    columns["survival"] = np.array([_on(c.times_days, c.survival[c.arm], times) for c in curves])
    risk, by = _risk(curves, end)
    columns["risk"] = risk
    columns["rank"] = np.array([np.nan if c.rank is None else c.rank for c in curves], np.float64)
    own = [_own(c, e) for c, e in zip(curves, real, strict=True)]
    columns["own"], columns["beyond"] = np.array([p for p, _ in own]), np.array([b for _, b in own])
    for cause in shared:
        columns[f"incidence:{cause}"] = np.array(
            [_on(c.times_days, (c.incidence or {})[c.arm][cause], times, before=0.0) for c in curves]
        )
    complete = np.isfinite(columns["survival"]).all(axis=0)
    judged = Judged(
        times=tuple(map(float, times)),
        horizons=at,
        end=end,
        told=float(times[complete][-1]) if complete.any() else 0.0,
        causes=causes,
        of=of,
        by=by,
        late=int((seen.entry_days > 0).sum()),
        stand_in=sum(len(c.survival) > 1 and c.given is None for c in curves),
    )
    return Told(judged, columns)


def _said_of(answer: Curve, named: Sequence[str]) -> dict[str, Curve]:
    """Return the curves of an answer by their events: its own, and the parts that are curves. Raises DataError."""
    parts = {name: part for name, part in answer.parts.items() if isinstance(part, Curve)}
    own = answer.event
    if own is None:
        left = [name for name in named if name not in parts]
        if len(left) > 1:
            raise DataError(
                f"the answer to case {answer.case_id} does not say which of several events it is about",
                found=listed(left),
                hint="`event` of the curve",
            )
        own = left[0] if left else ""
    return {own: answer, **parts}


def _assert_sound(curves: Sequence[Curve]) -> None:
    """Raise DataError for a curve or a risk that is not finite, or a curve that rises."""
    for curve in curves:
        line = np.asarray(curve.survival[curve.arm], np.float64)
        if not np.isfinite(line).all() or (line < -1e-9).any() or (line > 1 + 1e-9).any():
            raise DataError(f"the survival of case {curve.case_id} is not a chance from 0 to 1")
        if (np.diff(line) > 1e-6).any():
            raise DataError(f"the survival of case {curve.case_id} rises with time")
        if curve.risk is not None and not np.isfinite(curve.risk):
            raise DataError(
                f"the risk of case {curve.case_id} is not a finite number", found=f"{curve.risk:g}"
            )


def _truths(real: Sequence[Event | None], causes: Sequence[str]) -> Array:
    """Return time, number of the cause (0 where none happened) and entry of each case, `(N, 3)`."""
    made = np.full((len(real), 3), UNKNOWN)
    for k, event in enumerate(real):
        if event is not None:
            number = causes.index(event.cause) + 1 if event.cause else 1
            made[k] = event.time_days, number if event.happened else CENSORED, event.entry_days or 0.0
    return made


def _on(times: Array, values: Array, at: Array, *, before: float = 1.0) -> Array:
    """Return a step function at some times; NaN beyond its end, of which it does not tell."""
    passed = np.searchsorted(times, at, side="right")
    found = np.concatenate([[before], np.asarray(values, np.float64)])[passed]
    return np.where(at <= (times[-1] if len(times) else -1.0), found, np.nan)


def _risk(curves: Sequence[Curve], end: float) -> tuple[Array, str]:
    """Return the risk of each case, and whether it is the answer's own or the area above its curve, in days.

    The area is that up to the day until which all curves tell, and `end` at most.
    """
    if all(c.risk is not None for c in curves):
        return np.array([c.risk for c in curves], np.float64), "answer"
    until = min([end, *(float(c.times_days[-1]) if len(c.times_days) else 0.0 for c in curves)])
    if until <= 0:
        return np.full(len(curves), np.nan), "nothing"
    return np.array([until - c.restricted_mean_days(until, c.arm) for c in curves]), "curve"


def _own(curve: Curve, event: Event | None) -> tuple[float, float]:
    """Return the chance to come as far as the case came, given that it entered, and whether the curve ends before."""
    if event is None or not len(curve.times_days):
        return float("nan"), 0.0
    end = float(curve.times_days[-1])
    came = curve.at(min(event.time_days, end))
    there = curve.at(min(event.entry_days or 0.0, end))
    return (came / there if there > 0 else float("nan")), float(event.time_days > end)


def _incidences(curves: Sequence[Curve]) -> list[str]:
    """Return the causes whose incidence every curve tells of, in the order of the first."""
    if not all(c.incidence is not None and c.arm in c.incidence for c in curves):
        return []
    first, *others = [(c.incidence or {})[c.arm] for c in curves]
    return [cause for cause in first if all(cause in other for other in others)]
