"""Metrics of Ranking: whether the nearest cases are among those that should be found."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from vesalius.core.answers.ranking import Ranking
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.metrics._rows import Rows

__all__ = ["baseline", "counts", "excluded", "joined", "rows", "summary"]

ANSWER = "Ranking"
DESCRIPTIONS = {
    "recall@1": {"text": "queries whose nearest case is one that should be found", "better": "higher",
                 "low": 0.0, "high": 1.0, "unit": ""},
    "recall@5": {"text": "queries with such a case among the nearest 5", "better": "higher", "low": 0.0,
                 "high": 1.0, "unit": ""},
    "recall@10": {"text": "queries with such a case among the nearest 10", "better": "higher", "low": 0.0,
                  "high": 1.0, "unit": ""},
    "precision@5": {"text": "share of the nearest 5 that should be found", "better": "higher", "low": 0.0,
                    "high": 1.0, "unit": ""},
    "map": {"text": "mean average precision: how far in front such cases stand", "better": "higher",
            "low": 0.0, "high": 1.0, "unit": ""},
}  # fmt: skip
AT = (1, 5, 10)


def rows(answers: Sequence[Ranking], truths: Sequence[Collection[str]]) -> Rows:
    """Return a row a query. A truth is the ids of all cases that should be found.

    Average precision is over the cases that a ranking lists; what should be found and is not listed counts as never
    found. A query for which nothing is to be found is left out of every figure. Raises DataError where the numbers of
    answers and truths differ, or a ranking lists a case twice.
    """
    if len(answers) != len(truths):
        raise DataError("need one truth per answer", found=f"{len(answers)} answers and {len(truths)} truths")
    columns: dict[str, list[float]] = {name: [] for name in DESCRIPTIONS}
    for answer, truth in zip(answers, truths, strict=True):
        if len(set(answer.case_ids)) < len(answer.case_ids):
            raise DataError(f"the ranking about {answer.case_id or 'a query'} lists a case twice")
        wanted = set(truth)
        hit = np.array([case in wanted for case in answer.case_ids], dtype=np.float64)
        told = _figures(hit, len(wanted)) if wanted else dict.fromkeys(DESCRIPTIONS, float("nan"))
        for name, value in told.items():
            columns[name].append(value)
    ids = tuple(a.case_id or str(k) for k, a in enumerate(answers))
    return Rows(ids, {name: np.array(values) for name, values in columns.items()})


def _figures(hit: Array, wanted: int) -> dict[str, float]:
    """Return the figures of one ranking: which of its cases should be found `(N,)`, and how many there are at all."""
    found = {f"recall@{k}": float(hit[:k].any()) for k in AT}
    found["precision@5"] = float(hit[:5].sum() / 5)
    places = np.flatnonzero(hit)
    found["map"] = float((np.arange(1, len(places) + 1) / (places + 1)).sum() / wanted)
    return found


def joined(first: Rows, second: Rows) -> Rows:
    """Return the rows of two tables."""
    columns = {name: np.concatenate([first[name], second[name]]) for name in first.columns}
    return Rows((*first.case_ids, *second.case_ids), columns, first.info)


def summary(rows: Rows, index: Array) -> dict[str, float]:
    """Return the mean of each figure over the queries for which something is to be found; NaN where there is none."""
    found = {}
    for name in DESCRIPTIONS:
        known = rows[name][index]
        known = known[np.isfinite(known)]
        found[name] = float(known.mean()) if len(known) else float("nan")
    return found


def counts(rows: Rows) -> dict[str, int]:
    """Return of how many queries the figures speak: those for which something is to be found."""
    known = int(np.isfinite(rows["map"]).sum())
    return dict.fromkeys(DESCRIPTIONS, known)


def excluded(rows: Rows) -> dict[str, int]:
    """Return how many queries are left out."""
    bare = int(np.isnan(rows["map"]).sum())
    return {"nothing to be found": bare} if bare else {}


def baseline(truths: Sequence[Collection[str]]) -> None:
    """Return nothing: no ranking is right whatever is asked."""
    return
