"""What inspect says of reports: lengths, sections, empty and equal ones, and texts on both sides of a split."""

from __future__ import annotations

from pathlib import Path

import pytest

from vesalius import cohorts
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.image import Image
from vesalius.reliability.inspect import inspect
from vesalius.reliability.reports import report_record, summary_of_reports, text_hash
from vesalius.run.cleaning.looking import proposals_of

REPORTS = [
    "INDICATION: Cough.\nFINDINGS: The lungs are clear.\nIMPRESSION: Normal.",
    "INDICATION: Pain.\nFINDINGS: The lungs are clear.\nIMPRESSION: Normal.",
    "FINDINGS: XXXX nodule.\nWET READ: done",
    "FINDINGS:\nIMPRESSION:",
]


def test_figures_of_reports_by_hand() -> None:
    found = summary_of_reports([report_record(r) for r in REPORTS])
    assert found is not None
    assert (found.reports, found.empty, found.equal, found.texts, found.most, found.blanks) == (
        4,
        1,
        2,
        2,
        2,
        1,
    )
    assert (found.words.low, found.words.high) == (0, 6)  # headings are no words
    sections = {s.name: (s.reports, s.empty) for s in found.sections}
    assert sections == {"indication": (2, 0), "findings": (4, 1), "impression": (3, 1)}
    assert found.unknown == (("WET READ", 1),)
    assert summary_of_reports([]) is None


def cohort_of(splits: list[str], *, pictured: bool, labels: str = "aabb") -> Cohort:
    import numpy as np

    def image(k: int) -> Image:
        return Image(np.random.default_rng(k).random((1, 1, 8, 8)).astype(np.float32), None)

    cases = tuple(
        Case(
            f"c{k}",
            {"image": image(k)} if pictured else {},
            reference="image" if pictured else None,
            report=report,
            split=split,  # type: ignore[arg-type]
            targets={"class": label},
        )
        for k, (report, split, label) in enumerate(zip(REPORTS, splits, labels, strict=True))
    )
    info = TargetInfo("class", "class", cohorts._build.class_labels("ab"), "by hand")
    return Cohort(Path("by-hand"), "plain", cases, {"class": info})


def test_equal_reports_are_the_same_case_where_there_is_nothing_else() -> None:
    found = inspect(cohort_of(["train", "test", "train", "train"], pictured=False))
    assert [(d.cases, d.what, d.exact) for d in found.duplicates] == [(("c0", "c1"), "report", True)]
    assert [(x.cases, x.sides, x.what) for x in found.leaks] == [(("c0", "c1"), ("train", "test"), "report")]
    assert any(f.text.startswith("one report stands in train and test") for f in found.findings)
    empty = next(f for f in found.findings if f.kind == "empty reports")
    assert (empty.cases, empty.severity) == (("c3",), "warning")


def test_two_people_may_have_one_report() -> None:
    cohort = cohort_of(["train"] * 4, pictured=False, labels="abab")
    found = inspect(cohort)
    contradiction = next(f for f in found.findings if f.kind == "contradiction")
    assert contradiction.severity == "warning"
    assert not any(p.accept for p in proposals_of(found, cohort, ()))  # nothing is dropped on its own


def test_equal_reports_of_images_are_templates_and_named_across_a_split() -> None:
    found = inspect(cohort_of(["train", "test", "test", "train"], pictured=True))
    assert not found.duplicates
    equal = next(f for f in found.findings if f.kind == "equal reports")
    assert equal.text == "1 of 2 reports of test say the same as one to learn from"
    assert (equal.cases, equal.severity) == (("c1",), "note")


@pytest.mark.parametrize("seed", range(3))
def test_equal_reports_stay_in_one_fold(seed: int) -> None:
    texts = ["The lungs are clear."] * 5 + [f"A nodule of {k} mm." for k in range(15)]
    cases = tuple(Case(f"c{k}", {}, reference=None, report=t) for k, t in enumerate(texts))
    cohort = Cohort(Path("by-hand"), "plain", cases)
    from vesalius.reliability.duplicates import Twins

    twins = Twins()
    cohorts.check(cohort, observe=twins)
    dealt = cohorts.assign(cohort, target=None, seed=seed, groups=twins.groups())
    sides = [set(dealt.test), *map(set, dealt.folds)]
    assert sum(bool({f"c{k}" for k in range(5)} & side) for side in sides) == 1
    assert text_hash("  The LUNGS are clear ") == text_hash(texts[0]) != text_hash("")
