"""A promised time: before which the event comes in few cases, although some calibration cases are censored.

How early a case's observation ended is the survival that was predicted for that day: 1 where it ended at once, small
where it went on long. Split conformal prediction of it holds for the end of the observation, and the event comes no
sooner than that: the bound is sound whatever the censoring, and more cautious the more of it there is (the naive lower
predictive bound of Candès, Lei & Ren 2023, section 2.2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from vesalius.answers.contract import Kept
from vesalius.core.answers.curve import Curve
from vesalius.core.case import Event
from vesalius.core.errors import DataError
from vesalius.core.promise import Limits, Promise
from vesalius.core.words import counted

LOWER = "lower"


def strangeness(answer: Curve, truth: Any) -> Mapping[str, float]:
    """Return the survival that was predicted for the day on which the observation ended; nothing where none is known.

    Raises DataError for a late entry: who would not have entered is not among such cases, and nothing is known of them.
    """
    event = event_of(answer, truth)
    if event is None or not len(answer.times_days):
        return {}
    if event.entry_days:
        raise DataError(
            "no time can be promised from patients who entered late",
            found=f"case {answer.case_id} entered at day {event.entry_days:g}",
            hint="a calibration cohort that was followed from the beginning",
        )
    return {"": answer.at(min(event.time_days, float(answer.times_days[-1])))}


def promised(answer: Curve, limits: Limits) -> Curve:
    """Return the answer with the day before which the event comes in few cases."""
    remarks, most = limits.remarks, limits.of()
    if not math.isfinite(most):
        few = counted(limits.least(), "calibration case")
        remarks = (*remarks, f"too few calibration cases ({few}): no time is promised")
    if len(answer.survival) > 1 and answer.given is None:
        remarks = (*remarks, f"which arm the patient has is not known: the time is that of {answer.arm}")
    made = Promise(
        limits.coverage,
        f"the event comes no sooner than this in at least {limits.share} cases like those of the calibration",
        interval=(_day(answer, most), None),
        unit="days",
        group=limits.group,
        n=limits.least(),
        remarks=remarks,
    )
    return replace(answer, promise=made)


def kept(answer: Curve, truth: Any) -> Kept | None:
    """Return whether the event came no sooner than promised; who was censored before counts as if it had."""
    event = event_of(answer, truth)
    if answer.promise is None or answer.promise.interval is None or event is None:
        return None
    return Kept({"": float(event.time_days >= (answer.promise.interval[0] or 0.0))}, None)


def event_of(answer: Curve, truth: Any) -> Event | None:
    """Return what happened of the event that an answer is about; None where that is not known."""
    if isinstance(truth, Mapping):
        found = truth.get(answer.event)
        return found if isinstance(found, Event) else None
    return truth if isinstance(truth, Event) else None


def _day(answer: Curve, most: float) -> float:
    """Return the first day at which the survival is at most so high; the curve's end where it stays above."""
    line = np.asarray(answer.survival[answer.arm])
    if most >= 1 or not len(line):
        return 0.0
    below = np.flatnonzero(line <= most)
    return float(answer.times_days[below[0] if len(below) else -1])
