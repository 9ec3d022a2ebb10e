"""From the fits to curves: what was measured at each place, the laws of loss and error, forecasts, and their check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from vesalius.run.scaling.grid import Fit
from vesalius.scaling.forecast import Curve, Forecast, curve
from vesalius.scaling.points import Cell, spread

LOSS, ERROR = "loss", "error"  # of the score, which is better the larger it is, the error is 1 less it
PARAMETERS, LABELS, COMPUTE = "parameters", "labels", "steps"


@dataclass(frozen=True)
class Place:
    """The fits of one size, share and length: means over their seeds, and what each seed came to."""

    size: float
    share: float
    length: float
    parameters: float
    labels: float
    patients: float
    steps: float
    flops: float
    losses: tuple[float, ...]
    scores: tuple[float, ...]

    def values(self, measure: str) -> tuple[float, ...]:
        """Return what each seed came to, the less the better."""
        return self.losses if measure == LOSS else tuple(1 - s for s in self.scores)


@dataclass(frozen=True)
class Check:
    """A forecast of fits that took no part in it, held against what they came to and the last value carried forward.

    The largest net and the full cohort are left out of what it is made from, as far as enough is left.
    """

    forecast: Forecast
    measured: float
    carried: float
    spread: float

    @property
    def held(self) -> bool:
        """Whether what was measured lies in the interval."""
        return self.forecast.holds(self.measured)

    @property
    def error(self) -> float:
        """How far off the forecast was."""
        return abs(self.forecast.value - self.measured)

    @property
    def carried_error(self) -> float:
        """How far off the last value carried forward was."""
        return abs(self.carried - self.measured)


@dataclass(frozen=True, eq=False)
class Study:
    """The curves of one measure: of labels (largest net), parameters (all labels), both jointly, parameters and steps.

    `check` is None where too little is left without the largest net and the full cohort.
    """

    measure: str
    labels: Curve
    parameters: Curve
    joint: Curve | None
    steps: Curve | None
    check: Check | None
    corner: tuple[float, float]

    @property
    def best(self) -> Curve:
        """The curve that forecasts of labels and parameters are made by: the joint law where there is one."""
        return self.joint if self.joint is not None and self.joint.law is not None else self.labels

    def ahead(self, thing: str, factor: float, *, runs: int = 1) -> tuple[Curve, tuple[float, ...], Forecast]:
        """Return the curve, the place before and the forecast of so many times more of labels or of parameters."""
        n, d = self.corner
        if self.joint is not None and self.joint.law is not None:
            after = (n * factor, d) if thing == PARAMETERS else (n, d * factor)
            return self.joint, (n, d), self.joint.forecast(after, runs=runs)
        own = self.parameters if thing == PARAMETERS else self.labels
        before = (n,) if thing == PARAMETERS else (d,)
        return own, before, own.forecast((before[0] * factor,), runs=runs)


def places(asked: Sequence[Fit], results: Mapping[str, Mapping[str, Any]]) -> tuple[Place, ...]:
    """Return what the fits came to, a place for each size, share and length that has any."""
    groups: dict[tuple[float, float, float], list[Mapping[str, Any]]] = {}
    for fit in asked:
        if fit.name in results:
            groups.setdefault((fit.size, fit.share, fit.length), []).append(results[fit.name])
    found = []
    for (size, share, length), rows in groups.items():
        mean = {n: fmean(float(r[n]) for r in rows) for n in ("parameters", "labels", "patients", "steps")}
        scores = tuple(float(r["score"]) for r in rows if r["score"] is not None)
        found.append(
            Place(
                size,
                share,
                length,
                **mean,
                flops=fmean(float(r["step_flops"]) * float(r["steps"]) for r in rows),
                losses=tuple(float(r["loss"]) for r in rows),
                scores=scores if len(scores) == len(rows) else (),
            )
        )
    return tuple(found)


def studied(found: Sequence[Place], measure: str) -> Study | None:
    """Return the curves of one measure; None where some fits have none of it."""
    if not found or any(not place.values(measure) for place in found):
        return None
    if measure == ERROR and not all(0 <= v <= 1 for place in found for v in place.values(measure)):
        return None  # what has no ceiling has no complement
    whole = [place for place in found if place.length == 1]
    most = max(place.parameters for place in whole)
    full = max(place.labels for place in whole)
    ceiling = 1.0 if measure == ERROR else None

    def along(some: Sequence[Place], *things: str) -> Curve:
        cells = [Cell(tuple(getattr(p, t) for t in things), p.values(measure)) for p in some]
        return curve(cells, ceiling=ceiling)

    largest = [p for p in whole if p.parameters == most]
    all_labels = [p for p in whole if p.labels == full]
    both = len(largest) > 1 and len(all_labels) > 1
    timed = [p for p in found if p.labels == full]
    lengths = len({p.length for p in timed}) > 1 and len(all_labels) > 1
    joint = along(whole, PARAMETERS, LABELS) if both else None
    return Study(
        measure,
        along(largest, LABELS),
        along(all_labels, PARAMETERS),
        joint,
        along(timed, PARAMETERS, COMPUTE) if lengths else None,
        _checked(whole, measure, most, full, ceiling),
        (most, full),
    )


def _checked(
    whole: Sequence[Place], measure: str, most: float, full: float, ceiling: float | None
) -> Check | None:
    """Return the check on the largest net with all labels, forecast from smaller nets on fewer labels alone."""
    corner = next((p for p in whole if p.parameters == most and p.labels == full), None)
    sizes, shares = len({p.parameters for p in whole}), len({p.labels for p in whole})
    left = [p for p in whole if (sizes == 1 or p.parameters < most) and (shares == 1 or p.labels < full)]
    if corner is None or len(left) < 3:
        return None
    things = [t for t, many in ((PARAMETERS, sizes), (LABELS, shares)) if many > 1]
    cells = [Cell(tuple(getattr(p, t) for t in things), p.values(measure)) for p in left]
    values = corner.values(measure)
    at = tuple(getattr(corner, t) for t in things)
    made = curve(cells, ceiling=ceiling).forecast(at, runs=len(values))
    last = max(left, key=lambda p: np.log(p.parameters) + np.log(p.labels))
    return Check(made, fmean(values), fmean(last.values(measure)), spread(cells))
