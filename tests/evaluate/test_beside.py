"""What stands beside figures: an oracle is perfect, trivial answers are what they say, and none sees a test truth."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # benchmarks/ is not installed

from benchmarks._beside import NEAREST, ORACLE, Beside, auc, boxes_told, judged, truths  # noqa: E402

import vesalius as vs  # noqa: E402
from vesalius.core.answers.boxes import Boxes  # noqa: E402
from vesalius.core.case import Box, Case  # noqa: E402
from vesalius.core.cohort import Label  # noqa: E402
from vesalius.core.image import Image  # noqa: E402
from vesalius.phantom import patient  # noqa: E402

GRADES = ("low", "middle", "high")
LABELS = tuple(Label(k + 1, name) for k, name in enumerate(GRADES))


def spotted(k: int) -> Case:
    """A picture with k % 5 dark squares of 4 × 4 pixels, and what is known of it."""
    grey, many = np.full((40, 40), 200, np.uint8), k % 5
    boxes = []
    for n in range(many):
        y, x = 8 * n + 1, (7 * n + 5 * k) % 34
        grey[y : y + 4, x : x + 4] = 40
        boxes.append(Box((0.0, float(y), float(x)), (1.0, y + 4.0, x + 4.0), "square"))
    grey[0, 0] = 0
    targets = {"boxes": tuple(boxes), "grade": GRADES[min(many // 2, 2)], "count": float(many)}
    return Case(f"c{k}", {"image": Image(grey[None, None])}, patient=f"p{k}", targets=targets)


@pytest.fixture(scope="module")
def beside() -> Beside:
    cases = [spotted(k) for k in range(40)]
    return Beside(cases[:28], cases[28:])


def test_an_oracle_is_perfect_and_the_mean_is_the_mean(beside: Beside) -> None:
    rivals = beside.numbers({"square": "1"}, lambda c, _: float(c.targets["count"]), counts=True)  # type: ignore[arg-type]
    found = {
        name: judged(a, beside.test, [c.targets["count"] for c in beside.test], resamples=10)
        for name, a in rivals.items()
    }
    assert found[ORACLE]["mae"].value == 0
    mean = np.mean([c.targets["count"] for c in beside.training])  # type: ignore[arg-type]
    by_hand = np.mean([abs(c.targets["count"] - mean) for c in beside.test])  # type: ignore[operator]
    assert found["training mean"]["mae"].value == pytest.approx(by_hand)
    area = found["dark area times density"]["mae"].value
    assert area is not None and area < 0.2  # squares that do not overlap are counted by their area


def test_grades_are_judged_as_a_model_s_are(beside: Beside) -> None:
    rivals = beside.grades("grade", LABELS)
    found = {
        n: judged(a, beside.test, [c.targets["grade"] for c in beside.test], resamples=10)
        for n, a in rivals.items()
    }
    assert found[ORACLE]["accuracy"].value == 1
    share = rivals["how often each occurs in training"][0].p  # type: ignore[attr-defined]
    assert share.sum() == pytest.approx(1) and len({a.p.tobytes() for a in rivals[NEAREST]}) > 1  # type: ignore[attr-defined]
    for answer in rivals["logistic regression on pixels"]:
        assert answer.p.sum() == pytest.approx(1)  # type: ignore[attr-defined]


def test_boxes_of_the_nearest_picture_are_those_of_a_training_case(beside: Beside) -> None:
    rivals = beside.boxes("boxes", [Label(1, "square")])
    held = {c.targets["boxes"] for c in beside.training}
    for answer in rivals[NEAREST]:
        assert isinstance(answer, Boxes) and answer.boxes in held
    ap = judged(rivals[ORACLE], beside.test, [c.targets["boxes"] for c in beside.test], resamples=10)[
        "ap50"
    ].value
    assert ap == pytest.approx(1)


def test_a_case_that_is_in_training_is_its_own_nearest(beside: Beside) -> None:
    same = Beside(beside.training, beside.training[1:5])
    assert [c.id for c in same.nearest] == [c.id for c in beside.training[1:5]]


def test_only_the_oracle_sees_what_is_true_of_test_cases(beside: Beside) -> None:
    other = [replace(c, targets={"count": 99.0, "grade": GRADES[0], "boxes": ()}) for c in beside.test]
    wrong = Beside(beside.training, other)
    one, two = (
        b.numbers({"n": "1"}, lambda c, _: float(c.targets["count"]), counts=True) for b in (beside, wrong)
    )  # type: ignore[arg-type]
    for name in one:
        alike = [a.x == b.x for a, b in zip(one[name], two[name], strict=True)]  # type: ignore[attr-defined]
        assert all(alike) == (name != ORACLE)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("smear", {"size": 64}), ("chest", {"size": 64}), ("ct", {"size": (16, 32, 32), "lesions": "many"})],
)
def test_boxes_in_truth_json_are_those_that_are_read(
    kind: str, options: dict[str, object], tmp_path: Path
) -> None:
    """By two ways: from truth.json, and from boxes.csv by the reader of tables."""
    root = vs.phantom(tmp_path / kind, kind=kind, cases=3, options=options, seed=5)
    told = truths(root)
    for case in vs.read(root).cases:
        assert case.targets["boxes"] == boxes_told(told[case.id])
    one = patient(0, 5, kind=kind, options=options)
    assert one.as_case().targets["boxes"] == boxes_told(json.loads(json.dumps(one.truth())))


def test_an_area_is_that_of_the_better_way() -> None:
    """By hand: of two positives and two negatives three of four pairs stand in order."""
    assert auc(np.array([3.0, 1.0, 2.0, 0.0]), np.array([True, True, False, False])) == 0.75
    assert auc(np.array([0.0, 2.0, 1.0, 3.0]), np.array([True, True, False, False])) == 0.75
