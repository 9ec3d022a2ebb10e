"""Forecasts: what a run would come to where none was made, by a law where one fits, else by the last value carried on.

A value that has a ceiling, such as an error rate, which is at most 1, is never forecast beyond it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from vesalius.core.seeds import seed_of
from vesalius.scaling.law import Law, fitted
from vesalius.scaling.points import Cell, Floats, assert_cells, positive
from vesalius.scaling.posterior import STEPS, Posterior, drawn
from vesalius.scaling.trend import EXPLAINED, FALLS, FEW, FEWEST, NEGATIVE, RISES, UNLIKE, trends

LEVEL = 0.9  # of the intervals
FAR = 4.0  # times what was measured: beyond that a forecast is marked
BY_LAW, CARRIED = "law", "carried forward"


@dataclass(frozen=True)
class Forecast:
    """What the mean of `runs` runs at `x` comes to, with the interval that holds 90 % of such means.

    `by` is `law`, or `carried forward`: the last measured value. `factor` is how many times what was measured `x` is,
    the largest over its things, and `far` marks more than four times. Without an interval `low` and `high` are None.
    """

    x: tuple[float, ...]
    value: float
    low: float | None
    high: float | None
    runs: int
    by: str
    factor: float

    @property
    def far(self) -> bool:
        """Whether it is further from what was measured than a forecast is to be trusted."""
        return self.factor > FAR * (1 + 1e-9)

    @property
    def width(self) -> float | None:
        """How wide its interval is."""
        return None if self.low is None or self.high is None else self.high - self.low

    def holds(self, value: float) -> bool:
        """Return whether a value lies in its interval."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high


@dataclass(frozen=True, eq=False)
class Curve:
    """What was measured along some things, the law that it follows, and how sure that is.

    `trends` says of each thing whether the values fall along it. Where no law fits, `law` is None and `why` is one of
    `trend.WHY`. `ceiling` is the most that a value can be.
    """

    cells: tuple[Cell, ...]
    trends: tuple[str, ...]
    law: Law | None = None
    posterior: Posterior | None = None
    why: str = ""
    ceiling: float | None = None
    seed: int = field(default=0, repr=False)

    def forecast(self, x: Sequence[float], *, runs: int = 1) -> Forecast:
        """Return what the mean of so many runs at a place would come to."""
        place = tuple(float(v) for v in x)
        factor = self.factor(place)
        low: float | None
        high: float | None
        if self.posterior is None:
            value, low, high = _carried(self.cells, place, runs)
        else:
            rng = np.random.default_rng(seed_of(self.seed, "forecast", *(f"{v:.6g}" for v in place), runs))
            made = self.posterior.runs(place, runs, rng)
            value = float(np.median(self.posterior.laws(place)))
            low, high = (float(v) for v in np.quantile(made, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
        by = CARRIED if self.posterior is None else BY_LAW
        most = np.inf if self.ceiling is None else self.ceiling
        least = -np.inf if self.ceiling is None else 0.0
        below = [None if v is None else float(np.clip(v, least, most)) for v in (low, high)]
        return Forecast(place, float(min(value, most)), below[0], below[1], runs, by, factor)

    def band(self, x: Sequence[float]) -> tuple[float, float, float]:
        """Return the law at a place with its interval, without the noise of a run. Raises ValueError without a law."""
        if self.posterior is None:
            raise ValueError("there is no law")
        low, value, high = np.quantile(self.posterior.laws(x), [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
        return float(value), float(low), float(high)

    def gain(
        self, before: Sequence[float], after: Sequence[float]
    ) -> tuple[float, float | None, float | None]:
        """Return by how much the values fall from one place to another, with an interval: by the law, without noise.

        Without a law nothing is gained for sure: the interval is that of the value carried forward.
        """
        if self.posterior is None:
            there = self.forecast(after)
            if there.low is None or there.high is None:
                return 0.0, None, None
            return 0.0, there.value - there.high, there.value - there.low
        fall = self.posterior.laws(before) - self.posterior.laws(after)
        low, value, high = np.quantile(fall, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
        return float(value), float(low), float(high)

    def factor(self, x: Sequence[float]) -> float:
        """Return how many times what was measured a place is, the largest over its things and never below 1."""
        most = np.max([cell.x for cell in self.cells], axis=0)
        least = np.min([cell.x for cell in self.cells], axis=0)
        return float(max(1.0, np.max(np.asarray(x) / most), np.max(least / np.asarray(x))))


def curve(cells: Sequence[Cell], *, ceiling: float | None = None, seed: int = 0, steps: int = STEPS) -> Curve:
    """Return the curve of measured cells: a law along all of their things where one fits, else why none does.

    A law of one thing needs four places, of two things more cells than it has parameters. It fits where the values fall
    along every thing beyond noise, and it accounts for how they do. Raises DataError for cells that cannot be measured
    ones.
    """
    assert_cells(cells)
    cells = tuple(cells)
    things = len(cells[0].x)
    if not positive(cells):
        return Curve(cells, (), why=NEGATIVE, ceiling=ceiling, seed=seed)
    ways = trends(cells)
    least = FEWEST if things == 1 else 2 + 2 * things
    if len({cell.x for cell in cells}) < least:
        return Curve(cells, ways, why=FEW, ceiling=ceiling, seed=seed)
    if any(way != FALLS for way in ways):
        why = RISES if RISES in ways else next(way for way in ways if way != FALLS)
        return Curve(cells, ways, why=why, ceiling=ceiling, seed=seed)
    law, theta = fitted(cells)
    if law.explained < EXPLAINED:
        return Curve(cells, ways, why=UNLIKE, ceiling=ceiling, seed=seed)
    found = drawn(cells, law, theta, seed=seed, steps=steps)
    return Curve(cells, ways, law, found, ceiling=ceiling, seed=seed)


def _carried(
    cells: Sequence[Cell], x: tuple[float, ...], runs: int
) -> tuple[float, float | None, float | None]:
    """Return the value of the nearest cell, carried on to a place, with an interval.

    It is that of a walk whose steps, per doubling, are as large as those between neighbouring cells were, whatever
    their direction, and of the noise of as many runs. There is none with fewer than three cells.
    """
    places = np.log2(np.array([cell.x for cell in cells]))
    away = np.linalg.norm(places - np.log2(np.asarray(x)), axis=1)
    last = cells[int(np.argmin(away))]
    walked = _walked(cells, places)
    if len(walked) < 2:
        return last.mean, None, None
    logs = positive(cells)
    seeds = [np.log(c.values) if logs else np.asarray(c.values) for c in cells]
    spare = sum(len(each) - 1 for each in seeds)
    noise = sum(float(np.sum((e - e.mean()) ** 2)) for e in seeds) / spare if spare else 0.0
    variance = float(np.mean(walked**2)) * max(1.0, float(away.min())) + noise / runs
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(walked)) * np.sqrt(variance))
    if half == 0:  # all that was measured is the same, which promises nothing of what comes
        return last.mean, None, None
    if logs:
        return last.mean, last.mean * float(np.exp(-half)), last.mean * float(np.exp(half))
    return last.mean, last.mean - half, last.mean + half


def _walked(cells: Sequence[Cell], places: Floats) -> Floats:
    """Return the change per doubling between neighbours: cells that differ in one thing alone, next to one another."""
    values = np.array([cell.mean for cell in cells])
    values = np.log(values) if positive(cells) else values
    found = []
    for thing in range(places.shape[1]):
        others = np.delete(places, thing, axis=1)
        lines: dict[tuple[float, ...], list[int]] = {}
        for k, other in enumerate(others):
            lines.setdefault(tuple(np.round(other, 6)), []).append(k)
        for line in lines.values():
            order = sorted(line, key=lambda k: places[k, thing])
            for a, b in itertools.pairwise(order):
                wide = places[b, thing] - places[a, thing]
                found.append((values[b] - values[a]) / np.sqrt(max(wide, 1e-9)))
    return np.array(found, dtype=np.float64)
