"""The unit of work of an archive: one study answered, its files written to a place of its own, its rows returned."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from vesalius import formats
from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.errors import DataError, GeometryError, MismatchError, OutputError, VesaliusError
from vesalius.core.errors import out_of_memory as refused_memory
from vesalius.core.file_names import BAD_NAME, FileNames
from vesalius.core.image import Image
from vesalius.core.progress import Silent
from vesalius.infer.drifting import reference_of
from vesalius.infer.each import answers
from vesalius.plan import torch_threads
from vesalius.run.archive.listing import fingerprint
from vesalius.run.archive.order import STAGING, CaseResult, Job, Order, Result
from vesalius.run.archive.servers import Spool, store
from vesalius.run.drift_rows import cells_of
from vesalius.run.finished import bundle_of
from vesalius.run.guided import guided, parse_told
from vesalius.run.one_case import holds_no_object, write_one
from vesalius.run.predicting import opened_for, predictor_of
from vesalius.run.wanted import Wanted, reason_of, wanted_of

CHANGED = "it changed while it was answered"


class Answerer:
    """Answers one study after another, with a bundle that is loaded once.

    Raises what must end the whole run: OutputError where nothing can be written, and BundleError, PlanError or
    MissingExtra where the bundle cannot answer, or is another one than the order's. What is wrong with a study
    is in its Result.
    """

    def __init__(self, order: Order) -> None:
        self.order, self.out = order, Path(order.out)
        torch_threads.use(order.threads)
        self.bundle = opened_for(bundle_of(order.bundle), order.settings)
        if self.bundle.hash != order.hash:
            raise OutputError(
                "the bundle was changed while its answers were made", found=order.bundle, hint="another -o"
            )
        self.predictor, self.settings = predictor_of(
            self.bundle,
            order.settings,
            device=order.device,
            cores=order.threads,
            cases=None,
            progress=Silent(),
        )
        self.reference = reference_of(self.bundle)
        self.spool = Spool(order)

    def __call__(self, job: Job) -> Result:
        """Return what became of a study. Raises OutputError where the folder of answers cannot be written."""
        if job.stored:
            return self._store(job)
        began = time.perf_counter()
        if self.order.source is None:
            try:
                place = self.spool.fetch(job)
            except (OutputError, DataError) as error:
                return Result(job.n, faults=((job.study, str(error)),), seconds=time.perf_counter() - began)
            try:
                return self._answer(job, place, began)
            finally:
                shutil.rmtree(place, ignore_errors=True)
        return self._answer(job, Path(self.order.source) / job.place, began)

    def _answer(self, job: Job, place: Path, began: float) -> Result:
        mark, files, size, newest = fingerprint(place)
        rest = newest + self.order.settle_s - time.time() if self.order.source is not None else 0.0
        if rest > 0 and self.order.settle_s:
            rest = min(rest, self.order.settle_s)  # longer where a file's time lies ahead of this clock
            return Result(job.n, young_s=rest, fingerprint=mark, files=files, size=size)
        work = _Work(self, job)
        try:
            work.do(place)
            if fingerprint(place)[0] != mark:
                work.discard()
                return Result(
                    job.n, young_s=max(1.0, self.order.settle_s), notes=(f"{job.study}: {CHANGED}",)
                )
            unstored = self._stored(work.folder, work.objects) if self.order.to and work.objects else ""
        except BaseException:
            work.discard()
            raise
        return work.result(mark, files, size, time.perf_counter() - began, unstored)

    def _store(self, job: Job) -> Result:
        return Result(job.n, unstored=self._stored(self.out, job.stored), stored=True)

    def _stored(self, folder: Path, names: tuple[str, ...] | list[str]) -> str:
        """Give objects to the server; returns why it did not take them, an empty text where it did."""
        if self.order.to is None:
            return ""
        try:
            store(self.order.to, [folder / name for name in names])
        except (OutputError, DataError) as error:
            return str(error)
        return ""


class _Work:
    """One study while it is answered."""

    def __init__(self, answerer: Answerer, job: Job) -> None:
        self.of, self.job = answerer, job
        self.staged = f"{job.n}-{os.getpid()}-{secrets.token_hex(4)}"
        self.folder = answerer.out / STAGING / self.staged
        self.names = FileNames()
        self.cases: list[CaseResult] = []
        self.faults: list[tuple[str, str]] = []
        self.drift: list[Mapping[str, Any]] = []
        self.made: list[str] = []
        self.objects: list[str] = []
        self.notes: list[str] = []
        self.heard: dict[str, tuple[int, ...]] = {}
        self.refused = 0

    def do(self, place: Path) -> None:
        """Answer each case of the study. Raises OutputError."""
        order = self.of.order
        try:
            wanted = wanted_of(
                place,
                self.of.bundle,
                layout=order.settings.layout,
                columns=order.settings.columns,
                covariates=order.settings.covariates,
                accept_mismatch=order.settings.accept_mismatch,
            )
        except VesaliusError as error:
            self.faults.append((self.job.study, str(error)))
            return
        wanted = self._named(wanted, place)
        if order.settings.guidance:
            wanted = guided(wanted, parse_told(order.settings.guidance))
        for item in wanted.set_aside:
            self.faults.append((item.case, item.reason))
        self.folder.mkdir(parents=True, exist_ok=True)
        listening = self.of.predictor.listening(lambda case, bins: self.heard.update({case.id: bins}))
        for found in answers(listening, wanted.cases, progress=Silent()):
            if isinstance(found.answer, VesaliusError):
                self._refuse(found.case, found.answer)
            else:
                self._write(found.case, found.answer, found.reference)
        if not any(self.folder.iterdir()):
            self.discard()

    def _named(self, wanted: Wanted, place: Path) -> Wanted:
        """Return the cases, each called by its study, and by itself where it is not all of the study."""
        study, own = self.job.study, {place.name, formats.stem(place)}

        def name(case: str) -> str:
            return study if case in own else f"{study}_{case.translate(BAD_NAME)}".rstrip(". ")

        if not isinstance(wanted.cases, tuple):
            return wanted
        cases = tuple(replace(c, id=name(c.id)) for c in wanted.cases)
        ids = {c.id for c in cases}
        aside = tuple(replace(item, case=name(item.case)) for item in wanted.set_aside)
        return replace(wanted, cases=cases, set_aside=tuple(a for a in aside if a.case not in ids))

    def _refuse(self, case: Case, error: VesaliusError) -> None:
        if refused_memory(error):
            raise MemoryError(str(error)) from error
        self.refused += isinstance(error, MismatchError | GeometryError)
        self._drifted(case.id)
        self.faults.append((case.id, reason_of(error, case.id)))

    def _write(self, case: Case, answer: Answer, reference: Image | None) -> None:
        if note := holds_no_object(answer, self.of.settings):
            self.notes.append(note)
        try:
            made = write_one(
                case.id,
                answer,
                reference,
                name=self.names[case.id],
                folder=self.folder,
                settings=self.of.settings,
            )
        except DataError as error:
            self.faults.append((case.id, reason_of(error, case.id)))
            return
        self.faults += [(case.id, reason) for reason in made.lacking]
        self._drifted(case.id)
        there = [p.name for p in (*made.files, *made.objects) if p.is_file()]
        self.made += there
        self.objects += [p.name for p in made.objects if p.is_file() and p.suffix == ".dcm"]
        source = answer.source
        own = [source.series_uid, source.member, source.index]
        series = "/".join(str(part) for part in own if part is not None) if source.series_uid else ""
        self.cases.append(
            CaseResult(
                case.id,
                made.row,
                made.listed,
                series=series,
                objects=_hash(*source.sop_uids) if source.sop_uids else "",
                patient="" if case.patient is None else _hash(case.patient),
                outside=bool(answer.outside),
                withheld=answer.withheld is not None,
            )
        )

    def _drifted(self, case: str) -> None:
        bins = self.heard.pop(case, None)
        if self.of.reference is not None and bins is not None:
            self.drift.append({"case": case, **cells_of(self.of.reference, bins)})

    def discard(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def result(self, mark: str, files: int, size: int, seconds: float, unstored: str) -> Result:
        """Return what became of it."""
        return Result(
            self.job.n,
            tuple(self.cases),
            tuple(self.faults),
            tuple(self.drift),
            self.refused,
            fingerprint=mark,
            files=files,
            size=size,
            seconds=seconds,
            rss=int(psutil.Process().memory_info().rss),
            staged=self.staged if self.made else "",
            made=tuple(self.made),
            unstored=unstored,
            stored=bool(self.of.order.to and self.objects and not unstored),
            notes=tuple(self.notes),
        )


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:32]
