"""Times to events in tables: units, causes, late entry, several of them; and what is asked or refused."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from vesalius import cohorts
from vesalius.cohorts.targets import contract
from vesalius.cohorts.targets._follow_up import paired, stem, units_in
from vesalius.cohorts.targets._happening import coding
from vesalius.core.case import Event
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError

TIMES = (3, 5.5, 8, 9)


def table(
    folder: Path,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    target: str | None = None,
    **told: str,
) -> Cohort:
    """A table without images, read."""
    path = folder / "t.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "dose", *columns])
        writer.writerows([f"c{k}", 1.5 * k, *row] for k, row in enumerate(rows))
    return cohorts.read(path, columns={"image": "", **told}, target=target, max_set_aside=1.0)


def events(cohort: Cohort, target: str = "survival") -> list[Any]:
    return [case.targets.get(target) for case in cohort.cases]


def test_units_are_those_of_the_columns_name() -> None:
    names = {"OS.months": ["months"], "time_mo": ["months"], "fu_yrs": ["years"], "days_to_death": ["days"]}
    assert {name: units_in(name) for name in names} == names
    assert units_in("time") == [] and units_in("os_model") == [], "mo is a word of its own"
    assert units_in("survivalMonths") == ["months"] and units_in("time_days_or_months") == ["days", "months"]


def test_months_are_days_and_a_unit_that_is_told_wins(tmp_path: Path) -> None:
    rows = [[t, k % 2] for k, t in enumerate(TIMES)]
    found = events(table(tmp_path, ["os_months", "death"], rows))
    assert found[1] == Event(5.5 * 30.4375, True)
    cohort = table(tmp_path, ["time", "death"], rows)
    assert events(cohort)[0] == Event(3.0, False)
    assert any("which may be months (--column events=months)" in note for note in cohort.notes)
    assert events(table(tmp_path, ["time", "death"], rows, events="months"))[0] == Event(3 * 30.4375, False)
    asked = table(tmp_path, ["time_days_months", "death"], rows).questions
    assert [q.what for q in asked] == ["'time_days_months' says several units of time"]


@pytest.mark.parametrize(
    ("column", "cells", "happened"),
    [
        ("deadstatus.event", "0101", "0101"),
        ("censored", "0101", "1010"),
        ("censoring", ["event", "censored", "event", "censored"], "1010"),
        ("vital_status", ["Alive", "DEAD", "alive", "dead"], "0101"),
        ("event", ["1.0", "0.0", "1", "0"], "1010"),
        ("relapse", ["yes", "no", "no", "yes"], "1001"),
    ],
)
def test_what_an_event_is_called_says_what_its_cells_mean(
    tmp_path: Path, column: str, cells: Sequence[str], happened: str
) -> None:
    cohort = table(tmp_path, ["time_days", column], [[t, c] for t, c in zip(TIMES, cells, strict=True)])
    assert "".join(str(int(e.happened)) for e in events(cohort)) == happened
    assert cohort.questions == ()


@pytest.mark.parametrize(
    ("column", "cells", "what"),
    [
        ("vital_status", "0101", "1 in 'vital_status' may mean alive or dead"),
        ("status", "1212", "no word in 'status' says that the event had not happened ('1', '2')"),
        (
            "event_censored",
            "0101",
            "1 in 'event_censored' may mean that the event happened, or that it was censored",
        ),
        ("outcome", ["death", "relapse"] * 2, "no word in 'outcome' says that the event had not happened"),
    ],
)
def test_what_may_mean_either_is_asked_and_an_answer_settles_it(
    tmp_path: Path, column: str, cells: Sequence[str], what: str
) -> None:
    rows = [[t, c] for t, c in zip(TIMES, cells, strict=True)]
    cohort = table(tmp_path, ["time_days", column], rows, event=column)
    (question,) = cohort.questions
    assert question.target == "survival" and question.what.startswith(what)
    with pytest.raises(DataError, match="--column events="):
        cohorts.check(cohort, target="survival")
    settled = table(tmp_path, ["time_days", column], rows, event=column, events=cells[1])
    assert settled.questions == () and [e.happened for e in events(settled)] == [False, True] * 2
    assert all(e.cause is None for e in events(settled))


def test_more_than_two_words_are_causes_that_exclude_one_another(tmp_path: Path) -> None:
    rows = [[t, c] for t, c in zip(TIMES, ("0", "1", "2", "0"), strict=True)]
    cohort = table(tmp_path, ["time_days", "event"], rows)
    assert [e.cause for e in events(cohort)] == [None, "1", "2", None]
    assert any("are taken as causes" in note for note in cohort.notes)
    one = events(table(tmp_path, ["time_days", "event"], rows, events="2"))
    assert [(e.happened, e.cause) for e in one] == [(False, None), (False, None), (True, None), (False, None)]
    words = [[t, c] for t, c in zip(TIMES, ("None", "Relapse", "metastasis", "none"), strict=True)]
    assert [e.cause for e in events(table(tmp_path, ["time_days", "event"], words))] == [
        None, "relapse", "metastasis", None,
    ]  # fmt: skip
    unknown = [[t, c] for t, c in zip(TIMES, ("0", "1", "None", "0"), strict=True)]
    assert events(table(tmp_path, ["time_days", "event"], unknown))[2] is None, (
        "so programs write an empty cell"
    )
    assert coding("event", ["0", "1"], told=["3"]).doubt == "no cell of 'event' is '3', only '0', '1'"


def test_what_cannot_be_a_time_sets_a_case_aside_in_words(tmp_path: Path) -> None:
    rows = [[0, 1], [-4, 1], [9, 0], [5, 1], [7, ""], [8, 0]]
    cohort = table(tmp_path, ["time_days", "event"], rows)
    aside = {s.case: s.reason for s in cohort.set_aside}
    assert "nothing was observed after the start" in aside["c0"] and "must be a number above 0" in aside["c1"]
    assert cohort.case("c4").targets == {}, "an event that is not known is none that had not happened"
    with pytest.raises(DataError, match="must hold times as numbers of one unit; found '3 months'"):
        table(tmp_path, ["time", "event"], [["3 months", 1], ["4", 0]], time="time")
    with pytest.raises(DataError, match="no column is the event beside it"):
        table(tmp_path, ["time", "size"], [[3, 2.5], [4, 3.5]], time="time")


def test_late_entry_is_heeded_where_it_is_named_and_said_where_it_is_not(tmp_path: Path) -> None:
    columns, rows = ["os_days", "entry_days", "death"], [[30, 1, 1], [55, 60, 0], [80, "", 0], [90, 2, 1]]
    cohort = table(tmp_path, columns, rows)
    assert events(cohort)[0] == Event(30.0, True), "an entry is no time to an event"
    assert any("--column entry=entry_days heeds it" in note for note in cohort.notes)
    late = table(tmp_path, columns, rows, entry="entry_days")
    assert late.case("c0").targets["survival"] == Event(30.0, True, entry_days=1.0)
    aside = {s.case: s.reason for s in late.set_aside}
    assert "one must enter before the end" in aside["c1"] and "under observation" in aside["c2"]


def test_several_events_are_told_apart_by_what_they_are_about(tmp_path: Path) -> None:
    columns = ["os_days", "dfs_event", "dfs_days", "os_event"]
    rows = [[30, 1, 20, 0], [55, 0, 50, 1], [80, 0, 70, 0], [90, 1, 30, 1]]
    cohort = table(tmp_path, columns, rows, target="os,dfs")
    assert {n: t.kind for n, t in cohort.targets.items()} == {
        "os": "event",
        "dfs": "event",
        "os,dfs": "events",
    }
    both: Any = cohort.cases[0].targets["os,dfs"]
    assert both == {"os": Event(30.0, False), "dfs": Event(20.0, True)}
    kind = contract.of("events")
    assert (
        kind.strata({"a": both, "b": {}}) == {"a": "False2", "b": ""}
        or kind.strata({"a": both})["a"][:5] == "False"
    )
    told = table(tmp_path, ["a", "b", "c", "d"], rows, time="c,a", event="b,d")
    assert events(told, "a")[0] == Event(30.0, False) and events(told, "c")[0] == Event(20.0, True)
    unsure = table(tmp_path, ["os_days", "death", "pfs_days", "progression_event"], rows)
    assert [q.what for q in unsure.questions] == [
        "nothing says that the event in 'death' belongs to the time in 'os_days'"
    ]


def test_a_stem_is_what_only_this_column_is_about() -> None:
    assert (
        stem("OS_days") == stem("os_event") == "os"
        and stem("Survival.time") == stem("deadstatus.event") == ""
    )
    assert paired(["os_days", "dfs_days"], ["dfs_event", "os_event"]) == [
        ("os_days", "os_event"), ("dfs_days", "dfs_event"),
    ]  # fmt: skip
    assert paired(["os_days", "os_months"], ["os_event"]) == [], "two times of one event are no pair"


def test_a_treatment_that_is_named_is_a_covariate_that_enters_as_an_arm_alone(tmp_path: Path) -> None:
    rows = [[t, k % 2, "AB"[k % 2]] for k, t in enumerate(TIMES)]
    cohort = table(tmp_path, ["time_days", "event", "drug"], rows, arm="drug")
    assert cohort.targets["survival"].arm == "drug" and cohort.covariates == ()
    assert [case.covariates["drug"] for case in cohort.cases] == ["A", "B", "A", "B"]
    assert set(cohort.cases[0].covariates) == {"drug", "dose"}, "other columns are still covariates"
    assert table(tmp_path, ["time_days", "event", "drug"], rows).targets["survival"].arm is None
