"""Paired differences against what can be computed by hand, and what must not be compared."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.core.scorecard import Scorecard
from vesalius.evaluate.comparison import Comparison, figures, page
from vesalius.evaluate.paired import aligned, assert_comparable, differences, each_case, together
from vesalius.evaluate.scorecard import scorecard
from vesalius.metrics import Rows, mask, scores, value

NAMES = ("old", "new")


def numbers(x: list[float], y: list[float], ids: str) -> Rows:
    return value.from_arrays(np.array(x), np.array(y), case_ids=list(ids))


def test_the_difference_and_its_test_by_hand() -> None:
    y = [0.0] * 6
    first, second = numbers([1, 2, 3, 4, 5, 6], y, "abcdef"), numbers([0, 1, 2, 3, 4, 6], y, "abcdef")
    rows = together("Value", first, second)
    found = differences("Value", rows, patients=list("abcdef"), names=NAMES, resamples=4000)["mae"]
    change = np.array([-1, -1, -1, -1, -1, 0])
    assert found.difference == pytest.approx(change.mean()) and (found.first, found.second) == (
        3.5,
        pytest.approx(16 / 6),
    )
    exact = [abs((change * s).mean()) >= abs(change.mean()) - 1e-12 for s in product((1, -1), repeat=6)]
    assert found.p == pytest.approx(np.mean(exact), abs=0.02), "all 64 exchanges"
    assert found.low is not None and found.high is not None and found.low < found.difference < found.high <= 0
    assert found.better == ("new" if found.high < 0 and found.p < 0.05 else "")


def test_one_is_called_better_only_where_interval_and_test_agree() -> None:
    first, second = numbers([2, 3, 2, 3], [0.0] * 4, "abcd"), numbers([1, 2, 1.5, 2], [0.0] * 4, "abcd")
    few = differences("Value", together("Value", first, second), patients=list("abcd"), names=NAMES)
    one = few["mae"]
    assert one.high is not None and one.high < 0 and one.p is not None and one.p > 0.05, "2/2^4 at best"
    assert one.better == ""
    made = Comparison(
        names=NAMES, answer="Value", target="age", split="test", n_cases=4, n_patients=4, patients_known=True,
        data_hash="d" * 64, differences=few,
    )  # fmt: skip
    assert made.verdict.startswith("Undecided, as interval and test do not agree: ")
    row = next(r for r in figures(made) if r["name"] == made.called("mae"))
    assert row["better"] == "undecided" and row["side"] == "none"
    shown = page(made)
    assert "<strong>undecided</strong>" in shown and 'class="toc"' in shown and 'data-head="p"' in shown
    many = [f"{k}" for k in range(16)]
    rows = together(
        "Value", *(value.from_arrays(np.full(16, v), np.zeros(16), case_ids=many) for v in (2.0, 1.0))
    )
    assert differences("Value", rows, patients=many, names=NAMES)["mae"].better == "new"


def test_pairing_narrows_the_interval_and_equal_models_do_not_differ() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=60)
    hard = rng.normal(size=60) * 5  # what makes a case hard is shared
    first = value.from_arrays(y + hard + 0.3 * rng.normal(size=60), y)
    second = value.from_arrays(y + hard + 0.3 * rng.normal(size=60), y)
    patients = [str(k) for k in range(60)]
    paired = differences("Value", together("Value", first, second), patients=patients, names=NAMES)["mae"]
    cards = [
        scorecard(r, "Value", split="t", data_hash="h", patients=patients).metrics["mae"]
        for r in (first, second)
    ]
    assert paired.low is not None and paired.high is not None
    assert paired.high - paired.low < 0.3 * min(c.high - c.low for c in cards if c.high and c.low)
    same = differences("Value", together("Value", first, first), patients=patients, names=NAMES)
    assert all(
        d.difference == 0 and d.p == 1.0 and not d.better for d in same.values() if d.difference is not None
    )


def test_no_bounds_where_few_cases_cannot_show_what_differs() -> None:
    first, second = classes([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]), classes([0.2, 0.3, 0.6, 0.7], [0, 0, 1, 1])
    found = differences("Scores", together("Scores", first, second), patients=list("abcd"), names=NAMES)
    assert found["auc"].difference == 0 and found["auc"].low is None and found["auc"].p == 1.0
    assert "though the answers differ" in found["auc"].reason and found["brier"].low is not None
    same = differences("Scores", together("Scores", first, first), patients=list("abcd"), names=NAMES)["auc"]
    assert (same.low, same.high) == (0, 0), "the same answers are sure to be as good"


def test_patients_are_drawn_and_exchanged_whole() -> None:
    y = [0.0] * 8
    first, second = numbers([2] * 8, y, "abcdefgh"), numbers([1] * 8, y, "abcdefgh")
    rows = together("Value", first, second)
    alone = differences("Value", rows, patients=list("abcdefgh"), names=NAMES)["mae"]
    pairs = differences("Value", rows, patients=list("aabbccdd"), names=NAMES)["mae"]
    assert alone.p is not None and pairs.p is not None and alone.p < 0.02 < 0.08 < pairs.p < 0.2, (
        "2/2^8 and 2/2^4"
    )
    one = differences("Value", rows, patients=["x"] * 8, names=NAMES)["mae"]
    assert one.low is None and one.p is None and one.reason.startswith("one patient only")


def classes(p: list[float], y: list[int], **more: object) -> Rows:
    pairs = np.stack([1 - np.array(p), np.array(p)], axis=1)
    return scores.from_arrays(
        pairs, np.array(y), labels=("no", "yes"), case_ids=[f"c{k}" for k in range(len(p))], **more
    )  # type: ignore[arg-type]


def test_each_model_keeps_its_own_threshold_and_the_areas_are_its_own() -> None:
    y = [0, 0, 0, 1, 1, 1]
    first = classes([0.1, 0.2, 0.6, 0.3, 0.8, 0.9], y, thresholds={"yes": 0.25})
    second = classes([0.1, 0.2, 0.3, 0.6, 0.8, 0.9], y, thresholds={"yes": 0.7})
    rows = together("Scores", first, second)
    every = np.arange(6)
    assert scores.summary(rows, every) == pytest.approx(scores.summary(first, every))
    assert scores.summary(rows, every + 6) == pytest.approx(scores.summary(second, every))
    found = differences("Scores", rows, patients=[str(k) for k in range(6)], names=NAMES, resamples=200)
    assert found["auc"].second == 1.0 and found["auc"].difference == pytest.approx(1 / 9)
    assert found["recall"].first == 1.0 and found["recall"].second == pytest.approx(2 / 3)
    changes = {c["case"]: c["change"] for c in each_case("Scores", rows)}
    assert changes["c2"] == pytest.approx(0.3) and changes["c0"] == 0


def test_masks_are_paired_label_by_label() -> None:
    one = mask.table(
        [{"dice/liver": 0.9, "both_empty/liver": 0}, {"dice/liver": 0.8, "both_empty/liver": 0}], ["a", "b"]
    )
    two = mask.table(
        [{"dice/liver": 0.7, "both_empty/liver": 0}, {"dice/liver": 0.95, "both_empty/liver": 0}], ["b", "a"]
    )
    rows = together("Mask", one, two)
    found = differences("Mask", rows, patients=["a", "b"], names=NAMES, resamples=100)
    assert found["dice/liver"].difference == pytest.approx((0.05 - 0.1) / 2) and found["dice/liver"].n == 2
    assert [c["change"] for c in each_case("Mask", rows)] == pytest.approx([0.05, -0.1])


def test_other_cases_and_other_truths_are_refused() -> None:
    first = numbers([1, 2], [0, 0], "ab")
    with pytest.raises(DataError, match="did not answer the same cases; found 1 case in both"):
        aligned(first, numbers([1, 2], [0, 0], "ac"))
    with pytest.raises(DataError, match="different truths; found 1 case, such as b"):
        together("Value", first, numbers([1, 2], [0, 5], "ab"))
    with pytest.raises(DataError, match="one patient a case"):
        differences("Value", together("Value", first, first), patients=["a"], names=NAMES)


def card(**changes: object) -> Scorecard:
    made = scorecard(numbers([1, 2], [0, 0], "ab"), "Value", split="test", data_hash="h" * 64, target="age")
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"answer": "Mask"}, "different kinds of answer; found Value and Mask"),
        ({"target": "size"}, "different targets"),
        ({"data_hash": "k" * 64}, "scored on different data.*another truth.*compare"),
        ({"labels": ("a",)}, "different labels"),
        ({"unit": "mm"}, "another unit"),
        (
            {"cases": ({"case": "a"}, {"case": "c"})},
            "1 case in both, 1 in old alone, 1 in new alone, which may be",
        ),
    ],
)
def test_scorecards_that_are_not_about_the_same_are_refused(changes: dict[str, object], says: str) -> None:
    assert_comparable(card(), card(), NAMES)
    with pytest.raises(DataError, match=says):
        assert_comparable(card(), card(**changes), NAMES)
