"""Metrics of Value: mean absolute and squared error, explained variance, and linear and rank correlation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.answers.value import Value
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.metrics import _ranks
from vesalius.metrics._rows import Rows

__all__ = ["baseline", "counts", "excluded", "figures", "from_arrays", "joined", "rows", "summary"]

ANSWER = "Value"
DESCRIPTIONS = {
    "mae": {"text": "mean absolute error", "better": "lower", "low": 0.0, "high": None, "unit": "the target's"},
    "rmse": {"text": "root mean squared error", "better": "lower", "low": 0.0, "high": None,
             "unit": "the target's"},
    "r2": {"text": "share of the variance explained", "better": "higher", "low": None, "high": 1.0, "unit": ""},
    "pearson": {"text": "linear correlation", "better": "higher", "low": -1.0, "high": 1.0, "unit": ""},
    "spearman": {"text": "rank correlation", "better": "higher", "low": -1.0, "high": 1.0, "unit": ""},
    "bias": {"text": "mean error, answer minus truth", "better": "zero", "low": None, "high": None,
             "unit": "the target's"},
}  # fmt: skip


def rows(answers: Sequence[Value], truths: Sequence[float]) -> Rows:
    """Return a row a case. Raises DataError where units differ or a number is not finite."""
    units = {a.unit for a in answers}
    if len(units) > 1:
        raise DataError("answers in different units", found=", ".join(sorted(map(str, units))))
    return from_arrays(
        np.array([a.x for a in answers]),
        np.array(truths),
        unit=next(iter(units), None),
        case_ids=[a.case_id for a in answers],
    )


def from_arrays(
    x: Array, y: Array, *, unit: str | None = None, case_ids: Sequence[str] | None = None
) -> Rows:
    """Return a row a case from answers and truths `(N,)`. Raises DataError."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise DataError("need one truth per answer", found=f"shapes {x.shape} and {y.shape}")
    ids = tuple(case_ids) if case_ids is not None else tuple(str(i) for i in range(len(x)))
    for what, numbers in (("answer", x), ("truth", y)):
        odd = np.flatnonzero(~np.isfinite(numbers))
        if len(odd):
            raise DataError(
                f"the {what} about case {ids[odd[0]]} is not a finite number",
                found=f"{numbers[odd[0]]:g}, and {len(odd)} such of {len(numbers)}",
            )
    return Rows(ids, {"x": x, "y": y}, {"unit": unit})


def joined(first: Rows, second: Rows) -> Rows:
    """Return the rows of two tables in one unit."""
    columns = {name: np.concatenate([first[name], second[name]]) for name in first.columns}
    return Rows((*first.case_ids, *second.case_ids), columns, first.info)


def summary(rows: Rows, index: Array) -> dict[str, float]:
    """MAE, RMSE, R², Pearson's r, Spearman's ρ (ties share a rank) and bias; NaN where what they need does not vary."""
    return figures(rows["x"][index], rows["y"][index])


def figures(x: Array, y: Array) -> dict[str, float]:
    """Return every metric of answers and truths `(N,)`, as `summary` has them."""
    error = x - y
    varies = len(y) > 0 and y.min() < y.max()  # the mean of equal numbers may be off by a rounding
    spread = float(((y - y.mean()) ** 2).sum()) if varies else 0.0
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "r2": 1 - float((error**2).sum()) / spread if spread > 0 else float("nan"),
        "pearson": _correlation(x, y),
        "spearman": _correlation(_ranks.tied(x), _ranks.tied(y)),
        "bias": float(error.mean()),
    }


def counts(rows: Rows) -> dict[str, int]:
    """Return every metric speaks of all cases."""
    return {}


def excluded(rows: Rows) -> dict[str, int]:
    """Nothing is left out."""
    return {}


def baseline(truths: Array) -> float:
    """Return the trivial answer: the mean of the training truths, whatever the image shows."""
    return float(np.mean(truths))


def _correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / size if size > 0 else float("nan")
