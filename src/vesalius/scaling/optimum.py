"""What people ask of laws: where a curve flattens, what is worth as much, the best size for a budget of compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.scaling.forecast import FAR, LEVEL, Curve

LITTLE = 0.01  # of the value: a doubling that brings less is taken for nothing
DOUBLINGS = 6  # that are looked at
MANY = 400  # draws that an optimum is found in
PLACES = 49  # sizes that are tried for an optimum


@dataclass(frozen=True)
class Optimum:
    """The size that a budget of compute is best spent on, and the steps that are left for it then.

    `low` and `high` hold the size in 90 % of the draws. `at_edge` says that it is the smallest or the largest size that
    was looked at (a fourth of, or four times, what was measured), so that the best may lie beyond.
    """

    budget: float
    parameters: float
    low: float
    high: float
    steps: float
    value: float
    at_edge: str


def flattens(curve: Curve, x: Sequence[float], thing: int) -> tuple[float, bool] | None:
    """Return from how much of one thing on a doubling brings less than 1 % by the law, and whether that is far.

    `x` is where the doublings begin. None without a law, and where 6 doublings later each still brings more.
    """
    if curve.posterior is None:
        return None
    place = [float(v) for v in x]
    for _ in range(DOUBLINGS + 1):
        more = [v * 2 if k == thing else v for k, v in enumerate(place)]
        if curve.gain(place, more)[0] < LITTLE * curve.band(place)[0]:
            return place[thing], curve.factor(place) > FAR
        place = more
    return None


def worth(curve: Curve, x: Sequence[float], gained: int, given: int) -> float | None:
    """Return how many times more of one thing (`given`) brings what twice as much of another (`gained`) does.

    None without a law of both, and where not even 16 times as much does.
    """
    if curve.posterior is None:
        return None
    wanted = curve.gain(x, [v * 2 if k == gained else v for k, v in enumerate(x)])[0]
    for factor in np.geomspace(1.0, 16.0, 97):
        more = [v * factor if k == given else v for k, v in enumerate(x)]
        if curve.gain(x, more)[0] >= wanted:
            return float(factor)
    return None


def optimum(curve: Curve, flops: Callable[[float], float], budget: float) -> Optimum:
    """Return the size that so many operations are best spent on, by a law of parameters and steps.

    `flops` is what a step of a net with so many parameters computes. Raises DataError without such a law, and for a
    budget that is none.
    """
    if curve.posterior is None:
        raise DataError("there is no law of parameters and steps, by which a size could be chosen")
    if not (np.isfinite(budget) and budget > 0):
        raise DataError("a budget of operations lies above 0", found=f"{budget:g}")
    measured = [cell.x[0] for cell in curve.cells]
    sizes = np.geomspace(min(measured) / FAR, max(measured) * FAR, PLACES)
    steps = np.array([budget / flops(float(n)) for n in sizes])
    drawn = np.array([curve.posterior.laws((n, s))[:MANY] for n, s in zip(sizes, steps, strict=True)])
    best = int(np.argmin(np.median(drawn, axis=1)))
    low, high = np.quantile(sizes[np.argmin(drawn, axis=0)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    edge = "smallest" if best == 0 else "largest" if best == PLACES - 1 else ""
    value = float(np.median(drawn[best]))
    return Optimum(
        float(budget), float(sizes[best]), float(low), float(high), float(steps[best]), value, edge
    )
