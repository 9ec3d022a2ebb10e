"""The uploads that service processes share: their files in one folder, what is known of them in one database."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vesalius.serve.http import copies
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.problems import Problem, not_found
from vesalius.serve.http.shared.folders import STORED, Folders, settle
from vesalius.serve.http.shared.written import read_study, study_text
from vesalius.serve.http.studies import Studies
from vesalius.serve.http.study import UploadedStudy
from vesalius.serve.http.uploads import Room

_STEP = 16 << 20  # bytes of an upload for which room is asked at a time
_FULL = "delete studies, or wait until they expire"


class SharedStudies(Studies):
    """As `Studies`, for all processes of a queue. Each of its methods also raises QueueAway."""

    def __init__(self, folders: Folders, bounds: Bounds) -> None:
        super().__init__(folders.root / "studies", bounds)
        self.folders, self.queue = folders, folders.queue
        self._read: dict[str, UploadedStudy] = {}  # by id; what is kept of a study never changes
        self._reading = threading.Lock()
        self._leaving: set[str] = set()
        self._kept: set[str] = set()  # what was received at this moment and is a study now

    @contextmanager
    def folder(self, caller: Caller) -> Iterator[tuple[str, Path]]:
        """Yield a new study's id and folder to upload into, removed if that fails."""
        study_id = secrets.token_urlsafe(12)
        name = f"studies/{study_id}"
        with self.queue.transaction() as execute:
            (kept,) = execute("SELECT count(*) FROM studies WHERE owner = ?", (caller.name,)).fetchone()
            (coming,) = execute(
                "SELECT count(*) FROM folders WHERE owner = ? AND coming = 1", (caller.name,)
            ).fetchone()
            if kept + coming >= self.bounds.studies:
                raise Problem(429, "too many studies are kept", found=str(kept), hint="delete some")
            self._check(execute(STORED).fetchone()[0], 0)
            self.folders.begin(execute, name, caller.name)
        folder = self.root / study_id
        try:
            folder.mkdir(mode=0o700)
            yield study_id, folder
        except BaseException:
            self._kept.discard(study_id)
            self.folders.drop(name)
            raise
        if study_id not in self._kept:  # nothing of it was to be kept
            self.folders.drop(name)
        self._kept.discard(study_id)

    def room(self, study_id: str) -> Room:
        """Counts the bytes of an upload as they come. It raises Problem 429 where they are not taken."""
        came = asked = 0

        def take(size: int) -> None:
            nonlocal came, asked
            came += size
            if came <= asked:
                return
            more = max(_STEP, came - asked)
            with self.queue.transaction() as execute:
                stored = execute(STORED).fetchone()[0]
                if stored + more > self.bounds.stored_bytes:  # the last of it goes in smaller pieces
                    more = came - asked
                self._check(stored, more)
                execute("UPDATE folders SET size = size + ? WHERE path = ?", (more, f"studies/{study_id}"))
            asked += more

        return take

    def keep(self, study: UploadedStudy) -> UploadedStudy:
        """Keep a study whose files are in its folder, and are on the disk when this returns."""
        settle(study.folder)
        text = study_text(study)
        with self.queue.transaction() as execute:
            execute(
                "INSERT INTO studies VALUES (?, ?, ?, ?, ?)",
                (study.id, study.owner, study.created, study.size, text),
            )
            self.folders.keep(execute, f"studies/{study.id}")
        self._kept.add(study.id)
        return self._known(study.id, text)

    def twin(self, study: UploadedStudy) -> UploadedStudy | None:
        """Return the newest other study of its owner that was made of the very same files."""
        return copies.find(study, self._all("WHERE owner = ?", study.owner))

    def get(self, study_id: str, caller: Caller) -> UploadedStudy:
        """Return the study of that id. Raises Problem 404, for another's too."""
        study = self.find([study_id]).get(study_id)
        if study is None or not (study.owner == caller.name or caller.may("admin")):
            raise not_found("study")
        return study

    def find(self, ids: Iterable[str]) -> dict[str, UploadedStudy]:
        """Return those of these studies that are here, by their ids."""
        wanted = sorted(set(ids))
        found: dict[str, UploadedStudy] = {}
        for k in range(0, len(wanted), 200):
            some = wanted[k : k + 200]
            where = f"WHERE id IN ({', '.join('?' * len(some))})"
            new = [one for one in some if one not in self._read]
            there = {str(one) for (one,) in self.queue.rows(f"SELECT id FROM studies {where}", *some)}
            found |= {one: self._read[one] for one in some if one in there and one in self._read}
            lacking = [one for one in new if one in there]
            if lacking:
                marks = ", ".join("?" * len(lacking))
                found |= {s.id: s for s in self._all(f"WHERE id IN ({marks})", *lacking)}
        return found

    def seen_by(self, caller: Caller) -> list[UploadedStudy]:
        """Return the studies that a caller may see, oldest first."""
        return self._all() if caller.may("admin") else self._all("WHERE owner = ?", caller.name)

    def remove(self, study_id: str) -> None:
        """Forget a study; its files go once nothing in this process reads them any more."""
        name = f"studies/{study_id}"
        with self._lock, self.queue.transaction() as execute:
            gone = execute("DELETE FROM studies WHERE id = ?", (study_id,)).rowcount
            execute("DELETE FROM beside WHERE study = ?", (study_id,))
            on_it = "SELECT id FROM jobs WHERE study = ? OR earlier = ?"  # asked for at this moment
            orphans = [f"jobs/{one}" for (one,) in execute(on_it, (study_id, study_id)).fetchall()]
            execute(f"DELETE FROM cases WHERE job IN ({on_it})", (study_id, study_id))
            execute("DELETE FROM jobs WHERE study = ? OR earlier = ?", (study_id, study_id))
            for one in [*orphans, *([name] if gone else [])]:
                self.folders.leave(execute, one)
            busy = bool(self._busy.get(study_id))
            if busy:
                self._leaving.add(study_id)
        with self._reading:
            self._read.pop(study_id, None)
        self.folders.clear([*orphans, *([name] if gone and not busy else [])])

    @contextmanager
    def in_use(self, study: UploadedStudy) -> Iterator[None]:
        """While a study's files are read here they stay, even where this process removes it."""
        with self._lock:
            self._busy[study.id] = self._busy.get(study.id, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[study.id] -= 1
                leaving = not self._busy[study.id] and study.id in self._leaving
                if not self._busy[study.id]:
                    del self._busy[study.id]
                    self._leaving.discard(study.id)
            if leaving:  # that it goes is written down already
                shutil.rmtree(study.folder, ignore_errors=True)

    def expire(self, now: float) -> list[UploadedStudy]:
        """Return what is older than it may be; the first of all processes does, and the others nothing."""
        if not self.queue.first:
            return []
        return self._all(f"WHERE created_s < {self.queue.now} - ?", self.bounds.keep_s)

    def gone(self) -> list[UploadedStudy]:
        """Return the studies that this process knew and that others have removed, each once."""
        with self._reading:
            known = dict(self._read)
        there = self.find(known)
        left = [study for one, study in known.items() if one not in there]
        with self._reading:
            for study in left:
                self._read.pop(study.id, None)
        return left

    def sweep(self) -> None:
        """Remove what killed processes left, and what this one could not remove at once."""
        with self._lock:
            busy = {f"studies/{one}" for one in self._busy}
        self.folders.sweep(busy)

    def stored(self) -> int:
        """Return how many bytes all uploads and results had a moment ago."""
        return self.queue.figures.stored_bytes

    def grow(self, study: UploadedStudy, size: int) -> None:
        """Count bytes that were put beside a study's upload."""
        with self.queue.transaction() as execute:
            execute("UPDATE studies SET size = size + ? WHERE id = ?", (size, study.id))

    def check_room(self, size: int = 0) -> None:
        """Raises Problem 429 where that many bytes more are not taken."""
        self._check(self.queue.rows(STORED)[0][0], size)

    def __len__(self) -> int:
        return self.queue.figures.studies

    def _check(self, stored: int, more: int) -> None:
        if int(stored) + more > self.bounds.stored_bytes:
            raise Problem(429, "the store is full", hint=_FULL)

    def _all(self, where: str = "", *values: object) -> list[UploadedStudy]:
        rows = self.queue.rows(f"SELECT id, about FROM studies {where} ORDER BY created_s, id", *values)
        return [self._known(str(one), str(text)) for one, text in rows]

    def _known(self, study_id: str, text: str) -> UploadedStudy:
        with self._reading:
            if study_id not in self._read:
                self._read[study_id] = read_study(text, self.root)
            return self._read[study_id]
