"""Intervals: the bootstrap over patients, then over their cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.scorecard import Interval
from vesalius.metrics._rows import Rows


def resample(patients: Sequence[Hashable], rng: np.random.Generator, n: int) -> list[Array]:
    """Return `n` index arrays: patients drawn with replacement, then as many cases of each as it has, likewise.

    Two-stage (hierarchical) bootstrap, Davison & Hinkley 1997, section 3.8, strategy 2.
    """
    codes = np.unique(np.array([hash_order(p) for p in patients]), return_inverse=True)[1].ravel()
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    drawn = []
    for _ in range(n):
        chosen = rng.integers(len(sizes), size=len(sizes))
        many = sizes[chosen]
        within = (rng.random(int(many.sum())) * np.repeat(many, many)).astype(np.int64)
        drawn.append(order[np.repeat(starts[chosen], many) + within])
    return drawn


def hash_order(patient: Hashable) -> str:
    """Return a patient's id as text, so that numbers and names sort alike."""
    return f"{type(patient).__name__}:{patient}"


def bootstrap(
    rows: Rows,
    summary: Callable[[Rows, Array], Mapping[str, float]],
    *,
    patients: Sequence[Hashable],
    counts: Mapping[str, int] | None = None,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Return every metric of `summary` with its percentile interval.

    `patients` names each row's patient; without ids give each case its own. `counts` is how many cases a
    metric speaks of where that is not all of them. A metric needs two cases, and a value on at least half of the
    resamples, to have bounds. Raises DataError when there are no rows or not one patient a row.
    """
    if not len(rows):
        raise DataError("no cases to score")
    if len(patients) != len(rows):
        raise DataError("one patient a case is needed", found=f"{len(patients)} for {len(rows)} cases")
    point = summary(rows, np.arange(len(rows)))
    cases = {name: (counts or {}).get(name, len(rows)) for name in point}
    if len(set(patients)) < 2:
        why = "one patient only: nothing to resample"
        return {k: Interval(_number(v), None, None, cases[k], 0, why) for k, v in point.items()}
    drawn = [summary(rows, i) for i in resample(patients, np.random.default_rng(seed), n)]
    found = {}
    for name, value in point.items():
        values = np.array([d.get(name, math.nan) for d in drawn])
        defined = values[np.isfinite(values)]
        undefined = n - len(defined)
        if not math.isfinite(value):
            found[name] = Interval(None, None, None, cases[name], undefined, "not defined on these cases")
        elif cases[name] < 2:
            why = "one case only: nothing to resample"
            found[name] = Interval(float(value), None, None, cases[name], undefined, why)
        elif len(defined) < n / 2 or not len(defined):
            why = f"not defined on {undefined} of {n} resamples"
            found[name] = Interval(float(value), None, None, cases[name], undefined, why)
        else:
            tail = 50 * (1 - level)
            low, high = np.percentile(defined, [tail, 100 - tail])
            found[name] = Interval(float(value), float(low), float(high), cases[name], undefined)
    return found


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
