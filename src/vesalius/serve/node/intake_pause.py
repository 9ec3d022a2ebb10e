"""A pause of the intake: while the node refuses images, the log says so once, and `--status` shows since when."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from vesalius.core.errors import VesaliusError
from vesalius.core.progress import Progress
from vesalius.serve.node.store import Store

_MARK = "refusing"  # a file in the store: its age is the pause's, its text is the reason


@dataclass(frozen=True, slots=True)
class Pause:
    """Why images are refused, and since when (seconds since 1970)."""

    why: str
    since_s: float


class IntakePause:
    """Notes when a node begins to refuse images and when it takes them again; safe in several threads."""

    def __init__(self, store: Store, progress: Progress) -> None:
        self.store, self.progress = store, progress
        self._lock, self._wanted = threading.Lock(), 0
        self._of_disk = not store.has_room()
        self._now = self._of_disk and read_pause(store.root) is not None
        if not self._now:
            self._unmark()

    def begins(self, error: VesaliusError, *, size: int = 0) -> None:
        """Note that an image of `size` bytes was refused; the first one begins the pause."""
        with self._lock:
            self._wanted = max(self._wanted, size)
            if not self._now:
                self._begin(error, of_disk=not self.store.has_room(size))

    def kept(self) -> None:
        """Note that an image was kept, which ends the pause.

        A pause for want of disk goes on until twice the largest refused image would fit: small images may be kept
        while larger ones are still refused.
        """
        if self._now:
            with self._lock:
                if self._now and (not self._of_disk or self.store.has_room(2 * self._wanted)):
                    self._end()

    def check_disk(self) -> None:
        """Begin or end the pause as the disk is now; to be called from time to time, for nobody may be sending."""
        with self._lock:
            if self._now and self._of_disk and self.store.has_room(2 * self._wanted):
                self._end()
            elif not self._now and not self.store.has_room():
                self._begin(self.store.disk_full(), of_disk=True)

    def _begin(self, error: VesaliusError, *, of_disk: bool) -> None:
        self._now, self._of_disk = True, of_disk
        with contextlib.suppress(OSError):
            (self.store.root / _MARK).write_text(str(error), encoding="utf-8")
        self.progress.note(f"refusing images (status A700): {error}")

    def _end(self) -> None:
        found = read_pause(self.store.root)
        self._now, self._wanted = False, 0
        self._unmark()
        seconds = time.time() - found.since_s if found else 0
        since = f", after {seconds:.0f} s" if seconds < 120 else f", after {seconds / 60:.0f} min"
        self.progress.note(f"images are taken again{since}; {self.store.free() >> 20} MiB are free")

    def _unmark(self) -> None:
        with contextlib.suppress(OSError):
            (self.store.root / _MARK).unlink(missing_ok=True)


def read_pause(root: Path) -> Pause | None:
    """Return the pause of the node that holds the store at `root`, from any process; None where there is none."""
    try:
        path = root / _MARK
        return Pause(path.read_text(encoding="utf-8") or "disk full", path.stat().st_mtime)
    except (OSError, UnicodeDecodeError):
        return None
