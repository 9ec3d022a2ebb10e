"""The threads that answer what is queued, one a device; whatever goes wrong ends a job, never a thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from vesalius.core.answers import Answer, ImageAnswer
from vesalius.core.case import Case
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.image import Image
from vesalius.explain.explanation import Explained, explain
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import load_reference, with_reference
from vesalius.serve.http import advising, results, visits
from vesalius.serve.http.job import WorkUnit
from vesalius.serve.http.jobs import Jobs
from vesalius.serve.http.metrics import Metrics
from vesalius.serve.http.problems import log_unexpected
from vesalius.serve.http.studies import Studies

_LOG = logging.getLogger(__name__)


class _Cancelled(Exception):
    """Ends the work on a case of a job that was cancelled."""


class Workers:
    """A thread for each device."""

    def __init__(self, jobs: Jobs, studies: Studies, metrics: Metrics, *, devices: int = 1) -> None:
        self.jobs, self.studies, self.metrics = jobs, studies, metrics
        self._threads = [
            threading.Thread(target=self._work, args=(k,), name=f"device-{k}", daemon=True)
            for k in range(devices)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def join(self, timeout_s: float = 10.0) -> None:
        """Wait until the workers have ended, which they do once the queue is closed."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether every device has its thread."""
        return all(t.is_alive() for t in self._threads)

    def _work(self, device: int) -> None:
        while units := self.jobs.take():
            self._answer(units, device)

    def _answer(self, units: Sequence[WorkUnit], device: int) -> None:
        """Answer some cases of one model; where they cannot be answered together, each by itself."""
        model = units[0].job.model
        first = units[0].job
        predictor = model.predictor(
            device, accept_mismatch=first.accept_mismatch, refuse_unlike=first.refuse_unlike
        )
        if first.doubt is not None:  # such a unit comes alone
            predictor = predictor.doubting(*first.doubt)
        with ExitStack() as stack:
            for unit in units:
                stack.enter_context(self.studies.in_use(unit.job.study))
                if unit.job.earlier is not None:
                    stack.enter_context(self.studies.in_use(unit.job.earlier.study))
            began = time.perf_counter()
            cases = [_opened(unit) for unit in units]
            if len(units) == 1:
                unit, case = units[0], cases[0]
                self._each(unit, case, lambda: self._alone(unit, case, _heard_of(unit, predictor)))
            else:
                try:
                    found = predictor.together([_named(u, c) for u, c in zip(units, cases, strict=True)])
                except Exception as error:  # noqa: BLE001 - one caller's picture must not fail another's
                    log_unexpected(_LOG, "cases could not be answered together", error)
                    for unit in units:
                        self._answer([unit], device)
                    return
                for unit, case, answer in zip(units, cases, found, strict=True):
                    self._each(unit, case, partial(_unnamed, answer, case))
            self.metrics.passes.labels(model.name).observe(len(units))
            self.metrics.case_s.labels(model.name).observe((time.perf_counter() - began) / len(units))

    def _each(self, unit: WorkUnit, case: Case, answer: Callable[[], Answer | DataError]) -> None:
        """Answer one case and write its files; whatever goes wrong is this case's alone."""
        try:
            found = answer()
            if isinstance(found, DataError):
                raise found
            bare = case.reference is None and not case.images
            reference = unit.job.model.predictor().reference_of(case) if bare else load_reference(case)
            self._finish(unit, found, reference)
        except _Cancelled:
            pass
        except VesaliusError as error:
            self.jobs.add_failure(unit, error)
        except Exception as error:  # noqa: BLE001 - a thread that dies would leave every later job waiting
            if self.jobs.is_over(unit):
                return  # its folder went while it was being written into
            log_unexpected(_LOG, "a case could not be answered", error)
            inner = VesaliusError("an internal error", found=type(error).__name__)
            self.jobs.add_failure(unit, inner, status=500)
        finally:
            self.jobs.release(unit.job)

    def _alone(self, unit: WorkUnit, case: Case, predictor: Predictor) -> Answer | DataError:
        if unit.job.kind == "explain":
            return self._explained(unit, case, predictor)
        if unit.job.kind == "advise":
            return advising.advised(predictor, case, unit.folder)
        if unit.job.earlier is not None:
            folder = unit.folder
            told = partial(self._watch, unit)
            return visits.changed(predictor, unit.job.earlier, case, folder, watch=told)
        return predictor(case, watch=lambda share: self._watch(unit, share))

    def _explained(self, unit: WorkUnit, case: Case, predictor: Predictor) -> Answer:
        """Return the map of the method that is asked for, or its numbers of sources or steps.

        Raises DataError for one that does not hold.
        """
        name = str(unit.job.explainer)

        def watch(passes: int) -> None:
            if self.jobs.is_over(unit):
                raise _Cancelled

        found = explain(predictor, case, [name], ask=unit.job.ask, watch=watch)
        (one,) = found.explained or found.parted
        if one.fails is not None:
            what = "the map" if found.explained else "what is left out"
            raise DataError(
                f"{what} of {name} is not shown", found=one.fails, hint="another method, or another case"
            )
        folder = unit.folder
        folder.mkdir(exist_ok=True)
        results.explained(found, folder)
        return one.map if isinstance(one, Explained) else one.answer(found.answer)

    def _watch(self, unit: WorkUnit, share: float) -> None:
        if self.jobs.is_over(unit):
            raise _Cancelled
        self.jobs.report(unit, 0.9 * share, "answering")

    def _finish(self, unit: WorkUnit, answer: Answer, reference: Image) -> None:
        """Write one case's files and put its answer into its job."""
        job, case = unit.job, unit.case
        if self.jobs.is_over(unit):
            return
        self.jobs.report(unit, 0.9, "writing")
        folder = unit.folder
        folder.mkdir(exist_ok=True)
        measured = job.kind != "explain" or isinstance(
            answer, ImageAnswer
        )  # what a source adds is no measurement
        written = results.files(answer, reference, folder, dicom=case.dicom and measured)
        if (folder / results.PAGE).is_file():
            written[results.PAGE] = folder / results.PAGE
        written |= visits.written(folder) | advising.written(folder)
        change = visits.said(folder)
        row = {
            "case": case.id,
            "kind": type(answer).__name__,
            "answer": results.outline(answer),
            "summary": results.summary(answer)
            | ({} if change is None else {"change": change})
            | advising.said(folder),
            "outside": None if answer.outside is None else list(answer.outside),
            "notes": list(case.about["notes"]),
            "files": {name: f"/api/jobs/{job.id}/cases/{case.id}/{name}" for name in written},
        }
        self.jobs.add_answer(unit, row, written)


def _opened(unit: WorkUnit) -> Case:
    """Return a unit's case with the covariates of its job and its reference image read, so that it is decoded once.

    One that cannot be read is returned unread: its answer is the error that says so.
    """
    case = unit.case.case
    case = replace(case, covariates={**case.covariates, **unit.job.covariates})
    try:
        return with_reference(case)
    except DataError:
        return case


def _heard_of(unit: WorkUnit, predictor: Predictor) -> Predictor:
    """Return a predictor that tells its listener of a unit's case by a name that no other upload's case has."""
    listen = predictor.listen
    if listen is None:
        return predictor
    return predictor.listening(lambda case, bins: listen(_named(unit, case), bins))


def _named(unit: WorkUnit, case: Case) -> Case:
    """Return a case by the name by which it is heard of, since each upload calls its first case alike."""
    return replace(case, id=f"{unit.job.study.id}/{case.id}")


def _unnamed(answer: Answer | DataError, case: Case) -> Answer | DataError:
    """Return an answer about a case by its own name again, and so its parts."""
    return answer if isinstance(answer, DataError) else _by_name(answer, case.id)


def _by_name(answer: Answer, name: str) -> Answer:
    parts = {part: _by_name(one, name) for part, one in answer.parts.items()}
    return replace(answer, case_id=name if answer.case_id else "", parts=parts)
