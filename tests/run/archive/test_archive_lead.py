"""The leader of an archive: a study that never rests is not waited for without end, one that does is answered."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from vesalius.core.progress import Silent
from vesalius.run.archive import tables
from vesalius.run.archive.lead import LOOKS, Lead
from vesalius.run.archive.order import CaseResult, Job, Result
from vesalius.run.archive.pool import Ended, Lost
from vesalius.run.archive.studies import ASIDE, DONE, WAITING, Studies


class Restless:
    """A pool in which each study is still being changed at as many looks as told."""

    def __init__(self, young: dict[str, int]) -> None:
        self.young, self.looks, self._given = young, Counter[str](), list[Job]()

    @property
    def room(self) -> int:
        return 2 - len(self._given)

    @property
    def busy(self) -> int:
        return len(self._given)

    def give(self, job: Job, *, fresh: bool = False) -> None:
        del fresh
        self._given.append(job)

    def wait(self, timeout_s: float) -> list[Ended | Lost]:
        del timeout_s
        jobs, self._given = self._given, []
        return [Ended(job, self._look(job), "w") for job in jobs]

    def stop(self, patience_s: float) -> list[Ended | Lost]:
        del patience_s
        return []

    def _look(self, job: Job) -> Result:
        self.looks[job.study] += 1
        if self.looks[job.study] <= self.young[job.study]:
            return Result(job.n, young_s=1e-3)
        return Result(job.n, (CaseResult(job.study, {"case": job.study}, {}),), fingerprint="f")


def led(tmp_path: Path, ledger: Studies, pool: Restless) -> dict[str, str]:
    Lead(ledger, pool, out=tmp_path, bundle="h", tries=3, progress=Silent()).run()
    return dict(ledger.rows("SELECT study, state FROM studies"))


def test_a_study_that_never_rests_is_set_aside_by_name_and_a_resumed_run_looks_again(tmp_path: Path) -> None:
    ledger = Studies(tmp_path)
    ledger.enlist((name, name, f"{name}-other") for name in ("calm", "late", "never"))
    ledger.finish(
        Result(3, (CaseResult("never", {"case": "never"}, {}),), made=("never.nii.gz",), fingerprint="old"),
        worker="w",
        bundle="h",
    )
    (tmp_path / "never.nii.gz").write_text("of what was there before")
    assert ledger.again(3, "changed")
    pool = Restless({"calm": 0, "late": LOOKS - 1, "never": 10**6})
    assert led(tmp_path, ledger, pool) == {"calm": DONE, "late": DONE, "never": ASIDE}
    assert pool.looks == {"calm": 1, "late": LOOKS, "never": LOOKS}
    (aside,) = tables.set_aside(ledger)
    assert aside.case == "never" and "at each of 10 looks" in aside.reason and "--resume" in aside.reason
    assert not (tmp_path / "never.nii.gz").exists(), "an answer to files that are no longer there"
    ledger.reopen(3)
    assert dict(ledger.rows("SELECT study, state FROM studies"))["never"] == WAITING
    assert led(tmp_path, ledger, Restless({"never": 0}))["never"] == DONE and not tables.set_aside(ledger)


def test_a_study_that_ended_a_worker_and_then_rests_is_not_left_behind(tmp_path: Path) -> None:
    ledger = Studies(tmp_path)
    ledger.enlist([("a", "a", "other")])
    job = ledger.next(0.0)
    assert job is not None and ledger.lose(job.n, "it ended", worker="w", tries=3) == (False, [])
    assert led(tmp_path, ledger, Restless({"a": 1})) == {"a": DONE}


class Deadly(Restless):
    """A pool whose worker each study ends."""

    def wait(self, timeout_s: float) -> list[Ended | Lost]:
        return [Lost(event.job, "it ended", "w") for event in super().wait(timeout_s)]


def test_what_was_answered_of_a_study_goes_when_it_ends_its_worker_later(tmp_path: Path) -> None:
    ledger = Studies(tmp_path)
    ledger.enlist([("a", "a", "other")])
    case = CaseResult("a", {"case": "a"}, {})
    made = ("a.nii.gz", "a.dcm")
    ledger.finish(Result(1, (case,), made=made, staged="s", fingerprint="old"), worker="w", bundle="h")
    for name in made:
        (tmp_path / name).write_text("of what was there before")
    assert ledger.again(1, "changed") and led(tmp_path, ledger, Deadly({"a": 0})) == {"a": ASIDE}
    assert not any((tmp_path / name).exists() for name in made), "files of which no row is left"
    assert list(ledger.rows("SELECT made, staged FROM studies")) == [("[]", "")]
