"""How fast steps follow one another: said of frames and rows that come at quite another pace than those learned from.

A file that says milliseconds where seconds are meant, or no times at all, is answered like any other; this tells of it.
Nothing is said of the frames of a causal model, whose answers to a stream and to its file are the same.
"""

from __future__ import annotations

import numpy as np

from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.core.plan import Plan
from vesalius.core.words import counted
from vesalius.prepare.courses import load_course

FACTOR = 10.0  # between the median pauses, from which it is said


def remarks(plan: Plan, case: Case, reference: Image | None) -> tuple[str, ...]:
    """Return in what the times of a case differ from those that a plan's model learned from, a sentence each."""
    found = []
    frames = () if reference is None else reference.times_s or (0.0,)
    if (
        frames and plan.sources.frames and not plan.sources.causal
    ):  # of a stream nobody knows more than the first
        learned = plan.fingerprint.get("times") or {}
        found.append(_still(plan, len(frames)) or _said("frames", _pause(frames), learned.get("interval_s")))
    if plan.sources.visits > 1 and not plan.sources.causal:
        found.append(_visits(plan, case))
    about = plan.fingerprint.get("courses") or {}
    for name in plan.sources.courses:
        learned = (about.get(name) or {}).get("interval_s")
        if name not in case.courses or not learned:
            continue
        course = load_course(case.courses[name])
        if course.timed:
            found.append(_said(f"rows of '{name}'", _pause(course.times_s), learned))
        else:
            found.append(f"rows of '{name}' say no times and are taken as 1 s apart; learned: {learned:g} s")
    return tuple(text for text in found if text)


def _still(plan: Plan, frames: int) -> str:
    """Return what to say of a single frame where all that were learned from have several, which move; else nothing."""
    learned = plan.fingerprint.get("times") or {}
    if frames > 1 or learned.get("cases") != plan.fingerprint.get("cases"):
        return ""
    return f"a single frame; learned: {counted(int(learned['frames']), 'frame')}"


def _visits(plan: Plan, case: Case) -> str:
    """Return what to say of a case without earlier visits where all that were learned from have some, or far apart."""
    learned = plan.fingerprint.get("visits") or {}
    if case.earlier:
        pause = _pause([*(-visit.days_before for visit in case.earlier), 0.0])
        return _said("visits", pause, learned.get("days"), unit="days")
    if learned.get("cases") != plan.fingerprint.get("cases"):
        return ""
    return f"no earlier visits; learned: {learned['median']:g} before each"


def _pause(times: object) -> float | None:
    """Return the median pause between steps, in the unit of their times; None of a single step."""
    gaps = np.diff(np.asarray(times, np.float64))
    return float(np.median(gaps)) if len(gaps) else None


def _said(what: str, pause: float | None, learned: float | None, *, unit: str = "s") -> str:
    """Return what to say of a pause where it is `FACTOR` times the learned one or a part of it; else nothing."""
    if not pause or not learned or 1 / FACTOR < pause / learned < FACTOR:
        return ""
    return f"{what} {pause:.3g} {unit} apart; learned: {learned:.3g} {unit}"
