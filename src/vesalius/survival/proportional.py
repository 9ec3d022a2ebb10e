"""Are hazards proportional? Schoenfeld's residuals of a Cox model against time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.cox import Cox
from vesalius.survival.curves import kaplan_meier
from vesalius.survival.observed import Observed
from vesalius.survival.partial import partial

Scale = Literal["km", "rank", "log", "days"]


@dataclass(frozen=True)
class Proportional:
    """The test of one column, or of all together ("all"): a small p says that its hazard ratio changes over time."""

    name: str
    chi2: float
    df: int
    p: float


def proportional_hazards(
    cox: Cox,
    x: Array,
    observed: Observed,
    *,
    strata: Sequence[object] | Array | None = None,
    weights: Array | None = None,
    scale: Scale = "km",
) -> tuple[Proportional, ...]:
    """Return the tests of proportional hazards of each column and of all, for the table that a model was fitted on.

    They hold scaled Schoenfeld residuals against a `scale` of time: one less Kaplan-Meier, its rank, its logarithm or
    days themselves (Grambsch and Therneau 1994). Raises DataError where the table is not that of the fit, the model is
    penalised, or all events fall on one day.
    """
    from scipy.special import chdtrc

    if cox.penalty > 0:
        raise DataError(
            "a penalised model has no test of proportional hazards", hint="fit it without a penalty"
        )
    table = np.asarray(x, np.float64)
    likelihood = partial(table, observed, ties=cox.ties, strata=strata, weights=weights)
    if table.shape[1:] != cox.coefficients.shape or not np.isclose(
        likelihood.value(cox.coefficients), cox.log_likelihood, rtol=1e-6
    ):
        raise DataError(
            "this is not the table that the model was fitted on", hint="give its columns, strata and weights"
        )
    rows, residuals = likelihood.schoenfeld(cox.coefficients)
    own = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64)[rows]
    residuals = residuals * own[:, None]
    time = _scaled(observed, observed.time_days[rows], scale)
    time = time - time.mean()
    whole = float((time**2).sum())
    if not whole > 1e-12:
        raise DataError("all events fall on one day, so nothing can change over time")
    pulled, covariance = time @ residuals, cox.covariance
    events = len(rows)
    each = (covariance @ pulled) ** 2 * events / (np.diag(covariance) * whole)
    together = float(pulled @ covariance @ pulled) * events / whole
    return (
        *(Proportional(n, float(c), 1, float(chdtrc(1, c))) for n, c in zip(cox.names, each, strict=True)),
        Proportional("all", together, len(cox.names), float(chdtrc(len(cox.names), together))),
    )


def _scaled(observed: Observed, days: Array, scale: Scale) -> Array:
    if scale == "km":
        return np.asarray(1 - kaplan_meier(observed).left(days))
    if scale == "rank":
        rising = np.sort(days)
        return np.asarray(np.searchsorted(rising, days, "left") + np.searchsorted(rising, days, "right")) / 2
    if scale == "log":
        if (days <= 0).any():
            raise DataError("an event on day 0 has no place on the scale of log time", hint="another scale")
        return np.asarray(np.log(days))
    if scale == "days":
        return days
    raise DataError(f"time is scaled by {', '.join(get_args(Scale))}", found=str(scale))
