"""Visits: a case knows the rows of its patient before its own day, and nothing that came later."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError


def pictures(root: Path, n: int) -> None:
    for k in range(n):
        pixels = np.random.default_rng(k).integers(0, 255, (9, 8), np.uint8)
        Picture.fromarray(pixels).save(root / f"x{k}.png")


def write(root: Path, head: str, rows: Sequence[str]) -> Path:
    """A table whose column `image` is x0.png, x1.png … in the order of rows."""
    pictures(root, len(rows))
    lines = [head, *(row.replace("@", f"x{k}.png") for k, row in enumerate(rows))]
    (root / "t.csv").write_text("\n".join(lines) + "\n")
    return root / "t.csv"


def read(root: Path, head: str, rows: Sequence[str], **columns: str) -> Cohort:
    return cohorts.read(write(root, head, rows), columns=columns, max_set_aside=1.0)


def before(case: Case) -> list[tuple[str, float]]:
    return [(v.case.id, v.days_before) for v in case.earlier]


ROWS = [f"P{p},{day},@,{age},{'ab'[p % 2]}" for p in range(6) for day, age in ((400, 61), (0, 60), (90, 60))]
HEAD = "patient,days,image,age,label"


def test_rows_out_of_order_are_visits_in_order_with_their_distance(tmp_path: Path) -> None:
    cohort = read(tmp_path, HEAD, ROWS)
    assert before(cohort["x1"]) == [] and before(cohort["x2"]) == [("x1", 90.0)]
    assert before(cohort["x0"]) == [("x1", 400.0), ("x2", 310.0)], "the earliest first"
    assert any("visit: by its name, and it differs between the rows of 6 patients" in n for n in cohort.notes)
    assert any("'days': numbers, in days" in n for n in cohort.notes)
    assert any("12 of 18 cases know earlier visits of their patients, 2 at most" in n for n in cohort.notes)


def test_a_case_knows_only_what_was_known_on_its_own_day(tmp_path: Path) -> None:
    cohort = read(tmp_path, HEAD, ROWS)
    for case in cohort:
        own = {"x0": 61.0, "x1": 60.0, "x2": 60.0}
        if case.id in own:
            assert case.covariates["age"] == own[case.id]
        for visit in case.earlier:
            assert visit.days_before > 0 and visit.case.patient == case.patient and not visit.case.earlier
    assert [v.case.covariates["age"] for v in cohort["x0"].earlier] == [60.0, 60.0]


def test_days_that_nobody_named_stay_a_covariate_for_bundles_that_learned_them(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD, ROWS)["x0"].covariates == {"days": 400.0, "age": 61.0}
    assert cohorts.read(tmp_path / "t.csv", columns={"visit": "days"})["x0"].covariates == {"age": 61.0}


def test_an_outcome_that_is_the_same_in_all_visits_is_unknown_to_earlier_ones(tmp_path: Path) -> None:
    cohort = read(tmp_path, HEAD, ROWS)
    assert all(not v.case.targets for c in cohort for v in c.earlier)
    assert any("'label' is the same in all visits of each patient" in n for n in cohort.notes)


def test_a_grade_that_was_given_at_each_visit_is_kept_with_it(tmp_path: Path) -> None:
    rows = [f"P{p},{90 * k},@,{'abb'[k]}" for p in range(6) for k in range(3)]
    cohort = read(tmp_path, "patient,days,image,label", rows)
    assert [v.case.targets for v in cohort["x2"].earlier] == [{"label": "a"}, {"label": "b"}]
    assert cohort["x2"].targets == {"label": "b"}
    assert any(
        "'label' differs between the visits of a patient: earlier visits keep theirs" in n
        for n in cohort.notes
    )


def test_times_to_an_event_are_never_known_to_earlier_visits(tmp_path: Path) -> None:
    rows = [f"P{p},2020-0{k + 1}-01,@,{900 - 30 * k - p},{p % 2}" for p in range(6) for k in range(2)]
    cohort = read(tmp_path, "patient,exam_date,image,survival_days,dead", rows)
    assert cohort["x1"].earlier and all(not v.case.targets for c in cohort for v in c.earlier)
    assert any("'survival' says what is still to come" in n for n in cohort.notes)


def test_two_visits_on_one_day_know_nothing_of_each_other(tmp_path: Path) -> None:
    rows = [f"P{p},{day},@,{'ab'[p % 2]}" for p in range(6) for day in (30, 0, 30)]
    cohort = read(tmp_path, "patient,days,image,label", rows)
    assert before(cohort["x0"]) == before(cohort["x2"]) == [("x1", 30.0)]
    assert any("6 patients have several rows on one day" in n for n in cohort.notes)


def test_the_two_eyes_of_a_patient_are_followed_each_by_itself(tmp_path: Path) -> None:
    rows = [f"P{p},{day},{eye},@,{'ab'[p % 2]}" for p in range(6) for day in (0, 100) for eye in "LR"]
    cohort = read(tmp_path, "patient,days,eye,image,label", rows)
    assert before(cohort["x2"]) == [("x0", 100.0)] and before(cohort["x3"]) == [("x1", 100.0)]
    assert any("visits are followed by 'eye'" in n for n in cohort.notes)


def test_eyes_are_the_same_however_they_are_spelled_and_rows_without_one_are_named(tmp_path: Path) -> None:
    spelled = (("OD", "od", "R", "Right"), ("OS", "left", "l", "Left eye"))
    rows = [
        f"P{p},{100 * t},{side[t]},@,{'ab'[p % 2]}" for p in range(3) for side in spelled for t in range(4)
    ]
    cohort = read(tmp_path, "patient,days,eye,image,label", [*rows, "P2,900,,@,a"])
    assert before(cohort["x3"]) == [("x0", 300.0), ("x1", 200.0), ("x2", 100.0)]
    assert [v.case.id for v in cohort["x7"].earlier] == ["x4", "x5", "x6"]
    assert not cohort["x24"].earlier and any("without a 'eye'" in n and "x24" in n for n in cohort.notes)


@pytest.mark.parametrize(
    ("column", "cells", "said"),
    [
        ("visit_date", ("2020-02-30", "2020-03-01"), "there is no such day"),
        ("visit_date", ("03/04/2020", "05/06/2020"), "day and month cannot be told apart"),
        ("visit_date", ("03.04.20", "05.06.20"), "not a date"),
        ("visit", ("1", "2"), "only counts visits"),
        ("visit", ("1", "3"), "only counts visits"),
    ],
)
def test_a_column_called_like_a_day_that_is_none_is_named(
    tmp_path: Path, column: str, cells: tuple[str, str], said: str
) -> None:
    rows = [f"P{p},{cell},@,{'ab'[p % 2]}" for p in range(6) for cell in cells]
    cohort = read(tmp_path, f"patient,{column},image,label", rows)
    assert not any(c.earlier for c in cohort.cases)
    assert any(n.startswith("no visits are followed") and said in n and column in n for n in cohort.notes)


@pytest.mark.parametrize(
    ("dates", "gap", "said"),
    [
        (("2019-12-31", "2020-03-01"), 61, "year-month-day"),
        (("20191231", "20200301"), 61, "year, month and day without a sign"),
        (("31.12.2019", "01.03.2020"), 61, "day.month.year"),
        (("31/12/2019", "01/03/2020"), 61, "day/month/year, as '31/12/2019'"),
        (("12/31/2019", "03/01/2020"), 61, "month/day/year, as '12/31/2019'"),
        (("31 Dec 2019", "1 Mar 2020"), 61, "with the month as a word"),
        (("2019-12-31T08:00", "2020-03-01T20:00"), 61.5, "year-month-day"),
    ],
)
def test_dates_in_many_ways_are_the_same_days(
    tmp_path: Path, dates: tuple[str, str], gap: float, said: str
) -> None:
    rows = [f"P{p},{date},@,{'ab'[p % 2]}" for p in range(6) for date in dates]
    cohort = read(tmp_path, "patient,visit_date,image,label", rows)
    assert before(cohort["x1"]) == [("x0", pytest.approx(gap))]
    assert any(said in n for n in cohort.notes)


@pytest.mark.parametrize(
    ("cells", "error"),
    [
        (("03/04/2020", "05/06/2020"), "day and month cannot be told apart, either number may be the month"),
        (("13/04/2020", "05/26/2020"), "day and month cannot be told apart, both orders occur"),
        (("2020-01-02", "03.01.2020"), "dates are written in several ways"),
        (("2020-02-30", "2020-03-01"), "there is no such day"),
        (("1", "2"), "only counts visits, and nothing says how many days they lie apart"),
        (("2019", "2020"), "holds years, not days"),
        (("1577836800", "1580515200"), "holds no days"),
        (("baseline", "later"), "not a date"),
    ],
)
def test_days_that_could_be_read_wrongly_are_refused_with_what_to_write(
    tmp_path: Path, cells: tuple[str, str], error: str
) -> None:
    rows = [f"P{p},{cell},@,{'ab'[p % 2]}" for p in range(6) for cell in cells]
    with pytest.raises(DataError, match=error) as caught:
        read(tmp_path, "patient,seen,image,label", rows, visit="seen")
    assert caught.value.hint and "\n" not in str(caught.value)
    assert not any(c.earlier for c in cohorts.read(tmp_path / "t.csv").cases), (
        "and nothing is made of it unasked"
    )


def test_offsets_before_a_treatment_are_negative_and_units_are_those_of_the_name(tmp_path: Path) -> None:
    rows = [f"P{p},{m},@,{'ab'[p % 2]}" for p in range(6) for m in (-3, 0, 12)]
    cohort = read(tmp_path, "patient,months_since_surgery,image,label", rows)
    assert before(cohort["x2"]) == [
        ("x0", pytest.approx(15 * 365.25 / 12)),
        ("x1", pytest.approx(365.25)),
    ]


def test_a_row_without_a_day_has_no_earlier_visits_and_is_none(tmp_path: Path) -> None:
    rows = [f"P{p},{day},@,{'ab'[p % 2]}" for p in range(6) for day in (0, "", 60)]
    cohort = read(tmp_path, "patient,days,image,label", rows)
    assert before(cohort["x1"]) == [] and before(cohort["x2"]) == [("x0", 60.0)]
    assert any("without a patient or a day" in n for n in cohort.notes)


def test_ids_are_those_of_patients_where_the_visits_of_one_differ(tmp_path: Path) -> None:
    rows = [f"S{p},{day},@,{'ab'[p % 2]}" for p in range(6) for day in (0, 60)]
    cohort = read(tmp_path, "id,days,image,label", rows, visit="days")
    assert cohort["x1"].patient == "S0" and before(cohort["x1"]) == [("x0", 60.0)]
    with pytest.raises(DataError, match="no column names patients"):
        read(tmp_path, "days,image,label", [f"{k},@,{'ab'[k % 2]}" for k in range(6)], visit="days")


def test_ids_that_are_those_of_patients_are_asked_about(tmp_path: Path) -> None:
    rows = [f"P{p},2020-0{m}-01,@,{'ab'[p % 2]}" for p in range(4) for m in (1, 5)]
    with pytest.raises(DataError, match="name several images") as caught:
        read(tmp_path, "id,visit_date,image,label", rows)
    assert "--column visit=visit_date where these are visits" in str(caught.value.hint)


def test_images_of_one_visit_stay_one_case(tmp_path: Path) -> None:
    rows = [
        f"P{p},S{p}{k},{90 * k},{view},@,{'ab'[p % 2]}"
        for p in range(6)
        for k in range(2)
        for view in ("AP", "LL")
    ]
    cohort = read(tmp_path, "patient,study_id,days,view,image,label", rows)
    assert len(cohort.cases) == 12 and tuple(cohort["S01"].images) == ("AP", "LL")
    assert before(cohort["S01"]) == [("S00", 90.0)] and tuple(cohort["S01"].earlier[0].case.images) == (
        "AP",
        "LL",
    )


def test_folds_never_part_the_visits_of_a_patient(tmp_path: Path) -> None:
    rows = [f"P{p},{90 * k},@,{'ab'[p % 2]}" for p in range(20) for k in range(3)]
    cohort = cohorts.check(read(tmp_path, "patient,days,image,label", rows))
    made = cohorts.assign(cohort, target="label", folds=4, seed=1)
    sides = [made.test, *made.folds]
    known = [{cohort[c].patient for c in side} for side in sides]
    assert all(a.isdisjoint(b) for k, a in enumerate(known) for b in known[k + 1 :])
    for side in sides:
        for case in side:
            assert all(v.case.id in side for v in cohort[case].earlier)


def test_a_corrupt_visit_is_set_aside_by_name_and_later_cases_know_nothing_of_it(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD, ROWS)
    (tmp_path / "x1.png").write_bytes((tmp_path / "x1.png").read_bytes()[:50])
    (tmp_path / "x4.png").unlink()
    cohort = cohorts.read(path, max_set_aside=1.0)
    assert [s.case for s in cohort.set_aside] == ["x4"] and before(cohort["x3"]) == [("x5", 310.0)]
    found = cohorts.check(cohort, max_set_aside=1.0)
    assert sorted(s.case for s in found.set_aside) == ["x1", "x4"]
    assert before(found["x0"]) == [("x2", 310.0)] and before(found["x2"]) == []
    assert any("'x1' was set aside, and 2 later cases know nothing of it" in n for n in found.notes)


def test_the_hash_covers_visits_and_a_label_in_another_spelling_is_one_in_earlier_visits_too(
    tmp_path: Path,
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = cohorts.check(read(tmp_path / "one", HEAD, ROWS))
    moved = [row.replace(",90,", ",91,") for row in ROWS]
    assert one.hash != cohorts.check(read(tmp_path / "two", HEAD, moved)).hash
    rows = [f"P{p},{90 * k},@,{('Benign', 'malignant')[(p + k) % 2]}" for p in range(8) for k in range(2)]
    rows[0] = rows[0].replace("Benign", "benign")
    (tmp_path / "three").mkdir()
    cohort = read(tmp_path / "three", "patient,days,image,label", rows)
    assert cohort["x1"].earlier[0].case.targets == {"label": "Benign"}


def test_visits_that_are_no_cases_of_the_cohort_are_decoded_too(tmp_path: Path) -> None:
    cohort = read(tmp_path, HEAD, ROWS)
    part = cohort[[c.id for c in cohort if c.covariates["age"] == 61.0]]
    (tmp_path / "x1.png").write_bytes(b"no picture")
    found = cohorts.check(part, max_set_aside=1.0)
    assert [s.case for s in found.set_aside] == ["x1"] and before(found["x0"]) == [("x2", 310.0)]


def test_rows_without_images_are_visits_too(tmp_path: Path) -> None:
    rows = [f"P{p},{90 * k},{p + k},{'ab'[p % 2]}" for p in range(6) for k in range(2)]
    (tmp_path / "t.csv").write_text("\n".join(["patient,days,crp,label", *rows]) + "\n")
    cohort = cohorts.read(tmp_path / "t.csv", columns={"image": "", "visit": "days"})
    assert before(cohort["P0_90"]) == [("P0_0", 90.0)]
    assert cohort["P0_90"].earlier[0].case.covariates["crp"] == 0.0


def test_rows_of_one_study_on_two_days_contradict_each_other(tmp_path: Path) -> None:
    rows = [
        f"P{p},S{p}{k},{90 * k},{v},@,{'ab'[p % 2]}" for p in range(6) for k in range(2) for v in ("AP", "LL")
    ]
    rows[0] = rows[0].replace(",0,", ",7,")
    cohort = read(tmp_path, "patient,study_id,days,view,image,label", rows)
    assert [s.case for s in cohort.set_aside] == [
        "S00"
    ] and "contradict each other in 'days'" in cohort.set_aside[0].reason
    assert cohort["S01"].earlier == ()


def test_one_image_on_two_days_is_two_visits(tmp_path: Path) -> None:
    pictures(tmp_path, 6)
    rows = [f"P{p},{day},x{p}.png,{'ab'[p % 2]}" for p in range(6) for day in (0, 30)]
    (tmp_path / "t.csv").write_text("\n".join(["patient,days,image,label", *rows]) + "\n")
    cohort = cohorts.read(tmp_path / "t.csv", columns={"visit": "days"})
    assert len(cohort.cases) == 12 and sum(len(c.earlier) for c in cohort) == 6


def test_sets_of_images_have_visits_too(tmp_path: Path) -> None:
    rows = [
        f"P{p},S{p}{k},{90 * k},@,{'ab'[p % 2]}" for p in range(6) for k in range(2) for _ in range(1 + k)
    ]
    cohort = read(tmp_path, "patient,study_id,days,image,label", rows, view="none")
    assert tuple(cohort["S01"].images) == ("view#1", "view#2")
    assert [tuple(v.case.images) for v in cohort["S01"].earlier] == [("view#1",)]
