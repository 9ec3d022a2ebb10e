"""What is asked of survival and of a benefit: how either follows the log hazards of its arms, near one case."""

from __future__ import annotations

import math
from collections.abc import Mapping

from vesalius.answers._asking import days_at
from vesalius.core.answers.curve import Curve
from vesalius.core.ask import Ask
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.horizons import named
from vesalius.core.treatment import BENEFIT, arm_named


def asked(answer: Curve, which: str | None) -> Ask:
    """Return what an arm changes beside the first at a time: `chemo@365`, by default the second arm at the horizon.

    Raises DataError where there is one arm, for the first one, and for a time beyond the curve; UnknownName.
    """
    control, *others = answer.survival
    if not others:
        raise DataError(
            "there is one arm, and nothing that another would change", found=control or "one curve"
        )
    arm, at = arm_and_time(which, answer) if which is not None else (others[0], None)
    if arm not in answer.survival:
        raise UnknownName("arm", arm, others)
    if arm == control:
        raise DataError(f"'{arm}' is what the others are held against", hint=f"{BENEFIT}={others[0]}")
    end = float(answer.times_days[-1]) if len(answer.times_days) else 0.0
    usual = answer.treatment.horizon_days if answer.treatment is not None else end / 2
    days = days_at(at, what=BENEFIT, default=usual if 0 < usual <= end else end / 2)
    if not 0 < days <= end:
        raise DataError(f"the curve does not tell of {named(days)}", found=f"it ends at day {end:g}")
    column = answer.treatment.column if answer.treatment is not None else "arm"
    first, second = (arm_named(column, name) for name in (control, arm))
    return Ask(
        BENEFIT,
        place=list(answer.survival).index(arm),
        at=days,
        words=f"what {second} changes beside {first} in survival at {named(days)}",
        sum=falls(answer, days, {arm: 1.0, control: -1.0}),
    )


def falls(answer: Curve, days: float, arms: Mapping[str, float]) -> dict[int, float]:
    """Return by an arm's place how a sum of survivals at a time changes with the log hazard under that arm.

    Of S = exp(-H), H the cumulative hazard, that is -S H: with hazards that are proportional it is the slope at this
    case. Where no arm has a hazard yet, or all survival is gone, each counts as the sum has it.
    """
    places = list(answer.survival)
    found = {}
    for arm, share in arms.items():
        survival = min(max(answer.at(days, arm), 1e-300), 1.0)
        found[places.index(arm)] = share * survival * math.log(survival)
    if not any(abs(v) > 1e-12 for v in found.values()):
        return {places.index(arm): -share for arm, share in arms.items()}
    return found


def arm_and_time(which: str | None, answer: Curve) -> tuple[str, str | None]:
    """Return the arm and the time of `chemo@365`, by default the arm that the answer is held by."""
    if which is None:
        return answer.arm, None
    if which in answer.survival:
        return which, None
    arm, parted, at = which.rpartition("@")
    return (arm.strip(), at.strip()) if parted else (which, None)
