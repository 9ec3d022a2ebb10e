"""Calibration: raw scores to probabilities, by a temperature and thresholds fitted on validation data alone.

What was fitted is kept in the Bundle, and applied to each answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import counted

Rule = Literal["balanced_accuracy", "accuracy", "f1"]
RULES: tuple[Rule, ...] = ("balanced_accuracy", "accuracy", "f1")
KEPT_AT = (0.9, 0.95)  # sensitivities and specificities that a person may want to keep


def apply(calibration: Mapping[str, Any], logits: Array, *, multilabel: bool = False) -> Array:
    """Return the probabilities `(…, K)` float64 of logits `(…, K)`: divided by `temperature`, then softmax, or sigmoid.

    An empty calibration is a temperature of 1.
    """
    scaled = np.asarray(logits, dtype=np.float64) / float(calibration.get("temperature", 1.0))
    if multilabel:
        return np.asarray(0.5 * (1 + np.tanh(scaled / 2)))
    grown = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def operating_point(positive: str | None, thresholds: Mapping[str, float]) -> dict[str, Any] | None:
    """Return the positive label and the threshold fixed for it on validation data; None where there is none."""
    if positive is None or positive not in thresholds:
        return None
    return {"label": positive, "threshold": float(thresholds[positive])}


def fit(
    logits: Array,
    y: Array,
    *,
    labels: Sequence[str],
    multilabel: bool = False,
    positive: str | None = None,
    rule: Rule | None = "balanced_accuracy",
) -> dict[str, Any]:
    """Return what the Bundle keeps: `temperature`, `thresholds` by label, and the `rule` that chose them.

    And `points` by label: the thresholds that keep a sensitivity or a specificity on these cases (see `points`).

    `logits` `(N, K)` of validation cases, `y` their indexes `(N,)` or bits `(N, K)`, -1 where unknown. With two
    exclusive labels the positive one has a threshold; with more, the largest probability decides. Without a
    `rule`, none has. A label without both kinds of case keeps one half.
    """
    heat = temperature(logits, y, multilabel=multilabel)
    p = apply({"temperature": heat}, logits, multilabel=multilabel)
    chosen: dict[str, float] = {}
    if rule is not None and multilabel:
        for k, name in enumerate(labels):
            known = y[:, k] >= 0
            chosen[name] = threshold(p[known, k], y[known, k] == 1, rule=rule)
    elif rule is not None and len(labels) == 2:
        name = positive or labels[1]
        k = list(labels).index(name)
        chosen[name] = threshold(p[:, k], y == k, rule=rule)
    kept = {}
    for k, name in enumerate(labels):
        if multilabel:
            known = y[:, k] >= 0
            kept[name] = points(p[known, k], y[known, k] == 1)
        elif len(labels) > 2 or name == (positive or labels[1]):
            kept[name] = points(p[:, k], y == k)
    return {"temperature": heat, "thresholds": chosen, "rule": rule, "points": kept}


def temperature(logits: Array, y: Array, *, multilabel: bool = False) -> float:
    """Return the one divisor of the logits that makes the truth most likely (Guo et al. 2017), from 1/20 to 20.

    A log-normal prior around 1 (σ = 1 in log), worth less than one case, keeps a few cases that are all right
    from asking for certainty. Order within a case does not change, so neither does any answer by the largest
    probability. Raises DataError where there is nothing to fit.
    """
    from scipy.optimize import minimize_scalar

    logits, y = np.asarray(logits, dtype=np.float64), np.asarray(y)
    if not len(logits) or not np.isfinite(logits).all():
        raise DataError(
            "calibration needs finite scores of validation cases", found=counted(len(logits), "case")
        )

    def cost(log_heat: float) -> float:
        p = apply({"temperature": np.exp(log_heat)}, logits, multilabel=multilabel)
        if multilabel:
            chance = np.where(y == 1, p, 1 - p)[y >= 0]
        else:
            chance = p[np.arange(len(y)), y]
        return float(-np.log(np.clip(chance, 1e-12, 1)).mean()) + log_heat**2 / (2 * len(logits))

    found = minimize_scalar(cost, bounds=(-np.log(20), np.log(20)), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def points(p: Array, truth: Array) -> dict[str, dict[str, float]]:
    """Return the probabilities from which to call so that a rate is kept: `{"sensitivity": {"0.9": 0.31, …}, …}`.

    Of those that keep a sensitivity the highest, of those that keep a specificity the lowest; midpoints between
    neighbouring probabilities are tried. Empty where only one kind of case is there.
    """
    p, truth = np.asarray(p, dtype=np.float64), np.asarray(truth, dtype=bool)
    if truth.all() or not truth.any():
        return {}
    levels = np.unique(p)
    cuts = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [min(1.0, (levels[-1] + 1) / 2)]])
    missed = np.searchsorted(np.sort(p[truth]), cuts, side="left") / truth.sum()
    spared = np.searchsorted(np.sort(p[~truth]), cuts, side="left") / (~truth).sum()
    found: dict[str, dict[str, float]] = {"sensitivity": {}, "specificity": {}}
    for at in KEPT_AT:
        found["sensitivity"][f"{at:g}"] = float(cuts[1 - missed >= at - 1e-12].max())
        reached = cuts[spared >= at - 1e-12]
        if len(reached):
            found["specificity"][f"{at:g}"] = float(reached.min())
    return found


def threshold(p: Array, truth: Array, *, rule: Rule = "balanced_accuracy") -> float:
    """Return the probability from which a case is called, that does best by `rule`; of equals, the nearest one half.

    Only midpoints between neighbouring probabilities are tried. The best balanced accuracy is also the largest
    Youden index. One half where only one kind of case is there.
    """
    p, truth = np.asarray(p, dtype=np.float64), np.asarray(truth, dtype=bool)
    if truth.all() or not truth.any():
        return 0.5
    levels = np.unique(p)
    cuts = np.unique(np.concatenate([(levels[1:] + levels[:-1]) / 2, [0.5]]))
    ranked, real = np.sort(p[truth]), int(truth.sum())
    others = np.sort(p[~truth])
    hit = real - np.searchsorted(ranked, cuts, side="left")
    false = len(others) - np.searchsorted(others, cuts, side="left")
    if rule == "accuracy":
        worth = (hit + len(others) - false) / len(p)
    elif rule == "f1":
        worth = 2 * hit / (hit + false + real)
    else:
        worth = (hit / real + 1 - false / len(others)) / 2
    best = cuts[worth >= worth.max() - 1e-12]
    return float(best[np.abs(best - 0.5).argmin()])
