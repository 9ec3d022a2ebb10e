"""Collecting answers and truths: which cases are shown, and how right they are said to be."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.answers.drawing.slices import look
from vesalius.core.answers import Answer
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.value import Value
from vesalius.core.case import Case
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.evaluate.scoring import Gallery, tally_for

IMAGE = Image(np.zeros((1, 1, 8, 8), np.uint8))


@pytest.mark.parametrize(
    ("many", "best", "worst"),
    [(1, "0", ""), (2, "1", "0"), (3, "21", "0"), (5, "432", "01"), (8, "7654", "0123"), (30, "", "012345")],
)
def test_few_cases_are_shared_between_best_and_worst(many: int, best: str, worst: str) -> None:
    gallery = Gallery()
    for i in np.random.default_rng(0).permutation(many):
        if gallery.wants(float(i)):
            gallery.add(float(i), look(IMAGE, str(i)))
    shown = [p.title for p in gallery.best]
    assert shown == (list(best) or ["29", "28", "27", "26", "25", "24"])
    assert [p.title for p in gallery.worst] == list(worst)


def test_equal_cases_are_not_shown_twice() -> None:
    gallery = Gallery()
    for i in range(12):
        if gallery.wants(1.0):
            gallery.add(1.0, look(IMAGE, str(i)))
    titles = [p.title for p in (*gallery.best, *gallery.worst)]
    assert len(titles) == len(set(titles)) >= 4


def captions(kind: str, answers: list[Answer], truths: list[object]) -> list[tuple[str, str]]:
    tally = tally_for(kind)
    for i, (answer, truth) in enumerate(zip(answers, truths, strict=True)):
        tally.add(Case(f"c{i}", {"image": IMAGE}), answer, truth, None, IMAGE)
    return [(p.title, p.caption) for p in (*tally.gallery.best, *tally.gallery.worst)]


def test_several_labels_at_once_are_shown_by_how_right_they_are_on_average() -> None:
    labels = (Label(0, "effusion"), Label(1, "nodule"))
    made: list[Answer] = [
        Scores(labels=labels, p=np.array(p), kind="multilabel") for p in ([0.9, 0.2], [0.4, 0.8])
    ]
    assert captions("Scores", made, [("effusion",), ()]) == [
        ("c0", "effusion: 0.85 on average"),
        ("c1", "none of them: 0.40 on average"),
    ]


def test_numbers_are_shown_by_their_error() -> None:
    assert captions("Value", [Value(x=1.0), Value(x=5.0)], [4.0, 5.5]) == [
        ("c1", "5, truly 5.5"),
        ("c0", "1, truly 4"),
    ]
