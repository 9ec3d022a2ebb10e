"""A service as a whole: its models, studies, jobs, keys, log and figures, and what it does from time to time."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vesalius.adjunct.server import ChatServer
from vesalius.core.errors import VesaliusError
from vesalius.core.version import VERSION
from vesalius.core.words import named_things
from vesalius.prepare.case import load_reference
from vesalius.serve.alarms import Alarms, DriftWatch, QueueWatch, tell_strange
from vesalius.serve.edits.store import EditStore
from vesalius.serve.http.annotating import Annotating
from vesalius.serve.http.audit import Audit, Details
from vesalius.serve.http.catalogue import Catalogue, ServedModel
from vesalius.serve.http.clicks.session import ClickSession
from vesalius.serve.http.clicks.sessions import ClickSessions
from vesalius.serve.http.datastore import Datastore
from vesalius.serve.http.job import Doubts, InferenceJob
from vesalius.serve.http.jobs import Jobs
from vesalius.serve.http.keys import Caller, Keys
from vesalius.serve.http.limits import Bounds, RateLimit
from vesalius.serve.http.metrics import Metrics
from vesalius.serve.http.next_case import NextCase
from vesalius.serve.http.problems import Problem, log_unexpected, not_found
from vesalius.serve.http.refusals import Refusals
from vesalius.serve.http.sample import KNOWN, make_sample, recipe
from vesalius.serve.http.several import joined
from vesalius.serve.http.shared.sharing import Shared, Sharing, assert_shareable
from vesalius.serve.http.similar import SimilarCases
from vesalius.serve.http.studies import Studies
from vesalius.serve.http.study import StoredCase, UploadedStudy
from vesalius.serve.http.tables import assert_fits
from vesalius.serve.http.truth import Truths, on_image
from vesalius.serve.http.visits import EarlierVisit
from vesalius.serve.http.workdir import WorkDir
from vesalius.serve.http.workers import Workers
from vesalius.serve.webhook import Address

_LOG = logging.getLogger(__name__)
_SWEEP_S = 30.0


class Service:
    """Everything that requests share. Uploads and results lie in a temporary folder that goes when it stops.

    Reports that people have changed stay, in the folder `edits`; without one none is kept. `annotate` is the
    folder of a project that people annotate here. Cases like an uploaded one are found in `similar`, where there is
    one. With `shared`, uploads, jobs and results are those of all processes that share it, and stay when one stops.
    """

    def __init__(
        self,
        models: Catalogue,
        *,
        audit: Path,
        keys: Path | None = None,
        bounds: Bounds | None = None,
        temporary: Path | None = None,
        edits: Path | None = None,
        annotate: Path | None = None,
        llm: ChatServer | None = None,
        similar: SimilarCases | None = None,
        alarm: Address | None = None,
        shared: Shared | None = None,
    ) -> None:
        self.similar = similar
        self.models, self.bounds, self.llm = models, bounds or Bounds(), llm
        self.keys = Keys(keys) if keys is not None else None
        self.audit = Audit(audit)
        self.edits = EditStore(edits) if edits is not None else None
        self.annotating = Annotating(annotate, by_keys=keys is not None) if annotate is not None else None
        self.refusals = Refusals(self.audit)
        self.metrics = Metrics()
        self.rate = RateLimit(self.bounds.per_minute)
        self.sharing: Sharing | None = None
        self.workdir: WorkDir | Sharing
        self.studies: Studies
        self.jobs: Jobs
        self.datastore: Datastore
        self.truths: Truths
        if shared is not None:
            assert_shareable(edits=edits, annotate=annotate)
            self.workdir = self.sharing = Sharing(shared, models, self.bounds, self.metrics)
            self.metrics.worker = self.sharing.queue.worker
            self.studies, self.jobs = self.sharing.studies, self.sharing.jobs
            self.datastore, self.truths = self.sharing.datastore, self.sharing.truths
        else:
            self.workdir = WorkDir(temporary)
            for name in ("studies", "jobs"):
                (self.workdir.folder / name).mkdir()
            self.studies = Studies(self.workdir.folder / "studies", self.bounds)
            self.jobs = Jobs(self.workdir.folder / "jobs", self.bounds, self.metrics)
            self.datastore, self.truths = Datastore(self.studies), Truths()
        self.root, self.apart = self.workdir.folder, self.workdir.apart
        self.jobs.on_end = self._job_ended
        self.jobs.on_answer = lambda job, row: tell_strange(
            self.alarms, row.get("outside"), model=job.model.name, bundle=job.model.bundle.hash
        )
        self.studies.result_bytes = self.jobs.size
        self.workers = Workers(self.jobs, self.studies, self.metrics, devices=len(models.devices))
        self.sessions = 0  # WebSockets at this moment; touched by the event loop alone
        self.realtime = ThreadPoolExecutor(1, thread_name_prefix="cine")
        self.clicks = ClickSessions(self.bounds, self._clicks_ended)
        self.next_case = NextCase()
        self.digests: dict[tuple[str, str], str] = {}  # of a study's case, where somebody asked
        self.stopping = threading.Event()
        self.alarms = Alarms(
            alarm,
            models=models.by_name.values(),
            heard=lambda outcome: self.metrics.alarms.labels(outcome).inc(),
        )
        self._drift = DriftWatch(self.alarms, models.by_name.values())
        self._queue = QueueWatch(self.alarms)
        self._sweeper = threading.Thread(target=self._sweep, name="sweeper", daemon=True)
        for model in models.by_name.values():
            self.metrics.models.labels(model.name, model.bundle.hash).set(1)
            self.metrics.follow(model.name, model.drifting)
        self.metrics.watch("vesalius_studies", "Studies that are kept", lambda: len(self.studies))
        self.metrics.watch("vesalius_stored_bytes", "Bytes of uploads and results", self.studies.stored)
        self.metrics.watch("vesalius_click_sessions", "Sessions of clicks", lambda: len(self.clicks))
        self.metrics.watch("vesalius_click_bytes", "Bytes that sessions of clicks hold", self.clicks.stored)
        self.metrics.watch("vesalius_waiting_cases", "Cases in the queue", self.jobs.waiting)
        self.metrics.watch(
            "vesalius_alarms_waiting", "Alarms that are not delivered yet", self.alarms.waiting
        )

    def start(self) -> None:
        """Begin to work."""
        hashes = ",".join(m.bundle.hash[:16] for m in self.models.by_name.values())
        said: Details = {"version": VERSION, "models": hashes}
        for one in self.models.guards[:1]:
            said["guard"] = one.hash[:16]
        self.audit.add("service", "start", said)
        if self.workdir.cleared:
            self.audit.add("service", "cleared", {"folders": self.workdir.cleared})
        self.alarms.start()
        self.workdir.start()
        self.workers.start()
        self._sweeper.start()

    def stop(self) -> None:
        """End what runs, write the last line of the log, and remove all uploads and results."""
        self.stopping.set()
        self.jobs.stop()
        self.workers.join()
        self.jobs.close()
        self.realtime.shutdown(cancel_futures=True)
        self.alarms.close()
        self.refusals.flush(last=True)
        self.audit.add("service", "stop")
        self.audit.close()
        if self.edits is not None:
            self.edits.close()
        if self.annotating is not None:
            self.annotating.close()
        self.workdir.remove()

    @property
    def unready(self) -> str | None:
        """Why jobs are not taken or not worked on at this moment; None where they are."""
        if self.stopping.is_set():
            return "the service stops"
        if not self.workers.alive:
            return "a device is not worked on"
        if self.sharing is not None and self.sharing.queue.away:
            return "the queue cannot be reached"
        if self.keys is not None and not self.keys.usable:
            return "no key can be checked at the moment"
        return None

    def ask(
        self,
        caller: Caller,
        model: ServedModel,
        study: UploadedStudy,
        case_id: str | None = None,
        *,
        explain: bool = False,
        advise: bool = False,
        explainer: str | None = None,
        ask: str | None = None,
        accept_mismatch: bool = False,
        covariates: Mapping[str, float | str] | None = None,
        doubt: Doubts | None = None,
        refuse_unlike: bool = False,
        images: Mapping[str, str] | None = None,
        earlier: EarlierVisit | None = None,
    ) -> InferenceJob:
        """Queue a job on a study, or on one case of it. Raises Problem, and PlanError for a doubt that cannot be.

        `images` are cases of the study by the names that a model of several sources has for their images.
        """
        if model.about["clicks"]:  # without a stroke its answer is an empty mask, which would be read as one
            raise Problem(
                422, f"'{model.name}' answers where somebody points", hint="POST /api/clicks with strokes"
            )
        if doubt is not None:
            model.predictor().doubting(*doubt)
        cases: tuple[StoredCase, ...] = study.cases if case_id is None else (study.case(case_id),)
        if images:
            cases = (joined(study, images, case_id, model),)
        given = dict(covariates or {})
        for case in cases:
            assert_fits(model.name, table=bool(model.about["imageless"]), case=case)
            _require(model, {**case.case.covariates, **given})
        job = self.jobs.add(
            model,
            study,
            cases,
            caller,
            kind="explain" if explain else "advise" if advise else "predict" if earlier is None else "change",
            explainer=explainer,
            ask=ask,
            accept_mismatch=accept_mismatch,
            covariates=given,
            doubt=doubt,
            refuse_unlike=refuse_unlike,
            earlier=earlier,
        )
        about: Details = {
            "cases": len(cases),
            "job": job.id,
            "study": study.id,
            "model": model.bundle.hash[:16],
        }
        if accept_mismatch:
            about["accept_mismatch"] = 1
        if earlier is not None:
            about["earlier"] = earlier.study.id
        if doubt is not None:
            about["doubt"] = doubt[0]
        try:
            self.audit.add(caller.name, job.kind, about)
        except VesaliusError:  # what cannot be written down is not done
            self.jobs.remove(job)
            raise
        return job

    def uploaded(self, caller: Caller, study: UploadedStudy, files: int) -> None:
        """Write an upload down; one that cannot be is not kept. Raises OutputError."""
        try:
            self.audit.add(caller.name, "upload", {"study": study.id, "files": files, "bytes": study.size})
        except VesaliusError:
            self.forget(study)
            raise

    def forget(self, study: UploadedStudy) -> None:
        """Remove a study and every job on it."""
        for job in self.jobs.of_study(study.id):
            self.jobs.remove(job)
        self.studies.remove(study.id)
        self.forget_here(study)

    def forget_here(self, study: UploadedStudy) -> None:
        """Drop what this process alone remembers of a study that has gone."""
        self.datastore.forget(study)
        self.truths.forget(study)
        if self.similar is not None:
            self.similar.forget(study)
        self.next_case.forget(study.id)
        self.clicks.forget(study.id)
        for key in [k for k in list(self.digests) if k[0] == study.id]:
            self.digests.pop(key, None)

    def sample(self, caller: Caller, model: ServedModel | None = None) -> tuple[UploadedStudy, bool]:
        """Return a phantom's study that suits a model as the caller's, with its truth, and whether it is new.

        Raises Problem, OutputError.
        """
        flat = model is not None and model.about["dims"] == 2
        form, options = recipe(flat=flat, learned=model.bundle.learned if model else None)
        sort = f"{form} {options}"
        for earlier in self.studies.seen_by(caller):
            if earlier.owner == caller.name and earlier.made == sort:
                return earlier, False
        with self.studies.folder(caller) as (study_id, folder):
            made = make_sample(folder, form, options)
            self.studies.check_room(sum(f.size for f in made.files))
            study = self.studies.add(
                study_id, folder, made.files, caller, made=sort, covariates=made.covariates
            )
        self.uploaded(caller, study, len(made.files))
        case = study.cases[0]
        if made.truth is not None:
            reference = load_reference(case.case)
            kept = on_image(made.truth, made.labels, reference, folder / "truth" / case.id, source=KNOWN)
            self.truths.put(study, case, kept)
            self.studies.grow(study, kept.path.stat().st_size)
        return study, True

    def figures(self) -> bytes:
        """Return what Prometheus reads."""
        self.metrics.audit.clear()
        self.metrics.audit.labels(self.audit.tail.hash).set(self.audit.tail.count)
        return self.metrics.text()

    def file(self, job: InferenceJob, case_id: str, name: str) -> Path:
        """Return a result's file, looked up by its name and never by a path. Raises Problem 404."""
        path = job.files.get(case_id, {}).get(name)
        if path is None or not path.is_file():
            raise not_found("file")
        return path

    def _job_ended(self, job: InferenceJob) -> None:
        if job.status == "done" and job.finished is not None:
            self.metrics.latency.observe("job", job.model.name, job.finished - job.created)
        with contextlib.suppress(VesaliusError, ValueError):  # a full disk must not end the thread that works
            self.audit.add("service", job.status, {"job": job.id, "answered": len(job.answers)})

    def _clicks_ended(self, session: ClickSession) -> None:
        about: Details = {"strokes": len(session.strokes), "answered": session.answered}
        if session.study is not None:
            about["study"] = session.study
        with contextlib.suppress(VesaliusError):  # its memory is free all the same
            self.audit.add(session.owner, "clicks ended", about)

    def _sweep(self) -> None:
        while not self.stopping.wait(_SWEEP_S):
            try:
                self._expire(time.time())
            except Problem:  # a shared queue that is away: what is old waits
                pass
            except Exception as error:  # noqa: BLE001 - or nothing would ever expire again
                log_unexpected(_LOG, "what is old could not be removed", error)
            try:
                self.watch()
            except Exception as error:  # noqa: BLE001 - or nobody would ever be told again
                log_unexpected(_LOG, "what goes wrong could not be told", error)

    def watch(self) -> None:
        """Tell the administrator's address of a drift, and of a queue that does not move."""
        self._drift.look()
        self._queue.look(waiting=self.jobs.waiting(), silent_s=time.monotonic() - self.jobs.moved)

    def _expire(self, now: float) -> None:
        self.refusals.flush()
        self.jobs.expire(now)
        self.clicks.expire()
        self.studies.sweep()
        for study in self.studies.gone():
            self.forget_here(study)
        for study in self.studies.expire(now):
            self.forget(study)
            with contextlib.suppress(VesaliusError):
                self.audit.add("service", "expired", {"study": study.id})


def _require(model: ServedModel, covariates: Mapping[str, float | str | None]) -> None:
    """Raise Problem 422 where a case lacks a covariate that a model needs."""
    lacking = [name for name in model.about["covariates"] if covariates.get(name) is None]
    if lacking:
        wanted = ", ".join(f'"{name}": …' for name in lacking)
        raise Problem(
            422,
            f"the model '{model.name}' needs {named_things('covariate', lacking)}",
            found=", ".join(k for k, v in covariates.items() if v is not None) or "no covariates",
            hint=f'"covariates": {{{wanted}}} in the request',
        )
