"""The queue of a DICOM node in SQLite: which instances are here, and where each series stands.

A series is `receiving` until it has been quiet for a while, then `ready`; `running` while it is answered, `sending`
while the results go out, `confirmed` once they were found at their destination. One that `failed` is tried again,
later each time, and is `dead` after the last time, until a person replays it. `unrouted` is what no rule takes.
A new instance makes any of them `receiving` again. Every change is one transaction, on the disk when the call returns
(WAL, synchronous=FULL), so a killed process loses nothing that it acknowledged.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core.errors import BudgetError, OutputError, UnknownName, VesaliusError

STATES = ("receiving", "ready", "running", "sending", "confirmed", "failed", "dead", "unrouted")
VERSION = 1
_SCHEMA = """
CREATE TABLE instances (sop_uid TEXT PRIMARY KEY, series_uid TEXT NOT NULL, received_s REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX instances_of ON instances (series_uid);
CREATE TABLE series (
    series_uid TEXT PRIMARY KEY, study_uid TEXT NOT NULL, state TEXT NOT NULL, generation INTEGER NOT NULL,
    attempts INTEGER NOT NULL, due_s REAL NOT NULL, changed_s REAL NOT NULL, error TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX series_due ON series (state, due_s);
CREATE TABLE results (
    sop_uid TEXT NOT NULL, series_uid TEXT NOT NULL, generation INTEGER NOT NULL, study_uid TEXT NOT NULL,
    bundle TEXT NOT NULL, path TEXT NOT NULL, destination TEXT NOT NULL, confirmed INTEGER NOT NULL,
    PRIMARY KEY (sop_uid, generation, destination)
) WITHOUT ROWID;
CREATE TABLE answered (
    series_uid TEXT NOT NULL, generation INTEGER NOT NULL, bundle TEXT NOT NULL, destination TEXT NOT NULL,
    PRIMARY KEY (series_uid, generation, bundle, destination)
) WITHOUT ROWID;
"""
_JOB = "series_uid, study_uid, state, generation, attempts, changed_s, error"


@dataclass(frozen=True, slots=True)
class Job:
    """A series and where it stands. `generation` is the number of instances it has received."""

    series_uid: str
    study_uid: str
    state: str
    generation: int
    attempts: int
    changed_s: float
    error: str


@dataclass(frozen=True, slots=True)
class Result:
    """An object that was made of a series: its file below the store, and the name of where it goes."""

    sop_uid: str
    study_uid: str
    bundle: str
    path: str
    destination: str


class Queue:
    """The queue in one file; safe to use from several threads, and by another process to look and replay.

    `stable_s` is how long a series must be quiet; a job is tried `attempts` times, `backoff_s` seconds after the first
    failure and twice as long after each other one, at most an hour. Raises OutputError; BudgetError on a full disk.
    """

    def __init__(
        self,
        path: Path,
        *,
        stable_s: float = 30.0,
        attempts: int = 6,
        backoff_s: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path, self.stable_s, self.attempts, self.backoff_s = path, stable_s, attempts, backoff_s
        self._clock, self._lock = clock, threading.RLock()
        with _said(path):
            self._base = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
        with self._transaction() as base:
            (found,) = base.execute("PRAGMA user_version").fetchone()
            if found == 0:
                for statement in _SCHEMA.split(";"):
                    base.execute(statement)
                base.execute(f"PRAGMA user_version={VERSION}")
        if found > VERSION:
            raise OutputError(f"{path} is from a newer version", found=str(found), hint="update vesalius")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    # -- instances

    def has(self, sop_uid: str) -> bool:
        """Whether an instance is recorded."""
        return bool(self._rows("SELECT 1 FROM instances WHERE sop_uid = ?", sop_uid))

    def add(self, study_uid: str, series_uid: str, sop_uid: str) -> bool:
        """Record an instance whose file is on the disk; its series is open again. False if it was recorded before."""
        now = self._clock()
        with self._transaction() as base:
            new = base.execute("INSERT OR IGNORE INTO instances VALUES (?, ?, ?)", (sop_uid, series_uid, now))
            if not new.rowcount:
                return False
            base.execute(
                "INSERT INTO series VALUES (?, ?, 'receiving', 1, 0, ?, ?, '') ON CONFLICT (series_uid) DO UPDATE"
                " SET state = 'receiving', generation = generation + 1, attempts = 0, due_s = excluded.due_s,"
                " changed_s = excluded.changed_s, error = ''",
                (series_uid, study_uid, now + self.stable_s, now),
            )
        return True

    def instances(self, series_uid: str) -> tuple[str, ...]:
        """The SOP instance UIDs of a series."""
        rows = self._rows("SELECT sop_uid FROM instances WHERE series_uid = ? ORDER BY sop_uid", series_uid)
        return tuple(str(uid) for (uid,) in rows)

    # -- jobs

    def recover(self) -> int:
        """Make ready again what was at work when the process ended; how many. For the one process that works."""
        with self._transaction() as base:
            return base.execute(
                "UPDATE series SET state = 'ready', changed_s = ? WHERE state IN ('running', 'sending')",
                (self._clock(),),
            ).rowcount

    def claim(self) -> Job | None:
        """The job that has been due for longest, now `running`; None if there is none."""
        now = self._clock()
        with self._transaction() as base:
            base.execute("UPDATE series SET state = 'ready' WHERE state = 'receiving' AND due_s <= ?", (now,))
            rows = base.execute(
                "UPDATE series SET state = 'running', changed_s = ? WHERE series_uid = (SELECT series_uid FROM series"
                f" WHERE state IN ('ready', 'failed') AND due_s <= ? ORDER BY due_s LIMIT 1) RETURNING {_JOB}",
                (now, now),
            ).fetchall()
        return Job(*rows[0]) if rows else None

    def move(self, job: Job, state: str) -> bool:
        """Put a claimed job into another state; False, and nothing changes, if it has been reopened meanwhile."""
        with self._transaction() as base:
            moved = base.execute(
                "UPDATE series SET state = ?, changed_s = ?, error = '' WHERE series_uid = ? AND generation = ?"
                " AND state IN ('running', 'sending')",
                (state, self._clock(), job.series_uid, job.generation),
            )
        return bool(moved.rowcount)

    def fail(self, job: Job, error: str, *, forever: bool = False) -> None:
        """Record a failure: to be tried again later, or dead, after the last attempt or where it is `forever`."""
        now, tried = self._clock(), job.attempts + 1
        state = "dead" if forever or tried >= self.attempts else "failed"
        with self._transaction() as base:
            base.execute(
                "UPDATE series SET state = ?, attempts = ?, due_s = ?, changed_s = ?, error = ?"
                " WHERE series_uid = ? AND generation = ? AND state IN ('running', 'sending')",
                (
                    state,
                    tried,
                    now + min(self.backoff_s * 2**job.attempts, 3600.0),
                    now,
                    error[:500],
                    job.series_uid,
                    job.generation,
                ),
            )

    def jobs(self, *states: str) -> tuple[Job, ...]:
        """Jobs in those states, or all, the oldest first."""
        wanted = states or STATES
        marks = ", ".join("?" * len(wanted))
        rows = self._rows(f"SELECT {_JOB} FROM series WHERE state IN ({marks}) ORDER BY changed_s", *wanted)
        return tuple(Job(*row) for row in rows)

    def replay(self, series_uid: str | None = None) -> int:
        """Make a dead job ready again, or all of them; how many. Raises UnknownName for one that is not dead."""
        with self._transaction() as base:
            done = base.execute(
                "UPDATE series SET state = 'ready', attempts = 0, due_s = ?, error = ''"
                " WHERE state = 'dead' AND series_uid = coalesce(?, series_uid)",
                (self._clock(), series_uid),
            ).rowcount
        if series_uid is not None and not done:
            raise UnknownName("dead letter", series_uid, [job.series_uid for job in self.jobs("dead")])
        return done

    # -- results

    def answered(self, job: Job, bundle: str, destination: str) -> bool:
        """Whether a bundle's results for this state of a series are recorded."""
        return bool(
            self._rows(
                "SELECT 1 FROM answered WHERE series_uid = ? AND generation = ? AND bundle = ? AND destination = ?",
                job.series_uid,
                job.generation,
                bundle,
                destination,
            )
        )

    def record(self, job: Job, bundle: str, destination: str, results: Sequence[Result]) -> None:
        """Record all that a bundle made of a series, whose files are on the disk."""
        with self._transaction() as base:
            base.execute(
                "INSERT OR IGNORE INTO answered VALUES (?, ?, ?, ?)",
                (job.series_uid, job.generation, bundle, destination),
            )
            for r in results:
                base.execute(
                    "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
                    (r.sop_uid, job.series_uid, job.generation, r.study_uid, r.bundle, r.path, r.destination),
                )

    def unconfirmed(self, job: Job) -> tuple[Result, ...]:
        """Results of this state of a series that nobody has yet found at their destination."""
        rows = self._rows(
            "SELECT sop_uid, study_uid, bundle, path, destination FROM results"
            " WHERE series_uid = ? AND generation = ? AND NOT confirmed ORDER BY sop_uid, destination",
            job.series_uid,
            job.generation,
        )
        return tuple(Result(*row) for row in rows)

    def confirm(self, job: Job, result: Result) -> None:
        """Record that a result was found at its destination."""
        with self._transaction() as base:
            base.execute(
                "UPDATE results SET confirmed = 1 WHERE sop_uid = ? AND generation = ? AND destination = ?",
                (result.sop_uid, job.generation, result.destination),
            )

    # -- SQLite

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _said(self.path):
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock, _said(self.path):
            return self._base.execute(statement, values).fetchall()


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as error:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        kind: type[VesaliusError] = BudgetError if full else OutputError
        raise kind(
            f"{path}: the queue cannot be written", found=str(error), hint="free some disk" if full else None
        ) from error
