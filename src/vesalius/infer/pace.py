"""How fast steps follow one another: said of frames and rows that come at quite another pace than those learned from.

A file that says milliseconds where seconds are meant, or no times at all, is answered like any other; this tells of it.
"""

from __future__ import annotations

import numpy as np

from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.core.plan import Plan
from vesalius.prepare.courses import load_course

FACTOR = 10.0  # between the median pauses, from which it is said


def remarks(plan: Plan, case: Case, reference: Image | None) -> tuple[str, ...]:
    """Return in what the times of a case differ from those that a plan's model learned from, a sentence each."""
    found = []
    if plan.sources.frames and reference is not None and len(reference.times_s or ()) > 1:
        learned = (plan.fingerprint.get("times") or {}).get("interval_s")
        found.append(_said("frames", _pause(reference.times_s), learned))
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


def _pause(times: object) -> float | None:
    """Return the median pause between steps, in seconds; None of a single step."""
    gaps = np.diff(np.asarray(times, np.float64))
    return float(np.median(gaps)) if len(gaps) else None


def _said(what: str, pause: float | None, learned: float | None) -> str:
    """Return what to say of a pause where it is `FACTOR` times the learned one or a part of it; else nothing."""
    if not pause or not learned or 1 / FACTOR < pause / learned < FACTOR:
        return ""
    return f"{what} {pause:.3g} s apart; learned: {learned:.3g} s"
