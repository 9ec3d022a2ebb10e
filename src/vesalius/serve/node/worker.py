"""The worker of a DICOM node: takes a series from the queue, answers it with its bundles, sends the results, confirms.

Each step is recorded before the next begins, and results have UIDs that follow from bundle and source; so after any
crash the work goes on, and what is done twice is there once.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pydicom

from vesalius import cohorts, formats
from vesalius.answers import contract
from vesalius.core import disk
from vesalius.core.answers import Answer
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import BudgetError, DataError, NoImages, OutputError, VesaliusError
from vesalius.core.progress import Progress, Silent
from vesalius.dicom.elements import words
from vesalius.dicom.write.study import save
from vesalius.infer.each import answers
from vesalius.infer.predictor import Predictor
from vesalius.serve.node import content, rejecting, sender
from vesalius.serve.node.faults import CAUGHT, FAULTS, OfRule, is_of_data, once, said
from vesalius.serve.node.queue import Job, Queue, Result
from vesalius.serve.node.rejecting import EXPIRED
from vesalius.serve.node.replacing import revised, state_former
from vesalius.serve.node.routing import Routes, Rule, facts
from vesalius.serve.node.store import Store, settle
from vesalius.serve.node.values import NEVER
from vesalius.serve.transport import Tls

_SWEEP_S = 60.0


@dataclass(frozen=True, slots=True)
class Made:
    """What a bundle said of the images in a folder, and why there is no answer to some of them."""

    answers: Sequence[Answer]
    reasons: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Model:
    """A bundle that is ready: its hash, and what answers the images in a folder.

    `accepting` does so for images of another modality or unit than the bundle learned from, too.
    """

    hash: str
    answer: Callable[[Path], Made]
    accepting: Callable[[Path], Made] | None = None

    def of(self, rule: Rule) -> Callable[[Path], Made]:
        """What answers for a rule."""
        return self.accepting if rule.accept_mismatch and self.accepting is not None else self.answer


def load(path: Path, *, device: str | None = None) -> Model:
    """A bundle, or that of a run, loaded once. Raises BundleError."""
    inside = path / "bundle"
    predictor = Predictor(open_bundle(inside if inside.is_dir() else path), device=device)

    def answer(asked: Predictor, folder: Path) -> Made:
        try:
            cohort = cohorts.read(folder, layout="dicomtree", max_set_aside=1.0)
        except NoImages:
            return Made(())
        found = [a for _, a in answers(asked, cohort.cases, progress=Silent())]
        done = [a for a in found if not isinstance(a, VesaliusError)]
        failed = [said(a) for a in found if isinstance(a, VesaliusError)]
        reasons = once([*(s.reason for s in cohort.set_aside), *failed])
        if done and reasons:  # an answer to a part would pass for one to all of it
            raise DataError("a part of this series cannot be answered", found=reasons[0])
        return Made(done, reasons)

    return Model(
        predictor.bundle.hash, partial(answer, predictor), lambda folder: answer(predictor.accepting, folder)
    )


class Worker:
    """Works through the queue. `models` are the rules' bundles by name; `aet` and `tls` are ours when we send.

    With `keep_days`, the files of a series are deleted so long after its results were confirmed.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        routes: Routes,
        models: Mapping[str, Model],
        *,
        aet: str = "VESALIUS",
        tls: Tls | None = None,
        keep_days: float | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.store, self.queue, self.routes, self.models = store, queue, routes, models
        self.aet, self.tls, self.keep_days, self.progress = aet, tls, keep_days, progress or Silent()

    def run(self, stop: threading.Event, *, poll_s: float = 0.5) -> None:
        """Work until told to stop."""
        tidied, lost, before = -_SWEEP_S, False, ""
        while not stop.is_set():
            try:
                if lost:  # what was at work when the queue could not be written
                    self.queue.recover()
                    lost = False
                    self.progress.note("the queue: it can be used again")
                before = ""
                idle = not self.step()
                if time.monotonic() - tidied > _SWEEP_S:
                    self.tidy()
                    tidied = time.monotonic()
            except VesaliusError as error:  # of the queue itself: a full disk, a database that is away
                if str(error) != before:  # once, however often it is tried
                    before = str(error)
                    self.progress.note(f"the queue: {before}")
                idle = lost = True
            if idle:
                stop.wait(poll_s)

    def step(self) -> bool:
        """Do the job that is due; False if there is none. What goes wrong with it is recorded, not raised.

        Data that cannot be answered is dead at once, for trying again would not change it; all else is tried again.
        """
        job = self.queue.claim()
        if job is None:
            return False
        try:
            self._work(job)
        except CAUGHT as error:
            text = said(error)
            self.progress.note(f"series {job.series_uid}: {text}")
            self.queue.fail(job, text, forever=is_of_data(error))
        return True

    def tidy(self) -> int:
        """Delete the files of series that were done long enough ago; how many series."""
        done = 0
        if self.keep_days is None:
            return done
        for job in self.queue.jobs("confirmed", "unrouted"):
            if time.time() - job.changed_s < self.keep_days * 86400:
                continue
            with self.store.held(job.series_uid):
                digests = self._contents(job)
                if self.queue.remove(job, older_than_s=self.keep_days * 86400, digests=digests):
                    self.store.discard(job.series_uid)
                    done += 1
        return done

    def _contents(self, job: Job) -> dict[str, str]:
        """What each image of a series holds, of those that are there."""
        paths = {
            uid: self.store.instance(job.series_uid, uid) for uid in self.queue.instances(job.series_uid)
        }
        with disk.output_errors(self.store.series(job.series_uid)):
            return {uid: content.digest(path.read_bytes()) for uid, path in paths.items() if path.exists()}

    def _work(self, job: Job) -> None:
        folder = self.store.series(job.series_uid)
        if len(self.queue.instances(job.series_uid)) < job.removed:
            raise DataError(
                "images of this series were deleted after their results were confirmed, and more have come",
                hint="send the whole series again",
            )
        self._all_came(job)
        with self.store.held(job.series_uid):
            changed = self.queue.changed(job.series_uid)
            self.store.renew(job.series_uid, changed)
        rejected = self._put_aside(job)
        if rejected and not any(folder.glob("*.dcm")):
            self._all_rejected(job, rejected)
            return
        planning = _is_planning(folder)
        found = facts(folder.glob("*.dcm"))
        rules = () if planning else self.routes.of(found)
        reasons = ["nothing to answer: localisers, which are there to plan others"] if planning else []
        if found.modality.upper() in NEVER:
            reasons = [_imageless(folder, found.modality.upper())]
        faults: list[Exception] = []  # one bundle or destination that fails does not hold up the others
        for rule in rules:
            try:
                reasons += self._answer(job, rule, folder, changed)
            except FAULTS as error:
                faults.append(OfRule(self._named(rule), error))
        waiting = self.queue.unconfirmed(job)
        if waiting or any(self._answered(job, rule) for rule in rules):
            if not self.queue.move(job, "sending"):
                return  # more instances have come: what was made is of an incomplete series
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
            raise next((f for f in faults if not is_of_data(f)), faults[0])
        for rule in rules:
            self._withdraw(job, rule)
        if self.queue.move(job, "confirmed", "; ".join(dict.fromkeys(reasons))):
            where = dict.fromkeys(rule.destination for rule in rules)
            self.progress.note(f"series {job.series_uid}: results confirmed at {', '.join(where)}")

    def _all_came(self, job: Job) -> None:
        """Raises BudgetError where images of a series were refused and did not come since: it is not complete."""
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

    def _put_aside(self, job: Job) -> dict[str, str]:
        """Take images that a note rejects out of the series, and what was made of them from where that can be done."""
        rejected = self.queue.rejected(job.series_uid)
        if rejected:
            with self.store.held(job.series_uid):
                for uid, reason in rejected.items():
                    self.store.reject(job.series_uid, uid, keep=reason != EXPIRED)
                if EXPIRED in rejected.values():
                    self.store.forget_results(job.series_uid, but=job.generation)
            for rule in self.routes.rules:
                self._withdraw(job, rule)
        return rejected

    def _all_rejected(self, job: Job, rejected: Mapping[str, str]) -> None:
        """Nothing is left to answer; say where results of it are still."""
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

    def _answered(self, job: Job, rule: Rule) -> bool:
        return self.queue.answered(job, self.models[rule.bundle].hash, rule.destination)

    def _answer(self, job: Job, rule: Rule, folder: Path, changed: Mapping[str, str]) -> Sequence[str]:
        """Make and record a bundle's results, unless they are; why some images have none."""
        model = self.models[rule.bundle]
        if self._answered(job, rule):
            return ()
        began = time.monotonic()
        made = model.of(rule)(folder)
        if not made.answers and made.reasons:
            raise DataError("no image in this series can be answered", found="; ".join(made.reasons[:2]))
        if made.answers:
            results = self._results(
                job, rule, model, [revised(replace(a, by=rule.name), changed) for a in made.answers]
            )
            self.queue.record(job, model.hash, rule.destination, results)
            there = sum(1 for _ in folder.glob("*.dcm"))
            used = len({uid for a in made.answers for uid in a.source.sop_uids}) or there
            self.progress.note(
                f"series {job.series_uid}: {self._named(rule)}: {_kinds(results)} of"
                f" {used if used == there else f'{used} of {there}'} images in {time.monotonic() - began:.1f} s"
            )
            return [f"not answered: {r}" for r in made.reasons]
        return ["nothing to answer: localisers, copies or objects without images"]

    def _results(self, job: Job, rule: Rule, model: Model, made: Sequence[Answer]) -> list[Result]:
        """Write what answers become, each file whole and fsynced, and say in each what it replaces."""
        results = []
        folder = self.store.new_results(job.series_uid, job.generation, model.hash)
        for k, answer in enumerate(made, start=1):
            for suffix in contract.of(answer).objects:
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
            state_former(data, [r for r in former if r.sop_class == result.sop_class])
            save(data, self.store.root / result.path)
        settle(folder)
        return results

    def _deliver(self, job: Job, name: str, mine: Mapping[Path, Result]) -> None:
        sender.deliver(
            list(mine),
            self.routes.destinations[name],
            lambda path: self.queue.confirm(job, mine[path]),
            aet=self.aet,
            tls=self.tls,
        )

    def _withdraw(self, job: Job, rule: Rule) -> None:
        """Delete what the confirmed results replace, where the destination lets us."""
        destination = self.routes.destinations[rule.destination]
        if destination.orthanc is None:
            return
        for result in self.queue.former(job, self.models[rule.bundle].hash, rule.destination):
            sender.delete(result.sop_uid, destination)
            self.queue.withdraw(result)


def _imageless(folder: Path, modality: str) -> str:
    """What a series without images is, in words."""
    if modality == "KO" and all(rejecting.read(path.read_bytes()) for path in folder.glob("*.dcm")):
        return "a rejection note"
    return f"no image: {modality}"


def _kinds(results: Sequence[Result]) -> str:
    """`SEG, SR`, or `2 SEG, 2 SR`."""
    found = Counter(result.path.rsplit("/", 1)[-1].split(".")[1].upper() for result in results)
    return ", ".join(kind if n == 1 else f"{n} {kind}" for kind, n in found.items())


def _is_planning(folder: Path) -> bool:
    """Whether a series is of nothing but localisers, which are there to plan others."""
    found = []
    with warnings.catch_warnings(action="ignore"):
        for path in sorted(folder.glob("*.dcm")):
            head = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["ImageType"])
            found.append("LOCALIZER" in words(head, "ImageType"))
    return bool(found) and all(found)
