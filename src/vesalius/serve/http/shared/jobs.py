"""The jobs that service processes share: any asks, any answers, any tells; each case is told of once."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vesalius.core.errors import VesaliusError
from vesalius.serve.database import Execute
from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.job import InferenceJob, WorkUnit
from vesalius.serve.http.jobs import Jobs, failure, is_flat
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.metrics import Metrics
from vesalius.serve.http.problems import Problem, not_found, status_of
from vesalius.serve.http.shared import claims, rows
from vesalius.serve.http.shared.folders import Folders, settle
from vesalius.serve.http.shared.held import HeldJobs
from vesalius.serve.http.shared.queue import TICK_S, QueueAway
from vesalius.serve.http.shared.studies import SharedStudies

_REPORT_S = 0.5  # between two that are told of one case
_ASKS = ("/api/predict", "/api/jobs", "/infer/")  # what adds cases to the queue
_OPEN = "status NOT IN ('done', 'failed', 'cancelled')"


class SharedJobs(Jobs):
    """As `Jobs`, for all processes of a queue. Methods that a request calls also raise QueueAway.

    A job is one object in a process as long as anybody there has it; the pulse puts into it what others did.
    """

    def __init__(
        self,
        folders: Folders,
        studies: SharedStudies,
        models: Mapping[str, ServedModel],
        bounds: Bounds,
        metrics: Metrics,
    ) -> None:
        super().__init__(folders.root / "jobs", bounds, metrics)
        self.folders, self.studies, self.models, self.queue = folders, studies, models, folders.queue
        self.held = HeldJobs(studies, models, self.root, self.lock)
        self._told: dict[tuple[str, str], float] = {}  # when a case's progress was last told
        self._touched_s = 0.0
        self._claiming = threading.Lock()
        self._hand: set[claims.Claim] = set()  # what is being answered here; touched under that lock
        self._unsure = False  # whether something may have been taken that is in nobody's hand
        self.queue.each_tick.append(self._follow)
        self.queue.each_beat.append(self._take_over)

    def stop(self) -> None:
        """Take nothing more and hand back what is worked on; jobs stay, for the other processes and for the next."""
        with self._more:
            self._stopping = True
            self._more.notify_all()
        with contextlib.suppress(QueueAway), self.queue.transaction() as execute:
            claims.hand_back(execute, self.queue.now, claims.running(execute, self.queue.worker))

    def close(self) -> None:
        """Be no longer one of those that share the queue, once nobody works here any more."""
        self.queue.stop()

    # -- asked for

    def _admit(self, job: InferenceJob) -> None:
        """Write a job down with its cases. Raises Problem 503 where too many wait, with when to ask again."""
        if self._stopping:
            raise Problem(503, "the service stops", headers={"Retry-After": "1"})
        dropped: list[str] = []
        with self.queue.transaction() as execute:
            (waiting,) = execute("SELECT count(*) FROM cases WHERE state = 'waiting'").fetchone()
            self._check(int(waiting), len(job.cases))
            dropped += self._make_room(execute)
            self.folders.begin(execute, f"jobs/{job.id}")
        try:
            self.folders.clear(dropped)
            job.folder.mkdir(mode=0o700)
            settle(job.folder)
            with self.queue.transaction() as execute:
                self._insert(execute, job)
                self.folders.keep(execute, f"jobs/{job.id}")
        except BaseException:
            self.folders.drop(f"jobs/{job.id}")
            raise
        with self._more:
            self.held.add(job)
            self._more.notify_all()

    def _insert(self, execute: Execute, job: InferenceJob) -> None:
        (there,) = execute("SELECT count(*) FROM studies WHERE id = ?", (job.study.id,)).fetchone()
        if not there:  # deleted at this moment
            raise not_found("study")
        (job.created,) = execute(f"SELECT {self.queue.now}").fetchone()
        execute(
            "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 'queued', 'waiting', NULL, 0, 0, 0)",
            (
                job.id, job.owner, job.study.id, "" if job.earlier is None else job.earlier.study.id, job.model_name,
                rows.served(job.model), rows.joint(job), rows.asked_text(job), job.created,
            ),
        )  # fmt: skip
        for place, case in enumerate(job.cases):
            execute(
                "INSERT INTO cases VALUES (?, ?, ?, 'waiting', ?, 0, '', 0, ?, NULL, NULL)",
                (job.id, place, case.id, int(is_flat(case)), job.created),
            )

    def shed(self, path: str) -> Problem | None:
        """Return 503 for what would be refused after it was read: the database is away, or too many cases wait."""
        if self.queue.away:
            return QueueAway() if path.startswith(("/api/", "/infer/", "/session", "/datastore")) else None
        if not path.startswith(_ASKS):
            return None
        try:
            self._check(self.queue.figures.waiting, 1)
        except Problem as problem:
            return problem
        return None

    def _check(self, waiting: int, more: int) -> None:
        over = waiting + more - self.bounds.waiting
        if over > 0:
            wait = str(self.queue.figures.wait_s(over))
            raise Problem(503, "too many cases wait", found=f"{waiting}", headers={"Retry-After": wait})

    def _make_room(self, execute: Execute) -> list[str]:
        """Forget the oldest that have ended where there are as many jobs as may be. Returns their folders."""
        (count,) = execute("SELECT count(*) FROM jobs").fetchone()
        over = int(count) - self.bounds.jobs + 1
        if over <= 0:
            return []
        old = execute(
            f"SELECT id FROM jobs WHERE NOT ({_OPEN}) ORDER BY created_s, id LIMIT ?", (over,)
        ).fetchall()
        if len(old) < over:
            wait = str(self.queue.figures.wait_s(1))
            raise Problem(503, "too many jobs", found=str(count), headers={"Retry-After": wait})
        return [self._delete(execute, str(one)) for (one,) in old]

    # -- told of

    def get(self, job_id: str, caller: Caller) -> InferenceJob:
        """Return the job of that id as it is now. Raises Problem 404, for another's too."""
        found = self.held.load("WHERE id = ?", job_id)
        if not found or not (found[0].owner == caller.name or caller.may("admin")):
            raise not_found("job")
        return found[0]

    def seen_by(self, caller: Caller) -> list[InferenceJob]:
        """Return the jobs that a caller may see, oldest first."""
        return self.held.load() if caller.may("admin") else self.held.load("WHERE owner = ?", caller.name)

    def of_study(self, study_id: str) -> list[InferenceJob]:
        """Return the jobs on a study, as either of their visits."""
        return self.held.load("WHERE study = ? OR earlier = ?", study_id, study_id)

    def waiting(self) -> int:
        """Return how many cases waited a moment ago."""
        return self.queue.figures.waiting

    def size(self) -> int:
        """Return how many bytes all results had a moment ago."""
        return self.queue.figures.result_bytes

    def _follow(self) -> None:
        """Put into the jobs that somebody has here what other processes did."""
        self.held.follow()
        touched = self.queue.figures.touched_s
        if touched > self._touched_s or not self.queue.figures.waiting:
            self._touched_s, self.moved = touched, time.monotonic()

    # -- ended

    def cancel(self, job: InferenceJob) -> None:
        """End a job; what is being worked on stops at its next step. One that has ended stays as it is."""
        with self.queue.transaction() as execute:
            ended = claims.cancel(execute, self.queue.now, job.id)
        if ended:
            self._ended(job.id)

    def remove(self, job: InferenceJob) -> None:
        """Forget a job and its files."""
        self.cancel(job)
        with self.queue.transaction() as execute:
            name = self._delete(execute, job.id)
        self.folders.clear([name])

    def release(self, job: InferenceJob) -> None:
        """Nobody works on the job here at this moment: if it was removed meanwhile, what was still written goes."""
        if job.ended:
            self._put_down(job.id)
        try:
            if not self.queue.rows("SELECT 1 FROM jobs WHERE id = ?", job.id):
                shutil.rmtree(job.folder, ignore_errors=True)
        except QueueAway:  # its folder is looked for once it expires
            pass

    def expire(self, now: float) -> None:
        """Forget jobs that are older than they may be; the first of all processes does."""
        if self.queue.first:
            for job in self.held.load(f"WHERE created_s < {self.queue.now} - ?", self.bounds.keep_s):
                self.remove(job)
            with self.queue.transaction() as execute:
                left = claims.forsaken(execute, self.queue.now, 4 * self.queue.lease_s)
            for job_id in left:
                self._ended(job_id)

    def _delete(self, execute: Execute, job_id: str) -> str:
        execute("DELETE FROM jobs WHERE id = ?", (job_id,))
        execute("DELETE FROM cases WHERE job = ?", (job_id,))
        name = f"jobs/{job_id}"
        self.folders.leave(execute, name)
        return name

    def _ended(self, job_id: str) -> None:
        """Tell that a job has ended: the process that ended it does, once."""
        for job in self.held.load("WHERE id = ?", job_id):
            self.metrics.jobs.labels(job.model_name, job.kind, job.status).inc()
            self.on_end(job)

    # -- answered

    def take(self) -> list[WorkUnit]:
        """Wait for what is to be answered next: a case, or some that may go through one model together.

        None at the end.
        """
        while not self._stopping:
            try:
                if units := self._claim():
                    return units
            except QueueAway:
                self.queue.wait_until_back()
            with self._more:
                if not self._stopping:
                    self._more.wait(TICK_S)
        return []

    def _claim(self) -> list[WorkUnit]:
        if not self._unsure and not claims.any_waits(self.queue.rows):
            return []
        served = [rows.served(model) for model in self.models.values()]
        with self._claiming:
            try:
                with self.queue.transaction() as execute:
                    if self._unsure:  # what a transaction took of which the end was not heard
                        held = claims.running(execute, self.queue.worker)
                        left = [one for one in held if one not in self._hand]
                        claims.hand_back(execute, self.queue.now, left)
                    got = claims.claim(execute, self.queue.now, self.queue.worker, served)
                jobs = {job.id: job for job in self.held.some(sorted({one.job for one in got}))}
            except QueueAway:
                self._unsure = True
                raise
            self._unsure = False
            self._hand |= set(got)
            self._told |= {(one.job, one.case): time.monotonic() for one in got}
        self.moved = time.monotonic()
        units = []
        for one in got:
            job = jobs.get(one.job)
            if job is not None:  # not removed in between
                case = next(c for c in job.cases if c.id == one.case)
                units.append(WorkUnit(job, case, one.attempt))
        return units

    def _take_over(self) -> None:
        """Put what processes worked on that are dead now back into the queue, or give it up."""
        with self.queue.transaction() as execute:
            ended = claims.take_over(execute, self.queue.now, self.queue.attempts)
        for job_id in ended:
            self._ended(job_id)
        if self._more.acquire(blocking=False):
            self._more.notify_all()
            self._more.release()

    def is_over(self, unit: WorkUnit) -> bool:
        """Return whether nobody waits for a case's answer by this process any more."""
        return unit.job.ended or self._stopping

    def report(self, unit: WorkUnit, share: float, stage: str) -> None:
        """How far a case is, and what is done with it; told now and then."""
        key, now = (unit.job.id, unit.case.id), time.monotonic()
        self.moved = now
        if now - self._told.get(key, 0.0) < _REPORT_S or self.queue.away:
            return
        self._told[key] = now
        try:
            with self.queue.transaction() as execute:
                claims.report(execute, self.queue.now, self._mine(unit), share, stage)
        except QueueAway:  # the next one is told
            pass

    def _put_down(self, job_id: str, case_id: str | None = None) -> None:
        """Have a job's cases, or one of them, in hand no more."""
        with self._claiming:
            left = {one for one in self._hand if one.job == job_id and case_id in (None, one.case)}
            self._hand -= left
            for one in left:
                self._told.pop((one.job, one.case), None)

    def _mine(self, unit: WorkUnit) -> claims.Claim:
        return claims.Claim(unit.job.id, unit.case.id, unit.attempt, self.queue.worker)

    def add_answer(self, unit: WorkUnit, row: dict[str, Any], files: dict[str, Path]) -> None:
        """Put one case's answer into its job, its files on the disk; the last one ends the job.

        While the database is away the answer is kept, and told once it is there again. An answer of a case that
        another process has taken meanwhile is dropped.
        """
        settle(unit.folder)
        settle(unit.job.folder)
        names = {name: path.relative_to(unit.job.folder).as_posix() for name, path in files.items()}
        size = sum(path.stat().st_size for path in files.values())
        said = (json.dumps(row), json.dumps(names), size)
        mine = self._mine(unit)
        if self._tell(unit, "answered", lambda execute: claims.answer(execute, self.queue.now, mine, *said)):
            self.on_answer(unit.job, row)

    def add_failure(self, unit: WorkUnit, error: VesaliusError, *, status: int | None = None) -> None:
        """One case that cannot be answered: the others are, and the job says which were not."""
        said, code, mine = failure(unit, error), status or status_of(error), self._mine(unit)
        self._tell(unit, "failed", lambda execute: claims.fail(execute, self.queue.now, mine, said, code))

    def _tell(self, unit: WorkUnit, outcome: str, tell: Callable[[Execute], tuple[bool, bool]]) -> bool:
        """Write down how a case ended, as soon as that can be. Returns whether that was this process's to say."""
        while True:
            try:
                with self.queue.transaction() as execute:
                    told, ended = tell(execute)
                break
            except QueueAway:
                if not self.queue.wait_until_back():
                    return False
        self._put_down(unit.job.id, unit.case.id)
        if not told:
            shutil.rmtree(unit.folder, ignore_errors=True)
            return False
        self.metrics.cases.labels(unit.job.model_name, outcome).inc()
        if ended:
            self._ended(unit.job.id)
        return True
