"""The worker of a DICOM node: it takes a series from the queue, answers it, sends the results, and confirms them.

Each step is recorded before the next begins, and the UIDs of results follow from bundle and source. So the work can go
on after any crash, and a step that is done twice leaves one result.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pydicom

from vesalius import formats
from vesalius.answers import contract
from vesalius.core import disk
from vesalius.core.answers import Answer
from vesalius.core.errors import BudgetError, DataError, OutputError, VesaliusError
from vesalius.core.progress import Progress, Silent
from vesalius.dicom.elements import words
from vesalius.dicom.write.study import save
from vesalius.serve.node import content, rejection_notes, sender
from vesalius.serve.node.answering import SeriesModel
from vesalius.serve.node.faults import CAUGHT, FAULTS, RuleFault, is_permanent, message_of
from vesalius.serve.node.predecessors import reference_predecessors, with_revision
from vesalius.serve.node.queue import Queue, Result, SeriesJob
from vesalius.serve.node.rejection_notes import EXPIRED
from vesalius.serve.node.routing import Routes, Rule, series_attributes
from vesalius.serve.node.store import Store, fsync_folder
from vesalius.serve.node.values import IMAGELESS
from vesalius.serve.transport import Tls

_SWEEP_S = 60.0


class Worker:
    """Works through the queue. `models`: the `bundle` of a rule → its model; `aet` and `tls` are used for sending.

    `strange` is told the remarks about each image that was answered, with the `bundle` of its rule.
    The files of a series are deleted `keep_days` days after its results were confirmed; None keeps them.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        routes: Routes,
        models: Mapping[str, SeriesModel],
        *,
        aet: str = "VESALIUS",
        tls: Tls | None = None,
        keep_days: float | None = None,
        progress: Progress | None = None,
        strange: Callable[[str, Sequence[str] | None], None] = lambda bundle, outside: None,
    ) -> None:
        self.store, self.queue, self.routes, self.models = store, queue, routes, models
        self.aet, self.tls, self.keep_days, self.progress = aet, tls, keep_days, progress or Silent()
        self.strange = strange

    def run(self, stop: threading.Event, *, poll_s: float = 0.5) -> None:
        """Work until `stop` is set."""
        tidied, lost, before = -_SWEEP_S, False, ""
        while not stop.is_set():
            try:
                if lost:  # resume the job of the moment when the queue failed
                    self.queue.recover()
                    lost = False
                    self.progress.note("the queue: it can be used again")
                before = ""
                idle = not self.step()
                if time.monotonic() - tidied > _SWEEP_S:
                    self.tidy()
                    tidied = time.monotonic()
            except VesaliusError as error:  # the queue itself failed: a full disk, a database out of reach
                if str(error) != before:  # log it once, not at each attempt
                    before = str(error)
                    self.progress.note(f"the queue: {before}")
                idle = lost = True
            if idle:
                stop.wait(poll_s)

    def step(self) -> bool:
        """Do the job that is due. Returns False if there is none. A fault of the job is recorded, not raised.

        A fault of the data makes the job dead at once, for it would fail again; other faults are tried again.
        """
        job = self.queue.claim()
        if job is None:
            return False
        try:
            self._work(job)
        except CAUGHT as error:
            text = message_of(error)
            self.progress.note(f"series {job.series_uid}: {text}")
            self.queue.fail(job, text, forever=is_permanent(error))
        return True

    def tidy(self) -> int:
        """Delete the files of series that were done `keep_days` ago. Returns how many series."""
        done = 0
        if self.keep_days is None:
            return done
        for job in self.queue.jobs("confirmed", "unrouted"):
            if time.time() - job.changed_s < self.keep_days * 86400:
                continue
            with self.store.series_lock(job.series_uid):
                digests = self._contents(job)
                if self.queue.remove(job, older_than_s=self.keep_days * 86400, digests=digests):
                    self.store.discard(job.series_uid)
                    done += 1
        return done

    def _contents(self, job: SeriesJob) -> dict[str, str]:
        """Return the digest of each image of a series whose file exists, by its UID."""
        paths = {
            uid: self.store.instance(job.series_uid, uid) for uid in self.queue.instances(job.series_uid)
        }
        with disk.output_errors(self.store.series(job.series_uid)):
            return {uid: content.digest(path.read_bytes()) for uid, path in paths.items() if path.exists()}

    def _work(self, job: SeriesJob) -> None:
        folder = self.store.series(job.series_uid)
        if len(self.queue.instances(job.series_uid)) < job.removed:
            raise DataError(
                "images of this series were deleted after their results were confirmed, and more have come",
                hint="send the whole series again",
            )
        self._all_came(job)
        with self.store.series_lock(job.series_uid):
            changed = self.queue.changed(job.series_uid)
            self.store.renew(job.series_uid, changed)
        rejected = self._put_aside(job)
        if rejected and not any(folder.glob("*.dcm")):
            self._all_rejected(job, rejected)
            return
        planning = _is_planning(folder)
        found = series_attributes(folder.glob("*.dcm"))
        rules = () if planning else self.routes.of(found)
        reasons = ["nothing to answer: localisers, which are there to plan others"] if planning else []
        if found.modality.upper() in IMAGELESS:
            reasons = [_imageless(folder, found.modality.upper())]
        faults: list[Exception] = []  # one failing bundle or destination does not stop the others
        for rule in rules:
            try:
                reasons += self._answer(job, rule, folder, changed)
            except FAULTS as error:
                faults.append(RuleFault(self._named(rule), error))
        waiting = self.queue.unconfirmed(job)
        if waiting or any(self._answered(job, rule) for rule in rules):
            if not self.queue.move(job, "sending"):
                return  # more instances have come: the results are of an incomplete series
            for name in sorted({r.destination for r in waiting}):
                mine = {self.store.root / r.path: r for r in waiting if r.destination == name}
                try:
                    self._deliver(job, name, mine)
                except VesaliusError as error:
                    faults.append(error)
        elif not faults:
            why = "; ".join(dict.fromkeys(reasons)) or "no rule takes it"
            if self.queue.move(job, "unrouted", why):
                self.progress.note(f"series {job.series_uid}: {why}")
            return
        if faults:
            raise next((f for f in faults if not is_permanent(f)), faults[0])
        for rule in rules:
            self._withdraw(job, rule)
        if self.queue.move(job, "confirmed", "; ".join(dict.fromkeys(reasons))):
            where = dict.fromkeys(rule.destination for rule in rules)
            self.progress.note(f"series {job.series_uid}: results confirmed at {', '.join(where)}")

    def _all_came(self, job: SeriesJob) -> None:
        """Raise BudgetError where images of a series were refused and have not come since."""
        refused = self.store.refused(job.series_uid)
        there = set(self.queue.instances(job.series_uid))
        lost = {uid: why for uid, why in refused.items() if uid not in there}
        if lost:
            raise BudgetError(
                "images of this series were refused, and have not come since",
                found=f"{len(lost)} of {len(there | set(lost))}: {'; '.join(sorted(set(lost.values())))}",
                hint="see --status; then send the series again",
            )
        self.store.forget_refused(job.series_uid)

    def _put_aside(self, job: SeriesJob) -> dict[str, str]:
        """Move rejected images out of the series, and delete their results where the destination allows it.

        Returns the rejected images: SOP Instance UID → reason.
        """
        rejected = self.queue.rejected(job.series_uid)
        if rejected:
            with self.store.series_lock(job.series_uid):
                for uid, reason in rejected.items():
                    self.store.reject(job.series_uid, uid, keep=reason != EXPIRED)
                if EXPIRED in rejected.values():
                    self.store.forget_results(job.series_uid, but=job.generation)
            for rule in self.routes.rules:
                self._withdraw(job, rule)
        return rejected

    def _all_rejected(self, job: SeriesJob, rejected: Mapping[str, str]) -> None:
        """End a job whose images were all rejected, with a note of where earlier results remain."""
        stay = {
            rule.destination
            for rule in self.routes.rules
            if self.queue.former(job, self.models[rule.bundle].hash, rule.destination)
        }
        why = f"all its images were taken back: {'; '.join(sorted(set(rejected.values())))}"
        why += f"; earlier results stay at {', '.join(sorted(stay))}" if stay else ""
        if self.queue.move(job, "unrouted", why):
            self.progress.note(f"series {job.series_uid}: {why}")

    def _named(self, rule: Rule) -> str:
        return f"rules.{self.routes.rules.index(rule)}, {rule.name} to {rule.destination}"

    def _answered(self, job: SeriesJob, rule: Rule) -> bool:
        return self.queue.answered(job, self.models[rule.bundle].hash, rule.destination)

    def _answer(self, job: SeriesJob, rule: Rule, folder: Path, changed: Mapping[str, str]) -> Sequence[str]:
        """Make and record a bundle's results, unless they are recorded. Returns why some images have no result."""
        model = self.models[rule.bundle]
        if self._answered(job, rule):
            return ()
        began = time.monotonic()
        made = model.answer_by(rule)(folder)
        if not made.answers and made.reasons:
            raise DataError("no image in this series can be answered", found="; ".join(made.reasons[:2]))
        given = [a for a in made.answers if a.withheld is None]
        held = [f"not sent, as it is withheld: {a.withheld}" for a in made.answers if a.withheld is not None]
        if given:
            results = self._results(
                job, rule, model, [with_revision(replace(a, by=rule.name), changed) for a in given]
            )
            self.queue.record(job, model.hash, rule.destination, results)
            there = sum(1 for _ in folder.glob("*.dcm"))
            used = len({uid for a in given for uid in a.source.sop_uids}) or there
            self.progress.note(
                f"series {job.series_uid}: {self._named(rule)}: {_kinds(results)} of"
                f" {used if used == there else f'{used} of {there}'} images in {time.monotonic() - began:.1f} s"
            )
        for answer in made.answers:
            self.strange(rule.bundle, answer.outside)
        if given:
            return [*held, *(f"not answered: {r}" for r in made.reasons)]
        if held:
            return held
        return ["nothing to answer: localisers, copies or objects without images"]

    def _results(
        self, job: SeriesJob, rule: Rule, model: SeriesModel, made: Sequence[Answer]
    ) -> list[Result]:
        """Write the objects of the answers, fsynced, each with references to the results that it replaces."""
        results = []
        folder = self.store.new_results(job.series_uid, job.generation, model.hash)
        for k, answer in enumerate(made, start=1):
            objects = contract.of(answer).objects_of(answer)
            if not objects:
                raise OutputError(
                    "no DICOM object holds an answer of this kind, so there is nothing to send",
                    found=type(answer).__name__,
                    hint="another bundle",
                )
            for suffix in objects:
                path = folder / f"{k}{suffix}"
                formats.write(answer, path)
                head = pydicom.dcmread(
                    path, specific_tags=["SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID"]
                )
                below = path.relative_to(self.store.root).as_posix()
                results.append(
                    Result(
                        str(head.SOPInstanceUID), job.study_uid, model.hash, below, rule.destination,
                        str(head.SeriesInstanceUID), str(head.SOPClassUID),
                    )
                )  # fmt: skip
        uids = {r.sop_uid for r in results}
        if len(uids) < len(results):
            raise OutputError("two results of a series under one UID", hint="one image a file and series")
        former = [r for r in self.queue.former(job, model.hash, rule.destination) if r.sop_uid not in uids]
        for result in results:
            data = pydicom.dcmread(self.store.root / result.path)
            reference_predecessors(data, [r for r in former if r.sop_class == result.sop_class])
            save(data, self.store.root / result.path)
        fsync_folder(folder)
        return results

    def _deliver(self, job: SeriesJob, name: str, mine: Mapping[Path, Result]) -> None:
        sender.deliver(
            list(mine),
            self.routes.destinations[name],
            lambda path: self.queue.confirm(job, mine[path]),
            aet=self.aet,
            tls=self.tls,
        )

    def _withdraw(self, job: SeriesJob, rule: Rule) -> None:
        """Delete the replaced results, where the destination allows it."""
        destination = self.routes.destinations[rule.destination]
        if destination.orthanc is None:
            return
        for result in self.queue.former(job, self.models[rule.bundle].hash, rule.destination):
            sender.delete(result.sop_uid, destination)
            self.queue.withdraw(result)


def _imageless(folder: Path, modality: str) -> str:
    """Return in words what a series without images holds."""
    if modality == "KO" and all(rejection_notes.read(path.read_bytes()) for path in folder.glob("*.dcm")):
        return "a rejection note"
    return f"no image: {modality}"


def _kinds(results: Sequence[Result]) -> str:
    """Return the kinds of results with their numbers: `SEG, SR`, or `2 SEG, 2 SR`."""
    found = Counter(result.path.rsplit("/", 1)[-1].split(".")[1].upper() for result in results)
    return ", ".join(kind if n == 1 else f"{n} {kind}" for kind, n in found.items())


def _is_planning(folder: Path) -> bool:
    """Return whether all images of a series are localisers, which serve to plan other series."""
    found = []
    with warnings.catch_warnings(action="ignore"):
        for path in sorted(folder.glob("*.dcm")):
            head = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["ImageType"])
            found.append("LOCALIZER" in words(head, "ImageType"))
    return bool(found) and all(found)
