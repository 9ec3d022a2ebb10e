"""Several trainings of several arms on the same test cases: each arm's figure, and its difference to one of them.

A figure of an arm is the mean over its trainings, each with a seed of its own. For the interval both are drawn with
replacement, patients (then their cases) and seeds; all arms are measured on the same draw, so that differences are
paired (Owen 2007, "The pigeonhole bootstrap": rows and columns of a crossed design are resampled independently, which
errs on the side of wide intervals). With one seed the luck of a training is in no interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vesalius import metrics
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import counted
from vesalius.evaluate.paired import directed
from vesalius.metrics import Rows, resample


@dataclass(frozen=True)
class Pooled:
    """A figure over trainings with its 95 % interval, and that of each training by its seed; None where not defined."""

    value: float | None
    low: float | None
    high: float | None
    by_seed: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What is known of one arm: its figure, and by how much it differs from the arm that it is held against.

    `difference` is over the seeds that both have; None for that arm itself. `better` is True where the interval of the
    difference lies on the better side of 0, False on the worse, None where it holds 0.
    """

    figure: Pooled
    difference: Pooled | None = None
    better: bool | None = None


def over_trainings(
    answer: str,
    runs: Mapping[str, Mapping[int, Rows]],
    *,
    patients: Mapping[str, str],
    metric: str,
    against: str,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Measured]:
    """Return what is known of each arm of `runs` (arm → seed → rows of the same test cases).

    Rows are in one order. `patients` says by a case's id whose it is; cases that it does not name count as patients of
    their own. `metric` is one of the answer's metrics, and `against` the arm that the others are held against; where
    that has no training, there are no differences. Raises DataError where two trainings were tested on different cases
    or truths.
    """
    tables = _same_cases(runs)
    if not tables:
        return {}
    first = next(iter(tables.values()))
    whose = [patients.get(case, f"case {case}") for case in first.case_ids]
    summary = metrics.for_answer(answer).summary
    drawn = resample(whose, np.random.default_rng(seed), resamples) if len(set(whose)) > 1 else []
    every = np.arange(len(first))
    points = {key: float(summary(rows, every).get(metric, math.nan)) for key, rows in tables.items()}
    boot = {
        key: np.array([float(summary(rows, index).get(metric, math.nan)) for index in drawn])
        for key, rows in tables.items()
    }
    found = {}
    for arm, trained in runs.items():
        if not trained:
            continue
        own = sorted(trained)
        shared = [s for s in own if s in runs.get(against, {})]
        difference = None
        if arm != against and shared:
            difference = _pooled(
                {s: points[arm, s] - points[against, s] for s in shared},
                {s: boot[arm, s] - boot[against, s] for s in shared},
                seed,
            )
        figure = _pooled({s: points[arm, s] for s in own}, {s: boot[arm, s] for s in own}, seed)
        found[arm] = Measured(figure, difference, _better(answer, metric, difference))
    return found


def _same_cases(runs: Mapping[str, Mapping[int, Rows]]) -> dict[tuple[str, int], Rows]:
    """Return all rows by arm and seed. Raises DataError where cases, their order or truths differ."""
    found = {(arm, seed): rows for arm, trained in runs.items() for seed, rows in sorted(trained.items())}
    first = next(iter(found.values()), None)
    for (arm, seed), rows in found.items():
        if first is None or rows.case_ids == first.case_ids:
            continue
        shared = len(set(rows.case_ids) & set(first.case_ids))
        raise DataError(
            f"{arm} with seed {seed} was tested on other cases, or in another order",
            found=f"{counted(shared, 'case')} of {len(first)} in both",
        )
    for (arm, seed), rows in found.items():
        one, other = (r.columns.get("y") for r in (first or rows, rows))
        if one is not None and other is not None and not np.array_equal(one, other):
            where = np.flatnonzero((one != other).reshape(len(rows), -1).any(axis=1))
            raise DataError(
                f"{arm} with seed {seed} was held against other truths",
                found=f"{counted(len(where), 'case')}, such as {rows.case_ids[int(where[0])]}",
            )
    return found


def _pooled(points: Mapping[int, float], boot: Mapping[int, Array], seed: int) -> Pooled:
    """Return the mean over seeds, with the percentile interval of patients and seeds drawn together."""
    if not all(math.isfinite(v) for v in points.values()):
        return Pooled(None, None, None)
    value = float(np.mean(list(points.values())))
    draws = np.stack([boot[s] for s in points])  # (seeds, draws)
    count = len(points)
    chosen = np.random.default_rng([seed, count]).integers(count, size=(draws.shape[1], count))
    means = draws[chosen.T, np.arange(draws.shape[1])].mean(axis=0) if draws.size else np.zeros(0)
    means = means[np.isfinite(means)]
    if len(means) < max(1, draws.shape[1] / 2):
        return Pooled(value, None, None, dict(points))
    low, high = np.percentile(means, [2.5, 97.5])
    return Pooled(value, float(low), float(high), dict(points))


def _better(answer: str, metric: str, difference: Pooled | None) -> bool | None:
    """Return whether an arm is better or worse; None where the interval holds 0 or nothing says which way is better."""
    if difference is None or difference.low is None or difference.high is None:
        return None
    way = directed(answer, metric)
    if not way or difference.low <= 0 <= difference.high:
        return None
    return (difference.low > 0) == (way == "higher")
