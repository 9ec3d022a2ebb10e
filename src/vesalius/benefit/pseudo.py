"""Pseudo-observations: what a patient's outcome at a horizon would be if nobody had been censored."""

from __future__ import annotations

import numpy as np

from vesalius.benefit.measure import Measure
from vesalius.benefit.trial import Trial
from vesalius.core.image import Array
from vesalius.survival.observed import Observed


def pseudo_observations(observed: Observed, measure: Measure) -> Array:
    """Return n·θ − (n − 1)·θ₋ᵢ of each patient, `(N,)`: θ is the measure of the Kaplan-Meier curve, θ₋ᵢ without i.

    Without censoring it is the patient's own outcome. It stands for it where censoring does not depend on what is
    known of the patients. Andersen, Klein and Rosthøj 2003; all N curves come from two cumulative products, in n
    log n.
    """
    end, n = measure.horizon_days, len(observed)
    days, place = np.unique(np.minimum(observed.time_days, end), return_inverse=True)  # nothing later counts
    event = (observed.happened & (observed.time_days <= end)).astype(np.float64)
    died = np.bincount(place, weights=event)
    risk = n - np.concatenate([[0], np.cumsum(np.bincount(place))[:-1]])  # (K,) at risk at each day
    whole = np.cumprod(1 - died / risk)
    fewer = np.maximum(risk - 1, 1)
    early = np.concatenate(
        [[1.0], np.cumprod(np.maximum(1 - died / fewer, 0.0))[:-1]]
    )  # with one fewer at risk
    own = np.where(risk[place] > 1, 1 - (died[place] - event) / fewer[place], 1.0)
    after = (
        early[place] * own
    )  # (N,) the curve without i from i's own day on, where it falls as the whole one does
    rest = np.append(np.diff(days), end - days[-1])
    if measure.kind == "survival":
        until, later, alone = np.zeros(len(days)), np.full(len(days), whole[-1]), np.ones(len(days))
    else:  # areas: until i's day, from there to the end under the whole curve, and under a curve that stays
        until = np.cumsum(early * np.diff(days, prepend=0.0))
        later, alone = np.cumsum((whole * rest)[::-1])[::-1], end - days
    ratio = np.where(
        whole > 0, later / np.where(whole > 0, whole, 1.0), alone
    )  # nobody is left where whole is 0
    without = until[place] + after * ratio[place]
    return np.asarray(n * float(measure.of_curve(days, whole)) - (n - 1) * without)


def by_arm(trial: Trial, measure: Measure) -> Array:
    """Return the pseudo-observations of each patient among those who were given the same, `(N,)`."""
    found = np.zeros(len(trial))
    for k in range(len(trial.arms)):
        mine = trial.arm == k
        found[mine] = pseudo_observations(trial.observed.where(mine), measure)
    return found
