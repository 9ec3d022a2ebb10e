"""E-value: how strong an unknown cause of both treatment and outcome must be to explain an effect away."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vesalius.core.errors import DataError


@dataclass(frozen=True)
class EValue:
    """How strong a hidden cause must be, as a risk ratio with the treatment and with the outcome alike.

    `point` explains the estimate away, `bound` moves the interval onto no effect; 1 where it holds that already, None
    without an interval.
    """

    point: float
    bound: float | None


def of_risk_ratio(ratio: float, low: float | None = None, high: float | None = None) -> EValue:
    """Return the E-value of a risk ratio and of its interval: RR + √(RR (RR − 1)), of 1 / RR below 1.

    VanderWeele and Ding 2017. Raises DataError where a ratio is not positive, or the estimate lies outside of its
    bounds.
    """
    given = [r for r in (ratio, low, high) if r is not None]
    if not all(r > 0 and math.isfinite(r) for r in given):
        raise DataError("a risk ratio must be positive", found=f"{min(given):g}")
    if (low is None) != (high is None) or (low is not None and high is not None and not low <= ratio <= high):
        raise DataError("an estimate must lie within its interval", found=f"{ratio:g} in {low} to {high}")
    if low is None or high is None:
        return EValue(_strength(ratio), None)
    nearer = low if ratio > 1 else high
    return EValue(_strength(ratio), 1.0 if low <= 1 <= high else _strength(nearer))


def of_survival(control: float, treated: float) -> EValue:
    """Return the E-value of two chances to be free of the event, through the ratio of the risks. Raises DataError."""
    if not (0 <= control < 1 and 0 <= treated < 1):
        raise DataError("a risk ratio needs two risks above 0", found=f"{1 - control:g} and {1 - treated:g}")
    return of_risk_ratio((1 - treated) / (1 - control))


def of_hazard_ratio(
    ratio: float, low: float | None = None, high: float | None = None, *, common: bool
) -> EValue:
    """Return the E-value of a hazard ratio.

    `common`: the event happened to more than 15 % by the end; the ratio of risks is then taken for
    (1 − ½^√HR) / (1 − ½^√(1/HR)) (VanderWeele 2017), else for the hazard ratio itself. Raises DataError.
    """

    def risk(hazard: float | None) -> float | None:
        if hazard is None or not common or hazard <= 0:
            return hazard
        return (1 - math.pow(0.5, math.sqrt(hazard))) / (1 - math.pow(0.5, math.sqrt(1 / hazard)))

    value = risk(ratio)
    return of_risk_ratio(ratio if value is None else value, risk(low), risk(high))


def _strength(ratio: float) -> float:
    above = max(ratio, 1 / ratio)
    return above + math.sqrt(above * (above - 1))
