"""Metrics of Numbers: how far each of several numbers is from the truth, by its name, and the means over the names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.value import Value
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import in_unit
from vesalius.metrics import value as single
from vesalius.metrics._rows import Rows

__all__ = [
    "baseline",
    "counts",
    "excluded",
    "from_arrays",
    "interval",
    "joined",
    "of_name",
    "rows",
    "summary",
]

ANSWER = "Numbers"
DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "mae": {"text": "mean absolute error", "better": "lower", "low": 0.0, "high": None, "unit": "the target's"},
    "rmse": {"text": "root mean squared error", "better": "lower", "low": 0.0, "high": None,
             "unit": "the target's"},
    "relative": {"text": "mean of |answer − truth| / |truth|, over cases whose truth is not 0", "better": "lower",
                 "low": 0.0, "high": None, "unit": ""},
    "relative_total": {"text": "sum of |answer − truth| over the sum of |truth|; a truth of 0 counts, too",
                       "better": "lower", "low": 0.0, "high": None, "unit": ""},
    "r2": {"text": "share of the variance explained", "better": "higher", "low": None, "high": 1.0, "unit": ""},
    "pearson": {"text": "linear correlation", "better": "higher", "low": -1.0, "high": 1.0, "unit": ""},
    "spearman": {"text": "rank correlation", "better": "higher", "low": -1.0, "high": 1.0, "unit": ""},
    "bias": {"text": "mean error, answer minus truth", "better": "zero", "low": None, "high": None,
             "unit": "the target's"},
    "inside": {"text": "share of truths within the promised interval", "better": "higher", "low": 0.0, "high": 1.0,
               "unit": ""},
    "width": {"text": "mean width of the promised intervals that have one", "better": "lower", "low": 0.0,
              "high": None, "unit": "the target's"},
}  # fmt: skip
_OF_UNIT = tuple(name for name, about in DESCRIPTIONS.items() if about["unit"])


def rows(answers: Sequence[Numbers], truths: Sequence[Mapping[str, float | None]]) -> Rows:
    """Return a row a case: of each name the answer, the truth and the promised interval.

    A truth that a case lacks, or that is None or NaN, is not known and counts for nothing. Raises DataError where
    answers have other names, other units, or numbers that are not finite.
    """
    names = list(answers[0].values) if answers else []
    for one in answers:
        if list(one.values) != names:
            raise DataError(
                f"case {one.case_id}: answers with other names",
                found=f"{', '.join(one.values) or 'none'} beside {', '.join(names) or 'none'}",
            )
    units: dict[str, str | None] = {}
    for name in names:
        found = {one.values[name].unit for one in answers}
        if len(found) > 1:
            raise DataError(f"'{name}' in different units", found=", ".join(sorted(map(str, found))))
        units[name] = next(iter(found))
    promised = {name: [interval(one.values[name]) for one in answers] for name in names}
    return from_arrays(
        {name: np.array([one.values[name].x for one in answers], dtype=np.float64) for name in names},
        {name: np.array([_known(truth.get(name)) for truth in truths], dtype=np.float64) for name in names},
        units=units,
        intervals={n: np.array(b, dtype=np.float64) for n, b in promised.items() if not np.isnan(b).all()},
        case_ids=[one.case_id for one in answers],
    )


def from_arrays(
    x: Mapping[str, Array],
    y: Mapping[str, Array],
    *,
    units: Mapping[str, str | None] | None = None,
    intervals: Mapping[str, Array] | None = None,
    case_ids: Sequence[str] | None = None,
) -> Rows:
    """Return a row a case from answers and truths `(N,)` by name; NaN is a truth that is not known.

    `intervals` are the promised ones, `(N, 2)`, infinite on a side without a bound, NaN where nothing was promised.
    Raises DataError.
    """
    many = len(next(iter(x.values()), ()))
    ids = tuple(case_ids) if case_ids is not None else tuple(str(i) for i in range(many))
    columns: dict[str, Array] = {}
    for name, answers in x.items():
        truths = np.asarray(y[name], dtype=np.float64)
        known = ~np.isnan(truths)
        places = [case for case, there in zip(ids, known, strict=True) if there]
        single.from_arrays(
            np.asarray(answers)[known], truths[known], case_ids=places
        )  # each of them is finite
        columns |= {f"x/{name}": np.asarray(answers, dtype=np.float64), f"y/{name}": truths}
        if intervals is not None and name in intervals:
            columns |= {f"low/{name}": intervals[name][:, 0], f"high/{name}": intervals[name][:, 1]}
    held = {name: unit for name, unit in (units or {}).items() if in_unit(unit)}
    alike = len({held.get(name) for name in x}) == 1
    unit = next(iter(held.values()), None) if alike else None
    return Rows(ids, columns, {"labels": tuple(x), "units": held, "alike": alike, "unit": unit})


def joined(first: Rows, second: Rows) -> Rows:
    """Return the rows of two tables of the same names in the same units; what one of them lacks is not known there."""
    names = list(dict.fromkeys((*first.columns, *second.columns)))
    columns = {
        name: np.concatenate([t.columns.get(name, np.full(len(t), np.nan)) for t in (first, second)])
        for name in names
    }
    return Rows((*first.case_ids, *second.case_ids), columns, first.info)


def of_name(rows: Rows, name: str) -> tuple[Array, Array, Array]:
    """Return answers and truths `(K,)` of the cases whose truth of that name is known, and their places `(K,)`."""
    known = np.flatnonzero(~np.isnan(rows[f"y/{name}"]))
    return rows[f"x/{name}"][known], rows[f"y/{name}"][known], known


def summary(rows: Rows, index: Array) -> dict[str, float]:
    """Return each name's figures, `mae/NAME`, and their means over the names that have one, `mae`.

    `relative` leaves out cases whose truth is 0, of which no relative error is defined; `relative_total` counts them.
    Means of what has a unit exist only where all names have the same one: the mean of years and millilitres is nothing.
    """
    found: dict[str, float] = {}
    for name in rows.info["labels"]:
        found |= {f"{metric}/{name}": value for metric, value in _figures(rows, name, index).items()}
    means: dict[str, float] = {}
    for metric in dict.fromkeys(full.partition("/")[0] for full in found):
        if metric in _OF_UNIT and not rows.info["alike"]:
            continue
        values = [found[f"{metric}/{n}"] for n in rows.info["labels"] if f"{metric}/{n}" in found]
        held = [v for v in values if not np.isnan(v)]
        means[metric] = float(np.mean(held)) if held else float("nan")
    return means | found


def counts(rows: Rows) -> dict[str, int]:
    """Return of how many cases each figure speaks: those whose truth is known, and of `relative` is not 0."""
    found: dict[str, int] = {}
    some: dict[str, set[int]] = {}
    for name in rows.info["labels"]:
        _, y, known = of_name(rows, name)
        for metric in DESCRIPTIONS:
            held = known[y != 0] if metric == "relative" else known
            if metric in ("inside", "width"):
                if f"low/{name}" not in rows.columns:
                    continue
                held = known[~np.isnan(rows[f"low/{name}"][known])]
            found[f"{metric}/{name}"] = len(held)
            some.setdefault(metric, set()).update(int(place) for place in held)
    return {metric: len(places) for metric, places in some.items()} | found


def excluded(rows: Rows) -> dict[str, int]:
    """Return of how many cases a name's truth is not known, and how many have a truth of 0, by name."""
    found: dict[str, int] = {}
    for name in rows.info["labels"]:
        _, y, known = of_name(rows, name)
        found |= {f"unknown/{name}": len(rows) - len(known), f"zero/{name}": int((y == 0).sum())}
    return {reason: n for reason, n in found.items() if n}


def baseline(truths: Iterable[Mapping[str, float | None]]) -> dict[str, float]:
    """Return the trivial answer: the mean of each name's training truths, whatever the image shows."""
    held: dict[str, list[float]] = {}
    for truth in truths:
        for name, value in truth.items():
            if not np.isnan(_known(value)):
                held.setdefault(name, []).append(_known(value))
    return {name: float(np.mean(values)) for name, values in held.items()}


def _figures(rows: Rows, name: str, index: Array) -> dict[str, float]:
    """Return the figures of one name on a resample; NaN where it knows no truth."""
    x, y = rows[f"x/{name}"][index], rows[f"y/{name}"][index]
    known = ~np.isnan(y)
    promised = f"low/{name}" in rows.columns
    if not known.any():
        names = [n for n in DESCRIPTIONS if promised or n not in ("inside", "width")]
        return dict.fromkeys(names, float("nan"))
    x, y = x[known], y[known]
    error, size = np.abs(x - y), np.abs(y)
    here = size > 0
    found = single.figures(x, y)
    found["relative"] = float((error[here] / size[here]).mean()) if here.any() else float("nan")
    found["relative_total"] = float(error.sum() / size.sum()) if here.any() else float("nan")
    if promised:
        low, high = (rows[f"{end}/{name}"][index][known] for end in ("low", "high"))
        said = ~np.isnan(low)
        wide = (high - low)[said & np.isfinite(low) & np.isfinite(high)]
        inside = ((low <= y) & (y <= high))[said]
        found["inside"] = float(inside.mean()) if said.any() else float("nan")
        found["width"] = float(wide.mean()) if len(wide) else float("nan")
    return {metric: found[metric] for metric in DESCRIPTIONS if metric in found}


def interval(value: Value | None) -> tuple[float, float]:
    """Return the promised interval of a number, infinite on a side without a bound; NaN where nothing is promised."""
    if value is None or value.promise is None or value.promise.interval is None:
        return float("nan"), float("nan")
    low, high = value.promise.interval
    return -np.inf if low is None else low, np.inf if high is None else high


def _known(truth: float | None) -> float:
    return float("nan") if truth is None else float(truth)
