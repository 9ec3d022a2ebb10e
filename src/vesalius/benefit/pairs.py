"""C-for-benefit: how often, of two matched pairs, the one with the greater predicted benefit had the greater one.

It tells of order alone, is small even for the truth, and is no reason to treat: what a rule gains says the policy's
value.
"""

from __future__ import annotations

import numpy as np

from vesalius.benefit.estimate import Estimate
from vesalius.benefit.measure import Measure, assert_followed
from vesalius.benefit.trial import Trial
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.curves import censoring

DRAWS = 500


def c_for_benefit(
    predicted: Array,
    trial: Trial,
    measure: Measure,
    *,
    control: str,
    treated: str,
    rng: np.random.Generator,
    draws: int = DRAWS,
    level: float = 0.95,
) -> Estimate:
    """Return the C-for-benefit with a bootstrap interval over pairs (van Klaveren et al. 2018).

    `predicted` `(N,)` are benefits of patients of whom the model learned nothing. One of each arm are paired in the
    order of predicted benefit, the larger arm thinned at random. A pair's benefit is the difference of outcomes at
    the horizon; a patient censored before counts nothing, and others weigh as much more (inverse probability of
    censoring, by arm). `n` counts pairs whose outcomes are known.

    Raises DataError where chance did not decide on the arms: pairs alike in predicted benefit are then not alike.
    """
    if not trial.randomised:
        raise DataError(
            "matched pairs tell of benefit only where chance decided on the treatment",
            hint="the rank-weighted effect, or randomised=True where it did",
        )
    assert_followed(trial, measure)
    p = np.asarray(predicted, np.float64)
    outcome = measure.of_known(trial.observed.time_days)
    weight = known_weights(trial, measure)
    sides = [np.flatnonzero(trial.given(a)) for a in (control, treated)]
    many = min(len(s) for s in sides)
    first, second = (
        s[np.argsort(p[s], kind="stable")]
        for s in (np.sort(rng.choice(s, many, replace=False)) for s in sides)
    )
    benefit, expected = outcome[second] - outcome[first], (p[first] + p[second]) / 2
    return _concordance(benefit, expected, weight[first] * weight[second], rng, draws, level)


def known_weights(trial: Trial, measure: Measure) -> Array:
    """Return how much each patient's known outcome counts, `(N,)`: 0 where it was censored before the horizon.

    Else 1 / G(min(T, h)−) of the arm's curve of censoring; on one day events come before it.
    """
    end, weight = measure.horizon_days, np.zeros(len(trial))
    time, happened = trial.observed.time_days, trial.observed.happened
    for k in np.unique(trial.arm):
        mine = trial.arm == k
        known = mine & ((time >= end) | happened)
        weight[known] = 1 / censoring(trial.observed.where(mine)).left(np.minimum(time[known], end))
    return weight


def _concordance(
    benefit: Array, expected: Array, weight: Array, rng: np.random.Generator, draws: int, level: float
) -> Estimate:
    """Return the share of pairs of pairs in the right order, those of equal prediction counted half."""
    known = weight > 0
    benefit, expected, weight = benefit[known], expected[known], weight[known]
    n = len(benefit)
    above = (benefit[:, None] > benefit[None]) * (weight[:, None] * weight[None])
    right = above * ((expected[:, None] > expected[None]) + 0.5 * (expected[:, None] == expected[None]))
    if not above.any():
        raise DataError("all pairs had the same benefit: there is no order", found=f"{n} pairs")
    counts = rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)
    total = ((counts @ above) * counts).sum(axis=1)
    drawn = np.divide(
        ((counts @ right) * counts).sum(axis=1), total, out=np.full(draws, np.nan), where=total > 0
    )
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.percentile(drawn, [50 * (1 - level), 50 * (1 + level)])
    return Estimate(float(right.sum() / above.sum()), float(drawn.std(ddof=1)), float(low), float(high), n)
