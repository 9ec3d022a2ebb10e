"""The ledger of an archive: what is listed, handed out once, written down whole, and what two studies may not share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vesalius.core.errors import DataError
from vesalius.run.archive import tables
from vesalius.run.archive.listing import fingerprint, studies_of
from vesalius.run.archive.order import STAGING, CaseResult, Job, Result
from vesalius.run.archive.staging import tidy
from vesalius.run.archive.studies import ASIDE, DONE, FAILED, WAITING, WORKING, Studies


@pytest.fixture
def ledger(tmp_path: Path) -> Studies:
    return Studies(tmp_path)


def listed(ledger: Studies, *names: str) -> Studies:
    ledger.enlist((name, name, f"{name}-other") for name in names)
    return ledger


def answered(n: int, case: str, *, series: str = "", objects: str = "", staged: str = "") -> Result:
    one = CaseResult(case, {"case": case, "answer": "x"}, {}, series=series, objects=objects)
    made = (f"{case}.nii.gz",) if staged else ()
    return Result(n, (one,), staged=staged, made=made, fingerprint=f"f{n}", seconds=1.0)


def states(ledger: Studies) -> dict[str, str]:
    return dict(ledger.rows("SELECT study, state FROM studies"))


def test_studies_are_listed_in_natural_order_and_each_is_handed_out_once(ledger: Studies) -> None:
    listed(ledger, "s10", "S9", "s1", "s2")
    assert ledger.enlist([("s2", "s2", "z"), ("s3", "s3", "z")]) == 1, "what is known is not listed again"
    jobs = [ledger.next(0.0) for _ in range(6)]
    assert [j.study for j in jobs if j] == ["s1", "s2", "S9", "s10", "s3"] and jobs[-1] is None
    assert set(states(ledger).values()) == {WORKING}


def test_two_places_never_have_one_name(ledger: Studies) -> None:
    ledger.enlist([("a_b/c", "a_b_c", "a_b_c-1"), ("a/b_c", "A_b_c", "a_b_c-2"), ("d", "d", "d-3")])
    assert {s for (s,) in ledger.rows("SELECT study FROM studies")} == {"a_b_c-1", "a_b_c-2", "d"}
    ledger.enlist([("D", "D", "D-4")])
    assert ("D-4",) in list(ledger.rows("SELECT study FROM studies WHERE place = 'D'"))


def test_after_a_kill_what_was_in_work_waits_and_what_is_done_stays(tmp_path: Path) -> None:
    ledger = listed(Studies(tmp_path), "a", "b", "c")
    first = ledger.next(0.0)
    ledger.next(0.0)
    assert first is not None
    ledger.finish(answered(first.n, "a"), worker="w", bundle="h")
    del ledger
    again = Studies(tmp_path)
    again.reopen(3)
    assert states(again) == {"a": DONE, "b": WAITING, "c": WAITING}
    assert tables.answered(again) == ("a",)


def test_files_that_the_ledger_knows_are_moved_after_a_kill_and_others_are_dropped(tmp_path: Path) -> None:
    ledger = listed(Studies(tmp_path), "a", "b")
    for name, case in (("known", "a"), ("unknown", "b")):
        (tmp_path / STAGING / name).mkdir(parents=True)
        (tmp_path / STAGING / name / f"{case}.nii.gz").write_text(name)
    ledger.finish(answered(1, "a", staged="known"), worker="w", bundle="h")
    tidy(tmp_path, ledger)
    assert (tmp_path / "a.nii.gz").read_text() == "known" and not (tmp_path / "b.nii.gz").exists()
    assert not any((tmp_path / STAGING).iterdir())
    tidy(tmp_path, ledger)
    assert (tmp_path / "a.nii.gz").read_text() == "known", "once more changes nothing"


def test_a_study_is_set_aside_after_its_tries_and_not_tried_again_for_nothing(ledger: Studies) -> None:
    listed(ledger, "a")
    for k in range(10):
        job = ledger.next(0.0, suspects=k > 0)
        assert job is not None and ledger.next(0.0) is None
        assert ledger.lose(job.n, "it ended", worker="w", tries=10) == (k == 9, [])
    assert states(ledger) == {"a": ASIDE} and tables.set_aside(ledger)[0].case == "a"
    assert "set aside after 10 tries" in tables.set_aside(ledger)[0].reason
    ledger.reopen(10)
    assert states(ledger) == {"a": ASIDE}
    ledger.reopen(11)
    assert states(ledger) == {"a": WAITING}


def test_a_copy_of_a_series_is_named_and_parts_of_one_are_answered_in_neither(ledger: Studies) -> None:
    listed(ledger, "a", "b", "c")
    ledger.finish(answered(1, "a", series="1.2", objects="all", staged="x"), worker="w", bundle="h")
    assert ledger.finish(answered(2, "b", series="1.2", objects="all"), worker="w", bundle="h") == []
    assert states(ledger) == {"a": DONE, "b": FAILED, "c": WAITING}
    assert "a copy: the study 'a'" in tables.set_aside(ledger)[0].reason
    gone = ledger.finish(answered(3, "c", series="1.2", objects="other"), worker="w", bundle="h")
    assert gone == ["a.nii.gz"] and tables.answered(ledger) == ()
    said = {item.case: item.reason for item in tables.set_aside(ledger)}
    assert "the study 'c'" in said["a"] and "the study 'a'" in said["c"]


def test_an_answer_anew_replaces_the_one_before(ledger: Studies) -> None:
    listed(ledger, "a")
    ledger.finish(answered(1, "a_old", staged="x"), worker="w", bundle="h")
    assert not ledger.again(1, "f1") and ledger.again(1, "changed")
    gone = ledger.finish(replace(answered(1, "a_new", staged="y"), fingerprint="z"), worker="w", bundle="h")
    assert gone == ["a_old.nii.gz"] and tables.answered(ledger) == ("a_new",)
    assert ledger.counts() == {WAITING: 0, WORKING: 0, DONE: 1, FAILED: 0, ASIDE: 0, "cases": 1}


def test_tables_have_all_columns_in_order_and_say_each_study(tmp_path: Path) -> None:
    ledger = listed(Studies(tmp_path), "a", "b")
    rows = ({"case": "a", "x": 1}, {"case": "b", "x": 2, "y": 'a "b", c'})
    for n, row in enumerate(rows, start=1):
        one = CaseResult(row["case"], row, {"found.csv": [{"case": row["case"], "k": n}]})  # type: ignore[arg-type]
        ledger.finish(Result(n, (one,)), worker="w", bundle="h")
    tables.write_tables(ledger, tmp_path, partial=True)
    assert (tmp_path / "answers.partial.csv").is_file() and not (tmp_path / "answers.csv").exists()
    tables.write_tables(ledger, tmp_path, partial=False)
    assert (tmp_path / "answers.csv").read_text() == 'case,x,y\na,1,\nb,2,"a ""b"", c"\n'
    assert not (tmp_path / "answers.partial.csv").exists() and not (tmp_path / "failed.csv").exists()
    assert (tmp_path / "found.csv").read_text() == "case,k\na,1\nb,2\n"
    assert (tmp_path / "studies.csv").read_text().splitlines()[1].startswith("a,a,done,0,1,0.0,w,0,0,h,0,")


def test_entries_so_deep_are_studies_and_a_cohort_is_refused(tmp_path: Path) -> None:
    for where in ("p1/ct 1", "p2/ct 1", "p2/.hidden"):
        (tmp_path / "in" / where).mkdir(parents=True)
    (tmp_path / "in" / "p2" / "x.nii.gz").write_bytes(b"1")
    (tmp_path / "in" / "p2" / "notes.txt").write_bytes(b"1")
    assert {(p, s) for p, s, _ in studies_of(tmp_path / "in", 1)} == {("p1", "p1"), ("p2", "p2")}
    deep = {(p, s) for p, s, _ in studies_of(tmp_path / "in", 2)}
    assert deep == {("p1/ct 1", "p1_ct 1"), ("p2/ct 1", "p2_ct 1"), ("p2/x.nii.gz", "p2_x")}
    (tmp_path / "in" / "masks").mkdir()
    with pytest.raises(DataError, match="is a cohort.*found masks"):
        list(studies_of(tmp_path / "in", 1))
    (tmp_path / "in" / "masks").rmdir()
    (tmp_path / "in" / "cohort.csv").write_text("case\n")
    with pytest.raises(DataError, match="found cohort.csv"):
        list(studies_of(tmp_path / "in", 1))


def test_a_fingerprint_tells_names_sizes_and_times(tmp_path: Path) -> None:
    (tmp_path / "s" / "in").mkdir(parents=True)
    (tmp_path / "s" / "in" / "a").write_bytes(b"123")
    first, files, size, newest = fingerprint(tmp_path / "s")
    assert (files, size) == (1, 3) and newest > 0 and fingerprint(tmp_path / "s")[0] == first
    (tmp_path / "s" / "in" / "a").rename(tmp_path / "s" / "in" / "b")
    assert fingerprint(tmp_path / "s")[0] != first and fingerprint(tmp_path / "nothing") == ("", 0, 0, 0.0)


def test_a_job_knows_its_place(ledger: Studies) -> None:
    ledger.enlist([("a/b.nii.gz", "a_b", "z")])
    assert ledger.next(0.0) == Job(1, "a_b", "a/b.nii.gz")
