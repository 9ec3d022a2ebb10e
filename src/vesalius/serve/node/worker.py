"""The worker of a DICOM node: takes a series from the queue, answers it with its bundles, sends the results, confirms.

Each step is recorded before the next begins, and results have UIDs that follow from bundle and source; so after any
crash the work goes on, and what is done twice is there once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom

from vesalius import cohorts, formats
from vesalius.core.answer import Answer
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import DataError, OutputError, VesaliusError
from vesalius.core.progress import Progress, Silent
from vesalius.formats._dicom_damage import DAMAGE
from vesalius.infer.predictor import Predictor
from vesalius.serve.node import sender
from vesalius.serve.node.queue import Job, Queue, Result
from vesalius.serve.node.replacing import state_former
from vesalius.serve.node.routing import Routes, Rule, facts
from vesalius.serve.node.store import Store, settle
from vesalius.serve.transport import Tls
from vesalius.verbs.predict import answers, objects_of

_FAULTS: tuple[type[Exception], ...] = (VesaliusError, RuntimeError, ArithmeticError, MemoryError, *DAMAGE)
_SWEEP_S = 60.0


@dataclass(frozen=True, slots=True)
class Made:
    """What a bundle said of the images in a folder, and why there is no answer to some of them."""

    answers: Sequence[Answer]
    reasons: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Model:
    """A bundle that is ready: its hash, and what answers the images in a folder."""

    hash: str
    answer: Callable[[Path], Made]


def load(path: Path, *, device: str | None = None) -> Model:
    """A bundle, or that of a run, loaded once. Raises BundleError."""
    inside = path / "bundle"
    predictor = Predictor(open_bundle(inside if inside.is_dir() else path), device=device)

    def answer(folder: Path) -> Made:
        cohort = cohorts.read(folder, layout="dicomtree", max_set_aside=1.0)
        found = [a for _, a in answers(predictor, cohort.cases, progress=Silent())]
        done = [a for a in found if not isinstance(a, VesaliusError)]
        failed = [str(a) for a in found if isinstance(a, VesaliusError)]
        reasons = [s.reason for s in cohort.set_aside] + failed
        if done and reasons:  # an answer to a part would pass for one to all of it
            raise DataError("a part of this series cannot be answered", found=reasons[0])
        return Made(done, reasons)

    return Model(predictor.bundle.hash, answer)


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
        tidied, lost = -_SWEEP_S, False
        while not stop.is_set():
            try:
                if lost:  # what was at work when the queue could not be written
                    self.queue.recover()
                    lost = False
                idle = not self.step()
                if time.monotonic() - tidied > _SWEEP_S:
                    self.tidy()
                    tidied = time.monotonic()
            except VesaliusError as error:  # of the queue itself: a full disk, a database that is away
                self.progress.note(f"the queue: {error}")
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
        except _FAULTS as error:
            said = str(error) if isinstance(error, VesaliusError) else f"{type(error).__name__}: {error}"
            self.progress.note(f"series {job.series_uid}: {said}")
            self.queue.fail(job, said, forever=isinstance(error, DataError))
        return True

    def tidy(self) -> int:
        """Delete the files of series that were done long enough ago; how many series."""
        done = 0
        if self.keep_days is None:
            return done
        for job in self.queue.jobs("confirmed", "unrouted"):
            with self.store.held(job.series_uid):
                if self.queue.remove(job, older_than_s=self.keep_days * 86400):
                    self.store.discard(job.series_uid)
                    done += 1
        return done

    def _work(self, job: Job) -> None:
        folder = self.store.series(job.series_uid)
        if len(self.queue.instances(job.series_uid)) < job.removed:
            raise DataError(
                "images of this series were deleted after their results were confirmed, and more have come",
                hint="send the whole series again",
            )
        rules = self.routes.of(facts(folder.glob("*.dcm")))
        reasons: list[str] = []
        faults: list[Exception] = []  # one bundle or destination that fails does not hold up the others
        for rule in rules:
            try:
                reasons += self._answer(job, rule, folder)
            except _FAULTS as error:
                faults.append(error)
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
            self.queue.move(job, "unrouted", "; ".join(dict.fromkeys(reasons)))
            return
        if faults:
            raise next((f for f in faults if not isinstance(f, DataError)), faults[0])
        for rule in rules:
            self._withdraw(job, rule)
        self.queue.move(job, "confirmed", "; ".join(dict.fromkeys(reasons)))
        self.progress.note(f"series {job.series_uid}: results confirmed")

    def _answered(self, job: Job, rule: Rule) -> bool:
        return self.queue.answered(job, self.models[rule.bundle].hash, rule.destination)

    def _answer(self, job: Job, rule: Rule, folder: Path) -> Sequence[str]:
        """Make and record a bundle's results, unless they are; why some images have none."""
        model = self.models[rule.bundle]
        if self._answered(job, rule):
            return ()
        began = time.monotonic()
        made = model.answer(folder)
        if not made.answers and made.reasons:
            raise DataError("no image in this series can be answered", found="; ".join(made.reasons[:2]))
        if made.answers:
            results = self._results(job, rule, model, made.answers)
            self.queue.record(job, model.hash, rule.destination, results)
            self.progress.note(
                f"series {job.series_uid}: {len(results)} results of {job.generation} images by {model.hash[:12]}"
                f" in {time.monotonic() - began:.1f} s"
            )
            return [f"not answered: {r}" for r in made.reasons]
        return ["nothing to answer: localisers or copies"]

    def _results(self, job: Job, rule: Rule, model: Model, made: Sequence[Answer]) -> list[Result]:
        """Write what answers become, each file whole and fsynced, and say in each what it replaces."""
        results = []
        folder = self.store.new_results(job.series_uid, job.generation, model.hash)
        for k, answer in enumerate(made, start=1):
            for suffix in objects_of(answer):
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
            state_former(
                self.store.root / result.path, [r for r in former if r.sop_class == result.sop_class]
            )
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
