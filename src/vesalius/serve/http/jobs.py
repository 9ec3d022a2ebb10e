"""Jobs: what was asked of a model, in a bounded queue, answered by one thread a device, followed by whoever asked."""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vesalius.core import registry
from vesalius.core.answer import Answer
from vesalius.core.errors import DataError, VesaliusError
from vesalius.prepare.case import load_reference
from vesalius.serve.http import results
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.metrics import Metrics
from vesalius.serve.http.models import Model
from vesalius.serve.http.problems import Problem, body_of, missing
from vesalius.serve.http.studies import StoredCase, Studies, Study
from vesalius.serve.http.wire import iso

_LOG = logging.getLogger(__name__)
Kind = Literal["predict", "explain"]
ENDED = ("done", "failed", "cancelled")
_PASS = 8  # cases that go through a model together at most


class _Cancelled(Exception):
    """Ends the work on a case of a job that was cancelled."""


@dataclass(eq=False)
class Job:
    """One request of one caller; its fields change under the registry's lock, `version` with each change."""

    id: str
    owner: str
    model: Model
    study: Study
    cases: tuple[StoredCase, ...]
    kind: Kind
    folder: Path
    explainer: str | None = None
    status: str = "queued"
    stage: str = "waiting"
    shares: dict[str, float] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    created: float = field(default_factory=time.time)
    finished: float | None = None
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, dict[str, Path]] = field(default_factory=dict)
    version: int = 0
    size: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will change."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class _Unit:
    job: Job
    case: StoredCase


class Jobs:
    """All jobs, their queue and the threads that work on it."""

    def __init__(
        self, root: Path, studies: Studies, bounds: Bounds, metrics: Metrics, *, devices: int = 1
    ) -> None:
        self.root, self.studies, self.bounds, self.metrics = root, studies, bounds, metrics
        self.lock = threading.RLock()
        self._more = threading.Condition(self.lock)
        self._jobs: dict[str, Job] = {}
        self._queue: deque[_Unit] = deque()
        self._stopping = False
        self.ended: Callable[[Job], None] = lambda job: None
        self._threads = [
            threading.Thread(target=self._work, args=(k,), name=f"device-{k}", daemon=True)
            for k in range(devices)
        ]
        studies.extra = self.size

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Work no more: what waits and what runs is cancelled."""
        with self._more:
            self._stopping = True
            for job in self._jobs.values():
                self._end(job, "cancelled", "the service stops")
            self._more.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether every device has its thread."""
        return all(t.is_alive() for t in self._threads)

    def add(
        self,
        model: Model,
        study: Study,
        cases: Sequence[StoredCase],
        caller: Caller,
        *,
        kind: Kind = "predict",
        explainer: str | None = None,
    ) -> Job:
        """Queue a job. Raises Problem 429 where the queue is full, 422 for an explainer that does not fit."""
        if kind == "explain":
            explainer = _explainer(model, explainer)
        job_id = secrets.token_urlsafe(12)
        with self._more:
            if self._stopping:
                raise Problem(429, "the service stops")
            if len(self._queue) + len(cases) > self.bounds.waiting:
                raise Problem(
                    429, "too many cases wait", found=f"{len(self._queue)}", headers={"Retry-After": "5"}
                )
            self._forget()
            folder = self.root / job_id
            folder.mkdir(mode=0o700)
            job = Job(job_id, caller.name, model, study, tuple(cases), kind, folder, explainer)
            self._jobs[job_id] = job
            self._queue.extend(_Unit(job, case) for case in cases)
            self._more.notify_all()
        return job

    def get(self, job_id: str, caller: Caller) -> Job:
        """The job of that id. Raises Problem 404, for another's too."""
        with self.lock:
            job = self._jobs.get(job_id)
        if job is None or not (job.owner == caller.name or caller.may("admin")):
            raise missing("job")
        return job

    def seen_by(self, caller: Caller) -> list[Job]:
        """The jobs that a caller may see, oldest first."""
        with self.lock:
            return [j for j in self._jobs.values() if j.owner == caller.name or caller.may("admin")]

    def cancel(self, job: Job) -> None:
        """End a job; what is being worked on stops at its next step. One that has ended stays as it is."""
        with self._more:
            self._end(job, "cancelled", "cancelled")

    def remove(self, job: Job) -> None:
        """Forget a job and its files."""
        with self._more:
            self._end(job, "cancelled", "cancelled")
            self._jobs.pop(job.id, None)
            shutil.rmtree(job.folder, ignore_errors=True)

    def of_study(self, study_id: str) -> list[Job]:
        """The jobs on a study."""
        with self.lock:
            return [j for j in self._jobs.values() if j.study.id == study_id]

    def expire(self, now: float) -> None:
        """Forget jobs that are older than they may be."""
        with self.lock:
            for job in [j for j in self._jobs.values() if now - j.created > self.bounds.keep_s]:
                self.remove(job)

    def waiting(self) -> int:
        """Cases in the queue."""
        return len(self._queue)

    def size(self) -> int:
        """Bytes of all results."""
        return sum(j.size for j in list(self._jobs.values()))

    def json(self, job: Job) -> dict[str, Any]:
        """A job as clients see it."""
        with self.lock:
            share = sum(job.shares.values()) / max(1, len(job.cases))
            return {
                "job": job.id,
                "model": job.model.name,
                "study": job.study.id,
                "kind": job.kind,
                "explainer": job.explainer,
                "status": job.status,
                "progress": 1.0 if job.status == "done" else round(min(share, 1.0), 4),
                "stage": job.stage,
                "error": job.error,
                "created": iso(job.created),
                "finished": None if job.finished is None else iso(job.finished),
                "answers": list(job.answers.values()),
            }

    def _forget(self) -> None:
        """Make room for one more, of the oldest that have ended."""
        while len(self._jobs) >= self.bounds.jobs:
            old = next((j for j in self._jobs.values() if j.ended), None)
            if old is None:
                raise Problem(429, "too many jobs", found=str(len(self._jobs)))
            self.remove(old)

    def _end(self, job: Job, status: str, stage: str, error: dict[str, Any] | None = None) -> None:
        with self._more:
            if job.ended:
                return
            job.status, job.stage, job.error, job.finished = status, stage, error, time.time()
            job.version += 1
            if any(u.job is job for u in self._queue):
                self._queue = deque(u for u in self._queue if u.job is not job)
        self.metrics.jobs.labels(job.model.name, job.kind, status).inc()
        self.ended(job)

    def _work(self, device: int) -> None:
        while True:
            with self._more:
                while not self._queue and not self._stopping:
                    self._more.wait()
                if self._stopping:
                    return
                units = self._next()
                for unit in units:
                    if unit.job.status == "queued":
                        unit.job.status = "running"
                    self._told(unit, 0.0, "answering")
            self._answer(units, device)

    def _next(self) -> list[_Unit]:
        """The first case that waits, with others that may go through the same model with it."""
        first = self._queue.popleft()
        if first.job.kind != "predict" or not first.job.model.joins or not _flat(first.case):
            return [first]
        units = [first]
        for unit in list(self._queue):
            if len(units) == _PASS:
                break
            if unit.job.model is first.job.model and unit.job.kind == "predict" and _flat(unit.case):
                units.append(unit)
                self._queue.remove(unit)
        return units

    def _answer(self, units: Sequence[_Unit], device: int) -> None:
        """Answer some cases of one model; whatever goes wrong ends their jobs, never the thread."""
        model, first = units[0].job.model, units[0]
        began = time.perf_counter()
        predictor = model.predictors[device]
        held = [self.studies.held(u.job.study) for u in units]
        for hold in held:
            hold.__enter__()
        try:
            if len(units) > 1:
                found: list[Answer | DataError] = predictor.together([u.case.case for u in units])
            elif first.job.kind == "explain":
                found = [_explained(predictor, first)]
            else:
                found = [predictor(first.case.case, watch=lambda share: self._watch(first, share))]
            self.metrics.passes.labels(model.name).observe(len(units))
            for unit, answer in zip(units, found, strict=True):
                self._finish(unit, answer)
            self.metrics.case_s.labels(model.name).observe((time.perf_counter() - began) / len(units))
        except _Cancelled:
            pass
        except VesaliusError as error:
            for unit in units:
                self._fail(unit, error)
        except Exception as error:  # noqa: BLE001 - a thread that dies would leave every later job waiting
            if all(u.job.ended for u in units):
                return  # its folder went while it was being written into
            _LOG.error("a case could not be answered", exc_info=error)
            for unit in units:
                self._fail(unit, VesaliusError("an internal error", found=type(error).__name__))
        finally:
            for hold in held:
                hold.__exit__(None, None, None)

    def _watch(self, unit: _Unit, share: float) -> None:
        if unit.job.ended:
            raise _Cancelled
        self._told(unit, 0.9 * share, "answering")

    def _told(self, unit: _Unit, share: float, stage: str) -> None:
        with self.lock:
            if unit.job.ended:
                return
            unit.job.shares[unit.case.id] = share
            n = len(unit.job.cases)
            unit.job.stage = stage if n == 1 else f"{stage} ({len(unit.job.answers) + 1} of {n})"
            unit.job.version += 1

    def _finish(self, unit: _Unit, answer: Answer | DataError) -> None:
        """Write one case's files and put its answer into its job; the last one ends the job."""
        job, case = unit.job, unit.case
        if isinstance(answer, DataError):
            self._fail(unit, answer)
            return
        if job.ended:
            return
        self._told(unit, 0.9, "writing")
        folder = job.folder / case.id
        folder.mkdir(exist_ok=True)
        written = results.files(answer, load_reference(case.case), folder, dicom=case.dicom)
        row = {
            "case": case.id,
            "kind": type(answer).__name__,
            "answer": results.outline(answer),
            "summary": results.summary(answer),
            "files": {name: f"/api/jobs/{job.id}/cases/{case.id}/{name}" for name in written},
        }
        with self._more:
            if job.ended:
                return
            job.answers[case.id], job.files[case.id] = row, written
            job.size += sum(p.stat().st_size for p in written.values())
            job.shares[case.id] = 1.0
            job.version += 1
            self.metrics.cases.labels(job.model.name, "answered").inc()
            self._settle(job)

    def _fail(self, unit: _Unit, error: VesaliusError) -> None:
        """One case that cannot be answered: the others are, and the job says which were not."""
        job, case = unit.job, unit.case
        said = {k: None if v is None else job.study.plainly(v) for k, v in body_of(error).items()}
        self.metrics.cases.labels(job.model.name, "failed").inc()
        with self._more:
            if job.ended:
                return
            job.error = job.error or {**said, "case": case.id}
            job.shares[case.id] = 1.0
            job.version += 1
            self._settle(job)

    def _settle(self, job: Job) -> None:
        """End a job once each of its cases is answered or cannot be."""
        if len(job.shares) == len(job.cases) and min(job.shares.values()) == 1.0:
            status = "done" if job.answers else "failed"
            self._end(job, status, status, job.error)


def _flat(case: StoredCase) -> bool:
    return bool(case.about["shape"][0] == 1)


def _explainer(model: Model, name: str | None) -> str:
    """The explainer that is meant. Raises Problem 422 where none fits."""
    fitting = model.explainers
    if not fitting:
        raise Problem(422, f"there is no explainer for '{model.name}'")
    if name is None:
        return fitting[0]
    if name not in fitting:
        raise Problem(422, f"no such explainer for '{model.name}'", hint=", ".join(fitting))
    return name


def _explained(predictor: Any, unit: _Unit) -> Answer:
    answer: Answer = registry.lookup("explain", str(unit.job.explainer)).explain(predictor, unit.case.case)
    return answer
