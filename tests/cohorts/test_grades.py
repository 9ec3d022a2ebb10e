"""Grades of a table or of folders: their order from numbers or from a person, and what is never guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

import vesalius as vs
from vesalius import cohorts
from vesalius.cohorts import _grading as grading
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError


def table(folder: Path, grades: list[str], *, column: str = "severity") -> Path:
    """Write a picture and a row for each grade, with a covariate that is no target."""
    folder.mkdir()
    rows = [f"file,{column}"]
    for k, grade in enumerate(grades):
        Picture.fromarray(np.full((8, 8), k, np.uint8)).save(folder / f"p{k}.png")
        rows.append(f"p{k}.png,{grade}")
    (folder / "table.csv").write_text("\n".join(rows))
    return folder


def names(cohort: Cohort, target: str = "severity") -> list[str]:
    return [x.name for x in cohort.targets[target].labels]


@pytest.mark.parametrize(
    ("given", "order"),
    [
        (["3", "0", "10", "2"], ["0", "2", "3", "10"]),
        (["2.5", "2", "3"], ["2", "2.5", "3"]),
        (["BI-RADS 4b", "BI-RADS 4a", "BI-RADS 5"], ["BI-RADS 4a", "BI-RADS 4b", "BI-RADS 5"]),
        (["Stage IV", "Stage I", "stage ii"], ["Stage I", "stage ii", "Stage IV"]),
        (["IIb", "IIa", "I"], ["I", "IIa", "IIb"]),
        (["KL 0", "KL-3", "KL 2"], ["KL 0", "KL 2", "KL-3"]),
        (["1 mild", "0 none", "2 severe"], ["0 none", "1 mild", "2 severe"]),
    ],
)
def test_numbers_in_the_names_are_the_order(given: list[str], order: list[str]) -> None:
    assert grading.in_order(given) == tuple(order)


@pytest.mark.parametrize(
    "given",
    [
        ["mild", "none", "severe"],
        ["3+4", "4+3"],  # two numbers: which of them leads is not ours to say
        ["0-10 %", "10-25 %"],
        ["4", "4a", "5"],  # 4 may hold 4a
        ["G1", "G2", "GX"],
        ["1", "01"],  # the same number twice
        ["T1", "N2"],
        ["-1", "0", "1"],
        [],
        ["0", "-1", "-2"],  # not 0 < -1 < -2
        ["0", "1", "2", "999"],
        ["6 months", "1 year", "2 years"],
        ["1 l", "500 ml"],
    ],
)
def test_what_numbers_do_not_tell_is_left_open(given: list[str]) -> None:
    assert grading.in_order(given) is None


def test_a_column_of_grades_stands_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    cohort = vs.read(table(tmp_path / "t", ["10", "2.0", "9", "2", "9"]), columns={"grade": "severity"})
    info = cohort.targets["severity"]
    assert info.kind == "ordinal" and [(x.value, x.name) for x in info.labels] == [
        (2, "2"),
        (9, "9"),
        (10, "10"),
    ]
    assert [c.targets["severity"] for c in cohort] == ["10", "2", "9", "2", "9"]
    assert any("2 < 9 < 10" in note for note in cohort.notes) and not cohort.questions


def test_missing_grades_and_halves_are_said(tmp_path: Path) -> None:
    cohort = vs.read(table(tmp_path / "t", ["0", "1", "", "3", "2.5", "NA"]), columns={"grade": "severity"})
    assert names(cohort) == ["0", "1", "2.5", "3"]
    assert [len(c.targets) for c in cohort] == [1, 1, 0, 1, 1, 0]  # an empty cell is no grade
    said = " ".join(cohort.notes)
    assert "no case has 2; --labels 'severity=0<1<2<2.5<3'" in said and "2.5 are grades of their own" in said


def test_words_without_an_order_are_asked_for_and_never_learned_from(tmp_path: Path) -> None:
    folder = table(tmp_path / "t", ["mild", "none", "severe", "mild", "none", "severe"])
    cohort = vs.read(folder, columns={"grade": "severity"})
    assert [q.what for q in cohort.questions] == ["the order of the grades of 'severity' is not known"]
    assert "--labels 'severity=none<mild<severe'" in cohort.questions[0].hint
    with pytest.raises(DataError, match=r"order of the grades.*none<mild<severe"):
        cohorts.check(cohort, target="severity")


def test_the_order_that_a_person_says_makes_grades_and_none_is_one_of_them(tmp_path: Path) -> None:
    folder = table(tmp_path / "t", ["mild", "none", "Severe", "mild", "none", "Severe"])
    for columns in ({"grade": "severity"}, {"label": "severity"}, None):
        cohort = vs.read(folder, columns=columns, labels={"severity": "none < mild < moderate < severe"})
        info = cohort.targets["severity"]
        assert info.kind == "ordinal" and names(cohort) == ["none", "mild", "moderate", "Severe"]
        assert [x.value for x in info.labels] == [0, 1, 2, 3] and not cohort.questions
        assert [c.targets["severity"] for c in cohort][:3] == ["mild", "none", "Severe"]
        assert any("no case has moderate" in note for note in cohort.label_notes)


def test_what_is_asked_names_each_grade_once_and_a_code_for_nothing() -> None:
    asked = grading.question("g", ["Mild", "mild", "severe"])
    assert asked.found == "Mild, severe" and "'g=Mild<severe'" in asked.hint
    assert "'g=-2<-1<0'" in grading.question("g", ["0", "-1", "-2"]).hint
    asked = grading.question("g", ["0", "1", "2", "999"])
    assert asked.hint.startswith("--labels 999= where it stands for an empty cell, or --labels 'g=0<1<2<999'")


def test_an_order_that_leaves_out_a_grade_or_has_one_twice_is_refused(tmp_path: Path) -> None:
    folder = table(tmp_path / "t", ["mild", "none", "severe", "mild", "none", "severe"])
    with pytest.raises(DataError, match=r"does not name every grade; found none<mild, without severe"):
        vs.read(folder, columns={"grade": "severity"}, labels={"severity": "none<mild"})
    with pytest.raises(DataError, match="names a grade twice"):
        vs.read(folder, columns={"grade": "severity"}, labels={"severity": "none<mild<Mild<severe"})


def test_names_that_a_person_gives_may_tell_the_order(tmp_path: Path) -> None:
    folder = table(tmp_path / "t", ["mild", "nil", "severe", "mild", "nil", "severe"])
    told = {"nil": "0", "mild": "1", "severe": "2"}
    cohort = vs.read(folder, columns={"grade": "severity"}, labels=told)
    assert names(cohort) == ["0", "1", "2"] and not cohort.questions
    both = vs.read(
        folder, columns={"grade": "severity"}, labels={"nil": "none", "severity": "none<mild<severe"}
    )
    assert names(both) == ["none", "mild", "severe"]


def test_grades_that_are_renamed_keep_their_places(tmp_path: Path) -> None:
    folder = table(tmp_path / "t", ["0", "1", "2", "3"] * 2)
    cohort = vs.read(folder, columns={"grade": "severity"}, labels={"3": "b", "2": "b", "0": "z"})
    assert names(cohort) == ["z", "1", "b"]  # the alphabet has no say
    with pytest.raises(DataError, match="another lies between"):
        vs.read(folder, columns={"grade": "severity"}, labels={"3": "0"})
    assert names(vs.read(folder, columns={"grade": "severity"}, labels={"3": ""})) == ["0", "1", "2"]


def test_class_folders_are_grades_where_a_person_says_their_order(tmp_path: Path) -> None:
    for k, name in enumerate(["good", "poor", "usable"] * 2):
        (tmp_path / "d" / name).mkdir(parents=True, exist_ok=True)
        Picture.fromarray(np.full((8, 8), k, np.uint8)).save(tmp_path / "d" / name / f"{k}.png")
    plain = vs.read(tmp_path / "d")
    assert plain.targets["class"].kind == "class" and names(plain, "class") == ["good", "poor", "usable"]
    doubt = next(d for d in plain.doubts if d.target == "class")
    assert "look like grades" in doubt.what and "--labels 'class=poor<usable<good'" in doubt.hint
    cohort = vs.read(tmp_path / "d", labels={"class": "poor<usable<good"})
    assert cohort.targets["class"].kind == "ordinal" and names(cohort, "class") == ["poor", "usable", "good"]
    assert not cohort.doubts


@pytest.mark.parametrize(
    ("column", "cells", "doubted"),
    [
        ("kl_grade", ["0", "1", "2", "3", "4"], True),
        ("site", ["0", "1", "2", "3", "4"], False),
        ("diagnosis", ["normal", "mild", "severe"], True),
        ("diagnosis", ["BI-RADS 2", "BI-RADS 3", "BI-RADS 4"], True),
        ("diagnosis", ["cyst", "mass", "normal"], False),
        ("grade", ["low", "high"], False),  # of two classes an order says nothing
    ],
)
def test_classes_that_look_like_grades_are_a_doubt(
    tmp_path: Path, column: str, cells: list[str], doubted: bool
) -> None:
    folder = table(tmp_path / "t", cells * 4, column=column)
    cohort = vs.read(folder, target=column)
    assert cohort.targets[column].kind == "class"
    assert any("look like grades" in d.what for d in cohort.doubts) is doubted
    assert not vs.read(folder, columns={"label": column}).doubts  # it was said what they are


def test_what_is_no_named_target_has_no_order(tmp_path: Path) -> None:
    rows = ["0.5", "1.5", "2.25", "7"]
    with pytest.raises(DataError, match="has no grades"):
        vs.read(table(tmp_path / "t", rows), columns={"value": "severity"}, labels={"severity": "0.5<1.5"})


def test_other_data_may_hold_fewer_grades_but_no_strange_one_and_no_other_order() -> None:
    kind = kinds.in_order()
    info = TargetInfo("g", "ordinal", tuple(Label(k, n) for k, n in enumerate(["none", "severe"])))
    kind.assert_learned(info, ["none", "mild", "severe"])
    with pytest.raises(DataError, match="did not learn the class 'worst'"):
        kind.assert_learned(TargetInfo("g", "ordinal", (Label(0, "worst"),)), ["none", "mild"])
    with pytest.raises(DataError, match="in another order"):
        kind.assert_learned(info, ["severe", "mild", "none"])
