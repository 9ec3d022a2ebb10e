"""Conformal: thresholds by which answers keep a promised coverage, fitted on cases that the model never saw.

Split conformal prediction (Vovk, Gammerman & Shafer 2005; Lei et al. 2018): how strange the truth looks beside an
answer is a number for each case; the ⌈(n + 1)(1 − α)⌉-th smallest is the threshold. A new case lies at or below it with
a probability of at least 1 − α, whatever the model, if it is exchangeable with those of the calibration. Conformal risk
control (Angelopoulos et al. 2022, arXiv 2208.02814) holds a mean loss instead of a share, where each case has a curve
of losses that never falls with the threshold. Thresholds of each group (Mondrian) keep the promise in it by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array
from vesalius.core.operating import clopper_pearson
from vesalius.core.promise import FEW
from vesalius.core.words import counted

Strange = Mapping[str, float | Array]  # of one case, by name: a number, or a curve of losses
_SLACK = 1e-9


@dataclass(frozen=True)
class Share:
    """A share of `n` cases with its exact 95 % interval (Clopper & Pearson 1934)."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, eq=False)
class Fitted:
    """Thresholds by name, each with the number of cases that it stands on; infinite where nothing may be left out."""

    at: Mapping[str, float]
    n: Mapping[str, int]

    def json(self) -> dict[str, Any]:
        """Return the thresholds as plain data; one that is infinite becomes null."""
        at = {name: float(x) if math.isfinite(x) else None for name, x in self.at.items()}
        return {"n": dict(self.n), "at": at}


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Thresholds of all cases, of each group with FEW cases at least, and how many cases the other groups have."""

    pooled: Fitted
    groups: Mapping[str, Fitted] = field(default_factory=dict)
    few: Mapping[str, int] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Return all of it as plain data, as `core/promise.py` reads it."""
        groups = {name: one.json() for name, one in self.groups.items()}
        return {"pooled": self.pooled.json(), "groups": groups, "few": dict(self.few)}


def assert_coverage(coverage: float) -> None:
    """Raise PlanError for a coverage that cannot be promised."""
    if not isinstance(coverage, int | float) or isinstance(coverage, bool) or not 0 < coverage < 1:
        raise PlanError("a promised coverage lies between 0 and 1", found=str(coverage), hint="0.9")


def quantile(scores: Sequence[float] | Array, coverage: float) -> float:
    """Return the ⌈(n + 1)·coverage⌉-th smallest of `n` scores; infinite where there are fewer than that."""
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    place = math.ceil((len(ordered) + 1) * coverage - _SLACK)
    return float(ordered[place - 1]) if place <= len(ordered) else math.inf


def controlled(losses: Array, coverage: float) -> float:
    """Return the last place of curves of losses `(N, L)` at which their mean may be believed to be ≤ 1 − coverage.

    Losses lie in 0 to 1 and do not fall from place to place, and (n·R̂ + 1) / (n + 1) ≤ 1 − coverage (theorem 1 of
    arXiv 2208.02814). Infinite where no place keeps that, so that nothing may be left out.
    """
    curves = np.asarray(losses, dtype=np.float64)
    n = len(curves)
    if not n:
        return math.inf
    if (np.diff(curves, axis=1) < -_SLACK).any() or curves.min() < -_SLACK or curves.max() > 1 + _SLACK:
        raise DataError("losses must lie in 0 to 1 and not fall with the threshold")
    bound = (curves.sum(axis=0) + 1) / (n + 1)
    held = np.flatnonzero(bound <= 1 - coverage + _SLACK)
    return float(held[-1]) if len(held) else math.inf


def thresholds(strange: Sequence[Strange], coverage: float) -> Fitted:
    """Return the threshold of each name from the cases that have it; what is not a number counts for nothing."""
    at: dict[str, float] = {}
    n: dict[str, int] = {}
    for name in dict.fromkeys(name for one in strange for name in one):
        held = [np.asarray(one[name], dtype=np.float64) for one in strange if name in one]
        held = [value for value in held if not np.isnan(value).any()]
        n[name] = len(held)
        curves = bool(held) and held[0].ndim > 0
        at[name] = controlled(np.stack(held), coverage) if curves else quantile(np.array(held), coverage)
    return Fitted(at, n)


def fit(
    strange: Sequence[Strange],
    coverage: float,
    *,
    groups: Sequence[str | None] | None = None,
    few: int = FEW,
) -> Calibrated:
    """Return the thresholds that keep a coverage, of all cases and of each group with at least `few` of them.

    `groups` names the group of each case, None where that is not known. Of a group a name has a threshold of its own
    where `few` of its cases have that name. Raises PlanError for a coverage that cannot be promised, DataError where no
    case says anything.
    """
    assert_coverage(coverage)
    pooled = thresholds(strange, coverage)
    if not any(pooled.n.values()):
        raise DataError(
            "nothing can be promised on these cases",
            found=f"{counted(len(strange), 'case')}, none with a truth",
        )
    own: dict[str, Fitted] = {}
    small: dict[str, int] = {}
    for group in sorted({g for g in groups or () if g is not None}):
        inside = [one for one, g in zip(strange, groups or (), strict=True) if g == group]
        if len(inside) < few:
            small[group] = len(inside)
            continue
        found = thresholds(inside, coverage)
        kept = [name for name, n in found.n.items() if n >= few]
        if kept:
            own[group] = Fitted({k: found.at[k] for k in kept}, {k: found.n[k] for k in kept})
        else:
            small[group] = len(inside)
    return Calibrated(pooled, own, small)


def share_of(hits: int, n: int, *, level: float = 0.95) -> Share:
    """Return `hits` of `n` with the exact binomial interval (Clopper & Pearson 1934)."""
    if n < 1:
        return Share(None, None, None, 0)
    low, high = clopper_pearson(hits, n, level=level)
    return Share(hits / n, low, high, n)


def chance_of(hits: int, n: int, *, coverage: float, calibrated: int) -> float:
    """Return the probability that at most `hits` of `n` new cases are covered, where the promise is kept.

    The calibration cases were drawn, too: the covered ones follow a beta-binomial law of l = ⌈(m + 1)·coverage⌉ of
    m = `calibrated` (Vovk 2012; Angelopoulos & Bates 2023, section 3.2). 1 where nothing was left out.
    """
    place = math.ceil((calibrated + 1) * coverage - _SLACK)
    if place > calibrated:
        return 1.0
    return float(stats.betabinom.cdf(hits, n, place, calibrated + 1 - place))


def expected(n: int, *, coverage: float, calibrated: int, level: float = 0.95) -> tuple[float, float]:
    """Return within which shares of `n` new cases the covered ones lie, of as many draws as `level` says.

    The law is that of `chance_of`, for scores without ties. `(1, 1)` where nothing may be left out.
    """
    place = math.ceil((calibrated + 1) * coverage - _SLACK)
    if place > calibrated:
        return 1.0, 1.0
    law = stats.betabinom(n, place, calibrated + 1 - place)
    low, high = law.ppf((1 - level) / 2), law.ppf(1 - (1 - level) / 2)
    return float(low) / n, float(high) / n
