"""Folders that processes share: each written down before it is made and until it is gone; a kill leaves none."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Container, Iterable
from pathlib import Path

from vesalius.core.disk import output_errors
from vesalius.core.errors import OutputError
from vesalius.serve.database import Execute
from vesalius.serve.http.shared.queue import QueueAway, SharedQueue

_TOKEN = "vesalius-queue"
_PARTS = ("studies", "jobs", "apart")
STORED = (
    "SELECT (SELECT coalesce(sum(size), 0) FROM studies) + (SELECT coalesce(sum(size), 0) FROM jobs)"
    " + (SELECT coalesce(sum(size), 0) FROM folders WHERE coming = 1)"
)


class Folders:
    """The folder that all processes of a queue share, with this process's own `apart`.

    Raises OutputError for one that is not the other processes', or that another queue used.
    """

    def __init__(self, root: Path, queue: SharedQueue) -> None:
        self.root, self.queue = root.resolve(), queue
        self._owed: set[str] = set()  # what has to be written down as leaving once the database is there
        with output_errors(root):
            for name in _PARTS:
                (self.root / name).mkdir(parents=True, exist_ok=True)
            fault = self._join()
            if fault is not None:
                raise OutputError(f"{root} is not the folder of the queue at {queue.where}", hint=fault)
            self.apart = self.root / "apart" / queue.worker
            self.apart.mkdir(mode=0o700)

    def _join(self) -> str | None:
        """Return None where this is the folder that the queue's other processes have, or else what to try.

        Whatever its path is on each machine, it holds what the first process of the queue wrote into it.
        """
        path = self.root / _TOKEN
        with self.queue.transaction() as execute:
            row = execute("SELECT token FROM place").fetchone()
            here = path.read_text(encoding="utf-8") if path.is_file() else None
            if row is None and here is None:
                token = secrets.token_hex(16)
                with path.open("x", encoding="utf-8") as file:
                    file.write(token)
                    file.flush()
                    os.fsync(file.fileno())
                execute("INSERT INTO place VALUES (?)", (token,))
                return None
        if row is None:
            return "an empty folder: files of another queue lie in this one"
        return None if row[0] == here else "the folder that its other processes share"

    def begin(self, execute: Execute, name: str, owner: str = "") -> None:
        """Write down that a folder is about to be filled by this process."""
        execute("INSERT INTO folders VALUES (?, ?, ?, 0, 1)", (name, owner, self.queue.worker))

    def keep(self, execute: Execute, name: str) -> None:
        """Write down that a folder is filled: what stands in it is in another table from now on."""
        execute("DELETE FROM folders WHERE path = ?", (name,))

    def leave(self, execute: Execute, name: str) -> None:
        """Write down that a folder has to go."""
        execute(
            "INSERT INTO folders VALUES (?, '', ?, 0, 0) ON CONFLICT (path) DO UPDATE SET coming = 0, size = 0,"
            " worker = excluded.worker",
            (name, self.queue.worker),
        )

    def clear(self, names: Iterable[str]) -> None:
        """Remove folders that have to go."""
        for name in names:
            shutil.rmtree(self.root / name, ignore_errors=True)
            if not (self.root / name).exists():
                with self.queue.transaction() as execute:
                    execute("DELETE FROM folders WHERE path = ? AND coming = 0", (name,))

    def drop(self, name: str) -> None:
        """Remove a folder of this process that was not filled, at once or, while the database is away, later."""
        try:
            with self.queue.transaction() as execute:
                self.leave(execute, name)
            self.clear([name])
        except QueueAway:
            shutil.rmtree(self.root / name, ignore_errors=True)
            self._owed.add(name)

    def part(self) -> None:
        """Remove what is this process's alone."""
        shutil.rmtree(self.apart, ignore_errors=True)

    def sweep(self, busy: Container[str] = ()) -> None:
        """Remove what processes left that were killed: half of an upload, and what they had begun to remove.

        Folders that are `busy` in this process are left to it.
        """
        with self.queue.transaction() as execute:
            for name in list(self._owed):
                self.leave(execute, name)
            dead = "worker NOT IN (SELECT id FROM workers)"
            execute(f"UPDATE folders SET coming = 0, size = 0 WHERE coming = 1 AND {dead}")
            left = execute(
                f"SELECT path FROM folders WHERE coming = 0 AND (worker = ? OR {dead})", (self.queue.worker,)
            ).fetchall()
            alive = {str(name) for (name,) in execute("SELECT id FROM workers").fetchall()}
        self._owed.clear()
        self.clear(str(name) for (name,) in left if str(name) not in busy)
        for folder in (self.root / "apart").iterdir():
            if folder.name not in alive:
                shutil.rmtree(folder, ignore_errors=True)


def settle(folder: Path) -> None:
    """Bring everything in a folder onto the disk, its own name, too. Raises OutputError."""
    with output_errors(folder):
        for place, _, files in os.walk(folder):
            for name in files:
                _sync(Path(place) / name)
            _sync(Path(place))
        _sync(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
