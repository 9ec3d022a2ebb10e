"""What left-out shapes say of a model: how wide its bands must be, and how unusual usual shapes are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.shapes.models.cloud import Cloud
from vesalius.shapes.models.figures import interval_json, mean_of
from vesalius.shapes.models.fitting import Fit, fit
from vesalius.shapes.models.learning import Corresponding, folds_of, model_of
from vesalius.shapes.models.model import ShapeModel
from vesalius.shapes.models.posterior import columns_of

LEVEL = 0.9
MISSING = (0.25, 0.5)  # the share of a shape that is taken away to measure a band
MOST = 40  # shapes that are left out; more of them say little more


@dataclass(frozen=True, eq=False)
class Held:
    """A left-out shape, fitted by a model of the others: completed from a part, and whole.

    `ratios` are the distances of unseen vertices from the true surface over the posterior's deviation; `error_mm` their
    mean distance; `mahalanobis` and `residual_mm` are of the whole shape, see `scoring.py`.
    """

    ratios: Array
    error_mm: float
    mahalanobis: float
    residual_mm: float
    seen_off_mm: float


def calibrated(
    found: Corresponding, *, seed: int = 0, advance: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Return what a model of these shapes can promise, measured on each left out, as `ShapeModel.promised` holds it.

    A part of each left-out shape is taken away, by planes in any direction and by balls in turn, and completed by a
    model that saw neither the shape nor its correspondence: `factor` times the posterior's deviation then holds `level`
    of the unseen places. `coverage` is what the factor of the other shapes holds of each. Source: split and
    cross-conformal prediction, Vovk 2015.
    """
    random = np.random.default_rng(seed)
    n = len(found.names)
    chosen = set(np.sort(random.permutation(n)[:MOST]).tolist())
    held: list[Held] = []
    for part in folds_of(n):
        own = [int(k) for k in part if int(k) in chosen]
        if not own:
            continue
        model = model_of(found, np.setdiff1d(np.arange(n), part).tolist(), seed=None)
        columns = columns_of(model)
        for k in own:
            cloud = found.clouds[k]
            seen = part_of(cloud, share=float(random.uniform(*MISSING)), ball=k % 2 == 1, random=random)
            try:
                one = fit(model, cloud.only(seen), whole=False, columns=columns, mirrors=False)
                all_of = fit(model, cloud, whole=True, columns=columns, mirrors=False)
            except DataError:
                continue
            finally:
                advance()
            held.append(_held(model, one, all_of, cloud))
    if len(held) < 5:
        return {}
    coverage = [float((one.ratios <= _factor([h for h in held if h is not one])).mean()) for one in held]
    return {
        "level": LEVEL,
        "factor": _factor(held),
        "coverage": interval_json(mean_of(coverage)),
        "error_mm": interval_json(mean_of([h.error_mm for h in held])),
        "missing": list(MISSING),
        "mahalanobis": [round(h.mahalanobis, 6) for h in held],
        "residual_mm": [round(h.residual_mm, 6) for h in held],
        "off_mm": float(np.median([h.seen_off_mm for h in held])),
        "shapes": len(held),
    }


def part_of(cloud: Cloud, *, share: float, ball: bool, random: np.random.Generator) -> Array:
    """Return which points `(N,)` are seen when so much is missing: beyond a plane of any direction, or in a ball."""
    if ball:
        far = np.linalg.norm(cloud.points_mm - cloud.points_mm[random.integers(len(cloud.points_mm))], axis=1)
    else:
        way = random.normal(size=3)
        far = cloud.points_mm @ (way / np.linalg.norm(way))
    return np.asarray(far > np.quantile(far, share))


def deviations(fitted: Fit) -> float:
    """Return the squared Mahalanobis length of a fitted shape's modes over their number."""
    return float((fitted.weights**2).mean()) if len(fitted.weights) else 0.0


def _held(model: ShapeModel, part: Fit, whole: Fit, cloud: Cloud) -> Held:
    unseen = ~part.seen if (~part.seen).any() else part.seen
    far = cloud.distance_mm(part.points_mm[unseen])
    return Held(
        far / part.spread_mm[unseen],
        float(far.mean()),
        deviations(whole),
        float(cloud.distance_mm(whole.points_mm).mean()),
        part.off_mm,
    )


def _factor(held: list[Held]) -> float:
    """Return the factor that holds the level on average over shapes, each counting alike, and one worse than all."""
    ratios = np.concatenate([h.ratios for h in held])
    weights = np.concatenate([np.full(len(h.ratios), 1 / len(h.ratios)) for h in held])
    order = np.argsort(ratios)
    held_by = np.cumsum(weights[order]) / (len(held) + 1)
    at = min(int(np.searchsorted(held_by, LEVEL)), len(order) - 1)
    return float(ratios[order][at])
