"""Cox: a proportional hazards model of columns, with ties, strata, late entry, weights and a penalty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import listed
from vesalius.survival.baseline import breslow
from vesalius.survival.newton import columns, maximise
from vesalius.survival.observed import Observed
from vesalius.survival.partial import ALL, Partial, Ties, partial, partial_likelihood
from vesalius.survival.step import Step

__all__ = ["Cox", "HazardRatio", "breslow", "fit_cox", "partial_likelihood"]


@dataclass(frozen=True)
class HazardRatio:
    """One column's hazard ratio for one unit more, with its interval and Wald's p; None where a penalty shrinks it."""

    name: str
    ratio: float
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True, eq=False)
class Cox:
    """A fitted Cox model.

    `coefficients` `(F,)` are log hazard ratios for one unit of each column, `covariance` `(F, F)` theirs: the sandwich
    where `robust`. `centre` `(F,)` is the mean patient, whose log hazard is 0, and `baseline` its cumulative hazard,
    stratum by stratum ("all" without strata). `penalty` is the ridge of the fit.
    """

    names: tuple[str, ...]
    coefficients: Array
    covariance: Array
    centre: Array
    baseline: Mapping[str, Step]
    log_likelihood: float
    null_log_likelihood: float
    patients: int
    events: int
    ties: Ties
    penalty: float
    robust: bool

    @property
    def errors(self) -> Array:
        """Return the standard errors of the coefficients `(F,)`."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def hazard_ratios(self, *, level: float = 0.95) -> tuple[HazardRatio, ...]:
        """Return each column's hazard ratio with its interval and p. A penalised model has neither: it is biased."""
        from scipy.special import ndtr, ndtri

        rows, wide = [], float(ndtri((1 + level) / 2)) * self.errors
        for name, beta, error, width in zip(self.names, self.coefficients, self.errors, wide, strict=True):
            if self.penalty > 0:
                rows.append(HazardRatio(name, float(np.exp(beta)), None, None, None))
                continue
            ends = float(np.exp(beta - width)), float(np.exp(beta + width))
            rows.append(HazardRatio(name, float(np.exp(beta)), *ends, float(2 * ndtr(-abs(beta / error)))))
        return tuple(rows)

    def log_hazard(self, x: Array) -> Array:
        """Return the log of each row's hazard over the mean patient's, `(N,)`. Raises DataError for other columns."""
        table = np.asarray(x, np.float64)
        if table.ndim != 2 or table.shape[1] != len(self.names) or not np.isfinite(table).all():
            raise DataError(
                f"need finite values of the {len(self.names)} columns {listed(self.names, 5)}",
                found=f"shape {table.shape}, {int((~np.isfinite(table)).sum())} not finite",
            )
        return np.asarray((table - self.centre) @ self.coefficients)

    def survival(self, x: Array, times: Array, *, strata: Sequence[object] | Array | None = None) -> Array:
        """Return each row's chance to be without the event at each time, `(N, K)`.

        Raises DataError beyond the follow-up of a row's stratum, and where a stratum is missing or unknown.
        """
        return np.asarray(np.exp(-self.cumulative_hazard(x, times, strata=strata)))

    def cumulative_hazard(
        self, x: Array, times: Array, *, strata: Sequence[object] | Array | None = None
    ) -> Array:
        """Return each row's cumulative hazard at each time, `(N, K)`. Raises DataError as `survival` does."""
        logs, days = self.log_hazard(x), np.asarray(times, np.float64)
        names = [ALL] * len(logs) if strata is None else [str(s) for s in strata]
        if len(names) != len(logs) or set(names) - set(self.baseline):
            raise DataError(
                "need each row's stratum, one of those of the fit",
                found=listed(sorted(set(names)), 5),
                hint=f"the fit has {listed(list(self.baseline), 8)}",
            )
        end = min((self.baseline[n].end_days for n in set(names)), default=np.inf)
        if len(days) and days.max() > end:
            raise DataError(
                f"the baseline does not tell of day {days.max():g}", found=f"it ends at day {end:g}"
            )
        hazard = np.stack([self.baseline[n].at(days) for n in names]) if names else np.zeros((0, len(days)))
        return np.asarray(hazard * np.exp(np.minimum(logs, 600.0))[:, None])


def fit_cox(
    x: Array,
    observed: Observed,
    *,
    names: Sequence[str],
    ties: Ties = "efron",
    strata: Sequence[object] | Array | None = None,
    weights: Array | None = None,
    penalty: float = 0.0,
    cluster: Sequence[object] | Array | None = None,
    robust: bool | None = None,
) -> Cox:
    """Return the Cox model of columns `x` `(N, F)`, by Newton's method (Cox 1972; Therneau and Grambsch 2000, ch. 3).

    `strata` `(N,)` have baselines of their own. `weights` `(N,)` are of cases; whole numbers count patients. The
    `penalty` takes N/2 · penalty · Σ (coefficient · standard deviation)² off the log of the likelihood. The covariance
    is the sandwich (Lin and Wei 1989), summed over each `cluster` `(N,)`, where `robust`: by default with a cluster, or
    with weights that are not whole. An event of any cause counts; pass those of one cause as events for a cause's own
    hazard. Raises DataError where a column is not finite, is constant or is told by others, where nobody has the event,
    and where the likelihood grows without end.
    """
    table = np.asarray(x, np.float64)
    weight = np.ones(len(observed)) if weights is None else np.asarray(weights, np.float64)
    if not penalty >= 0:
        raise DataError("a penalty must be 0 or more", found=f"{penalty:g}")
    likelihood = partial(table, observed, ties=ties, strata=strata, weights=weight)
    scaled = columns(table, names, weight)
    likelihood = Partial(scaled.z, likelihood.strata, likelihood.names)
    gamma, information = maximise(likelihood, names, ridge=penalty * float(weight.sum()))
    if cluster is not None and robust is False:
        raise DataError(
            "clusters are heeded by the sandwich alone", hint="leave out robust=False, or the clusters"
        )
    whole = bool((weight == np.round(weight)).all())
    wide = (cluster is not None or not whole) if robust is None else robust
    covariance = _covariance(likelihood, gamma, information, cluster=cluster, robust=wide)
    logs = scaled.z @ gamma
    baseline = {
        name: breslow(logs[part.rows], part.observed, weights=part.weights)
        for name, part in zip(likelihood.names, likelihood.strata, strict=True)
    }
    return Cox(
        names=tuple(names),
        coefficients=gamma / scaled.spread,
        covariance=covariance / np.outer(scaled.spread, scaled.spread),
        centre=scaled.centre,
        baseline=baseline,
        log_likelihood=likelihood.value(gamma),
        null_log_likelihood=likelihood.value(np.zeros_like(gamma)),
        patients=int((weight > 0).sum()),
        events=int((observed.happened & (weight > 0)).sum()),
        ties=ties,
        penalty=float(penalty),
        robust=wide,
    )


def _covariance(
    likelihood: Partial,
    gamma: Array,
    information: Array,
    *,
    cluster: Sequence[object] | Array | None,
    robust: bool,
) -> Array:
    inverse = np.linalg.inv(information)
    if not robust:
        return np.asarray(inverse)
    scores = likelihood.scores(gamma)
    if cluster is not None:
        if len(cluster) != len(scores):
            raise DataError("need a cluster for each patient", found=f"{len(cluster)} for {len(scores)}")
        groups = np.unique([str(c) for c in cluster], return_inverse=True)[1]
        sums = np.zeros((groups.max() + 1, scores.shape[1]))
        np.add.at(sums, groups, scores)
        scores = sums
    return np.asarray(inverse @ (scores.T @ scores) @ inverse)
