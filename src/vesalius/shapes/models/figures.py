"""The three figures of a shape model: compactness, generalisation and specificity, over the number of modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.shapes.models.learning import Corresponding, folds_of
from vesalius.shapes.models.modes import modes_of

DRAWN = 200  # shapes that specificity draws
RESAMPLES = 1000


def figures_of(found: Corresponding, modes: int, *, seed: int = 0) -> dict[str, Any]:
    """Return compactness, generalisation and specificity for 1 to `modes` modes, as JSON takes it.

    Compactness is the share of the variance. Generalisation is the mean distance in mm of corresponding vertices of a
    left-out shape from what a model of the others says of it, a tenth left out at a time; specificity that of a drawn
    shape from the nearest shape that was learned from. `mean_mm` and `nearest_mm` are what the mean shape and the
    nearest other shape come to on left-out shapes. Sources: Davies 2002; Styner et al. 2003.
    """
    points = found.points
    whole = modes_of(points, share=1.0, seed=None)
    counts = [k for k in range(1, modes + 1) if k <= 10 or k % 5 == 0 or k == modes]
    general: dict[int, list[float]] = {k: [] for k in counts}
    mean: list[float] = []
    nearest: list[float] = []
    for part in folds_of(len(points)):
        others = np.setdiff1d(np.arange(len(points)), part)
        own = modes_of(points[others], share=1.0, seed=None)
        for one in points[part]:
            gap = one - own.mean
            b = np.einsum("vc,kvc->k", gap, own.vectors)
            mean.append(_apart(gap))
            nearest.append(min(_apart(one - points[j]) for j in others))
            for k in counts:
                general[k].append(_apart(gap - np.einsum("k,kvc->vc", b[:k], own.vectors[:k])))
    random = np.random.default_rng(seed)
    scores = random.normal(size=(DRAWN, len(whole.variances))) * np.sqrt(whole.variances)
    return {
        "shapes": len(points),
        "modes": counts,
        "compactness": [float(whole.every[:k].sum() / max(whole.every.sum(), 1e-300)) for k in counts],
        "generalisation_mm": [interval_json(mean_of(general[k])) for k in counts],
        "specificity_mm": [
            interval_json(mean_of(_specific(points, whole.mean, whole.vectors[:k], scores[:, :k])))
            for k in counts
        ],
        "mean_mm": interval_json(mean_of(mean)),
        "nearest_mm": interval_json(mean_of(nearest)),
    }


def mean_of(values: Sequence[float], *, seed: int = 0) -> Interval:
    """Return the mean over shapes with its 95 % interval, by drawing shapes with replacement."""
    found = np.asarray(values, dtype=np.float64)
    if len(found) < 2:
        return Interval(
            float(found.mean()) if len(found) else None, None, None, len(found), reason="one shape"
        )
    random = np.random.default_rng(seed)
    drawn = found[random.integers(0, len(found), (RESAMPLES, len(found)))].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(float(found.mean()), float(low), float(high), len(found))


def _specific(points: Array, mean: Array, vectors: Array, scores: Array) -> list[float]:
    return [
        min(_apart(one - other) for other in points)
        for one in mean + np.einsum("nk,kvc->nvc", scores, vectors)
    ]


def _apart(gap: Array) -> float:
    return float(np.sqrt((gap**2).sum(axis=1)).mean())


def interval_json(found: Interval) -> dict[str, Any]:
    """Return an interval as JSON takes it."""
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}
