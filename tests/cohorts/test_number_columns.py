"""Columns of numbers as targets: named or by their name, told from codes of classes, with their units."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from vesalius import cohorts, formats
from vesalius.cohorts._units import unit_of
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.core.image import Image


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("age_years", "years"), ("Age (years)", "years"), ("age [y]", "years"), ("volume_ml", "ml"), ("EF (%)", "%"),
        ("EF%", "%"), ("liver-cc", "ml"), ("flow (ml/min)", "ml/min"), ("BMI (kg/m²)", "kg/m2"), ("density.HU", "HU"),
        ("days", None), ("age", None), ("score (total)", None), ("grade (1-5)", None), ("item_s", None),
        ("vitamin a", None), ("born (dd/mm/yyyy)", None), ("side (l/r)", None), ("HU_min", None), ("birth_year", None),
        ("iron (µg/dl)", "µg/dl"),
        ("minutes of walk", None), ("", None),
    ],
)  # fmt: skip
def test_a_unit_is_what_a_name_ends_in_and_never_guessed(column: str, unit: str | None) -> None:
    assert unit_of(column) == unit


def read(folder: Path, column: str, cells: Sequence[object], **how: object) -> Cohort:
    for k in range(len(cells)):
        pixels = np.random.default_rng(k).integers(0, 255, (1, 1, 8, 8), dtype=np.uint8)
        formats.write(Image(array=pixels), folder / f"p{k}.png")
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", column, "site", "sex"])
        writer.writerows([f"p{k}.png", x, k % 3 + 1, "FM"[k % 2]] for k, x in enumerate(cells))
    return cohorts.read(folder / "table.csv", **how)  # type: ignore[arg-type]


def test_numbers_that_are_named_as_the_target_are_numbers(tmp_path: Path) -> None:
    cohort = read(tmp_path, "age_years", [40.5 + k for k in range(11)] + ["NA"], target="age_years")
    info = cohort.targets["age_years"]
    assert (info.kind, info.unit) == ("number", "years") and not cohort.questions
    assert cohort.cases[0].targets == {"age_years": 40.5} and "age_years" not in cohort.cases[-1].targets
    assert "--column label=age_years" in info.reason


def test_codes_that_are_named_as_the_target_stay_classes_and_say_how_to_have_numbers(tmp_path: Path) -> None:
    cohort = read(tmp_path, "grade", [k % 5 for k in range(20)], target="grade")
    info = cohort.targets["grade"]
    assert info.kind == "class" and len(info.labels) == 5
    assert "5 different whole numbers as classes; --column value=grade" in info.reason


def test_codes_in_few_rows_are_a_question(tmp_path: Path) -> None:
    cohort = read(tmp_path, "grade", [0, 1, 2, 3, 4, 0, 1])
    assert cohort.targets["grade"].kind == "number"
    (question,) = cohort.questions
    assert "may hold numbers, or codes" in question.what and "--column label=grade" in question.hint
    with pytest.raises(DataError, match="codes of classes"):
        cohorts.check(cohort, target="grade")


@pytest.mark.parametrize("cells", [[0, 1, 2, 3, 4, 0, 1], [31, 40, 45, 52, 67, 31]], ids=["told", "ages"])
def test_what_is_told_or_no_code_is_no_question(tmp_path: Path, cells: list[int]) -> None:
    told = {"columns": {"value": "grade"}} if cells[0] == 0 else {}
    assert not read(tmp_path, "grade", cells, **told).questions


def test_covariates_that_are_named_are_told_from_columns_that_are_there(tmp_path: Path) -> None:
    ages = [40.5 + k for k in range(12)]
    named = read(tmp_path, "age", ages, columns={"value": "age", "covariate": "sex"})
    assert named.covariates == ("sex",) and named.cases[0].covariates == {"sex": "F"}
    other = cohorts.read(tmp_path / "table.csv", target="age")
    assert other.covariates == () and set(other.cases[0].covariates) == {"site", "sex"}


def test_few_numbers_are_spread_over_folds_and_do_not_make_them_fewer(tmp_path: Path) -> None:
    cohort = read(tmp_path, "age", [40.5 + k for k in range(15)], target="age")
    made = cohorts.assign(cohort, target=cohort.targets["age"], seed=0)
    assert len(made.folds) == 5 and "folds, as" not in made.by
    means = [np.mean([float(cohort.case(i).targets["age"]) for i in fold]) for fold in made.folds]  # type: ignore[arg-type]
    assert max(means) - min(means) < 8, "each fold has small and large ones"
