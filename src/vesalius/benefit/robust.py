"""Doubly robust scores: for each patient and arm a figure whose mean is that of the arm, had all been given it.

For arm a and a horizon h, with S the survival under a, G that of censoring, π the propensity and M the measure of
the curve beyond a time (S(h), or the area under S from that time to h), a patient with time T, event δ and arm A
has the score

    M(0) − 1[A = a] / π · { δ 1[T ≤ h] M(T) / (S(T) G(T−)) − Σ M(u) (1 / S(u) − 1 / S(u−)) / G(u−) }

summed over the jumps u ≤ min(T, h) of S. It is right on average where S is, or where both π and G are (Rubin and van
der Laan 2007; Westling et al. 2024 for S(h); Cui et al. 2023 use the same for restricted means). S, G and π of a
patient come from other folds than its own. Without censoring and with one arm the score is the patient's own outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vesalius.benefit.folds import assign
from vesalius.benefit.hazards import Hazards, fit_censoring, fit_hazards
from vesalius.benefit.measure import Measure, assert_followed
from vesalius.benefit.propensity import cross_fitted
from vesalius.benefit.trial import FEWEST, Trial
from vesalius.benefit.weighting import TRIM, kept
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import listed

FOLDS = 5
LEAST = 0.05  # a chance to be still followed is not taken for less: so far one patient speaks for others


@dataclass(frozen=True, eq=False)
class Scored:
    """Doubly robust scores of N patients.

    `scores` `(N, A)` in the measure's unit, `propensity` `(N, A)`. `kept` `(N,)`: of whom they tell; for others an
    arm was too unlikely, and figures leave them out and say how many.
    """

    scores: Array
    propensity: Array
    kept: Array
    arms: tuple[str, ...]
    measure: Measure

    def contrast(self, control: str, treated: str) -> Array:
        """Return the score of `treated` minus that of `control`, `(N,)`. Raises DataError."""
        for name in (control, treated):
            if name not in self.arms:
                raise DataError(f"the arm '{name}' was never given", found=listed(self.arms))
        return np.asarray(self.scores[:, self.arms.index(treated)] - self.scores[:, self.arms.index(control)])

    def where(self, index: Array) -> Scored:
        """Return the patients at these places, or where these bits are set."""
        return replace(
            self,
            scores=self.scores[index],
            propensity=self.propensity[index],
            kept=self.kept[index],
        )


def doubly_robust(
    trial: Trial,
    measure: Measure,
    *,
    rng: np.random.Generator,
    folds: int = FOLDS,
    trim: float = TRIM,
    propensity: Array | None = None,
) -> Scored:
    """Return the scores of every patient, cross-fitted over `folds`.

    `propensity` `(N, A)` may be given where it is known; else it is that of `cross_fitted`. Patients for whom an
    arm was less likely than `trim` are not kept. Raises DataError where an arm was hardly followed up to the
    horizon, or too few patients are kept.
    """
    assert_followed(trial, measure)
    fold = assign(trial, folds, rng)
    chance = cross_fitted(trial, fold) if propensity is None else np.asarray(propensity, np.float64)
    if chance.shape != (len(trial), len(trial.arms)):
        raise DataError("need a propensity for each patient and arm", found=f"shape {chance.shape}")
    overlap = kept(chance, 0.0 if trial.randomised else trim)
    for k, name in enumerate(trial.arms):
        n = int((overlap & (trial.arm == k)).sum())
        if n < FEWEST:
            raise DataError(
                f"hardly any patient of arm '{name}' is like those of other arms",
                found=f"{n} of {int((trial.arm == k).sum())} whose propensities are all at least {trim:g}",
                hint="patients of whom either was given what the others were",
            )
    scores = np.zeros((len(trial), len(trial.arms)))
    for f in range(folds):
        out, rest = fold == f, trial.where(fold != f)
        held = trial.where(out)
        for k in range(len(trial.arms)):
            mine = rest.where(rest.arm == k)
            event, away = fit_hazards(mine.x, mine.observed), fit_censoring(mine.x, mine.observed)
            weight = (held.arm == k) / np.maximum(chance[out, k], trim or 1e-6)
            scores[out, k] = score(held, event, away, weight=weight, measure=measure)
    return Scored(scores, chance, overlap, trial.arms, measure)


def score(trial: Trial, event: Hazards, away: Hazards, *, weight: Array, measure: Measure) -> Array:
    """Return the score of each patient for one arm, `(N,)`.

    `event` and `away` tell of the event and of censoring under that arm; `weight` is 1[A = a] / π, `(N,)`.
    """
    end, x = measure.horizon_days, trial.x
    jumps = np.r_[0.0, event.jumps[event.jumps <= end]]  # nothing falls on day 0, where all curves begin
    curve = np.maximum(event.survival(x, jumps), 1e-12)  # (N, K)
    followed = np.maximum(away.survival_before(x, jumps), LEAST)
    beyond = _beyond(jumps, curve, measure)  # (N, K) M at each jump
    time = trial.observed.time_days
    before = np.column_stack([np.ones(len(x)), curve[:, :-1]])
    past = jumps <= np.minimum(time, end)[:, None]
    spent = (past * beyond * (1 / curve - 1 / before) / followed).sum(axis=1)
    died = np.flatnonzero(trial.observed.happened & (time <= end))
    place = np.searchsorted(jumps, time[died], side="right") - 1
    here, left = curve[died, place], beyond[died, place]
    if measure.kind == "restricted_mean":
        left = left - (time[died] - jumps[place]) * here
    alone = np.exp(-np.exp(away.log_hazard(x[died])) * away.baseline.left(time[died]))
    lost = np.zeros(len(x))
    lost[died] = left / (here * np.maximum(alone, LEAST))
    return np.asarray(beyond[:, 0] - weight * (lost - spent))


def _beyond(jumps: Array, curve: Array, measure: Measure) -> Array:
    """Return M at each jump, `(N, K)`: the curve at the horizon, or the area under it from the jump to there."""
    if measure.kind == "survival":
        return np.repeat(curve[:, -1:], len(jumps), axis=1)
    width = np.append(np.diff(jumps), measure.horizon_days - jumps[-1])
    return np.asarray(np.cumsum((curve * width)[:, ::-1], axis=1)[:, ::-1])
