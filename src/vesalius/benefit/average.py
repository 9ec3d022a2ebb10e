"""Average effects: the difference between arms as they are, and doubly robust, with intervals."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from vesalius.benefit.estimate import Estimate, mean, normal
from vesalius.benefit.measure import Measure, assert_followed
from vesalius.benefit.pseudo import pseudo_observations
from vesalius.benefit.robust import Scored
from vesalius.benefit.trial import Trial
from vesalius.benefit.weighting import tilt
from vesalius.core.errors import DataError
from vesalius.core.image import Array

Population = Literal["kept", "overlap"]


def naive(trial: Trial, measure: Measure, *, control: str, treated: str, level: float = 0.95) -> Estimate:
    """Return the difference between those who were given one and the other, with nothing done about why.

    It is the effect only where chance decided what was given. From pseudo-observations, so the measures of both
    Kaplan-Meier curves. Raises UnknownName, DataError.
    """
    assert_followed(trial, measure)
    parts = [
        mean(pseudo_observations(trial.observed.where(trial.given(a)), measure)) for a in (control, treated)
    ]
    error = math.hypot(parts[0].error, parts[1].error)
    return normal(parts[1].value - parts[0].value, error, sum(p.n for p in parts), level=level)


def effect(
    scored: Scored, *, control: str, treated: str, population: Population = "kept", level: float = 0.95
) -> Estimate:
    """Return the doubly robust average effect of `treated` over `control`.

    `population`: the patients for whom every arm was likely enough, or all weighted by how likely both were
    (`overlap`; the weights count as known). Raises DataError.
    """
    score = scored.contrast(control, treated)
    return _averaged(scored, score, population, level)


def outcome(scored: Scored, arm: str, *, population: Population = "kept", level: float = 0.95) -> Estimate:
    """Return what the measure would be if all were given this arm. Raises DataError."""
    scored.contrast(arm, arm)
    return _averaged(scored, scored.scores[:, scored.arms.index(arm)], population, level)


def risk_ratio(
    scored: Scored, *, control: str, treated: str, population: Population = "kept", level: float = 0.95
) -> Estimate:
    """Return the risk of the event by the horizon under `treated` over that under `control`, for an E-value.

    The interval is that of its logarithm by the delta method; `error` is that of the logarithm, too. Raises DataError
    for restricted means, and where a risk is not above 0.
    """
    if scored.measure.kind != "survival":
        raise DataError("a ratio of risks needs survival at the horizon", found=scored.measure.kind)
    first, second = (1 - outcome(scored, a, population=population).value for a in (control, treated))
    if not (first > 0 and second > 0):
        raise DataError("a risk ratio needs two risks above 0", found=f"{first:g} and {second:g}")
    scored.contrast(control, treated)
    risks = 1 - scored.scores[:, [scored.arms.index(control), scored.arms.index(treated)]]
    log = risks[:, 1] / second - risks[:, 0] / first  # its mean is 0, its spread that of the logarithm
    found = _averaged(scored, log, population, level)
    wide = (found.high - found.low) / 2
    ratio = second / first
    ends = (ratio * math.exp(-wide), ratio * math.exp(wide))
    return Estimate(ratio, found.error, *ends, found.n, found.left_out)


def _averaged(scored: Scored, score: Array, population: Population, level: float) -> Estimate:
    if population == "kept":
        return mean(score[scored.kept], left_out=int((~scored.kept).sum()), level=level)
    weight = tilt(scored.propensity)
    share = weight / weight.sum()
    value = float(share @ score)
    error = float(np.sqrt((share**2 * (score - value) ** 2).sum()))
    return normal(value, error, len(score), level=level)
