"""Worth: all that patients who took no part say of a learner of benefit, in one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.benefit.average import effect, naive
from vesalius.benefit.estimate import Estimate
from vesalius.benefit.learners.contract import Learned
from vesalius.benefit.measure import Measure
from vesalius.benefit.pairs import c_for_benefit
from vesalius.benefit.policy import Policy, by_benefit, policy_value
from vesalius.benefit.quintiles import BenefitCalibration, calibration
from vesalius.benefit.ranked import Ranked, rank_weighted
from vesalius.benefit.robust import Scored
from vesalius.benefit.trial import Trial
from vesalius.core.errors import DataError
from vesalius.core.image import Array


@dataclass(frozen=True)
class Worth:
    """What is found on patients who took no part, for `treated` over `control`.

    `effect` is the doubly robust average effect and `naive` the difference of the arms as they are. `ranked`: whether
    the learner finds those who gain more. `policy`: what treating by it brings. `calibration`: predicted beside found.
    `concordance`: the C-for-benefit, no reason to treat; None where chance did not decide on the arms, or no pairs
    differ.
    """

    control: str
    treated: str
    effect: Estimate
    naive: Estimate
    ranked: Ranked
    policy: Policy
    calibration: BenefitCalibration
    concordance: Estimate | None

    @property
    def tells(self) -> bool:
        """Return whether the learner ranks patients better than chance: AUTOC's interval lies above 0."""
        return self.ranked.autoc.low > 0


def worth(
    learned: Learned,
    held: Trial,
    scored: Scored,
    *,
    control: str,
    treated: str,
    rng: np.random.Generator,
    margin: float = 0.0,
    level: float = 0.95,
) -> Worth:
    """Return what `held` patients, who took no part in learning, say of a learner.

    `scored` are their doubly robust scores, in the same order and measure. Its rule treats where the predicted benefit
    exceeds the `margin`. Raises DataError where measures or patients differ, or too few are left; UnknownName.
    """
    if scored.measure != learned.measure or len(scored.scores) != len(held) or scored.arms != held.arms:
        raise DataError(
            "need scores of the same patients, arms and measure as the learner's",
            found=f"{scored.measure} of {len(scored.scores)} for {learned.measure} of {len(held)}",
        )
    first, second = held.code(control), held.code(treated)
    predicted = learned.benefit(held.x, control=control, treated=treated)
    keep, contrast = scored.kept, scored.contrast(control, treated)
    out = int((~keep).sum())
    return Worth(
        control,
        treated,
        effect(scored, control=control, treated=treated, level=level),
        naive(held, scored.measure, control=control, treated=treated, level=level),
        rank_weighted(predicted[keep], contrast[keep], rng=rng, left_out=out, level=level),
        policy_value(
            scored, by_benefit(predicted, control=first, treated=second, margin=margin), level=level
        ),
        calibration(predicted[keep], contrast[keep], left_out=out, level=level),
        _concordance(predicted, held, scored.measure, control=control, treated=treated, rng=rng, level=level),
    )


def _concordance(
    predicted: Array,
    held: Trial,
    measure: Measure,
    *,
    control: str,
    treated: str,
    rng: np.random.Generator,
    level: float,
) -> Estimate | None:
    """Return the C-for-benefit; None where it cannot be told, which leaves the other figures as they are."""
    if not held.randomised:
        return None
    try:
        return c_for_benefit(predicted, held, measure, control=control, treated=treated, rng=rng, level=level)
    except DataError:
        return None
