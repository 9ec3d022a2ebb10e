"""Intervals: the bootstrap over patients, then over their cases."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from vesalius.core.errors import CodeError, DataError
from vesalius.core.image import Array
from vesalius.core.scorecard import Interval
from vesalius.metrics._ends import Standing, at_ends
from vesalius.metrics._rows import Rows

HEEDLESS = "the same on every resample: its `summary` does not heed `index`"
PROBED = 32  # cases that are asked about alone


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
    standing: Standing | None = None,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Return every metric of `summary` with its percentile interval.

    `patients` names each row's patient; without ids give each case its own. `counts` is how many cases a
    metric speaks of where that is not all of them. By `standing`, a share that is 0 or 1 on every resample has the
    exact interval of so many patients (Clopper and Pearson 1934), where the bootstrap would have no width.

    A metric needs two cases, and a value on at least half of the resamples, to have bounds; and one that a `summary`
    computes without a look at the rows it is asked about has none, for its bounds would be one number that says how
    sure nobody is. Raises DataError when there are no rows, not one patient a row, or a metric that is no number.
    """
    if not len(rows):
        raise DataError("no cases to score")
    if len(patients) != len(rows):
        raise DataError("one patient a case is needed", found=f"{len(patients)} for {len(rows)} cases")
    point = summary(rows, np.arange(len(rows)))
    _assert_numbers(point)
    cases = {name: (counts or {}).get(name, len(rows)) for name in point}
    if len(set(patients)) < 2:
        why = "one patient only: nothing to resample"
        return {k: Interval(_number(v), None, None, cases[k], 0, why) for k, v in point.items()}
    drawn = [summary(rows, i) for i in resample(patients, np.random.default_rng(seed), n)]
    found = {}
    for name, value in point.items():
        values = np.array([d.get(name, math.nan) for d in drawn])
        found[name] = bounds(float(value), values, cases[name], level=level)
        if found[name].low is None or np.ptp(values[np.isfinite(values)]):
            continue
        if _heedless(rows, summary, name, float(value)):
            found[name] = replace(found[name], low=None, high=None, reason=HEEDLESS)
    return found if standing is None else at_ends(found, standing, patients=patients, level=level)


def bounds(value: float, values: Array, cases: int, *, level: float = 0.95) -> Interval:
    """Return a figure on so many cases with the percentile interval of its `values` on resamples, NaN where undefined.

    It needs two cases, and a value on at least half of the resamples, to have bounds.
    """
    n, defined = len(values), values[np.isfinite(values)]
    undefined = n - len(defined)
    if not math.isfinite(value):
        return Interval(None, None, None, cases, undefined, "not defined on these cases")
    if cases < 2:
        return Interval(value, None, None, cases, undefined, "one case only: nothing to resample")
    if len(defined) < n / 2 or not len(defined):
        return Interval(value, None, None, cases, undefined, f"not defined on {undefined} of {n} resamples")
    tail = 50 * (1 - level)
    low, high = np.percentile(defined, [tail, 100 - tail])
    return Interval(value, float(low), float(high), cases, undefined)


def _assert_numbers(point: Mapping[str, float]) -> None:
    """Raise CodeError where a summary is no mapping of numbers by name."""
    if not isinstance(point, Mapping):
        raise CodeError("`summary` of metrics must return numbers by name", found=type(point).__name__)
    for name, value in point.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
            raise CodeError(f"`summary` of metrics must return a number as '{name}'", found=repr(value)[:80])


def _heedless(
    rows: Rows, summary: Callable[[Rows, Array], Mapping[str, float]], name: str, value: float
) -> bool:
    """Return whether a metric that is the same on every resample does not depend on the rows that are asked about.

    One that does is the same because the cases are all alike in it, as where each is right, and its interval is true.
    It is asked about tables that hold one case alone: what looks at `index` says of case k in the whole table what it
    says of a table with case k alone. Asked about no case at all, no figure but 0 or 1, or none, can be known.
    """
    if value not in (0.0, 1.0) and _asked(rows, np.arange(0), summary, name) == value:
        return True
    for k in range(min(len(rows), PROBED)):
        alone = Rows((rows.case_ids[k],), {n: c[k : k + 1] for n, c in rows.columns.items()}, rows.info)
        here = _asked(rows, np.array([k]), summary, name)
        there = _asked(alone, np.array([0]), summary, name)
        if (
            here == value
            and math.isfinite(there)
            and not math.isclose(here, there, rel_tol=1e-9, abs_tol=1e-12)
        ):
            return True
    return False


def _asked(
    rows: Rows, index: Array, summary: Callable[[Rows, Array], Mapping[str, float]], name: str
) -> float:
    """Return a metric of so few cases that it may not be defined, or be refused; NaN then."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return float(summary(rows, index).get(name, math.nan))
        except Exception:  # noqa: BLE001 - to have no answer is an honest one, however it is said
            return math.nan


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
