"""The store of a DICOM node: instances and results as files, each one whole and fsynced before it is recorded."""

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
_MOST_REFUSED = 1 << 20  # bytes of refused UIDs that are remembered per series
_LOCK_S = 1.0


class Store:
    """A folder of instances by series. File names are hashes, so that no UID from outside is ever part of a path.

    `reserve_bytes` of the disk stay free; an instance that would need them is refused. Raises OutputError.
    """

    def __init__(self, root: Path, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self.root, self.reserve_bytes = root, reserve_bytes
        self._locks = tuple(threading.Lock() for _ in range(64))
        for folder in (root, self.root / "instances", self.root / "results"):
            _folder(folder)

    def series(self, series_uid: str) -> Path:
        """Return the folder of a series' instances."""
        return self.root / "instances" / name(series_uid)

    def instance(self, series_uid: str, sop_uid: str) -> Path:
        """Return the path of an instance, whether it exists or not."""
        return self.series(series_uid) / f"{name(sop_uid)}.dcm"

    def results(self, series_uid: str, generation: int) -> Path:
        """Return the folder of the results for one generation of a series."""
        return self.root / "results" / name(series_uid) / str(generation)

    def new_results(self, series_uid: str, generation: int, bundle: str) -> Path:
        """Make a folder for a bundle's results of a series, durable when it returns. Raises OutputError."""
        folder = self.results(series_uid, generation) / bundle[:16]
        for path in (folder.parent.parent, folder.parent, folder):
            _folder(path)
        return folder

    def put(self, series_uid: str, sop_uid: str, data: bytes) -> Path:
        """Write an instance, durable when it returns. Raises OutputError; BudgetError on a full disk."""
        path = self.instance(series_uid, sop_uid)
        if not self.has_room(len(data)):
            raise self.disk_full()
        _folder(path.parent)
        disk.write_bytes(path, data)
        return path

    def stage(self, series_uid: str, sop_uid: str, data: bytes) -> None:
        """Write a resent instance beside the old one, until the queue has recorded it. Raises what `put` raises."""
        if not self.has_room(len(data)):
            raise self.disk_full()
        path = self._staged(series_uid) / f"{name(sop_uid)}.dcm"
        _folder(path.parent)
        disk.write_bytes(path, data)

    def renew(self, series_uid: str, digests: Mapping[str, str]) -> None:
        """Replace old instances by the staged ones that the queue has recorded, and delete the other staged ones.

        `digests`: SOP Instance UID → the recorded digest. The deleted ones were never acknowledged. Raises OutputError.
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
        """Return the free bytes of the disk."""
        return shutil.disk_usage(self.root).free

    def has_room(self, size: int = 0) -> bool:
        """Return whether `size` more bytes leave the reserve free."""
        return self.free() - size >= self.reserve_bytes

    def disk_full(self) -> BudgetError:
        """Return the error for an instance that does not fit."""
        return BudgetError(
            f"disk full: no space left in {self.root}",
            found=f"{self.free() >> 20} MiB, of which {self.reserve_bytes >> 20} stay free (reserve_mib)",
            hint="free some disk",
        )

    def refuse(self, series_uid: str, sop_uid: str, why: str) -> None:
        """Record that an instance was refused, so that its series does not count as complete. Raises OSError."""
        path = self._refused(series_uid)
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            if file.tell() < _MOST_REFUSED:
                file.write(f"{sop_uid} {why}\n")

    def refused(self, series_uid: str) -> dict[str, str]:
        """Return the instances of a series that were ever refused: UID → reason. Some may have come since."""
        try:
            lines = self._refused(series_uid).read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return {}
        return {uid: why for uid, _, why in (line.partition(" ") for line in lines) if why}

    def forget_refused(self, series_uid: str) -> None:
        """Forget the refused instances of a series, once all have come."""
        self._refused(series_uid).unlink(missing_ok=True)

    def _refused(self, series_uid: str) -> Path:
        return self.root / "refused" / name(series_uid)

    def reject(self, series_uid: str, sop_uid: str, *, keep: bool) -> None:
        """Move a rejected instance out of its series, or delete it unless `keep` is set."""
        path = self.instance(series_uid, sop_uid)
        if not keep:
            path.unlink(missing_ok=True)
        elif path.exists():
            target = self._aside(series_uid) / path.name
            _folder(target.parent)
            path.replace(target)

    def forget_results(self, series_uid: str, *, but: int) -> None:
        """Delete the result files of a series, except those of the generation `but`."""
        for folder in self.results(series_uid, but).parent.glob("*"):
            if folder.name != str(but):
                shutil.rmtree(folder, ignore_errors=True)

    def _aside(self, series_uid: str) -> Path:
        return self.root / "rejected" / name(series_uid)

    def discard(self, series_uid: str) -> None:
        """Delete the files of a series that the queue has removed, and those of its results."""
        mine = (
            self.series(series_uid), self.results(series_uid, 0).parent, self._aside(series_uid),
            self._staged(series_uid),
        )  # fmt: skip
        for folder in mine:
            shutil.rmtree(folder, ignore_errors=True)
        self.forget_refused(series_uid)

    def sweep(self) -> int:
        """Delete the half-written files of killed processes. Returns how many. Only the store's holder may call it."""
        left = [p for mark in (".*.tmp.*", ".*.part") for p in self.root.rglob(mark) if p.is_file()]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def series_lock(self, series_uid: str) -> threading.Lock:
        """Return the lock to hold while a series' files and the queue's rows about them change together."""
        return self._locks[int(name(series_uid)[:2], 16) % len(self._locks)]

    def lock(self) -> IO[bytes]:
        """Hold the store for one process while the returned file is open. Raises OutputError where another holds it."""
        path = self.root / "lock"
        with disk.output_errors(path):
            file = path.open("ab")
        until = time.monotonic() + _LOCK_S  # `running` holds it for a moment
        while not _locked(file, fcntl.LOCK_EX):
            if time.monotonic() > until:
                file.close()
                raise OutputError(
                    f"{self.root} is in use by another node", hint="stop that one, or another store"
                )
            time.sleep(0.05)
        return file


def running(root: Path) -> bool:
    """Return whether a node holds the store at `root`."""
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
    """Return the file name for a UID: 32 hex digits of its SHA-256."""
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def _folder(path: Path) -> None:
    """Make a folder, durable when it returns."""
    if path.is_dir():
        return
    with disk.output_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Write a folder's entries to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
