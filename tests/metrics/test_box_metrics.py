"""Metrics of Boxes against faster-coco-eval, against what it gave, and against values worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from _coco_cases import SORTS, by_coco, cohort

from vesalius import metrics
from vesalius.core.answers.boxes import Boxes
from vesalius.core.case import Box
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.metrics import boxes as judge
from vesalius.metrics import numbers

# what faster-coco-eval 1.8.0 says of `cohort(sort, seed)`, at IoU .1 and at the ten of COCO; 100 boxes a case at most
COCO = {
    ("random", 0): {"ap": 0.167558601, "ap50": 0.336875748, "ap10": 0.343696430, "ap50/a": 0.384424981},
    ("random", 1): {"ap": 0.226933360, "ap50": 0.384137063, "ap10": 0.434114514, "ap50/a": 0.438943894},
    ("ties", 0): {"ap": 0.162377857, "ap50": 0.338048091, "ap10": 0.338048091, "ap50/a": 0.338943894},
    ("ties", 1): {"ap": 0.231140349, "ap50": 0.380283866, "ap10": 0.430911955, "ap50/a": 0.445544554},
    ("crowd", 0): {"ap": 0.190610607, "ap50": 0.442244224, "ap10": 0.501532296, "ap50/a": 0.432343234},
    ("crowd", 1): {"ap": 0.172408675, "ap50": 0.345874587, "ap10": 0.407171999, "ap50/a": 0.427062706},
    ("empty", 0): {"ap": 0.028272827, "ap50": 0.095929593, "ap10": 0.095929593, "ap50/a": 0.085808581},
    ("empty", 1): {"ap": 0.130972169, "ap50": 0.233660509, "ap10": 0.233660509, "ap50/a": 0.186318632},
    ("many", 0): {"ap": 0.212060633, "ap50": 0.441706319, "ap10": 0.800230827, "ap50/a": 0.441706319},
    ("many", 1): {"ap": 0.211647432, "ap50": 0.441882433, "ap10": 0.798652577, "ap50/a": 0.441882433},
    ("edges", 0): {"ap": 0.087887787, "ap50": 0.359196375, "ap10": 0.611223270, "ap50/a": 0.359196375},
    ("edges", 1): {"ap": 0.071741900, "ap50": 0.265091707, "ap10": 0.529270899, "ap50/a": 0.265091707},
    ("absent", 0): {"ap": 0.170336893, "ap50": 0.359151013, "ap10": 0.359151013, "ap50/a": 0.490511746},
    ("absent", 1): {"ap": 0.240043347, "ap50": 0.438105383, "ap10": 0.529179154, "ap50/a": 0.435030041},
}


@pytest.mark.parametrize(("sort", "seed"), list(COCO))
def test_average_precision_is_what_faster_coco_eval_gave(sort: str, seed: int) -> None:
    answers, truths, _ = cohort(sort, seed)
    found = judge.summary(judge.rows(answers, truths), np.arange(len(answers)))
    for name, value in COCO[sort, seed].items():
        assert found[name] == pytest.approx(value, abs=1e-8), name


@pytest.mark.parametrize("sort", SORTS)
def test_average_precision_is_what_faster_coco_eval_gives(sort: str) -> None:
    pytest.importorskip(
        "faster_coco_eval", reason="faster-coco-eval, a development dependency, is not installed"
    )
    for seed in range(2, 7):
        made = cohort(sort, seed)
        found = judge.summary(judge.rows(*made[:2]), np.arange(len(made[0])))
        theirs = by_coco(made)
        assert set(theirs) > {"ap", "ap50", "ap10"}
        for name, value in theirs.items():
            assert found[name] == pytest.approx(value, abs=1e-6), (seed, name)


@pytest.mark.parametrize("sort", ["random", "crowd", "absent"])
def test_a_resample_is_a_cohort_of_its_own(sort: str) -> None:
    answers, truths, _ = cohort(sort, 3)
    rows, rng = judge.rows(answers, truths), np.random.default_rng(1)
    for _ in range(5):
        index = rng.integers(0, len(rows), len(rows))
        copies = judge.rows([answers[k] for k in index], [truths[k] for k in index])
        there = judge.summary(copies, np.arange(len(index)))
        here = judge.summary(rows, index)
        held = {n: v for n, v in here.items() if n in there}
        assert held == pytest.approx(there, abs=1e-12, nan_ok=True)
        assert all(np.isnan(v) or n.startswith(("false", "precision", "f1", "count")) for n, v in here.items()
                   if n not in there)  # fmt: skip


def test_two_tables_are_joined_as_one_and_a_subset_is_a_table() -> None:
    answers, truths, _ = cohort("ties", 4)
    whole = judge.rows(answers, truths)
    parts = judge.joined(judge.rows(answers[:5], truths[:5]), judge.rows(answers[5:], truths[5:]))
    every = np.arange(len(whole))
    assert judge.summary(parts, every) == pytest.approx(judge.summary(whole, every), nan_ok=True)
    some = metrics.subset(judge, whole, np.array([7, 2, 3]))
    alone = judge.rows([answers[k] for k in (7, 2, 3)], [truths[k] for k in (7, 2, 3)])
    same = judge.summary(alone, np.arange(3))
    assert {n: v for n, v in some.summary(some.rows, np.arange(3)).items() if n in same} == pytest.approx(
        same, nan_ok=True
    )


def test_the_hundred_surest_of_a_label_count_but_no_fewer_than_there_truly_are() -> None:
    real = tuple(box(0, 10 * k, 9) for k in range(90))
    false = tuple(box(500, 10 * k, 9) for k in range(60))
    answer = told([*((b, 0.1) for b in real), *((b, 0.9) for b in false)])
    found = judge.summary(judge.rows([answer], [real]), np.arange(1))
    # 60 false ones and 40 of the 90: precision .4 at the 40th, read at recalls 0, .01 … .44
    assert found["ap50"] == pytest.approx(45 / 101 * 40 / 100)
    many = tuple(box(0, 10 * k, 9) for k in range(150))
    assert judge.summary(judge.rows([told([(b, 0.5) for b in many])], [many]), np.arange(1))["ap"] == 1.0


def test_froc_worked_by_hand() -> None:
    """Four images, four true boxes, of which three are hit; false ones at .8, .6 and .5; a second hit at .4.

    Falling scores: .9 hit, .8 false, .7 hit, .6 false, .55 second hit of the first (neither), .5 false, .4 hit.
    Points (false an image, found): (0, 1/4), (1/4, 1/4), (1/4, 2/4), (2/4, 2/4), (3/4, 2/4), (3/4, 3/4).
    """
    a, b, c, d = (box(0, 30 * k, 10) for k in range(4))
    wrong = box(60, 0, 10)
    answers = [told([(a, 0.9), (wrong, 0.8), (box(0, 1, 10), 0.55)]), told([(b, 0.7), (wrong, 0.6)]),
               told([(wrong, 0.5), (c, 0.4)]), told([])]  # fmt: skip
    rows = judge.rows(answers, [(a,), (b,), (c,), (d,)])
    found = judge.summary(rows, np.arange(4))
    by_hand = {"1_8": 1 / 4, "1_4": 2 / 4, "1_2": 2 / 4, "1": 3 / 4, "2": 3 / 4, "4": 3 / 4, "8": 3 / 4}
    for name, value in by_hand.items():
        assert found[f"sensitivity_at_{name}"] == pytest.approx(value), name
    assert found["froc"] == pytest.approx(sum(by_hand.values()) / 7)
    one = judge.summary(rows, np.array([0, 1]))  # 1/8 of two images lies before the first false one, 1/4 too
    assert one["sensitivity_at_1_4"] == 0.5 and one["sensitivity_at_1_2"] == 1.0
    curve = judge.froc_curve(rows, np.arange(4), np.array([0.0, 0.25, 0.6, 0.75]))
    assert curve[0] == pytest.approx([1 / 4, 2 / 4, 2 / 4, 3 / 4])


def test_a_line_joins_the_points_of_equal_scores_as_in_luna16() -> None:
    """One score for a hit and a false box in each of two images: from (0, 0) to (1 false an image, all)."""
    a, wrong = box(0, 0, 10), box(60, 0, 10)
    answers = [told([(a, 0.5), (wrong, 0.5)]), told([(wrong, 0.5), (a, 0.5)])]
    found = judge.summary(judge.rows(answers, [(a,), (a,)]), np.arange(2))
    rates = [1 / 8, 1 / 4, 1 / 2, 1]
    assert [found[f"sensitivity_at_{n}"] for n in ("1_8", "1_4", "1_2", "1")] == pytest.approx(rates)


def test_what_hits_a_crowd_counts_for_nothing() -> None:
    a, crowd = box(0, 0, 10), replace(box(40, 0, 40), crowd=True)
    answer = told([(a, 0.9), (box(45, 5, 10), 0.8), (box(50, 10, 10), 0.7), (box(0, 60, 10), 0.6)])
    found = judge.summary(judge.rows([answer], [(a, crowd)]), np.arange(1))
    assert found["precision"] == 0.5 and found["sensitivity"] == 1.0 and found["false_per_image"] == 1.0
    assert found["sensitivity_at_1_8"] == 1.0 and found["ap50"] == 1.0
    rows = judge.rows([answer], [(a, crowd)])
    assert np.isnan(found["count_mae"]) and judge.excluded(rows) == {
        "crowd/x": 1
    }  # nobody knows how many there are


def test_what_is_called_and_counted_stands_on_thresholds() -> None:
    a, b = box(0, 0, 10), box(0, 30, 10)
    answers = [told([(a, 0.9), (box(0, 1, 10), 0.8), (b, 0.2)], 0.5), told([(a, 0.9), (b, 0.6)], 0.5),
               told([(box(60, 0, 10), 0.7)], 0.5)]  # fmt: skip
    rows = judge.rows(answers, [(a, b), (a, b), ()])
    found = judge.summary(rows, np.arange(3))
    assert found["sensitivity"] == 3 / 4  # b of the first is not called
    assert found["precision"] == 3 / 5 and found["false_per_image"] == pytest.approx(
        2 / 3
    )  # a second hit is false
    assert found["f1"] == pytest.approx(2 * 3 / (5 + 4))
    assert found["count_mae"] == pytest.approx(1 / 3) and found["count_bias"] == pytest.approx(1 / 3)
    assert found["count_relative"] == 0.0  # both that have any are counted right
    assert found["ap50"] == pytest.approx((51 + 50 * 4 / 6) / 101)  # 4 of 6 from the third true one on
    counted = numbers.from_arrays({"x": np.array([2.0, 2, 1])}, {"x": np.array([2.0, 2, 0])})
    theirs = numbers.summary(counted, np.arange(3))
    assert found["count_spearman/x"] == theirs["spearman/x"]


def test_rules_of_a_hit() -> None:
    true, half, third = box(0, 0, 10), box(0, 5, 10), box(0, 4, 20)
    assert judge.rows([told([(true, 1.0)])], [(true,)]).info["hit"] == judge.Hit("iou", 0.5)
    volume = Box((0, 0, 0), (5, 5, 5), "x")
    assert judge.rows([told([(volume, 1.0)])], [(volume,)]).info["hit"] == judge.Hit("iou", 0.1)

    def found(answer: Box, hit: judge.Hit) -> float:
        return judge.summary(judge.rows([told([(answer, 1.0)])], [(true,)], hit=hit), np.arange(1))[
            "sensitivity"
        ]

    assert found(half, judge.Hit("iou", 0.3)) == 1 and found(half, judge.Hit("iou", 0.5)) == 0  # 50 of 150
    assert found(half, judge.Hit("centre")) == 0  # its middle lies on the rim, which is excluded
    assert found(box(0, 4, 10), judge.Hit("centre")) == 1 and found(third, judge.Hit("centre")) == 0
    first, second = (
        judge.rows([told([(true, 1.0)])], [(true,)], hit=h) for h in (judge.Hit(), judge.Hit("centre"))
    )
    with pytest.raises(DataError, match="different rules"):
        judge.joined(first, second)


def test_boxes_of_volumes_overlap_in_three_dimensions() -> None:
    true = Box((0, 0, 0), (10, 10, 10), "x")
    answer = Box((0, 0, 5), (10, 10, 15), "x")  # 500 of 1500
    for at, value in ((0.33, 1.0), (0.34, 0.0)):
        rows = judge.rows([told([(answer, 1.0)])], [(true,)], hit=judge.Hit("iou", at))
        assert judge.summary(rows, np.arange(1))["sensitivity"] == value
    assert judge.summary(judge.rows([told([(answer, 1.0)])], [(true,)]), np.arange(1))["ap10"] == 1.0


def test_boxes_without_an_extent_and_odd_numbers() -> None:
    true = box(0, 0, 10)
    flat = Box((0, 3, 3), (1, 3, 9), "x")
    found = judge.summary(judge.rows([told([(flat, 0.9), (true, 0.5)])], [(true,)]), np.arange(1))
    assert found["ap50"] == pytest.approx(0.5) and found["sensitivity"] == 1.0
    with pytest.raises(DataError, match="not a finite number"):
        judge.rows([told([(Box((0, float("nan"), 0), (1, 2, 2), "x"), 0.5)])], [(true,)])
    with pytest.raises(DataError, match="one truth"):
        judge.rows([told([])], [])
    nothing = judge.summary(judge.rows([told([]), told([])], [(), ()]), np.arange(2))
    assert np.isnan(nothing["ap"]) and nothing["false_per_image"] == 0 and nothing["count_mae"] == 0


def test_the_trivial_answer_is_the_case_that_is_most_like_the_others() -> None:
    near = [(box(0, k, 20), box(0, 50 + k, 20)) for k in range(5)]
    odd = [(box(60, 90, 5),), ()]
    boxes, p = judge.baseline([*odd, *near])
    assert boxes == near[2] and p.tolist() == pytest.approx([4 / 6, 4 / 6])
    assert judge.baseline([])[0] == ()


def box(y: float, x: float, size: float, name: str = "x") -> Box:
    return Box((0.0, y, x), (1.0, y + size, x + size), name)


def told(found: list[tuple[Box, float]], threshold: float | None = None) -> Boxes:
    limits = None if threshold is None else {"x": threshold}
    p = np.array([p for _, p in found])
    return Boxes(boxes=tuple(b for b, _ in found), p=p, labels=(Label(1, "x"),), thresholds=limits)
