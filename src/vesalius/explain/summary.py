"""The summary of explanations over cases: the mean of each method's figures, with its interval."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vesalius import metrics
from vesalius.core.image import Array

COLUMNS = ("method", "figure", "mean", "low", "high", "cases")
APART = ("case", "asked", "method", "fails", "case_seconds", "passes", "pieces")  # no figures of a map
HOLDS = "holds"


def over_cases(rows: Iterable[Mapping[str, Any]], patients: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a row a method and figure: its mean over the cases that have it, with the bootstrap's 95 % interval.

    `rows` are those of `explanations.csv`, `patients` the patient of each case. All maps that were made count, those
    that do not hold, too; `holds` is the share of those that do. Methods that refused a model have no row.
    """
    by_method: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if any(_number(row.get(name)) is not None for name in row if name not in APART):
            by_method.setdefault(str(row["method"]), []).append(row)
    return [one for method, own in by_method.items() for one in _of(method, own, patients)]


def _of(method: str, rows: Sequence[Mapping[str, Any]], patients: Mapping[str, str]) -> list[dict[str, Any]]:
    names = [n for n in dict.fromkeys(n for row in rows for n in row) if n not in APART]
    columns = {n: np.array([_or_nan(row.get(n)) for row in rows]) for n in names}
    columns = {n: v for n, v in columns.items() if np.isfinite(v).any()}
    if any("gain" in row or "same_with_other_labels" in row for row in rows):
        columns = {HOLDS: np.array([float(not row["fails"]) for row in rows]), **columns}
    table, found = np.stack(list(columns.values()), axis=1), list(columns)

    def means(given: metrics.Rows, index: Array) -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # no case of a resample has this figure
            drawn = np.nanmean(np.stack(list(given.columns.values()), axis=1)[index], axis=0)
        return dict(zip(found, map(float, drawn), strict=True))

    ids = [str(row["case"]) for row in rows]
    intervals = metrics.bootstrap(
        metrics.Rows(tuple(ids), columns),
        means,
        patients=[patients.get(i, i) for i in ids],
        counts=dict(zip(found, map(int, np.isfinite(table).sum(axis=0)), strict=True)),
    )
    return [
        dict(zip(COLUMNS, (method, name, *map(_rounded, (i.value, i.low, i.high)), i.n), strict=True))
        for name, i in intervals.items()
    ]


def _rounded(value: float | None) -> float | str:
    return "" if value is None else round(value, 4)


def _number(value: Any) -> float | None:
    """Return the number that a cell holds, None where it holds none."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _or_nan(value: Any) -> float:
    found = _number(value)
    return math.nan if found is None else found
