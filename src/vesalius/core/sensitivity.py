"""Sensitivity: the threshold that keeps it, so that groups with scores of their own are called alike."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array


def keeping(p: Array, truth: Array, sensitivity: float) -> float:
    """Return the highest probability to call from that keeps this share of the cases that are so.

    `p` and `truth` are `(N,)`. It lies half way to the next lower probability, so that rounding calls nobody less.
    Equal sensitivities of groups are "equal opportunity" (Hardt, Price and Srebro 2016).
    """
    real = np.sort(np.asarray(p, dtype=np.float64)[np.asarray(truth, dtype=bool)])[::-1]
    kept = max(1, int(np.ceil(sensitivity * len(real) - 1e-9)))
    cut = float(real[kept - 1])
    below = np.asarray(p)[np.asarray(p) < cut]
    return (cut + float(below.max(initial=0.0))) / 2
