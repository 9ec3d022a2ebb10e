"""The store of a DICOM node: instances and results as files, each written whole and fsynced before it counts."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
from pathlib import Path
from typing import IO

from vesalius.core import disk
from vesalius.core.errors import BudgetError, OutputError

RESERVE_BYTES = 1 << 28  # kept free, so that the queue and the results still fit when instances no longer do


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
        free = shutil.disk_usage(self.root).free
        if free - len(data) < self.reserve_bytes:
            raise BudgetError(
                f"no space left in {self.root}",
                found=f"{free >> 20} MiB, of which {self.reserve_bytes >> 20} stay free",
                hint="free some disk",
            )
        _folder(path.parent)
        disk.write_bytes(path, data)
        return path

    def discard(self, series_uid: str) -> None:
        """Delete the files of a series that the queue no longer counts on, and of its results."""
        for folder in (self.series(series_uid), self.results(series_uid, 0).parent):
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> int:
        """Remove what killed processes left half written; how many files. For the one process that holds the store."""
        left = [p for mark in (".*.tmp.*", ".*.part") for p in self.root.rglob(mark) if p.is_file()]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def held(self, series_uid: str) -> threading.Lock:
        """What is held while a series' files and the queue's rows of them change together."""
        return self._locks[int(name(series_uid)[:2], 16) % len(self._locks)]

    def lock(self) -> IO[bytes]:
        """Hold the store for one process, as long as what is returned is open. Raises OutputError if it is held."""
        path = self.root / "lock"
        with disk.output_errors(path):
            file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise OutputError(
                f"{self.root} is in use by another node", hint="stop that one, or another store"
            ) from None
        return file


def name(uid: str) -> str:
    """A file name for a UID: 32 hex digits of its SHA-256."""
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def _folder(path: Path) -> None:
    """Make a folder, and make its own entry last."""
    if path.is_dir():
        return
    with disk.output_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        settle(path.parent)


def settle(folder: Path) -> None:
    """Put a folder's entries on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
