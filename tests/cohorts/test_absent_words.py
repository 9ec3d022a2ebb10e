"""Words in a table that may mean that nothing is known: a class, an empty cell or a question, column by column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, UnknownName
from vesalius.reliability.inspect import inspect


def table(root: Path, columns: dict[str, list[str]]) -> Path:
    """A folder with `cases.csv`, whose first column names a picture a row."""
    rng = np.random.default_rng(0)
    count = len(next(iter(columns.values())))
    for k in range(count):
        Picture.fromarray(rng.integers(0, 255, (9, 8), dtype=np.uint8)).save(root / f"x{k}.png")
    rows = [[f"x{k}.png", *(c[k] for c in columns.values())] for k in range(count)]
    lines = [",".join(["image", *columns]), *(",".join(r) for r in rows)]
    (root / "cases.csv").write_text("\n".join(lines) + "\n")
    return root / "cases.csv"


def counts(cohort: Cohort, target: str = "diagnosis") -> dict[object, int]:
    held = [c.targets.get(target) for c in cohort.cases]
    return {v: held.count(v) for v in dict.fromkeys(held)}


@pytest.mark.parametrize("others", [["Mass"] * 5 + ["Cyst"] * 4, ["Mass"] * 9])
def test_none_is_a_class_among_classes_and_that_is_said(tmp_path: Path, others: list[str]) -> None:
    cohort = cohorts.check(cohorts.read(table(tmp_path, {"diagnosis": ["None"] * 15 + others})))
    assert counts(cohort) == {"None": 15} | {n: others.count(n) for n in others}
    assert {x.name for x in cohort.targets["diagnosis"].labels} == {"None", *others}
    assert any("'None' (15 cells) is taken as a class" in n for n in cohort.notes)


@pytest.mark.parametrize("word", ["NA", "N/A", "?", "-", "Missing"])
def test_what_may_be_a_class_or_not_known_is_asked(tmp_path: Path, word: str) -> None:
    path = table(tmp_path, {"diagnosis": [word] * 6 + ["Mass"] * 5 + ["Cyst"] * 4})
    cohort = cohorts.read(path)
    with pytest.raises(DataError, match="may be a class") as error:
        cohorts.check(cohort)
    assert (
        f"'{word}'" in str(error.value) and "6 of 15" in str(error.value) and "--labels" in str(error.value)
    )
    found = [f for f in inspect(cohort).findings if f.severity == "error"]
    assert len(found) == 1 and f"--labels '{word}={word}'" in found[0].hint
    kept = cohorts.check(cohorts.read(path, labels={word: word}))
    assert counts(kept) == {word: 6, "Mass": 5, "Cyst": 4}
    dropped = cohorts.check(cohorts.read(path, labels={word: ""}))
    assert counts(dropped) == {None: 6, "Mass": 5, "Cyst": 4}
    assert [x.name for x in dropped.targets["diagnosis"].labels] == ["Cyst", "Mass"]


def test_what_programs_write_for_nothing_is_an_empty_cell_and_so_is_any_word_among_numbers(
    tmp_path: Path,
) -> None:
    columns = {
        "diagnosis": ["nan"] * 3 + ["Mass"] * 5 + ["Cyst"] * 4,
        "grade": ["NA"] * 3 + ["1"] * 5 + ["2"] * 4,
        "age": ["?"] + ["50"] * 11,
        "patient": [f"p{k}" for k in range(11)] + ["None"],
    }
    cohort = cohorts.check(cohorts.read(table(tmp_path, columns)), target="diagnosis")
    assert counts(cohort) == {None: 3, "Mass": 5, "Cyst": 4}
    assert counts(cohort, "grade") == {None: 3, "1": 5, "2": 4}
    assert cohort.cases[0].covariates["age"] is None and cohort.cases[1].covariates["age"] == 50.0
    assert cohort.cases[11].patient is None
    for column, word in (("diagnosis", "nan"), ("grade", "NA"), ("age", "?"), ("patient", "None")):
        assert any(column in n and f"'{word}'" in n and "empty cell" in n for n in cohort.notes), column


def test_none_among_grades_is_asked_and_a_minus_beside_a_plus_is_a_class(tmp_path: Path) -> None:
    path = table(tmp_path, {"grade": ["None"] * 4 + ["1"] * 4 + ["2"] * 4, "test": ["+", "-"] * 6})
    with pytest.raises(DataError, match="'None' in column 'grade'"):
        cohorts.check(cohorts.read(path, columns={"label": "grade"}))
    told = cohorts.check(cohorts.read(path, columns={"label": "grade"}, labels={"None": "0"}))
    assert counts(told, "grade") == {"0": 4, "1": 4, "2": 4}
    assert [(x.value, x.name) for x in told.targets["grade"].labels] == [(0, "0"), (1, "1"), (2, "2")]
    signs = cohorts.check(cohorts.read(path, columns={"label": "test"}))
    assert counts(signs, "test") == {"+": 6, "-": 6}


def test_none_in_lists_is_none_of_the_labels(tmp_path: Path) -> None:
    path = table(tmp_path, {"findings": ["None", "mass", "mass|edema", "edema"] * 3})
    cohort = cohorts.check(cohorts.read(path))
    assert counts(cohort, "findings") == {(): 3, ("mass",): 3, ("mass", "edema"): 3, ("edema",): 3}
    assert [x.name for x in cohort.targets["findings"].labels] == ["edema", "mass"]
    unknown = cohorts.read(path, labels={"None": ""})
    assert counts(unknown, "findings")[None] == 3


def test_a_told_label_that_is_nowhere_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, {"diagnosis": ["Mass"] * 5 + ["Cyst"] * 4})
    with pytest.raises(UnknownName, match="unknown label 'Mas'") as error:
        cohorts.read(path, labels={"Mas": "Mass"})
    assert "Mass" in str(error.value)
