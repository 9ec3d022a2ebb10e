"""All jobs and their bounded queue: asked for, taken by those who work, told of, cancelled, forgotten."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.core.errors import VesaliusError
from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.job import Doubts, InferenceJob, Kind, WorkUnit
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.metrics import Metrics
from vesalius.serve.http.problems import Problem, error_body, not_found, status_of
from vesalius.serve.http.study import StoredCase, UploadedStudy
from vesalius.serve.http.visits import EarlierVisit

MOST_TOGETHER = 8  # cases that go through a model together at most


class Jobs:
    """All jobs and their queue. Their fields change under `lock`."""

    def __init__(self, root: Path, bounds: Bounds, metrics: Metrics) -> None:
        self.root, self.bounds, self.metrics = root, bounds, metrics
        self.lock = threading.RLock()
        self._more = threading.Condition(self.lock)
        self._jobs: dict[str, InferenceJob] = {}
        self._queue: deque[WorkUnit] = deque()
        self._stopping = False
        self.moved = time.monotonic()  # when work last went on, or there was none
        self.on_end: Callable[[InferenceJob], None] = lambda job: None
        self.on_answer: Callable[[InferenceJob, Mapping[str, Any]], None] = lambda job, row: None

    def stop(self) -> None:
        """Give nothing out any more: what waits and what runs is cancelled."""
        with self._more:
            self._stopping = True
            for job in self._jobs.values():
                self._end(job, "cancelled", "the service stops")
            self._more.notify_all()

    def close(self) -> None:
        """Let go of what is held, once nobody works any more."""

    def add(
        self,
        model: ServedModel,
        study: UploadedStudy,
        cases: Sequence[StoredCase],
        caller: Caller,
        *,
        kind: Kind = "predict",
        explainer: str | None = None,
        ask: str | None = None,
        accept_mismatch: bool = False,
        covariates: Mapping[str, float | str] | None = None,
        doubt: Doubts | None = None,
        refuse_unlike: bool = False,
        earlier: EarlierVisit | None = None,
    ) -> InferenceJob:
        """Queue a job. Raises Problem 429 where the queue is full, 422 for an explainer that does not fit."""
        if kind == "explain":
            explainer = explainer_of(model, explainer)
        job_id = secrets.token_urlsafe(12)
        job = InferenceJob(
            job_id,
            caller.name,
            model.name,
            model,
            study,
            tuple(cases),
            kind,
            self.root / job_id,
            explainer,
            ask,
            accept_mismatch,
            dict(covariates or {}),
            doubt,
            refuse_unlike,
            earlier,
        )
        self._admit(job)
        return job

    def _admit(self, job: InferenceJob) -> None:
        """Queue a job's cases. Raises Problem 429 where they are too many."""
        with self._more:
            if self._stopping:
                raise Problem(429, "the service stops")
            if len(self._queue) + len(job.cases) > self.bounds.waiting:
                raise Problem(
                    429, "too many cases wait", found=f"{len(self._queue)}", headers={"Retry-After": "5"}
                )
            self._forget()
            job.folder.mkdir(mode=0o700)
            self._jobs[job.id] = job
            if not self._queue:
                self.moved = time.monotonic()
            self._queue.extend(WorkUnit(job, case) for case in job.cases)
            self._more.notify_all()

    def get(self, job_id: str, caller: Caller) -> InferenceJob:
        """Return the job of that id. Raises Problem 404, for another's too."""
        with self.lock:
            job = self._jobs.get(job_id)
        if job is None or not (job.owner == caller.name or caller.may("admin")):
            raise not_found("job")
        return job

    def seen_by(self, caller: Caller) -> list[InferenceJob]:
        """Return the jobs that a caller may see, oldest first."""
        with self.lock:
            return [j for j in self._jobs.values() if j.owner == caller.name or caller.may("admin")]

    def is_over(self, unit: WorkUnit) -> bool:
        """Return whether nobody waits for a case's answer by this process any more."""
        return unit.job.ended

    def shed(self, path: str) -> Problem | None:
        """Return why what is sent to a path is not taken now, before it is read; None where it may be."""
        return None

    def cancel(self, job: InferenceJob) -> None:
        """End a job; what is being worked on stops at its next step. One that has ended stays as it is."""
        with self._more:
            self._end(job, "cancelled", "cancelled")

    def remove(self, job: InferenceJob) -> None:
        """Forget a job and its files."""
        with self._more:
            self._end(job, "cancelled", "cancelled")
            self._jobs.pop(job.id, None)
            shutil.rmtree(job.folder, ignore_errors=True)

    def release(self, job: InferenceJob) -> None:
        """Nobody works on the job at this moment: if it was removed meanwhile, what was still written goes, too."""
        with self.lock:
            if job.id not in self._jobs:
                shutil.rmtree(job.folder, ignore_errors=True)

    def of_study(self, study_id: str) -> list[InferenceJob]:
        """Return the jobs on a study, as either of their visits."""
        with self.lock:
            return [j for j in self._jobs.values() if study_id in _studies_of(j)]

    def expire(self, now: float) -> None:
        """Forget jobs that are older than they may be."""
        with self.lock:
            for job in [j for j in self._jobs.values() if now - j.created > self.bounds.keep_s]:
                self.remove(job)

    def waiting(self) -> int:
        """Return how many cases wait in the queue."""
        return len(self._queue)

    def size(self) -> int:
        """Return how many bytes all results have."""
        return sum(j.size for j in list(self._jobs.values()))

    def json(self, job: InferenceJob) -> dict[str, Any]:
        """Return a job as clients see it, at one moment."""
        with self.lock:
            return job.json()

    def _forget(self) -> None:
        """Make room for one more, of the oldest that have ended."""
        while len(self._jobs) >= self.bounds.jobs:
            old = next((j for j in self._jobs.values() if j.ended), None)
            if old is None:
                raise Problem(429, "too many jobs", found=str(len(self._jobs)))
            self.remove(old)

    def _end(self, job: InferenceJob, status: str, stage: str, error: dict[str, Any] | None = None) -> None:
        with self._more:
            if job.ended:
                return
            job.status, job.stage, job.error, job.finished = status, stage, error, time.time()
            job.version += 1
            if any(u.job is job for u in self._queue):
                self._queue = deque(u for u in self._queue if u.job is not job)
        self.metrics.jobs.labels(job.model_name, job.kind, status).inc()
        self.on_end(job)

    def take(self) -> list[WorkUnit]:
        """Wait for what is to be answered next: a case, or some that may go through one model together.

        None at the end.
        """
        with self._more:
            while not self._queue and not self._stopping:
                self._more.wait()
            units = [] if self._stopping else self._next()
            self.moved = time.monotonic()
            for unit in units:
                if unit.job.status == "queued":
                    unit.job.status = "running"
                self.report(unit, 0.0, "answering")
        return units

    def _next(self) -> list[WorkUnit]:
        """Return the first case that waits, with others that may go through the same model with it."""
        first = self._queue.popleft()
        if (
            first.job.kind != "predict"
            or first.job.doubt is not None
            or not first.job.model.joins
            or not is_flat(first.case)
        ):
            return [first]
        units = [first]
        for unit in list(self._queue):
            if len(units) == MOST_TOGETHER:
                break
            if _alike(unit.job, first.job) and is_flat(unit.case):
                units.append(unit)
                self._queue.remove(unit)
        return units

    def report(self, unit: WorkUnit, share: float, stage: str) -> None:
        """How far a case is, and what is done with it."""
        with self.lock:
            if unit.job.ended:
                return
            unit.job.shares[unit.case.id] = share
            self.moved = time.monotonic()
            n = len(unit.job.cases)
            unit.job.stage = stage if n == 1 else f"{stage} ({len(unit.job.answers) + 1} of {n})"
            unit.job.version += 1

    def add_answer(self, unit: WorkUnit, row: dict[str, Any], files: dict[str, Path]) -> None:
        """Put one case's answer into its job; the last one ends the job."""
        job, case = unit.job, unit.case
        with self._more:
            if job.ended:
                return
            job.answers[case.id], job.files[case.id] = row, files
            job.size += sum(p.stat().st_size for p in files.values())
            job.shares[case.id] = 1.0
            job.version += 1
            self.metrics.cases.labels(job.model_name, "answered").inc()
            self._settle(job)
        self.on_answer(job, row)

    def add_failure(self, unit: WorkUnit, error: VesaliusError, *, status: int | None = None) -> None:
        """One case that cannot be answered: the others are, and the job says which were not.

        `status` is the HTTP status of the error, by default that of its kind.
        """
        job, case = unit.job, unit.case
        said = failure(unit, error)
        self.metrics.cases.labels(job.model_name, "failed").inc()
        with self._more:
            if job.ended:
                return
            job.failures[case.id] = said
            if job.error is None:
                job.error, job.refusal = said, status or status_of(error)
            job.shares[case.id] = 1.0
            job.version += 1
            self._settle(job)

    def _settle(self, job: InferenceJob) -> None:
        """End a job once each of its cases is answered or cannot be."""
        if len(job.shares) == len(job.cases) and min(job.shares.values()) == 1.0:
            status = "done" if job.answers else "failed"
            self._end(job, status, status, job.error)


def _studies_of(job: InferenceJob) -> set[str]:
    return {job.study.id} | (set() if job.earlier is None else {job.earlier.study.id})


def _alike(job: InferenceJob, other: InferenceJob) -> bool:
    """Return whether cases of two jobs may be answered in one pass."""
    same = job.model is other.model and job.kind == other.kind
    flags = [(j.accept_mismatch, j.refuse_unlike) for j in (job, other)]
    return same and job.doubt is None and other.doubt is None and flags[0] == flags[1]


def failure(unit: WorkUnit, error: VesaliusError) -> dict[str, Any]:
    """Return what clients are told of a case that could not be answered, in their words."""
    job, case = unit.job, unit.case
    said = {k: v and job.study.plainly(v) for k, v in error_body(error).items()}
    for name in (f"case {job.study.id}/{case.id}", f"case {case.id}"):
        said["error"] = str(said["error"]).replace(name, case.name)
    return {**said, "case": case.id}


def is_flat(case: StoredCase) -> bool:
    """Return whether a case is one plane, of which several go through a model together."""
    return bool(case.about["shape"][0] == 1)


def explainer_of(model: ServedModel, name: str | None) -> str:
    """Return the explainer that is meant. Raises Problem 422 where none fits."""
    fitting = model.explainers
    if not fitting:
        raise Problem(
            422,
            f"answers of '{model.name}' cannot be explained: no explainer for {model.about['answer']} is installed",
            hint="GET /api/models lists the explainers of each model",
        )
    if name is None:
        return fitting[0]
    if name not in fitting:
        raise Problem(422, f"no such explainer for '{model.name}'", hint=", ".join(fitting))
    return name
