"""Curves of observed times: Kaplan-Meier, Nelson-Aalen, Aalen-Johansen, the curve of censoring, medians and means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.observed import Observed
from vesalius.survival.risksets import Counts, at_risk, counts
from vesalius.survival.step import Step

__all__ = [
    "RestrictedMean",
    "aalen_johansen",
    "at_risk",
    "censoring",
    "kaplan_meier",
    "median_band",
    "median_days",
    "nelson_aalen",
    "restricted_mean",
    "restricted_mean_days",
]


_ROUNDED = 1e-12  # a sum of shares meets one inexactly


@dataclass(frozen=True)
class RestrictedMean:
    """The mean time without the event up to a day, and the standard error of it, both in days."""

    days: float
    error_days: float
    until_days: float


def kaplan_meier(observed: Observed, *, level: float = 0.95) -> Step:
    """Return the share of patients without any event over time (Kaplan and Meier 1958), with late entry.

    Its times are all days on which an observation ends. The band is Greenwood's variance on the scale of log(-log S)
    (Kalbfleisch and Prentice 2002, eq. 1.14), point by point; where the curve has come to 0 it stays as wide as it was
    above. Raises DataError without patients, or where late entry leaves nobody at risk in between.
    """
    found = counts(observed)
    survival = _product(found.events, found.at_risk, late=bool((observed.entry_days > 0).any()))
    low, high = _log_log(survival, _greenwood(found), level)
    return Step(found.times_days, survival, 1.0, low, high)


def censoring(observed: Observed) -> Step:
    """Return the share of patients not yet censored over time, by Kaplan-Meier's method with the roles exchanged.

    An event on the day of a censoring comes before it, so who has the event is no longer at risk to be censored then.
    Raises DataError as `kaplan_meier` does.
    """
    found = counts(observed)
    late = bool((observed.entry_days > 0).any())
    return Step(found.times_days, _product(found.censored, found.at_risk - found.events, late=late), 1.0)


def nelson_aalen(observed: Observed, *, level: float = 0.95) -> Step:
    """Return the cumulative hazard of any event over time (Nelson 1969, Aalen 1978), with late entry.

    The band is that of its logarithm, with the variance Σ d/n². Raises DataError without patients.
    """
    found = counts(observed)
    risk = np.maximum(found.at_risk, 1.0)
    hazard = np.cumsum(found.events / risk)
    error = np.sqrt(np.cumsum(found.events / risk**2))
    wide = _z(level) * np.divide(error, hazard, out=np.zeros_like(hazard), where=hazard > 0)
    return Step(found.times_days, hazard, 0.0, hazard * np.exp(-wide), hazard * np.exp(wide))


def aalen_johansen(observed: Observed, cause: str, *, level: float = 0.95) -> Step:
    """Return the cumulative incidence of one cause where the others compete (Aalen and Johansen 1978).

    One minus Kaplan-Meier of a cause, its rivals counted as censored, is larger than this and answers no question. The
    band is the delta method's variance (Marubini and Valsecchi 1995, eq. 10.12) on the scale of log(-log). Raises
    DataError for an unknown cause, and as `kaplan_meier` does.
    """
    if cause not in observed.causes:
        raise DataError(f"no event has the cause '{cause}'", found=", ".join(observed.causes))
    found = counts(observed)
    own = counts(observed, observed.of(cause)).events
    survival = _product(found.events, found.at_risk, late=bool((observed.entry_days > 0).any()))
    before = np.concatenate([[1.0], survival[:-1]])
    risk = np.maximum(found.at_risk, 1.0)
    incidence = np.cumsum(before * own / risk)
    variance = _incidence_variance(found, own, before, incidence)
    low, high = _log_log(incidence, variance / np.maximum(incidence, 1e-150) ** 2, level)
    return Step(found.times_days, incidence, 0.0, low, high)


def median_days(step: Step) -> float | None:
    """Return the first time at which a survival curve is at or below one half; None where it does not fall so far."""
    return _first(step.times_days, step.values)


def median_band(step: Step) -> tuple[float | None, float | None]:
    """Return between which times the median lies: where the band's ends fall to one half (Brookmeyer and Crowley 1982).

    An end is None where the data do not reach it. Raises DataError for a curve without a band.
    """
    if step.low is None or step.high is None:
        raise DataError("need a curve with a band for the median's interval")
    return _first(step.times_days, step.low), _first(step.times_days, step.high)


def restricted_mean_days(step: Step, until: float) -> float:
    """Return the area under a survival curve up to a day. Raises DataError where the curve ends before, above 0."""
    _tells(step, until)
    edges = np.concatenate([[0.0], np.minimum(step.times_days, until), [until]])
    return float((np.diff(edges) * np.concatenate([[step.before], step.values])).sum())


def restricted_mean(observed: Observed, until: float) -> RestrictedMean:
    """Return Kaplan-Meier's restricted mean and its standard error (Klein and Moeschberger 2003, eq. 4.5.2).

    Raises DataError where the follow-up ends before the day.
    """
    curve, found = kaplan_meier(observed), counts(observed)
    mean = restricted_mean_days(curve, until)
    upto = np.minimum(found.times_days, until)
    areas = np.diff(np.concatenate([upto, [until]])) * curve.values
    after = np.cumsum(areas[::-1])[::-1]  # the area from each time to the end
    terms = after**2 * _terms(found)
    inside = found.times_days <= until
    return RestrictedMean(mean, float(np.sqrt(terms[inside].sum())), until)


def _tells(step: Step, until: float) -> None:
    if until > step.end_days and (not len(step.values) or step.values[-1] > 0):
        raise DataError(
            f"the curve does not tell of day {until:g}", found=f"it ends at day {step.end_days:g}"
        )


def _product(events: Array, risk: Array, *, late: bool) -> Array:
    """Return the product of one minus the hazards. Late entry may empty the risk set too early, which is refused."""
    survival = np.cumprod(1.0 - np.divide(events, risk, out=np.zeros_like(risk), where=risk > 0))
    if late:
        gone = np.flatnonzero((risk > 0) & (events >= risk))
        if len(gone) and (risk[gone[0] + 1 :] > 0).any():
            raise DataError(
                "late entry leaves nobody at risk before others enter, so the curve would be 0 from then on",
                hint="begin at a later day, when more patients are under observation",
            )
    return np.asarray(survival)


def _terms(found: Counts) -> Array:
    """Return Greenwood's terms d / n(n - d), 0 where the last patient at risk has the event."""
    left = found.at_risk * (found.at_risk - found.events)
    return np.asarray(np.divide(found.events, left, out=np.zeros_like(left), where=left > 0))


def _greenwood(found: Counts) -> Array:
    """Return the variance of log S at each time."""
    return np.asarray(np.cumsum(_terms(found)))


def _incidence_variance(found: Counts, own: Array, before: Array, incidence: Array) -> Array:
    risk = np.maximum(found.at_risk, 1.0)
    greenwood, jump = _terms(found), before * own / risk**2
    # Σ (F - Fᵢ)² gᵢ, multiplied out so that running sums do
    squares = (
        incidence**2 * np.cumsum(greenwood)
        - 2 * incidence * np.cumsum(incidence * greenwood)
        + np.cumsum(incidence**2 * greenwood)
    )
    own_part = np.cumsum(before**2 * (risk - own) * own / risk**3)
    mixed = incidence * np.cumsum(jump) - np.cumsum(incidence * jump)
    return np.asarray(np.maximum(squares + own_part - 2 * mixed, 0.0))


def _log_log(share: Array, variance: Array, level: float) -> tuple[Array, Array]:
    """Return the band of a share by the variance of its logarithm, on the scale of log(-log)."""
    share = np.where(share > 1 - _ROUNDED, 1.0, share)
    inside = (share > 0) & (share < 1)
    logs = np.log(np.where(inside, share, 0.5))
    wide = np.exp(_z(level) * np.sqrt(np.where(inside, variance, 0.0)) / -logs)
    low, high = np.where(inside, np.exp(logs * wide), share), np.where(inside, np.exp(logs / wide), share)
    # the variance has no value where a share has come to its end: the band stays as wide as it was
    if (share == 0).any() and share[0] > 0:
        high = np.where(share == 0, high[share > 0][-1], high)
    if (share == 1).any() and share[0] < 1:
        low = np.where(share == 1, low[share < 1][-1], low)
    return low, high


def _z(level: float) -> float:
    from scipy.special import ndtri

    if not 0 < level < 1:
        raise DataError("a band's level must lie between 0 and 1", found=f"{level:g}")
    return float(ndtri((1 + level) / 2))


def _first(times: Array, share: Array) -> float | None:
    below = np.flatnonzero(share <= 0.5 + 1e-12)  # a product of hazards meets one half inexactly
    return float(times[below[0]]) if len(below) else None
