"""Grades among Scores: what is asked, promised, drawn and compared of labels that have an order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vesalius.answers._asking import label_place
from vesalius.core import grades
from vesalius.core.answers.scores import Scores
from vesalius.core.ask import Ask
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.core.marks import Mark
from vesalius.core.scorecard import Scorecard
from vesalius.core.words import counted
from vesalius.metrics import Rows
from vesalius.metrics import scores as judge

AT_LEAST, MEAN = "at_least", "mean_grade"
ASKS = (AT_LEAST, MEAN)
DECISIONS = {
    "median": "the median grade: the first that one half of the probability lies at or below",
    None: "the most probable grade",
}


def ask(answer: Scores, of: str, which: str | None) -> Ask:
    """Return the question whether the grade is at least one of them, by default the called one; or the mean grade.

    The lowest grade is always reached, so that the one above it is asked after. Raises DataError, UnknownName.
    """
    if of == MEAN:
        if which is not None:
            raise DataError("the mean grade is one number", found=which, hint="mean_grade, or at_least=NAME")
        return Ask(of, words="the mean grade")
    place = label_place(answer.labels, which, default=max(1, answer.called))
    if place == 0:
        name = answer.labels[0].name
        raise DataError(
            f"every grade is at least {name}, the lowest", hint=f"at_least={answer.labels[1].name}"
        )
    return Ask(of, place, words=grades.cut_name(answer.labels[place].name))


def marks(answer: Scores) -> list[Mark]:
    """Return the grade that is called, and how far the cut that is nearest to turning it is from doing so."""
    far = np.abs(grades.above(answer.p) - 0.5) / 0.5
    return [Mark("grade called", answer.labels[answer.called].name, margin=float(far.min()))]


def summary(answer: Scores) -> dict[str, Any]:
    """Return which grade is called, by which rule, and how likely it is to be at least each grade but the lowest."""
    names = [x.name for x in answer.labels]
    over = zip(names[1:], grades.above(answer.p), strict=True)
    return {
        "called": names[answer.called],
        "decision": DECISIONS[answer.decision],
        "at_least": [{"name": name, "p": float(p)} for name, p in over],
    }


def questions(rows: Rows) -> list[tuple[str, Array, Array, Array]]:
    """Return for each cut its name, what is so, how likely it is, and whether the called grade reaches it."""
    over, labels = grades.above(rows["p"]), rows.info["labels"]
    return [
        (name, (rows["y"] > j).astype(np.int64), over[:, j], (rows["decided"] > j).astype(np.float64))
        for j, name in enumerate(grades.cuts(labels))
    ]


def closeness(p: Array, y: Array) -> Array:
    """Return the negative of how many grades probabilities `(N, K)` lie from the truths `(N,)` on the mean, `(N,)`."""
    return -np.asarray((p * np.abs(np.arange(p.shape[1]) - np.asarray(y)[:, None])).sum(axis=1))


def rate(answer: Scores, truth: str) -> tuple[float, str]:
    """Return how near an answer is to the true grade, and in words how many grades off; NaN of a strange grade."""
    names = [x.name for x in answer.labels]
    if truth not in names:
        return float("nan"), f"{truth}: not a grade of the answer"
    near = float(closeness(answer.p[None], np.array([names.index(truth)]))[0])
    return near, f"{truth}: {-near:.2f} grades off on average"


def is_of_grades(card: Scorecard) -> bool:
    """Return whether a scorecard is of grades: only of these is there a kappa."""
    return "kappa" in card.metrics


def of_cuts(card: Scorecard) -> dict[str, Interval]:
    """Return the AUC of each cut under the cut's name, for the legends of curves."""
    found = {grades.cut_name(x): card.metrics.get(f"cut_auc/{x}") for x in card.labels[1:]}
    return {f"auc/{cut}": interval for cut, interval in found.items() if interval is not None}


def off(grades_off: int) -> str:
    """Return in words how far a called grade is from the true one."""
    return f"{counted(abs(grades_off), 'grade')} too {'high' if grades_off > 0 else 'low'}"


def decided(answer: Scores, called: str) -> Scores:
    """Return the answer of a table that names the called grade beside the probabilities: the median, where it is."""
    if not answer.ordered:
        return answer
    made = replace(answer, decision="median")
    return made if made.labels[made.called].name == called else answer


def alike(first: Rows, second: Rows) -> tuple[Rows, Rows, str]:
    """Return two models' rows, both as grades where one of them knows the order of their labels; and a note of it."""
    kinds = [rows.info["kind"] for rows in (first, second)]
    if set(kinds) != {"ordinal", "exclusive"} or set(first.info["labels"]) != set(second.info["labels"]):
        return first, second, ""
    labels = (first if kinds[0] == "ordinal" else second).info["labels"]
    note = "One of the two learned classes without an order: both are judged as grades, in the order of the other."
    return _in_order(first, labels), _in_order(second, labels), note


def _in_order(rows: Rows, labels: tuple[str, ...]) -> Rows:
    """Return exclusive rows as grades in this order, each called as it was."""
    if rows.info["kind"] == "ordinal":
        return rows
    own = list(rows.info["labels"])
    place = np.array([labels.index(name) for name in own])
    p = rows["p"][:, [own.index(name) for name in labels]]
    made = judge.from_arrays(
        p,
        place[rows["y"]],
        labels=labels,
        kind="ordinal",
        positive=rows.info["positive"],
        case_ids=rows.case_ids,
    )
    return replace(made, columns={**rows.columns, **made.columns, "decided": place[rows["decided"]]})
