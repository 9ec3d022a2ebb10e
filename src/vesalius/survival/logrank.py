"""Log-rank: do groups of patients differ in how soon the event comes?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.observed import Observed
from vesalius.survival.risksets import sums_at_risk


@dataclass(frozen=True)
class LogRank:
    """The test of equal hazards in all groups; by group the events that came, and those expected if they are equal."""

    chi2: float
    df: int
    p: float
    events: Mapping[str, int]
    expected: Mapping[str, float]


def logrank(
    observed: Observed, groups: Sequence[object] | Array, *, strata: Sequence[object] | Array | None = None
) -> LogRank:
    """Return the log-rank test of two or more groups `(N,)` (Mantel 1966), with ties, late entry and strata.

    Within each stratum `(N,)`, groups are compared among its own patients. Raises DataError where shapes differ, there
    is one group, or nothing tells the groups apart because they are never at risk together.
    """
    from scipy.special import chdtrc

    named = np.array([str(g) for g in groups])
    apart = np.full(len(named), "") if strata is None else np.array([str(s) for s in strata])
    if len(named) != len(observed) or len(apart) != len(observed):
        raise DataError(
            "need a group and a stratum for each patient",
            found=f"{len(named)} groups, {len(apart)} strata and {len(observed)} times",
        )
    names = [str(n) for n in np.unique(named)]
    if len(names) < 2:
        raise DataError("need two groups to compare", found=", ".join(names) or "none")
    belongs = np.stack([named == n for n in names], axis=1).astype(np.float64)  # (N, G)
    events, expected, covariance = (
        np.zeros(len(names)),
        np.zeros(len(names)),
        np.zeros((len(names), len(names))),
    )
    for stratum in np.unique(apart):
        rows = np.flatnonzero(apart == stratum)
        came, due, spread = _one(observed.where(rows), belongs[rows])
        events, expected, covariance = events + came, expected + due, covariance + spread
    df = int(np.linalg.matrix_rank(covariance, tol=1e-9 * max(1.0, float(np.trace(covariance)))))
    if not df:
        raise DataError("the groups cannot be compared: at each event all patients at risk are of one group")
    gone = events - expected
    chi2 = float(gone @ np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ gone)
    return LogRank(
        chi2,
        df,
        float(chdtrc(df, chi2)),
        dict(zip(names, events.astype(int).tolist(), strict=True)),
        dict(zip(names, expected.tolist(), strict=True)),
    )


def _one(seen: Observed, belongs: Array) -> tuple[Array, Array, Array]:
    """Return a stratum's events by group, those expected, and the covariance of their difference."""
    dead = seen.happened
    days, place = np.unique(seen.time_days[dead], return_inverse=True)
    risk = sums_at_risk(seen, days, belongs)  # (K, G)
    total = risk.sum(1)
    many = np.bincount(place, minlength=len(days)).astype(np.float64)
    share = risk / total[:, None]
    # hypergeometric: d (n - d) / (n - 1) of shares; one patient at risk varies in nothing
    scale = many * np.divide(total - many, total - 1, out=np.zeros_like(total), where=total > 1)
    spread = np.diag((scale[:, None] * share).sum(0)) - (share * scale[:, None]).T @ share
    return belongs[dead].sum(0), (share * many[:, None]).sum(0), spread
