"""Platt scaling: a slope and an offset that turn one score into the probability of one label.

Platt 1999, "Probabilistic outputs for support vector machines", with his targets, so that few cases ask for no
certainty; solved as in Lin, Lin and Weng 2007, by Newton steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array

NONE = (1.0, 0.0)  # a score taken for a log-odds
STEPS = 100


def fit(scores: Array, truth: Array) -> list[float]:
    """Return `[slope, offset]` for scores `(N,)` and bits `(N,)`; the slope is never negative.

    A slope of 0 says that the scores tell nothing of the label, or its opposite: all cases then have one probability.
    Raises DataError where there are not both kinds of case, or a score is not finite.
    """
    z, so = np.asarray(scores, np.float64), np.asarray(truth, bool)
    many, few = int(so.sum()), int((~so).sum())
    if not many or not few or not np.isfinite(z).all():
        raise DataError(
            "a probability is calibrated on finite scores of cases with and without the label",
            found=f"{many} with it, {few} without",
        )
    wanted = np.where(so, (many + 1) / (many + 2), 1 / (few + 2))
    middle, spread = float(z.mean()), float(z.std()) or 1.0
    slope, offset = _newton((z - middle) / spread, wanted)
    if slope < 0:
        p = float(wanted.mean())
        return [0.0, float(np.log(p / (1 - p)))]
    return [slope / spread, offset - slope * middle / spread]


def apply(line: Sequence[float] | None, score: float) -> float:
    """Return the probability of a score; without a line the score is taken for a log-odds."""
    slope, offset = NONE if line is None else line
    return float(0.5 * (1 + np.tanh((slope * score + offset) / 2)))


def _newton(z: Array, wanted: Array) -> tuple[float, float]:
    """Return the slope and the offset of the least cross-entropy; a step that does not lower it is halved."""
    line = np.array([0.0, np.log(wanted.mean() / (1 - wanted.mean()))])
    design = np.stack([z, np.ones_like(z)], axis=1)
    before = _cost(design @ line, wanted)
    for _ in range(STEPS):
        p = 0.5 * (1 + np.tanh(design @ line / 2))
        gradient = design.T @ (p - wanted)
        curve = (design * (p * (1 - p))[:, None]).T @ design + 1e-12 * np.eye(2)
        step = np.linalg.solve(curve, gradient)
        size = 1.0
        while size > 1e-10 and _cost(design @ (line - size * step), wanted) > before:
            size /= 2
        line = line - size * step
        after = _cost(design @ line, wanted)
        if before - after < 1e-12:
            break
        before = after
    return float(line[0]), float(line[1])


def _cost(logits: Array, wanted: Array) -> float:
    return float((np.logaddexp(0, logits) - wanted * logits).sum())
