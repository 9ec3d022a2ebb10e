"""All uploads: a folder each in a temporary place, each its owner's alone; gone after a while."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from anyio import CancelScope
from starlette.concurrency import run_in_threadpool

from vesalius.core.errors import VesaliusError
from vesalius.prepare.case import load_reference
from vesalius.serve.http import copies, display
from vesalius.serve.http.intake import find_cases
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.problems import Problem, not_found, problem_of
from vesalius.serve.http.study import StoredCase, UploadedStudy
from vesalius.serve.http.tables import assert_image, blank_study
from vesalius.serve.http.uploads import Received, Room, unpack


class Studies:
    """All uploads under one folder. A caller sees its own, an admin all; to the others they are not there."""

    def __init__(self, root: Path, bounds: Bounds) -> None:
        self.root, self.bounds = root, bounds
        self._lock = threading.RLock()
        self._studies: dict[str, UploadedStudy] = {}
        self._grown: dict[str, int] = {}
        self._coming: dict[str, int] = {}
        self._busy: dict[str, int] = {}
        self._making = threading.Lock()  # one image in memory at a time, made once
        self.result_bytes: Callable[[], int] = lambda: 0  # bytes that others keep here

    @contextmanager
    def folder(self, caller: Caller) -> Iterator[tuple[str, Path]]:
        """Yield a new study's id and folder to upload into, removed if that fails.

        Raises Problem 429 where all is full.
        """
        with self._lock:
            own = sum(s.owner == caller.name for s in self._studies.values())
            if own >= self.bounds.studies:
                raise Problem(429, "too many studies are kept", found=str(own), hint="delete some")
            self.check_room()
        study_id = secrets.token_urlsafe(12)
        folder = self.root / study_id
        folder.mkdir(mode=0o700)
        try:
            yield study_id, folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            with self._lock:
                self._coming.pop(study_id, None)

    @asynccontextmanager
    async def receiving(self, caller: Caller) -> AsyncIterator[tuple[str, Path]]:
        """As `folder`, for what runs in the event loop, which waits for no disk and no database."""
        held = self.folder(caller)
        given = await run_in_threadpool(held.__enter__)
        try:
            yield given
        except BaseException as error:
            with CancelScope(shield=True):  # what was received goes, also where its request is cancelled
                await run_in_threadpool(held.__exit__, type(error), error, error.__traceback__)
            raise
        await run_in_threadpool(held.__exit__, None, None, None)

    def room(self, study_id: str) -> Room:
        """Counts the bytes of an upload as they come. It raises Problem 429 where they are not taken."""

        def take(size: int) -> None:
            with self._lock:
                self.check_room(size)
                self._coming[study_id] = self._coming.get(study_id, 0) + size

        return take

    def add(
        self,
        study_id: str,
        folder: Path,
        received: Sequence[Received],
        caller: Caller,
        *,
        made: str = "",
        covariates: Mapping[str, float | str | None] | None = None,
    ) -> UploadedStudy:
        """Look at what was uploaded and keep it; of no file at all a patient without an image.

        Raises Problem 422 where there is no image in it, 413.
        `made` says which sort of sample it is where no client sent the files, and `covariates` what is known with them.
        """
        if not received:
            return self.keep(blank_study(UploadedStudy(study_id, caller.name, folder, (), (), 0)))
        files, strays = unpack(tuple(received), folder, self.bounds, self.room(study_id))
        files, again = copies.once(files)
        size = sum(f.size for f in files)
        begun = UploadedStudy(study_id, caller.name, folder, (), (*strays, *again), size, made=made)
        study = find_cases(begun, files, self.bounds)
        if covariates:
            known = [replace(c, case=replace(c.case, covariates=dict(covariates))) for c in study.cases]
            study = replace(study, cases=tuple(known))
        return self.keep(study)

    def keep(self, study: UploadedStudy) -> UploadedStudy:
        """Keep a study whose files are in its folder."""
        with self._lock:
            self._studies[study.id] = study
            self._coming.pop(study.id, None)
        return study

    def twin(self, study: UploadedStudy) -> UploadedStudy | None:
        """Return the newest other study of its owner that was made of the very same files."""
        with self._lock:
            others = list(self._studies.values())
        return copies.find(study, others)

    def get(self, study_id: str, caller: Caller) -> UploadedStudy:
        """Return the study of that id. Raises Problem 404, for another's too."""
        with self._lock:
            study = self._studies.get(study_id)
        if study is None or not (study.owner == caller.name or caller.may("admin")):
            raise not_found("study")
        return study

    def seen_by(self, caller: Caller) -> list[UploadedStudy]:
        """Return the studies that a caller may see, oldest first."""
        with self._lock:
            every = list(self._studies.values())
        return [s for s in every if s.owner == caller.name or caller.may("admin")]

    def remove(self, study_id: str) -> None:
        """Forget a study; its files go once nothing reads them any more."""
        with self._lock:
            study = self._studies.pop(study_id, None)
            self._grown.pop(study_id, None)
            if study is not None and not self._busy.get(study_id):
                shutil.rmtree(study.folder, ignore_errors=True)

    @contextmanager
    def in_use(self, study: UploadedStudy) -> Iterator[None]:
        """While a study's files are read they stay, even where it is removed."""
        with self._lock:
            self._busy[study.id] = self._busy.get(study.id, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[study.id] -= 1
                if not self._busy[study.id]:
                    del self._busy[study.id]
                    if study.id not in self._studies:
                        shutil.rmtree(study.folder, ignore_errors=True)

    def expire(self, now: float) -> list[UploadedStudy]:
        """Remove and return what is older than it may be."""
        with self._lock:
            old = [s for s in self._studies.values() if now - s.created > self.bounds.keep_s]
            for study in old:
                self.remove(study.id)
        return old

    def sweep(self) -> None:
        """Remove what was left by others: here there are none."""

    def gone(self) -> list[UploadedStudy]:
        """Return the studies that this process knew and that others have removed: here there are none."""
        return []

    def stored(self) -> int:
        """Return how many bytes all uploads and results have."""
        with self._lock:
            kept = sum(s.size for s in self._studies.values())
            return kept + sum(self._grown.values()) + sum(self._coming.values()) + self.result_bytes()

    def grow(self, study: UploadedStudy, size: int) -> None:
        """Count bytes that were put beside a study's upload."""
        with self._lock:
            if study.id in self._studies:
                self._grown[study.id] = self._grown.get(study.id, 0) + size

    def check_room(self, size: int = 0) -> None:
        """Raises Problem 429 where that many bytes more are not taken."""
        if self.stored() + size > self.bounds.stored_bytes:
            raise Problem(429, "the store is full", hint="delete studies, or wait until they expire")

    def __len__(self) -> int:
        return len(self._studies)

    def image(self, study: UploadedStudy, case: StoredCase, *, first: bool = False) -> Path:
        """Return the case's image as a NIfTI to look at, or its first frame or channel, made once. Raises Problem."""
        assert_image(case)
        about = case.about
        first = first and (about["frames"] > 1 or (about["channels"] > 1 and not about["colour"]))
        make = display.first_volume if first else display.volume
        name = f"{case.id}-first.nii.gz" if first else f"{case.id}.nii.gz"
        return self._made(study, name, lambda path: make(load_reference(case.case), path))

    def preview(self, study: UploadedStudy, case: StoredCase) -> Path:
        """Return the case's middle plane as a PNG, made once. Raises Problem."""
        assert_image(case)
        return self._made(
            study, f"{case.id}.png", lambda path: display.preview(load_reference(case.case), path)
        )

    def _made(self, study: UploadedStudy, name: str, make: Callable[[Path], None]) -> Path:
        folder = study.folder / "shown"
        path = folder / name
        with self._making, self.in_use(study):
            if not path.exists():
                if not study.folder.is_dir():
                    raise not_found("study")
                folder.mkdir(exist_ok=True)
                begun = path.with_name(
                    f"{secrets.token_hex(4)}-{name}"
                )  # another process may look at this moment
                try:
                    make(begun)
                    begun.replace(path)
                except VesaliusError as error:
                    raise problem_of(error, study.plainly) from error
                self.grow(study, path.stat().st_size)
        return path
