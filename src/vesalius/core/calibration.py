"""Calibration: raw scores to probabilities, by a temperature, maps and thresholds fitted on validation data alone.

What was fitted is kept in the Bundle, and applied to each answer. `fit` is for raw outputs and truths of any cases that
the models never saw: at the end of a fit those of validation, later those of another place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from vesalius.core import isotonic, operating
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array
from vesalius.core.words import counted

Rule = Literal["balanced_accuracy", "accuracy", "f1"]
RULES: tuple[Rule, ...] = ("balanced_accuracy", "accuracy", "f1")
KEPT_AT = (0.9, 0.95)  # sensitivities and specificities that a person may want to keep
Method = Literal["temperature", "isotonic", "auto"]
METHODS: tuple[Method, ...] = ("temperature", "isotonic", "auto")
PARTS = 5  # into which validation cases are dealt where a method is chosen by cross-validation


def apply(calibration: Mapping[str, Any], logits: Array, *, multilabel: bool = False) -> Array:
    """Return the probabilities `(…, K)` float64 of logits `(…, K)`: divided by `temperature`, then softmax, or sigmoid.

    An empty calibration is a temperature of 1.
    """
    scaled = np.asarray(logits, dtype=np.float64) / float(calibration.get("temperature", 1.0))
    if multilabel:
        return np.asarray(0.5 * (1 + np.tanh(scaled / 2)))
    grown = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def answered(
    calibration: Mapping[str, Any], logits: Array, *, labels: Sequence[str], multilabel: bool = False
) -> Array:
    """Return the probabilities `(…, K)` that answers have, of the members' logits `(…, M, K)`.

    The members' probabilities are averaged, then mapped where isotonic maps were fitted.
    """
    p = apply(calibration, logits, multilabel=multilabel).mean(axis=-2)
    return isotonic.mapped(
        isotonic.parse(calibration.get("isotonic")), p, labels=labels, multilabel=multilabel
    )


def method_of(word: Any, *, where: str = "task.options.calibration") -> Method:
    """Return the method that a plan's word means, `temperature` where it has none. Raises PlanError for another."""
    if word is None or word == "":
        return "temperature"
    found = next((m for m in METHODS if m == word), None)
    if found is None:
        raise PlanError(f"{where} is no method of calibration", found=repr(word), hint=", ".join(METHODS))
    return found


def in_words(calibration: Mapping[str, Any]) -> str | None:
    """Return how probabilities were calibrated, where that is more than a temperature or was chosen; else None."""
    chosen = calibration.get("chosen")
    if chosen is None and not calibration.get("isotonic"):
        return None
    method = "isotonic maps after a temperature" if calibration.get("isotonic") else "a temperature"
    if chosen is None:
        return f"{method}, on validation cases"
    if chosen["gain"] is None:
        return f"{method}; validation has too few patients to compare with isotonic maps"
    return (
        f"{method}; of isotonic maps the log loss on validation cases that they were not fitted on was "
        f"{abs(chosen['gain']):.4f} {'lower' if chosen['gain'] > 0 else 'higher'} (standard error {chosen['se']:.4f})"
    )


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
    rule: Rule | operating.Rule | None = "balanced_accuracy",
    method: Method = "temperature",
    patients: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return what the Bundle keeps: `temperature`, `thresholds` by label, and the `rule` that chose them.

    And `points` by label: the thresholds that keep a sensitivity or a specificity on these cases (see `points`).

    `logits` `(N, K)` of validation cases, or `(N, M, K)` of each of several members, whose probabilities are then
    averaged as in answers; `y` their indexes `(N,)` or bits `(N, K)`, -1 where unknown. With two exclusive labels the
    positive one has a threshold; with more, the largest probability decides. Without a `rule`, none has. A label
    without both kinds of case keeps one half, but for a net benefit. What a rule with a number reached is kept as
    `reached` by label.

    `method` `isotonic` adds `isotonic` maps by label, fitted on the probabilities after the temperature; `auto` takes
    them only where they do better by more than one standard error (see `compared`), and keeps what it found as
    `chosen`. `patients` names each case's, so that nobody is on both sides of that comparison.
    """
    heat = temperature(logits, y, multilabel=multilabel)
    found: dict[str, Any] = {"temperature": heat}
    p = _probabilities(heat, logits, multilabel=multilabel)
    if method != "temperature":
        if method == "auto":
            found["chosen"] = compared(
                logits, y, labels=labels, multilabel=multilabel, positive=positive, patients=patients
            )
        if method == "isotonic" or found["chosen"]["method"] == "isotonic":
            maps = isotonic.fit(p, y, labels=labels, multilabel=multilabel, positive=positive)
            found["isotonic"] = maps
            p = isotonic.mapped(maps, p, labels=labels, multilabel=multilabel)
    asked = {
        name: (p[known, k], truth) for name, k, known, truth in _asked(p, y, labels, multilabel, positive)
    }
    ruled = asked if multilabel or len(labels) == 2 else {}
    chosen: dict[str, float] = {}
    reached: dict[str, Any] = {}
    for name, (chance, truth) in ruled.items() if rule is not None else ():
        if isinstance(rule, operating.Rule):
            chosen[name] = operating.threshold(chance, truth, rule)
            reached[name] = operating.reached(chance, truth, chosen[name], rule)
        elif rule is not None:
            chosen[name] = threshold(chance, truth, rule=rule)
    kept = {name: points(chance, truth) for name, (chance, truth) in asked.items()}
    found |= {"thresholds": chosen, "rule": str(rule) if rule is not None else None, "points": kept}
    return {**found, "reached": reached} if reached else found


def compared(
    logits: Array,
    y: Array,
    *,
    labels: Sequence[str],
    multilabel: bool = False,
    positive: str | None = None,
    patients: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return which of temperature and isotonic has the lower log loss on cases that it was not fitted on.

    The cases are dealt into parts, those of a patient together; each part is judged by what was fitted on the others.
    `gain` is the mean log loss after the temperature minus that after the maps, `se` its standard error over patients.
    `method` is `isotonic` only where the gain is more than one standard error; fewer than two patients a part, or a
    comparison that cannot be made, leave the temperature.
    """
    who = np.unique(
        np.arange(len(y)).astype(str) if patients is None else np.asarray(patients), return_inverse=True
    )[1]
    groups = int(who.max()) + 1 if len(who) else 0
    found: dict[str, Any] = {"method": "temperature", "gain": None, "se": None, "n": len(y)}
    if groups < 2 * PARTS:
        return found
    part = (np.random.default_rng(0).permutation(groups) % PARTS)[who]
    gain = np.zeros(len(y))
    for k in range(PARTS):
        out, rest = part == k, part != k
        heat = temperature(logits[rest], y[rest], multilabel=multilabel)
        before = _probabilities(heat, logits[rest], multilabel=multilabel)
        maps = isotonic.fit(before, y[rest], labels=labels, multilabel=multilabel, positive=positive)
        p = _probabilities(heat, logits[out], multilabel=multilabel)
        after = isotonic.mapped(maps, p, labels=labels, multilabel=multilabel)
        gain[out] = log_losses(p, y[out], multilabel=multilabel) - log_losses(
            after, y[out], multilabel=multilabel
        )
    mean = float(np.nanmean(gain)) if np.isfinite(gain).any() else 0.0
    by_patient = np.bincount(who, weights=np.where(np.isfinite(gain), gain - mean, 0.0))
    se = float(np.sqrt((by_patient**2).sum() * groups / (groups - 1)) / max(np.isfinite(gain).sum(), 1))
    return found | {"method": "isotonic" if mean > se else "temperature", "gain": mean, "se": se}


def log_losses(p: Array, y: Array, *, multilabel: bool = False) -> Array:
    """Return the negative log probability `(N,)` of what is so; of several labels its mean over those that are known.

    `p` is `(N, K)`, `y` `(N,)` indexes or `(N, K)` bits, -1 where unknown; NaN of a case of which nothing is known.
    """
    if not multilabel:
        return np.asarray(-np.log(np.clip(p[np.arange(len(y)), y], 1e-12, 1)))
    loss = -np.log(np.clip(np.where(y == 1, p, 1 - p), 1e-12, 1))
    known = (y >= 0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(y >= 0, loss, 0.0).sum(axis=1) / known)


def _probabilities(heat: float, logits: Array, *, multilabel: bool) -> Array:
    """Return the probabilities `(N, K)` of logits `(N, K)`, or the members' mean of `(N, M, K)`."""
    p = apply({"temperature": heat}, logits, multilabel=multilabel)
    return p.mean(axis=1) if p.ndim == 3 else p


def _asked(
    p: Array, y: Array, labels: Sequence[str], multilabel: bool, positive: str | None
) -> Iterator[tuple[str, int, Array, Array]]:
    """Yield the labels that are asked after: name, place, which cases are known, and where among these it is so."""
    for k, name in enumerate(labels):
        if multilabel:
            known = y[:, k] >= 0
            yield name, k, known, y[known, k] == 1
        elif len(labels) > 2 or name == (positive or labels[1]):
            yield name, k, np.ones(len(p), dtype=bool), y == k


def temperature(
    logits: Array,
    y: Array,
    *,
    multilabel: bool = False,
    of: Callable[[Array, float], Array] | None = None,
) -> float:
    """Return the one divisor of the logits that makes the truth most likely (Guo et al. 2017), from 1/20 to 20.

    `of` returns the probabilities `(N, K)` of raw outputs at a temperature, where these are no logits of classes.

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
        heat = float(np.exp(log_heat))
        p = of(logits, heat) if of is not None else _probabilities(heat, logits, multilabel=multilabel)
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
