"""How a search's time is shared: trials first, then the few best again on other folds, then the run that is kept."""

from __future__ import annotations

from dataclasses import dataclass

from vesalius.core.errors import BudgetError
from vesalius.plan.budget import written

TRIALS_SHARE, CONFIRM_SHARE = 0.55, 0.12  # of a time limit; the rest is that of the run
BESIDE = 1.3  # times its training: what a trial takes with preparation and answers
LEAST_S = 1.0  # of a training: with less nothing is learned that tells plans apart


@dataclass(frozen=True)
class Times:
    """Seconds: of a training, None where steps are counted; and from the beginning until trials and confirming end."""

    each_s: float | None
    trials_s: float | None = None
    confirm_s: float | None = None


def shared(limit_s: float | None, per_trial_s: float | None, *, trials: int, workers: int) -> Times:
    """Return how the time is shared. Raises BudgetError where it is too short for so many trials."""
    if limit_s is None:
        return Times(per_trial_s)
    trials_s = TRIALS_SHARE * limit_s
    each = trials_s * workers / trials / BESIDE if per_trial_s is None else per_trial_s
    if each < LEAST_S:
        fit = max(1, int(trials_s * workers / BESIDE / LEAST_S))
        need = written(trials * LEAST_S * BESIDE / TRIALS_SHARE / workers)
        raise BudgetError(
            f"the time limit is too short for {trials} trials",
            found=f"{each:.2f} s for each, where {LEAST_S:g} s are needed",
            hint=f"--trials {fit}, or --time-limit {need}",
        )
    if per_trial_s is not None and per_trial_s * BESIDE > trials_s:
        raise BudgetError(
            "the time limit is too short for one trial",
            found=f"{trials_s:.0f} s for all trials, {per_trial_s * BESIDE:.0f} s for one",
            hint=f"--time-limit {written(2 * per_trial_s * BESIDE / TRIALS_SHARE)}, or a shorter --time-per-trial",
        )
    return Times(each, trials_s, trials_s + CONFIRM_SHARE * limit_s)
