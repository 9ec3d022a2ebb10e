"""A journal: lines that are only ever added to one file, each on the disk before whoever adds it goes on."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from vesalius.core.disk import append, held, output_errors, write_bytes
from vesalius.core.words import counted


class Journal:
    """The lines of a file in a folder that is kept to this process.

    `mended` says what was set aside of a file that ended in a line that was never finished: nobody was told that it is
    saved. Raises OutputError where the folder cannot be written or another process has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mended: str | None = None
        folder = path.parent
        with ExitStack() as stack, output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            stack.enter_context(held(folder))
            new = not path.exists()
            self._handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            stack.callback(os.close, self._handle)
            if new:
                _sync(folder)
            self._mend()
            self._open = stack.pop_all()

    def add(self, line: bytes) -> None:
        """Add a line, its end included; on return it is on the disk, whole. Raises OSError."""
        append(self._handle, line)

    def close(self) -> None:
        """Write no more."""
        self._open.close()

    def _mend(self) -> None:
        data = self.path.read_bytes()
        whole = len(whole_lines(data))
        if whole == len(data):
            return
        aside = self.path.parent / f"{self.path.name}.torn-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        write_bytes(aside, data[whole:])
        aside.chmod(0o600)
        os.ftruncate(self._handle, whole)
        os.fsync(self._handle)
        self.mended = f"the last line of {self.path} was never finished: its "
        self.mended += f"{counted(len(data) - whole, 'byte is', 'bytes are')} in {aside.name}"


def whole_lines(data: bytes) -> bytes:
    """Return a journal's bytes up to the end of its last finished line."""
    return data[: data.rfind(b"\n") + 1]


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
