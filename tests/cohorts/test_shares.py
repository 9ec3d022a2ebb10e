"""Hidden labels: by patient, spread like the whole, nested, and never of what is tested on; held against counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from vesalius import cohorts
from vesalius.core.case import Case, Split
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Image

PIXELS = Image(np.zeros((1, 1, 2, 2), np.uint8))


def cohort_of(
    labels: list[str], *, patients: list[str] | None = None, splits: list[Split | None] | None = None
) -> Cohort:
    cases = tuple(
        Case(
            id=f"c{k}",
            images={"image": PIXELS},
            patient=patients[k] if patients else None,
            targets={"class": label, "age": float(k)},
            split=splits[k] if splits else None,
        )
        for k, label in enumerate(labels)
    )
    targets = {
        "class": TargetInfo("class", "class", tuple(Label(k, n) for k, n in enumerate(sorted(set(labels))))),
        "age": TargetInfo("age", "number"),
    }
    return Cohort(
        Path("x"), "table", cases, targets, hash="0", digests={"c0": "0"}, patients_known=bool(patients)
    )


def kept(cohort: Cohort, target: str = "class") -> set[str]:
    return {c.id for c in cohort.cases if target in c.targets}


def test_a_tenth_is_a_tenth_of_each_class_and_only_that_target_goes() -> None:
    cohort = cohort_of(["a"] * 100 + ["b"] * 50)
    tenth = cohorts.with_share_of_labels(cohort, "class", share=0.1, seed=3)
    classes = Counter(c.targets["class"] for c in tenth.cases if "class" in c.targets)
    assert classes == {"a": 10, "b": 5}
    assert len(tenth.cases) == 150 and kept(tenth, "age") == kept(cohort)
    assert tenth.hash == "" and tenth.digests == {}, "these are other data, and nobody has decoded them"
    assert tenth.notes[-1] == "class: 135 labels of 150 hidden, by patient (seed 3)"
    assert tenth.targets == cohort.targets


def test_larger_shares_hold_the_smaller_ones_and_a_seed_decides() -> None:
    cohort = cohort_of(["a", "b", "b"] * 40)
    shares = [
        kept(cohorts.with_share_of_labels(cohort, "class", share=s)) for s in (0.05, 0.1, 0.3, 0.6, 1.0)
    ]
    assert all(a < b for a, b in zip(shares, shares[1:], strict=False))
    assert [len(s) for s in shares] == [6, 12, 36, 72, 120]
    again = kept(cohorts.with_share_of_labels(cohort, "class", count=12))
    assert again == shares[1]
    assert kept(cohorts.with_share_of_labels(cohort, "class", count=12, seed=1)) != again


def test_patients_are_whole_and_each_class_keeps_two() -> None:
    labels = ["a"] * 90 + ["rare"] * 6
    patients = [f"p{k // 3}" for k in range(96)]
    cohort = cohort_of(labels, patients=patients)
    few = cohorts.with_share_of_labels(cohort, "class", share=0.01)
    held = [c for c in few.cases if "class" in c.targets]
    of = Counter(c.patient for c in held)
    assert set(of.values()) == {3}, "all cases of a patient, or none"
    assert Counter(c.targets["class"] for c in held) == {"a": 6, "rare": 6}
    linked = cohorts.with_share_of_labels(
        cohort_of(["a"] * 20), "class", share=0.5, groups={"c0": "g", "c19": "g"}
    )
    assert len({"c0", "c19"} & kept(linked)) in (0, 2)


def test_what_is_tested_on_keeps_its_label_whether_declared_or_named() -> None:
    splits: list[Split | None] = ["train"] * 30 + ["test"] * 10
    cohort = cohort_of(["a", "b"] * 20, splits=splits)
    few = kept(cohorts.with_share_of_labels(cohort, "class", share=0.2))
    tested = {f"c{k}" for k in range(30, 40)}
    assert tested <= few and len(few - tested) == 6
    plain = cohort_of(["a", "b"] * 20)
    named = kept(cohorts.with_share_of_labels(plain, "class", share=0.2, keep=tested))
    assert tested <= named and len(named - tested) == 6
    declared = cohorts.with_declared_test(plain, tested)
    assert {c.id for c in declared.cases if c.split == "test"} == tested
    assert kept(cohorts.with_share_of_labels(declared, "class", share=0.2)) == named
    hidden = cohorts.with_share_of_labels(declared, "class", share=0.2)
    assert set(cohorts.assign(hidden, target="class").test) == tested


def test_numbers_keep_their_fifths() -> None:
    found = cohorts.with_share_of_labels(cohort_of(["a"] * 100), "age", count=10)
    ages = sorted(c.targets["age"] for c in found.cases if "age" in c.targets)
    assert Counter(int(a) // 20 for a in ages) == dict.fromkeys(range(5), 2)  # type: ignore[arg-type]


def test_what_cannot_be_is_refused() -> None:
    cohort = cohort_of(["a", "b"] * 5)
    assert cohorts.with_share_of_labels(cohort, "class", share=1.0) is cohort
    with pytest.raises(UnknownName, match="clas"):
        cohorts.with_share_of_labels(cohort, "clas", share=0.5)
    for told, said in (
        ({}, "found neither"),
        ({"share": 0.5, "count": 3}, "found both"),
        ({"share": 0.0}, "above 0 and up to 1; found 0"),
        ({"count": 11}, "between 1 and the 10"),
    ):
        with pytest.raises(DataError, match=said):
            cohorts.with_share_of_labels(cohort, "class", **told)  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="c99"):
        cohorts.with_declared_test(cohort, ["c99"])
