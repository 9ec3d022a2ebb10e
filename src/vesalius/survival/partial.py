"""Cox's partial likelihood: its value, gradient and information, with ties, strata, late entry and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.observed import Observed
from vesalius.survival.risksets import sums_at_risk

Ties = Literal["efron", "breslow"]
_TINY = 1e-200  # of the largest hazard
ALL = "all"  # the one stratum where there are none


@dataclass(frozen=True, eq=False)
class Stratum:
    """One stratum: its patients, its event days, and one term of the likelihood for each of its events.

    `rows` `(N,)` are its patients' places in the table. `days` `(K,)` are the distinct days of events, and `tie` `(N,)`
    whose day each patient's event has, -1 without one. Of the M terms, `day` `(M,)` is the place in `days`, `share`
    `(M,)` what part of the tied patients' hazards is taken out (Efron), and `weight` `(M,)` its weight.
    """

    rows: Array
    observed: Observed
    weights: Array
    days: Array
    tie: Array
    day: Array
    share: Array
    weight: Array

    def hazards(self, hazard: Array, values: Array | None = None) -> Array:
        """Return the sums of hazards `(N,)`, times `values` `(N, F)`, below each term: `(M,)` or `(M, F)`."""
        summed = hazard if values is None else hazard[:, None] * values
        below = sums_at_risk(self.observed, self.days, summed)[self.day]
        if not self.share.any():
            return np.asarray(below)
        dead = self.tie >= 0
        tied = np.zeros((len(self.days), *summed.shape[1:]))
        np.add.at(tied, self.tie[dead], summed[dead])
        share = self.share if values is None else self.share[:, None]
        return np.asarray(below - share * tied[self.day])

    def passed(self, terms: Array) -> Array:
        """Return, for each patient, the sum of `terms` `(M, …)` over the terms that it was at risk for: `(N, …)`."""
        shape = (-1,) + (1,) * (terms.ndim - 1)
        whole = np.zeros((len(self.days) + 1, *terms.shape[1:]))
        np.add.at(whole, self.day + 1, terms)
        whole = np.cumsum(whole, axis=0)
        ends = np.searchsorted(self.days, self.observed.time_days, side="right")
        starts = np.searchsorted(self.days, self.observed.entry_days, side="right")
        starts = np.where(self.observed.entry_days > 0, starts, 0)
        sums = whole[ends] - whole[starts]
        if self.share.any():
            taken = np.zeros((len(self.days) + 1, *terms.shape[1:]))
            np.add.at(taken, self.day, terms * self.share.reshape(shape))
            sums = sums - taken[self.tie]  # the last row is 0: patients without an event
        return np.asarray(sums)


def stratum(observed: Observed, weights: Array, *, rows: Array, ties: Ties) -> Stratum:
    """Return the stratum of these patients of the table."""
    seen, own = observed.where(rows), weights[rows]
    dead = seen.happened & (own > 0)
    days, place = np.unique(seen.time_days[dead], return_inverse=True)
    tie = np.full(len(rows), -1)
    tie[dead] = place
    many = np.bincount(place, minlength=len(days))
    weight, share = own[dead][np.argsort(place, kind="stable")], np.zeros(len(place))
    day = np.repeat(np.arange(len(days)), many)
    if ties == "efron":
        weight = (np.bincount(place, weights=own[dead], minlength=len(days)) / np.maximum(many, 1))[day]
        first = np.concatenate([[0], np.cumsum(many)[:-1]]) if len(many) else many
        share = (np.arange(len(place)) - first[day]) / many[day]
    return Stratum(rows, seen, own, days, tie, day, share, weight)


@dataclass(frozen=True, eq=False)
class Partial:
    """The log of a partial likelihood of columns `x` `(N, F)`."""

    x: Array
    strata: tuple[Stratum, ...]
    names: tuple[str, ...] = field(default=(ALL,))  # of the strata

    def value(self, beta: Array) -> float:
        """Return the log of the likelihood at coefficients `(F,)`."""
        return self.of(self.x @ beta)

    def of(self, log_hazard: Array) -> float:
        """Return the log of the likelihood of these log hazards `(N,)`; minus infinity beyond floating point."""
        total = 0.0
        for part in self.strata:
            logs, hazard = _hazard(part, log_hazard)
            dead = part.tie >= 0
            total += float((part.weights[dead] * logs[dead]).sum())
            below = part.hazards(hazard)
            if (below < _TINY).any():  # hazards so unlike that some are lost beside others
                return -np.inf
            total -= float((part.weight * np.log(below)).sum())
        return total

    def slopes(self, beta: Array) -> tuple[Array, Array]:
        """Return the gradient `(F,)` and the information `(F, F)` (minus the second derivative) at coefficients."""
        width = self.x.shape[1]
        gradient, information = np.zeros(width), np.zeros((width, width))
        for part in self.strata:
            x, (_, hazard) = self.x[part.rows], _hazard(part, self.x[part.rows] @ beta, own=True)
            below = part.hazards(hazard)
            expected = hazard * part.passed(part.weight / below)
            mean = part.hazards(hazard, x) / below[:, None]
            gradient += (part.weights * (part.tie >= 0) - expected) @ x
            information += (x * expected[:, None]).T @ x - (mean * part.weight[:, None]).T @ mean
        return gradient, information

    def scores(self, beta: Array) -> Array:
        """Return each patient's own part of the gradient, weighted, `(N, F)` (Therneau and Grambsch 2000, ch. 4.6)."""
        scores = np.zeros_like(self.x)
        for part in self.strata:
            x, (_, hazard) = self.x[part.rows], _hazard(part, self.x[part.rows] @ beta, own=True)
            below = part.hazards(hazard)
            mean = part.hazards(hazard, x) / below[:, None]
            each = part.weight / below
            expected, pulled = part.passed(each), part.passed(each[:, None] * mean)
            own = part.weights[:, None] * (x - self._tied_mean(part, mean)) * (part.tie >= 0)[:, None]
            scores[part.rows] = own - hazard[:, None] * (x * expected[:, None] - pulled)
        return scores

    def schoenfeld(self, beta: Array) -> tuple[Array, Array]:
        """Return each event's place in the table `(M,)`, and its columns less the mean of those at risk `(M, F)`."""
        rows, residuals = [], []
        for part in self.strata:
            x, (_, hazard) = self.x[part.rows], _hazard(part, self.x[part.rows] @ beta, own=True)
            mean = part.hazards(hazard, x) / part.hazards(hazard)[:, None]
            dead = part.tie >= 0
            rows.append(part.rows[dead])
            residuals.append((x - self._tied_mean(part, mean))[dead])
        return np.concatenate(rows), np.concatenate(residuals)

    @staticmethod
    def _tied_mean(part: Stratum, mean: Array) -> Array:
        """Return the mean column at each patient's event day, over the terms of its ties; 0 without an event."""
        sums = np.zeros((len(part.days) + 1, mean.shape[1]))
        np.add.at(sums, part.day, mean)
        sums[:-1] /= np.bincount(part.day, minlength=len(part.days))[:, None]
        return np.asarray(sums[part.tie])


def _hazard(part: Stratum, log_hazard: Array, *, own: bool = False) -> tuple[Array, Array]:
    """Return a stratum's log hazards less their largest, which changes nothing and keeps exp in range, and hazards."""
    logs = log_hazard if own else log_hazard[part.rows]
    logs = logs - logs.max()
    return logs, part.weights * np.exp(logs)


def partial(
    x: Array,
    observed: Observed,
    *,
    ties: Ties = "efron",
    strata: Sequence[object] | Array | None = None,
    weights: Array | None = None,
) -> Partial:
    """Return the partial likelihood of columns `(N, F)`.

    `strata` `(N,)` name the group whose own baseline a patient has. `weights` `(N,)` are of cases, 0 or more. Raises
    DataError where shapes differ, a weight is negative, ties are unknown or nobody has an event.
    """
    if ties not in get_args(Ties):
        raise DataError(f"ties are handled by {' or '.join(get_args(Ties))}", found=str(ties))
    weight = np.ones(len(observed)) if weights is None else np.asarray(weights, np.float64)
    groups = np.full(len(observed), ALL) if strata is None else np.array([str(s) for s in strata])
    if len(x) != len(observed) or weight.shape != (len(observed),) or len(groups) != len(observed):
        raise DataError(
            "need columns, a weight and a stratum for each patient",
            found=f"{len(x)} rows, {len(weight)} weights, {len(groups)} strata and {len(observed)} times",
        )
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise DataError("weights must be finite and not negative", found=f"{weight.min():g}")
    if not (observed.happened & (weight > 0)).any():
        raise DataError("nobody has the event, so no hazards can be compared")
    names = tuple(str(n) for n in np.unique(groups))
    parts = tuple(stratum(observed, weight, rows=np.flatnonzero(groups == n), ties=ties) for n in names)
    return Partial(x, parts, names)


def partial_likelihood(
    log_hazard: Array,
    observed: Observed,
    *,
    ties: Ties = "efron",
    strata: Sequence[object] | Array | None = None,
    weights: Array | None = None,
) -> float:
    """Return the log of Cox's partial likelihood of these log hazards `(N,)` (Cox 1972; ties: Efron 1977).

    Raises DataError as `partial` does.
    """
    logs = np.asarray(log_hazard, np.float64)
    return partial(logs[:, None], observed, ties=ties, strata=strata, weights=weights).of(logs)
