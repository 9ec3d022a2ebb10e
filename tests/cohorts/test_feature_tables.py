"""A table of features beside a cohort: which of its cells become covariates, and what is said of who made it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = {"case": ["a", "b", "c", "d"], "age": [50, 61, 72, 43], "class": ["x", "y", "x", "y"]}
    pl.DataFrame(rows).write_csv(tmp_path / "cohort.csv")
    return tmp_path


def read(folder: Path, text: str = "f.csv") -> Cohort:
    told = {"image": "", "label": "class", "covariate": "age", "features": str(folder / text)}
    return cohorts.read(folder / "cohort.csv", columns=told)


def table(folder: Path, **columns: list[object]) -> None:
    pl.DataFrame(columns, strict=False).write_csv(folder / "f.csv")


def test_numbers_become_covariates_and_nothing_else_does(folder: Path) -> None:
    """Text columns are named and left; a cell that is no finite number is missing, not zero; a case may have no row."""
    table(folder, case=["a", "b", "c"], size=["1.5", "inf", "nan"], note=["x", "y", ""], voxels=[9, 9, 9])
    cohort = read(folder)
    assert cohort.covariates == ("age", "size")
    assert [c.covariates["size"] for c in cohort] == [1.5, None, None, None]
    assert [c.covariates["age"] for c in cohort] == [50, 61, 72, 43]
    notes = " | ".join(cohort.notes)
    assert (
        "1 covariate of f.csv, of 3 of 4 cases" in notes
        and "not used, as they hold no numbers: note" in notes
    )


def test_several_labels_are_told_apart_in_the_name(folder: Path) -> None:
    table(folder, case=["a", "a", "b"], label=["liver", "tumour", "liver"], size=[1, 2, 3])
    cohort = read(folder)
    assert cohort.covariates == ("age", "liver size", "tumour size")
    assert [c.covariates["tumour size"] for c in cohort] == [2, None, None, None]
    table(folder, case=["a", "b"], label=["liver", "liver"], size=[1, 3])
    assert read(folder).covariates == ("age", "size")


def test_a_feature_that_is_called_as_a_column_is_refused(folder: Path) -> None:
    table(folder, case=["a", "b"], age=[1, 2])
    with pytest.raises(DataError, match="'age' of .* is a column of the cohort, too"):
        read(folder)


@pytest.mark.parametrize(
    ("words", "record", "learned", "note"),
    [
        (["yes", "no", "yes", "no"], {}, {"a", "c"}, "none of them is tested on"),
        (["yes", "no", "yes", "no"], {"learned": {"without_target": True}}, set(), "without a target"),
        (["unknown"] * 4, {}, set(), "is not known"),
        (["no"] * 4, {}, set(), ""),
    ],
)
def test_what_is_known_of_the_bundle_that_made_them(
    folder: Path, words: list[object], record: object, learned: set[str], note: str
) -> None:
    table(folder, case=["a", "b", "c", "d"], learned=words, deep_0000=[1, 2, 3, 4])
    (folder / "f.json").write_text(json.dumps(record))
    cohort = read(folder)
    assert cohort.learned == learned and cohort.covariates == ("age", "deep_0000")
    assert note in " | ".join(cohort.notes)
