"""Metrics of Ranking: whether the nearest cases are among those that should be found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from vesalius.core.answers.ranking import Kin, Ranking
from vesalius.core.answers.scores import Scores
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.metrics._ranked import average_precision, gain, recall, spans, spread
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
    "ndcg@10": {"text": "discounted gain of the nearest 10, over that of the best order", "better": "higher",
                "low": 0.0, "high": 1.0, "unit": ""},
    "map@10": {"text": "mean average precision of the nearest 10", "better": "higher", "low": 0.0, "high": 1.0,
               "unit": ""},
    "map": {"text": "mean average precision: how far in front such cases stand", "better": "higher",
            "low": 0.0, "high": 1.0, "unit": ""},
    "accuracy": {"text": "answers whose label by the nearest cases is right", "better": "higher", "low": 0.0,
                 "high": 1.0, "unit": ""},
}  # fmt: skip
AT = (1, 5, 10)
LABEL = "label"  # the part of an answer that says a label by the nearest cases


def rows(answers: Sequence[Ranking], truths: Sequence[Collection[str]]) -> Rows:
    """Return a row a query. A truth is the ids of all cases that should be found, or their worth by id (`Kin`).

    Average precision is over the cases that a ranking lists; what should be found and is not listed counts as never
    found. Of a list that was cut (`Ranking.among`) it is not known, but at 10: `map@10`, where the best is that all of
    the first 10 should be found, or as many as there are. Of cases that are equally near each figure is the mean over
    all orders of these. A query for which nothing is to be found is left out of every figure. Raises DataError where
    the numbers of answers and truths differ, a ranking lists a case twice, or its distances do not ascend.
    """
    if len(answers) != len(truths):
        raise DataError("need one truth per answer", found=f"{len(answers)} answers and {len(truths)} truths")
    columns: dict[str, list[float]] = {name: [] for name in DESCRIPTIONS}
    for answer, truth in zip(answers, truths, strict=True):
        _assert_ranked(answer)
        told = dict.fromkeys(DESCRIPTIONS, float("nan"))
        if truth:
            told |= _figures(answer, truth)
        for name, value in told.items():
            columns[name].append(value)
    ids = tuple(a.case_id or str(k) for k, a in enumerate(answers))
    return Rows(ids, {name: np.array(values) for name, values in columns.items()})


def _assert_ranked(answer: Ranking) -> None:
    whose = answer.case_id or "a query"
    if len(set(answer.case_ids)) < len(answer.case_ids):
        raise DataError(f"the ranking about {whose} lists a case twice")
    if len(answer.distances) != len(answer.case_ids) or (np.diff(answer.distances) < 0).any():
        raise DataError(f"the ranking about {whose} does not list the nearest case first")


def _figures(answer: Ranking, truth: Collection[str]) -> dict[str, float]:
    """Return the figures of one ranking, beside those that are not known."""
    worth = truth if isinstance(truth, Mapping) else dict.fromkeys(truth, 1.0)
    place = np.array([float(worth.get(case, 0.0)) for case in answer.case_ids])
    hit, tied = (place > 0).astype(np.float64), spans(np.asarray(answer.distances))
    found = {f"recall@{k}": recall(hit, tied, k) for k in AT}
    found["precision@5"] = float(spread(hit, tied)[:5].sum() / 5)
    found["ndcg@10"] = gain(place, tied, np.array(list(worth.values())), 10)
    found["map@10"] = average_precision(hit, tied, min(len(worth), 10), first=10)
    if answer.among is None or answer.among <= len(answer.case_ids):
        found["map"] = average_precision(hit, tied, len(worth))
    said = answer.parts.get(LABEL)
    if isinstance(said, Scores) and isinstance(truth, Kin):
        found["accuracy"] = float(set(said.called_names) == set(truth.labels))
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
    """Return of how many queries each figure speaks: those for which something is to be found, and it is known."""
    return {name: int(np.isfinite(rows[name]).sum()) for name in DESCRIPTIONS}


def excluded(rows: Rows) -> dict[str, int]:
    """Return how many queries are left out."""
    bare = int(np.isnan(rows["recall@1"]).sum())
    return {"nothing to be found": bare} if bare else {}


def baseline(truths: Sequence[Collection[str]]) -> None:
    """Return nothing: no ranking is right whatever is asked."""
    return
