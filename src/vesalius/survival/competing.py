"""Competing risks: a Cox model of each cause's hazard, and the incidence of each cause from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import listed
from vesalius.survival.cox import Cox, fit_cox
from vesalius.survival.observed import Observed
from vesalius.survival.partial import Ties


def of_cause(observed: Observed, cause: str) -> Observed:
    """Return the same times with events of one cause alone; those of others end the observation, as censoring does.

    By them its cause-specific hazard is told, and no chance: for chances see `incidence`. Raises DataError for an
    unknown cause.
    """
    if cause not in observed.causes:
        raise DataError(f"no event has the cause '{cause}'", found=listed(observed.causes))
    return Observed(observed.time_days, observed.of(cause).astype(np.int64), observed.entry_days, (cause,))


def fit_causes(
    x: Array,
    observed: Observed,
    *,
    names: Sequence[str],
    ties: Ties = "efron",
    strata: Sequence[object] | Array | None = None,
    penalty: float = 0.0,
) -> dict[str, Cox]:
    """Return the cause-specific Cox model of each cause (Prentice 1978). Raises DataError as `fit_cox` does."""
    return {
        cause: fit_cox(x, of_cause(observed, cause), names=names, ties=ties, strata=strata, penalty=penalty)
        for cause in observed.causes
    }


def incidence(
    coxes: Mapping[str, Cox], x: Array, times: Array, *, strata: Sequence[object] | Array | None = None
) -> dict[str, Array]:
    """Return each row's cumulative incidence of each cause at each time, `(N, K)` by cause.

    Between two days of events the chance to have none is exp(-Σ ΔH), and what is lost is shared out by the causes'
    parts of the hazard, so that incidences and exp(-Σ H) add up to one. One less the survival of one cause's model
    would be larger. Raises DataError as `Cox.survival` does, and without a model.
    """
    if not coxes:
        raise DataError("need a Cox model for each cause")
    asked = np.asarray(times, np.float64)
    days = np.unique(np.concatenate([s.times_days for cox in coxes.values() for s in cox.baseline.values()]))
    last = float(asked.max(initial=0.0))
    days = np.union1d(days[days <= last], [last])
    hazards = {c: cox.cumulative_hazard(x, days, strata=strata) for c, cox in coxes.items()}
    jumps = {c: np.diff(h, axis=1, prepend=0.0) for c, h in hazards.items()}
    total = np.sum(list(jumps.values()), axis=0)  # (N, days)
    before = np.exp(-(np.cumsum(total, axis=1) - total))
    lost = before * -np.expm1(-total)
    share = np.divide(lost, total, out=np.zeros_like(total), where=total > 0)
    place = np.searchsorted(days, asked, side="right")
    return {
        c: np.concatenate([np.zeros((len(total), 1)), np.cumsum(share * jump, axis=1)], axis=1)[:, place]
        for c, jump in jumps.items()
    }
