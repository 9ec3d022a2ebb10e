"""How far each case lies from the middle of its cohort, in robust standard deviations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

LEAST = 8  # cases from which the middle and the spread of a cohort can be told


def deviations(values: Mapping[str, float], *, floor: float) -> dict[str, float]:
    """Return (value − median) / max(1.4826 · MAD, floor) by case; nothing of fewer than LEAST cases.

    The median and the MAD bear half of the cases being faulty (Rousseeuw and Croux 1993). `floor` is the spread below
    which cohorts count as alike.
    """
    if len(values) < LEAST:
        return {}
    found = np.array(list(values.values()), np.float64)
    middle = float(np.median(found))
    spread = max(1.4826 * float(np.median(np.abs(found - middle))), floor)
    return {case: (value - middle) / spread for case, value in values.items()}


def worst_first(values: Mapping[str, float]) -> dict[str, float]:
    """Return values with the greatest in size first, rounded to four digits."""
    ranked = sorted(values.items(), key=lambda kv: -abs(kv[1]))
    return {case: float(f"{value:.4g}") for case, value in ranked}
