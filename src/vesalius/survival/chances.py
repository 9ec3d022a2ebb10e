"""Chances to be without the event at a day: checked, and the share that has the event by then."""

from __future__ import annotations

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.curves import kaplan_meier
from vesalius.survival.observed import Observed

SAME = 1e-12  # two chances nearer than this are one


def chances(survival: Array, observed: Observed, days: int | None = None) -> Array:
    """Return chances `(N,)`, or `(N, days)`, within [0, 1]. Raises DataError for other shapes or values."""
    found = np.asarray(survival, np.float64)
    shape = (len(observed),) if days is None else (len(observed), days)
    if found.shape != shape:
        raise DataError("need a chance for each patient and day", found=f"shape {found.shape}, not {shape}")
    if not ((found >= -1e-9) & (found <= 1 + 1e-9)).all():  # which NaN is not, either
        raise DataError("chances to be without the event must lie between 0 and 1")
    return np.clip(found, 0, 1)


def event_share(observed: Observed, days: float) -> float:
    """Return the share with the event by a day, by Kaplan-Meier; 0 of nobody, NaN beyond the follow-up."""
    if not len(observed):
        return 0.0
    curve = kaplan_meier(observed)
    if days > curve.end_days and curve.values[-1] > 0:
        return float("nan")
    return 1 - float(curve.at(days))
