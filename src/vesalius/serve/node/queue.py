"""The queue of a DICOM node: the instances that it holds, and the state of each series and of each of its results.

A series is `receiving` until it has been quiet for a while, then `ready`; `running` while it is answered, `sending`
while its results are sent, `confirmed` once they were found at their destination. A `failed` series is tried again,
after a longer wait each time; after the last attempt it is `dead` until a person replays it. No rule takes an
`unrouted` series; the files of a `removed` one were deleted after it was confirmed. A new instance, a resent instance
with changed content, and a note that rejects an instance each make the series `receiving` again.

Every change is one transaction, on the disk when the call returns, so a killed process loses nothing that it
acknowledged.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius.core.errors import DataError, UnknownName
from vesalius.serve import database
from vesalius.serve.node.tables import SCHEMA

STATES = (
    "receiving", "ready", "running", "sending", "confirmed", "failed", "dead", "unrouted", "removed",
)  # fmt: skip
_ENDED = "state IN ('dead', 'unrouted', 'confirmed') AND series_uid = ?"
_JOB = "series_uid, study_uid, state, generation, attempts, changed_s, error, removed"
_RESULT = "sop_uid, study_uid, bundle, path, destination, result_series_uid, sop_class"


@dataclass(frozen=True, slots=True)
class SeriesJob:
    """A series in the queue, and its state.

    `generation` counts the changes of the series: instances received, instances resent with changed content, and
    rejection notes. `removed` is the number of instances that it had when their files were deleted.
    """

    series_uid: str
    study_uid: str
    state: str
    generation: int
    attempts: int
    changed_s: float
    error: str
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """An object that was made from a series: the path of its file in the store, and the name of its destination."""

    sop_uid: str
    study_uid: str
    bundle: str
    path: str
    destination: str
    series_uid: str = ""
    sop_class: str = ""


class Queue:
    """The queue in a SQLite file or at a `postgresql://` URL; safe in several threads, and readable by other processes.

    `stable_s`: seconds without a new instance after which a series is ready. A job is tried `attempts` times; the wait
    is `backoff_s` seconds after the first failure and doubles after each further one, up to an hour. Raises
    OutputError; BudgetError on a full disk.
    """

    def __init__(
        self,
        where: Path | str,
        *,
        stable_s: float = 30.0,
        attempts: int = 6,
        backoff_s: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.stable_s, self.attempts, self.backoff_s, self._clock = stable_s, attempts, backoff_s, clock
        self._base = database.connect(where, SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._base.close()

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        """Hold the queue for one node during the block. Raises OutputError where another node holds it."""
        return self._base.exclusive()

    # -- instances

    def series_of(self, sop_uid: str) -> str | None:
        """Return the series of a recorded instance; None for an instance that is not recorded."""
        rows = self._base.rows("SELECT series_uid FROM instances WHERE sop_uid = ?", sop_uid)
        return str(rows[0][0]) if rows else None

    def add(self, study_uid: str, series_uid: str, sop_uid: str, digest: str = "") -> bool:
        """Record an instance whose file is on the disk, and reopen its series. Returns False if it was recorded before.

        `digest`: the digest of its content, where `former_content` is True; it tells whether the content has changed
        since the series' files were deleted.
        """
        now = self._clock()
        with self._base.transaction() as execute:
            new = execute(
                "INSERT INTO instances VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (sop_uid, series_uid, now)
            )
            if not new.rowcount:
                return False
            if digest:
                execute(
                    "UPDATE contents SET digest = ?, changed = 1 WHERE sop_uid = ? AND digest <> ?",
                    (digest, sop_uid, digest),
                )
            execute(
                "INSERT INTO series VALUES (?, ?, 'receiving', 1, 0, ?, ?, '', 0) ON CONFLICT (series_uid) DO UPDATE"
                " SET state = 'receiving', generation = series.generation + 1, attempts = 0, due_s = excluded.due_s,"
                " changed_s = excluded.changed_s, error = ''",
                (series_uid, study_uid, now + self.stable_s, now),
            )
        return True

    def instances(self, series_uid: str) -> tuple[str, ...]:
        """Return the SOP Instance UIDs of a series."""
        rows = self._base.rows(
            "SELECT sop_uid FROM instances WHERE series_uid = ? ORDER BY sop_uid", series_uid
        )
        return tuple(str(uid) for (uid,) in rows)

    def change(self, study_uid: str, series_uid: str, sop_uid: str, digest: str) -> bool:
        """Record a resent instance whose content changed, and reopen its series.

        Returns False where the series was receiving already because of such an instance.
        """
        now = self._clock()
        with self._base.transaction() as execute:
            open_before = execute(
                "SELECT 1 FROM series WHERE series_uid = ? AND state = 'receiving' AND EXISTS (SELECT 1 FROM contents"
                " JOIN instances ON instances.sop_uid = contents.sop_uid WHERE series_uid = ? AND changed = 1)",
                (series_uid, series_uid),
            ).fetchall()
            execute(
                "INSERT INTO contents VALUES (?, ?, 1) ON CONFLICT (sop_uid) DO UPDATE"
                " SET digest = excluded.digest, changed = 1",
                (sop_uid, digest),
            )
            execute("UPDATE series SET study_uid = ? WHERE series_uid = ?", (study_uid, series_uid))
            self._open_again(execute, series_uid, now)
        return not open_before

    def changed(self, series_uid: str) -> dict[str, str]:
        """Return the instances of a series that were resent with changed content: SOP Instance UID → digest."""
        rows = self._base.rows(
            "SELECT contents.sop_uid, digest FROM contents JOIN instances ON instances.sop_uid = contents.sop_uid"
            " WHERE series_uid = ? AND changed = 1",
            series_uid,
        )
        return {str(uid): str(digest) for uid, digest in rows}

    def former_content(self, sop_uid: str) -> bool:
        """Return whether the digest of an instance's content is recorded, as it was before its files were deleted."""
        return bool(self._base.rows("SELECT 1 FROM contents WHERE sop_uid = ?", sop_uid))

    def reject(self, sop_uids: Iterable[str], reason: str) -> tuple[str, ...]:
        """Record instances as rejected, also those that have not come yet. Returns the series that were reopened."""
        now, touched = self._clock(), dict[str, None]()
        with self._base.transaction() as execute:
            for uid in sop_uids:
                new = execute("INSERT INTO rejected VALUES (?, ?) ON CONFLICT DO NOTHING", (uid, reason))
                if new.rowcount:
                    rows = execute("SELECT series_uid FROM instances WHERE sop_uid = ?", (uid,)).fetchall()
                    touched |= dict.fromkeys(str(series_uid) for (series_uid,) in rows)
            for series_uid in touched:
                self._open_again(execute, series_uid, now)
        return tuple(touched)

    def _open_again(self, execute: database.Execute, series_uid: str, now: float) -> None:
        """Reopen a series: wait again until it is stable, for its results were made from other images."""
        execute(
            "UPDATE series SET state = 'receiving', generation = generation + 1, attempts = 0, due_s = ?,"
            " changed_s = ?, error = '' WHERE series_uid = ?",
            (now + self.stable_s, now, series_uid),
        )

    def rejected(self, series_uid: str) -> dict[str, str]:
        """Return the rejected instances of a series: SOP Instance UID → reason."""
        rows = self._base.rows(
            "SELECT rejected.sop_uid, reason FROM rejected JOIN instances ON instances.sop_uid = rejected.sop_uid"
            " WHERE series_uid = ?",
            series_uid,
        )
        return {str(uid): str(reason) for uid, reason in rows}

    # -- jobs

    def recover(self) -> int:
        """Make the jobs ready again that an ended process was working on. Returns how many there were.

        They are placed behind the jobs that wait. Series that were receiving must be quiet for `stable_s` again, for
        while no node listened, nothing could arrive. Only the process that works through the queue may call this.
        """
        now = self._clock()
        with self._base.transaction() as execute:
            execute("UPDATE series SET due_s = ? WHERE state = 'receiving'", (now + self.stable_s,))
            return int(
                execute(
                    "UPDATE series SET state = 'ready', due_s = ?, changed_s = ? WHERE state IN ('running', 'sending')",
                    (now, now),
                ).rowcount
            )

    def claim(self) -> SeriesJob | None:
        """Take the job that has been due for longest, and mark it `running`. Returns None if no job is due."""
        now = self._clock()
        with self._base.transaction() as execute:
            execute("UPDATE series SET state = 'ready' WHERE state = 'receiving' AND due_s <= ?", (now,))
            rows = execute(
                "UPDATE series SET state = 'running', changed_s = ? WHERE series_uid = (SELECT series_uid FROM series"
                f" WHERE state IN ('ready', 'failed') AND due_s <= ? ORDER BY due_s LIMIT 1) RETURNING {_JOB}",
                (now, now),
            ).fetchall()
        return SeriesJob(*rows[0]) if rows else None

    def move(self, job: SeriesJob, state: str, note: str = "") -> bool:
        """Put a claimed job into another state. Returns False, and changes nothing, if it was reopened meanwhile.

        `note` is shown to people with the state. The state `sending` marks the job's results as sent, too.
        """
        with self._base.transaction() as execute:
            moved = execute(
                "UPDATE series SET state = ?, changed_s = ?, error = ? WHERE series_uid = ? AND generation = ?"
                " AND state IN ('running', 'sending')",
                (state, self._clock(), note[:500], job.series_uid, job.generation),
            )
            if moved.rowcount and state == "sending":
                execute(
                    "UPDATE results SET sent = 1 WHERE series_uid = ? AND generation = ?",
                    (job.series_uid, job.generation),
                )
        return bool(moved.rowcount)

    def fail(self, job: SeriesJob, error: str, *, forever: bool = False) -> None:
        """Record a failure: the job is tried later, or is dead after the last attempt or where `forever` is set."""
        now, tried = self._clock(), job.attempts + 1
        state = "dead" if forever or tried >= self.attempts else "failed"
        due = now + min(self.backoff_s * 2**job.attempts, 3600.0)
        with self._base.transaction() as execute:
            execute(
                "UPDATE series SET state = ?, attempts = ?, due_s = ?, changed_s = ?, error = ?"
                " WHERE series_uid = ? AND generation = ? AND state IN ('running', 'sending')",
                (state, tried, due, now, error[:500], job.series_uid, job.generation),
            )

    def jobs(self, *states: str) -> tuple[SeriesJob, ...]:
        """Return the jobs in these states, or all jobs, the longest unchanged first."""
        wanted = states or STATES
        marks = ", ".join("?" * len(wanted))
        rows = self._base.rows(
            f"SELECT {_JOB} FROM series WHERE state IN ({marks}) ORDER BY changed_s", *wanted
        )
        return tuple(SeriesJob(*row) for row in rows)

    def counts(self) -> dict[str, int]:
        """Return the number of series in each state, without the empty states."""
        found = dict(self._base.rows("SELECT state, count(*) FROM series GROUP BY state"))
        return {state: found[state] for state in STATES if state in found}

    def replay(self, series_uid: str | None = None) -> int:
        """Make all dead jobs ready again, or one series that is dead, unrouted or confirmed. Returns how many.

        Raises UnknownName for a series that is not here, DataError for a series in another state.
        """
        which, one = ("state = 'dead'", ()) if series_uid is None else (_ENDED, (series_uid,))
        with self._base.transaction() as execute:
            done: int = execute(
                f"UPDATE series SET state = 'ready', attempts = 0, due_s = ?, error = '' WHERE {which}",
                (self._clock(), *one),
            ).rowcount
        if series_uid is not None and not done:
            for job in self.jobs():
                if job.series_uid == series_uid:
                    gone = job.state == "removed"
                    raise DataError(
                        f"series {series_uid} is {job.state}",
                        found="its files were deleted" if gone else None,
                        hint="send it again" if gone else "wait: it is tried by itself",
                    )
            raise UnknownName("dead letter", series_uid, [job.series_uid for job in self.jobs("dead")])
        return done

    def remove(
        self, job: SeriesJob, *, older_than_s: float, digests: Mapping[str, str] | None = None
    ) -> bool:
        """Forget a series' instances, so that their files may be deleted. Returns False if it is not done or too new.

        Its results stay recorded, as does the content of its instances in `digests` (SOP Instance UID → digest).
        Instances that are sent again are received again.
        """
        with self._base.transaction() as execute:
            done = execute(
                "UPDATE series SET state = 'removed', error = '', removed = (SELECT count(*) FROM instances"
                " WHERE instances.series_uid = series.series_uid) WHERE series_uid = ? AND generation = ?"
                " AND state IN ('confirmed', 'unrouted') AND changed_s <= ?",
                (job.series_uid, job.generation, self._clock() - older_than_s),
            ).rowcount
            if done:
                for uid, digest in (digests or {}).items():
                    execute(
                        "INSERT INTO contents VALUES (?, ?, 0) ON CONFLICT (sop_uid) DO NOTHING",
                        (uid, digest),
                    )
                execute("DELETE FROM instances WHERE series_uid = ?", (job.series_uid,))
        return bool(done)

    # -- results

    def answered(self, job: SeriesJob, bundle: str, destination: str) -> bool:
        """Return whether a bundle's results for this generation of a series are recorded."""
        return bool(
            self._base.rows(
                "SELECT 1 FROM answered WHERE series_uid = ? AND generation = ? AND bundle = ? AND destination = ?",
                job.series_uid,
                job.generation,
                bundle,
                destination,
            )
        )

    def record(self, job: SeriesJob, bundle: str, destination: str, results: Sequence[Result]) -> None:
        """Record all results of a bundle for a series; their files must be on the disk."""
        with self._base.transaction() as execute:
            execute(
                "INSERT INTO answered VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (job.series_uid, job.generation, bundle, destination),
            )
            for r in results:
                execute(
                    "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0) ON CONFLICT DO NOTHING",
                    (
                        r.sop_uid, job.series_uid, job.generation, r.study_uid, r.bundle, r.path, r.destination,
                        r.series_uid, r.sop_class,
                    ),
                )  # fmt: skip

    def unconfirmed(self, job: SeriesJob) -> tuple[Result, ...]:
        """Return the results of this generation of a series that were not yet found at their destination."""
        return self._results("generation = ? AND confirmed = 0", job, job.generation)

    def former(self, job: SeriesJob, bundle: str, destination: str) -> tuple[Result, ...]:
        """Return a bundle's results of earlier generations of a series that still lie at their destination.

        Left out are results that were never sent, that were withdrawn, or that this generation has again.
        """
        return self._results(
            "generation < ? AND bundle = ? AND destination = ? AND sent = 1 AND withdrawn = 0 AND sop_uid NOT IN"
            " (SELECT sop_uid FROM results WHERE series_uid = ? AND generation = ? AND destination = ?)",
            job,
            job.generation,
            bundle,
            destination,
            job.series_uid,
            job.generation,
            destination,
        )

    def confirm(self, job: SeriesJob, result: Result) -> None:
        """Record that a result was found at its destination."""
        with self._base.transaction() as execute:
            execute(
                "UPDATE results SET confirmed = 1 WHERE sop_uid = ? AND generation = ? AND destination = ?",
                (result.sop_uid, job.generation, result.destination),
            )

    def withdraw(self, result: Result) -> None:
        """Record that a result is no longer at its destination."""
        with self._base.transaction() as execute:
            execute(
                "UPDATE results SET withdrawn = 1 WHERE sop_uid = ? AND destination = ?",
                (result.sop_uid, result.destination),
            )

    def _results(self, which: str, job: SeriesJob, *values: object) -> tuple[Result, ...]:
        rows = self._base.rows(
            f"SELECT DISTINCT {_RESULT} FROM results WHERE series_uid = ? AND {which} ORDER BY sop_uid, destination",
            job.series_uid,
            *values,
        )
        return tuple(Result(*row) for row in rows)
