"""The store of a DICOM node: instances and results as files, each written whole and fsynced before it counts."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from vesalius.core import disk
from vesalius.core.errors import BudgetError, OutputError
from vesalius.serve.node import content

RESERVE_BYTES = 1 << 28  # kept free, so that the queue and the results still fit when instances no longer do
_MOST_REFUSED = 1 << 20  # bytes of UIDs that are remembered of one series
_LOCK_S = 1.0


class Store:
    """A folder of instances by series, under names that are hashes, so that no UID from outside is ever a path.

    `reserve_bytes` of the disk stay free: an instance that would need them is refused. Raises OutputError.
    """

    def __init__(self, root: Path, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self.root, self.reserve_bytes = root, reserve_bytes
        self._locks = tuple(threading.Lock() for _ in range(64))
        for folder in (root, self.root / "instances", self.root / "results"):
            _folder(folder)

    def series(self, series_uid: str) -> Path:
        """The folder of a series' instances."""
        return self.root / "instances" / name(series_uid)

    def instance(self, series_uid: str, sop_uid: str) -> Path:
        """Where an instance lies, or would."""
        return self.series(series_uid) / f"{name(sop_uid)}.dcm"

    def results(self, series_uid: str, generation: int) -> Path:
        """The folder of what was made of a series when it had received `generation` instances."""
        return self.root / "results" / name(series_uid) / str(generation)

    def new_results(self, series_uid: str, generation: int, bundle: str) -> Path:
        """A folder for what a bundle made of a series, its own entry on the disk. Raises OutputError."""
        folder = self.results(series_uid, generation) / bundle[:16]
        for path in (folder.parent.parent, folder.parent, folder):
            _folder(path)
        return folder

    def put(self, series_uid: str, sop_uid: str, data: bytes) -> Path:
        """Write an instance; on return it is on the disk, whole. Raises OutputError; BudgetError on a full disk."""
        path = self.instance(series_uid, sop_uid)
        if not self.has_room(len(data)):
            raise self.disk_full()
        _folder(path.parent)
        disk.write_bytes(path, data)
        return path

    def stage(self, series_uid: str, sop_uid: str, data: bytes) -> None:
        """Write what an instance holds now beside what it held, until the queue knows of it. Raises as `put` does."""
        if not self.has_room(len(data)):
            raise self.disk_full()
        path = self._staged(series_uid) / f"{name(sop_uid)}.dcm"
        _folder(path.parent)
        disk.write_bytes(path, data)

    def renew(self, series_uid: str, digests: Mapping[str, str]) -> None:
        """Put what was staged in place, as far as the queue knows of it; the rest was never acknowledged.

        Raises OutputError.
        """
        known = {f"{name(uid)}.dcm": digest for uid, digest in digests.items()}
        for path in sorted(self._staged(series_uid).glob("*.dcm")):
            target = self.series(series_uid) / path.name
            with disk.output_errors(target):
                if known.get(path.name) != content.digest(path.read_bytes()):
                    path.unlink()
                    continue
                _folder(target.parent)
                path.replace(target)
                fsync_folder(target.parent)

    def _staged(self, series_uid: str) -> Path:
        return self.root / "changed" / name(series_uid)

    def free(self) -> int:
        """Bytes of the disk that are free."""
        return shutil.disk_usage(self.root).free

    def has_room(self, size: int = 0) -> bool:
        """Whether so many bytes more leave what is to stay free."""
        return self.free() - size >= self.reserve_bytes

    def disk_full(self) -> BudgetError:
        """What is said where there is no room."""
        return BudgetError(
            f"disk full: no space left in {self.root}",
            found=f"{self.free() >> 20} MiB, of which {self.reserve_bytes >> 20} stay free (reserve_mib)",
            hint="free some disk",
        )

    def refuse(self, series_uid: str, sop_uid: str, why: str) -> None:
        """Remember that an instance was refused, so that its series is not taken for complete. Raises OSError."""
        path = self._refused(series_uid)
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            if file.tell() < _MOST_REFUSED:
                file.write(f"{sop_uid} {why}\n")

    def refused(self, series_uid: str) -> dict[str, str]:
        """The instances of a series that were refused at some time, and why; some may have come since."""
        try:
            lines = self._refused(series_uid).read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return {}
        return {uid: why for uid, _, why in (line.partition(" ") for line in lines) if why}

    def forget_refused(self, series_uid: str) -> None:
        """All that was refused of a series has come."""
        self._refused(series_uid).unlink(missing_ok=True)

    def _refused(self, series_uid: str) -> Path:
        return self.root / "refused" / name(series_uid)

    def reject(self, series_uid: str, sop_uid: str, *, keep: bool) -> None:
        """Put an instance aside that was taken back, or delete it."""
        path = self.instance(series_uid, sop_uid)
        if not keep:
            path.unlink(missing_ok=True)
        elif path.exists():
            target = self._aside(series_uid) / path.name
            _folder(target.parent)
            path.replace(target)

    def forget_results(self, series_uid: str, *, but: int) -> None:
        """Delete the files of what was made of a series, but of what was made of it now."""
        for folder in self.results(series_uid, but).parent.glob("*"):
            if folder.name != str(but):
                shutil.rmtree(folder, ignore_errors=True)

    def _aside(self, series_uid: str) -> Path:
        return self.root / "rejected" / name(series_uid)

    def discard(self, series_uid: str) -> None:
        """Delete the files of a series that the queue no longer counts on, and of its results."""
        mine = (
            self.series(series_uid), self.results(series_uid, 0).parent, self._aside(series_uid),
            self._staged(series_uid),
        )  # fmt: skip
        for folder in mine:
            shutil.rmtree(folder, ignore_errors=True)
        self.forget_refused(series_uid)

    def sweep(self) -> int:
        """Remove what killed processes left half written; how many files. For the one process that holds the store."""
        left = [p for mark in (".*.tmp.*", ".*.part") for p in self.root.rglob(mark) if p.is_file()]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def series_lock(self, series_uid: str) -> threading.Lock:
        """What is held while a series' files and the queue's rows of them change together."""
        return self._locks[int(name(series_uid)[:2], 16) % len(self._locks)]

    def lock(self) -> IO[bytes]:
        """Hold the store for one process, as long as what is returned is open. Raises OutputError if it is held."""
        path = self.root / "lock"
        with disk.output_errors(path):
            file = path.open("ab")
        until = time.monotonic() + _LOCK_S  # who only looks holds it for a moment
        while not _locked(file, fcntl.LOCK_EX):
            if time.monotonic() > until:
                file.close()
                raise OutputError(
                    f"{self.root} is in use by another node", hint="stop that one, or another store"
                )
            time.sleep(0.05)
        return file


def running(root: Path) -> bool:
    """Whether a node holds the store at `root`."""
    try:
        with (root / "lock").open("rb") as file:
            return not _locked(file, fcntl.LOCK_SH)
    except OSError:
        return False


def _locked(file: IO[bytes], how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def name(uid: str) -> str:
    """A file name for a UID: 32 hex digits of its SHA-256."""
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def _folder(path: Path) -> None:
    """Make a folder, and make its own entry last."""
    if path.is_dir():
        return
    with disk.output_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Put a folder's entries on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
