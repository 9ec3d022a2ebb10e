"""What a curve of several arms says of each of them, and what each changes."""

from __future__ import annotations

import numpy as np

from vesalius.core.answers import Answer
from vesalius.core.answers.curve import Curve
from vesalius.core.answers.value import Value
from vesalius.core.arms import Expected, Gained, UnderArms
from vesalius.core.treatment import BENEFIT, gain_name

Told = tuple[float, float | None, float | None]


def under_arms(answer: Curve) -> UnderArms | None:
    """Return what is expected under each arm up to the horizon; None where the curve tells of no benefit."""
    about, part = answer.treatment, answer.parts.get(BENEFIT)
    if about is None or part is None or len(answer.survival) < 2:
        return None
    horizon = about.horizon_days
    control, *others = answer.survival
    gains = tuple(
        Gained(
            arm,
            control,
            _told(part.parts[gain_name("survival", horizon, control, arm)]),
            _told(part.parts[gain_name("restricted_mean", horizon, control, arm)]),
        )
        for arm in others
    )
    return UnderArms(
        about,
        answer.called,
        tuple(_expected(answer, arm, horizon) for arm in answer.survival),
        gains,
        answer.share,
        answer.risk,
        answer.rank,
    )


def _expected(answer: Curve, arm: str, horizon: float) -> Expected:
    place = int(np.searchsorted(answer.times_days, horizon, side="right")) - 1
    band = [None if side is None or arm not in side else side[arm] for side in (answer.low, answer.high)]
    low, high = (None if b is None else float(b[place]) if place >= 0 else 1.0 for b in band)
    return Expected(
        arm,
        np.asarray(answer.times_days),
        np.asarray(answer.survival[arm]),
        band[0],
        band[1],
        (answer.at(horizon, arm), low, high),
        answer.restricted_mean_days(horizon, arm),
        answer.median_days(arm),
    )


def _told(value: Answer) -> Told:
    found = value if isinstance(value, Value) else Value(x=float("nan"))
    bounds = found.bounds
    return (found.x, None, None) if bounds is None else (found.x, bounds.low, bounds.high)
