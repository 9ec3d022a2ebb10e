"""Intervals of figures of patterns: patients are drawn with replacement, and all their cases with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core.image import Array
from vesalius.core.interval import Interval

RESAMPLES = 200
ONE = "one patient only: nothing to resample"


def weights_of(patients: Sequence[str], *, resamples: int, seed: int) -> Array:
    """Return how often each case is drawn in each resample, `(R, C)`, by its patient."""
    _, who = np.unique(np.array(patients), return_inverse=True)
    who = np.ravel(who)
    many = int(who.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(many, np.full(many, 1 / many), size=resamples)
    return drawn[:, who].astype(np.float64)


def with_intervals(
    figures: Callable[[Array], Mapping[Any, float]],
    patients: Sequence[str],
    *,
    counts: Mapping[Any, int] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[Any, Interval]:
    """Return each figure with its 95 % percentile interval.

    `figures` takes how often each case counts, `(C,)`; NaN stands for a figure that is not defined. `counts` is how
    many cases a figure speaks of, where that is not all of them.
    """
    point = figures(np.ones(len(patients)))
    n = {key: (counts or {}).get(key, len(patients)) for key in point}
    if len(set(patients)) < 2:
        return {k: Interval(_held(v), None, None, n[k], 0, ONE) for k, v in point.items()}
    drawn = [figures(w) for w in weights_of(patients, resamples=resamples, seed=seed)]
    found = {}
    for key, value in point.items():
        each = np.array([d.get(key, np.nan) for d in drawn])
        each, lost = each[np.isfinite(each)], int((~np.isfinite(each)).sum())
        if not np.isfinite(value):
            found[key] = Interval(None, None, None, n[key], lost, "not defined on these cases")
        elif len(each) < resamples / 2:
            why = f"not defined on {lost} of {resamples} resamples"
            found[key] = Interval(float(value), None, None, n[key], lost, why)
        else:
            low, high = np.percentile(each, [2.5, 97.5])
            found[key] = Interval(float(value), float(low), float(high), n[key], lost)
    return found


def _held(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
