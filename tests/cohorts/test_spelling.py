"""Classes spelled in several ways: joined where that is certain, asked where not, as told always."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError


def pictures(root: Path, names: list[str]) -> Path:
    """A picture a name, in a folder of that name."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(names):
        path = root / name / f"x{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(rng.integers(0, 255, (9, 8), dtype=np.uint8)).save(path)
    return root


def listed(root: Path, names: list[str]) -> Path:
    """The same as a table."""
    pictures(root, ["p"] * len(names))
    lines = [f"x{k}.png,{name}" for k, name in enumerate(names)]
    (root / "cases.csv").write_text("image,label\n" + "\n".join(lines) + "\n")
    return root


def counts(cohort: Cohort) -> dict[object, int]:
    name = next(iter(cohort.targets))
    return dict(Counter(c.targets.get(name) for c in cohort.cases))


NAMES = ["Benign"] * 6 + ["benign"] * 3 + [" BENIGN "] * 2 + ["Malignant"] * 5


@pytest.mark.parametrize("make", [pictures, listed])
def test_letter_case_and_blanks_make_no_class(tmp_path: Path, make: object) -> None:
    root = make(tmp_path, NAMES)  # type: ignore[operator]
    cohort = cohorts.check(cohorts.read(root))
    assert counts(cohort) == {"Benign": 11, "Malignant": 5}
    assert [(x.value, x.name) for x in cohort.targets[next(iter(cohort.targets))].labels] == [
        (0, "Benign"),
        (1, "Malignant"),
    ]
    assert any(
        "'Benign' (6 cases)" in n and "'benign' (3 cases)" in n and "one class" in n for n in cohort.notes
    )
    apart = cohorts.check(cohorts.read(root, labels={"benign": "benign"}))
    assert counts(apart)["benign"] == 3 and counts(apart)["Benign"] == 8
    upper = cohorts.check(cohorts.read(root, labels={"BENIGN": "BENIGN"}))
    assert sorted(n for n in counts(upper).values()) == [2, 5, 9]  # type: ignore[type-var]


def test_yes_and_no_in_several_words_are_two_classes(tmp_path: Path) -> None:
    names = ["yes"] * 4 + ["Y"] * 3 + ["1"] * 2 + ["TRUE"] * 2 + ["no"] * 3 + ["0"] * 4 + ["n"]
    cohort = cohorts.check(cohorts.read(listed(tmp_path, names)))
    assert counts(cohort) == {"yes": 11, "0": 8}
    assert any("'yes' (4 cases), 'Y' (3 cases), '1' (2 cases), 'TRUE' (2 cases)" in n for n in cohort.notes)


def test_letters_that_may_be_genotypes_are_asked(tmp_path: Path) -> None:
    root = listed(tmp_path, ["AA"] * 4 + ["aa"] * 4 + ["Aa"] * 4)
    with pytest.raises(DataError, match="differ only in how they are written") as error:
        cohorts.check(cohorts.read(root))
    assert "'AA' (4 cases), 'aa' (4 cases), 'Aa' (4 cases)" in str(error.value)
    kept = cohorts.check(cohorts.read(root, labels={"AA": "AA", "aa": "aa", "Aa": "Aa"}))
    assert counts(kept) == {"AA": 4, "aa": 4, "Aa": 4}
    merged = cohorts.check(cohorts.read(root, labels={"aa": "AA", "Aa": "other"}))
    assert counts(merged) == {"AA": 8, "other": 4}


def test_names_in_lists_are_joined_too(tmp_path: Path) -> None:
    root = listed(tmp_path, ["Edema|mass", "edema", "Edema", "mass"] * 3)
    cohort = cohorts.check(cohorts.read(root))
    assert counts(cohort) == {("Edema", "mass"): 3, ("Edema",): 6, ("mass",): 3}
    assert [x.name for x in cohort.targets["label"].labels] == ["Edema", "mass"]


def test_one_spelling_a_class_is_left_as_it_is(tmp_path: Path) -> None:
    cohort = cohorts.read(listed(tmp_path, ["stage 1", "stage_2", "1a", "1b"] * 3))
    assert counts(cohort) == {"stage 1": 3, "stage_2": 3, "1a": 3, "1b": 3} and not cohort.questions


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("left-eye", "left eye"),
        ("benign", "Benign."),
        ("caf\u00e9", "cafe\u0301"),
        ("\ufb01brosis", "fibrosis"),
        ("BI-RADS high", "bi_rads high"),
    ],
)
def test_hyphens_full_stops_and_ways_to_encode_letters_make_no_other_class(
    tmp_path: Path, one: str, other: str
) -> None:
    cohort = cohorts.read(listed(tmp_path, [one] * 5 + [other] * 3 + ["else"] * 4))
    assert counts(cohort) == {one: 8, "else": 4}
    assert any("are taken as one class" in note for note in cohort.notes)


def test_patients_that_differ_in_capitals_and_signs_are_named(tmp_path: Path) -> None:
    pictures(tmp_path, ["p"] * 4)
    ids = ["P-1", "p1", "P2", "P3"]
    rows = [f"p/x{k}.png,{one},{'ab'[k % 2]}" for k, one in enumerate(ids)]
    (tmp_path / "table.csv").write_text("\n".join(["file,patient,label", *rows]))
    notes = [n for n in cohorts.read(tmp_path / "table.csv").notes if "different people" in n]
    assert notes == ["patients P-1, p1 count as different people; spell one person in one way"]
    (tmp_path / "table.csv").write_text("\n".join(["file,patient,label", *rows[1:]]))
    assert not any("different people" in n for n in cohorts.read(tmp_path / "table.csv").notes)


def test_a_sign_before_a_number_is_no_hyphen(tmp_path: Path) -> None:
    cohort = cohorts.read(listed(tmp_path, ["grade -1"] * 4 + ["grade 1"] * 4))
    assert counts(cohort) == {"grade -1": 4, "grade 1": 4} and not cohort.questions


def test_numbers_with_and_without_zeros_in_front_are_asked(tmp_path: Path) -> None:
    cohort = cohorts.read(listed(tmp_path, ["01"] * 4 + ["1"] * 4 + ["2"] * 4))
    (question,) = cohort.questions
    assert question.found == "'01' (4 cases), '1' (4 cases)"


def test_short_words_for_yes_and_no_are_those_words(tmp_path: Path) -> None:
    cohort = cohorts.read(listed(tmp_path, ["pos"] * 4 + ["neg"] * 5 + ["Positive"] * 2 + ["negative"] * 3))
    assert counts(cohort) == {"pos": 6, "neg": 8}
