"""A classifier and a model of grades on the same cases: both judged as grades, paired, and said so."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

import vesalius as vs
from vesalius.core import grades
from vesalius.core.image import Array
from vesalius.core.scorecard import Scorecard
from vesalius.evaluate.scorecard import scorecard
from vesalius.metrics import scores

ORDER = ("poor", "usable", "good")
BY_NAME = sorted(ORDER)  # good, poor, usable: as classes are listed
RNG = np.random.default_rng(0)
Y = RNG.integers(0, 3, 90)
P = RNG.dirichlet([0.6] * 3, 90) * 0.5 + 0.5 * np.eye(3)[Y]
OTHER = RNG.dirichlet([0.6] * 3, 90) * 0.7 + 0.3 * np.eye(3)[Y]


def card(p: Array, y: Array, labels: tuple[str, ...] | list[str], **more: str) -> Scorecard:
    rows = scores.from_arrays(p, y, labels=labels, **more)  # type: ignore[arg-type]
    return scorecard(rows, "Scores", split="test", data_hash="d" * 64, target="quality", resamples=50)


def test_classes_without_an_order_are_compared_with_grades_by_kappa() -> None:
    place = np.array([BY_NAME.index(n) for n in ORDER])
    columns = [ORDER.index(n) for n in BY_NAME]
    graded = card(P, Y, ORDER, kind="ordinal", decision="median")
    classes = card(OTHER[:, columns], place[Y], BY_NAME)
    assert "kappa" not in classes.metrics
    found = vs.compare(classes, graded, resamples=100)
    one = found.differences["kappa"]
    assert one.first == pytest.approx(cohen_kappa_score(Y, OTHER.argmax(1), weights="quadratic"))
    assert one.second == pytest.approx(cohen_kappa_score(Y, grades.median(P), weights="quadratic"))
    assert one.low is not None and one.high is not None and one.low <= one.difference <= one.high
    assert found.headline == "kappa" and any("without an order" in note for note in found.notes)
    back = vs.compare(graded, classes, resamples=100)
    assert back.differences["kappa"].difference == pytest.approx(-one.difference)


def test_two_models_of_grades_are_each_called_by_their_own_rule() -> None:
    first = card(P, Y, ORDER, kind="ordinal")
    second = card(P, Y, ORDER, kind="ordinal", decision="median")
    found = vs.compare(first, second, resamples=20).differences["mae"]
    assert found.first == pytest.approx(np.abs(P.argmax(1) - Y).mean())
    assert found.second == pytest.approx(np.abs(grades.median(P) - Y).mean())
    plain = card(P, Y, ORDER)
    assert "kappa" not in vs.compare(plain, plain, resamples=5).differences
