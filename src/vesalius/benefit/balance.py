"""Balance: how far arms differ in what was known before treatment, as they are and weighted; a Love plot's figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vesalius.benefit.trial import Trial
from vesalius.benefit.weighting import WAYS, Way, effective_size, weights
from vesalius.core.image import Array

LARGE = 0.1  # a standardised difference beyond which arms are said to differ (Austin 2009)


@dataclass(frozen=True, eq=False)
class Balance:
    """Differences of two arms, name by name.

    `difference`: way of weighting → `(F,)`, mean of `treated` minus that of `control` in standard deviations, those
    of the unweighted arms pooled, so that weighting cannot hide a difference by widening it. `ratio`: way → `(F,)`,
    variance over variance. `effective`: way → patients of `control` and of `treated` that the weights are worth.
    """

    names: tuple[str, ...]
    control: str
    treated: str
    difference: Mapping[Way, Array]
    ratio: Mapping[Way, Array]
    effective: Mapping[Way, tuple[float, float]]

    def unbalanced(self, way: Way) -> tuple[str, ...]:
        """Return the names whose difference is beyond 0.1 standard deviations, the largest first."""
        size = np.abs(self.difference[way])
        return tuple(self.names[k] for k in np.argsort(-size, kind="stable") if size[k] > LARGE)


def balance(trial: Trial, propensity: Array, *, control: str, treated: str) -> Balance:
    """Return how alike two arms are before and after weighting. `propensity` `(N, A)`. Raises UnknownName."""
    first, second = trial.given(control), trial.given(treated)
    plain = np.ones(len(trial))
    spread = np.sqrt((_moments(trial.x, first, plain)[1] + _moments(trial.x, second, plain)[1]) / 2)
    difference: dict[Way, Array] = {}
    ratio: dict[Way, Array] = {}
    effective: dict[Way, tuple[float, float]] = {}
    for way in WAYS:
        weight = weights(propensity, trial.arm, way)
        (low, narrow), (high, wide) = _moments(trial.x, first, weight), _moments(trial.x, second, weight)
        difference[way] = np.divide(high - low, spread, out=np.zeros_like(spread), where=spread > 0)
        ratio[way] = np.divide(wide, narrow, out=np.full_like(wide, np.nan), where=narrow > 0)
        effective[way] = (effective_size(weight[first]), effective_size(weight[second]))
    return Balance(trial.names, control, treated, difference, ratio, effective)


def _moments(x: Array, who: Array, weight: Array) -> tuple[Array, Array]:
    """Return weighted mean and variance of each column, `(F,)` each; the variance is unbiased for equal weights."""
    w, rows = weight[who][:, None], x[who]
    mean = (w * rows).sum(axis=0) / w.sum()
    spare = w.sum() - (w**2).sum() / w.sum()
    return mean, (w * (rows - mean) ** 2).sum(axis=0) / max(float(spare), 1e-12)
