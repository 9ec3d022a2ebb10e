"""A nomogram as data: points for each value of each factor of a Cox model, and survival by the sum of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import listed
from vesalius.survival.cox import Cox
from vesalius.survival.partial import ALL

FULL = 100.0  # points of the widest factor


@dataclass(frozen=True)
class Factor:
    """One axis of a nomogram: a column, or several that say by a one which category a patient has.

    `reference` is the category of patients with none of the columns set; None for a single column of numbers.
    """

    name: str
    columns: tuple[str, ...]
    reference: str | None = None


@dataclass(frozen=True)
class Axis:
    """A factor's values in words or numbers, each with its points (0 at the least hazard)."""

    name: str
    values: tuple[float | str, ...]
    points: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Nomogram:
    """Axes of factors, and below them survival by total points.

    `totals` `(K,)` are total points, and `survival` day → `(K,)` the chance to be without the event then. A patient's
    log hazard is `origin` + total points · `per_point`.
    """

    axes: tuple[Axis, ...]
    totals: Array
    survival: Mapping[float, Array]
    origin: float
    per_point: float
    names: tuple[str, ...]
    slopes: Array  # points for one unit of each column, (F,)
    floor: float  # what their sum is at 0 points

    def points(self, x: Array) -> Array:
        """Return each row's total points, `(N,)`; beyond the axes' ends they fall below 0 or rise above the last."""
        return np.asarray(np.asarray(x, np.float64) @ self.slopes - self.floor)


def nomogram(
    cox: Cox,
    x: Array,
    days: Sequence[float],
    *,
    factors: Sequence[Factor] | None = None,
    ticks: int = 6,
    totals: int = 21,
) -> Nomogram:
    """Return the nomogram of a Cox model over the values that columns have in `x` `(N, F)` (Iasonos 2008).

    Each factor's axis spans from its lowest to its highest value; the one that changes the log hazard most has 100
    points. `factors`, by default one a column, must name each column once. `ticks` are marks of an axis of numbers, and
    `totals` those of the total. Raises DataError for a model with strata, columns that are named otherwise, categories
    that exclude each other in name only, and days beyond the follow-up.
    """
    if set(cox.baseline) != {ALL}:
        raise DataError(
            "a nomogram has one baseline, and this model has strata", found=listed(list(cox.baseline), 5)
        )
    asked = list(factors) if factors is not None else [Factor(n, (n,)) for n in cox.names]
    named = [c for f in asked for c in f.columns]
    if sorted(named) != sorted(cox.names):
        raise DataError(
            "factors must name each column of the model once",
            found=listed(named),
            hint=f"it has {listed(cox.names)}",
        )
    table = np.asarray(x, np.float64)
    cox.log_hazard(table)  # its columns are those of the model
    spans = [_effects(cox, table, factor, ticks) for factor in asked]
    widest = max(float(np.ptp(effects)) for _, effects in spans)
    if not widest > 0:
        raise DataError("no factor changes the hazard, so there are no points to give")
    per_point = widest / FULL
    axes = tuple(
        Axis(f.name, tuple(values), tuple(((e - e.min()) / per_point).tolist()))
        for f, (values, e) in zip(asked, spans, strict=True)
    )
    least = sum(float(e.min()) for _, e in spans)
    sums = np.linspace(0, sum(max(a.points) for a in axes), totals)
    origin = least - float(cox.centre @ cox.coefficients)
    hazard = _baseline(cox, days)
    survival = {d: np.exp(-h * np.exp(origin + sums * per_point)) for d, h in hazard.items()}
    return Nomogram(
        axes, sums, survival, origin, per_point, cox.names, cox.coefficients / per_point, least / per_point
    )


def _effects(cox: Cox, table: Array, factor: Factor, ticks: int) -> tuple[list[float | str], Array]:
    """Return an axis's values, and what each adds to the log hazard."""
    places = [cox.names.index(c) for c in factor.columns]
    own, slopes = table[:, places], cox.coefficients[places]
    if factor.reference is None:
        if len(places) > 1:
            raise DataError(
                f"the factor '{factor.name}' has several columns", hint="name its reference category"
            )
        values = np.unique(own)
        marks = values if len(values) <= ticks else _marks(float(values[0]), float(values[-1]), ticks)
        return [float(v) for v in marks], marks * slopes[0]
    if not np.isin(own, (0.0, 1.0)).all() or (own.sum(1) > 1).any():
        raise DataError(
            f"the columns of the factor '{factor.name}' must say by a single one which category a patient has"
        )
    return [factor.reference, *factor.columns], np.concatenate([[0.0], slopes])


def _marks(low: float, high: float, ticks: int) -> Array:
    """Return the ends of a range, and round numbers between them."""
    steps = np.array([1, 2, 2.5, 5, 10]) * 10.0 ** np.floor(np.log10((high - low) / ticks))
    step = steps[np.searchsorted(steps, (high - low) / ticks)]
    inner = np.arange(np.floor(low / step) + 1, np.ceil(high / step)) * step
    apart = inner[(inner - low > step / 4) & (high - inner > step / 4)]
    return np.concatenate([[low], apart, [high]])


def _baseline(cox: Cox, days: Sequence[float]) -> dict[float, float]:
    base = cox.baseline[ALL]
    late = [d for d in days if d > base.end_days]
    if late:
        raise DataError(
            f"the baseline does not tell of day {late[0]:g}", found=f"it ends at day {base.end_days:g}"
        )
    return {float(d): float(base.at(d)) for d in days}
